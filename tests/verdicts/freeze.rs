//! Freezes within one picture, whether the line or the camera stood still.

use crate::call::{Experiment, FRAME_MS, Outcome};
use crate::phone::Sources;
use crate::sources::{stuck, tone};
use crate::truth::assert_near;
use std::time::Duration;
use visavis::Fault;

fn assert_freeze(impair: &'static str) -> Outcome {
    let outcome = Experiment { impair, ..Experiment::default() }.run();
    let truth = outcome.longest_gap_ms();
    assert_near(impair, outcome.measured("video.longest_freeze_ms"), truth, FRAME_MS);
    outcome
}

#[test]
fn an_outage_freezes_the_picture_for_as_long_as_the_log_says() {
    for impair in ["up.video:outage=2s+300ms", "up.video:outage=2s+700ms", "up:outage=3s+500ms,delay=30ms"] {
        let outcome = assert_freeze(impair);
        let freeze = outcome.measured("video.longest_freeze_ms");
        assert!(freeze >= 300.0 && !outcome.verdict(&[]).faults.contains(&Fault::FrozenPicture), "{freeze}");
        assert!(outcome.verdict(&["video.longest_freeze_ms<250"]).faults.contains(&Fault::FrozenPicture));
    }
}

#[test]
fn a_long_outage_is_a_frozen_picture_by_name() {
    let outcome = assert_freeze("up.video:outage=2s+1500ms");
    let verdict = outcome.verdict(&[]);
    assert!(!verdict.good && verdict.faults.contains(&Fault::FrozenPicture), "{verdict}");
    outcome.assert_told_apart("video.longest_freeze_ms", outcome.longest_gap_ms(), FRAME_MS);
}

#[test]
fn pictures_that_stop_for_good_are_a_freeze_up_to_the_end() {
    let outcome = assert_freeze("up.video:outage=2s+60s");
    assert!(outcome.verdict(&[]).faults.contains(&Fault::FrozenPicture));
}

#[test]
fn a_camera_that_shows_one_picture_again_is_a_frozen_picture() {
    for ms in [400, 1_700] {
        let video = stuck(Duration::from_secs(2), Duration::from_millis(ms));
        let sources = Sources { video, audio: tone(997.0) };
        let outcome = Experiment { sources, ..Experiment::default() }.run();
        // From the last picture before to the first one after.
        let pictures = (ms as f64 / FRAME_MS).ceil() + 1.0;
        assert_near("stuck", outcome.measured("video.longest_freeze_ms"), pictures * FRAME_MS, FRAME_MS);
        assert_eq!(outcome.verdict(&[]).faults.contains(&Fault::FrozenPicture), ms > 1_000);
        assert!(outcome.measured("video.repeated") >= pictures - 2.0);
        // The line lost nothing, and is not blamed.
        assert_eq!(outcome.measured("video.packets_lost"), 0.0);
    }
}
