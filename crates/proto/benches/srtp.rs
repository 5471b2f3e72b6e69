//! What SRTP costs for each packet of 1,000 octets, on its way out and on its way in. The aim: at most 5 microseconds
//! with the ciphers of the processor, for some 400 packets a second each way.

#![allow(clippy::expect_used, reason = "a benchmark of packets that are not taken has no figure to give")]

use divan::{Bencher, black_box, counter::ItemsCount};
use visavis_proto::rtp::RtpHeader;
use visavis_proto::rtp::srtp::{MasterKey, Profile, Receiver, Sender};

const PACKETS: usize = 1_000;

fn main() {
    divan::main();
}

fn key(profile: Profile) -> MasterKey {
    let octets = |n| vec![0x5a; n];
    MasterKey::new(profile, &octets(profile.key_len()), &octets(profile.salt_len())).expect("the lengths fit")
}

fn packets() -> Vec<Vec<u8>> {
    let packet = |i: usize| {
        let header =
            RtpHeader { marker: false, payload_type: 96, seq: i as u16, timestamp: i as u32, ssrc: 2 };
        let mut out = Vec::new();
        header.with_payload(&[0; 1_000]).write(&mut out);
        out
    };
    (0..PACKETS).map(packet).collect()
}

#[divan::bench(args = Profile::ALL)]
fn seal(bencher: Bencher<'_, '_>, profile: Profile) {
    let packets = packets();
    bencher.counter(ItemsCount::new(PACKETS)).with_inputs(|| Sender::new(&key(profile))).bench_refs(
        |sender| {
            for packet in &packets {
                black_box(sender.rtp(black_box(packet)).expect("it is RTP"));
            }
        },
    );
}

#[divan::bench(args = Profile::ALL)]
fn open(bencher: Bencher<'_, '_>, profile: Profile) {
    let mut sender = Sender::new(&key(profile));
    let sealed: Vec<_> = packets().iter().map(|packet| sender.rtp(packet).expect("it is RTP")).collect();
    bencher.counter(ItemsCount::new(PACKETS)).with_inputs(|| Receiver::new(&key(profile))).bench_refs(
        |receiver| {
            for packet in &sealed {
                black_box(receiver.rtp(black_box(packet)).expect("it is authentic"));
            }
        },
    );
}
