//! How far sound and picture are apart, within 5 ms.

use crate::call::{Experiment, Outcome, TONES};
use crate::phone::Sources;
use crate::sources::{pattern, shifted, tone};
use crate::truth::{assert_near, ms};
use visavis::impair::{Traffic, Way};

const TOLERANCE_MS: f64 = 5.0;

/// The mean delay of sound less that of pictures, by the log, milliseconds.
fn imposed(outcome: &Outcome) -> f64 {
    let mean = |t| ms(outcome.log.counts(Way::Up, t).delay_mean().expect("packets that came"));
    mean(Traffic::Audio) - mean(Traffic::Video)
}

fn over(impair: &'static str, header_extensions: bool) -> Outcome {
    let sources = Sources { video: pattern(), audio: tone(TONES[0]) };
    Experiment { impair, sources, seconds: 8, header_extensions, ..Experiment::default() }.run()
}

#[test]
fn sound_that_was_captured_late_or_early_is_measured() {
    let even = over("up:loss=0%", true).measured("sync.offset_ms");
    assert_near("an even call", even, 0.0, 15.0);
    for by in [-200, -60, 40, 120, 300] {
        let sources = Sources { video: pattern(), audio: shifted(by) };
        let outcome = Experiment { sources, seconds: 8, ..Experiment::default() }.run();
        assert_near("captured apart", outcome.measured("sync.offset_ms"), even + by as f64, TOLERANCE_MS);
        let bad = outcome.verdict(&[]).reasons.iter().any(|r| r.contains("behind the picture"));
        assert_eq!(bad, by.abs() > 150, "{by} ms apart");
    }
}

#[test]
fn sound_that_the_line_delays_is_measured_where_nothing_lets_the_receiver_even_it_out() {
    let even = over("up.rtcp:loss=100%", false).measured("sync.offset_ms");
    for impair in [
        "up.rtcp:loss=100%;up.audio:delay=60ms",
        "up.rtcp:loss=100%;up.audio:delay=120ms;up.video:delay=20ms",
        "up.rtcp:loss=100%;up.video:delay=90ms",
    ] {
        let outcome = over(impair, false);
        let truth = even + imposed(&outcome);
        assert_near(impair, outcome.measured("sync.offset_ms"), truth, TOLERANCE_MS);
        outcome.assert_told_apart("sync.apart_ms", truth.abs(), TOLERANCE_MS);
    }
}

#[test]
fn with_reports_the_receiver_makes_the_earlier_one_wait() {
    let outcome = over("up.audio:delay=120ms", false);
    // Below 10 ms nothing is evened out; the judge may be 5 ms off.
    let at_end = outcome.record.media.judgement.as_ref().and_then(|j| j.sync).expect("markers").offset_ms;
    assert!(at_end.min.abs() <= 15.0, "{at_end:?}");
    assert!(at_end.max > 100.0, "before the first reports nothing was evened out: {at_end:?}");
}

#[test]
fn with_header_extensions_it_does_so_without_any_report() {
    for impair in ["up.rtcp:loss=100%;up.audio:delay=60ms", "up.rtcp:loss=100%;up.video:delay=90ms"] {
        let offset = over(impair, true).measured("sync.offset_ms");
        assert!(offset.abs() <= 15.0, "{impair}: {offset}");
    }
}
