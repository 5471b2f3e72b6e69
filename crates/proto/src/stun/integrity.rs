//! MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT. RFC 8489 sections 14.5 to 14.7, RFC 3489 section
//! 11.2.8.

use super::attribute::{Attribute, FINGERPRINT, MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256};
use super::{Dialect, HEADER, Message};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::Sha256;

/// What FINGERPRINT is masked with.
const FINGERPRINT_MASK: u32 = 0x5354_554e;
/// What RFC 3489 fills up with: to a multiple of 64 octets.
const ZEROS: [u8; 64] = [0; 64];

/// Whether a message is signed with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// It is not signed at all.
    Absent,
    /// It is, with this key; where it has both signatures, both fit.
    Valid,
    /// It is, but not with this key, or it was changed.
    Wrong,
}

/// Whether a message has its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fingerprint {
    /// It has none.
    Absent,
    /// It fits.
    Valid,
    /// It does not: this is no STUN message, or it was changed.
    Wrong,
}

impl Message {
    /// Checks its signatures with a key (of a short-term credential: the password; section 9.1.1).
    pub fn integrity(&self, key: &[u8]) -> Integrity {
        let sha1 = self.closing(MESSAGE_INTEGRITY).map(|a| self.is_signed::<Hmac<Sha1>>(a, key, 20..=20));
        // SHA-256 values may be cut to a multiple of 4, 16 octets at the least (section 14.6).
        let sha256 =
            self.closing(MESSAGE_INTEGRITY_SHA256).map(|a| self.is_signed::<Hmac<Sha256>>(a, key, 16..=32));
        match (sha1, sha256) {
            (None, None) => Integrity::Absent,
            (Some(false), _) | (_, Some(false)) => Integrity::Wrong,
            _ => Integrity::Valid,
        }
    }

    /// Checks its FINGERPRINT.
    pub fn fingerprint(&self) -> Fingerprint {
        let Some(attribute) = self.closing(FINGERPRINT) else { return Fingerprint::Absent };
        let value = self.octets.get(attribute.start..attribute.end);
        let is_last = attribute.end == self.octets.len();
        let covered = self.octets.get(..attribute.start - 4).unwrap_or_default();
        let right = crc(covered).to_be_bytes();
        if is_last && value == Some(&right[..]) { Fingerprint::Valid } else { Fingerprint::Wrong }
    }

    fn closing(&self, kind: u16) -> Option<Attribute> {
        self.attributes.iter().find(|a| a.kind == kind && !a.trailing).copied()
    }

    fn is_signed<M: Mac + hmac::digest::KeyInit>(
        &self,
        attribute: Attribute,
        key: &[u8],
        lengths: std::ops::RangeInclusive<usize>,
    ) -> bool {
        let Some(value) = self.octets.get(attribute.start..attribute.end) else { return false };
        if !lengths.contains(&value.len()) {
            return false;
        }
        let covered = self.octets.get(..attribute.start - 4).unwrap_or_default();
        let mac = mac::<M>(self.dialect(), key, covered, attribute.end.next_multiple_of(4));
        mac.is_some_and(|mac| mac.verify_truncated_left(value).is_ok())
    }
}

/// The keyed hash of `covered`, with a header that says that the message ends at `end`: behind the attribute that
/// the hash goes into. RFC 3489 fills up what it hashes with zeros.
fn mac<M: Mac + hmac::digest::KeyInit>(
    dialect: Dialect,
    key: &[u8],
    covered: &[u8],
    end: usize,
) -> Option<M> {
    let mut mac = <M as Mac>::new_from_slice(key).ok()?;
    let (kind, rest) = (covered.get(..2)?, covered.get(4..)?);
    mac.update(kind);
    mac.update(&u16::try_from(end.checked_sub(HEADER)?).ok()?.to_be_bytes());
    mac.update(rest);
    if dialect == Dialect::Rfc3489 {
        mac.update(ZEROS.get(..covered.len().next_multiple_of(ZEROS.len()) - covered.len())?);
    }
    Some(mac)
}

/// The value of MESSAGE-INTEGRITY for a message that ends before it.
pub(super) fn sign(dialect: Dialect, key: &[u8], covered: &[u8]) -> Vec<u8> {
    let mac = mac::<Hmac<Sha1>>(dialect, key, covered, covered.len() + 4 + 20);
    mac.map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default()
}

/// The value of FINGERPRINT for a message that ends before it, whose header counts it already.
pub(super) fn crc(covered: &[u8]) -> u32 {
    crc32fast::hash(covered) ^ FINGERPRINT_MASK
}
