//! What kind of NAT stands in front of us? RFC 5780 section 4, where a server has a second address; by the answers
//! of several servers otherwise.

mod judge;
mod trial;

use super::candidate::{canonical, objection};
use super::kind::{Behaviour, NatKind};
use crate::stun::{Dialect, Message, TransactionId};
use crate::time::Time;
use bytes::Bytes;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use trial::{Outcome, Question, Trial};

/// The most servers that are asked.
const SERVERS: usize = 8;
/// The trials besides one for each server: two of filtering, one of hairpinning, two of mapping.
const FURTHER: usize = 5;

/// How servers are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassifierConfig {
    /// The form of the requests.
    pub dialect: Dialect,
    /// The time to the first repetition of a request, which doubles with each up to one second, and the head start
    /// that each server has over the next (RFC 8489 section 6.2.1).
    pub rto: Duration,
    /// When a request counts as unanswered, however often it was sent.
    pub limit: Duration,
    /// The time between the first requests of two questions (RFC 5780 section 5: not more than ten in a second).
    pub pace: Duration,
}

impl Default for ClassifierConfig {
    fn default() -> Self {
        ClassifierConfig {
            dialect: Dialect::Rfc8489,
            rto: Duration::from_millis(500),
            limit: Duration::from_secs(5),
            pace: Duration::from_millis(110),
        }
    }
}

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classification {
    /// How mappings are chosen. By the answers of servers with one address each, a NAT that does not always take
    /// the same is put down as address and port-dependent, the worst that it can be.
    pub mapping: Behaviour,
    /// What is let in; not known without a server that can answer from another address.
    pub filtering: Behaviour,
    /// Whether what we send to our own mapped address comes back to the same socket; `None` without a NAT, and where
    /// silence may be due to the filter.
    pub hairpin: Option<bool>,
    /// Whether the mapped port is our own; `None` where nobody told.
    pub preserves_port: Option<bool>,
    /// Our addresses as the servers saw them, each once.
    pub mapped: Vec<SocketAddr>,
    /// All of it in one word. Without translation the word says what a firewall lets in. `Blocked` takes two servers
    /// that do not answer: one may be down.
    pub kind: NatKind,
    /// Who was asked and what came back, for people.
    pub how: String,
}

impl fmt::Display for Classification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: mapping {}, filtering {}", self.kind, self.mapping, self.filtering)?;
        let told = |told: Option<bool>, yes, no| told.map_or("", |is| if is { yes } else { no });
        f.write_str(told(self.preserves_port, ", keeps the port", ", changes the port"))?;
        f.write_str(told(self.hairpin, ", hairpins", ", does not hairpin"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Ask servers, until one has a second address.
    Servers,
    /// Nothing may have been sent to the second address yet (RFC 5780 section 4.4).
    Filtering,
    /// Ask at the second address.
    Mapping,
    Done,
}

/// Asks STUN servers from one socket about the NAT in front of it.
///
/// Take datagrams from [`Classifier::poll`] until there is none, hand in every STUN message with
/// [`Classifier::handle`], and poll again when [`Classifier::next_timeout`] is over. It takes as long as the answers
/// do; what a NAT filters, and what nobody answers, takes 5 seconds with the default settings.
///
/// The socket should be fresh, or should not have sent to these servers before: what was sent opens filters. A server
/// may name anybody as its second address or as our mapped one; who is named gets a dozen requests at most, and
/// addresses in 17.0.0.0/8 and those of no single host get none.
#[derive(Clone, Debug)]
pub struct Classifier {
    config: ClassifierConfig,
    locals: Vec<SocketAddr>,
    /// Those that are to be asked, and when the next of them is.
    servers: std::vec::IntoIter<SocketAddr>,
    next_server: Time,
    /// Those that are not, and why.
    refused: Vec<(SocketAddr, &'static str)>,
    /// One for each trial that there can be.
    ids: std::vec::IntoIter<TransactionId>,
    trials: Vec<Trial>,
    phase: Phase,
    /// The server with a second address, and that address.
    capable: Option<(SocketAddr, SocketAddr)>,
    result: Option<Classification>,
}

impl Classifier {
    /// Begins. `locals` are the addresses of the socket: those of all interfaces, where it is bound to a wildcard.
    /// The first 8 `servers` are asked, in this order.
    pub fn new(
        now: Time,
        config: ClassifierConfig,
        locals: &[SocketAddr],
        servers: &[SocketAddr],
        rng: &mut (impl rand_core::RngCore + ?Sized),
    ) -> Self {
        let locals: Vec<SocketAddr> = locals.iter().copied().map(canonical).collect();
        let (mut asked, mut refused) = (Vec::new(), Vec::new());
        for server in servers.iter().copied().map(canonical).take(SERVERS) {
            let has_family = locals.iter().any(|local| local.is_ipv4() == server.is_ipv4());
            match objection(server) {
                Some(why) => refused.push((server, why)),
                None if !has_family => {
                    refused.push((server, "is of an address family that we have no address of"))
                }
                None if asked.contains(&server) => {}
                None => asked.push(server),
            }
        }
        let ids: Vec<_> =
            (0..asked.len() + FURTHER).map(|_| TransactionId::random(config.dialect, rng)).collect();
        let mut classifier = Classifier {
            config,
            locals,
            servers: asked.into_iter(),
            next_server: now,
            refused,
            ids: ids.into_iter(),
            trials: Vec::new(),
            phase: Phase::Servers,
            capable: None,
            result: None,
        };
        classifier.advance(now);
        classifier
    }

    /// The result, once there is one.
    pub fn result(&self) -> Option<&Classification> {
        self.result.as_ref()
    }

    /// Takes a STUN message; `false` where it is none of this classifier's.
    pub fn handle(&mut self, now: Time, message: &Message, remote: SocketAddr) -> bool {
        let remote = canonical(remote);
        let Some(trial) = self.trials.iter_mut().find(|t| t.transaction == message.transaction) else {
            return false;
        };
        if !trial.is_pending() {
            return true;
        }
        trial.handle(message, remote);
        if trial.is_pending() {
            return true;
        }
        if self.phase == Phase::Servers {
            self.next_server = now;
            let other = message.other_address().map(canonical);
            if let (Outcome::Answered(_), Some(other)) = (trial.outcome, other.filter(|o| serves(*o, remote)))
            {
                self.capable = Some((remote, other));
                self.phase = Phase::Filtering;
                for other_server in self.trials.iter_mut().filter(|t| t.is_pending()) {
                    other_server.outcome = Outcome::Dropped;
                }
            }
        }
        self.advance(now);
        true
    }

    /// The next datagram to send, and where to.
    pub fn poll(&mut self, now: Time) -> Option<(SocketAddr, Bytes)> {
        self.advance(now);
        loop {
            let datagram = self.trials.iter_mut().find_map(|t| t.poll(now, self.config.rto));
            let known = self.trials.len();
            self.advance(now);
            if datagram.is_some() || self.trials.len() == known {
                return datagram;
            }
        }
    }

    /// When to poll again; `None` when there is a result.
    pub fn next_timeout(&self) -> Option<Time> {
        let has_servers = self.phase == Phase::Servers && self.servers.len() > 0;
        let pending = self.trials.iter().filter(|t| t.is_pending()).map(|t| t.next);
        pending.chain(has_servers.then_some(self.next_server)).min()
    }

    /// Asks the next server when it is time, and goes on to the next phase once nothing is pending.
    fn advance(&mut self, now: Time) {
        while self.result.is_none() {
            if self.phase == Phase::Servers && self.servers.len() > 0 {
                if now < self.next_server {
                    return;
                }
                if let Some(server) = self.servers.next() {
                    self.next_server = now + self.config.rto;
                    self.ask(now, Question::Mapped, server, server);
                }
                continue;
            }
            if self.trials.iter().any(Trial::is_pending) {
                return;
            }
            self.phase = match self.phase {
                Phase::Servers => Phase::Filtering,
                Phase::Filtering => {
                    self.ask_about_filtering(now);
                    Phase::Mapping
                }
                Phase::Mapping => {
                    self.ask_about_mapping(now);
                    Phase::Done
                }
                Phase::Done => {
                    self.result = Some(self.judge());
                    Phase::Done
                }
            };
        }
    }

    fn ask_about_filtering(&mut self, now: Time) {
        if let Some((server, other)) = self.capable.filter(|(_, other)| !self.has_asked(other.ip())) {
            self.ask(now, Question::OtherAddress, server, other);
            self.ask(now, Question::OtherPort, server, SocketAddr::new(server.ip(), other.port()));
        }
        if let Some(mapped) = self.translated().filter(|mapped| objection(*mapped).is_none()) {
            self.ask(now, Question::Hairpin, mapped, mapped);
        }
    }

    fn ask_about_mapping(&mut self, now: Time) {
        if let Some((server, other)) = self.capable.filter(|_| self.translated().is_some()) {
            for at in [SocketAddr::new(other.ip(), server.port()), other] {
                if !self.trials.iter().any(|t| t.to == at) {
                    self.ask(now, Question::Mapped, at, at);
                }
            }
        }
    }

    fn ask(&mut self, now: Time, question: Question, to: SocketAddr, from: SocketAddr) {
        let Some(transaction) = self.ids.next() else { return };
        let waiting = self.trials.iter().filter(|t| t.is_pending() && t.next >= now).count();
        let begins = now + self.config.pace * u32::try_from(waiting).unwrap_or(u32::MAX);
        let times = (begins, begins + self.config.limit);
        self.trials.push(Trial::new(question, (to, from), transaction, times));
    }

    fn has_asked(&self, ip: IpAddr) -> bool {
        self.trials.iter().any(|t| t.to.ip() == ip)
    }

    /// Our mapped address, where it is not one of our own.
    fn translated(&self) -> Option<SocketAddr> {
        self.seen().map(|(_, mapped)| mapped).find(|mapped| !self.locals.contains(mapped))
    }

    /// Who saw us where.
    fn seen(&self) -> impl Iterator<Item = (SocketAddr, SocketAddr)> {
        self.trials.iter().filter_map(|t| match (t.question, t.outcome) {
            (Question::Mapped, Outcome::Answered(Some(mapped))) => Some((t.to, canonical(mapped))),
            _ => None,
        })
    }
}

/// Whether what a server gives as its other address is one that questions can be asked of: both parts differ, and a
/// server can have it.
fn serves(other: SocketAddr, server: SocketAddr) -> bool {
    let leads_to_ourselves = other.ip().is_loopback() && !server.ip().is_loopback();
    other.is_ipv4() == server.is_ipv4()
        && other.ip() != server.ip()
        && other.port() != server.port()
        && !leads_to_ourselves
        && objection(other).is_none()
}
