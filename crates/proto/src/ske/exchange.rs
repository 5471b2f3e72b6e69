//! What stands between a handler and SIP: fragments, order, repeats, and the time limit.

use super::{
    Body, Carrier, Context, Direction, Handler, MAX_FRAGMENT, Outcome, Outgoing, Role, Scheme, SkeSeq, State,
    Step,
};
use crate::limits::Limits;
use crate::time::Time;
use bytes::Bytes;
use rand_core::RngCore;
use std::collections::VecDeque;
use std::time::Duration;
use zeroize::Zeroizing;

/// How much longer than the caller the callee waits.
const GRACE: Duration = Duration::from_secs(4);

/// How to answer a MESSAGE of the peer. The response has no body (RFC 3428 section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The SIP status code.
    pub status: u16,
}

/// Why an exchange ended without an outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// One of the two ends does not want it.
    #[error("the key exchange was declined: {0}")]
    Declined(String),
    /// It went wrong.
    #[error("the key exchange failed: {0}")]
    Failed(String),
}

/// What an exchange wants of its call.
#[derive(Debug)]
pub enum Out {
    /// Send this in a MESSAGE, and say with [`Exchange::sent_answered`] what the answer was.
    Send {
        /// The value of its `SKESeq` field.
        seq: SkeSeq,
        /// Its body, at most [`MAX_FRAGMENT`] octets.
        body: Bytes,
    },
    /// A fragment went or came: for recordings.
    Body {
        /// Which way it went.
        direction: Direction,
        /// Where it belongs.
        seq: SkeSeq,
        /// Its octets.
        body: Bytes,
    },
    /// The exchange has its outcome. Said once; bodies may still go and come after it.
    Finished(Result<Outcome, Failure>),
}

/// What was received and not used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Fragments that had come before.
    pub duplicates: u64,
    /// Fragments that came in the wrong place.
    pub out_of_order: u64,
    /// Fragments past a limit.
    pub too_much: u64,
    /// Fragments after a failure.
    pub late: u64,
}

/// The key exchange of one call.
///
/// A body longer than [`MAX_FRAGMENT`] goes in fragments of that size, of which the last is shorter (it may be
/// empty): nothing else on the wire says where a body ends. One fragment of ours is on its way at a time.
#[derive(Debug)]
pub struct Exchange {
    handler: Box<dyn Handler>,
    limits: Limits,
    deadline: Time,
    timeout: Duration,
    /// Not yet said: waits in `out`, or the exchange goes on.
    finished: bool,
    failed: bool,
    out: VecDeque<Out>,
    queue: VecDeque<(SkeSeq, Bytes)>,
    outstanding: Option<SkeSeq>,
    /// The fragments of the peer that were judged, and how.
    judged: Vec<(SkeSeq, u16)>,
    /// The place after the last fragment that was taken.
    last: Option<SkeSeq>,
    complete: bool,
    partial: Zeroizing<Vec<u8>>,
    counters: Counters,
}

impl Exchange {
    /// Starts the exchange of a call whose dialog stands. The caller gives up after `timeout`; the callee gives it
    /// somewhat longer to do so, lest both end the call at once.
    pub fn new(
        now: Time,
        scheme: &dyn Scheme,
        context: &Context,
        limits: &Limits,
        timeout: Duration,
        rng: &mut dyn RngCore,
    ) -> Self {
        let patience = match context.role {
            Role::Caller => timeout,
            Role::Callee => timeout + GRACE,
        };
        let mut handler = scheme.start(context, rng);
        let step = handler.begin();
        let mut exchange = Exchange {
            handler,
            limits: limits.clone(),
            deadline: now + patience,
            timeout,
            finished: false,
            failed: false,
            out: VecDeque::new(),
            queue: VecDeque::new(),
            outstanding: None,
            judged: Vec::new(),
            last: None,
            complete: true,
            partial: Zeroizing::default(),
            counters: Counters::default(),
        };
        exchange.take(step);
        exchange
    }

    /// What was received and not used.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes a body of the peer; of what a response carried, the reply goes nowhere.
    pub fn received(&mut self, now: Time, seq: SkeSeq, body: &[u8], carrier: Carrier) -> Reply {
        self.expire(now);
        if let Some((_, status)) = self.judged.iter().find(|(known, _)| *known == seq) {
            self.counters.duplicates += 1;
            return Reply { status: *status };
        }
        if self.failed {
            self.counters.late += 1;
            return Reply { status: 488 };
        }
        if self.judged.len() >= self.limits.ske_fragments {
            self.counters.too_much += 1;
            return Reply { status: 503 };
        }
        // Not remembered: what comes too early may come again in its place.
        if !self.in_order(seq) {
            self.counters.out_of_order += 1;
            return Reply { status: 500 };
        }
        let status = self.judge(seq, body, carrier);
        self.judged.push((seq, status));
        Reply { status }
    }

    /// Whether a fragment follows the one before it, or begins a later message.
    fn in_order(&self, seq: SkeSeq) -> bool {
        match self.last {
            Some(last) if seq.sequence == last.sequence => {
                !self.complete && Some(seq.fragment) == last.fragment.checked_add(1)
            }
            Some(last) => self.complete && seq.sequence > last.sequence && seq.fragment == 0,
            None => seq.fragment == 0,
        }
    }

    fn judge(&mut self, seq: SkeSeq, body: &[u8], carrier: Carrier) -> u16 {
        if body.len() > MAX_FRAGMENT || self.partial.len() + body.len() > self.limits.ske_body {
            self.counters.too_much += 1;
            return 413;
        }
        self.last = Some(seq);
        self.complete = body.len() < MAX_FRAGMENT;
        let copy = Bytes::copy_from_slice(body);
        self.out.push_back(Out::Body { direction: Direction::Received, seq, body: copy });
        self.partial.extend_from_slice(body);
        if self.complete {
            let data = std::mem::take(&mut self.partial);
            // A later message of the peer shows that ours before it has arrived, whatever became of its response.
            if self.outstanding.is_some_and(|ours| ours.sequence < seq.sequence) {
                self.outstanding = None;
                self.send_next();
            }
            let step = self.handler.message(&Body { sequence: seq.sequence, carrier, data: &data });
            self.take(step);
        }
        // Even a body that ends the exchange was delivered: what follows it is one BYE, from here.
        200
    }

    /// Our fragment was answered with this status (408 where nothing came).
    pub fn sent_answered(&mut self, now: Time, seq: SkeSeq, status: u16) {
        self.expire(now);
        if status < 200 || self.outstanding != Some(seq) {
            return;
        }
        self.outstanding = None;
        if status < 300 {
            self.send_next();
            return;
        }
        self.queue.clear();
        let why = format!("the peer answered message {seq} with {status}");
        let failure =
            if matches!(status, 488 | 603 | 606) { Failure::Declined(why) } else { Failure::Failed(why) };
        self.finish(Err(failure));
    }

    /// What is to be done now; call until it gives nothing.
    pub fn poll(&mut self, now: Time) -> Option<Out> {
        self.expire(now);
        self.out.pop_front()
    }

    /// When to poll even if nothing comes.
    pub fn next_timeout(&self) -> Option<Time> {
        (!self.finished).then_some(self.deadline)
    }

    fn expire(&mut self, now: Time) {
        if !self.finished && now >= self.deadline {
            let (seconds, missing) = (self.timeout.as_secs_f64(), self.handler.waits_for());
            let unanswered = match self.outstanding {
                Some(seq) => format!(", and our message {} was not answered", seq.sequence),
                None => String::new(),
            };
            let why = format!("{missing} did not come within {seconds} s{unanswered}");
            self.finish(Err(Failure::Failed(why)));
        }
    }

    fn take(&mut self, step: Step) {
        for Outgoing { sequence, body } in step.send {
            self.enqueue(sequence, &body);
        }
        match step.state {
            State::Pending => {}
            State::Done(outcome) => self.finish(Ok(outcome)),
            State::Declined(why) => self.finish(Err(Failure::Declined(why))),
            State::Failed(why) => self.finish(Err(Failure::Failed(why))),
        }
    }

    fn enqueue(&mut self, sequence: u64, body: &Bytes) {
        let full = body.len() / MAX_FRAGMENT;
        for fragment in 0..=full {
            let from = fragment * MAX_FRAGMENT;
            let part = body.slice(from..body.len().min(from + MAX_FRAGMENT));
            self.queue.push_back((SkeSeq { sequence, fragment: fragment as u32 }, part));
        }
        self.send_next();
    }

    fn send_next(&mut self) {
        if self.outstanding.is_some() {
            return;
        }
        if let Some((seq, body)) = self.queue.pop_front() {
            self.outstanding = Some(seq);
            self.out.push_back(Out::Body { direction: Direction::Sent, seq, body: body.clone() });
            self.out.push_back(Out::Send { seq, body });
        }
    }

    /// The first result stands.
    fn finish(&mut self, result: Result<Outcome, Failure>) {
        if !self.finished {
            self.finished = true;
            self.failed = result.is_err();
            self.out.push_back(Out::Finished(result));
        }
    }
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
