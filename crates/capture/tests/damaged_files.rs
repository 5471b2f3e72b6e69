//! Files that are cut, spoilt, empty or something else: each ends in one clear line, and what was whole is read.

mod frames;

use frames::file::{self, Format};
use frames::link::{self, Link};
use frames::{Packet, call};
use std::io::{self, Read};
use visavis_capture::findings::FileFindings;
use visavis_capture::read::{ReadError, Reader};

/// What comes of a file: datagrams and findings, or why there is nothing.
fn outcome(file: impl Read) -> Result<(u64, FileFindings), ReadError> {
    let mut reader = Reader::new(file)?;
    let mut datagrams = 0;
    while let Some(datagram) = reader.next()? {
        assert!(datagram.data.len() <= datagram.length);
        datagrams += 1;
    }
    assert!(reader.next()?.is_none(), "the end stays the end");
    Ok((datagrams, reader.file().clone()))
}

fn line(error: &ReadError) -> String {
    let text = error.to_string();
    assert!(!text.contains('\n') && text.len() < 160, "{text}");
    text
}

fn some() -> Vec<Packet> {
    call().into_iter().take(4).collect()
}

#[test]
fn every_beginning_of_a_file_says_where_it_ends() {
    for format in file::ALL {
        let whole = format.file(Link::Ethernet, &some());
        let header = format.header(Link::Ethernet, 262_144).len();
        let ends: Vec<usize> =
            (0..=4).map(|count| format.file(Link::Ethernet, &some()[..count]).len()).collect();
        for cut in 0..=whole.len() {
            let packets = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1) as u64;
            match outcome(&whole[..cut]) {
                Ok((datagrams, found)) => {
                    assert_eq!((datagrams, found.packets), (packets, packets), "{format:?} {cut}");
                    let intact = ends.contains(&cut);
                    match found.damage {
                        None => assert!(intact || in_the_header(format, cut), "{format:?} {cut}"),
                        Some(why) => {
                            assert!(!intact && packets > 0, "{format:?} {cut}");
                            assert!(why.contains(&format!("ends at octet {cut}, inside")), "{why}");
                        }
                    }
                }
                Err(ReadError::Empty) => assert_eq!(cut, 0),
                Err(error @ ReadError::ShortHeader(at)) => {
                    assert!(cut < header && at == cut as u64, "{format:?} {cut}");
                    assert!(line(&error).contains(&format!("ends at octet {cut}, inside the header")));
                }
                Err(error @ ReadError::Damaged(_)) => {
                    assert!(packets == 0 && cut < ends[1], "{format:?} {cut}");
                    assert!(line(&error).contains(&format!("ends at octet {cut}, inside")), "{error}");
                }
                Err(error) => panic!("{format:?} {cut}: {error}"),
            }
        }
    }
}

/// A pcapng file may end behind its section, before any interface.
fn in_the_header(format: Format, cut: usize) -> bool {
    matches!(format, Format::Pcapng { .. } | Format::PcapngOld { .. }) && cut == 28
}

#[test]
fn no_octet_that_is_changed_makes_it_panic() {
    for format in file::ALL {
        let whole = format.file(Link::Radiotap, &some());
        for at in 0..whole.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut file = whole.clone();
                file[at] ^= change;
                if let Err(error) = outcome(&file[..]) {
                    line(&error);
                }
            }
        }
    }
}

#[test]
fn no_octet_of_a_frame_that_is_changed_or_cut_makes_it_panic() {
    let format = Format::Pcap { big: false, nanos: true };
    for link in link::ALL {
        let whole = format.file(link, &call()[2..5]);
        for at in 24..whole.len() {
            for value in [0x00, 0x45, 0x60, 0x88, 0xff] {
                let mut file = whole.clone();
                file[at] = value;
                outcome(&file[..]).unwrap_or_default();
            }
        }
        for snap in 0..120 {
            let file = format.file_cut(link, &call(), snap);
            let (_, found) = outcome(&file[..]).unwrap();
            assert_eq!((found.packets, found.damage), (40, None));
        }
    }
}

#[test]
fn a_cut_packet_gives_the_beginning_of_its_datagram_and_its_length() {
    let format = Format::Pcapng { big: false, resolution: 9 };
    let file = format.file_cut(Link::Ethernet, &call(), 200);
    let mut reader = Reader::new(&file[..]).unwrap();
    let mut cut = 0;
    while let Some(datagram) = reader.next().unwrap() {
        let header = if datagram.source.is_ipv4() { 42 } else { 62 };
        assert_eq!(datagram.data.len(), datagram.length.min(200 - header));
        cut += u64::from(datagram.data.len() < datagram.length);
    }
    assert!(cut > 10);
    assert_eq!(reader.file().cut, cut);
}

#[test]
fn other_files_are_refused_in_one_line_that_says_what_to_do() {
    let short = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0];
    for (file, expected) in [
        (&b""[..], "the file is empty: a capture begins with a header; record or copy it again"),
        (
            b"%PDF-1.4",
            "no capture: it begins with 25 50 44 46, and pcap and pcapng do not; save it as one of these",
        ),
        (&[0x1f, 0x8b, 8, 0, 0], "the file is packed by gzip: unpack it first"),
        (&[0x28, 0xb5, 0x2f, 0xfd], "the file is packed by zstd: unpack it first"),
        (&short, "the file ends at octet 6, inside the header of the capture: copy it again"),
        (b"ab", "the file ends at octet 2, inside the header of the capture: copy it again"),
    ] {
        assert_eq!(line(&outcome(file).unwrap_err()), expected);
    }
    let mut future = Format::Pcap { big: true, nanos: false }.file(Link::Raw, &some());
    future[5] = 3;
    let error = outcome(&future[..]).unwrap_err();
    assert_eq!(line(&error), "pcap 3.4 is not read, only pcap 2.x: save it as that");
    let mut future = Format::PcapngOld { big: true }.file(Link::Raw, &some());
    future[13] = 2;
    let error = outcome(&future[..]).unwrap_err();
    assert_eq!(line(&error), "pcapng 2.0 is not read, only pcapng 1.x: save it as that");
}

#[test]
fn lengths_that_cannot_be_end_the_reading() {
    let format = Format::Pcap { big: false, nanos: false };
    let mut file = format.file(Link::Raw, &some());
    let second = format.file(Link::Raw, &some()[..1]).len();
    file[second + 8..second + 12].copy_from_slice(&[0xff; 4]);
    let (datagrams, found) = outcome(&file[..]).unwrap();
    let why = format!("a packet of 4294967295 octets at octet {second} is longer than any that is captured");
    assert_eq!((datagrams, found.damage), (1, Some(why)));

    let format = Format::Pcapng { big: false, resolution: 9 };
    let first = format.header(Link::Raw, 262_144).len();
    let second = format.file(Link::Raw, &some()[..1]).len();
    for (length, expected) in [
        (8u32, "the block at octet AT cannot be 8 octets long"),
        (33, "the block at octet AT cannot be 33 octets long"),
        (0xffff_fff0, "the block at octet AT is longer than any packet: 4294967280 octets"),
    ] {
        for at in [first, second] {
            let mut file = format.file(Link::Raw, &some());
            file[at + 4..at + 8].copy_from_slice(&length.to_le_bytes());
            let expected = expected.replace("AT", &at.to_string());
            match outcome(&file[..]) {
                Ok((datagrams, found)) => assert_eq!((datagrams, found.damage), (1, Some(expected))),
                Err(ReadError::Damaged(why)) => assert_eq!((at, why), (first, expected)),
                Err(error) => panic!("{error}"),
            }
        }
    }
    // A second section of a version to come.
    let mut file = format.file(Link::Raw, &some()[..1]);
    file.extend(Format::PcapngOld { big: true }.file(Link::Raw, &some()));
    file[second + 13] = 2;
    let why = format!("the section at octet {second} is of pcapng 2.0, which is not read");
    assert_eq!(outcome(&file[..]).unwrap().1.damage, Some(why));
    // The two lengths of a block, and a packet longer than its block.
    let mut file = format.file(Link::Raw, &some()[..2]);
    let end = file.len();
    file[end - 4] ^= 4;
    let why = format!("the block at octet {second} has another length at its end than at its start");
    assert_eq!(outcome(&file[..]).unwrap().1.damage, Some(why));
    file[end - 4] ^= 4;
    file[second + 20] = 0xff;
    let why = format!("the block at octet {second} holds less than the packet it tells of");
    assert_eq!(outcome(&file[..]).unwrap().1.damage, Some(why));
}

#[test]
fn an_input_that_fails_is_an_error_that_says_where() {
    struct Failing(io::Cursor<Vec<u8>>);
    impl Read for Failing {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            match self.0.read(out)? {
                0 => Err(io::Error::other("the disk is gone")),
                count => Ok(count),
            }
        }
    }
    let file = Format::Pcap { big: false, nanos: false }.file(Link::Raw, &some());
    let length = file.len();
    let error = outcome(Failing(io::Cursor::new(file))).unwrap_err();
    assert_eq!(line(&error), format!("reading failed at octet {length}: the disk is gone"));
}
