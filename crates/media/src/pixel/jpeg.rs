//! Pictures from cameras that compress each by itself.

use super::PixelError;
use super::yuv::video_luma;
use crate::picture::{Component, MAX_DIMENSION, Picture};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Decodes one picture (JFIF, full range). The decoder makes chroma as fine as luma; here it is made coarse
/// again, so that it comes out a little softer than it was.
pub(super) fn decode(data: &[u8]) -> Result<Picture, PixelError> {
    let failed = |error: &dyn std::fmt::Display| PixelError::Jpeg(error.to_string());
    let most = MAX_DIMENSION as usize;
    let options = DecoderOptions::default()
        .set_max_width(most)
        .set_max_height(most)
        .jpeg_set_out_colorspace(ColorSpace::YCbCr);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(data), options);
    let samples = decoder.decode().map_err(|error| failed(&error))?;
    let (width, height) = decoder.dimensions().ok_or_else(|| failed(&"no size"))?;
    let mut picture = Picture::new(width as u32, height as u32)?;
    if samples.len() != width * height * 3 {
        return Err(failed(&format!("{} samples for {width} x {height} pixels", samples.len())));
    }
    let luma = picture.plane_mut(Component::Y).iter_mut().zip(samples.chunks_exact(3));
    luma.for_each(|(out, pixel)| *out = video_luma(pixel[0]));
    for (component, at) in [(Component::Cb, 1), (Component::Cr, 2)] {
        let rows = picture.plane_mut(component).chunks_mut(width.div_ceil(2));
        for (out, lines) in rows.zip(samples.chunks(2 * width * 3)) {
            let (first, second) = lines.split_at(width * 3);
            let second = if second.is_empty() { first } else { second };
            for (out, (above, below)) in out.iter_mut().zip(first.chunks(6).zip(second.chunks(6))) {
                let right = above.len() - 3 + at;
                *out = video_chroma([above[at], above[right], below[at], below[right]]);
            }
        }
    }
    Ok(picture)
}

/// The mean of four samples, full range to video range (16-240).
fn video_chroma(samples: [u8; 4]) -> u8 {
    let sum: i32 = samples.map(i32::from).iter().sum();
    (((sum - 4 * 128) * 224 + 2 * 255).div_euclid(4 * 255) + 128) as u8
}
