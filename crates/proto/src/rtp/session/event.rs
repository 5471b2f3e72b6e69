//! What a session says of the packets that it receives.

use crate::rtp::MediaPacket;
use crate::rtp::packet::RtpError;
use crate::time::Time;
use std::time::Duration;
use thiserror::Error;

/// Why a received RTP packet was not passed on. Each is counted in
/// [`SessionCounters`](super::SessionCounters).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Dropped {
    /// The octets are no RTP packet.
    #[error(transparent)]
    Malformed(#[from] RtpError),
    /// The payload type is not one that was agreed.
    #[error("payload type {payload_type} from SSRC {ssrc:#010x} was not agreed")]
    PayloadType {
        /// The SSRC.
        ssrc: u32,
        /// The payload type.
        payload_type: u8,
    },
    /// The source has yet to show two packets in sequence, and another one is playing. The packet is kept
    /// and comes with the one that validates the source (RFC 3550 appendix A.1).
    #[error("SSRC {ssrc:#010x} is on probation at seq {seq}")]
    Probation {
        /// The SSRC.
        ssrc: u32,
        /// The sequence number.
        seq: u16,
    },
    /// The sequence number is too far from the last one; the next in sequence restarts the stream and
    /// brings this one with it.
    #[error("SSRC {ssrc:#010x} jumped to seq {seq}")]
    SequenceJump {
        /// The SSRC.
        ssrc: u32,
        /// The sequence number.
        seq: u16,
    },
    /// The packet arrived before.
    #[error("seq {seq} of SSRC {ssrc:#010x} arrived twice")]
    Duplicate {
        /// The SSRC.
        ssrc: u32,
        /// The sequence number.
        seq: u16,
    },
    /// Another source of this section has taken over.
    #[error("SSRC {ssrc:#010x} is no longer the one that plays")]
    Superseded {
        /// The SSRC.
        ssrc: u32,
    },
    /// The packet carries our own SSRC: a collision. We have a new one now, and say BYE with the old one
    /// (RFC 3550 section 8.2). The caller signals the new one where it signals any.
    #[error("SSRC {old:#010x} collided; it is {new:#010x} from now on")]
    Collision {
        /// The SSRC that collided.
        old: u32,
        /// The SSRC from now on.
        new: u32,
    },
    /// The packet carries our own SSRC again, from where a collision came before: our packets come back to
    /// us (RFC 3550 section 8.2).
    #[error("our own packets with SSRC {ssrc:#010x} come back to us")]
    Loop {
        /// The SSRC.
        ssrc: u32,
    },
}

/// The packets that one datagram brought: one, after those that had been held back until it validated their
/// source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Held back before, in the order of arrival.
    pub held: Option<MediaPacket>,
    /// The packet that the datagram carried.
    pub packet: MediaPacket,
}

impl IntoIterator for Delivery {
    type Item = MediaPacket;
    type IntoIter = std::iter::Chain<std::option::IntoIter<MediaPacket>, std::iter::Once<MediaPacket>>;

    fn into_iter(self) -> Self::IntoIter {
        self.held.into_iter().chain(std::iter::once(self.packet))
    }
}

/// How a key frame is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyframeMethod {
    /// Picture Loss Indication, RFC 4585 section 6.3.1.
    Pli,
    /// Full Intra Request, RFC 5104 section 4.3.1.
    Fir,
}

/// What RTCP told.
#[derive(Clone, Debug, PartialEq)]
pub enum RtcpEvent {
    /// The peer wants a picture that a decoder can start from. A FIR that repeats an earlier one's sequence
    /// number gives no second event (RFC 5104 section 4.3.1.1).
    KeyframeRequest {
        /// Who asks.
        from: u32,
        /// How it asked.
        method: KeyframeMethod,
    },
    /// The peer misses packets of ours (RFC 4585 section 6.2.1).
    Nack {
        /// Who misses them.
        from: u32,
        /// Their sequence numbers, at most 17 for each of the packet's entries.
        lost: Vec<u16>,
    },
    /// What the peer hears of us.
    Report(RemoteReport),
    /// Which RTP timestamp belongs to which wall-clock time of the sender (RFC 3550 section 6.4.1).
    ClockMapping(ClockMapping),
    /// A source is gone (RFC 3550 section 6.6).
    Bye {
        /// The source.
        ssrc: u32,
        /// The reason that it gave.
        reason: Option<String>,
    },
    /// Our SSRC collided, as [`Dropped::Collision`].
    Collision {
        /// The SSRC that collided.
        old: u32,
        /// The SSRC from now on.
        new: u32,
    },
}

/// A report block about us, RFC 3550 section 6.4.1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RemoteReport {
    /// Who reports.
    pub from: u32,
    /// The fraction of our packets lost since its last report, 0 to 1.
    pub fraction_lost: f64,
    /// Our packets lost since it began to listen; duplicates can make it negative.
    pub cumulative_lost: i32,
    /// The extended highest sequence number that it received.
    pub highest_seq: u32,
    /// Interarrival jitter, in our RTP clock.
    pub jitter: Duration,
    /// Round trip by its LSR and DLSR; `None` before it has a sender report of ours.
    pub round_trip: Option<Duration>,
}

/// A pair of equal instants of a sender's two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockMapping {
    /// The source.
    pub ssrc: u32,
    /// Wall-clock time of the sender, 32.32 fixed-point seconds since 1900. From `ntp-56` its upper 8 bits are 0.
    pub ntp: u64,
    /// The RTP timestamp of the same instant.
    pub rtp_timestamp: u32,
    /// When what said so arrived.
    pub received: Time,
    /// What said so.
    pub origin: MappingOrigin,
}

/// Where a [`ClockMapping`] comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MappingOrigin {
    /// An RTCP sender report (RFC 3550 section 6.4.1).
    SenderReport,
    /// A header extension of an RTP packet (RFC 6051 section 3.3).
    HeaderExtension,
}

impl MappingOrigin {
    /// In words: `sender report` or `header extension`.
    pub fn as_str(self) -> &'static str {
        match self {
            MappingOrigin::SenderReport => "sender report",
            MappingOrigin::HeaderExtension => "header extension",
        }
    }
}
