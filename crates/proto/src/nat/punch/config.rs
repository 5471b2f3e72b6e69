//! What a punch is told to do.

use crate::nat::check::{Credential, Setting};
use crate::nat::{Candidate, Key, NatKind, Role, Ticket, shared_key};
use crate::stun::Dialect;
use std::time::Duration;

/// How a hole is punched. Build one by [`PunchConfig::keyed`] or [`PunchConfig::bare`] and change what differs.
#[derive(Clone, Debug)]
pub struct PunchConfig {
    /// Whether this side chooses the path.
    pub role: Role,
    /// The form of our checks. The peer's are answered in theirs.
    pub dialect: Dialect,
    /// The secret of both tickets; `None` for checks without a credential, as in 2010.
    pub key: Option<Key>,
    /// The name of this side in USERNAME ([`Ticket::name`]); of no use without a key.
    pub own_name: String,
    /// The peer's.
    pub peer_name: String,
    /// The peer's addresses, the best first.
    pub peer: Vec<Candidate>,
    /// The NAT in front of us, for the report.
    pub own_nat: NatKind,
    /// The NAT in front of the peer, for the report.
    pub peer_nat: NatKind,
    /// The least time between two checks, over all pairs (RFC 8445 section 14 calls it Ta).
    pub pace: Duration,
    /// The time from the first check of a pair to the second; it grows by half with each.
    pub first_interval: Duration,
    /// The longest time between two checks of a pair.
    pub last_interval: Duration,
    /// When to give up.
    pub timeout: Duration,
    /// When to say that a relay would help.
    pub relay_hook: Duration,
    /// The least and the most time between two checks of the pair in use.
    pub keep_alive: (Duration, Duration),
}

impl PunchConfig {
    /// A punch between the holders of two tickets.
    pub fn keyed(role: Role, own: &Ticket, peer: &Ticket) -> Self {
        PunchConfig {
            key: Some(shared_key(own, peer)),
            own_name: own.name(),
            peer_name: peer.name(),
            own_nat: own.nat,
            peer_nat: peer.nat,
            ..PunchConfig::bare(role, peer.candidates.clone())
        }
    }

    /// A punch without a secret towards these addresses.
    pub fn bare(role: Role, peer: Vec<Candidate>) -> Self {
        PunchConfig {
            role,
            dialect: Dialect::Rfc8489,
            key: None,
            own_name: String::new(),
            peer_name: String::new(),
            peer,
            own_nat: NatKind::Unknown,
            peer_nat: NatKind::Unknown,
            pace: Duration::from_millis(20),
            first_interval: Duration::from_millis(200),
            last_interval: Duration::from_secs(1),
            timeout: Duration::from_secs(35),
            relay_hook: Duration::from_secs(6),
            keep_alive: (Duration::from_secs(10), Duration::from_secs(15)),
        }
    }

    pub(super) fn setting(&self) -> Setting {
        let credential = self.key.clone().map(|key| Credential {
            key,
            own: self.own_name.clone(),
            peer: self.peer_name.clone(),
        });
        Setting {
            dialect: self.dialect,
            credential,
            pace: self.pace,
            first_interval: self.first_interval.max(Duration::from_millis(10)),
            last_interval: self.last_interval.max(self.first_interval),
        }
    }
}
