//! Pictures mirrored, and turned the way the camera is held.

use crate::picture::{Component, Picture};
use visavis_proto::frame::Rotation;

/// A turn, clockwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A quarter: what was left is at the top.
    Quarter,
    /// A half: upside down.
    Half,
    /// Three quarters: what was right is at the top.
    ThreeQuarters,
}

impl Turn {
    /// The turn that a picture is to be given; `None`: it stands upright.
    pub fn of(rotation: Rotation) -> Option<Turn> {
        match rotation {
            Rotation::None => None,
            Rotation::Clockwise90 => Some(Turn::Quarter),
            Rotation::Clockwise180 => Some(Turn::Half),
            Rotation::Clockwise270 => Some(Turn::ThreeQuarters),
        }
    }
}

/// The picture as somebody is to see it: turned as it says ([`Picture::rotation`]). The same pixels, shared, where it
/// stands upright.
pub fn upright(picture: &Picture) -> Picture {
    match Turn::of(picture.rotation) {
        Some(by) => turn(picture, by).rotated(Rotation::None),
        None => picture.clone(),
    }
}

/// Left and right changed over, as people want to see themselves.
pub fn mirror(picture: &Picture) -> Picture {
    let mut mirrored = picture.clone();
    for component in Component::ALL {
        let width = picture.plane(component).width;
        mirrored.plane_mut(component).chunks_mut(width).for_each(<[u8]>::reverse);
    }
    mirrored
}

/// The picture turned; a quarter changes width and height over.
pub fn turn(picture: &Picture, by: Turn) -> Picture {
    if by == Turn::Half {
        let mut turned = picture.clone();
        Component::ALL.into_iter().for_each(|component| turned.plane_mut(component).reverse());
        return turned;
    }
    let (width, height) = (picture.height(), picture.width());
    let turned = Picture::new(width, height).expect("sides that are possible one way are so the other way");
    let mut turned = turned.at(picture.captured).numbered(picture.sequence);
    for component in Component::ALL {
        let from = picture.plane(component);
        for (row, out) in turned.plane_mut(component).chunks_mut(from.height).enumerate() {
            for (column, sample) in out.iter_mut().enumerate() {
                let (x, y) = match by {
                    Turn::Quarter => (row, from.height - 1 - column),
                    _ => (from.width - 1 - row, column),
                };
                *sample = from.data[y * from.stride + x];
            }
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 4 x 2 luma 0..8, chroma 2 x 1.
    fn picture() -> Picture {
        Picture::from_i420(4, 2, vec![0, 1, 2, 3, 4, 5, 6, 7, 20, 21, 30, 31]).unwrap().numbered(9)
    }

    #[test]
    fn pictures_are_mirrored_and_turned() {
        assert_eq!(mirror(&picture()).as_i420(), [3, 2, 1, 0, 7, 6, 5, 4, 21, 20, 31, 30]);
        assert_eq!(turn(&picture(), Turn::Half).as_i420(), [7, 6, 5, 4, 3, 2, 1, 0, 21, 20, 31, 30]);
        let quarter = turn(&picture(), Turn::Quarter);
        assert_eq!((quarter.size(), quarter.sequence), ((2, 4), 9));
        assert_eq!(quarter.as_i420(), [4, 0, 5, 1, 6, 2, 7, 3, 20, 21, 30, 31]);
        let back = turn(&turn(&quarter, Turn::Half), Turn::Quarter);
        assert_eq!(back, picture());
        assert_eq!(turn(&quarter, Turn::ThreeQuarters), picture());
    }

    #[test]
    fn a_picture_is_made_upright_as_it_says_and_then_says_nothing_more() {
        let sideways = picture().rotated(Rotation::Clockwise90);
        let seen = upright(&sideways);
        assert_eq!(seen, turn(&picture(), Turn::Quarter));
        assert_eq!((seen.rotation, seen.sequence), (Rotation::None, 9));
        assert_eq!(
            upright(&picture().rotated(Rotation::Clockwise270)),
            turn(&picture(), Turn::ThreeQuarters)
        );
        assert_eq!(upright(&picture().rotated(Rotation::Clockwise180)), turn(&picture(), Turn::Half));
        let straight = picture();
        assert!(upright(&straight).shares_pixels_with(&straight));
    }
}
