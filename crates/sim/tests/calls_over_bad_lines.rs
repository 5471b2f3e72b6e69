//! Whole calls between two agents on a virtual clock: what reaches the program stays true on any line.

use std::time::Duration;
use visavis_proto::agent::Config;
use visavis_proto::io::{CallHandle, Command, EndReason, Event, MediaChoice};
use visavis_sim::{Access, Jitter, LinkProfile, Loss, Pair, Rate, Reorder, Side};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn bad_line() -> Access {
    Access::symmetric(LinkProfile {
        loss: Loss::bursts(0.04, 2.0),
        delay: 30 * MS,
        jitter: Jitter::Normal(5 * MS),
        reorder: Reorder { probability: 0.01, by: 15 * MS },
        duplicate: 0.01,
        rate: None,
    })
}

/// The calls that a side has seen established.
fn established(pair: &Pair, side: Side) -> Vec<CallHandle> {
    let call = |event: &Event| match event {
        Event::Established { call, .. } => Some(*call),
        _ => None,
    };
    pair.log(side).iter().filter_map(|(_, event)| call(event)).collect()
}

fn end(pair: &Pair, side: Side) -> Option<EndReason> {
    pair.log(side).iter().find_map(|(_, event)| match event {
        Event::Ended { reason, .. } => Some(reason.clone()),
        _ => None,
    })
}

#[test]
fn on_a_good_line_every_frame_arrives_intact() {
    let mut pair = Pair::on_good_lines(1, Config::default());
    let call = pair.call(Side::A, MediaChoice::BOTH, false);
    pair.run(10 * SECOND);
    assert_eq!(established(&pair, Side::A), [call]);
    assert_eq!(established(&pair, Side::B).len(), 1);
    let stats = pair.agent(Side::A).stats(call).unwrap();
    assert_eq!((stats[0].packets_lost, stats[1].packets_lost), (0, 0));
    pair.command(Side::A, Command::Hangup { call });
    pair.run(2 * SECOND);
    let frames = pair.frames();
    assert_eq!((frames.corrupt, frames.incomplete), (0, 0), "{frames:?}");
    // Two directions of 30 pictures and at least 50 frames of sound a second; what is in a jitter buffer at the
    // end is not played.
    assert!(frames.sent >= 2 * 80 * 10 - 40, "{frames:?}");
    assert!(frames.sent - frames.intact < 40, "{frames:?}");
    assert_eq!(end(&pair, Side::A), Some(EndReason::LocalHangup));
    assert_eq!(end(&pair, Side::B), Some(EndReason::RemoteHangup));
}

#[test]
fn on_a_bad_line_calls_are_set_up_and_ended_and_no_frame_is_ever_falsified() {
    for seed in 0..8 {
        let mut pair = Pair::new(seed, [Config::default(), Config::default()], [bad_line(), bad_line()]);
        let call = pair.call(Side::A, MediaChoice::BOTH, seed % 2 == 1);
        pair.run(8 * SECOND);
        assert_eq!(established(&pair, Side::A), [call], "seed {seed}: {:?}", pair.log(Side::A));
        assert_eq!(established(&pair, Side::B).len(), 1, "seed {seed}");
        pair.command(Side::A, Command::Hangup { call });
        pair.run(80 * SECOND);
        let frames = pair.frames();
        assert_eq!(frames.corrupt, 0, "seed {seed}: {frames:?}");
        assert!(frames.intact * 2 > frames.sent, "seed {seed}: {frames:?}");
        for side in Side::BOTH {
            assert!(end(&pair, side).is_some(), "seed {seed}: {side:?} never ended");
            assert!(pair.agent(side).is_idle(), "seed {seed}: {side:?} has something left");
        }
    }
}

#[test]
fn what_a_receiver_counts_as_lost_is_what_the_line_lost() {
    let line = Access {
        up: LinkProfile { loss: Loss::Independent(0.05), ..LinkProfile::delay(20 * MS) },
        ..Access::default()
    };
    let good = Access::symmetric(LinkProfile::delay(20 * MS));
    let mut pair = Pair::new(7, [Config::default(), Config::default()], [line, good.clone()]);
    let call = pair.call(Side::A, MediaChoice::BOTH, false);
    pair.run(30 * SECOND);
    let theirs = established(&pair, Side::B)[0];
    // On a good line from here on, so that no loss lies at the very end.
    pair.set_access(Side::A, good);
    pair.run(2 * SECOND);
    let sent = pair.agent(Side::A).stats(call).unwrap();
    let heard = pair.agent(Side::B).stats(theirs).unwrap();
    for (sent, heard) in sent.iter().zip(&heard) {
        let lost = heard.packets_lost as f64 / sent.packets_sent as f64;
        assert!((0.035..0.065).contains(&lost), "{lost}");
        let told = sent.remote_loss.expect("B reports to A");
        assert!((0.0..0.12).contains(&told), "{told}");
        let round_trip = sent.round_trip.expect("A measures the round trip");
        assert!((80 * MS..90 * MS).contains(&round_trip), "{round_trip:?}");
    }
}

#[test]
fn an_encoder_of_sound_is_told_while_its_packets_are_lost() {
    let good = || Access::symmetric(LinkProfile::delay(20 * MS));
    let lossy = Access { up: LinkProfile { loss: Loss::Independent(0.05), ..good().up }, ..good() };
    let mut pair = Pair::new(11, [Config::default(), Config::default()], [good(), good()]);
    pair.call(Side::A, MediaChoice::BOTH, false);
    let told = |pair: &Pair, side| {
        pair.targets(side).iter().map(|(_, section, target)| (*section, target.lossy)).collect::<Vec<_>>()
    };
    pair.run(10 * SECOND);
    assert!(told(&pair, Side::A).iter().all(|(_, lossy)| !lossy), "{:?}", told(&pair, Side::A));
    pair.set_access(Side::A, lossy);
    pair.run(20 * SECOND);
    let at_the_worst = told(&pair, Side::A);
    let sound = at_the_worst.iter().rfind(|(_, lossy)| *lossy).expect("it was told").0;
    assert!(at_the_worst.iter().all(|(section, lossy)| !lossy || *section == sound), "{at_the_worst:?}");
    pair.set_access(Side::A, good());
    pair.run(60 * SECOND);
    assert_eq!(told(&pair, Side::A).last(), Some(&(sound, false)));
    assert!(told(&pair, Side::B).iter().all(|(_, lossy)| !lossy), "nothing of B's was lost");
}

#[test]
fn an_encoder_makes_no_redundancy_for_a_peer_that_has_no_use_for_it() {
    let mut without = Config::default();
    without.capabilities.opus.use_inband_fec = false;
    let mut pair = Pair::new(12, [Config::default(), without], [bad_line(), bad_line()]);
    pair.call(Side::A, MediaChoice::BOTH, false);
    pair.run(30 * SECOND);
    let lossy = |side| pair.targets(side).iter().filter(|(_, _, target)| target.lossy).count();
    assert_eq!(lossy(Side::A), 0, "{:?}", pair.targets(Side::A));
    assert!(lossy(Side::B) > 0, "{:?}", pair.targets(Side::B));
}

#[test]
fn equal_seeds_give_equal_calls() {
    let run = |seed| {
        let mut pair = Pair::new(seed, [Config::default(), Config::default()], [bad_line(), bad_line()]);
        let call = pair.call(Side::A, MediaChoice::BOTH, false);
        pair.run(5 * SECOND);
        pair.command(Side::A, Command::Hangup { call });
        pair.run(40 * SECOND);
        let network = pair.world().network().stats();
        format!("{:?}{:?}{:?}{network:?}", pair.log(Side::A), pair.log(Side::B), pair.frames())
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

#[test]
fn a_line_that_is_cut_ends_the_call_where_silence_was_given_a_limit() {
    let config = Config { media_silence: Some(10 * SECOND), ..Config::default() };
    let mut pair = Pair::on_good_lines(1, config);
    pair.call(Side::A, MediaChoice::BOTH, false);
    pair.run(5 * SECOND);
    let dead = LinkProfile { loss: Loss::Independent(1.0), ..LinkProfile::default() };
    pair.set_access(Side::B, Access::symmetric(dead));
    pair.run(120 * SECOND);
    for side in Side::BOTH {
        assert!(matches!(end(&pair, side), Some(EndReason::NoResponse { .. })), "{:?}", end(&pair, side));
        assert!(pair.agent(side).is_idle());
    }
}

#[test]
fn a_narrow_line_shows_in_the_loss_that_is_reported() {
    let narrow = LinkProfile {
        rate: Some(Rate { bits_per_second: 500_000, queue: 200 * MS }),
        ..LinkProfile::delay(20 * MS)
    };
    let line = Access { up: narrow, down: LinkProfile::default() };
    let mut pair = Pair::new(1, [Config::default(), Config::default()], [line, Access::default()]);
    let call = pair.call(Side::A, MediaChoice::BOTH, false);
    pair.run(20 * SECOND);
    let told = pair.agent(Side::A).stats(call).unwrap()[1].remote_loss.expect("B reports to A");
    assert!(told > 0.1, "{told}");
    assert_eq!(pair.frames().corrupt, 0);
}
