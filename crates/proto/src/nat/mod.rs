//! Finding a path through NATs: what one side tells the other, and the checks that prove a path.
//!
//! A [`Ticket`] carries one side's [`Candidate`]s and its half of a secret; a [`Strategy`] makes a proven [`Pair`] of
//! addresses out of two of them and keeps it alive. [`HolePunch`] is the strategy in the box. Which packets a NAT
//! lets through is RFC 4787, what a punch can do about it RFC 5128 section 3.3.

mod candidate;
mod check;
mod classify;
mod key;
mod kind;
mod punch;
mod report;
mod ticket;

pub use candidate::{Candidate, CandidateKind, gather, is_forbidden, objection};
pub use classify::{Classification, Classifier, ClassifierConfig};
pub use key::{Key, name_of, shared_key};
pub use kind::{Behaviour, NatKind};
pub use punch::{HolePunch, PunchConfig};
pub use report::{CameBack, Failure, PairReport, Report};
pub use ticket::{TICKET_CANDIDATES, TICKET_OCTETS, Ticket, TicketError};

use crate::stun;
use crate::time::Time;
use bytes::Bytes;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// Who chooses among several paths: the side that places the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Places the call and chooses the path.
    Initiator,
    /// Is called, and follows.
    Responder,
}

/// A path: an address of ours and one of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// The local address that datagrams leave from.
    pub local: SocketAddr,
    /// Where they go.
    pub remote: SocketAddr,
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.local, self.remote)
    }
}

/// Finds a path and keeps it: whatever proves a pair of addresses before anything else goes there.
///
/// After each [`Strategy::handle`] call [`Strategy::poll`] until it gives `None`.
pub trait Strategy: Send + fmt::Debug {
    /// Takes an input.
    fn handle(&mut self, now: Time, input: Input<'_>);
    /// What is to be done next.
    fn poll(&mut self, now: Time) -> Option<Output>;
    /// When to give [`Input::Timeout`].
    fn next_timeout(&self) -> Option<Time>;
    /// Whether a STUN message is for this strategy. One that is not may be anybody's.
    fn recognises(&self, message: &stun::Message, remote: SocketAddr) -> bool;
    /// Whether a pair has been proven: the pair in use, and without a key every other that works.
    fn is_proven(&self, pair: Pair) -> bool;
    /// What was tried and what came back, so far.
    fn report(&self) -> Report;
}

/// What a strategy is told.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Begin, with these addresses of ours (not a wildcard).
    Start {
        /// Our addresses.
        locals: &'a [SocketAddr],
    },
    /// A STUN message that it [recognises](Strategy::recognises) arrived.
    Stun {
        /// The address that it came to.
        local: SocketAddr,
        /// Where it came from.
        remote: SocketAddr,
        /// The message.
        message: &'a stun::Message,
    },
    /// Our addresses have changed; these are all that there are now.
    LocalsChanged {
        /// Our addresses.
        locals: &'a [SocketAddr],
    },
    /// More addresses of the peer are known, from a relay or from a new ticket of the same call.
    PeerCandidates {
        /// The addresses.
        candidates: &'a [Candidate],
    },
    /// An authentic request inside the call's dialog named or came from a new address.
    Suggested {
        /// The new address.
        remote: SocketAddr,
    },
    /// The call began on this pair: without a key, that is how the peer says which one it chose.
    Chosen {
        /// The pair, one that [is proven](Strategy::is_proven).
        pair: Pair,
    },
    /// The network said that nobody can be reached there (ICMP); a hint and no more.
    Unreachable {
        /// Where our datagram went.
        remote: SocketAddr,
    },
    /// Traffic arrived on the pair.
    MediaHeard,
    /// None has for too long: the path may be dead.
    MediaSilent,
    /// The time of [`Strategy::next_timeout`] has come.
    Timeout,
    /// The call is over.
    Stop,
}

/// What a strategy wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a datagram.
    Transmit {
        /// The address to send it from.
        local: SocketAddr,
        /// Where to send it.
        remote: SocketAddr,
        /// Its octets.
        data: Bytes,
    },
    /// Something happened.
    Event(Event),
}

/// What a strategy reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A pair works both ways: the first of the call.
    Validated {
        /// The pair.
        pair: Pair,
        /// Our own address as the peer sees it.
        mapped: SocketAddr,
        /// From check to response.
        round_trip: Duration,
    },
    /// The path has moved, and the new one is proven. `from` and `to` are equal where only our mapped address
    /// is new, or where the old path has come back after [`Event::PathLost`].
    Moved {
        /// The pair that was in use.
        from: Pair,
        /// The pair in use now.
        to: Pair,
        /// Our own address as the peer sees it.
        mapped: SocketAddr,
    },
    /// The path does not answer any more: all addresses are tried again.
    PathLost {
        /// The pair.
        pair: Pair,
    },
    /// Something asked to move the path and gave no proof of being the peer. Told once for each address.
    MoveRefused {
        /// The address.
        remote: SocketAddr,
        /// Why not, in words.
        why: &'static str,
    },
    /// No pair yet, after so long: a relay's address would help now ([`Input::PeerCandidates`]).
    RelayAdvised {
        /// Time since the first check.
        after: Duration,
    },
    /// No pair in the time allowed.
    Failed(Failure),
}
