//! A still picture from a PNG file, sent over and over.

use super::FileError;
use crate::picture::{MAX_DIMENSION, Picture};
use crate::pixel;
use crate::source::{FrameRate, Grid, VideoSource};
use png::{ColorType, DecodingError, Transformations};
use std::fs::File;
use std::io::{BufRead, BufReader, Seek};
use std::path::Path;
use visavis_proto::time::Time;

/// A still picture at a frame rate: what a camera that is covered up sends.
#[derive(Clone, Debug)]
pub struct StillSource {
    picture: Picture,
    rate: FrameRate,
    grid: Grid,
    count: u64,
}

impl StillSource {
    /// Sends `picture` at `rate`.
    pub fn new(picture: Picture, rate: FrameRate) -> Self {
        StillSource { picture, rate, grid: Grid::new(rate), count: 0 }
    }

    /// Opens a PNG file.
    ///
    /// # Errors
    /// As [`read_png`].
    pub fn open(path: impl AsRef<Path>, rate: FrameRate) -> Result<Self, FileError> {
        Ok(StillSource::new(read_png(BufReader::new(File::open(path)?))?, rate))
    }
}

impl VideoSource for StillSource {
    fn next(&mut self, now: Time) -> Option<Picture> {
        let (_, captured) = self.grid.advance(now)?;
        let sequence = self.count;
        self.count += 1;
        Some(self.picture.clone().at(captured).numbered(sequence))
    }

    fn due(&self) -> Option<Time> {
        self.grid.due()
    }

    fn size(&self) -> (u32, u32) {
        self.picture.size()
    }

    fn fps(&self) -> f64 {
        self.rate.as_f64()
    }
}

/// Reads a PNG file of any colour type; what is transparent stands on black.
///
/// # Errors
/// [`FileError::Io`] from the file, [`FileError::Format`] for what is no PNG file or is larger than
/// [`MAX_DIMENSION`].
pub fn read_png(file: impl BufRead + Seek) -> Result<Picture, FileError> {
    let mut decoder = png::Decoder::new(file);
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(error)?;
    let (width, height) = reader.info().size();
    let wrong = || FileError::Format(format!("a picture of {width} x {height} pixels is not read"));
    if width > MAX_DIMENSION || height > MAX_DIMENSION {
        return Err(wrong());
    }
    let mut samples = vec![0; reader.output_buffer_size().ok_or_else(wrong)?];
    let info = reader.next_frame(&mut samples).map_err(error)?;
    let channels = info.color_type.samples();
    let pixels = samples.chunks_exact(channels).map(|pixel| match (info.color_type, pixel) {
        (ColorType::Rgb, &[r, g, b]) => [r, g, b],
        (ColorType::Rgba, &[r, g, b, a]) => [r, g, b].map(|value| over_black(value, a)),
        (ColorType::GrayscaleAlpha, &[luma, a]) => [over_black(luma, a); 3],
        (_, pixel) => [pixel[0]; 3],
    });
    let pixels: Vec<[u8; 3]> = pixels.take(width as usize * height as usize).collect();
    pixel::from_pixels(width, height, &pixels).ok_or_else(wrong)
}

fn over_black(value: u8, alpha: u8) -> u8 {
    ((u32::from(value) * u32::from(alpha) + 127) / 255) as u8
}

fn error(error: DecodingError) -> FileError {
    match error {
        DecodingError::IoError(error) => FileError::Io(error),
        other => FileError::Format(format!("no PNG file that can be read: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Component;
    use crate::sink::png::write_png;
    use crate::source::pattern::{Pattern, Reading, Stamp};
    use std::io::Cursor;

    #[test]
    fn a_picture_survives_the_way_to_a_png_file_and_back() {
        let stamp = Stamp { number: 7, captured_us: 99 };
        let picture = Pattern::new(320, 240).unwrap().draw(stamp);
        let mut file = Vec::new();
        write_png(&picture, &mut file).unwrap();
        let back = read_png(Cursor::new(&file)).unwrap();
        assert_eq!(Stamp::read(&back), Reading::Stamp(stamp));
        // Where a sharp edge gives luma and chroma that no RGB colour has, the way cannot be exact.
        let (sent, seen) = (picture.plane(Component::Y).data, back.plane(Component::Y).data);
        let off = sent.iter().zip(seen).filter(|(a, b)| a.abs_diff(**b) > 2).count();
        assert!(off * 300 < sent.len(), "{off} of {}", sent.len());
    }

    #[test]
    fn every_colour_type_and_odd_sizes_are_read() {
        for (color, pixel, luma) in [
            (ColorType::Grayscale, &[255_u8][..], 235),
            (ColorType::GrayscaleAlpha, &[255, 0], 16),
            (ColorType::Rgb, &[0, 255, 0], 145),
            (ColorType::Rgba, &[255, 255, 255, 255], 235),
        ] {
            let mut file = Vec::new();
            let mut encoder = png::Encoder::new(&mut file, 3, 5);
            encoder.set_color(color);
            let mut writer = encoder.write_header().unwrap();
            writer.write_image_data(&pixel.repeat(15)).unwrap();
            writer.finish().unwrap();
            let picture = read_png(Cursor::new(&file)).unwrap();
            assert_eq!((picture.size(), picture.as_i420()[14]), ((3, 5), luma), "{color:?}");
        }
    }

    #[test]
    fn what_is_no_png_says_so() {
        assert!(matches!(
            read_png(Cursor::new(b"GIF89a")),
            Err(FileError::Format(_)) | Err(FileError::Io(_))
        ));
    }
}
