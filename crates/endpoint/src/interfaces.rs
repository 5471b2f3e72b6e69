//! The addresses of this machine, and when they change.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How often to look: a call whose address has changed should go on within two seconds.
const LOOK: Duration = Duration::from_millis(500);

/// The addresses on which this machine can be reached through a socket bound to `bound`: that one, or for a
/// wildcard socket those of all interfaces. Loopback counts only where it was bound, and IPv6 addresses of
/// link-local scope never, since a peer could not use them without naming an interface.
///
/// Empty where the system does not tell.
pub fn local_addresses(bound: SocketAddr) -> Vec<IpAddr> {
    if !bound.ip().is_unspecified() {
        return vec![bound.ip()];
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the addresses of this machine are not known");
        Vec::new()
    });
    let usable = |ip: &IpAddr| match ip {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_unspecified() && !v4.is_link_local(),
        // A socket bound to the IPv4 wildcard takes no IPv6.
        IpAddr::V6(v6) => bound.is_ipv6() && !v6.is_loopback() && !v6.is_unicast_link_local(),
    };
    let addresses: BTreeSet<IpAddr> = interfaces.iter().map(|i| i.ip()).filter(usable).collect();
    addresses.into_iter().collect()
}

/// Looks at the addresses again and again: no system tells of changes in a way that they all share.
pub(crate) struct Interfaces {
    bound: SocketAddr,
    known: Vec<IpAddr>,
    look: tokio::time::Interval,
}

impl Interfaces {
    pub(crate) fn watch(bound: SocketAddr) -> Self {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Interfaces { bound, known: local_addresses(bound), look }
    }

    pub(crate) fn addresses(&self) -> &[IpAddr] {
        &self.known
    }

    /// Waits until they are others than before; never, for a socket that is bound to one of them.
    pub(crate) async fn changed(&mut self) {
        if !self.bound.ip().is_unspecified() {
            return std::future::pending().await;
        }
        loop {
            self.look.tick().await;
            let now = local_addresses(self.bound);
            if now != self.known {
                self.known = now;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_address_is_the_only_one_and_loopback_is_never_found_by_itself() {
        let bound: SocketAddr = "127.0.0.1:16402".parse().unwrap();
        assert_eq!(local_addresses(bound), [bound.ip()]);
        let any = local_addresses("0.0.0.0:16402".parse().unwrap());
        assert!(any.iter().all(|ip| ip.is_ipv4() && !ip.is_loopback()), "{any:?}");
    }
}
