//! `visavis probe URI` against our own `answer`, on loopback.

// The helpers are those of the tests with peers; not all of them are needed here.
#[allow(dead_code)]
#[path = "interop/harness.rs"]
mod harness;

use harness::{VISAVIS, Visavis};
use serde_json::{Value, json};
use std::process::{Command, Output};

const OURS: &str = "127.0.0.63:0";

/// Runs `visavis probe` with JSON, and gives what it said of the peer.
fn probe(args: &[&str]) -> (Output, Option<Value>) {
    let fixed = ["probe", "--json", "--listen", OURS];
    let ran = Command::new(VISAVIS).args(fixed).args(args).output().expect("visavis runs");
    let events = String::from_utf8_lossy(&ran.stdout).into_owned();
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let found = events.into_iter().find(|event| event["event"] == "probe");
    (ran, found)
}

#[test]
fn our_own_answer_says_all_that_there_is_to_say_and_takes_the_largest_request() {
    let peer = Visavis::start(&["answer", "--listen", "127.0.0.64:0", "--no-media"]);
    let server = Visavis::start(&["answer", "--listen", "127.0.0.65:0", "--no-media"]);
    let (uri, stun) = (format!("sip:lab@{}", peer.address()), server.address().to_string());
    let (ran, event) = probe(&[&uri, "--count", "7", "--stun", &stun]);
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    let event = event.expect("the event probe");
    assert_eq!((&event["status"], &event["reason"]), (&json!(200), &json!("OK")));
    assert_eq!(event["allow"], json!(["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "MESSAGE", "INFO"]));
    let bodies = json!(["application/sdp", "multipart/mixed", "multipart/alternative"]);
    assert_eq!((&event["accept"], &event["supported"]), (&bodies, &json!([])));
    assert!(event["agent"].as_str().is_some_and(|agent| agent.starts_with("visavis")), "{event}");
    let trip = &event["round_trip"];
    assert_eq!((&trip["sent"], &trip["answered"]), (&json!(7), &json!(7)));
    let [min, median, max] = ["min_ms", "median_ms", "max_ms"].map(|name| trip[name].as_f64().expect(name));
    assert!(0.0 < min && min <= median && median <= max, "{trip}");
    // Nothing stands between us: whoever is asked sees the address that we have.
    let seen = &event["seen_as"];
    for who in [&seen["via"], &seen["peer_stun"], &seen["stun"][0]["address"]] {
        assert_eq!(*who, event["local"], "{seen}");
    }
    assert_eq!(event["path"], json!({ "bound": "asked", "largest_request": 65_507, "mtu": 65_535 }));
    let text = String::from_utf8_lossy(&ran.stderr);
    assert!(text.contains("round trip") && text.lines().count() < 20, "one screen: {text}");
}

#[test]
fn the_path_is_left_alone_where_it_is_not_asked_about() {
    let peer = Visavis::start(&["answer", "--listen", "127.0.0.64:0", "--no-media"]);
    let uri = format!("sip:lab@{}", peer.address());
    let (_, event) = probe(&[&uri, "--count", "1", "--largest", "0"]);
    let path = json!({ "bound": null, "largest_request": null, "mtu": null });
    assert_eq!(event.expect("the event probe")["path"], path);
    let (_, event) = probe(&[&uri, "--count", "1", "--largest", "1400"]);
    let path = json!({ "bound": "asked", "largest_request": 1_400, "mtu": 1_428 });
    assert_eq!(event.expect("the event probe")["path"], path);
}

#[test]
fn nobody_there_is_exit_code_1_and_what_cannot_be_asked_is_2() {
    // The discard port of an address that nobody uses.
    let (ran, event) = probe(&["sip:a@127.0.0.66:9", "--timeout", "200ms"]);
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    let event = event.expect("the event probe");
    assert_eq!((&event["answered"], &event["status"]), (&json!(false), &Value::Null));
    assert_eq!(event["round_trip"]["median_ms"], Value::Null);
    for wrong in [&[][..], &["no uri at all"], &["sip:a@127.0.0.66", "--count", "0"], &["--nat"]] {
        assert_eq!(probe(wrong).0.status.code(), Some(2), "{wrong:?}");
    }
}
