//! Pictures out of packets, whatever the packets; and what is cut to packets comes out again, NAL unit by NAL
//! unit.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use visavis_fuzz::{Octets, depacketize};
use visavis_proto::Time;
use visavis_proto::limits::Limits;
use visavis_proto::rtp::payload::h264::{H264Format, NalUnits, PacketizationMode};
use visavis_proto::rtp::payload::{Depacketizer, Packet, Packetizer, PayloadFormat};

fuzz_target!(|data: &[u8]| {
    let mut octets = Octets(data);
    let choice = octets.octet();
    let mode = match choice & 0x01 {
        0 => PacketizationMode::SingleNal,
        _ => PacketizationMode::NonInterleaved,
    };
    if choice & 0x02 != 0 {
        return round_trip(mode, usize::from(octets.octet()) * 4, octets.0);
    }
    let sets = usize::from(choice >> 2 & 0x03);
    let parameter_sets = (0..sets).map(|_| Bytes::copy_from_slice(octets.data())).collect();
    depacketize(&PayloadFormat::H264(H264Format { mode, parameter_sets }), octets.0);
});

/// One access unit through packets of any size and back.
fn round_trip(mode: PacketizationMode, size: usize, stream: &[u8]) {
    let stream = Bytes::copy_from_slice(stream);
    let format = PayloadFormat::H264(H264Format { mode, parameter_sets: Vec::new() });
    let mut packets = Vec::new();
    if Packetizer::new(&format).packetize(&stream, false, size, &mut packets).is_err() {
        assert!(packets.is_empty());
        return;
    }
    let sent: Vec<Bytes> = NalUnits::new(&stream).expect("it was packed").filter(is_sent).collect();
    let mut depacketizer = Depacketizer::new(&format, 90_000, &Limits::default());
    let last = packets.len() - 1;
    for (i, packet) in packets.into_iter().enumerate() {
        assert!(packet.payload.len() <= size);
        assert_eq!(packet.marker, i == last);
        depacketizer.push(Packet {
            payload: packet.payload,
            timestamp: 3000,
            sequence: i as u64,
            marker: packet.marker,
            received: Time::from_millis(1),
            play_at: Time::from_millis(2),
        });
    }
    depacketizer.finish();
    // A NAL unit that says that it is damaged is dropped on arrival, and without a slice there is no picture.
    let damaged = sent.iter().any(|nal| nal[0] & 0x80 != 0);
    let Some(slice) = sent.iter().find(|nal| matches!(nal[0] & 0x1f, 1..=5)) else { return };
    if damaged {
        return;
    }
    let unit = depacketizer.poll().expect("what was packed is delivered");
    let arrived: Vec<Bytes> = NalUnits::new(&unit.data).expect("Annex B").collect();
    assert_eq!(arrived, sent);
    // The first slice of a stream must be the first one of its picture.
    let begins_picture = slice.get(1).is_none_or(|octet| octet & 0x80 != 0);
    assert!(unit.complete || !begins_picture);
    assert_eq!(depacketizer.poll(), None);
}

/// Types that mean something else in RTP are left out.
fn is_sent(nal: &Bytes) -> bool {
    matches!(nal[0] & 0x1f, 1..=23)
}
