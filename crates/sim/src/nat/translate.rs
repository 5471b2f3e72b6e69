//! A NAT with one address on the outside.

use super::filter::{Behaviour, Contacts};
use crate::network::{Middlebox, Packet};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;
use visavis_proto::Time;

/// How a NAT behaves, in the terms of RFC 4787. Ports are never overloaded (section 4.2.1, REQ-3), and their
/// parity is not minded (section 4.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatProfile {
    /// When a mapping serves a further session (section 4.1).
    pub mapping: Behaviour,
    /// What is let in (section 5).
    pub filtering: Behaviour,
    /// Which outside port a mapping gets (section 4.2.1).
    pub ports: PortAssignment,
    /// Whether hosts behind it reach each other by their outside addresses (section 6); the source that they
    /// see is then the outside one (REQ-9a).
    pub hairpinning: bool,
    /// How long a mapping lasts without traffic (section 4.3), and each permission to send in.
    pub timeout: Duration,
    /// Whether what comes in keeps a mapping alive (REQ-6a). What goes out always does (REQ-6).
    pub inbound_refresh: bool,
}

/// Which outside port a mapping gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortAssignment {
    /// That of the inside endpoint where it is free, else any.
    Preserving,
    /// One above the last one.
    Sequential,
    /// Any.
    Random,
}

impl NatProfile {
    /// Endpoint-independent mapping and filtering: the full cone of RFC 3489 section 5, and what REQ-1 and
    /// REQ-8 recommend. Ports are preserved, hairpinning works, and mappings last for two minutes, the least
    /// that REQ-5 allows.
    pub fn full_cone() -> Self {
        NatProfile {
            mapping: Behaviour::EndpointIndependent,
            filtering: Behaviour::EndpointIndependent,
            ports: PortAssignment::Preserving,
            hairpinning: true,
            timeout: Duration::from_secs(120),
            inbound_refresh: false,
        }
    }

    /// Endpoint-independent mapping, address-dependent filtering: the restricted cone of RFC 3489 section 5.
    pub fn address_restricted() -> Self {
        NatProfile { filtering: Behaviour::AddressDependent, ..NatProfile::full_cone() }
    }

    /// Endpoint-independent mapping, address and port-dependent filtering: the port restricted cone of RFC
    /// 3489 section 5.
    pub fn port_restricted() -> Self {
        NatProfile { filtering: Behaviour::AddressAndPortDependent, ..NatProfile::full_cone() }
    }

    /// Address and port-dependent mapping and filtering with ports that cannot be guessed: the symmetric NAT
    /// of RFC 3489 section 5.
    pub fn symmetric() -> Self {
        NatProfile {
            mapping: Behaviour::AddressAndPortDependent,
            ports: PortAssignment::Random,
            ..NatProfile::port_restricted()
        }
    }

    /// The same without hairpinning.
    pub fn without_hairpinning(self) -> Self {
        NatProfile { hairpinning: false, ..self }
    }
}

/// What a NAT has done so far, exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NatStats {
    /// Datagrams translated on their way out.
    pub outbound: u64,
    /// Datagrams translated on their way in.
    pub inbound: u64,
    /// Of those on their way out, the ones to its own outside address.
    pub hairpinned: u64,
    /// Datagrams from the inside to its own outside address, dropped for want of hairpinning.
    pub hairpins_refused: u64,
    /// Datagrams to an outside port that nothing is mapped to.
    pub unmapped: u64,
    /// Datagrams to a mapping that does not let their source in.
    pub filtered: u64,
    /// Datagrams of another address family than its own, and those that found no outside port free.
    pub untranslatable: u64,
    /// Mappings made.
    pub mappings: u64,
}

/// A NAT with one address on the outside.
#[derive(Clone, Debug)]
pub struct Nat {
    outside: IpAddr,
    profile: NatProfile,
    rng: ChaCha20Rng,
    /// By outside port.
    mappings: BTreeMap<u16, Mapping>,
    /// The outside port given last.
    last: u16,
    /// Outside ports that are not given again.
    spent: BTreeSet<u16>,
    stats: NatStats,
}

#[derive(Clone, Debug)]
struct Mapping {
    inside: SocketAddr,
    /// What its remote endpoints have in common.
    remote: (Option<IpAddr>, Option<u16>),
    contacts: Contacts,
}

/// Ports that are given where the inside one is not kept: all but the well-known ones.
const PORTS: RangeInclusive<u16> = 1024..=u16::MAX;

impl Nat {
    /// A NAT with this address on the outside. The seed decides its random ports.
    pub fn new(outside: IpAddr, profile: NatProfile, seed: [u8; 32]) -> Self {
        let mut nat = Nat {
            outside,
            profile,
            rng: ChaCha20Rng::from_seed(seed),
            mappings: BTreeMap::new(),
            last: 0,
            spent: BTreeSet::new(),
            stats: NatStats::default(),
        };
        nat.last = nat.random_port();
        nat
    }

    /// Forgets all mappings, as after a power cut. A NAT that preserves ports gives the same ones again as
    /// soon as something goes out.
    pub fn forget(&mut self) {
        self.mappings.clear();
    }

    /// Forgets all mappings and never gives their ports again, so that all that goes out from now on comes from
    /// elsewhere. Nobody is told.
    pub fn rebind(&mut self) {
        self.spent.extend(self.mappings.keys());
        self.forget();
    }

    /// What it has done so far.
    pub fn stats(&self) -> NatStats {
        self.stats
    }

    /// The outside endpoints that an inside endpoint has at this time.
    pub fn mapped(&self, now: Time, inside: SocketAddr) -> Vec<SocketAddr> {
        let of = self.mappings.iter().filter(|(_, m)| m.inside == inside && m.contacts.alive(now));
        of.map(|(port, _)| SocketAddr::new(self.outside, *port)).collect()
    }

    /// The outside port for what `inside` sends to `remote`; `None` where none is free.
    fn map(&mut self, inside: SocketAddr, remote: SocketAddr) -> Option<u16> {
        let view = self.profile.mapping.view(remote);
        let same = |(_, m): &(&u16, &Mapping)| m.inside == inside && m.remote == view;
        if let Some((port, _)) = self.mappings.iter().find(same) {
            return Some(*port);
        }
        let port = self.free_port(inside.port())?;
        self.last = port;
        self.stats.mappings += 1;
        self.mappings.insert(port, Mapping { inside, remote: view, contacts: Contacts::default() });
        Some(port)
    }

    fn free_port(&mut self, inside: u16) -> Option<u16> {
        let first = match self.profile.ports {
            PortAssignment::Preserving if self.is_free(inside) => return Some(inside),
            PortAssignment::Sequential => self.last.checked_add(1).unwrap_or(*PORTS.start()),
            PortAssignment::Preserving | PortAssignment::Random => self.random_port(),
        };
        (first..=*PORTS.end()).chain(*PORTS.start()..first).find(|port| self.is_free(*port))
    }

    fn is_free(&self, port: u16) -> bool {
        !self.mappings.contains_key(&port) && !self.spent.contains(&port)
    }

    fn random_port(&mut self) -> u16 {
        let count = u32::from(*PORTS.end() - *PORTS.start()) + 1;
        // Below 65,536 by construction.
        *PORTS.start() + (self.rng.next_u32() % count) as u16
    }
}

impl Middlebox for Nat {
    fn addresses(&self) -> Vec<IpAddr> {
        vec![self.outside]
    }

    fn outbound(&mut self, now: Time, packet: Packet) -> Option<Packet> {
        let to_itself = packet.dst.ip() == self.outside;
        if to_itself && !self.profile.hairpinning {
            self.stats.hairpins_refused += 1;
            return None;
        }
        self.mappings.retain(|_, mapping| mapping.contacts.alive(now));
        let families = [packet.src, packet.dst].map(|a| a.is_ipv4() == self.outside.is_ipv4());
        let port = families.iter().all(|same| *same).then(|| self.map(packet.src, packet.dst)).flatten();
        let Some((port, mapping)) = port.and_then(|port| Some((port, self.mappings.get_mut(&port)?))) else {
            self.stats.untranslatable += 1;
            return None;
        };
        mapping.contacts.sent(now, packet.dst, self.profile.timeout);
        self.stats.outbound += 1;
        self.stats.hairpinned += u64::from(to_itself);
        Some(Packet { src: SocketAddr::new(self.outside, port), ..packet })
    }

    fn inbound(&mut self, now: Time, packet: Packet) -> Option<Packet> {
        let alive = |mapping: &&mut Mapping| mapping.contacts.alive(now);
        let Some(mapping) = self.mappings.get_mut(&packet.dst.port()).filter(alive) else {
            self.stats.unmapped += 1;
            return None;
        };
        if !mapping.contacts.admits(now, self.profile.filtering, packet.src) {
            self.stats.filtered += 1;
            return None;
        }
        if self.profile.inbound_refresh {
            mapping.contacts.heard(now, packet.src, self.profile.timeout);
        }
        self.stats.inbound += 1;
        Some(Packet { dst: mapping.inside, ..packet })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const X: &str = "192.168.0.2:5000";
    const OTHER: &str = "192.168.0.3:5000";
    const Y: &str = "198.51.100.1:6000";
    const Y_OTHER_PORT: &str = "198.51.100.1:6001";
    const Z: &str = "198.51.100.2:6000";
    const NOW: Time = Time::ZERO;

    fn nat(profile: NatProfile) -> Nat {
        Nat::new("203.0.113.1".parse().unwrap(), profile, [7; 32])
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn packet(src: SocketAddr, dst: SocketAddr) -> Packet {
        Packet { src, dst, data: Bytes::from_static(b"x") }
    }

    /// Sends from the inside, and gives the source as the outside sees it.
    fn out(nat: &mut Nat, now: Time, src: &str, dst: &str) -> SocketAddr {
        let sent = packet(at(src), at(dst));
        let passed = nat.outbound(now, sent).expect("it goes out");
        assert_eq!(passed.dst, at(dst));
        passed.src
    }

    /// Sends to an outside endpoint, and gives the inside one that gets it.
    fn into(nat: &mut Nat, now: Time, src: &str, dst: SocketAddr) -> Option<SocketAddr> {
        let passed = nat.inbound(now, packet(at(src), dst))?;
        assert_eq!(passed.src, at(src));
        Some(passed.dst)
    }

    /// Whether one mapping serves a second port, and a second address, of the remote side.
    fn reuse(mapping: Behaviour) -> (bool, bool) {
        let mut nat = nat(NatProfile { mapping, ..NatProfile::full_cone() });
        let first = out(&mut nat, NOW, X, Y);
        assert_eq!(out(&mut nat, NOW, X, Y), first);
        assert_ne!(out(&mut nat, NOW, OTHER, Y), first);
        let ends = [Y_OTHER_PORT, Z].map(|remote| out(&mut nat, NOW, X, remote) == first);
        (ends[0], ends[1])
    }

    #[test]
    fn a_mapping_serves_all_sessions_that_its_behaviour_treats_alike() {
        assert_eq!(reuse(Behaviour::EndpointIndependent), (true, true));
        assert_eq!(reuse(Behaviour::AddressDependent), (true, false));
        assert_eq!(reuse(Behaviour::AddressAndPortDependent), (false, false));
    }

    /// Whether a second port of the remote side, and a second address, may send in after one was sent to.
    fn admitted(profile: NatProfile) -> (bool, bool) {
        let mut nat = nat(profile);
        let outside = out(&mut nat, NOW, X, Y);
        assert_eq!(into(&mut nat, NOW, Y, outside), Some(at(X)));
        let ends = [Y_OTHER_PORT, Z].map(|remote| into(&mut nat, NOW, remote, outside).is_some());
        (ends[0], ends[1])
    }

    #[test]
    fn the_named_kinds_filter_as_their_names_say() {
        assert_eq!(admitted(NatProfile::full_cone()), (true, true));
        assert_eq!(admitted(NatProfile::address_restricted()), (true, false));
        assert_eq!(admitted(NatProfile::port_restricted()), (false, false));
        assert_eq!(admitted(NatProfile::symmetric()), (false, false));
    }

    #[test]
    fn what_is_not_let_in_is_counted_by_its_reason() {
        let mut nat = nat(NatProfile::port_restricted());
        let outside = out(&mut nat, NOW, X, Y);
        assert_eq!(into(&mut nat, NOW, Z, outside), None);
        assert_eq!(into(&mut nat, NOW, Y, SocketAddr::new(outside.ip(), 9)), None);
        assert_eq!(nat.outbound(NOW, packet(at("[fd00::2]:5000"), at("[fd00::1]:1"))), None);
        let stats = nat.stats();
        assert_eq!((stats.filtered, stats.unmapped, stats.untranslatable), (1, 1, 1));
        assert_eq!((stats.outbound, stats.inbound, stats.mappings), (1, 0, 1));
    }

    #[test]
    fn a_port_is_preserved_where_it_is_free_and_never_overloaded() {
        let mut nat = nat(NatProfile::full_cone());
        assert_eq!(out(&mut nat, NOW, X, Y), at("203.0.113.1:5000"));
        let second = out(&mut nat, NOW, OTHER, Y);
        assert_ne!(second.port(), 5000);
        assert_eq!(into(&mut nat, NOW, Y, at("203.0.113.1:5000")), Some(at(X)));
        assert_eq!(into(&mut nat, NOW, Y, second), Some(at(OTHER)));
    }

    #[test]
    fn sequential_ports_follow_each_other_and_random_ones_do_not() {
        let ports = |ports| {
            let mut nat = nat(NatProfile { ports, ..NatProfile::symmetric() });
            [Y, Y_OTHER_PORT, Z].map(|remote| out(&mut nat, NOW, X, remote).port())
        };
        let [first, second, third] = ports(PortAssignment::Sequential);
        assert_eq!([second, third], [first + 1, first + 2]);
        let [first, second, third] = ports(PortAssignment::Random);
        assert_ne!([second, third], [first + 1, first + 2]);
        assert!(![first, second, third].contains(&5000));
    }

    #[test]
    fn a_nat_without_a_free_port_drops_and_counts() {
        let mut nat = nat(NatProfile { ports: PortAssignment::Sequential, ..NatProfile::full_cone() });
        nat.spent.extend(PORTS.filter(|port| *port != 2000));
        assert_eq!(out(&mut nat, NOW, X, Y).port(), 2000);
        assert_eq!(nat.outbound(NOW, packet(at(OTHER), at(Y))), None);
        assert_eq!(nat.stats().untranslatable, 1);
    }

    #[test]
    fn a_hairpinned_datagram_shows_its_outside_source() {
        for (profile, gets_in) in [(NatProfile::full_cone(), true), (NatProfile::port_restricted(), false)] {
            let mut nat = nat(profile);
            let (x, other) = (out(&mut nat, NOW, X, Y), out(&mut nat, NOW, OTHER, Y));
            // Filtering holds for what comes from the inside, too.
            let turned = nat.outbound(NOW, packet(at(X), other)).expect("it is hairpinned");
            assert_eq!((turned.src, turned.dst), (x, other));
            assert_eq!(nat.inbound(NOW, turned).map(|p| (p.src, p.dst)), gets_in.then(|| (x, at(OTHER))));
            nat.outbound(NOW, packet(at(OTHER), x)).expect("it is hairpinned");
            assert_eq!(nat.inbound(NOW, packet(x, other)).map(|p| p.dst), Some(at(OTHER)));
            assert_eq!(nat.stats().hairpinned, 2);
        }
    }

    #[test]
    fn without_hairpinning_what_is_sent_to_the_own_outside_address_is_dropped() {
        let mut nat = nat(NatProfile::full_cone().without_hairpinning());
        let other = out(&mut nat, NOW, OTHER, Y);
        assert_eq!(nat.outbound(NOW, packet(at(X), other)), None);
        assert_eq!(nat.stats().hairpins_refused, 1);
    }

    #[test]
    fn what_goes_out_keeps_a_mapping_alive_and_what_comes_in_only_where_asked_for() {
        let seconds = |s: u64| Time::from_millis(s * 1000);
        for inbound_refresh in [false, true] {
            let mut nat = nat(NatProfile { inbound_refresh, ..NatProfile::port_restricted() });
            let outside = out(&mut nat, seconds(0), X, Y);
            assert_eq!(out(&mut nat, seconds(100), X, Y), outside);
            assert_eq!(into(&mut nat, seconds(219), Y, outside), Some(at(X)));
            let later = into(&mut nat, seconds(221), Y, outside);
            assert_eq!(later.is_some(), inbound_refresh);
            assert_eq!(nat.mapped(seconds(221), at(X)).len(), usize::from(inbound_refresh));
        }
    }

    #[test]
    fn a_permission_ends_by_itself_while_its_mapping_lives_on() {
        let seconds = |s: u64| Time::from_millis(s * 1000);
        let mut nat = nat(NatProfile::port_restricted());
        let outside = out(&mut nat, seconds(0), X, Y);
        assert_eq!(out(&mut nat, seconds(100), X, Z), outside);
        assert_eq!(into(&mut nat, seconds(130), Z, outside), Some(at(X)));
        assert_eq!(into(&mut nat, seconds(130), Y, outside), None);
    }

    #[test]
    fn a_nat_that_forgets_gives_the_same_port_again_and_one_that_rebinds_another() {
        let mut nat = nat(NatProfile::port_restricted());
        let outside = out(&mut nat, NOW, X, Y);
        nat.forget();
        assert_eq!(into(&mut nat, NOW, Y, outside), None);
        assert_eq!(out(&mut nat, NOW, X, Y), outside);
        nat.rebind();
        assert_eq!(into(&mut nat, NOW, Y, outside), None);
        let moved = out(&mut nat, NOW, X, Y);
        assert_ne!(moved, outside);
        assert_eq!(into(&mut nat, NOW, Y, moved), Some(at(X)));
        assert_eq!(nat.mapped(NOW, at(X)), [moved]);
    }
}
