//! The highest rate at which everything still goes well: up by doubling until a step fails, then in between.
//!
//! A [`Search`] knows no clock and places no call: it names the rate of the next step, and is told how that went.

use super::tally::Tally;
use std::time::Duration;

/// What a step must keep to, to be clean. Shares are from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clean {
    /// The least share of the calls that must succeed.
    pub success: f64,
    /// The most requests sent again, for each call.
    pub retransmissions: f64,
    /// The least share of the rate that must have been reached: the rest was lost waiting for a processor.
    pub reached: f64,
}

impl Default for Clean {
    /// 99.9 % of the calls good, at most one retransmission in a thousand calls, 98 % of the rate reached.
    fn default() -> Self {
        Clean { success: 0.999, retransmissions: 0.001, reached: 0.98 }
    }
}

impl Clean {
    /// What keeps a step from being clean, in words; `None` where it is.
    pub fn objection(&self, rate: f64, tally: &Tally) -> Option<String> {
        let calls = tally.placed.max(1) as f64;
        let share = tally.good as f64 / calls;
        if tally.placed == 0 || share < self.success {
            return Some(format!("{} of {} calls good", tally.good, tally.placed));
        }
        if tally.retransmissions as f64 / calls > self.retransmissions {
            return Some(format!("{} retransmissions in {} calls", tally.retransmissions, tally.placed));
        }
        match tally.rate() {
            Some(reached) if reached < rate * self.reached => {
                Some(format!("only {reached:.1} of {rate:.1} calls a second begun"))
            }
            _ => None,
        }
    }
}

/// Where a search has got to.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    high: f64,
    precision: f64,
    tries: u32,
    /// The highest rate that was clean.
    clean: Option<f64>,
    /// The lowest rate that was not.
    failed: Option<f64>,
    /// The rate of the step that comes next, or is under way.
    next: Option<f64>,
    /// How often that has failed already.
    failures: u32,
}

impl Search {
    /// A search between two rates, calls a second. It is over when the lowest rate that failed is no more than
    /// `precision` (a share of the rate) above the highest that was clean. A rate counts as failed when it did so
    /// `tries` times in a row: other programs on the machine spoil a step now and then.
    pub fn new(low: f64, high: f64, precision: f64, tries: u32) -> Self {
        let next = Some(low).filter(|low| *low > 0.0 && *low <= high);
        Search {
            high,
            precision: precision.max(0.001),
            tries: tries.max(1),
            clean: None,
            failed: None,
            next,
            failures: 0,
        }
    }

    /// The rate to try next; `None` when the search is over.
    pub fn next(&self) -> Option<f64> {
        self.next
    }

    /// The highest rate that was clean; `None` where none was.
    pub fn highest(&self) -> Option<f64> {
        self.clean
    }

    /// Takes in how the step at [`Search::next`] went.
    pub fn took(&mut self, clean: bool) {
        let Some(rate) = self.next else { return };
        if clean {
            self.clean = Some(rate);
        } else {
            self.failures += 1;
            if self.failures < self.tries {
                return;
            }
            self.failed = Some(rate);
        }
        self.failures = 0;
        self.next = match (self.clean, self.failed) {
            (Some(clean), None) if clean >= self.high => None,
            (Some(clean), None) => Some((clean * 2.0).min(self.high)),
            (Some(clean), Some(failed)) if failed <= clean * (1.0 + self.precision) => None,
            (Some(clean), Some(failed)) => Some((clean * failed).sqrt()),
            (None, _) => None,
        };
    }

    /// How many calls a step of this length has at this rate: at least ten.
    pub fn calls(rate: f64, step: Duration) -> u64 {
        ((rate * step.as_secs_f64()).ceil() as u64).max(10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a search against something that is clean up to a rate; gives the result and the rates tried.
    fn run(mut search: Search, limit: f64) -> (Option<f64>, Vec<f64>) {
        let mut tried = Vec::new();
        while let Some(rate) = search.next() {
            tried.push(rate);
            assert!(tried.len() < 60, "it ends: {tried:?}");
            search.took(rate <= limit);
        }
        (search.highest(), tried)
    }

    #[test]
    fn the_highest_clean_rate_is_found_to_the_precision_asked_for() {
        for limit in [100.0, 101.0, 777.0, 1_234.5, 9_999.0] {
            let (found, tried) = run(Search::new(100.0, 10_000.0, 0.03, 1), limit);
            let found = found.expect("100 is clean");
            assert!(found <= limit && found * 1.03 >= limit, "{found} for {limit}: {tried:?}");
            assert!(tried.len() < 16, "{tried:?}");
        }
    }

    #[test]
    fn a_search_ends_at_its_bounds() {
        assert_eq!(
            run(Search::new(50.0, 400.0, 0.05, 1), 1e9),
            (Some(400.0), vec![50.0, 100.0, 200.0, 400.0])
        );
        assert_eq!(run(Search::new(50.0, 70.0, 0.05, 1), 1e9), (Some(70.0), vec![50.0, 70.0]));
        assert_eq!(run(Search::new(50.0, 400.0, 0.05, 1), 10.0), (None, vec![50.0]));
        assert_eq!(run(Search::new(0.0, 400.0, 0.05, 1), 10.0), (None, vec![]));
    }

    #[test]
    fn one_spoilt_step_does_not_end_the_climb() {
        let mut search = Search::new(100.0, 200.0, 0.05, 2);
        search.took(false);
        assert_eq!(search.next(), Some(100.0), "again");
        search.took(true);
        search.took(false);
        search.took(false);
        assert!(search.next().is_some_and(|rate| rate > 100.0 && rate < 200.0), "twice in a row counts");
    }

    #[test]
    fn what_spoils_a_step_is_named() {
        let clean = Clean::default();
        let good = Tally { placed: 1_000, good: 999, retransmissions: 1, ..Tally::default() };
        assert_eq!(clean.objection(10.0, &good), None);
        let objection = |tally: &Tally| clean.objection(10.0, tally).expect("an objection");
        assert_eq!(objection(&Tally { good: 998, ..good.clone() }), "998 of 1000 calls good");
        assert_eq!(
            objection(&Tally { retransmissions: 2, ..good.clone() }),
            "2 retransmissions in 1000 calls"
        );
        assert_eq!(objection(&Tally::default()), "0 of 0 calls good");
        let slow = Tally { span: Some((Duration::ZERO, Duration::from_secs(111))), ..good };
        assert_eq!(objection(&slow), "only 9.0 of 10.0 calls a second begun");
    }
}
