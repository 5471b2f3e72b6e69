//! Master keys, and how SDP writes them: RFC 4568 section 6.1.

use super::Profile;
use data_encoding::BASE64;
use std::fmt;
use zeroize::Zeroizing;

/// A master key with its salt and the suite that it is for. Its octets are wiped when it is dropped, and never shown
/// by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    profile: Profile,
    key: Zeroizing<Vec<u8>>,
    salt: Zeroizing<Vec<u8>>,
}

/// Why octets are no master key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Key or salt have another length than the suite asks for.
    #[error("{profile} wants a key of {} and a salt of {} octets, not {key} and {salt}", profile.key_len(), profile.salt_len())]
    Length {
        /// The suite.
        profile: Profile,
        /// Octets of key given.
        key: usize,
        /// Octets of salt given.
        salt: usize,
    },
    /// The text is no `inline:` key of RFC 4568 section 6.1.
    #[error("not of the form inline:BASE64")]
    Form,
}

impl MasterKey {
    /// A master key from its octets.
    ///
    /// # Errors
    /// [`KeyError::Length`].
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, KeyError> {
        if key.len() != profile.key_len() || salt.len() != profile.salt_len() {
            return Err(KeyError::Length { profile, key: key.len(), salt: salt.len() });
        }
        let (key, salt) = (Zeroizing::new(key.to_vec()), Zeroizing::new(salt.to_vec()));
        Ok(MasterKey { profile, key, salt })
    }

    /// Reads `inline:` and the base64 of key and salt; lifetime and MKI after a `|` are not taken.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_inline(profile: Profile, text: &str) -> Result<Self, KeyError> {
        let octets = text.strip_prefix("inline:").map(|base64| BASE64.decode(base64.trim().as_bytes()));
        let octets = Zeroizing::new(octets.and_then(Result::ok).ok_or(KeyError::Form)?);
        let (key, salt) = octets.split_at_checked(profile.key_len()).unwrap_or((&octets, &[]));
        MasterKey::new(profile, key, salt)
    }

    /// `inline:` and the base64 of key and salt. Whoever reads it can read the call.
    pub fn to_inline(&self) -> String {
        let octets = Zeroizing::new([&self.key[..], &self.salt[..]].concat());
        format!("inline:{}", BASE64.encode(&octets))
    }

    /// The value of an `a=crypto` attribute with this key, RFC 4568 section 9.1.
    pub fn to_crypto_attribute(&self, tag: u32) -> String {
        format!("{tag} {} {}", self.profile, self.to_inline())
    }

    /// The suite.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.salt
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.profile)
    }
}
