//! What one picture costs on its way through the H.264 payload format: 40,000 octets, as an IDR picture of
//! 1280x720 pixels may have, in slices of about 1,100 octets (mode 0) or in one piece (mode 1).

#![allow(clippy::expect_used, reason = "a benchmark of pictures that cannot be sent has no figure to give")]

use bytes::Bytes;
use divan::{Bencher, black_box, counter::BytesCount};
use visavis_proto::Time;
use visavis_proto::limits::Limits;
use visavis_proto::rtp::payload::h264::{H264Depacketizer, H264Format, H264Packetizer, PacketizationMode};
use visavis_proto::rtp::payload::{Packet, PayloadPacket};

const SIZE: usize = 40_000;
const MAX_PAYLOAD: usize = 1_200;
const CASES: [(PacketizationMode, usize); 2] =
    [(PacketizationMode::SingleNal, 1_100), (PacketizationMode::NonInterleaved, SIZE)];

fn main() {
    divan::main();
}

/// A picture in slices of `slice` octets. Their content looks random, as coded pictures do.
fn picture(slice: usize) -> Bytes {
    let mut frame = vec![0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0x8c, 0, 0, 0, 1, 0x68, 0xce, 0x3c];
    let mut state = 1u32;
    while frame.len() < SIZE {
        frame.extend([0, 0, 0, 1, 0x65, 0x88]);
        for _ in 0..slice.min(SIZE) {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            frame.push((state >> 24) as u8 | 1);
        }
    }
    frame.into()
}

fn packets(mode: PacketizationMode, frame: &Bytes) -> Vec<PayloadPacket> {
    let mut out = Vec::new();
    H264Packetizer::new(mode).packetize(frame, MAX_PAYLOAD, &mut out).expect("the slices fit");
    out
}

#[divan::bench(args = CASES)]
fn packetize(bencher: Bencher<'_, '_>, (mode, slice): (PacketizationMode, usize)) {
    let frame = picture(slice);
    let mut packetizer = H264Packetizer::new(mode);
    let mut out = Vec::with_capacity(64);
    bencher.counter(BytesCount::new(frame.len())).bench_local(|| {
        out.clear();
        packetizer.packetize(black_box(&frame), MAX_PAYLOAD, &mut out).expect("the slices fit");
        out.len()
    });
}

#[divan::bench(args = CASES)]
fn depacketize(bencher: Bencher<'_, '_>, (mode, slice): (PacketizationMode, usize)) {
    let frame = picture(slice);
    let packets = packets(mode, &frame);
    let mut depacketizer = H264Depacketizer::new(&H264Format::default(), &Limits::default());
    let (mut timestamp, mut sequence) = (0, 0);
    bencher.counter(BytesCount::new(frame.len())).bench_local(|| {
        timestamp += 3_000;
        for packet in &packets {
            sequence += 1;
            depacketizer.push(Packet {
                payload: packet.payload.clone(),
                timestamp,
                sequence,
                marker: packet.marker,
                received: Time::ZERO,
                play_at: Time::ZERO,
            });
        }
        depacketizer.poll().expect("the marker ends the access unit")
    });
}
