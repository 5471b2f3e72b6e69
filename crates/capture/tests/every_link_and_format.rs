//! The same packets on every link and in every format: the same datagrams come out, and tshark sees the same.

mod frames;

use frames::file::{self, Format};
use frames::link::{self, Link};
use frames::{Seen, call, ip, packet, read, reframe, tshark};
use std::fs;
use std::path::Path;

const PCAPNG: Format = Format::Pcapng { big: false, resolution: 9 };

/// What the file was made from.
fn expected() -> Vec<Seen> {
    read(&PCAPNG.file(Link::Raw, &call()))
}

#[test]
fn the_same_datagrams_come_out() {
    let expected = expected();
    assert_eq!(expected.len(), 40);
    for link in link::ALL {
        for format in file::ALL {
            let told = link.tells_direction() || format.tells_direction();
            let seen = read(&format.file(link, &call()));
            assert_eq!(seen.len(), expected.len(), "{link:?} {format:?}");
            for (seen, expected) in seen.iter().zip(&expected) {
                let direction = if told { expected.direction } else { None };
                assert_eq!(seen, &Seen { direction, ..expected.clone() }, "{link:?} {format:?}");
            }
        }
    }
}

#[test]
fn a_capture_can_be_framed_again_and_again() {
    let expected = expected();
    let mut file = PCAPNG.file(Link::Ethernet, &call());
    for link in link::ALL {
        file = reframe(&file, link, PCAPNG);
    }
    assert_eq!(read(&file), expected);
}

#[test]
fn every_packet_of_an_aggregate_is_read_and_none_beyond_its_part() {
    let packets = call();
    let aggregate = |parts: &[&[u8]]| {
        let mut frame = Link::WifiAggregate.frame(parts[0], None);
        let addresses = frame[26..38].to_vec();
        for part in &parts[1..] {
            frame.resize((frame.len() - 26).next_multiple_of(4) + 26, 0);
            frame.extend_from_slice(&addresses);
            frame.extend_from_slice(&((part.len() + 8) as u16).to_be_bytes());
            frame.extend_from_slice(&[0xaa, 0xaa, 3, 0, 0, 0]);
            frame.extend_from_slice(if part[0] >> 4 == 4 { &[8, 0] } else { &[0x86, 0xdd] });
            frame.extend_from_slice(part);
        }
        frame
    };
    let [a, b, c] = [1, 3, 8].map(|index| &packets[index].octets[..]);
    // The middle one says that it is longer than its part.
    let frame = aggregate(&[a, &b[..100], c]);
    let time = packets[0].time;
    let file = PCAPNG.file(Link::Raw, &[]);
    let block = file::Writer { big: false }.packet(0, time.unix_nanos(), frame.len() as u32, &frame, &[]);
    let mut file = [file, block].concat();
    // The link of the interface: 802.11.
    file[36] = 105;
    let seen = read(&file);
    assert_eq!(
        seen.iter().map(|s| (s.packet, s.data.len(), s.length)).collect::<Vec<_>>(),
        [(1, 1, 1), (1, 100 - 48, 160), (1, 1, 1)]
    );
    assert!(b[48..].starts_with(&seen[1].data));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("aggregate.pcapng");
    file = [PCAPNG.file(Link::Raw, &[]), {
        let frame = aggregate(&[a, b, c]);
        file::Writer { big: false }.packet(0, time.unix_nanos(), frame.len() as u32, &frame, &[])
    }]
    .concat();
    file[36] = 105;
    fs::write(&path, &file).unwrap();
    let theirs = tshark(&path, &["-E", "aggregator=,"], &["udp.length"]);
    let ours: Vec<String> = read(&file).iter().map(|seen| (seen.length + 8).to_string()).collect();
    assert_eq!(theirs, [[ours.join(",")]]);
}

#[test]
fn tshark_sees_the_same_on_every_link() {
    let whole = [6, 9].map(|resolution| Format::Pcapng { big: resolution == 6, resolution });
    for (index, link) in link::ALL.into_iter().enumerate() {
        compare(link, whole[index % 2]);
    }
}

#[test]
fn tshark_sees_the_same_in_every_format() {
    for format in file::ALL {
        compare(Link::Ethernet, format);
    }
}

/// Reads a file by ourselves and by tshark: number, time, addresses, length, payload of every datagram.
fn compare(link: Link, format: Format) {
    let name = format!("{link:?}-{format:?}.cap").replace(|c: char| !c.is_alphanumeric() && c != '.', "-");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // Fragments among them: of the longest payload, and of a shorter one in the wrong order.
    let mut packets = call();
    let mut long = packets[6].clone();
    for version in [6, 13] {
        let mut whole = read(&PCAPNG.file(Link::Raw, &[packets[version].clone()])).remove(0);
        whole.data = (0..20_000).map(|i| 0x80 | (i % 61) as u8).collect();
        whole.length = whole.data.len();
        long = packet(&whole);
        let mut parts = ip::fragments(&long, 1400, 77 + version as u32);
        if version == 13 {
            parts.reverse();
        }
        packets.extend(parts);
    }
    packets.push(long.clone());
    fs::write(&path, format.file(link, &packets)).unwrap();

    let options = ["-d", "udp.port==16402,data", "-Y", "udp"];
    let fields = [
        "frame.number",
        "frame.time_epoch",
        "ip.src",
        "ipv6.src",
        "udp.srcport",
        "ip.dst",
        "ipv6.dst",
        "udp.dstport",
        "udp.length",
        "udp.payload",
    ];
    let lines = tshark(&path, &options, &fields);
    let ours = read(&fs::read(&path).unwrap());
    assert!(ours.len() >= 42, "{link:?}: {}", ours.len());
    assert_eq!(lines.len(), ours.len(), "{link:?} {format:?}");
    for (line, seen) in lines.iter().zip(&ours) {
        let [v4, v6] = [seen.source.is_ipv4(), !seen.source.is_ipv4()];
        let when = |is: bool, address: std::net::SocketAddr| {
            if is { address.ip().to_string() } else { String::new() }
        };
        let expected = [
            seen.packet.to_string(),
            format!("{}.{:09}", seen.nanos / 1_000_000_000, seen.nanos % 1_000_000_000),
            when(v4, seen.source),
            when(v6, seen.source),
            seen.source.port().to_string(),
            when(v4, seen.destination),
            when(v6, seen.destination),
            seen.destination.port().to_string(),
            (seen.length + 8).to_string(),
            seen.data.iter().map(|octet| format!("{octet:02x}")).collect(),
        ];
        assert_eq!(line, &expected, "{link:?} {format:?}");
    }
}
