//! `visavis check` from outside, without a peer: what it lists, and whom it refuses. tests/interop/check.rs has peers.

use std::net::UdpSocket;
use std::process::{Command, Output};

fn check(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
    command.arg("check").args(args).output().expect("visavis starts")
}

fn assert_ends(args: &[&str], code: i32, said: &str) {
    let output = check(args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(error.contains(said), "{error}");
}

#[test]
fn the_list_names_each_case_with_its_section_and_its_sentence() {
    let output = check(&["--list"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() >= 120 && lines.len().is_multiple_of(2), "{} lines", lines.len());
    for pair in lines.chunks(2) {
        assert!(pair[0].contains(" RFC ") && pair[0].contains(" section "), "{}", pair[0]);
        assert!(pair[1].starts_with("    "), "{}", pair[1]);
    }
    let cancel = check(&["--list", "--case", "cancel"]);
    let cancel = String::from_utf8(cancel.stdout).expect("UTF-8");
    assert!(cancel.lines().step_by(2).all(|line| line.starts_with("cancel.")), "{cancel}");
}

#[test]
fn whom_nobody_may_test_unasked_and_what_is_no_case_is_wrong_usage() {
    assert_ends(&["sip:a@192.0.2.1"], 2, "--i-may-test-this-host");
    assert_ends(&["127.0.0.1:5060", "--case", "dialog.nonesuch"], 2, "no case");
    assert_ends(&[], 2, "URI");
}

#[test]
fn a_peer_that_is_not_there_is_a_thing_that_is_missing() {
    // Bound and never read from: nobody else answers there meanwhile.
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a loopback socket");
    let address = socket.local_addr().expect("an address").to_string();
    assert_ends(&[&address, "--timeout", "1s"], 3, "answers neither OPTIONS nor INVITE");
}
