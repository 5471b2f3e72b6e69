//! A lasting identity: an Ed25519 key (RFC 8032) and how it is kept as text.

use super::Fingerprint;
use data_encoding::BASE64;
use ed25519_dalek::{Signer, SigningKey};
use rand_core::RngCore;
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

const LABEL: &str = "visavis-ed25519";

/// A signing key. It is wiped when dropped, and not shown by `Debug`.
#[derive(Clone)]
pub struct Identity(SigningKey);

/// A text that is no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an identity: one line, {LABEL} and 32 octets in base64")]
pub struct IdentityError;

impl Identity {
    /// A new one.
    pub fn generate(rng: &mut (impl RngCore + ?Sized)) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        Identity(SigningKey::from_bytes(&seed))
    }

    /// The public key.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// The fingerprint of the public key.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.public())
    }

    /// The line to keep it as. Whoever reads it can pose as this side.
    pub fn to_line(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{LABEL} {}\n", BASE64.encode(self.0.as_bytes())))
    }

    #[cfg(test)]
    pub(super) fn secret(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let text = line.trim().strip_prefix(LABEL).ok_or(IdentityError)?;
        let octets = Zeroizing::new(BASE64.decode(text.trim().as_bytes()).map_err(|_| IdentityError)?);
        let seed = Zeroizing::new(<[u8; 32]>::try_from(octets.as_slice()).map_err(|_| IdentityError)?);
        Ok(Identity(SigningKey::from_bytes(&seed)))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.fingerprint())
    }
}
