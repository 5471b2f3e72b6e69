//! What a delay is longer by than it was meant to be, because sound was missing at that length.

use std::time::Duration;

/// Sound that is missing, or comes too late, raises the delay by this much ...
pub(super) const RAISE: Duration = Duration::from_millis(5);
/// ... up to this much ...
const MOST_RAISED: Duration = Duration::from_millis(60);
/// ... and it falls by this much ...
const STEP: Duration = Duration::from_millis(1);
/// ... whenever nothing would have been missing for this long without it. Longer than the pauses between the moments at which
/// a busy machine stands still: each of them would be heard otherwise.
const WATCHED: Duration = Duration::from_secs(60);

/// A delay's raise.
#[derive(Debug)]
pub(super) struct Margin {
    raised: Duration,
    /// How long it has been watched, and the least time that there was to spare since, seconds.
    watched: Duration,
    least: f64,
}

impl Margin {
    pub(super) fn new() -> Self {
        Margin { raised: Duration::ZERO, watched: Duration::ZERO, least: f64::INFINITY }
    }

    /// What the delay is longer by now.
    pub(super) fn raised(&self) -> Duration {
        self.raised
    }

    /// Sound was missing: gives what the delay is longer by from now on than it was until now.
    pub(super) fn missed(&mut self) -> Duration {
        let raise = RAISE.min(MOST_RAISED.saturating_sub(self.raised));
        *self = Margin { raised: self.raised + raise, ..Margin::new() };
        raise
    }

    /// So much sound passed, and could have come `spare` seconds later.
    pub(super) fn in_time(&mut self, passed: Duration, spare: f64) {
        self.watched += passed;
        self.least = self.least.min(spare);
        if self.watched >= WATCHED {
            let step = if self.least >= STEP.as_secs_f64() { STEP } else { Duration::ZERO };
            *self = Margin { raised: self.raised.saturating_sub(step), ..Margin::new() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Half an hour with sound that is this many milliseconds late once in `every` seconds.
    fn half_an_hour(late: f64, every: u64) -> (Margin, u32) {
        let (mut margin, mut missed) = (Margin::new(), 0);
        for second in 0..1_800 {
            let late = if second % every == every - 1 { late / 1e3 } else { 0.0 };
            if late > margin.raised().as_secs_f64() {
                margin.missed();
                missed += 1;
            } else {
                margin.in_time(1_000 * MS, margin.raised().as_secs_f64() - late);
            }
        }
        (margin, missed)
    }

    #[test]
    fn a_machine_that_stands_still_now_and_then_is_heard_to_until_the_delay_allows_for_it() {
        assert_eq!(half_an_hour(18.0, 10).1, 4);
        let (margin, missed) = half_an_hour(18.0, 100);
        assert!(missed < 9, "{missed}");
        assert!(margin.raised() >= 10 * MS, "{margin:?}");
    }

    #[test]
    fn a_delay_that_was_needed_once_is_given_back() {
        let mut margin = Margin::new();
        assert_eq!((margin.missed(), margin.raised()), (RAISE, RAISE));
        for _ in 0..301 {
            margin.in_time(1_000 * MS, margin.raised().as_secs_f64());
        }
        assert_eq!(margin.raised(), Duration::ZERO);
    }

    #[test]
    fn there_is_an_end_to_it() {
        let mut margin = Margin::new();
        let raised: Duration = (0..40).map(|_| margin.missed()).sum();
        assert_eq!((raised, margin.raised()), (MOST_RAISED, MOST_RAISED));
    }
}
