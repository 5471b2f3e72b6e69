//! AAC over RTP in `MP4A-LATM` packets (RFC 6416 section 6), with the configuration out of band (`cpresent=0`).
//!
//! The payload is an AudioMuxElement (ISO/IEC 14496-3 clause 1.7.3): for each of its frames, the length in
//! octets of value 255 and a last one below 255, then the frame.

use super::{Packet, PayloadCounters, PayloadError, PayloadPacket, Ready, Unit, sound};
use crate::limits::Limits;
use bytes::{BufMut, Bytes, BytesMut};

/// How AAC travels in LATM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatmFormat {
    /// RTP clock ticks that one AAC frame lasts. The clock may run at 90 kHz, its default (RFC 6416 section
    /// 7.3): a granule of 480 samples at 48 kHz then lasts 900 ticks.
    pub frame_ticks: u32,
    /// The frames in an AudioMuxElement that arrives: `numSubFrames` of the StreamMuxConfig, plus 1. We send
    /// one frame in each.
    pub frames_per_element: u8,
}

/// Puts AAC frames into LATM packets.
#[derive(Debug)]
pub struct LatmPacketizer;

impl LatmPacketizer {
    /// Puts one frame into an AudioMuxElement, and this into one packet, or into several where it is larger
    /// than `max_payload`. The marker bit ends an element (RFC 6416 section 6.2).
    ///
    /// # Errors
    ///
    /// [`PayloadError::Empty`], and [`PayloadError::PacketTooSmall`] where `max_payload` is 0.
    pub fn packetize(
        &mut self,
        frame: &Bytes,
        max_payload: usize,
        out: &mut Vec<PayloadPacket>,
    ) -> Result<(), PayloadError> {
        if frame.is_empty() {
            return Err(PayloadError::Empty);
        }
        if max_payload == 0 {
            return Err(PayloadError::PacketTooSmall { max: max_payload });
        }
        let mut element = BytesMut::with_capacity(frame.len() + frame.len() / 255 + 1);
        element.put_bytes(0xff, frame.len() / 255);
        element.put_u8((frame.len() % 255) as u8);
        element.put_slice(frame);
        let mut rest = element.freeze();
        while !rest.is_empty() {
            let payload = rest.split_to(rest.len().min(max_payload));
            out.push(PayloadPacket { payload, marker: rest.is_empty(), timestamp_offset: 0 });
        }
        Ok(())
    }
}

/// Takes AAC frames out of LATM packets.
#[derive(Debug)]
pub struct LatmDepacketizer {
    format: LatmFormat,
    clock_rate: u32,
    limit: usize,
    ready: Ready,
    /// The element whose last fragment is still to come.
    open: Option<Open>,
    /// The packet before the next one.
    last: Option<Last>,
    /// Packets lost since then.
    gap: u32,
}

/// The beginning of an AudioMuxElement, and the packet that brought its latest fragment.
#[derive(Debug)]
struct Open {
    packet: Packet,
    data: BytesMut,
}

/// What is remembered of a packet.
#[derive(Clone, Copy, Debug)]
struct Last {
    timestamp: u64,
    marker: bool,
}

impl LatmDepacketizer {
    /// A depacketizer for `format` on an RTP clock of `clock_rate` Hz, which joins fragments to elements of at
    /// most `limits.access_unit` octets.
    pub fn new(format: LatmFormat, clock_rate: u32, limits: &Limits) -> Self {
        LatmDepacketizer {
            format,
            clock_rate,
            limit: limits.access_unit,
            ready: Ready::default(),
            open: None,
            last: None,
            gap: 0,
        }
    }

    /// As [`Depacketizer::push`](super::Depacketizer::push).
    pub fn push(&mut self, packet: Packet) {
        if packet.payload.is_empty() {
            self.ready.counters.malformed += 1;
            return;
        }
        let another = self.last.is_none_or(|last| last.timestamp != packet.timestamp);
        let begins = self.begins(packet.timestamp);
        self.gap = 0;
        self.last = Some(Last { timestamp: packet.timestamp, marker: packet.marker });
        let data = match self.open.take() {
            Some(open) if continues(&open.packet, &packet) => Some(open.data),
            Some(open) => {
                // No packet was lost, yet another element began: the sender does not mark their ends.
                self.ready.counters.marker_faults += 1;
                self.element(&open.packet, open.data.freeze());
                None
            }
            None => None,
        };
        match data {
            Some(mut data) if data.len() + packet.payload.len() <= self.limit => {
                data.put_slice(&packet.payload);
                if packet.marker {
                    self.element(&packet, data.freeze());
                } else {
                    self.open = Some(Open { packet, data });
                }
            }
            Some(_) => self.ready.counters.oversize += 1,
            None if !begins => self.ready.counters.incomplete += u64::from(another),
            None if packet.marker => self.element(&packet, packet.payload.clone()),
            None => {
                let data = BytesMut::from(packet.payload.as_ref());
                self.open = Some(Open { packet, data });
            }
        }
    }

    /// As [`Depacketizer::loss`](super::Depacketizer::loss).
    pub fn loss(&mut self, count: u32) {
        if count > 0 && self.open.take().is_some() {
            self.ready.counters.incomplete += 1;
        }
        self.gap = self.gap.saturating_add(count);
        self.ready.loss(count);
    }

    /// As [`Depacketizer::finish`](super::Depacketizer::finish).
    pub fn finish(&mut self) {
        if let Some(open) = self.open.take() {
            self.element(&open.packet, open.data.freeze());
        }
    }

    /// As [`Depacketizer::poll`](super::Depacketizer::poll).
    pub fn poll(&mut self) -> Option<Unit> {
        self.ready.queue.pop_front()
    }

    /// As [`Depacketizer::counters`](super::Depacketizer::counters).
    pub fn counters(&self) -> PayloadCounters {
        self.ready.counters
    }

    /// Whether a packet with this timestamp, which continues nothing, is the beginning of an element.
    ///
    /// Nothing in a packet tells a first fragment from a later one. After a loss it is known to be one only if
    /// every lost packet is needed to account for an element that is missing.
    fn begins(&self, timestamp: u64) -> bool {
        let Some(last) = self.last else { return self.gap == 0 };
        if last.timestamp == timestamp && !last.marker {
            return false;
        }
        if self.gap == 0 {
            return true;
        }
        let ticks = u64::from(self.format.frame_ticks) * u64::from(self.format.frames_per_element.max(1));
        let elements = timestamp.checked_sub(last.timestamp).and_then(|t| t.checked_div(ticks));
        let missing = elements.map(|n| if last.marker { n.saturating_sub(1) } else { n });
        missing == Some(u64::from(self.gap))
    }

    /// Takes a whole element apart, and delivers its frames if the lengths in it add up to its own.
    fn element(&mut self, packet: &Packet, element: Bytes) {
        let count = usize::from(self.format.frames_per_element.max(1));
        let mut rest = element.clone();
        let mut frames = 0;
        while frames < count && read_frame(&mut rest).is_some() {
            frames += 1;
        }
        if frames < count || !rest.is_empty() {
            self.ready.counters.malformed += 1;
            return;
        }
        rest = element;
        for i in 0..count as u64 {
            if let Some(frame) = read_frame(&mut rest)
                && !frame.is_empty()
            {
                let offset = i * u64::from(self.format.frame_ticks);
                self.ready.deliver(sound(frame, packet, offset, self.clock_rate));
            }
        }
    }
}

fn continues(before: &Packet, packet: &Packet) -> bool {
    before.timestamp == packet.timestamp && before.sequence.checked_add(1) == Some(packet.sequence)
}

/// Splits the first frame, behind its length, off an element.
fn read_frame(element: &mut Bytes) -> Option<Bytes> {
    let full = element.iter().take_while(|&&octet| octet == 0xff).count();
    let length = full * 255 + usize::from(*element.get(full)?);
    if element.len() - (full + 1) < length {
        return None;
    }
    let _ = element.split_to(full + 1);
    Some(element.split_to(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    const TELEPRESENCE: LatmFormat = LatmFormat { frame_ticks: 900, frames_per_element: 1 };

    fn depacketizer(format: LatmFormat) -> LatmDepacketizer {
        LatmDepacketizer::new(format, 90_000, &Limits { access_unit: 4_096, ..Limits::default() })
    }

    fn packet(sequence: u64, timestamp: u64, marker: bool, payload: &[u8]) -> Packet {
        let payload = Bytes::copy_from_slice(payload);
        Packet { payload, timestamp, sequence, marker, received: Time::ZERO, play_at: Time::from_millis(100) }
    }

    fn polled(depacketizer: &mut LatmDepacketizer) -> Vec<(u64, Vec<u8>)> {
        std::iter::from_fn(|| depacketizer.poll()).map(|unit| (unit.timestamp, unit.data.to_vec())).collect()
    }

    #[test]
    fn a_frame_is_preceded_by_its_length() {
        for (size, length) in
            [(1, &[1][..]), (254, &[254]), (255, &[255, 0]), (300, &[255, 45]), (510, &[255, 255, 0])]
        {
            let frame = Bytes::from(vec![0x5a; size]);
            let mut out = Vec::new();
            LatmPacketizer.packetize(&frame, 1_200, &mut out).unwrap();
            assert_eq!(out.len(), 1);
            assert_eq!(out[0].payload, [length, &frame].concat());
            assert!(out[0].marker);
            let mut latm = depacketizer(TELEPRESENCE);
            latm.push(packet(1, 900, true, &out[0].payload));
            assert_eq!(polled(&mut latm), [(900, frame.to_vec())]);
        }
    }

    #[test]
    fn an_element_may_hold_several_frames() {
        let mut latm = depacketizer(LatmFormat { frame_ticks: 900, frames_per_element: 3 });
        latm.push(packet(1, 9_000, true, &[1, 0xaa, 2, 0xbb, 0xcc, 0x01, 0xdd]));
        let units: Vec<Unit> = std::iter::from_fn(|| latm.poll()).collect();
        assert_eq!(units.iter().map(|unit| unit.timestamp).collect::<Vec<_>>(), [9_000, 9_900, 10_800]);
        assert_eq!(units[2].data, [0xdd][..]);
        assert_eq!(units[2].play_at, Time::from_millis(120));
    }

    #[test]
    fn an_element_of_another_length_than_it_says_is_dropped_whole() {
        let mut latm = depacketizer(TELEPRESENCE);
        let wrong: [&[u8]; 5] = [&[2, 1], &[1, 1, 1], &[255], &[255, 255, 255], &[]];
        for (i, payload) in wrong.into_iter().enumerate() {
            latm.push(packet(i as u64, i as u64 * 900, true, payload));
        }
        assert_eq!(polled(&mut latm), []);
        assert_eq!(latm.counters().malformed, 5);
    }

    #[test]
    fn fragments_make_an_element_again() {
        let mut latm = depacketizer(TELEPRESENCE);
        latm.push(packet(1, 0, false, &[5, 1, 2]));
        latm.push(packet(2, 0, false, &[3]));
        latm.push(packet(3, 0, true, &[4, 5]));
        assert_eq!(polled(&mut latm), [(0, vec![1, 2, 3, 4, 5])]);
    }

    #[test]
    fn a_lost_fragment_takes_its_element_along_and_nothing_else() {
        let mut latm = depacketizer(TELEPRESENCE);
        // The middle is lost; what is left looks like an element of its own.
        latm.push(packet(1, 0, false, &[5, 1, 2]));
        latm.loss(1);
        latm.push(packet(3, 0, true, &[1, 5]));
        // The next one loses its beginning.
        latm.loss(1);
        latm.push(packet(5, 900, false, &[1, 2]));
        latm.push(packet(6, 900, true, &[0]));
        // This one is whole: the two packets lost must be the two elements that are missing.
        latm.loss(2);
        latm.push(packet(9, 900 * 4, true, &[1, 9]));
        // And this one may have begun in any of the three.
        latm.loss(3);
        latm.push(packet(13, 900 * 6, true, &[1, 8]));
        latm.push(packet(14, 900 * 7, true, &[1, 7]));
        assert_eq!(polled(&mut latm), [(900 * 4, vec![9]), (900 * 7, vec![7])]);
        assert_eq!(latm.counters().incomplete, 3);
    }

    #[test]
    fn a_sender_without_markers_is_understood_one_element_late() {
        let mut latm = depacketizer(TELEPRESENCE);
        latm.push(packet(1, 0, false, &[1, 0xaa]));
        latm.push(packet(2, 900, false, &[1, 0xbb]));
        assert_eq!(polled(&mut latm), [(0, vec![0xaa])]);
        latm.finish();
        assert_eq!(polled(&mut latm), [(900, vec![0xbb])]);
    }

    #[test]
    fn fragments_without_end_do_not_fill_the_memory() {
        let mut latm = depacketizer(TELEPRESENCE);
        for sequence in 0..100 {
            latm.push(packet(sequence, 0, false, &[0xff; 100]));
            assert!(latm.open.as_ref().is_none_or(|open| open.data.len() <= 4_096));
        }
        assert_eq!(latm.counters().oversize, 1);
    }
}
