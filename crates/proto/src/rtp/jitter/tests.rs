//! The jitter buffer on a virtual clock, fed by small networks of its own.

use super::*;
use crate::rtp::Extensions;
use bytes::Bytes;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

const RATE: u32 = 8_000;

fn ms(millis: u64) -> Time {
    Time::from_millis(millis)
}

/// Packet `index` of a stream of sound with 20 ms a packet, arriving at `received`.
fn sound(index: u64, received: Time) -> MediaPacket {
    MediaPacket {
        generation: 0,
        ssrc: 1,
        seq: 70_000 + index,
        timestamp: (1 << 32) + index * 160,
        payload_type: 0,
        clock_rate: RATE,
        marker: false,
        received,
        payload: Bytes::new(),
        extensions: Extensions::default(),
    }
}

/// Something that came out, and when.
#[derive(Debug)]
struct Out {
    at: Time,
    item: Item,
}

impl Out {
    /// Index and playout time of a packet.
    fn packet(&self) -> Option<(u64, Time)> {
        match &self.item {
            Item::Packet { packet, play_at } => Some((packet.seq - 70_000, *play_at)),
            _ => None,
        }
    }
}

/// Feeds packets in the order of their arrival, and polls when a packet comes and when a deadline does.
fn run(buffer: &mut JitterBuffer, mut packets: Vec<MediaPacket>) -> Vec<Out> {
    packets.sort_by_key(|p| p.received);
    let mut out = Vec::new();
    let mut drain = |buffer: &mut JitterBuffer, now| {
        while let Some(item) = buffer.poll(now) {
            out.push(Out { at: now, item });
        }
        assert!(buffer.next_deadline().is_none_or(|d| d > now), "a deadline that is not kept");
    };
    for packet in packets {
        while let Some(deadline) = buffer.next_deadline().filter(|d| *d < packet.received) {
            drain(buffer, deadline);
        }
        let now = packet.received;
        buffer.push(now, packet);
        drain(buffer, now);
    }
    while let Some(deadline) = buffer.next_deadline() {
        drain(buffer, deadline);
    }
    out
}

/// A stream of sound that is sent every 20 ms from 1 s on; `delay` (ms) of a packet, or `None` where it is
/// lost.
fn stream(count: u64, mut delay: impl FnMut(u64) -> Option<f64>) -> Vec<MediaPacket> {
    let sent = |i: u64| 1_000.0 + i as f64 * 20.0;
    (0..count)
        .filter_map(|i| Some(sound(i, Time::from_nanos(((sent(i) + delay(i)?) * 1e6) as u64))))
        .collect()
}

fn audio() -> JitterBuffer {
    JitterBuffer::new(JitterConfig::AUDIO)
}

fn target_ms(buffer: &JitterBuffer) -> f64 {
    buffer.stats().target_delay.as_secs_f64() * 1e3
}

#[test]
fn a_steady_stream_is_released_at_once_and_settles_at_the_least_delay() {
    let mut b = audio();
    let out = run(&mut b, stream(2_000, |_| Some(40.0)));
    assert_eq!(out.len(), 2_000);
    // The first one waits for one before it until it must be decoded.
    let (first, play_at) = out[0].packet().unwrap();
    assert_eq!((first, out[0].at + DECODE_MARGIN), (0, play_at));
    assert!(play_at <= ms(1_060) && play_at > ms(1_059));
    for (i, o) in out.iter().enumerate().skip(2) {
        let (index, play_at) = o.packet().unwrap();
        assert_eq!((index, o.at), (i as u64, ms(1_040 + 20 * i as u64)));
        assert!(play_at - o.at >= Duration::from_millis(10));
    }
    assert!((10.0..10.5).contains(&target_ms(&b)), "{}", target_ms(&b));
    assert_eq!(out.last().unwrap().packet().unwrap().1 - out.last().unwrap().at, b.stats().target_delay);
}

#[test]
fn the_first_packet_waits_for_one_that_it_has_overtaken() {
    let mut b = audio();
    let out = run(&mut b, stream(3, |i| Some(if i == 0 { 25.0 } else { 0.0 })));
    let order: Vec<_> = out.iter().map(|o| o.packet().unwrap().0).collect();
    assert_eq!(order, [0, 1, 2]);
    assert_eq!(b.stats().late, 0);
}

#[test]
fn the_delay_covers_the_jitter_of_the_network() {
    let mut rng = ChaCha20Rng::from_seed([5; 32]);
    let mut b = audio();
    let out = run(&mut b, stream(6_000, |_| Some(30.0 + f64::from(rng.next_u32() % 60_000) / 1_000.0)));
    // Uniform over 60 ms, of which the 98th percentile is 58.8, and 5 to decode in.
    assert!((58.0..66.0).contains(&target_ms(&b)), "{}", target_ms(&b));
    let played: Vec<_> = out.iter().filter_map(|o| Some((o.at, o.packet()?.1))).skip(500).collect();
    let in_time = played.iter().filter(|(at, play_at)| at <= play_at).count();
    assert!(in_time * 1_000 >= played.len() * 995, "{in_time} of {}", played.len());
    let stats = b.stats();
    assert!(stats.late * 1_000 <= 5 * 6_000, "{stats:?}");
}

#[test]
fn a_gap_is_lost_when_the_packet_after_it_must_be_decoded() {
    let mut b = audio();
    let out = run(&mut b, stream(1_000, |i| (!(500..503).contains(&i)).then_some(10.0)));
    let lost: Vec<_> = out.iter().filter(|o| matches!(o.item, Item::Lost { .. })).collect();
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].item, Item::Lost { count: 3 });
    let after = out.iter().find(|o| o.packet().is_some_and(|(i, _)| i == 503)).unwrap();
    assert_eq!(after.at, lost[0].at);
    assert_eq!(after.at + DECODE_MARGIN, after.packet().unwrap().1);
    assert_eq!(b.stats().lost, 3);
}

#[test]
fn reordering_within_the_delay_costs_nothing_and_beyond_it_a_loss_and_a_late_packet() {
    let mut b = audio();
    let reordered = run(&mut b, stream(500, |i| Some(if i % 50 == 49 { 30.0 } else { 5.0 })));
    assert_eq!(reordered.len(), 500);
    assert!(reordered.iter().enumerate().all(|(i, o)| o.packet().unwrap().0 == i as u64));

    let mut b = audio();
    let out = run(&mut b, stream(500, |i| Some(if i == 250 { 300.0 } else { 5.0 })));
    assert_eq!(out.iter().filter(|o| o.item == Item::Lost { count: 1 }).count(), 1);
    assert_eq!((b.stats().late, b.stats().lost), (1, 1));
}

#[test]
fn the_delay_rises_at_once_and_falls_slowly() {
    let mut b = audio();
    let noisy = |i: u64| if i < 300 { (i % 10) as f64 * 20.0 } else { 0.0 };
    let mut seen = Vec::new();
    for packet in stream(3_000, |i| Some(noisy(i))) {
        run(&mut b, vec![packet]);
        seen.push(target_ms(&b));
    }
    assert!(seen[10] > 180.0 && seen[299] > 180.0, "{} {}", seen[10], seen[299]);
    // The noise is forgotten after ten seconds; then the delay falls, never by more than a tenth of the time.
    assert!(seen[700] > 180.0, "{}", seen[700]);
    assert!(seen[2_999] < 25.0, "{}", seen[2_999]);
    for pair in seen[300..].windows(2) {
        assert!(pair[0] - pair[1] <= 2.001, "{pair:?}");
    }
}

#[test]
fn the_drift_between_the_clocks_is_measured_and_followed() {
    for ppm in [-300.0f64, 0.0, 150.0] {
        let mut rng = ChaCha20Rng::from_seed([8; 32]);
        let mut b = audio();
        let jitter = |rng: &mut ChaCha20Rng| f64::from(rng.next_u32() % 20_000) / 1_000.0;
        // A sender whose clock is fast sends earlier and earlier.
        let out =
            run(&mut b, stream(6_000, |i| Some(200.0 + jitter(&mut rng) - i as f64 * 20.0 * ppm / 1e6)));
        let skew = b.stats().clock_skew.unwrap() * 1e6;
        assert!((skew - ppm).abs() < 15.0, "{skew} for {ppm}");
        assert!((20.0..28.0).contains(&target_ms(&b)), "{}", target_ms(&b));
        assert!(out.iter().all(|o| o.packet().is_some()));
    }
}

#[test]
fn a_short_stream_says_nothing_of_the_drift() {
    let mut b = audio();
    run(&mut b, stream(400, |_| Some(0.0)));
    assert_eq!(b.stats().clock_skew, None);
}

#[test]
fn a_pause_in_which_timestamps_stand_still_is_a_jump() {
    for pause in [700, 5_000] {
        let mut b = audio();
        let out = run(&mut b, stream(400, |i| Some(if i < 200 { 10.0 } else { 10.0 + pause as f64 })));
        let late = out.iter().filter(|o| o.packet().is_some_and(|(_, play_at)| play_at < o.at)).count();
        assert!(late <= 20, "{late} late after {pause} ms");
        let last = out.last().unwrap();
        let ahead = last.packet().unwrap().1 - last.at;
        assert!((10..100).contains(&ahead.as_millis()), "{ahead:?}");
    }
}

#[test]
fn a_pause_in_which_timestamps_advance_changes_nothing() {
    let mut b = audio();
    let mut packets = stream(300, |_| Some(10.0));
    packets.extend((300..600).map(|i| MediaPacket {
        timestamp: (1 << 32) + (i + 500) * 160,
        ..sound(i, ms(1_010 + (i + 500) * 20))
    }));
    let out = run(&mut b, packets);
    assert!(out.iter().skip(1).all(|o| {
        let ahead = o.packet().unwrap().1 - o.at;
        (10..=20).contains(&ahead.as_millis())
    }));
}

#[test]
fn a_jump_of_timestamps_without_a_pause_is_survived() {
    for jump in [-1_000_000i64, 1_000_000] {
        let mut b = audio();
        let mut packets = stream(400, |_| Some(10.0));
        for p in &mut packets[200..] {
            p.timestamp = p.timestamp.saturating_add_signed(jump);
        }
        let out = run(&mut b, packets);
        assert!(out.iter().skip(1).all(|o| {
            let ahead = o.packet().unwrap().1 - o.at;
            (10..=20).contains(&ahead.as_millis())
        }));
    }
}

#[test]
fn after_a_stall_the_delay_comes_down_again() {
    let mut b = audio();
    // Two seconds in which the network holds everything back, and lets it go at once.
    let stall = |i: u64| if (200..300).contains(&i) { (300 - i) as f64 * 20.0 } else { 0.0 };
    let out = run(&mut b, stream(2_000, |i| Some(10.0 + stall(i))));
    assert_eq!(out.len(), 2_000, "nothing is lost");
    assert!(out.iter().all(|o| o.packet().unwrap().1 <= o.at + Duration::from_millis(501)));
    assert!(target_ms(&b) < 25.0, "{}", target_ms(&b));
}

#[test]
fn a_path_that_becomes_longer_is_followed() {
    let mut b = audio();
    let out = run(&mut b, stream(1_000, |i| Some(if i < 500 { 10.0 } else { 160.0 })));
    let late = out.iter().filter(|o| o.packet().is_some_and(|(_, play_at)| play_at < o.at)).count();
    assert!(late <= 20, "{late}");
    assert!(target_ms(&b) < 60.0, "{}", target_ms(&b));
}

#[test]
fn a_held_key_does_not_raise_the_delay() {
    let mut b = audio();
    let mut packets = stream(200, |_| Some(10.0));
    for p in &mut packets[100..150] {
        p.timestamp = (1 << 32) + 100 * 160;
        p.payload_type = 101;
    }
    run(&mut b, packets);
    assert!(target_ms(&b) < 40.5, "{}", target_ms(&b));
}

#[test]
fn the_packets_of_a_picture_are_played_together_and_the_last_one_counts() {
    let mut b = JitterBuffer::new(JitterConfig::VIDEO);
    let mut packets = Vec::new();
    // 25 pictures a second, 90 kHz, each picture's ten packets spread over 27 ms.
    for frame in 0..500u64 {
        for part in 0..10 {
            let received = ms(1_000 + frame * 40 + part * 3);
            packets.push(MediaPacket {
                timestamp: (1 << 32) + frame * 3_600,
                clock_rate: 90_000,
                ..sound(frame * 10 + part, received)
            });
        }
    }
    let out = run(&mut b, packets);
    for picture in out.chunks(10).skip(2) {
        let play_at: Vec<_> = picture.iter().map(|o| o.packet().unwrap().1).collect();
        assert!(play_at.iter().all(|p| *p == play_at[0]));
        assert!(picture[9].at + DECODE_MARGIN <= play_at[0] + Duration::from_nanos(1));
    }
    assert!(target_ms(&b) < 33.0, "{}", target_ms(&b));
}

#[test]
fn a_new_generation_lets_the_old_one_go_and_begins_with_a_restart() {
    let mut b = audio();
    let mut packets = stream(100, |i| (i != 97).then_some(10.0));
    packets.extend((0..50).map(|i| MediaPacket {
        generation: 1,
        seq: 70_000 + i,
        timestamp: (1 << 32) + 123_456 + i * 160,
        ..sound(i, ms(3_011 + i * 20))
    }));
    let out = run(&mut b, packets);
    let restart = out.iter().position(|o| o.item == Item::Restart).unwrap();
    assert_eq!(out[..restart].iter().filter(|o| o.packet().is_some()).count(), 99);
    assert_eq!(out[restart + 1..].iter().filter(|o| o.packet().is_some()).count(), 50);
    assert_eq!(out.iter().filter(|o| o.item == Item::Restart).count(), 1);
    assert_eq!(b.stats().lost, 1);
    assert_eq!(b.push(ms(9_000), sound(100, ms(9_000))), Pushed::Late, "the old one is over");
}

#[test]
fn another_clock_rate_in_mid_stream_goes_on_smoothly() {
    let mut b = audio();
    let mut packets = stream(200, |_| Some(10.0));
    for (i, p) in packets.iter_mut().enumerate().skip(100) {
        p.timestamp = (1 << 32) + 100 * 160 + (i as u64 - 100) * 960;
        p.clock_rate = 48_000;
    }
    let out = run(&mut b, packets);
    for pair in out[1..].windows(2) {
        let step = pair[1].packet().unwrap().1 - pair[0].packet().unwrap().1;
        assert!((17..=21).contains(&step.as_millis()), "{step:?}");
    }
}

#[test]
fn a_full_buffer_gives_up_what_is_missing() {
    let mut b = JitterBuffer::new(JitterConfig { max_packets: 8, ..JitterConfig::AUDIO });
    b.push(ms(1_000), sound(0, ms(1_000)));
    let now = ms(1_036);
    assert!(b.poll(now).is_some());
    for i in 2..9 {
        b.push(now, sound(i, now));
        assert_eq!(b.poll(now), None);
    }
    b.push(now, sound(9, now));
    assert_eq!(b.poll(now), Some(Item::Lost { count: 1 }));
    for i in 10..30 {
        b.push(now, sound(i, now));
    }
    assert_eq!(b.stats().overflow, 20);
    assert_eq!(b.poll(now), Some(Item::Lost { count: 20 }));
    assert_eq!(std::iter::from_fn(|| b.poll(now)).count(), 8);
    assert_eq!(b.next_deadline(), None);
}

fn arrivals() -> impl Strategy<Value = Vec<(u64, u64, u32)>> {
    // (pause before it is sent, delay, how many times it arrives)
    proptest::collection::vec((0u64..60, prop_oneof![0u64..30, 0u64..2_000], 0u32..4), 1..200)
}

proptest! {
    #[test]
    fn every_packet_comes_out_once_and_in_order_or_is_counted(
        arrivals in arrivals(), video in any::<bool>(), jumps in proptest::collection::vec((0usize..200, any::<u32>()), 0..3),
        max_packets in 1usize..40,
    ) {
        let config = if video { JitterConfig::VIDEO } else { JitterConfig::AUDIO };
        let mut b = JitterBuffer::new(JitterConfig { max_packets, ..config });
        let mut sent = 1_000;
        let mut packets = Vec::new();
        let mut offset = 0u64;
        for (i, (pause, delay, copies)) in arrivals.iter().enumerate() {
            sent += pause;
            offset += jumps.iter().filter(|(at, _)| *at == i).map(|(_, by)| u64::from(*by)).sum::<u64>();
            for copy in 0..(*copies).min(3) {
                let mut p = sound(i as u64, ms(sent + delay + u64::from(copy) * 7));
                p.timestamp = (1 << 32) + (sent - 1_000) * 8 / if video { 3 } else { 1 } + offset;
                packets.push(p);
            }
        }
        let pushed = packets.len();
        let out = run(&mut b, packets);
        let mut next = None;
        let mut came_out = 0;
        for o in &out {
            match &o.item {
                Item::Packet { packet, .. } => {
                    prop_assert!(next.is_none_or(|next| packet.seq == next), "a gap without a loss");
                    prop_assert!(o.at - packet.received <= Duration::from_millis(500), "held too long");
                    next = Some(packet.seq + 1);
                    came_out += 1;
                }
                Item::Lost { count } => {
                    prop_assert!(*count > 0 && next.is_some());
                    next = next.map(|n| n + u64::from(*count));
                }
                Item::Restart => prop_assert!(false, "there is one generation"),
            }
        }
        let stats = b.stats();
        prop_assert_eq!(pushed as u64, came_out + stats.late + stats.duplicate + stats.overflow);
        prop_assert_eq!(b.next_deadline(), None);
        prop_assert!(stats.target_delay >= config.min_delay, "{stats:?}");
        prop_assert!(stats.target_delay <= config.max_delay, "{stats:?}");
    }

    #[test]
    fn any_packets_are_taken_without_a_panic(
        packets in proptest::collection::vec(
            (0u32..3, any::<u64>(), any::<u64>(), any::<u32>(), any::<u64>(), any::<u64>()), 0..50),
    ) {
        let mut b = JitterBuffer::new(JitterConfig { max_delay: Duration::MAX, ..JitterConfig::VIDEO });
        for (generation, seq, timestamp, clock_rate, received, now) in packets {
            let seq = seq >> 16;
            let packet = MediaPacket {
                generation, seq, timestamp, clock_rate, ..sound(0, Time::from_nanos(received))
            };
            b.push(Time::from_nanos(now), packet);
            while b.poll(Time::from_nanos(now)).is_some() {}
            b.next_deadline();
            b.stats();
        }
    }
}
