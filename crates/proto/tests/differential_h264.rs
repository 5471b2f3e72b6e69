//! Streams without loss, packetized and joined by this crate and by the `rtp` crate in all combinations: both
//! must make the same NAL units of them.
//!
//! That crate never sends access unit delimiters and filler data, and refuses packets of two octets or fewer,
//! so the streams have neither.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of a test fail like the test"
)]

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use rtp::codecs::h264::{H264Packet, H264Payloader};
use rtp::packetizer::{Depacketizer as _, Payloader as _};
use visavis_proto::Time;
use visavis_proto::limits::Limits;
use visavis_proto::rtp::payload::Packet;
use visavis_proto::rtp::payload::h264::{
    H264Depacketizer, H264Format, H264Packetizer, NalUnits, PacketizationMode,
};

/// A NAL unit of 3 octets or more, without zero octets: nothing in it can be taken for a start code.
fn nal(types: &'static [u8], max: usize) -> impl Strategy<Value = Vec<u8>> {
    (1..4u8, prop::sample::select(types), vec(1..=255u8, 2..max))
        .prop_map(|(nri, nal_type, body)| [vec![nri << 5 | nal_type], body].concat())
}

/// The NAL units of a picture, with parameter sets in front if it is an IDR picture.
fn picture() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let idr = (nal(&[7], 40), nal(&[8], 20), vec(nal(&[5], 900), 1..4));
    prop_oneof![
        vec(nal(&[1], 900), 1..5),
        idr.prop_map(|(sps, pps, slices)| [vec![sps, pps], slices].concat()),
    ]
}

fn annex_b(nals: &[Vec<u8>]) -> Bytes {
    nals.iter().flat_map(|nal| [&[0, 0, 0, 1], &nal[..]].concat()).collect()
}

fn nals(stream: &Bytes) -> Vec<Vec<u8>> {
    NalUnits::new(stream).map(|nals| nals.map(|nal| nal.to_vec()).collect()).unwrap_or_default()
}

fn ours_sent(packetizer: &mut H264Packetizer, frame: &Bytes, max: usize) -> Vec<Bytes> {
    let mut out = Vec::new();
    packetizer.packetize(frame, max, &mut out).expect("mode 1 fragments what does not fit");
    out.into_iter().map(|packet| packet.payload).collect()
}

fn ours_received(payloads: &[Bytes]) -> Vec<Vec<u8>> {
    let mut depacketizer = H264Depacketizer::new(&H264Format::default(), &Limits::default());
    for (i, payload) in payloads.iter().enumerate() {
        depacketizer.push(Packet {
            payload: payload.clone(),
            timestamp: 3_000,
            sequence: i as u64,
            marker: i + 1 == payloads.len(),
            received: Time::ZERO,
            play_at: Time::ZERO,
        });
    }
    nals(&depacketizer.poll().expect("the marker ends the access unit").data)
}

fn theirs_received(payloads: &[Bytes]) -> Vec<Vec<u8>> {
    let mut depacketizer = H264Packet::default();
    let parts =
        payloads.iter().map(|payload| depacketizer.depacketize(payload).expect("the packet is in order"));
    nals(&Bytes::from(parts.collect::<Vec<_>>().concat()))
}

proptest! {
    #[test]
    fn both_make_the_same_nal_units_of_both_kinds_of_packets(
        pictures in vec(picture(), 1..6),
        max in 70..500usize,
    ) {
        let mut ours = H264Packetizer::new(PacketizationMode::NonInterleaved);
        let mut theirs = H264Payloader::default();
        for picture in pictures {
            let frame = annex_b(&picture);
            let our_packets = ours_sent(&mut ours, &frame, max);
            let their_packets = theirs.payload(max, &frame).expect("it has no errors");
            prop_assert!(ours_received(&our_packets) == picture, "ours to ours");
            prop_assert!(theirs_received(&our_packets) == picture, "ours to theirs");
            prop_assert!(ours_received(&their_packets) == picture, "theirs to ours");
            prop_assert!(theirs_received(&their_packets) == picture, "theirs to theirs");
        }
    }
}

/// Why that crate is an oracle and no dependency: what it does with packets that are not in order.
#[test]
fn the_other_crate_panics_and_splices_where_this_one_does_not() {
    // A size field cut in two.
    let cut = Bytes::from_static(&[0x78, 0x00, 0x01, 0x65, 0x00]);
    let panic = std::panic::catch_unwind(|| H264Packet::default().depacketize(&cut).is_ok());
    assert!(panic.is_err(), "fixed there: revise docs/decisions/0004-own-payload-formats.md");
    assert_eq!(ours_received(&[cut]), [vec![0x65]]);
    // The beginning of one slice and the end of another, as if nothing lay between them.
    let mut theirs = H264Packet::default();
    let (begin, end) = (Bytes::from_static(&[0x7c, 0x85, 0xaa]), Bytes::from_static(&[0x7c, 0x45, 0xbb]));
    theirs.depacketize(&begin).expect("a fragment");
    assert_eq!(theirs.depacketize(&end).expect("a fragment"), [0, 0, 0, 1, 0x65, 0xaa, 0xbb][..]);
}
