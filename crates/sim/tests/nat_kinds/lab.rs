//! A client behind a NAT, STUN servers on the outside, and the line between them, on a virtual clock.

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use visavis_proto::Time;
use visavis_proto::nat::{Classification, Classifier, ClassifierConfig};
use visavis_proto::stun::{Builder, Class, Dialect, Message, TransactionId, attribute};
use visavis_sim::{Middlebox, Nat, NatProfile, Packet};

/// Where the client is.
pub(crate) const CLIENT: &str = "10.0.0.2:16402";
/// The addresses of the first server.
pub(crate) const FIRST: &str = "198.51.100.1:3478";
pub(crate) const SECOND: &str = "198.51.100.2:3479";
/// Servers of one address.
pub(crate) const PLAIN: [&str; 2] = ["192.0.2.1:3478", "192.0.2.99:5000"];
/// The NAT.
pub(crate) const OUTSIDE: &str = "203.0.113.1";

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// All of RFC 5780 section 6, on two addresses and two ports.
    Full,
    /// Names its second address and answers from the first whatever it is asked (RFC 5780 section 6.1 forbids it).
    Ignoring,
    /// Names its second address and refuses CHANGE-REQUEST.
    Refusing,
    /// Names its second address wrongly, as one behind a translation of its own may.
    Misnaming,
    /// Binding and no more, on its one address.
    Plain,
    /// Says that we are at an address that it picks.
    Lying(&'static str),
    /// Names somebody else as its second address.
    Pointing(&'static str),
}

/// The world.
pub(crate) struct Lab {
    /// What stands before the client.
    pub(crate) front: Option<Box<dyn Middlebox>>,
    pub(crate) servers: BTreeMap<SocketAddr, Manner>,
    pub(crate) delay: Duration,
    /// Of 100 datagrams on the outside, how many are lost.
    pub(crate) loss: u32,
    pub(crate) dialect: Dialect,
    /// What the client sent, and where to, in its order.
    pub(crate) sent: Vec<(Time, SocketAddr)>,
    rng: ChaCha20Rng,
    line: Vec<(Time, Packet)>,
}

pub(crate) fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

impl Lab {
    /// Behind a NAT, or behind nothing.
    pub(crate) fn new(profile: Option<NatProfile>, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut nat_seed = [0; 32];
        rng.fill_bytes(&mut nat_seed);
        let front = profile.map(|profile| -> Box<dyn Middlebox> {
            Box::new(Nat::new(OUTSIDE.parse().unwrap(), profile, nat_seed))
        });
        Lab {
            front,
            servers: BTreeMap::from([(at(FIRST), Manner::Full)]),
            delay: Duration::from_millis(40),
            loss: 0,
            dialect: Dialect::Rfc8489,
            sent: Vec::new(),
            rng,
            line: Vec::new(),
        }
    }

    pub(crate) fn serving(mut self, servers: &[(&str, Manner)]) -> Self {
        self.servers = servers.iter().map(|(address, manner)| (at(address), *manner)).collect();
        self
    }

    /// Asks these servers, and gives the result and the time that it took.
    pub(crate) fn classify(&mut self, servers: &[&str]) -> (Classification, Duration) {
        let config = ClassifierConfig { dialect: self.dialect, ..ClassifierConfig::default() };
        let servers: Vec<SocketAddr> = servers.iter().map(|s| at(s)).collect();
        let mut now = Time::ZERO;
        let mut classifier = Classifier::new(now, config, &[at(CLIENT)], &servers, &mut self.rng);
        loop {
            while let Some((to, data)) = classifier.poll(now) {
                self.sent.push((now, to));
                self.out(now, Packet { src: at(CLIENT), dst: to, data });
            }
            if let Some(result) = classifier.result() {
                assert_eq!(classifier.next_timeout(), None);
                return (result.clone(), now - Time::ZERO);
            }
            let timeout = classifier.next_timeout().expect("it waits for something");
            assert!(timeout > now, "it would spin");
            let first =
                self.line.iter().enumerate().min_by_key(|(_, (at, _))| *at).map(|(n, (at, _))| (n, *at));
            match first.filter(|(_, at)| *at <= timeout) {
                Some((n, arrival)) => {
                    now = arrival;
                    let (_, packet) = self.line.remove(n);
                    if let Some(packet) = self.arrive(now, packet) {
                        let message = Message::parse(&packet.data).unwrap();
                        assert!(classifier.handle(now, &message, packet.src));
                    }
                }
                None => now = timeout,
            }
        }
    }

    /// From the client to the outside.
    fn out(&mut self, now: Time, packet: Packet) {
        let passed = match &mut self.front {
            Some(front) => front.outbound(now, packet),
            None => Some(packet),
        };
        self.line.extend(passed.map(|packet| (now + self.delay, packet)));
    }

    /// On the outside: what reaches a server is answered; what reaches the client comes back.
    fn arrive(&mut self, now: Time, packet: Packet) -> Option<Packet> {
        if self.rng.next_u32() % 100 < self.loss {
            return None;
        }
        match &mut self.front {
            Some(front) if front.addresses().contains(&packet.dst.ip()) => front.inbound(now, packet),
            _ if packet.dst == at(CLIENT) => Some(packet),
            _ => {
                let answer = self.answer(&packet);
                self.line.extend(answer.map(|packet| (now + self.delay, packet)));
                None
            }
        }
    }

    fn answer(&self, packet: &Packet) -> Option<Packet> {
        let request = Message::parse(&packet.data).unwrap();
        assert_eq!(request.class, Class::Request);
        let (home, manner) = self.servers.iter().find_map(|(home, manner)| {
            let has_two = !matches!(manner, Manner::Plain | Manner::Lying(_));
            let ends = [home.ip(), at(SECOND).ip()]
                .map(|ip| [home.port(), at(SECOND).port()].map(|port| (ip, port)));
            let is_served = ends.concat().contains(&(packet.dst.ip(), packet.dst.port()));
            (*home == packet.dst || has_two && is_served).then_some((*home, *manner))
        })?;
        let change = request.get(attribute::CHANGE_REQUEST).map_or(0, |value| value[3]);
        let opposite = |this: SocketAddr| {
            let ip = if this.ip() == home.ip() { at(SECOND).ip() } else { home.ip() };
            let port = if this.port() == home.port() { at(SECOND).port() } else { home.port() };
            SocketAddr::new(ip, port)
        };
        let mut src = packet.dst;
        if !matches!(manner, Manner::Ignoring) {
            // The flags of RFC 5780 section 7.2: change IP is 4, change port 2.
            src.set_ip(if change & 4 == 0 { src.ip() } else { opposite(src).ip() });
            src.set_port(if change & 2 == 0 { src.port() } else { opposite(src).port() });
        }
        let refuses = matches!(manner, Manner::Refusing | Manner::Plain | Manner::Lying(_)) && change != 0;
        let data = if refuses {
            src = packet.dst;
            Builder::binding(Class::Error, request.transaction).error(420, "Unknown Attribute").finish(None)
        } else {
            let seen = if let Manner::Lying(seen) = manner { at(seen) } else { packet.src };
            success(request.transaction, seen, other(manner, opposite(packet.dst)))
        };
        Some(Packet { src, dst: packet.src, data })
    }
}

/// What a server names as its other address.
fn other(manner: Manner, truly: SocketAddr) -> Option<SocketAddr> {
    match manner {
        Manner::Plain | Manner::Lying(_) => None,
        Manner::Misnaming => Some(at("172.16.0.2:3479")),
        Manner::Pointing(to) => Some(at(to)),
        Manner::Full | Manner::Ignoring | Manner::Refusing => Some(truly),
    }
}

fn success(transaction: TransactionId, seen: SocketAddr, other: Option<SocketAddr>) -> Bytes {
    let kind = match transaction.dialect() {
        Dialect::Rfc8489 => attribute::OTHER_ADDRESS,
        Dialect::Rfc3489 => attribute::CHANGED_ADDRESS,
    };
    let response = Builder::binding(Class::Success, transaction).mapped_address(seen);
    match other {
        Some(other) => response.address(kind, other).finish(None),
        None => response.finish(None),
    }
}
