//! Writes pcapng files (draft-ietf-opsawg-pcapng): one section, one interface of raw IP packets, nanoseconds.

use crate::datagram::{Direction, FrameError, Record};
use std::io::{self, Write};
use visavis_proto::Time;

/// What a capture file says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The program that wrote it, with its version.
    pub application: String,
    /// The name of the interface: what was recorded, in a word.
    pub interface: String,
    /// More about the interface: addresses, profile.
    pub details: String,
    /// A comment on the whole file; none where it is empty.
    pub comment: String,
}

/// Writes one capture file.
#[derive(Debug)]
pub struct PcapngWriter<W> {
    out: W,
    block: Vec<u8>,
    identification: u16,
    written: u64,
}

/// Block types, section 4 and its figure of each block.
pub(crate) mod block {
    pub(crate) const INTERFACE: u32 = 0x0000_0001;
    /// Obsolete: what [`PACKET`] replaced (appendix A).
    pub(crate) const OLD_PACKET: u32 = 0x0000_0002;
    pub(crate) const SIMPLE_PACKET: u32 = 0x0000_0003;
    pub(crate) const STATISTICS: u32 = 0x0000_0005;
    pub(crate) const PACKET: u32 = 0x0000_0006;
    pub(crate) const SECTION: u32 = 0x0a0d_0d0a;
}

/// Option codes of the blocks, sections 3.5 and 4.1 to 4.6.
pub(crate) mod option {
    pub(crate) const END: u16 = 0;
    pub(crate) const COMMENT: u16 = 1;
    pub(crate) const SECTION_APPLICATION: u16 = 4;
    pub(crate) const INTERFACE_NAME: u16 = 2;
    pub(crate) const INTERFACE_DESCRIPTION: u16 = 3;
    pub(crate) const INTERFACE_RESOLUTION: u16 = 9;
    pub(crate) const INTERFACE_OFFSET: u16 = 14;
    pub(crate) const PACKET_FLAGS: u16 = 2;
    pub(crate) const PACKET_DROPS: u16 = 4;
    pub(crate) const STATISTICS_RECEIVED: u16 = 4;
    pub(crate) const STATISTICS_DROPPED: u16 = 5;
    pub(crate) const STATISTICS_OS_DROPPED: u16 = 7;
}

pub(crate) const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// LINKTYPE_RAW: a packet starts with its IPv4 or IPv6 header.
const LINKTYPE_RAW: u16 = 101;
/// The exponent of the timestamp unit: 10^-9 s.
const NANOSECONDS: u8 = 9;

impl<W: Write> PcapngWriter<W> {
    /// Starts a file: writes what comes before the first packet.
    pub fn new(out: W, description: &Description) -> io::Result<Self> {
        let mut writer = PcapngWriter { out, block: Vec::with_capacity(2048), identification: 0, written: 0 };
        writer.block(block::SECTION, |body| {
            body.extend_from_slice(&BYTE_ORDER_MAGIC.to_le_bytes());
            body.extend_from_slice(&1u16.to_le_bytes()); // major version
            body.extend_from_slice(&0u16.to_le_bytes()); // minor version
            body.extend_from_slice(&u64::MAX.to_le_bytes()); // section length: not known yet
            put_text(body, option::COMMENT, &description.comment);
            put_text(body, option::SECTION_APPLICATION, &description.application);
            put_option(body, option::END, &[]);
            Ok(())
        })?;
        writer.block(block::INTERFACE, |body| {
            body.extend_from_slice(&LINKTYPE_RAW.to_le_bytes());
            body.extend_from_slice(&[0, 0]); // reserved
            body.extend_from_slice(&0u32.to_le_bytes()); // no snap length
            put_text(body, option::INTERFACE_NAME, &description.interface);
            put_text(body, option::INTERFACE_DESCRIPTION, &description.details);
            put_option(body, option::INTERFACE_RESOLUTION, &[NANOSECONDS]);
            put_option(body, option::END, &[]);
            Ok(())
        })?;
        Ok(writer)
    }

    /// Writes a datagram. `dropped` is the number of datagrams that are missing since the one before.
    ///
    /// # Errors
    ///
    /// What the underlying writer reports; [`io::ErrorKind::InvalidInput`] for a payload too long for UDP,
    /// which leaves the file as it was.
    pub fn write(&mut self, record: &Record, dropped: u64) -> io::Result<()> {
        self.identification = self.identification.wrapping_add(1);
        let identification = self.identification;
        self.block(block::PACKET, |body| put_packet(body, record, identification, dropped))?;
        self.written += 1;
        Ok(())
    }

    /// Passes on what is buffered.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Ends the file with its statistics: what was written, and how many datagrams were `dropped` in all.
    pub fn finish(mut self, at: Time, dropped: u64) -> io::Result<W> {
        let received = self.written + dropped;
        self.block(block::STATISTICS, |body| {
            body.extend_from_slice(&0u32.to_le_bytes()); // interface
            put_timestamp(body, at);
            put_option(body, option::STATISTICS_RECEIVED, &received.to_le_bytes());
            put_option(body, option::STATISTICS_DROPPED, &dropped.to_le_bytes());
            put_option(body, option::END, &[]);
            Ok(())
        })?;
        self.out.flush()?;
        Ok(self.out)
    }

    /// Writes a block: its type, its length, the body that `fill` appends, and its length again.
    fn block(
        &mut self,
        kind: u32,
        fill: impl FnOnce(&mut Vec<u8>) -> Result<(), FrameError>,
    ) -> io::Result<()> {
        self.block.clear();
        self.block.extend_from_slice(&kind.to_le_bytes());
        self.block.extend_from_slice(&[0; 4]);
        fill(&mut self.block).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        // A body is a packet of at most 65,575 octets, or a few short options.
        let length = (self.block.len() + 4) as u32;
        self.block[4..8].copy_from_slice(&length.to_le_bytes());
        self.block.extend_from_slice(&length.to_le_bytes());
        self.out.write_all(&self.block)
    }
}

fn put_packet(
    body: &mut Vec<u8>,
    record: &Record,
    identification: u16,
    dropped: u64,
) -> Result<(), FrameError> {
    body.extend_from_slice(&0u32.to_le_bytes()); // interface
    put_timestamp(body, record.time);
    let lengths = body.len();
    body.extend_from_slice(&[0; 8]);
    let start = body.len();
    let original = record.write_packet(identification, body)?;
    let captured = body.len() - start;
    body[lengths..lengths + 4].copy_from_slice(&(captured as u32).to_le_bytes());
    body[lengths + 4..lengths + 8].copy_from_slice(&(original as u32).to_le_bytes());
    pad(body, captured);
    // Section 4.3.1: bits 0 and 1 are 01 for inbound, 10 for outbound.
    let flags: u32 = match record.direction {
        Direction::Inbound => 0b01,
        Direction::Outbound => 0b10,
    };
    put_option(body, option::PACKET_FLAGS, &flags.to_le_bytes());
    if dropped > 0 {
        put_option(body, option::PACKET_DROPS, &dropped.to_le_bytes());
    }
    put_option(body, option::END, &[]);
    Ok(())
}

/// A timestamp: the upper 32 bits first, then the lower ones.
fn put_timestamp(body: &mut Vec<u8>, time: Time) {
    let nanos = time.unix_nanos();
    body.extend_from_slice(&((nanos >> 32) as u32).to_le_bytes());
    body.extend_from_slice(&(nanos as u32).to_le_bytes());
}

/// An option of text, cut to 1024 octets; nothing where the text is empty.
fn put_text(body: &mut Vec<u8>, code: u16, text: &str) {
    let text = &text[..text.floor_char_boundary(1024)];
    if !text.is_empty() {
        put_option(body, code, text.as_bytes());
    }
}

fn put_option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend_from_slice(&code.to_le_bytes());
    body.extend_from_slice(&(value.len() as u16).to_le_bytes());
    body.extend_from_slice(value);
    pad(body, value.len());
}

/// Fills up to a multiple of four octets.
fn pad(body: &mut Vec<u8>, length: usize) {
    body.resize(body.len() + length.next_multiple_of(4) - length, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(payload: &[u8]) -> Record {
        let (local, remote) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap());
        let time = Time::from_nanos(0x1122_3344_5566_7788);
        Record::new(time, Direction::Inbound, local, remote, payload, usize::MAX)
    }

    /// Splits a file into its blocks (type, body) and checks both lengths of each.
    fn blocks(file: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        let mut blocks = Vec::new();
        let mut at = 0;
        while at < file.len() {
            let length = word(at + 4) as usize;
            assert_eq!(length % 4, 0);
            assert_eq!(word(at + length - 4) as usize, length);
            blocks.push((word(at), file[at + 8..at + length - 4].to_vec()));
            at += length;
        }
        blocks
    }

    #[test]
    fn a_file_is_section_interface_packets_and_statistics() {
        let mut writer = PcapngWriter::new(Vec::new(), &Description::default()).unwrap();
        writer.write(&sample(b"one"), 0).unwrap();
        writer.write(&sample(b"seven"), 5).unwrap();
        let file = writer.finish(Time::from_nanos(1), 5).unwrap();
        let kinds: Vec<u32> = blocks(&file).iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [0x0a0d_0d0a, 1, 6, 6, 5]);
    }

    #[test]
    fn a_packet_block_holds_time_lengths_direction_and_drops() {
        let mut writer = PcapngWriter::new(Vec::new(), &Description::default()).unwrap();
        writer.write(&sample(b"seven"), 5).unwrap();
        let body = blocks(&writer.finish(Time::ZERO, 5).unwrap())[2].1.clone();
        assert_eq!(body[4..12], [0x44, 0x33, 0x22, 0x11, 0x88, 0x77, 0x66, 0x55]);
        assert_eq!(body[12..20], [33, 0, 0, 0, 33, 0, 0, 0]);
        let options = [2, 0, 4, 0, 1, 0, 0, 0, 4, 0, 8, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(body[20 + 36..], options);
    }

    #[test]
    fn a_datagram_that_cannot_be_leaves_the_file_as_it_was() {
        let mut writer = PcapngWriter::new(Vec::new(), &Description::default()).unwrap();
        let error = writer.write(&sample(&[0; 65_508]), 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), "a payload of 65508 octets does not fit into a UDP datagram");
        assert_eq!(blocks(&writer.finish(Time::ZERO, 0).unwrap()).len(), 3);
    }
}
