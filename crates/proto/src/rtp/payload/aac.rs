//! AAC over RTP in `mpeg4-generic` packets (RFC 3640), sent one access unit to a packet; and AAC with no
//! payload header at all, as some video-call systems send it.

use super::{Packet, PayloadCounters, PayloadError, PayloadPacket, Ready, Unit, sound};
use crate::limits::Limits;
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::BTreeMap;

/// The widths of the fields of an AU-header (RFC 3640 section 3.2.1.1), in bits: `sizeLength`, `indexLength`
/// and `indexDeltaLength` of the SDP. The modes for AAC have no others (sections 3.3.5 and 3.3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuHeaderLayout {
    /// Width of AU-size, 1 to 32.
    pub size_length: u8,
    /// Width of AU-Index in the first header of a packet, 0 to 32.
    pub index_length: u8,
    /// Width of AU-Index-delta in the headers after it, 0 to 32.
    pub index_delta_length: u8,
}

impl AuHeaderLayout {
    /// `mode=AAC-hbr`, RFC 3640 section 3.3.6.
    pub const HBR: AuHeaderLayout =
        AuHeaderLayout { size_length: 13, index_length: 3, index_delta_length: 3 };
    /// `mode=AAC-lbr`, RFC 3640 section 3.3.5.
    pub const LBR: AuHeaderLayout = AuHeaderLayout { size_length: 6, index_length: 2, index_delta_length: 2 };

    /// The same with no width above 32: the widths come from a peer's SDP.
    fn within_bounds(self) -> Self {
        AuHeaderLayout {
            size_length: self.size_length.min(32),
            index_length: self.index_length.min(32),
            index_delta_length: self.index_delta_length.min(32),
        }
    }
}

/// What surrounds an access unit in its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioFraming {
    /// An AU header section, RFC 3640 section 3.2.1.
    AuHeaders(AuHeaderLayout),
    /// Nothing: the payload is one access unit.
    Raw,
}

/// How AAC travels in RFC 3640 packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AacFormat {
    /// What surrounds an access unit.
    pub framing: AudioFraming,
    /// RTP clock ticks that one access unit lasts: `constantDuration`, or else the granule of the codec's
    /// configuration.
    pub frame_ticks: u32,
}

/// Puts AAC access units into packets.
#[derive(Debug)]
pub struct AacPacketizer {
    framing: AudioFraming,
}

impl AacPacketizer {
    /// A packetizer for `framing`.
    pub fn new(framing: AudioFraming) -> Self {
        AacPacketizer { framing }
    }

    /// Puts one access unit into one packet, or into fragments of it where it is larger than `max_payload`.
    /// The marker bit ends an access unit (RFC 3640 section 3.1).
    ///
    /// # Errors
    ///
    /// [`PayloadError::Empty`]; [`PayloadError::FrameTooLarge`] where the access unit exceeds the AU-size
    /// field or, without AU headers, the packet; [`PayloadError::PacketTooSmall`].
    pub fn packetize(
        &mut self,
        frame: &Bytes,
        max_payload: usize,
        out: &mut Vec<PayloadPacket>,
    ) -> Result<(), PayloadError> {
        if frame.is_empty() {
            return Err(PayloadError::Empty);
        }
        let layout = match self.framing {
            AudioFraming::AuHeaders(layout) => layout.within_bounds(),
            AudioFraming::Raw if frame.len() <= max_payload => {
                out.push(PayloadPacket { payload: frame.clone(), marker: true, timestamp_offset: 0 });
                return Ok(());
            }
            AudioFraming::Raw => {
                return Err(PayloadError::FrameTooLarge { size: frame.len(), max: max_payload });
            }
        };
        let largest = (1u64 << layout.size_length) - 1;
        if frame.len() as u64 > largest {
            return Err(PayloadError::FrameTooLarge { size: frame.len(), max: largest as usize });
        }
        let header_bits = u32::from(layout.size_length) + u32::from(layout.index_length);
        let header_octets = header_bits.div_ceil(8) as usize;
        // The size, the index 0 and the padding, as one number to be written from its top octet on.
        let header = (frame.len() as u128) << (header_octets * 8 - usize::from(layout.size_length));
        let room = max_payload.saturating_sub(2 + header_octets);
        if room == 0 {
            return Err(PayloadError::PacketTooSmall { max: max_payload });
        }
        for at in (0..frame.len()).step_by(room) {
            let end = frame.len().min(at + room);
            let part = frame.get(at..end).unwrap_or_default();
            let mut payload = BytesMut::with_capacity(2 + header_octets + part.len());
            payload.put_u16(header_bits as u16);
            let octets = header.to_be_bytes();
            payload.put_slice(octets.get(octets.len() - header_octets..).unwrap_or_default());
            payload.put_slice(part);
            let marker = end == frame.len();
            out.push(PayloadPacket { payload: payload.freeze(), marker, timestamp_offset: 0 });
        }
        Ok(())
    }
}

/// The most access units read from one packet.
const MAX_UNITS_PER_PACKET: usize = 128;
/// The most access units held back to put an interleaved stream in order.
const MAX_HELD: usize = 64;

/// Takes AAC access units out of packets: several to a packet, fragments of one over several packets, or
/// interleaved (RFC 3640 section 3.2.3).
#[derive(Debug)]
pub struct AacDepacketizer {
    format: AacFormat,
    clock_rate: u32,
    limit: usize,
    ready: Ready,
    fragments: Option<Fragments>,
    /// Interleaved access units that others still have to come before, by timestamp.
    held: BTreeMap<u64, Unit>,
    /// The timestamp of the access unit after the last one delivered.
    next_timestamp: Option<u64>,
}

/// The beginning of an access unit whose remaining fragments are still to come.
#[derive(Debug)]
struct Fragments {
    timestamp: u64,
    /// The sequence number that the next fragment must have.
    next_sequence: u64,
    /// The size of the whole access unit.
    size: usize,
    data: BytesMut,
}

impl AacDepacketizer {
    /// A depacketizer for `format` on an RTP clock of `clock_rate` Hz, which joins fragments to access units
    /// of at most `limits.access_unit` octets.
    pub fn new(format: AacFormat, clock_rate: u32, limits: &Limits) -> Self {
        AacDepacketizer {
            format,
            clock_rate,
            limit: limits.access_unit,
            ready: Ready::default(),
            fragments: None,
            held: BTreeMap::new(),
            next_timestamp: None,
        }
    }

    /// As [`Depacketizer::push`](super::Depacketizer::push).
    pub fn push(&mut self, packet: Packet) {
        match self.format.framing {
            AudioFraming::Raw if packet.payload.is_empty() => self.ready.counters.malformed += 1,
            AudioFraming::Raw => {
                self.ready.deliver(sound(packet.payload.clone(), &packet, 0, self.clock_rate))
            }
            AudioFraming::AuHeaders(layout) => match read_headers(&packet.payload, layout.within_bounds()) {
                Some((headers, data)) => self.units(&packet, &headers, data),
                None => {
                    self.drop_fragments();
                    self.ready.counters.malformed += 1;
                }
            },
        }
    }

    /// As [`Depacketizer::loss`](super::Depacketizer::loss).
    pub fn loss(&mut self, count: u32) {
        self.drop_fragments();
        self.ready.loss(count);
    }

    /// As [`Depacketizer::finish`](super::Depacketizer::finish).
    pub fn finish(&mut self) {
        self.drop_fragments();
        self.release(u64::MAX);
    }

    /// As [`Depacketizer::poll`](super::Depacketizer::poll).
    pub fn poll(&mut self) -> Option<Unit> {
        self.ready.queue.pop_front()
    }

    /// As [`Depacketizer::counters`](super::Depacketizer::counters).
    pub fn counters(&self) -> PayloadCounters {
        self.ready.counters
    }

    /// Takes the access units of a packet whose AU header section is well-formed.
    fn units(&mut self, packet: &Packet, headers: &[AuHeader], mut data: Bytes) {
        if let [only] = headers
            && only.size > data.len()
        {
            return self.fragment(packet, only.size, &data);
        }
        self.drop_fragments();
        let interleaved = headers.iter().enumerate().any(|(i, header)| header.position != i as u64);
        for header in headers {
            if header.size > data.len() {
                break;
            }
            let unit = data.split_to(header.size);
            if !unit.is_empty() {
                let offset = header.position.saturating_mul(u64::from(self.format.frame_ticks));
                self.unit(sound(unit, packet, offset, self.clock_rate), interleaved);
            }
        }
        if !data.is_empty() {
            // The sizes do not add up to what is there: a packet cut short, or of another layout.
            self.ready.counters.malformed += 1;
        }
        self.release(packet.timestamp);
    }

    /// Takes one fragment of an access unit of `size` octets. Octets that are missing, wherever, leave the
    /// sum of the fragments short of `size`, so a gap is never bridged.
    fn fragment(&mut self, packet: &Packet, size: usize, part: &[u8]) {
        let continues = |f: &Fragments| {
            f.timestamp == packet.timestamp && f.next_sequence == packet.sequence && f.size == size
        };
        if !self.fragments.as_ref().is_some_and(continues) {
            self.drop_fragments();
            if size > self.limit {
                self.ready.counters.oversize += 1;
                return;
            }
        }
        let fragments = self.fragments.get_or_insert_with(|| Fragments {
            timestamp: packet.timestamp,
            next_sequence: packet.sequence,
            size,
            data: BytesMut::with_capacity(size),
        });
        fragments.next_sequence = packet.sequence.saturating_add(1);
        if fragments.data.len() + part.len() > size {
            self.fragments = None;
            self.ready.counters.malformed += 1;
            return;
        }
        fragments.data.put_slice(part);
        if fragments.data.len() == size {
            let data = fragments.data.split().freeze();
            self.fragments = None;
            self.unit(sound(data, packet, 0, self.clock_rate), false);
            self.release(packet.timestamp);
        } else if packet.marker {
            self.drop_fragments();
        }
    }

    fn drop_fragments(&mut self) {
        if self.fragments.take().is_some() {
            self.ready.counters.incomplete += 1;
        }
    }

    /// Delivers an access unit, or holds it back while interleaving may still bring earlier ones.
    fn unit(&mut self, unit: Unit, interleaved: bool) {
        if !interleaved && self.held.is_empty() {
            return self.deliver(unit);
        }
        if let Some(next) = self.next_timestamp
            && unit.timestamp < next
        {
            let behind = next - unit.timestamp;
            if behind <= MAX_HELD as u64 * u64::from(self.format.frame_ticks) {
                self.ready.counters.late += 1;
                return;
            }
            // Too far back for any interleaving: the sender's clock began anew.
            self.release(u64::MAX);
        }
        self.held.insert(unit.timestamp, unit);
        if self.held.len() > MAX_HELD
            && let Some((_, first)) = self.held.pop_first()
        {
            self.ready.counters.oversize += 1;
            self.deliver(first);
        }
    }

    /// Delivers what is held and cannot be preceded by anything still to come. The access units of a packet
    /// follow its own timestamp, and those timestamps ascend, so nothing can come before `timestamp`.
    fn release(&mut self, timestamp: u64) {
        while let Some(entry) = self.held.first_entry() {
            if *entry.key() > timestamp && Some(*entry.key()) != self.next_timestamp {
                break;
            }
            let unit = entry.remove();
            self.deliver(unit);
        }
    }

    fn deliver(&mut self, unit: Unit) {
        self.next_timestamp = Some(unit.timestamp.saturating_add(u64::from(self.format.frame_ticks)));
        self.ready.deliver(unit);
    }
}

/// What an AU-header says.
#[derive(Clone, Copy, Debug)]
struct AuHeader {
    /// The size of the access unit, octets.
    size: usize,
    /// How many access units of the stream lie between the packet's first one and this one.
    position: u64,
}

/// Splits a payload into its AU-headers and the access unit data after them; `None` where the headers do not
/// fit the payload or the layout, or there are too many.
fn read_headers(payload: &Bytes, layout: AuHeaderLayout) -> Option<(Vec<AuHeader>, Bytes)> {
    let (length, rest) = payload.split_first_chunk::<2>()?;
    let bits = usize::from(u16::from_be_bytes(*length));
    let (section, data) = rest.split_at_checked(bits.div_ceil(8))?;
    let mut headers: Vec<AuHeader> = Vec::with_capacity(1);
    let mut at = 0;
    while at < bits {
        if headers.len() == MAX_UNITS_PER_PACKET {
            return None;
        }
        let size = read_bits(section, bits, &mut at, layout.size_length)? as usize;
        let position = match headers.last() {
            // For access units of constant duration AU-Index is 0 (section 3.2.3.2): nothing to learn.
            None => read_bits(section, bits, &mut at, layout.index_length).map(|_| 0)?,
            Some(last) => {
                let delta = read_bits(section, bits, &mut at, layout.index_delta_length)?;
                last.position + u64::from(delta) + 1
            }
        };
        headers.push(AuHeader { size, position });
    }
    (!headers.is_empty()).then(|| (headers, payload.slice_ref(data)))
}

/// Reads a field of `width` (at most 32) bits at bit `at` of a section of `bits` bits, and steps behind it.
fn read_bits(section: &[u8], bits: usize, at: &mut usize, width: u8) -> Option<u32> {
    let end = *at + usize::from(width);
    if end > bits {
        return None;
    }
    let mut value = 0;
    for bit in *at..end {
        let octet = section.get(bit / 8)?;
        value = value << 1 | u32::from(octet >> (7 - bit % 8) & 1);
    }
    *at = end;
    Some(value)
}

#[cfg(test)]
#[path = "aac_tests.rs"]
mod tests;
