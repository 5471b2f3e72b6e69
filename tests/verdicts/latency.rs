//! Latency, capture to decoded picture, within one picture of what the log says.

use crate::call::{Experiment, FRAME_MS, Outcome};
use crate::truth::{assert_near, ms, percentile};

/// The latency of each picture that came whole, milliseconds: those that build on a damaged one are read as well.
fn truth(outcome: &Outcome) -> Vec<f64> {
    outcome.whole().iter().map(|(journey, ready)| ms(*ready - journey.captured)).collect()
}

fn assert_latency(impair: &'static str) -> Outcome {
    let outcome = Experiment { impair, ..Experiment::default() }.run();
    let truth = truth(&outcome);
    assert!(truth.len() > 150, "{} pictures", truth.len());
    for (statistic, percent) in [("min", 0), ("median", 50), ("p95", 95), ("max", 100)] {
        let measured = outcome.measured(&format!("video.latency_ms.{statistic}"));
        assert_near(&format!("{impair} {statistic}"), measured, percentile(&truth, percent), FRAME_MS);
    }
    outcome
}

#[test]
fn a_line_that_does_nothing_adds_nothing() {
    let outcome = assert_latency("up:delay=0ms");
    assert!(outcome.measured("video.latency_ms.median") < FRAME_MS);
    assert!(outcome.verdict(&["video.latency_ms.p95<50"]).good);
}

#[test]
fn a_constant_delay_is_measured() {
    for impair in ["up:delay=40ms", "up:delay=150ms", "up:delay=400ms"] {
        let outcome = assert_latency(impair);
        let median = percentile(&truth(&outcome), 50);
        outcome.assert_told_apart("video.latency_ms", median, FRAME_MS);
    }
}

#[test]
fn a_delay_that_varies_is_measured() {
    assert_latency("up:delay=60ms±20ms");
    assert_latency("up:delay=80ms,jitter=15ms");
}

#[test]
fn waiting_before_a_bottleneck_is_measured() {
    assert_latency("up:rate=1300kbit,queue=1s,delay=30ms");
}

#[test]
fn pictures_that_were_overtaken_are_measured_when_they_come() {
    assert_latency("up:delay=40ms,reorder=3%/15ms");
}

#[test]
fn pictures_behind_a_loss_are_measured_with_the_wait_for_what_is_missing() {
    for impair in ["up.rtp:loss=2%,delay=40ms", "up.rtp:loss=3%,burst=4,delay=60ms±15ms"] {
        assert_latency(impair);
    }
}
