//! SRTP and SRTCP: RFC 3711 with AES-CM and HMAC-SHA1, AES-256 of RFC 6188, AES-GCM of RFC 7714.
//!
//! A [`Sender`] and a [`Receiver`] each hold the keys of one direction, for as many SSRCs as
//! [`Limits::srtp_sources`](crate::limits::Limits::srtp_sources) allows.
//! The key derivation rate is 0: session keys are derived once (RFC 3711 section 4.3.1). No MKI is sent or expected.
//! Whoever has the keys decides what is protected; nothing here guesses.

mod cipher;
mod counter;
mod derive;
mod gcm;
mod index;
mod key;
mod profile;
mod receiver;
mod sender;

pub use key::{KeyError, MasterKey};
pub use profile::{Profile, UnknownProfile};
pub use receiver::{Receiver, ReceiverCounters};
pub use sender::Sender;

/// Why a packet was not protected, or not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SrtpError {
    /// It is too short, or its header reaches beyond its end.
    #[error("no RTP or RTCP packet")]
    Malformed,
    /// It was not made with this key, or was changed on the way.
    #[error("authentication failed")]
    Authentication,
    /// It came before, or is too old to tell.
    #[error("replayed, or older than the replay window")]
    Replayed,
    /// More SSRCs than are kept under one key.
    #[error("more than {0} SSRCs")]
    Sources(usize),
    /// The key has protected as many packets as it may (RFC 3711 section 9.2).
    #[error("the key is used up")]
    Exhausted,
}

/// Octets of the RTP header with CSRCs and extension (RFC 3550 section 5.1, 5.3.1), which stay in the clear.
fn rtp_header(packet: &[u8]) -> Option<(usize, u32, u16)> {
    let &[first, _, s0, s1, _, _, _, _, r0, r1, r2, r3] = packet.first_chunk::<12>()?;
    let mut length = 12 + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let &[_, _, w0, w1] = packet.get(length..)?.first_chunk::<4>()?;
        length += 4 + 4 * usize::from(u16::from_be_bytes([w0, w1]));
    }
    let fits = first >> 6 == 2 && length <= packet.len();
    fits.then_some((length, u32::from_be_bytes([r0, r1, r2, r3]), u16::from_be_bytes([s0, s1])))
}

/// The SSRC of the sender of a compound RTCP packet, RFC 3550 section 6.4.1.
fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    let &[first, _, _, _, r0, r1, r2, r3] = packet.first_chunk::<8>()?;
    (first >> 6 == 2).then_some(u32::from_be_bytes([r0, r1, r2, r3]))
}

#[cfg(test)]
mod tests;
