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
#[path = "network_tests.rs"]
mod tests;
