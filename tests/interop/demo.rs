//! `visavis demo` as everybody else sees what it leaves: ffprobe and ffmpeg the recording, tshark the capture.

use crate::harness::{Scratch, alone, need, run};
use crate::media::{assert_pattern, assert_tone, ffmpeg, judge_film, judge_sound};
use crate::wire::{assert_clean, count, fields, fields_with};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

/// How long the call lasts, seconds.
const DURATION: f64 = 4.0;

/// Runs the demo into this directory.
fn demo(out: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
    command.args(["demo", "--duration", "4s", "--out"]).arg(out).args(more);
    command.output().expect("visavis runs")
}

/// The record that the demo left.
fn record(out: &Path) -> Value {
    let text = std::fs::read(out.join("call.json")).expect("call.json");
    serde_json::from_slice(&text).expect("JSON")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn the_demo_leaves_a_recording_a_capture_and_a_record_that_others_read() {
    let _alone = alone();
    let scratch = Scratch::new();
    let out = scratch.file("demo");
    let ran = demo(&out, &[]);
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(0), "{said}");
    assert!(said.contains("verdict: good"), "{said}");

    let record = record(&out);
    assert_eq!(record["verdict"]["good"], true, "{record}");
    let lasted = record["callee"]["duration_s"].as_f64().expect("a duration");
    assert!((lasted - DURATION).abs() < 0.5, "{lasted} s");
    let film = out.join("call.mp4");
    plays(&film, lasted);
    assert_pattern(&judge_film(&film), 80);
    assert_tone(&judge_sound(&film));
    runs_over_one_port(&out.join("call.pcapng"));
}

/// H.264 and AAC of the length of the call, which ffmpeg decodes without a word.
fn plays(film: &Path, lasted: f64) {
    need("ffprobe", "ffmpeg");
    let shown = run("ffprobe", &["-v", "error", "-show_streams", "-show_format", "-of", "json", text(film)]);
    let shown: Value = serde_json::from_slice(&shown).expect("ffprobe writes JSON");
    let streams = shown["streams"].as_array().expect("streams");
    let codecs: Vec<&str> = streams.iter().filter_map(|s| s["codec_name"].as_str()).collect();
    assert_eq!(codecs, ["h264", "aac"], "{shown}");
    for part in streams.iter().chain([&shown["format"]]) {
        let seconds = part["duration"].as_str().and_then(|text| text.parse::<f64>().ok());
        let seconds = seconds.expect("a duration");
        assert!((seconds - lasted).abs() < 0.5, "{seconds} s of a call of {lasted} s: {part}");
    }
    need("ffmpeg", "ffmpeg");
    let decoded = Command::new("ffmpeg").args(["-v", "error", "-i", text(film), "-f", "null", "-"]).output();
    let decoded = decoded.expect("ffmpeg runs");
    assert!(decoded.status.success() && decoded.stderr.is_empty(), "{decoded:?}");
    // One picture as a file of its own, too.
    let picture = film.with_file_name("frame.png");
    ffmpeg(&["-ss", "2", "-i", text(film), "-frames:v", "1", text(&picture)]);
    assert!(std::fs::metadata(picture).expect("a picture").len() > 1_000);
}

/// SIP, RTP and RTCP of the whole call on one port a side, nothing else, and RTCP both ways.
fn runs_over_one_port(capture: &Path) {
    assert_clean(capture);
    let pairs = fields(capture, "udp", &["ip.src", "udp.srcport", "ip.dst", "udp.dstport"]);
    let ends: BTreeSet<_> = pairs.iter().flat_map(|p| [(&p[0], &p[1]), (&p[2], &p[3])]).collect();
    assert_eq!(ends.len(), 2, "{ends:?}");
    for (_, port) in &ends {
        let from = |protocol: &str| count(capture, &format!("{protocol} && udp.srcport == {port}"));
        assert!(from("sip") >= 3, "SIP from port {port}");
        assert!(from("rtcp") >= 2, "RTCP from port {port}");
        assert!(from("rtp && !rtcp && !sip") > 400, "RTP from port {port}");
    }
}

#[test]
fn the_demo_without_video_packets_is_bad_and_names_the_missing_video() {
    let _alone = alone();
    let scratch = Scratch::new();
    let out = scratch.file("demo");
    let ran = demo(&out, &["--drop-video"]);
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert!(said.contains("verdict: bad: at the callee: no video arrived"), "{said}");
    let record = record(&out);
    assert_eq!(record["verdict"]["good"], false, "{record}");
    assert_eq!(record["verdict"]["reasons"][0], "at the callee: no video arrived");
    // The other way there is nothing wrong.
    assert_eq!(record["verdict"]["reasons"].as_array().map(Vec::len), Some(1), "{record}");
    assert_clean(&out.join("call.pcapng"));
}

/// The messages that set the call up, in their order.
const SET_UP: [&str; 5] = ["INVITE", "100", "180", "200", "ACK"];

/// A demo in the profile of 2010: it is good, and STUN comes before SIP, SIP before media, all on one port a side.
fn one_port_as_in_2010(out: &Path, more: &[&str]) {
    let ran = demo(out, &[&["--profile", "facetime2010"], more].concat());
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(0), "{said}");
    assert!(said.contains("verdict: good"), "{said}");
    let capture = out.join("call.pcapng");
    let first = |filter: &str| {
        let numbers = fields(&capture, filter, &["frame.number"]);
        numbers.first().and_then(|row| row[0].parse::<u32>().ok()).unwrap_or_else(|| panic!("no {filter}"))
    };
    let firsts = ["stun", "sip", "rtp"].map(first);
    assert!(firsts.is_sorted() && firsts[0] == 1, "{firsts:?}");
    let ends = fields(&capture, "udp", &["udp.srcport", "udp.dstport"]);
    let ports: BTreeSet<&String> = ends.iter().flatten().collect();
    assert_eq!(ports.len(), 2, "{ports:?}");
    let sip = fields(&capture, "sip", &["sip.Method", "sip.Status-Code"]);
    let begun: Vec<String> = sip.iter().take(SET_UP.len()).map(|row| row.concat()).collect();
    assert_eq!(begun, SET_UP);
    // The record names a codec family in `a=fmtp:AAC`, where RFC 8866 has a payload type: tshark says so of the offer
    // and of the answer, and of nothing else.
    let bare = ["--disable-protocol", "h264"];
    let encrypted = !more.contains(&"none");
    // Encrypted H.264 begins with random octets, which its dissector takes for parameter sets and finds wrong.
    let disabled = if encrypted { &bare[..] } else { &[] };
    let wrong =
        fields_with(disabled, &capture, "_ws.malformed && !sdp.invalid_media_format", &["frame.number"]);
    assert!(wrong.is_empty(), "malformed: {wrong:?}");
    assert_eq!(count(&capture, "sdp.invalid_media_format"), 2);
    // Of encrypted RTCP the first 8 octets are clear (RFC 3711 section 3.4): reports, of one or of no block.
    let unknown = fields(&capture, "data", &["data.data"]);
    let is_report = |row: &Vec<String>| {
        encrypted && ["80c8", "81c8", "80c9", "81c9"].iter().any(|h| row[0].starts_with(h))
    };
    assert!(unknown.iter().all(is_report), "of no known protocol: {unknown:?}");
}

#[test]
fn the_demo_in_the_profile_of_2010_agrees_on_keys_in_four_messages_on_one_port() {
    let _alone = alone();
    let scratch = Scratch::new();
    let out = scratch.file("demo");
    one_port_as_in_2010(&out, &[]);
    let capture = out.join("call.pcapng");
    let types = fields(&capture, "sip.Method == MESSAGE", &["sip.Content-Type"]).concat();
    assert_eq!(types, ["application/ske"; 4]);
    let at = |n: u8| fields(&capture, &format!("sip contains \"SKESeq: {n};0\""), &["frame.number"]).concat();
    assert!((1..=4).all(|n| at(n).len() == 1), "{:?}", [1, 2, 3, 4].map(at));
}

#[test]
fn the_demo_of_2010_without_keys_is_clear_to_every_dissector() {
    let _alone = alone();
    let scratch = Scratch::new();
    let out = scratch.file("demo");
    one_port_as_in_2010(&out, &["--ske", "none"]);
    assert_eq!(count(&out.join("call.pcapng"), "sip.Method == MESSAGE"), 0);
}
