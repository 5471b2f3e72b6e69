//! The secret that two tickets make.

use super::Ticket;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::ZeroizeOnDrop;

/// Sets this use of the nonces apart from every other.
const KEY_LABEL: &[u8] = b"visavis hole punching 1: key";
const NAME_LABEL: &[u8] = b"visavis hole punching 1: name";

/// The key of the checks between the holders of two tickets (RFC 8489 section 9.1: a short-term password).
#[derive(Clone, PartialEq, Eq, ZeroizeOnDrop)]
pub struct Key([u8; 32]);

impl Key {
    /// A key from its octets.
    pub fn new(octets: [u8; 32]) -> Self {
        Key(octets)
    }

    /// Its octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// The key that both sides derive: HMAC-SHA-256 over a label, keyed with both nonces in the order of their
/// octets. That is HKDF-Expand (RFC 5869 section 2.3) of one block; nonces are uniform, so nothing is to extract.
pub fn shared_key(own: &Ticket, peer: &Ticket) -> Key {
    let (first, second) =
        if own.nonce <= peer.nonce { (&own.nonce, &peer.nonce) } else { (&peer.nonce, &own.nonce) };
    let mut both = [0; 32];
    for (to, from) in both.iter_mut().zip(first.iter().chain(second)) {
        *to = *from;
    }
    Key(hmac(&both, &[KEY_LABEL, &[1]]))
}

/// The name that the holder of a nonce goes by in USERNAME: it tells nothing about the nonce.
pub fn name_of(nonce: &[u8; 16]) -> String {
    let hash = Sha256::new().chain_update(NAME_LABEL).chain_update(nonce).finalize();
    hash.iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// HMAC-SHA-256 of parts laid end to end.
pub(super) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // A key of any length is taken: `new_from_slice` fails for no HMAC.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nat::NatKind;

    fn ticket(nonce: u8) -> Ticket {
        Ticket {
            candidates: Vec::new(),
            nonce: [nonce; 16],
            expires: 0,
            nat: NatKind::Unknown,
            identity: None,
        }
    }

    #[test]
    fn both_sides_derive_one_key_and_any_other_ticket_another() {
        let (a, b, c) = (ticket(1), ticket(2), ticket(3));
        assert_eq!(shared_key(&a, &b), shared_key(&b, &a));
        assert_ne!(shared_key(&a, &b), shared_key(&a, &c));
        assert_ne!(shared_key(&a, &a), shared_key(&a, &b));
        assert_eq!(format!("{:?}", shared_key(&a, &b)), "Key(..)");
    }

    #[test]
    fn names_differ_and_show_no_nonce() {
        assert_ne!(name_of(&[1; 16]), name_of(&[2; 16]));
        assert_eq!(name_of(&[0xab; 16]).len(), 16);
        assert!(!name_of(&[0xab; 16]).contains("abab"));
    }
}
