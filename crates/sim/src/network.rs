//! Hosts joined by links: carries datagrams from address to address on a virtual clock.
//!
//! Each host has an access line of two [`Link`]s, up and down; between the lines lies a core that neither
//! delays nor loses. A host stands either on the outside or behind a [`Middlebox`] (a NAT, a firewall), which
//! itself may stand behind another one.
//!
//! ```text
//! host --up--> [middlebox] --> core --> [middlebox] --down--> host
//! ```

use crate::link::{DropReason, Link, LinkProfile, LinkStats, Outcome};
use bytes::Bytes;
use std::any::Any;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use visavis_proto::Time;

/// A host of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(usize);

/// A middlebox of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MiddleboxId(usize);

/// A datagram on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Where it says that it comes from.
    pub src: SocketAddr,
    /// Where it goes.
    pub dst: SocketAddr,
    /// Its payload.
    pub data: Bytes,
}

impl Packet {
    /// Octets on the line: the payload with its UDP (RFC 768) and IP header without options (20 octets of
    /// IPv4, RFC 791 section 3.1; 40 of IPv6, RFC 8200 section 3).
    pub fn line_octets(&self) -> usize {
        let ip = if self.dst.is_ipv4() { 20 } else { 40 };
        ip + 8 + self.data.len()
    }
}

/// The line that joins a host to the network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Access {
    /// From the host.
    pub up: LinkProfile,
    /// To the host.
    pub down: LinkProfile,
}

impl Access {
    /// The same in both directions.
    pub fn symmetric(profile: LinkProfile) -> Self {
        Access { up: profile.clone(), down: profile }
    }
}

/// A box that hosts stand behind: it sees what passes between them and the outside, and may rewrite or drop
/// it. What hosts behind it send to each other's own addresses does not reach it.
pub trait Middlebox: Any {
    /// Its addresses on the outside. Datagrams to them are handed to [`Middlebox::inbound`].
    fn addresses(&self) -> Vec<IpAddr>;

    /// A datagram from the inside on its way out; `None` drops it.
    fn outbound(&mut self, now: Time, packet: Packet) -> Option<Packet>;

    /// A datagram from the outside to one of its addresses; `None` drops it.
    fn inbound(&mut self, now: Time, packet: Packet) -> Option<Packet>;
}

/// Why a host or a middlebox could not be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkError {
    /// The address is taken on that side of that middlebox.
    AddressTaken(IpAddr),
}

impl std::fmt::Display for NetworkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NetworkError::AddressTaken(address) => write!(f, "the address {address} is taken"),
        }
    }
}

impl std::error::Error for NetworkError {}

/// A datagram that reached a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When.
    pub at: Time,
    /// The host.
    pub host: HostId,
    /// The datagram, as the host sees it.
    pub packet: Packet,
}

/// What a network has done so far, exactly:
/// `sent + duplicated = delivered + lost + queue_full + filtered + unroutable + in_flight`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkStats {
    /// Datagrams that hosts sent.
    pub sent: u64,
    /// Datagrams that links doubled.
    pub duplicated: u64,
    /// Datagrams that reached a host.
    pub delivered: u64,
    /// Datagrams that links lost.
    pub lost: u64,
    /// Datagrams that found a queue full.
    pub queue_full: u64,
    /// Datagrams that a middlebox dropped.
    pub filtered: u64,
    /// Datagrams to an address that nobody has, or that its host gave up while they were on their way.
    pub unroutable: u64,
    /// Datagrams on their way.
    pub in_flight: u64,
}

/// Hosts, middleboxes, and the datagrams between them.
pub struct Network {
    seed: [u8; 32],
    links: u64,
    hosts: Vec<Host>,
    middleboxes: Vec<Boxed>,
    /// Who has which address, on the outside (`None`) and behind each middlebox.
    routes: BTreeMap<(Option<MiddleboxId>, IpAddr), Owner>,
    flights: BTreeMap<(Time, u64), Flight>,
    sequence: u64,
    stats: NetworkStats,
}

struct Host {
    addresses: Vec<IpAddr>,
    realm: Option<MiddleboxId>,
    up: Link,
    down: Link,
}

/// A middlebox and where it stands.
struct Boxed {
    realm: Option<MiddleboxId>,
    middlebox: Box<dyn Middlebox>,
}

#[derive(Clone, Copy)]
enum Owner {
    Host(HostId),
    Middlebox(MiddleboxId),
}

/// A datagram on a link.
struct Flight {
    leg: Leg,
    packet: Packet,
}

#[derive(Clone, Copy)]
enum Leg {
    /// On the up link of this host.
    Up(HostId),
    /// On the down link of this host.
    Down(HostId),
}

/// Boxes that a datagram may pass before it is taken to run in circles.
const MOST_HOPS: usize = 16;

impl Network {
    /// An empty network. The seed decides all chances of all links.
    pub fn new(seed: [u8; 32]) -> Self {
        Network {
            seed,
            links: 0,
            hosts: Vec::new(),
            middleboxes: Vec::new(),
            routes: BTreeMap::new(),
            flights: BTreeMap::new(),
            sequence: 0,
            stats: NetworkStats::default(),
        }
    }

    /// Adds a host with these addresses, outside or behind a middlebox.
    pub fn add_host(
        &mut self,
        addresses: &[IpAddr],
        access: Access,
        behind: Option<MiddleboxId>,
    ) -> Result<HostId, NetworkError> {
        let id = HostId(self.hosts.len());
        self.claim(behind, addresses, Owner::Host(id))?;
        let (up, down) = (self.link(access.up), self.link(access.down));
        self.hosts.push(Host { addresses: addresses.to_vec(), realm: behind, up, down });
        Ok(id)
    }

    /// Adds a middlebox, outside or behind another one.
    pub fn add_middlebox(
        &mut self,
        middlebox: Box<dyn Middlebox>,
        behind: Option<MiddleboxId>,
    ) -> Result<MiddleboxId, NetworkError> {
        let id = MiddleboxId(self.middleboxes.len());
        self.claim(behind, &middlebox.addresses(), Owner::Middlebox(id))?;
        self.middleboxes.push(Boxed { realm: behind, middlebox });
        Ok(id)
    }

    /// Sends a datagram from a host.
    ///
    /// # Panics
    ///
    /// Where the host belongs to another network.
    pub fn send(&mut self, now: Time, from: HostId, packet: Packet) {
        self.stats.sent += 1;
        let outcome = self.hosts[from.0].up.send(now, packet.line_octets());
        self.schedule(Leg::Up(from), outcome, packet);
    }

    /// When the next datagram reaches the end of a link; `None` where none is on its way.
    pub fn next_event(&self) -> Option<Time> {
        self.flights.keys().next().map(|(at, _)| *at)
    }

    /// Moves on the next datagram that is due by `now`; `Some` where it has reached a host. Call again until
    /// [`Network::next_event`] lies after `now`.
    pub fn advance(&mut self, now: Time) -> Option<Arrival> {
        while self.next_event().is_some_and(|at| at <= now) {
            let ((at, _), Flight { leg, packet }) = self.flights.pop_first()?;
            match leg {
                Leg::Up(from) => self.route(at, from, packet),
                Leg::Down(host) if !self.hosts[host.0].addresses.contains(&packet.dst.ip()) => {
                    self.stats.unroutable += 1;
                }
                Leg::Down(host) => {
                    self.stats.delivered += 1;
                    return Some(Arrival { at, host, packet });
                }
            }
        }
        None
    }

    /// Changes the access line of a host, for what is sent from now on.
    ///
    /// # Panics
    ///
    /// Where the host belongs to another network.
    pub fn set_access(&mut self, host: HostId, access: Access) {
        let host = &mut self.hosts[host.0];
        host.up.set_profile(access.up);
        host.down.set_profile(access.down);
    }

    /// Gives a host other addresses in place of those that it has. What is on its way to the old ones is lost.
    ///
    /// # Panics
    ///
    /// Where the host belongs to another network.
    pub fn set_addresses(&mut self, host: HostId, addresses: &[IpAddr]) -> Result<(), NetworkError> {
        let realm = self.hosts[host.0].realm;
        let own = |owner: &Owner| matches!(owner, Owner::Host(id) if *id == host);
        let foreign = |a: &&IpAddr| self.routes.get(&(realm, **a)).is_some_and(|owner| !own(owner));
        if let Some(taken) = addresses.iter().find(foreign) {
            return Err(NetworkError::AddressTaken(*taken));
        }
        self.routes.retain(|_, owner| !own(owner));
        self.hosts[host.0].addresses = addresses.to_vec();
        self.claim(realm, addresses, Owner::Host(host))
    }

    /// A middlebox, to read its counters or to make it misbehave; `None` where it is not a `T`.
    ///
    /// # Panics
    ///
    /// Where the middlebox belongs to another network.
    pub fn middlebox<T: Middlebox>(&mut self, id: MiddleboxId) -> Option<&mut T> {
        let middlebox: &mut dyn Any = self.middleboxes[id.0].middlebox.as_mut();
        middlebox.downcast_mut()
    }

    /// What the up link and the down link of a host have done.
    ///
    /// # Panics
    ///
    /// Where the host belongs to another network.
    pub fn link_stats(&self, host: HostId) -> (LinkStats, LinkStats) {
        let host = &self.hosts[host.0];
        (host.up.stats(), host.down.stats())
    }

    /// What the network has done so far.
    pub fn stats(&self) -> NetworkStats {
        NetworkStats { in_flight: self.flights.len() as u64, ..self.stats }
    }

    /// Takes a datagram from the end of a host's up link to the start of the other host's down link.
    fn route(&mut self, now: Time, from: HostId, mut packet: Packet) {
        let mut realm = self.hosts[from.0].realm;
        for _ in 0..MOST_HOPS {
            let passed = match (self.routes.get(&(realm, packet.dst.ip())), realm) {
                (Some(Owner::Host(to)), _) => {
                    let to = *to;
                    let outcome = self.hosts[to.0].down.send(now, packet.line_octets());
                    return self.schedule(Leg::Down(to), outcome, packet);
                }
                (Some(Owner::Middlebox(id)), _) => {
                    realm = Some(*id);
                    self.middleboxes[id.0].middlebox.inbound(now, packet)
                }
                (None, Some(id)) => {
                    realm = self.middleboxes[id.0].realm;
                    self.middleboxes[id.0].middlebox.outbound(now, packet)
                }
                (None, None) => break,
            };
            let Some(passed) = passed else {
                self.stats.filtered += 1;
                return;
            };
            packet = passed;
        }
        self.stats.unroutable += 1;
    }

    fn schedule(&mut self, leg: Leg, outcome: Outcome, packet: Packet) {
        match outcome {
            Outcome::Dropped(DropReason::Lost) => self.stats.lost += 1,
            Outcome::Dropped(DropReason::QueueFull) => self.stats.queue_full += 1,
            Outcome::Arrives { copy, .. } => self.stats.duplicated += u64::from(copy.is_some()),
        }
        for at in outcome.arrivals() {
            self.flights.insert((at, self.sequence), Flight { leg, packet: packet.clone() });
            self.sequence += 1;
        }
    }

    fn claim(
        &mut self,
        realm: Option<MiddleboxId>,
        addresses: &[IpAddr],
        owner: Owner,
    ) -> Result<(), NetworkError> {
        if let Some(taken) = addresses.iter().find(|a| self.routes.contains_key(&(realm, **a))) {
            return Err(NetworkError::AddressTaken(*taken));
        }
        self.routes.extend(addresses.iter().map(|address| ((realm, *address), owner)));
        Ok(())
    }

    fn link(&mut self, profile: LinkProfile) -> Link {
        let stream = self.links;
        self.links += 1;
        Link::new(profile, self.seed, stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{Jitter, Loss, Rate, Reorder};
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn packet(src: &str, dst: &str, data: &[u8]) -> Packet {
        Packet { src: address(src), dst: address(dst), data: Bytes::copy_from_slice(data) }
    }

    fn drain(network: &mut Network) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        while let Some(at) = network.next_event() {
            arrivals.extend(network.advance(at));
        }
        arrivals
    }

    fn bad_line() -> Access {
        Access::symmetric(LinkProfile {
            loss: Loss::bursts(0.03, 2.0),
            delay: 20 * MS,
            jitter: Jitter::Uniform(10 * MS),
            reorder: Reorder { probability: 0.02, by: 15 * MS },
            duplicate: 0.02,
            rate: Some(Rate { bits_per_second: 500_000, queue: 100 * MS }),
        })
    }

    #[test]
    fn a_datagram_takes_the_time_of_both_lines() {
        let mut network = Network::new([0; 32]);
        let line = |ms| Access::symmetric(LinkProfile::delay(ms * MS));
        let a = network.add_host(&["10.0.0.1".parse().unwrap()], line(10), None).unwrap();
        let b = network.add_host(&["fd00::2".parse().unwrap()], line(5), None).unwrap();
        let sent = packet("10.0.0.1:5060", "[fd00::2]:5060", b"hello");
        network.send(Time::from_millis(1), a, sent.clone());
        assert_eq!(network.stats().in_flight, 1);
        assert_eq!(drain(&mut network), [Arrival { at: Time::from_millis(16), host: b, packet: sent }]);
        assert_eq!(network.stats().delivered, 1);
    }

    #[test]
    fn the_line_carries_the_headers_too() {
        assert_eq!(packet("10.0.0.1:1", "10.0.0.2:1", b"12345").line_octets(), 33);
        assert_eq!(packet("[fd00::1]:1", "[fd00::2]:1", b"12345").line_octets(), 53);
    }

    #[test]
    fn an_address_that_nobody_has_is_counted() {
        let mut network = Network::new([0; 32]);
        let a = network.add_host(&["10.0.0.1".parse().unwrap()], Access::default(), None).unwrap();
        network.send(Time::ZERO, a, packet("10.0.0.1:1", "10.0.0.9:1", b"x"));
        assert!(drain(&mut network).is_empty());
        assert_eq!(network.stats().unroutable, 1);
        assert_eq!(network.stats().in_flight, 0);
    }

    #[test]
    fn an_address_is_given_only_once() {
        let mut network = Network::new([0; 32]);
        let ip: IpAddr = "10.0.0.1".parse().unwrap();
        network.add_host(&[ip], Access::default(), None).unwrap();
        let second = network.add_host(&[ip], Access::default(), None);
        assert_eq!(second, Err(NetworkError::AddressTaken(ip)));
    }

    #[test]
    fn a_host_that_moves_loses_what_is_on_its_way_to_its_old_address() {
        let mut network = Network::new([0; 32]);
        let line = || Access::symmetric(LinkProfile::delay(10 * MS));
        let [old, new, taken]: [IpAddr; 3] =
            ["10.0.0.1", "10.0.0.2", "10.0.0.9"].map(|text| text.parse().unwrap());
        let a = network.add_host(&[old], line(), None).unwrap();
        let b = network.add_host(&[taken], line(), None).unwrap();
        network.send(Time::ZERO, b, packet("10.0.0.9:1", "10.0.0.1:1", b"on its last leg"));
        assert_eq!(network.advance(Time::from_millis(10)), None);
        network.send(Time::from_millis(10), b, packet("10.0.0.9:1", "10.0.0.1:1", b"on its first leg"));
        assert_eq!(network.set_addresses(a, &[taken]), Err(NetworkError::AddressTaken(taken)));
        network.set_addresses(a, &[new]).unwrap();
        assert!(drain(&mut network).is_empty());
        assert_eq!(network.stats().unroutable, 2);
        let after = packet("10.0.0.9:1", "10.0.0.2:1", b"after");
        network.send(Time::from_millis(30), b, after.clone());
        assert_eq!(drain(&mut network)[0].packet, after);
    }

    #[test]
    fn every_datagram_is_accounted_for_at_every_moment() {
        let mut network = Network::new([3; 32]);
        let a = network.add_host(&["10.0.0.1".parse().unwrap()], bad_line(), None).unwrap();
        let b = network.add_host(&["10.0.0.2".parse().unwrap()], bad_line(), None).unwrap();
        let mut arrived = 0;
        for i in 0..20_000u64 {
            let now = Time::from_millis(8 * i);
            while network.next_event().is_some_and(|at| at <= now) {
                arrived += u64::from(network.advance(now).is_some());
            }
            network.send(now, a, packet("10.0.0.1:1", "10.0.0.2:1", &[0; 600]));
            network.send(now, b, packet("10.0.0.2:1", "10.0.0.1:1", &[0; 300]));
            let s = network.stats();
            let ends = s.delivered + s.lost + s.queue_full + s.filtered + s.unroutable + s.in_flight;
            assert_eq!(s.sent + s.duplicated, ends);
            assert_eq!(s.delivered, arrived);
        }
        assert!(network.stats().in_flight > 0);
        drain(&mut network);
        let stats = network.stats();
        assert_eq!(stats.in_flight, 0);
        for count in [stats.lost, stats.queue_full, stats.duplicated, stats.delivered] {
            assert!(count > 100, "{stats:?}");
        }
        let links = [network.link_stats(a), network.link_stats(b)];
        let lost: u64 = links.iter().map(|(up, down)| up.lost + down.lost).sum();
        assert_eq!(stats.lost, lost);
    }

    #[test]
    fn equal_seeds_give_equal_networks() {
        let run = |seed: u8| {
            let mut network = Network::new([seed; 32]);
            let a = network.add_host(&["10.0.0.1".parse().unwrap()], bad_line(), None).unwrap();
            network.add_host(&["10.0.0.2".parse().unwrap()], bad_line(), None).unwrap();
            for i in 0..2000u64 {
                network.send(Time::from_millis(i), a, packet("10.0.0.1:1", "10.0.0.2:1", &i.to_be_bytes()));
            }
            drain(&mut network)
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    /// Gives each inside port the same port on its one outside address, and lets in what comes from where the
    /// inside has sent to.
    struct ToyNat {
        outside: IpAddr,
        inside: Vec<(SocketAddr, SocketAddr)>,
    }

    impl Middlebox for ToyNat {
        fn addresses(&self) -> Vec<IpAddr> {
            vec![self.outside]
        }

        fn outbound(&mut self, _now: Time, packet: Packet) -> Option<Packet> {
            self.inside.push((packet.src, packet.dst));
            Some(Packet { src: SocketAddr::new(self.outside, packet.src.port()), ..packet })
        }

        fn inbound(&mut self, _now: Time, packet: Packet) -> Option<Packet> {
            let known = |(src, dst): &&(SocketAddr, SocketAddr)| {
                src.port() == packet.dst.port() && *dst == packet.src
            };
            let dst = self.inside.iter().find(known)?.0;
            Some(Packet { dst, ..packet })
        }
    }

    #[test]
    fn a_middlebox_rewrites_what_passes_and_drops_what_it_does_not_know() {
        let mut network = Network::new([0; 32]);
        let nat = |outside: &str| ToyNat { outside: outside.parse().unwrap(), inside: Vec::new() };
        let outer = network.add_middlebox(Box::new(nat("203.0.113.1")), None).unwrap();
        let home = network.add_middlebox(Box::new(nat("100.64.0.7")), Some(outer)).unwrap();
        let lan: IpAddr = "192.168.0.2".parse().unwrap();
        let line = Access::default;
        let inside = network.add_host(&[lan], line(), Some(home)).unwrap();
        let mate = network.add_host(&["192.168.0.3".parse().unwrap()], line(), Some(home)).unwrap();
        let server = network.add_host(&["198.51.100.1".parse().unwrap()], line(), None).unwrap();

        network.send(Time::ZERO, server, packet("198.51.100.1:7", "203.0.113.1:9", b"too early"));
        network.send(Time::ZERO, inside, packet("192.168.0.2:9", "192.168.0.3:9", b"neighbour"));
        network.send(Time::ZERO, inside, packet("192.168.0.2:9", "198.51.100.1:7", b"out"));
        let arrivals = drain(&mut network);
        let seen: Vec<_> = arrivals.iter().map(|a| (a.host, a.packet.clone())).collect();
        assert_eq!(
            seen,
            [
                (mate, packet("192.168.0.2:9", "192.168.0.3:9", b"neighbour")),
                (server, packet("203.0.113.1:9", "198.51.100.1:7", b"out")),
            ]
        );
        assert_eq!(network.stats().filtered, 1);
        assert_eq!(network.middlebox::<ToyNat>(home).unwrap().inside.len(), 1);
        assert!(network.middlebox::<crate::Nat>(home).is_none());

        network.send(Time::ZERO, server, packet("198.51.100.1:7", "203.0.113.1:9", b"back"));
        let arrivals = drain(&mut network);
        assert_eq!(arrivals[0].host, inside);
        assert_eq!(arrivals[0].packet, packet("198.51.100.1:7", "192.168.0.2:9", b"back"));
    }
}
