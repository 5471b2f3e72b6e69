//! Sender and receiver reports, RFC 3550 sections 6.4.1 and 6.4.2.

use super::{Body, RtcpError, packet_type, write_packet};

/// The most report blocks in one packet: its count has five bits.
pub const MAX_BLOCKS: usize = 31;

const BLOCK: usize = 24;

/// What a sender report says of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderInfo {
    /// Wall-clock time, 32.32 fixed-point seconds since 1900.
    pub ntp: u64,
    /// The same instant in RTP timestamp units.
    pub rtp_timestamp: u32,
    /// RTP packets sent.
    pub packets: u32,
    /// RTP payload octets sent.
    pub octets: u32,
}

/// What a report says of one source that its sender hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: u32,
    /// Lost of those expected since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost since the beginning, 24 bits signed.
    pub cumulative_lost: i32,
    /// The highest sequence number received, with the count of its wraps above it.
    pub highest_seq: u32,
    /// Interarrival jitter in RTP timestamp units.
    pub jitter: u32,
    /// The middle 32 bits of the NTP timestamp of the last sender report; 0 without one.
    pub last_sr: u32,
    /// Time since that report arrived, in 1/65536 s; 0 without one.
    pub delay_since_last_sr: u32,
}

impl ReportBlock {
    fn parse(block: &[u8; BLOCK]) -> Self {
        let [s0, s1, s2, s3, fraction_lost, c0, c1, c2, rest @ ..] = *block;
        let [h0, h1, h2, h3, j0, j1, j2, j3, l0, l1, l2, l3, d0, d1, d2, d3] = rest;
        ReportBlock {
            ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
            fraction_lost,
            cumulative_lost: i32::from_be_bytes([c0, c1, c2, 0]) >> 8,
            highest_seq: u32::from_be_bytes([h0, h1, h2, h3]),
            jitter: u32::from_be_bytes([j0, j1, j2, j3]),
            last_sr: u32::from_be_bytes([l0, l1, l2, l3]),
            delay_since_last_sr: u32::from_be_bytes([d0, d1, d2, d3]),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let [_, c0, c1, c2] = self.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff).to_be_bytes();
        out.extend(self.ssrc.to_be_bytes());
        out.extend([self.fraction_lost, c0, c1, c2]);
        for word in [self.highest_seq, self.jitter, self.last_sr, self.delay_since_last_sr] {
            out.extend(word.to_be_bytes());
        }
    }
}

/// A sender report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderReport<'a> {
    /// Who sent it.
    pub ssrc: u32,
    /// About itself.
    pub info: SenderInfo,
    blocks: &'a [u8],
}

impl<'a> SenderReport<'a> {
    pub(super) fn parse(count: u8, mut body: Body<'a>) -> Result<Self, RtcpError> {
        let ssrc = body.u32("SSRC")?;
        let part = "sender information";
        let info = SenderInfo {
            ntp: u64::from_be_bytes(body.array(part)?),
            rtp_timestamp: body.u32(part)?,
            packets: body.u32(part)?,
            octets: body.u32(part)?,
        };
        Ok(SenderReport { ssrc, info, blocks: blocks(count, body)? })
    }

    /// About the sources that it hears.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        iter(self.blocks)
    }
}

/// A receiver report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiverReport<'a> {
    /// Who sent it.
    pub ssrc: u32,
    blocks: &'a [u8],
}

impl<'a> ReceiverReport<'a> {
    pub(super) fn parse(count: u8, mut body: Body<'a>) -> Result<Self, RtcpError> {
        Ok(ReceiverReport { ssrc: body.u32("SSRC")?, blocks: blocks(count, body)? })
    }

    /// About the sources that it hears.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        iter(self.blocks)
    }
}

/// Appends a sender report; blocks above [`MAX_BLOCKS`] are left out.
pub fn write_sender_report(out: &mut Vec<u8>, ssrc: u32, info: &SenderInfo, blocks: &[ReportBlock]) {
    let blocks = blocks.get(..MAX_BLOCKS).unwrap_or(blocks);
    write_packet(out, packet_type::SR, blocks.len() as u8, |out| {
        out.extend(ssrc.to_be_bytes());
        out.extend(info.ntp.to_be_bytes());
        for word in [info.rtp_timestamp, info.packets, info.octets] {
            out.extend(word.to_be_bytes());
        }
        blocks.iter().for_each(|b| b.write(out));
    });
}

/// Appends a receiver report; blocks above [`MAX_BLOCKS`] are left out.
pub fn write_receiver_report(out: &mut Vec<u8>, ssrc: u32, blocks: &[ReportBlock]) {
    let blocks = blocks.get(..MAX_BLOCKS).unwrap_or(blocks);
    write_packet(out, packet_type::RR, blocks.len() as u8, |out| {
        out.extend(ssrc.to_be_bytes());
        blocks.iter().for_each(|b| b.write(out));
    });
}

/// The octets of `count` blocks; profile-specific extensions may follow them (section 6.4.3).
fn blocks<'a>(count: u8, mut body: Body<'a>) -> Result<&'a [u8], RtcpError> {
    body.octets(usize::from(count) * BLOCK, "report blocks")
}

fn iter(blocks: &[u8]) -> impl Iterator<Item = ReportBlock> + use<'_> {
    blocks.as_chunks::<BLOCK>().0.iter().map(ReportBlock::parse)
}

#[cfg(test)]
mod tests {
    use super::super::{Compound, Packet, tests::octets};
    use super::*;

    const BLOCK_1: ReportBlock = ReportBlock {
        ssrc: 0x1122_3344,
        fraction_lost: 0x40,
        cumulative_lost: -2,
        highest_seq: 0x0001_0203,
        jitter: 77,
        last_sr: 0xaabb_ccdd,
        delay_since_last_sr: 0x0001_8000,
    };

    #[test]
    fn a_sender_report_is_written_and_read_as_in_the_rfc() {
        let info = SenderInfo { ntp: 0x0123_4567_89ab_cdef, rtp_timestamp: 160, packets: 3, octets: 480 };
        let mut out = Vec::new();
        write_sender_report(&mut out, 7, &info, &[BLOCK_1]);
        assert_eq!(
            out,
            octets(
                "81c8000c 00000007 01234567 89abcdef 000000a0 00000003 000001e0
                 11223344 40fffffe 00010203 0000004d aabbccdd 00018000"
            )
        );
        let Some(Ok(Packet::SenderReport(r))) = Compound::parse(&out).unwrap().packets().next() else {
            panic!("no sender report");
        };
        assert_eq!((r.ssrc, r.info), (7, info));
        assert!(r.blocks().eq([BLOCK_1]));
    }

    #[test]
    fn a_loss_beyond_24_bits_is_clamped() {
        for (lost, clamped) in [(i32::MAX, 0x7f_ffff), (i32::MIN, -0x80_0000), (-1, -1)] {
            let mut out = Vec::new();
            write_receiver_report(&mut out, 7, &[ReportBlock { cumulative_lost: lost, ..BLOCK_1 }]);
            let Some(Ok(Packet::ReceiverReport(r))) = Compound::parse(&out).unwrap().packets().next() else {
                panic!("no receiver report");
            };
            assert_eq!(r.blocks().next().unwrap().cumulative_lost, clamped);
        }
    }

    #[test]
    fn blocks_beyond_31_are_left_out_and_extensions_are_passed_over() {
        let mut out = Vec::new();
        write_receiver_report(&mut out, 7, &[BLOCK_1; 40]);
        let Some(Ok(Packet::ReceiverReport(r))) = Compound::parse(&out).unwrap().packets().next() else {
            panic!("no receiver report");
        };
        assert_eq!(r.blocks().count(), 31);
        let extended = octets("80c90003 00000001 cafecafe cafecafe");
        let Some(Ok(Packet::ReceiverReport(r))) = Compound::parse(&extended).unwrap().packets().next() else {
            panic!("no receiver report");
        };
        assert_eq!(r.blocks().count(), 0);
    }
}
