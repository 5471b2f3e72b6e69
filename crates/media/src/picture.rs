//! A raw picture: 8-bit planar YCbCr 4:2:0 ("I420"), cheap to share between threads.

use std::sync::Arc;
use visavis_proto::frame::{Rotation, VideoFormat};
use visavis_proto::time::Time;

/// The largest width and height of a [`Picture`], pixels: H.264 level 5.2 needs no more than 4096 x 2304.
pub const MAX_DIMENSION: u32 = 8192;

/// One of the three planes of a [`Picture`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Component {
    /// Luma, one octet a pixel.
    Y,
    /// Blue difference, one octet for each 2 x 2 pixels.
    Cb,
    /// Red difference, one octet for each 2 x 2 pixels.
    Cr,
}

impl Component {
    /// The three planes in the order that I420 stores them.
    pub const ALL: [Component; 3] = [Component::Y, Component::Cb, Component::Cr];
}

/// A picture of `width` x `height` pixels in video range (16-235), 4:2:0, without padding.
///
/// A clone shares the pixels; [`Picture::plane_mut`] copies them first where somebody else still holds them.
/// Odd sizes are allowed: a chroma plane then has `(width + 1) / 2` columns and `(height + 1) / 2` rows.
#[derive(Clone)]
pub struct Picture {
    width: u32,
    height: u32,
    data: Arc<Vec<u8>>,
    /// When the picture was captured, or, behind a decoder, when it is to be shown.
    pub captured: Time,
    /// Counts the pictures of one source or decoder from 0 upwards; a gap is a picture that was dropped.
    pub sequence: u64,
    /// How the picture is to be turned before somebody looks at it.
    pub rotation: Rotation,
}

/// A plane of a picture, to read.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// The samples, `stride * height` of them.
    pub data: &'a [u8],
    /// Samples in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Octets from the start of one row to the start of the next.
    pub stride: usize,
}

impl<'a> Plane<'a> {
    /// A row, counted from the top: `width` octets.
    ///
    /// # Panics
    /// Where the plane has no such row.
    pub fn row(&self, row: usize) -> &'a [u8] {
        &self.data[row * self.stride..][..self.width]
    }

    /// The rows from the top down, each `width` octets.
    pub fn rows(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let width = self.width;
        self.data.chunks(self.stride).take(self.height).map(move |row| &row[..width])
    }
}

/// Why a picture could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// A side is 0 or above [`MAX_DIMENSION`].
    #[error("a picture of {width} x {height} pixels is outside 1..={MAX_DIMENSION}")]
    Size {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// The octets given do not hold the planes of that size.
    #[error("an I420 picture needs {needed} octets in this plane, {given} were given")]
    Data {
        /// Octets that the size asks for.
        needed: usize,
        /// Octets that were there.
        given: usize,
    },
}

impl Picture {
    /// A black picture, captured at the clock's origin, with sequence number 0.
    ///
    /// # Errors
    /// [`PictureError::Size`] where a side is 0 or above [`MAX_DIMENSION`].
    pub fn new(width: u32, height: u32) -> Result<Self, PictureError> {
        let layout = Layout::new(width, height)?;
        let mut data = vec![128; layout.total()];
        data[..layout.luma].fill(16);
        Picture::from_i420(width, height, data)
    }

    /// A picture of packed I420 octets (all of Y, then Cb, then Cr, no padding), as Y4M files hold it.
    ///
    /// # Errors
    /// [`PictureError::Size`] for an impossible size, [`PictureError::Data`] where `data` has another length
    /// than [`i420_len`].
    pub fn from_i420(width: u32, height: u32, data: Vec<u8>) -> Result<Self, PictureError> {
        let needed = Layout::new(width, height)?.total();
        if data.len() != needed {
            return Err(PictureError::Data { needed, given: data.len() });
        }
        Ok(Picture {
            width,
            height,
            data: Arc::new(data),
            captured: Time::ZERO,
            sequence: 0,
            rotation: Rotation::None,
        })
    }

    /// A picture copied from three planes with strides of their own, given as (octets, stride) for Y, Cb, Cr.
    ///
    /// # Errors
    /// As [`Picture::from_i420`]; a stride below the plane's width counts as too few octets.
    pub fn from_planes(width: u32, height: u32, planes: [(&[u8], usize); 3]) -> Result<Self, PictureError> {
        let layout = Layout::new(width, height)?;
        let mut data = Vec::with_capacity(layout.total());
        for (component, (samples, stride)) in Component::ALL.into_iter().zip(planes) {
            let (columns, rows) = layout.size(component);
            let needed = stride.saturating_mul(rows - 1).saturating_add(columns);
            if stride < columns || samples.len() < needed {
                return Err(PictureError::Data { needed: needed.max(columns * rows), given: samples.len() });
            }
            for row in samples.chunks(stride).take(rows) {
                data.extend_from_slice(&row[..columns]);
            }
        }
        Picture::from_i420(width, height, data)
    }

    /// The same picture with another capture time.
    pub fn at(mut self, captured: Time) -> Self {
        self.captured = captured;
        self
    }

    /// The same picture with another sequence number.
    pub fn numbered(mut self, sequence: u64) -> Self {
        self.sequence = sequence;
        self
    }

    /// The same picture, to be turned so before somebody looks at it; its pixels stay as they are.
    pub fn rotated(mut self, rotation: Rotation) -> Self {
        self.rotation = rotation;
        self
    }

    /// Pixels across.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Pixels down.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Width and height, pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// One plane, to read.
    pub fn plane(&self, component: Component) -> Plane<'_> {
        let layout = self.layout();
        let (width, height) = layout.size(component);
        Plane { data: &self.data[layout.range(component)], width, height, stride: width }
    }

    /// The samples of one plane, to write: rows of the plane's width from the top down, without padding.
    ///
    /// Copies the whole picture first where another clone shares the pixels.
    pub fn plane_mut(&mut self, component: Component) -> &mut [u8] {
        let range = self.layout().range(component);
        &mut Arc::make_mut(&mut self.data)[range]
    }

    /// All samples in I420 order: Y, Cb, Cr, packed.
    pub fn as_i420(&self) -> &[u8] {
        &self.data
    }

    /// Whether two pictures share their pixels (and so cost one allocation).
    pub fn shares_pixels_with(&self, other: &Picture) -> bool {
        Arc::ptr_eq(&self.data, &other.data)
    }

    /// Whether the picture is within the size limits of `format`: its frame size in macroblocks, and the
    /// largest size named by the peer.
    pub fn fits(&self, format: &VideoFormat) -> bool {
        let macroblocks = self.width.div_ceil(16) * self.height.div_ceil(16);
        let named = format.max_size.is_none_or(|(w, h)| self.width <= w.into() && self.height <= h.into());
        named && macroblocks <= format.max_fs
    }

    fn layout(&self) -> Layout {
        Layout::of(self.width, self.height)
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picture")
            .field("width", &self.width)
            .field("height", &self.height)
            .field("captured", &self.captured)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Picture {
    /// Size and samples; capture time and sequence number take no part.
    fn eq(&self, other: &Self) -> bool {
        self.size() == other.size() && self.data == other.data
    }
}

/// Octets of a packed I420 picture of `width` x `height` pixels, or `None` where [`Picture`] cannot be that
/// large.
pub fn i420_len(width: u32, height: u32) -> Option<usize> {
    Layout::new(width, height).ok().map(|layout| layout.total())
}

/// Where the planes lie in the packed octets.
#[derive(Clone, Copy)]
struct Layout {
    width: usize,
    height: usize,
    luma: usize,
    chroma: usize,
}

impl Layout {
    fn new(width: u32, height: u32) -> Result<Self, PictureError> {
        if !(1..=MAX_DIMENSION).contains(&width) || !(1..=MAX_DIMENSION).contains(&height) {
            return Err(PictureError::Size { width, height });
        }
        Ok(Layout::of(width, height))
    }

    fn of(width: u32, height: u32) -> Self {
        let (width, height) = (width as usize, height as usize);
        Layout { width, height, luma: width * height, chroma: width.div_ceil(2) * height.div_ceil(2) }
    }

    fn total(&self) -> usize {
        self.luma + 2 * self.chroma
    }

    fn size(&self, component: Component) -> (usize, usize) {
        match component {
            Component::Y => (self.width, self.height),
            Component::Cb | Component::Cr => (self.width.div_ceil(2), self.height.div_ceil(2)),
        }
    }

    fn range(&self, component: Component) -> std::ops::Range<usize> {
        let start = match component {
            Component::Y => return 0..self.luma,
            Component::Cb => self.luma,
            Component::Cr => self.luma + self.chroma,
        };
        start..start + self.chroma
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_picture_is_black_and_odd_sizes_round_chroma_up() {
        let p = Picture::new(5, 3).unwrap();
        assert_eq!(p.as_i420().len(), 15 + 2 * 6);
        assert!(p.plane(Component::Y).data.iter().all(|&s| s == 16));
        let cr = p.plane(Component::Cr);
        assert_eq!((cr.width, cr.height, cr.stride), (3, 2, 3));
        assert!(cr.data.iter().all(|&s| s == 128));
    }

    #[test]
    fn impossible_sizes_and_short_data_are_errors() {
        assert!(matches!(Picture::new(0, 4), Err(PictureError::Size { .. })));
        assert!(matches!(Picture::new(4, MAX_DIMENSION + 1), Err(PictureError::Size { .. })));
        assert_eq!(Picture::from_i420(4, 4, vec![0; 23]), Err(PictureError::Data { needed: 24, given: 23 }));
        let short = Picture::from_planes(4, 2, [(&[0; 11], 8), (&[0; 2], 2), (&[0; 2], 2)]);
        assert!(matches!(short, Err(PictureError::Data { needed: 12, given: 11 })));
        let narrow = Picture::from_planes(4, 2, [(&[0; 64], 3), (&[0; 2], 2), (&[0; 2], 2)]);
        assert!(matches!(narrow, Err(PictureError::Data { .. })));
    }

    #[test]
    fn planes_with_strides_are_packed() {
        // The last row needs no padding behind it.
        let y = [1, 2, 3, 0, 4, 5, 6];
        let p = Picture::from_planes(3, 2, [(&y, 4), (&[7, 8, 0], 3), (&[9, 10], 2)]).unwrap();
        assert_eq!(p.as_i420(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        let rows: Vec<_> = p.plane(Component::Y).rows().collect();
        assert_eq!(rows, [&[1, 2, 3][..], &[4, 5, 6]]);
    }

    #[test]
    fn a_clone_shares_until_it_is_written() {
        let a = Picture::new(16, 16).unwrap();
        let mut b = a.clone();
        assert!(a.shares_pixels_with(&b));
        b.plane_mut(Component::Cb)[0] = 1;
        assert!(!a.shares_pixels_with(&b));
        assert_ne!(a, b);
        assert_eq!(a.plane(Component::Cb).data[0], 128);
    }
}
