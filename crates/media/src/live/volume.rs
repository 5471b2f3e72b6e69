//! Gain and mute that change without a click.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The time constant of a change, seconds.
const RAMP: f32 = 0.005;

/// What a person sets. Any thread may set and read it, none waits.
#[derive(Debug)]
pub struct Volume {
    /// Bits of an `f32`, a factor.
    gain: AtomicU32,
    muted: AtomicBool,
}

impl Default for Volume {
    fn default() -> Self {
        Volume { gain: AtomicU32::new(1.0f32.to_bits()), muted: AtomicBool::new(false) }
    }
}

impl Volume {
    /// Sets the gain in decibels, -60 to +20.
    pub fn set_gain(&self, decibels: f32) {
        let decibels = if decibels.is_finite() { decibels.clamp(-60.0, 20.0) } else { 0.0 };
        self.gain.store(10f32.powf(decibels / 20.0).to_bits(), Ordering::Relaxed);
    }

    /// Silence, or sound again at the gain from before.
    pub fn set_muted(&self, muted: bool) {
        self.muted.store(muted, Ordering::Relaxed);
    }

    /// Whether it is silenced.
    pub fn muted(&self) -> bool {
        self.muted.load(Ordering::Relaxed)
    }

    fn factor(&self) -> f32 {
        if self.muted() { 0.0 } else { f32::from_bits(self.gain.load(Ordering::Relaxed)) }
    }
}

/// Follows a [`Volume`], one for each stream.
#[derive(Debug)]
pub(super) struct Fader {
    factor: f32,
    share: f32,
}

impl Fader {
    /// A stream that begins at this volume: what is muted is so from its first sample on.
    pub(super) fn new(sample_rate: u32, volume: &Volume) -> Self {
        Fader { factor: volume.factor(), share: 1.0 / (RAMP * sample_rate as f32) }
    }

    /// Applies the volume to interleaved sound, clipped at full scale. Neither waits nor allocates.
    pub(super) fn apply(&mut self, volume: &Volume, samples: &mut [i16], channels: usize) {
        let wanted = volume.factor();
        if wanted == 1.0 && self.factor == 1.0 {
            return;
        }
        for frame in samples.chunks_mut(channels.max(1)) {
            self.factor += (wanted - self.factor) * self.share;
            if (wanted - self.factor).abs() < 1e-4 {
                self.factor = wanted;
            }
            for sample in frame {
                *sample = (f32::from(*sample) * self.factor).round().clamp(-32_768.0, 32_767.0) as i16;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tests::{rms, tone};
    use crate::live::testing::worst_click;

    #[test]
    fn mute_and_gain_come_without_a_click_and_in_full() {
        let volume = Volume::default();
        let mut fader = Fader::new(16_000, &volume);
        let mut sound = tone(300.0, 16_000, 16_000, 8_000.0);
        let before = sound[..4_000].to_vec();
        fader.apply(&volume, &mut sound[..4_000], 1);
        assert_eq!(sound[..4_000], before, "nothing set, nothing changed");
        volume.set_muted(true);
        fader.apply(&volume, &mut sound[4_000..8_000], 1);
        assert_eq!(rms(&sound[6_000..8_000]), 0.0);
        volume.set_muted(false);
        volume.set_gain(-6.02);
        fader.apply(&volume, &mut sound[8_000..], 1);
        let ratio = rms(&sound[12_000..]) / rms(&before);
        assert!((ratio - 0.5).abs() < 0.001, "{ratio}");
        let click = worst_click(&sound, 300.0, 16_000);
        assert!(click < 120.0, "{click}");
    }

    #[test]
    fn what_begins_muted_is_silent_from_its_first_sample_on() {
        let volume = Volume::default();
        volume.set_muted(true);
        let mut sound = tone(300.0, 16_000, 160, 8_000.0);
        Fader::new(16_000, &volume).apply(&volume, &mut sound, 1);
        assert_eq!(sound, [0; 160]);
    }
}
