//! What was tried and what came back, for people and for programs.

use super::{CandidateKind, NatKind, Pair};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// What came back for the checks of a pair: the most telling of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CameBack {
    /// Nothing at all.
    #[default]
    Nothing,
    /// The network said that nobody can be reached there (ICMP).
    Unreachable,
    /// An answer to our check from another address than it was sent to.
    FromElsewhere(SocketAddr),
    /// An answer that was not signed with our secret, or badly.
    Unauthentic,
    /// An error response, by its code.
    Error(u16),
    /// A good answer.
    Answer,
}

impl fmt::Display for CameBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CameBack::Nothing => f.write_str("nothing came back"),
            CameBack::Unreachable => f.write_str("the network says that it can not be reached (ICMP)"),
            CameBack::FromElsewhere(address) => write!(f, "answered from another address, {address}"),
            CameBack::Unauthentic => f.write_str("answered without our secret"),
            CameBack::Error(code) => write!(f, "answered with error {code}"),
            CameBack::Answer => f.write_str("answered"),
        }
    }
}

/// One pair of addresses and its checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairReport {
    /// The pair.
    pub pair: Pair,
    /// What kind of address the peer's is.
    pub kind: CandidateKind,
    /// Checks sent.
    pub sent: u64,
    /// Good answers to them.
    pub answered: u64,
    /// Checks of the peer that came in on this pair and were answered.
    pub heard: u64,
    /// The last round trip.
    pub round_trip: Option<Duration>,
    /// What came back.
    pub came_back: CameBack,
}

/// All that a strategy has tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether checks were signed: only then are addresses learnt from what arrives.
    pub keyed: bool,
    /// The NAT in front of us.
    pub own_nat: NatKind,
    /// The NAT in front of the peer, as it says.
    pub peer_nat: NatKind,
    /// The pair in use.
    pub current: Option<Pair>,
    /// The pairs, in the order in which they are tried.
    pub pairs: Vec<PairReport>,
    /// Addresses of the peer that nothing was sent to, and why.
    pub refused: Vec<(SocketAddr, &'static str)>,
    /// Checks without our secret, or with a wrong one.
    pub unauthenticated: u64,
    /// Checks that had come before, from another address.
    pub replayed: u64,
    /// Responses to nothing that we sent.
    pub stray: u64,
    /// Messages past a bound: more addresses, or more errors to answer, than are allowed.
    pub limited: u64,
}

/// No path in the time allowed. Its text says what was tried, what came back and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How long it was tried.
    pub after: Duration,
    /// What was tried.
    pub report: Report,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &self.report;
        write!(f, "no path to the peer in {} s.", self.after.as_secs())?;
        for (i, remote) in self.remotes().into_iter().enumerate() {
            let of = || report.pairs.iter().filter(move |p| p.pair.remote == remote);
            let sent: u64 = of().map(|p| p.sent).sum();
            let heard: u64 = of().map(|p| p.heard).sum();
            let best = of().max_by_key(|p| weight(p.came_back));
            let Some(best) = best else { continue };
            let separator = if i == 0 { " Tried" } else { ";" };
            write!(f, "{separator} {remote} ({}): {sent} checks, {}", best.kind, best.came_back)?;
            if heard > 0 {
                write!(f, " ({heard} checks of the peer heard)")?;
            }
        }
        f.write_str(if report.pairs.is_empty() { " No address could be tried." } else { "." })?;
        for (address, why) in &report.refused {
            write!(f, " Not tried: {address}, which {why}.")?;
        }
        write!(f, " NAT here: {}, at the peer: {}. {}", report.own_nat, report.peer_nat, self.advice())
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// The peer's addresses, each once, in the order in which they were tried.
    fn remotes(&self) -> Vec<SocketAddr> {
        let mut found = Vec::new();
        for pair in &self.report.pairs {
            if !found.contains(&pair.pair.remote) {
                found.push(pair.pair.remote);
            }
        }
        found
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        let report = &self.report;
        let any = |test: fn(&PairReport) -> bool| report.pairs.iter().any(test);
        if report.pairs.is_empty() {
            return "The two sides share no address family: ask for a ticket with an address that this side can reach.";
        }
        if report.unauthenticated > 0
            || any(|p| matches!(p.came_back, CameBack::Error(400 | 401) | CameBack::Unauthentic))
        {
            return "The secrets differ: exchange new tickets, each side using the other's latest.";
        }
        if report.own_nat == NatKind::Blocked {
            return "This network blocks UDP: use another network.";
        }
        if report.peer_nat == NatKind::Blocked {
            return "The peer's network blocks UDP: the peer has to use another network.";
        }
        let symmetric = [report.own_nat, report.peer_nat].contains(&NatKind::Symmetric);
        let possible = report.own_nat.punches(report.peer_nat);
        if !report.keyed && symmetric && possible == Some(true) {
            return "A symmetric NAT sends from an address that no ticket can name, and unsigned checks from such an \
                    address are not believed: use signed checks on both sides (without --emulate), or another network.";
        }
        if possible == Some(false) {
            return "No hole can be punched between these two kinds of NAT: one side has to use another network or \
                    forward a port, or a relay is needed.";
        }
        if any(|p| p.answered > 0) {
            return "The peer answers and does not check: see that it was given this side's ticket and is calling \
                    or answering now.";
        }
        if any(|p| p.heard > 0) {
            return "The peer's checks arrive and its answers do not: something on the way drops them.";
        }
        if any(|p| matches!(p.came_back, CameBack::FromElsewhere(_))) {
            return "A NAT on the way answers from another port than was sent to: probe the NAT on both sides.";
        }
        "See that the peer runs now, with this side's ticket, and that both tickets are fresh; then probe the NAT \
         on both sides."
    }
}

/// How much it tells.
pub(super) fn weight(came_back: CameBack) -> u8 {
    match came_back {
        CameBack::Nothing => 0,
        CameBack::Unreachable => 1,
        CameBack::FromElsewhere(_) => 2,
        CameBack::Unauthentic => 3,
        CameBack::Error(_) => 4,
        CameBack::Answer => 5,
    }
}
