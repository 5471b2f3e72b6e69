//! Joining packets to access units (RFC 6184 section 7).

use super::H264Format;
use super::nal::{START_CODE, nal_type};
use crate::limits::Limits;
use crate::rtp::payload::{Packet, PayloadCounters, Ready, Unit};
use crate::time::Time;
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::VecDeque;

/// How many delivered timestamps are remembered, to know a straggler by.
const RECENT: usize = 8;
/// How many access units may go on after their marker before the sender's markers are taken for nothing.
const MARKER_PATIENCE: u64 = 3;

/// Joins packets to H.264 access units, in Annex B form with start codes of four octets.
///
/// An access unit ends with the marker bit, or where the timestamp changes. Where the sender sets the marker
/// bit within access units, they end by timestamp alone. Access units without any slice, such as parameter
/// sets that were sent ahead, become the beginning of the next one.
///
/// A NAL unit is passed on whole or not at all: fragments before and after a lost packet are dropped, and so
/// are NAL units that say that they are damaged (F bit) or are of a kind that modes 0 and 1 do not have.
/// Their access unit is then delivered as incomplete, with what is left of it.
#[derive(Debug)]
pub struct H264Depacketizer {
    limit: usize,
    ready: Ready,
    /// The access unit so far. Between access units: those without slices that go before the next one.
    buffer: BytesMut,
    /// Whether nothing is missing from what was carried over, or should have been: what was lost of an access
    /// unit of which no slice is left may have been parameter sets.
    carried_complete: bool,
    open: Option<Open>,
    fragment: Option<Fragment>,
    /// Packets lost since the last one that arrived.
    gap: u32,
    /// Whether the sender was seen to set the marker bit.
    markers: bool,
    /// Access units that went on after their marker bit.
    early_markers: u64,
    last_sequence: Option<u64>,
    /// Timestamps of the access units last delivered.
    recent: VecDeque<u64>,
    /// How large the last access unit was: a guess at the next.
    last_size: usize,
}

/// The access unit that is being put together.
#[derive(Debug)]
struct Open {
    timestamp: u64,
    complete: bool,
    /// Whether it has a slice: then it is a picture.
    slices: bool,
    keyframe: bool,
    received: Time,
    play_at: Time,
}

/// A NAL unit of which fragments have arrived.
#[derive(Debug)]
struct Fragment {
    nal_type: u8,
    /// Where it begins in the buffer.
    at: usize,
    /// The sequence number that its next fragment must have.
    next_sequence: u64,
}

impl H264Depacketizer {
    /// A depacketizer that puts together access units of at most `limits.access_unit` octets.
    pub fn new(format: &H264Format, limits: &Limits) -> Self {
        let mut buffer = BytesMut::new();
        for set in &format.parameter_sets {
            let known = matches!(set.first(), Some(h) if matches!(h & 0x9f, nal_type::SPS | nal_type::PPS));
            if known && buffer.len() + START_CODE.len() + set.len() <= limits.access_unit / 2 {
                buffer.put_slice(&START_CODE);
                buffer.put_slice(set);
            }
        }
        H264Depacketizer {
            limit: limits.access_unit,
            ready: Ready::default(),
            buffer,
            carried_complete: true,
            open: None,
            fragment: None,
            gap: 0,
            markers: false,
            early_markers: 0,
            last_sequence: None,
            recent: VecDeque::with_capacity(RECENT),
            last_size: 0,
        }
    }

    /// As [`Depacketizer::push`](crate::rtp::payload::Depacketizer::push).
    pub fn push(&mut self, packet: Packet) {
        if self.last_sequence.is_some_and(|last| packet.sequence <= last) {
            self.ready.counters.late += 1;
            return;
        }
        self.last_sequence = Some(packet.sequence);
        let same = self.open.as_ref().is_some_and(|open| open.timestamp == packet.timestamp);
        if packet.payload.is_empty() {
            // Nothing but padding, or a keep-alive: at most it ends what is open.
            if same && packet.marker && self.markers_end_units() {
                self.close();
            }
            return;
        }
        if self.open.is_some() && !same {
            self.end_without_marker();
        }
        if self.open.is_none() {
            self.open(&packet);
        }
        if std::mem::take(&mut self.gap) > 0 {
            self.mark_incomplete();
        }
        if let Some(open) = &mut self.open {
            open.received = packet.received;
            open.play_at = packet.play_at;
        }
        self.payload(&packet.payload, packet.sequence);
        self.markers |= packet.marker;
        if packet.marker && self.markers_end_units() {
            self.close();
        }
    }

    /// As [`Depacketizer::loss`](crate::rtp::payload::Depacketizer::loss).
    pub fn loss(&mut self, count: u32) {
        if count > 0 {
            self.ready.loss(count);
            self.gap = self.gap.saturating_add(count);
            self.drop_fragment();
        }
    }

    /// As [`Depacketizer::finish`](crate::rtp::payload::Depacketizer::finish). The end of an access unit that
    /// is still open was not seen, so it counts as incomplete.
    pub fn finish(&mut self) {
        self.mark_incomplete();
        self.close();
    }

    /// As [`Depacketizer::poll`](crate::rtp::payload::Depacketizer::poll).
    pub fn poll(&mut self) -> Option<Unit> {
        self.ready.queue.pop_front()
    }

    /// As [`Depacketizer::counters`](crate::rtp::payload::Depacketizer::counters).
    pub fn counters(&self) -> PayloadCounters {
        self.ready.counters
    }

    fn markers_end_units(&self) -> bool {
        self.early_markers < MARKER_PATIENCE
    }

    /// Ends the access unit because a packet of another one came.
    fn end_without_marker(&mut self) {
        match self.gap {
            0 if self.markers_end_units() => self.ready.counters.marker_faults += 1,
            0 => {}
            // The one packet that is missing had the marker bit, so nothing of the next unit is.
            1 if self.markers && self.markers_end_units() => {
                self.mark_incomplete();
                self.gap = 0;
            }
            _ => self.mark_incomplete(),
        }
        self.close();
    }

    /// Begins an access unit, behind what was carried over for it.
    fn open(&mut self, packet: &Packet) {
        if self.buffer.len() > self.limit / 2 {
            self.buffer.clear();
            self.carried_complete = false;
            self.ready.counters.oversize += 1;
        }
        self.buffer.reserve(self.last_size);
        self.open = Some(Open {
            timestamp: packet.timestamp,
            complete: std::mem::replace(&mut self.carried_complete, true),
            slices: false,
            keyframe: false,
            received: packet.received,
            play_at: packet.play_at,
        });
    }

    /// Ends the access unit: delivers it if it is a picture, else keeps it for the next one.
    fn close(&mut self) {
        self.drop_fragment();
        let Some(open) = self.open.take() else { return };
        if !open.slices {
            self.carried_complete = open.complete;
            if !open.complete {
                self.ready.counters.incomplete += 1;
            }
            return;
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(open.timestamp);
        self.last_size = self.buffer.len();
        self.ready.deliver(Unit {
            data: self.buffer.split().freeze(),
            timestamp: open.timestamp,
            keyframe: open.keyframe,
            complete: open.complete,
            lost_packets: 0,
            received: open.received,
            play_at: open.play_at,
        });
    }

    /// Takes a payload apart by its structure (RFC 6184 section 5.2).
    fn payload(&mut self, payload: &Bytes, sequence: u64) {
        let Some((&header, rest)) = payload.split_first() else { return };
        let kind = nal_type::of(header);
        if kind == nal_type::FU_A {
            return self.fu_a(header, rest, sequence);
        }
        self.drop_fragment();
        match kind {
            1..=23 => self.nal(payload),
            nal_type::STAP_A => self.stap_a(rest),
            // STAP-B, MTAP16, MTAP24 and FU-B: for the interleaved mode alone (table 3).
            25..=29 => {
                self.ready.counters.unsupported += 1;
                self.mark_incomplete();
            }
            // Reserved, and to be ignored by all modes (table 3).
            _ => self.ready.counters.unsupported += 1,
        }
    }

    /// Takes the NAL units out of an aggregation packet (section 5.7.1), up to the first size that is wrong.
    fn stap_a(&mut self, mut units: &[u8]) {
        if units.is_empty() {
            self.malformed();
        }
        while !units.is_empty() {
            let unit = units
                .split_first_chunk::<2>()
                .and_then(|(size, rest)| rest.split_at_checked(usize::from(u16::from_be_bytes(*size))));
            let Some((nal, rest)) = unit else {
                self.malformed();
                return;
            };
            units = rest;
            match nal.first() {
                Some(&header) if matches!(nal_type::of(header), 1..=23) => self.nal(nal),
                // Empty, or a packet within a packet.
                _ => self.malformed(),
            }
        }
    }

    /// Takes a fragment of a NAL unit (section 5.8).
    fn fu_a(&mut self, indicator: u8, rest: &[u8], sequence: u64) {
        let Some((&header, part)) = rest.split_first() else {
            self.drop_fragment();
            return self.malformed();
        };
        let (start, end) = (header & 0x80 != 0, header & 0x40 != 0);
        let nal_type = nal_type::of(header);
        if start {
            self.drop_fragment();
            let nal_header = indicator & 0xe0 | nal_type;
            if !matches!(nal_type, 1..=23) {
                return self.malformed();
            }
            if !self.may_add(nal_header, 1 + part.len()) {
                return;
            }
            self.fragment = Some(Fragment { nal_type, at: self.buffer.len(), next_sequence: sequence });
            self.buffer.put_slice(&START_CODE);
            self.buffer.put_u8(nal_header);
        }
        // A fragment whose NAL unit did not begin, or not in the packets just before, is of no use.
        let limit = self.limit;
        let Some(fragment) = &mut self.fragment else { return self.mark_incomplete() };
        if fragment.next_sequence != sequence || fragment.nal_type != nal_type || indicator & 0x80 != 0 {
            self.drop_fragment();
            return self.malformed();
        }
        if self.buffer.len() + part.len() > limit {
            self.ready.counters.oversize += 1;
            return self.drop_fragment();
        }
        fragment.next_sequence = sequence.saturating_add(1);
        self.buffer.put_slice(part);
        if end && let Some(fragment) = self.fragment.take() {
            self.added(fragment.at);
        }
    }

    /// Takes a whole NAL unit.
    fn nal(&mut self, nal: &[u8]) {
        let Some(&header) = nal.first() else { return };
        if self.may_add(header, nal.len()) {
            let at = self.buffer.len();
            self.buffer.put_slice(&START_CODE);
            self.buffer.put_slice(nal);
            self.added(at);
        }
    }

    /// Whether a NAL unit with this header, and of this size so far, can be part of the access unit.
    fn may_add(&mut self, header: u8, size: usize) -> bool {
        if header & 0x80 != 0 {
            self.malformed();
            return false;
        }
        if self.buffer.len() + START_CODE.len() + size > self.limit {
            self.ready.counters.oversize += 1;
            self.mark_incomplete();
            return false;
        }
        true
    }

    /// Notes what a NAL unit that was added, behind its start code, makes of its access unit.
    fn added(&mut self, at: usize) {
        let (Some(open), Some(nal)) = (&mut self.open, self.buffer.get(at + START_CODE.len()..)) else {
            return;
        };
        let Some(nal_type) = nal.first().map(|&header| nal_type::of(header)) else { return };
        if !nal_type::is_slice(nal_type) {
            return;
        }
        if !open.slices && self.recent.contains(&open.timestamp) {
            // Part of it was delivered already: under a marker too early, or amid other timestamps.
            open.complete = false;
            self.ready.counters.marker_faults += 1;
            if self.recent.back() == Some(&open.timestamp) {
                self.early_markers += 1;
            }
        }
        let first_of_stream = !open.slices && self.ready.counters.units == 0;
        let begins_picture = nal.get(1).is_none_or(|octet| octet & 0x80 != 0);
        if first_of_stream && matches!(nal_type, nal_type::SLICE | nal_type::IDR) && !begins_picture {
            // The first slice of the stream does not begin a picture (first_mb_in_slice is not 0, clause
            // 7.4.3): we came in the middle of it.
            open.complete = false;
        }
        open.slices = true;
        open.keyframe |= nal_type == nal_type::IDR;
    }

    fn drop_fragment(&mut self) {
        if let Some(fragment) = self.fragment.take() {
            self.buffer.truncate(fragment.at);
            self.mark_incomplete();
        }
    }

    fn malformed(&mut self) {
        self.ready.counters.malformed += 1;
        self.mark_incomplete();
    }

    fn mark_incomplete(&mut self) {
        if let Some(open) = &mut self.open {
            open.complete = false;
        }
    }
}

#[cfg(test)]
#[path = "depacketize_tests.rs"]
mod tests;
