//! Where a frame belongs on its track, by its RTP timestamp and the time at which it was played.

use std::num::NonZeroU32;
use visavis_proto::time::Time;

/// The RTP timestamp decides where a frame belongs up to this far from its play time, milliseconds. What is
/// further off was moved: by a jitter buffer that grew, a clock that drifts, a source that started anew.
pub(super) const SLACK_MS: u64 = 30;

/// The time line of a track, in its own ticks.
#[derive(Debug)]
pub(super) struct Timeline {
    rate: u64,
    /// Where tick 0 lies on the clock of the call, nanoseconds.
    starts: u64,
    /// A timestamp and the tick that it stands for.
    anchor: (u64, u64),
}

impl Timeline {
    /// A time line on which the frame of that timestamp and play time has tick 0.
    pub(super) fn new(rate: NonZeroU32, timestamp: u64, at: Time) -> Self {
        Timeline { rate: rate.get().into(), starts: at.nanos(), anchor: (timestamp, 0) }
    }

    /// The tick of a frame.
    pub(super) fn place(&mut self, timestamp: u64, at: Time) -> u64 {
        let (from, tick) = self.anchor;
        let by_timestamp = if timestamp >= from {
            tick.saturating_add(timestamp - from)
        } else {
            tick.saturating_sub(from - timestamp)
        };
        let nanos = u128::from(at.nanos().saturating_sub(self.starts));
        let by_clock = ((nanos * u128::from(self.rate) + 500_000_000) / 1_000_000_000) as u64;
        if by_timestamp.abs_diff(by_clock) * 1_000 <= SLACK_MS * self.rate {
            return by_timestamp;
        }
        self.anchor = (timestamp, by_clock);
        by_clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_decide_until_the_clock_is_too_far_off() {
        let at = |ms: u64| Time::from_millis(5_000 + ms);
        let rate = NonZeroU32::new(90_000).unwrap();
        let mut line = Timeline::new(rate, 1_000_000, at(0));
        assert_eq!(line.place(1_003_000, at(50)), 3_000, "a late picture keeps its place");
        assert_eq!(line.place(1_006_000, at(100)), 9_000, "the jitter buffer grew");
        assert_eq!(line.place(1_009_000, at(133)), 12_000);
        assert_eq!(line.place(77, at(233)), 20_970, "the source started anew");
        assert_eq!(line.place(3_077, at(266)), 23_970);
    }
}
