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
mod tests {
    use super::*;

    const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1f, 0x8c];
    const PPS: &[u8] = &[0x68, 0xce, 0x3c];
    /// Slices that begin a picture (first_mb_in_slice 0) and one that does not.
    const IDR: &[u8] = &[0x65, 0x88, 0x84];
    const SLICE: &[u8] = &[0x41, 0x9a, 0x22];
    const SECOND: &[u8] = &[0x41, 0x48, 0x33];

    /// Pushes payloads with ascending sequence numbers.
    struct Feed {
        depacketizer: H264Depacketizer,
        sequence: u64,
    }

    impl Feed {
        fn new() -> Self {
            Feed::with(&H264Format::default(), &Limits::default())
        }

        fn with(format: &H264Format, limits: &Limits) -> Self {
            Feed { depacketizer: H264Depacketizer::new(format, limits), sequence: 100 }
        }

        fn push(&mut self, timestamp: u64, marker: bool, payload: &[u8]) -> &mut Self {
            self.sequence += 1;
            self.depacketizer.push(Packet {
                payload: Bytes::copy_from_slice(payload),
                timestamp,
                sequence: self.sequence,
                marker,
                received: Time::from_millis(self.sequence),
                play_at: Time::from_millis(timestamp),
            });
            self
        }

        fn lose(&mut self, count: u32) -> &mut Self {
            self.sequence += u64::from(count);
            self.depacketizer.loss(count);
            self
        }

        fn poll(&mut self) -> Option<Unit> {
            self.depacketizer.poll()
        }

        /// The next unit, which must have these NAL units.
        #[track_caller]
        fn expect(&mut self, timestamp: u64, complete: bool, nals: &[&[u8]]) -> Unit {
            let unit = self.poll().expect("a unit is ready");
            assert_eq!(
                (&unit.data[..], unit.timestamp, unit.complete),
                (&annex_b(nals)[..], timestamp, complete)
            );
            unit
        }

        #[track_caller]
        fn expect_nothing(&mut self) {
            assert_eq!(self.poll(), None);
        }
    }

    fn annex_b(nals: &[&[u8]]) -> Vec<u8> {
        nals.iter().flat_map(|nal| [&START_CODE, *nal].concat()).collect()
    }

    fn stap(nals: &[&[u8]]) -> Vec<u8> {
        let units = nals.iter().flat_map(|nal| [&(nal.len() as u16).to_be_bytes(), *nal].concat());
        [0x78].into_iter().chain(units).collect()
    }

    #[test]
    fn an_access_unit_ends_with_its_marker() {
        let mut feed = Feed::new();
        feed.push(10, false, SPS).push(10, false, PPS).push(10, true, IDR);
        let unit = feed.expect(10, true, &[SPS, PPS, IDR]);
        assert!(unit.keyframe);
        assert_eq!(unit.received, Time::from_millis(103));
        assert_eq!(unit.play_at, Time::from_millis(10));
        feed.push(20, true, SLICE);
        assert!(!feed.expect(20, true, &[SLICE]).keyframe);
        feed.expect_nothing();
    }

    #[test]
    fn an_access_unit_without_a_marker_ends_where_the_timestamp_changes() {
        let mut feed = Feed::new();
        feed.push(10, false, IDR).push(10, false, SECOND).push(20, false, SLICE);
        feed.expect(10, true, &[IDR, SECOND]);
        feed.expect_nothing();
        feed.depacketizer.finish();
        feed.expect(20, false, &[SLICE]);
        assert_eq!(feed.depacketizer.counters().marker_faults, 1);
    }

    #[test]
    fn the_units_of_an_aggregation_packet_are_all_delivered() {
        let mut feed = Feed::new();
        feed.push(10, false, &stap(&[SPS, PPS])).push(10, true, IDR);
        feed.expect(10, true, &[SPS, PPS, IDR]);
    }

    #[test]
    fn an_aggregation_packet_cut_short_yields_what_is_whole_and_an_incomplete_unit() {
        let mut feed = Feed::new();
        // One IDR slice of one octet, then half a size field.
        feed.push(10, true, &[0x78, 0x00, 0x01, 0x65, 0x00]);
        feed.expect(10, false, &[&[0x65]]);
        let mut packet = stap(&[IDR, SECOND]);
        packet.pop();
        feed.push(20, true, &packet);
        feed.expect(20, false, &[IDR]);
        feed.push(30, false, &[0x78]).push(30, false, &[0x78, 0x00, 0x00]).push(30, true, SLICE);
        feed.expect(30, false, &[SLICE]);
        assert_eq!(feed.depacketizer.counters().malformed, 4);
    }

    #[test]
    fn packets_within_packets_are_refused() {
        let mut feed = Feed::new();
        feed.push(10, true, &stap(&[IDR, &stap(&[SECOND]), &[0x7c, 0xc5, 0x88]]));
        feed.expect(10, false, &[IDR]);
        feed.push(20, false, &[0x7c, 0x9c, 1]).push(20, true, SLICE);
        feed.expect(20, false, &[SLICE]);
        assert_eq!(feed.depacketizer.counters().malformed, 3);
    }

    #[test]
    fn fragments_become_the_nal_unit_that_they_were() {
        let mut feed = Feed::new();
        feed.push(10, false, &[0x7c, 0x85, 0x88]).push(10, false, &[0x7c, 0x05]).push(
            10,
            true,
            &[0x7c, 0x45, 0x84],
        );
        assert!(feed.expect(10, true, &[IDR]).keyframe);
        // Start and end in one packet is forbidden, but nothing is missing.
        feed.push(20, true, &[0x5c, 0xc1, 0x9a, 0x22]);
        feed.expect(20, true, &[SLICE]);
    }

    #[test]
    fn a_lost_fragment_takes_its_whole_nal_unit_along() {
        let start: &[u8] = &[0x5c, 0x81, 0x9a];
        let middle: &[u8] = &[0x5c, 0x01, 1];
        let end: &[u8] = &[0x5c, 0x41, 2];
        let mut feed = Feed::new();
        feed.push(10, false, IDR).push(10, false, start).lose(1).push(10, true, end);
        let unit = feed.expect(10, false, &[IDR]);
        assert_eq!(unit.lost_packets, 1);
        feed.push(20, false, SLICE).lose(1).push(20, false, middle).push(20, true, end);
        feed.expect(20, false, &[SLICE]);
        // The last fragment with its marker: the next access unit lost nothing, but the loss is known by then.
        feed.push(30, false, SLICE).push(30, false, start).lose(1).push(40, true, SLICE);
        assert_eq!(feed.expect(30, false, &[SLICE]).lost_packets, 1);
        assert_eq!(feed.expect(40, true, &[SLICE]).lost_packets, 0);
        // Nothing of it is left at all.
        feed.push(50, false, start).lose(2).push(60, true, SLICE);
        assert_eq!(feed.expect(60, false, &[SLICE]).lost_packets, 2);
        feed.expect_nothing();
    }

    #[test]
    fn fragments_that_do_not_belong_together_are_not_joined() {
        let mut feed = Feed::new();
        // Another type; another NAL unit in between; another start; no start.
        feed.push(10, false, IDR).push(10, false, &[0x5c, 0x81, 1]).push(10, true, &[0x5c, 0x45, 2]);
        feed.expect(10, false, &[IDR]);
        feed.push(20, false, &[0x5c, 0x81, 1]).push(20, false, SLICE).push(20, true, &[0x5c, 0x41, 2]);
        feed.expect(20, false, &[SLICE]);
        feed.push(30, false, &[0x5c, 0x81, 1]).push(30, false, &[0x5c, 0x81, 0x9a]).push(
            30,
            true,
            &[0x5c, 0x41, 0x22],
        );
        feed.expect(30, false, &[SLICE]);
        feed.push(40, false, SLICE).push(40, true, &[0x5c, 0x41, 2]);
        feed.expect(40, false, &[SLICE]);
        // The timestamp changes, and the old one comes back.
        feed.push(50, false, SLICE).push(50, false, &[0x5c, 0x81, 1]).push(60, false, SLICE);
        feed.expect(50, false, &[SLICE]);
        feed.push(50, true, &[0x5c, 0x41, 2]).push(70, true, SLICE);
        feed.expect(60, true, &[SLICE]);
        feed.expect(70, false, &[SLICE]);
        // Lost, though the sequence numbers do not tell.
        feed.push(75, false, SLICE).push(75, false, &[0x5c, 0x81, 1]);
        feed.depacketizer.loss(1);
        feed.push(75, true, &[0x5c, 0x41, 2]);
        feed.expect(75, false, &[SLICE]);
        // A sequence number is missing without notice.
        feed.push(80, false, SLICE).push(80, false, &[0x5c, 0x81, 1]);
        feed.sequence += 1;
        feed.push(80, true, &[0x5c, 0x41, 2]);
        feed.expect(80, false, &[SLICE]);
    }

    #[test]
    fn a_loss_between_access_units_leaves_the_second_in_doubt() {
        let mut feed = Feed::new();
        feed.push(10, true, IDR).lose(1).push(20, true, SLICE).push(30, true, SLICE);
        feed.expect(10, true, &[IDR]);
        let unit = feed.expect(20, false, &[SLICE]);
        assert_eq!(unit.lost_packets, 1);
        feed.expect(30, true, &[SLICE]);
    }

    #[test]
    fn a_stream_that_begins_amid_a_picture_begins_with_an_incomplete_one() {
        let mut feed = Feed::new();
        feed.push(10, true, SECOND).push(20, false, SECOND).push(20, true, SLICE);
        feed.expect(10, false, &[SECOND]);
        // Later on the order of slices is the sender's choice (arbitrary slice order).
        feed.expect(20, true, &[SECOND, SLICE]);
    }

    #[test]
    fn parameter_sets_sent_ahead_go_before_the_next_picture() {
        let mut feed = Feed::new();
        feed.push(10, true, &stap(&[SPS, PPS]));
        feed.expect_nothing();
        feed.push(20, true, IDR);
        feed.expect(20, true, &[SPS, PPS, IDR]);
        // Under a marker of their own, but with the picture's timestamp.
        feed.push(30, true, SPS).push(30, true, PPS).push(30, true, IDR).push(40, true, SLICE);
        feed.expect(30, true, &[SPS, PPS, IDR]);
        feed.expect(40, true, &[SLICE]);
        // What was lost between them and the picture leaves it in doubt.
        feed.push(50, true, SPS).lose(1).push(60, true, IDR);
        feed.expect(60, false, &[SPS, IDR]);
    }

    #[test]
    fn parameter_sets_of_the_session_description_go_before_the_first_picture() {
        let parameter_sets = [SPS, PPS, IDR, &[]].map(Bytes::from_static).to_vec();
        let format = H264Format { parameter_sets, ..H264Format::default() };
        let mut feed = Feed::with(&format, &Limits::default());
        feed.push(10, true, IDR).push(20, true, IDR);
        feed.expect(10, true, &[SPS, PPS, IDR]);
        feed.expect(20, true, &[IDR]);
    }

    #[test]
    fn damaged_and_foreign_nal_units_are_dropped() {
        let mut feed = Feed::new();
        feed.push(10, false, &[0xe5, 0x88]).push(10, true, IDR);
        feed.expect(10, false, &[IDR]);
        feed.push(20, false, &[0xdc, 0x81, 1]).push(20, false, &[0xdc, 0x41, 2]).push(20, true, SLICE);
        feed.expect(20, false, &[SLICE]);
        for kind in 25..=29 {
            // STAP-B, MTAP16, MTAP24, an FU-A without header, FU-B.
            feed.push(30 + kind, false, &[0x60 | kind as u8]).push(30 + kind, true, SLICE);
            feed.expect(30 + kind, false, &[SLICE]);
        }
        // Reserved types are to be ignored, not missed.
        feed.push(80, false, &[0x7e, 1, 2]).push(80, false, &[0x00]).push(80, true, SLICE);
        feed.expect(80, true, &[SLICE]);
        let counters = feed.depacketizer.counters();
        assert_eq!((counters.unsupported, counters.incomplete), (6, 7));
    }

    #[test]
    fn a_sender_that_marks_every_packet_is_followed_by_timestamps_after_a_while() {
        let mut feed = Feed::new();
        for timestamp in 1..=2 {
            feed.push(timestamp, true, SLICE).push(timestamp, true, SECOND);
            feed.expect(timestamp, true, &[SLICE]);
            feed.expect(timestamp, false, &[SECOND]);
        }
        feed.push(3, true, SLICE).push(3, true, SECOND);
        feed.expect(3, true, &[SLICE]);
        feed.push(4, true, SLICE).push(4, true, SECOND).push(5, true, SLICE);
        feed.expect(3, false, &[SECOND]);
        feed.expect(4, true, &[SLICE, SECOND]);
        feed.expect_nothing();
    }

    #[test]
    fn packets_without_payload_and_old_packets_change_nothing() {
        let mut feed = Feed::new();
        feed.push(10, false, IDR).push(5, true, &[]).push(10, false, &[]).push(10, false, SECOND).push(
            10,
            true,
            &[],
        );
        feed.expect(10, true, &[IDR, SECOND]);
        feed.push(10, true, &[]);
        feed.expect_nothing();
        feed.sequence -= 3;
        feed.push(10, true, IDR);
        feed.expect_nothing();
        assert_eq!(feed.depacketizer.counters().late, 1);
    }

    #[test]
    fn an_access_unit_grows_to_its_limit_and_no_further() {
        let limits = Limits { access_unit: 40, ..Limits::default() };
        let mut feed = Feed::with(&H264Format::default(), &limits);
        feed.push(10, false, IDR)
            .push(10, false, &[0x41; 29])
            .push(10, false, &[0x41; 30])
            .push(10, true, SECOND);
        feed.expect(10, false, &[IDR, &[0x41; 29]]);
        feed.push(20, false, SLICE).push(20, false, &[0x5c, 0x81, 1]);
        for _ in 0..100 {
            feed.push(20, false, &[0x5c, 0x01, 1]);
        }
        feed.push(20, true, SECOND);
        feed.expect(20, false, &[SLICE, SECOND]);
        assert_eq!(feed.depacketizer.counters().oversize, 3);
        // Parameter sets alone, for ever.
        for timestamp in 30..1_000 {
            feed.push(timestamp, true, SPS);
        }
        feed.push(1_000, true, SLICE);
        assert!(feed.poll().unwrap().data.len() <= 40);
    }
}
