//! Another source in the place of one that has nothing: a call goes on when its microphone or camera is unplugged, and
//! is itself again when that is plugged in.
//!
//! A first source that has ended is asked again each time, so it may begin anew: that is more than what
//! [`AudioSource`] and [`VideoSource`] allow to others.

use super::{AudioSource, VideoSource};
use crate::picture::Picture;
use crate::scale::Scaler;
use crate::sound::Pcm;
use visavis_proto::time::Time;

/// A source of sound, and what stands in for it.
pub struct AudioFallback {
    first: Box<dyn AudioSource>,
    otherwise: Box<dyn AudioSource>,
    /// Whether the newest sound is not that of the first.
    stands_in: bool,
}

impl AudioFallback {
    /// The sound of `first`, and that of `otherwise` whenever the first has none.
    pub fn new(first: Box<dyn AudioSource>, otherwise: Box<dyn AudioSource>) -> Self {
        AudioFallback { first, otherwise, stands_in: false }
    }
}

impl AudioSource for AudioFallback {
    fn pull(&mut self, captured: Time, sample_rate: u32, frames: usize) -> Option<Pcm> {
        let sound = self.first.pull(captured, sample_rate, frames);
        self.stands_in = sound.is_none();
        sound.or_else(|| self.otherwise.pull(captured, sample_rate, frames))
    }

    fn channels(&self) -> u8 {
        if self.stands_in { self.otherwise.channels() } else { self.first.channels() }
    }
}

/// A source of pictures, and what stands in for it, at the size and numbered on from the first.
pub struct VideoFallback {
    first: Box<dyn VideoSource>,
    otherwise: Box<dyn VideoSource>,
    stands_in: bool,
    scaler: Scaler,
    /// When the newest picture was asked for.
    asked: Option<Time>,
    /// Pictures given.
    count: u64,
}

impl VideoFallback {
    /// The pictures of `first`, and those of `otherwise` while the first has ended.
    pub fn new(first: Box<dyn VideoSource>, otherwise: Box<dyn VideoSource>) -> Self {
        VideoFallback { first, otherwise, stands_in: false, scaler: Scaler::new(), asked: None, count: 0 }
    }
}

impl VideoSource for VideoFallback {
    fn next(&mut self, now: Time) -> Option<Picture> {
        self.asked = Some(now);
        let picture = self.first.next(now);
        self.stands_in = picture.is_none() && self.first.ended();
        let picture = match picture {
            Some(picture) => picture,
            None if self.stands_in => {
                self.scaler.scale(&self.otherwise.next(now)?, self.first.size()).ok()?
            }
            None => return None,
        };
        let number = self.count;
        self.count += 1;
        Some(picture.numbered(number))
    }

    fn due(&self) -> Option<Time> {
        if self.stands_in {
            // Where nothing is to come from it either, the first may begin anew.
            self.otherwise.due().or_else(|| self.first.due())
        } else if self.first.ended() {
            // At once: then the other one's time begins.
            self.asked
        } else {
            self.first.due()
        }
    }

    fn size(&self) -> (u32, u32) {
        self.first.size()
    }

    fn fps(&self) -> f64 {
        if self.stands_in { self.otherwise.fps() } else { self.first.fps() }
    }

    fn suit(&mut self, size: (u32, u32), fps: f64) {
        self.first.suit(size, fps);
    }

    fn ended(&self) -> bool {
        self.stands_in && self.otherwise.ended()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FrameRate;
    use crate::source::pattern::PatternSource;
    use crate::source::tone::{Tone, ToneSource};

    /// Is there before the one moment and after the other; gives silence of two channels, or black pictures.
    struct Device {
        lost: Time,
        back: Time,
        asked: Option<Time>,
    }

    impl Device {
        fn new(lost: u64, back: u64) -> Self {
            Device { lost: Time::from_millis(lost), back: Time::from_millis(back), asked: None }
        }

        fn is_there(&self) -> bool {
            self.asked.is_none_or(|now| now < self.lost || now >= self.back)
        }
    }

    impl AudioSource for Device {
        fn pull(&mut self, captured: Time, sample_rate: u32, frames: usize) -> Option<Pcm> {
            self.asked = Some(captured);
            Pcm::new(vec![0; 2 * frames], sample_rate, 2).ok().filter(|_| self.is_there())
        }

        fn channels(&self) -> u8 {
            2
        }
    }

    #[test]
    fn the_tone_stands_in_for_a_microphone_until_it_is_back() {
        let tone = Box::new(ToneSource::new(Tone::default()));
        let mut source = AudioFallback::new(Box::new(Device::new(340, 380)), tone);
        let mut given = Vec::new();
        for n in 0..6 {
            let sound = source.pull(Time::from_millis(300 + 20 * n), 8_000, 160).unwrap();
            assert_eq!((sound.frames(), sound.channels()), (160, source.channels()));
            given.push((sound.channels(), sound.samples().iter().any(|s| *s != 0)));
        }
        let (silence, tone) = ((2, false), (1, true));
        assert_eq!(given, [silence, silence, tone, tone, silence, silence]);
    }

    impl VideoSource for Device {
        fn next(&mut self, now: Time) -> Option<Picture> {
            self.asked = Some(now);
            Picture::new(320, 240).ok().filter(|_| self.is_there()).map(|p| p.at(now))
        }

        fn due(&self) -> Option<Time> {
            self.asked.map(|now| now + std::time::Duration::from_millis(100))
        }

        fn size(&self) -> (u32, u32) {
            (320, 240)
        }

        fn fps(&self) -> f64 {
            10.0
        }

        fn ended(&self) -> bool {
            !self.is_there()
        }
    }

    #[test]
    fn the_pattern_stands_in_for_a_camera_at_its_size_until_it_is_back() {
        let pattern = PatternSource::new(640, 480, FrameRate::new(5, 1).unwrap()).unwrap();
        let mut source = VideoFallback::new(Box::new(Device::new(450, 1_250)), Box::new(pattern));
        let mut pictures = Vec::new();
        for n in 0..20 {
            pictures.extend(source.next(Time::from_millis(100 * n)));
            assert!(source.due().is_some() && !source.ended());
            assert_eq!(source.fps(), if (5..13).contains(&n) { 5.0 } else { 10.0 }, "{n}");
        }
        let numbers: Vec<u64> = pictures.iter().map(|p| p.sequence).collect();
        assert_eq!(numbers, (0..pictures.len() as u64).collect::<Vec<_>>());
        assert!(pictures.iter().all(|p| p.size() == (320, 240)));
        let black = Picture::new(320, 240).unwrap();
        let of_pattern = pictures.iter().filter(|p| **p != black).count();
        assert!((3..=5).contains(&of_pattern), "{of_pattern} in 0.8 s at 5 a second");
        assert!(pictures[0] == black && *pictures.last().unwrap() == black);
    }
}
