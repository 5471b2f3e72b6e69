//! A still picture as a PNG file.

use crate::picture::{Component, Picture};
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
    let [y, cb, cr] = Component::ALL.map(|component| picture.plane(component));
    let mut out = Vec::with_capacity(y.width * y.height * 3);
    for (row, lumas) in y.rows().enumerate() {
        let chroma = |plane: &crate::picture::Plane<'_>, column: usize| {
            i32::from(plane.data[row / 2 * plane.stride + column / 2]) - 128
        };
        for (column, &luma) in lumas.iter().enumerate() {
            let luma = 298 * (i32::from(luma) - 16) + 128;
            let (blue, red) = (chroma(&cb, column), chroma(&cr, column));
            let channels = [luma + 409 * red, luma - 100 * blue - 208 * red, luma + 516 * blue];
            out.extend(channels.map(|value| (value >> 8).clamp(0, 255) as u8));
        }
    }
    out
}
