//! A level meter that a callback can feed.

use std::sync::atomic::{AtomicU32, Ordering};

/// The share of a level that is left after a second: 20 dB less, as a needle falls back.
const FALL: f32 = 0.1;
/// The mean square's memory, seconds.
const MEMORY: f32 = 0.125;
const FULL_SCALE: f32 = 32_768.0;

/// How loud sound is. One thread adds, others read, none waits.
#[derive(Debug, Default)]
pub struct Meter {
    /// Bits of an `f32`: full scale is 1.
    peak: AtomicU32,
    mean_square: AtomicU32,
}

/// A reading in dBFS: a full-scale sine has a peak of 0 and a mean of 0 (AES17). Silence is minus infinity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// The loudest sample of late, falling back by 20 dB a second.
    pub peak: f32,
    /// The root mean square over about an eighth of a second.
    pub mean: f32,
}

impl Meter {
    /// A meter that shows silence.
    pub fn new() -> Self {
        Meter::default()
    }

    /// Takes a stretch of interleaved sound that lasts `seconds`. Neither waits nor allocates.
    pub fn add(&self, samples: &[i16], seconds: f32) {
        if samples.is_empty() {
            return;
        }
        let (mut loudest, mut sum) = (0.0f32, 0.0f32);
        for &sample in samples {
            let value = f32::from(sample) / FULL_SCALE;
            loudest = loudest.max(value.abs());
            sum += value * value;
        }
        let before = load(&self.peak) * FALL.powf(seconds);
        store(&self.peak, loudest.max(before));
        let mean = sum / samples.len() as f32;
        let before = load(&self.mean_square);
        store(&self.mean_square, before + (mean - before) * seconds / (seconds + MEMORY));
    }

    /// What it shows now.
    pub fn level(&self) -> Level {
        let peak = 20.0 * load(&self.peak).log10();
        Level { peak, mean: 10.0 * (2.0 * load(&self.mean_square)).log10() }
    }
}

fn load(bits: &AtomicU32) -> f32 {
    f32::from_bits(bits.load(Ordering::Relaxed))
}

fn store(bits: &AtomicU32, value: f32) {
    bits.store(value.to_bits(), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tests::tone;

    #[test]
    fn a_sine_shows_its_level_and_falls_back() {
        let meter = Meter::new();
        assert_eq!(meter.level(), Level { peak: f32::NEG_INFINITY, mean: f32::NEG_INFINITY });
        for block in tone(1_000.0, 48_000, 96_000, 3_276.8).chunks(480) {
            meter.add(block, 0.01);
        }
        let level = meter.level();
        assert!((level.peak + 20.0).abs() < 0.1 && (level.mean + 20.0).abs() < 0.1, "{level:?}");
        for _ in 0..100 {
            meter.add(&[0; 480], 0.01);
        }
        let level = meter.level();
        assert!((level.peak + 40.0).abs() < 0.5 && level.mean < -48.0, "{level:?}");
    }
}
