//! Hole punching: both sides check all addresses of the other at once, the initiator's first pair that works both
//! ways is used, kept open and, where it fails, replaced.
//!
//! With a key every check is signed, the choice is told by USE-CANDIDATE, and addresses are learnt from the peer's
//! checks. Without one, the choice is told by the call itself ([`Input::Chosen`]), and the path moves on our own
//! change of address or an in-dialog request's word ([`Input::Suggested`]) alone.

mod config;
mod path;
#[cfg(test)]
mod tests;

pub use config::PunchConfig;

use super::candidate::{are_near, canonical, is_private, objection};
use super::check::{Answered, Checks, Heard};
use super::{Candidate, CandidateKind, Event, Failure, Input, Output, Pair, Report, Role, Strategy};
use crate::stun::{Class, Message};
use crate::time::Time;
use path::Verify;
use rand_chacha::ChaCha20Rng;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// How long a choice of ours may wait for its answer.
const CHOICE_STANDS: Duration = Duration::from_secs(3);
/// How much later checks begin that would go astray unless both ends are in one network.
const ASTRAY_LAST: Duration = Duration::from_millis(300);
/// The most addresses of the peer that are tried; learnt ones aside.
const REMOTES: usize = 16;
/// The most addresses of ours.
const LOCALS: usize = 16;

/// Where a punch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not begun.
    Idle,
    /// No pair yet.
    Punching { since: Time, advised: bool },
    /// A pair is in use.
    Settled,
    /// The pair that was in use is dead.
    Lost { since: Time },
    /// No more checks: it failed, or the call is over.
    Over { answers: bool },
}

/// A punch and the path that it found.
#[derive(Debug)]
pub struct HolePunch {
    config: PunchConfig,
    checks: Checks,
    state: State,
    locals: Vec<SocketAddr>,
    remotes: Vec<Candidate>,
    refused: Vec<(SocketAddr, &'static str)>,
    /// The pair in use, or that was until it died.
    current: Option<Pair>,
    /// The pair that we chose or the peer did, not yet proven, and until when it stands.
    chosen: Option<(Pair, Time)>,
    settled_at: Time,
    /// The last move.
    moved_at: Option<Time>,
    keep_alive_at: Time,
    /// A run of checks on the pair in use that decides whether it lives.
    verify: Option<Verify>,
    /// Addresses that were told in [`Event::MoveRefused`].
    told: Vec<SocketAddr>,
    events: VecDeque<Event>,
}

impl HolePunch {
    /// A punch that has not begun; the generator makes the transaction ids.
    pub fn new(config: PunchConfig, rng: ChaCha20Rng) -> Self {
        let checks = Checks::new(config.setting(), rng);
        let mut punch = HolePunch {
            checks,
            state: State::Idle,
            locals: Vec::new(),
            remotes: Vec::new(),
            refused: Vec::new(),
            current: None,
            chosen: None,
            settled_at: Time::ZERO,
            moved_at: None,
            keep_alive_at: Time::ZERO,
            verify: None,
            told: Vec::new(),
            events: VecDeque::new(),
            config,
        };
        let peer = std::mem::take(&mut punch.config.peer);
        punch.take_remotes(&peer);
        punch
    }

    fn is_keyed(&self) -> bool {
        self.checks.credential().is_some()
    }

    /// Notes the peer's addresses, but for those that nothing is sent to.
    fn take_remotes(&mut self, candidates: &[Candidate]) {
        for c in candidates {
            let c = Candidate::new(c.kind, c.address);
            let known = self.remotes.iter().any(|r| r.address == c.address);
            match objection(c.address) {
                Some(why) if self.refused.len() < REMOTES => self.refused.push((c.address, why)),
                None if !known && self.remotes.len() < REMOTES => self.remotes.push(c),
                _ => {}
            }
        }
    }

    fn take_locals(&mut self, locals: &[SocketAddr]) {
        self.locals = locals.iter().take(LOCALS).map(|a| canonical(*a)).collect();
    }

    /// Pairs every address of ours with every one of the peer, the peer's best first.
    fn add_pairs(&mut self) {
        for remote in &self.remotes {
            for local in &self.locals {
                self.checks.add(*local, *remote);
            }
        }
    }

    fn begin_all(&mut self, now: Time) {
        let pairs: Vec<Pair> = self.checks.pairs().collect();
        let is_mapped = |c: &Candidate| c.kind == CandidateKind::Mapped;
        let mapped = self.remotes.iter().any(is_mapped);
        for pair in pairs {
            // A private address is of use within one network: elsewhere its checks go astray, so that they wait
            // where the peer has a public address too.
            let astray =
                mapped && is_private(pair.remote.ip()) && !are_near(pair.local.ip(), pair.remote.ip());
            let after = if astray { ASTRAY_LAST } else { Duration::ZERO };
            self.checks.begin(now + after, pair);
        }
    }

    fn start(&mut self, now: Time, locals: &[SocketAddr]) {
        if self.state != State::Idle {
            return;
        }
        self.state = State::Punching { since: now, advised: false };
        self.take_locals(locals);
        self.add_pairs();
        self.begin_all(now);
    }

    fn request(&mut self, now: Time, on: Pair, message: &Message) {
        let Some(Heard { pair, known, nominates }) = self.checks.request(now, on, message) else { return };
        if matches!(self.state, State::Idle | State::Over { .. }) {
            return;
        }
        if !known {
            let named = self.remotes.iter().find(|r| r.address == pair.remote).copied();
            match named {
                Some(candidate) => self.checks.add(pair.local, candidate),
                None if self.is_keyed() => {
                    self.checks.add(pair.local, Candidate::new(CandidateKind::PeerReflexive, pair.remote));
                }
                None => return self.refuse_move(pair.remote),
            }
        }
        self.checks.heard(pair);
        if nominates {
            self.peer_chose(now, pair);
        }
        let searching = matches!(self.state, State::Punching { .. } | State::Lost { .. });
        // RFC 8445 section 7.3.1.4: what comes from there may be let through there.
        if searching && !self.checks.is_answered(pair) && self.may_check(pair) {
            self.checks.begin(now, pair);
        }
        self.consider(now, pair);
    }

    /// Whether checks may go on a pair while a path is sought: without a key, a path once found stays.
    fn may_check(&self, pair: Pair) -> bool {
        self.is_keyed() || self.current.is_none_or(|current| current.remote == pair.remote)
    }

    fn response(&mut self, now: Time, on: Pair, message: &Message) {
        let Some(answered) = self.checks.response(now, on, message) else { return };
        match self.state {
            State::Idle | State::Over { .. } => {}
            State::Punching { .. } => {
                let ours = self.config.role == Role::Initiator && answered.nominated;
                if ours {
                    self.settle(now, answered.pair);
                } else {
                    self.consider(now, answered.pair);
                }
            }
            State::Settled | State::Lost { .. } => self.path_answered(now, answered),
        }
    }

    /// Sees whether a pair is to be used, now that more is known of it.
    fn consider(&mut self, now: Time, pair: Pair) {
        if !self.checks.is_valid(pair) {
            return;
        }
        let peers_choice = self.chosen.is_some_and(|(chosen, _)| chosen == pair);
        match (self.state, self.config.role) {
            (State::Punching { .. }, _) if !self.is_keyed() => self.settle(now, pair),
            (State::Punching { .. }, Role::Initiator) if self.chosen.is_none() => self.choose(now, pair),
            (State::Punching { .. }, Role::Responder) if peers_choice => self.settle(now, pair),
            // Without a key the responder learns from the call which pair it is: it proves all that there are.
            (State::Settled, _) if !self.is_keyed() => self.checks.rest(|p| p == pair),
            _ => {}
        }
    }

    /// Takes a pair for ours and tells the peer.
    fn choose(&mut self, now: Time, pair: Pair) {
        self.chosen = Some((pair, now + CHOICE_STANDS));
        self.checks.rest(|p| p != pair);
        self.checks.nominate(pair, true);
        self.checks.begin(now, pair);
    }

    /// The first pair of the call is proven.
    fn settle(&mut self, now: Time, pair: Pair) {
        self.use_pair(now, pair);
        let Some(mapped) = self.checks.mapped(pair) else { return };
        let round_trip = self.checks.round_trip(pair).unwrap_or_default();
        self.events.push_back(Event::Validated { pair, mapped, round_trip });
    }

    /// From now on `pair` is the one in use.
    fn use_pair(&mut self, now: Time, pair: Pair) {
        let first = self.current.is_none();
        self.state = State::Settled;
        self.current = Some(pair);
        self.chosen = None;
        self.settled_at = now;
        self.verify = None;
        if self.is_keyed() {
            self.checks.forget(|p| p != pair);
            // Whoever sees us come from somewhere else is told by this that we mean it.
            self.checks.nominate(pair, true);
        }
        let proves_others = first && !self.is_keyed() && self.config.role == Role::Responder;
        if proves_others {
            self.checks.rest(|p| p == pair);
        } else {
            self.checks.rest(|_| true);
        }
        self.rest_keep_alive(now);
    }

    /// Nothing but [`State::Over`] comes after this.
    fn fail(&mut self, now: Time, since: Time) {
        self.checks.rest(|_| true);
        self.state = State::Over { answers: true };
        self.verify = None;
        self.events.push_back(Event::Failed(Failure { after: now - since, report: self.report() }));
    }

    fn timeout(&mut self, now: Time) {
        match &mut self.state {
            State::Punching { since, .. } | State::Lost { since } if now - *since >= self.config.timeout => {
                let since = *since;
                return self.fail(now, since);
            }
            State::Punching { since, advised } if !*advised && now - *since >= self.config.relay_hook => {
                *advised = true;
                self.events.push_back(Event::RelayAdvised { after: now - *since });
            }
            State::Settled if now - self.settled_at >= self.config.timeout && self.chosen.is_none() => {
                self.checks.rest(|_| true);
            }
            _ => {}
        }
        if let Some((pair, _)) = self.chosen.filter(|(_, until)| *until <= now) {
            self.choice_failed(now, pair);
        }
        self.keep_path(now);
        self.checks.run(now);
    }

    /// What was chosen does not answer.
    fn choice_failed(&mut self, now: Time, pair: Pair) {
        self.chosen = None;
        self.checks.nominate(pair, false);
        match self.state {
            State::Settled => self.checks.rest(|p| p == pair),
            State::Punching { .. } | State::Lost { .. } => {
                self.checks.forget(|_| true);
                self.search(now);
            }
            State::Idle | State::Over { .. } => {}
        }
    }
}

impl Strategy for HolePunch {
    fn handle(&mut self, now: Time, input: Input<'_>) {
        match input {
            Input::Start { locals } => self.start(now, locals),
            Input::Stun { local, remote, message } => {
                let on = Pair { local: canonical(local), remote: canonical(remote) };
                let silent = self.state == State::Over { answers: false };
                if silent || objection(on.remote).is_some() {
                    return;
                }
                match message.class {
                    Class::Request => self.request(now, on, message),
                    Class::Indication => {}
                    Class::Success | Class::Error => self.response(now, on, message),
                }
            }
            Input::LocalsChanged { locals } => self.locals_changed(now, locals),
            Input::PeerCandidates { candidates } => {
                let known = self.remotes.len();
                self.take_remotes(candidates);
                let searching = matches!(self.state, State::Punching { .. } | State::Lost { .. });
                if searching && self.remotes.len() > known {
                    self.add_pairs();
                    self.search(now);
                }
            }
            Input::Suggested { remote } => self.suggested(now, canonical(remote)),
            Input::Chosen { pair } => {
                if !self.is_keyed() && self.current.is_some() && self.is_proven(pair) {
                    self.use_pair(now, pair);
                }
            }
            Input::Unreachable { remote } => self.checks.unreachable(canonical(remote)),
            Input::MediaHeard => self.media_heard(now),
            Input::MediaSilent => self.media_silent(now),
            Input::Timeout => {}
            Input::Stop => {
                self.checks.rest(|_| true);
                self.state = State::Over { answers: false };
                self.chosen = None;
                self.verify = None;
            }
        }
        // Whatever is due goes now, so that a caller that is late misses nothing.
        self.timeout(now);
    }

    fn poll(&mut self, _now: Time) -> Option<Output> {
        if let Some((Pair { local, remote }, data)) = self.checks.poll() {
            return Some(Output::Transmit { local, remote, data });
        }
        self.events.pop_front().map(Output::Event)
    }

    fn next_timeout(&self) -> Option<Time> {
        let own = match self.state {
            State::Punching { since, advised: false } => {
                Some(since + self.config.relay_hook.min(self.config.timeout))
            }
            State::Punching { since, .. } | State::Lost { since } => Some(since + self.config.timeout),
            State::Settled => Some(self.next_on_path()),
            State::Idle | State::Over { .. } => return None,
        };
        let chosen = self.chosen.map(|(_, until)| until);
        [own, chosen, self.checks.next_timeout()].into_iter().flatten().min()
    }

    fn recognises(&self, message: &Message, remote: SocketAddr) -> bool {
        if self.state == (State::Over { answers: false }) {
            return false;
        }
        let remote = canonical(remote);
        let named = self.remotes.iter().any(|r| r.address == remote);
        let known = named || self.checks.pairs().any(|p| p.remote == remote);
        // Without a key, whoever checks us while the path is in doubt may be the peer at a new address.
        let in_doubt = !self.is_keyed() && self.current.is_some() && !self.is_well();
        self.checks.recognises(message, known || in_doubt)
    }

    fn is_proven(&self, pair: Pair) -> bool {
        let settled = self.state == State::Settled;
        let pair = Pair { local: canonical(pair.local), remote: canonical(pair.remote) };
        settled && (self.current == Some(pair) || !self.is_keyed() && self.checks.is_valid(pair))
    }

    fn report(&self) -> Report {
        let counters = self.checks.counters();
        Report {
            keyed: self.config.key.is_some(),
            own_nat: self.config.own_nat,
            peer_nat: self.config.peer_nat,
            current: self.current,
            pairs: self.checks.reports(),
            refused: self.refused.clone(),
            unauthenticated: counters.unauthenticated,
            replayed: counters.replayed,
            stray: counters.stray,
            limited: counters.limited,
        }
    }
}

impl HolePunch {
    /// A good answer on a path that was found before.
    fn path_answered(&mut self, now: Time, answered: Answered) {
        let Answered { pair, mapped, mapped_before, nominated } = answered;
        let Some(current) = self.current else { return };
        if pair == current {
            self.verify = None;
            let lost = matches!(self.state, State::Lost { .. });
            if lost {
                self.use_pair(now, pair);
            } else {
                self.rest_keep_alive(now);
            }
            if lost || mapped_before.is_some_and(|before| before != mapped) {
                self.events.push_back(Event::Moved { from: pair, to: pair, mapped });
            }
            return;
        }
        let chosen = self.chosen.is_some_and(|(chosen, _)| chosen == pair);
        let lost = matches!(self.state, State::Lost { .. });
        if !self.is_keyed() {
            // Only what we ourselves chose to check gets here: our own new address, or one that the call named.
            if chosen || lost {
                self.move_to(now, pair);
            }
        } else if chosen && (nominated || !self.is_nominating(pair)) {
            self.move_to(now, pair);
        } else if lost && self.chosen.is_none() {
            self.choose(now, pair);
        }
    }
}
