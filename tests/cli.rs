//! The command line as a shell script meets it: exit codes, output for people and for programs, and what each flag
//! does to a call between two processes on loopback.

// The helpers are those of the tests with peers; not all of them are needed here.
#[allow(dead_code)]
#[path = "interop/harness.rs"]
mod harness;

use harness::{A_CALL, Outcome, SOON, Scratch, Visavis, alone};
use serde_json::Value;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use visavis::proto::nat::{Candidate, CandidateKind, NatKind, Ticket};

/// Runs `visavis` to its end.
fn visavis(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_visavis")).args(args).output().expect("visavis runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Both ends of one call.
struct Pair {
    caller: Outcome,
    callee: Outcome,
    /// What each of them printed.
    said: [String; 2],
}

/// A call of two seconds from one process to another; the callee ends by itself after it.
fn pair(call: &[&str], answer: &[&str]) -> Pair {
    let _alone = alone();
    let fixed = ["answer", "--listen", "127.0.0.51:0", "--max-calls", "1"];
    let mut callee = Visavis::start(&[&fixed, answer].concat());
    let uri = format!("sip:callee@{}", callee.address());
    let fixed = ["call", &uri, "--listen", "127.0.0.52:0", "--duration", "2s"];
    let mut caller = Visavis::start(&[&fixed, call].concat());
    let ends = [caller.finish(A_CALL), callee.finish(SOON)];
    let said = [caller.output(), callee.output()];
    let [caller, callee] = ends;
    Pair { caller, callee, said }
}

impl Pair {
    /// The kinds of the sections in use; both sides must agree on them.
    fn kinds(&self) -> Vec<&str> {
        let [here, there] = [&self.caller, &self.callee].map(|outcome| {
            let sections = outcome.record["sections"].as_array().expect("sections");
            sections.iter().filter_map(|section| section["kind"].as_str()).collect::<Vec<_>>()
        });
        assert_eq!(here, there);
        here
    }

    fn assert_good(&self) {
        for outcome in [&self.caller, &self.callee] {
            assert_eq!(outcome.verdict["good"], true, "{outcome:?}");
        }
        assert_eq!(self.caller.record["end"], "local-hangup");
        assert_eq!(self.callee.record["end"], "remote-hangup");
    }
}

/// The UDP payloads in a capture of ours: raw IPv4 in enhanced packet blocks of pcapng, little-endian.
fn payloads(capture: &Path) -> Vec<Vec<u8>> {
    let file = std::fs::read(capture).expect("a capture");
    let mut rest = &file[..];
    let mut payloads = Vec::new();
    while let [kind, length, ..] = rest.as_chunks::<4>().0 {
        let (block, tail) = rest.split_at(u32::from_le_bytes(*length) as usize);
        if u32::from_le_bytes(*kind) == 6 {
            let captured = u32::from_le_bytes(block[20..24].try_into().expect("four octets")) as usize;
            payloads.push(block[28..28 + captured][28..].to_vec());
        }
        rest = tail;
    }
    payloads
}

/// The first SIP message of a capture that begins with this.
fn message(capture: &Path, start: &str) -> String {
    let all = payloads(capture);
    let found = all.iter().find(|payload| payload.starts_with(start.as_bytes()));
    String::from_utf8_lossy(found.unwrap_or_else(|| panic!("no {start} in {}", capture.display())))
        .into_owned()
}

#[test]
fn what_cannot_be_understood_is_wrong_usage() {
    // A call listens before it reads whom to call: on a port that nobody holds.
    let call = ["call", "--listen", "127.0.0.56:0"];
    let uri = "sip:a@127.0.0.56:9";
    for (command, more) in [
        (&[][..], &[][..]),
        (&[], &["--nonsense"]),
        (&["answer"], &["--decline", "200"]),
        (&call, &[]),
        (&call, &["not a uri"]),
        (&call, &[uri, "--nonsense"]),
        (&call, &[uri, "--audio-only", "--video-only"]),
        (&call, &[uri, "--rotate", "45"]),
        (&call, &[uri, "--rotate", "90", "--echo"]),
        (&call, &[uri, "--dtmf", "x"]),
        (&call, &[uri, "--codecs", "mp3"]),
        (&call, &[uri, "--ske", "lab"]),
        (&call, &[uri, "--profile", "facetime2010", "--separate-ports"]),
        (&["answer", "--listen", "127.0.0.56:0"], &["--emulate"]),
        (&["probe"], &["--nat"]),
    ] {
        let args = [command, more].concat();
        let ran = visavis(&args);
        assert_eq!(ran.status.code(), Some(2), "{args:?}: {}", stderr(&ran));
        assert!(!ran.stderr.is_empty() && ran.stdout.is_empty(), "{args:?}");
    }
}

/// A ticket with this address in it, of whatever kind: `Ticket::new` would refuse some.
fn ticket_of(address: &str, nonce: u8, expires: u64) -> String {
    let candidate = Candidate::new(CandidateKind::Host, address.parse().expect("an address"));
    let (nonce, nat) = ([nonce; 16], NatKind::Unknown);
    Ticket { candidates: vec![candidate], nonce, expires, nat, identity: None }.to_string()
}

/// Far from now, seconds since 1970.
const LATER: u64 = 1 << 36;

#[test]
fn a_ticket_is_one_line_and_what_it_stands_for_is_kept_for_the_owner_alone() {
    let scratch = Scratch::new();
    let state = scratch.file("state");
    let dir = state.to_str().expect("a path in UTF-8");
    let make = |first: &[&str]| {
        let ran = visavis(&[first, &["ticket", "--listen", "127.0.0.57:0", "--state", dir]].concat());
        assert_eq!(ran.status.code(), Some(0), "{}", stderr(&ran));
        ran
    };
    let ran = make(&[]);
    let said = stdout(&ran);
    let ticket: Ticket = said.trim_end().parse().unwrap_or_else(|e| panic!("{said}: {e}"));
    assert_eq!(said, format!("{ticket}\n"), "one line for a program to take");
    assert!(stderr(&ran).contains("good for 60 minutes"), "{}", stderr(&ran));
    assert_eq!(ticket.candidates[0].address.ip().to_string(), "127.0.0.57");
    let files: Vec<_> = std::fs::read_dir(&state).expect("a directory").map(|f| f.expect("a file")).collect();
    assert!(files.len() >= 2, "the identity and the ticket: {files:?}");
    for file in files {
        let mode = file.metadata().expect("what the system knows").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.path());
    }

    let said = stdout(&make(&["--json"]));
    let events: Vec<Value> =
        said.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{l}: {e}"))).collect();
    let event = events.iter().find(|e| e["event"] == "ticket").unwrap_or_else(|| panic!("{said}"));
    let again: Ticket = event["ticket"].as_str().expect("a text").parse().expect("a ticket");
    assert_ne!(again.nonce, ticket.nonce, "each ticket has a secret of its own");
    assert_eq!(again.identity, ticket.identity, "the identity stays");
    assert_eq!(event["expires"].as_u64(), Some(again.expires));
}

#[test]
fn a_peer_that_cannot_be_called_is_named_before_anything_is_sent() {
    let scratch = Scratch::new();
    let dir = scratch.file("state");
    let dir = dir.to_str().expect("a path in UTF-8");
    let good = &ticket_of("127.0.0.58:16402", 1, LATER);
    let own = &ticket_of("127.0.0.59:16402", 2, LATER);
    let torn = &good[..good.len() - 4];
    let refused = &ticket_of("17.1.2.3:16402", 3, LATER);
    let expired = &ticket_of("127.0.0.58:16402", 4, 1_000_000_000);
    for command in ["call", "answer"] {
        for (more, code, text) in [
            (&["--peer", torn][..], 2, "torn"),
            (&["--peer", refused], 2, "17.1.2.3"),
            (&["--peer", own, "--ticket", own], 2, "our own ticket"),
            (&["--peer", good], 3, "run visavis ticket first"),
            (&["--peer", expired, "--ticket", own], 1, "expired"),
        ] {
            let fixed = [command, "--profile", "facetime2010", "--listen", "127.0.0.59:0", "--state", dir];
            let ran = visavis(&[&fixed, more].concat());
            let said = stdout(&ran) + &stderr(&ran);
            assert_eq!(ran.status.code(), Some(code), "{command} {more:?}: {said}");
            assert!(said.contains(text), "{command} {more:?}: {said}");
        }
    }
}

#[test]
fn a_port_that_is_taken_is_named_and_who_holds_it_can_be_found() {
    let holder = UdpSocket::bind("127.0.0.53:0").expect("a loopback socket");
    let address = holder.local_addr().expect("an address");
    for command in [&["answer"][..], &["call", "sip:a@127.0.0.53:9"]] {
        let ran = visavis(&[command, &["--listen", &address.to_string()]].concat());
        let said = stderr(&ran);
        assert_eq!(ran.status.code(), Some(3), "{said}");
        assert!(said.contains(&address.to_string()), "{said}");
        assert!(said.contains(&format!("ss -ulpn 'sport = :{}'", address.port())), "{said}");
    }
    // With others to fall back to, it takes one of those.
    let range = format!("{0}-{0}", harness::free_port("127.0.0.53"));
    let fixed = ["answer", "--listen", &address.to_string(), "--port-range", &range];
    let answer = Visavis::start(&fixed);
    assert_eq!(format!("{0}-{0}", answer.address().port()), range);
}

#[test]
fn a_call_to_nobody_fails_soon_and_says_so() {
    let began = Instant::now();
    // The discard port of an address that nobody uses.
    let ran = visavis(&["call", "sip:a@127.0.0.54:9", "--listen", "127.0.0.55:0", "--ring-timeout", "1s"]);
    assert_eq!(ran.status.code(), Some(1), "{}", stderr(&ran));
    assert!(stdout(&ran).contains("no response to INVITE from 127.0.0.54:9"), "{}", stdout(&ran));
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
}

#[test]
fn a_declined_call_tells_the_caller_its_status() {
    let pair = pair(&[], &["--decline", "486"]);
    assert_eq!(pair.caller.record["end"], "refused");
    assert_eq!(pair.caller.verdict["good"], false);
    let text = pair.caller.record["end_text"].as_str().expect("a text");
    assert!(text.contains("486 Busy Here"), "{text}");
    assert_eq!(pair.callee.record["end"], "rejected");
}

#[test]
fn json_is_all_of_stdout_and_text_all_of_stderr() {
    let _alone = alone();
    let answer = Visavis::start(&["answer", "--listen", "127.0.0.51:0", "--no-media"]);
    let uri = format!("sip:callee@{}", answer.address());
    let call = ["call", &uri, "--listen", "127.0.0.52:0", "--duration", "1s", "--no-media"];

    let ran = visavis(&[&["--json"][..], &call].concat());
    assert_eq!(ran.status.code(), Some(0), "{}", stderr(&ran));
    let mut names = Vec::new();
    for line in stdout(&ran).lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        assert_eq!(event["v"], 1, "{line}");
        names.push(event["event"].as_str().expect("a name").to_owned());
    }
    for name in ["listening", "calling", "established", "ended", "call"] {
        assert_eq!(names.iter().filter(|n| *n == name).count(), 1, "{name} in {names:?}");
    }
    assert!(stderr(&ran).contains("verdict: good"), "{}", stderr(&ran));
    assert!(stderr(&ran).lines().all(|line| !line.starts_with('{')), "{}", stderr(&ran));

    let ran = visavis(&call);
    assert_eq!(ran.status.code(), Some(0), "{}", stderr(&ran));
    assert!(stdout(&ran).contains("verdict: good") && ran.stderr.is_empty(), "{ran:?}");

    let ran = visavis(&["--json", "call", "no uri", "--listen", "127.0.0.56:0"]);
    let event: Value = serde_json::from_str(stdout(&ran).lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!((event["event"].as_str(), event["code"].as_u64()), (Some("error"), Some(2)));
}

#[test]
fn an_interrupt_hangs_up() {
    let _alone = alone();
    for who in ["caller", "callee"] {
        let mut callee = Visavis::start(&["answer", "--listen", "127.0.0.51:0", "--max-calls", "1"]);
        let uri = format!("sip:callee@{}", callee.address());
        let mut caller = Visavis::start(&["call", &uri, "--listen", "127.0.0.52:0", "--duration", "0"]);
        for side in [&caller, &callee] {
            side.event("established", SOON);
        }
        // Something to judge: both have sent and received by then.
        std::thread::sleep(Duration::from_secs(2));
        if who == "caller" {
            caller.interrupt()
        } else {
            callee.interrupt()
        }
        let (caller, callee) = (caller.finish(SOON), callee.finish(SOON));
        let (here, there) = if who == "caller" { (caller, callee) } else { (callee, caller) };
        assert_eq!(here.record["end_text"], "hung up here", "{who}");
        assert_eq!(there.record["end_text"], "hung up by the peer", "{who}");
    }
}

#[test]
fn a_plain_call_carries_both_media_both_ways() {
    let pair = pair(&[], &[]);
    pair.assert_good();
    assert_eq!(pair.kinds(), ["audio", "video"]);
    for outcome in [&pair.caller, &pair.callee] {
        outcome.assert_flowed("audio", 1);
        outcome.assert_flowed("video", 1);
    }
}

#[test]
fn echo_sends_the_callers_own_pattern_and_tone_back() {
    let pair = pair(&[], &["--echo"]);
    pair.assert_good();
    let (read, received) = (pair.caller.judged("/video/read"), pair.caller.judged("/video/received"));
    assert!(received >= 20.0 && read >= received * 0.9, "{read} of {received}");
    assert!((pair.caller.judged("/audio/tone_hz") - 997.0).abs() < 1.0);
    // The callee has nothing of its own to send: it sends what it got.
    let (got, sent) =
        (pair.callee.count("audio", "frames_received"), pair.callee.count("audio", "frames_sent"));
    assert!(sent > 0 && sent <= got, "{sent} sent of {got}");
}

#[test]
fn a_turned_picture_is_judged_as_it_was_sent_and_shown_as_it_is_meant() {
    let scratch = Scratch::new();
    let films = scratch.path().to_str().expect("a path in UTF-8");
    let pair = pair(&["--rotate", "90", "--size", "320x240"], &["--record", films]);
    pair.assert_good();
    let video = |outcome: &Outcome, field: &str| {
        let sections = outcome.record["sections"].as_array().expect("sections").clone();
        sections.into_iter().find(|s| s["kind"] == "video").expect("pictures")[field].clone()
    };
    assert_eq!(
        (video(&pair.caller, "rotation_sent"), video(&pair.callee, "rotation_received")),
        (90.into(), 90.into())
    );
    // The callee has a camera that stands upright, and says so (RFC 7742 section 4).
    assert_eq!(
        (video(&pair.callee, "rotation_sent"), video(&pair.caller, "rotation_received")),
        (0.into(), 0.into())
    );
    let (read, received) = (pair.callee.judged("/video/read"), pair.callee.judged("/video/received"));
    assert!(received >= 20.0 && read >= received * 0.9, "{read} of {received}");
    let film = pair.callee.record["media"]["recording"].as_str().expect("a recording").to_owned();
    let asked = [
        "-v",
        "error",
        "-select_streams",
        "v",
        "-show_entries",
        "stream_side_data=rotation",
        "-of",
        "csv=p=0",
        &film,
    ];
    let output = Command::new("ffprobe").args(asked).output();
    let output =
        output.unwrap_or_else(|e| panic!("ffprobe cannot be run ({e}); install it: apt-get install ffmpeg"));
    assert_eq!(stdout(&output).trim(), "-90", "players turn by 90 degrees clockwise");
    for outcome in [&pair.caller, &pair.callee] {
        for kind in ["audio", "video"] {
            let sections = outcome.record["sections"].as_array().expect("sections");
            let section = sections.iter().find(|s| s["kind"] == kind).expect("both media");
            assert_eq!(section["synchronised_by"], "header extension", "{kind}");
        }
    }
}

#[test]
fn an_echo_that_is_decoded_and_coded_again_is_still_the_callers_own_pattern_and_tone() {
    // Once with one codec both ways, once with another for each way of sampling.
    for codecs in ["h264,opus", "h264,pcmu"] {
        let pair = pair(&["--codecs", codecs], &["--echo=decoded", "--video-kbps", "200"]);
        pair.assert_good();
        let (read, received) = (pair.caller.judged("/video/read"), pair.caller.judged("/video/received"));
        assert!(received >= 20.0 && read >= received * 0.9, "{read} of {received}");
        assert!((pair.caller.judged("/audio/tone_hz") - 997.0).abs() < 1.0);
        assert_eq!(pair.caller.judged("/audio/dropouts"), 0.0);
        // Coded frames that went back as they were would look at both ends alike.
        let (there, back) =
            (pair.callee.judged("/video/psnr_db/median"), pair.caller.judged("/video/psnr_db/median"));
        assert!(back + 1.0 < there, "{there} dB there, {back} dB back");
    }
}

#[test]
fn no_media_means_that_sip_alone_is_on_the_wire() {
    let scratch = Scratch::new();
    let capture = scratch.file("call.pcapng");
    let path = capture.to_str().expect("a path in UTF-8");
    let pair = pair(&["--no-media", "--capture", path], &["--no-media"]);
    pair.assert_good();
    let all = payloads(&capture);
    assert!(all.len() >= 6, "INVITE, 180, 200, ACK, BYE and 200 are six: {}", all.len());
    // RTP and RTCP begin with version 2 in two bits: no letter.
    assert!(all.iter().all(|payload| payload[0].is_ascii_uppercase()), "not only SIP in the capture");
    assert!(message(&capture, "INVITE ").contains("m=video"));
}

#[test]
fn audio_only_and_video_only_offer_one_medium() {
    let sound = pair(&["--audio-only"], &[]);
    sound.assert_good();
    assert_eq!(sound.kinds(), ["audio"]);
    sound.caller.assert_flowed("audio", 1);
    let pictures = pair(&["--video-only"], &[]);
    pictures.assert_good();
    assert_eq!(pictures.kinds(), ["video"]);
    pictures.caller.assert_flowed("video", 1);
}

#[test]
fn a_late_offer_leaves_the_invite_empty_and_the_ack_brings_the_answer() {
    let scratch = Scratch::new();
    let capture = scratch.file("call.pcapng");
    let pair = pair(&["--late-offer", "--capture", capture.to_str().expect("a path in UTF-8")], &[]);
    pair.assert_good();
    assert_eq!(pair.kinds(), ["audio", "video"]);
    assert!(!message(&capture, "INVITE ").contains("m=audio"));
    assert!(message(&capture, "SIP/2.0 200").contains("m=audio"));
    assert!(message(&capture, "ACK ").contains("m=audio"));
}

#[test]
fn keys_are_pressed_in_order() {
    let pair = pair(&["--dtmf", "12#"], &[]);
    pair.assert_good();
    let events = pair.said[1].lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let keys: String = events.filter_map(|e| e["digit"].as_str().map(str::to_owned)).collect();
    assert_eq!(keys, "12#");
}

#[test]
fn separate_ports_are_even_ports_from_the_pool_one_for_each_section() {
    let scratch = Scratch::new();
    let capture = scratch.file("call.pcapng");
    let path = capture.to_str().expect("a path in UTF-8");
    let pair = pair(&["--separate-ports", "23000-23019", "--capture", path], &["--separate-ports"]);
    pair.assert_good();
    for outcome in [&pair.caller, &pair.callee] {
        outcome.assert_flowed("audio", 1);
        outcome.assert_flowed("video", 1);
    }
    for (start, pool) in [("INVITE ", 23_000..=23_019), ("SIP/2.0 200", 16_384..=16_403)] {
        let message = message(&capture, start);
        let port = |kind: &str| {
            let line = message.lines().find_map(|line| line.strip_prefix(&format!("m={kind} ")));
            line.and_then(|line| line.split(' ').next()?.parse::<u16>().ok()).expect("a port")
        };
        let (audio, video) = (port("audio"), port("video"));
        assert_ne!(audio, video);
        for port in [audio, video] {
            assert!(pool.contains(&port) && port % 2 == 0, "{port} of {pool:?}");
        }
    }
}

#[test]
fn a_recording_of_each_call_lies_in_the_directory_named() {
    let scratch = Scratch::new();
    let dir = scratch.file("films");
    let pair = pair(&[], &["--record", dir.to_str().expect("a path in UTF-8")]);
    pair.assert_good();
    let films: Vec<_> =
        std::fs::read_dir(&dir).expect("a directory").map(|f| f.expect("a file").path()).collect();
    let [film] = &films[..] else { panic!("one film in {films:?}") };
    assert_eq!(pair.callee.record["media"]["recording"].as_str(), film.to_str());
    assert_eq!(pair.callee.record["media"]["recording_error"], Value::Null);
    let octets = std::fs::read(film).expect("a film");
    let holds = |name: &[u8]| octets.windows(4).any(|four| four == name);
    assert!(
        octets.len() > 20_000 && octets[4..8] == *b"ftyp" && holds(b"moov") && holds(b"avc1"),
        "{film:?}"
    );
}
