//! Luma and chroma that lie otherwise than in a [`Picture`].

use crate::picture::{Component, Picture};

/// From 4:2:2 in groups of four octets; `order` says where Y, Cb and Cr of a group's first pixel are, the
/// second one's Y lies two further.
pub(super) fn packed(picture: &mut Picture, data: &[u8], [y, cb, cr]: [usize; 3]) {
    let columns = picture.width() as usize;
    let stride = columns.div_ceil(2) * 4;
    for (out, line) in picture.plane_mut(Component::Y).chunks_mut(columns).zip(data.chunks(stride)) {
        for (out, group) in out.chunks_mut(2).zip(line.chunks_exact(4)) {
            out[0] = group[y];
            if let Some(second) = out.get_mut(1) {
                *second = group[y + 2];
            }
        }
    }
    for (component, at) in [(Component::Cb, cb), (Component::Cr, cr)] {
        let rows = picture.plane_mut(component).chunks_mut(columns.div_ceil(2));
        for (out, lines) in rows.zip(data.chunks(2 * stride)) {
            let (first, second) = lines.split_at(stride);
            let second = if second.is_empty() { first } else { second };
            for (out, (a, b)) in out.iter_mut().zip(first.chunks_exact(4).zip(second.chunks_exact(4))) {
                *out = mean(a[at], b[at]);
            }
        }
    }
}

/// From all of Y, then Cb and Cr in turn.
pub(super) fn half_packed(picture: &mut Picture, data: &[u8]) {
    let luma = picture.plane_mut(Component::Y);
    let (y, chroma) = data.split_at(luma.len());
    luma.copy_from_slice(y);
    for (component, at) in [(Component::Cb, 0), (Component::Cr, 1)] {
        let samples = picture.plane_mut(component).iter_mut().zip(chroma.chunks_exact(2));
        samples.for_each(|(out, pair)| *out = pair[at]);
    }
}

/// From one sample a pixel.
pub(super) fn grey(picture: &mut Picture, data: &[u8]) {
    let samples = picture.plane_mut(Component::Y).iter_mut().zip(data);
    samples.for_each(|(out, &value)| *out = video_luma(value));
}

pub(super) fn mean(a: u8, b: u8) -> u8 {
    (u16::from(a) + u16::from(b)).div_ceil(2) as u8
}

/// Full range (0-255) to video range (16-235).
pub(super) fn video_luma(value: u8) -> u8 {
    ((u32::from(value) * 219 + 127) / 255 + 16) as u8
}
