//! Times, counted so that any percentile can be read off afterwards in bounded memory.

use std::time::Duration;

/// Times below this many microseconds have a bucket each.
const EXACT: u64 = 512;
/// Buckets between one power of two and the next, above that: no time is off by more than a 256th of itself.
const PER_OCTAVE: u64 = EXACT / 2;
/// The greatest power of two that has buckets of its own, microseconds: a good hour. What is longer counts there.
const LARGEST: u32 = 32;

/// A histogram of times: exact to a microsecond below 512 us and to 0.4 % above, of any number of values in at most
/// 50 KB. Count, mean, least and greatest are exact.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// As many as the greatest value needs.
    counts: Vec<u64>,
    count: u64,
    sum: Duration,
    least: Option<Duration>,
    greatest: Option<Duration>,
}

impl Histogram {
    /// Counts a time in.
    pub fn record(&mut self, time: Duration) {
        let bucket = bucket(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(time);
        self.least = Some(self.least.map_or(time, |least| least.min(time)));
        self.greatest = Some(self.greatest.map_or(time, |greatest| greatest.max(time)));
    }

    /// Counts in everything that another histogram has counted.
    pub fn merge(&mut self, other: &Histogram) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.least = [self.least, other.least].into_iter().flatten().min();
        self.greatest = self.greatest.max(other.greatest);
    }

    /// How many times were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean; `None` where nothing was counted.
    pub fn mean(&self) -> Option<Duration> {
        (self.count > 0).then(|| self.sum.div_f64(self.count as f64))
    }

    /// The least time.
    pub fn min(&self) -> Option<Duration> {
        self.least
    }

    /// The greatest time.
    pub fn max(&self) -> Option<Duration> {
        self.greatest
    }

    /// The time that this share of the values (0 to 1) does not exceed, by nearest rank; `None` where nothing was
    /// counted.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let rank = ((share.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).max(1);
        let mut below = 0;
        let found = self.counts.iter().position(|count| {
            below += count;
            below >= rank
        })?;
        let top = Duration::from_micros(top(found as u64));
        Some(top.clamp(self.least?, self.greatest?))
    }
}

/// The bucket of a time in microseconds.
fn bucket(micros: u64) -> usize {
    let micros = micros.min((1 << LARGEST) - 1);
    if micros < EXACT {
        return micros as usize;
    }
    let shift = u64::from(micros.ilog2()) - u64::from(PER_OCTAVE.ilog2());
    (EXACT + (shift - 1) * PER_OCTAVE + ((micros >> shift) - PER_OCTAVE)) as usize
}

/// The greatest time of a bucket, microseconds.
fn top(bucket: u64) -> u64 {
    if bucket < EXACT {
        return bucket;
    }
    let (shift, place) = ((bucket - EXACT) / PER_OCTAVE + 1, (bucket - EXACT) % PER_OCTAVE);
    ((PER_OCTAVE + place + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        micros.into_iter().for_each(|us| histogram.record(Duration::from_micros(us)));
        histogram
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_values() {
        let histogram = of((1..=100).rev());
        let at = |share| histogram.quantile(share).map(|t| t.as_micros());
        assert_eq!([0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 1.0].map(at), [1, 1, 50, 90, 95, 99, 100].map(Some),);
        assert_eq!(histogram.mean(), Some(Duration::from_nanos(50_500)));
        assert_eq!(of([]).quantile(0.5), None);
        assert_eq!(of([]).mean(), None);
    }

    #[test]
    fn every_time_is_within_a_256th_of_what_is_read_off() {
        let mut micros = 1;
        while micros < 1 << LARGEST {
            for us in [micros - 1, micros, micros + micros / 3] {
                let read = top(bucket(us) as u64);
                assert!(read >= us && read - us <= us / 256, "{us} us reads as {read}");
                assert!(bucket(us) < 6_500, "{us} us needs bucket {}", bucket(us));
            }
            micros *= 2;
        }
        assert!((0..6_000).all(|b| bucket(top(b)) as u64 == b && bucket(top(b) + 1) as u64 == b + 1));
    }

    #[test]
    fn what_is_too_long_to_count_apart_is_still_exact_at_the_top() {
        let day = Duration::from_secs(86_400);
        let mut histogram = of([1]);
        histogram.record(day);
        assert_eq!((histogram.max(), histogram.count()), (Some(day), 2));
        assert!(histogram.quantile(1.0) >= Some(Duration::from_secs(3_600)));
    }

    #[test]
    fn histograms_add_up() {
        let (mut low, high) = (of([10, 20, 30]), of([4_000, 5_000]));
        low.merge(&high);
        assert_eq!(low, of([10, 20, 30, 4_000, 5_000]));
        low.merge(&Histogram::default());
        assert_eq!(low.min(), Some(Duration::from_micros(10)));
    }
}
