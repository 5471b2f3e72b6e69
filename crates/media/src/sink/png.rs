//! A still picture as a PNG file.

use crate::picture::Picture;
use crate::pixel::rgb_row;
use std::io::{self, Write};

/// Writes one picture as an 8-bit RGB PNG file (ITU-R BT.601 colours, video range).
///
/// # Errors
/// What `out` said.
pub fn write_png(picture: &Picture, out: impl Write) -> io::Result<()> {
    let mut encoder = png::Encoder::new(out, picture.width(), picture.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&rgb(picture))?;
    writer.finish()?;
    Ok(())
}

/// The picture as packed RGB octets.
fn rgb(picture: &Picture) -> Vec<u8> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut out = Vec::with_capacity(width * height * 3);
    let mut pixels = vec![0; width];
    for row in 0..height {
        rgb_row(picture, row, &mut pixels);
        out.extend(pixels.iter().flat_map(|pixel| pixel.to_be_bytes().into_iter().skip(1)));
    }
    out
}
