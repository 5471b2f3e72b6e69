//! The four messages as octets.

use super::{Keys, Suite};
use sha2::{Digest, Sha256};

/// Octets of a proof: an Ed25519 signature and an HMAC-SHA256.
pub(super) const PROOF: usize = 64 + 32;
/// Begins messages 1 and 2: a name and the version.
const MAGIC: &[u8; 5] = b"VVSK\x01";
/// The most suites that a caller may list.
const MAX_SUITES: usize = 16;

/// Message 1: what the caller can do, and a promise of its keys.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) suites: Vec<u8>,
    pub(super) nonce: [u8; 16],
    pub(super) commitment: [u8; 32],
}

/// Message 2: what the callee chose, and its keys.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) suite: Suite,
    pub(super) keys: Keys,
}

impl Keys {
    pub(super) fn to_octets(self) -> Vec<u8> {
        [self.exchange, self.identity].concat()
    }

    fn from_octets(octets: &[u8]) -> Option<Keys> {
        let (exchange, rest) = octets.split_first_chunk()?;
        Some(Keys { exchange: *exchange, identity: rest.try_into().ok()? })
    }

    /// What the caller promises in message 1 and shows in message 3. Its nonce makes it another one in each call.
    pub(super) fn commitment(self, nonce: &[u8; 16]) -> [u8; 32] {
        let hash = Sha256::new_with_prefix(b"visavis ske lab 1 commitment");
        hash.chain_update(nonce).chain_update(self.to_octets()).finalize().into()
    }
}

pub(super) fn commit(suites: &[Suite], nonce: &[u8; 16], commitment: &[u8; 32]) -> Vec<u8> {
    let suites: Vec<u8> = suites.iter().take(MAX_SUITES).map(|suite| *suite as u8).collect();
    [&MAGIC[..], &[suites.len() as u8], &suites, nonce, commitment].concat()
}

pub(super) fn read_commit(octets: &[u8]) -> Option<Commit> {
    let (count, rest) = octets.strip_prefix(MAGIC)?.split_first()?;
    let count = usize::from(*count);
    let (suites, rest) = rest.split_at_checked(count).filter(|_| (1..=MAX_SUITES).contains(&count))?;
    let (nonce, rest) = rest.split_first_chunk()?;
    Some(Commit { suites: suites.to_vec(), nonce: *nonce, commitment: rest.try_into().ok()? })
}

pub(super) fn reply(suite: Suite, nonce: &[u8; 16], keys: Keys) -> Vec<u8> {
    [&MAGIC[..], &[suite as u8], nonce, &keys.to_octets()].concat()
}

pub(super) fn read_reply(octets: &[u8]) -> Option<Reply> {
    let (suite, rest) = octets.strip_prefix(MAGIC)?.split_first()?;
    // The nonce counts as part of the transcript.
    let (_, rest) = rest.split_first_chunk::<16>()?;
    Some(Reply { suite: Suite::of(*suite)?, keys: Keys::from_octets(rest)? })
}

pub(super) fn reveal(keys: Keys, proof: &[u8; PROOF]) -> Vec<u8> {
    [&keys.to_octets()[..], proof].concat()
}

pub(super) fn read_reveal(octets: &[u8]) -> Option<(Keys, [u8; PROOF])> {
    let (keys, proof) = octets.split_at_checked(64)?;
    Some((Keys::from_octets(keys)?, proof.try_into().ok()?))
}
