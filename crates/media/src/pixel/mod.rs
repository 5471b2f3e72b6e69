//! Pictures as cameras and screens give them, made into [`Picture`]s.
//!
//! Colours are those of ITU-R BT.601 in video range, as everywhere here; a camera's JPEG pictures are in full
//! range (JFIF) and are brought down. Where chroma is made coarser, a sample is the mean of what it covers.

mod jpeg;
mod rgb;
mod turn;
mod yuv;

pub(crate) use rgb::from_pixels;
pub use rgb::rgb_row;
pub use turn::{Turn, mirror, turn, upright};

use crate::picture::{Picture, PictureError};

/// How the pixels of a picture lie in memory: rows from the top down, without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// A picture compressed by itself (JFIF); motion JPEG is a row of these.
    Jpeg,
    /// Y0 Cb Y1 Cr for each two pixels of a row: YUY2, 4:2:2.
    Yuyv,
    /// Cb Y0 Cr Y1 for each two pixels of a row, 4:2:2.
    Uyvy,
    /// All of Y, then Cb and Cr in turn for each 2 x 2 pixels.
    Nv12,
    /// All of Y, then all of Cb, then all of Cr, these two for each 2 x 2 pixels.
    I420,
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
    /// Red, green, blue, and one that means nothing.
    Rgbx,
    /// Blue, green, red, and one that means nothing.
    Bgrx,
    /// One sample a pixel, full range.
    Grey,
}

/// Why pixels are no picture.
#[derive(Debug, thiserror::Error)]
pub enum PixelError {
    /// The size is impossible, or the octets do not hold that many pixels.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A compressed picture is broken.
    #[error("a JPEG picture that cannot be read: {0}")]
    Jpeg(String),
}

impl PixelFormat {
    /// Octets of a picture of `width` x `height` pixels; `None` for a compressed format.
    pub fn octets(self, width: u32, height: u32) -> Option<usize> {
        let (width, height) = (width as usize, height as usize);
        let halves = width.div_ceil(2) * height.div_ceil(2);
        Some(match self {
            PixelFormat::Jpeg => return None,
            PixelFormat::Yuyv | PixelFormat::Uyvy => width.div_ceil(2) * 4 * height,
            PixelFormat::Nv12 | PixelFormat::I420 => width * height + 2 * halves,
            PixelFormat::Rgb | PixelFormat::Bgr => width * height * 3,
            PixelFormat::Rgbx | PixelFormat::Bgrx => width * height * 4,
            PixelFormat::Grey => width * height,
        })
    }
}

/// The picture of `width` x `height` pixels that `data` holds; a JPEG picture has a size of its own, whatever
/// was said. What follows the picture is left alone, since drivers hand over whole buffers.
///
/// # Errors
/// [`PixelError`] for an impossible size, too few octets or a broken JPEG picture.
pub fn to_picture(
    format: PixelFormat,
    (width, height): (u32, u32),
    data: &[u8],
) -> Result<Picture, PixelError> {
    let Some(needed) = format.octets(width, height) else { return jpeg::decode(data) };
    let mut picture = Picture::new(width, height)?;
    let data = data.get(..needed).ok_or(PictureError::Data { needed, given: data.len() })?;
    match format {
        PixelFormat::Jpeg => {}
        PixelFormat::Yuyv => yuv::packed(&mut picture, data, [0, 1, 3]),
        PixelFormat::Uyvy => yuv::packed(&mut picture, data, [1, 0, 2]),
        PixelFormat::Nv12 => yuv::half_packed(&mut picture, data),
        PixelFormat::I420 => return Ok(Picture::from_i420(width, height, data.to_vec())?),
        PixelFormat::Rgb => rgb::convert::<3>(&mut picture, data, [0, 1, 2]),
        PixelFormat::Bgr => rgb::convert::<3>(&mut picture, data, [2, 1, 0]),
        PixelFormat::Rgbx => rgb::convert::<4>(&mut picture, data, [0, 1, 2]),
        PixelFormat::Bgrx => rgb::convert::<4>(&mut picture, data, [2, 1, 0]),
        PixelFormat::Grey => yuv::grey(&mut picture, data),
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Component;

    #[test]
    fn too_few_octets_and_impossible_sizes_are_errors_and_odd_sizes_are_none() {
        for format in [PixelFormat::Yuyv, PixelFormat::Nv12, PixelFormat::Rgb, PixelFormat::Bgrx] {
            let needed = format.octets(5, 3).unwrap();
            let picture = to_picture(format, (5, 3), &vec![128; needed + 7]).unwrap();
            assert_eq!(picture.size(), (5, 3));
            assert_eq!(picture.plane(Component::Cb).data, [128; 6], "{format:?}");
            assert!(to_picture(format, (5, 3), &vec![128; needed - 1]).is_err());
            assert!(to_picture(format, (0, 3), &[]).is_err());
        }
        assert!(matches!(to_picture(PixelFormat::Jpeg, (5, 3), b"\xff\xd8no"), Err(PixelError::Jpeg(_))));
    }

    #[test]
    fn black_and_white_are_the_ends_of_the_video_range() {
        for (value, luma) in [(0, 16), (255, 235)] {
            for format in [PixelFormat::Rgb, PixelFormat::Grey] {
                let picture = to_picture(format, (2, 2), &[value; 12]).unwrap();
                assert_eq!(picture.as_i420(), [luma, luma, luma, luma, 128, 128], "{format:?}");
            }
        }
    }
}
