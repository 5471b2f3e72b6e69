//! `visavis inspect` on captures of real calls: every stream comes back, ffmpeg plays each file without a word, and
//! tshark and ffprobe count the same frames.

use crate::frames::file::Format;
use crate::frames::link::Link;
use crate::frames::reframe;
use crate::harness::{A_CALL, SOON, Scratch, VISAVIS, Visavis, alone, need, run};
use crate::{baresip, linphone, media, wire};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What was found in a capture, and where its streams went.
struct Inspected {
    calls: Vec<Value>,
    streams: Vec<Value>,
    bodies: usize,
}

fn inspect(capture: &Path, out: &Path, more: &[&str]) -> Inspected {
    let ran = Command::new(VISAVIS)
        .args(["inspect", text(capture), "--json", "--out", text(out)])
        .args(more)
        .output();
    let ran = ran.expect("visavis runs");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    let events: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let all = |name: &str| events.iter().filter(|event| event["event"] == name).cloned().collect::<Vec<_>>();
    let bodies = all("file")[0]["bodies"].as_array().map_or(0, Vec::len);
    Inspected { calls: all("call"), streams: all("stream"), bodies }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// The files of a stream.
fn files(stream: &Value) -> Vec<PathBuf> {
    let files = stream["files"].as_array().expect("files");
    files.iter().map(|file| PathBuf::from(file.as_str().expect("a path"))).collect()
}

/// Asserts that ffmpeg plays a file to its end and says nothing.
fn assert_plays(file: &Path) {
    need("ffmpeg", "ffmpeg");
    let played = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i", text(file), "-f", "null", "-"])
        .output();
    let played = played.expect("ffmpeg runs");
    let said = String::from_utf8_lossy(&played.stderr);
    assert!(played.status.success() && said.trim().is_empty(), "{}: {said}", file.display());
}

/// A number that ffprobe gives of the first stream of a file.
fn probe(file: &Path, entry: &str) -> f64 {
    let entry = format!("stream={entry}");
    let args = ["-v", "error", "-count_frames", "-show_entries", &entry, "-of", "csv=p=0", text(file)];
    let said = String::from_utf8(run("ffprobe", &args)).expect("text");
    said.trim().trim_end_matches(',').parse().unwrap_or_else(|_| panic!("{}: {said}", file.display()))
}

/// The timestamps of whole frames and the number of packets of a stream by tshark, which knows nothing of the payload:
/// a picture is whole where its marker bit came (a call that ends cuts the last one short), each packet of sound is.
fn by_tshark(capture: &Path, stream: &Value) -> (BTreeSet<String>, u64) {
    let ssrc = stream["ssrc"].as_u64().expect("an SSRC");
    let port = stream["source"].as_str().and_then(|source| source.rsplit(':').next()).expect("a port");
    let plain = ["--disable-protocol", "h264"];
    let filter = format!("rtp.ssrc == {ssrc} && udp.srcport == {port}");
    let rows = wire::fields_with(&plain, capture, &filter, &["rtp.timestamp", "rtp.marker"]);
    let packets = rows.len() as u64;
    let whole = rows.into_iter().filter(|row| stream["kind"] != "video" || row[1] == "1" || row[1] == "True");
    (whole.map(|mut row| row.remove(0)).collect(), packets)
}

/// Asserts that all of `expected` (kind and codec) is there both ways, plays, and has the frames that RTP carried.
fn assert_streams(capture: &Path, found: &Inspected, expected: &[(&str, &str)], verdict: &str) {
    assert_eq!(found.calls.len(), 1, "calls");
    assert_eq!(found.streams.len(), 2 * expected.len(), "streams: {:?}", found.streams);
    for (kind, codec) in expected {
        let both: Vec<&Value> = found.streams.iter().filter(|stream| stream["kind"] == *kind).collect();
        assert_eq!(both.len(), 2, "{kind}");
        for stream in both {
            assert_eq!(stream["codec"], *codec, "{stream}");
            assert_eq!(stream["protection"]["verdict"], verdict, "{}", stream["protection"]);
            assert!(stream["extraction_error"].is_null(), "{stream}");
            let (timestamps, packets) = by_tshark(capture, stream);
            assert_eq!(stream["packets"].as_u64(), Some(packets), "{stream}");
            let count = |field: &str| stream[field].as_u64().expect("a count");
            let frames = count("frames") - count("frames_incomplete");
            assert_eq!(frames, timestamps.len() as u64, "frames and RTP timestamps of {kind}");
            for file in files(stream) {
                assert_plays(&file);
                match *kind {
                    "video" => {
                        assert_eq!(probe(&file, "nb_read_frames") as u64, frames, "{}", file.display())
                    }
                    _ => assert_length(&file, stream),
                }
            }
        }
    }
}

/// Asserts that a WAV file lasts as long as the sound did: to the last sample for what has a fixed length.
fn assert_length(file: &Path, stream: &Value) {
    let frames = stream["frames"].as_f64().expect("a count");
    let octets = stream["octets"].as_f64().expect("a count");
    let expected = match stream["codec"].as_str() {
        Some("PCMU" | "PCMA") => octets / 8_000.0,
        Some("AAC-ELD") => frames * 480.0 / stream["clock_rate"].as_f64().expect("a rate"),
        _ => frames * 0.02,
    };
    let duration = probe(file, "duration");
    assert!((duration - expected).abs() < 0.001, "{}: {duration} s, not {expected} s", file.display());
}

#[test]
fn a_call_with_baresip_comes_back_whole_and_on_wifi_as_well() {
    let _alone = alone();
    let scratch = Scratch::new();
    let capture = baresip::capture(&scratch);
    let found = inspect(&capture, &scratch.file("out"), &[]);
    assert_streams(&capture, &found, &[("audio", "Opus"), ("video", "H.264")], "looks-clear");
    assert_eq!(found.calls[0]["outcome"], "caller-hung-up", "{}", found.calls[0]["outcome"]);

    // The same packets as a wireless card would have caught them give the same media.
    let octets = std::fs::read(&capture).expect("the capture");
    for link in [Link::Ethernet, Link::Radiotap, Link::Ppi] {
        let again = scratch.file(&format!("{link:?}.pcapng"));
        let format = Format::Pcapng { big: false, resolution: 9 };
        std::fs::write(&again, reframe(&octets, link, format)).expect("a file in the scratch directory");
        let same = inspect(&again, &scratch.file(&format!("{link:?}")), &[]);
        assert_eq!(same.streams.len(), found.streams.len(), "{link:?}");
        for (stream, original) in same.streams.iter().zip(&found.streams) {
            for field in ["ssrc", "packets", "lost", "frames", "keyframes", "codec", "jitter_ms", "seconds"] {
                assert_eq!(stream[field], original[field], "{link:?} {field}");
            }
            for (file, original) in files(stream).iter().zip(files(original)) {
                let [file, original] = [file, &original].map(|path| std::fs::read(path).expect("a file"));
                assert!(file == original, "{link:?}: {stream}");
            }
        }
    }
}

#[test]
fn a_call_with_linphone_comes_back_whole() {
    let _alone = alone();
    let scratch = Scratch::new();
    let capture = linphone::capture(&scratch);
    let found = inspect(&capture, &scratch.file("out"), &[]);
    assert_streams(&capture, &found, &[("audio", "PCMU"), ("video", "H.264")], "looks-clear");
}

/// Holds a one-port call in the profile of 2010 between two processes; gives the caller's capture.
fn one_port(scratch: &Scratch, options: &[&str], caller_options: &[&str]) -> PathBuf {
    let capture = scratch.file("call.pcapng");
    let profile = ["--profile", "facetime2010"];
    // Each with an identity of its own.
    let states = ["caller", "callee"].map(|name| scratch.file(name));
    let answer = ["answer", "--max-calls", "1", "--listen", "127.0.0.61:0", "--state", text(&states[1])];
    let mut callee = Visavis::start(&[&answer, &profile[..], options].concat());
    let uri = format!("sip:user@{}", callee.address());
    let call = ["call", &uri, "--listen", "127.0.0.62:0", "--duration", "5s", "--capture", text(&capture)];
    let call = [&call[..], &["--state", text(&states[0])]].concat();
    let mut caller = Visavis::start(&[&call, &profile[..], options, caller_options].concat());
    for outcome in [caller.finish(A_CALL), callee.finish(SOON)] {
        assert_eq!(outcome.verdict["good"], true, "{}", outcome.verdict);
    }
    capture
}

#[test]
fn a_call_of_2010_on_one_port_comes_back_whole() {
    let _alone = alone();
    let scratch = Scratch::new();
    let capture = one_port(&scratch, &["--emulate"], &[]);
    let found = inspect(&capture, &scratch.file("out"), &[]);
    assert_streams(&capture, &found, &[("audio", "AAC-ELD"), ("video", "H.264")], "looks-clear");
    let film = files(&found.streams[found.streams.iter().position(|s| s["kind"] == "video").expect("video")]);
    media::assert_pattern(&media::judge_film(&film[0]), 60);
}

#[test]
fn an_encrypted_call_on_one_port_comes_back_whole_with_its_keys_and_is_called_encrypted_without() {
    let _alone = alone();
    let scratch = Scratch::new();
    let keys = scratch.file("keys.sdp");
    let capture = one_port(&scratch, &["--ske", "lab"], &["--export-keys", text(&keys)]);
    let found = inspect(&capture, &scratch.file("out"), &["--srtp-key", text(&keys)]);
    assert_streams(&capture, &found, &[("audio", "AAC-ELD"), ("video", "H.264")], "opened");
    assert!(found.bodies >= 4, "{} bodies of the key exchange", found.bodies);
    for stream in &found.streams {
        assert_eq!(stream["protection"]["suite"], "AES_CM_128_HMAC_SHA1_80");
        assert!(stream["rtcp"]["sender_reports"].as_u64() > Some(0), "SRTCP is opened: {}", stream["rtcp"]);
    }

    let without = inspect(&capture, &scratch.file("sealed"), &[]);
    for stream in &without.streams {
        assert_eq!(stream["protection"]["verdict"], "looks-encrypted", "{}", stream["protection"]);
    }
}
