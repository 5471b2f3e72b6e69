//! Sound through real callbacks, and where there is none.

use crate::harness::VISAVIS;
use crate::server::*;
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};

#[test]
fn the_tone_comes_out_of_the_speaker_whole() {
    let server = Server::start();
    let file = server.file("heard.raw");
    let record = ["--raw", "--rate=48000", "--channels=1", "--format=s16le", "-d", "one.monitor"];
    let out = fs::File::create(&file).expect("a file");
    let mut recorder = server.command("parec", &record).stdout(out).spawn().expect("parec runs");
    let output = server.visavis(&["devices", "--test-speaker", "--duration", "4s"], ("PULSE_SINK", "one"));
    recorder.kill().expect("it runs");
    recorder.wait().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let speaker = event(&output, "speaker");
    assert!(speaker["callbacks"].as_u64() > Some(100), "{speaker}");
    let raw = fs::read(file).expect("sound");
    let sound: Vec<i16> = raw.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
    let first = sound.iter().position(|s| s.abs() > 1_000).expect("something is heard");
    // Seconds have a beep in their first tenth: between two there is nothing but the tone.
    let windows = sound[first..].windows(14_400).step_by(4_800);
    let best = windows.map(|w| least_share(w, 997.0)).fold(0.0, f64::max);
    assert!(best > 0.95, "{best} of it is the tone; {speaker}");
}

#[test]
fn what_is_played_is_heard_by_the_microphone() {
    let server = Server::start();
    let file = server.file("tone.raw");
    fs::write(&file, tone(500.0, 8)).expect("a file");
    let play = ["--raw", "--rate=48000", "--channels=1", "--format=s16le", "-d", "two"];
    let input = fs::File::open(&file).expect("a file");
    let mut player = server.command("pacat", &play).stdin(input).spawn().expect("pacat runs");
    let output =
        server.visavis(&["devices", "--test-mic", "--duration", "3s"], ("PULSE_SOURCE", "two.monitor"));
    player.kill().expect("it runs");
    player.wait().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let microphone = event(&output, "microphone");
    let peak = microphone["peak_dbfs"].as_f64().expect("a level");
    assert!((-12.6..-11.4).contains(&peak), "{microphone}");
    let listed = server.visavis(&["devices"], ("PULSE_SINK", "one"));
    let device = event(&listed, "device");
    assert_eq!(listed.status.code(), Some(0), "{device}");
}

#[test]
fn a_call_that_rings_is_heard_on_the_speaker_until_its_caller_gives_up() {
    let server = Server::start();
    let (file, address) = (server.file("rung.raw"), format!("127.0.0.1:{}", free_port()));
    let record = ["--raw", "--rate=48000", "--channels=1", "--format=s16le", "-d", "one.monitor"];
    let out = fs::File::create(&file).expect("a file");
    let mut recorder = server.command("parec", &record).stdout(out).spawn().expect("parec runs");
    // Somebody sits at a terminal, and types nothing.
    let answer = format!("exec '{}' answer --ask --speaker --max-calls 1 --listen {address}", VISAVIS);
    let mut person = server.command("script", &["-qfec", &answer, "/dev/null"]);
    person.env("PULSE_SINK", "one").stdin(Stdio::piped()).stdout(Stdio::piped());
    let person = person.spawn().expect("script is needed: apt-get install -y bsdutils");
    let call = ["call", &address, "--listen", "127.0.0.1:0", "--ring-timeout", "5s"];
    let caller = server.visavis(&call, ("PULSE_SINK", "two"));
    assert_eq!(caller.status.code(), Some(1), "{caller:?}");
    let said = person.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&said.stdout);
    assert!(said.contains("answer it?") && said.contains("the caller gave up"), "{said}");
    assert!(!said.contains("on the terminal alone") && !said.contains('\u{7}'), "{said}");
    recorder.kill().expect("it runs");
    recorder.wait().expect("it ends");
    let raw = fs::read(file).expect("sound");
    let sound: Vec<i16> = raw.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
    // Two strokes of 0.4 s, the second 0.6 s after the first, then a pause until 3 s after it, in twentieths of a second. The first
    // and the last of a stroke are not whole; and on a busy machine there are gaps, but not in all strokes.
    let first = sound.iter().position(|s| s.abs() > 1_000).expect("something is heard");
    let rings = |part: &[i16]| share(part, 440.0) + share(part, 480.0) > 0.9;
    let ringing: Vec<bool> = sound[first..].chunks_exact(2_400).map(rings).collect();
    for stroke in [1, 13] {
        let heard = |from: usize| ringing.iter().skip(from).take(6).filter(|rings| **rings).count();
        let most = heard(stroke).max(heard(stroke + 60));
        assert!(most >= 4, "{most} of 6 parts of a stroke are its two pitches: {ringing:?}");
    }
    for pause in [1.2, 2.2] {
        let begin = first + (pause * 48_000.0) as usize;
        let quiet = sound[begin..begin + 9_600].iter().all(|s| s.abs() < 300);
        assert!(quiet, "it is not quiet {pause} s after it began: {ringing:?}");
    }
}

#[test]
fn silence_and_no_device_at_all_are_said_in_one_line() {
    let server = Server::start();
    let silent =
        server.visavis(&["devices", "--test-mic", "--duration", "1s"], ("PULSE_SOURCE", "one.monitor"));
    assert_eq!(silent.status.code(), Some(1), "{silent:?}");
    assert!(event(&silent, "error")["text"].as_str().is_some_and(|t| t.contains("silence")));
    for arguments in [["devices", "--test-mic=nobody"], ["devices", "--test-camera=nobody"]] {
        let absent = server.visavis(&arguments, ("PULSE_SINK", "one"));
        assert_eq!(absent.status.code(), Some(3), "{absent:?}");
        let text = event(&absent, "error")["text"].to_string();
        assert!(text.contains("there is none") && text.contains("nobody"), "{text}");
    }
}

/// Samples a second of what is looked through for chirps.
const SEARCHED: usize = 8_000;

/// A tenth of a second from 400 to 2400 Hz, at that rate.
fn chirp(rate: usize) -> Vec<f64> {
    let samples = (0..rate / 10).map(|n| {
        let t = n as f64 / rate as f64;
        let fade = (std::f64::consts::PI * t / 0.1).sin().powi(2);
        fade * (std::f64::consts::TAU * (400.0 * t + 10_000.0 * t * t)).sin()
    });
    samples.collect()
}

/// Where chirps begin in sound at 48 kHz, seconds.
fn chirps(sound: &[f64]) -> Vec<f64> {
    let coarse: Vec<f64> = sound.chunks_exact(6).map(|six| six.iter().sum::<f64>() / 6.0).collect();
    let template = chirp(SEARCHED);
    let likeness: Vec<f64> = coarse
        .windows(template.len())
        .map(|window| window.iter().zip(&template).map(|(a, b)| a * b).sum::<f64>().abs())
        .collect();
    let most = likeness.iter().fold(0.0f64, |a, b| a.max(*b));
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = likeness[at..].iter().position(|l| *l > most / 2.0 && most > 1_000.0) {
        let near = &likeness[at + next..(at + next + SEARCHED / 2).min(likeness.len())];
        let best = near.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(n, _)| n);
        found.push((at + next + best) as f64 / SEARCHED as f64);
        at = (at + next + SEARCHED / 2).min(likeness.len());
    }
    found
}

#[test]
fn what_is_said_at_one_end_is_heard_at_the_other() {
    let mut server = Server::with(ROOM);
    let mut second: Vec<f64> = chirp(48_000);
    second.resize(48_000, 0.0);
    let raw: Vec<u8> =
        second.iter().flat_map(|s| ((s * 16_000.0) as i16).to_le_bytes()).collect::<Vec<u8>>().repeat(60);
    let _player = server.speak(&raw);
    let (recorder, heard) = server.listen();
    let plain = ["--no-echo-cancel", "--no-noise-suppression", "--no-gain-control"];
    let eld = ["--mic", "--codecs", "aac-eld/48000/480", "--duration", "8s"];
    let [caller, callee] = call(&mut server, &[&eld[..], &plain].concat(), &["--speaker"], |_| {});
    drop(recorder);
    assert_eq!(caller.status.code(), Some(0), "{caller:?}");
    assert_eq!(callee.status.code(), Some(0), "{callee:?}");
    let raw = fs::read(heard).expect("sound");
    let side = |at: usize| -> Vec<f64> {
        raw.chunks_exact(4).map(|f| f64::from(i16::from_le_bytes([f[at], f[at + 1]]))).collect()
    };
    let (said, heard) = (chirps(&side(0)), chirps(&side(2)));
    let mut delays: Vec<f64> = heard
        .iter()
        // What was said before the recording began is in it at its ear alone.
        .filter_map(|ear| said.iter().rev().find(|mouth| *mouth < ear).map(|mouth| (ear - mouth) * 1e3))
        .collect();
    assert!(delays.len() >= 5, "{said:?} {heard:?}");
    // What it is on a quiet machine stands in docs/benchmarks.md.
    delays.sort_by(f64::total_cmp);
    assert!(delays[0] >= 10.0 && delays[delays.len() / 2] < 500.0, "{delays:?}");
    for (output, kind) in [(&caller, "microphone"), (&callee, "speaker")] {
        let opened = event(output, "device-opened");
        assert_eq!((&opened["kind"], opened["form"].as_str().is_some()), (&kind.into(), true), "{opened}");
        let media = &event(output, "call")["record"]["media"];
        let device = &media["devices"][kind];
        assert_eq!(device["opened"]["sample_rate"], 48_000, "{media}");
        let known = |value: &Value| value.as_f64().is_some_and(|ms| ms > 0.0);
        assert!(known(&device["waiting_ms"]) && known(&device["device_ms"]), "{media}");
        assert!(known(&media["sound_delay"]["jitter_buffer_ms"]), "{media}");
        assert_eq!(media["sound_delay"]["frame_ms"], 10.0, "{media}");
        let part = if kind == "speaker" { "ear_ms" } else { "mouth_ms" };
        assert!(known(&media["sound_delay"][part]), "{media}");
        let chatter = String::from_utf8_lossy(&output.stderr);
        assert!(!chatter.contains("ALSA lib"), "{chatter}");
    }
}

#[test]
fn a_call_without_any_device_is_held_with_pattern_and_tone() {
    let dir = tempfile::tempdir().expect("a directory");
    let address = format!("127.0.0.1:{}", free_port());
    let start = |arguments: &[&str]| {
        let mut command = Command::new(VISAVIS);
        command.env("HOME", dir.path()).env("XDG_RUNTIME_DIR", dir.path()).arg("--json").args(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("visavis runs")
    };
    let callee = start(&["answer", "--listen", &address, "--max-calls", "1"]);
    let devices = ["--mic=nobody", "--speaker=nobody", "--camera=nobody"];
    let call = ["call", &address, "--listen", "127.0.0.1:0", "--duration", "5s"];
    let caller = start(&[&call[..], &devices].concat());
    let [caller, callee] = [caller, callee].map(|end| end.wait_with_output().expect("it ends"));
    assert_eq!(caller.status.code(), Some(0), "{caller:?}");
    let gone = events(&caller, "device-gone");
    assert_eq!(gone.len(), 3, "{caller:?}");
    for (kind, instead) in
        [("microphone", Some("the test tone")), ("speaker", None), ("camera", Some("a card"))]
    {
        let event = gone.iter().find(|e| e["kind"] == kind).expect("each is gone");
        assert_eq!(event["instead"].as_str(), instead, "{event}");
        assert!(event["text"].as_str().is_some_and(|t| t.contains("there is none")), "{event}");
    }
    let media = &event(&callee, "call")["record"]["media"];
    assert!(media["pictures_decoded"].as_u64() > Some(5), "{media}");
    assert!(media["judgement"]["audio"]["tone_hz"].is_number(), "{media}");
}
