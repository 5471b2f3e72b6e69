//! Whole calls by ticket through NATs: keys, media both ways, what happens when an address changes in the middle of a
//! call, and what ends one.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::sync::Arc;
use std::time::Duration;
use visavis_proto::Time;
use visavis_proto::agent::{Admission, Config};
use visavis_proto::io::{EndReason, Event, MediaChoice};
use visavis_proto::ske::{Identity, Lab};
use visavis_sim::{Access, Front, LinkProfile, Loss, NatProfile, Pair, Side};

const SEEDS: u64 = 2;
const SECOND: Duration = Duration::from_secs(1);

fn keyed(number: u8) -> Config {
    let identity = Identity::generate(&mut ChaCha20Rng::from_seed([number; 32]));
    Config { key_exchange: Some(Arc::new(Lab::new(identity, None))), ..Config::facetime2010(false) }
}

fn line() -> Access {
    Access::symmetric(LinkProfile::delay(Duration::from_millis(20)))
}

fn pair(seed: u64, fronts: [Front; 2]) -> Pair {
    Pair::behind(seed, [keyed(1), keyed(2)], [line(), line()], fronts)
}

fn end(pair: &Pair, side: Side) -> Option<(Time, EndReason)> {
    pair.log(side).iter().find_map(|(at, event)| match event {
        Event::Ended { reason, .. } => Some((*at, reason.clone())),
        _ => None,
    })
}

fn kinds() -> [(&'static str, Front); 6] {
    [
        ("open", Front::Open),
        ("full-cone", Front::Nat(NatProfile::full_cone())),
        ("address-restricted", Front::Nat(NatProfile::address_restricted())),
        ("port-restricted", Front::Nat(NatProfile::port_restricted())),
        ("symmetric", Front::Nat(NatProfile::symmetric())),
        ("blocked", Front::Blocked),
    ]
}

#[test]
fn a_whole_call_goes_through_all_nats_that_a_punch_can_pass_and_says_why_not_through_others() {
    for (a, front_a) in kinds() {
        for (b, front_b) in kinds() {
            for seed in 0..SEEDS {
                let what = format!("{a} calls {b}, seed {seed}");
                let mut pair = pair(seed, [front_a.clone(), front_b.clone()]);
                pair.meet(Side::A, MediaChoice::BOTH, true);
                let blocked = [a, b].contains(&"blocked");
                let strict = |kind: &str| ["symmetric", "port-restricted"].contains(&kind);
                let apart = [a, b].contains(&"symmetric") && strict(a) && strict(b);
                pair.run(if blocked || apart { 40 * SECOND } else { 5 * SECOND });
                for side in Side::BOTH {
                    let end = end(&pair, side).map(|(_, reason)| reason);
                    let heard = pair.heard(side).len();
                    if blocked || apart {
                        let text = if blocked { "blocks UDP" } else { "these two kinds of NAT" };
                        let named = matches!(&end, Some(EndReason::NoPath { what }) if what.contains(text));
                        assert!(named && heard == 0, "{what}, {side:?}: {end:?}");
                    } else {
                        assert!(end.is_none() && heard > 50, "{what}, {side:?}: {heard} frames, {end:?}");
                    }
                }
                assert_eq!(pair.frames().corrupt, 0, "{what}");
            }
        }
    }
}

/// How long each side was without media from the change on; the greater of both.
fn gap(pair: &Pair, change: Time) -> Option<Duration> {
    let gaps = Side::BOTH.map(|side| {
        let after = pair.heard(side).iter().filter(|at| **at >= change);
        let edges: Vec<Time> = std::iter::once(change).chain(after.copied()).collect();
        let last = *edges.last()?;
        // Media must have come back for good.
        (pair.now().since(last) < SECOND).then_some(())?;
        edges.windows(2).map(|w| w[1].since(w[0])).max()
    });
    let [one, other] = gaps;
    Some(one?.max(other?))
}

fn changed(seed: u64, fronts: [Front; 2], change: impl Fn(&mut Pair)) -> (Pair, Time) {
    let mut pair = pair(seed, fronts);
    pair.meet(Side::A, MediaChoice::BOTH, true);
    pair.run(5 * SECOND);
    assert!(!pair.heard(Side::A).is_empty() && !pair.heard(Side::B).is_empty(), "seed {seed}");
    let now = pair.now();
    change(&mut pair);
    pair.run(6 * SECOND);
    (pair, now)
}

fn peers() -> [(&'static str, Front); 2] {
    [("open", Front::Open), ("address-restricted", Front::Nat(NatProfile::address_restricted()))]
}

#[test]
fn media_resume_within_2_s_when_an_interface_has_another_address() {
    for (name, peer) in peers() {
        for seed in 0..SEEDS {
            let nat = Front::Nat(NatProfile::port_restricted());
            let (pair, at) = changed(seed, [nat, peer.clone()], |pair| {
                pair.readdress(Side::A, [10, 0, 0, 77].into());
            });
            let gap = gap(&pair, at);
            assert!(gap.is_some_and(|gap| gap <= 2 * SECOND), "{name}, seed {seed}: {gap:?}");
        }
    }
}

#[test]
fn media_resume_within_2_s_of_the_silence_being_seen_when_a_nat_rebinds() {
    // Silence counts as such after a second.
    let limit = 3 * SECOND;
    for (name, peer) in peers() {
        for seed in 0..SEEDS {
            let nat = Front::Nat(NatProfile::port_restricted());
            let (pair, at) = changed(seed, [nat, peer.clone()], |pair| pair.rebind(Side::A));
            let gap = gap(&pair, at);
            assert!(gap.is_some_and(|gap| gap <= limit), "{name}, seed {seed}: {gap:?}");
        }
    }
}

#[test]
fn a_rebinding_towards_a_port_restricted_peer_ends_the_call_and_says_so() {
    for seed in 0..SEEDS {
        let nat = || Front::Nat(NatProfile::port_restricted());
        let (mut pair, _) = changed(seed, [nat(), nat()], |pair| pair.rebind(Side::A));
        pair.run(90 * SECOND);
        for side in Side::BOTH {
            let end = end(&pair, side);
            let told = matches!(&end, Some((_, EndReason::NoResponse { what })) if what.contains("no media from 203.0.113."));
            assert!(told, "seed {seed}, {side:?}: {end:?}");
        }
    }
}

#[test]
fn a_call_ends_after_30_s_of_silence_on_a_line_that_was_cut() {
    for seed in 0..SEEDS {
        let cut = |pair: &mut Pair| {
            let dead = LinkProfile { loss: Loss::Independent(1.0), ..LinkProfile::delay(SECOND) };
            pair.set_access(Side::A, Access::symmetric(dead));
        };
        let (mut pair, at) = changed(seed, [Front::Open, Front::Open], cut);
        pair.run(70 * SECOND);
        for side in Side::BOTH {
            let end = end(&pair, side);
            let Some((when, reason)) = end else { panic!("seed {seed}: {side:?} goes on") };
            // 30 s of silence, then a BYE that is not answered for 64*T1.
            assert!(when.since(at) <= 64 * SECOND, "seed {seed}, {side:?}: {:?}", when.since(at));
            let told = matches!(&reason, EndReason::NoResponse { what } if what.contains("for 30 s"));
            assert!(told && when.since(at) >= 30 * SECOND, "seed {seed}, {side:?}: {reason:?}");
        }
    }
}

#[test]
fn without_a_secret_a_check_from_elsewhere_moves_nothing_and_is_reported() {
    for seed in 0..SEEDS {
        let armed = Admission::Expected { window: visavis_proto::agent::ARMED };
        let config = Config { admission: armed, ..Config::facetime2010(true) };
        let full = Front::Nat(NatProfile::full_cone());
        let mut pair = Pair::behind(seed, [config.clone(), config], [line(), line()], [full, Front::Open]);
        pair.meet(Side::A, MediaChoice::BOTH, false);
        pair.run(5 * SECOND);
        assert!(!pair.heard(Side::B).is_empty(), "seed {seed}: {:?}", end(&pair, Side::B));
        pair.rebind(Side::A);
        pair.run(5 * SECOND);
        let log = pair.log(Side::B);
        assert!(
            log.iter().any(|(_, event)| matches!(event, Event::MoveRefused { .. })),
            "seed {seed}: {log:?}"
        );
        assert!(!log.iter().any(|(_, event)| matches!(event, Event::PathMoved { .. })), "seed {seed}");
    }
}
