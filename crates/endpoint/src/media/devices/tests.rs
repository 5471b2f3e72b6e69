//! Devices that are not there, and calls that want the same ones. What needs a sound server is in tests/devices.rs.

use super::*;
use crate::media::TestSources;
use std::time::{Duration, Instant};
use visavis_media::device::Trouble;
use visavis_media::picture::Picture;
use visavis_media::sound::Pcm;
use visavis_proto::Time;

type Events = Arc<Mutex<Vec<(CallHandle, DeviceEvent)>>>;

/// Devices of that kind, none of which is there.
fn absent(kinds: &[DeviceKind]) -> (Devices, Events) {
    let wanted = |kind| kinds.contains(&kind).then(|| Choice::Name("no such device".into()));
    let options = DeviceOptions {
        microphone: wanted(DeviceKind::Microphone),
        speaker: wanted(DeviceKind::Speaker),
        camera: wanted(DeviceKind::Camera),
        ..DeviceOptions::default()
    };
    let events = Events::default();
    let told = Arc::clone(&events);
    let devices =
        Devices::new(options, Clock::start(), Arc::new(TestSources::default()), move |call, event| {
            lock(&told).push((call, event));
        });
    (devices, events)
}

const CALL: CallHandle = CallHandle(1);

/// Asks until there is an answer.
fn wait<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "it takes for ever");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn loud(sound: &Pcm) -> bool {
    sound.samples().iter().any(|sample| sample.abs() > 1_000)
}

/// The single event, which says that a device is not there.
fn gone(events: &Events) -> (DeviceKind, Option<&'static str>) {
    match lock(events).as_slice() {
        [(CALL, DeviceEvent::Gone { error, instead })] => {
            assert_eq!(error.trouble, Trouble::Absent);
            (error.kind, *instead)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_tone_is_sent_where_there_is_no_microphone_and_mute_holds_for_it_too() {
    let (devices, events) = absent(&[DeviceKind::Microphone]);
    let mut source = Sources::audio(&devices, CALL).expect("a source");
    let mut pull = || source.pull(Time::from_millis(300), 48_000, 960).expect("sound");
    wait(|| Some(pull()).filter(loud));
    assert_eq!(gone(&events), (DeviceKind::Microphone, Some("the test tone")));
    assert!(devices.set_muted(CALL, true));
    assert!(!loud(&pull()));
    assert!(devices.set_muted(CALL, false));
    assert!(loud(&pull()));
    let report = devices.report(CALL).and_then(|r| r.microphone).expect("a report");
    assert!(report.trouble.is_some_and(|t| t.contains("there is none")));
    assert_eq!((report.opened, report.waiting_ms, report.times_gone), (None, None, 1));
    assert!(!devices.set_muted(CallHandle(2), true), "another call has no microphone");
}

#[test]
fn a_microphone_that_was_silenced_is_silent_behind_a_hold_and_counts_on() {
    let (devices, events) = absent(&[DeviceKind::Microphone]);
    let begin = || Sources::audio(&devices, CALL).expect("a source");
    let pull =
        |source: &mut Box<dyn AudioSource>| source.pull(Time::from_millis(300), 48_000, 960).expect("sound");
    let mut source = begin();
    wait(|| Some(pull(&mut source)).filter(loud));
    assert!(devices.set_muted(CALL, true));
    drop(source);
    wait(|| devices.0.session(CALL).is_none().then_some(()));
    let mut source = begin();
    wait(|| {
        assert!(!loud(&pull(&mut source)));
        (lock(&events).len() == 2).then_some(())
    });
    assert!(!loud(&pull(&mut source)));
    let report = devices.report(CALL).and_then(|r| r.microphone).expect("a report");
    assert_eq!((report.times_gone, report.muted), (2, true));
    drop(source);
    wait(|| devices.0.session(CALL).is_none().then_some(()));
    assert!(devices.set_muted(CALL, false), "it has none now, and will have one");
    let mut source = begin();
    wait(|| Some(pull(&mut source)).filter(loud));
}

#[test]
fn calls_that_are_yet_to_come_begin_as_was_said_last() {
    let (devices, events) = absent(&[DeviceKind::Microphone]);
    let heard = |call: u64, muted: bool| {
        devices.begin_muted(muted);
        let told = lock(&events).len();
        let mut source = Sources::audio(&devices, CallHandle(call)).expect("a source");
        let mut pull = || source.pull(Time::from_millis(300), 48_000, 960).expect("sound");
        wait(|| {
            pull();
            (lock(&events).len() > told).then_some(())
        });
        let heard = loud(&pull());
        drop(source);
        wait(|| devices.0.session(CallHandle(call)).is_none().then_some(()));
        heard
    };
    assert!(!heard(1, true));
    assert!(heard(2, false));
    assert!(!heard(3, true));
}

#[test]
fn a_card_is_sent_where_there_is_no_camera() {
    let (devices, events) = absent(&[DeviceKind::Camera]);
    let mut source = Sources::video(&devices, CALL).expect("a source");
    source.suit((320, 240), 15.0);
    let mut now = Time::ZERO;
    let mut next = || {
        now += Duration::from_millis(50);
        source.next(now)
    };
    let first = wait(&mut next);
    assert_eq!(first.size(), (320, 240));
    let second = wait(&mut next);
    assert_eq!(second.sequence, first.sequence + 1);
    let drawn = |picture: Picture| picture.at(Time::ZERO).numbered(0);
    assert!(drawn(first) == drawn(second), "it stands still");
    assert_eq!(gone(&events), (DeviceKind::Camera, Some("a card")));
}

#[test]
fn a_call_goes_on_where_there_is_no_speaker() {
    let (devices, events) = absent(&[DeviceKind::Speaker]);
    let mut sink = Sinks::audio(&devices, CALL).expect("a sink");
    let sound = Pcm::silence(480, 48_000, 1).expect("silence");
    let mut play = || sink.play(&sound).expect("it does not fail");
    wait(|| {
        play();
        (!lock(&events).is_empty()).then_some(())
    });
    play();
    assert_eq!(gone(&events), (DeviceKind::Speaker, None));
    let source = Sources::audio(&devices, CALL);
    assert!(source.is_some(), "what it would send anyway");
}

#[test]
fn one_call_has_the_devices_until_it_is_over() {
    let (devices, events) = absent(&[DeviceKind::Microphone, DeviceKind::Speaker]);
    let first = Sources::audio(&devices, CALL);
    let again = Sources::audio(&devices, CALL);
    for _ in 0..2 {
        let mut other = Sources::audio(&devices, CallHandle(2)).expect("the tone");
        assert!(other.pull(Time::from_millis(300), 48_000, 960).is_some_and(|sound| loud(&sound)));
        assert!(Sinks::audio(&devices, CallHandle(2)).is_none());
    }
    let taken = (CallHandle(2), DeviceEvent::Taken { by: CALL });
    assert_eq!(lock(&events).iter().filter(|event| **event == taken).count(), 1);
    assert_eq!(devices.report(CallHandle(2)), None);
    drop((first, again));
    assert!(wait(|| Sinks::audio(&devices, CallHandle(3)).map(|_| true)));
    let over = devices.report(CALL).expect("it is remembered");
    assert!(over.microphone.is_some() && over.camera.is_none());
}

#[test]
fn the_report_is_there_whoever_had_the_devices_last() {
    let (devices, _) = absent(&[DeviceKind::Microphone]);
    for call in (0..50).map(CallHandle) {
        // The thread that opens devices or tries them again may be the last to let go of them.
        let last = wait(|| devices.0.claim(call));
        let book = lock(&devices.0.book);
        let ends = std::thread::spawn(move || drop(last));
        std::thread::sleep(Duration::from_millis(2));
        drop(book);
        assert!(devices.report(call).is_some(), "{call:?}");
        ends.join().expect("it ends");
    }
}
