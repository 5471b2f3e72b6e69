//! Opus over RTP (RFC 7587): one packet of Opus is one RTP payload, and its clock always runs at 48 kHz.

use super::{Packet, PayloadCounters, PayloadError, PayloadPacket, Ready, Unit, sound};
use bytes::Bytes;

/// The most that one Opus packet lasts, 120 ms (RFC 6716 section 3.2.5), in ticks of 48 kHz.
const MAX_TICKS: u32 = 5_760;

/// How long an Opus packet lasts, in ticks of its 48 kHz RTP clock, from its table-of-contents octet (RFC
/// 6716 section 3.1); `None` where it breaks a rule of section 3.2 that shows there: it is empty, has no
/// frame count or none counted, or lasts longer than 120 ms.
pub fn duration(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let config = u32::from(toc >> 3);
    let frame = match config {
        // SILK: 10, 20, 40, 60 ms.
        0..=11 => [480, 960, 1_920, 2_880].get(config as usize % 4).copied()?,
        // Hybrid: 10, 20 ms.
        12..=15 => 480 << (config % 2),
        // CELT: 2.5, 5, 10, 20 ms.
        _ => 120 << (config % 4),
    };
    let frames = match toc & 0x03 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3f),
    };
    let total = frame * frames;
    (1..=MAX_TICKS).contains(&total).then_some(total)
}

/// Puts Opus packets into RTP packets.
#[derive(Debug)]
pub struct OpusPacketizer;

impl OpusPacketizer {
    /// Puts a packet of Opus into an RTP packet; the marker bit says that a talkspurt begins (RFC 7587
    /// section 4.1).
    ///
    /// # Errors
    ///
    /// [`PayloadError::Empty`] and [`PayloadError::FrameTooLarge`]: Opus cannot be fragmented (section 4.2).
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
        if frame.len() > max_payload {
            return Err(PayloadError::FrameTooLarge { size: frame.len(), max: max_payload });
        }
        out.push(PayloadPacket { payload: frame.clone(), marker: talkspurt, timestamp_offset: 0 });
        Ok(())
    }
}

/// Takes Opus packets out of RTP packets.
#[derive(Debug, Default)]
pub struct OpusDepacketizer {
    ready: Ready,
}

impl OpusDepacketizer {
    /// As [`Depacketizer::push`](super::Depacketizer::push). A payload whose [`duration`] cannot be told is
    /// dropped: no decoder takes it.
    pub fn push(&mut self, packet: Packet) {
        if duration(&packet.payload).is_none() {
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
    fn the_duration_is_that_of_table_2_of_the_codec_times_the_frame_count() {
        // RFC 6716 table 2, one configuration of each row and every duration in it.
        let cases = [
            (0, 480),
            (1, 960),
            (2, 1_920),
            (3, 2_880),
            (11, 2_880),
            (12, 480),
            (13, 960),
            (14, 480),
            (15, 960),
            (16, 120),
            (17, 240),
            (18, 480),
            (19, 960),
            (31, 960),
        ];
        for (config, ticks) in cases {
            assert_eq!(duration(&[config << 3]), Some(ticks), "configuration {config}");
            assert_eq!(duration(&[config << 3 | 0x05]), Some(2 * ticks), "two of configuration {config}");
        }
        assert_eq!(duration(&[19 << 3 | 0x03, 0x80 | 3]), Some(2_880));
        assert_eq!(duration(&[3 << 3 | 0x03, 2]), Some(5_760));
    }

    #[test]
    fn a_packet_without_frames_or_longer_than_120_ms_has_no_duration() {
        assert_eq!(duration(&[]), None);
        assert_eq!(duration(&[0x03]), None);
        assert_eq!(duration(&[0x03, 0x80]), None);
        assert_eq!(duration(&[3 << 3 | 0x03, 3]), None);
    }

    #[test]
    fn a_packet_goes_through_unchanged() {
        let frame = Bytes::from_static(&[0x78, 1, 2, 3]);
        let mut out = Vec::new();
        OpusPacketizer.packetize(&frame, true, 4, &mut out).unwrap();
        assert_eq!(out, [PayloadPacket { payload: frame.clone(), marker: true, timestamp_offset: 0 }]);
        let error = PayloadError::FrameTooLarge { size: 4, max: 3 };
        assert_eq!(OpusPacketizer.packetize(&frame, true, 3, &mut out), Err(error));
        let mut depacketizer = OpusDepacketizer::default();
        for (sequence, payload) in [(1, frame.clone()), (2, Bytes::new())] {
            let (received, play_at) = (Time::ZERO, Time::ZERO);
            depacketizer.push(Packet { payload, timestamp: 960, sequence, marker: true, received, play_at });
        }
        assert_eq!(depacketizer.poll().unwrap().data, frame);
        assert_eq!(depacketizer.poll(), None);
        assert_eq!(depacketizer.counters().malformed, 1);
    }
}
