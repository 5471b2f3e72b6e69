//! `visavis inspect` as a shell script meets it: exit codes, events, files, and captures that are not whole.

// The helpers are those of the tests with peers; not all of them are needed here.
#[allow(dead_code)]
#[path = "interop/harness.rs"]
mod harness;

use harness::{Scratch, VISAVIS, alone};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn visavis(args: &[&str]) -> Output {
    Command::new(VISAVIS).args(args).output().expect("visavis runs")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn lines(octets: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(octets).lines().map(str::to_owned).collect()
}

/// The capture of a short call between two endpoints of ours.
fn capture(scratch: &Scratch) -> PathBuf {
    let _alone = alone();
    let out = scratch.file("demo");
    let args =
        ["demo", "--duration", "2s", "--size", "160x120", "--fps", "15", "--codecs", "h264,pcmu", "--out"];
    let ran = visavis(&[&args[..], &[text(&out)]].concat());
    assert!(ran.status.success(), "{:?}", lines(&ran.stdout));
    out.join("call.pcapng")
}

fn events(ran: &Output, name: &str) -> Vec<Value> {
    let events =
        lines(&ran.stdout).into_iter().map(|line| serde_json::from_str::<Value>(&line).expect("JSON"));
    events.filter(|event| event["event"] == name).collect()
}

#[test]
fn everything_in_a_capture_is_told_and_given_back() {
    let scratch = Scratch::new();
    let (capture, out) = (capture(&scratch), scratch.file("out"));
    let ran = visavis(&["inspect", text(&capture), "--json", "--out", text(&out)]);
    assert_eq!(ran.status.code(), Some(0), "{:?}", lines(&ran.stderr));
    let [file, calls, streams] = ["file", "call", "stream"].map(|name| events(&ran, name));
    assert!(file[0]["packets"].as_u64() > Some(100) && file[0]["damage"].is_null());
    assert!(file.iter().chain(&calls).chain(&streams).all(|event| event["v"] == 1));
    assert_eq!((calls.len(), streams.len()), (1, 4));
    let call = &calls[0];
    assert_eq!((&call["outcome"], &call["status"]), (&Value::from("caller-hung-up"), &Value::from(200)));
    assert_eq!(call["exchanges"][0]["faults"], Value::Array(Vec::new()));
    assert_eq!(call["exchanges"][0]["sections"][1]["accepted"], true);
    assert_eq!(call["streams"].as_array().map(Vec::len), Some(4));
    for stream in &streams {
        assert_eq!((&stream["call"], &stream["lost"]), (&Value::from(0), &Value::from(0)));
        assert_eq!(stream["protection"]["verdict"], "looks-clear");
        assert!(stream["extraction_error"].is_null(), "{stream}");
        let files = stream["files"].as_array().expect("files");
        assert_eq!(files.len(), if stream["kind"] == "video" { 2 } else { 1 });
        for file in files {
            let size = std::fs::metadata(file.as_str().expect("a path")).expect("a file").len();
            assert!(size > 1_000, "{file}");
        }
    }
    // The text for people goes to stderr then, and is the same as without --json.
    let plain = visavis(&["inspect", text(&capture)]);
    assert!(
        lines(&plain.stdout).iter().any(|line| line.contains("─ INVITE (SDP) ─")),
        "{:?}",
        lines(&plain.stdout)
    );
    assert!(lines(&ran.stderr).iter().any(|line| line.contains("─ INVITE (SDP) ─")));
}

#[test]
fn text_keeps_to_the_width_of_the_terminal() {
    let scratch = Scratch::new();
    let capture = capture(&scratch);
    for columns in [80, 120] {
        let ran = Command::new(VISAVIS)
            .args(["inspect", text(&capture)])
            .env("COLUMNS", columns.to_string())
            .output();
        let lines = lines(&ran.expect("visavis runs").stdout);
        let wide: Vec<_> = lines[1..].iter().filter(|line| line.chars().count() > columns).collect();
        assert!(wide.is_empty(), "{columns}: {wide:?}");
    }
}

#[test]
fn a_capture_that_is_not_whole_ends_in_one_line_and_exit_code_1() {
    let scratch = Scratch::new();
    let whole = std::fs::read(capture(&scratch)).expect("the capture");
    let mut corrupt = whole.clone();
    let middle = corrupt.len() / 2;
    corrupt[middle..middle + 4_000].fill(0xff);
    let cases: [(&str, &[u8], bool); 5] = [
        ("truncated", &whole[..whole.len() * 2 / 3 + 1], true),
        ("corrupt", &corrupt, true),
        ("empty", &[], false),
        ("header", &whole[..7], false),
        ("text", b"this is no capture at all", false),
    ];
    for (name, octets, is_readable) in cases {
        let path = scratch.file(name);
        std::fs::write(&path, octets).expect("a file in the scratch directory");
        let ran = visavis(&["inspect", text(&path)]);
        let errors = lines(&ran.stderr);
        assert_eq!(ran.status.code(), Some(1), "{name}: {errors:?}");
        assert_eq!(errors.len(), 1, "{name}: {errors:?}");
        assert!(errors[0].starts_with("visavis: ") && errors[0].contains(name), "{errors:?}");
        // What was readable is told all the same.
        let told = lines(&ran.stdout).iter().any(|line| line.contains("INVITE"));
        assert_eq!(told, is_readable, "{name}: {:?}", lines(&ran.stdout));
    }
}

#[test]
fn what_cannot_be_done_says_so_by_its_exit_code() {
    let scratch = Scratch::new();
    let nothing = scratch.write("nothing.sdp", "v=0\r\n");
    let missing = scratch.file("missing.pcap");
    for (args, code, word) in [
        (vec!["inspect", text(&missing)], 3, "missing.pcap"),
        (vec!["inspect"], 2, "FILE"),
        (vec!["inspect", "x", "--payload-type", "105"], 2, "105"),
        (vec!["inspect", "x", "--srtp-key", "any:NONE:inline:AAAA"], 2, "NONE"),
        (vec!["inspect", "x", "--srtp-key", text(&nothing)], 2, "a=crypto"),
        (vec!["inspect", "x", "--srtp-key", text(&missing)], 3, "missing.pcap"),
    ] {
        let ran = visavis(&args);
        let errors = lines(&ran.stderr).join("\n");
        assert_eq!(ran.status.code(), Some(code), "{args:?}: {errors}");
        assert!(errors.contains(word), "{args:?}: {errors}");
    }
}
