//! Reading. RFC 8489 section 5 and 14.

use super::attribute::{Attribute, FINGERPRINT, MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256};
use super::{Class, HEADER, Message, StunError, TransactionId};
use bytes::Bytes;

/// The most attributes that are read: more than any message of the RFCs has.
const MAX_ATTRIBUTES: usize = 32;

impl Message {
    /// Reads a datagram. Octets behind the length that the header gives are an error: a datagram holds one message.
    ///
    /// # Errors
    /// [`StunError`] says what is wrong.
    pub fn parse(data: &[u8]) -> Result<Message, StunError> {
        let short = |wanted| StunError::Short { octets: data.len(), wanted };
        let (header, _) = data.split_first_chunk::<HEADER>().ok_or(short(HEADER))?;
        let [t0, t1, l0, l1, transaction @ ..] = *header;
        let kind = u16::from_be_bytes([t0, t1]);
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if kind & 0xc000 != 0 || !length.is_multiple_of(4) {
            return Err(StunError::Header);
        }
        if data.len() != HEADER + length {
            return Err(short(HEADER + length));
        }
        Ok(Message {
            class: class(kind),
            method: method(kind),
            transaction: TransactionId(transaction),
            attributes: attributes(data)?,
            octets: Bytes::copy_from_slice(data),
        })
    }
}

fn attributes(data: &[u8]) -> Result<Vec<Attribute>, StunError> {
    let mut found: Vec<Attribute> = Vec::new();
    let (mut at, mut signed) = (HEADER, false);
    while let Some(&[k0, k1, l0, l1]) = data.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        let kind = u16::from_be_bytes([k0, k1]);
        let (start, length) = (at + 4, usize::from(u16::from_be_bytes([l0, l1])));
        let end = start + length;
        // RFC 3489 knows no padding, and its values are multiples of 4.
        at = end.next_multiple_of(4);
        if at > data.len() {
            return Err(StunError::Attribute { kind });
        }
        if found.len() >= MAX_ATTRIBUTES {
            return Err(StunError::Limit(MAX_ATTRIBUTES));
        }
        let closing = matches!(kind, FINGERPRINT | MESSAGE_INTEGRITY_SHA256);
        found.push(Attribute { kind, start, end, trailing: signed && !closing });
        signed |= matches!(kind, MESSAGE_INTEGRITY | MESSAGE_INTEGRITY_SHA256);
    }
    Ok(found)
}

/// The class bits are spread over the type: RFC 8489 figure 3.
fn class(kind: u16) -> Class {
    match (kind >> 7 & 2) | (kind >> 4 & 1) {
        0 => Class::Request,
        1 => Class::Indication,
        2 => Class::Success,
        _ => Class::Error,
    }
}

fn method(kind: u16) -> u16 {
    (kind & 0x000f) | (kind >> 1 & 0x0070) | (kind >> 2 & 0x0f80)
}

/// The type of a message, from class and method.
pub(super) fn kind(class: Class, method: u16) -> u16 {
    let bits = match class {
        Class::Request => 0,
        Class::Indication => 0x0010,
        Class::Success => 0x0100,
        Class::Error => 0x0110,
    };
    (method & 0x000f) | (method & 0x0070) << 1 | (method & 0x0f80) << 2 | bits
}
