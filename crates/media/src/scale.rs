//! Pictures from one size to another, and which size fits a peer.
//!
//! Each output sample is a weighted mean under a triangle as wide as the step between input samples, or
//! between output samples where those lie further apart: linear interpolation when a picture grows, an
//! average over the area when it shrinks. Chroma is taken to lie as H.264 says by default, level with the
//! left of its two luma columns and between its two luma rows (ITU-T H.264 E.2.1, type 0).

use crate::picture::{Component, Picture, PictureError, Plane};
use visavis_proto::frame::VideoFormat;

/// The largest even size with the shape of `source` that the receiver of `format` takes, and no larger than
/// `source`; `None` where not even 16 x 16 would do.
pub fn fit(source: (u32, u32), format: &VideoFormat) -> Option<(u32, u32)> {
    let (width, height) = (f64::from(source.0), f64::from(source.1));
    let named = format.max_size.map_or(1.0, |(w, h)| (f64::from(w) / width).min(f64::from(h) / height));
    let mut scale = named.min((f64::from(format.max_fs) * 256.0 / (width * height)).sqrt()).min(1.0);
    loop {
        let size = (even(width * scale), even(height * scale));
        if size.0 < 16 || size.1 < 16 {
            return None;
        }
        // Macroblocks are whole: a size a little above a multiple of 16 can have too many of them.
        if size.0.div_ceil(16) * size.1.div_ceil(16) <= format.max_fs {
            return Some(size);
        }
        scale *= 0.995;
    }
}

/// The most pictures a second of a size that the receiver of `format` takes; 0 for a size of no pixels.
pub fn max_frame_rate((width, height): (u32, u32), format: &VideoFormat) -> f32 {
    let macroblocks = width.div_ceil(16) * height.div_ceil(16);
    if macroblocks == 0 {
        return 0.0;
    }
    let possible = format.max_mbps as f32 / macroblocks as f32;
    format.max_fps.map_or(possible, |most| possible.min(most.into()))
}

fn even(value: f64) -> u32 {
    (value + 1e-9) as u32 & !1
}

/// Scales pictures; keeps its tables while the sizes stay the same.
#[derive(Default)]
pub struct Scaler {
    sizes: Option<[(u32, u32); 2]>,
    /// Across and down, for luma and for chroma.
    luma: [Axis; 2],
    chroma: [Axis; 2],
}

impl Scaler {
    /// A scaler for any sizes.
    pub fn new() -> Self {
        Scaler::default()
    }

    /// The picture at `width` x `height`, its time and number kept; the same pixels, shared, where that is
    /// its size already.
    ///
    /// # Errors
    /// [`PictureError::Size`] for an impossible size.
    pub fn scale(&mut self, picture: &Picture, (width, height): (u32, u32)) -> Result<Picture, PictureError> {
        if picture.size() == (width, height) {
            return Ok(picture.clone());
        }
        let mut scaled = Picture::new(width, height)?.at(picture.captured).numbered(picture.sequence);
        scaled.rotation = picture.rotation;
        self.prepare(picture.size(), (width, height));
        for component in Component::ALL {
            let axes = if component == Component::Y { &self.luma } else { &self.chroma };
            resize(picture.plane(component), axes, scaled.plane_mut(component));
        }
        Ok(scaled)
    }

    fn prepare(&mut self, from: (u32, u32), to: (u32, u32)) {
        if self.sizes == Some([from, to]) {
            return;
        }
        self.sizes = Some([from, to]);
        let ratio = [f64::from(from.0) / f64::from(to.0), f64::from(from.1) / f64::from(to.1)];
        self.luma = [Axis::new(from.0, to.0, ratio[0], 0.5), Axis::new(from.1, to.1, ratio[1], 0.5)];
        let half = |n: u32| n.div_ceil(2);
        self.chroma = [
            Axis::new(half(from.0), half(to.0), ratio[0], 0.25),
            Axis::new(half(from.1), half(to.1), ratio[1], 0.5),
        ];
    }
}

/// Fractions of one in a weight.
const ONE: i32 = 1 << 14;

/// For each output sample along one axis, the input samples that it is a mean of.
#[derive(Default)]
struct Axis {
    /// First input sample of each output sample.
    starts: Vec<u32>,
    /// Weights of each output sample, `taps` of them, which add up to [`ONE`].
    weights: Vec<i32>,
    taps: usize,
}

impl Axis {
    /// `ratio` input samples for one output sample; samples lie `site` of a step behind the plane's edge.
    fn new(from: u32, to: u32, ratio: f64, site: f64) -> Self {
        let reach = ratio.max(1.0);
        let taps = ((2.0 * reach).ceil() as usize + 1).min(from as usize);
        let mut axis = Axis { taps, ..Axis::default() };
        for i in 0..to {
            let centre = (f64::from(i) + site) * ratio - site;
            let first = ((centre - reach).ceil() as i64).clamp(0, i64::from(from) - taps as i64);
            let weights =
                (0..taps).map(|n| (1.0 - ((first as f64 + n as f64) - centre).abs() / reach).max(0.0));
            axis.starts.push(first as u32);
            axis.push_weights(&weights.collect::<Vec<_>>());
        }
        axis
    }

    fn push_weights(&mut self, weights: &[f64]) {
        let sum: f64 = weights.iter().sum();
        let from = self.weights.len();
        self.weights.extend(weights.iter().map(|weight| (weight / sum * f64::from(ONE)).round() as i32));
        let largest =
            from + (0..weights.len()).max_by(|&a, &b| weights[a].total_cmp(&weights[b])).unwrap_or(0);
        let rounded: i32 = self.weights[from..].iter().sum();
        self.weights[largest] += ONE - rounded;
    }

    /// First input sample and weights of each output sample.
    fn samples(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.starts.iter().map(|&start| start as usize).zip(self.weights.chunks(self.taps))
    }
}

/// Scales a plane: each output row down from the rows that it is a mean of, then across.
fn resize(plane: Plane<'_>, [across, down]: &[Axis; 2], out: &mut [u8]) {
    let mut sums = vec![0i32; plane.width];
    let mut mean = vec![0u8; plane.width];
    for (target, (start, weights)) in out.chunks_mut(across.starts.len()).zip(down.samples()) {
        sums.fill(ONE / 2);
        for (row, &weight) in plane.data[start * plane.stride..].chunks(plane.stride).zip(weights) {
            for (sum, &x) in sums.iter_mut().zip(row) {
                *sum += i32::from(x) * weight;
            }
        }
        for (sample, sum) in mean.iter_mut().zip(&sums) {
            *sample = (sum / ONE) as u8;
        }
        for (sample, (start, weights)) in target.iter_mut().zip(across.samples()) {
            let window = &mean[start..start + weights.len()];
            let sum: i32 = window.iter().zip(weights).map(|(&x, w)| i32::from(x) * w).sum();
            *sample = ((sum + ONE / 2) / ONE) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use visavis_proto::frame::Codec;

    fn format(max_fs: u32, max_size: Option<(u16, u16)>) -> VideoFormat {
        VideoFormat {
            codec: Codec::H264,
            profile_level_id: [0x42, 0xe0, 0x1f],
            max_fs,
            max_mbps: 40_500,
            max_size,
            max_fps: None,
            max_bitrate: None,
            max_nal: None,
        }
    }

    /// A picture whose luma is `f(x, y)`, and whose chroma is the same at its own sites.
    fn drawn(width: u32, height: u32, f: impl Fn(f64, f64) -> f64) -> Picture {
        let mut picture = Picture::new(width, height).unwrap();
        for component in Component::ALL {
            let columns = picture.plane(component).width;
            for (i, sample) in picture.plane_mut(component).iter_mut().enumerate() {
                let (column, row) = ((i % columns) as f64, (i / columns) as f64);
                let (x, y) = match component {
                    Component::Y => (column + 0.5, row + 0.5),
                    _ => (2.0 * column + 0.5, 2.0 * row + 1.0),
                };
                *sample = f(x / f64::from(width), y / f64::from(height)).round() as u8;
            }
        }
        picture
    }

    fn worst(a: &Picture, b: &Picture, component: Component, border: usize) -> u8 {
        let (a, b) = (a.plane(component), b.plane(component));
        let inner = |i: usize, n: usize| (border..n - border).contains(&i);
        let samples = a.data.iter().zip(b.data).enumerate();
        let inside = samples.filter(|(i, _)| inner(i % a.width, a.width) && inner(i / a.width, a.height));
        inside.map(|(_, (a, b))| a.abs_diff(*b)).max().unwrap()
    }

    #[test]
    fn a_smooth_picture_stays_where_it_is_at_every_size() {
        let smooth = |x: f64, y: f64| 40.0 + 120.0 * x + 60.0 * y;
        for from in [(640, 480), (321, 243)] {
            for to in [(320, 240), (176, 144), (1_280, 960), (352, 288), (641, 479)] {
                let scaled = Scaler::new().scale(&drawn(from.0, from.1, smooth), to).unwrap();
                for component in Component::ALL {
                    let off = worst(&scaled, &drawn(to.0, to.1, smooth), component, 4);
                    assert!(off <= 1, "{from:?} to {to:?}, {component:?}: off by {off}");
                }
            }
        }
    }

    #[test]
    fn detail_too_fine_for_the_smaller_size_turns_to_its_mean() {
        let stripes =
            drawn(640, 480, |x, _| if ((x * 640.0) as u32).is_multiple_of(2) { 50.0 } else { 150.0 });
        let scaled = Scaler::new().scale(&stripes, (160, 120)).unwrap();
        assert!(
            scaled.plane(Component::Y).rows().all(|row| row[2..158].iter().all(|s| s.abs_diff(100) <= 1))
        );
    }

    #[test]
    fn the_same_size_shares_its_pixels_and_tables_follow_a_new_size() {
        let picture = drawn(64, 48, |x, _| 200.0 * x).numbered(7);
        let mut scaler = Scaler::new();
        assert!(scaler.scale(&picture, (64, 48)).unwrap().shares_pixels_with(&picture));
        for size in [(32, 24), (48, 36), (32, 24), (1, 1), (8, 200)] {
            let scaled = scaler.scale(&picture, size).unwrap();
            assert_eq!((scaled.size(), scaled.sequence), (size, 7));
        }
        assert!(scaler.scale(&picture, (0, 24)).is_err());
    }

    #[test]
    fn sizes_fit_the_peer_and_keep_their_shape() {
        for (source, max_fs, max_size, wanted) in [
            ((1_280, 720), 3_600, None, Some((1_280, 720))),
            ((1_920, 1_080), 3_600, None, Some((1_280, 720))),
            ((1_280, 720), 8_160, Some((640, 480)), Some((640, 360))),
            ((640, 480), 396, None, Some((362, 272))),
            ((320, 240), 3_600, Some((1_280, 720)), Some((320, 240))),
            ((720, 1_280), 3_600, Some((640, 480)), Some((270, 480))),
            ((4_000, 20), 99, None, None),
        ] {
            assert_eq!(fit(source, &format(max_fs, max_size)), wanted, "{source:?} into {max_fs}");
        }
        assert_eq!(max_frame_rate((640, 480), &format(1_620, None)), 33.75);
        let capped = VideoFormat { max_fps: Some(15), ..format(1_620, None) };
        assert_eq!(max_frame_rate((640, 480), &capped), 15.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_flat_picture_stays_flat(from in (1u32..80, 1u32..80), to in (1u32..80, 1u32..80), level in 16u8..=235) {
            let flat = drawn(from.0, from.1, |_, _| level.into());
            let scaled = Scaler::new().scale(&flat, to).unwrap();
            prop_assert!(scaled.as_i420().iter().all(|&s| s == level));
        }

        #[test]
        fn a_fitted_picture_fits(source in (16u32..4_000, 16u32..3_000), max_fs in 1u32..9_000, w in 16u16..2_000, h in 16u16..2_000) {
            let format = format(max_fs, Some((w, h)));
            if let Some((width, height)) = fit(source, &format) {
                prop_assert!(width <= source.0 && height <= source.1);
                prop_assert!(width <= w.into() && height <= h.into());
                prop_assert!(width.div_ceil(16) * height.div_ceil(16) <= max_fs);
            }
        }
    }
}
