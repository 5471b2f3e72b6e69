//! The media of a call: sections, their formats, what encoders are to aim at, and what was counted.

use crate::frame::{AudioFormat, Codec, MediaKind, Rotation, VideoFormat};
use crate::rtp::session::MappingOrigin;
use std::net::SocketAddr;
use std::time::Duration;

/// What an encoder should produce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderTarget {
    /// Bits a second of codec payload.
    pub bitrate: u32,
    /// Width and height to scale to; `None`: as the source gives them, within the section's format.
    pub size: Option<(u16, u16)>,
    /// Pictures a second; `None`: as the source gives them, within the section's format.
    pub fps: Option<u16>,
    /// Make the next picture one that a decoder can start from.
    pub keyframe: bool,
    /// The peer misses some of our packets, and makes use of redundancy that the codec has against that.
    pub lossy: bool,
}

/// Which way media flow, seen from this side (RFC 8866 section 6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// From here to the peer.
    SendOnly,
    /// From the peer to here.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// A direction from its two halves.
    pub fn new(send: bool, receive: bool) -> Self {
        match (send, receive) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    /// Whether this side sends.
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether this side receives.
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// The same flow seen from the other side.
    pub fn reversed(self) -> Self {
        Direction::new(self.receives(), self.sends())
    }

    /// The SDP attribute's name: `sendrecv`, `sendonly`, `recvonly` or `inactive`.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }
}

/// A media section after negotiation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Sound or pictures; `None` for a media type that this side does not know.
    pub kind: Option<MediaKind>,
    /// Whether the section is in use (its port is not 0).
    pub active: bool,
    /// Which way its media flow.
    pub direction: Direction,
    /// What to send and how; `None` where the section is not in use.
    pub send: Option<MediaFormat>,
    /// What to expect, by RTP payload type: the peer may send any of these, the preferred one comes first.
    pub receive: Vec<(u8, MediaFormat)>,
    /// Where this side receives RTP.
    pub local: Option<SocketAddr>,
    /// Where this side sends RTP.
    pub remote: Option<SocketAddr>,
    /// Whether the peer reads how a picture is to be turned
    /// ([`EncodedFrame::rotation`](crate::frame::EncodedFrame::rotation)).
    pub takes_rotation: bool,
}

/// The format of one direction of a media section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaFormat {
    /// Sound.
    Audio(AudioFormat),
    /// Pictures.
    Video(VideoFormat),
}

impl MediaFormat {
    /// The codec.
    pub fn codec(&self) -> Codec {
        match self {
            MediaFormat::Audio(f) => f.codec,
            MediaFormat::Video(f) => f.codec,
        }
    }
}

/// What was measured in one media section, both directions. What was not measured is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SectionStats {
    /// Sound or pictures; `None` for a section that was never in use.
    pub kind: Option<MediaKind>,
    /// The codec last sent or received.
    pub codec: Option<Codec>,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// RTP payload octets sent.
    pub octets_sent: u64,
    /// RTP packets received.
    pub packets_received: u64,
    /// RTP payload octets received.
    pub octets_received: u64,
    /// Packets that never arrived, by RFC 3550 appendix A.3; duplicates can make it negative.
    pub packets_lost: i64,
    /// Packets that arrived after the jitter buffer had given them up.
    pub packets_late: u64,
    /// Packets that arrived twice.
    pub packets_duplicate: u64,
    /// Packets that arrived out of order.
    pub packets_reordered: u64,
    /// Interarrival jitter, RFC 3550 section 6.4.1; `None` before the second packet.
    pub jitter: Option<Duration>,
    /// Round trip from the last RTCP report that allowed it; `None` where none did.
    pub round_trip: Option<Duration>,
    /// Fraction of our packets that the peer last reported lost, 0 to 1; `None` without a report.
    pub remote_loss: Option<f64>,
    /// RTCP packets received.
    pub rtcp_received: u64,
    /// RTCP packets sent.
    pub rtcp_sent: u64,
    /// Key frames sent because the peer asked.
    pub keyframes_requested: u64,
    /// Frames sent.
    pub frames_sent: u64,
    /// Frames passed on to the decoder.
    pub frames_received: u64,
    /// Frames that could not be put together.
    pub frames_dropped: u64,
    /// What tells the sender's time of what arrives, by which sound and pictures are aligned; `None` where nothing has.
    pub synchronised_by: Option<MappingOrigin>,
    /// How the pictures that are sent are to be turned, where the peer was told.
    pub rotation_sent: Option<Rotation>,
    /// How the pictures that arrive are to be turned, where the peer said so.
    pub rotation_received: Option<Rotation>,
}

impl SectionStats {
    /// Packets that never arrived as a share of those that should have, 0 to 1; `None` where none should have. What
    /// arrived twice makes up for nothing here, though RFC 3550 appendix A.3 lets it (see
    /// [`SectionStats::packets_lost`]).
    pub fn loss(&self) -> Option<f64> {
        let expected =
            i64::try_from(self.packets_received).unwrap_or(i64::MAX).saturating_add(self.packets_lost);
        let doubles = i64::try_from(self.packets_duplicate).unwrap_or(i64::MAX);
        let missing = self.packets_lost.saturating_add(doubles).max(0);
        (expected > 0).then(|| missing as f64 / expected as f64)
    }
}
