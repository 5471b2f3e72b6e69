//! A still card that says why there is no picture.

use super::canvas::{Area, Canvas, Colour};
use super::font;
use super::shape::Shape;
use crate::picture::{Picture, PictureError};

const GROUND: Colour = Colour(40, 140, 120);
const STRIPE: Colour = Colour(81, 90, 240);

/// A card of `width` x `height` pixels with a crossed-out camera and `text`, in capitals. For
/// [`StillSource`](crate::source::file::png::StillSource).
///
/// # Errors
/// [`PictureError::Size`] for an impossible size.
pub fn card(width: u32, height: u32, text: &str) -> Result<Picture, PictureError> {
    let mut picture = Picture::new(width, height)?;
    let mut canvas = Canvas::new(&mut picture);
    canvas.fill(Area(0, 0, width, height), GROUND);
    let unit = width.min(height) / 12;
    let (middle, centre) = (width / 2, height / 2 - unit);
    if unit > 0 {
        let grey = Colour::grey(180);
        canvas.fill(Area(middle - 3 * unit, centre - 2 * unit, middle + unit, centre + 2 * unit), grey);
        for step in 0..2 * unit {
            // A lens hood that opens to the right.
            let (x, reach) = (middle + unit + step, unit / 2 + step / 2);
            canvas.fill(Area(x, centre - reach, x + 1, centre + reach), grey);
        }
        let (x, y, reach) = (f64::from(middle), f64::from(centre), 3.0 * f64::from(unit));
        let (from, to) = ((x - reach, y + reach), (x + reach, y - reach));
        canvas.lay(Shape::Line { from, to, stroke: f64::from(unit) / 2.0 }, STRIPE);
    }
    let scale = (width * 8 / 10 / font::width(text).max(1)).clamp(1, (unit / 5).max(1));
    let left = width.saturating_sub(font::width(text) * scale) / 2;
    canvas.text((left, centre + 4 * unit), scale, Colour::WHITE, text);
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Component;

    #[test]
    fn a_card_shows_its_text_at_any_size() {
        for (width, height) in [(640, 480), (321, 181), (16, 16), (1, 1)] {
            assert_eq!(card(width, height, "no camera").unwrap().size(), (width, height));
        }
        let (with, without) = (card(640, 480, "no camera").unwrap(), card(640, 480, "").unwrap());
        let white = |p: &Picture| p.plane(Component::Y).data.iter().filter(|v| **v == 235).count();
        assert!(white(&with) > 1_000 && white(&without) == 0);
        assert!(card(0, 5, "").is_err());
    }
}
