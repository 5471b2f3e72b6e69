//! Devices that are lost in mid-call, and come back.

use crate::harness::{SOON, VISAVIS, Visavis};
use crate::server::*;
use std::fs;
use std::time::{Duration, Instant};

#[test]
fn a_call_outlives_the_sound_server() {
    let mut server = Server::with(ROOM);
    let caller = ["--mic", "--speaker", "--duration", "9s"];
    let [caller, callee] = call(&mut server, &caller, &[], |server| {
        // By then the call is up and its devices are open: what was opened is counted below.
        std::thread::sleep(Duration::from_secs(4));
        server.stop();
    });
    let mut gone: Vec<String> =
        events(&caller, "device-gone").iter().map(|e| e["kind"].to_string()).collect();
    gone.sort();
    assert_eq!(gone, ["\"microphone\"", "\"speaker\""], "{caller:?}");
    assert_eq!(events(&caller, "device-opened").len(), 2, "{caller:?}");
    let lost = event(&caller, "device-gone");
    assert!(lost["text"].as_str().is_some_and(|text| text.contains("it is gone")), "{lost}");
    let record = &event(&callee, "call")["record"];
    assert!(record["duration_s"].as_f64().is_some_and(|s| s > 8.0), "{record}");
    let tone = record["media"]["judgement"]["audio"]["tone_hz"].as_f64();
    assert!(tone.is_some_and(|hz| (hz - 997.0).abs() < 5.0), "the tone took over: {record}");
    assert!(event(&caller, "call")["verdict"]["good"].is_boolean());
}

/// What an end says about the devices of its call.
fn kinds(end: &Visavis, name: &str) -> Vec<String> {
    let output = end.output();
    let lines = output.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut kinds: Vec<String> = lines
        .filter(|line| line["event"] == name)
        .map(|line| line["kind"].as_str().unwrap_or_default().to_owned())
        .collect();
    kinds.sort();
    kinds
}

#[test]
fn sound_is_heard_again_once_the_sound_server_is_back() {
    // What the caller hears is played elsewhere: the ear is the callee's.
    let mut server =
        Server::with(&format!("{ROOM}load-module module-null-sink sink_name=elsewhere norewinds=1\n"));
    let start = |arguments: &[&str], sink: &str| {
        let mut command = server.command(VISAVIS, &[]);
        command.env("PULSE_SOURCE", "microphone").env("PULSE_SINK", sink);
        Visavis::start_by(command, &[arguments, &["--audio-only", "--listen", "127.0.0.1:0"]].concat())
    };
    let mut callee = start(&["answer", "--max-calls", "1", "--speaker"], "ear");
    let plain = ["--no-noise-suppression", "--no-gain-control"];
    let uri = callee.address().to_string();
    // Two devices, so that an echo canceller is between them: it must not take the returned microphone's sound away.
    let mut caller =
        start(&[&["call", &uri, "--control", "--mic", "--speaker"], &plain[..]].concat(), "elsewhere");
    for kind in ["microphone", "speaker"] {
        caller.event_where("device-opened", |event| event["kind"] == kind);
    }
    callee.event("device-opened", SOON);
    server.stop();
    for kind in ["microphone", "speaker"] {
        caller.event_where("device-gone", |event| event["kind"] == kind);
    }
    callee.event("device-gone", SOON);
    server.restart();
    for kind in ["microphone", "speaker"] {
        let back = caller.event_where("device-back", |event| event["kind"] == kind);
        assert!(back["form"].as_str().is_some_and(|form| form.contains("48000 Hz")), "{back}");
    }
    callee.event("device-back", SOON);
    // What is said from now on is heard: somebody whistles, and the ear is listened at.
    let _player = server.speak(&tone(500.0, 60));
    let (_recorder, heard) = server.listen();
    let end = Instant::now() + SOON;
    let whistle = loop {
        let raw = fs::read(&heard).expect("sound");
        let ear = channel(&raw, 2, 1);
        // The newest half second: the caller's microphone all the way to the callee's speaker.
        let best = ear.rchunks_exact(24_000).map(|half| least_share(half, 500.0)).fold(0.0, f64::max);
        if best > 0.8 || Instant::now() > end {
            break best;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    assert!(whistle > 0.8, "{whistle} of what is heard is what was said: {}", caller.output());
    caller.done(serde_json::json!({ "command": "hangup" }));
    let (caller_said, callee_said) = (caller.finish(SOON), callee.finish(SOON));
    for name in ["device-opened", "device-gone", "device-back"] {
        assert_eq!(kinds(&caller, name), ["microphone", "speaker"], "{name}: {}", caller.output());
        assert_eq!(kinds(&callee, name), ["speaker"], "{name}: {}", callee.output());
    }
    let devices = &caller_said.record["media"]["devices"];
    for device in
        [&devices["microphone"], &devices["speaker"], &callee_said.record["media"]["devices"]["speaker"]]
    {
        assert_eq!((&device["times_gone"], device["trouble"].is_null()), (&1.into(), true), "{device}");
        assert!(device["opened"].is_object(), "{device}");
    }
}
