//! Decoded pictures as a YUV4MPEG2 file, as ffmpeg, mpv and the codec tools read it.

use super::VideoSink;
use crate::picture::{Component, Picture};
use crate::scale::Scaler;
use crate::source::FrameRate;
use std::io::{self, Write};
use y4m::{Colorspace, Frame, Ratio};

/// Writes every picture once, in the order in which they come, at a frame rate that the file names but that
/// nothing is made to fit: the file holds what was decoded, not when.
///
/// The first picture sets the size; later ones of another size are scaled to it.
pub struct Y4mSink<W: Write> {
    rate: FrameRate,
    scaler: Scaler,
    state: State<W>,
}

enum State<W: Write> {
    Waiting(Option<W>),
    Writing(y4m::Encoder<W>, (u32, u32)),
}

impl<W: Write> Y4mSink<W> {
    /// A sink that writes to `out` and names `rate` in the header. Nothing is written before the first
    /// picture; give a buffered writer.
    pub fn new(out: W, rate: FrameRate) -> Self {
        Y4mSink { rate, scaler: Scaler::new(), state: State::Waiting(Some(out)) }
    }
}

impl<W: Write + Send> VideoSink for Y4mSink<W> {
    fn show(&mut self, picture: &Picture) -> io::Result<()> {
        if let State::Waiting(out) = &mut self.state {
            let out = out.take().ok_or_else(|| io::Error::other("the header could not be written"))?;
            let (pictures, seconds) = self.rate.ratio();
            let rate = Ratio::new(pictures as usize, seconds as usize);
            let encoder = y4m::encode(picture.width() as usize, picture.height() as usize, rate)
                .with_colorspace(Colorspace::C420mpeg2)
                .write_header(out)
                .map_err(error)?;
            self.state = State::Writing(encoder, picture.size());
        }
        let State::Writing(encoder, size) = &mut self.state else {
            return Ok(());
        };
        let picture = self.scaler.scale(picture, *size).map_err(io::Error::other)?;
        let planes = Component::ALL.map(|component| picture.plane(component).data);
        encoder.write_frame(&Frame::new(planes, None)).map_err(error)
    }
}

fn error(error: y4m::Error) -> io::Error {
    match error {
        y4m::Error::IoError(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_picture_gets_the_size_of_the_first() {
        let mut file = Vec::new();
        let mut sink = Y4mSink::new(&mut file, FrameRate::new(30_000, 1_001).unwrap());
        for size in [(6, 4), (64, 48), (2, 2)] {
            sink.show(&Picture::new(size.0, size.1).unwrap()).unwrap();
        }
        drop(sink);
        let picture = [&b"FRAME\n"[..], &[16; 24], &[128; 12]].concat();
        assert_eq!(file, [&b"YUV4MPEG2 W6 H4 F30000:1001 C420mpeg2\n"[..], &picture.repeat(3)].concat());
    }
}
