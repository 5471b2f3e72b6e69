//! Writing. RFC 8489 sections 5, 6.3.3 and 14.

use super::attribute::{
    CHANGE_REQUEST, ERROR_CODE, FINGERPRINT, MAPPED_ADDRESS, MESSAGE_INTEGRITY, PRIORITY, SOFTWARE,
    UNKNOWN_ATTRIBUTES, USE_CANDIDATE, USERNAME, XOR_MAPPED_ADDRESS, encode,
};
use super::{BINDING, Class, Dialect, HEADER, Message, TransactionId, integrity, parse};
use bytes::Bytes;
use std::net::SocketAddr;

/// A message that is being written: attributes in the order in which they are to stand, then [`Builder::finish`].
#[derive(Clone, Debug)]
pub struct Builder {
    octets: Vec<u8>,
    transaction: TransactionId,
}

impl Builder {
    /// A Binding message; the transaction id decides on its dialect.
    pub fn binding(class: Class, transaction: TransactionId) -> Self {
        let mut octets = Vec::with_capacity(128);
        octets.extend(parse::kind(class, BINDING).to_be_bytes());
        octets.extend([0, 0]);
        octets.extend(transaction.0);
        Builder { octets, transaction }
    }

    /// Any attribute. Values longer than 763 octets, the most that RFC 8489 gives any text, are cut.
    #[must_use]
    pub fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let value = value.get(..MAX_VALUE).unwrap_or(value);
        self.octets.extend(kind.to_be_bytes());
        self.octets.extend(u16::try_from(value.len()).unwrap_or_default().to_be_bytes());
        self.octets.extend(value);
        self.octets.resize(self.octets.len().next_multiple_of(4), 0);
        self
    }

    /// USERNAME.
    #[must_use]
    pub fn username(self, name: &[u8]) -> Self {
        self.attribute(USERNAME, name)
    }

    /// SOFTWARE.
    #[must_use]
    pub fn software(self, name: &str) -> Self {
        self.attribute(SOFTWARE, name.as_bytes())
    }

    /// PRIORITY.
    #[must_use]
    pub fn priority(self, priority: u32) -> Self {
        self.attribute(PRIORITY, &priority.to_be_bytes())
    }

    /// USE-CANDIDATE.
    #[must_use]
    pub fn use_candidate(self) -> Self {
        self.attribute(USE_CANDIDATE, &[])
    }

    /// CHANGE-REQUEST: answer from the other IP address, from the other port (RFC 5780 section 7.2).
    #[must_use]
    pub fn change_request(self, ip: bool, port: bool) -> Self {
        let flags = u8::from(ip) << 2 | u8::from(port) << 1;
        self.attribute(CHANGE_REQUEST, &[0, 0, 0, flags])
    }

    /// Where the peer was seen, in the form of the dialect.
    #[must_use]
    pub fn mapped_address(self, address: SocketAddr) -> Self {
        match self.transaction.dialect() {
            Dialect::Rfc8489 => {
                let value = encode(address, Some(&self.transaction));
                self.attribute(XOR_MAPPED_ADDRESS, &value)
            }
            Dialect::Rfc3489 => self.address(MAPPED_ADDRESS, address),
        }
    }

    /// An attribute that holds an address in the clear.
    #[must_use]
    pub fn address(self, kind: u16, address: SocketAddr) -> Self {
        self.attribute(kind, &encode(address, None))
    }

    /// ERROR-CODE.
    #[must_use]
    pub fn error(self, code: u16, reason: &str) -> Self {
        let class = u8::try_from(code / 100).unwrap_or_default() & 7;
        let number = u8::try_from(code % 100).unwrap_or_default();
        let value = [&[0, 0, class, number], reason.as_bytes()].concat();
        self.attribute(ERROR_CODE, &value)
    }

    /// The message, signed with a key where there is one (MESSAGE-INTEGRITY), and with FINGERPRINT in RFC 8489.
    pub fn finish(mut self, key: Option<&[u8]>) -> Bytes {
        if let Some(key) = key {
            let value = integrity::sign(self.transaction.dialect(), key, &self.octets);
            self = self.attribute(MESSAGE_INTEGRITY, &value);
        }
        if self.transaction.dialect() == Dialect::Rfc8489 {
            self.set_length(8);
            let crc = integrity::crc(&self.octets);
            self = self.attribute(FINGERPRINT, &crc.to_be_bytes());
        }
        self.set_length(0);
        self.octets.into()
    }

    /// Makes the header count what is there, and so many octets more.
    fn set_length(&mut self, more: usize) {
        let length = u16::try_from(self.octets.len() + more - HEADER).unwrap_or_default();
        if let Some(field) = self.octets.get_mut(2..4) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }
}

/// Says where a request was seen to come from, in its dialect; signed where the request was.
pub fn binding_success(to: &Message, seen: SocketAddr, key: Option<&[u8]>) -> Bytes {
    Builder::binding(Class::Success, to.transaction).mapped_address(seen).finish(key)
}

/// Refuses a request, in its dialect. `unknown`: the attributes that it should have done without (420).
pub fn binding_error(to: &Message, code: u16, reason: &str, unknown: &[u16], key: Option<&[u8]>) -> Bytes {
    let mut builder = Builder::binding(Class::Error, to.transaction).error(code, reason);
    if !unknown.is_empty() {
        let mut types = unknown.to_vec();
        if to.dialect() == Dialect::Rfc3489 && types.len() % 2 == 1 {
            // RFC 3489 section 11.2.10: an odd list repeats one type.
            types.extend(unknown.first());
        }
        let value: Vec<u8> = types.iter().flat_map(|kind| kind.to_be_bytes()).collect();
        builder = builder.attribute(UNKNOWN_ATTRIBUTES, &value);
    }
    builder.finish(key)
}

/// RFC 8489 section 14.8 and others: at most 763 octets of text.
const MAX_VALUE: usize = 763;
