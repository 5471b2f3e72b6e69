//! How far the sound lies behind the picture.
//!
//! Picture and sound are stamped by one clock at the sender (the picture's capture time; the marker at the
//! start of each second) and timed by one clock here, so that their lateness can be compared although the two
//! clocks may differ.

use super::statistics::{Distribution, Series};
use super::video::Seen;
use crate::source::pattern::PULSE;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

const SECOND: i128 = 1_000_000_000;
/// Seconds of pictures and markers that are remembered.
const REMEMBERED: usize = 4_096;
/// Pictures kept for each of these seconds.
const PICTURES: usize = 64;

/// How picture and sound lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SyncReport {
    /// Milliseconds by which the sound is later than the picture (negative: earlier), one measurement for each
    /// marker heard while pictures came. Markers come once a second: what is beyond 500 ms either way reads as
    /// the difference to the next whole second.
    pub offset_ms: Distribution,
}

#[derive(Debug, Default)]
pub(super) struct SyncJudge {
    /// How late pictures were (nanoseconds, capture to show), by the second in which they were shown.
    pictures: BTreeMap<i128, Vec<i128>>,
    /// When markers were heard, nanoseconds since the Unix epoch.
    markers: VecDeque<i128>,
}

impl SyncJudge {
    pub(super) fn picture(&mut self, seen: Seen) {
        let lateness = self.pictures.entry(seen.shown_nanos.div_euclid(SECOND)).or_default();
        if lateness.len() < PICTURES {
            lateness.push(seen.shown_nanos - seen.captured_nanos);
        }
        if self.pictures.len() > REMEMBERED {
            self.pictures.pop_first();
        }
    }

    /// A marker whose start was heard `nanos` nanoseconds after the Unix epoch.
    pub(super) fn marker(&mut self, nanos: i128) {
        self.markers.push_back(nanos);
        if self.markers.len() > REMEMBERED {
            self.markers.pop_front();
        }
    }

    pub(super) fn report(&self) -> Option<SyncReport> {
        let mut offsets = Series::new();
        for &marker in &self.markers {
            if let Some(picture) = self.picture_lateness(marker) {
                let apart = (marker - picture + SECOND / 2).rem_euclid(SECOND) - SECOND / 2;
                offsets.push(apart as f64 / 1e6);
            }
        }
        offsets.distribution().map(|offset_ms| SyncReport { offset_ms })
    }

    /// The median lateness of the pictures shown in the second around a marker.
    fn picture_lateness(&self, marker: i128) -> Option<i128> {
        let middle = marker + PULSE.as_nanos() as i128 / 2;
        let second = middle.div_euclid(SECOND);
        let nearer = if middle.rem_euclid(SECOND) < SECOND / 2 { second - 1 } else { second + 1 };
        let mut lateness: Vec<i128> =
            [second, nearer].iter().filter_map(|s| self.pictures.get(s)).flatten().copied().collect();
        lateness.sort_unstable();
        lateness.get(lateness.len() / 2).copied()
    }
}
