//! Another source in the place of one that ends: a call goes on when its microphone or camera is unplugged.

use super::{AudioSource, VideoSource};
use crate::picture::Picture;
use crate::scale::Scaler;
use crate::sound::Pcm;
use visavis_proto::time::Time;

/// Called once, when the first source has ended.
pub type Told = Box<dyn FnOnce() + Send>;

/// A source of sound, and what comes after it.
pub struct AudioFallback {
    first: Option<(Box<dyn AudioSource>, Told)>,
    then: Box<dyn AudioSource>,
}

impl AudioFallback {
    /// The sound of `first`; once it ends, `told` is called and `then` gives the rest.
    pub fn new(first: Box<dyn AudioSource>, then: Box<dyn AudioSource>, told: Told) -> Self {
        AudioFallback { first: Some((first, told)), then }
    }
}

impl AudioSource for AudioFallback {
    fn pull(&mut self, captured: Time, sample_rate: u32, frames: usize) -> Option<Pcm> {
        if let Some((mut first, told)) = self.first.take() {
            if let Some(sound) = first.pull(captured, sample_rate, frames) {
                self.first = Some((first, told));
                return Some(sound);
            }
            told();
        }
        self.then.pull(captured, sample_rate, frames)
    }

    fn channels(&self) -> u8 {
        self.first.as_ref().map_or(self.then.channels(), |(first, _)| first.channels())
    }
}

/// A source of pictures, and what comes after it, at the size and numbered on from the first.
pub struct VideoFallback {
    first: Option<(Box<dyn VideoSource>, Told)>,
    then: Box<dyn VideoSource>,
    scaler: Scaler,
    /// Of the first, once it has ended.
    size: (u32, u32),
    /// When the newest picture was asked for.
    asked: Option<Time>,
    /// Pictures given.
    count: u64,
}

impl VideoFallback {
    /// The pictures of `first`; once it ends, `told` is called and `then` gives the rest.
    pub fn new(first: Box<dyn VideoSource>, then: Box<dyn VideoSource>, told: Told) -> Self {
        let size = first.size();
        VideoFallback { first: Some((first, told)), then, scaler: Scaler::new(), size, asked: None, count: 0 }
    }
}

impl VideoSource for VideoFallback {
    fn next(&mut self, now: Time) -> Option<Picture> {
        self.asked = Some(now);
        let mut picture = None;
        if let Some((first, _)) = &mut self.first {
            picture = first.next(now);
            if picture.is_none() && !first.ended() {
                return None;
            }
        }
        if picture.is_none()
            && let Some((first, told)) = self.first.take()
        {
            self.size = first.size();
            told();
        }
        let picture = match picture {
            Some(picture) => picture,
            None => self.scaler.scale(&self.then.next(now)?, self.size).ok()?,
        };
        let number = self.count;
        self.count += 1;
        Some(picture.numbered(number))
    }

    fn due(&self) -> Option<Time> {
        match &self.first {
            Some((first, _)) if !first.ended() => first.due(),
            // At once: then the other one's time begins.
            Some(_) => self.asked,
            None => self.then.due(),
        }
    }

    fn size(&self) -> (u32, u32) {
        self.first.as_ref().map_or(self.size, |(first, _)| first.size())
    }

    fn fps(&self) -> f64 {
        self.first.as_ref().map_or(self.then.fps(), |(first, _)| first.fps())
    }

    fn suit(&mut self, size: (u32, u32), fps: f64) {
        if let Some((first, _)) = &mut self.first {
            first.suit(size, fps);
        }
    }

    fn ended(&self) -> bool {
        self.first.is_none() && self.then.ended()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FrameRate;
    use crate::source::pattern::PatternSource;
    use crate::source::tone::{Tone, ToneSource};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn counter() -> (Arc<AtomicU32>, Told) {
        let count = Arc::new(AtomicU32::new(0));
        let told = Arc::clone(&count);
        let told = move || {
            told.fetch_add(1, Ordering::Relaxed);
        };
        (count, Box::new(told))
    }

    struct Microphone(u32);

    impl AudioSource for Microphone {
        fn pull(&mut self, _: Time, sample_rate: u32, frames: usize) -> Option<Pcm> {
            self.0 = self.0.checked_sub(1)?;
            Pcm::new(vec![0; 2 * frames], sample_rate, 2).ok()
        }

        fn channels(&self) -> u8 {
            2
        }
    }

    #[test]
    fn the_tone_takes_over_from_a_lost_microphone_and_it_is_said_once() {
        let (count, told) = counter();
        let tone = Box::new(ToneSource::new(Tone::default()));
        let mut source = AudioFallback::new(Box::new(Microphone(2)), tone, told);
        let mut loud = Vec::new();
        for n in 0..4 {
            let sound = source.pull(Time::from_millis(300 + 20 * n), 8_000, 160).unwrap();
            assert_eq!(sound.frames(), 160);
            loud.push(sound.samples().iter().any(|s| *s != 0));
        }
        assert_eq!(loud, [false, false, true, true]);
        assert_eq!((source.channels(), count.load(Ordering::Relaxed)), (1, 1));
    }

    /// Gives black pictures until its time is over.
    struct Camera(Time, Option<Time>);

    impl VideoSource for Camera {
        fn next(&mut self, now: Time) -> Option<Picture> {
            self.1 = Some(now + std::time::Duration::from_millis(100));
            Picture::new(320, 240).ok().filter(|_| !self.ended()).map(|p| p.at(now))
        }

        fn due(&self) -> Option<Time> {
            self.1
        }

        fn size(&self) -> (u32, u32) {
            (320, 240)
        }

        fn fps(&self) -> f64 {
            10.0
        }

        fn ended(&self) -> bool {
            self.1.is_some_and(|due| due > self.0)
        }
    }

    #[test]
    fn the_pattern_takes_over_from_a_lost_camera_at_its_size() {
        let (count, told) = counter();
        let pattern = PatternSource::new(640, 480, FrameRate::new(10, 1).unwrap()).unwrap();
        let camera = Camera(Time::from_millis(450), None);
        let mut source = VideoFallback::new(Box::new(camera), Box::new(pattern), told);
        let mut pictures = Vec::new();
        for n in 0..10 {
            pictures.extend(source.next(Time::from_millis(100 * n)));
        }
        let numbers: Vec<u64> = pictures.iter().map(|p| p.sequence).collect();
        assert_eq!(numbers, (0..pictures.len() as u64).collect::<Vec<_>>());
        assert!(pictures.len() >= 8 && pictures.iter().all(|p| p.size() == (320, 240)));
        let black = Picture::new(320, 240).unwrap();
        assert!(pictures[0] == black && *pictures.last().unwrap() != black);
        assert_eq!(count.load(Ordering::Relaxed), 1);
        assert!(source.due().is_some() && !source.ended());
    }
}
