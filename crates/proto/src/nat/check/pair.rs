//! One pair of addresses and the checks on it.

use crate::nat::report::weight;
use crate::nat::{CameBack, CandidateKind, Pair, PairReport};
use crate::stun::TransactionId;
use crate::time::Time;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// The checks of one pair whose answers are waited for at a time.
const OUTSTANDING: usize = 32;
/// How long an answer may take: RFC 8489 section 6.2.1 waits 39.5 s in all, a path for a call needs less.
const PATIENCE: Duration = Duration::from_secs(8);

/// A pair and what is known of it.
///
/// Every check is a transaction of its own and is never sent again: an answer then tells which check it
/// answers and how long it took, and a check that comes twice was replayed.
#[derive(Debug)]
pub(super) struct CheckedPair {
    pub(super) pair: Pair,
    pub(super) kind: CandidateKind,
    /// When the next check is due; `None` while the pair rests.
    pub(super) due: Option<Time>,
    /// The time to the check after that.
    pub(super) interval: Duration,
    /// A check of ours was answered since the last [`CheckedPair::forget`].
    pub(super) answered: bool,
    /// A check of the peer was answered since then.
    pub(super) heard: bool,
    /// Checks on this pair carry USE-CANDIDATE.
    pub(super) nominating: bool,
    pub(super) mapped: Option<SocketAddr>,
    outstanding: VecDeque<(TransactionId, Time, bool)>,
    sent: u64,
    answers: u64,
    heards: u64,
    round_trip: Option<Duration>,
    came_back: CameBack,
}

impl CheckedPair {
    pub(super) fn new(pair: Pair, kind: CandidateKind) -> Self {
        CheckedPair {
            pair,
            kind,
            due: None,
            interval: Duration::ZERO,
            answered: false,
            heard: false,
            nominating: false,
            mapped: None,
            outstanding: VecDeque::new(),
            sent: 0,
            answers: 0,
            heards: 0,
            round_trip: None,
            came_back: CameBack::Nothing,
        }
    }

    /// What was known does not count any more.
    pub(super) fn forget(&mut self) {
        self.answered = false;
        self.heard = false;
        self.nominating = false;
    }

    pub(super) fn sent(&mut self, now: Time, id: TransactionId) {
        if self.outstanding.len() >= OUTSTANDING {
            self.outstanding.pop_front();
        }
        self.outstanding.push_back((id, now, self.nominating));
        self.sent += 1;
    }

    pub(super) fn waits_for(&self, id: TransactionId) -> bool {
        self.outstanding.iter().any(|(known, ..)| *known == id)
    }

    /// Ends a transaction; gives the round trip, and whether the check nominated. `None` for one that is too late.
    pub(super) fn ended(&mut self, now: Time, id: TransactionId) -> Option<(Duration, bool)> {
        let at = self.outstanding.iter().position(|(known, ..)| *known == id)?;
        let (_, sent, nominated) = self.outstanding.remove(at)?;
        let took = now - sent;
        (took <= PATIENCE).then_some((took, nominated))
    }

    pub(super) fn was_answered(&mut self, round_trip: Duration, mapped: SocketAddr) {
        self.answered = true;
        self.answers += 1;
        self.round_trip = Some(round_trip);
        self.mapped = Some(mapped);
        self.came_back(CameBack::Answer);
    }

    pub(super) fn was_heard(&mut self) {
        self.heard = true;
        self.heards += 1;
    }

    /// Notes what came back, unless something more telling did before.
    pub(super) fn came_back(&mut self, what: CameBack) {
        if weight(what) >= weight(self.came_back) {
            self.came_back = what;
        }
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    pub(super) fn report(&self) -> PairReport {
        PairReport {
            pair: self.pair,
            kind: self.kind,
            sent: self.sent,
            answered: self.answers,
            heard: self.heards,
            round_trip: self.round_trip,
            came_back: self.came_back,
        }
    }
}
