//! Coded pictures and sound on their way between codec and RTP: all that the media crate knows of protocol.

use crate::time::Time;
use bytes::Bytes;

/// Picture or sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

impl MediaKind {
    /// The media type of an SDP `m=` line: `audio` or `video`.
    pub fn as_str(self) -> &'static str {
        match self {
            MediaKind::Audio => "audio",
            MediaKind::Video => "video",
        }
    }
}

/// Every codec that a call can carry. A closed set: the compiler lists the places that a new one touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Codec {
    /// H.264, RFC 6184.
    H264,
    /// AAC Low Complexity (audio object type 2): found in captures, not offered in calls.
    AacLc,
    /// AAC Low Delay (audio object type 23), RFC 3640 or RFC 6416.
    AacLd,
    /// AAC Enhanced Low Delay (audio object type 39), RFC 3640.
    AacEld,
    /// G.711 mu-law, RFC 3551 section 4.5.14.
    Pcmu,
    /// G.711 A-law, RFC 3551 section 4.5.14.
    Pcma,
    /// G.722 at 64 kbit/s, RFC 3551 section 4.5.2 (its RTP clock runs at 8000 Hz, its sound at 16000 Hz).
    G722,
    /// Opus, RFC 7587.
    Opus,
}

impl Codec {
    /// Whether this codec carries sound or pictures.
    pub fn kind(self) -> MediaKind {
        match self {
            Codec::H264 => MediaKind::Video,
            Codec::AacLc
            | Codec::AacLd
            | Codec::AacEld
            | Codec::Pcmu
            | Codec::Pcma
            | Codec::G722
            | Codec::Opus => MediaKind::Audio,
        }
    }

    /// The name that people know it by.
    pub fn name(self) -> &'static str {
        match self {
            Codec::H264 => "H.264",
            Codec::AacLc => "AAC-LC",
            Codec::AacLd => "AAC-LD",
            Codec::AacEld => "AAC-ELD",
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G.722",
            Codec::Opus => "Opus",
        }
    }
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// How a picture is to be turned before it is shown, clockwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rotation {
    /// Not at all.
    #[default]
    None,
    /// A quarter: its left side becomes the top.
    Clockwise90,
    /// A half: it stands on its head.
    Clockwise180,
    /// Three quarters: its right side becomes the top.
    Clockwise270,
}

impl Rotation {
    /// In degrees clockwise: 0, 90, 180 or 270.
    pub fn degrees(self) -> u16 {
        match self {
            Rotation::None => 0,
            Rotation::Clockwise90 => 90,
            Rotation::Clockwise180 => 180,
            Rotation::Clockwise270 => 270,
        }
    }

    /// The turn by so many degrees clockwise; `None` for anything but 0, 90, 180 and 270.
    pub fn from_degrees(degrees: u16) -> Option<Rotation> {
        [Rotation::None, Rotation::Clockwise90, Rotation::Clockwise180, Rotation::Clockwise270]
            .into_iter()
            .find(|rotation| rotation.degrees() == degrees)
    }

    /// Whether it changes width and height over.
    pub fn is_sideways(self) -> bool {
        matches!(self, Rotation::Clockwise90 | Rotation::Clockwise270)
    }
}

/// What a decoder or an encoder of sound must be set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioFormat {
    /// The codec.
    pub codec: Codec,
    /// Samples a second of the decoded sound, Hz.
    pub sample_rate: u32,
    /// The RTP clock, Hz. Equal to `sample_rate` but for G.722 (8000 against 16000).
    pub clock_rate: u32,
    /// Channels of the decoded sound.
    pub channels: u8,
    /// Samples per channel in one frame: the granule of AAC (480 or 512), the packet time of the others.
    pub samples_per_frame: u32,
    /// The AudioSpecificConfig (ISO/IEC 14496-3) of AAC; empty for every other codec.
    pub config: Bytes,
    /// The most that the peer lets us send, bits a second of codec payload; `None` where it set no limit.
    pub max_bitrate: Option<u32>,
}

/// What an encoder of pictures must keep to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoFormat {
    /// The codec.
    pub codec: Codec,
    /// `profile_idc`, `profile-iop` and `level_idc` (RFC 6184 section 8.1) that the receiver of these
    /// pictures can take.
    pub profile_level_id: [u8; 3],
    /// The most macroblocks (16x16 pixels) in one picture.
    pub max_fs: u32,
    /// The most macroblocks a second.
    pub max_mbps: u32,
    /// The largest picture (width, height) in pixels, where the peer named one.
    pub max_size: Option<(u16, u16)>,
    /// The most pictures a second, where the peer named a figure.
    pub max_fps: Option<u16>,
    /// The most that the peer lets us send, bits a second of codec payload; `None` where it set no limit.
    pub max_bitrate: Option<u32>,
    /// The largest NAL unit that one packet can carry, octets: in packetization mode 0 (RFC 6184 section
    /// 6.2) a larger one cannot be sent, so the encoder must slice to it. `None`: no limit (mode 1).
    pub max_nal: Option<u32>,
}

/// A coded frame from an encoder, to be sent.
#[derive(Clone, Debug)]
pub struct EncodedFrame {
    /// One access unit. H.264: NAL units behind start codes (Annex B byte stream). AAC: one raw access unit.
    /// G.711, G.722: octets as on the wire. Opus: one packet.
    pub data: Bytes,
    /// When the picture or the first sample was captured.
    pub captured: Time,
    /// Length of the sound, in RTP clock ticks; 0 for pictures.
    pub duration: u32,
    /// Whether a decoder can start here (H.264: an IDR picture).
    pub keyframe: bool,
    /// How a viewer is to turn the picture. It goes out where the peer reads it
    /// ([`Section::takes_rotation`](crate::io::Section::takes_rotation)) and is lost otherwise.
    pub rotation: Rotation,
}

/// A coded frame that arrived, in order, to be decoded.
#[derive(Clone, Debug)]
pub struct ReceivedFrame {
    /// The codec that it was sent with.
    pub codec: Codec,
    /// The RTP payload type that it was sent with: it tells formats of one codec apart.
    pub payload_type: u8,
    /// One access unit, in the form of [`EncodedFrame::data`].
    pub data: Bytes,
    /// The RTP timestamp, extended past its 32-bit wraps.
    pub timestamp: u64,
    /// When its last packet arrived.
    pub received: Time,
    /// When a sink should play it: arrival time smoothed by the jitter buffer.
    pub play_at: Time,
    /// Whether a decoder can start here.
    pub keyframe: bool,
    /// Packets known to be missing since the frame before this one. For sound, conceal that much.
    pub lost_packets: u32,
    /// Whether all of its packets arrived. An incomplete picture can still be worth decoding with
    /// concealment; an incomplete sound frame is never passed on.
    pub complete: bool,
    /// How the picture is to be turned before it is shown, as its sender said.
    pub rotation: Rotation,
}
