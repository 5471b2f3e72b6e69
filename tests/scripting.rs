//! Scripts: two `visavis` processes that are led through calls by JSON commands on stdin, and the page that documents
//! it, held against the sources.

// The helpers are those of the tests with peers; not all of them are needed here.
#[allow(dead_code)]
#[path = "interop/harness.rs"]
mod harness;

use harness::{SOON, Scratch, Visavis, alone, need, run};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

const CALLEE: &str = "127.0.0.61";
const CALLER: &str = "127.0.0.62";

/// One that answers as its script says.
fn callee(more: &[&str]) -> Visavis {
    let listen = format!("{CALLEE}:0");
    Visavis::start(&[&["answer", "--control", "--listen", &listen][..], more].concat())
}

/// One that calls it, and then does as its script says.
fn caller(callee: &Visavis, more: &[&str]) -> Visavis {
    let (uri, listen) = (format!("sip:callee@{}", callee.address()), format!("{CALLER}:0"));
    Visavis::start(&[&["call", &uri, "--control", "--listen", &listen][..], more].concat())
}

/// A call that is up, the caller first.
fn pair(more: &[&str]) -> [Visavis; 2] {
    let mut there = callee(&["--max-calls", "1"]);
    let here = caller(&there, more);
    there.event("incoming", SOON);
    there.done(json!({ "command": "answer" }));
    for side in [&here, &there] {
        side.event("established", SOON);
    }
    [here, there]
}

/// The directions of the sections in use.
fn directions(media: &Value) -> Vec<&str> {
    let sections = media["sections"].as_array().expect("sections");
    sections.iter().filter(|s| !s["kind"].is_null()).filter_map(|s| s["direction"].as_str()).collect()
}

#[test]
fn a_call_rings_as_the_script_says_and_is_answered_when_it_says_so() {
    let _alone = alone();
    let mut there = callee(&["--max-calls", "1", "--no-media"]);
    let mut here = caller(&there, &["--no-media"]);
    there.event("incoming", SOON);
    for status in [180, 183, 199] {
        there.done(json!({ "command": "ring", "status": status }));
        here.event_where("progress", |e| e["status"] == status);
    }
    assert!(!here.output().contains(r#""event":"established""#), "nobody has answered");
    let answered = there.done(json!({ "command": "answer", "call": 1 }));
    assert_eq!(answered["call"], 1);
    there.event("established", SOON);
    let hangup = here.done(json!({ "command": "hangup" }));
    assert_eq!((&hangup["command"], &hangup["line"]), (&json!("hangup"), &json!(1)));
    let outcomes = [here.finish(SOON), there.finish(SOON)];
    assert_eq!(outcomes.map(|o| o.record["end"].clone()), ["local-hangup", "remote-hangup"]);
}

#[test]
fn a_call_is_rejected_with_the_status_that_the_script_names() {
    let _alone = alone();
    let mut there = callee(&["--max-calls", "1", "--no-media"]);
    let mut here = caller(&there, &["--no-media"]);
    there.event("incoming", SOON);
    there.done(json!({ "command": "reject" }));
    let refused = here.finish(SOON);
    assert_eq!(refused.record["end"], "refused");
    assert!(refused.record["end_text"].as_str().is_some_and(|t| t.contains("486 Busy Here")), "{refused:?}");
    assert_eq!(there.finish(SOON).record["end"], "rejected");
}

#[test]
fn hold_resume_and_a_change_of_media_turn_both_sides() {
    let _alone = alone();
    let [mut here, mut there] = pair(&["--audio-only"]);
    let hold = here.done(json!({ "command": "hold" }));
    assert_eq!((&hold["status"], &hold["reason"]), (&json!(200), &json!("OK")));
    assert_eq!(directions(&here.event_where("media", |e| directions(e) != ["sendrecv"])), ["sendonly"]);
    there.event_where("media", |e| directions(e) == ["recvonly"]);
    here.done(json!({ "command": "resume" }));
    // Sound alone becomes sound and pictures: what was typed does not bind the script.
    let both = here.done(json!({ "command": "reinvite", "media": "both" }));
    assert_eq!(both["status"], 200);
    for side in [&here, &there] {
        side.event_where("media", |e| directions(e) == ["sendrecv", "sendrecv"]);
    }
    here.done(json!({ "command": "hangup" }));
    for outcome in [here.finish(SOON), there.finish(SOON)] {
        assert_eq!(outcome.record["sections"].as_array().expect("sections").len(), 2, "{outcome:?}");
    }
}

#[test]
fn messages_keys_key_frames_and_figures_cross_a_call() {
    let _alone = alone();
    let [mut here, mut there] = pair(&[]);
    here.done(json!({ "command": "message", "text": "grüße" }));
    let came = there.event("message", SOON);
    assert_eq!((&came["text"], &came["content_type"]), (&json!("grüße"), &json!("text/plain")));
    let octets = json!({ "command": "message", "content_type": "application/x-test", "base64": "AAH/" });
    there.done(octets);
    let came = here.event("message", SOON);
    assert_eq!((&came["base64"], &came["octets"], &came["call"]), (&json!("AAH/"), &json!(3), &json!(1)));
    there.done(json!({ "command": "dtmf", "keys": "5#", "ms": 80 }));
    for digit in ["5", "#"] {
        here.event_where("dtmf", |e| e["digit"] == digit);
    }
    // Somebody must have sent a picture before there is anybody to be asked.
    let figures = here.stats_until(|sections| sections[1]["frames_received"].as_u64() > Some(0));
    assert_eq!((&figures[0]["kind"], &figures[1]["kind"]), (&json!("audio"), &json!("video")));
    assert!(figures[0]["packets_sent"].as_u64().is_some_and(|n| n > 0), "{figures}");
    let asked = here.done(json!({ "command": "keyframe" }));
    assert_eq!(asked["how"], "PLI");
    there.stats_until(|sections| sections[1]["keyframes_requested"].as_u64() > Some(0));
    there.done(json!({ "command": "hangup" }));
    here.finish(SOON);
    there.finish(SOON);
}

#[test]
fn what_cannot_be_done_is_said_with_its_line_and_the_call_goes_on() {
    let _alone = alone();
    let mut there = callee(&["--max-calls", "1", "--no-media"]);
    let early = there.command(json!({ "command": "hold" }));
    assert_eq!((&early["event"], &early["why"]), (&json!("failed"), &json!("there is no call")));
    let mut here = caller(&there, &["--no-media"]);
    there.event("incoming", SOON);
    for (line, why) in [
        ("no JSON at all".to_owned(), "not a JSON object"),
        (String::new(), ""),
        (r#"{"command":"jump"}"#.into(), "unknown variant `jump`"),
        (r#"{"command":"hold","now":true}"#.into(), "unknown field `now`"),
        (r#"{"command":"hangup","call":17}"#.into(), "there is no call 17"),
        (r#"{"command":"hold"}"#.into(), "the call is not up"),
        (r#"{"command":"keyframe","section":0}"#.into(), "section 0"),
        (format!(r#"{{"command":"message","text":"{}"}}"#, "x".repeat(70_000)), "65536"),
        (format!(r#"{{"command":"message","text":"{}"}}"#, "x".repeat(1_300)), "1300 octets"),
    ] {
        there.say(&line);
        if !why.is_empty() {
            there.event_where("failed", |e| e["why"].as_str().is_some_and(|text| text.contains(why)));
        }
    }
    let line = there.event_where("failed", |e| e["command"] == "jump")["line"].clone();
    assert_eq!(line, 4, "blank lines count, though they get no answer");
    there.done(json!({ "command": "answer" }));
    let again = there.command(json!({ "command": "answer" }));
    assert_eq!(again["why"], "the call is up already");
    here.done(json!({ "command": "quit" }));
    let outcomes = [here.finish(SOON), there.finish(SOON)];
    assert_eq!(outcomes.map(|o| o.record["end"].clone()), ["local-hangup", "remote-hangup"]);
}

#[test]
fn two_calls_at_once_are_told_apart_by_their_numbers_and_quit_ends_both() {
    let _alone = alone();
    let mut there = callee(&["--no-media"]);
    let mut first = caller(&there, &["--no-media"]);
    there.event_where("incoming", |e| e["call"] == 1);
    let mut second = caller(&there, &["--no-media"]);
    there.event_where("incoming", |e| e["call"] == 2);
    let latest = there.done(json!({ "command": "answer" }));
    assert_eq!(latest["call"], 2);
    second.event("established", SOON);
    there.done(json!({ "command": "ring", "call": 1, "status": 182 }));
    first.event_where("progress", |e| e["status"] == 182);
    there.done(json!({ "command": "quit" }));
    assert_eq!(first.finish(SOON).record["end"], "refused");
    assert_eq!(second.finish(SOON).record["end"], "remote-hangup");
    let summary = there.event("summary", SOON);
    assert_eq!(summary["calls"], 2);
    there.wait(SOON);
}

#[test]
fn at_the_end_of_stdin_calls_go_on_and_without_control_it_is_not_read() {
    let _alone = alone();
    let mut nothing = Command::new("sh");
    nothing.args(["-c", "exec \"$0\" \"$@\" </dev/null", harness::VISAVIS]);
    let listen = format!("{CALLEE}:0");
    let answer =
        ["answer", "--control", "--auto-answer", "--listen", &listen, "--max-calls", "1", "--no-media"];
    let mut there = Visavis::start_by(nothing, &answer);
    let uri = format!("sip:callee@{}", there.address());
    let listen = format!("{CALLER}:0");
    let plain = ["call", &uri, "--listen", &listen, "--no-media", "--duration", "2s"];
    let mut here = Visavis::start(&plain);
    here.say(r#"{"command":"hangup"}"#);
    let outcomes = [here.finish(SOON), there.finish(SOON)];
    assert!(!here.output().contains(r#""event":"done""#) && !here.output().contains(r#""event":"failed""#));
    for outcome in outcomes {
        assert!(outcome.record["duration_s"].as_f64().is_some_and(|s| s >= 1.9), "{}", outcome.record);
    }
}

#[test]
fn the_scripts_among_the_examples_run_as_they_stand() {
    let _alone = alone();
    need("python3", "python3");
    let scratch = Scratch::new();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/scripted_call.py");
    let out = scratch.file("events.jsonl");
    let said = run("python3", &[script, "--visavis", harness::VISAVIS, "--events", &out.to_string_lossy()]);
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("all went as it should"), "{said}");
    let events = std::fs::read_to_string(&out).expect("the events of the script's calls");
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    assert!(events.filter(|event| event["event"] == "done").count() >= 8);
}

/// Every source file below `dir`.
fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a directory of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_event_that_the_program_prints_is_in_the_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/scripting.md")).expect("the page");
    let mut names = std::collections::BTreeSet::new();
    for path in sources(&root.join("crates/cli")) {
        let text = std::fs::read_to_string(&path).expect("a readable source");
        for (at, call) in text.match_indices(".event(") {
            // A name that is no literal is one that this test cannot see.
            let argument = text[at + call.len()..].trim_start();
            let name = argument.strip_prefix('"').and_then(|rest| rest.split('"').next());
            let shown = argument.lines().next().unwrap_or_default();
            names.insert(name.unwrap_or_else(|| panic!("{}: {shown}", path.display())).to_owned());
        }
    }
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let told = page.contains(&format!("`{name}`"));
        assert!(told, "docs/scripting.md says nothing of the event {name}: give it a row among the events");
    }
    let examples = page.lines().filter(|line| line.starts_with(r#"{"event""#));
    for line in examples {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        assert_eq!(event["v"], 1, "{line}");
    }
}
