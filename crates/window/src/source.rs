//! What is sent, tapped for the self view, and silenced or darkened on request.

use crate::Stage;
use visavis_media::source::{AudioSource, VideoSource};
use visavis_media::{Pcm, Picture, pixel};
use visavis_proto::Time;

/// A source of pictures that shows on the stage what it hands out, and hands out dark pictures while the camera is off.
pub struct SelfView {
    source: Box<dyn VideoSource>,
    stage: Stage,
    call: u64,
}

impl SelfView {
    /// Around the source of a call.
    pub fn new(source: Box<dyn VideoSource>, stage: &Stage, call: u64) -> Self {
        SelfView { source, stage: stage.clone(), call }
    }
}

impl VideoSource for SelfView {
    fn next(&mut self, now: Time) -> Option<Picture> {
        let mut picture = self.source.next(now)?;
        if self.stage.camera_is_off() {
            // A source's pictures have a possible size.
            let dark = Picture::new(picture.width(), picture.height()).ok()?;
            picture = dark.at(picture.captured).numbered(picture.sequence).rotated(picture.rotation);
        }
        self.stage.own_picture(self.call, pixel::upright(&picture));
        Some(picture)
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

    fn suit(&mut self, size: (u32, u32), fps: f64) {
        self.source.suit(size, fps);
    }

    fn ended(&self) -> bool {
        self.source.ended()
    }
}

/// A source of sound that is silent while the stage is muted. The sound goes on behind it: what was said meanwhile is
/// not said later.
pub struct Mutable {
    source: Box<dyn AudioSource>,
    stage: Stage,
}

impl Mutable {
    /// Around a source.
    pub fn new(source: Box<dyn AudioSource>, stage: &Stage) -> Self {
        Mutable { source, stage: stage.clone() }
    }
}

impl AudioSource for Mutable {
    fn pull(&mut self, captured: Time, sample_rate: u32, frames: usize) -> Option<Pcm> {
        let mut sound = self.source.pull(captured, sample_rate, frames)?;
        if self.stage.is_muted() {
            sound.samples_mut().fill(0);
        }
        Some(sound)
    }

    fn channels(&self) -> u8 {
        self.source.channels()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Facts;
    use visavis_media::picture::Component;
    use visavis_media::source::FrameRate;
    use visavis_media::source::pattern::PatternSource;
    use visavis_media::source::tone::{Tone, ToneSource};
    use visavis_media::source::turned::Turned;
    use visavis_proto::frame::Rotation;

    #[test]
    fn a_camera_that_is_off_sends_dark_pictures_with_the_times_of_those_they_stand_for() {
        let stage = Stage::new();
        stage.tell(Some(7), Facts::default());
        let rate = FrameRate::new(10, 1).unwrap();
        let mut source = SelfView::new(Box::new(PatternSource::new(128, 96, rate).unwrap()), &stage, 7);
        let light = source.next(Time::from_millis(0)).unwrap();
        assert!(stage.own().is_some_and(|shown| shown == light));
        stage.turn_camera();
        let dark = source.next(Time::from_millis(100)).unwrap();
        assert!(dark.plane(Component::Y).data.iter().all(|&luma| luma == 16));
        assert_eq!((dark.captured, dark.sequence), (Time::from_millis(100), light.sequence + 1));
        assert!(stage.own().is_some_and(|shown| shown == dark));
        stage.turn_camera();
        assert_ne!(source.next(Time::from_millis(200)).unwrap(), dark);
    }

    #[test]
    fn what_is_sent_sideways_is_shown_upright_here_too() {
        let stage = Stage::new();
        stage.tell(Some(7), Facts::default());
        let pattern = PatternSource::new(128, 96, FrameRate::new(10, 1).unwrap()).unwrap();
        let turned = Turned::new(Box::new(pattern), Rotation::Clockwise270);
        let mut source = SelfView::new(Box::new(turned), &stage, 7);
        for ms in [0, 100] {
            let sent = source.next(Time::from_millis(ms)).unwrap();
            assert_eq!((sent.size(), sent.rotation), ((128, 96), Rotation::Clockwise270));
            let shown = stage.own().expect("a picture");
            assert_eq!((shown.size(), shown.rotation), ((96, 128), Rotation::None));
            stage.turn_camera();
        }
    }

    #[test]
    fn a_muted_source_is_silent_and_runs_on() {
        let stage = Stage::new();
        let mut source = Mutable::new(Box::new(ToneSource::new(Tone::default())), &stage);
        let mut pull = |ms| source.pull(Time::from_millis(ms), 48_000, 480).unwrap();
        assert!(pull(0).samples().iter().any(|&s| s != 0));
        stage.set_muted(true);
        let silent = pull(10);
        assert!(silent.samples().iter().all(|&s| s == 0));
        assert_eq!((silent.captured, silent.samples().len()), (Time::from_millis(10), 480));
        stage.set_muted(false);
        assert!(pull(20).samples().iter().any(|&s| s != 0));
    }
}
