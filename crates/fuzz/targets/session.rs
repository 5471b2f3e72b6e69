//! An RTP session, driven by any sequence of packets, reports, sending and time: its RTCP can be read, its
//! deadlines move on, and its memory and its counts stay within what arrived.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::net::SocketAddr;
use std::time::Duration;
use visavis_fuzz::Octets;
use visavis_proto::Time;
use visavis_proto::io::SectionStats;
use visavis_proto::rtp::rtcp::Compound;
use visavis_proto::rtp::session::{Dropped, KeyframeMethod, PayloadType};
use visavis_proto::rtp::{ExtensionIds, RtpHeader, RtpPacket, Session, SessionConfig};

const EXTENSIONS: ExtensionIds = ExtensionIds { ntp_64: Some(1), ntp_56: Some(2), orientation: Some(3) };

fuzz_target!(|data: &[u8]| {
    let mut octets = Octets(data);
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let mut now = Time::from_millis(1000);
    let mut config = SessionConfig::new(0x0102_0304, "lab".into(), 90_000, &mut rng);
    let types = octets.octet();
    config.payload_types = vec![
        PayloadType { number: 96, clock_rate: u32::from(types) * 400 },
        PayloadType { number: 0, clock_rate: 8000 },
    ];
    config.max_sources = usize::from(types & 0x07);
    let mut session = Session::new(now, config, &mut rng);
    session.set_extensions(EXTENSIONS);
    let mut arrived = 0u64;
    while !octets.is_empty() {
        let (action, choice) = (octets.octet(), octets.octet());
        let from = SocketAddr::from(([192, 0, 2, 9], 5000 + u16::from(choice & 0x01)));
        match action % 10 {
            0 => now += Duration::from_millis(u64::from(choice)),
            1 => now += Duration::from_millis(u64::from(choice) << 6),
            2..=4 => {
                arrived += 1;
                receive(&mut session, now, from, &rtp(&mut octets, choice));
            }
            5 => {
                arrived += 1;
                receive(&mut session, now, from, octets.data());
            }
            6 => {
                if let Ok(compound) = Compound::parse(octets.data()) {
                    let _ = session.is_for_rtcp(&compound);
                    let events = session.receive_rtcp(now, from, &compound);
                    assert!(events.len() <= compound.data().len());
                }
            }
            7 => {
                let timestamp = session.timestamp(now, u32::from(choice) * 8);
                let ntp = session.ntp(now, timestamp).filter(|_| choice & 2 != 0);
                let packet = match EXTENSIONS.write(ntp, None) {
                    Some(extension) => session.send_extended(
                        now,
                        (96, choice & 1 != 0, timestamp),
                        &extension,
                        octets.data(),
                    ),
                    None => session.send(now, 96, choice & 1 != 0, timestamp, octets.data()),
                };
                let packet = RtpPacket::parse(&packet).expect("what is sent is RTP");
                assert_eq!(packet.ssrc, session.ssrc());
            }
            8 => {
                let method = if choice & 1 == 0 { KeyframeMethod::Pli } else { KeyframeMethod::Fir };
                session.request_keyframe(now, method);
            }
            _ => match choice & 0x07 {
                0 => session.close(now),
                1 => session.cancel_keyframe_request(),
                2 => session.set_clock_rate(u32::from(choice) * 1000),
                _ => session.expect_source(u32::from(choice >> 3)),
            },
        }
        drain(&mut session, now);
    }
    let mut stats = SectionStats::default();
    session.fill_stats(&mut stats);
    assert!(stats.packets_received <= arrived);
    assert!(stats.packets_duplicate + stats.packets_reordered <= 2 * arrived);
});

/// A packet of one of few sources whose sequence numbers run on, leap or stand still.
fn rtp(octets: &mut Octets<'_>, choice: u8) -> Vec<u8> {
    let (seq, timestamp) = (octets.octet(), octets.octet());
    let header = RtpHeader {
        marker: choice & 0x80 != 0,
        payload_type: if choice & 0x40 == 0 { 96 } else { choice & 0x3f },
        seq: u16::from(seq) << if choice & 0x20 == 0 { 0 } else { 8 },
        timestamp: u32::from(timestamp) << if choice & 0x10 == 0 { 4 } else { 24 },
        ssrc: if choice & 0x0c == 0x0c { 0x0102_0304 } else { u32::from(choice >> 1 & 0x07) },
    };
    let mut packet = Vec::new();
    header.with_payload(&[choice]).write(&mut packet);
    packet
}

fn receive(session: &mut Session, now: Time, from: SocketAddr, data: &[u8]) {
    if let Ok(packet) = RtpPacket::parse(data) {
        let _ = (session.is_for(&packet), session.accepts(packet.payload_type));
    }
    match session.receive(now, from, data) {
        Ok(delivery) => assert!(delivery.into_iter().count() <= 2),
        Err(dropped @ Dropped::Collision { new, .. }) => {
            assert_eq!(new, session.ssrc(), "{dropped}");
        }
        Err(dropped) => {
            let _ = dropped.to_string();
        }
    }
}

/// Sends what RTCP is due.
fn drain(session: &mut Session, now: Time) {
    let mut packets = 0;
    while let Some(packet) = session.poll_rtcp(now) {
        packets += 1;
        assert!(packets < 1000, "RTCP for ever");
        let compound = Compound::parse(&packet).expect("what is sent is RTCP");
        assert!(compound.packets().all(|packet| packet.is_ok()));
        assert!(packet.len() <= 1500, "{} octets of RTCP", packet.len());
    }
    assert!(session.next_deadline().is_none_or(|at| at > now), "a deadline that is due was not served");
}
