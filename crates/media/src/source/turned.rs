//! Any source of pictures whose camera is not mounted upright.

use super::VideoSource;
use crate::picture::Picture;
use visavis_proto::frame::Rotation;
use visavis_proto::time::Time;

/// Says of every picture of a source how it is to be turned. The pixels stay as they are.
pub struct Turned {
    source: Box<dyn VideoSource>,
    rotation: Rotation,
}

impl Turned {
    /// The pictures of `source`, which stand upright when they are turned so.
    pub fn new(source: Box<dyn VideoSource>, rotation: Rotation) -> Self {
        Turned { source, rotation }
    }
}

impl VideoSource for Turned {
    fn next(&mut self, now: Time) -> Option<Picture> {
        self.source.next(now).map(|picture| picture.rotated(self.rotation))
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
