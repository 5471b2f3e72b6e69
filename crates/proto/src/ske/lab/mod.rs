//! The lab's own exchange: authenticated Diffie-Hellman in the envelope of four messages. docs/ske-lab.md has it byte
//! by byte.
//!
//! The caller first commits to its keys (message 1), sees the callee's (2), reveals its own and signs (3), and the
//! callee signs (4). Because of the commitment nobody in the middle can try keys until the short authentication
//! strings of both sides are equal: each attempt costs a call (RFC 6189 section 4.4.1.1 has the idea).

mod callee;
mod caller;
mod wire;

use self::callee::Callee;
use self::caller::Caller;
use super::{Context, Fingerprint, Handler, Identity, KeyMaterial, Role, Scheme, Secrets};
use data_encoding::BASE32;
use ed25519_dalek::{Signature, VerifyingKey};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use rand_core::RngCore;
use sha2::{Digest, Sha256};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// The scheme: a lasting identity, and the one that the peer must have, where that is known.
#[derive(Clone, Debug)]
pub struct Lab {
    identity: Identity,
    pin: Option<Fingerprint>,
    suites: Vec<Suite>,
}

impl Lab {
    /// With this identity; a peer whose key does not fit `pin` is refused.
    pub fn new(identity: Identity, pin: Option<Fingerprint>) -> Self {
        Lab { identity, pin, suites: Suite::ALL.to_vec() }
    }

    /// The same with other SRTP suites, the preferred first.
    #[must_use]
    pub fn with_suites(mut self, suites: &[Suite]) -> Self {
        self.suites = suites.to_vec();
        self
    }
}

impl Scheme for Lab {
    fn name(&self) -> &'static str {
        "lab"
    }

    fn encrypts(&self) -> bool {
        true
    }

    fn start(&self, context: &Context, rng: &mut dyn RngCore) -> Box<dyn Handler> {
        let side = Side::new(self, context, rng);
        match context.role {
            Role::Caller => Box::new(Caller::new(side)),
            Role::Callee => Box::new(Callee::new(side)),
        }
    }
}

/// An SRTP suite by its number in this exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Suite {
    /// AES_CM_128_HMAC_SHA1_80, which every tool reads.
    Aes128CmHmacSha1_80 = 1,
    /// AES_256_CM_HMAC_SHA1_80.
    Aes256CmHmacSha1_80 = 2,
    /// AEAD_AES_128_GCM.
    AeadAes128Gcm = 3,
    /// AEAD_AES_256_GCM.
    AeadAes256Gcm = 4,
}

impl Suite {
    /// All of them, in the order of preference.
    pub const ALL: [Suite; 4] =
        [Suite::Aes128CmHmacSha1_80, Suite::Aes256CmHmacSha1_80, Suite::AeadAes128Gcm, Suite::AeadAes256Gcm];

    fn of(number: u8) -> Option<Suite> {
        Suite::ALL.into_iter().find(|suite| *suite as u8 == number)
    }

    /// Its name in SDP, and the octets of its master key and salt.
    fn parameters(self) -> (&'static str, usize, usize) {
        match self {
            Suite::Aes128CmHmacSha1_80 => ("AES_CM_128_HMAC_SHA1_80", 16, 14),
            Suite::Aes256CmHmacSha1_80 => ("AES_256_CM_HMAC_SHA1_80", 32, 14),
            Suite::AeadAes128Gcm => ("AEAD_AES_128_GCM", 16, 12),
            Suite::AeadAes256Gcm => ("AEAD_AES_256_GCM", 32, 12),
        }
    }
}

/// What both roles have.
#[derive(Debug)]
struct Side {
    identity: Identity,
    pin: Option<Fingerprint>,
    suites: Vec<Suite>,
    nonce: [u8; 16],
    secret: Secret,
    /// Call-ID and tags, the caller's first.
    call: Vec<u8>,
}

/// An X25519 key of one call (RFC 7748).
struct Secret(StaticSecret);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// A peer's public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Keys {
    exchange: [u8; 32],
    identity: [u8; 32],
}

/// What comes out of the Diffie-Hellman.
struct Shared {
    hkdf: Hkdf<Sha256>,
    transcript: [u8; 32],
}

impl Side {
    fn new(lab: &Lab, context: &Context, rng: &mut dyn RngCore) -> Self {
        let (mut nonce, mut secret) = ([0; 16], Zeroizing::new([0; 32]));
        rng.fill_bytes(&mut nonce);
        rng.fill_bytes(secret.as_mut());
        let (caller, callee) = match context.role {
            Role::Caller => (&context.local_tag, &context.remote_tag),
            Role::Callee => (&context.remote_tag, &context.local_tag),
        };
        let mut call = Vec::new();
        for text in [&context.call_id, caller, callee] {
            call.extend((text.len() as u64).to_be_bytes());
            call.extend(text.as_bytes());
        }
        let (identity, pin, suites) = (lab.identity.clone(), lab.pin.clone(), lab.suites.clone());
        Side { identity, pin, suites, nonce, secret: Secret(StaticSecret::from(*secret)), call }
    }

    fn keys(&self) -> Keys {
        Keys { exchange: PublicKey::from(&self.secret.0).to_bytes(), identity: self.identity.public() }
    }

    /// Refuses a peer that is not the one that was expected, and names both.
    fn check_pin(&self, peer: &Keys) -> Result<(), String> {
        if peer.identity == self.identity.public() {
            return Err("the peer shows our own identity: a message of ours was sent back".into());
        }
        match &self.pin {
            Some(pin) if !pin.fits(&peer.identity) => Err(format!(
                "the peer is not the one that was expected, somebody may stand in the middle: its key is {}, and {pin} was \
                 to be",
                Fingerprint::of(&peer.identity)
            )),
            _ => Ok(()),
        }
    }

    /// Joins both sides' keys over everything that was said: messages 1 and 2, and the caller's keys of message 3.
    fn agree(&self, peer: &Keys, said: [&[u8]; 3]) -> Result<Shared, String> {
        let shared = self.secret.0.diffie_hellman(&PublicKey::from(peer.exchange));
        if !shared.was_contributory() {
            return Err("the peer's key is of low order".into());
        }
        let mut hash = Sha256::new_with_prefix(b"visavis ske lab 1 transcript");
        hash.update(&self.call);
        for part in said {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let transcript: [u8; 32] = hash.finalize().into();
        Ok(Shared { hkdf: Hkdf::new(Some(&transcript), shared.as_bytes()), transcript })
    }
}

impl Shared {
    fn expand(&self, label: &str, octets: usize) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(vec![0; octets]);
        let info = [b"visavis ske lab 1 ", label.as_bytes()].concat();
        // It fails for more than 8,160 octets only (RFC 5869 section 2.3).
        let expanded = self.hkdf.expand(&info, &mut out);
        debug_assert!(expanded.is_ok());
        out
    }

    /// What a role signs.
    fn statement(&self, role: Role) -> Vec<u8> {
        [label(role), &self.transcript[..]].concat()
    }

    /// Signs as a role, and shows that it has the shared key.
    fn proof(&self, identity: &Identity, role: Role) -> [u8; wire::PROOF] {
        let mut proof = [0; wire::PROOF];
        let signature = identity.sign(&self.statement(role));
        let tag = self.confirmation(role, &signature).map(|mac| mac.finalize().into_bytes());
        let octets = signature.into_iter().chain(tag.into_iter().flatten());
        proof.iter_mut().zip(octets).for_each(|(place, octet)| *place = octet);
        proof
    }

    /// Whether the peer signed as that role, with that identity and the same shared key.
    fn check_proof(&self, proof: &[u8; wire::PROOF], peer: &Keys, role: Role) -> Result<(), String> {
        let wrong = || "the peer's proof of its key is wrong: a message was changed on the way".to_owned();
        let (signature, tag) = proof.split_first_chunk::<64>().ok_or_else(wrong)?;
        let mac = self.confirmation(role, signature).ok_or_else(wrong)?;
        mac.verify_slice(tag).map_err(|_| wrong())?;
        let key = VerifyingKey::from_bytes(&peer.identity).map_err(|_| wrong())?;
        let signature = Signature::from_bytes(signature);
        key.verify_strict(&self.statement(role), &signature).map_err(|_| wrong())
    }

    fn confirmation(&self, role: Role, signature: &[u8]) -> Option<Hmac<Sha256>> {
        let name = match role {
            Role::Caller => "caller confirmation",
            Role::Callee => "callee confirmation",
        };
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.expand(name, 32)).ok()?;
        mac.update(signature);
        Some(mac)
    }

    /// The keys of a side.
    fn secrets(&self, side: &Side, peer: &Keys, role: Role, suite: Suite) -> Box<Secrets> {
        let (profile, key, salt) = suite.parameters();
        let material = |from: &str| KeyMaterial {
            key: self.expand(&format!("{from} key"), key),
            salt: self.expand(&format!("{from} salt"), salt),
        };
        let (caller, callee) = (material("caller"), material("callee"));
        let (send, receive) = match role {
            Role::Caller => (caller, callee),
            Role::Callee => (callee, caller),
        };
        Box::new(Secrets {
            profile,
            send,
            receive,
            local_fingerprint: side.identity.fingerprint().to_string(),
            remote_fingerprint: Fingerprint::of(&peer.identity).to_string(),
            short_authentication_string: self.short_authentication_string(),
        })
    }

    /// 30 bits in six letters and digits, with a dash in the middle.
    fn short_authentication_string(&self) -> String {
        let text = BASE32.encode(&self.expand("short authentication string", 5));
        let (first, rest) = text.split_at_checked(3).unwrap_or((&text, ""));
        format!("{first}-{}", rest.get(..3).unwrap_or_default())
    }
}

fn label(role: Role) -> &'static [u8] {
    match role {
        Role::Caller => b"visavis ske lab 1 caller signature",
        Role::Callee => b"visavis ske lab 1 callee signature",
    }
}

#[cfg(test)]
mod tests;
