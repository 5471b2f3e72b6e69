//! Where decoded pictures and sound, and the coded frames of a recording, go.

mod convert;
pub mod mp4;
pub mod null;
pub mod png;
pub mod wav;
pub mod y4m;

use crate::picture::Picture;
use crate::sound::Pcm;
use std::io;

/// A sink for decoded pictures. Sizes may change from one picture to the next.
pub trait VideoSink: Send {
    /// Takes one picture, to be shown at its `captured` time.
    ///
    /// # Errors
    /// What the file or device below it said; the sink can be given more pictures after that.
    fn show(&mut self, picture: &Picture) -> io::Result<()>;

    /// Writes what is still held back. Nothing may follow.
    ///
    /// # Errors
    /// What the file or device below it said.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A sink for decoded sound. The sample rate and the channels may change from one stretch to the next.
pub trait AudioSink: Send {
    /// Takes one stretch of sound, to be played from its `captured` time.
    ///
    /// # Errors
    /// What the file or device below it said; the sink can be given more sound after that.
    fn play(&mut self, sound: &Pcm) -> io::Result<()>;

    /// Writes what is still held back. Nothing may follow.
    ///
    /// # Errors
    /// What the file or device below it said.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
