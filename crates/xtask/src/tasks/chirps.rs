//! Sound that says when it was: chirps, and where they are in a recording.

use crate::steps::Failure;
use std::f64::consts::{PI, TAU};
use std::fs;
use std::path::Path;

/// Samples a second of all sound here.
pub(super) const RATE: usize = 48_000;
/// Samples that are taken as one where chirps are looked for: they end at 2400 Hz.
const STEP: usize = 6;
/// What is below half of the quietest one that could be is none.
const QUIET: f64 = 1_000.0;
/// Nor is what is below this part of the loudest: gain control makes the first one three times as loud as the last.
const FAINT: f64 = 0.2;

/// A tenth of a second from 400 to 2400 Hz.
fn chirp(rate: usize) -> Vec<f64> {
    let samples = (0..rate / 10).map(|n| {
        let t = n as f64 / rate as f64;
        (PI * t / 0.1).sin().powi(2) * (TAU * (400.0 * t + 10_000.0 * t * t)).sin()
    });
    samples.collect()
}

/// A chirp at each second, for so many.
pub(super) fn every_second(seconds: u64) -> Vec<i16> {
    let mut second: Vec<i16> = chirp(RATE).iter().map(|s| (s * 16_000.0) as i16).collect();
    second.resize(RATE, 0);
    second.repeat(seconds as usize)
}

/// Something like speech for so many seconds: a voice of changing pitch, in syllables.
pub(super) fn babble(seconds: u64) -> Vec<i16> {
    let mut phase = 0.0f64;
    let samples = (0..RATE * seconds as usize).map(|n| {
        let t = n as f64 / RATE as f64;
        let pitch = 120.0 * (1.0 + 0.2 * (2.1 * t).sin() + 0.1 * (0.7 * t).sin());
        phase = (phase + pitch / RATE as f64).fract();
        let syllable =
            (PI * (3.7 * t).fract()).sin().powi(2) * if (0.6 * t).fract() < 0.8 { 1.0 } else { 0.0 };
        let formant = 500.0 + 300.0 * (5.0 * t).sin();
        let voiced: f64 = (1..25)
            .map(|k| f64::from(k) * pitch)
            .zip(1..)
            .map(|(hz, k)| (TAU * phase * f64::from(k)).sin() / (1.0 + ((hz - formant) / 250.0).powi(2)))
            .sum();
        (syllable * voiced * 4_000.0) as i16
    });
    samples.collect()
}

/// Both sides of a recording, frame by frame.
pub(super) fn read(path: &Path) -> Result<Vec<[f64; 2]>, Failure> {
    let raw = fs::read(path).map_err(|e| Failure::new(format!("cannot read {}: {e}", path.display())))?;
    let sample = |a, b| f64::from(i16::from_le_bytes([a, b]));
    Ok(raw.chunks_exact(4).map(|f| [sample(f[0], f[1]), sample(f[2], f[3])]).collect())
}

/// When chirps begin on the left and on the right of a recording, seconds.
pub(super) fn find(path: &Path) -> Result<(Vec<f64>, Vec<f64>), Failure> {
    let sound = read(path)?;
    let side = |at: usize| -> Vec<f64> { sound.iter().map(|frame| frame[at]).collect() };
    Ok((chirps(&side(0)), chirps(&side(1))))
}

fn chirps(sound: &[f64]) -> Vec<f64> {
    let coarse: Vec<f64> =
        sound.chunks_exact(STEP).map(|part| part.iter().sum::<f64>() / STEP as f64).collect();
    let (template, second) = (chirp(RATE / STEP), RATE / STEP);
    let like = |window: &[f64]| window.iter().zip(&template).map(|(a, b)| a * b).sum::<f64>().abs();
    let likeness: Vec<f64> = coarse.windows(template.len()).map(like).collect();
    let bound = (likeness.iter().fold(0.0f64, |a, b| a.max(*b)) * FAINT).max(QUIET);
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(next) = likeness.iter().skip(at).position(|l| *l > bound) {
        let begin = at + next;
        at = (begin + second / 2).min(likeness.len());
        let near = likeness[begin..at].iter().enumerate();
        let best = near.max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(n, _)| n);
        found.push((begin + best) as f64 / second as f64);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chirps_are_found_where_they_are_and_nowhere_else() {
        let mut sound = vec![0.0; RATE / 4];
        sound.extend(every_second(3).into_iter().map(|s| f64::from(s) / 3.0));
        let found = chirps(&sound);
        assert_eq!(found.len(), 3, "{found:?}");
        for (n, at) in found.iter().enumerate() {
            assert!((at - 0.25 - n as f64).abs() < 0.000_3, "{found:?}");
        }
        let babble: Vec<f64> = babble(1).into_iter().map(|s| f64::from(s) / 1_000.0).collect();
        assert_eq!(chirps(&babble), Vec::<f64>::new());
        assert_eq!(chirps(&[]), Vec::<f64>::new());
    }
}
