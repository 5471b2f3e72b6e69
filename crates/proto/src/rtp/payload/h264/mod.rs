//! H.264 over RTP (RFC 6184), packetization modes 0 and 1.

mod depacketize;
mod nal;
mod packetize;
mod parameter_sets;

pub use depacketize::H264Depacketizer;
pub use nal::{NalUnits, nal_type};
pub use packetize::H264Packetizer;

use bytes::Bytes;

/// The packetization modes (RFC 6184 section 5.4) that this side has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PacketizationMode {
    /// Mode 0: one NAL unit to a packet.
    #[default]
    SingleNal,
    /// Mode 1: small NAL units may share a packet, large ones may be fragmented.
    NonInterleaved,
}

/// How H.264 travels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct H264Format {
    /// What a sender may use. A receiver takes what either mode allows.
    pub mode: PacketizationMode,
    /// The peer's `sprop-parameter-sets` (RFC 6184 section 8.1), NAL units without start codes: delivered
    /// once, ahead of its first access unit.
    pub parameter_sets: Vec<Bytes>,
}
