use super::*;
use crate::rtp::RtpHeader;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

fn receive_at(s: &mut Source, received: Time, seq: u16, timestamp: u32) -> Arrival {
    let header = RtpHeader { marker: false, payload_type: 0, seq, timestamp, ssrc: 1 };
    s.receive(received, &header.with_payload(&[0; 10]), 8_000)
}

fn receive(s: &mut Source, seq: u16) -> Arrival {
    receive_at(s, Time::ZERO, seq, u32::from(seq) * 160)
}

fn seq_of(arrival: Arrival) -> (u64, bool) {
    match arrival {
        Arrival::Accepted { seq, restarted, .. } => (seq, restarted),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_source_is_valid_after_two_packets_in_sequence() {
    let mut s = Source::new();
    receive(&mut s, 10);
    assert!(!s.is_valid());
    receive(&mut s, 12);
    assert!(!s.is_valid());
    receive(&mut s, 13);
    assert!(s.is_valid());
    assert_eq!((s.counters().packets, s.lost()), (3, 1));
}

#[test]
fn sequence_numbers_and_timestamps_go_on_past_their_wraps() {
    let mut s = Source::new();
    let mut at = |seq, timestamp| receive_at(&mut s, Time::ZERO, seq, timestamp);
    assert_eq!(
        at(65_534, 0xffff_ff00),
        Arrival::Accepted { seq: 0x1_fffe, timestamp: 0x1_ffff_ff00, restarted: false }
    );
    assert_eq!(at(1, 0x20), Arrival::Accepted { seq: 0x2_0001, timestamp: 0x2_0000_0020, restarted: false });
    assert_eq!(
        at(65_535, 0xffff_ffa0),
        Arrival::Accepted { seq: 0x1_ffff, timestamp: 0x1_ffff_ffa0, restarted: false }
    );
    assert_eq!(s.lost(), 1);
    assert_eq!(s.report(1).unwrap().highest_seq, 0x1_0001);
}

#[test]
fn a_packet_from_before_the_first_one_has_a_number_too() {
    let mut s = Source::new();
    assert_eq!(seq_of(receive(&mut s, 0)), (0x1_0000, false));
    assert_eq!(seq_of(receive(&mut s, 65_535)), (0xffff, false));
    assert_eq!((s.lost(), s.counters().reordered), (0, 1));
}

#[test]
fn a_lone_jump_is_dropped_and_two_in_sequence_restart_the_stream() {
    let mut s = Source::new();
    receive(&mut s, 100);
    receive(&mut s, 101);
    assert_eq!(receive(&mut s, 40_000), Arrival::Jumped);
    assert_eq!(seq_of(receive(&mut s, 103)), (0x1_0067, false));
    assert_eq!(s.counters().jumped, 1);
    assert_eq!(receive(&mut s, 40_100), Arrival::Jumped);
    assert_eq!(seq_of(receive(&mut s, 40_101)), (0x1_0000 + 40_101, true));
    s.reclaim(10);
    let c = s.counters();
    assert_eq!((c.packets, c.octets, c.jumped, c.restarts), (5, 50, 1, 1));
    assert_eq!(s.lost(), 1, "the loss from before the restart stays counted");
    assert_eq!(receive(&mut s, 40_100), Arrival::Duplicate, "the reclaimed packet is known");
    assert_eq!(s.report(1).unwrap().highest_seq, 40_101);
}

#[test]
fn the_borders_of_dropout_and_misorder_are_those_of_the_rfc() {
    let valid = || {
        let mut s = Source::new();
        receive(&mut s, 999);
        receive(&mut s, 1_000);
        s
    };
    assert_eq!(seq_of(receive(&mut valid(), 3_999)), (0x1_0000 + 3_999, false));
    assert_eq!(receive(&mut valid(), 4_000), Arrival::Jumped);
    assert_eq!(seq_of(receive(&mut valid(), 901)), (0x1_0000 + 901, false));
    assert_eq!(receive(&mut valid(), 900), Arrival::Jumped);
}

#[test]
fn a_source_that_is_not_valid_yet_begins_anew_with_a_jump() {
    let mut s = Source::new();
    receive(&mut s, 5);
    assert_eq!(seq_of(receive(&mut s, 30_000)), (0x1_0000 + 30_000, true));
    assert!(!s.is_valid());
    assert_eq!(s.lost(), 0);
}

#[test]
fn the_fraction_lost_covers_one_interval() {
    let mut s = Source::new();
    for seq in [0, 1, 2, 4] {
        receive(&mut s, seq);
    }
    let first = s.report(7).unwrap();
    assert_eq!((first.ssrc, first.fraction_lost, first.cumulative_lost), (7, 51, 1));
    receive(&mut s, 5);
    let second = s.report(7).unwrap();
    assert_eq!((second.fraction_lost, second.cumulative_lost), (0, 1));
    for _ in 0..3 {
        receive(&mut s, 5);
    }
    let third = s.report(7).unwrap();
    assert_eq!((third.fraction_lost, third.cumulative_lost), (0, -2));
    let nothing_new = s.report(7).unwrap();
    assert_eq!(nothing_new.fraction_lost, 0);
}

#[test]
fn jitter_is_that_of_the_rfc_in_plain_floating_point() {
    let mut rng = ChaCha20Rng::from_seed([3; 32]);
    let mut s = Source::new();
    let (mut jitter, mut previous) = (0.0f64, None::<f64>);
    for i in 0..2_000u32 {
        // Whole ticks of 8 kHz, so that the reference need not know how arrival times are rounded.
        let arrival_ticks = 1_000 + i * 160 + rng.next_u32() % 400;
        let timestamp = i * 160;
        receive_at(&mut s, Time::from_nanos(u64::from(arrival_ticks) * 125_000), i as u16, timestamp);
        let transit = f64::from(arrival_ticks) - f64::from(timestamp);
        if let Some(previous) = previous.replace(transit) {
            jitter += ((transit - previous).abs() - jitter) / 16.0;
        }
    }
    assert!(jitter > 50.0);
    assert_eq!(s.report(1).unwrap().jitter, jitter as u32);
    let measured = s.jitter().unwrap().as_secs_f64() * 8_000.0;
    assert!((measured - jitter).abs() < 1e-3, "{measured} {jitter}");
}

#[test]
fn seeded_loss_reordering_and_duplication_are_counted_exactly() {
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let (mut lost, mut duplicate, mut octets) = (0i64, 0u64, 0u64);
    // (arrival slot, sequence number): reordering puts a packet a few slots later.
    let mut arrivals: Vec<(u32, u16)> = Vec::new();
    let count = 200_000u32;
    for i in 0..count {
        let dice = rng.next_u32() % 100;
        // The first and the last packet arrive, or nobody could know that they were sent.
        if dice < 7 && i != 0 && i != count - 1 {
            lost += 1;
            continue;
        }
        let delay = if dice < 15 && i != 0 { rng.next_u32() % 50 } else { 0 };
        arrivals.push((i + delay, i as u16));
        if dice > 96 {
            duplicate += 1;
            arrivals.push((i + delay + rng.next_u32() % 20, i as u16));
        }
    }
    arrivals.sort_by_key(|(slot, _)| *slot);
    let mut s = Source::new();
    let (mut highest, mut reordered) = (None::<u16>, 0u64);
    let mut seen = std::collections::HashSet::new();
    let mut base = 0u64;
    for (slot, seq) in &arrivals {
        let before = highest.is_some_and(|h: u16| (seq.wrapping_sub(h) as i16) < 0);
        highest = if before { highest } else { Some(*seq) };
        // Numbers come round: forget what is half a round away.
        if u64::from(*slot) > base + 20_000 {
            base = u64::from(*slot);
            seen.retain(|s: &u16| seq.wrapping_sub(*s) < 10_000);
        }
        reordered += u64::from(seen.insert(*seq) && before);
        receive(&mut s, *seq);
        octets += 10;
    }
    let c = s.counters();
    assert!(lost > 10_000 && duplicate > 4_000 && reordered > 10_000);
    assert_eq!(c.duplicate, duplicate);
    assert_eq!(c.reordered, reordered);
    assert_eq!(c.packets, arrivals.len() as u64);
    assert_eq!(c.octets, octets);
    assert_eq!(c.jumped, 0);
    assert_eq!(s.lost(), lost - duplicate as i64);
}
