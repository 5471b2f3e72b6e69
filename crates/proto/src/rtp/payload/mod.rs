//! Payload formats: coded frames cut to packets, and packets joined to coded frames again.
//!
//! A [`Packetizer`] takes one access unit and says what goes into which packet; sequence numbers, timestamps
//! and headers are the sender's business. A [`Depacketizer`] takes packets in the order of their sequence
//! numbers, with a notice for each packet that is missing, and yields access units. It never passes octets
//! from two different access units, or from both sides of a gap, off as one.

pub mod aac;
pub mod h264;
pub mod latm;
pub mod opus;
pub mod sampled;
pub mod telephone_event;

use crate::frame::{Codec, ReceivedFrame, Rotation};
use crate::limits::Limits;
use crate::time::Time;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// How one media format travels in RTP, as it was negotiated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadFormat {
    /// H.264, RFC 6184.
    H264(h264::H264Format),
    /// AAC in RFC 3640 packets, or bare.
    Aac(aac::AacFormat),
    /// AAC in LATM elements, RFC 6416.
    Latm(latm::LatmFormat),
    /// Codecs of which every octet stands for the same stretch of time (G.711, G.722), RFC 3551 section 4.3.
    Sampled(sampled::SampledFormat),
    /// Opus, RFC 7587.
    Opus,
}

/// One RTP packet's worth of an access unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadPacket {
    /// The RTP payload.
    pub payload: Bytes,
    /// The RTP marker bit.
    pub marker: bool,
    /// RTP clock ticks to add to the access unit's timestamp: nonzero where one frame of sampled sound is
    /// spread over several packets.
    pub timestamp_offset: u32,
}

/// A received RTP packet, as far as a payload format looks at it.
#[derive(Clone, Debug)]
pub struct Packet {
    /// The RTP payload, without padding.
    pub payload: Bytes,
    /// The RTP timestamp, extended past its 32-bit wraps.
    pub timestamp: u64,
    /// The RTP sequence number, extended past its 16-bit wraps.
    pub sequence: u64,
    /// The RTP marker bit.
    pub marker: bool,
    /// When it arrived.
    pub received: Time,
    /// When a sink should play what it carries.
    pub play_at: Time,
}

/// An access unit put together from packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The access unit, in the form of [`EncodedFrame::data`](crate::frame::EncodedFrame::data).
    pub data: Bytes,
    /// Its RTP timestamp, extended past its 32-bit wraps.
    pub timestamp: u64,
    /// Whether a decoder can start here: an IDR picture, or any frame of sound.
    pub keyframe: bool,
    /// Whether nothing of it is missing. Sound that is incomplete is never delivered; a picture may be.
    ///
    /// A packet lost between two pictures may have belonged to either, so the second one counts as
    /// incomplete too, even where what is missing was a whole picture in between.
    pub complete: bool,
    /// Packets lost since the unit before this one.
    pub lost_packets: u32,
    /// When its last packet arrived.
    pub received: Time,
    /// When a sink should play it.
    pub play_at: Time,
}

impl Unit {
    /// The frame that it is, for a decoder of `codec`, where `payload_type` was negotiated for that.
    pub fn into_frame(self, codec: Codec, payload_type: u8) -> ReceivedFrame {
        ReceivedFrame {
            codec,
            payload_type,
            data: self.data,
            timestamp: self.timestamp,
            received: self.received,
            play_at: self.play_at,
            keyframe: self.keyframe,
            lost_packets: self.lost_packets,
            complete: self.complete,
            rotation: Rotation::None,
        }
    }
}

/// Why an access unit could not be put into packets. The fault is the encoder's, or the format was
/// negotiated too narrow for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// There was nothing in it.
    #[error("the access unit is empty")]
    Empty,
    /// H.264 input without an Annex B start code, or with octets before the first one.
    #[error("the access unit does not begin with an Annex B start code")]
    NotAnnexB,
    /// A NAL unit too large for a single NAL unit packet, in packetization mode 0 (RFC 6184 section 6.2).
    #[error(
        "a NAL unit of type {nal_type} has {size} octets, more than the {max} that a packet holds, and \
         packetization mode 0 cannot fragment it: the encoder must cut smaller slices"
    )]
    NalTooLarge {
        /// Its `nal_unit_type`.
        nal_type: u8,
        /// Its size, octets.
        size: usize,
        /// The most that a packet holds, octets.
        max: usize,
    },
    /// A frame larger than a packet, or than the format's size field, in a format that cannot fragment it.
    #[error("a frame of {size} octets does not fit: this payload format takes {max}")]
    FrameTooLarge {
        /// The frame's size, octets.
        size: usize,
        /// The most that fits, octets.
        max: usize,
    },
    /// A packet size too small to carry anything.
    #[error("packets of {max} octets are too small for this payload format")]
    PacketTooSmall {
        /// The packet size, octets of RTP payload.
        max: usize,
    },
}

/// What a depacketizer saw and could not use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PayloadCounters {
    /// Units delivered.
    pub units: u64,
    /// Units delivered or dropped with a part missing.
    pub incomplete: u64,
    /// Payloads, or parts of them, that break the format's rules.
    pub malformed: u64,
    /// Payloads well-formed but of a kind that this side never agreed to (interleaved H.264 and the like).
    pub unsupported: u64,
    /// Units, or parts of them, dropped for their size or number.
    pub oversize: u64,
    /// Packets that came after their place had been passed.
    pub late: u64,
    /// Packets that did not have the marker bit where it belongs.
    pub marker_faults: u64,
}

/// Cuts access units to packets.
#[derive(Debug)]
pub enum Packetizer {
    /// H.264.
    H264(h264::H264Packetizer),
    /// AAC by RFC 3640.
    Aac(aac::AacPacketizer),
    /// AAC by RFC 6416.
    Latm(latm::LatmPacketizer),
    /// G.711 and G.722.
    Sampled(sampled::SampledPacketizer),
    /// Opus.
    Opus(opus::OpusPacketizer),
}

impl Packetizer {
    /// A packetizer for a negotiated format.
    pub fn new(format: &PayloadFormat) -> Self {
        match format {
            PayloadFormat::H264(f) => Packetizer::H264(h264::H264Packetizer::new(f.mode)),
            PayloadFormat::Aac(f) => Packetizer::Aac(aac::AacPacketizer::new(f.framing)),
            PayloadFormat::Latm(_) => Packetizer::Latm(latm::LatmPacketizer),
            PayloadFormat::Sampled(f) => Packetizer::Sampled(sampled::SampledPacketizer::new(*f)),
            PayloadFormat::Opus => Packetizer::Opus(opus::OpusPacketizer),
        }
    }

    /// Cuts one access unit, in the form of [`EncodedFrame::data`](crate::frame::EncodedFrame::data), to
    /// payloads of at most `max_payload` octets, and appends them to `out`.
    ///
    /// `talkspurt` says that this is the first sound after a silence in which nothing was sent (RFC 3551
    /// section 4.1); it has no meaning for H.264 and AAC, whose marker bits mark the ends of access units.
    ///
    /// # Errors
    ///
    /// Those of [`PayloadError`]; `out` is then as it was.
    pub fn packetize(
        &mut self,
        frame: &Bytes,
        talkspurt: bool,
        max_payload: usize,
        out: &mut Vec<PayloadPacket>,
    ) -> Result<(), PayloadError> {
        match self {
            Packetizer::H264(p) => p.packetize(frame, max_payload, out),
            Packetizer::Aac(p) => p.packetize(frame, max_payload, out),
            Packetizer::Latm(p) => p.packetize(frame, max_payload, out),
            Packetizer::Sampled(p) => p.packetize(frame, talkspurt, max_payload, out),
            Packetizer::Opus(p) => p.packetize(frame, talkspurt, max_payload, out),
        }
    }
}

/// Joins packets to access units.
///
/// Packets come in the order of their sequence numbers; where one is missing, [`loss`](Self::loss) is called
/// in its place. Gaps in the sequence numbers alone are not taken for losses: other payload types
/// (telephone-event) share them. After each call, [`poll`](Self::poll) until it returns `None`.
#[derive(Debug)]
pub enum Depacketizer {
    /// H.264.
    H264(Box<h264::H264Depacketizer>),
    /// AAC by RFC 3640.
    Aac(aac::AacDepacketizer),
    /// AAC by RFC 6416.
    Latm(latm::LatmDepacketizer),
    /// G.711 and G.722.
    Sampled(sampled::SampledDepacketizer),
    /// Opus.
    Opus(opus::OpusDepacketizer),
}

impl Depacketizer {
    /// A depacketizer for a negotiated format, whose RTP clock runs at `clock_rate` Hz.
    pub fn new(format: &PayloadFormat, clock_rate: u32, limits: &Limits) -> Self {
        match format {
            PayloadFormat::H264(f) => Depacketizer::H264(Box::new(h264::H264Depacketizer::new(f, limits))),
            PayloadFormat::Aac(f) => Depacketizer::Aac(aac::AacDepacketizer::new(*f, clock_rate, limits)),
            PayloadFormat::Latm(f) => Depacketizer::Latm(latm::LatmDepacketizer::new(*f, clock_rate, limits)),
            PayloadFormat::Sampled(_) => Depacketizer::Sampled(sampled::SampledDepacketizer::default()),
            PayloadFormat::Opus => Depacketizer::Opus(opus::OpusDepacketizer::default()),
        }
    }

    /// Takes the next packet.
    pub fn push(&mut self, packet: Packet) {
        match self {
            Depacketizer::H264(d) => d.push(packet),
            Depacketizer::Aac(d) => d.push(packet),
            Depacketizer::Latm(d) => d.push(packet),
            Depacketizer::Sampled(d) => d.push(packet),
            Depacketizer::Opus(d) => d.push(packet),
        }
    }

    /// Takes notice that the next `count` packets will never come.
    pub fn loss(&mut self, count: u32) {
        match self {
            Depacketizer::H264(d) => d.loss(count),
            Depacketizer::Aac(d) => d.loss(count),
            Depacketizer::Latm(d) => d.loss(count),
            Depacketizer::Sampled(d) => d.loss(count),
            Depacketizer::Opus(d) => d.loss(count),
        }
    }

    /// Takes notice that the stream is over: what can be delivered of the last access unit is.
    pub fn finish(&mut self) {
        match self {
            Depacketizer::H264(d) => d.finish(),
            Depacketizer::Aac(d) => d.finish(),
            Depacketizer::Latm(d) => d.finish(),
            Depacketizer::Sampled(_) | Depacketizer::Opus(_) => {}
        }
    }

    /// The next access unit, if one is ready.
    pub fn poll(&mut self) -> Option<Unit> {
        match self {
            Depacketizer::H264(d) => d.poll(),
            Depacketizer::Aac(d) => d.poll(),
            Depacketizer::Latm(d) => d.poll(),
            Depacketizer::Sampled(d) => d.poll(),
            Depacketizer::Opus(d) => d.poll(),
        }
    }

    /// What was seen so far and could not be used.
    pub fn counters(&self) -> PayloadCounters {
        match self {
            Depacketizer::H264(d) => d.counters(),
            Depacketizer::Aac(d) => d.counters(),
            Depacketizer::Latm(d) => d.counters(),
            Depacketizer::Sampled(d) => d.counters(),
            Depacketizer::Opus(d) => d.counters(),
        }
    }
}

/// The most units that wait for [`Depacketizer::poll`]; one packet alone never makes as many.
const MAX_READY: usize = 512;

/// The units that wait to be polled, and what to count on the way: common to all depacketizers.
#[derive(Debug, Default)]
struct Ready {
    queue: VecDeque<Unit>,
    counters: PayloadCounters,
    /// Packets lost since the last unit.
    lost: u32,
}

impl Ready {
    fn loss(&mut self, count: u32) {
        self.lost = self.lost.saturating_add(count);
    }

    /// Queues a unit; losses noticed since the last one are put to its account.
    fn deliver(&mut self, mut unit: Unit) {
        if self.queue.len() >= MAX_READY {
            self.queue.pop_front();
            self.counters.oversize += 1;
        }
        unit.lost_packets = std::mem::take(&mut self.lost);
        self.counters.units += 1;
        if !unit.complete {
            self.counters.incomplete += 1;
        }
        self.queue.push_back(unit);
    }
}

/// A whole frame of sound that a packet brought, `offset` ticks of a clock of `clock_rate` Hz after the
/// packet's own timestamp.
fn sound(data: Bytes, packet: &Packet, offset: u64, clock_rate: u32) -> Unit {
    Unit {
        data,
        timestamp: packet.timestamp.saturating_add(offset),
        keyframe: true,
        complete: true,
        lost_packets: 0,
        received: packet.received,
        play_at: packet.play_at + ticks(offset, clock_rate),
    }
}

/// How long `count` ticks of a clock of `rate` Hz last; no time at all where the rate is 0.
fn ticks(count: u64, rate: u32) -> Duration {
    if rate == 0 {
        return Duration::ZERO;
    }
    let nanos = u128::from(count) * 1_000_000_000 / u128::from(rate);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
