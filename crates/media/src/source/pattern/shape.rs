//! Discs, rings and lines with smooth edges: what they reach of a row of pixels, and how much they cover of a pixel.
//!
//! Only additions, multiplications, divisions and square roots of floating-point numbers are used: these are
//! exact to the last bit on every machine, so the same picture comes out everywhere.

use std::ops::RangeInclusive;

/// A place in the picture, pixels from its left and top edges.
pub(super) type Point = (f64, f64);

#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Disc {
        middle: Point,
        radius: f64,
    },
    /// `radius` to the middle of its stroke.
    Ring {
        middle: Point,
        radius: f64,
        stroke: f64,
    },
    /// With round ends.
    Line {
        from: Point,
        to: Point,
        stroke: f64,
    },
}

/// What a shape does to one row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chord {
    /// Beyond it nothing is covered.
    pub(super) reach: RangeInclusive<f64>,
    /// Within it nothing needs to be worked out: all is covered, or nothing is.
    pub(super) even: Option<(RangeInclusive<f64>, bool)>,
}

impl Shape {
    /// Left, top, right and bottom of what it reaches.
    pub(super) fn bounds(self) -> [f64; 4] {
        let around = |(x, y): Point, reach: f64| [x - reach, y - reach, x + reach, y + reach];
        match self {
            Shape::Disc { middle, radius } => around(middle, radius + 1.0),
            Shape::Ring { middle, radius, stroke } => around(middle, radius + stroke / 2.0 + 1.0),
            Shape::Line { from, to, stroke } => {
                let margin = stroke / 2.0 + 1.0;
                [
                    from.0.min(to.0) - margin,
                    from.1.min(to.1) - margin,
                    from.0.max(to.0) + margin,
                    from.1.max(to.1) + margin,
                ]
            }
        }
    }

    /// What it does to the row at `y`; `None` where it does nothing.
    pub(super) fn chord(self, y: f64) -> Option<Chord> {
        // Half the chord of a circle.
        let half = |radius: f64, down: f64| {
            let square = radius * radius - down * down;
            (radius > 0.0 && square > 0.0).then(|| square.sqrt())
        };
        match self {
            Shape::Disc { middle: (x, down), radius } => {
                let reach = half(radius + 0.5, y - down)?;
                let even = half(radius - 0.5, y - down).map(|half| (x - half..=x + half, true));
                Some(Chord { reach: x - reach..=x + reach, even })
            }
            Shape::Ring { middle: (x, down), radius, stroke } => {
                let edge = stroke / 2.0 + 0.5;
                let reach = half(radius + edge, y - down)?;
                let even = half(radius - edge, y - down).map(|half| (x - half..=x + half, false));
                Some(Chord { reach: x - reach..=x + reach, even })
            }
            Shape::Line { from, to, stroke } => {
                let (dx, dy) = (to.0 - from.0, to.1 - from.1);
                let [left, _, right, _] = self.bounds();
                if dy == 0.0 {
                    return Some(Chord { reach: left..=right, even: None });
                }
                let along = from.0 + (y - from.1) * dx / dy;
                let aside = ((stroke / 2.0 + 1.0) * (dx * dx + dy * dy).sqrt() / dy).abs();
                Some(Chord { reach: left.max(along - aside)..=right.min(along + aside), even: None })
            }
        }
    }

    /// How much it covers of the pixel with this middle: nothing at 0.0 and below, all of it at 1.0 and above.
    pub(super) fn cover(self, (x, y): Point) -> f64 {
        match self {
            Shape::Disc { middle, radius } => radius + 0.5 - distance(x - middle.0, y - middle.1),
            Shape::Ring { middle, radius, stroke } => {
                stroke / 2.0 + 0.5 - (distance(x - middle.0, y - middle.1) - radius).abs()
            }
            Shape::Line { from, to, stroke } => {
                let ((dx, dy), (px, py)) = ((to.0 - from.0, to.1 - from.1), (x - from.0, y - from.1));
                let square = dx * dx + dy * dy;
                let along = if square > 0.0 { ((px * dx + py * dy) / square).clamp(0.0, 1.0) } else { 0.0 };
                stroke / 2.0 + 0.5 - distance(px - along * dx, py - along * dy)
            }
        }
    }
}

fn distance(x: f64, y: f64) -> f64 {
    (x * x + y * y).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shape() -> impl Strategy<Value = Shape> {
        let point = || (-20.0..80.0, -20.0..80.0);
        prop_oneof![
            (point(), 0.0..30.0).prop_map(|(middle, radius)| Shape::Disc { middle, radius }),
            (point(), 0.0..30.0, 0.1..9.0).prop_map(|(middle, radius, stroke)| Shape::Ring {
                middle,
                radius,
                stroke
            }),
            (point(), point(), 0.1..9.0).prop_map(|(from, to, stroke)| Shape::Line { from, to, stroke }),
        ]
    }

    proptest! {
        #[test]
        fn a_chord_leaves_nothing_out_and_knows_what_is_even(shape in shape(), y in 0_u32..60) {
            let y = f64::from(y) + 0.5;
            let [left, top, right, bottom] = shape.bounds();
            let chord = shape.chord(y);
            for x in (0..60_u32).map(|x| f64::from(x) + 0.5) {
                let cover = shape.cover((x, y));
                let reached = chord.as_ref().is_some_and(|chord| chord.reach.contains(&x));
                prop_assert!(reached || cover < 1e-9, "{x}: {cover}");
                let bounded = (left..=right).contains(&x) && (top..=bottom).contains(&y);
                prop_assert!(bounded || cover <= 0.0, "{x}: {cover}");
                if let Some((even, all)) = chord.as_ref().and_then(|chord| chord.even.clone())
                    && even.contains(&x)
                {
                    prop_assert!(if all { cover > 1.0 - 1e-9 } else { cover < 1e-9 }, "{x}: {cover}");
                }
            }
        }
    }
}
