//! Any source of pictures at another size.

use super::VideoSource;
use crate::picture::{Picture, PictureError};
use crate::scale::Scaler;
use visavis_proto::time::Time;

/// Scales every picture of a source.
pub struct Scaled<S> {
    source: S,
    scaler: Scaler,
    size: (u32, u32),
}

impl<S: VideoSource> Scaled<S> {
    /// The pictures of `source` at `size` (width, height), stretched where its shape is another.
    ///
    /// # Errors
    /// [`PictureError::Size`] for a size that no picture can have.
    pub fn new(source: S, size: (u32, u32)) -> Result<Self, PictureError> {
        Picture::new(size.0, size.1)?;
        Ok(Scaled { source, scaler: Scaler::new(), size })
    }
}

impl<S: VideoSource> VideoSource for Scaled<S> {
    fn next(&mut self, now: Time) -> Option<Picture> {
        let picture = self.source.next(now)?;
        self.scaler.scale(&picture, self.size).ok()
    }

    fn due(&self) -> Option<Time> {
        self.source.due()
    }

    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn fps(&self) -> f64 {
        self.source.fps()
    }

    fn ended(&self) -> bool {
        self.source.ended()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FrameRate;
    use crate::source::pattern::{PatternSource, Reading, Stamp};

    #[test]
    fn a_scaled_pattern_is_read_and_keeps_its_times() {
        let pattern = PatternSource::new(640, 480, FrameRate::new(10, 1).unwrap()).unwrap();
        let mut source = Scaled::new(pattern, (320, 180)).unwrap();
        assert_eq!((source.size(), source.fps(), source.ended()), ((320, 180), 10.0, false));
        let first = source.next(Time::from_millis(300)).unwrap();
        assert_eq!((first.size(), first.captured, first.sequence), ((320, 180), Time::from_millis(300), 0));
        assert_eq!(Stamp::read(&first), Reading::Stamp(Stamp { number: 0, captured_us: 300_000 }));
        assert_eq!(source.due(), Some(Time::from_millis(400)));
    }
}
