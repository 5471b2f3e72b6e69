//! What is wrong with a call is what its verdict says, and nothing else: transport, pictures, sound, and what was
//! asked for.

use visavis_capture::findings::{Findings, StreamFindings};
use visavis_media::Picture;
use visavis_media::judge::{Judge, JudgeConfig, Judgement};
use visavis_media::sound::Pcm;
use visavis_media::source::AudioSource;
use visavis_media::source::pattern::{Pattern, Stamp};
use visavis_media::source::tone::{Tone, ToneSource};
use visavis_proto::io::{CallHandle, EndReason, Event};
use visavis_proto::time::Time;
use visavis_report::{
    CallRecord, Expectation, Fault, MediaReport, Requirement, SectionRecord, Tones, Verdict, verdict,
};

/// When number 0 is captured, milliseconds since the Unix epoch.
const SENT: u64 = 1_700_000_000_000;

fn section(kind: &'static str, sent: u64, received: u64, lost: i64) -> SectionRecord {
    let should = received as i64 + lost;
    SectionRecord {
        kind: Some(kind),
        direction: Some("sendrecv"),
        packets_sent: sent,
        packets_received: received,
        packets_lost: lost,
        loss: (should > 0).then(|| lost as f64 / should as f64),
        ..SectionRecord::default()
    }
}

fn record(sections: Vec<SectionRecord>) -> CallRecord {
    CallRecord { setup_ms: Some(12.0), end: Some("local-hangup"), sections, ..CallRecord::default() }
}

/// A call in which the judge saw and heard this, over a good line.
fn judged(judgement: Judgement) -> CallRecord {
    let media = MediaReport { judgement: Some(judgement), ..MediaReport::default() };
    CallRecord { media, ..record(vec![section("audio", 9, 9, 0), section("video", 9, 9, 0)]) }
}

fn at(ms: u64) -> Time {
    Time::from_millis(10_000 + ms).with_unix_offset((SENT as i64 - 10_000) * 1_000_000)
}

/// Two seconds of pattern and tone, changed on the way, judged at `until` milliseconds.
fn seen_and_heard(
    arrivals: impl IntoIterator<Item = (u32, u64)>,
    tone: Tone,
    change: fn(i16) -> i16,
    until: u64,
) -> CallRecord {
    let mut judge = Judge::new(JudgeConfig::default());
    let pattern = Pattern::new(176, 144).unwrap();
    for (number, ms) in arrivals {
        let stamp = Stamp { number, captured_us: (SENT + u64::from(number) * 40) * 1_000 };
        judge.picture(&pattern.draw(stamp).at(at(ms)), at(ms));
    }
    let mut source = ToneSource::new(tone);
    for i in 0..100 {
        let mut sound: Pcm = source.pull(at(i * 20), 24_000, 480).unwrap().at(at(i * 20 + 60));
        sound.samples_mut().iter_mut().for_each(|sample| *sample = change(*sample));
        judge.sound(&sound);
    }
    judged(judge.judgement(at(until)))
}

fn on_time(n: u32) -> (u32, u64) {
    (n, u64::from(n) * 40 + 60)
}

fn good_call() -> CallRecord {
    seen_and_heard((0..50).map(on_time), Tone::default(), |s| s, 2_060)
}

fn strict() -> Expectation {
    let tones = Tones { expected: Some(997.0), others: vec![(1_499.0, "our own".into())] };
    Expectation { pattern: true, tones, ..Expectation::default() }
}

fn asked(require: &[&str]) -> Expectation {
    let require = require.iter().map(|text| text.parse::<Requirement>().unwrap()).collect();
    Expectation { require, ..Expectation::default() }
}

fn assert_bad(verdict: &Verdict, reasons: &[&str], faults: &[Fault]) {
    assert!(!verdict.good);
    assert_eq!(verdict.reasons, reasons);
    assert_eq!(verdict.faults, faults);
}

#[test]
fn media_in_one_direction_and_missing_media_are_named() {
    let plain = Expectation::default();
    let good = record(vec![section("audio", 9, 9, 0), section("video", 9, 9, 0)]);
    assert!(good.verdict(&plain).good);
    let verdict = |sections| record(sections).verdict(&plain);
    let deaf = verdict(vec![section("audio", 9, 0, 0)]);
    assert_bad(&deaf, &["one-way: nothing arrived"], &[Fault::OneWay]);
    let mute = verdict(vec![section("audio", 0, 9, 0)]);
    assert_bad(&mute, &["one-way: nothing was sent"], &[Fault::OneWay]);
    let dead = verdict(vec![section("audio", 0, 0, 0)]);
    assert_bad(&dead, &["no media in either direction"], &[Fault::NoMedia]);
    let blind = verdict(vec![section("audio", 9, 9, 0), section("video", 9, 0, 0)]);
    assert_bad(&blind, &["no video arrived"], &[Fault::NoPicture]);
    let lossy = verdict(vec![section("audio", 9, 90, 10)]);
    assert_bad(&lossy, &["audio: 10.0 % of the packets were lost"], &[]);
    assert!(record(Vec::new()).verdict(&Expectation { media: false, ..plain }).good);
}

#[test]
fn a_direction_that_was_agreed_to_be_silent_is_not_held_against_a_call() {
    let directed = |direction, section| record(vec![SectionRecord { direction: Some(direction), ..section }]);
    let plain = Expectation::default();
    assert!(directed("recvonly", section("audio", 0, 9, 0)).verdict(&plain).good);
    assert!(directed("sendonly", section("audio", 9, 0, 0)).verdict(&plain).good);
    assert!(!directed("recvonly", section("audio", 0, 0, 0)).verdict(&plain).good);
}

#[test]
fn a_call_that_did_not_come_about_says_why() {
    let mut failed = CallRecord::outgoing("sip:a@b");
    let reason = EndReason::Refused { status: 486, reason: "Busy Here".into() };
    failed.observe(&Event::Ended { call: CallHandle(1), reason, stats: Vec::new() }, None);
    let verdict = failed.verdict(&Expectation::default());
    assert!(!verdict.good && verdict.to_string().contains("486 Busy Here"), "{verdict}");
    assert_eq!((verdict.reasons.len(), &verdict.faults[..]), (1, &[Fault::NoCall][..]));
}

#[test]
fn a_good_call_is_held_against_every_default_and_keeps_them() {
    let verdict = good_call().verdict(&strict());
    assert!(verdict.good, "{verdict}");
    let names: Vec<&str> = verdict.checks.iter().map(|c| c.metric.as_str()).collect();
    let wanted = "established regular_end packets_received packets_sent audio.packets_received audio.loss \
        video.packets_received video.loss video.pictures video.read video.longest_freeze_ms video.frame_rate \
        video.unreadable video.psnr_db audio.duration_s audio.silence audio.dropout audio.tonal audio.clipped \
        audio.tone_hz sync.apart_ms";
    assert_eq!(names, wanted.split_whitespace().collect::<Vec<_>>());
    let freeze = verdict.checks.iter().find(|c| c.metric == "video.longest_freeze_ms").unwrap();
    assert_eq!((freeze.measured_text.as_str(), freeze.threshold_text.as_str()), ("40 ms", "<= 1000 ms"));
    assert!(!freeze.required && freeze.fault.is_none() && freeze.reason.is_none());
}

#[test]
fn pictures_that_are_missing_frozen_slow_or_nobodys_are_told_apart() {
    let of = |judgement: Judgement| judged(judgement).verdict(&strict());
    let nothing = of(Judgement::default());
    assert_bad(&nothing, &["no picture came", "no sound came"], &[Fault::NoPicture, Fault::NoSound]);
    let pictures = |arrivals: Vec<(u32, u64)>, until| {
        seen_and_heard(arrivals, Tone::default(), |s| s, until).verdict(&strict())
    };
    let frozen = pictures((0..50).map(on_time).collect(), 4_020);
    assert_bad(&frozen, &["the picture froze for 2000 ms"], &[Fault::FrozenPicture]);
    let slow = pictures((0..6).map(|n| (n * 10, u64::from(n) * 400 + 60)).collect(), 2_060);
    assert_bad(&slow, &["2.5 pictures a second are too few"], &[]);

    let mut judge = Judge::new(JudgeConfig::default());
    judge.picture(&Picture::new(64, 48).unwrap(), at(0));
    let mut camera = judge.judgement(at(0));
    camera.audio = good_call().media.judgement.unwrap().audio;
    let verdict = of(camera.clone());
    let words = "pictures came, but the test pattern was in none of them";
    assert_bad(&verdict, &[words], &[Fault::NoPattern]);
    // Of a peer that may show anything that is no fault.
    assert!(judged(camera).verdict(&Expectation::default()).good);
}

#[test]
fn silent_swapped_wrong_and_clipped_sound_are_told_apart() {
    let sound = |frequency: f64, change: fn(i16) -> i16| {
        let tone = Tone { frequency, ..Tone::default() };
        seen_and_heard((0..50).map(on_time), tone, change, 2_060).verdict(&strict())
    };
    let silent = sound(997.0, |_| 0);
    assert_bad(&silent, &["100 % of the sound was silence"], &[Fault::SilentSound]);
    let swapped = sound(1_499.0, |s| s);
    assert_bad(&swapped, &["swapped sound: our own tone of 1499.0 Hz, not 997.0 Hz"], &[Fault::SwappedSound]);
    let wrong = sound(1_085.2, |s| s);
    assert_bad(&wrong, &["the tone was 1085.2 Hz, not 997.0 Hz"], &[]);
    let loud = sound(997.0, |s| s.saturating_mul(12));
    assert!(loud.reasons.iter().any(|r| r.ends_with("of the sound was clipped")), "{loud}");
}

#[test]
fn what_was_asked_for_is_held_against_the_call_and_fails_where_it_is_unknown() {
    let good = good_call();
    let verdict =
        good.verdict(&asked(&["video.psnr_db>=30", "audio.loss<1%", "video.longest_freeze_ms<100"]));
    assert!(verdict.good, "{verdict}");
    let required: Vec<&str> =
        verdict.checks.iter().filter(|c| c.required).map(|c| c.metric.as_str()).collect();
    assert_eq!(required, ["video.psnr_db", "audio.loss", "video.longest_freeze_ms"]);

    let unknown = good.verdict(&asked(&["video.latency_ms.p95<=200"]));
    assert_bad(&unknown, &["video.latency_ms.p95 is unknown, and <= 200 ms is required"], &[]);
    assert_eq!(unknown.checks.last().unwrap().measured, None);

    let frozen = seen_and_heard((0..50).map(on_time), Tone::default(), |s| s, 4_020);
    let verdict = frozen.verdict(&asked(&["video.longest_freeze_ms<=500"]));
    let words = "frozen picture: video.longest_freeze_ms is 2000 ms, not <= 500 ms";
    assert_bad(&verdict, &[words], &[Fault::FrozenPicture]);
    // The default of one second gives way to what was asked for.
    assert!(frozen.verdict(&asked(&["video.longest_freeze_ms<=2500"])).good);
    let silent = seen_and_heard((0..50).map(on_time), Tone::default(), |_| 0, 2_060);
    assert!(silent.verdict(&Expectation::default()).good, "a peer may be silent");
    let verdict = silent.verdict(&asked(&["audio.silence<50%"]));
    assert_bad(&verdict, &["silent sound: audio.silence is 100 %, not < 50 %"], &[Fault::SilentSound]);
}

#[test]
fn two_sides_join_to_one_verdict_that_says_whose_is_what() {
    let bad = record(vec![section("audio", 9, 0, 0)]).verdict(&Expectation::default());
    let joined = Verdict::join([("at the caller", good_call().verdict(&strict())), ("at the callee", bad)]);
    assert_bad(&joined, &["at the callee: one-way: nothing arrived"], &[Fault::OneWay]);
    assert!(joined.checks.iter().all(|c| c.scope.is_some()));
}

#[test]
fn streams_of_a_capture_are_held_against_what_it_can_tell() {
    let stream = |(ssrc, loss)| StreamFindings {
        ssrc,
        kind: Some("video"),
        loss: Some(loss),
        ..StreamFindings::default()
    };
    let findings = Findings { streams: [(1, 0.0), (2, 0.03)].map(stream).into(), ..Findings::default() };
    let of = |text: &str| verdict::of_capture(&findings, None, &[text.parse().unwrap()]);
    assert!(of("video.loss<=5%").good);
    let lossy = of("video.loss<1%");
    assert_eq!(lossy.checks.iter().map(|c| c.pass).collect::<Vec<_>>(), [true, false]);
    let words = "video.loss is 3 %, not < 1 % (unknown to unknown, SSRC 0x00000002)";
    assert_bad(&lossy, &[words], &[]);
    // What a capture has no stream for, and what none can tell, is unknown and fails.
    assert_bad(&of("audio.loss<1%"), &["audio.loss is unknown, and < 1 % is required"], &[]);
    assert_bad(&of("video.psnr_db>=30"), &["video.psnr_db is unknown, and >= 30 dB is required"], &[]);
}
