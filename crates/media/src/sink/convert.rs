//! Sound of any rate and channels made fit for a file that has one of each.

use crate::resample::Resampler;
use crate::sound::{Pcm, PcmError};

/// Converts stretches of sound to one rate and channel count; what fits already passes untouched.
pub(super) struct Convert {
    to: (u32, u8),
    /// The converter in use, and what it converts from.
    from: Option<((u32, u8), Resampler)>,
}

impl Convert {
    /// To the rate (Hz) and channels of `sound`.
    pub(super) fn like(sound: &Pcm) -> Self {
        Convert { to: shape(sound), from: None }
    }

    pub(super) fn convert(&mut self, sound: &Pcm) -> Result<Pcm, PcmError> {
        let from = shape(sound);
        if from == self.to {
            self.from = None;
            return Ok(sound.clone());
        }
        let (_, resampler) = match self.from.take().filter(|(before, _)| *before == from) {
            Some(same) => self.from.insert(same),
            None => self.from.insert((from, Resampler::new(from, self.to)?)),
        };
        resampler.process(sound)
    }
}

fn shape(sound: &Pcm) -> (u32, u8) {
    (sound.sample_rate(), sound.channels())
}
