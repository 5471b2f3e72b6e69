//! Connectivity checks: pairs, pacing, credentials and transactions. Which pair is used is for the policy above.

mod pair;
mod wire;

pub(super) use wire::Credential;

use super::candidate::{canonical, objection};
use super::{CameBack, Candidate, CandidateKind, Pair, PairReport};
use crate::stun::{Class, Dialect, Integrity, Message, TransactionId};
use crate::time::Time;
use bytes::Bytes;
use pair::CheckedPair;
use rand_chacha::ChaCha20Rng;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use wire::Worth;

/// The most pairs; RFC 8445 section 6.1.2.5 takes 100.
const PAIRS: usize = 64;
/// The most addresses of the peer that are learnt from its checks.
const LEARNT: usize = 8;
/// The checks of the peer that are remembered, to tell one that is played again from elsewhere.
const REMEMBERED: usize = 128;
/// The most error responses in a second.
const ERRORS_PER_SECOND: u32 = 10;

/// How checks are sent.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) dialect: Dialect,
    pub(super) credential: Option<Credential>,
    /// The least time between two checks, over all pairs (RFC 8445 section 14: Ta).
    pub(super) pace: Duration,
    /// The time from the first check of a pair to the second; it grows by half each time ...
    pub(super) first_interval: Duration,
    /// ... up to this.
    pub(super) last_interval: Duration,
}

/// What went wrong, by kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    pub(super) unauthenticated: u64,
    pub(super) replayed: u64,
    pub(super) stray: u64,
    pub(super) limited: u64,
}

/// A check of the peer that was answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    pub(super) pair: Pair,
    /// The pair is one of those that are checked.
    pub(super) known: bool,
    /// It carried USE-CANDIDATE.
    pub(super) nominates: bool,
}

/// A good answer to a check of ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    pub(super) pair: Pair,
    /// Where the peer saw us.
    pub(super) mapped: SocketAddr,
    /// Where it saw us before.
    pub(super) mapped_before: Option<SocketAddr>,
    /// The check carried USE-CANDIDATE, and the pair is still nominated.
    pub(super) nominated: bool,
}

/// The checks of one strategy.
#[derive(Debug)]
pub(super) struct Checks {
    setting: Setting,
    pairs: Vec<CheckedPair>,
    /// When the next check may go.
    next_slot: Time,
    remembered: VecDeque<(TransactionId, SocketAddr)>,
    errors: (Time, u32),
    counters: Counters,
    out: VecDeque<(Pair, Bytes)>,
    rng: ChaCha20Rng,
}

impl Checks {
    pub(super) fn new(setting: Setting, rng: ChaCha20Rng) -> Self {
        Checks {
            setting,
            pairs: Vec::new(),
            next_slot: Time::ZERO,
            remembered: VecDeque::new(),
            errors: (Time::ZERO, 0),
            counters: Counters::default(),
            out: VecDeque::new(),
            rng,
        }
    }

    pub(super) fn rng(&mut self) -> &mut ChaCha20Rng {
        &mut self.rng
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    /// The secret and the names, where there are any.
    pub(super) fn credential(&self) -> Option<&Credential> {
        self.setting.credential.as_ref()
    }

    /// What is to be sent.
    pub(super) fn poll(&mut self) -> Option<(Pair, Bytes)> {
        self.out.pop_front()
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = Pair> + '_ {
        self.pairs.iter().map(|p| p.pair)
    }

    pub(super) fn reports(&self) -> Vec<PairReport> {
        self.pairs.iter().map(CheckedPair::report).collect()
    }

    /// Takes a pair in, at rest, if checks can go that way and it is new.
    pub(super) fn add(&mut self, local: SocketAddr, remote: Candidate) {
        let pair = Pair { local: canonical(local), remote: remote.address };
        let (from, to) = (pair.local.ip(), pair.remote.ip());
        let reachable = from.is_ipv4() == to.is_ipv4() && from.is_loopback() == to.is_loopback();
        if !reachable
            || from.is_unspecified()
            || objection(pair.remote).is_some()
            || self.find(pair).is_some()
        {
            return;
        }
        if remote.kind == CandidateKind::PeerReflexive {
            self.make_room();
        }
        if self.pairs.len() >= PAIRS {
            self.counters.limited += 1;
            return;
        }
        self.pairs.push(CheckedPair::new(pair, remote.kind));
    }

    /// Gives up the oldest learnt pair that never answered, where there are as many as may be.
    fn make_room(&mut self) {
        let learnt = |p: &CheckedPair| p.kind == CandidateKind::PeerReflexive;
        if self.pairs.iter().filter(|p| learnt(p)).count() < LEARNT {
            return;
        }
        self.counters.limited += 1;
        if let Some(at) = self.pairs.iter().position(|p| learnt(p) && p.round_trip().is_none()) {
            self.pairs.remove(at);
        }
    }

    /// Keeps the pairs that `keep` wants.
    pub(super) fn retain(&mut self, keep: impl Fn(Pair) -> bool) {
        self.pairs.retain(|p| keep(p.pair));
    }

    /// Begins to check a pair, at once and then ever slower.
    pub(super) fn begin(&mut self, now: Time, pair: Pair) {
        let interval = self.setting.first_interval;
        if let Some(p) = self.find_mut(pair) {
            p.due = Some(now);
            p.interval = interval;
        }
    }

    /// Stops checking the pairs that `which` names; what comes in is answered still.
    pub(super) fn rest(&mut self, which: impl Fn(Pair) -> bool) {
        self.pairs.iter_mut().filter(|p| which(p.pair)).for_each(|p| p.due = None);
    }

    /// Lets what was known of the pairs that `which` names count no more.
    pub(super) fn forget(&mut self, which: impl Fn(Pair) -> bool) {
        self.pairs.iter_mut().filter(|p| which(p.pair)).for_each(CheckedPair::forget);
    }

    /// From now on checks on this pair carry USE-CANDIDATE, or no longer do.
    pub(super) fn nominate(&mut self, pair: Pair, nominating: bool) {
        if let Some(p) = self.find_mut(pair) {
            p.nominating = nominating;
        }
    }

    /// Whether checks on this pair carry USE-CANDIDATE.
    pub(super) fn is_nominating(&self, pair: Pair) -> bool {
        self.find(pair).is_some_and(|p| p.nominating)
    }

    /// A check of ours was answered on this pair.
    pub(super) fn is_answered(&self, pair: Pair) -> bool {
        self.find(pair).is_some_and(|p| p.answered)
    }

    /// Checks were answered on this pair both ways.
    pub(super) fn is_valid(&self, pair: Pair) -> bool {
        self.find(pair).is_some_and(|p| p.answered && p.heard)
    }

    pub(super) fn round_trip(&self, pair: Pair) -> Option<Duration> {
        self.find(pair)?.round_trip()
    }

    pub(super) fn mapped(&self, pair: Pair) -> Option<SocketAddr> {
        self.find(pair)?.mapped
    }

    /// Sends a check at once, whatever the pace.
    pub(super) fn check_now(&mut self, now: Time, pair: Pair) {
        let Some(p) = self.pairs.iter_mut().find(|p| p.pair == pair) else { return };
        let nominate = p.nominating && self.setting.credential.is_some();
        let credential = self.setting.credential.as_ref();
        let (id, data) = wire::request(self.setting.dialect, credential, nominate, &mut self.rng);
        p.sent(now, id);
        self.out.push_back((pair, data));
    }

    /// Sends the check that is due, if its turn has come. Of several the one that has waited longest.
    pub(super) fn run(&mut self, now: Time) {
        if now < self.next_slot {
            return;
        }
        let due = self.pairs.iter_mut().filter(|p| p.due.is_some_and(|due| due <= now));
        let Some(p) = due.min_by_key(|p| p.due) else { return };
        p.due = Some(now + p.interval);
        p.interval = (p.interval.saturating_mul(3) / 2).min(self.setting.last_interval);
        let pair = p.pair;
        self.next_slot = now + self.setting.pace;
        self.check_now(now, pair);
    }

    /// When [`Checks::run`] has something to do.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        Some(self.pairs.iter().filter_map(|p| p.due).min()?.max(self.next_slot))
    }

    /// Whether a message is a check for us or answers one of ours.
    pub(super) fn recognises(&self, message: &Message, from_peer: bool) -> bool {
        match message.class {
            Class::Request => {
                let names_us = |c: &Credential| wire::names_us(message, c);
                message.is_binding_request()
                    && (from_peer || self.setting.credential.as_ref().is_some_and(names_us))
            }
            Class::Indication => false,
            Class::Success | Class::Error => self.pairs.iter().any(|p| p.waits_for(message.transaction)),
        }
    }

    /// Answers a check; gives the pair that it came on, if it is the peer's.
    pub(super) fn request(&mut self, now: Time, on: Pair, message: &Message) -> Option<Heard> {
        let credential = self.setting.credential.as_ref();
        let worth = wire::judge(message, credential);
        let data = wire::answer(message, worth, on.remote, credential);
        if worth != Worth::Good {
            self.counters.unauthenticated += 1;
            if now - self.errors.0 >= Duration::from_secs(1) {
                self.errors = (now, 0);
            }
            self.errors.1 += 1;
            if self.errors.1 > ERRORS_PER_SECOND {
                self.counters.limited += 1;
            } else {
                self.out.push_back((on, data));
            }
            return None;
        }
        if self.setting.credential.is_some() {
            let seen = self.remembered.iter().find(|(id, _)| *id == message.transaction);
            match seen {
                Some((_, from)) if *from != on.remote => {
                    self.counters.replayed += 1;
                    return None;
                }
                Some(_) => {}
                None => {
                    if self.remembered.len() >= REMEMBERED {
                        self.remembered.pop_front();
                    }
                    self.remembered.push_back((message.transaction, on.remote));
                }
            }
        }
        self.out.push_back((on, data));
        let nominates = self.setting.credential.is_some() && message.use_candidate();
        Some(Heard { pair: on, known: self.find(on).is_some(), nominates })
    }

    /// The peer's check on a pair was answered.
    pub(super) fn heard(&mut self, pair: Pair) {
        if let Some(p) = self.find_mut(pair) {
            p.was_heard();
        }
    }

    /// Takes the answer to a check; gives what it proves.
    pub(super) fn response(&mut self, now: Time, on: Pair, message: &Message) -> Option<Answered> {
        let id = message.transaction;
        let Some(p) = self.pairs.iter_mut().find(|p| p.waits_for(id)) else {
            self.counters.stray += 1;
            return None;
        };
        if let Some(credential) = &self.setting.credential {
            // RFC 8489 section 9.1.4: an unsigned error is nobody's word, and an answer may come yet.
            if message.integrity(credential.key.as_bytes()) != Integrity::Valid {
                let error = message.error_code().filter(|_| message.class == Class::Error);
                p.came_back(error.map_or(CameBack::Unauthentic, CameBack::Error));
                self.counters.unauthenticated += u64::from(error.is_none());
                return None;
            }
        }
        // RFC 8445 section 7.2.5.2.1: the addresses must be those of the check, the other way round.
        if on != p.pair {
            p.came_back(CameBack::FromElsewhere(on.remote));
            return None;
        }
        let (round_trip, nominated) = p.ended(now, id)?;
        if message.class == Class::Error {
            p.came_back(CameBack::Error(message.error_code().unwrap_or_default()));
            return None;
        }
        let mapped = canonical(message.mapped_address()?);
        let mapped_before = p.mapped;
        p.was_answered(round_trip, mapped);
        Some(Answered { pair: on, mapped, mapped_before, nominated: nominated && p.nominating })
    }

    /// The network says that nobody is there.
    pub(super) fn unreachable(&mut self, remote: SocketAddr) {
        let of = self.pairs.iter_mut().filter(|p| p.pair.remote == remote);
        of.for_each(|p| p.came_back(CameBack::Unreachable));
    }

    fn find(&self, pair: Pair) -> Option<&CheckedPair> {
        self.pairs.iter().find(|p| p.pair == pair)
    }

    fn find_mut(&mut self, pair: Pair) -> Option<&mut CheckedPair> {
        self.pairs.iter_mut().find(|p| p.pair == pair)
    }
}
