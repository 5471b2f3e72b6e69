//! Faults are called by their names, and only where they are.

use crate::call::{Experiment, Outcome, TONES};
use crate::phone::Sources;
use crate::sources::{Silence, pattern, tone};
use visavis::{Expectation, Fault, Tones};

fn with(impair: &'static str) -> Outcome {
    Experiment { impair, seconds: 5, ..Experiment::default() }.run()
}

fn playing(audio: Box<dyn visavis::media_codecs::source::AudioSource>) -> Outcome {
    let sources = Sources { video: pattern(), audio };
    Experiment { sources, seconds: 5, ..Experiment::default() }.run()
}

/// The other way nothing is wrong.
fn assert_way_back_is_good(outcome: &Outcome) {
    let tones = Tones { expected: Some(TONES[1]), others: vec![(TONES[0], "its own".into())] };
    let back = outcome.back.verdict(&Expectation { pattern: true, tones, ..Expectation::default() });
    assert!(back.good, "{back}");
}

#[test]
fn a_call_over_a_good_line_has_no_fault_and_its_ends_are_good() {
    let outcome = with("up:delay=30ms±5ms");
    let verdict = outcome.verdict(&[]);
    assert!(verdict.good && verdict.faults.is_empty(), "{verdict}");
    assert!(verdict.checks.len() > 15 && verdict.checks.iter().all(|c| c.measured.is_some()));
    assert_way_back_is_good(&outcome);
}

#[test]
fn a_call_in_one_direction_is_named() {
    let outcome = with("up.rtp:loss=100%");
    let verdict = outcome.verdict(&[]);
    assert_eq!(verdict.reasons, ["one-way: nothing arrived"]);
    assert_eq!(verdict.faults, [Fault::OneWay]);
    assert_way_back_is_good(&outcome);
}

#[test]
fn a_medium_that_does_not_come_is_named() {
    let blind = with("up.video:loss=100%").verdict(&[]);
    assert_eq!(
        (&blind.reasons[..], &blind.faults[..]),
        (&["no video arrived".into()][..], &[Fault::NoPicture][..])
    );
    let deaf = with("up.audio:loss=100%").verdict(&[]);
    assert_eq!(
        (&deaf.reasons[..], &deaf.faults[..]),
        (&["no audio arrived".into()][..], &[Fault::NoSound][..])
    );
}

#[test]
fn silent_sound_is_named() {
    let outcome = playing(Box::new(Silence));
    let verdict = outcome.verdict(&[]);
    assert_eq!(verdict.faults, [Fault::SilentSound], "{verdict}");
    assert!(verdict.reasons[0].contains("100 % of the sound was silence"), "{verdict}");
    assert_way_back_is_good(&outcome);
}

#[test]
fn swapped_sound_is_named_and_another_wrong_tone_is_not_taken_for_it() {
    // What the callee plays comes back to it.
    let outcome = playing(tone(TONES[1]));
    let verdict = outcome.verdict(&[]);
    assert_eq!(verdict.faults, [Fault::SwappedSound], "{verdict}");
    assert!(verdict.reasons[0].starts_with("swapped sound: its own tone of 1499"), "{verdict}");
    let wrong = playing(tone(700.0)).verdict(&[]);
    assert!(!wrong.good && wrong.faults.is_empty(), "{wrong}");
    assert_eq!(wrong.reasons, ["the tone was 700.0 Hz, not 997.0 Hz"]);
}

#[test]
fn the_sounds_of_two_calls_that_were_exchanged_are_named_in_both() {
    // Two calls whose callers play 997 Hz and 700 Hz; each callee gets the other one's.
    for (heard, expected) in [(700.0, 997.0), (997.0, 700.0)] {
        let tones = Tones { expected: Some(expected), others: vec![(heard, "the other call's".into())] };
        let expected = Expectation { pattern: true, tones, ..Expectation::default() };
        let verdict = playing(tone(heard)).record.verdict(&expected);
        assert_eq!(verdict.faults, [Fault::SwappedSound], "{verdict}");
        assert!(verdict.reasons[0].contains("the other call's tone"), "{verdict}");
    }
}

#[test]
fn what_nobody_measured_fails_a_requirement_on_it() {
    let deaf = with("up.audio:loss=100%");
    let verdict = deaf.verdict(&["audio.loss<1%", "audio.tone_hz>=900"]);
    for metric in ["audio.loss", "audio.tone_hz"] {
        let check = verdict.checks.iter().find(|c| c.required && c.metric == metric).expect("a check");
        assert_eq!((check.pass, check.measured, check.measured_text.as_str()), (false, None, "unknown"));
    }
}
