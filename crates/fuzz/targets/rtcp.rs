//! RTCP: every packet of a compound can be read to its end, and the packets take no more than what came.

#![no_main]

use libfuzzer_sys::fuzz_target;
use visavis_proto::rtp::rtcp::{Compound, FeedbackControl, KeyframeRequest, Packet};

fuzz_target!(|data: &[u8]| {
    let compound = match Compound::parse(data) {
        Ok(compound) => compound,
        Err(error) => {
            let _ = error.to_string();
            return;
        }
    };
    let _ = compound.is_reduced_size();
    assert_eq!(compound.data(), data);
    let mut count = 0;
    for packet in compound.packets() {
        count += 1;
        assert!(4 * count <= data.len());
        match packet {
            Ok(packet) => read(&packet, data.len()),
            Err(error) => {
                let _ = error.to_string();
            }
        }
    }
    assert!(count > 0);
});

/// Reads everything in a packet; nothing in it is more than `most`.
fn read(packet: &Packet<'_>, most: usize) {
    match packet {
        Packet::SenderReport(report) => assert!(report.blocks().count() <= 31),
        Packet::ReceiverReport(report) => assert!(report.blocks().count() <= 31),
        Packet::Sdes(sdes) => {
            for (_, name) in sdes.cnames() {
                assert!(name.is_none_or(|name| name.len() <= 255));
            }
        }
        Packet::Bye(bye) => {
            assert!(bye.sources().count() <= 31);
            let _ = bye.reason();
        }
        Packet::TransportFeedback(feedback) => {
            if let FeedbackControl::Known(nack) = feedback.control() {
                assert!(nack.lost().count() <= most / 4 * 17);
            }
        }
        Packet::PayloadFeedback(feedback) => {
            if let FeedbackControl::Known(KeyframeRequest::Fir(fir)) = feedback.control() {
                assert!(fir.entries().count() <= most / 8);
            }
        }
        Packet::Other { body, .. } => assert!(body.len() < most),
    }
}
