//! Sound out of packets: RFC 3640 with AU headers of any layout or without, LATM, and the simple ones; and
//! what is put into packets comes out again.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use visavis_fuzz::{Octets, depacketize};
use visavis_proto::Time;
use visavis_proto::limits::Limits;
use visavis_proto::rtp::payload::aac::{AacFormat, AuHeaderLayout, AudioFraming};
use visavis_proto::rtp::payload::latm::LatmFormat;
use visavis_proto::rtp::payload::sampled::SampledFormat;
use visavis_proto::rtp::payload::{Depacketizer, Packet, Packetizer, PayloadFormat};

fuzz_target!(|data: &[u8]| {
    let mut octets = Octets(data);
    let choice = octets.octet();
    let aac = |framing| PayloadFormat::Aac(AacFormat { framing, frame_ticks: 480 });
    let format = match choice & 0x07 {
        0 => aac(AudioFraming::AuHeaders(AuHeaderLayout::HBR)),
        1 => aac(AudioFraming::AuHeaders(AuHeaderLayout::LBR)),
        2 => aac(AudioFraming::AuHeaders(AuHeaderLayout {
            size_length: octets.octet() % 32 + 1,
            index_length: octets.octet() % 33,
            index_delta_length: octets.octet() % 33,
        })),
        3 => aac(AudioFraming::Raw),
        4 => PayloadFormat::Latm(LatmFormat { frame_ticks: 480, frames_per_element: choice >> 3 }),
        5 => PayloadFormat::Sampled(SampledFormat::MONO),
        6 => PayloadFormat::Opus,
        _ => return round_trip(octets.octet(), octets.octet(), octets.0),
    };
    depacketize(&format, octets.0);
});

/// One frame through packets of any size and back.
fn round_trip(kind: u8, size: u8, frame: &[u8]) {
    let aac = |framing| PayloadFormat::Aac(AacFormat { framing, frame_ticks: 480 });
    let format = match kind & 0x03 {
        0 => aac(AudioFraming::AuHeaders(AuHeaderLayout::HBR)),
        1 => aac(AudioFraming::AuHeaders(AuHeaderLayout::LBR)),
        2 => aac(AudioFraming::Raw),
        _ => PayloadFormat::Latm(LatmFormat { frame_ticks: 480, frames_per_element: 1 }),
    };
    let mut packets = Vec::new();
    let packed = Packetizer::new(&format).packetize(
        &Bytes::copy_from_slice(frame),
        false,
        usize::from(size),
        &mut packets,
    );
    if packed.is_err() {
        assert!(packets.is_empty());
        return;
    }
    let mut depacketizer = Depacketizer::new(&format, 48_000, &Limits::default());
    for (i, packet) in packets.into_iter().enumerate() {
        assert!(packet.payload.len() <= usize::from(size));
        depacketizer.push(Packet {
            payload: packet.payload,
            timestamp: 960 + u64::from(packet.timestamp_offset),
            sequence: i as u64,
            marker: packet.marker,
            received: Time::from_millis(1),
            play_at: Time::from_millis(2),
        });
    }
    depacketizer.finish();
    let unit = depacketizer.poll().expect("what was packed is delivered");
    assert_eq!(unit.data, frame);
    assert_eq!(depacketizer.poll(), None);
}
