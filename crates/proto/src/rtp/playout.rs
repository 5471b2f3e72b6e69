//! The common time of sound and picture: lip synchronisation by the clock mappings of sender reports (RFC
//! 3550 sections 5.1 and 6.4.1) and of header extensions (RFC 6051 section 3.3).
//!
//! Each section's [jitter buffer](super::jitter) holds its own packets as short as it can. A mapping
//! says at what wall-clock time of the sender a timestamp was captured, so that the time from capture to
//! playout can be compared between two sections (their clocks are one, whatever it shows). The section that
//! is ahead waits for the other one. What it waits changes by at most a tenth of the time that passes, so
//! that a sink can follow by playing slower or faster.
//!
//! A header extension is there with the first packet. While it goes on to come, it counts, and reports do not:
//! what it says is of the very packet. Times of `ntp-56` wrap every 2^24 s, so times are compared by what is
//! left of them after whole such wraps: nothing has to be known of the upper bits.

use crate::rtp::session::{ClockMapping, MappingOrigin};
use crate::time::Time;
use std::time::Duration;

const SECOND: i128 = 1_000_000_000;
/// Sections this far apart do not share a clock, whatever they say.
const FARTHEST: i128 = SECOND / 2;
/// Below this nobody sees or hears a difference, and nothing is changed.
const UNNOTICED: i128 = SECOND / 100;
/// After how long without a header extension the reports count again.
const EXTENSION_KEPT: Duration = Duration::from_secs(10);
/// When `ntp-56` wraps (RFC 6051 section 3.3).
const WRAP: i128 = SECOND << 24;

/// The playout time of one section.
#[derive(Debug, Default)]
pub struct SectionClock {
    mapping: Option<ClockMapping>,
    /// From capture to playout as the jitter buffer has it, in nanoseconds; the two clocks' difference is in
    /// it.
    latency: Option<i128>,
    /// What is to be added, and what is added now.
    wanted: Duration,
    added: Duration,
    /// The playout time that was given last, before anything was added.
    last: Option<Time>,
}

impl SectionClock {
    /// A clock that adds nothing.
    pub fn new() -> Self {
        SectionClock::default()
    }

    /// Takes what a sender report or a header extension said. A time of zero says that its sender has no clock (RFC
    /// 3550 section 6.4.1).
    pub fn map(&mut self, mapping: ClockMapping) {
        if mapping.ntp == 0 {
            return;
        }
        match self.mapping {
            Some(known) if known.ssrc != mapping.ssrc => self.latency = None,
            Some(known)
                if known.origin == MappingOrigin::HeaderExtension
                    && mapping.origin == MappingOrigin::SenderReport
                    && mapping.received - known.received < EXTENSION_KEPT =>
            {
                return;
            }
            _ => {}
        }
        self.mapping = Some(mapping);
    }

    /// What the times of capture are known by; `None`: by nothing.
    pub fn mapped_by(&self) -> Option<MappingOrigin> {
        self.mapping.map(|mapping| mapping.origin)
    }

    /// When to play a packet that its jitter buffer wants played at `play_at`; packets of one timestamp
    /// get the same time.
    pub fn play_at(&mut self, ssrc: u32, timestamp: u64, clock_rate: u32, play_at: Time) -> Time {
        if let Some(mapping) = self.mapping.filter(|m| m.ssrc == ssrc) {
            self.latency =
                Some(i128::from(play_at.nanos()) - captured(&mapping, timestamp as u32, clock_rate));
        }
        let passed = self.last.map_or(Duration::ZERO, |last| play_at - last);
        self.last = self.last.max(Some(play_at));
        let step = passed / 10;
        self.added = match self.wanted > self.added {
            true => self.wanted.min(self.added + step),
            false => self.wanted.max(self.added.saturating_sub(step)),
        };
        play_at + self.added
    }

    /// What is added now.
    pub fn added(&self) -> Duration {
        self.added
    }
}

/// Makes the section that is ahead wait for the other one. Before both have been mapped, nothing waits.
pub fn align(a: &mut SectionClock, b: &mut SectionClock) {
    let (wait_a, wait_b) = match (a.latency, b.latency) {
        (Some(of_a), Some(of_b)) => {
            let ahead = (of_b - of_a + WRAP / 2).rem_euclid(WRAP) - WRAP / 2;
            match ahead.abs() {
                UNNOTICED..=FARTHEST => (ahead.max(0), (-ahead).max(0)),
                _ => (0, 0),
            }
        }
        _ => (0, 0),
    };
    a.wanted = Duration::from_nanos(wait_a as u64);
    b.wanted = Duration::from_nanos(wait_b as u64);
}

/// When a timestamp was captured, in nanoseconds of the sender's wall clock.
fn captured(mapping: &ClockMapping, timestamp: u32, clock_rate: u32) -> i128 {
    let reported = (i128::from(mapping.ntp) * SECOND) >> 32;
    let ticks = timestamp.wrapping_sub(mapping.rtp_timestamp) as i32;
    reported + i128::from(ticks) * SECOND / i128::from(clock_rate.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    /// The sender's wall clock is 1000 s ahead of ours.
    fn mapping(ssrc: u32, captured: u64, rtp_timestamp: u32) -> ClockMapping {
        let ntp = Time::from_millis(1_000_000 + captured).ntp();
        ClockMapping {
            ssrc,
            ntp,
            rtp_timestamp,
            received: ms(captured + 50),
            origin: MappingOrigin::SenderReport,
        }
    }

    /// Plays ten seconds of both: what is captured at t is wanted at t plus these delays. Gives how far
    /// picture and sound of one instant are apart at the end, in milliseconds.
    fn apart(sound: &mut SectionClock, pictures: &mut SectionClock, delays: (u64, u64)) -> i64 {
        let mut last = (ms(0), ms(0));
        for t in (20_000..30_000).step_by(20) {
            let ticks = u64::from(u32::MAX) - 1_000 + (t - 20_000) * 48;
            last.0 = sound.play_at(1, ticks, 48_000, ms(t + delays.0));
            last.1 = pictures.play_at(2, (t - 20_000) * 90, 90_000, ms(t + delays.1));
            align(sound, pictures);
        }
        (last.1.nanos() as i64 - last.0.nanos() as i64) / 1_000_000
    }

    fn mapped() -> (SectionClock, SectionClock) {
        let (mut sound, mut pictures) = (SectionClock::new(), SectionClock::new());
        // The sound's mapping is from the far side of a wrap of its timestamps.
        sound.map(mapping(1, 21_000, (u32::MAX - 1_000).wrapping_add(48_000)));
        pictures.map(mapping(2, 20_500, 45_000));
        (sound, pictures)
    }

    #[test]
    fn the_section_that_is_ahead_waits_for_the_other() {
        let (mut sound, mut pictures) = mapped();
        assert_eq!(apart(&mut sound, &mut pictures, (40, 140)), 0);
        assert!(sound.added().abs_diff(Duration::from_millis(100)) < Duration::from_micros(1));
        assert_eq!(pictures.added(), Duration::ZERO);
    }

    #[test]
    fn either_section_can_be_the_one_that_waits() {
        let (mut sound, mut pictures) = mapped();
        assert_eq!(apart(&mut sound, &mut pictures, (70, 30)), 0);
        assert!(pictures.added().abs_diff(Duration::from_millis(40)) < Duration::from_micros(1));
        assert_eq!(sound.added(), Duration::ZERO);
    }

    #[test]
    fn the_wait_changes_by_no_more_than_a_tenth_of_the_time() {
        let (mut sound, mut pictures) = mapped();
        let mut before = Duration::ZERO;
        for t in (20_000..30_000).step_by(20) {
            let delay = if t < 25_000 { 400 } else { 20 };
            sound.play_at(1, u64::from(u32::MAX) - 1_000 + (t - 20_000) * 48, 48_000, ms(t + 20));
            pictures.play_at(2, (t - 20_000) * 90, 90_000, ms(t + delay));
            align(&mut sound, &mut pictures);
            assert!(sound.added().abs_diff(before) <= Duration::from_millis(2));
            before = sound.added();
        }
        assert_eq!(sound.added(), Duration::ZERO);
    }

    #[test]
    fn nothing_waits_without_both_mappings_or_where_they_make_no_sense() {
        let (mut sound, mut pictures) = mapped();
        sound.mapping = None;
        assert_eq!(apart(&mut sound, &mut pictures, (40, 140)), 100);
        let (mut sound, mut pictures) = mapped();
        pictures.map(mapping(2, 25_500, 45_000));
        assert_eq!(apart(&mut sound, &mut pictures, (40, 140)), 100, "five seconds apart");
        let (mut sound, mut pictures) = mapped();
        pictures.map(mapping(3, 20_500, 45_000));
        assert_eq!(apart(&mut sound, &mut pictures, (40, 140)), 100, "another source's report");
    }

    #[test]
    fn times_without_their_upper_bits_are_compared_with_whole_ones() {
        let (mut sound, mut pictures) = mapped();
        let short = mapping(1, 21_000, (u32::MAX - 1_000).wrapping_add(48_000));
        sound.map(ClockMapping {
            ntp: short.ntp & (u64::MAX >> 8),
            origin: MappingOrigin::HeaderExtension,
            ..short
        });
        assert_eq!(apart(&mut sound, &mut pictures, (40, 140)), 0);
    }

    #[test]
    fn a_header_extension_counts_before_reports_as_long_as_it_comes() {
        let at = |millis, origin, rtp_timestamp| ClockMapping {
            received: ms(millis),
            origin,
            ..mapping(1, millis, rtp_timestamp)
        };
        let (report, extension) = (MappingOrigin::SenderReport, MappingOrigin::HeaderExtension);
        let mut clock = SectionClock::new();
        assert_eq!(clock.mapped_by(), None);
        clock.map(ClockMapping { ntp: 0, ..at(999, extension, 1) });
        assert_eq!(clock.mapped_by(), None, "a sender without a clock");
        clock.map(at(1_000, report, 1));
        assert_eq!(clock.mapped_by(), Some(report));
        clock.map(at(1_001, extension, 2));
        clock.map(at(11_000, report, 3));
        assert_eq!(clock.mapping, Some(at(1_001, extension, 2)));
        clock.map(at(11_001, report, 4));
        assert_eq!(clock.mapped_by(), Some(report), "ten seconds without one");
        clock.map(at(11_002, extension, 5));
        clock.map(ClockMapping { ssrc: 2, ..at(11_003, report, 6) });
        assert_eq!(clock.mapped_by(), Some(report), "another source");
    }

    #[test]
    fn what_nobody_notices_is_left_alone() {
        let (mut sound, mut pictures) = mapped();
        assert_eq!(apart(&mut sound, &mut pictures, (40, 49)), 9);
    }

    #[test]
    fn packets_of_one_timestamp_get_the_same_time() {
        let (mut sound, mut pictures) = mapped();
        apart(&mut sound, &mut pictures, (40, 140));
        sound.wanted = Duration::from_millis(10);
        let first = sound.play_at(1, 0, 48_000, ms(40_000));
        assert_eq!(sound.play_at(1, 0, 48_000, ms(40_000)), first);
    }
}
