//! What went over the wire, as tshark sees it in the capture of our endpoint.

use crate::harness::{need, run};
use std::path::Path;

/// Runs tshark on a capture and gives the chosen fields of each frame that `filter` lets through.
pub(crate) fn fields(capture: &Path, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
    fields_with(&[], capture, filter, fields)
}

/// The same with further options of tshark.
pub(crate) fn fields_with(
    options: &[&str],
    capture: &Path,
    filter: &str,
    fields: &[&str],
) -> Vec<Vec<String>> {
    need("tshark", "tshark");
    let capture = capture.to_str().expect("a path in UTF-8");
    // By content before port: the free port that a test was given may be registered to another protocol.
    let content = ["-o", "udp.try_heuristic_first:TRUE", "--enable-heuristic", "rtp_udp"];
    let mut args = [&["-n", "-r", capture][..], &content, options, &["-Y", filter, "-T", "fields"]].concat();
    args.extend(fields.iter().flat_map(|field| ["-e", field]));
    let text = String::from_utf8(run("tshark", &args)).expect("tshark writes UTF-8");
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// How many frames of a capture `filter` lets through.
pub(crate) fn count(capture: &Path, filter: &str) -> usize {
    fields(capture, filter, &["frame.number"]).len()
}

/// Asserts that a capture holds packets, that tshark knows what each of them is, and that none is malformed.
pub(crate) fn assert_clean(capture: &Path) {
    assert!(count(capture, "udp") > 0, "{} is empty", capture.display());
    for (filter, what) in [("_ws.malformed", "malformed"), ("data", "of no known protocol")] {
        let frames = fields(capture, filter, &["frame.number", "_ws.col.Protocol", "_ws.col.Info"]);
        assert!(frames.is_empty(), "{}: frames are {what}: {frames:?}", capture.display());
    }
}

/// The H.264 stream of the RTP packets that `filter` lets through (RFC 6184), in Annex B form, written to
/// `out`. Packets must lie in order, as they do where they were sent.
pub(crate) fn extract_h264(capture: &Path, filter: &str, out: &Path) {
    let payloads = fields(capture, &format!("rtp && ({filter})"), &["rtp.payload"]);
    let mut stream = Vec::new();
    for payload in payloads.iter().map(|row| hex(&row[0])) {
        depacketize(&payload, &mut stream);
    }
    std::fs::write(out, stream).expect("a file in the scratch directory");
}

/// Appends the NAL units, or the part of one, that a payload carries. This is not the depacketizer under test.
fn depacketize(payload: &[u8], stream: &mut Vec<u8>) {
    const START: [u8; 4] = [0, 0, 0, 1];
    const STAP_A: u8 = 24;
    const FU_A: u8 = 28;
    match payload[0] & 0x1f {
        1..=23 => stream.extend(START.iter().chain(payload)),
        STAP_A => {
            let mut rest = &payload[1..];
            while let [high, low, tail @ ..] = rest {
                let (unit, next) = tail.split_at(usize::from(u16::from_be_bytes([*high, *low])));
                stream.extend(START.iter().chain(unit));
                rest = next;
            }
        }
        FU_A => {
            if payload[1] & 0x80 != 0 {
                stream.extend(START);
                stream.push(payload[0] & 0xe0 | payload[1] & 0x1f);
            }
            stream.extend(&payload[2..]);
        }
        other => panic!("a payload of type {other} on the wire"),
    }
}

/// The octets that these digits stand for.
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let octet = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).expect("hex digits");
        u8::from_str_radix(pair, 16).expect("hex digits")
    };
    digits.as_bytes().chunks(2).map(octet).collect()
}
