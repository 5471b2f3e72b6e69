//! Pictures from a YUV4MPEG2 file, as `ffmpeg -i film -pix_fmt yuv420p film.y4m` writes it.

use super::{FileError, Playback};
use crate::picture::{MAX_DIMENSION, Picture};
use crate::source::{FrameRate, Grid, VideoSource};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use visavis_proto::time::Time;
use y4m::{Colorspace, Decoder, Limits};

/// Pictures that a late caller makes the source skip at the most; behind more than that the film goes on where
/// it was.
const MOST_SKIPPED: u64 = 120;

/// Pictures of a Y4M file (8 bits; 4:2:0 or grey) at the file's own rate and size.
///
/// A caller that comes late misses pictures, as with any live source: the film keeps pace with the clock.
pub struct Y4mSource {
    path: PathBuf,
    /// `None` after the end.
    reader: Option<Decoder<BufReader<File>>>,
    playback: Playback,
    size: (u32, u32),
    grid: Grid,
    /// The place on the grid of the last picture.
    last: Option<u64>,
    count: u64,
}

impl Y4mSource {
    /// Opens a file.
    ///
    /// # Errors
    /// [`FileError::Io`] from the file, [`FileError::Format`] for what is no Y4M file of 8 bits and 4:2:0.
    pub fn open(path: impl AsRef<Path>, playback: Playback) -> Result<Self, FileError> {
        let path = path.as_ref().to_owned();
        let reader = open(&path)?;
        let ratio = reader.get_framerate();
        let rate = u32::try_from(ratio.num).ok().zip(u32::try_from(ratio.den).ok());
        let rate = rate
            .and_then(|(num, den)| FrameRate::new(num, den))
            .ok_or_else(|| FileError::Format(format!("a frame rate of {ratio} cannot be played")))?;
        // The limits of `open` keep both sides far below what u32 holds.
        let size = (reader.get_width() as u32, reader.get_height() as u32);
        let grid = Grid::new(rate);
        Ok(Y4mSource { path, reader: Some(reader), playback, size, grid, last: None, count: 0 })
    }

    /// The next picture of the film, `None` at its end.
    fn read(&mut self) -> Option<Picture> {
        for fresh in [false, true] {
            let reader = self.reader.as_mut()?;
            if let Some(picture) = read_picture(reader, self.size) {
                return Some(picture);
            }
            let again = self.playback == Playback::Loop && !fresh;
            self.reader = again.then(|| open(&self.path).ok()).flatten();
        }
        None
    }
}

impl VideoSource for Y4mSource {
    fn next(&mut self, now: Time) -> Option<Picture> {
        self.reader.as_ref()?;
        let (index, captured) = self.grid.advance(now)?;
        let steps = self.last.map_or(1, |last| index - last);
        self.last = Some(index);
        let steps = if steps > MOST_SKIPPED { 1 } else { steps };
        let mut picture = None;
        for _ in 0..steps {
            picture = self.read();
        }
        let sequence = self.count;
        self.count += 1;
        Some(picture?.at(captured).numbered(sequence))
    }

    fn due(&self) -> Option<Time> {
        self.reader.as_ref()?;
        self.grid.due()
    }

    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn fps(&self) -> f64 {
        self.grid.rate().as_f64()
    }

    fn ended(&self) -> bool {
        self.reader.is_none()
    }
}

fn open(path: &Path) -> Result<Decoder<BufReader<File>>, FileError> {
    let side = MAX_DIMENSION as usize;
    let limits = Limits { bytes: side * side * 3 / 2 };
    let reader = Decoder::new_with_limits(BufReader::new(File::open(path)?), limits).map_err(error)?;
    if reader.get_width() > side || reader.get_height() > side {
        return Err(FileError::Format(format!("pictures above {side} x {side} pixels are not read")));
    }
    match reader.get_colorspace() {
        Colorspace::C420
        | Colorspace::C420jpeg
        | Colorspace::C420paldv
        | Colorspace::C420mpeg2
        | Colorspace::Cmono => Ok(reader),
        other => Err(FileError::Format(format!(
            "{other:?} is not read; convert it: ffmpeg -i FILE -pix_fmt yuv420p NEW.y4m"
        ))),
    }
}

fn read_picture(reader: &mut Decoder<BufReader<File>>, (width, height): (u32, u32)) -> Option<Picture> {
    let frame = match reader.read_frame() {
        Ok(frame) => frame,
        Err(y4m::Error::EOF) => return None,
        Err(error) => {
            tracing::warn!(%error, "the Y4M file is damaged; taken as its end");
            return None;
        }
    };
    let columns = width as usize;
    if frame.get_u_plane().is_empty() {
        let mut picture = Picture::new(width, height).ok()?;
        picture.plane_mut(crate::picture::Component::Y).copy_from_slice(frame.get_y_plane());
        return Some(picture);
    }
    let chroma = columns.div_ceil(2);
    let planes =
        [(frame.get_y_plane(), columns), (frame.get_u_plane(), chroma), (frame.get_v_plane(), chroma)];
    Picture::from_planes(width, height, planes).ok()
}

fn error(error: y4m::Error) -> FileError {
    match error {
        y4m::Error::IoError(error) => FileError::Io(error),
        y4m::Error::EOF => FileError::Format("the file ends within its Y4M header".into()),
        other => FileError::Format(format!("no Y4M file: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::VideoSink;
    use crate::sink::y4m::Y4mSink;

    /// A film of `pictures` grey pictures, each as light as its number, removed with the guard.
    fn film(name: &str, pictures: u8) -> tempfile::NamedTempFile {
        let file = tempfile::Builder::new().prefix(name).tempfile().unwrap();
        let mut sink = Y4mSink::new(file.reopen().unwrap(), FrameRate::new(10, 1).unwrap());
        for luma in 0..pictures {
            let mut picture = Picture::new(6, 4).unwrap();
            picture.plane_mut(crate::picture::Component::Y).fill(luma);
            sink.show(&picture).unwrap();
        }
        file
    }

    fn lumas(source: &mut Y4mSource, times_ms: impl IntoIterator<Item = u64>) -> Vec<Option<u8>> {
        times_ms.into_iter().map(|ms| source.next(Time::from_millis(ms)).map(|p| p.as_i420()[0])).collect()
    }

    #[test]
    fn a_film_plays_once_at_its_own_pace() {
        let file = film("once", 4);
        let mut source = Y4mSource::open(file.path(), Playback::Once).unwrap();
        assert_eq!((source.size(), source.fps()), ((6, 4), 10.0));
        let seen = lumas(&mut source, [0, 50, 100, 330, 400]);
        assert_eq!(seen, [Some(0), None, Some(1), Some(3), None]);
        assert!(source.ended());
        assert_eq!(source.due(), None);
    }

    #[test]
    fn a_film_starts_again() {
        let file = film("loop", 3);
        let mut source = Y4mSource::open(file.path(), Playback::Loop).unwrap();
        let seen = lumas(&mut source, (0..7).map(|i| i * 100));
        assert_eq!(seen, [0, 1, 2, 0, 1, 2, 0].map(Some));
    }

    #[test]
    fn what_is_no_film_says_so() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (content, said) in [
            ("", "ends within"),
            ("YUV4MPEG2 W4 H4 F0:1 C420\n", "frame rate"),
            ("YUV4MPEG2 W4 H4 F25:1 C422\n", "yuv420p"),
            ("RIFF of something else\n", "no Y4M"),
        ] {
            std::fs::write(file.path(), content).unwrap();
            let error = Y4mSource::open(file.path(), Playback::Once).err().unwrap().to_string();
            assert!(error.contains(said), "{error}");
        }
        std::fs::write(file.path(), "YUV4MPEG2 W4 H4 F25:1\n").unwrap();
        let mut empty = Y4mSource::open(file.path(), Playback::Loop).unwrap();
        assert_eq!(empty.next(Time::ZERO), None);
        assert!(empty.ended(), "a film without a picture does not loop for ever");
    }
}
