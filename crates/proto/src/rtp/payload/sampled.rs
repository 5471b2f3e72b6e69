//! G.711 and G.722 over RTP: the payload is the coded sound itself (RFC 3551 sections 4.3, 4.5.2 and 4.5.14).
//!
//! Any number of octets may be in a packet; the receiver reads off the octets how long they last. G.722 keeps
//! its historical clock of 8000 Hz, so that one of its octets, two samples, is one tick like one of G.711.

use super::{Packet, PayloadCounters, PayloadError, PayloadPacket, Ready, Unit, sound};
use bytes::Bytes;

/// How sampled sound travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampledFormat {
    /// Octets in one RTP clock tick: the number of channels, for G.711 and G.722.
    pub octets_per_tick: u8,
}

impl SampledFormat {
    /// One channel of G.711 or G.722.
    pub const MONO: SampledFormat = SampledFormat { octets_per_tick: 1 };
}

/// Cuts sampled sound to packets.
#[derive(Debug)]
pub struct SampledPacketizer {
    octets_per_tick: usize,
}

impl SampledPacketizer {
    /// A packetizer for `format`.
    pub fn new(format: SampledFormat) -> Self {
        SampledPacketizer { octets_per_tick: usize::from(format.octets_per_tick.max(1)) }
    }

    /// Puts a frame into one packet, or into several of whole ticks where it is larger than `max_payload`.
    ///
    /// # Errors
    ///
    /// [`PayloadError::Empty`], and [`PayloadError::PacketTooSmall`] where not even one tick fits.
    pub fn packetize(
        &mut self,
        frame: &Bytes,
        talkspurt: bool,
        max_payload: usize,
        out: &mut Vec<PayloadPacket>,
    ) -> Result<(), PayloadError> {
        if frame.is_empty() {
            return Err(PayloadError::Empty);
        }
        let step = max_payload - max_payload % self.octets_per_tick;
        if step == 0 {
            return Err(PayloadError::PacketTooSmall { max: max_payload });
        }
        for at in (0..frame.len()).step_by(step) {
            out.push(PayloadPacket {
                payload: frame.slice(at..frame.len().min(at + step)),
                marker: talkspurt && at == 0,
                timestamp_offset: (at / self.octets_per_tick) as u32,
            });
        }
        Ok(())
    }
}

/// Takes sampled sound out of packets: each packet is a frame.
#[derive(Debug, Default)]
pub struct SampledDepacketizer {
    ready: Ready,
}

impl SampledDepacketizer {
    /// As [`Depacketizer::push`](super::Depacketizer::push). A packet without payload is not sound.
    pub fn push(&mut self, packet: Packet) {
        if packet.payload.is_empty() {
            self.ready.counters.malformed += 1;
            return;
        }
        self.ready.deliver(sound(packet.payload.clone(), &packet, 0, 0));
    }

    /// As [`Depacketizer::loss`](super::Depacketizer::loss).
    pub fn loss(&mut self, count: u32) {
        self.ready.loss(count);
    }

    /// As [`Depacketizer::poll`](super::Depacketizer::poll).
    pub fn poll(&mut self) -> Option<Unit> {
        self.ready.queue.pop_front()
    }

    /// As [`Depacketizer::counters`](super::Depacketizer::counters).
    pub fn counters(&self) -> PayloadCounters {
        self.ready.counters
    }
}
