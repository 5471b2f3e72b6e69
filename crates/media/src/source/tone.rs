//! A steady tone with a short beep of another pitch at the start of every second.

use super::AudioSource;
use super::pattern::PULSE;
use crate::sound::Pcm;
use std::f64::consts::TAU;
use visavis_proto::time::Time;

/// Length of the fades between tone and beep, seconds.
const FADE: f64 = 0.002;

/// What a [`ToneSource`] plays. Levels are in dBFS, 0 being a full-scale sine (AES17).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tone {
    /// The steady tone, Hz.
    pub frequency: f64,
    /// Its level, dBFS.
    pub level: f64,
    /// The beep, Hz. It must be no harmonic of the tone, or a judge may take the one for the other.
    pub marker_frequency: f64,
    /// Its level, dBFS.
    pub marker_level: f64,
}

impl Default for Tone {
    /// 997 Hz (no divisor of any sample rate, so that every sample value occurs) at -18 dBFS, beeps of 2500 Hz
    /// at -12 dBFS: both within the band that G.711 carries.
    fn default() -> Self {
        Tone { frequency: 997.0, level: -18.0, marker_frequency: 2_500.0, marker_level: -12.0 }
    }
}

/// A tone that never stops but for a beep in the first [`PULSE`] of every second of the wall clock, exactly
/// where the test pattern shows its pulse.
///
/// The tone's phase goes on from one pull to the next, whatever happens to the capture times; behind a beep it
/// is where it would have been without.
#[derive(Clone, Debug)]
pub struct ToneSource {
    tone: Tone,
    /// Phase of the tone, turns.
    phase: f64,
}

impl ToneSource {
    /// A source of `tone`, mono.
    pub fn new(tone: Tone) -> Self {
        ToneSource { tone, phase: 0.0 }
    }
}

impl AudioSource for ToneSource {
    fn pull(&mut self, captured: Time, sample_rate: u32, frames: usize) -> Option<Pcm> {
        let step = self.tone.frequency / f64::from(sample_rate);
        let start = (captured.unix_nanos() % 1_000_000_000) as f64 / 1e9;
        let (level, marker_level) = (amplitude(self.tone.level), amplitude(self.tone.marker_level));
        let samples = (0..frames).map(|index| {
            let second = (start + index as f64 / f64::from(sample_rate)).fract();
            let marker = marker_share(second);
            let tone = level * (1.0 - marker) * (TAU * self.phase).sin();
            self.phase = (self.phase + step).fract();
            if marker <= 0.0 {
                return tone.round() as i16;
            }
            let beep = marker_level * marker * (TAU * self.tone.marker_frequency * second).sin();
            (tone + beep).round() as i16
        });
        let samples = samples.collect();
        Pcm::new(samples, sample_rate, 1).ok().map(|sound| sound.at(captured))
    }

    fn channels(&self) -> u8 {
        1
    }
}

/// How much of the sound is beep, `second` seconds into the second: the fades reach half at its very start and
/// end.
fn marker_share(second: f64) -> f64 {
    let middle = PULSE.as_secs_f64() / 2.0;
    let away = (second - middle).abs().min((second - 1.0 - middle).abs());
    ((middle - away) / FADE + 0.5).clamp(0.0, 1.0)
}

/// The peak of a sine of `level` dBFS, in 16-bit steps.
fn amplitude(level: f64) -> f64 {
    f64::from(i16::MAX) * 10_f64.powf(level.min(0.0) / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pulls_of_any_length_join_without_a_seam() {
        let mut whole = ToneSource::new(Tone::default());
        let mut parts = whole.clone();
        let start = Time::from_millis(950);
        let all = whole.pull(start, 8_000, 1_600).unwrap();
        let mut joined = Vec::new();
        for k in 0..10_u64 {
            joined.extend_from_slice(
                parts.pull(Time::from_millis(950 + 20 * k), 8_000, 160).unwrap().samples(),
            );
        }
        let apart = all.samples().iter().zip(&joined).map(|(a, b)| (a - b).abs()).max();
        assert!(apart <= Some(1), "{apart:?}");
    }

    #[test]
    fn the_beep_lasts_from_the_second_for_a_pulse() {
        for (ms, beep) in [(0, 0.5), (1, 1.0), (98, 1.0), (100, 0.5), (102, 0.0), (999, 0.0)] {
            assert!((marker_share(f64::from(ms) / 1e3) - beep).abs() < 0.01, "{ms} ms");
        }
        assert!(marker_share(0.9995) > 0.0, "the fade starts before the second");
    }

    #[test]
    fn a_rate_that_sound_cannot_have_is_the_end() {
        assert_eq!(ToneSource::new(Tone::default()).pull(Time::ZERO, 7_000, 10), None);
    }
}
