//! A whole call with 30 % of all datagrams lost, each way, over 1,000 seeds: however it goes, both sides end up with
//! the same, in time, and with nothing left over.

use std::time::Duration;
use visavis_proto::agent::Config;
use visavis_proto::io::Command;
use visavis_proto::io::{EndReason, Event, MediaChoice};
use visavis_sim::{Access, LinkProfile, Loss, Pair, Side};

const SEEDS: u64 = 1_000;
/// When the caller hangs up.
const HOLD: Duration = Duration::from_secs(3);
/// 64*T1, RFC 3261 section 17.1.1.2: what no transaction outlives without an answer.
const T1_64: Duration = Duration::from_secs(32);
/// What a BYE that was not answered is waited for beyond its timer, and the way of the last datagram.
const SLACK: Duration = Duration::from_millis(1_500);

fn heavy_loss() -> Access {
    // Both access lines lose, so that 30 % are lost from end to end.
    let loss = Loss::Independent(1.0 - 0.7f64.sqrt());
    Access::symmetric(LinkProfile { loss, ..LinkProfile::delay(Duration::from_millis(10)) })
}

/// How the call ended on a side; `None` where that side never knew of it.
fn end(pair: &Pair, side: Side) -> Option<(Duration, EndReason)> {
    let start = visavis_proto::Time::from_millis(1_000);
    pair.log(side).iter().find_map(|(at, event)| match event {
        Event::Ended { reason, .. } => Some((at.since(start), reason.clone())),
        _ => None,
    })
}

fn knew(pair: &Pair, side: Side) -> bool {
    !pair.log(side).is_empty()
}

fn established(pair: &Pair, side: Side) -> bool {
    pair.log(side).iter().any(|(_, event)| matches!(event, Event::Established { .. }))
}

#[test]
fn a_call_under_30_percent_loss_ends_alike_on_both_sides_and_leaves_nothing() {
    let mut up = 0;
    for seed in 0..SEEDS {
        let quiet = Config { signalling_only: true, ..Config::default() };
        let mut pair = Pair::new(seed, [quiet.clone(), quiet], [heavy_loss(), heavy_loss()]);
        let call = pair.call(Side::A, MediaChoice::BOTH, seed % 4 == 3);
        pair.run(HOLD);
        // Each side hangs up in turn.
        let side = if seed % 2 == 0 { Side::A } else { Side::B };
        let theirs = pair.log(Side::B).iter().find_map(|(_, event)| match event {
            Event::Incoming { call, .. } => Some(*call),
            _ => None,
        });
        match (side, theirs) {
            (Side::B, Some(theirs)) => pair.command(Side::B, Command::Hangup { call: theirs }),
            _ => pair.command(Side::A, Command::Hangup { call }),
        }
        pair.run(3 * T1_64);
        up += u64::from(established(&pair, Side::A) && established(&pair, Side::B));
        for side in Side::BOTH {
            let end = end(&pair, side);
            assert!(end.is_some() || !knew(&pair, side), "seed {seed}: {side:?} is still in the call");
            if let Some((after, reason)) = end {
                // A callee whose ACK is lost again and again waits 64*T1 for it, then as long for its BYE.
                let limit = if established(&pair, side) { HOLD + T1_64 } else { HOLD + 2 * T1_64 };
                assert!(after <= limit + SLACK, "seed {seed}: {side:?} ended after {after:?}: {reason:?}");
            }
        }
        for side in Side::BOTH {
            assert!(pair.agent(side).is_idle(), "seed {seed}: {side:?} has a transaction left");
            assert_eq!(pair.agent(side).calls(), 0, "seed {seed}");
        }
    }
    // 11 transmissions each way: a call that does not come about is rare.
    assert!(up >= SEEDS * 9 / 10, "only {up} of {SEEDS} calls were established");
}
