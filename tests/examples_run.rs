//! The examples do what they say. `loopback` and `custom_ske` are run in here; that the others build is what `cargo test` sees to.

#[path = "../examples/loopback.rs"]
#[allow(dead_code, reason = "its main function is not called")]
mod loopback;

#[path = "../examples/custom_ske.rs"]
#[allow(dead_code, reason = "its main function is not called")]
mod custom_ske;

use std::time::Duration;
use visavis::proto::io::EndReason;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_of_a_key_exchange_greets_both_ways_and_lets_media_flow() {
    let [caller, callee] = custom_ske::greet(Duration::from_millis(500)).await.expect("loopback is there");
    assert_eq!(caller.messages, ["sent 1;0 hello, callee", "heard 2;0 hello, caller"]);
    assert_eq!(callee.messages, ["heard 1;0 hello, callee", "sent 2;0 hello, caller"]);
    assert!(caller.finished && callee.finished);
    assert_eq!(caller.end.expect("it ended"), EndReason::LocalHangup);
    assert_eq!(callee.end.expect("it ended"), EndReason::RemoteHangup);
}
