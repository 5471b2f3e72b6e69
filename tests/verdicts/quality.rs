//! A drop of PSNR of known size is measured, behind the codec.

use crate::call::{Experiment, Outcome};
use crate::phone::Sources;
use crate::sources::{pattern, tone, uneven};
use crate::truth::assert_near;

/// A bit rate at which the codec's own error is far below the one that is imposed.
const PLENTY: u32 = 4_000_000;

fn call(by: Option<u8>) -> Outcome {
    let video = by.map_or_else(pattern, uneven);
    let sources = Sources { video, audio: tone(997.0) };
    Experiment { sources, bitrate: PLENTY, seconds: 4, ..Experiment::default() }.run()
}

/// The mean squared error that a PSNR stands for.
fn error(psnr: f64) -> f64 {
    255.0 * 255.0 / 10f64.powf(psnr / 10.0)
}

#[test]
fn an_error_of_known_power_costs_the_psnr_that_it_must() {
    let own = error(call(None).measured("video.psnr_db"));
    for by in [4u8, 8, 12] {
        let outcome = call(Some(by));
        let imposed = f64::from(by).powi(2);
        let truth = 10.0 * (255.0 * 255.0 / (imposed + own)).log10();
        assert_near(&format!("{by} steps off"), outcome.measured("video.psnr_db"), truth, 0.5);
        outcome.assert_told_apart("video.psnr_db", truth, 0.5);
    }
}

#[test]
fn poor_pictures_are_bad_and_good_ones_are_not() {
    assert!(call(None).verdict(&["video.psnr_db>=35"]).good);
    let poor = call(Some(14)).verdict(&[]);
    // 14 steps off are 25.2 dB.
    assert!(!poor.good && poor.reasons.iter().any(|r| r.contains("the pictures are poor")), "{poor}");
    assert!(call(Some(8)).verdict(&[]).good);
    assert!(!call(Some(8)).verdict(&["video.psnr_db>=35"]).good);
}
