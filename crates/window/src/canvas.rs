//! Rectangles, text and pictures in a buffer of pixels. Nothing is drawn outside of it, wherever one says it is.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use visavis_media::Picture;
use visavis_media::pixel::rgb_row;

/// A colour: 0x00RRGGBB.
pub(crate) type Colour = u32;

/// A rectangle of pixels, from its upper left corner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Area {
    pub(crate) fn new(x: usize, y: usize, width: usize, height: usize) -> Self {
        Area { x, y, width, height }
    }

    /// The same without a margin of `by` pixels on each side.
    pub(crate) fn inside(self, by: usize) -> Self {
        let (width, height) = (self.width.saturating_sub(2 * by), self.height.saturating_sub(2 * by));
        Area { x: self.x + by, y: self.y + by, width, height }
    }

    /// An area of this size in the middle of this one, or as much of it as there is room for.
    pub(crate) fn middle(self, width: usize, height: usize) -> Self {
        let (width, height) = (width.min(self.width), height.min(self.height));
        Area::new(self.x + (self.width - width) / 2, self.y + (self.height - height) / 2, width, height)
    }
}

/// The sizes that text comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Type(RasterHeight);

impl Type {
    /// For a screen whose pixels are this many times finer than usual.
    pub(crate) fn for_scale(scale: f64) -> Self {
        Type(match scale {
            ..1.2 => RasterHeight::Size16,
            ..1.4 => RasterHeight::Size20,
            ..1.8 => RasterHeight::Size24,
            _ => RasterHeight::Size32,
        })
    }

    /// Pixels from the top of a letter's box to its bottom.
    pub(crate) fn height(self) -> usize {
        self.0.val()
    }

    /// Pixels from one letter to the next.
    pub(crate) fn advance(self) -> usize {
        get_raster_width(FontWeight::Regular, self.0)
    }

    /// How wide a text is, pixels.
    pub(crate) fn width(self, text: &str) -> usize {
        self.advance() * text.chars().count()
    }

    /// As much of a text as fits into this width, with dots where something is missing.
    pub(crate) fn fit(self, text: &str, width: usize) -> String {
        let room = width / self.advance();
        if text.chars().count() <= room {
            return text.to_owned();
        }
        let kept: String = text.chars().take(room.saturating_sub(3)).collect();
        format!("{}{}", kept.trim_end(), &"..."[..room.min(3)])
    }
}

/// Pixels to draw on.
pub(crate) struct Canvas<'a> {
    pixels: &'a mut [u32],
    width: usize,
    height: usize,
}

impl<'a> Canvas<'a> {
    /// Over `width` x `height` pixels; rows that the buffer is too short for are not drawn.
    pub(crate) fn new(pixels: &'a mut [u32], width: usize, height: usize) -> Self {
        let height = height.min(pixels.len().checked_div(width).unwrap_or(0));
        Canvas { pixels, width, height }
    }

    /// All of it.
    pub(crate) fn all(&self) -> Area {
        Area::new(0, 0, self.width, self.height)
    }

    pub(crate) fn fill(&mut self, area: Area, colour: Colour) {
        self.rows(area, |_, row| row.fill(colour));
    }

    /// Mixes a colour in: `share` of 256 of it.
    pub(crate) fn tint(&mut self, area: Area, colour: Colour, share: u32) {
        self.rows(area, |_, row| row.iter_mut().for_each(|pixel| *pixel = mix(*pixel, colour, share)));
    }

    /// The edge of an area, `thick` pixels inwards.
    pub(crate) fn frame(&mut self, area: Area, thick: usize, colour: Colour) {
        let Area { x, y, width, height } = area;
        self.fill(Area::new(x, y, width, thick), colour);
        self.fill(Area::new(x, (y + height).saturating_sub(thick), width, thick), colour);
        self.fill(Area::new(x, y, thick, height), colour);
        self.fill(Area::new((x + width).saturating_sub(thick), y, thick, height), colour);
    }

    /// Writes a line, its upper left corner at `x`, `y`. What the font does not have is a question mark.
    pub(crate) fn text(&mut self, x: usize, y: usize, size: Type, colour: Colour, text: &str) {
        for (n, letter) in text.chars().enumerate() {
            let x = x + n * size.advance();
            if x >= self.width {
                return;
            }
            let glyph = |c| get_raster(c, FontWeight::Regular, size.0);
            let Some(glyph) = glyph(letter).or_else(|| glyph('?')) else { continue };
            let area = Area::new(x, y, glyph.width(), glyph.height());
            let mut rows = glyph.rows();
            self.rows(area, |_, row| {
                for (pixel, &cover) in row.iter_mut().zip(rows.next().unwrap_or_default()) {
                    *pixel = mix(*pixel, colour, u32::from(cover) + u32::from(cover >> 7));
                }
            });
        }
    }

    /// Puts a picture at `x`, `y`, pixel for pixel.
    pub(crate) fn picture(&mut self, x: usize, y: usize, picture: &Picture) {
        let area = Area::new(x, y, picture.width() as usize, picture.height() as usize);
        self.rows(area, |row, pixels| rgb_row(picture, row, pixels));
    }

    /// Hands over what of each row of an area is on the canvas, with its number from the area's top.
    fn rows(&mut self, area: Area, mut draw: impl FnMut(usize, &mut [u32])) {
        let right = (area.x + area.width).min(self.width);
        if area.x >= right {
            return;
        }
        let rows = self.pixels.chunks_exact_mut(self.width).take(self.height);
        for (n, row) in rows.skip(area.y).take(area.height).enumerate() {
            draw(n, &mut row[area.x..right]);
        }
    }
}

/// `share` of 256 of the second colour, the rest of the first.
fn mix(under: u32, over: u32, share: u32) -> u32 {
    let keep = 256 - share.min(256);
    let channel = |mask: u32| (((under & mask) * keep + (over & mask) * (256 - keep)) >> 8) & mask;
    channel(0x00ff_00ff) | channel(0x0000_ff00)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Type = Type(RasterHeight::Size16);

    #[test]
    fn nothing_is_drawn_outside_of_the_buffer() {
        let mut pixels = vec![0; 10 * 4 + 7];
        let mut canvas = Canvas::new(&mut pixels, 10, 6);
        assert_eq!(canvas.all(), Area::new(0, 0, 10, 4));
        canvas.fill(Area::new(8, 3, 50, 50), 1);
        canvas.fill(Area::new(20, 0, 5, 5), 2);
        canvas.text(9, 2, SMALL, 3, "far too long for ten pixels");
        canvas.text(0, 400, SMALL, 3, "below");
        canvas.frame(Area::new(0, 0, 10, 100), 1, 4);
        canvas.picture(5, 1, &Picture::new(64, 64).unwrap());
        assert!(pixels[40..].iter().all(|&pixel| pixel == 0), "the rest of a row is no row");
        Canvas::new(&mut [], 0, 0).fill(Area::new(0, 0, 1, 1), 1);
    }

    #[test]
    fn colours_mix_channel_by_channel() {
        assert_eq!(mix(0x0010_2030, 0x00ff_ffff, 0), 0x0010_2030);
        assert_eq!(mix(0x0010_2030, 0x00fe_dcba, 256), 0x00fe_dcba);
        assert_eq!(mix(0x0000_0000, 0x00ff_8040, 128), 0x007f_4020);
    }

    #[test]
    fn text_leaves_ink_in_its_box_alone_and_what_the_font_lacks_is_a_question_mark() {
        let draw = |text: &str| {
            let mut pixels = vec![0; 100 * 20];
            Canvas::new(&mut pixels, 100, 20).text(10, 2, SMALL, 0x00ff_ffff, text);
            pixels
        };
        let ink = draw("Ä");
        assert!(ink.iter().any(|&pixel| pixel > 0x00c0_0000));
        for (at, _) in ink.iter().enumerate().filter(|(_, pixel)| **pixel != 0) {
            assert!((10..10 + SMALL.advance()).contains(&(at % 100)) && (2..18).contains(&(at / 100)));
        }
        assert_eq!(draw("語"), draw("?"));
        assert_ne!(draw("a"), draw("b"));
    }

    #[test]
    fn a_text_that_is_too_long_ends_in_dots() {
        let width = |letters: usize| SMALL.advance() * letters;
        assert_eq!(SMALL.fit("Ann Example", width(11)), "Ann Example");
        assert_eq!(SMALL.fit("Ann Example", width(7)), "Ann...");
        assert_eq!(SMALL.fit("Ann Example", width(2)), "..");
        assert_eq!(SMALL.fit("Ann", 0), "");
        assert!(SMALL.width(&SMALL.fit("a very long name indeed", 100)) <= 100);
    }
}
