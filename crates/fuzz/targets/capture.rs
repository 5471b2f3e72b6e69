//! The reader of captures: any file at all, frames of any content on each link, and TCP streams of SIP in pieces. It ends,
//! it gives no more octets than there were, the same for the same file however it arrives, and no message twice.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::{self, Read};
use visavis_capture::findings::{FileFindings, Transport};
use visavis_capture::read::{ReadError, Reader};
use visavis_fuzz::Octets;

/// Every link that is read, and one that is not.
const LINKS: [u16; 14] = [0, 1, 12, 14, 101, 105, 108, 113, 127, 192, 228, 229, 276, 9999];

fuzz_target!(|data: &[u8]| {
    judge(data);
    let mut octets = Octets(data);
    let link = LINKS[usize::from(octets.octet()) % LINKS.len()];
    judge(&framed(link, &mut octets));
    segments(&mut Octets(data));
});

/// What came of a file.
struct Outcome {
    /// A sum over all that was given.
    sum: u64,
    octets: usize,
    found: FileFindings,
}

/// Reads a file twice, at once and in pieces, and holds the outcome to what the file can give.
fn judge(file: &[u8]) {
    let whole = read(file, file.len());
    let pieces = read(file, Pieces(file, 1));
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => {
            assert_eq!(whole.sum, pieces.sum);
            assert_eq!(format!("{:?}", whole.found), format!("{:?}", pieces.found));
            // A packet takes 16 octets of a file at the least, and what is read of it was there.
            assert!(whole.found.packets * 16 <= file.len() as u64);
            assert!(whole.octets <= file.len(), "{} octets out of {}", whole.octets, file.len());
        }
        (Err(whole), Err(pieces)) => {
            let line = whole.to_string();
            assert_eq!(line, pieces.to_string());
            assert!(!line.contains('\n') && line.len() < 200, "{line}");
        }
        (whole, pieces) => panic!("{:?} at once, {:?} in pieces", whole.err(), pieces.err()),
    }
}

fn read(file: &[u8], input: impl Input) -> Result<Outcome, ReadError> {
    let mut reader = Reader::new(input.reader(file))?;
    let (mut sum, mut octets, mut given, mut last) = (0u64, 0, 0, 0);
    while let Some(datagram) = reader.next()? {
        given += 1;
        assert!(given <= file.len(), "more datagrams than octets");
        assert!(datagram.data.len() <= datagram.length);
        // A packet has one number in all that it gives; messages behind a gap alone come late.
        assert!(datagram.packet >= last || datagram.transport == Transport::Tcp);
        last = last.max(datagram.packet);
        octets += datagram.data.len();
        for value in datagram.data.iter().map(|octet| u64::from(*octet)).chain([
            datagram.packet,
            datagram.time.unix_nanos(),
            datagram.length as u64,
            u64::from(datagram.source.port()),
            u64::from(datagram.destination.port()),
        ]) {
            sum = sum.wrapping_mul(0x0100_0000_01b3) ^ value;
        }
    }
    assert!(last <= reader.file().packets);
    assert!(reader.next()?.is_none());
    Ok(Outcome { sum, octets, found: reader.file().clone() })
}

/// How a file arrives.
trait Input {
    fn reader(self, file: &[u8]) -> impl Read;
}

impl Input for usize {
    fn reader(self, file: &[u8]) -> impl Read {
        file
    }
}

/// A file in pieces of growing size.
struct Pieces<'a>(&'a [u8], usize);

impl Input for Pieces<'_> {
    fn reader(self, _: &[u8]) -> impl Read {
        self
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1 % 4096 * 2 + 1;
        let length = self.1.min(out.len());
        self.0.read(&mut out[..length])
    }
}

/// A file of frames on a link, each with a little time after the one before.
fn framed(link: u16, octets: &mut Octets<'_>) -> Vec<u8> {
    let mut file = vec![0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0];
    file.extend_from_slice(&u32::from(link).to_le_bytes());
    let mut seconds = 0u32;
    while !octets.is_empty() {
        let control = octets.octet();
        let frame = octets.data();
        seconds = seconds.wrapping_add(u32::from(control & 0x0f));
        let cut = u32::from(control >> 4);
        put_packet(&mut file, seconds, frame, frame.len() as u32 + cut);
    }
    file
}

fn put_packet(file: &mut Vec<u8>, seconds: u32, frame: &[u8], length: u32) {
    for word in [seconds, 0, frame.len() as u32, length] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file.extend_from_slice(frame);
}

/// Pieces of one stream in any order: what comes out are messages of the stream, each once at the most, and all of them
/// where every octet came in order before anything else.
fn segments(octets: &mut Octets<'_>) {
    let messages: Vec<Vec<u8>> = (0..4usize)
        .map(|number| {
            let body = "b".repeat(number * 90);
            format!(
                "OPTIONS sip:{number}@b SIP/2.0\r\nCall-ID: {number}\r\nl: {}\r\n\r\n{body}\r\n",
                body.len() + 2
            )
        })
        .map(String::into_bytes)
        .collect();
    let stream = messages.concat();
    let first = u32::MAX - u32::from(octets.octet()) * 4;
    let mut file = framed(101, &mut Octets(&[]));
    let mut packet = |flags: u8, acknowledged: bool, at: usize, data: &[u8], seconds: u32| {
        let (from, to) = if acknowledged { (2, 1) } else { (1, 2) };
        let mut frame = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, from, 10, 0, 0, to];
        let length = (40 + data.len()) as u16;
        frame[2..4].copy_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(&[0, from, 0, to]);
        let number = first.wrapping_add(at as u32);
        let (sequence, acknowledgement) = if acknowledged { (0, number) } else { (number, 0) };
        frame.extend_from_slice(&sequence.to_be_bytes());
        frame.extend_from_slice(&acknowledgement.to_be_bytes());
        frame.extend_from_slice(&[0x50, flags, 0, 0, 0, 0, 0, 0]);
        frame.extend_from_slice(data);
        put_packet(&mut file, seconds, &frame, frame.len() as u32);
    };
    packet(0x02, false, 0, &[], 0);
    let (mut next, mut ordered, mut seconds) = (0usize, true, 0);
    while !octets.is_empty() {
        let (control, length) = (octets.octet(), usize::from(octets.octet()) + 1);
        seconds += u32::from(control >> 6);
        let from = match control & 0x07 {
            0..=3 => next,
            4 => next.saturating_sub(length / 2),
            5 => usize::from(octets.octet()) * 4,
            6 => {
                packet(0x10, true, usize::from(octets.octet()) * 4 + 1, &[], seconds);
                continue;
            }
            _ => next + 1,
        };
        let from = from.min(stream.len());
        let to = (from + length).min(stream.len());
        ordered &= from <= next || next == stream.len();
        next = next.max(to);
        packet(0x10, false, from + 1, &stream[from..to], seconds);
    }
    let mut reader = Reader::new(&file[..]).expect("a header");
    let mut given = [false; 4];
    while let Some(datagram) = reader.next().expect("whole packets") {
        let number = messages.iter().position(|message| message == datagram.data);
        let number =
            number.unwrap_or_else(|| panic!("nobody sent {:?}", datagram.data.escape_ascii().to_string()));
        assert!(!std::mem::replace(&mut given[number], true), "message {number} twice");
    }
    if ordered && next == stream.len() {
        assert_eq!(given, [true; 4]);
    }
}
