//! Drawing into a picture: filled areas, anti-aliased shapes and captions.
//!
//! Only additions, multiplications, divisions and square roots of floating-point numbers are used: these are
//! exact to the last bit on every machine, so the same picture comes out everywhere.

use super::font;
use crate::picture::{Component, Picture};

/// A colour in video range: luma 16 to 235, chroma 16 to 240 around 128.
#[derive(Clone, Copy)]
pub(super) struct Colour(pub(super) u8, pub(super) u8, pub(super) u8);

impl Colour {
    pub(super) const BLACK: Colour = Colour(16, 128, 128);
    pub(super) const WHITE: Colour = Colour(235, 128, 128);

    pub(super) const fn grey(luma: u8) -> Self {
        Colour(luma, 128, 128)
    }
}

/// An area in pixels: left, top, right, bottom, the last two not included.
#[derive(Clone, Copy)]
pub(super) struct Area(pub(super) u32, pub(super) u32, pub(super) u32, pub(super) u32);

pub(super) struct Canvas<'a> {
    picture: &'a mut Picture,
}

impl<'a> Canvas<'a> {
    pub(super) fn new(picture: &'a mut Picture) -> Self {
        Canvas { picture }
    }

    /// Fills an area with a colour of its own at each place (`x`, `y` in luma pixels).
    pub(super) fn paint(&mut self, area: Area, colour: impl Fn(u32, u32) -> Colour) {
        self.each(area, |x, y, component, sample| {
            let Colour(luma, cb, cr) = colour(x, y);
            *sample = match component {
                Component::Y => luma,
                Component::Cb => cb,
                Component::Cr => cr,
            };
        });
    }

    pub(super) fn fill(&mut self, area: Area, colour: Colour) {
        self.paint(area, |_, _| colour);
    }

    /// Lays a colour over an area, as strongly at each place as `cover` says (0.0 to 1.0; `x`, `y` are the
    /// pixel's middle).
    pub(super) fn blend(&mut self, area: Area, colour: Colour, cover: impl Fn(f64, f64) -> f64) {
        self.each(area, |x, y, component, sample| {
            let (middle, over) = match component {
                Component::Y => (0.5, colour.0),
                Component::Cb => (1.0, colour.1),
                Component::Cr => (1.0, colour.2),
            };
            let cover = cover(f64::from(x) + middle, f64::from(y) + middle).clamp(0.0, 1.0);
            let under = f64::from(*sample);
            *sample = (under + (f64::from(over) - under) * cover + 0.5) as u8;
        });
    }

    /// A disc around (`x`, `y`).
    pub(super) fn disc(&mut self, (x, y): (f64, f64), radius: f64, colour: Colour) {
        self.blend(around(x, y, radius + 1.0), colour, |px, py| radius + 0.5 - distance(px - x, py - y));
    }

    /// A ring around (`x`, `y`): `radius` to the middle of its stroke.
    pub(super) fn ring(&mut self, (x, y): (f64, f64), radius: f64, stroke: f64, colour: Colour) {
        let half = stroke / 2.0;
        self.blend(around(x, y, radius + half + 1.0), colour, |px, py| {
            half + 0.5 - (distance(px - x, py - y) - radius).abs()
        });
    }

    /// A straight line with round ends.
    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: f64, colour: Colour) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length2 = dx * dx + dy * dy;
        let half = stroke / 2.0;
        let margin = half + 1.0;
        let area = Area(
            (from.0.min(to.0) - margin).max(0.0) as u32,
            (from.1.min(to.1) - margin).max(0.0) as u32,
            (from.0.max(to.0) + margin) as u32 + 1,
            (from.1.max(to.1) + margin) as u32 + 1,
        );
        self.blend(area, colour, |px, py| {
            let (px, py) = (px - from.0, py - from.1);
            let along = if length2 > 0.0 { ((px * dx + py * dy) / length2).clamp(0.0, 1.0) } else { 0.0 };
            half + 0.5 - distance(px - along * dx, py - along * dy)
        });
    }

    /// A caption, its top left corner at (`x`, `y`), each dot of the font `scale` pixels wide and high.
    pub(super) fn text(&mut self, (x, y): (u32, u32), scale: u32, colour: Colour, text: &str) {
        for (index, character) in text.chars().enumerate() {
            let left = x + index as u32 * (font::WIDTH + 1) * scale;
            for (row, dots) in (0_u32..).zip(font::glyph(character)) {
                for column in (0..font::WIDTH).filter(|c| dots >> (font::WIDTH - 1 - c) & 1 == 1) {
                    let (left, top) = (left + column * scale, y + row * scale);
                    self.fill(Area(left, top, left + scale, top + scale), colour);
                }
            }
        }
    }

    /// Calls `f` for every sample of every plane within `area`, with the place of its first luma pixel. A
    /// chroma sample belongs to the area if its upper left luma pixel does.
    fn each(
        &mut self,
        Area(left, top, right, bottom): Area,
        mut f: impl FnMut(u32, u32, Component, &mut u8),
    ) {
        for component in Component::ALL {
            let step = if component == Component::Y { 1 } else { 2 };
            let plane = self.picture.plane(component);
            let (width, height) = (plane.width as u32, plane.height as u32);
            let columns = left.div_ceil(step)..right.div_ceil(step).min(width);
            if columns.is_empty() {
                continue;
            }
            let rows = top.div_ceil(step)..bottom.div_ceil(step).min(height);
            let samples = self.picture.plane_mut(component);
            for row in rows {
                let start = row as usize * width as usize;
                let line = &mut samples[start + columns.start as usize..start + columns.end as usize];
                for (column, sample) in columns.clone().zip(line) {
                    f(column * step, row * step, component, sample);
                }
            }
        }
    }
}

fn around(x: f64, y: f64, radius: f64) -> Area {
    Area(
        (x - radius).max(0.0) as u32,
        (y - radius).max(0.0) as u32,
        (x + radius).max(0.0) as u32 + 1,
        (y + radius).max(0.0) as u32 + 1,
    )
}

fn distance(x: f64, y: f64) -> f64 {
    (x * x + y * y).sqrt()
}
