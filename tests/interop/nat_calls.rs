//! Whole calls of two `visavis`, each behind a NAT of its own, and what passed between the NATs as tshark sees it.

use crate::harness::{A_CALL, Process, SOON, Scratch, VISAVIS, Visavis, alone, free_port, need};
use crate::media::{assert_pattern, judge_film};
use crate::namespaces::{Host, STUN, STUN_OTHER, TwoNats};
use crate::wire::{count, fields, fields_with, hex};
use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What passes from one NAT to the other, and not to or from the STUN server.
const BETWEEN: &str = "udp && !icmp && ip.addr != 198.18.0.1 && ip.addr != 198.18.0.2";
/// The public address of the callee's NAT.
const CALLEE: &str = "198.18.2.2";
/// Encrypted pictures look to a dissector of H.264 like any octets: mostly malformed.
const SEALED: [&str; 2] = ["--disable-protocol", "h264"];
/// `a=fmtp:AAC`, with the name of a codec where a payload type belongs, is a trait of the profile (P3).
const MALFORMED: &str = "_ws.malformed && !(_ws.expert.message == \"Invalid media format\")";

/// The ticket of a host, as `visavis ticket` prints it; its state lies in this directory.
fn ticket(nats: &TwoNats, host: Host, state: &Path) -> String {
    let mut command = nats.command(host, VISAVIS);
    let output = command.args(["ticket", "--stun", STUN, "--state"]).arg(state).output();
    let output = output.expect("visavis runs");
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(said.starts_with("vv1-"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Holds a call of eight seconds from A to B, which must be good at both ends. Gives what passed before A's NAT.
fn hold(a: &str, b: &str, scratch: &Scratch, options: &[&str], caller_options: &[&str]) -> PathBuf {
    let nats = TwoNats::up(a, b);
    let _server = nats.stun_server();
    let states = ["a", "b"].map(|name| scratch.file(name));
    let capture = nats.capture(Host::A, &scratch.file("wire.pcapng"));
    let tickets = [(Host::A, 0), (Host::B, 1)].map(|(host, i)| ticket(&nats, host, &states[i]));

    let start = |host, state: &Path, args: &[&str]| {
        let state = state.to_str().expect("a path in UTF-8");
        let common = ["--profile", "facetime2010", "--stun", STUN, "--state", state];
        Visavis::start_by(nats.command(host, VISAVIS), &[args, &common, options].concat())
    };
    let answer = ["answer", "--max-calls", "1", "--peer", &tickets[0]];
    let call = [&["call", "--duration", "8s", "--peer", &tickets[1]], caller_options].concat();
    let mut callee = start(Host::B, &states[1], &answer);
    let mut caller = start(Host::A, &states[0], &call);
    for outcome in [caller.finish(A_CALL), callee.finish(SOON)] {
        assert_eq!(outcome.verdict["good"], true, "{}", outcome.verdict);
        outcome.assert_flowed("audio", 7);
        outcome.assert_flowed("video", 7);
    }
    capture.finish()
}

/// Asserts that one flow passed between the NATs, in it STUN before SIP and SIP before media, and nothing malformed.
/// `options` are for tshark; frames that `unknown` lets through need not be of a known protocol.
fn assert_one_flow(file: &Path, options: &[&str], unknown: &str) {
    let ends = fields(file, BETWEEN, &["ip.src", "udp.srcport", "ip.dst", "udp.dstport"]);
    let ends: BTreeSet<_> = ends.iter().flat_map(|f| [(&f[0], &f[1]), (&f[2], &f[3])]).collect();
    assert_eq!(ends.len(), 2, "{ends:?}");
    for filter in [MALFORMED, &format!("data && !({unknown})")] {
        let frames = fields_with(options, file, filter, &["frame.number", "_ws.col.Info"]);
        assert!(frames.is_empty(), "{filter}: {frames:?}");
    }
    let first = |filter: &str| {
        let frames = fields_with(options, file, &format!("({BETWEEN}) && ({filter})"), &["frame.number"]);
        let first = frames.first().unwrap_or_else(|| panic!("no {filter}"));
        first[0].parse::<u64>().expect("a number")
    };
    let order = ["stun", "sip", "rtp && !sip"].map(first);
    assert!(order.is_sorted(), "first STUN, SIP and RTP: {order:?}");
    for method in ["INVITE", "ACK", "BYE"] {
        assert_eq!(requests(file, method), 1, "{method}");
    }
    for status in [100, 180] {
        assert!(count(file, &format!("sip.Status-Code == {status}")) > 0, "{status}");
    }
    assert!(count(file, "stun && ip.addr == 198.18.0.1") > 0, "{STUN} was asked");
    assert_eq!(count(file, &format!("rtp && ip.addr == {STUN_OTHER}")), 0, "media to the server");
}

/// How many requests of this method were made; one that was sent again counts once.
fn requests(file: &Path, method: &str) -> usize {
    let rows = fields(file, &format!("sip.Method == \"{method}\""), &["ip.src", "sip.CSeq.seq"]);
    rows.into_iter().collect::<BTreeSet<_>>().len()
}

/// Starts ffmpeg, which writes four seconds of the pictures that come to its port to a file.
fn watch(scratch: &Scratch, name: &str, transport: &str, crypto: &str) -> (Process, u16, PathBuf) {
    need("ffmpeg", "ffmpeg");
    let (port, film) = (free_port("0.0.0.0"), scratch.file(&format!("{name}.y4m")));
    let sdp = format!(
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=video {port} {transport} 123\r\na=rtpmap:123 H264/90000\r\n{crypto}"
    );
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error"]);
    command.args(["-protocol_whitelist", "file,udp,rtp,srtp,crypto", "-i"]);
    command.arg(scratch.write(&format!("{name}.sdp"), &sdp));
    command.args(["-t", "4", "-vsync", "passthrough", "-pix_fmt", "yuv420p"]).arg(&film);
    let process = Process::start("ffmpeg", &mut command);
    let deadline = Instant::now() + SOON;
    while UdpSocket::bind(("0.0.0.0", port)).is_ok() {
        assert!(Instant::now() < deadline, "ffmpeg does not listen\n{}", process.output());
        std::thread::sleep(Duration::from_millis(20));
    }
    (process, port, film)
}

/// Sends the callee's pictures once more, as they were on the wire and at their pace, to these ports.
fn replay(capture: &Path, ports: &[u16]) {
    let filter = format!("rtp.p_type == 123 && ip.src == {CALLEE}");
    let rows = fields_with(&SEALED, capture, &filter, &["frame.time_relative", "udp.payload"]);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a loopback socket");
    let at = |row: &[String]| row[0].parse::<f64>().expect("seconds");
    let (began, first) = (Instant::now(), rows.first().map(|row| at(row)).expect("pictures"));
    for row in &rows {
        let due = began + Duration::from_secs_f64((at(row) - first).max(0.0));
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        for port in ports {
            // One that has seen enough does not listen any more.
            let _ = socket.send_to(&hex(&row[1]), ("127.0.0.1", *port));
        }
    }
}

#[test]
fn two_hosts_behind_port_restricted_nats_hold_an_encrypted_call_in_one_flow() {
    let _alone = alone();
    let scratch = Scratch::new();
    let keys = scratch.file("keys.sdp");
    let export = ["--export-keys", keys.to_str().expect("a path in UTF-8")];
    let capture = hold("port-restricted", "port-restricted", &scratch, &["--ske", "lab"], &export);
    // SRTCP leaves the fixed header to be seen, and nothing that follows the SSRC (RFC 3711 section 3.4).
    assert_one_flow(&capture, &SEALED, "udp.payload[1:1] >= c8 && udp.payload[1:1] <= ce");
    assert_eq!(requests(&capture, "MESSAGE"), 4);

    let keys = std::fs::read_to_string(keys).expect("the exported keys");
    let video = keys.split("m=video").nth(1).expect("a video section");
    let crypto = video.lines().find(|line| line.starts_with("a=crypto:")).expect("a key");
    let (mut opened, port, film) = watch(&scratch, "opened", "RTP/SAVP", &format!("{crypto}\r\n"));
    let (mut sealed, sealed_port, noise) = watch(&scratch, "sealed", "RTP/AVP", "");
    replay(&capture, &[port, sealed_port]);
    assert!(opened.wait(SOON).success(), "{}", opened.output());
    assert_pattern(&judge_film(&film), 45);
    sealed.interrupt();
    sealed.wait(SOON);
    let octets = std::fs::metadata(noise).map_or(0, |file| file.len());
    assert_eq!(octets, 0, "pictures without the key\n{}", sealed.output());
}

#[test]
fn two_hosts_behind_port_restricted_nats_hold_a_call_in_the_clear() {
    let _alone = alone();
    let scratch = Scratch::new();
    let capture = hold("port-restricted", "port-restricted", &scratch, &["--emulate"], &[]);
    assert_one_flow(&capture, &[], "frame.number == 0");
    assert!(count(&capture, "rtcp") > 0 && count(&capture, "h264") > 0, "RTCP and pictures are read");
}

#[test]
fn a_host_behind_a_full_cone_calls_one_behind_a_port_restricted_nat() {
    let _alone = alone();
    hold("full-cone", "port-restricted", &Scratch::new(), &["--ske", "lab"], &[]);
}
