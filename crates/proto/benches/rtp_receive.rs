//! What one packet of RTP costs on its way in: header, source, jitter buffer. The aim: at most half a
//! microsecond. Pictures of 720p at 2 Mbit/s are some 220 packets a second, sound 50 or 100.

#![allow(clippy::expect_used, reason = "a benchmark of packets that are not taken has no figure to give")]

use divan::{Bencher, black_box, counter::ItemsCount};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::net::SocketAddr;
use visavis_proto::Time;
use visavis_proto::rtp::rtcp::Compound;
use visavis_proto::rtp::session::PayloadType;
use visavis_proto::rtp::{JitterBuffer, JitterConfig, RtpHeader, RtpPacket, Session, SessionConfig};

const PACKETS: u64 = 10_000;

fn main() {
    divan::main();
}

fn session() -> Session {
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let mut config = SessionConfig::new(1, "bench".into(), 8_000, &mut rng);
    config.payload_types = vec![PayloadType { number: 0, clock_rate: 8_000 }];
    Session::new(Time::ZERO, config, &mut rng)
}

fn datagrams() -> Vec<Vec<u8>> {
    let datagram = |i: u64| {
        let header =
            RtpHeader { marker: false, payload_type: 0, seq: i as u16, timestamp: i as u32 * 160, ssrc: 2 };
        let mut out = Vec::new();
        header.with_payload(&[0; 1_000]).write(&mut out);
        out
    };
    (0..PACKETS).map(datagram).collect()
}

#[divan::bench]
fn header(bencher: Bencher<'_, '_>) {
    let datagrams = datagrams();
    bencher.counter(ItemsCount::new(PACKETS)).bench(|| {
        for data in &datagrams {
            black_box(RtpPacket::parse(black_box(data)).expect("it is RTP"));
        }
    });
}

#[divan::bench]
fn session_and_jitter_buffer(bencher: Bencher<'_, '_>) {
    let datagrams = datagrams();
    let from = SocketAddr::from(([192, 0, 2, 1], 4_000));
    bencher
        .counter(ItemsCount::new(PACKETS))
        .with_inputs(|| (session(), JitterBuffer::new(JitterConfig::AUDIO)))
        .bench_refs(|(session, buffer)| {
            for (i, data) in datagrams.iter().enumerate() {
                // Up to 7 ms of jitter.
                let now = Time::from_millis(i as u64 * 20 + (i as u64 * 5) % 8);
                for packet in session.receive(now, from, data).expect("it is for us") {
                    buffer.push(now, packet);
                }
                while let Some(item) = buffer.poll(now) {
                    black_box(item);
                }
            }
        });
}

#[divan::bench]
fn report(bencher: Bencher<'_, '_>) {
    let mut session = session();
    let from = SocketAddr::from(([192, 0, 2, 1], 4_000));
    let data = [
        0x81, 0xc9, 0, 7, 0, 0, 0, 2, 0, 0, 0, 1, 0x10, 0, 0, 5, 0, 0, 1, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0,
        1, 0x81, 0xca, 0, 2, 0, 0, 0, 2, 1, 1, 0x61, 0,
    ];
    bencher.bench_local(|| {
        let compound = Compound::parse(black_box(&data)).expect("it is RTCP");
        black_box(session.receive_rtcp(Time::from_millis(1), from, &compound))
    });
}
