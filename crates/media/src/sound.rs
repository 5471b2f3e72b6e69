//! A stretch of raw sound: 16-bit linear samples, one or two channels, cheap to share between threads.

use std::sync::Arc;
use std::time::Duration;
use visavis_proto::time::Time;

/// Sample rates that sound may have, Hz.
pub const SAMPLE_RATES: std::ops::RangeInclusive<u32> = 8_000..=96_000;

/// A stretch of sound, usually one codec frame or one device block. A clone shares the samples.
#[derive(Clone, PartialEq)]
pub struct Pcm {
    samples: Arc<Vec<i16>>,
    sample_rate: u32,
    channels: u8,
    /// When the first sample was captured, or, behind a decoder, when it is to be played.
    pub captured: Time,
}

/// Why a stretch of sound could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PcmError {
    /// The rate is outside [`SAMPLE_RATES`].
    #[error("a sample rate of {0} Hz is outside 8000..=96000")]
    Rate(u32),
    /// There are neither one nor two channels.
    #[error("{0} channels: sound is mono or stereo")]
    Channels(u8),
    /// Half a stereo frame was left over.
    #[error("{0} interleaved samples do not divide into stereo frames")]
    Odd(usize),
}

impl Pcm {
    /// Sound from interleaved samples (left, right, left, ... for stereo), captured at the clock's origin.
    ///
    /// # Errors
    /// Rates outside [`SAMPLE_RATES`], channels other than 1 and 2, half a stereo frame.
    pub fn new(samples: Vec<i16>, sample_rate: u32, channels: u8) -> Result<Self, PcmError> {
        if !SAMPLE_RATES.contains(&sample_rate) {
            return Err(PcmError::Rate(sample_rate));
        }
        if !(1..=2).contains(&channels) {
            return Err(PcmError::Channels(channels));
        }
        if !samples.len().is_multiple_of(channels.into()) {
            return Err(PcmError::Odd(samples.len()));
        }
        Ok(Pcm { samples: Arc::new(samples), sample_rate, channels, captured: Time::ZERO })
    }

    /// Digital silence of `frames` samples per channel.
    ///
    /// # Errors
    /// As [`Pcm::new`].
    pub fn silence(frames: usize, sample_rate: u32, channels: u8) -> Result<Self, PcmError> {
        Pcm::new(vec![0; frames * usize::from(channels)], sample_rate, channels)
    }

    /// The same sound with another capture time.
    pub fn at(mut self, captured: Time) -> Self {
        self.captured = captured;
        self
    }

    /// Samples a second, Hz.
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// 1 (mono) or 2 (stereo).
    pub fn channels(&self) -> u8 {
        self.channels
    }

    /// Samples per channel.
    pub fn frames(&self) -> usize {
        self.samples.len() / usize::from(self.channels)
    }

    /// How long the sound lasts.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.frames() as u64 * 1_000_000_000 / u64::from(self.sample_rate))
    }

    /// The samples, interleaved.
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// The samples, interleaved, to write; copies them first where another clone shares them.
    pub fn samples_mut(&mut self) -> &mut [i16] {
        Arc::make_mut(&mut self.samples).as_mut_slice()
    }

    /// The samples of one channel (0 left or mono, 1 right), in order; nothing for a channel that is not
    /// there.
    pub fn channel(&self, index: u8) -> impl Iterator<Item = i16> + '_ {
        let stride = usize::from(self.channels);
        let skip = if index < self.channels { usize::from(index) } else { self.samples.len() };
        self.samples.iter().skip(skip).step_by(stride).copied()
    }
}

impl std::fmt::Debug for Pcm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pcm")
            .field("frames", &self.frames())
            .field("sample_rate", &self.sample_rate)
            .field("channels", &self.channels)
            .field("captured", &self.captured)
            .finish_non_exhaustive()
    }
}

/// Cuts sound of any length into frames of one length, and keeps their capture times right.
///
/// Sound of another rate or channel count than before starts over: what was left of the old one is dropped.
#[derive(Debug)]
pub struct Reblock {
    frames: usize,
    held: Vec<i16>,
    sample_rate: u32,
    channels: u8,
    /// Capture time of the first sample held.
    captured: Time,
}

impl Reblock {
    /// Cuts to `frames` samples per channel (at least 1).
    pub fn new(frames: usize) -> Self {
        Reblock { frames: frames.max(1), held: Vec::new(), sample_rate: 0, channels: 1, captured: Time::ZERO }
    }

    /// Adds sound. Take all of [`Reblock::pull`] before adding more, or what is held grows.
    pub fn push(&mut self, sound: &Pcm) {
        if (sound.sample_rate, sound.channels) != (self.sample_rate, self.channels) {
            self.held.clear();
            (self.sample_rate, self.channels) = (sound.sample_rate, sound.channels);
        }
        // Counting back from the newest sound keeps to the source's clock, however it drifts.
        self.captured = sound.captured.saturating_sub(self.duration(self.held.len()));
        self.held.extend_from_slice(&sound.samples);
    }

    /// The next frame, where there is enough sound for one.
    pub fn pull(&mut self) -> Option<Pcm> {
        let count = self.frames * usize::from(self.channels);
        if self.sample_rate == 0 || self.held.len() < count {
            return None;
        }
        let samples: Vec<i16> = self.held.drain(..count).collect();
        let captured = self.captured;
        self.captured += self.duration(count);
        let (sample_rate, channels) = (self.sample_rate, self.channels);
        Some(Pcm { samples: Arc::new(samples), sample_rate, channels, captured })
    }

    fn duration(&self, samples: usize) -> Duration {
        let frames = samples as u64 / u64::from(self.channels);
        Duration::from_nanos(frames * 1_000_000_000 / u64::from(self.sample_rate.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_duration_count_per_channel() {
        let p = Pcm::new(vec![1, 2, 3, 4], 8_000, 2).unwrap();
        assert_eq!((p.frames(), p.duration()), (2, Duration::from_micros(250)));
        assert_eq!(p.channel(1).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(p.channel(2).count(), 0);
    }

    #[test]
    fn impossible_formats_are_errors() {
        assert_eq!(Pcm::new(vec![], 7_999, 1), Err(PcmError::Rate(7_999)));
        assert_eq!(Pcm::new(vec![], 8_000, 3), Err(PcmError::Channels(3)));
        assert_eq!(Pcm::new(vec![0; 3], 8_000, 2), Err(PcmError::Odd(3)));
    }

    #[test]
    fn blocks_are_cut_without_loss_and_keep_their_times() {
        let mut reblock = Reblock::new(4);
        let mut got = Vec::new();
        for (i, n) in [3i16, 3, 6].into_iter().enumerate() {
            let block = Pcm::new((i as i16 * 3..i as i16 * 3 + n).collect(), 8_000, 1).unwrap();
            reblock.push(&block.at(Time::from_nanos(1_000_000 + i as u64 * 375_000)));
            got.extend(std::iter::from_fn(|| reblock.pull()));
        }
        let samples: Vec<i16> = got.iter().flat_map(|p| p.samples().to_vec()).collect();
        assert_eq!(samples, (0..12).collect::<Vec<i16>>());
        let times: Vec<u64> = got.iter().map(|p| p.captured.nanos()).collect();
        assert_eq!(times, [1_000_000, 1_500_000, 2_000_000]);
    }

    #[test]
    fn another_rate_drops_what_was_left() {
        let mut reblock = Reblock::new(4);
        reblock.push(&Pcm::silence(3, 8_000, 1).unwrap());
        reblock.push(&Pcm::silence(3, 16_000, 1).unwrap());
        assert_eq!(reblock.pull(), None);
    }
}
