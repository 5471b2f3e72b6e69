//! Signals and measurements that the tests of several codecs share.

use std::f64::consts::TAU;
use visavis_proto::frame::{AudioFormat, Codec};

/// A format without config whose RTP clock is the sample rate.
pub(crate) fn audio_format(codec: Codec, sample_rate: u32, channels: u8, granule: u32) -> AudioFormat {
    AudioFormat {
        codec,
        sample_rate,
        clock_rate: sample_rate,
        channels,
        samples_per_frame: granule,
        config: Default::default(),
        max_bitrate: None,
    }
}

/// A sine, the same on every channel.
pub(crate) fn tone(hz: f64, format: &AudioFormat, frames: usize) -> Vec<i16> {
    let step = TAU * hz / f64::from(format.sample_rate);
    let samples = (0..frames * format.samples_per_frame as usize).map(|i| 8_000.0 * (step * i as f64).sin());
    samples.flat_map(|s| vec![s.round() as i16; format.channels.into()]).collect()
}

/// The first channel.
pub(crate) fn left(samples: &[i16], format: &AudioFormat) -> Vec<f64> {
    samples.iter().step_by(format.channels.into()).map(|&s| f64::from(s)).collect()
}

/// Root of the mean square.
pub(crate) fn rms(samples: &[f64]) -> f64 {
    (samples.iter().map(|s| s * s).sum::<f64>() / samples.len() as f64).sqrt()
}

/// Amplitude and phase of one frequency in `samples[from..]`, under a Hann window; the phase counts from the
/// start of `samples`.
pub(crate) fn component(samples: &[f64], from: usize, hz: f64, rate: u32) -> (f64, f64) {
    let (mut re, mut im) = (0.0, 0.0);
    let length = samples.len() - from;
    for (i, sample) in samples.iter().enumerate().skip(from) {
        let window = 1.0 - (TAU * (i - from) as f64 / length as f64).cos();
        let angle = TAU * hz * i as f64 / f64::from(rate);
        re += sample * window * angle.cos();
        im -= sample * window * angle.sin();
    }
    (2.0 * re.hypot(im) / length as f64, im.atan2(re))
}

/// The frequency of a tone near `hz`, from how its phase moves between the two halves.
pub(crate) fn frequency(samples: &[f64], hz: f64, rate: u32) -> f64 {
    let half = samples.len() / 2;
    let (first, second) = (&samples[..half], &samples[..2 * half]);
    let moved = component(second, half, hz, rate).1 - component(first, 0, hz, rate).1;
    let moved = (moved + TAU / 2.0).rem_euclid(TAU) - TAU / 2.0;
    hz + moved / TAU * f64::from(rate) / half as f64
}

/// Samples by which `late` lies behind `early`, by correlation; both begin at the same time.
pub(crate) fn delay(early: &[f64], late: &[f64]) -> usize {
    let window = early.len() / 2;
    let likeness = |lag: usize| -> f64 { early[..window].iter().zip(&late[lag..]).map(|(a, b)| a * b).sum() };
    (0..late.len() - window).max_by(|&a, &b| likeness(a).total_cmp(&likeness(b))).unwrap()
}
