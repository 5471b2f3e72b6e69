//! Makes captures of any link and format from packets, or from another capture: what a network would have had to be
//! built for. Test support, included by `mod frames;` or by `#[path]`.
#![allow(dead_code, unreachable_pub, reason = "each test includes it, and uses a part of it")]

pub mod file;
pub mod ip;
pub mod link;

use file::Format;
use link::Link;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use visavis_capture::read::Reader;
use visavis_capture::{Direction, Record, findings::Transport};
use visavis_proto::Time;

/// An IP packet and when it was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub time: Time,
    pub direction: Option<Direction>,
    pub octets: Vec<u8>,
}

/// A datagram as a reader gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub packet: u64,
    pub nanos: u64,
    pub source: SocketAddr,
    pub destination: SocketAddr,
    pub transport: Transport,
    pub data: Vec<u8>,
    pub length: usize,
    pub direction: Option<Direction>,
}

/// All that a reader gives.
pub fn read(file: &[u8]) -> Vec<Seen> {
    let mut reader = Reader::new(file).unwrap();
    let mut seen = Vec::new();
    while let Some(datagram) = reader.next().unwrap() {
        seen.push(Seen {
            packet: datagram.packet,
            nanos: datagram.time.unix_nanos(),
            source: datagram.source,
            destination: datagram.destination,
            transport: datagram.transport,
            data: datagram.data.to_vec(),
            length: datagram.length,
            direction: datagram.direction,
        });
    }
    assert_eq!(reader.file().damage, None);
    seen
}

/// The same UDP datagrams as in another capture, on another link. What the link cannot say (the direction) is lost.
pub fn reframe(file: &[u8], link: Link, format: Format) -> Vec<u8> {
    let packets: Vec<Packet> =
        read(file).iter().filter(|s| s.transport == Transport::Udp).map(packet).collect();
    format.file(link, &packets)
}

/// The packet of a datagram, with headers made up again.
pub fn packet(seen: &Seen) -> Packet {
    let (direction, local, remote) = match seen.direction {
        Some(Direction::Inbound) => (Direction::Inbound, seen.destination, seen.source),
        _ => (Direction::Outbound, seen.source, seen.destination),
    };
    let time = Time::from_nanos(seen.nanos);
    assert_eq!(seen.data.len(), seen.length, "only whole datagrams are framed again");
    let record = Record::new(time, direction, local, remote, &seen.data, usize::MAX);
    let mut octets = Vec::new();
    record.write_packet(seen.packet as u16, &mut octets).unwrap();
    Packet { time, direction: seen.direction, octets }
}

/// The fields that tshark finds in a file, line by line, cell by cell.
pub fn tshark(file: &Path, options: &[&str], fields: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command.args(["-n", "-r"]).arg(file).args(options).args(["-T", "fields", "-E", "separator=|"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().expect("this test needs tshark: apt-get install tshark");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark: {errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
}

/// Datagrams as a call has them, over both versions of IP: RTP, SIP, STUN, sizes of all kinds.
pub fn call() -> Vec<Packet> {
    let pairs = [["192.0.2.7:16402", "198.51.100.9:5062"], ["[2001:db8::7]:16402", "[2001:db8::9]:5062"]];
    let mut packets = Vec::new();
    for index in 0..40usize {
        let length = [0, 1, 20, 160, 333, 1100, 1400][index % 7];
        let data: Vec<u8> = (0..length).map(|i| 0x80 + ((i * 7 + index) % 64) as u8).collect();
        let [a, b] = pairs[index / 3 % 2].map(|text| text.parse::<SocketAddr>().unwrap());
        let (direction, source, destination) =
            if index % 2 == 0 { (Direction::Outbound, a, b) } else { (Direction::Inbound, b, a) };
        packets.push(packet(&Seen {
            packet: index as u64 + 1,
            nanos: 1_289_000_000_000_000_000 + index as u64 * 20_000_000,
            source,
            destination,
            transport: Transport::Udp,
            length,
            data,
            direction: Some(direction),
        }));
    }
    packets
}
