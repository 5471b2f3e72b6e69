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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    #[test]
    fn a_frame_of_20_ms_is_a_packet_of_160_octets() {
        let mut out = Vec::new();
        let frame = Bytes::from(vec![0xff; 160]);
        let mut packetizer = SampledPacketizer::new(SampledFormat::MONO);
        packetizer.packetize(&frame, true, 1_200, &mut out).unwrap();
        packetizer.packetize(&frame, false, 1_200, &mut out).unwrap();
        assert_eq!(out.iter().map(|packet| packet.marker).collect::<Vec<_>>(), [true, false]);
        assert!(out.iter().all(|packet| packet.payload == frame && packet.timestamp_offset == 0));
    }

    #[test]
    fn a_frame_larger_than_a_packet_is_divided_between_ticks() {
        let mut out = Vec::new();
        let frame: Bytes = (0..10).collect();
        let mut stereo = SampledPacketizer::new(SampledFormat { octets_per_tick: 2 });
        stereo.packetize(&frame, true, 5, &mut out).unwrap();
        let parts: Vec<_> = out.iter().map(|p| (&p.payload[..], p.marker, p.timestamp_offset)).collect();
        assert_eq!(parts, [(&[0, 1, 2, 3][..], true, 0), (&[4, 5, 6, 7], false, 2), (&[8, 9], false, 4)]);
        let error = PayloadError::PacketTooSmall { max: 1 };
        assert_eq!(stereo.packetize(&frame, true, 1, &mut out), Err(error));
        assert_eq!(stereo.packetize(&Bytes::new(), true, 5, &mut out), Err(PayloadError::Empty));
    }

    #[test]
    fn a_packet_of_any_length_is_a_frame_and_an_empty_one_is_none() {
        let mut depacketizer = SampledDepacketizer::default();
        depacketizer.loss(3);
        for (sequence, size) in [(1, 0), (2, 80), (3, 1)] {
            depacketizer.push(Packet {
                payload: Bytes::from(vec![0xd5; size]),
                timestamp: sequence * 160,
                sequence,
                marker: false,
                received: Time::ZERO,
                play_at: Time::ZERO,
            });
        }
        let units: Vec<_> = std::iter::from_fn(|| depacketizer.poll()).collect();
        let told: Vec<_> =
            units.iter().map(|u| (u.timestamp, u.data.len(), u.lost_packets, u.complete)).collect();
        assert_eq!(told, [(320, 80, 3, true), (480, 1, 0, true)]);
    }
}
