//! Sessions against one another on a virtual clock, and against packets made by hand.

use super::*;
use crate::rtp::rtcp::{self, Packet, ReportBlock, SenderInfo};
use crate::rtp::{MediaPacket, RtpHeader};
use proptest::prelude::*;

const ALICE: u32 = 0xa11c_e000;
const BOB: u32 = 0x0b0b_0000;
const SPARE: u32 = 0x5ba5_e000;

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

fn ms(millis: u64) -> Time {
    Time::from_millis(millis).with_unix_offset(1_600_000_000_000_000_000)
}

fn session_with(ssrc: u32, rtcp: RtcpConfig) -> Session {
    let mut rng = ChaCha20Rng::from_seed([ssrc as u8 ^ 7; 32]);
    let mut config = SessionConfig::new(ssrc, format!("{ssrc:x}@visavis"), 8_000, &mut rng);
    config.payload_types = vec![PayloadType { number: 0, clock_rate: 8_000 }];
    config.rtcp = rtcp;
    config.max_sources = 4;
    Session::new(ms(0), config, &mut rng)
}

fn session(ssrc: u32) -> Session {
    session_with(ssrc, RtcpConfig::default())
}

fn packet(ssrc: u32, seq: u16) -> Vec<u8> {
    let header = RtpHeader { marker: false, payload_type: 0, seq, timestamp: u32::from(seq) * 160, ssrc };
    let mut out = Vec::new();
    header.with_payload(&seq.to_be_bytes()).write(&mut out);
    out
}

fn receive(s: &mut Session, at: u64, ssrc: u32, seq: u16) -> Result<Vec<MediaPacket>, Dropped> {
    s.receive(ms(at), address(4_000), &packet(ssrc, seq)).map(|d| d.into_iter().collect())
}

/// The sequence numbers that a datagram brought, and their generation.
fn brought(packets: Result<Vec<MediaPacket>, Dropped>) -> (Vec<u16>, u32) {
    let packets = packets.unwrap();
    for p in &packets {
        assert_eq!(p.payload, (p.seq as u16).to_be_bytes()[..]);
        assert_eq!(p.timestamp as u32, u32::from(p.seq as u16) * 160);
    }
    let generation = packets[0].generation;
    assert!(packets.iter().all(|p| p.generation == generation));
    (packets.iter().map(|p| p.seq as u16).collect(), generation)
}

fn receive_rtcp(s: &mut Session, at: u64, data: &[u8]) -> Vec<RtcpEvent> {
    s.receive_rtcp(ms(at), address(4_001), &Compound::parse(data).unwrap())
}

/// What a datagram of RTCP is made of, by name.
fn kinds(data: &[u8]) -> Vec<String> {
    let name = |p: Result<Packet<'_>, _>| match p.unwrap() {
        Packet::SenderReport(r) => format!("SR {:x} {}", r.ssrc, r.blocks().count()),
        Packet::ReceiverReport(r) => format!("RR {:x} {}", r.ssrc, r.blocks().count()),
        Packet::Sdes(s) => format!("SDES {:x}", s.cnames().next().unwrap().0),
        Packet::Bye(b) => format!("BYE {:x}", b.sources().next().unwrap()),
        Packet::PayloadFeedback(f) => format!("PSFB {:x} {:x}", f.sender, f.media),
        other => format!("{other:?}"),
    };
    Compound::parse(data).unwrap().packets().map(name).collect()
}

fn stats(s: &Session) -> SectionStats {
    let mut stats = SectionStats::default();
    s.fill_stats(&mut stats);
    stats
}

#[test]
fn the_first_source_plays_from_its_first_packet() {
    let mut s = session(ALICE);
    assert_eq!(brought(receive(&mut s, 0, BOB, 65_535)), (vec![65_535], 0));
    assert_eq!(brought(receive(&mut s, 20, BOB, 0)), (vec![0], 0));
    assert_eq!(s.remote_ssrc(), Some(BOB));
}

#[test]
fn another_source_takes_over_with_its_second_packet_in_sequence_and_brings_the_first() {
    let mut s = session(ALICE);
    receive(&mut s, 0, BOB, 1).unwrap();
    receive(&mut s, 20, BOB, 2).unwrap();
    assert_eq!(receive(&mut s, 30, SPARE, 500), Err(Dropped::Probation { ssrc: SPARE, seq: 500 }));
    assert_eq!(brought(receive(&mut s, 40, BOB, 3)), (vec![3], 0));
    assert_eq!(s.counters().probation, 1);
    assert_eq!(brought(receive(&mut s, 50, SPARE, 501)), (vec![500, 501], 1));
    assert_eq!(s.counters().probation, 0);
    assert_eq!(receive(&mut s, 60, BOB, 4), Err(Dropped::Superseded { ssrc: BOB }));
    assert_eq!(brought(receive(&mut s, 70, SPARE, 502)), (vec![502], 1));
    assert_eq!(stats(&s).packets_received, 7, "the old source stays in the figures");
}

#[test]
fn a_superseded_source_plays_again_when_the_other_one_has_fallen_silent() {
    let mut s = session(ALICE);
    for (at, ssrc, seq) in [(0, BOB, 1), (20, BOB, 2)] {
        receive(&mut s, at, ssrc, seq).unwrap();
    }
    receive(&mut s, 30, SPARE, 9).unwrap_err();
    receive(&mut s, 40, SPARE, 10).unwrap();
    assert!(receive(&mut s, 1_039, BOB, 3).is_err());
    assert_eq!(brought(receive(&mut s, 1_040, BOB, 4)), (vec![4], 2));
}

#[test]
fn an_announced_source_needs_no_probation() {
    let mut s = session(ALICE);
    receive(&mut s, 0, BOB, 1).unwrap();
    receive(&mut s, 20, BOB, 2).unwrap();
    s.expect_source(SPARE);
    assert_eq!(brought(receive(&mut s, 30, SPARE, 500)), (vec![500], 1));
}

#[test]
fn a_restart_loses_no_packet_and_starts_a_generation() {
    let mut s = session(ALICE);
    receive(&mut s, 0, BOB, 1).unwrap();
    receive(&mut s, 20, BOB, 2).unwrap();
    assert_eq!(receive(&mut s, 40, BOB, 30_000), Err(Dropped::SequenceJump { ssrc: BOB, seq: 30_000 }));
    assert_eq!(brought(receive(&mut s, 60, BOB, 30_001)), (vec![30_000, 30_001], 1));
    let stats = stats(&s);
    assert_eq!((stats.packets_received, stats.packets_lost), (4, 0));
}

#[test]
fn a_source_that_said_bye_must_prove_itself_again_and_a_new_one_plays_at_once() {
    let mut s = session(ALICE);
    receive(&mut s, 0, BOB, 1).unwrap();
    receive(&mut s, 20, BOB, 2).unwrap();
    let mut bye = Vec::new();
    rtcp::report::write_receiver_report(&mut bye, BOB, &[]);
    rtcp::bye::write_bye(&mut bye, BOB);
    assert_eq!(receive_rtcp(&mut s, 30, &bye), [RtcpEvent::Bye { ssrc: BOB, reason: None }]);
    assert_eq!(s.remote_ssrc(), None);
    assert_eq!(receive(&mut s, 40, BOB, 4), Err(Dropped::Probation { ssrc: BOB, seq: 4 }));
    assert_eq!(brought(receive(&mut s, 50, SPARE, 9)), (vec![9], 1));
    assert!(receive(&mut s, 60, BOB, 6).is_err());
    let mut t = session(ALICE);
    receive(&mut t, 0, BOB, 1).unwrap();
    receive_rtcp(&mut t, 30, &bye);
    assert!(receive(&mut t, 40, BOB, 4).is_err());
    assert_eq!(brought(receive(&mut t, 50, BOB, 5)), (vec![4, 5], 1));
}

#[test]
fn a_packet_that_does_not_belong_is_dropped_and_counted() {
    let mut s = session(ALICE);
    receive(&mut s, 0, BOB, 1).unwrap();
    assert_eq!(receive(&mut s, 1, BOB, 1), Err(Dropped::Duplicate { ssrc: BOB, seq: 1 }));
    let mut other = packet(BOB, 2);
    other[1] = 35;
    assert_eq!(
        s.receive(ms(2), address(1), &other),
        Err(Dropped::PayloadType { ssrc: BOB, payload_type: 35 })
    );
    assert!(matches!(s.receive(ms(3), address(1), &other[..11]), Err(Dropped::Malformed(_))));
    assert_eq!((s.counters().payload_type, s.counters().malformed), (1, 1));
    assert_eq!(stats(&s).packets_duplicate, 1);
    assert!(s.accepts(0) && !s.accepts(35));
}

#[test]
fn strangers_neither_grow_the_table_nor_push_out_the_source_that_plays() {
    let mut s = session(ALICE);
    receive(&mut s, 0, BOB, 1).unwrap();
    receive(&mut s, 20, BOB, 2).unwrap();
    for stranger in 0..10_000u32 {
        assert!(receive(&mut s, 30, stranger, 7).is_err());
    }
    assert_eq!(s.remotes.iter().count(), 4);
    assert_eq!(brought(receive(&mut s, 40, BOB, 3)), (vec![3], 0));
    assert_eq!(stats(&s).packets_received, 10_003);
}

#[test]
fn a_collision_gives_us_a_new_ssrc_a_bye_for_the_old_one_and_only_one_change_for_a_loop() {
    let mut s = session(ALICE);
    let ts = s.timestamp(ms(0), 160);
    s.send(ms(0), 0, false, ts, &[1]);
    let Err(Dropped::Collision { old, new }) = receive(&mut s, 10, ALICE, 5) else { panic!("no collision") };
    assert_eq!((old, s.ssrc()), (ALICE, new));
    assert_ne!(new, ALICE);
    assert_eq!(s.next_deadline(), Some(ms(10)));
    let bye = s.poll_rtcp(ms(10)).unwrap();
    assert_eq!(kinds(&bye), ["RR a11ce000 0", "SDES a11ce000", "BYE a11ce000"]);
    assert_eq!(s.poll_rtcp(ms(10)), None);
    // The same address again, with the new SSRC: our packets come back.
    assert_eq!(receive(&mut s, 20, new, 6), Err(Dropped::Loop { ssrc: new }));
    assert_eq!((s.ssrc(), s.counters().looped, s.counters().collisions), (new, 1, 1));
    // Who had our SSRC before us keeps it.
    assert_eq!(brought(receive(&mut s, 30, ALICE, 6)), (vec![6], 0));
    // Another address is another collision, and many of them are a flood.
    for port in 0..100 {
        let own = s.ssrc();
        assert!(s.receive(ms(40), address(port), &packet(own, 1)).is_err());
    }
    assert!(s.counters().collisions <= 8);
}

#[test]
fn a_sender_report_with_our_ssrc_is_a_collision_too() {
    let mut s = session(ALICE);
    let mut data = Vec::new();
    rtcp::report::write_receiver_report(&mut data, ALICE, &[]);
    let events = receive_rtcp(&mut s, 10, &data);
    let new = s.ssrc();
    assert_eq!(events, [RtcpEvent::Collision { old: ALICE, new }]);
    assert_eq!(s.poll_rtcp(ms(10)), None, "nothing was ever sent with it");
    rtcp::report::write_receiver_report(&mut data, new, &[]);
    assert_eq!(receive_rtcp(&mut s, 20, &data[8..]), []);
}

#[test]
fn two_sessions_measure_one_another_over_a_lossy_link() {
    let (mut alice, mut bob) = (session(ALICE), session(BOB));
    let mut reports = Vec::new();
    let (mut dropped, mut last_counted) = (0u32, 0u32);
    for i in 0..1_500u32 {
        let now = u64::from(i) * 20;
        let ts = alice.timestamp(ms(now), 160);
        let data = alice.send(ms(now), 0, false, ts, &[0; 160]);
        // Every tenth packet is lost; 30 ms on the way there.
        if i % 10 == 9 {
            dropped += 1;
        } else {
            bob.receive(ms(now + 30), address(1), &data).unwrap();
            last_counted = dropped;
        }
        if let Some(data) = bob.poll_rtcp(ms(now + 30)) {
            // 45 ms back.
            let compound = Compound::parse(&data).unwrap();
            assert!(alice.is_for_rtcp(&compound) || i < 50);
            for event in alice.receive_rtcp(ms(now + 75), address(2), &compound) {
                if let RtcpEvent::Report(report) = event {
                    assert_eq!(report.cumulative_lost as u32, last_counted);
                    reports.push(report);
                }
            }
        }
        if let Some(data) = alice.poll_rtcp(ms(now)) {
            let events = bob.receive_rtcp(ms(now + 30), address(1), &Compound::parse(&data).unwrap());
            let mapping = events.iter().find_map(|e| match e {
                RtcpEvent::ClockMapping(m) => Some(*m),
                _ => None,
            });
            let mapping = mapping.expect("who sends sends sender reports");
            assert_eq!((mapping.ssrc, mapping.ntp), (ALICE, ms(now).ntp()));
            assert_eq!(mapping.rtp_timestamp, ts, "this frame was captured just now");
        }
    }
    assert!(reports.len() > 20, "{}", reports.len());
    let last = reports.last().unwrap();
    assert!((last.fraction_lost - 0.1).abs() < 0.04, "{last:?}");
    let round_trip = last.round_trip.unwrap();
    assert!(round_trip.abs_diff(Duration::from_millis(75)) < Duration::from_micros(100), "{round_trip:?}");
    assert_eq!(alice.round_trip(), last.round_trip);
    assert_eq!(stats(&bob).packets_lost, i64::from(last_counted));
    assert_eq!(stats(&alice).remote_loss, Some(last.fraction_lost));
    assert_eq!(stats(&alice).packets_sent, 1_500);
    assert_eq!(stats(&alice).rtcp_sent, stats(&bob).rtcp_received);
    assert_eq!(stats(&bob).jitter, Some(Duration::ZERO));
}

#[test]
fn who_only_listens_sends_receiver_reports_and_who_stops_sending_goes_back_to_them() {
    let mut s = session(ALICE);
    let mut kinds_seen = Vec::new();
    for at in (0..20_000).step_by(20) {
        receive(&mut s, at, BOB, (at / 20) as u16).unwrap();
        if at < 5_000 {
            let ts = s.timestamp(ms(at), 160);
            s.send(ms(at), 0, false, ts, &[0; 160]);
        }
        if let Some(data) = s.poll_rtcp(ms(at)) {
            kinds_seen.push((at, kinds(&data)));
        }
    }
    let (early, late) = (kinds_seen.first().unwrap(), kinds_seen.last().unwrap());
    assert_eq!(early.1, ["SR a11ce000 1", "SDES a11ce000"]);
    assert_eq!(late.1, ["RR a11ce000 1", "SDES a11ce000"]);
    let change = kinds_seen.windows(2).filter(|w| w[0].1 != w[1].1).count();
    assert_eq!(change, 1);
}

#[test]
fn a_source_that_fell_silent_is_left_out_of_reports() {
    let mut s = session(ALICE);
    receive(&mut s, 0, BOB, 1).unwrap();
    receive(&mut s, 20, BOB, 2).unwrap();
    let mut blocks = Vec::new();
    for at in 20..30_000 {
        if let Some(data) = s.poll_rtcp(ms(at)) {
            blocks.push(kinds(&data)[0].clone());
        }
    }
    assert_eq!(blocks[0], "RR a11ce000 1");
    assert!(blocks.len() > 5 && blocks[1..].iter().all(|b| b == "RR a11ce000 0"));
}

#[test]
fn a_key_frame_is_asked_for_at_once_and_then_not_more_often_than_allowed() {
    let mut s = session(ALICE);
    s.request_keyframe(ms(0), KeyframeMethod::Pli);
    assert_eq!(s.poll_rtcp(ms(0)), None, "there is nobody to ask");
    receive(&mut s, 0, BOB, 1).unwrap();
    receive(&mut s, 1, BOB, 2).unwrap();
    let mut asked = Vec::new();
    for at in 1..1_000 {
        s.request_keyframe(ms(at), KeyframeMethod::Pli);
        while let Some(data) = s.poll_rtcp(ms(at)) {
            if kinds(&data).contains(&"PSFB a11ce000 b0b0000".to_owned()) {
                assert_eq!(kinds(&data)[1], "SDES a11ce000", "a report and a CNAME come before it");
                asked.push(at);
            }
        }
    }
    assert_eq!(asked, [1, 251, 501, 751]);
    s.request_keyframe(ms(1_000), KeyframeMethod::Pli);
    assert_eq!(s.next_deadline().unwrap().min(ms(1_001)), ms(1_001));
    s.cancel_keyframe_request();
    assert!(!(1_000..1_400).filter_map(|at| s.poll_rtcp(ms(at))).any(|d| kinds(&d).len() > 2));
}

#[test]
fn feedback_of_reduced_size_stands_alone_where_it_was_agreed() {
    let mut s = session_with(ALICE, RtcpConfig { send_reduced_size: true, ..RtcpConfig::default() });
    receive(&mut s, 0, BOB, 1).unwrap();
    s.request_keyframe(ms(1), KeyframeMethod::Fir);
    let data = s.poll_rtcp(ms(1)).unwrap();
    assert_eq!(kinds(&data), ["PSFB a11ce000 0"]);

    let mut strict = session_with(BOB, RtcpConfig { accept_reduced_size: false, ..RtcpConfig::default() });
    assert_eq!(receive_rtcp(&mut strict, 2, &data), []);
    assert_eq!((strict.counters().rtcp_refused, strict.counters().rtcp_received), (1, 0));
    let mut liberal = session(BOB);
    assert!(liberal.is_for_rtcp(&Compound::parse(&data).unwrap()));
    assert_eq!(
        receive_rtcp(&mut liberal, 2, &data),
        [RtcpEvent::KeyframeRequest { from: ALICE, method: KeyframeMethod::Fir }]
    );
}

#[test]
fn a_fir_counts_once_for_each_sequence_number_and_a_pli_each_time() {
    let mut s = session(ALICE);
    let request = |fir: Option<u8>, media| {
        let mut data = Vec::new();
        match fir {
            Some(seq) => rtcp::feedback::write_fir(&mut data, BOB, media, seq),
            None => rtcp::feedback::write_pli(&mut data, BOB, media),
        }
        data
    };
    let asked = |events: Vec<RtcpEvent>| events.len();
    assert_eq!(asked(receive_rtcp(&mut s, 0, &request(Some(255), ALICE))), 1);
    assert_eq!(asked(receive_rtcp(&mut s, 1, &request(Some(255), ALICE))), 0);
    assert_eq!(asked(receive_rtcp(&mut s, 2, &request(Some(0), ALICE))), 1);
    assert_eq!(asked(receive_rtcp(&mut s, 3, &request(Some(1), SPARE))), 0, "it asks someone else");
    assert_eq!(asked(receive_rtcp(&mut s, 4, &request(None, ALICE))), 1);
    assert_eq!(asked(receive_rtcp(&mut s, 5, &request(None, ALICE))), 1);
    assert_eq!(asked(receive_rtcp(&mut s, 6, &request(None, SPARE))), 0);
    assert_eq!((stats(&s).keyframes_requested, s.counters().fir_repeated), (4, 1));
}

#[test]
fn a_nack_for_us_is_an_event_and_the_rest_of_feedback_is_counted() {
    let mut s = session(ALICE);
    let mut data = Vec::new();
    rtcp::feedback::write_nack(&mut data, BOB, ALICE, &[7, 9]);
    rtcp::feedback::write_nack(&mut data, BOB, SPARE, &[1]);
    let events = receive_rtcp(&mut s, 0, &data);
    assert_eq!(events, [RtcpEvent::Nack { from: BOB, lost: vec![7, 9] }]);
    assert_eq!((s.counters().nacked, s.counters().rtcp_ignored), (2, 1));
}

#[test]
fn a_report_without_lsr_or_with_nonsense_gives_no_round_trip() {
    let mut s = session(ALICE);
    let mut report = |last_sr: u32, delay_since_last_sr: u32| {
        let block = ReportBlock {
            ssrc: ALICE,
            fraction_lost: 64,
            cumulative_lost: -3,
            highest_seq: 9,
            jitter: 80,
            last_sr,
            delay_since_last_sr,
        };
        let info = SenderInfo { ntp: 1, rtp_timestamp: 2, packets: 3, octets: 4 };
        let mut data = Vec::new();
        rtcp::report::write_sender_report(&mut data, BOB, &info, &[block]);
        match receive_rtcp(&mut s, 1_000, &data)[1] {
            RtcpEvent::Report(r) => r,
            ref other => panic!("{other:?}"),
        }
    };
    let now = ms(1_000).ntp_middle();
    let r = report(0, 0);
    assert_eq!((r.fraction_lost, r.cumulative_lost, r.round_trip), (0.25, -3, None));
    assert_eq!(r.jitter, Duration::from_millis(10));
    assert_eq!(report(now - 65_536, 32_768).round_trip, Some(Duration::from_millis(500)));
    assert_eq!(report(now - 100, 101).round_trip, Some(Duration::ZERO), "rounding");
    assert_eq!(report(now - 100, 65_536).round_trip, None, "before it was sent");
}

#[test]
fn closing_says_bye_once_and_nothing_after_it() {
    let mut s = session(ALICE);
    let ts = s.timestamp(ms(0), 160);
    s.send(ms(0), 0, false, ts, &[1]);
    s.close(ms(5));
    assert_eq!(s.next_deadline(), Some(ms(5)));
    let data = s.poll_rtcp(ms(5)).unwrap();
    assert_eq!(kinds(&data), ["SR a11ce000 0", "SDES a11ce000", "BYE a11ce000"]);
    s.close(ms(6));
    assert_eq!((s.poll_rtcp(ms(100_000)), s.next_deadline()), (None, None));

    let mut silent = session(ALICE);
    silent.close(ms(5));
    assert_eq!((silent.poll_rtcp(ms(5)), silent.next_deadline()), (None, None));
}

proptest! {
    #[test]
    fn any_datagrams_are_taken_without_a_panic(
        datagrams in proptest::collection::vec((
            prop_oneof![Just(ALICE), Just(BOB), Just(SPARE), any::<u32>()],
            any::<u16>(),
            proptest::collection::vec(any::<u8>(), 0..60),
            0u64..5_000,
            any::<bool>(),
        ), 0..80),
    ) {
        let mut s = session(ALICE);
        let mut now = 0;
        for (ssrc, seq, noise, pause, as_rtcp) in datagrams {
            now += pause;
            if as_rtcp {
                let mut data = Vec::new();
                for (i, chunk) in noise.chunks_exact(4).enumerate() {
                    data.extend([0x80 | chunk[0] & 0x1f, 200 + chunk[1] % 8, 0, chunk[2] % 4]);
                    let words = usize::from(chunk[2] % 4);
                    data.extend(ssrc.to_be_bytes().iter().chain(&noise).cycle().skip(i * 4).take(words * 4));
                }
                if let Ok(compound) = Compound::parse(&data) {
                    s.is_for_rtcp(&compound);
                    s.receive_rtcp(ms(now), address(seq), &compound);
                }
            } else {
                let mut data = packet(ssrc, seq);
                data.extend(&noise);
                let _ = s.receive(ms(now), address(seq % 3), &data);
                let _ = s.receive(ms(now), address(seq % 3), &noise);
            }
            s.request_keyframe(ms(now), KeyframeMethod::Fir);
            while let Some(data) = s.poll_rtcp(ms(now)) {
                prop_assert!(Compound::parse(&data).unwrap().packets().all(|p| p.is_ok()));
            }
            prop_assert!(s.next_deadline().unwrap() > ms(now));
            prop_assert!(s.remotes.iter().count() <= 4);
        }
    }
}
