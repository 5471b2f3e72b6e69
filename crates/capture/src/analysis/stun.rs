//! STUN by pairs of addresses: RFC 8489, and RFC 3489 without the magic cookie.

use crate::findings::StunFindings;
use crate::input::Datagram;
use std::collections::HashMap;
use std::net::SocketAddr;
use visavis_proto::Time;
use visavis_proto::stun::{BINDING, Class, Dialect, Message, TransactionId};

/// Requests whose answer is waited for, and round trips that are kept, for each pair.
const KEPT: usize = 1_024;

/// All STUN of a capture.
#[derive(Debug)]
pub(super) struct Stun {
    pairs: Vec<Pair>,
    /// By client, server and dialect.
    index: HashMap<(SocketAddr, SocketAddr, bool), usize>,
    most: usize,
    pub(super) left_out: u64,
}

#[derive(Debug)]
struct Pair {
    findings: StunFindings,
    asked: HashMap<TransactionId, Time>,
    round_trips: Vec<f64>,
}

impl Stun {
    pub(super) fn new(most: usize) -> Self {
        Stun { pairs: Vec::new(), index: HashMap::new(), most, left_out: 0 }
    }

    /// Takes a datagram that has the form of STUN; whether it is a Binding.
    pub(super) fn push(&mut self, datagram: &Datagram<'_>) -> bool {
        let Ok(message) = Message::parse(datagram.data) else { return false };
        if message.method != BINDING || message.class == Class::Indication {
            return message.method == BINDING;
        }
        let (client, server) = match message.class {
            Class::Request => (datagram.source, datagram.destination),
            _ => (datagram.destination, datagram.source),
        };
        let cookie = message.dialect() == Dialect::Rfc8489;
        let Some(pair) = self.pair(client, server, cookie) else { return true };
        pair.take(datagram.time, &message);
        true
    }

    fn pair(&mut self, client: SocketAddr, server: SocketAddr, cookie: bool) -> Option<&mut Pair> {
        let next = self.pairs.len();
        let full = next >= self.most;
        match self.index.entry((client, server, cookie)) {
            std::collections::hash_map::Entry::Occupied(entry) => self.pairs.get_mut(*entry.get()),
            std::collections::hash_map::Entry::Vacant(_) if full => {
                self.left_out += 1;
                None
            }
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(next);
                self.pairs.push(Pair {
                    findings: StunFindings {
                        client: Some(client),
                        server: Some(server),
                        cookie,
                        ..StunFindings::default()
                    },
                    asked: HashMap::new(),
                    round_trips: Vec::new(),
                });
                self.pairs.last_mut()
            }
        }
    }

    pub(super) fn finish(self) -> Vec<StunFindings> {
        self.pairs.into_iter().map(Pair::finish).collect()
    }
}

impl Pair {
    fn take(&mut self, time: Time, message: &Message) {
        let findings = &mut self.findings;
        findings.last = Some(time);
        match message.class {
            Class::Request => {
                findings.requests += 1;
                findings.first.get_or_insert(time);
                if self.asked.len() < KEPT {
                    // A repeated request counts from its first: whoever answered may have heard that one.
                    self.asked.entry(message.transaction).or_insert(time);
                }
                return;
            }
            Class::Success => {
                findings.successes += 1;
                findings.mapped = message.mapped_address().or(findings.mapped);
            }
            Class::Error => findings.errors += 1,
            Class::Indication => return,
        }
        if let Some(asked) = self.asked.remove(&message.transaction)
            && self.round_trips.len() < KEPT
        {
            self.round_trips.push((time - asked).as_secs_f64() * 1_000.0);
        }
    }

    fn finish(mut self) -> StunFindings {
        self.findings.round_trip_ms = super::median(&mut self.round_trips);
        self.findings
    }
}
