//! RTP: a packet that is read is written with the same octets, but for the content of its padding.

#![no_main]

use libfuzzer_sys::fuzz_target;
use visavis_proto::rtp::RtpPacket;

fuzz_target!(|data: &[u8]| {
    let packet = match RtpPacket::parse(data) {
        Ok(packet) => packet,
        Err(error) => {
            let _ = error.to_string();
            return;
        }
    };
    assert_eq!(&data[packet.payload_range()], packet.payload());
    let mut written = Vec::new();
    packet.write(&mut written);
    let end = packet.payload_range().end;
    assert_eq!(written[..end], data[..end]);
    assert_eq!(written.len(), data.len());
    assert_eq!(written.len() - end, usize::from(packet.padding()));
    assert!(packet.csrc().count() <= 15);
    let again = RtpPacket::parse(&written).unwrap();
    assert_eq!(again.extension(), packet.extension());
});
