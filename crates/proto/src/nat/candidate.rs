//! Candidates: the addresses at which a peer may be reached.

use std::cmp::Reverse;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// How an address was found (RFC 8445 section 5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CandidateKind {
    /// An address of the host itself.
    Host,
    /// The address that a STUN server saw (server-reflexive).
    Mapped,
    /// The address that the peer's own checks came from (peer-reflexive).
    PeerReflexive,
    /// An address of a relay.
    Relayed,
}

impl fmt::Display for CandidateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CandidateKind::Host => "host",
            CandidateKind::Mapped => "mapped",
            CandidateKind::PeerReflexive => "peer-reflexive",
            CandidateKind::Relayed => "relayed",
        })
    }
}

/// An address at which a peer may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// How it was found.
    pub kind: CandidateKind,
    /// The address.
    pub address: SocketAddr,
}

impl Candidate {
    /// A candidate; an IPv4 address in IPv6 clothes is taken as what it is.
    pub fn new(kind: CandidateKind, address: SocketAddr) -> Self {
        Candidate { kind, address: canonical(address) }
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.address, self.kind)
    }
}

/// The candidates of a host with these addresses of its own and these mapped ones: host before mapped, IPv6
/// before IPv4 among equals, loopback only where there is nothing else, nothing twice, and nothing that no peer
/// could send to.
pub fn gather(locals: &[SocketAddr], mapped: &[SocketAddr]) -> Vec<Candidate> {
    let only_loopback = locals.iter().all(|a| canonical(*a).ip().is_loopback());
    let hosts = locals
        .iter()
        .filter(|a| only_loopback || !canonical(**a).ip().is_loopback())
        .map(|a| Candidate::new(CandidateKind::Host, *a));
    let mapped = mapped.iter().map(|a| Candidate::new(CandidateKind::Mapped, *a));
    let mut found: Vec<Candidate> = Vec::new();
    for candidate in hosts.chain(mapped) {
        let known = found.iter().any(|c| c.address == candidate.address);
        if !known && objection(candidate.address).is_none() && !is_link_local(candidate.address.ip()) {
            found.push(candidate);
        }
    }
    found.sort_by_key(|c| (c.kind != CandidateKind::Host, Reverse(c.address.is_ipv6())));
    found
}

/// Why nothing is ever sent to an address that a stranger named; `None` where it may be.
pub fn objection(address: SocketAddr) -> Option<&'static str> {
    let ip = canonical(address).ip();
    if is_forbidden(ip) {
        return Some("lies in 17.0.0.0/8, which this endpoint never contacts");
    }
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    if ip.is_unspecified() || ip.is_multicast() || broadcast {
        return Some("is not the address of one host");
    }
    (address.port() == 0).then_some("has port 0")
}

/// Whether an address has a meaning in one network alone (RFC 1918 section 3, RFC 4193 section 3).
pub(super) fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.is_private(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

/// Whether two addresses look as if they were of one network: 24 bits of IPv4, 64 of IPv6.
pub(super) fn are_near(one: IpAddr, other: IpAddr) -> bool {
    match (one.to_canonical(), other.to_canonical()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => a.to_bits() >> 8 == b.to_bits() >> 8,
        (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits() >> 64 == b.to_bits() >> 64,
        _ => false,
    }
}

/// Whether an address lies in 17.0.0.0/8, or leads there by NAT64 (RFC 6052 section 2.1) or 6to4 (RFC 3056
/// section 2).
pub fn is_forbidden(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => in_17(v4),
        IpAddr::V6(v6) => match v6.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, high, _] => high >> 8 == 17,
            [0x2002, high, ..] => high >> 8 == 17,
            _ => false,
        },
    }
}

fn in_17(ip: Ipv4Addr) -> bool {
    let [first, ..] = ip.octets();
    first == 17
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// The same address, IPv4 where it is an IPv4 address written as IPv6; scope and flow label do not travel.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn seventeen_slash_eight_is_refused_in_every_spelling() {
        for text in [
            "17.0.0.1:1",
            "17.255.255.255:1",
            "[::ffff:17.1.2.3]:1",
            "[64:ff9b::1102:304]:1",
            "[2002:1101:203::1]:1",
        ] {
            assert!(objection(at(text)).is_some_and(|why| why.contains("17.0.0.0/8")), "{text}");
        }
        for text in ["16.255.255.255:1", "18.0.0.1:1", "[2001:db8::11]:1", "127.0.0.1:1"] {
            assert_eq!(objection(at(text)), None, "{text}");
        }
        for text in ["0.0.0.0:1", "224.0.0.1:1", "255.255.255.255:1", "[ff02::1]:1", "192.0.2.1:0"] {
            assert!(objection(at(text)).is_some(), "{text}");
        }
    }

    #[test]
    fn host_addresses_come_first_and_loopback_only_alone() {
        let locals =
            [at("127.0.0.1:1"), at("10.0.0.1:1"), at("[fe80::1]:1"), at("[2001:db8::1]:1"), at("0.0.0.0:1")];
        let found = gather(&locals, &[at("192.0.2.1:1"), at("10.0.0.1:1")]);
        let shown: Vec<_> = found.iter().map(Candidate::to_string).collect();
        assert_eq!(shown, ["[2001:db8::1]:1 (host)", "10.0.0.1:1 (host)", "192.0.2.1:1 (mapped)"]);
        assert_eq!(gather(&[at("127.0.0.1:1")], &[]).len(), 1);
    }
}
