//! Devices that are busy, forbidden, of no usable form, or fail while they are open: ALSA's own answers, from a PCM of
//! the test's own (`unruly.c`) that ALSA loads by its configuration as it loads any other.

use crate::harness::{A_CALL, SOON, VISAVIS, Visavis, run};
use crate::server::{Home, event, events};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// errno of Linux.
const EPERM: i32 = 1;
const EIO: i32 = 5;
const EACCES: i32 = 13;
const EBUSY: i32 = 16;
const ENODEV: i32 = 19;
const ECONNREFUSED: i32 = 111;

/// What sound cards could be there.
struct Card {
    name: &'static str,
    does: String,
}

fn card(name: &'static str, does: impl Into<String>) -> Card {
    Card { name, does: does.into() }
}

/// A home where ALSA knows these cards.
fn home(cards: impl FnOnce(&Path) -> Vec<Card>) -> Home {
    let home = Home::new("");
    let plugin = home.file("libasound_module_pcm_unruly.so").display().to_string();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/devices/unruly.c");
    // Which package has it: apt-get install -y g++ libasound2-dev.
    let build = ["-Wall", "-O1", "-fPIC", "-DPIC", "-shared", "-o", &plugin, source, "-lasound", "-lm"];
    run("cc", &build);
    let mut configuration = format!("pcm_type.unruly {{ lib \"{plugin}\" }}\n");
    for (number, Card { name, does }) in cards(&home.file("trouble")).iter().enumerate() {
        configuration += &format!(
            "pcm.unruly{number} {{ type unruly {does} hint {{ show on description \"{name}\" }} }}\n"
        );
    }
    fs::write(home.file(".asoundrc"), configuration).expect("a file");
    home
}

/// What is said of each kind of trouble: how it comes about, and what is in the line.
fn troubles() -> Vec<(Card, &'static str)> {
    let absent = "there is none; plug one in, or see what there is with `visavis devices`";
    let forbidden = "not allowed; give this user (group audio or video) or program the right to it";
    let useless = "it has no format that can be used; take another one";
    vec![
        (
            card("Taken card", format!("error {EBUSY}")),
            "busy; end the program that uses it, or take another one",
        ),
        (card("Locked card", format!("error {EACCES}")), forbidden),
        (card("Guarded card", format!("error {EPERM}")), forbidden),
        (card("Vanished card", format!("error {ENODEV}")), absent),
        (
            card("Deserted card", format!("error {ECONNREFUSED}")),
            "no sound server answers; start it (PulseAudio, PipeWire), or take another device",
        ),
        (card("Telephone card", "format MU_LAW"), useless),
        (card("Slow card", "rate 5000"), useless),
        (card("Packed card", "format S24_3LE channels 7"), useless),
        (
            card("Broken card", format!("error {EIO}")),
            "it does not work; take another one, or see what there is with `visavis devices`",
        ),
    ]
}

/// Checks that a line names the device and says what is wrong and what to do.
fn check_line(text: &Value, kind: &str, name: &str, says: &str) {
    let text = text.as_str().unwrap_or_else(|| panic!("no text for {kind} {name}"));
    assert!(text.starts_with(&format!("{kind} {name}: {says}")), "{text}");
    assert!(!text.contains('\n') && text.len() < 250, "{text}");
}

#[test]
fn each_kind_of_trouble_is_said_in_a_line_of_its_own() {
    let home = home(|_| troubles().into_iter().map(|(card, _)| card).collect());
    for (Card { name, .. }, says) in troubles() {
        for (kind, option) in [("microphone", "--test-mic"), ("speaker", "--test-speaker")] {
            let output = home.visavis(&["devices", &format!("{option}={name}")], ("PULSE_SINK", "none"));
            assert_eq!(output.status.code(), Some(3), "{output:?}");
            check_line(&event(&output, "error")["text"], kind, name, says);
            for text in [&output.stdout, &output.stderr] {
                assert_eq!(String::from_utf8_lossy(text).lines().count(), 1, "{output:?}");
            }
        }
    }
    // The list has what somebody could do something about, and not all that ALSA has a name for.
    let listed = home.visavis(&["devices"], ("PULSE_SINK", "none"));
    assert_eq!(listed.status.code(), Some(0), "{listed:?}");
    let devices = events(&listed, "device");
    for (Card { name, .. }, says) in troubles() {
        let found: Vec<&Value> = devices.iter().filter(|device| device["name"] == name).collect();
        let shown = if matches!(
            name,
            "Vanished card" | "Deserted card" | "Telephone card" | "Packed card" | "Broken card"
        ) {
            0
        } else {
            2
        };
        assert_eq!(found.len(), shown, "{name}: {devices:?}");
        for device in found {
            assert_eq!(device["opens"], false, "{device}");
            check_line(&device["error"], device["kind"].as_str().expect("a kind"), name, says);
        }
    }
}

/// Begins a call of nothing but sound, whose caller has these arguments: caller and callee.
fn begin(home: &Home, arguments: &[&str]) -> [Visavis; 2] {
    let start = |arguments: &[&str]| {
        let fixed = ["--audio-only", "--listen", "127.0.0.1:0"];
        Visavis::start_by(home.command(VISAVIS, &[]), &[arguments, &fixed].concat())
    };
    let callee = start(&["answer", "--max-calls", "1"]);
    let uri = callee.address().to_string();
    [start(&[&["call", &uri], arguments].concat()), callee]
}

#[test]
fn a_call_whose_devices_are_refused_is_held_with_the_tone() {
    let home = home(|_| troubles().into_iter().map(|(card, _)| card).collect());
    let refused = troubles();
    let refused =
        refused.iter().filter(|(card, _)| matches!(card.name, "Taken card" | "Locked card" | "Slow card"));
    let calls: Vec<_> = refused
        .map(|(card, says)| {
            let (mic, speaker) = (format!("--mic={}", card.name), format!("--speaker={}", card.name));
            (card.name, *says, begin(&home, &[&mic, &speaker, "--duration", "6s"]))
        })
        .collect();
    for (name, says, [mut caller, mut callee]) in calls {
        let (ours, theirs) = (caller.finish(A_CALL), callee.finish(A_CALL));
        for (kind, instead) in [("microphone", json!("the test tone")), ("speaker", Value::Null)] {
            let gone = caller.event_where("device-gone", |event| event["kind"] == kind);
            check_line(&gone["text"], kind, name, says);
            assert_eq!((&gone["name"], &gone["instead"]), (&json!(name), &instead), "{gone}");
            let device = &ours.record["media"]["devices"][kind];
            check_line(&device["trouble"], kind, name, says);
            assert_eq!((&device["times_gone"], device["opened"].is_null()), (&json!(1), true), "{device}");
        }
        assert!(!caller.output().contains("device-opened"), "{}", caller.output());
        assert!(!caller.output().contains("device-back"), "{}", caller.output());
        assert_eq!(theirs.verdict["good"], true, "{}", callee.output());
        assert!((theirs.judged("/audio/tone_hz") - 997.0).abs() < 1.0, "{}", callee.output());
        assert!(theirs.record["duration_s"].as_f64().is_some_and(|s| s > 5.5), "{}", theirs.record);
    }
}

/// What a peer says that heard the microphone of `unruly.c` for most of a call.
fn heard_the_microphone(callee: &mut Visavis) {
    let theirs = callee.finish(SOON);
    assert!((theirs.judged("/audio/tone_hz") - 500.0).abs() < 5.0, "{}", callee.output());
}

const PLAIN: [&str; 3] = ["--no-echo-cancel", "--no-noise-suppression", "--no-gain-control"];

#[test]
fn a_device_that_was_busy_is_used_once_it_is_free() {
    let home = home(|file| vec![card("Taken card", format!("error {EBUSY} while \"{}\"", file.display()))]);
    fs::write(home.file("trouble"), "").expect("a file");
    let devices = ["--control", "--mic=taken", "--speaker=taken"];
    let [mut caller, mut callee] = begin(&home, &[&devices[..], &PLAIN].concat());
    for kind in ["microphone", "speaker"] {
        let gone = caller.event_where("device-gone", |event| event["kind"] == kind);
        check_line(&gone["text"], kind, "Taken card", "busy; ");
    }
    fs::remove_file(home.file("trouble")).expect("it is there");
    for kind in ["microphone", "speaker"] {
        let back = caller.event_where("device-back", |event| event["kind"] == kind);
        assert_eq!(
            (&back["name"], &back["form"]),
            (&json!("Taken card"), &json!("48000 Hz, 1 channel, i16"))
        );
    }
    caller.done(json!({ "command": "wait", "seconds": 10 }));
    let devices = caller.done(json!({ "command": "stats" }))["devices"].take();
    let level = devices["microphone"]["peak_dbfs"].as_f64();
    assert!(level.is_some_and(|level| (-12.6..-11.4).contains(&level)), "{devices}");
    caller.done(json!({ "command": "hangup" }));
    assert!(!caller.output().contains("device-opened"), "{}", caller.output());
    heard_the_microphone(&mut callee);
}

#[test]
fn a_device_that_fails_while_it_is_open_is_lost_and_used_again_when_it_works() {
    // One says that it is gone, as ALSA does of a card that is unplugged; one has nothing but errors.
    let home = home(|file| {
        [("Unplugged card", ENODEV), ("Failing card", EIO)]
            .map(|(name, error)| card(name, format!("error {error} while \"{}\"", file.display())))
            .into()
    });
    for (microphone, speaker) in [("unplugged", "failing"), ("failing", "unplugged")] {
        let (mic, speaker) = (format!("--mic={microphone}"), format!("--speaker={speaker}"));
        let [mut caller, mut callee] = begin(&home, &[&["--control", &mic, &speaker][..], &PLAIN].concat());
        for kind in ["microphone", "speaker"] {
            caller.event_where("device-opened", |event| event["kind"] == kind);
        }
        caller.done(json!({ "command": "wait", "seconds": 1 }));
        fs::write(home.file("trouble"), "").expect("a file");
        for kind in ["microphone", "speaker"] {
            let gone = caller.event_where("device-gone", |event| event["kind"] == kind);
            check_line(
                &gone["text"],
                kind,
                gone["name"].as_str().expect("a name"),
                "it is gone; plug it in again",
            );
        }
        // Not every attempt is one at the right moment.
        caller.done(json!({ "command": "wait", "seconds": 3 }));
        assert!(!caller.output().contains("device-back"), "{}", caller.output());
        fs::remove_file(home.file("trouble")).expect("it is there");
        for kind in ["microphone", "speaker"] {
            caller.event_where("device-back", |event| event["kind"] == kind);
        }
        caller.done(json!({ "command": "wait", "seconds": 12 }));
        let devices = caller.done(json!({ "command": "stats" }))["devices"].take();
        for kind in ["microphone", "speaker"] {
            let device = &devices[kind];
            assert_eq!((&device["times_gone"], device["trouble"].is_null()), (&json!(1), true), "{device}");
        }
        caller.done(json!({ "command": "hangup" }));
        heard_the_microphone(&mut callee);
    }
}
