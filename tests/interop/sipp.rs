//! Calls and other requests by sipp: its built-in scenarios, and those in `sipp/`, which check what RFC 3261 and
//! RFC 3264 ask for message by message. sipp's exit code says whether every message was the one that was due.

use crate::harness::{
    A_CALL, Person, Process, SOON, Scratch, VISAVIS, Visavis, alone, beside_another, free_port, need,
};
use crate::wire;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// sipp on a port of its own, without a keyboard, with its errors in `errors` in its scratch directory.
pub(crate) fn sipp(scratch: &Scratch, args: &[&str]) -> (Process, SocketAddr) {
    need("sipp", "sip-tester");
    let port = free_port("127.0.0.1");
    let mut command = Command::new("sipp");
    command.current_dir(scratch.path()).args(["-nostdin", "-i", "127.0.0.1", "-p", &port.to_string()]);
    command.args(["-trace_err", "-error_file", "errors", "-timeout", "50s", "-timeout_error"]).args(args);
    (Process::start("sipp", &mut command), SocketAddr::from(([127, 0, 0, 1], port)))
}

/// Waits until a UDP socket is bound to this port.
fn wait_for_socket(port: u16) {
    let (wanted, deadline) = (format!(":{port:04X} "), Instant::now() + SOON);
    while !std::fs::read_to_string("/proc/net/udp").expect("the list of sockets").contains(&wanted) {
        assert!(Instant::now() < deadline, "nobody opens UDP port {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits for sipp, and asserts that every call went as its scenario says.
pub(crate) fn assert_all_successful(mut sipp: Process, scratch: &Scratch) -> String {
    let status = sipp.wait(A_CALL);
    let errors = std::fs::read_to_string(scratch.file("errors")).unwrap_or_default();
    assert_eq!(status.code(), Some(0), "{}\n{errors}", sipp.output());
    sipp.output()
}

/// The cumulative value of a row of sipp's statistics.
pub(crate) fn statistic(screens: &str, name: &str) -> u64 {
    let row = screens.lines().rev().find(|line| line.trim_start().starts_with(name));
    let value = row.and_then(|row| row.rsplit('|').next()).and_then(|cell| cell.trim().parse().ok());
    value.unwrap_or_else(|| panic!("sipp says nothing about {name}:\n{screens}"))
}

/// A scenario run once against `visavis answer`.
struct Run {
    visavis: Visavis,
    capture: PathBuf,
    media: u16,
    _scratch: Scratch,
}

/// sipp, playing `sipp/NAME.xml` to `target`.
fn play(scratch: &Scratch, name: &str, target: SocketAddr, media: u16) -> Process {
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/interop/sipp/{name}.xml"));
    let scenario = scenario.to_str().expect("a path in UTF-8");
    // Without -nr sipp takes the same answer twice for a retransmission, and starts over.
    sipp(scratch, &[&target.to_string(), "-sf", scenario, "-m", "1", "-nr", "-mp", &media.to_string()]).0
}

/// Runs `sipp/NAME.xml` against `visavis answer` with these flags and asserts that sipp is content.
fn run(name: &str, flags: &[&str]) -> Run {
    let scratch = Scratch::new();
    let capture = scratch.file("call.pcapng");
    let file = capture.to_str().expect("a path in UTF-8");
    let visavis =
        Visavis::start(&[&["answer", "--listen", "127.0.0.1:0", "--capture", file], flags].concat());
    let media = free_port("127.0.0.1");
    assert_all_successful(play(&scratch, name, visavis.address(), media), &scratch);
    Run { visavis, capture, media, _scratch: scratch }
}

impl Run {
    /// How the call ended, as `visavis` says it.
    fn end(&self) -> String {
        let ended = self.visavis.event("ended", SOON);
        ended["end"].as_str().expect("a reason").to_owned()
    }

    /// Stops `visavis`, and gives the number of calls that it had.
    fn stop(&mut self) -> u64 {
        self.visavis.interrupt();
        let summary = self.visavis.event("summary", SOON);
        self.visavis.wait(SOON);
        summary["calls"].as_u64().expect("a number")
    }
}

#[test]
fn two_hundred_calls_at_twenty_a_second_succeed() {
    let _alone = alone();
    let scratch = Scratch::new();
    let mut visavis =
        Visavis::start(&["answer", "--listen", "127.0.0.1:0", "--max-calls", "200", "--no-media"]);
    let target = visavis.address().to_string();
    let (sipp, _) = sipp(&scratch, &["-sn", "uac", &target, "-m", "200", "-r", "20", "-d", "1000"]);
    let screens = assert_all_successful(sipp, &scratch);
    assert_eq!(statistic(&screens, "Successful call"), 200, "{screens}");
    assert_eq!(statistic(&screens, "Failed call"), 0, "{screens}");
    let summary = visavis.event("summary", SOON);
    assert_eq!((summary["calls"].as_u64(), summary["bad"].as_u64()), (Some(200), Some(0)));
    visavis.finish(SOON);
    assert_eq!(visavis.output().matches(r#""end":"remote-hangup","end_text""#).count(), 200);
}

#[test]
fn a_peer_that_answers_one_section_and_sends_nothing_leaves_a_call_that_is_one_way() {
    let _place = beside_another();
    let scratch = Scratch::new();
    let (mut sipp, address) =
        sipp(&scratch, &["-sn", "uas", "-m", "1", "-mp", &free_port("127.0.0.1").to_string()]);
    let uri = format!("sip:service@{address}");
    let mut visavis = Visavis::start(&["call", &uri, "--listen", "127.0.0.1:0", "--duration", "10s"]);
    let outcome = visavis.finish(A_CALL);
    assert_eq!(outcome.record["end"], "local-hangup", "{}", outcome.record);
    assert!(outcome.record["duration_s"].as_f64().is_some_and(|s| s >= 10.0), "{}", outcome.record);
    let audio = outcome.section("audio");
    assert_eq!(audio["sent_as"], "PCMU 8000 Hz");
    assert!(outcome.count("audio", "packets_sent") > 400 && outcome.count("audio", "packets_received") == 0);
    let kinds =
        outcome.record["sections"].as_array().expect("sections").iter().filter(|s| s["kind"] == "video");
    assert_eq!(
        kinds.count(),
        0,
        "the section that sipp did not answer counts as refused: {}",
        outcome.record
    );
    assert_eq!(outcome.verdict["reasons"], serde_json::json!(["one-way: nothing arrived"]));
    let status = sipp.wait(SOON);
    assert_eq!(status.code(), Some(0), "{}", sipp.output());
}

#[test]
fn a_caller_may_give_up_while_it_rings() {
    let _place = beside_another();
    let mut run = run("cancel", &["--ring", "5s"]);
    assert_eq!(run.end(), "cancelled");
    assert_eq!(run.stop(), 1);
    wire::assert_clean(&run.capture);
}

#[test]
fn a_person_is_asked_about_a_call_until_its_caller_gives_up() {
    let _place = beside_another();
    let scratch = Scratch::new();
    let mut person =
        Person::at(&["answer", "--ask", "--no-media", "--listen", "127.0.0.1:0", "--max-calls", "2"]);
    let given_up = play(&scratch, "cancel", person.address(), free_port("127.0.0.1"));
    let question = person.sees("answer it?");
    assert!(question.contains("sip:sipp@127.0.0.1") && question.contains("offers sound:"), "{question}");
    assert_all_successful(given_up, &scratch);
    assert_eq!(person.screen().matches("answer it?").count(), 1, "{}", person.screen());
    let (call, _) = sipp(&scratch, &["-sn", "uac", &person.address().to_string(), "-m", "1", "-d", "500"]);
    person.sees_again("answer it?", 2);
    person.types("y");
    assert_all_successful(call, &scratch);
    person.sees("2 calls, 1 bad");
    person.leaves();
}

#[test]
fn an_invite_without_an_offer_gets_one() {
    let _place = beside_another();
    let mut run = run("late-offer", &[]);
    assert_eq!(run.end(), "remote-hangup");
    let sections = &run.visavis.event("call", SOON)["record"]["sections"];
    assert_eq!(
        (&sections[0]["sent_as"], &sections[1]["sent_as"]),
        (&"PCMU 8000 Hz".into(), &serde_json::Value::Null)
    );
    assert!(sections[0]["packets_sent"].as_u64().is_some_and(|n| n > 50), "{sections}");
    assert_eq!(run.stop(), 1);
    let rtp = format!("rtp.version == 2 && udp.dstport == {}", run.media);
    assert!(wire::count(&run.capture, &rtp) > 50, "no sound went to where the ACK said");
}

#[test]
fn methods_that_are_not_for_us_are_refused_with_those_that_are() {
    let _place = beside_another();
    assert_eq!(run("methods", &[]).stop(), 0);
}

#[test]
fn extensions_that_we_do_not_have_are_named_in_the_refusal() {
    let _place = beside_another();
    assert_eq!(run("require", &[]).stop(), 0);
}

#[test]
fn what_cannot_be_done_is_refused_with_the_status_that_says_why() {
    let _place = beside_another();
    // An offer without a codec that we have counts as a call, though it never comes about.
    let mut run = run("refusals", &[]);
    assert!(run.stop() <= 1);
    assert_eq!(wire::count(&run.capture, "rtp.version == 2"), 0);
}

#[test]
fn nothing_is_sent_to_a_caller_who_holds_until_he_resumes() {
    let _place = beside_another();
    let mut run = run("hold", &[]);
    assert_eq!(run.end(), "remote-hangup");
    assert_eq!(run.stop(), 1);
    let offers = wire::fields(&run.capture, "sip.Method == INVITE", &["frame.time_relative"]);
    let [_, hold, resume] = [0, 1, 2].map(|index: usize| offers[index][0].clone());
    let sent = |window: &str| {
        wire::count(&run.capture, &format!("rtp.version == 2 && udp.dstport == {} && {window}", run.media))
    };
    assert!(sent(&format!("frame.time_relative < {hold}")) > 50, "nothing before the hold");
    let during = sent(&format!("frame.time_relative > {hold} && frame.time_relative < {resume}"));
    assert!(during <= 2, "{during} packets during the hold");
    assert!(sent(&format!("frame.time_relative > {resume}")) > 50, "nothing after the hold");
}

#[test]
fn a_second_bye_is_for_a_call_that_is_over() {
    let _place = beside_another();
    let mut run = run("bye-twice", &[]);
    assert_eq!(run.end(), "remote-hangup");
    assert_eq!(run.stop(), 1);
    wire::assert_clean(&run.capture);
}

#[test]
fn options_says_what_we_can_do() {
    let _place = beside_another();
    assert_eq!(run("options", &[]).stop(), 0);
}

#[test]
fn a_probe_reads_what_a_peer_says_to_options() {
    let scratch = Scratch::new();
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/sipp/options-uas.xml");
    let (_sipp, address) = sipp(&scratch, &["-sf", scenario.to_str().expect("a path in UTF-8")]);
    wait_for_socket(address.port());
    let args =
        ["--json", "probe", &format!("sip:lab@{address}"), "--listen", "127.0.0.1:0", "--largest", "4000"];
    let mut probe = Process::start("visavis probe", Command::new(VISAVIS).args(args));
    assert_eq!(probe.wait(A_CALL).code(), Some(0), "{}", probe.output());
    let event: Value = serde_json::from_str(&probe.wait_for(r#""event":"probe""#, SOON)).expect("JSON");
    assert_eq!((&event["status"], &event["reason"]), (&json!(486), &json!("Busy Here")));
    assert_eq!(event["allow"], json!(["INVITE", "OPTIONS"]));
    assert_eq!(
        (&event["agent"], &event["supported"]),
        (&Value::Null, &Value::Null),
        "what was not said is unknown"
    );
    let media =
        json!([{ "kind": "audio", "transport": "RTP/AVP", "formats": ["PCMU/8000", "opus/48000/2"] }]);
    assert_eq!(event["media"], media);
    assert_eq!(event["seen_as"]["peer_stun"], Value::Null, "sipp speaks no STUN");
    assert_eq!(event["path"]["largest_request"], 4_000);
}
