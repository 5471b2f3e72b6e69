//! Pictures and sound with known faults.

use crate::call::RATE;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::time::Duration;
use visavis::media_codecs::Picture;
use visavis::media_codecs::picture::Component;
use visavis::media_codecs::sound::Pcm;
use visavis::media_codecs::source::pattern::PatternSource;
use visavis::media_codecs::source::tone::{Tone, ToneSource};
use visavis::media_codecs::source::{AudioSource, FrameRate, VideoSource};
use visavis::proto::Time;

pub(crate) const SIZE: (u32, u32) = (320, 240);

/// The test pattern.
pub(crate) fn pattern() -> Box<dyn VideoSource> {
    let rate = FrameRate::new(RATE, 1).expect("a rate");
    Box::new(PatternSource::new(SIZE.0, SIZE.1, rate).expect("a size"))
}

/// The test tone at this pitch, Hz.
pub(crate) fn tone(frequency: f64) -> Box<dyn AudioSource> {
    Box::new(ToneSource::new(Tone { frequency, ..Tone::default() }))
}

/// Changes each picture of the pattern.
pub(crate) struct Changed<F> {
    source: Box<dyn VideoSource>,
    change: F,
}

impl<F: FnMut(Picture) -> Picture + Send> VideoSource for Changed<F> {
    fn next(&mut self, now: Time) -> Option<Picture> {
        self.source.next(now).map(&mut self.change)
    }

    fn due(&self) -> Option<Time> {
        self.source.due()
    }

    fn size(&self) -> (u32, u32) {
        self.source.size()
    }

    fn fps(&self) -> f64 {
        self.source.fps()
    }
}

/// The pattern with an error of known power: each block of 16 x 16 pixels is lighter or darker by `by`, at random.
/// Blocks of that size a codec keeps, where it would smooth away noise from pixel to pixel.
pub(crate) fn uneven(by: u8) -> Box<dyn VideoSource> {
    let mut random = ChaCha20Rng::seed_from_u64(3);
    let across = SIZE.0 as usize / 16;
    let lighter: Vec<bool> = (0..across * SIZE.1 as usize / 16).map(|_| random.next_u32() & 1 == 1).collect();
    let change = move |mut picture: Picture| {
        let width = SIZE.0 as usize;
        for (index, luma) in picture.plane_mut(Component::Y).iter_mut().enumerate() {
            let block = index / width / 16 * across + index % width / 16;
            // The pattern keeps to 16..=235, so that nothing is cut off.
            *luma = if lighter[block] { *luma + by } else { *luma - by };
        }
        picture
    };
    Box::new(Changed { source: pattern(), change })
}

/// A camera that shows one picture again and again from `from` for `length`, after its first one.
pub(crate) fn stuck(from: Duration, length: Duration) -> Box<dyn VideoSource> {
    let mut first = None;
    let mut held: Option<Picture> = None;
    let change = move |picture: Picture| {
        let running = picture.captured - *first.get_or_insert(picture.captured);
        if running < from || running >= from + length {
            held = Some(picture.clone());
            return picture;
        }
        let old = held.clone().expect("a picture before the first one that is held");
        old.at(picture.captured).numbered(picture.sequence)
    };
    Box::new(Changed { source: pattern(), change })
}

/// The tone as if it had been captured by so much more or less than it was.
struct Shifted {
    source: ToneSource,
    by_ms: i64,
}

/// Sound that comes later (or earlier) than it should, against the pictures, milliseconds.
pub(crate) fn shifted(by_ms: i64) -> Box<dyn AudioSource> {
    Box::new(Shifted { source: ToneSource::new(Tone::default()), by_ms })
}

impl AudioSource for Shifted {
    fn pull(&mut self, captured: Time, sample_rate: u32, frames: usize) -> Option<Pcm> {
        let by = Duration::from_millis(self.by_ms.unsigned_abs());
        let heard = if self.by_ms > 0 { captured.saturating_sub(by) } else { captured + by };
        Some(self.source.pull(heard, sample_rate, frames)?.at(captured))
    }

    fn channels(&self) -> u8 {
        1
    }
}

/// A tone that is cut off now and then.
pub(crate) struct Cut {
    source: ToneSource,
    /// When and for how long, after its first sample.
    holes: Vec<(Duration, Duration)>,
    first: Option<Time>,
}

impl Cut {
    pub(crate) fn new(holes: &[(u64, u64)]) -> Self {
        let ms = Duration::from_millis;
        let holes = holes.iter().map(|(from, length)| (ms(*from), ms(*length))).collect();
        Cut { source: ToneSource::new(Tone::default()), holes, first: None }
    }
}

impl AudioSource for Cut {
    fn pull(&mut self, captured: Time, sample_rate: u32, frames: usize) -> Option<Pcm> {
        let mut sound = self.source.pull(captured, sample_rate, frames)?;
        let start = captured - *self.first.get_or_insert(captured);
        for (index, sample) in sound.samples_mut().iter_mut().enumerate() {
            let at = start + Duration::from_secs(1) * index as u32 / sample_rate;
            if self.holes.iter().any(|(from, length)| at >= *from && at < *from + *length) {
                *sample = 0;
            }
        }
        Some(sound)
    }

    fn channels(&self) -> u8 {
        1
    }
}

/// A microphone that is off.
pub(crate) struct Silence;

impl AudioSource for Silence {
    fn pull(&mut self, captured: Time, sample_rate: u32, frames: usize) -> Option<Pcm> {
        Pcm::silence(frames, sample_rate, 1).ok().map(|sound| sound.at(captured))
    }

    fn channels(&self) -> u8 {
        1
    }
}
