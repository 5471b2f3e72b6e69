//! The strongest tone in a stretch of sound, and how much stronger it is than all the rest.

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use std::f64::consts::TAU;
use std::sync::Arc;

/// Bins next to the peak that a Hann window spreads a tone over, and as many again for a tone that wavers.
const SPREAD: usize = 6;
/// Bins from the bottom that are left out: the constant part, spread by the window.
const LOWEST: usize = 3;

/// What one window of sound holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spectrum {
    /// The strongest tone, Hz.
    pub(super) frequency: f64,
    /// The tone's level, dBFS (0: a full-scale sine).
    pub(super) level: f64,
    /// The tone's power against that of all the rest, dB.
    pub(super) over_rest: f64,
}

pub(super) struct Analyser {
    sample_rate: f64,
    transform: Arc<dyn RealToComplex<f64>>,
    window: Vec<f64>,
    input: Vec<f64>,
    output: Vec<Complex<f64>>,
}

impl Analyser {
    pub(super) fn new(sample_rate: u32) -> Self {
        // The largest power of two within 0.6 s: two windows fit between two markers.
        let length = 1_usize << (f64::from(sample_rate) * 0.6).log2() as u32;
        let transform = RealFftPlanner::new().plan_fft_forward(length);
        let window = (0..length).map(|i| 0.5 - 0.5 * (TAU * i as f64 / length as f64).cos()).collect();
        Analyser {
            sample_rate: sample_rate.into(),
            window,
            input: transform.make_input_vec(),
            output: transform.make_output_vec(),
            transform,
        }
    }

    /// Samples that a window holds.
    pub(super) fn length(&self) -> usize {
        self.window.len()
    }

    /// Analyses one window of [`Analyser::length`] samples (1.0 is full scale); `None` of silence.
    pub(super) fn analyse(&mut self, samples: &[f64]) -> Option<Spectrum> {
        for ((input, sample), window) in self.input.iter_mut().zip(samples).zip(&self.window) {
            *input = sample * window;
        }
        self.transform.process(&mut self.input, &mut self.output).ok()?;
        let powers: Vec<f64> = self.output.iter().map(Complex::norm_sqr).collect();
        let (peak, highest) =
            powers.iter().copied().enumerate().skip(LOWEST).max_by(|a, b| a.1.total_cmp(&b.1))?;
        if highest <= 0.0 {
            return None;
        }
        let near = peak.saturating_sub(SPREAD).max(LOWEST)..(peak + SPREAD + 1).min(powers.len());
        let tone: f64 = powers[near].iter().sum();
        let all: f64 = powers[LOWEST..].iter().sum();
        // Parseval: the mean square of the windowed sound, and by the window's own mean square that of the
        // sound.
        let length = self.length() as f64;
        let window: f64 = self.window.iter().map(|w| w * w).sum();
        let mean_square = 2.0 * tone / (length * window);
        Some(Spectrum {
            frequency: (peak as f64 + offset(&powers, peak)) * self.sample_rate / length,
            level: 10.0 * (2.0 * mean_square).log10(),
            over_rest: 10.0 * (tone / (all - tone).max(tone * 1e-12)).log10(),
        })
    }
}

impl std::fmt::Debug for Analyser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Analyser").field("sample_rate", &self.sample_rate).finish_non_exhaustive()
    }
}

/// How far, in bins, a tone lies from its peak bin. For a Hann window a tone `d` bins off gives amplitudes at
/// the peak and its stronger neighbour in the ratio (1 + d) / (2 - d), so d = (2 r - 1) / (r + 1).
fn offset(powers: &[f64], peak: usize) -> f64 {
    let at = |bin: Option<usize>| bin.and_then(|b| powers.get(b)).copied().unwrap_or(0.0);
    let (below, above) = (at(peak.checked_sub(1)), at(peak.checked_add(1)));
    let ratio = (below.max(above) / powers[peak]).sqrt();
    let away = (2.0 * ratio - 1.0) / (ratio + 1.0);
    if above >= below { away } else { -away }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(rate: u32, frequency: f64, amplitude: f64, length: usize) -> Vec<f64> {
        (0..length).map(|i| amplitude * (TAU * frequency * i as f64 / f64::from(rate)).sin()).collect()
    }

    #[test]
    fn frequency_and_level_of_a_sine_are_found_between_the_bins() {
        for rate in [8_000, 16_000, 24_000, 44_100, 48_000] {
            let mut analyser = Analyser::new(rate);
            for frequency in [220.0, 440.0, 441.3, 997.0, 1_000.77, 3_100.1] {
                let found = analyser.analyse(&sine(rate, frequency, 0.125, analyser.length())).unwrap();
                assert!((found.frequency - frequency).abs() < 0.01, "{rate}: {found:?} for {frequency}");
                assert!((found.level + 18.06).abs() < 0.05, "{found:?}");
                assert!(found.over_rest > 50.0, "{found:?}");
            }
        }
    }

    #[test]
    fn silence_has_no_tone() {
        let mut analyser = Analyser::new(8_000);
        assert_eq!(analyser.analyse(&vec![0.0; analyser.length()]), None);
    }
}
