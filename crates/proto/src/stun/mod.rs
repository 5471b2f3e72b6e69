//! STUN: RFC 8489, and the cookie-less form of RFC 3489 that was common in 2010.
//!
//! One codec serves both, since they differ in the first four octets of the transaction id and in which attribute
//! carries an address. [`Message::parse`] reads, [`Builder`] writes, and [`Responder`] answers as a small server
//! does. Whoever sends checks ([`nat`](crate::nat)) gives the transaction ids and the keys.

pub mod attribute;
mod builder;
mod integrity;
mod parse;
mod responder;

pub use attribute::Attribute;
pub use builder::{Builder, binding_error, binding_success};
pub use integrity::{Fingerprint, Integrity};
pub use responder::{Answer, Responder, ResponderLimits};

use bytes::Bytes;
use std::net::SocketAddr;

/// The magic cookie, RFC 8489 section 5.
pub const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// The only method of this module: Binding.
pub const BINDING: u16 = 1;
/// Octets of the header, RFC 8489 section 5.
pub(crate) const HEADER: usize = 20;

/// Which of the two forms a message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// With the magic cookie: addresses go in XOR-MAPPED-ADDRESS.
    #[default]
    Rfc8489,
    /// Without it: addresses go in MAPPED-ADDRESS.
    Rfc3489,
}

/// Everything behind the length: the magic cookie and 96 bits, or 128 bits (RFC 3489 section 11.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(pub [u8; 16]);

impl TransactionId {
    /// A random one of the dialect.
    pub fn random(dialect: Dialect, rng: &mut (impl rand_core::RngCore + ?Sized)) -> Self {
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        match (dialect, id.first_chunk_mut::<4>()) {
            (Dialect::Rfc8489, Some(first)) => *first = COOKIE,
            // One that looks like the cookie would be read as the other dialect.
            (Dialect::Rfc3489, Some(first)) if *first == COOKIE => *first = [0; 4],
            _ => {}
        }
        TransactionId(id)
    }

    /// The dialect that it belongs to.
    pub fn dialect(&self) -> Dialect {
        if self.0.starts_with(&COOKIE) { Dialect::Rfc8489 } else { Dialect::Rfc3489 }
    }
}

/// The class of a message, RFC 8489 section 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Asks for a response.
    Request,
    /// Asks for nothing.
    Indication,
    /// Answers a request.
    Success,
    /// Refuses one.
    Error,
}

/// Why a datagram is no STUN message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StunError {
    /// Shorter than a header, or than the header says.
    #[error("{octets} octets, where {wanted} are announced")]
    Short {
        /// The octets that there are.
        octets: usize,
        /// The octets that there should be.
        wanted: usize,
    },
    /// The two top bits are not zero, or the length is no multiple of 4.
    #[error("no STUN header")]
    Header,
    /// An attribute reaches beyond the end.
    #[error("attribute {kind:#06x} is cut off")]
    Attribute {
        /// Its type.
        kind: u16,
    },
    /// More attributes than are read.
    #[error("more than {0} attributes")]
    Limit(usize),
}

/// A message that was read. Values stay as they came until they are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Request, indication or response.
    pub class: Class,
    /// The method, 1 for Binding.
    pub method: u16,
    /// Its transaction.
    pub transaction: TransactionId,
    attributes: Vec<Attribute>,
    /// The whole message, for integrity and fingerprint.
    octets: Bytes,
}

impl Message {
    /// Which form it has.
    pub fn dialect(&self) -> Dialect {
        self.transaction.dialect()
    }

    /// Whether it is a Binding request.
    pub fn is_binding_request(&self) -> bool {
        self.class == Class::Request && self.method == BINDING
    }

    /// The value of the first attribute of a type that stands before MESSAGE-INTEGRITY: what comes after it is not
    /// protected (RFC 8489 section 14.5).
    pub fn get(&self, kind: u16) -> Option<&[u8]> {
        let found = self.attributes.iter().find(|a| a.kind == kind && !a.trailing)?;
        self.octets.get(found.start..found.end)
    }

    /// Where the sender of the request was seen: XOR-MAPPED-ADDRESS (its number before RFC 5389 too), else
    /// MAPPED-ADDRESS.
    pub fn mapped_address(&self) -> Option<SocketAddr> {
        let xored = [attribute::XOR_MAPPED_ADDRESS, attribute::XOR_MAPPED_ADDRESS_OLD];
        let mut xored = xored.into_iter().filter_map(|kind| self.get(kind));
        xored
            .find_map(|value| attribute::xor_address(value, &self.transaction))
            .or_else(|| attribute::address(self.get(attribute::MAPPED_ADDRESS)?))
    }

    /// The server's other address: OTHER-ADDRESS (RFC 5780 section 7.4), CHANGED-ADDRESS in RFC 3489.
    pub fn other_address(&self) -> Option<SocketAddr> {
        let value = self.get(attribute::OTHER_ADDRESS).or_else(|| self.get(attribute::CHANGED_ADDRESS));
        attribute::address(value?)
    }

    /// Where a response came from: RESPONSE-ORIGIN (RFC 5780 section 7.3), SOURCE-ADDRESS in RFC 3489.
    pub fn response_origin(&self) -> Option<SocketAddr> {
        let value = self.get(attribute::RESPONSE_ORIGIN).or_else(|| self.get(attribute::SOURCE_ADDRESS));
        attribute::address(value?)
    }

    /// USERNAME.
    pub fn username(&self) -> Option<&[u8]> {
        self.get(attribute::USERNAME)
    }

    /// SOFTWARE, as text.
    pub fn software(&self) -> Option<String> {
        self.get(attribute::SOFTWARE).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The code of an error response, 300 to 699 (RFC 8489 section 14.8).
    pub fn error_code(&self) -> Option<u16> {
        let &[_, _, class, number, ..] = self.get(attribute::ERROR_CODE)? else { return None };
        let code = u16::from(class & 7) * 100 + u16::from(number);
        (300..700).contains(&code).then_some(code)
    }

    /// PRIORITY (RFC 8445 section 16.1).
    pub fn priority(&self) -> Option<u32> {
        Some(u32::from_be_bytes(self.get(attribute::PRIORITY)?.try_into().ok()?))
    }

    /// Whether USE-CANDIDATE is there (RFC 8445 section 16.1).
    pub fn use_candidate(&self) -> bool {
        self.get(attribute::USE_CANDIDATE).is_some()
    }

    /// The types below 0x8000 that this codec does not know: a request with one of them is answered with 420
    /// (RFC 8489 section 6.3.1). RFC 3489 draws the line at 0x7fff too.
    pub fn unknown_required(&self) -> Vec<u16> {
        let unknown = |a: &&Attribute| a.kind < 0x8000 && !a.trailing && !attribute::is_known(a.kind);
        self.attributes.iter().filter(unknown).map(|a| a.kind).take(16).collect()
    }
}

#[cfg(test)]
mod tests;
