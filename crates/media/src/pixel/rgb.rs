//! RGB to luma and chroma (ITU-R BT.601, full range to video range).

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

/// Half of 65536, to round by.
const HALF: i32 = 1 << 15;

fn weigh(pixel: [i32; 3], weights: [i32; 3]) -> i32 {
    pixel[0] * weights[0] + pixel[1] * weights[1] + pixel[2] * weights[2]
}
