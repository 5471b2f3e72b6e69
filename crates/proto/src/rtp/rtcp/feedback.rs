//! Feedback: generic NACK and PLI (RFC 4585 sections 6.2.1 and 6.3.1), FIR (RFC 5104 section 4.3.1).

use super::{Body, RtcpError, packet_type, write_packet};

const FMT_NACK: u8 = 1;
const FMT_PLI: u8 = 1;
const FMT_FIR: u8 = 4;

/// Transport-layer feedback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportFeedback<'a> {
    /// Who sent it.
    pub sender: u32,
    /// Whom it is about.
    pub media: u32,
    fmt: u8,
    control: &'a [u8],
}

/// Payload-specific feedback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadFeedback<'a> {
    /// Who sent it.
    pub sender: u32,
    /// Whom it is about; 0 where the entries say so (FIR).
    pub media: u32,
    fmt: u8,
    control: &'a [u8],
}

/// What feedback says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedbackControl<T> {
    /// A kind that is read here.
    Known(T),
    /// Another one, by its FMT (REMB has 15, TMMBR 3): passed over.
    Other(u8),
}

/// Generic NACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nack<'a>(&'a [u8]);

impl<'a> Nack<'a> {
    /// The sequence numbers that are missing.
    pub fn lost(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.0.as_chunks::<4>().0.iter().flat_map(|[p0, p1, b0, b1]| {
            let pid = u16::from_be_bytes([*p0, *p1]);
            let mask = u16::from_be_bytes([*b0, *b1]);
            let following = (0..16).filter(move |bit| mask >> bit & 1 == 1);
            std::iter::once(pid).chain(following.map(move |bit| pid.wrapping_add(bit + 1)))
        })
    }
}

/// Full Intra Request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fir<'a>(&'a [u8]);

impl<'a> Fir<'a> {
    /// Whom it asks, each with the sequence number of the command.
    pub fn entries(&self) -> impl Iterator<Item = (u32, u8)> + use<'a> {
        self.0
            .as_chunks::<8>()
            .0
            .iter()
            .map(|[s0, s1, s2, s3, seq, ..]| (u32::from_be_bytes([*s0, *s1, *s2, *s3]), *seq))
    }
}

/// A request for a key frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyframeRequest<'a> {
    /// Picture Loss Indication.
    Pli,
    /// Full Intra Request.
    Fir(Fir<'a>),
}

impl<'a> TransportFeedback<'a> {
    pub(super) fn parse(fmt: u8, body: Body<'a>) -> Result<Self, RtcpError> {
        let (sender, media, control) = parts(body, if fmt == FMT_NACK { 4 } else { 0 })?;
        Ok(TransportFeedback { sender, media, fmt, control })
    }

    /// What it says.
    pub fn control(&self) -> FeedbackControl<Nack<'a>> {
        match self.fmt {
            FMT_NACK => FeedbackControl::Known(Nack(self.control)),
            fmt => FeedbackControl::Other(fmt),
        }
    }
}

impl<'a> PayloadFeedback<'a> {
    pub(super) fn parse(fmt: u8, body: Body<'a>) -> Result<Self, RtcpError> {
        let (sender, media, control) = parts(body, if fmt == FMT_FIR { 8 } else { 0 })?;
        Ok(PayloadFeedback { sender, media, fmt, control })
    }

    /// What it says.
    pub fn control(&self) -> FeedbackControl<KeyframeRequest<'a>> {
        match self.fmt {
            FMT_PLI => FeedbackControl::Known(KeyframeRequest::Pli),
            FMT_FIR => FeedbackControl::Known(KeyframeRequest::Fir(Fir(self.control))),
            fmt => FeedbackControl::Other(fmt),
        }
    }
}

/// Sender, media source and the rest, which must hold at least one entry and no part of one.
fn parts(mut body: Body<'_>, entry: usize) -> Result<(u32, u32, &[u8]), RtcpError> {
    let sender = body.u32("SSRC of the sender")?;
    let media = body.u32("SSRC of the media source")?;
    if entry != 0 && (body.rest.is_empty() || !body.rest.len().is_multiple_of(entry)) {
        return Err(body.ends_in("feedback control information"));
    }
    Ok((sender, media, body.rest))
}

/// Appends a Picture Loss Indication from `sender` about `media`.
pub fn write_pli(out: &mut Vec<u8>, sender: u32, media: u32) {
    write_packet(out, packet_type::PSFB, FMT_PLI, |out| {
        out.extend(sender.to_be_bytes());
        out.extend(media.to_be_bytes());
    });
}

/// Appends a Full Intra Request from `sender` to `media`, with the sequence number of the command.
pub fn write_fir(out: &mut Vec<u8>, sender: u32, media: u32, seq: u8) {
    write_packet(out, packet_type::PSFB, FMT_FIR, |out| {
        out.extend(sender.to_be_bytes());
        out.extend([0; 4]);
        out.extend(media.to_be_bytes());
        out.extend([seq, 0, 0, 0]);
    });
}

/// Appends a generic NACK from `sender` about `media`; `lost` in ascending order (modulo 2^16) makes the
/// fewest entries.
pub fn write_nack(out: &mut Vec<u8>, sender: u32, media: u32, lost: &[u16]) {
    write_packet(out, packet_type::RTPFB, FMT_NACK, |out| {
        out.extend(sender.to_be_bytes());
        out.extend(media.to_be_bytes());
        let mut lost = lost.iter().copied().peekable();
        while let Some(pid) = lost.next() {
            let mut mask = 0u16;
            while let Some(next) = lost.next_if(|next| (1..=16).contains(&next.wrapping_sub(pid))) {
                mask |= 1 << (next.wrapping_sub(pid) - 1);
            }
            out.extend(pid.to_be_bytes());
            out.extend(mask.to_be_bytes());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::{Compound, Packet, tests::octets};
    use super::*;
    use proptest::prelude::*;

    fn first(data: &[u8]) -> Result<Packet<'_>, RtcpError> {
        Compound::parse(data).unwrap().packets().next().unwrap()
    }

    #[test]
    fn a_pli_is_written_and_read_back() {
        let mut out = Vec::new();
        write_pli(&mut out, 1, 2);
        assert_eq!(out, octets("81ce0002 00000001 00000002"));
        let Ok(Packet::PayloadFeedback(f)) = first(&out) else { panic!("no feedback") };
        assert_eq!((f.sender, f.media), (1, 2));
        assert_eq!(f.control(), FeedbackControl::Known(KeyframeRequest::Pli));
    }

    #[test]
    fn a_fir_names_its_target_in_the_entry() {
        let mut out = Vec::new();
        write_fir(&mut out, 1, 2, 0xfe);
        assert_eq!(out, octets("84ce0004 00000001 00000000 00000002 fe000000"));
        let Ok(Packet::PayloadFeedback(f)) = first(&out) else { panic!("no feedback") };
        let FeedbackControl::Known(KeyframeRequest::Fir(fir)) = f.control() else { panic!("no FIR") };
        assert!(fir.entries().eq([(2, 0xfe)]));
    }

    #[test]
    fn feedback_without_its_entries_is_an_error_and_unknown_feedback_is_passed_over() {
        let part = "feedback control information";
        let error = |packet_type| Err(RtcpError::Body { offset: 0, packet_type, part });
        assert_eq!(first(&octets("84ce0002 00000001 00000000")), error(206));
        assert_eq!(first(&octets("84ce0003 00000001 00000000 00000002")), error(206));
        assert_eq!(first(&octets("81cd0002 00000001 00000002")), error(205));
        let remb = octets("8fce0005 00000001 00000000 52454d42 01000000 00000002");
        let Ok(Packet::PayloadFeedback(f)) = first(&remb) else { panic!("no feedback") };
        assert_eq!(f.control(), FeedbackControl::Other(15));
    }

    proptest! {
        #[test]
        fn every_sequence_number_of_a_nack_is_read_back(
            start in any::<u16>(), steps in proptest::collection::vec(1u16..40, 1..40),
        ) {
            let lost: Vec<u16> = steps.iter().scan(start, |seq, step| {
                *seq = seq.wrapping_add(*step);
                Some(*seq)
            }).collect();
            let mut out = Vec::new();
            write_nack(&mut out, 1, 2, &lost);
            let Ok(Packet::TransportFeedback(f)) = first(&out) else { panic!("no feedback") };
            let FeedbackControl::Known(nack) = f.control() else { panic!("no NACK") };
            prop_assert_eq!(nack.lost().collect::<Vec<_>>(), lost);
        }
    }
}
