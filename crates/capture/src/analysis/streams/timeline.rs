//! A stream second by second, in bounded memory: the step doubles where the stream is long.

use crate::findings::StreamSecond;
use visavis_proto::Time;

/// The most steps; with as many, two become one.
const MAX_STEPS: usize = 600;

/// The time line of one stream.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    start: Time,
    step_s: u32,
    steps: Vec<StreamSecond>,
}

impl Timeline {
    pub(super) fn new(start: Time) -> Self {
        Timeline { start, step_s: 1, steps: Vec::new() }
    }

    /// The step that a time lies in; what lies before the start counts for the first.
    pub(super) fn at(&mut self, time: Time) -> &mut StreamSecond {
        let seconds = (time - self.start).as_secs();
        while seconds / u64::from(self.step_s) >= MAX_STEPS as u64 && self.step_s < u32::MAX / 2 {
            self.halve();
        }
        let index = usize::try_from(seconds / u64::from(self.step_s)).unwrap_or(MAX_STEPS).min(MAX_STEPS);
        if self.steps.len() <= index {
            self.steps.resize(index + 1, StreamSecond::default());
        }
        let last = self.steps.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "index is within what was just sized")]
        &mut self.steps[index.min(last)]
    }

    pub(super) fn finish(self) -> (Vec<StreamSecond>, u32) {
        (self.steps, self.step_s)
    }

    fn halve(&mut self) {
        self.step_s *= 2;
        let joined =
            self.steps.chunks(2).map(|pair| pair.iter().fold(StreamSecond::default(), join)).collect();
        self.steps = joined;
    }
}

fn join(a: StreamSecond, b: &StreamSecond) -> StreamSecond {
    StreamSecond {
        packets: a.packets.saturating_add(b.packets),
        octets: a.octets + b.octets,
        lost: a.lost.saturating_add(b.lost),
        jitter_ms: b.jitter_ms.or(a.jitter_ms),
        frames: a.frames.saturating_add(b.frames),
        longest_gap_ms: match (a.longest_gap_ms, b.longest_gap_ms) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        },
        round_trip_ms: b.round_trip_ms.or(a.round_trip_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_long_stream_keeps_its_sums_in_longer_steps() {
        let start = Time::from_millis(5_000);
        let mut timeline = Timeline::new(start);
        for second in 0..5_000u64 {
            timeline.at(start + Duration::from_secs(second)).packets += 1;
        }
        timeline.at(Time::ZERO).packets += 1;
        let (steps, step_s) = timeline.finish();
        assert_eq!(step_s, 16);
        assert!(steps.len() <= MAX_STEPS);
        assert_eq!(steps.iter().map(|s| s.packets).sum::<u32>(), 5_001);
        assert_eq!(steps[0].packets, 17);
    }

    #[test]
    fn a_time_of_far_away_does_not_take_memory() {
        let mut timeline = Timeline::new(Time::ZERO);
        timeline.at(Time::ZERO).packets = 1;
        timeline.at(Time::from_nanos(u64::MAX)).packets = 1;
        assert!(timeline.finish().0.len() <= MAX_STEPS);
    }
}
