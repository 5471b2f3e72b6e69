//! One direction's session keys at work on RTP or RTCP.

use super::counter::Counter;
use super::derive::Labels;
use super::gcm::Gcm;
use super::{MasterKey, Profile, SrtpError};
use aes::{Aes128, Aes256};

/// The session keys for RTP, or those for RTCP, and what they do to packets.
pub(super) trait Cipher: Send + Sync {
    /// Protects an RTP packet whose header has `header` octets; `index` is ROC and sequence number.
    fn seal_rtp(&self, packet: &[u8], header: usize, ssrc: u32, index: u64) -> Result<Vec<u8>, SrtpError>;

    /// The RTP packet in an SRTP packet.
    fn open_rtp(&self, packet: &[u8], header: usize, ssrc: u32, index: u64) -> Result<Vec<u8>, SrtpError>;

    /// Protects a compound RTCP packet; `index` has 31 bits.
    fn seal_rtcp(&self, packet: &[u8], ssrc: u32, index: u32) -> Result<Vec<u8>, SrtpError>;

    /// The compound RTCP packet in an SRTCP packet.
    fn open_rtcp(&self, packet: &[u8], ssrc: u32) -> Result<Vec<u8>, SrtpError>;

    /// The index of an SRTCP packet.
    fn rtcp_index(&self, packet: &[u8]) -> Option<u32>;
}

/// The session keys of a master key, those for RTP first.
pub(super) fn session(master: &MasterKey) -> [Box<dyn Cipher>; 2] {
    [Labels::RTP, Labels::RTCP].map(|labels| -> Box<dyn Cipher> {
        match master.profile() {
            Profile::Aes128CmHmacSha1_80 | Profile::Aes128CmHmacSha1_32 => {
                Box::new(Counter::<Aes128>::new(master, labels))
            }
            Profile::Aes256CmHmacSha1_80 => Box::new(Counter::<Aes256>::new(master, labels)),
            Profile::AeadAes128Gcm => Box::new(Gcm::<Aes128>::new(master, labels)),
            Profile::AeadAes256Gcm => Box::new(Gcm::<Aes256>::new(master, labels)),
        }
    })
}

/// Octets of the first RTCP packet that stay in the clear: its header and the sender's SSRC (RFC 3711 section 3.4).
pub(super) const RTCP_CLEAR: usize = 8;

/// The word before or behind the tag of SRTCP: the E flag and 31 bits of index (RFC 3711 section 3.4).
#[derive(Clone, Copy)]
pub(super) struct Trailer(u32);

impl Trailer {
    pub(super) const LEN: usize = 4;
    const E_FLAG: u32 = 1 << 31;

    /// That of an encrypted packet.
    pub(super) fn encrypted(index: u32) -> Self {
        Trailer(Self::E_FLAG | index)
    }

    /// The last octets of `data`, and those before them.
    pub(super) fn split(data: &[u8]) -> Option<(&[u8], Self)> {
        let (body, octets) = data.split_last_chunk::<{ Self::LEN }>()?;
        Some((body, Trailer(u32::from_be_bytes(*octets))))
    }

    pub(super) fn octets(self) -> [u8; Self::LEN] {
        self.0.to_be_bytes()
    }

    pub(super) fn index(self) -> u32 {
        self.0 & !Self::E_FLAG
    }

    pub(super) fn is_encrypted(self) -> bool {
        self.0 & Self::E_FLAG != 0
    }
}

/// Adds `value` to an initialisation vector.
pub(super) fn xor(iv: &mut [u8], at: usize, value: &[u8]) {
    iv.iter_mut().skip(at).zip(value).for_each(|(iv, v)| *iv ^= v);
}

/// The 48 bits of an RTP index.
pub(super) fn six_octets(index: u64) -> [u8; 6] {
    let [_, _, octets @ ..] = index.to_be_bytes();
    octets
}
