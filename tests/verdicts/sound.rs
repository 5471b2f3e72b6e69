//! Holes in the sound, whether the source or the line made them.

use crate::call::Experiment;
use crate::phone::Sources;
use crate::sources::{Cut, pattern};
use crate::truth::assert_near;
use visavis::impair::{Traffic, Way};

/// Sound is looked at in blocks of 5 ms.
const BLOCK_MS: f64 = 5.0;

#[test]
fn holes_in_the_sound_are_counted_and_measured() {
    // Between the beeps at the start of each second, which are not the tone's.
    let holes = [(1_300, 40), (2_400, 200), (3_300, 120)];
    let sources = Sources { video: pattern(), audio: Box::new(Cut::new(&holes)) };
    let outcome = Experiment { sources, ..Experiment::default() }.run();
    assert_eq!(outcome.measured("audio.dropouts"), holes.len() as f64);
    let total: u64 = holes.iter().map(|(_, length)| length).sum();
    // Each end of a hole may lie within a block.
    let tolerance = 2.0 * BLOCK_MS * holes.len() as f64;
    assert_near("all holes", outcome.measured("audio.dropouts_ms"), total as f64, tolerance);
    assert_near("the longest", outcome.measured("audio.longest_dropout_ms"), 200.0, 2.0 * BLOCK_MS);
    outcome.assert_told_apart("audio.longest_dropout_ms", 200.0, 2.0 * BLOCK_MS);
}

#[test]
fn an_outage_of_the_line_is_heard_but_for_what_the_decoder_makes_up() {
    let outcome = Experiment { impair: "up.audio:outage=2400ms+500ms", ..Experiment::default() }.run();
    let missing = outcome.log.counts(Way::Up, Traffic::Audio).outage as f64 * 20.0;
    // Sound that is made up is sound until it has faded away.
    let made_up = outcome.record.media.sound_concealed as f64 * 20.0;
    let heard = outcome.measured("audio.dropouts_ms");
    assert!((400.0..=600.0).contains(&missing) && made_up < missing / 2.0, "{missing} ms, {made_up} made up");
    assert!((missing - made_up..=missing + 2.0 * BLOCK_MS).contains(&heard), "{heard} of {missing} ms");
    let verdict = outcome.verdict(&[]);
    assert!(
        !verdict.good && verdict.reasons.iter().any(|r| r.contains("of the sound dropped out")),
        "{verdict}"
    );
}
