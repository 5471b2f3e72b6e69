//! What the tests of this folder share.

use std::f64::consts::TAU;

/// The largest step that is no part of a sine of `frequency`: what is left behind a notch at it, in sample
/// values. A cut in a sine of amplitude A leaves up to 2 A.
pub(super) fn worst_click(samples: &[i16], frequency: f64, sample_rate: u32) -> f64 {
    let notch = 2.0 * (TAU * frequency / f64::from(sample_rate)).cos();
    let step = |w: &[i16]| (f64::from(w[0]) - notch * f64::from(w[1]) + f64::from(w[2])).abs();
    samples.windows(3).map(step).fold(0.0, f64::max)
}
