//! RTP data packets on the wire: RFC 3550 section 5.1 (fixed header), 5.3.1 (header extension), and the
//! validity checks of appendix A.1 that need no state.

use super::extension::Extension;
use std::ops::Range;
use thiserror::Error;

/// Octets of the fixed header, RFC 3550 section 5.1.
pub const FIXED_HEADER: usize = 12;

/// Why octets are not an RTP packet. The sender is at fault, or the datagram was not meant as RTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RtpError {
    /// The datagram ends inside a field.
    #[error("RTP packet of {len} octets ends inside the {part}, which needs {needed}")]
    Truncated {
        /// Where it ends.
        part: Part,
        /// Octets that the packet needs up to the end of that part.
        needed: usize,
        /// Octets that there are.
        len: usize,
    },
    /// The version field is not 2.
    #[error("RTP version {0}, not 2")]
    Version(u8),
    /// The padding bit is set and the count in the last octet is 0 or reaches into the header.
    #[error("RTP padding of {count} octets, {available} after the header")]
    Padding {
        /// The count in the last octet.
        count: u8,
        /// Octets between the end of the header and the end of the packet.
        available: usize,
    },
}

/// A part of an RTP packet, for error messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The fixed header.
    FixedHeader,
    /// The list of contributing sources.
    Csrc,
    /// The header extension.
    Extension,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Part::FixedHeader => "fixed header",
            Part::Csrc => "CSRC list",
            Part::Extension => "header extension",
        })
    }
}

/// A parsed RTP packet, looking into the datagram that it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    /// The M bit. Its meaning is the payload format's.
    pub marker: bool,
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The sequence number.
    pub seq: u16,
    /// The RTP timestamp.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
    csrc: &'a [u8],
    extension: Option<(u16, &'a [u8])>,
    payload: &'a [u8],
    payload_start: usize,
    padding: u8,
}

impl<'a> RtpPacket<'a> {
    /// Parses a datagram.
    ///
    /// # Errors
    ///
    /// [`RtpError`] where the octets are no RTP packet of version 2 with consistent lengths.
    pub fn parse(data: &'a [u8]) -> Result<Self, RtpError> {
        let len = data.len();
        let truncated = |part, needed| RtpError::Truncated { part, needed, len };
        let Some((fixed, rest)) = data.split_first_chunk::<FIXED_HEADER>() else {
            return Err(truncated(Part::FixedHeader, FIXED_HEADER));
        };
        let [b0, b1, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3] = *fixed;
        let version = b0 >> 6;
        if version != 2 {
            return Err(RtpError::Version(version));
        }
        let csrc_octets = usize::from(b0 & 0x0f) * 4;
        let Some((csrc, mut rest)) = rest.split_at_checked(csrc_octets) else {
            return Err(truncated(Part::Csrc, FIXED_HEADER + csrc_octets));
        };
        let mut extension = None;
        if b0 & 0x10 != 0 {
            let needed = FIXED_HEADER + csrc_octets + 4;
            let Some(([p0, p1, l0, l1], after)) = rest.split_first_chunk::<4>() else {
                return Err(truncated(Part::Extension, needed));
            };
            let octets = usize::from(u16::from_be_bytes([*l0, *l1])) * 4;
            let Some((body, after)) = after.split_at_checked(octets) else {
                return Err(truncated(Part::Extension, needed + octets));
            };
            extension = Some((u16::from_be_bytes([*p0, *p1]), body));
            rest = after;
        }
        let payload_start = len - rest.len();
        let mut padding = 0;
        if b0 & 0x20 != 0 {
            let available = rest.len();
            padding = rest.last().copied().unwrap_or(0);
            let kept = available.checked_sub(usize::from(padding)).filter(|_| padding != 0);
            let Some((payload, _)) = kept.and_then(|n| rest.split_at_checked(n)) else {
                return Err(RtpError::Padding { count: padding, available });
            };
            rest = payload;
        }
        Ok(RtpPacket {
            marker: b1 & 0x80 != 0,
            payload_type: b1 & 0x7f,
            seq: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([i0, i1, i2, i3]),
            csrc,
            extension,
            payload: rest,
            payload_start,
            padding,
        })
    }

    /// The payload, without padding.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Where the payload lies in the datagram.
    pub fn payload_range(&self) -> Range<usize> {
        self.payload_start..self.payload_start + self.payload.len()
    }

    /// Octets of padding at the end, with the count octet itself; 0 without the P bit.
    pub fn padding(&self) -> u8 {
        self.padding
    }

    /// The contributing sources, at most 15.
    pub fn csrc(&self) -> impl Iterator<Item = u32> + 'a {
        self.csrc.as_chunks::<4>().0.iter().map(|c| u32::from_be_bytes(*c))
    }

    /// The header extension: its first 16 bits (RFC 8285 calls them the profile) and its body.
    pub fn extension(&self) -> Option<(u16, &'a [u8])> {
        self.extension
    }

    /// The same packet with this header extension in place of its own.
    pub fn extended(self, extension: &'a Extension) -> Self {
        let parts = extension.parts();
        let before = self.extension.map_or(0, |(_, body)| 4 + body.len());
        let payload_start = self.payload_start - before + extension.octets();
        RtpPacket { extension: Some(parts), payload_start, ..self }
    }

    /// Appends the packet to `out`: the same octets that [`RtpPacket::parse`] read, but for the content of
    /// the padding, which is zero.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.reserve(self.payload_start + self.payload.len() + usize::from(self.padding));
        let csrc_count = (self.csrc.len() / 4) as u8;
        let bits = u8::from(self.padding != 0) << 5 | u8::from(self.extension.is_some()) << 4;
        out.extend([0x80 | bits | csrc_count, u8::from(self.marker) << 7 | self.payload_type & 0x7f]);
        out.extend(self.seq.to_be_bytes());
        out.extend(self.timestamp.to_be_bytes());
        out.extend(self.ssrc.to_be_bytes());
        out.extend(self.csrc);
        if let Some((profile, body)) = self.extension {
            out.extend(profile.to_be_bytes());
            out.extend(((body.len() / 4) as u16).to_be_bytes());
            out.extend(body);
        }
        out.extend(self.payload);
        if self.padding != 0 {
            out.resize(out.len() + usize::from(self.padding) - 1, 0);
            out.push(self.padding);
        }
    }
}

/// The header of a packet to be built, without CSRCs, extension and padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpHeader {
    /// The M bit.
    pub marker: bool,
    /// The payload type; only its lower 7 bits are written.
    pub payload_type: u8,
    /// The sequence number.
    pub seq: u16,
    /// The RTP timestamp.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
}

impl RtpHeader {
    /// The packet that this header makes with `payload`; [`RtpPacket::write`] puts it on the wire.
    pub fn with_payload(self, payload: &[u8]) -> RtpPacket<'_> {
        RtpPacket {
            marker: self.marker,
            payload_type: self.payload_type & 0x7f,
            seq: self.seq,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            csrc: &[],
            extension: None,
            payload,
            payload_start: FIXED_HEADER,
            padding: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::extension::{Element, Form};
    use proptest::prelude::*;

    fn octets(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn every_field_of_a_packet_with_csrc_extension_and_padding_is_read() {
        let data = octets("b2e01234000003e8deadbeef0000000100000002bede000110aa0000c0ffee000003");
        let p = RtpPacket::parse(&data).unwrap();
        assert!(p.marker);
        assert_eq!((p.payload_type, p.seq, p.timestamp, p.ssrc), (0x60, 0x1234, 1000, 0xdead_beef));
        assert_eq!(p.csrc().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(p.extension(), Some((0xbede, &[0x10, 0xaa, 0, 0][..])));
        assert_eq!(p.payload(), [0xc0, 0xff, 0xee]);
        assert_eq!(&data[p.payload_range()], p.payload());
        assert_eq!(p.padding(), 3);
        let mut written = Vec::new();
        p.write(&mut written);
        assert_eq!(written, data);
    }

    #[test]
    fn an_extension_longer_than_the_packet_is_an_error_that_says_where() {
        assert_eq!(
            RtpPacket::parse(&octets("906000010000000011223344bede0002aabbccdd")),
            Err(RtpError::Truncated { part: Part::Extension, needed: 24, len: 20 })
        );
    }

    #[test]
    fn an_extension_that_another_parser_panicked_on_is_read() {
        let data = octets("90e0000100000000112233441000000100000101");
        let p = RtpPacket::parse(&data).unwrap();
        assert_eq!(p.extension(), Some((0x1000, &[0, 0, 1, 1][..])));
        assert_eq!(p.payload(), [0u8; 0]);
    }

    #[test]
    fn a_packet_with_another_header_extension_is_that_packet_but_for_it() {
        let data = octets("b2e01234000003e8deadbeef0000000100000002bede000110aa0000c0ffee000003");
        let p = RtpPacket::parse(&data).unwrap();
        let element = Element { id: 4, data: &[1, 2, 3, 4, 5] };
        let extension = Extension::new(Form::OneByte, [element]).unwrap();
        let mut written = Vec::new();
        p.extended(&extension).write(&mut written);
        let read = RtpPacket::parse(&written).unwrap();
        assert_eq!(read, p.extended(&extension));
        assert_eq!((read.extension(), read.payload()), (Some(extension.parts()), p.payload()));
        assert_eq!(&written[read.payload_range()], p.payload());
    }

    #[test]
    fn padding_of_zero_or_beyond_the_payload_is_an_error() {
        for (last, hex) in [(0u8, "a0600001000000001122334400"), (2, "a0600001000000001122334402")] {
            assert_eq!(RtpPacket::parse(&octets(hex)), Err(RtpError::Padding { count: last, available: 1 }));
        }
        assert_eq!(
            RtpPacket::parse(&octets("a06000010000000011223344")),
            Err(RtpError::Padding { count: 0, available: 0 })
        );
        let all_padding = octets("a0600001000000001122334401");
        assert_eq!(RtpPacket::parse(&all_padding).unwrap().payload(), [0u8; 0]);
    }

    #[test]
    fn other_versions_and_short_packets_are_errors() {
        assert_eq!(RtpPacket::parse(&[0x40; 12]), Err(RtpError::Version(1)));
        assert_eq!(
            RtpPacket::parse(&[0x80; 11]),
            Err(RtpError::Truncated { part: Part::FixedHeader, needed: 12, len: 11 })
        );
        assert_eq!(
            RtpPacket::parse(&octets("8f600001000000001122334400000001")),
            Err(RtpError::Truncated { part: Part::Csrc, needed: 72, len: 16 })
        );
    }

    proptest! {
        #[test]
        fn any_octets_are_parsed_without_a_panic_and_what_parses_is_written_back(
            mut data in proptest::collection::vec(any::<u8>(), 0..120),
            version_2 in any::<bool>(),
        ) {
            if let (true, Some(first)) = (version_2, data.first_mut()) {
                *first = *first & 0x3f | 0x80;
            }
            if let Ok(p) = RtpPacket::parse(&data) {
                let mut written = Vec::new();
                p.write(&mut written);
                let n = data.len() - usize::from(p.padding());
                prop_assert_eq!(&written[..n], &data[..n]);
                prop_assert_eq!(written.len(), data.len());
                prop_assert_eq!(RtpPacket::parse(&written).unwrap().payload(), p.payload());
            }
        }

        #[test]
        fn what_is_written_is_read_back(
            marker in any::<bool>(), payload_type in 0u8..128, seq in any::<u16>(), timestamp in any::<u32>(),
            ssrc in any::<u32>(), payload in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let header = RtpHeader { marker, payload_type, seq, timestamp, ssrc };
            let mut wire = Vec::new();
            header.with_payload(&payload).write(&mut wire);
            let p = RtpPacket::parse(&wire).unwrap();
            prop_assert_eq!(p, header.with_payload(&payload));
        }
    }
}
