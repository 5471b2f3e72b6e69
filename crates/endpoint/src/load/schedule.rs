//! When calls begin.

use std::time::Duration;

/// How many calls begin in a second, over time: from one rate to another in a straight line, and on at the latter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    /// Calls a second at the start.
    pub from: f64,
    /// Calls a second at the end.
    pub to: f64,
    /// How long it takes from the one to the other.
    pub over: Duration,
}

impl Ramp {
    /// The same rate all the time.
    pub fn steady(rate: f64) -> Self {
        Ramp { from: rate, to: rate, over: Duration::ZERO }
    }

    /// Calls a second, this long after the start.
    pub fn rate(&self, since: Duration) -> f64 {
        if since >= self.over {
            return self.to;
        }
        self.from + (self.to - self.from) * since.as_secs_f64() / self.over.as_secs_f64()
    }

    /// When a call begins, after the start; the first one is number 0, and begins at once. The longest time there is
    /// for one that never begins.
    pub fn due(&self, number: u64) -> Duration {
        // The calls begun by t are the integral of the rate: t is where that has reached `number`.
        let (calls, over) = (number as f64, self.over.as_secs_f64());
        let in_ramp = (self.from + self.to) / 2.0 * over;
        let seconds = if calls > in_ramp {
            over + (calls - in_ramp) / self.to
        } else if number == 0 {
            0.0
        } else {
            let slope = (self.to - self.from) / over;
            let root = (self.from * self.from + 2.0 * slope * calls).max(0.0).sqrt();
            2.0 * calls / (self.from + root)
        };
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(ramp: Ramp, number: u64) -> f64 {
        ramp.due(number).as_secs_f64()
    }

    #[test]
    fn calls_at_a_steady_rate_are_evenly_apart() {
        let ramp = Ramp::steady(50.0);
        assert_eq!([0, 1, 50, 500].map(|n| due(ramp, n)), [0.0, 0.02, 1.0, 10.0]);
        assert_eq!(ramp.rate(Duration::from_secs(9)), 50.0);
    }

    #[test]
    fn a_ramp_begins_as_many_calls_as_its_rate_adds_up_to_and_goes_on_at_its_end() {
        let ramp = Ramp { from: 10.0, to: 30.0, over: Duration::from_secs(10) };
        assert_eq!(ramp.rate(Duration::from_secs(5)), 20.0);
        assert!((due(ramp, 200) - 10.0).abs() < 1e-9, "20 a second on average for 10 s");
        assert!((due(ramp, 230) - 11.0).abs() < 1e-9, "then 30 a second");
        // 10 t + t^2 calls by t.
        assert!((due(ramp, 75) - 5.0).abs() < 1e-9);
        let times: Vec<f64> = (0..300).map(|n| due(ramp, n)).collect();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_ramp_may_lead_up_from_nothing_and_down_to_nothing() {
        let up = Ramp { from: 0.0, to: 8.0, over: Duration::from_secs(4) };
        assert_eq!(due(up, 0), 0.0);
        assert!((due(up, 1) - 1.0).abs() < 1e-9, "t^2 calls by t");
        assert!((due(up, 16) - 4.0).abs() < 1e-9);
        let down = Ramp { from: 8.0, to: 0.0, over: Duration::from_secs(4) };
        assert!((due(down, 16) - 4.0).abs() < 1e-6);
        assert_eq!(down.due(17), Duration::MAX, "none after that");
    }
}
