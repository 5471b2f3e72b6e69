//! Where raw pictures and sound come from: the test pattern and its tone, files, later devices.
//!
//! A source has neither a thread nor a clock. Whoever runs it calls it with the time: at or soon after
//! [`VideoSource::due`] for pictures, once a codec frame for sound.

pub mod fallback;
pub mod file;
pub mod pattern;
pub mod scaled;
pub mod tone;
pub mod turned;

use crate::picture::Picture;
use crate::sound::Pcm;
use std::num::NonZeroU32;
use std::time::Duration;
use visavis_proto::time::Time;

/// A source of pictures, all of one size.
pub trait VideoSource: Send {
    /// The picture of this moment, or `None` where the next one is not due yet or the source has ended.
    ///
    /// The picture's `captured` is its place on the source's own grid of capture times (never later than
    /// `now`), its `sequence` counts the pictures handed out. A caller that comes late gets the newest picture
    /// alone: those in between are never made up for.
    fn next(&mut self, now: Time) -> Option<Picture>;

    /// When [`VideoSource::next`] has something to give: call it then. `None` before the first call (call it
    /// at once) and after the end.
    fn due(&self) -> Option<Time>;

    /// Width and height of every picture, pixels.
    fn size(&self) -> (u32, u32);

    /// Pictures a second.
    fn fps(&self) -> f64;

    /// Tells the source what its pictures are for, before the first one: they will be brought to this `size` and
    /// to at most `fps` a second. A source that can choose comes near to that; the others leave it to whoever
    /// scales.
    fn suit(&mut self, size: (u32, u32), fps: f64) {
        let _ = (size, fps);
    }

    /// Whether no picture will ever come again.
    fn ended(&self) -> bool {
        false
    }
}

/// A source of sound, pulled at the pace and the rate of whoever encodes or plays it.
pub trait AudioSource: Send {
    /// The next `frames` samples per channel at `sample_rate` Hz, or `None` at the end of the source (its last
    /// stretch is filled up with silence).
    ///
    /// `captured` is the time of the first sample on the caller's sample clock (start + samples pulled so far
    /// / rate), not the moment at which its thread woke up: sources that mark moments go by it.
    fn pull(&mut self, captured: Time, sample_rate: u32, frames: usize) -> Option<Pcm>;

    /// 1 (mono) or 2 (stereo).
    fn channels(&self) -> u8;
}

/// Pictures a second as a fraction, for rates such as 30000/1001.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRate {
    pictures: NonZeroU32,
    seconds: NonZeroU32,
}

impl FrameRate {
    /// `pictures` pictures in `seconds` seconds; `None` where either is 0 or there would be more than 1000 a
    /// second.
    pub fn new(pictures: u32, seconds: u32) -> Option<Self> {
        let rate = FrameRate { pictures: NonZeroU32::new(pictures)?, seconds: NonZeroU32::new(seconds)? };
        (rate.as_f64() <= 1_000.0).then_some(rate)
    }

    /// Numerator and denominator, as given.
    pub fn ratio(self) -> (u32, u32) {
        (self.pictures.get(), self.seconds.get())
    }

    /// Pictures a second.
    pub fn as_f64(self) -> f64 {
        f64::from(self.pictures.get()) / f64::from(self.seconds.get())
    }

    /// When picture `index` since the Unix epoch is due, nanoseconds since then, rounded up.
    fn nanos(self, index: u64) -> u64 {
        let nanos = u128::from(index) * u128::from(self.seconds.get()) * 1_000_000_000;
        u64::try_from(nanos.div_ceil(u128::from(self.pictures.get()))).unwrap_or(u64::MAX)
    }

    /// The newest picture that is due `nanos` nanoseconds after the Unix epoch.
    fn index(self, nanos: u64) -> u64 {
        let pictures = u128::from(nanos) * u128::from(self.pictures.get());
        u64::try_from(pictures / (u128::from(self.seconds.get()) * 1_000_000_000)).unwrap_or(u64::MAX)
    }
}

/// The capture times of a source: the whole multiples of the frame interval since the Unix epoch, by the wall
/// clock as it stood at the first call.
#[derive(Clone, Debug)]
struct Grid {
    rate: FrameRate,
    /// What the clock's origin is after the Unix epoch, nanoseconds, and the picture to come next, counted
    /// from the epoch.
    state: Option<(i128, u64)>,
}

impl Grid {
    fn new(rate: FrameRate) -> Self {
        Grid { rate, state: None }
    }

    fn rate(&self) -> FrameRate {
        self.rate
    }

    fn due(&self) -> Option<Time> {
        let (origin, next) = self.state?;
        let due = Time::from_nanos(clamp(i128::from(self.rate.nanos(next)) - origin));
        Some(due.with_unix_offset(i64::try_from(origin).unwrap_or_default()))
    }

    /// The newest capture time that is due at `now` and was not given yet, and its place on the grid.
    ///
    /// The first call gives one only where `now` is a capture time itself; a picture made up for the past
    /// would look late by up to a frame interval.
    fn advance(&mut self, now: Time) -> Option<(u64, Time)> {
        let (origin, next) = *self.state.get_or_insert_with(|| {
            let unix = now.unix_nanos();
            let newest = self.rate.index(unix);
            let first = if self.rate.nanos(newest) == unix { newest } else { newest.saturating_add(1) };
            (i128::from(unix) - i128::from(now.nanos()), first)
        });
        let unix = clamp(i128::from(now.nanos()) + origin);
        let newest = self.rate.index(unix);
        if newest < next {
            return None;
        }
        self.state = Some((origin, newest.saturating_add(1)));
        let age = Duration::from_nanos(unix - self.rate.nanos(newest));
        Some((newest, now.saturating_sub(age)))
    }
}

fn clamp(nanos: i128) -> u64 {
    nanos.clamp(0, i128::from(u64::MAX)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(pictures: u32, seconds: u32) -> FrameRate {
        FrameRate::new(pictures, seconds).unwrap()
    }

    #[test]
    fn capture_times_lie_on_the_wall_clocks_grid_and_late_callers_get_the_newest() {
        let at = |ms: u64| Time::from_millis(ms).with_unix_offset(1_700_000_000_010_000_000);
        let mut grid = Grid::new(rate(25, 1));
        let mut advance = |ms| grid.advance(at(ms)).map(|(_, captured)| captured);
        assert_eq!(advance(5), None);
        assert_eq!(advance(29), None);
        assert_eq!(advance(31), Some(at(30)));
        assert_eq!(advance(159), Some(at(150)));
        assert_eq!(advance(160), None);
        let second = advance(990).unwrap();
        assert_eq!(second.unix_nanos() % 1_000_000_000, 0);
        let due = grid.due().unwrap();
        assert_eq!((due, due.unix_nanos()), (at(1_030), at(1_030).unix_nanos()));
    }

    #[test]
    fn a_full_hour_at_30000_over_1001_gives_every_picture_when_called_when_due() {
        let mut grid = Grid::new(rate(30_000, 1_001));
        let mut now = Time::from_nanos(12_345);
        let mut count = 0;
        while now < Time::from_millis(3_600_000) {
            count += u64::from(grid.advance(now).is_some());
            now = grid.due().unwrap();
        }
        assert_eq!(count, 3_600 * 30_000 / 1_001);
    }

    #[test]
    fn impossible_rates_are_none() {
        assert_eq!(FrameRate::new(0, 1), None);
        assert_eq!(FrameRate::new(30, 0), None);
        assert_eq!(FrameRate::new(1_001, 1), None);
    }
}
