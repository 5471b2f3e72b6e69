//! Sound made shorter or longer by whole periods of its own, without a change of pitch.
//!
//! Waveform similarity overlap-add (Verhelst and Roelands, ICASSP 1993), one period at a time: the lag at which
//! the sound resembles itself most is looked for, and one stretch of that length is left out, or played once
//! more, under a cross-fade as long as itself.

use crate::sound::Pcm;
use std::time::Duration;

/// Shortest and longest stretch left out or repeated, in 1/10000 s: periods of 400 Hz down to 67 Hz.
const PERIOD: (u32, u32) = (25, 150);
/// How alike two stretches must be (1: the same waveform) to fade from one to the other.
const ALIKE: f32 = 0.8;
/// Below this mean square (-50 dBFS) anything may be joined to anything.
const QUIET: f32 = 1e-5 * 32_768.0 * 32_768.0;

/// What is wanted of a stretch of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Leave it as it is.
    Keep,
    /// Make it shorter, by no more than this.
    Shorten(Duration),
    /// Make it longer, by no more than this.
    Lengthen(Duration),
}

/// Stretches a stream of sound of one rate and channel count.
#[derive(Debug)]
pub(super) struct Stretcher {
    sample_rate: u32,
    channels: usize,
    /// The newest sound given out, for as long as the longest period.
    history: Vec<i16>,
    /// Sound that waits for more, so that long periods can be found.
    held: Vec<i16>,
}

/// Sound that came out, and how many frames were left out (negative: repeated).
pub(super) struct Stretched {
    pub(super) sound: Pcm,
    pub(super) removed: i64,
}

impl Stretcher {
    pub(super) fn new(sample_rate: u32, channels: u8) -> Self {
        Stretcher { sample_rate, channels: channels.into(), history: Vec::new(), held: Vec::new() }
    }

    /// How long the sound that is held back lasts.
    pub(super) fn held(&self) -> Duration {
        self.duration(self.held.len() / self.channels)
    }

    /// Takes the next sound; what comes out may be empty where `hold` allows to wait for more, up to that long
    /// in all. The times of what comes out are such that its end is right.
    pub(super) fn process(&mut self, sound: &Pcm, wish: Wish, hold: Duration) -> Stretched {
        let mut input = std::mem::take(&mut self.held);
        input.extend_from_slice(sound.samples());
        let end = sound.captured + sound.duration();
        let longest = self.frames(PERIOD.1);
        let (lag, removed) = match wish {
            Wish::Keep => (None, 0),
            Wish::Shorten(most) => {
                let most = self.within(most, input.len() / self.channels / 2);
                let lag = self.lag(&input, 0, most);
                let waiting = self.duration(input.len() / self.channels);
                if lag.is_none() && input.len() < 2 * longest * self.channels && waiting <= hold {
                    self.held = input;
                    return Stretched { sound: self.pcm(Vec::new(), end), removed: 0 };
                }
                (lag, lag.unwrap_or(0) as i64)
            }
            Wish::Lengthen(most) => {
                let before = self.history.len() / self.channels;
                let most = self.within(most, before.min(input.len() / self.channels));
                let joined = [self.history.as_slice(), &input].concat();
                let lag = self.lag(&joined, before, most);
                (lag, -(lag.unwrap_or(0) as i64))
            }
        };
        let output = match (lag, wish) {
            (Some(lag), Wish::Shorten(_)) => self.without(&input, lag),
            (Some(lag), _) => self.again(&input, lag),
            (None, _) => input,
        };
        self.history.extend_from_slice(&output);
        let surplus = self.history.len().saturating_sub(longest * self.channels);
        self.history.drain(..surplus);
        Stretched { sound: self.pcm(output, end), removed }
    }

    /// Without the first `lag` frames, faded into those after them.
    fn without(&self, input: &[i16], lag: usize) -> Vec<i16> {
        let size = lag * self.channels;
        let mut output = self.fade(&input[..size], &input[size..2 * size]);
        output.extend_from_slice(&input[2 * size..]);
        output
    }

    /// The last `lag` frames of the history once more, then the input.
    fn again(&self, input: &[i16], lag: usize) -> Vec<i16> {
        let size = lag * self.channels;
        let mut output = self.fade(&input[..size], &self.history[self.history.len() - size..]);
        output.extend_from_slice(input);
        output
    }

    fn fade(&self, from: &[i16], to: &[i16]) -> Vec<i16> {
        let frames = (from.len() / self.channels) as f32;
        let pairs = from.iter().zip(to).enumerate();
        let faded = pairs.map(|(index, (&a, &b))| {
            let share = ((index / self.channels) as f32 + 0.5) / frames;
            (f32::from(a) + (f32::from(b) - f32::from(a)) * share).round() as i16
        });
        faded.collect()
    }

    /// The lag, of at most `most` frames, at which sound from frame `from` on is most like that of the same
    /// length right after it or, where there is some, before it.
    fn lag(&self, sound: &[i16], from: usize, most: usize) -> Option<usize> {
        let mono: Vec<f32> =
            sound.chunks_exact(self.channels).map(|f| f.iter().map(|&s| f32::from(s)).sum()).collect();
        let candidates = (self.frames(PERIOD.0)..=most).filter_map(|lag| {
            let second = from.checked_sub(lag).unwrap_or(lag);
            let (a, b) = (mono.get(from..from + lag)?, mono.get(second..second + lag)?);
            Some((lag, likeness(a, b)))
        });
        let best = candidates.max_by(|a, b| a.1.total_cmp(&b.1))?;
        (best.1 >= ALIKE).then_some(best.0)
    }

    fn within(&self, most: Duration, there: usize) -> usize {
        let most = (most.as_secs_f64() * f64::from(self.sample_rate)) as usize;
        most.min(there).min(self.frames(PERIOD.1))
    }

    fn pcm(&self, samples: Vec<i16>, end: visavis_proto::time::Time) -> Pcm {
        let start = end.saturating_sub(self.duration(samples.len() / self.channels));
        let sound = Pcm::new(samples, self.sample_rate, self.channels as u8);
        sound.expect("rate and channels are those of sound that came").at(start)
    }

    fn frames(&self, tenths: u32) -> usize {
        (self.sample_rate * tenths / 10_000) as usize
    }

    fn duration(&self, frames: usize) -> Duration {
        Duration::from_nanos(super::clock::span(frames as u64, self.sample_rate).unsigned_abs())
    }
}

/// How alike two stretches are: their correlation over their energies, 1 where both are quiet.
fn likeness(a: &[f32], b: &[f32]) -> f32 {
    let (mut product, mut energy_a, mut energy_b) = (0.0f32, 0.0f32, 0.0f32);
    for (a, b) in a.iter().zip(b) {
        product += a * b;
        energy_a += a * a;
        energy_b += b * b;
    }
    if energy_a.max(energy_b) <= QUIET * a.len() as f32 {
        return 1.0;
    }
    // The weaker of two counts like the louder: a fade must not change the level either.
    product / energy_a.max(energy_b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tests::tone;
    use crate::live::testing::worst_click;
    use visavis_proto::time::Time;

    /// Stretches a tone in blocks of 10 ms, each with the wish for it, and gives sound and frames removed.
    fn run(frequency: f64, rate: u32, blocks: usize, wish: impl Fn(usize) -> Wish) -> (Vec<i16>, i64) {
        let mut stretcher = Stretcher::new(rate, 1);
        let (mut all, mut removed) = (Vec::new(), 0);
        let block = rate as usize / 100;
        for (n, samples) in tone(frequency, rate, blocks * block, 10_000.0).chunks(block).enumerate() {
            let start = Time::from_millis(1_000 + 10 * n as u64);
            let sound = Pcm::new(samples.to_vec(), rate, 1).unwrap().at(start);
            let out = stretcher.process(&sound, wish(n), Duration::from_millis(30));
            assert_eq!(out.sound.captured + out.sound.duration(), start + Duration::from_millis(10));
            removed += out.removed;
            all.extend_from_slice(out.sound.samples());
        }
        (all, removed)
    }

    #[test]
    fn tones_high_and_low_are_shortened_and_lengthened_without_a_click() {
        let most = Duration::from_millis(15);
        for rate in [8_000, 16_000, 48_000] {
            for frequency in [110.0, 440.0, 997.0] {
                for wish in [Wish::Shorten(most), Wish::Lengthen(most)] {
                    let every_fourth = |n: usize| if n > 3 && n % 4 < 3 { wish } else { Wish::Keep };
                    let (sound, removed) = run(frequency, rate, 100, every_fourth);
                    let name = format!("{frequency} Hz at {rate}, {wish:?}");
                    assert_eq!(sound.len() as i64 + removed, i64::from(rate), "{name}");
                    let click = worst_click(&sound, frequency, rate);
                    // A tenth of what a cut could be.
                    assert!(click < 400.0, "{name}: {click}");
                    let share = removed.abs() as f64 / f64::from(rate);
                    assert!(share > 0.1, "{name}: {share}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_done_beyond_what_was_asked_and_noise_is_left_alone() {
        let small = Duration::from_millis(5);
        let (_, removed) = run(440.0, 16_000, 10, |n| if n == 5 { Wish::Shorten(small) } else { Wish::Keep });
        assert!((1..=80).contains(&removed), "{removed}");
        let mut stretcher = Stretcher::new(8_000, 1);
        let mut state = 1u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as i16 / 4
        };
        for _ in 0..20 {
            let sound = Pcm::new((0..160).map(|_| noise()).collect(), 8_000, 1).unwrap();
            let out = stretcher.process(&sound, Wish::Lengthen(Duration::from_millis(15)), Duration::ZERO);
            assert_eq!((out.removed, out.sound.frames()), (0, 160));
        }
    }
}
