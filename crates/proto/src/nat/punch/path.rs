//! Keeping a path: keep-alive, doubt, moves.

use super::{HolePunch, State};
use crate::nat::candidate::{canonical, objection};
use crate::nat::{Candidate, CandidateKind, Event, Pair, Role};
use crate::time::Time;
use rand_core::RngCore;
use std::net::SocketAddr;
use std::time::Duration;

/// The most addresses that [`Event::MoveRefused`] tells.
const TOLD: usize = 8;
/// How long a new address that the peer chose, or the call named, is checked.
const PROOF: Duration = Duration::from_secs(8);

/// How long the initiator holds to a move of its own against one of the peer.
const AFTER_MOVE: Duration = Duration::from_secs(1);

/// A run of checks on the pair in use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verify {
    next: Time,
    interval: Duration,
    growing: bool,
    left: u8,
    give_up: Time,
    /// Media are silent; else it is the keep-alive.
    silent: bool,
}

impl HolePunch {
    /// The next keep-alive is due in its time again, with jitter.
    pub(super) fn rest_keep_alive(&mut self, now: Time) {
        let (least, most) = self.config.keep_alive;
        let span = u64::try_from(most.saturating_sub(least).as_millis()).unwrap_or(u64::MAX);
        let jitter = u64::from(self.checks.rng().next_u32()) % span.saturating_add(1);
        self.keep_alive_at = now + least + Duration::from_millis(jitter);
    }

    /// Whether nothing speaks against the pair in use.
    pub(super) fn is_well(&self) -> bool {
        self.state == State::Settled && self.verify.is_none_or(|v| !v.silent)
    }

    /// When the path in use has something to do.
    pub(super) fn next_on_path(&self) -> Time {
        match self.verify {
            Some(v) if v.left > 0 => v.next.min(v.give_up),
            Some(v) => v.give_up,
            None => self.keep_alive_at,
        }
    }

    /// Keep-alive, and the verdict on a path in doubt.
    pub(super) fn keep_path(&mut self, now: Time) {
        let (State::Settled, Some(current)) = (self.state, self.current) else { return };
        if self.verify.is_none() && now >= self.keep_alive_at {
            let (interval, give_up) = (Duration::from_millis(500), now + Duration::from_secs(9));
            self.verify =
                Some(Verify { next: now, interval, growing: true, left: 5, give_up, silent: false });
        }
        let Some(verify) = &mut self.verify else { return };
        if now >= verify.give_up {
            return self.lose(now, current);
        }
        if verify.left > 0 && now >= verify.next {
            verify.left -= 1;
            verify.next = now + verify.interval;
            if verify.growing {
                verify.interval *= 2;
            }
            self.checks.check_now(now, current);
        }
    }

    /// The pair in use is dead: all are tried again.
    fn lose(&mut self, now: Time, pair: Pair) {
        self.events.push_back(Event::PathLost { pair });
        self.seek(now);
    }

    /// Looks for another path, or for the old one again.
    fn seek(&mut self, now: Time) {
        self.verify = None;
        self.chosen = None;
        self.state = State::Lost { since: now };
        self.checks.forget(|_| true);
        self.search(now);
    }

    /// Checks all pairs that may be; the one in use, and those to where the peer was last, go first.
    pub(super) fn search(&mut self, now: Time) {
        let mut pairs: Vec<Pair> = self.checks.pairs().filter(|p| self.may_check(*p)).collect();
        let current = self.current;
        pairs.sort_by_key(|p| (Some(*p) != current, current.is_some_and(|c| c.remote != p.remote)));
        for (i, pair) in pairs.iter().enumerate() {
            // A nanosecond apart: what is due first goes first.
            self.checks.begin(now + Duration::from_nanos(i as u64), *pair);
        }
        if let Some(current) = current.filter(|_| self.is_keyed()) {
            self.checks.nominate(current, true);
        }
    }

    /// Media came in on the pair in use.
    pub(super) fn media_heard(&mut self, now: Time) {
        if self.verify.is_some_and(|v| v.silent) {
            self.verify = None;
        }
        // An unanswered keep-alive says little while media arrive, but our own way out is still to be proven.
        if let Some(verify) = &mut self.verify {
            verify.give_up = verify.give_up.max(now + Duration::from_secs(1));
        }
    }

    /// Nothing has come in for too long: three checks in 400 ms decide, on a slow path a little later.
    pub(super) fn media_silent(&mut self, now: Time) {
        let Some(current) = self.current.filter(|_| self.is_well()) else { return };
        let slow = self.checks.round_trip(current).unwrap_or_default() * 3 / 2 + Duration::from_millis(400);
        let give_up = now + slow.clamp(Duration::from_millis(600), Duration::from_secs(2));
        let interval = Duration::from_millis(200);
        self.verify = Some(Verify { next: now, interval, growing: false, left: 3, give_up, silent: true });
    }

    /// The peer means to use this pair.
    pub(super) fn peer_chose(&mut self, now: Time, pair: Pair) {
        let initiator = self.config.role == Role::Initiator;
        match self.state {
            State::Punching { .. } if initiator => return,
            State::Settled if self.current == Some(pair) => return,
            // Both may have chosen at the same time: the initiator's choice stands.
            State::Settled
                if initiator && self.moved_at.is_some_and(|t| now - t < AFTER_MOVE) && self.is_well() =>
            {
                return;
            }
            State::Lost { .. } if initiator && self.chosen.is_some_and(|(c, _)| self.is_nominating(c)) => {
                return;
            }
            State::Idle | State::Over { .. } => return,
            _ => {}
        }
        if self.chosen.is_some_and(|(chosen, _)| chosen == pair) {
            return;
        }
        self.prove(now, pair);
    }

    /// Checks a pair that somebody else chose; it is used as soon as it answers.
    fn prove(&mut self, now: Time, pair: Pair) {
        if let Some((before, _)) = self.chosen.take() {
            self.checks.nominate(before, false);
        }
        self.checks.forget(|p| p == pair && !matches!(self.state, State::Punching { .. }));
        self.chosen = Some((pair, now + PROOF));
        self.checks.begin(now, pair);
    }

    /// Whether it is we who chose this pair.
    pub(super) fn is_nominating(&self, pair: Pair) -> bool {
        self.checks.is_nominating(pair)
    }

    /// The path moves to a pair that was proven.
    pub(super) fn move_to(&mut self, now: Time, to: Pair) {
        let (Some(from), Some(mapped)) = (self.current, self.checks.mapped(to)) else { return };
        self.use_pair(now, to);
        self.moved_at = Some(now);
        // Once more, when a choice of the peer that crossed ours is past: both sides are to end on one pair.
        self.keep_alive_at = now + AFTER_MOVE * 3 / 2;
        self.events.push_back(Event::Moved { from, to, mapped });
    }

    /// The call named a new address of the peer.
    pub(super) fn suggested(&mut self, now: Time, remote: SocketAddr) {
        let Some(current) =
            self.current.filter(|_| matches!(self.state, State::Settled | State::Lost { .. }))
        else {
            return;
        };
        if current.remote == remote || objection(remote).is_some() {
            return;
        }
        let candidate = Candidate::new(CandidateKind::PeerReflexive, remote);
        let locals = self.locals.clone();
        // A path may need another address of ours, but begins at the one that is in use.
        for local in std::iter::once(current.local).chain(locals) {
            self.checks.add(local, candidate);
            let pair = Pair { local: canonical(local), remote };
            if self.checks.pairs().any(|p| p == pair) {
                return self.prove(now, pair);
            }
        }
    }

    /// Our addresses are others now.
    pub(super) fn locals_changed(&mut self, now: Time, locals: &[SocketAddr]) {
        let before = std::mem::take(&mut self.locals);
        self.take_locals(locals);
        if self.locals == before || matches!(self.state, State::Idle | State::Over { .. }) {
            return;
        }
        let kept = self.locals.clone();
        self.checks.retain(|p| kept.contains(&p.local));
        if self.chosen.is_some_and(|(chosen, _)| !kept.contains(&chosen.local)) {
            self.chosen = None;
        }
        if let Some(current) = self.current {
            // Where the peer was last is the best guess, whether a ticket named it or not.
            for local in &kept {
                self.checks.add(*local, Candidate::new(CandidateKind::PeerReflexive, current.remote));
            }
        }
        self.add_pairs();
        match (self.state, self.current) {
            (State::Punching { .. }, _) if self.chosen.is_none() => self.begin_all(now),
            (State::Settled, Some(current)) if kept.contains(&current.local) => self.media_silent(now),
            (State::Settled, Some(_)) => self.seek(now),
            (State::Lost { .. }, _) => self.search(now),
            _ => {}
        }
    }

    /// Somebody checks us from an address that may be the peer's new one, and there is no key to tell.
    pub(super) fn refuse_move(&mut self, remote: SocketAddr) {
        if self.current.is_none() || self.told.contains(&remote) || self.told.len() >= TOLD {
            return;
        }
        self.told.push(remote);
        let why = "without a shared secret a check does not show that it is the peer's";
        self.events.push_back(Event::MoveRefused { remote, why });
    }
}
