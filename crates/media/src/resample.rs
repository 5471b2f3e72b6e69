//! Sound from one rate and channel count to another, block by block, with a ratio that can follow a clock.
//!
//! A windowed sinc is tabled at many phases between two samples and interpolated between those, so that any
//! rate goes to any other, and to one a few parts in a million off.

use crate::sound::{Pcm, PcmError, SAMPLE_RATES};
use std::collections::VecDeque;
use std::f64::consts::PI;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Zero crossings of the sinc on either side, at the lower of the two rates.
const ZERO_CROSSINGS: f64 = 32.0;
/// Middle of the transition, as a part of the lower half rate. With these zero crossings and this window
/// the pass band ends at 0.82 and the stop band begins at 1.
const CUT: f64 = 0.91;
/// Shape of the Kaiser window: 90 dB down in the stop band.
const KAISER_BETA: f64 = 9.0;
/// Phases in the table; between two the error is 95 dB down.
const PHASES: usize = 256;
/// How far the ratio may be moved, parts in a million.
pub const MAX_DRIFT_PPM: f64 = 5_000.0;

/// Converts a stream of sound. One for each stream: it remembers the samples around the last.
pub struct Resampler {
    from: (u32, u8),
    to: (u32, u8),
    kernel: Arc<Kernel>,
    /// The newest samples of each channel that is filtered.
    history: Vec<Vec<f32>>,
    /// Where the next output sample lies in the history, in input samples.
    position: f64,
    /// Input samples for one output sample.
    step: f64,
}

impl Resampler {
    /// From (rate in Hz, channels) to (rate in Hz, channels). Two channels become one by their mean, one
    /// becomes two by doubling.
    ///
    /// # Errors
    /// [`PcmError`] for a rate outside 8 to 96 kHz, or channels other than one and two.
    pub fn new(from: (u32, u8), to: (u32, u8)) -> Result<Self, PcmError> {
        for (rate, channels) in [from, to] {
            if !SAMPLE_RATES.contains(&rate) {
                return Err(PcmError::Rate(rate));
            }
            if !(1..=2).contains(&channels) {
                return Err(PcmError::Channels(channels));
            }
        }
        let kernel = Kernel::shared(from.0, to.0);
        let half = kernel.half;
        let channels = usize::from(from.1.min(to.1));
        Ok(Resampler {
            from,
            to,
            kernel,
            // The first output sample lies on the first input sample.
            history: vec![vec![0.0; half]; channels],
            position: half as f64,
            step: f64::from(from.0) / f64::from(to.0),
        })
    }

    /// Moves the ratio: the output plays `ppm` parts in a million faster than the rates say (at most
    /// [`MAX_DRIFT_PPM`] either way), so a sink whose clock is slow by that much keeps up.
    pub fn set_drift(&mut self, ppm: f64) {
        let ppm = if ppm.is_finite() { ppm.clamp(-MAX_DRIFT_PPM, MAX_DRIFT_PPM) } else { 0.0 };
        self.step = f64::from(self.from.0) / f64::from(self.to.0) * (1.0 + ppm / 1e6);
    }

    /// How long a sample is held back until the ones after it have come.
    pub fn latency(&self) -> Duration {
        Duration::from_secs_f64(self.kernel.half as f64 / f64::from(self.from.0))
    }

    /// Forgets the sound taken in, for a stream that breaks off and goes on with other sound.
    pub fn restart(&mut self) {
        for history in &mut self.history {
            history.clear();
            history.resize(self.kernel.half, 0.0);
        }
        self.position = self.kernel.half as f64;
    }

    /// How much of the sound taken in has not come out yet: nothing at first, then [`Resampler::latency`] and
    /// up to a sample.
    pub fn held(&self) -> Duration {
        let samples = self.history[0].len() as f64 - self.position;
        Duration::from_secs_f64(samples.max(0.0) / f64::from(self.from.0))
    }

    /// Converts one block. What comes out is stamped with its own capture time and is as long as the ratio
    /// makes it, up to a sample; the first blocks come out shorter by [`Resampler::latency`].
    ///
    /// # Errors
    /// [`PcmError`] where the block has another rate or channel count than the converter.
    pub fn process(&mut self, sound: &Pcm) -> Result<Pcm, PcmError> {
        if sound.sample_rate() != self.from.0 {
            return Err(PcmError::Rate(sound.sample_rate()));
        }
        if sound.channels() != self.from.1 {
            return Err(PcmError::Channels(sound.channels()));
        }
        let before = self.history[0].len();
        self.take_in(sound);
        let behind = (before as f64 - self.position) / f64::from(self.from.0);
        let captured = if behind < 0.0 {
            sound.captured + Duration::from_secs_f64(-behind)
        } else {
            sound.captured.saturating_sub(Duration::from_secs_f64(behind))
        };
        Ok(Pcm::new(self.put_out(), self.to.0, self.to.1)?.at(captured))
    }

    fn take_in(&mut self, sound: &Pcm) {
        if self.history.len() == usize::from(self.from.1) {
            for (channel, history) in (0..).zip(&mut self.history) {
                history.extend(sound.channel(channel).map(f32::from));
            }
        } else {
            let pairs = sound.samples().chunks_exact(2);
            self.history[0].extend(pairs.map(|pair| (f32::from(pair[0]) + f32::from(pair[1])) / 2.0));
        }
    }

    fn put_out(&mut self) -> Vec<i16> {
        let half = self.kernel.half;
        let held = self.history[0].len();
        let ready = (held as f64 - half as f64 - self.position) / self.step;
        let copies = usize::from(self.to.1) / self.history.len();
        let mut samples = Vec::with_capacity(ready.max(0.0) as usize * usize::from(self.to.1) + 2);
        while self.position as usize + half < held {
            let at = self.position as usize;
            let weights = self.kernel.weights(self.position - at as f64);
            for history in &self.history {
                let sample = weights.apply(&history[at + 1 - half..=at + half]);
                let sample = sample.round().clamp(-32_768.0, 32_767.0) as i16;
                samples.extend(std::iter::repeat_n(sample, copies));
            }
            self.position += self.step;
        }
        let done = (self.position as usize + 1 - half).min(held);
        for history in &mut self.history {
            history.drain(..done);
        }
        self.position -= done as f64;
        samples
    }
}

/// The filter, tabled.
struct Kernel {
    /// Taps on either side of a point between two input samples.
    half: usize,
    /// `PHASES + 1` rows of `2 * half` taps.
    table: Vec<f32>,
}

/// The taps for one point: two neighbouring phases and the share of the second.
struct Weights<'a> {
    first: &'a [f32],
    second: &'a [f32],
    share: f32,
}

/// The kernels that were used last, each with its two rates.
static RECENT: Mutex<VecDeque<(Rates, Arc<Kernel>)>> = Mutex::new(VecDeque::new());
/// From and to, Hz.
type Rates = (u32, u32);
/// How many these are: at 48 kHz to 8 kHz one takes 400 kB.
const MOST_RECENT: usize = 8;

impl Kernel {
    /// One that was made before, where there is one: it takes milliseconds, and a peer may go from one codec to another
    /// with every packet.
    fn shared(from: u32, to: u32) -> Arc<Self> {
        // A list is whole at any time, also where a thread that had it panicked.
        let recent = || RECENT.lock().unwrap_or_else(PoisonError::into_inner);
        let known =
            recent().iter().find(|(rates, _)| *rates == (from, to)).map(|(_, kernel)| Arc::clone(kernel));
        let kernel = known.unwrap_or_else(|| Arc::new(Kernel::new(from, to)));
        let mut recent = recent();
        recent.retain(|(rates, _)| *rates != (from, to));
        recent.push_front(((from, to), Arc::clone(&kernel)));
        recent.truncate(MOST_RECENT);
        kernel
    }

    fn new(from: u32, to: u32) -> Self {
        // Frequencies are parts of the input's half rate: above both half rates nothing may pass.
        let band = (f64::from(to) / f64::from(from)).min(1.0);
        let half = (ZERO_CROSSINGS / band).ceil() as usize;
        let cut = band * CUT;
        let mut table = Vec::with_capacity((PHASES + 1) * 2 * half);
        for phase in 0..=PHASES {
            let fraction = phase as f64 / PHASES as f64;
            let taps = (0..2 * half).map(|i| {
                let distance = i as f64 - (half as f64 - 1.0) - fraction;
                let spread = 1.0 - (distance / half as f64).powi(2);
                cut * sinc(cut * distance) * bessel_i0(KAISER_BETA * spread.max(0.0).sqrt())
            });
            let taps: Vec<f64> = taps.collect();
            // A constant stays what it is at every phase.
            let sum: f64 = taps.iter().sum();
            table.extend(taps.iter().map(|tap| (tap / sum) as f32));
        }
        Kernel { half, table }
    }

    /// The taps for a point `fraction` of a sample behind the middle.
    fn weights(&self, fraction: f64) -> Weights<'_> {
        let point = fraction * PHASES as f64;
        let row = (point as usize).min(PHASES - 1);
        let length = 2 * self.half;
        let (first, rest) = self.table[row * length..].split_at(length);
        Weights { first, second: &rest[..length], share: (point - row as f64) as f32 }
    }
}

impl Weights<'_> {
    fn apply(&self, samples: &[f32]) -> f32 {
        // Sums in parts that do not wait for one another.
        const LANES: usize = 8;
        let mut sums = [[0.0f32; LANES]; 2];
        let rows = self.first.chunks(LANES).zip(self.second.chunks(LANES)).zip(samples.chunks(LANES));
        for ((first, second), samples) in rows {
            for (lane, ((a, b), x)) in first.iter().zip(second).zip(samples).enumerate() {
                sums[0][lane] += a * x;
                sums[1][lane] += b * x;
            }
        }
        let [first, second] = sums.map(|lanes| lanes.iter().sum::<f32>());
        first + (second - first) * self.share
    }
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// The modified Bessel function of order 0, by its series.
fn bessel_i0(x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 1..60 {
        term *= (x / 2.0 / f64::from(n)).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tests::{rms, tone};
    use visavis_proto::time::Time;

    const RATES: [u32; 9] = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];

    /// Runs mono sound through in blocks.
    fn convert(samples: &[i16], from: u32, to: u32, block: usize) -> Vec<i16> {
        let mut resampler = Resampler::new((from, 1), (to, 1)).unwrap();
        let blocks = samples.chunks(block).map(|block| Pcm::new(block.to_vec(), from, 1).unwrap());
        blocks.flat_map(|pcm| resampler.process(&pcm).unwrap().samples().to_vec()).collect()
    }

    #[test]
    fn streams_between_the_same_rates_share_their_kernel_and_few_are_kept() {
        let kernel = |to| Resampler::new((11_000, 1), (to, 1)).unwrap().kernel;
        let first = kernel(12_000);
        assert!(Arc::ptr_eq(&first, &kernel(12_000)));
        assert!(!Arc::ptr_eq(&first, &kernel(12_001)));
        (0..2 * MOST_RECENT as u32).for_each(|n| drop(kernel(13_000 + n)));
        assert!(RECENT.lock().unwrap().len() <= MOST_RECENT);
    }

    #[test]
    fn a_tone_keeps_frequency_level_and_place_between_all_rates() {
        for from in RATES {
            for to in RATES {
                let sent = tone(1_000.0, from, from as usize / 4, 10_000.0);
                let wanted = tone(1_000.0, to, to as usize / 4, 10_000.0);
                let got = convert(&sent, from, to, from as usize / 50);
                let latency = Resampler::new((from, 1), (to, 1)).unwrap().latency().as_secs_f64();
                let missing = wanted.len() as f64 - got.len() as f64;
                assert!((missing - latency * f64::from(to)).abs() < 2.0, "{from} to {to}: {missing}");
                // Past the start, where the tone begins at once.
                let settled = to as usize / 50..got.len();
                let error: Vec<i16> = settled.clone().map(|i| got[i] - wanted[i]).collect();
                let snr = 20.0 * (rms(&wanted[settled]) / rms(&error).max(0.1)).log10();
                assert!(snr > 78.0, "{from} to {to}: {snr:.1} dB");
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_80_db_down() {
        for (from, to) in [(48_000, 16_000), (44_100, 8_000), (24_000, 22_050), (96_000, 44_100)] {
            let above = f64::from(to) / 2.0 * 1.02;
            let got = convert(&tone(above, from, from as usize / 2, 30_000.0), from, to, 480);
            let steady = &got[got.len() / 4..];
            let level = 20.0 * (rms(steady).max(0.1) / (30_000.0 / 2f64.sqrt())).log10();
            assert!(level < -80.0, "{from} to {to}: {level:.1} dB");
        }
    }

    #[test]
    fn how_the_sound_is_cut_makes_no_difference() {
        let sent = tone(440.0, 22_050, 22_050, 9_000.0);
        let whole = convert(&sent, 22_050, 48_000, 22_050);
        for block in [1, 7, 480, 1_024] {
            assert_eq!(convert(&sent, 22_050, 48_000, block), whole, "blocks of {block}");
        }
    }

    #[test]
    fn capture_times_follow_the_sound_through() {
        let mut resampler = Resampler::new((16_000, 1), (48_000, 1)).unwrap();
        let mut samples = 0u64;
        for n in 0..10u64 {
            let start = Time::from_millis(1_000 + 20 * n);
            let out = resampler.process(&Pcm::silence(320, 16_000, 1).unwrap().at(start)).unwrap();
            let wanted = 1_000_000_000 + samples * 1_000_000_000 / 48_000;
            assert!(out.captured.nanos().abs_diff(wanted) < 1_000, "block {n}: {}", out.captured.nanos());
            samples += out.frames() as u64;
        }
    }

    #[test]
    fn channels_are_mixed_down_and_doubled() {
        let stereo: Vec<i16> = (0..4_800).flat_map(|_| [6_000, -2_000]).collect();
        let mut down = Resampler::new((48_000, 2), (16_000, 1)).unwrap();
        let mono = down.process(&Pcm::new(stereo.clone(), 48_000, 2).unwrap()).unwrap();
        assert_eq!(mono.samples()[800..900], [2_000; 100]);
        let mut up = Resampler::new((16_000, 1), (48_000, 2)).unwrap();
        let doubled = up.process(&mono).unwrap();
        assert_eq!((doubled.channels(), doubled.channel(0).last()), (2, Some(2_000)));
        assert!(doubled.channel(0).eq(doubled.channel(1)));
        let mut both = Resampler::new((48_000, 2), (44_100, 2)).unwrap();
        let kept = both.process(&Pcm::new(stereo, 48_000, 2).unwrap()).unwrap();
        assert_eq!(kept.samples()[4_000..4_002], [6_000, -2_000]);
    }

    #[test]
    fn drift_shortens_and_lengthens_by_its_parts_in_a_million() {
        for ppm in [-1_000.0, 0.0, 300.0] {
            let mut resampler = Resampler::new((48_000, 1), (48_000, 1)).unwrap();
            resampler.set_drift(ppm);
            let second = Pcm::silence(48_000, 48_000, 1).unwrap();
            let frames: usize = (0..10).map(|_| resampler.process(&second).unwrap().frames()).sum();
            let wanted = 480_000.0 / (1.0 + ppm / 1e6) - 32.0;
            assert!((frames as f64 - wanted).abs() < 2.0, "{ppm}: {frames}");
        }
    }

    #[test]
    fn other_shapes_are_errors_and_an_empty_block_is_none() {
        assert!(Resampler::new((7_000, 1), (48_000, 1)).is_err());
        assert!(Resampler::new((8_000, 1), (48_000, 3)).is_err());
        let mut resampler = Resampler::new((8_000, 1), (48_000, 1)).unwrap();
        assert_eq!(resampler.process(&Pcm::silence(80, 16_000, 1).unwrap()), Err(PcmError::Rate(16_000)));
        assert_eq!(resampler.process(&Pcm::silence(80, 8_000, 2).unwrap()), Err(PcmError::Channels(2)));
        assert_eq!(resampler.process(&Pcm::silence(0, 8_000, 1).unwrap()).unwrap().frames(), 0);
    }
}
