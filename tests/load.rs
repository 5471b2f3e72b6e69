//! `visavis load` as a shell script meets it: whom it refuses to call, its exit codes, and what it counts in calls
//! between two processes on loopback.

// The helpers are those of the tests with peers; not all of them are needed here.
#[allow(dead_code)]
#[path = "interop/harness.rs"]
mod harness;

use harness::{A_CALL, SOON, Scratch, Visavis, alone};
use serde_json::Value;
use std::net::UdpSocket;
use std::process::Command;

/// Runs `visavis load` to its end; gives exit code, stdout and stderr.
fn load(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_visavis")).arg("load").args(args).output();
    let output = output.expect("visavis runs");
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// The last event of this name in the output of `load --json`.
fn event(stdout: &str, name: &str) -> Value {
    let mut events = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let found = events.rfind(|event| event["event"] == name);
    found.unwrap_or_else(|| panic!("no event {name} in:\n{stdout}"))
}

/// Somebody who answers on a free port, with these flags; and the URI to call.
fn answer(flags: &[&str]) -> (Visavis, String) {
    let visavis = Visavis::start(&[&["answer", "--listen", "127.0.0.57:0"], flags].concat());
    let uri = format!("sip:load@{}", visavis.address());
    (visavis, uri)
}

#[test]
fn a_public_address_is_refused_and_the_flag_that_allows_it_named() {
    for uri in ["sip:a@192.0.2.1", "203.0.113.9:5060", "sip:a@[2001:db8::1]"] {
        let (code, stdout, stderr) = load(&[uri, "--calls", "1"]);
        assert_eq!(code, Some(2), "{uri}: {stderr}");
        assert!(stderr.contains("public address") && stderr.contains("--i-may-load-this-host"), "{stderr}");
        assert!(stdout.is_empty(), "{stdout}");
    }
}

#[test]
fn what_makes_no_load_is_wrong_usage() {
    let uri = "sip:a@127.0.0.57:9";
    for args in [
        &[][..],
        &["sip:a@0.0.0.0"],
        &[uri, "--rate", "0"],
        &[uri, "--rate", "fast"],
        &[uri, "--rate", "10..20"],
        &[uri, "--ramp", "10s"],
        &[uri, "--calls", "0"],
        &[uri, "--media", "smell"],
        &[uri, "--codecs", "mp3"],
        &[uri, "--codecs", "h264"],
        &[uri, "--search", "100..10"],
        &[uri, "--search", "10..100", "--precision", "0"],
        &[uri, "--search", "10..100", "--calls", "5"],
        &[uri, "--step", "1s"],
    ] {
        let (code, stdout, stderr) = load(args);
        assert_eq!(code, Some(2), "{args:?}: {stderr}");
        assert!(!stderr.is_empty() && stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn a_table_that_cannot_be_written_is_missing() {
    let (code, _, stderr) = load(&["127.0.0.57:9", "--calls", "1", "--csv", "/nonexistent/table.csv"]);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains("/nonexistent/table.csv"), "{stderr}");
}

#[test]
fn calls_that_go_well_are_counted_timed_and_written_to_tables() {
    let _alone = alone();
    let scratch = Scratch::new();
    let (answer, uri) = answer(&["--no-media"]);
    let [seconds, calls] = ["seconds.csv", "calls.csv"].map(|name| scratch.file(name));
    let [seconds, calls] = [&seconds, &calls].map(|path| path.to_str().expect("a path in UTF-8"));
    let tables = ["--csv", seconds, "--calls-csv", calls];
    let flags = ["--json", "--rate", "10..30", "--ramp", "1s", "--calls", "40", "--hold", "500ms"];
    let (code, stdout, stderr) = load(&[&[uri.as_str()][..], &flags, &tables].concat());
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let event = event(&stdout, "load");
    for (field, count) in
        [("placed", 40), ("established", 40), ("good_calls", 40), ("failed", 0), ("timeouts", 0)]
    {
        assert_eq!(event[field], count, "{field} in {event}");
    }
    assert_eq!((&event["good"], &event["interrupted"]), (&Value::Bool(true), &Value::Bool(false)));
    let (answer_ms, setup_ms) = (&event["answer_ms"], &event["setup_ms"]);
    assert_eq!((&answer_ms["count"], &setup_ms["count"]), (&40.into(), &40.into()));
    assert!(answer_ms["p50"].as_f64() <= answer_ms["p99"].as_f64(), "{answer_ms}");
    assert!(answer_ms["min"].as_f64() < setup_ms["max"].as_f64(), "{event}");
    // 20 calls in the ramp of a second, 20 at 30 a second after it; each is up for half a second.
    assert!(event["peak"].as_u64().is_some_and(|peak| (5..=40).contains(&peak)), "{event}");
    let lines =
        |path: &str| std::fs::read_to_string(path).expect("a table").lines().map(str::to_owned).collect();
    let (seconds, calls): (Vec<String>, Vec<String>) = (lines(seconds), lines(calls));
    assert_eq!(calls.len(), 41, "a line of names, and one for each call");
    assert!(
        calls[0].starts_with("call,begun_s,answer_ms,") && calls[1..].iter().all(|l| l.contains(",good,"))
    );
    let placed =
        seconds[1..].iter().map(|l| l.split(',').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0u64));
    assert_eq!(placed.sum::<u64>(), 40, "{seconds:?}");
    answer.interrupt();
    assert_eq!(answer.event("summary", SOON)["calls"], 40);
}

#[test]
fn calls_that_are_declined_fail_by_their_status_unless_so_many_may() {
    let _alone = alone();
    let (_answer, uri) = answer(&["--decline", "486"]);
    let flags = ["--json", "--rate", "50", "--calls", "10"];
    let (code, stdout, stderr) = load(&[&[uri.as_str()][..], &flags].concat());
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    let event = event(&stdout, "load");
    assert_eq!((&event["failed"], &event["failures"]["486 Busy Here"]), (&10.into(), &10.into()), "{event}");
    assert_eq!(event["answer_ms"], Value::Null);
    let (code, _, stderr) = load(&[&[uri.as_str()][..], &flags, &["--max-failures", "10"]].concat());
    assert_eq!(code, Some(0), "{stderr}");
}

#[test]
fn calls_that_nobody_answers_fail_after_the_time_given() {
    let _alone = alone();
    let silent = UdpSocket::bind("127.0.0.57:0").expect("a socket");
    let uri = format!("sip:nobody@{}", silent.local_addr().expect("an address"));
    let (code, stdout, _) = load(&[&uri, "--json", "--calls", "3", "--rate", "50", "--setup-timeout", "1s"]);
    assert_eq!(code, Some(1), "{stdout}");
    let event = event(&stdout, "load");
    assert_eq!(event["failures"]["no answer in time"], 3, "{event}");
    assert!(event["retransmissions"].as_u64() >= Some(3), "INVITEs are sent again after T1: {event}");
}

#[test]
fn media_are_sent_by_both_sides_counted_alike_and_judged() {
    let _alone = alone();
    let (mut answer, uri) = answer(&["--echo", "--max-calls", "4"]);
    let flags =
        ["--json", "--rate", "4", "--calls", "4", "--hold", "3s", "--media", "audio", "--sample", "2"];
    let (code, stdout, stderr) = load(&[&[uri.as_str()][..], &flags].concat());
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let event = event(&stdout, "load");
    assert_eq!((&event["judged"], &event["bad"]), (&2.into(), &0.into()), "{event}");
    let rtp = &event["rtp"];
    assert_eq!((&rtp["lost"], &rtp["stray"]), (&0.into(), &0.into()), "{event}");
    answer.wait(A_CALL);
    let sections = answer
        .output()
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|event| event["event"] == "call")
        .map(|event| event["record"]["sections"][0].clone())
        .collect::<Vec<_>>();
    let sum = |field: &str| sections.iter().map(|s| s[field].as_i64().unwrap_or(-1)).sum::<i64>();
    assert_eq!(sections.len(), 4);
    assert_eq!(Some(sum("packets_received")), rtp["sent"].as_i64(), "all that was sent arrived");
    assert_eq!(sum("packets_lost"), 0);
    // What is on its way back when a call ends is not counted here.
    let on_the_way = sum("packets_sent") - rtp["received"].as_i64().expect("a count");
    assert!((0..=8).contains(&on_the_way), "{on_the_way}: {event}");
    assert!(sum("packets_sent") > 4 * 100, "{event}");
}

#[test]
fn calls_without_a_sound_from_the_peer_are_judged_bad() {
    let _alone = alone();
    let (_answer, uri) = answer(&["--no-media"]);
    let flags =
        ["--json", "--calls", "2", "--rate", "10", "--hold", "1s", "--media", "audio", "--sample", "1"];
    let (code, stdout, stderr) = load(&[&[uri.as_str()][..], &flags].concat());
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    let event = event(&stdout, "load");
    assert_eq!((&event["failed"], &event["bad"]), (&0.into(), &2.into()), "{event}");
    assert_eq!(event["complaints"]["one-way: nothing arrived"], 2, "{event}");
}

#[test]
fn an_interrupted_load_hangs_up_and_reports() {
    let _alone = alone();
    let (mut answer, uri) = answer(&["--echo"]);
    let media = ["--media", "audio", "--sample", "1"];
    let flags = [&["--rate", "20", "--calls", "1000", "--hold", "60s"][..], &media].concat();
    let mut load = Visavis::start(&[&["load", uri.as_str()], &flags[..]].concat());
    load.event("load-progress", SOON);
    load.interrupt();
    let event = load.event("load", SOON);
    assert_eq!(load.wait(SOON).code(), Some(0), "{event}");
    assert_eq!((&event["interrupted"], &event["failed"]), (&Value::Bool(true), &0.into()), "{event}");
    assert_eq!((&event["judged"], &event["bad"]), (&0.into(), &0.into()), "what was cut short: {event}");
    let (placed, good) = (event["placed"].as_u64().expect("a count"), event["good_calls"].as_u64());
    assert!((1..1_000).contains(&placed) && good.is_some_and(|good| good > 0), "{event}");
    answer.interrupt();
    let summary = answer.event("summary", SOON);
    answer.wait(SOON);
    assert_eq!(summary["calls"], placed, "every call is known to have ended");
    let byes = answer.output().matches(r#""end":"remote-hangup","end_text""#).count() as u64;
    // A 200 may cross the CANCEL of its call, which then ends with a BYE too (RFC 3261 section 9.1).
    let (good, given_up) = (good.expect("a count"), event["abandoned"].as_u64().expect("a count"));
    assert_eq!(good + given_up, placed, "{event}");
    assert!((good..=placed).contains(&byes), "{byes} BYEs: {event}");
}

#[test]
fn a_search_ends_at_the_highest_rate_that_it_may_try() {
    let _alone = alone();
    let (_answer, uri) = answer(&["--no-media"]);
    let flags = ["--json", "--search", "10..30", "--step", "1s", "--hold", "0"];
    let (code, stdout, stderr) = load(&[&[uri.as_str()][..], &flags].concat());
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let found = event(&stdout, "load-search");
    assert_eq!((&found["highest_clean_rate"], &found["complete"]), (&30.0.into(), &true.into()), "{stdout}");
    let rates: Vec<f64> = stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|event| event["event"] == "load-step" && event["clean"] == true)
        .filter_map(|event| event["step_rate"].as_f64())
        .collect();
    assert_eq!(rates, [10.0, 20.0, 30.0]);
}

#[test]
fn a_search_against_somebody_who_declines_finds_no_rate() {
    let _alone = alone();
    let (_answer, uri) = answer(&["--decline", "603"]);
    let (code, stdout, _) = load(&[&uri, "--json", "--search", "10..20", "--step", "1s", "--tries", "1"]);
    assert_eq!(code, Some(1), "{stdout}");
    let found = event(&stdout, "load-search");
    assert_eq!((&found["highest_clean_rate"], &found["complete"]), (&Value::Null, &true.into()), "{stdout}");
}
