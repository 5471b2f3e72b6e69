//! The examples do what they say. `loopback` is run in here; that the others build is what `cargo test` sees to.

#[path = "../examples/loopback.rs"]
#[allow(dead_code, reason = "its main function is not called")]
mod loopback;

use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loopback_example_holds_a_call_that_both_sides_see_and_hear() {
    let records = loopback::hold_a_call(Duration::from_secs(3)).await.expect("loopback is there");
    let ends = records.each_ref().map(|r| r.end);
    assert_eq!(ends, [Some("local-hangup"), Some("remote-hangup")]);
    for record in &records {
        assert!(record.duration_s.is_some_and(|s| s > 2.0), "{record:?}");
        let kinds: Vec<_> = record.sections.iter().filter_map(|s| s.kind).collect();
        assert_eq!(kinds, ["audio", "video"]);
        for section in &record.sections {
            assert!(section.packets_sent > 0 && section.packets_received > 0, "{section:?}");
        }
        // How many pictures it is depends on how busy the machine is.
        let judgement = record.media.judgement.as_ref().expect("a judge was asked for");
        assert!(judgement.video.read > 0, "{judgement:?}");
        assert!(judgement.audio.tone_hz.is_some(), "{judgement:?}");
    }
}
