//! Two layers and a link that loses 30 % of all datagrams, over a thousand seeds for each transaction.

use super::*;
use crate::sip::dialog::{Accepted, Due};
use rand_core::RngCore;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const SEEDS: u64 = 1_000;
const LOSS_PERCENT: u32 = 30;
/// The link delays each datagram by up to this much, so that they overtake one another.
const DELAY_MS: u32 = 120;

/// What the callee does with a request: how long it thinks, and what it says.
#[derive(Clone, Copy)]
struct Script {
    method: &'static str,
    ring_after: Option<u64>,
    answer_after: u64,
    status: u16,
    cancel_after: Option<u64>,
}

/// What came of one run.
#[derive(Debug, Default)]
struct Outcome {
    finals: Vec<u16>,
    timeouts: usize,
    server_timeouts: usize,
    new_requests: usize,
    /// The final response that the callee sent.
    answered: Option<u16>,
    acked: bool,
    gave_up: bool,
    end: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Caller,
    Callee,
}

/// What waits for its time.
enum Wait {
    Datagram(Side, Bytes),
    Respond(u16),
    Cancel,
}

struct World {
    rng: ChaCha20Rng,
    script: Script,
    caller: Transactions,
    callee: Transactions,
    waiting: BTreeMap<(Time, u64), Wait>,
    serial: u64,
    client: Option<ClientKey>,
    server: Option<(ServerKey, Request)>,
    accepted: Option<Accepted>,
    ack: Option<Bytes>,
    terminated: BTreeSet<String>,
    outcome: Outcome,
}

impl World {
    fn new(seed: u64, script: Script) -> World {
        World {
            rng: ChaCha20Rng::seed_from_u64(seed),
            script,
            caller: layer(seed),
            callee: layer(seed + SEEDS),
            waiting: BTreeMap::new(),
            serial: 0,
            client: None,
            server: None,
            accepted: None,
            ack: None,
            terminated: BTreeSet::new(),
            outcome: Outcome::default(),
        }
    }

    fn wait(&mut self, at: Time, wait: Wait) {
        self.serial += 1;
        self.waiting.insert((at, self.serial), wait);
    }

    fn transmit(&mut self, now: Time, to: Side, data: Bytes) {
        let (lost, delay) = (self.rng.next_u32() % 100 < LOSS_PERCENT, self.rng.next_u32() % DELAY_MS);
        if !lost {
            self.wait(now + Duration::from_millis(u64::from(delay)), Wait::Datagram(to, data));
        }
    }

    fn run(mut self) -> Outcome {
        let mut now = ms(0);
        let client = self.caller.send_request(now, outgoing(self.script.method), way(BOB, ALICE)).unwrap();
        self.client = Some(client);
        if let Some(after) = self.script.cancel_after {
            self.wait(ms(after), Wait::Cancel);
        }
        loop {
            self.drain(now);
            let deadlines = [
                self.caller.next_timeout(),
                self.callee.next_timeout(),
                self.accepted.as_ref().and_then(Accepted::deadline),
                self.waiting.keys().next().map(|(at, _)| *at),
            ];
            let Some(next) = deadlines.into_iter().flatten().min() else { break };
            now = next;
            self.outcome.end = now.nanos() / 1_000_000;
            while let Some(entry) = self.waiting.first_entry().filter(|e| e.key().0 <= now) {
                let wait = entry.remove();
                self.handle(now, wait);
            }
            let timers = Timers::default();
            match self.accepted.as_mut().and_then(|accepted| accepted.poll(now, &timers)) {
                Some(Due::Resend) => {
                    let key = self.server.as_ref().unwrap().0;
                    self.callee.resend_2xx(now, key).unwrap();
                }
                Some(Due::GiveUp) => self.outcome.gave_up = true,
                None => {}
            }
        }
        assert_empty(&mut self.caller);
        assert_empty(&mut self.callee);
        assert!(self.terminated.contains("caller ClientTerminated"));
        self.outcome
    }

    fn handle(&mut self, now: Time, wait: Wait) {
        match wait {
            Wait::Datagram(to, data) => match (to, parse(&data)) {
                (Side::Caller, Message::Response(response)) => self.caller.handle_response(now, response),
                (Side::Callee, Message::Request(request)) => {
                    let incoming = self.callee.handle_request(now, request, way(ALICE, BOB));
                    self.handle_incoming(now, incoming);
                }
                _ => panic!("a request to the caller or a response to the callee"),
            },
            Wait::Respond(status) => {
                let (key, request) = self.server.as_ref().unwrap();
                let mut response = Response::to_request(request, status);
                response.set_to_tag("a11ce");
                // A CANCEL may have been faster.
                if self.callee.respond(now, *key, &response).is_ok() && status >= 200 {
                    self.outcome.answered = Some(status);
                    if self.script.method == "INVITE" && status < 300 {
                        self.accepted = Some(Accepted::new(now, &Timers::default()));
                    }
                }
            }
            Wait::Cancel => self.caller.cancel(now, self.client.unwrap()),
        }
    }

    fn handle_incoming(&mut self, now: Time, incoming: Incoming) {
        match incoming {
            Incoming::New(key, request) => {
                self.outcome.new_requests += 1;
                self.server = Some((key, request));
                if let Some(after) = self.script.ring_after {
                    self.wait(now + Duration::from_millis(after), Wait::Respond(180));
                }
                self.wait(
                    now + Duration::from_millis(self.script.answer_after),
                    Wait::Respond(self.script.status),
                );
            }
            Incoming::Cancel { cancel, request, invite } => {
                self.callee.respond(now, cancel, &Response::to_request(&request, 200)).unwrap();
                let (key, request) = self.server.as_ref().unwrap();
                assert_eq!(*key, invite);
                let mut response = Response::to_request(request, 487);
                response.set_to_tag("a11ce");
                if self.callee.respond(now, invite, &response).is_ok() {
                    self.outcome.answered = Some(487);
                }
            }
            Incoming::AckFor2xx(_) => {
                self.outcome.acked = true;
                self.accepted = None;
            }
            Incoming::Ack(_) => self.outcome.acked = true,
            Incoming::Absorbed => {}
        }
    }

    fn drain(&mut self, now: Time) {
        loop {
            let (caller, callee) = (drain(&mut self.caller, now), drain(&mut self.callee, now));
            if caller.sent.len() + caller.events.len() + callee.sent.len() + callee.events.len() == 0 {
                return;
            }
            for (_, data) in caller.sent {
                self.transmit(now, Side::Callee, data);
            }
            for (_, data) in callee.sent {
                self.transmit(now, Side::Caller, data);
            }
            for event in caller.events {
                self.caller_event(now, event);
            }
            for event in callee.events {
                match event {
                    TuEvent::ServerTimeout(_) => self.outcome.server_timeouts += 1,
                    TuEvent::ServerTerminated(key) => {
                        assert!(self.terminated.insert(format!("callee {key:?}")), "twice over");
                    }
                    other => panic!("the callee got {other:?}"),
                }
            }
        }
    }

    fn caller_event(&mut self, now: Time, event: TuEvent) {
        match event {
            TuEvent::Response(key, response) => {
                assert_eq!(Some(key), self.client);
                if response.is_provisional() {
                    return;
                }
                self.outcome.finals.push(response.status);
                if self.script.method == "INVITE" && response.is_success() {
                    let ack = match self.ack.clone() {
                        Some(ack) => ack,
                        None => {
                            let mut request = outgoing("ACK");
                            request
                                .headers
                                .set(HeaderName::To, response.headers.get(HeaderName::To).unwrap());
                            let bytes = self.caller.send_ack(request, way(BOB, ALICE));
                            self.ack = Some(bytes);
                            return;
                        }
                    };
                    self.transmit(now, Side::Callee, ack);
                }
            }
            TuEvent::Timeout(key) => {
                assert_eq!(Some(key), self.client);
                self.outcome.timeouts += 1;
            }
            TuEvent::ClientTerminated(key) => {
                assert_eq!(Some(key), self.client);
                assert!(self.terminated.insert("caller ClientTerminated".into()), "twice over");
            }
            other => panic!("the caller got {other:?}"),
        }
    }
}

/// Runs all seeds and checks what must hold in each of them.
fn worlds(script: Script) -> Vec<Outcome> {
    (0..SEEDS)
        .map(|seed| {
            let outcome = World::new(seed, script).run();
            assert!(outcome.new_requests <= 1, "seed {seed}: a retransmission was taken for a new request");
            assert_eq!(
                outcome.timeouts + usize::from(!outcome.finals.is_empty()),
                1,
                "seed {seed}: one end and one only, {outcome:?}"
            );
            let agree = outcome.finals.iter().all(|status| Some(*status) == outcome.answered);
            assert!(agree, "seed {seed}: the ends differ, {outcome:?}");
            outcome
        })
        .collect()
}

fn count(outcomes: &[Outcome], what: impl Fn(&Outcome) -> bool) -> usize {
    outcomes.iter().filter(|o| what(o)).count()
}

const T1_64: u64 = 32_000;
const T4: u64 = 5_000;

#[test]
fn a_request_and_its_answer_get_through_and_both_ends_forget_them() {
    let script =
        Script { method: "MESSAGE", ring_after: None, answer_after: 50, status: 200, cancel_after: None };
    let outcomes = worlds(script);
    // The last request leaves after 31.5 s; the server then remembers it for 64*T1.
    assert!(outcomes.iter().all(|o| o.end <= T1_64 + 50 + 120 + T1_64));
    assert!(outcomes.iter().all(|o| o.finals.len() <= 1), "a request has one final response");
    // Each of eleven tries fails with 1 - 0.7^2 = 0.51 at worst: 1 in 1,600.
    assert!(count(&outcomes, |o| o.timeouts == 1) <= 5, "too many lost");
}

#[test]
fn a_request_that_takes_its_time_gets_through_too() {
    let script =
        Script { method: "INFO", ring_after: None, answer_after: 9_000, status: 403, cancel_after: None };
    let outcomes = worlds(script);
    assert!(outcomes.iter().all(|o| o.end <= T1_64 + 9_000 + 120 + T1_64));
    assert!(count(&outcomes, |o| o.timeouts == 1) <= 20, "too many lost");
}

#[test]
fn an_invite_is_accepted_and_acknowledged() {
    let script = Script {
        method: "INVITE",
        ring_after: Some(80),
        answer_after: 3_000,
        status: 200,
        cancel_after: None,
    };
    let outcomes = worlds(script);
    assert!(outcomes.iter().all(|o| o.end <= T1_64 + 3_000 + 120 + T1_64 + T1_64));
    let lost = count(&outcomes, |o| o.finals.is_empty());
    // Seven INVITEs, then at least ten 2xx: only the former can all be lost, at 0.3^7.
    assert!(lost <= 5, "{lost} lost");
    assert!(outcomes.iter().all(|o| o.finals.is_empty() || o.acked || o.gave_up));
    assert!(count(&outcomes, |o| o.acked) >= 995 - lost);
}

#[test]
fn an_invite_is_refused_and_acknowledged() {
    let script =
        Script { method: "INVITE", ring_after: Some(80), answer_after: 700, status: 486, cancel_after: None };
    let outcomes = worlds(script);
    assert!(outcomes.iter().all(|o| o.end <= T1_64 + 700 + 120 + T1_64 + T1_64 + T4));
    assert!(outcomes.iter().all(|o| o.finals.len() <= 1), "a failure is reported once");
    assert!(count(&outcomes, |o| o.finals.is_empty()) <= 5, "too many lost");
    assert!(outcomes.iter().all(|o| o.acked || o.server_timeouts == 1 || o.new_requests == 0));
    assert!(count(&outcomes, |o| o.server_timeouts == 1) <= 5, "too many without an ACK");
}

#[test]
fn a_cancel_races_the_answer_and_both_ends_agree_on_the_winner() {
    for (cancel_after, may_win) in [(0, true), (1_000, true), (3_050, true), (20_000, false)] {
        let script = Script {
            method: "INVITE",
            ring_after: Some(80),
            answer_after: 3_000,
            status: 200,
            cancel_after: Some(cancel_after),
        };
        let outcomes = worlds(script);
        let cancelled = count(&outcomes, |o| o.finals.contains(&487));
        let answered = count(&outcomes, |o| o.finals.contains(&200));
        assert!(cancelled + answered >= 990, "{cancelled} cancelled, {answered} answered");
        assert!(if may_win { cancelled > 50 } else { answered > 900 }, "{cancelled} against {answered}");
    }
}
