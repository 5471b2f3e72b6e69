//! Fingerprints of identity keys: SHA-256, written as RFC 8122 section 5 writes them.

use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The first octets of the SHA-256 of a public key: all 32, or at least 8 of them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint(Vec<u8>);

/// Octets of a whole one.
const WHOLE: usize = 32;
/// Octets that a ticket carries; a shorter one could be met by trying keys.
const SHORT: usize = 8;

/// Why a text is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintError {
    /// Something that is no octet in hex.
    #[error("not octets in hex with colons between, such as 8F:03:...")]
    Form,
    /// Too few or too many octets.
    #[error("{0} octets; {SHORT} to {WHOLE} are wanted")]
    Length(usize),
}

impl Fingerprint {
    /// That of a public key.
    pub fn of(public: &[u8]) -> Self {
        Fingerprint(Sha256::digest(public).to_vec())
    }

    /// The octets that a ticket carries.
    pub fn short(&self) -> [u8; SHORT] {
        self.0.first_chunk().copied().unwrap_or_default()
    }

    /// Whether it is the fingerprint of this public key, as far as it goes.
    pub fn fits(&self, public: &[u8]) -> bool {
        self.0.len() >= SHORT && Sha256::digest(public).starts_with(&self.0)
    }
}

impl From<[u8; SHORT]> for Fingerprint {
    fn from(octets: [u8; SHORT]) -> Self {
        Fingerprint(octets.to_vec())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, octet) in self.0.iter().enumerate() {
            write!(f, "{}{octet:02X}", if n > 0 { ":" } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let octet = |text: &str| {
            let hex = text.len() == 2 && text.bytes().all(|b| b.is_ascii_hexdigit());
            hex.then(|| u8::from_str_radix(text, 16).ok()).flatten()
        };
        let octets: Option<Vec<u8>> = text.trim().split(':').map(octet).collect();
        let octets = octets.ok_or(FingerprintError::Form)?;
        match octets.len() {
            SHORT..=WHOLE => Ok(Fingerprint(octets)),
            length => Err(FingerprintError::Length(length)),
        }
    }
}
