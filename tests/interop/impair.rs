//! `--impair` and `--require` in real calls: what a call says of itself against what the engine's log says was done
//! to it. Bounds are wider than in tests/verdicts, which has the same on a virtual clock.

use crate::harness::{A_CALL, SOON, Scratch, Visavis, alone};
use crate::wire::count;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

/// A picture at 30 a second, milliseconds.
const FRAME_MS: f64 = 1_000.0 / 30.0;

/// A demo that was impaired.
struct Demo {
    ran: Output,
    record: Value,
    /// What became of each datagram.
    log: Vec<Value>,
}

fn demo(out: &Path, args: &[&str]) -> Demo {
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
    let ran = command.args(["demo", "--duration", "5s", "--out"]).arg(out).args(args).output();
    let ran = ran.expect("visavis runs");
    let read = |name: &str| std::fs::read_to_string(out.join(name)).expect(name);
    let record: Value = serde_json::from_str(&read("call.json")).expect("JSON");
    let line = |line: &str| serde_json::from_str(line).expect("JSON");
    let log = read("impairment.jsonl").lines().map(line).collect();
    let good = record["verdict"]["good"].as_bool().expect("a verdict");
    assert_eq!(ran.status.code(), Some(i32::from(!good)), "{}", String::from_utf8_lossy(&ran.stdout));
    Demo { ran, record, log }
}

impl Demo {
    fn said(&self) -> String {
        String::from_utf8_lossy(&self.ran.stdout).into_owned()
    }

    /// What the caller's line did to one kind of its datagrams, in order.
    fn sent(&self, kind: &str) -> Vec<&Value> {
        self.log.iter().filter(|e| e["way"] == "up" && e["kind"] == kind).collect()
    }

    /// A figure of the callee.
    fn judged(&self, path: &str) -> f64 {
        let value = self.record["callee"]["media"]["judgement"].pointer(path).and_then(Value::as_f64);
        value.unwrap_or_else(|| panic!("nothing at {path}: {}", self.record["callee"]["media"]))
    }

    fn section(&self, kind: &str) -> &Value {
        let sections = self.record["callee"]["sections"].as_array().expect("sections");
        sections.iter().find(|s| s["kind"] == kind).expect("a section")
    }

    fn faults(&self) -> Vec<&str> {
        let faults = self.record["verdict"]["faults"].as_array().expect("faults");
        faults.iter().filter_map(Value::as_str).collect()
    }
}

/// How many came, and how many are missing between the first and the last that did.
fn visible(sent: &[&Value]) -> (u64, u64) {
    let came = |entry: &&Value| entry["fate"] == "arrives";
    let first = sent.iter().position(came).expect("one that came");
    let last = sent.iter().rposition(came).expect("one that came");
    let received = sent[first..=last].iter().filter(|e| came(e)).count();
    (received as u64, (last - first + 1 - received) as u64)
}

#[test]
fn loss_and_latency_of_a_demo_are_those_of_the_log() {
    let _alone = alone();
    let scratch = Scratch::new();
    let out = scratch.file("demo");
    let demo = demo(&out, &["--impair", "up:loss=3%,delay=60ms", "--impair-seed", "4"]);
    assert!(
        demo.said().contains("impaired at the caller: up:loss=3%,delay=60ms (seed 4)"),
        "{}",
        demo.said()
    );
    for kind in ["audio", "video"] {
        let (received, lost) = visible(&demo.sent(kind));
        assert!(lost > 2, "{lost} of {received} {kind} packets lost");
        let section = demo.section(kind);
        assert_eq!(section["packets_received"].as_u64(), Some(received), "{section}");
        assert_eq!(section["packets_lost"].as_u64(), Some(lost), "{section}");
    }
    // The pictures' own way through codecs and sockets of this machine comes on top of the line.
    let latency = demo.judged("/video/latency_ms/median");
    assert!((60.0..60.0 + FRAME_MS).contains(&latency), "{latency} ms");
    // The capture is the callee's: it has what arrived, and nothing that was lost.
    let capture = out.join("call.pcapng");
    for kind in ["audio", "video"] {
        let sent = demo.sent(kind);
        let ssrc = sent[0]["ssrc"].as_u64().expect("an SSRC");
        let arrived = sent.iter().filter(|e| e["fate"] == "arrives").count();
        assert_eq!(count(&capture, &format!("rtp.ssrc == {ssrc:#x}")), arrived, "{kind}");
    }
    what_the_capture_tells(&demo, &capture);
}

/// The streams in the capture have lost what the log says, and requirements on them hold or not by that.
fn what_the_capture_tells(demo: &Demo, capture: &Path) {
    let inspect = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
        command.args(["--json", "inspect"]).arg(capture).args(args).output().expect("visavis runs")
    };
    let ran = inspect(&["--require", "video.loss<=50%", "--require", "audio.jitter_ms<50"]);
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    let said = String::from_utf8_lossy(&ran.stdout);
    let events: Vec<Value> = said.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    for kind in ["audio", "video"] {
        let sent = demo.sent(kind);
        let stream = events.iter().find(|e| e["event"] == "stream" && e["ssrc"] == sent[0]["ssrc"]);
        let stream = stream.unwrap_or_else(|| panic!("no {kind} stream: {said}"));
        let (received, lost) = visible(&sent);
        assert_eq!(
            (stream["packets"].as_u64(), stream["lost"].as_u64()),
            (Some(received), Some(lost)),
            "{kind}"
        );
    }
    // One of the two streams of pictures lost some; and no capture tells a PSNR.
    for (requirement, words) in
        [("video.loss==0%", "not == 0 %"), ("video.psnr_db>=30", "unknown, and >= 30 dB")]
    {
        let ran = inspect(&["--require", requirement]);
        let said = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(1), "{said}");
        assert!(said.contains("verdict: bad: ") && said.contains(words), "{said}");
    }
}

#[test]
fn an_outage_of_the_pictures_is_a_frozen_picture_for_as_long_as_it_lasted() {
    let _alone = alone();
    let scratch = Scratch::new();
    let demo = demo(&scratch.file("demo"), &["--impair", "up.video:outage=1500ms+1500ms"]);
    assert_eq!(demo.faults(), ["frozen-picture"], "{}", demo.said());
    let sent = demo.sent("video");
    let time = |entry: &&Value| entry["t"].as_f64().expect("a time") * 1e3;
    let first = sent.iter().position(|e| e["fate"] == "outage").expect("an outage");
    let last = sent.iter().rposition(|e| e["fate"] == "outage").expect("an outage");
    let gap = time(&sent[last + 1]) - time(&sent[first - 1]);
    assert!((1_400.0..1_700.0).contains(&gap), "{gap} ms without a packet");
    // Until the key frame that the callee asks for: by RTCP, and by what the caller grants within a second.
    let freeze = demo.judged("/video/longest_freeze_ms");
    assert!(
        (gap - FRAME_MS..gap + 1_000.0).contains(&freeze),
        "{freeze} ms frozen, {gap} ms without a packet"
    );
}

#[test]
fn a_demo_in_one_direction_is_named_and_its_way_back_is_good() {
    let _alone = alone();
    let scratch = Scratch::new();
    let demo = demo(&scratch.file("demo"), &["--impair", "up.rtp:loss=100%"]);
    assert_eq!(demo.faults(), ["one-way"], "{}", demo.said());
    assert!(
        demo.said().contains("verdict: bad: at the callee: one-way: nothing arrived\n"),
        "{}",
        demo.said()
    );
}

#[test]
fn what_is_required_decides_and_is_shown() {
    let _alone = alone();
    let scratch = Scratch::new();
    let file = scratch.write("thresholds.toml", "[video]\nlatency_ms = \"< 100\"\npsnr_db = \">= 35\"\n");
    let file = file.to_str().expect("a path in UTF-8");
    let out = scratch.file("demo");
    let line = ["--impair", "up:delay=60ms;down:loss=0%"];
    let good = demo(&out, &[&line[..], &["--thresholds", file, "--require", "audio.loss==0%"]].concat());
    assert_eq!(good.record["verdict"]["good"], true, "{}", good.said());
    let bad = demo(&out, &[&line[..], &["--require", "video.latency_ms<=50ms"]].concat());
    let reasons = bad.record["verdict"]["reasons"].as_array().expect("reasons");
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    let reason = reasons[0].as_str().expect("a text");
    assert!(reason.starts_with("at the callee: video.latency_ms is ") && reason.ends_with("not <= 50 ms"));
    let checks = bad.record["verdict"]["checks"].as_array().expect("checks");
    let required: Vec<(&str, bool)> = checks
        .iter()
        .filter(|c| c["required"] == true)
        .map(|c| (c["scope"].as_str().expect("a scope"), c["pass"].as_bool().expect("pass")))
        .collect();
    assert_eq!(required, [("at the caller", true), ("at the callee", false)]);
}

#[test]
fn a_call_over_an_impaired_line_says_what_was_done_to_each_kind() {
    let _alone = alone();
    let scratch = Scratch::new();
    let log = scratch.file("log.jsonl");
    let path = log.to_str().expect("a path in UTF-8");
    let mut callee = Visavis::start(&["answer", "--listen", "127.0.0.81:0", "--max-calls", "1"]);
    let uri = format!("sip:callee@{}", callee.address());
    let line = "both:delay=20ms±5ms;down.video:loss=10%,delay=20ms";
    let args = ["call", &uri, "--listen", "127.0.0.82:0", "--duration", "4s", "--impair", line];
    let mut caller = Visavis::start(&[&args[..], &["--impair-log", path]].concat());
    let [here, there] = [caller.finish(A_CALL), callee.finish(SOON)];
    let event = caller.event("impairment", SOON);
    let written = "up:delay=20ms±5ms;down:delay=20ms±5ms;down.video:loss=10%,delay=20ms";
    assert_eq!((&event["lines"], &event["seed"]), (&written.into(), &1.into()));
    let counts = event["counts"].as_array().expect("counts");
    let kinds: BTreeSet<(&str, &str)> = counts
        .iter()
        .map(|c| (c["way"].as_str().expect("a way"), c["kind"].as_str().expect("a kind")))
        .collect();
    for way in ["up", "down"] {
        for kind in ["audio", "video", "rtcp", "sip"] {
            assert!(kinds.contains(&(way, kind)), "{way} {kind} in {kinds:?}");
        }
    }
    let of = |way: &str, kind: &str| {
        counts.iter().find(|c| c["way"] == way && c["kind"] == kind).expect("counted above")
    };
    // What the callee sent is what came to the line, and what the caller got is what came out of it.
    let pictures = of("down", "video");
    assert!(pictures["lost"].as_u64() > Some(5), "{pictures}");
    let sent = there.count("video", "packets_sent");
    // What was on its way when the caller hung up never came.
    assert!(sent - pictures["sent"].as_u64().expect("a count") <= 20, "{sent} sent: {pictures}");
    let lines = std::fs::read_to_string(&log).expect("a log");
    let entries: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let down: Vec<&Value> = entries.iter().filter(|e| e["way"] == "down" && e["kind"] == "video").collect();
    let (received, lost) = visible(&down);
    let section = here.section("video");
    // Packets that came out of the line after the end of the call are in the log alone.
    let measured = here.count("video", "packets_received");
    assert!(measured <= received && received - measured <= 20, "{section} {received}");
    let counted = section["packets_lost"].as_u64().expect("a count");
    assert!(counted <= lost && lost - counted <= 5, "{section} {lost}");
    // The answerer, whose line is not impaired, says nothing of it.
    assert!(!callee.output().contains("\"impairment\""));
}

#[test]
fn our_own_sound_coming_back_is_swapped_sound_where_the_peers_tone_is_known() {
    let _alone = alone();
    let call = |answer: &[&str]| {
        let fixed = ["answer", "--listen", "127.0.0.84:0", "--max-calls", "1"];
        let mut callee = Visavis::start(&[&fixed, answer].concat());
        let uri = format!("sip:callee@{}", callee.address());
        let args = ["call", &uri, "--listen", "127.0.0.85:0", "--duration", "3s", "--expect-tone", "1499"];
        let mut caller = Visavis::start(&args);
        let outcome = caller.finish(A_CALL);
        callee.finish(SOON);
        outcome.verdict
    };
    let echoed = call(&["--echo"]);
    assert_eq!(echoed["faults"], serde_json::json!(["swapped-sound"]), "{echoed}");
    let right = call(&["--tone", "1499"]);
    assert_eq!(right["good"], true, "{right}");
}

#[test]
fn a_load_goes_over_the_same_lines() {
    let _alone = alone();
    let answer = Visavis::start(&["answer", "--listen", "127.0.0.86:0", "--no-media"]);
    let uri = format!("sip:callee@{}", answer.address());
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
    command.args(["--json", "load", &uri, "--rate", "50", "--calls", "100", "--hold", "200ms"]);
    command.args(["--impair", "both:delay=30ms;up.sip:loss=10%,delay=30ms"]);
    let ran = command.output().expect("visavis runs");
    let said = String::from_utf8_lossy(&ran.stdout);
    let events: Vec<Value> = said.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let event = |name: &str| events.iter().rfind(|e| e["event"] == name).unwrap_or_else(|| panic!("{said}"));
    let (load, impairment) = (event("load"), event("impairment"));
    let counts = impairment["counts"].as_array().expect("counts");
    let up = counts.iter().find(|c| c["way"] == "up" && c["kind"] == "sip").expect("SIP");
    assert!(up["lost"].as_u64() > Some(10), "{up}");
    // What was lost is sent again, and no call fails of it.
    assert_eq!((&load["good"], load["placed"].as_u64()), (&true.into(), Some(100)), "{load}");
    assert!(load["retransmissions"].as_u64() > Some(10), "{load}");
    // There and back.
    let answered = load["answer_ms"]["min"].as_f64().expect("the quickest answer");
    assert!(answered >= 60.0, "{answered} ms");
}

#[test]
fn wrong_words_are_named_with_exit_code_2_and_a_file_that_is_not_there_with_3() {
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
        let ran =
            command.args(["call", "sip:a@127.0.0.83:9", "--listen", "127.0.0.83:0"]).args(args).output();
        let ran = ran.expect("visavis runs");
        (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    let wrong = [
        (["--impair", "up:los=2%"], "los is no impairment; use loss, burst"),
        (["--impair", "upp:loss=2%"], "upp is no way to go: use up"),
        (["--impair", "up:delay=40"], "delay=40 needs a unit"),
        (["--require", "video.psnr>=30"], "did you mean video.psnr_db?"),
        (["--require", "audio.loss<5"], "write 5%"),
        (["--expect-tone", "2500"], "2500 is no tone to send"),
    ];
    for (args, words) in wrong {
        let (code, said) = run(&args);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(words), "{said}");
    }
    let (code, said) = run(&["--thresholds", "/nowhere/thresholds.toml"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("cannot read /nowhere/thresholds.toml"), "{said}");
}
