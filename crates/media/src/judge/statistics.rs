//! Summaries of many measurements in bounded memory.

use serde::Serialize;

/// Measurements kept for the percentiles of one [`Series`].
const KEPT: usize = 1 << 14;

/// How measurements are distributed, in the unit of what holds it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Distribution {
    /// Measurements made.
    pub count: u64,
    /// The least.
    pub min: f64,
    /// One in twenty was at or below this.
    pub p5: f64,
    /// Half were at or below this.
    pub median: f64,
    /// Nineteen in twenty were at or below this.
    pub p95: f64,
    /// The greatest.
    pub max: f64,
    /// The arithmetic mean.
    pub mean: f64,
}

/// Measurements as they come. Percentiles are exact up to 16,384 of them; beyond that they are taken from
/// every second one, every fourth one, and so on. Count, extremes and mean are always exact.
#[derive(Clone, Debug)]
pub(super) struct Series {
    kept: Vec<f64>,
    stride: u64,
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
}

impl Series {
    pub(super) fn new() -> Self {
        Series { kept: Vec::new(), stride: 1, count: 0, sum: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY }
    }

    pub(super) fn push(&mut self, value: f64) {
        if self.count.is_multiple_of(self.stride) {
            if self.kept.len() == KEPT {
                let mut index = 0;
                self.kept.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                self.stride *= 2;
            }
            if self.count.is_multiple_of(self.stride) {
                self.kept.push(value);
            }
        }
        self.count += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The summary, or `None` of nothing.
    pub(super) fn distribution(&self) -> Option<Distribution> {
        let mut sorted = self.kept.clone();
        sorted.sort_by(f64::total_cmp);
        Some(Distribution {
            count: self.count,
            min: self.min,
            p5: percentile(&sorted, 5)?,
            median: percentile(&sorted, 50)?,
            p95: percentile(&sorted, 95)?,
            max: self.max,
            mean: self.sum / self.count as f64,
        })
    }

    /// The median, or `None` of nothing.
    pub(super) fn median(&self) -> Option<f64> {
        self.distribution().map(|d| d.median)
    }
}

/// The least value that `percent` % of all are at or below, of sorted values.
fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_measured_is_none() {
        assert_eq!(Series::new().distribution(), None);
    }

    #[test]
    fn percentiles_of_one_to_a_hundred() {
        let mut series = Series::new();
        (1..=100).rev().for_each(|v| series.push(f64::from(v)));
        let d = series.distribution().unwrap();
        assert_eq!(
            (d.count, d.min, d.p5, d.median, d.p95, d.max, d.mean),
            (100, 1.0, 5.0, 50.0, 95.0, 100.0, 50.5)
        );
    }

    #[test]
    fn memory_stays_bounded_and_percentiles_near() {
        let mut series = Series::new();
        (0..1_000_000).for_each(|v| series.push(f64::from(v)));
        assert!(series.kept.len() <= KEPT);
        let d = series.distribution().unwrap();
        assert_eq!((d.count, d.min, d.max), (1_000_000, 0.0, 999_999.0));
        assert!((d.median - 500_000.0).abs() < 200.0, "{}", d.median);
    }
}
