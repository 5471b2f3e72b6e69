//! RGB to luma and chroma (ITU-R BT.601, full range to video range), and back.

use crate::picture::{Component, Picture};

/// Weights of red, green and blue, in 65536ths; chroma's add up to 0, luma's to 219/255.
const LUMA: [i32; 3] = [16_829, 33_039, 6_416];
const CB: [i32; 3] = [-9_714, -19_070, 28_784];
const CR: [i32; 3] = [28_784, -24_103, -4_681];

/// Converts packed pixels of `N` octets; `order` says where red, green and blue are.
pub(super) fn convert<const N: usize>(picture: &mut Picture, data: &[u8], order: [usize; 3]) {
    let columns = picture.width() as usize;
    for (luma, pixel) in picture.plane_mut(Component::Y).iter_mut().zip(data.chunks_exact(N)) {
        *luma = ((weigh(order.map(|i| i32::from(pixel[i])), LUMA) + HALF) >> 16) as u8 + 16;
    }
    for (component, weights) in [(Component::Cb, CB), (Component::Cr, CR)] {
        let rows = picture.plane_mut(component).chunks_mut(columns.div_ceil(2));
        for (out, lines) in rows.zip(data.chunks(2 * columns * N)) {
            let (first, second) = lines.split_at(columns * N);
            // The last of an odd number of rows stands for two.
            let second = if second.is_empty() { first } else { second };
            let pairs = first.chunks(2 * N).zip(second.chunks(2 * N));
            for (chroma, (above, below)) in out.iter_mut().zip(pairs) {
                let right = above.len() - N;
                let sum = order.map(|i| {
                    [above[i], above[right + i], below[i], below[right + i]].map(i32::from).iter().sum()
                });
                *chroma = (((weigh(sum, weights) + 4 * HALF) >> 18) + 128) as u8;
            }
        }
    }
}

/// A picture of RGB pixels.
pub(crate) fn from_pixels(width: u32, height: u32, pixels: &[[u8; 3]]) -> Option<Picture> {
    super::to_picture(super::PixelFormat::Rgb, (width, height), pixels.as_flattened()).ok()
}

/// One row of a picture, from the left: each pixel as 0x00RRGGBB. Writes no more pixels than there are, and none of a
/// row that is not there.
pub fn rgb_row(picture: &Picture, row: usize, out: &mut [u32]) {
    let [luma, cb, cr] = Component::ALL.map(|component| {
        let plane = picture.plane(component);
        let row = if component == Component::Y { row } else { row / 2 };
        plane.data.chunks(plane.stride).nth(row).map_or(&[][..], |samples| &samples[..plane.width])
    });
    let chroma = cb.iter().zip(cr);
    for ((pixels, lumas), (&cb, &cr)) in out.chunks_mut(2).zip(luma.chunks(2)).zip(chroma) {
        let (blue, red) = (i32::from(cb) - 128, i32::from(cr) - 128);
        let shift = [409 * red, -100 * blue - 208 * red, 516 * blue];
        for (pixel, &luma) in pixels.iter_mut().zip(lumas) {
            let luma = 298 * (i32::from(luma) - 16) + 128;
            let [r, g, b] = shift.map(|shift| ((luma + shift) >> 8).clamp(0, 255) as u32);
            *pixel = r << 16 | g << 8 | b;
        }
    }
}

/// Half of 65536, to round by.
const HALF: i32 = 1 << 15;

fn weigh(pixel: [i32; 3], weights: [i32; 3]) -> i32 {
    pixel[0] * weights[0] + pixel[1] * weights[1] + pixel[2] * weights[2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back_in_the_colours_that_went_in() {
        // Pairs of one colour, since chroma is coarser than luma; an odd width has a pair of one.
        let colours = [[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 64, 200]];
        let row: Vec<[u8; 3]> = colours.iter().flat_map(|&c| [c, c]).chain([[90, 90, 90]]).collect();
        let picture = from_pixels(13, 2, &[&row[..], &row[..]].concat()).unwrap();
        let mut out = [u32::MAX; 15];
        rgb_row(&picture, 1, &mut out);
        for (&pixel, rgb) in out.iter().zip(&row) {
            let [_, back @ ..] = pixel.to_be_bytes();
            let off = back.iter().zip(rgb).map(|(&a, &b)| a.abs_diff(b)).max().unwrap();
            assert!(off <= 4, "{rgb:?} became {back:?}");
        }
        assert_eq!(out[13..], [u32::MAX; 2], "there are 13 pixels");
        rgb_row(&picture, 2, &mut out);
        assert_eq!(out[14], u32::MAX);
    }
}
