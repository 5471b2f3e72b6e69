//! `visavis answer --ask`: a person at a terminal is asked about each call.

// The helpers are those of the tests with peers; not all of them are needed here.
#[allow(dead_code)]
#[path = "interop/harness.rs"]
mod harness;

use harness::{Person, SOON, VISAVIS, Visavis, alone};
use std::process::{Command, Stdio};

const CALLEE: &str = "127.0.0.63";
const CALLER: &str = "127.0.0.64";

/// Somebody who is asked about calls.
fn asked(more: &[&str]) -> Person {
    let listen = format!("{CALLEE}:0");
    Person::at(&[&["answer", "--ask", "--no-media", "--listen", &listen][..], more].concat())
}

/// Somebody who calls, and hears it ring.
fn caller(person: &Person, name: &str, more: &[&str]) -> Visavis {
    let (uri, listen) = (format!("sip:callee@{}", person.address()), format!("{CALLER}:0"));
    let call = ["call", &uri, "--name", name, "--listen", &listen, "--no-media", "--duration", "1s"];
    let caller = Visavis::start(&[&call[..], more].concat());
    caller.event_where("progress", |e| e["status"] == 180);
    caller
}

#[test]
fn y_answers_the_call_that_rings() {
    let _alone = alone();
    let mut person = asked(&["--max-calls", "1"]);
    let mut ann = caller(&person, "Ann", &[]);
    let question = person.sees("answer it?");
    assert!(question.contains("Ann <sip:") && question.contains(CALLER), "{question}");
    assert!(question.contains("offers sound and pictures"), "{question}");
    person.types("perhaps");
    person.sees("\u{7}");
    person.sees("y answers, n declines");
    assert!(!ann.output().contains(r#""event":"established""#), "nobody has answered");
    person.types("y");
    assert_eq!(ann.finish(SOON).record["end"], "local-hangup");
    person.sees("1 call, 0 bad");
    assert_eq!(person.leaves().code(), Some(0));
}

#[test]
fn n_declines_it() {
    let _alone = alone();
    let mut person = asked(&["--max-calls", "1"]);
    let mut ann = caller(&person, "Ann", &[]);
    person.sees("answer it?");
    person.types("NO");
    let record = ann.finish(SOON).record;
    assert_eq!(record["end"], "refused");
    assert!(record["end_text"].as_str().is_some_and(|text| text.contains("603 Decline")), "{record}");
    // As with --decline: a call that did not come about is not a good one.
    assert_eq!(person.leaves().code(), Some(1));
}

#[test]
fn calls_that_ring_at_once_are_asked_about_in_turn_and_one_that_is_given_up_no_more() {
    let _alone = alone();
    let mut person = asked(&["--max-calls", "3"]);
    let mut ann = caller(&person, "Ann", &["--ring-timeout", "3s"]);
    person.sees("Ann <sip:");
    person.sees("answer it?");
    let mut ben = caller(&person, "Ben", &[]);
    let mut eve = caller(&person, "Eve", &[]);
    assert_eq!(person.screen().matches("answer it?").count(), 1, "{}", person.screen());
    // Ann gives up, and Ben is next without anything typed.
    assert_eq!(ann.finish(SOON).record["end"], "no-response");
    let second = person.sees_again("answer it?", 2);
    assert!(second.contains("Ben <sip:"), "{second}");
    person.types("n");
    assert_eq!(ben.finish(SOON).record["end"], "refused");
    let third = person.sees_again("answer it?", 3);
    assert!(third.contains("Eve <sip:"), "{third}");
    person.types("yes");
    assert_eq!(eve.finish(SOON).record["end"], "local-hangup");
    person.sees("3 calls, 2 bad");
    person.leaves();
}

#[test]
fn at_the_end_of_input_calls_are_declined() {
    let _alone = alone();
    let mut person = asked(&["--max-calls", "2"]);
    let mut ann = caller(&person, "Ann", &[]);
    person.sees("answer it?");
    // Ctrl-D at the start of a line.
    person.types("\u{4}");
    assert_eq!(ann.finish(SOON).record["end"], "refused");
    person.sees("nobody types any more");
    let mut ben = caller(&person, "Ben", &[]);
    assert_eq!(ben.finish(SOON).record["end"], "refused");
    person.leaves();
}

#[test]
fn what_a_caller_calls_himself_cannot_steer_the_terminal() {
    let _alone = alone();
    let mut person = asked(&["--max-calls", "1"]);
    let mut ann = caller(&person, "\u{1b}[2JAnn\u{7f}", &[]);
    let question = person.sees("answer it?");
    assert!(question.contains("·[2JAnn·"), "{question:?}");
    person.types("n");
    ann.finish(SOON);
    person.leaves();
}

#[test]
fn without_a_person_there_is_nobody_to_ask() {
    for more in [&[][..], &["--json"]] {
        let listen = format!("{CALLEE}:0");
        let mut command = Command::new(VISAVIS);
        command.args(["answer", "--ask", "--listen", &listen]).args(more).stdin(Stdio::null());
        let output = command.output().expect("visavis runs");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("--ask needs a person") && text.contains("--control"), "{text}");
    }
    for both in [["--ask", "--control"], ["--ask", "--ring=1s"], ["--ask", "--decline=486"]] {
        let output = Command::new(VISAVIS).arg("answer").args(both).stdin(Stdio::null()).output();
        assert_eq!(output.expect("visavis runs").status.code(), Some(2), "{both:?}");
    }
}
