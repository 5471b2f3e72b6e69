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
