//! Concealment for codecs that bring none: the last pitch period again and again, fading out.
//!
//! The idea is that of ITU-T G.711 Appendix I (repeat the waveform at its own period, fade, overlap where
//! real sound comes back); the numbers are our own.

use crate::sound::Pcm;

/// Sound kept to repeat from, milliseconds: two periods of the lowest voice.
const HISTORY_MS: u32 = 40;
/// Shortest and longest period looked for, in 1/10000 s: 500 Hz down to 55 Hz.
const PERIOD: (u32, u32) = (20, 180);
/// Full level this long into a gap, milliseconds; then down to nothing at [`SILENT_MS`].
const HOLD_MS: u32 = 10;
/// Nothing but silence from here on, milliseconds into a gap.
const SILENT_MS: u32 = 60;
/// Overlap between invented and real sound where a gap ends, in 1/10000 s.
const OVERLAP: u32 = 40;

/// Fills gaps in decoded sound.
pub(super) struct Repeater {
    sample_rate: u32,
    channels: u8,
    /// The most recent sound received, interleaved.
    history: Vec<i16>,
    /// The gap that we are in.
    gap: Option<Gap>,
}

/// A gap being filled.
#[derive(Clone, Copy)]
struct Gap {
    /// Samples per channel after which the waveform repeats.
    period: usize,
    /// Samples per channel made up so far.
    made: usize,
}

impl Repeater {
    pub(super) fn new(sample_rate: u32, channels: u8) -> Self {
        Repeater { sample_rate, channels, history: Vec::new(), gap: None }
    }

    /// Takes note of sound that arrived, and blends its start into what was made up before it.
    pub(super) fn received(&mut self, samples: &mut [i16]) {
        if let Some(mut gap) = self.gap.take() {
            let channels = usize::from(self.channels);
            let overlap = self.samples_of(OVERLAP).min(samples.len() / channels);
            let invented = self.invent(&mut gap, overlap);
            for (i, (sample, old)) in samples.iter_mut().zip(invented).enumerate() {
                let weight = (i / channels) as f32 / overlap as f32;
                *sample = (f32::from(*sample) * weight + f32::from(old) * (1.0 - weight)) as i16;
            }
        }
        self.history.extend_from_slice(samples);
        let keep = self.samples_of(HISTORY_MS * 10) * usize::from(self.channels);
        self.history.drain(..self.history.len().saturating_sub(keep));
    }

    /// Makes up `frames` samples per channel.
    pub(super) fn conceal(&mut self, frames: usize) -> Pcm {
        let mut gap = self.gap.unwrap_or_else(|| Gap { period: self.period(), made: 0 });
        let samples = self.invent(&mut gap, frames);
        self.gap = Some(gap);
        Pcm::new(samples, self.sample_rate, self.channels).expect("rate and channels were checked on opening")
    }

    fn invent(&self, gap: &mut Gap, frames: usize) -> Vec<i16> {
        let channels = usize::from(self.channels);
        let held = self.history.len() / channels;
        let (hold, silent) = (self.samples_of(HOLD_MS * 10), self.samples_of(SILENT_MS * 10));
        let mut samples = Vec::with_capacity(frames * channels);
        for made in gap.made..gap.made + frames {
            let fading = made.clamp(hold, silent) - hold;
            let gain = 1.0 - fading as f32 / (silent - hold) as f32;
            for channel in 0..channels {
                let source = (held - gap.period + made % gap.period.max(1)) * channels + channel;
                let sample = self.history.get(source).copied().unwrap_or(0);
                samples.push((f32::from(sample) * gain) as i16);
            }
        }
        gap.made += frames;
        samples
    }

    /// The lag at which the history resembles itself most, in samples per channel; 0 without history.
    fn period(&self) -> usize {
        let channels = usize::from(self.channels);
        let mono: Vec<f32> =
            self.history.chunks(channels).map(|f| f.iter().map(|&s| f32::from(s)).sum()).collect();
        let shortest = self.samples_of(PERIOD.0);
        let longest = self.samples_of(PERIOD.1).min(mono.len() / 2);
        let recent = &mono[mono.len() - longest..];
        let likeness = |lag: usize| {
            let before = &mono[mono.len() - longest - lag..mono.len() - lag];
            let product: f32 = recent.iter().zip(before).map(|(a, b)| a * b).sum();
            let energy: f32 = before.iter().map(|b| b * b).sum();
            product / (energy + 1.0).sqrt()
        };
        let best = (shortest..=longest).max_by(|&a, &b| likeness(a).total_cmp(&likeness(b)));
        best.unwrap_or(mono.len())
    }

    /// Samples per channel in `tenths` of a millisecond.
    fn samples_of(&self, tenths: u32) -> usize {
        (self.sample_rate * tenths / 10_000) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tests::{rms, snr_db, tone};

    #[test]
    fn a_gap_in_a_tone_is_filled_with_the_tone_and_then_fades() {
        for (rate, frame) in [(8_000u32, 160usize), (16_000, 320)] {
            let sound = tone(200.0, rate, 4 * frame, 10_000.0);
            let mut repeater = Repeater::new(rate, 1);
            repeater.received(&mut sound[..2 * frame].to_vec());
            let filled = repeater.conceal(frame);
            let hold = rate as usize / 100;
            let snr = snr_db(&sound[2 * frame..2 * frame + hold], &filled.samples()[..hold]);
            assert!(snr > 25.0, "{rate} Hz: {snr} dB");
            let second = repeater.conceal(frame);
            assert!(rms(second.samples()) < 0.8 * rms(filled.samples()));
            for _ in 0..3 {
                repeater.conceal(frame);
            }
            assert_eq!(rms(repeater.conceal(frame).samples()), 0.0);
        }
    }

    #[test]
    fn real_sound_comes_back_without_a_step() {
        let frame = 160;
        let sound = tone(200.0, 8_000, 4 * frame, 10_000.0);
        let mut repeater = Repeater::new(8_000, 1);
        repeater.received(&mut sound[..2 * frame].to_vec());
        let filled = repeater.conceal(frame);
        let mut back = sound[3 * frame..].to_vec();
        repeater.received(&mut back);
        let step = (i32::from(back[0]) - i32::from(*filled.samples().last().unwrap())).abs();
        assert!(step < 2_000, "a step of {step}");
        assert_eq!(back[frame / 2..], sound[3 * frame + frame / 2..]);
    }

    #[test]
    fn a_gap_before_any_sound_is_silence() {
        let mut repeater = Repeater::new(8_000, 2);
        let filled = repeater.conceal(160);
        assert_eq!((filled.frames(), rms(filled.samples())), (160, 0.0));
        // A history shorter than a period must not be read past its start.
        repeater.received(&mut [100; 6]);
        assert_eq!(repeater.conceal(160).frames(), 160);
    }
}
