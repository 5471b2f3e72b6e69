//! The suites, by their names in SDP: RFC 4568 section 6.2, RFC 6188 section 4, RFC 7714 section 14.2.

use std::fmt;
use std::str::FromStr;

/// A cipher and an authentication, with the lengths of their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// AES-128 in counter mode, HMAC-SHA1 with 80 bits: RFC 3711's own.
    Aes128CmHmacSha1_80,
    /// The same with 32 bits for RTP (80 for RTCP).
    Aes128CmHmacSha1_32,
    /// AES-256 in counter mode, HMAC-SHA1 with 80 bits: RFC 6188.
    Aes256CmHmacSha1_80,
    /// AES-128-GCM: RFC 7714.
    AeadAes128Gcm,
    /// AES-256-GCM: RFC 7714.
    AeadAes256Gcm,
}

/// A suite that is not known here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no SRTP suite that is known here")]
pub struct UnknownProfile(pub String);

impl Profile {
    /// All of them, the usual one first.
    pub const ALL: [Profile; 5] = [
        Profile::Aes128CmHmacSha1_80,
        Profile::Aes128CmHmacSha1_32,
        Profile::Aes256CmHmacSha1_80,
        Profile::AeadAes128Gcm,
        Profile::AeadAes256Gcm,
    ];

    /// Its name in SDP.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Aes128CmHmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Profile::Aes128CmHmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Profile::Aes256CmHmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Profile::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Profile::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// Octets of the master key, and of the session keys for encryption.
    pub fn key_len(self) -> usize {
        match self {
            Profile::Aes256CmHmacSha1_80 | Profile::AeadAes256Gcm => 32,
            Profile::Aes128CmHmacSha1_80 | Profile::Aes128CmHmacSha1_32 | Profile::AeadAes128Gcm => 16,
        }
    }

    /// Octets of the master salt, and of the session salts.
    pub fn salt_len(self) -> usize {
        if self.is_aead() { 12 } else { 14 }
    }

    /// Octets that SRTP adds to an RTP packet.
    pub fn rtp_overhead(self) -> usize {
        match self {
            Profile::Aes128CmHmacSha1_80 | Profile::Aes256CmHmacSha1_80 => 10,
            Profile::Aes128CmHmacSha1_32 => 4,
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => 16,
        }
    }

    pub(super) fn is_aead(self) -> bool {
        matches!(self, Profile::AeadAes128Gcm | Profile::AeadAes256Gcm)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Profile::ALL.into_iter().find(|p| p.name() == name);
        found.ok_or_else(|| UnknownProfile(name.chars().take(40).collect()))
    }
}
