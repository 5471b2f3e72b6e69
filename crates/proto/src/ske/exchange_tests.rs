//! Two exchanges joined by a wire that loses nothing but what a test takes away.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::ske::{NoExchange, Replay, Tap};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const LIMIT: Duration = Duration::from_secs(5);

fn exchange(scheme: &dyn Scheme, role: Role) -> Exchange {
    let (local_tag, remote_tag) = ("1".into(), "2".into());
    let context = Context { role, call_id: "c".into(), local_tag, remote_tag };
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    Exchange::new(Time::ZERO, scheme, &context, &Limits::default(), LIMIT, &mut rng)
}

/// What `from` has to send, each fragment answered by `to`; and what `from` ended with.
fn carry(now: Time, from: &mut Exchange, to: &mut Exchange) -> (Vec<(SkeSeq, usize)>, Option<bool>) {
    let (mut sent, mut ended) = (Vec::new(), None);
    while let Some(out) = from.poll(now) {
        match out {
            Out::Send { seq, body } => {
                sent.push((seq, body.len()));
                let status = to.received(now, seq, &body, Carrier::Request).status;
                from.sent_answered(now, seq, status);
            }
            Out::Finished(result) => ended = Some(result.is_ok()),
            Out::Body { .. } => {}
        }
    }
    (sent, ended)
}

#[test]
fn recorded_bodies_are_played_in_turn_and_long_ones_in_fragments() {
    let bodies = [vec![1; 785], vec![2; 4], vec![3; 2_000], vec![4; 900]].map(Bytes::from);
    let play = Replay::in_turn(bodies);
    let (mut caller, mut callee) = (exchange(&play, Role::Caller), exchange(&play, Role::Callee));
    let at = |sequence, fragment, octets| (SkeSeq { sequence, fragment }, octets);
    let mut turns = Vec::new();
    for _ in 0..2 {
        turns.push(carry(Time::ZERO, &mut caller, &mut callee));
        turns.push(carry(Time::ZERO, &mut callee, &mut caller));
    }
    assert_eq!(turns[0].0, [at(1, 0, 785)]);
    assert_eq!(turns[1].0, [at(2, 0, 4)]);
    assert_eq!(turns[2].0, [at(3, 0, 900), at(3, 1, 900), at(3, 2, 200)]);
    assert_eq!(turns[3], (vec![at(4, 0, 900), at(4, 1, 0)], Some(true)));
    assert_eq!(carry(Time::ZERO, &mut caller, &mut callee).1, Some(true));
}

#[test]
fn what_is_repeated_is_answered_alike_and_handed_on_once() {
    let mut tap = exchange(&Tap, Role::Callee);
    let seq = SkeSeq { sequence: 1, fragment: 0 };
    for _ in 0..3 {
        assert_eq!(tap.received(Time::ZERO, seq, b"body", Carrier::Request).status, 200);
    }
    let mut bodies = 0;
    while let Some(out) = tap.poll(Time::ZERO) {
        bodies += usize::from(matches!(out, Out::Body { .. }));
    }
    assert_eq!((bodies, tap.counters().duplicates), (1, 2));
}

#[test]
fn too_large_too_many_and_out_of_order_fragments_are_refused_and_kept_within_bounds() {
    let mut tap = exchange(&Tap, Role::Callee);
    let mut send = |sequence, fragment, octets: usize| {
        let seq = SkeSeq { sequence, fragment };
        tap.received(Time::ZERO, seq, &vec![0; octets], Carrier::Request).status
    };
    assert_eq!(send(1, 0, 901), 413);
    assert_eq!(send(1, 1, 10), 500);
    let limits = Limits::default();
    let fits = (limits.ske_body / MAX_FRAGMENT) as u32;
    for fragment in 0..fits {
        assert_eq!(send(2, fragment, MAX_FRAGMENT), 200);
    }
    assert_eq!(send(2, fits, MAX_FRAGMENT), 413);
    let statuses: Vec<u16> = (3..200).map(|sequence| send(sequence, 0, 1)).collect();
    assert!(statuses.iter().all(|status| [500, 503].contains(status)), "{statuses:?}");
}

#[test]
fn an_exchange_that_takes_too_long_says_what_was_missing_and_the_caller_ends_it_first() {
    let play = Replay::sizes_of_2010();
    let mut caller = exchange(&play, Role::Caller);
    let mut callee = exchange(&play, Role::Callee);
    assert_eq!(caller.next_timeout(), Some(Time::ZERO + LIMIT));
    assert!(callee.next_timeout() > caller.next_timeout());
    let failure = |exchange: &mut Exchange, now| {
        std::iter::from_fn(|| exchange.poll(now)).find_map(|out| match out {
            Out::Finished(Err(failure)) => Some(failure.to_string()),
            _ => None,
        })
    };
    let late = Time::ZERO + LIMIT;
    let why = failure(&mut caller, late).unwrap();
    assert_eq!(
        why,
        "the key exchange failed: the peer's next message did not come within 5 s, and our message 1 was not answered"
    );
    assert_eq!(failure(&mut callee, late), None);
    assert!(failure(&mut callee, late + GRACE).is_some());
    // What comes now is refused, and there is nothing more to wait for.
    let seq = SkeSeq { sequence: 2, fragment: 0 };
    assert_eq!(caller.received(late, seq, b"late", Carrier::Request).status, 488);
    assert_eq!(caller.next_timeout(), None);
}

#[test]
fn a_lost_response_does_not_hold_the_next_message_up() {
    let play = Replay::sizes_of_2010();
    let (mut caller, mut callee) = (exchange(&play, Role::Caller), exchange(&play, Role::Callee));
    let first = SkeSeq { sequence: 1, fragment: 0 };
    while let Some(out) = caller.poll(Time::ZERO) {
        if let Out::Send { seq, body } = out {
            // The callee takes it, and its 200 is lost.
            callee.received(Time::ZERO, seq, &body, Carrier::Request);
        }
    }
    let (sent, _) = carry(Time::ZERO, &mut callee, &mut caller);
    assert_eq!(sent, [(SkeSeq { sequence: 2, fragment: 0 }, 4)]);
    let third = std::iter::from_fn(|| caller.poll(Time::ZERO)).find_map(|out| match out {
        Out::Send { seq, .. } => Some(seq.sequence),
        _ => None,
    });
    assert_eq!(third, Some(3));
    // It comes after all: nothing changes.
    caller.sent_answered(Time::ZERO, first, 200);
}

#[test]
fn without_an_exchange_media_are_clear_at_once_and_a_refusal_ends_one_that_is_wanted() {
    let mut none = exchange(&NoExchange, Role::Caller);
    assert!(matches!(none.poll(Time::ZERO), Some(Out::Finished(Ok(Outcome::Clear)))));
    assert!(none.poll(Time::ZERO).is_none() && none.next_timeout().is_none());
    let play = Replay::sizes_of_2010();
    let mut caller = exchange(&play, Role::Caller);
    caller.sent_answered(Time::ZERO, SkeSeq { sequence: 1, fragment: 0 }, 415);
    let ended = std::iter::from_fn(|| caller.poll(Time::ZERO)).last();
    let Some(Out::Finished(Err(failure))) = ended else { panic!("{ended:?}") };
    assert_eq!(failure.to_string(), "the key exchange failed: the peer answered message 1;0 with 415");
}
