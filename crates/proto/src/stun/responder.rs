//! Answers to Binding requests of anybody: what a STUN server does, at a bounded rate. RFC 8489 section 6.3,
//! RFC 3489 section 8.1.

use super::{Class, Message, attribute, binding_error, binding_success};
use crate::time::Time;
use bytes::Bytes;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How much is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponderLimits {
    /// Answers a second to everybody together.
    pub per_second: u32,
    /// Answers a second to one IP address. No more sources are noted than are answered.
    pub per_second_and_source: u32,
}

impl Default for ResponderLimits {
    fn default() -> Self {
        ResponderLimits { per_second: 500, per_second_and_source: 50 }
    }
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Send this back.
    Send(Bytes),
    /// It is no request, or of a method that this server does not know and that nobody may be told of.
    Stray,
    /// Too much was asked already.
    Limited,
}

/// A small STUN server without state about those who ask, but for the rate of its answers.
///
/// It never honours RESPONSE-ADDRESS or CHANGE-REQUEST: an answer goes to where its request came from, and is
/// smaller than 100 octets, so that it is of no use for hitting a third party.
#[derive(Debug, Default)]
pub struct Responder {
    limits: ResponderLimits,
    window: Option<Time>,
    answered: u32,
    pub(super) sources: HashMap<IpAddr, u32>,
}

impl Responder {
    /// A server with these limits.
    pub fn new(limits: ResponderLimits) -> Self {
        Responder { limits, ..Responder::default() }
    }

    /// Takes a message that came from `remote`.
    pub fn handle(&mut self, now: Time, message: &Message, remote: SocketAddr) -> Answer {
        if message.class != Class::Request {
            return Answer::Stray;
        }
        if !self.may_answer(now, remote.ip()) {
            return Answer::Limited;
        }
        let mut unknown = message.unknown_required();
        // RFC 5780 section 6.1: a server without another address says so, or the client would take its answer for
        // one from there. Clients of RFC 3489 also send the attribute to ask for nothing.
        if message.get(attribute::CHANGE_REQUEST).is_some_and(|flags| flags.iter().any(|octet| *octet != 0)) {
            unknown.push(attribute::CHANGE_REQUEST);
        }
        Answer::Send(if message.method != super::BINDING {
            binding_error(message, 400, "Bad Request", &[], None)
        } else if unknown.is_empty() {
            binding_success(message, remote, None)
        } else {
            binding_error(message, 420, "Unknown Attribute", &unknown, None)
        })
    }

    fn may_answer(&mut self, now: Time, source: IpAddr) -> bool {
        if self.window.is_none_or(|begun| now.since(begun) >= Duration::from_secs(1)) {
            self.window = Some(now);
            self.answered = 0;
            self.sources.clear();
        }
        // Before the source is noted: what is kept is as bounded as what is answered.
        if self.answered >= self.limits.per_second {
            return false;
        }
        let asked = self.sources.entry(source).or_default();
        if *asked >= self.limits.per_second_and_source {
            return false;
        }
        *asked += 1;
        self.answered += 1;
        true
    }
}
