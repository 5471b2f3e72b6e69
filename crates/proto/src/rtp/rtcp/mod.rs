//! RTCP on the wire: RFC 3550 section 6, feedback of RFC 4585 and RFC 5104, reduced size of RFC 5506.
//!
//! A datagram is checked as a whole first ([`Compound::parse`], RFC 3550 appendix A.2); then each of its
//! packets is read for itself, so that one with a broken body does not take the others with it.

pub mod bye;
pub mod feedback;
pub mod report;
pub mod sdes;

pub use bye::Bye;
pub use feedback::{FeedbackControl, Fir, KeyframeRequest, Nack, PayloadFeedback, TransportFeedback};
pub use report::{ReceiverReport, ReportBlock, SenderInfo, SenderReport};
pub use sdes::Sdes;

use thiserror::Error;

/// The packet types that are read, RFC 3550 section 12.1 and RFC 4585 section 6.1.
pub mod packet_type {
    /// Sender report.
    pub const SR: u8 = 200;
    /// Receiver report.
    pub const RR: u8 = 201;
    /// Source description.
    pub const SDES: u8 = 202;
    /// Goodbye.
    pub const BYE: u8 = 203;
    /// Transport-layer feedback.
    pub const RTPFB: u8 = 205;
    /// Payload-specific feedback.
    pub const PSFB: u8 = 206;
}

/// Why octets are not an RTCP packet. The sender is at fault, or the datagram was not meant as RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RtcpError {
    /// The datagram ends before the packet does.
    #[error("RTCP packet at octet {offset} needs {needed} octets, {available} are left")]
    Truncated {
        /// Where the packet begins in the datagram.
        offset: usize,
        /// Octets that it needs.
        needed: usize,
        /// Octets that there are.
        available: usize,
    },
    /// The version field is not 2.
    #[error("RTCP version {version} at octet {offset}, not 2")]
    Version {
        /// Where the packet begins in the datagram.
        offset: usize,
        /// The version.
        version: u8,
    },
    /// The padding bit is set in a report at the head of several packets (RFC 3550 appendix A.2).
    #[error("RTCP padding in the report at the head of a compound")]
    PaddedFirst,
    /// The padding bit is set, and the count in the last octet is 0 or more than there is.
    #[error("RTCP padding of {count} octets in the packet at octet {offset}")]
    Padding {
        /// Where the packet begins in the datagram.
        offset: usize,
        /// The count.
        count: u8,
    },
    /// The packet is too short for what its type and its count promise.
    #[error("RTCP packet of type {packet_type} at octet {offset} ends inside its {part}")]
    Body {
        /// Where the packet begins in the datagram.
        offset: usize,
        /// Its type.
        packet_type: u8,
        /// What it ends in, in words.
        part: &'static str,
    },
}

/// A datagram of RTCP packets whose lengths are consistent: a compound packet, or a reduced-size one
/// (RFC 5506).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compound<'a> {
    data: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Checks a datagram: versions, lengths and padding of all its packets (RFC 3550 appendix A.2). That it
    /// begins with a report is left to [`Compound::is_reduced_size`].
    ///
    /// # Errors
    ///
    /// [`RtcpError`] where the octets are no sequence of RTCP packets.
    pub fn parse(data: &'a [u8]) -> Result<Self, RtcpError> {
        let mut raw = RawPackets { rest: data, offset: 0 };
        let mut first = true;
        loop {
            let packet = raw.read()?;
            let report = matches!(packet.packet_type, packet_type::SR | packet_type::RR);
            if first && report && packet.padded && !raw.rest.is_empty() {
                return Err(RtcpError::PaddedFirst);
            }
            first = false;
            if raw.rest.is_empty() {
                return Ok(Compound { data });
            }
        }
    }

    /// The datagram.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Whether the first packet is not a report, which RFC 3550 demands and RFC 5506 waives.
    pub fn is_reduced_size(&self) -> bool {
        !matches!(self.data.get(1), Some(&(packet_type::SR | packet_type::RR)))
    }

    /// Its packets in order; an error stands for a packet with a broken body.
    pub fn packets(&self) -> impl Iterator<Item = Result<Packet<'a>, RtcpError>> + use<'a> {
        let mut raw = RawPackets { rest: self.data, offset: 0 };
        std::iter::from_fn(move || {
            if raw.rest.is_empty() {
                return None;
            }
            // What `parse` has accepted cannot fail here.
            let packet = raw.read().ok()?;
            Some(Packet::parse(&packet))
        })
    }
}

/// One packet of a compound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// SR, RFC 3550 section 6.4.1.
    SenderReport(SenderReport<'a>),
    /// RR, RFC 3550 section 6.4.2.
    ReceiverReport(ReceiverReport<'a>),
    /// SDES, RFC 3550 section 6.5.
    Sdes(Sdes<'a>),
    /// BYE, RFC 3550 section 6.6.
    Bye(Bye<'a>),
    /// RTPFB, RFC 4585 section 6.2.
    TransportFeedback(TransportFeedback<'a>),
    /// PSFB, RFC 4585 section 6.3.
    PayloadFeedback(PayloadFeedback<'a>),
    /// APP, XR (RFC 3611) or another one that is not read.
    Other {
        /// Its type.
        packet_type: u8,
        /// All that follows the four octets of its header, without padding.
        body: &'a [u8],
    },
}

impl<'a> Packet<'a> {
    fn parse(raw: &RawPacket<'a>) -> Result<Self, RtcpError> {
        let body = Body { rest: raw.body, offset: raw.offset, packet_type: raw.packet_type };
        Ok(match raw.packet_type {
            packet_type::SR => Packet::SenderReport(SenderReport::parse(raw.count, body)?),
            packet_type::RR => Packet::ReceiverReport(ReceiverReport::parse(raw.count, body)?),
            packet_type::SDES => Packet::Sdes(Sdes::parse(raw.count, body)?),
            packet_type::BYE => Packet::Bye(Bye::parse(raw.count, body)?),
            packet_type::RTPFB => Packet::TransportFeedback(TransportFeedback::parse(raw.count, body)?),
            packet_type::PSFB => Packet::PayloadFeedback(PayloadFeedback::parse(raw.count, body)?),
            packet_type => Packet::Other { packet_type, body: raw.body },
        })
    }
}

/// A packet of which only the header has been read.
struct RawPacket<'a> {
    offset: usize,
    packet_type: u8,
    /// The five bits that count what is in the packet, or say what feedback it is.
    count: u8,
    padded: bool,
    body: &'a [u8],
}

struct RawPackets<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> RawPackets<'a> {
    fn read(&mut self) -> Result<RawPacket<'a>, RtcpError> {
        let offset = self.offset;
        let truncated = |needed| RtcpError::Truncated { offset, needed, available: self.rest.len() };
        let [b0, packet_type, l0, l1] = *self.rest.first_chunk::<4>().ok_or(truncated(4))?;
        if b0 >> 6 != 2 {
            return Err(RtcpError::Version { offset, version: b0 >> 6 });
        }
        let octets = 4 + usize::from(u16::from_be_bytes([l0, l1])) * 4;
        let (packet, rest) = self.rest.split_at_checked(octets).ok_or(truncated(octets))?;
        let mut body = packet.get(4..).unwrap_or_default();
        let padded = b0 & 0x20 != 0;
        if padded {
            let count = body.last().copied().unwrap_or(0);
            let kept = body.len().checked_sub(usize::from(count));
            // It should be a multiple of 4; some count the filling of a BYE's reason as padding.
            body = kept
                .filter(|_| count != 0)
                .and_then(|kept| body.get(..kept))
                .ok_or(RtcpError::Padding { offset, count })?;
        }
        self.rest = rest;
        self.offset += octets;
        Ok(RawPacket { offset, packet_type, count: b0 & 0x1f, padded, body })
    }
}

/// Reads the body of a packet from front to back.
struct Body<'a> {
    rest: &'a [u8],
    offset: usize,
    packet_type: u8,
}

impl<'a> Body<'a> {
    fn array<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], RtcpError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(self.ends_in(part))?;
        self.rest = rest;
        Ok(*head)
    }

    fn u32(&mut self, part: &'static str) -> Result<u32, RtcpError> {
        self.array(part).map(u32::from_be_bytes)
    }

    fn octets(&mut self, count: usize, part: &'static str) -> Result<&'a [u8], RtcpError> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(self.ends_in(part))?;
        self.rest = rest;
        Ok(head)
    }

    fn ends_in(&self, part: &'static str) -> RtcpError {
        RtcpError::Body { offset: self.offset, packet_type: self.packet_type, part }
    }
}

/// Appends a packet: its header with `count` (five bits), then what `body` appends, whose length must be a
/// multiple of four octets.
fn write_packet(out: &mut Vec<u8>, packet_type: u8, count: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0x80 | count & 0x1f, packet_type, 0, 0]);
    body(out);
    let words = (out.len() - start) / 4 - 1;
    if let Some(length) = out.get_mut(start + 2..start + 4) {
        length.copy_from_slice(&(words as u16).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(super) fn octets(hex: &str) -> Vec<u8> {
        let hex: String = hex.split_whitespace().collect();
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn a_compound_is_split_into_its_packets_and_unknown_ones_are_passed_over() {
        let data = octets(
            "80c90001 00000001  81ca0003 00000001 0101 61 00 00000000
             80cf0002 00000001 04000000  80cc0002 00000001 74657374  81cb0001 00000001",
        );
        let compound = Compound::parse(&data).unwrap();
        assert!(!compound.is_reduced_size());
        let packets: Vec<_> = compound.packets().map(Result::unwrap).collect();
        assert_eq!(packets.len(), 5);
        assert!(matches!(packets[0], Packet::ReceiverReport(r) if r.ssrc == 1));
        assert!(matches!(packets[1], Packet::Sdes(_)));
        assert!(matches!(packets[2], Packet::Other { packet_type: 207, body } if body.len() == 8));
        assert!(matches!(packets[3], Packet::Other { packet_type: 204, .. }));
        assert!(matches!(packets[4], Packet::Bye(b) if b.sources().eq([1])));
    }

    #[test]
    fn a_feedback_packet_that_another_parser_panicked_on_is_an_error_that_says_where() {
        let data = octets("81cd0001 11223344");
        let compound = Compound::parse(&data).unwrap();
        let packets: Vec<_> = compound.packets().collect();
        assert_eq!(
            packets,
            [Err(RtcpError::Body { offset: 0, packet_type: 205, part: "SSRC of the media source" })]
        );
    }

    #[test]
    fn a_broken_body_does_not_take_the_other_packets_with_it() {
        let data = octets("81c90001 00000001  81cb0001 00000001");
        let packets: Vec<_> = Compound::parse(&data).unwrap().packets().collect();
        assert_eq!(packets[0], Err(RtcpError::Body { offset: 0, packet_type: 201, part: "report blocks" }));
        assert!(matches!(packets[1], Ok(Packet::Bye(_))));
    }

    #[test]
    fn lengths_that_do_not_add_up_are_errors() {
        let err = |hex: &str| Compound::parse(&octets(hex)).unwrap_err();
        assert_eq!(err(""), RtcpError::Truncated { offset: 0, needed: 4, available: 0 });
        assert_eq!(err("80c90002 00000001"), RtcpError::Truncated { offset: 0, needed: 12, available: 8 });
        assert_eq!(
            err("80c90001 00000001 80cb"),
            RtcpError::Truncated { offset: 8, needed: 4, available: 2 }
        );
        assert_eq!(err("80c90001 00000001 40cb0000"), RtcpError::Version { offset: 8, version: 1 });
    }

    #[test]
    fn padding_belongs_at_the_end() {
        let padded = octets("80c90001 00000001  a0cb0001 00000004");
        let packets: Vec<_> = Compound::parse(&padded).unwrap().packets().collect();
        assert!(matches!(packets[1], Ok(Packet::Bye(b)) if b.sources().next().is_none()));
        let err = |hex: &str| Compound::parse(&octets(hex)).unwrap_err();
        assert_eq!(err("a0c90002 00000001 00000004 80cb0000"), RtcpError::PaddedFirst);
        assert_eq!(err("a0c90001 00000008"), RtcpError::Padding { offset: 0, count: 8 });
        let filled_reason = octets("a1cb0002 00000007 00 000003");
        let packets: Vec<_> = Compound::parse(&filled_reason).unwrap().packets().collect();
        assert!(matches!(packets[0], Ok(Packet::Bye(b)) if b.sources().eq([7]) && b.reason().is_none()));
        assert_eq!(err("a0c90000"), RtcpError::Padding { offset: 0, count: 0 });
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_a_panic(
            packets in proptest::collection::vec(
                (198u8..210, any::<u8>(), proptest::collection::vec(any::<u8>(), 0..80)), 0..6),
            cut in 0usize..8,
        ) {
            let mut data = Vec::new();
            for (packet_type, first, mut body) in packets {
                body.truncate(body.len() / 4 * 4);
                write_packet(&mut data, packet_type, 0, |out| out.extend(&body));
                let start = data.len() - body.len() - 4;
                data[start] = 0x80 | first & 0x3f;
            }
            data.truncate(data.len().saturating_sub(if cut > 4 { cut } else { 0 }));
            if let Ok(compound) = Compound::parse(&data) {
                for packet in compound.packets().flatten() {
                    match packet {
                        Packet::SenderReport(r) => { r.blocks().count(); }
                        Packet::ReceiverReport(r) => { r.blocks().count(); }
                        Packet::Sdes(s) => { s.cnames().count(); }
                        Packet::Bye(b) => { b.sources().count(); }
                        Packet::TransportFeedback(f) => { let _ = f.control(); }
                        Packet::PayloadFeedback(f) => { let _ = f.control(); }
                        Packet::Other { .. } => {}
                    }
                }
            }
        }
    }
}
