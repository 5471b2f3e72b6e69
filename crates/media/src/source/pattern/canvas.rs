//! Drawing into a picture: filled areas, shapes and captions.

use super::font;
use super::shape::Shape;
use crate::picture::{Component, Picture};
use std::ops::Range;

/// A colour in video range: luma 16 to 235, chroma 16 to 240 around 128.
#[derive(Clone, Copy)]
pub(super) struct Colour(pub(super) u8, pub(super) u8, pub(super) u8);

impl Colour {
    pub(super) const BLACK: Colour = Colour(16, 128, 128);
    pub(super) const WHITE: Colour = Colour(235, 128, 128);

    pub(super) const fn grey(luma: u8) -> Self {
        Colour(luma, 128, 128)
    }

    fn of(self, component: Component) -> u8 {
        match component {
            Component::Y => self.0,
            Component::Cb => self.1,
            Component::Cr => self.2,
        }
    }
}

/// An area in pixels: left, top, right, bottom, the last two not included.
#[derive(Clone, Copy)]
pub(super) struct Area(pub(super) u32, pub(super) u32, pub(super) u32, pub(super) u32);

pub(super) struct Canvas<'a> {
    picture: &'a mut Picture,
    components: &'static [Component],
}

impl<'a> Canvas<'a> {
    pub(super) fn new(picture: &'a mut Picture) -> Self {
        Canvas { picture, components: &Component::ALL }
    }

    /// A canvas that leaves chroma as it is.
    pub(super) fn luma(picture: &'a mut Picture) -> Self {
        Canvas { picture, components: &[Component::Y] }
    }

    /// Width and height of the picture, pixels.
    pub(super) fn size(&self) -> (u32, u32) {
        self.picture.size()
    }

    /// Fills an area with a colour of its own at each place (`x`, `y` in luma pixels).
    pub(super) fn paint(&mut self, area: Area, colour: impl Fn(u32, u32) -> Colour) {
        self.rows(area, |component, columns, row, line| {
            let step = if component == Component::Y { 1 } else { 2 };
            for (column, sample) in columns.zip(line) {
                *sample = colour(column * step, row * step).of(component);
            }
        });
    }

    pub(super) fn fill(&mut self, area: Area, colour: Colour) {
        self.rows(area, |component, _, _, line| line.fill(colour.of(component)));
    }

    /// Lays a colour over a shape.
    pub(super) fn lay(&mut self, shape: Shape, colour: Colour) {
        let [left, top, right, bottom] = shape.bounds();
        let area = Area(
            left.max(0.0) as u32,
            top.max(0.0) as u32,
            right.max(0.0) as u32 + 1,
            bottom.max(0.0) as u32 + 1,
        );
        self.rows(area, |component, columns, row, line| {
            let (step, middle) = if component == Component::Y { (1.0, 0.5) } else { (2.0, 1.0) };
            let over = colour.of(component);
            let y = step * f64::from(row) + middle;
            let Some(chord) = shape.chord(y) else { return };
            // Places among `line` of the columns whose middles lie in a range of x, and of the one beside it at either end.
            let places =
                |x: f64| ((x - middle) / step - f64::from(columns.start)).clamp(0.0, line.len() as f64);
            let reach = places(*chord.reach.start() - step) as usize
                ..places(*chord.reach.end() + 2.0 * step) as usize;
            let (even, all) = chord.even.map_or((0..0, false), |(even, all)| {
                (places(*even.start() + 2.0 * step) as usize..places(*even.end() - step) as usize, all)
            });
            let even = if even.is_empty() { reach.end..reach.end } else { even };
            for place in (reach.start..even.start).chain(even.end..reach.end) {
                let x = step * f64::from(columns.start + place as u32) + middle;
                let cover = shape.cover((x, y)).clamp(0.0, 1.0);
                let under = f64::from(line[place]);
                line[place] = (under + (f64::from(over) - under) * cover + 0.5) as u8;
            }
            if all {
                line[even].fill(over);
            }
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

    /// Calls `f` for the part of every row of every plane that lies within `area`, with its columns and its number. A
    /// chroma sample belongs to the area if its upper left luma pixel does.
    fn rows(
        &mut self,
        Area(left, top, right, bottom): Area,
        mut f: impl FnMut(Component, Range<u32>, u32, &mut [u8]),
    ) {
        for &component in self.components {
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
                f(component, columns.clone(), row, line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `lay`, with every pixel worked out.
    fn lay_slowly(picture: &mut Picture, shape: Shape, colour: Colour) {
        for component in Component::ALL {
            let (step, middle) = if component == Component::Y { (1.0, 0.5) } else { (2.0, 1.0) };
            let width = picture.plane(component).width;
            for (index, sample) in picture.plane_mut(component).iter_mut().enumerate() {
                let middle = |place: usize| step * place as f64 + middle;
                let cover = shape.cover((middle(index % width), middle(index / width))).clamp(0.0, 1.0);
                let under = f64::from(*sample);
                *sample = (under + (f64::from(colour.of(component)) - under) * cover + 0.5) as u8;
            }
        }
    }

    #[test]
    fn a_shape_covers_what_its_definition_says_of_every_pixel() {
        let mut seed = 7_u32;
        let mut random = |most: f64| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(seed >> 8) / f64::from(1 << 24) * most
        };
        for round in 0..300 {
            let (middle, to) = ((random(130.0) - 10.0, random(100.0) - 10.0), (random(120.0), random(90.0)));
            let (radius, stroke) = (random(40.0), random(12.0));
            let shape = match round % 3 {
                0 => Shape::Disc { middle, radius },
                1 => Shape::Ring { middle, radius, stroke },
                _ => Shape::Line { from: middle, to, stroke },
            };
            let mut quick = Picture::new(122, 90).unwrap();
            Canvas::new(&mut quick).fill(Area(0, 0, 122, 90), Colour::grey(77));
            let mut slow = quick.clone();
            Canvas::new(&mut quick).lay(shape, Colour(200, 90, 170));
            lay_slowly(&mut slow, shape, Colour(200, 90, 170));
            assert!(quick == slow, "{shape:?}");
        }
    }
}
