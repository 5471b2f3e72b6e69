//! What a tap records, tshark reads: no malformed packet, no bad checksum, every field as it was.

use std::fs::File;
use std::io::BufWriter;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use visavis_capture::{Description, Direction, TapMode, tap};
use visavis_proto::Time;

const V4: [&str; 2] = ["192.0.2.7:16402", "198.51.100.9:5060"];
const V6: [&str; 2] = ["[2001:db8::7]:16402", "[2001:db8::9]:5060"];

type Datagram = (Time, Direction, [&'static str; 2], Vec<u8>);

/// Records datagrams to a file of this name.
fn record(name: &str, mode: TapMode, datagrams: &[Datagram]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let (tap, recorder) = tap(1 << 24, mode);
    for (time, direction, [local, remote], payload) in datagrams {
        let parse = |address: &str| -> SocketAddr { address.parse().unwrap() };
        tap.record(*time, *direction, parse(local), parse(remote), payload);
    }
    drop(tap);
    let description = Description {
        application: "visavis test".into(),
        interface: "agent".into(),
        details: "one port".into(),
        comment: "made by a test".into(),
    };
    let file = BufWriter::new(File::create(&path).unwrap());
    let summary = recorder.write_to(file, &description).unwrap();
    assert_eq!(summary.written, datagrams.len() as u64);
    path
}

/// The chosen fields of each packet, checksums verified.
fn tshark(file: &Path, options: &[&str], fields: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command.args(["-n", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]);
    command.args(options).arg("-r").arg(file).args(["-T", "fields", "-E", "separator=|"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().expect("this test needs tshark: apt-get install tshark");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark: {errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
}

fn rtp(length: usize) -> Vec<u8> {
    let mut packet = vec![0x80, 0x60, 0x12, 0x34, 0, 0, 0x10, 0, 0xca, 0xfe, 0xba, 0xbe];
    packet.resize(length, 0x55);
    packet
}

#[test]
fn addresses_times_directions_and_checksums_are_right() {
    let at = |nanos: i64| Time::from_millis(5).with_unix_offset(1_289_000_000_000_000_000 + nanos);
    let (inbound, outbound) = (Direction::Inbound, Direction::Outbound);
    let file = record(
        "addresses.pcapng",
        TapMode::Full,
        &[
            (at(1), outbound, V4, b"four".to_vec()),
            (at(2), inbound, V4, b"odd".to_vec()),
            (at(3), outbound, V6, b"six".to_vec()),
            (at(4), inbound, V6, Vec::new()),
            (at(5), outbound, V4, rtp(65_507)),
            (at(6), outbound, V6, rtp(65_527)),
        ],
    );
    let fields = [
        "frame.time_epoch",
        "frame.packet_flags_direction",
        "ip.src",
        "ipv6.src",
        "udp.srcport",
        "udp.dstport",
        "udp.length",
        "ip.checksum.status",
        "udp.checksum.status",
        "_ws.malformed",
        "frame.interface_name",
        "frame.interface_description",
    ];
    // The payloads mean nothing, so no dissector above UDP has a say.
    let lines = tshark(&file, &["-d", "udp.port==5060,data"], &fields);
    let here = |v4: &str, v6: &str, sum: &str, length: usize, nanos: u8| -> Vec<String> {
        let time = format!("1289000000.00500000{nanos}");
        let length = (length + 8).to_string();
        let cells =
            [&time, "0x00000002", v4, v6, "16402", "5060", &length, sum, "1", "", "agent", "one port"];
        cells.map(String::from).to_vec()
    };
    let there = |v4: &str, v6: &str, sum: &str, length: usize, nanos: u8| -> Vec<String> {
        let mut cells = here(v4, v6, sum, length, nanos);
        cells[1] = "0x00000001".into();
        cells.swap(4, 5);
        cells
    };
    let expected = [
        here("192.0.2.7", "", "1", 4, 1),
        there("198.51.100.9", "", "1", 3, 2),
        here("", "2001:db8::7", "", 3, 3),
        there("", "2001:db8::9", "", 0, 4),
        here("192.0.2.7", "", "1", 65_507, 5),
        here("", "2001:db8::7", "", 65_527, 6),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn headers_only_leaves_media_dissectable_and_says_how_long_it_was() {
    let sip = b"OPTIONS sip:a@192.0.2.7 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9;branch=z9hG4bK1\r\n\
        From: <sip:b@198.51.100.9>;tag=1\r\nTo: <sip:a@192.0.2.7>\r\nCall-ID: c1\r\nCSeq: 1 OPTIONS\r\n\
        Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
    let file = record(
        "headers.pcapng",
        TapMode::Headers(20),
        &[
            (Time::from_millis(1), Direction::Inbound, V4, sip.to_vec()),
            (Time::from_millis(2), Direction::Outbound, V4, rtp(1000)),
        ],
    );
    let fields = ["frame.len", "frame.cap_len", "sip.Method", "rtp.ssrc", "_ws.malformed"];
    let lines = tshark(&file, &["--enable-heuristic", "rtp_udp"], &fields);
    let whole = (28 + sip.len()).to_string();
    assert_eq!(lines[0], [&whole, &whole, "OPTIONS", "", ""]);
    assert_eq!(lines[1], ["1028", "48", "", "0xcafebabe", ""]);
}
