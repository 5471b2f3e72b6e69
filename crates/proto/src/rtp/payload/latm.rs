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
    /// Whether the sender was seen to fragment.
    fragments: bool,
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
            fragments: false,
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
                self.fragments = true;
                data.put_slice(&packet.payload);
                if packet.marker {
                    self.element(&packet, data.freeze());
                } else {
                    self.open = Some(Open { packet, data });
                }
            }
            Some(_) => self.ready.counters.oversize += 1,
            None if !begins => self.ready.counters.incomplete += 1,
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
    /// Nothing in a packet tells a first fragment from a later one. After a loss it is one only if the sender
    /// does not fragment, or if every lost packet is needed to account for an element that is missing.
    fn begins(&self, timestamp: u64) -> bool {
        let Some(last) = self.last else { return true };
        if last.timestamp == timestamp && !last.marker {
            return false;
        }
        if self.gap == 0 || !self.fragments {
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
