//! What stands between a call's RTP and the wire: nothing, or SRTP with the keys of its key exchange.

use crate::limits::Limits;
use crate::rtp::srtp::{MasterKey, Receiver, Sender, SrtpError};
use bytes::Bytes;

/// The protection of all media of one call.
#[derive(Default)]
pub(crate) enum Crypto {
    /// Media are clear.
    #[default]
    Clear,
    /// Keys are being agreed on: nothing is sent, and what arrives cannot be read.
    Held,
    /// Media are SRTP.
    Srtp(Box<(Sender, Receiver)>),
}

impl Crypto {
    /// SRTP with one master key for each direction.
    pub(crate) fn srtp(send: &MasterKey, receive: &MasterKey, limits: &Limits) -> Self {
        let sender = Sender::with_limits(send, limits);
        Crypto::Srtp(Box::new((sender, Receiver::with_limits(receive, limits))))
    }

    pub(crate) fn is_held(&self) -> bool {
        matches!(self, Crypto::Held)
    }

    pub(crate) fn is_clear(&self) -> bool {
        matches!(self, Crypto::Clear)
    }

    /// An RTP packet as it goes out; `None` where it must not.
    pub(crate) fn seal_rtp(&mut self, packet: Bytes) -> Option<Bytes> {
        match self {
            Crypto::Clear => Some(packet),
            Crypto::Held => None,
            Crypto::Srtp(both) => sealed(both.0.rtp(&packet)),
        }
    }

    /// A compound RTCP packet as it goes out; `None` where it must not.
    pub(crate) fn seal_rtcp(&mut self, packet: Bytes) -> Option<Bytes> {
        match self {
            Crypto::Clear => Some(packet),
            Crypto::Held => None,
            Crypto::Srtp(both) => sealed(both.0.rtcp(&packet)),
        }
    }

    /// What an SRTP packet carries; `None` where it is not one of the peer's, or there are no keys yet. Clear
    /// packets are not given here.
    pub(crate) fn open_rtp(&mut self, packet: &[u8]) -> Option<Bytes> {
        match self {
            Crypto::Srtp(both) => both.1.rtp(packet).ok(),
            Crypto::Clear | Crypto::Held => None,
        }
    }

    /// As [`Crypto::open_rtp`], for SRTCP.
    pub(crate) fn open_rtcp(&mut self, packet: &[u8]) -> Option<Bytes> {
        match self {
            Crypto::Srtp(both) => both.1.rtcp(packet).ok(),
            Crypto::Clear | Crypto::Held => None,
        }
    }
}

fn sealed(packet: Result<Bytes, SrtpError>) -> Option<Bytes> {
    packet.inspect_err(|error| tracing::warn!(%error, "a packet cannot be protected, so it is not sent")).ok()
}
