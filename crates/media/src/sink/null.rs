//! A sink that keeps nothing and counts what came.

use super::{AudioSink, VideoSink};
use crate::picture::Picture;
use crate::sound::Pcm;
use std::io;
use std::time::Duration;

/// Counts pictures and sound, and drops them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NullSink {
    /// Pictures that came.
    pub pictures: u64,
    /// How much sound came.
    pub sound: Duration,
}

impl VideoSink for NullSink {
    fn show(&mut self, _: &Picture) -> io::Result<()> {
        self.pictures += 1;
        Ok(())
    }
}

impl AudioSink for NullSink {
    fn play(&mut self, sound: &Pcm) -> io::Result<()> {
        self.sound += sound.duration();
        Ok(())
    }
}
