//! Loss is measured exactly: packet for packet what the engine lost, as far as a receiver can see it.

use crate::call::{Experiment, Outcome};
use visavis::impair::{Traffic, Way};

/// A test that a loss of nothing would pass says nothing.
fn run(impair: &'static str, seed: u64) -> Outcome {
    let outcome = Experiment { impair, seed, ..Experiment::default() }.run();
    let lost: u64 = [Traffic::Audio, Traffic::Video].map(|t| outcome.visible(t).lost).iter().sum();
    assert!(lost > 3, "{impair}, seed {seed}: only {lost} losses to be seen");
    outcome
}

fn assert_exact(outcome: &Outcome) {
    for traffic in [Traffic::Audio, Traffic::Video] {
        let (kind, truth) = (traffic.as_str(), outcome.visible(traffic));
        let section = outcome.record.sections.iter().find(|s| s.kind == Some(kind)).expect("a section");
        assert_eq!(section.packets_received, truth.received + truth.copies, "{kind} received: {truth:?}");
        // RFC 3550 appendix A.3 counts a packet that came twice as two.
        assert_eq!(section.packets_lost, truth.lost as i64 - truth.copies as i64, "{kind} lost: {truth:?}");
        assert_eq!(section.packets_duplicate, truth.copies, "{kind} twice: {truth:?}");
        // The share is of what never came at all.
        let share = truth.lost as f64 / (truth.received + truth.lost) as f64;
        assert_eq!(section.loss, Some(share), "{kind}: {truth:?}");
        eprintln!("{kind}: {truth:?}, measured {} lost, {:.4} %", section.packets_lost, share * 100.0);
    }
}

#[test]
fn independent_losses_are_counted_one_by_one() {
    for seed in 1..=4 {
        assert_exact(&run("up.rtp:loss=3%,delay=40ms", seed));
    }
}

#[test]
fn losses_in_bursts_are_counted_one_by_one() {
    for seed in 1..=3 {
        assert_exact(&run("up.rtp:loss=6%,burst=5,delay=40ms±10ms", seed));
    }
}

#[test]
fn a_full_queue_is_loss_as_any_other() {
    let outcome = run("up.rtp:rate=600kbit,queue=20ms,delay=10ms", 1);
    assert!(outcome.log.counts(Way::Up, Traffic::Video).queue_full > 10);
    assert_exact(&outcome);
}

#[test]
fn packets_out_of_order_are_no_loss_and_doubles_are_told_apart() {
    let outcome = run("up.rtp:loss=2%,reorder=4%/25ms,duplicate=3%,delay=20ms", 2);
    assert!(outcome.log.counts(Way::Up, Traffic::Audio).duplicated > 3);
    assert!(outcome.log.counts(Way::Up, Traffic::Audio).held_back > 3);
    assert_exact(&outcome);
}

#[test]
fn doubles_do_not_hide_losses_from_a_requirement() {
    let outcome = run("up.rtp:loss=2%,duplicate=10%,delay=20ms", 3);
    let truth = outcome.visible(Traffic::Video);
    assert!(truth.copies > truth.lost && truth.lost > 0, "{truth:?}");
    assert_exact(&outcome);
    assert!(!outcome.verdict(&["video.loss==0%"]).good);
}

#[test]
fn a_requirement_on_loss_holds_to_the_packet() {
    let outcome = run("up.rtp:loss=3%,delay=40ms", 5);
    for traffic in [Traffic::Audio, Traffic::Video] {
        let truth = outcome.visible(traffic);
        let sent = (truth.received + truth.lost) as f64;
        let metric = format!("{}.loss", traffic.as_str());
        // A third of a packet more or less decides.
        outcome.assert_told_apart(&metric, truth.lost as f64 / sent, 0.34 / sent);
    }
}

#[test]
fn losses_at_the_ends_of_a_stream_leave_no_trace() {
    // The first tenth of a second and the last second.
    let outcome =
        Experiment { impair: "up.audio:outage=0ms+100ms,outage=5s+9s", ..Experiment::default() }.run();
    let lost = outcome.log.counts(Way::Up, Traffic::Audio).outage;
    assert!(lost >= 40, "{lost} lost");
    assert_eq!(outcome.visible(Traffic::Audio).lost, 0);
    assert_exact(&outcome);
}
