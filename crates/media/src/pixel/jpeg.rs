//! Pictures from cameras that compress each by itself.

use super::PixelError;
use super::yuv::video_luma;
use crate::picture::{Component, MAX_DIMENSION, Picture, PictureError};
use libjpeg_turbo_rs::{ColorSpace, Decoder};

/// Decodes one picture (JFIF, full range). Chroma is taken as finely as it was coded, and a sample of ours is the mean
/// of what it covers. Huffman tables, which motion JPEG may leave out, are then those of ITU-T T.81 annex K.
pub(super) fn decode(data: &[u8]) -> Result<Picture, PixelError> {
    let failed = |error: &dyn std::fmt::Display| PixelError::Jpeg(error.to_string());
    let decoder = Decoder::new(data).map_err(|error| failed(&error))?;
    let (width, height) = (decoder.header().width(), decoder.header().height());
    if width.max(height) > MAX_DIMENSION as usize {
        return Err(PictureError::Size { width: width as u32, height: height as u32 }.into());
    }
    let components = match decoder.jpeg_color_space() {
        ColorSpace::YCbCr => &Component::ALL[..],
        ColorSpace::Grayscale => &Component::ALL[..1],
        other => return Err(failed(&format_args!("colours as {other:?}"))),
    };
    let mut picture = Picture::new(width as u32, height as u32)?;
    let coded = &decoder.header().components;
    let sampling: Vec<[usize; 2]> =
        coded.iter().map(|c| [c.horizontal_sampling.into(), c.vertical_sampling.into()]).collect();
    let most = [0, 1].map(|axis| sampling.iter().map(|s| s[axis]).max().unwrap_or(1));
    let raw = decoder.decode_raw().map_err(|error| failed(&error))?;
    let planes = raw.planes.iter().zip(&raw.plane_widths).zip(sampling);
    for (&component, ((samples, &stride), sampling)) in components.iter().zip(planes) {
        let plane = Plane { samples, stride, sampling, most };
        plane.take((width, height), component, &mut picture).ok_or_else(|| failed(&"a plane cut short"))?;
    }
    Ok(picture)
}

/// The samples of one component, as they were coded.
struct Plane<'a> {
    samples: &'a [u8],
    stride: usize,
    /// Samples in each direction for so many of the finest component (T.81 section A.1.1).
    sampling: [usize; 2],
    most: [usize; 2],
}

impl Plane<'_> {
    /// Fills a component of a picture of this size; `None` where samples are missing.
    fn take(
        &self,
        (width, height): (usize, usize),
        component: Component,
        picture: &mut Picture,
    ) -> Option<()> {
        let [across, down] = [0, 1].map(|axis| (self.sampling[axis], self.most[axis]));
        let columns: Vec<usize> = (0..width).map(|x| x * across.0 / across.1).collect();
        let row = |y: usize| {
            let start = y.min(height - 1) * down.0 / down.1 * self.stride;
            let line = self.samples.get(start..)?;
            line.get(..=*columns.last()?)
        };
        if component == Component::Y {
            for (y, out) in picture.plane_mut(component).chunks_mut(width).enumerate() {
                let line = row(y)?;
                out.iter_mut().zip(&columns).for_each(|(out, &x)| *out = video_luma(line[x]));
            }
            return Some(());
        }
        for (y, out) in picture.plane_mut(component).chunks_mut(width.div_ceil(2)).enumerate() {
            let (above, below) = (row(2 * y)?, row(2 * y + 1)?);
            for (out, columns) in out.iter_mut().zip(columns.chunks(2)) {
                let (left, right) = (columns[0], columns[columns.len() - 1]);
                *out = video_chroma([above[left], above[right], below[left], below[right]]);
            }
        }
        Some(())
    }
}

/// The mean of four samples, full range to video range (16-240).
fn video_chroma(samples: [u8; 4]) -> u8 {
    let sum: i32 = samples.map(i32::from).iter().sum();
    (((sum - 4 * 128) * 224 + 2 * 255).div_euclid(4 * 255) + 128) as u8
}
