//! Two clocks held together: where a device is in its stream, and how much faster to play to stay with it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use visavis_proto::time::Time;

/// No more correction than this, parts in a million: two cents of pitch, which nobody hears.
pub const MAX_PPM: f64 = 1_000.0;

/// Over how long the earliest callbacks are followed, and over how long it is forgotten that they were, seconds: callbacks
/// are late by chance and early never, so the earliest tell the device's pace. Following the mean would bend the sound
/// whenever the machine is busy.
const FOLLOWED: f64 = 0.05;
const FORGOTTEN: f64 = 4.0;

/// What stands for "no callback yet".
const UNSET: i64 = i64::MIN;

/// When sample 0 of a device's stream would have been due, by its newest callback. One thread writes, others
/// read, none waits.
#[derive(Debug)]
pub(super) struct Anchor(AtomicI64);

impl Anchor {
    pub(super) fn new() -> Self {
        Anchor(AtomicI64::new(UNSET))
    }

    /// Sample number `sample` is due at `time`.
    pub(super) fn set(&self, time: Time, sample: u64, sample_rate: u32) {
        let nanos = i64::try_from(time.nanos()).unwrap_or(i64::MAX) - span(sample, sample_rate);
        self.0.store(nanos, Ordering::Release);
    }

    /// Nanoseconds after the clock's origin; `None` before the first callback.
    pub(super) fn nanos(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Acquire)).filter(|nanos| *nanos != UNSET)
    }
}

/// An [`Anchor`] seen from the other side, smoothed.
#[derive(Debug, Default)]
pub(super) struct Smoothed {
    state: Option<(f64, Time)>,
}

impl Smoothed {
    /// Forgets what was before a break in the stream.
    pub(super) fn reset(&mut self) {
        self.state = None;
    }

    /// When sample number `sample` is due, in nanoseconds, by the earliest callbacks until `now`.
    pub(super) fn due(&mut self, anchor: i64, now: Time, sample: u64, sample_rate: u32) -> f64 {
        let newest = anchor as f64;
        let smooth = match self.state {
            Some((before, at)) => {
                let passed = now.since(at).as_secs_f64();
                let over = if newest < before { FOLLOWED } else { FORGOTTEN };
                before + (newest - before) * passed / (passed + over)
            }
            None => newest,
        };
        self.state = Some((smooth, now));
        smooth + span(sample, sample_rate) as f64
    }
}

/// How late sound was, a mean over the last seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lateness(f64);

impl Lateness {
    /// Over how long, seconds.
    const MEANT: f64 = 5.0;

    /// So much sound was `late` seconds late; less than zero is early.
    pub(super) fn add(&mut self, late: f64, passed: Duration) {
        let passed = passed.as_secs_f64();
        self.0 += (late - self.0) * passed / (passed + Self::MEANT);
    }

    /// What a wait that is meant to be `wait` was.
    pub(super) fn on(self, wait: Duration) -> Duration {
        Duration::from_secs_f64((wait.as_secs_f64() + self.0).max(0.0))
    }
}

/// How long `samples` last, nanoseconds.
pub(super) fn span(samples: u64, sample_rate: u32) -> i64 {
    (i128::from(samples) * 1_000_000_000 / i128::from(sample_rate.max(1))) as i64
}

/// Turns an error in time into a correction of speed that makes it vanish and keeps it so: a proportional and
/// an integral part, critically damped. It is quick at first, when the difference between the clocks is what there is to
/// learn, and slow later, when jitter is: a difference of 500 parts in a million costs an error of 1 ms, once.
#[derive(Debug, Default)]
pub struct Servo {
    /// Learned difference between the clocks, parts in a million.
    drift: f64,
    /// How long it has been learned for, seconds.
    learned: f64,
    /// How long corrections have been made for.
    corrected: Duration,
}

impl Servo {
    /// Time constants of the loop, seconds: at first, and at last; between them this share of the time that it has learned for.
    const QUICK: f64 = 4.0;
    const SLOW: f64 = 40.0;
    const SHARE: f64 = 0.3;
    /// So long it learns nothing that lasts, seconds: the jitter buffer finds its delay meanwhile, which looks like a clock that is
    /// 2000 parts in a million fast.
    const SETTLES: f64 = 15.0;
    /// What was learned until then is nothing to go by.
    const KNOWN: Duration = Duration::from_secs(23);
    /// An error above this, seconds, is none of jitter's: what was learned is doubted, and learned no slower than with this time
    /// constant.
    const WRONG: f64 = 0.003;
    const DOUBTED: f64 = 10.0;
    /// Real clocks differ by no more, parts in a million.
    const MOST_LEARNED: f64 = 600.0;

    /// A servo that knows of no drift.
    pub fn new() -> Self {
        Servo::default()
    }

    /// How much faster to go, parts in a million, where sound is `late` seconds late (negative: early) and the
    /// last call was `passed` ago. For [`Resampler::set_drift`](crate::resample::Resampler::set_drift).
    pub fn correct(&mut self, late: f64, passed: Duration) -> f64 {
        self.corrected += passed;
        let passed = passed.as_secs_f64().min(1.0);
        self.learned += passed;
        if late.abs() > Self::WRONG {
            self.learned = self.learned.min(Self::SETTLES + Self::DOUBTED / Self::SHARE);
        }
        let constant = ((self.learned - Self::SETTLES) * Self::SHARE).clamp(Self::QUICK, Self::SLOW);
        let wanted = self.drift + late * 2e6 / constant;
        // What cannot be done at once would be learned for too long.
        if wanted.abs() <= MAX_PPM || wanted * late < 0.0 {
            let drift = self.drift + late * 1e6 / (constant * constant) * passed;
            self.drift = drift.clamp(-Self::MOST_LEARNED, Self::MOST_LEARNED);
        }
        wanted.clamp(-MAX_PPM, MAX_PPM)
    }

    /// The difference between the clocks that it has learned, parts in a million: positive where the other
    /// clock is slow. `None` before it has had the time to.
    pub fn drift(&self) -> Option<f64> {
        (self.corrected >= Self::KNOWN).then_some(self.drift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servo_learns_the_drift_and_the_error_vanishes() {
        for ppm in [-200.0, 50.0, 500.0] {
            let (mut servo, mut late, mut worst) = (Servo::new(), 0.0f64, 0.0f64);
            let step = Duration::from_millis(20);
            for n in 0..50 * 300 {
                assert_eq!(servo.drift().is_some(), n >= 50 * 23, "{n}");
                let faster = servo.correct(late, step);
                late += (ppm - faster) * 1e-6 * step.as_secs_f64();
                worst = worst.max(late.abs());
            }
            let drift = servo.drift().expect("five minutes");
            assert!((drift - ppm).abs() < 1.0, "{drift}");
            assert!(late.abs() < 50e-6 && worst < 1e-3, "{ppm}: {late} {worst}");
        }
    }

    #[test]
    fn the_earliest_callbacks_count() {
        let (anchor, mut smoothed) = (Anchor::new(), Smoothed::default());
        assert_eq!(anchor.nanos(), None);
        let mut due = 0.0;
        for n in 0..500u64 {
            let jitter = if n % 2 == 0 { 0 } else { 4 };
            anchor.set(Time::from_millis(1_000 + 10 * n + jitter), n * 480, 48_000);
            due = smoothed.due(anchor.nanos().unwrap(), Time::from_millis(1_000 + 10 * n), 0, 48_000);
        }
        assert!((due - 1_000_000_000.0).abs() < 200_000.0, "{due}");
    }
}
