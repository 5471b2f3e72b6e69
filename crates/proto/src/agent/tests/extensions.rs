//! RTP header extensions in a call: which packets carry them, what the other end makes of them, and what keys change.

use super::*;
use crate::rtp::extension::{NtpTimestamp, elements};
use crate::rtp::session::MappingOrigin;
use crate::rtp::{RtpHeader, RtpPacket};
use crate::ske::{Identity, Lab};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::sync::Arc;

fn configs() -> [Config; 2] {
    [Config::default(), Config::default()]
}

/// Two agents in a call, and their handles.
fn in_call(configs: [Config; 2]) -> (Wire, [CallHandle; 2]) {
    call_over(Wire::new(configs))
}

/// The same on a wire that loses all reports.
fn in_call_without_rtcp(configs: [Config; 2]) -> (Wire, [CallHandle; 2]) {
    let mut wire = Wire::new(configs);
    wire.loses_rtcp = true;
    call_over(wire)
}

fn call_over(mut wire: Wire) -> (Wire, [CallHandle; 2]) {
    let call = wire.call();
    wire.run(Duration::from_millis(200));
    assert!(wire.established(0) && wire.established(1));
    let incoming = wire.incoming();
    (wire, [call, incoming])
}

impl Wire {
    fn picture(&mut self, call: CallHandle, octets: usize, keyframe: bool, rotation: Rotation) {
        let slice = (0..octets).map(|i| (i % 251) as u8 | 1);
        let data: Vec<u8> = match keyframe {
            true => idr(octets),
            false => [0, 0, 0, 1, 0x61].into_iter().chain(slice).collect(),
        };
        let frame = EncodedFrame { data: data.into(), captured: self.now, duration: 0, keyframe, rotation };
        self.agents[0].0.handle(self.now, Input::Frame { call, section: 1, frame });
        self.drain();
    }

    /// What the RTP packets of the caller's pictures or sound carry, in order.
    fn carried(&self, kind: crate::io::PacketKind) -> Vec<Vec<(u8, Vec<u8>)>> {
        let sent = self.media.iter().filter(|(side, k, _)| *side == 0 && *k == kind);
        sent.map(|(.., data)| {
            let packet = RtpPacket::parse(data).unwrap();
            let of = |(profile, body)| elements(profile, body).map(|e| (e.id, e.data.to_vec())).collect();
            packet.extension().map(of).unwrap_or_default()
        })
        .collect()
    }

    fn rotations(&self, side: usize) -> Vec<u16> {
        let of = |e: &Event| match e {
            Event::Frame { frame, .. } if frame.codec == Codec::H264 => Some(frame.rotation.degrees()),
            _ => None,
        };
        self.events[side].iter().filter_map(of).collect()
    }

    /// From capture to playout of the last frame of a codec, where frames were captured every 20 ms from `start` on.
    fn latency(&self, codec: Codec, start: Time) -> Duration {
        let frames: Vec<Time> = self.events[1]
            .iter()
            .filter_map(|e| match e {
                Event::Frame { frame, .. } if frame.codec == codec => Some(frame.play_at),
                _ => None,
            })
            .collect();
        let last = frames.len() - 1;
        frames[last] - (start + Duration::from_millis(20) * last as u32)
    }
}

/// Sends a second and a half of sound and pictures of which each picture takes 80 ms longer than its sound.
fn send_both(wire: &mut Wire, call: CallHandle) -> Time {
    let start = wire.now;
    wire.late = [Duration::ZERO, Duration::from_millis(80)];
    for n in 0..75u8 {
        wire.send(0, call, 0, [vec![0x78], vec![n; 60]].concat(), 960);
        wire.picture(call, 500, n == 0, Rotation::None);
        wire.run(Duration::from_millis(20));
    }
    wire.run(Duration::from_millis(200));
    start
}

#[test]
fn sound_and_pictures_are_in_step_before_any_report() {
    let (mut wire, [call, incoming]) = in_call_without_rtcp(configs());
    let start = send_both(&mut wire, call);
    let sound = wire.latency(Codec::Opus, start);
    let pictures = wire.latency(Codec::H264, start);
    assert!(pictures >= Duration::from_millis(90), "{pictures:?}");
    assert!(sound.abs_diff(pictures) <= Duration::from_millis(10), "{sound:?} {pictures:?}");
    let stats = wire.agents[1].0.stats(incoming).unwrap();
    for section in &stats {
        assert_eq!(
            (section.rtcp_received, section.synchronised_by),
            (0, Some(MappingOrigin::HeaderExtension))
        );
    }
}

#[test]
fn without_header_extensions_and_reports_nothing_is_known() {
    let mut configs = configs();
    configs[1].capabilities.header_extensions.clear();
    let (mut wire, [call, incoming]) = in_call_without_rtcp(configs);
    let start = send_both(&mut wire, call);
    let apart = wire.latency(Codec::Opus, start).abs_diff(wire.latency(Codec::H264, start));
    assert!(apart >= Duration::from_millis(70), "{apart:?}");
    assert!(wire.agents[1].0.stats(incoming).unwrap().iter().all(|s| s.synchronised_by.is_none()));
    let carries = |kind| wire.carried(kind).iter().any(|elements| !elements.is_empty());
    assert!(!carries(crate::io::PacketKind::Audio) && !carries(crate::io::PacketKind::Video));
}

#[test]
fn reports_do_where_there_are_no_header_extensions() {
    let mut configs = configs();
    configs[0].capabilities.header_extensions.clear();
    let (mut wire, [call, incoming]) = in_call(configs);
    send_both(&mut wire, call);
    wire.run(Duration::from_secs(8));
    let stats = wire.agents[1].0.stats(incoming).unwrap();
    assert!(stats.iter().all(|s| s.synchronised_by == Some(MappingOrigin::SenderReport)), "{stats:?}");
}

#[test]
fn the_first_packet_of_a_picture_has_the_time_of_its_capture_and_the_last_one_how_it_is_turned() {
    let (mut wire, [call, incoming]) = in_call(configs());
    let captured = wire.now;
    wire.picture(call, 3_000, true, Rotation::Clockwise90);
    wire.run(Duration::from_millis(500));
    let carried = wire.carried(crate::io::PacketKind::Video);
    let [first, between @ .., last] = carried.as_slice() else { panic!("{carried:?}") };
    let [(1, time)] = first.as_slice() else { panic!("{carried:?}") };
    let Some(NtpTimestamp::Full(time)) = NtpTimestamp::read_64(time) else { panic!("{carried:?}") };
    assert!(time.abs_diff(captured.ntp()) <= (1 << 32) / 90_000, "to a tick of the RTP clock");
    assert!(between.len() >= 2 && between.iter().all(Vec::is_empty), "{carried:?}");
    assert_eq!(last, &[(2, vec![1])]);
    assert_eq!(wire.rotations(1), [90]);
    // A key frame on the way brings the time into the next packet of sound too.
    for _ in 0..10 {
        wire.send(0, call, 0, vec![0x78; 60], 960);
        wire.run(Duration::from_millis(20));
    }
    wire.picture(call, 500, true, Rotation::Clockwise90);
    wire.send(0, call, 0, vec![0x78; 60], 960);
    wire.run(Duration::from_millis(20));
    let sound: Vec<usize> = wire.carried(crate::io::PacketKind::Audio).iter().map(Vec::len).collect();
    assert_eq!(sound, [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1]);
    let (ours, theirs) = (wire.agents[0].0.stats(call).unwrap(), wire.agents[1].0.stats(incoming).unwrap());
    assert_eq!(ours[1].rotation_sent, Some(Rotation::Clockwise90));
    assert_eq!(theirs[1].rotation_received, Some(Rotation::Clockwise90));
    assert_eq!(
        (theirs[1].rotation_sent, ours[1].rotation_received, ours[0].rotation_sent),
        (None, None, None)
    );
}

#[test]
fn a_picture_is_turned_from_the_one_on_that_says_so() {
    let (mut wire, [call, _]) = in_call(configs());
    let turns =
        [Rotation::None, Rotation::None, Rotation::Clockwise270, Rotation::Clockwise270, Rotation::None];
    for (n, turn) in turns.into_iter().enumerate() {
        wire.picture(call, 4_000, n == 0, turn);
        wire.run(Duration::from_millis(40));
    }
    wire.run(Duration::from_millis(500));
    assert_eq!(wire.rotations(1), turns.map(Rotation::degrees));
    let said: Vec<u8> = wire
        .carried(crate::io::PacketKind::Video)
        .into_iter()
        .flatten()
        .filter(|(id, _)| *id == 2)
        .flat_map(|(_, data)| data)
        .collect();
    assert_eq!(said, [0, 3, 0], "with the key frame and with each change");
}

#[test]
fn no_packet_becomes_larger_by_its_header_extension() {
    for header_extensions in [true, false] {
        let mut configs = configs();
        if !header_extensions {
            configs[1].capabilities.header_extensions.clear();
        }
        let (mut wire, [call, _]) = in_call(configs);
        for n in 0..20 {
            wire.picture(call, 20_000, n % 5 == 0, Rotation::Clockwise180);
            wire.run(Duration::from_millis(400));
        }
        let sizes = wire.media.iter().filter(|(side, ..)| *side == 0).map(|(.., data)| data.len());
        let largest = sizes.max().unwrap();
        // What fits into the least that IPv6 carries, with its headers, UDP's, and the longest tag of SRTP.
        assert!(largest <= 1_212, "{largest}");
        assert!(largest >= 1_180, "{largest}");
    }
}

#[test]
fn keys_leave_header_extensions_readable_and_refuse_those_that_were_changed() {
    let config = |number: u8| {
        let identity = Identity::generate(&mut ChaCha20Rng::from_seed([number; 32]));
        Config { key_exchange: Some(Arc::new(Lab::new(identity, None))), ..Config::default() }
    };
    let (mut wire, [call, _]) = in_call([config(1), config(2)]);
    wire.run(Duration::from_secs(1));
    let is_protected =
        |e: &Event| matches!(e, Event::Protected { protection, .. } if protection.suite.is_some());
    assert!(wire.events[0].iter().any(is_protected), "the exchange has ended with keys");
    wire.picture(call, 3_000, true, Rotation::Clockwise270);
    wire.run(Duration::from_millis(500));
    assert_eq!(wire.rotations(1), [270]);
    let carried = wire.carried(crate::io::PacketKind::Video);
    assert_eq!(carried.last().unwrap(), &[(2, vec![3])], "readable on the wire");
    // Somebody on the way turns the picture.
    wire.tampers = Some(|data| {
        let header = RtpHeader { marker: false, payload_type: 0, seq: 0, timestamp: 0, ssrc: 0 };
        let start = header.with_payload(&[]).payload_range().start + 4;
        if data[0] & 0x10 != 0 && data[start] == 0x20 {
            data[start + 1] ^= 1;
        }
    });
    let refused = wire.agents[1].0.counters().dropped.srtp_refused;
    wire.picture(call, 3_000, true, Rotation::Clockwise180);
    wire.run(Duration::from_millis(500));
    assert_eq!(wire.agents[1].0.counters().dropped.srtp_refused, refused + 1);
    assert!(!wire.rotations(1).contains(&180));
}
