//! What makes two messages belong to one transaction, folded into 128 bits.
//!
//! Comparing the fields of RFC 3261 section 17.2.3 one by one would mean to keep them; instead their SipHash
//! under a secret of this agent is kept. With the secret unknown nobody can make two messages collide on
//! purpose, and by chance 40,000 transactions collide with a probability below 2^-90.

use rand_core::RngCore;
use std::hash::{DefaultHasher, Hasher};

/// The identity of a transaction, or of anything else that is looked up by a few fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Identity(u64, u64);

impl Identity {
    /// A token that tells identities apart and says nothing about the secret, for the To tag of a stateless
    /// response: equal for equal requests (RFC 3261 section 8.2.7).
    pub(super) fn tag(self) -> String {
        format!("{:016x}", self.1)
    }
}

/// The secret.
#[derive(Clone, Debug)]
pub(super) struct Secret([DefaultHasher; 2]);

impl Secret {
    pub(super) fn new(rng: &mut impl RngCore) -> Self {
        let mut keyed = || {
            let mut hasher = DefaultHasher::new();
            let mut key = [0; 32];
            rng.fill_bytes(&mut key);
            hasher.write(&key);
            hasher
        };
        Secret([keyed(), keyed()])
    }

    /// Folds fields into an identity. Each field is written with its length, so no two lists of fields run
    /// together.
    pub(super) fn identity<'a>(&self, fields: impl IntoIterator<Item = &'a [u8]>) -> Identity {
        let [a, b] = &self.0;
        let (mut a, mut b) = (a.clone(), b.clone());
        for field in fields {
            for hasher in [&mut a, &mut b] {
                hasher.write_usize(field.len());
                hasher.write(field);
            }
        }
        Identity(a.finish(), b.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn fields_do_not_run_together_and_the_secret_counts() {
        let secret = Secret::new(&mut ChaCha20Rng::seed_from_u64(1));
        let other = Secret::new(&mut ChaCha20Rng::seed_from_u64(2));
        let id = |s: &Secret, fields: &[&'static str]| {
            s.identity(fields.iter().map(|f| f.as_bytes()).collect::<Vec<_>>())
        };
        assert_eq!(id(&secret, &["ab", "c"]), id(&secret, &["ab", "c"]));
        assert_ne!(id(&secret, &["ab", "c"]), id(&secret, &["a", "bc"]));
        assert_ne!(id(&secret, &["ab", ""]), id(&secret, &["ab"]));
        assert_ne!(id(&secret, &["ab", "c"]), id(&other, &["ab", "c"]));
    }
}
