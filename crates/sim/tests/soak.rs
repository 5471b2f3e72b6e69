//! Random calls over random lines: whatever two agents are told, and whatever the lines between them do, every
//! call ends once, nothing is left over, and no frame is falsified.
//!
//! A run is a function of its seed, and a failure names it. `cargo xtask soak` goes on for minutes, with
//! `--seed` for one run again.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use visavis_proto::agent::{AnswerPolicy, Config};
use visavis_proto::io::{CallHandle, Command, Event, MediaChoice, RequestId};
use visavis_sim::{Access, Jitter, LinkProfile, Loss, Pair, Rate, Reorder, Side};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn random_calls_over_random_lines_end_and_leave_nothing() {
    for seed in 0..12 {
        run(seed);
    }
}

#[test]
#[ignore = "runs for minutes: cargo xtask soak"]
fn random_calls_for_as_long_as_told() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect(name));
    if let Some(seed) = number("VISAVIS_SOAK_SEED") {
        return run(seed);
    }
    let time = Duration::from_secs(number("VISAVIS_SOAK_SECONDS").unwrap_or(60));
    let started = Instant::now();
    let (mut runs, mut calls, mut virtual_time) = (0u64, 0, Duration::ZERO);
    while started.elapsed() < time {
        // Past the seeds of the short test.
        let outcome = run_counted(1000 + runs);
        runs += 1;
        calls += outcome.calls;
        virtual_time += outcome.time;
    }
    eprintln!("{runs} runs, {calls} calls, {} s of virtual time", virtual_time.as_secs());
}

fn run(seed: u64) {
    run_counted(seed);
}

struct Outcome {
    calls: usize,
    time: Duration,
}

/// One run: a minute or so of commands, then everything is ended on good lines.
fn run_counted(seed: u64) -> Outcome {
    let named = Named(seed);
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let configs = [config(&mut rng), config(&mut rng)];
    let mut pair = Pair::new(seed, configs, [access(&mut rng), access(&mut rng)]);
    let started = pair.now();
    for _ in 0..below(&mut rng, 40) + 5 {
        act(&mut pair, &mut rng);
        let pause = [20 * MS, 200 * MS, SECOND, 4 * SECOND][below(&mut rng, 4) as usize];
        pair.run(pause);
    }
    for side in Side::BOTH {
        pair.set_access(side, Access::symmetric(LinkProfile::delay(20 * MS)));
        pair.command(side, Command::Shutdown);
    }
    // Twice timer B or F, and what may be queued in front of them.
    pair.run(100 * SECOND);
    let calls = check(&mut pair);
    std::mem::forget(named);
    Outcome { calls, time: pair.now() - started }
}

/// What must hold at the end.
fn check(pair: &mut Pair) -> usize {
    let frames = pair.frames();
    assert_eq!(frames.corrupt, 0, "{frames:?}");
    assert!(frames.intact + frames.incomplete <= frames.sent, "{frames:?}");
    let mut calls = 0;
    for side in Side::BOTH {
        assert!(pair.agent(side).is_idle(), "{side:?} has a call or a transaction left");
        let mut open = BTreeSet::new();
        let mut over = BTreeSet::new();
        for (at, event) in pair.log(side) {
            let Some(call) = call_of(event) else { continue };
            assert!(!over.contains(&call), "{side:?} reports {event:?} at {at:?}, after the end");
            if matches!(event, Event::Ended { .. }) {
                over.insert(call);
            } else {
                open.insert(call);
            }
        }
        assert!(open.is_subset(&over), "{side:?} never ended {:?}", open.difference(&over));
        calls += over.len();
    }
    calls
}

fn call_of(event: &Event) -> Option<CallHandle> {
    match event {
        Event::Incoming { call, .. }
        | Event::Calling { call, .. }
        | Event::Progress { call, .. }
        | Event::Established { call, .. }
        | Event::Media { call, .. }
        | Event::Frame { call, .. }
        | Event::Dtmf { call, .. }
        | Event::PathFound { call, .. }
        | Event::PathMoved { call, .. }
        | Event::PathLost { call, .. }
        | Event::MoveRefused { call, .. }
        | Event::KeyMessage { call, .. }
        | Event::Protected { call, .. }
        | Event::Answered { call, .. }
        | Event::Ended { call, .. } => Some(*call),
        Event::Message { call, .. } => *call,
        Event::OptionsAnswered { .. } | Event::Classified { .. } | Event::Outcome { .. } => None,
    }
}

/// Tells one side something that a person might, sensible or not.
fn act(pair: &mut Pair, rng: &mut ChaCha20Rng) {
    let side = if rng.next_u32() & 1 == 0 { Side::A } else { Side::B };
    let media = [
        MediaChoice::BOTH,
        MediaChoice { audio: true, video: false },
        MediaChoice { audio: false, video: true },
    ][below(rng, 3) as usize];
    let choice = below(rng, 16);
    if choice < 3 {
        pair.call(side, media, rng.next_u32() & 3 == 0);
        return;
    }
    if choice == 3 {
        let access = access(rng);
        return pair.set_access(side, access);
    }
    if choice == 4 {
        let destination = pair.world().now();
        let request = RequestId(destination.nanos());
        let target = "sip:b@192.0.2.2".to_owned();
        let destination =
            std::net::SocketAddr::from(([192, 0, 2, if side == Side::A { 2 } else { 1 }], 16_402));
        return pair.command(side, Command::Options { request, target, destination });
    }
    let calls: Vec<CallHandle> = pair.log(side).iter().filter_map(|(_, event)| call_of(event)).collect();
    if calls.is_empty() {
        return;
    }
    let call = calls[below(rng, calls.len() as u64) as usize];
    pair.command(
        side,
        match choice {
            5 => Command::Ring { call, status: 180 + (rng.next_u32() & 3) as u16 },
            6 | 7 => Command::Accept { call },
            8 => Command::Reject { call, status: 486 },
            9 => Command::Hangup { call },
            10 => Command::Hold { call },
            11 => Command::Resume { call },
            12 => Command::Reinvite { call, media },
            13 => {
                let body = vec![0x61; below(rng, 900) as usize];
                Command::Message { call, content_type: "text/plain".into(), body: body.into() }
            }
            14 => Command::Dtmf { call, digit: '7', duration: 120 * MS },
            _ => Command::RequestKeyframe { call, section: below(rng, 3) as usize },
        },
    );
}

fn config(rng: &mut ChaCha20Rng) -> Config {
    let answer = match below(rng, 8) {
        0 => AnswerPolicy::Decline(603),
        1..=3 => AnswerPolicy::Ask,
        _ => AnswerPolicy::Accept,
    };
    let media_silence = (below(rng, 4) == 0).then_some(8 * SECOND);
    Config { answer, media_silence, signalling_only: below(rng, 8) == 0, ..Config::default() }
}

/// Anything from a perfect line to one that is cut.
fn access(rng: &mut ChaCha20Rng) -> Access {
    let mut line = || LinkProfile {
        loss: match below(rng, 6) {
            0 | 1 => Loss::None,
            2 => Loss::Independent(fraction(rng) * 0.3),
            3 | 4 => Loss::bursts(fraction(rng) * 0.3, 1.0 + fraction(rng) * 8.0),
            _ => Loss::Independent(if below(rng, 3) == 0 { 1.0 } else { 0.5 }),
        },
        delay: MS * below(rng, 300) as u32,
        jitter: match below(rng, 3) {
            0 => Jitter::None,
            1 => Jitter::Uniform(MS * below(rng, 80) as u32),
            _ => Jitter::Normal(MS * below(rng, 40) as u32),
        },
        reorder: Reorder { probability: fraction(rng) * 0.1, by: MS * below(rng, 200) as u32 },
        duplicate: fraction(rng) * 0.1,
        rate: (below(rng, 3) == 0).then(|| Rate {
            bits_per_second: 64_000 + below(rng, 2_000_000),
            queue: MS * below(rng, 1000) as u32,
        }),
    };
    Access { up: line(), down: line() }
}

fn below(rng: &mut ChaCha20Rng, end: u64) -> u64 {
    rng.next_u64() % end
}

fn fraction(rng: &mut ChaCha20Rng) -> f64 {
    below(rng, 1 << 20) as f64 / f64::from(1 << 20)
}

/// Says on the way out of a failing run which one it was.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        eprintln!("this run again: cargo xtask soak --seed {}", self.0);
    }
}
