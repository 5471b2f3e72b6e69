//! Whom an inside endpoint has sent to, and who may therefore answer (RFC 4787 section 5).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use visavis_proto::Time;

/// How much of the remote endpoint a NAT minds: when it reuses a mapping (RFC 4787 section 4.1), and when it
/// lets a datagram in (section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Behaviour {
    /// Nothing of it.
    EndpointIndependent,
    /// Its address.
    AddressDependent,
    /// Its address and port.
    AddressAndPortDependent,
}

impl Behaviour {
    /// What this behaviour can tell of an endpoint: equal for all endpoints that it treats alike.
    pub(super) fn view(self, remote: SocketAddr) -> (Option<IpAddr>, Option<u16>) {
        match self {
            Behaviour::EndpointIndependent => (None, None),
            Behaviour::AddressDependent => (Some(remote.ip()), None),
            Behaviour::AddressAndPortDependent => (Some(remote.ip()), Some(remote.port())),
        }
    }
}

/// The endpoints that one inside endpoint has sent to, each for as long as its timer runs (RFC 4787 section
/// 4.3: refreshed by what goes out).
#[derive(Clone, Debug, Default)]
pub(super) struct Contacts {
    until: BTreeMap<SocketAddr, Time>,
}

impl Contacts {
    /// Something goes out to `remote`.
    pub(super) fn sent(&mut self, now: Time, remote: SocketAddr, timeout: Duration) {
        self.until.retain(|_, until| *until > now);
        self.until.insert(remote, now + timeout);
    }

    /// Something came in from `remote`; refreshes its timer where one runs.
    pub(super) fn heard(&mut self, now: Time, remote: SocketAddr, timeout: Duration) {
        if let Some(until) = self.until.get_mut(&remote).filter(|until| **until > now) {
            *until = now + timeout;
        }
    }

    /// Whether any timer runs.
    pub(super) fn alive(&self, now: Time) -> bool {
        self.until.values().any(|until| *until > now)
    }

    /// Whether `remote` may send in.
    pub(super) fn admits(&self, now: Time, filtering: Behaviour, remote: SocketAddr) -> bool {
        let view = filtering.view(remote);
        self.until.iter().any(|(contact, until)| *until > now && filtering.view(*contact) == view)
    }
}
