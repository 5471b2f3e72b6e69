//! Credentials by an Ed25519 key (RFC 8032): the public key, and its signature over the challenge.

use super::{CHALLENGE_OCTETS, Credentials, Name};
use crate::ske::{Fingerprint, Identity};
use ed25519_dalek::{Signature, VerifyingKey};

/// Keeps these signatures apart from all others by the same key.
const LABEL: &[u8] = b"visavis rendezvous credentials 1";

/// What is signed. The name comes last, as it alone has no fixed length.
fn statement(verifier: &Name, challenge: &[u8; CHALLENGE_OCTETS]) -> Vec<u8> {
    [LABEL, challenge, verifier.as_str().as_bytes()].concat()
}

impl Credentials for Identity {
    /// The public key (32 octets) and the signature (64 octets).
    fn present(&self, verifier: &Name, challenge: &[u8; CHALLENGE_OCTETS]) -> Vec<u8> {
        [self.public().as_slice(), &self.sign(&statement(verifier, challenge))].concat()
    }

    fn verify(
        &self,
        verifier: &Name,
        challenge: &[u8; CHALLENGE_OCTETS],
        presented: &[u8],
    ) -> Option<Fingerprint> {
        let (public, signature) = presented.split_first_chunk::<32>()?;
        let key = VerifyingKey::from_bytes(public).ok()?;
        let signature = Signature::from_slice(signature).ok()?;
        key.verify_strict(&statement(verifier, challenge), &signature).ok()?;
        Some(Fingerprint::of(public))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn a_proof_holds_for_its_challenge_and_its_verifier_alone() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (ours, theirs) = (Identity::generate(&mut rng), Identity::generate(&mut rng));
        let (us, other) = ("us".parse().unwrap(), "other".parse().unwrap());
        let challenge = [7; CHALLENGE_OCTETS];
        let proof = theirs.present(&us, &challenge);
        assert_eq!(ours.verify(&us, &challenge, &proof), Some(theirs.fingerprint()));
        assert_eq!(ours.verify(&other, &challenge, &proof), None);
        assert_eq!(ours.verify(&us, &[8; CHALLENGE_OCTETS], &proof), None);
        assert_eq!(ours.verify(&us, &challenge, &[proof.as_slice(), &[0]].concat()), None);
        for length in 0..proof.len() {
            assert_eq!(ours.verify(&us, &challenge, &proof[..length]), None, "{length}");
        }
        for at in 0..proof.len() {
            let mut forged = proof.clone();
            forged[at] ^= 1;
            assert_eq!(ours.verify(&us, &challenge, &forged), None, "{at}");
        }
    }
}
