//! How calls end, those that never began too.

use super::*;

#[test]
fn the_callee_hangs_up_too() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    wire.call();
    wire.run(Duration::from_millis(100));
    let call = wire.incoming();
    wire.command(1, Command::Hangup { call });
    wire.run(Duration::from_secs(70));
    assert_eq!(
        (wire.ended(0), wire.ended(1)),
        (Some(&EndReason::RemoteHangup), Some(&EndReason::LocalHangup))
    );
    wire.assert_idle();
}

#[test]
fn a_caller_that_gives_up_cancels_and_the_callee_hears_of_it() {
    let ask = Config { answer: AnswerPolicy::Ask, ..Config::default() };
    let mut wire = Wire::new([Config::default(), ask]);
    let call = wire.call();
    wire.run(Duration::from_millis(100));
    let theirs = wire.incoming();
    wire.command(1, Command::Ring { call: theirs, status: 180 });
    wire.run(Duration::from_millis(100));
    wire.command(0, Command::Hangup { call });
    wire.run(Duration::from_secs(70));
    assert_eq!((wire.ended(0), wire.ended(1)), (Some(&EndReason::LocalHangup), Some(&EndReason::Cancelled)));
    wire.assert_idle();
}

#[test]
fn a_call_that_rings_too_long_is_cancelled() {
    let ask = Config { answer: AnswerPolicy::Ask, ..Config::default() };
    let mut wire = Wire::new([Config::default(), ask]);
    wire.call();
    wire.run(Duration::from_secs(100));
    assert!(matches!(wire.ended(0), Some(EndReason::NoResponse { .. })), "{:?}", wire.ended(0));
    assert_eq!(wire.ended(1), Some(&EndReason::Cancelled));
    wire.assert_idle();
}

#[test]
fn a_caller_gives_up_soon_on_an_address_where_nobody_is() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    wire.agents[1].1 = "192.0.2.9:16402".parse().unwrap();
    let handle = wire.agents[0].0.new_call();
    let request = CallRequest {
        target: "sip:bob@192.0.2.2:16402".into(),
        destination: "192.0.2.2:16402".parse().unwrap(),
        local: wire.agents[0].1.ip(),
        media: MediaChoice::BOTH,
        late_offer: false,
        ring_timeout: Duration::from_secs(3),
        path: None,
    };
    wire.command(0, Command::Call(handle, Box::new(request)));
    wire.run(Duration::from_secs(8));
    let silent =
        matches!(wire.ended(0), Some(EndReason::NoResponse { what }) if what.starts_with("no response"));
    assert!(silent, "{:?}", wire.ended(0));
    wire.run(Duration::from_secs(70));
    wire.assert_idle();
}

#[test]
fn a_declined_call_tells_its_status_and_one_without_a_common_codec_says_why() {
    let busy = Config { answer: AnswerPolicy::Decline(486), ..Config::default() };
    let mut wire = Wire::new([Config::default(), busy]);
    wire.call();
    wire.run(Duration::from_secs(70));
    assert!(matches!(wire.ended(0), Some(EndReason::Refused { status: 486, .. })));
    assert_eq!(wire.ended(1), Some(&EndReason::Rejected(486)));
    wire.assert_idle();

    let mut opus = Config { media: MediaChoice { audio: true, video: false }, ..Config::default() };
    opus.capabilities.audio = vec![crate::sdp::AudioCodec::Opus];
    let mut pcmu = Config::default();
    pcmu.capabilities.audio = vec![crate::sdp::AudioCodec::Pcmu];
    let mut wire = Wire::new([opus, pcmu]);
    wire.call();
    wire.run(Duration::from_secs(70));
    match wire.ended(0) {
        Some(EndReason::Refused { status: 488, reason }) => {
            assert!(reason.contains("Warning") || reason.contains("305"), "{reason}")
        }
        other => panic!("{other:?}"),
    }
    // Nobody was rung for it.
    assert!(wire.events[1].is_empty(), "{:?}", wire.events[1]);
    wire.assert_idle();
}

#[test]
fn a_call_without_media_ends_after_the_silence_that_was_set() {
    let strict = Config { media_silence: Some(Duration::from_secs(30)), ..Config::default() };
    let mut wire = Wire::new([strict, Config::default()]);
    wire.call();
    wire.run(Duration::from_secs(120));
    assert!(matches!(wire.ended(0), Some(EndReason::NoResponse { what }) if what.contains("no media")));
    assert_eq!(wire.ended(1), Some(&EndReason::RemoteHangup));
    wire.assert_idle();
}

#[test]
fn closing_ends_every_call_and_takes_no_more() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    for _ in 0..5 {
        wire.call();
    }
    wire.run(Duration::from_millis(200));
    assert_eq!(wire.agents[1].0.calls(), 5);
    wire.command(1, Command::Shutdown);
    wire.run(Duration::from_millis(100));
    wire.call();
    wire.run(Duration::from_secs(70));
    let refused = wire.events[0]
        .iter()
        .any(|e| matches!(e, Event::Ended { reason: EndReason::Refused { status: 480, .. }, .. }));
    assert!(refused);
    wire.assert_idle();
}
