//! Our RTP and RTCP against the crates `rtp` and `rtcp`: on everything that both accept they agree, and what
//! either writes the other reads. Where the two differ on purpose, the test says so.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use bytes::Bytes;
use proptest::prelude::*;
use rtcp::goodbye::Goodbye;
use rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtcp::receiver_report::ReceiverReport;
use rtcp::reception_report::ReceptionReport;
use rtcp::sender_report::SenderReport;
use rtcp::source_description::{SdesType, SourceDescription};
use rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use std::panic::{AssertUnwindSafe, catch_unwind};
use visavis_proto::rtp::rtcp::{
    Compound, FeedbackControl, KeyframeRequest, Packet, ReportBlock, SenderInfo, bye, feedback, report, sdes,
};
use visavis_proto::rtp::{RtpHeader, RtpPacket};
use webrtc_util::marshal::{Marshal, Unmarshal};

/// What a packet says, in a form that both sides can be brought into.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Sender(u32, SenderInfo, Vec<ReportBlock>),
    Receiver(u32, Vec<ReportBlock>),
    Cnames(Vec<(u32, Option<Vec<u8>>)>),
    Bye(Vec<u32>, Vec<u8>),
    Nack(u32, u32, Vec<u16>),
    Pli(u32, u32),
    Fir(u32, Vec<(u32, u8)>),
    Other,
}

fn ours(data: &[u8]) -> Option<Vec<Said>> {
    let packets: Result<Vec<_>, _> = Compound::parse(data).ok()?.packets().collect();
    let said = |packet| match packet {
        Packet::SenderReport(r) => Said::Sender(r.ssrc, r.info, r.blocks().collect()),
        Packet::ReceiverReport(r) => Said::Receiver(r.ssrc, r.blocks().collect()),
        Packet::Sdes(s) => Said::Cnames(s.cnames().map(|(ssrc, c)| (ssrc, c.map(<[u8]>::to_vec))).collect()),
        Packet::Bye(b) => {
            Said::Bye(b.sources().collect(), b.reason().map(String::into_bytes).unwrap_or_default())
        }
        Packet::TransportFeedback(f) => match f.control() {
            FeedbackControl::Known(nack) => Said::Nack(f.sender, f.media, nack.lost().collect()),
            FeedbackControl::Other(_) => Said::Other,
        },
        Packet::PayloadFeedback(f) => match f.control() {
            FeedbackControl::Known(KeyframeRequest::Pli) => Said::Pli(f.sender, f.media),
            FeedbackControl::Known(KeyframeRequest::Fir(fir)) => Said::Fir(f.sender, fir.entries().collect()),
            FeedbackControl::Other(_) => Said::Other,
        },
        Packet::Other { .. } => Said::Other,
    };
    Some(packets.ok()?.into_iter().map(said).collect())
}

/// What the crate reads; `None` where it refuses or panics.
fn theirs(data: &[u8]) -> Option<Vec<Said>> {
    let read = || rtcp::packet::unmarshal(&mut Bytes::copy_from_slice(data));
    let packets = catch_unwind(AssertUnwindSafe(read)).ok()?.ok()?;
    let said = |packet: &(dyn std::any::Any + Send + Sync)| {
        if let Some(r) = packet.downcast_ref::<SenderReport>() {
            let info = SenderInfo {
                ntp: r.ntp_time,
                rtp_timestamp: r.rtp_time,
                packets: r.packet_count,
                octets: r.octet_count,
            };
            Said::Sender(r.ssrc, info, r.reports.iter().map(block).collect())
        } else if let Some(r) = packet.downcast_ref::<ReceiverReport>() {
            Said::Receiver(r.ssrc, r.reports.iter().map(block).collect())
        } else if let Some(s) = packet.downcast_ref::<SourceDescription>() {
            let cname = |c: &rtcp::source_description::SourceDescriptionChunk| {
                let item = c.items.iter().find(|i| i.sdes_type == SdesType::SdesCname);
                (c.source, item.map(|i| i.text.to_vec()))
            };
            Said::Cnames(s.chunks.iter().map(cname).collect())
        } else if let Some(b) = packet.downcast_ref::<Goodbye>() {
            Said::Bye(b.sources.clone(), String::from_utf8_lossy(&b.reason).into_owned().into_bytes())
        } else if let Some(n) = packet.downcast_ref::<TransportLayerNack>() {
            // Its own iterator ends at a mask of zero and wraps wrongly, so the pairs are read here.
            let lost = n.nacks.iter().flat_map(|pair| {
                let following = (0..16u16).filter(|bit| pair.lost_packets >> bit & 1 == 1);
                let id = pair.packet_id;
                std::iter::once(id).chain(following.map(move |bit| id.wrapping_add(bit + 1)))
            });
            Said::Nack(n.sender_ssrc, n.media_ssrc, lost.collect())
        } else if let Some(p) = packet.downcast_ref::<PictureLossIndication>() {
            Said::Pli(p.sender_ssrc, p.media_ssrc)
        } else if let Some(f) = packet.downcast_ref::<FullIntraRequest>() {
            Said::Fir(f.sender_ssrc, f.fir.iter().map(|e| (e.ssrc, e.sequence_number)).collect())
        } else {
            Said::Other
        }
    };
    Some(packets.iter().map(|p| said(p.as_any())).collect())
}

fn block(r: &ReceptionReport) -> ReportBlock {
    ReportBlock {
        ssrc: r.ssrc,
        fraction_lost: r.fraction_lost,
        // 24 bits with a sign, which the crate reads without.
        cumulative_lost: (r.total_lost << 8) as i32 >> 8,
        highest_seq: r.last_sequence_number,
        jitter: r.jitter,
        last_sr: r.last_sender_report,
        delay_since_last_sr: r.delay,
    }
}

fn write(said: &Said, out: &mut Vec<u8>) {
    match said {
        Said::Sender(ssrc, info, blocks) => report::write_sender_report(out, *ssrc, info, blocks),
        Said::Receiver(ssrc, blocks) => report::write_receiver_report(out, *ssrc, blocks),
        Said::Cnames(chunks) => {
            for (ssrc, cname) in chunks {
                sdes::write_cname(out, *ssrc, std::str::from_utf8(cname.as_deref().unwrap()).unwrap());
            }
        }
        Said::Bye(sources, _) => bye::write_bye(out, sources[0]),
        Said::Nack(sender, media, lost) => feedback::write_nack(out, *sender, *media, lost),
        Said::Pli(sender, media) => feedback::write_pli(out, *sender, *media),
        Said::Fir(sender, entries) => feedback::write_fir(out, *sender, entries[0].0, entries[0].1),
        Said::Other => {}
    }
}

fn blocks() -> impl Strategy<Value = Vec<ReportBlock>> {
    let block = (any::<u32>(), any::<u8>(), -0x80_0000..0x80_0000, any::<[u32; 4]>()).prop_map(
        |(ssrc, f, lost, w)| ReportBlock {
            ssrc,
            fraction_lost: f,
            cumulative_lost: lost,
            highest_seq: w[0],
            jitter: w[1],
            last_sr: w[2],
            delay_since_last_sr: w[3],
        },
    );
    proptest::collection::vec(block, 0..31)
}

fn anything_said() -> impl Strategy<Value = Said> {
    let info = (any::<u64>(), any::<[u32; 3]>()).prop_map(|(ntp, w)| SenderInfo {
        ntp,
        rtp_timestamp: w[0],
        packets: w[1],
        octets: w[2],
    });
    prop_oneof![
        (any::<u32>(), info, blocks()).prop_map(|(ssrc, info, blocks)| Said::Sender(ssrc, info, blocks)),
        (any::<u32>(), blocks()).prop_map(|(ssrc, blocks)| Said::Receiver(ssrc, blocks)),
        (any::<u32>(), "[a-z0-9@.]{0,64}")
            .prop_map(|(ssrc, c)| Said::Cnames(vec![(ssrc, Some(c.into_bytes()))])),
        any::<u32>().prop_map(|ssrc| Said::Bye(vec![ssrc], Vec::new())),
        (any::<[u32; 2]>(), any::<u16>(), proptest::collection::vec(1u16..40, 1..20)).prop_map(
            |(s, first, steps)| {
                let next = |seq: &mut u16, step: u16| {
                    *seq = seq.wrapping_add(step);
                    Some(*seq)
                };
                Said::Nack(s[0], s[1], steps.into_iter().scan(first, next).collect())
            }
        ),
        any::<[u32; 2]>().prop_map(|s| Said::Pli(s[0], s[1])),
        (any::<[u32; 2]>(), any::<u8>()).prop_map(|(s, seq)| Said::Fir(s[0], vec![(s[1], seq)])),
    ]
}

fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

#[test]
fn a_packet_that_the_crate_rtp_panics_on_is_read_here() {
    let data = octets("90e0000100000000112233441000000100000101");
    let read = || rtp::packet::Packet::unmarshal(&mut Bytes::copy_from_slice(&data));
    assert!(catch_unwind(AssertUnwindSafe(read)).is_err());
    assert_eq!(RtpPacket::parse(&data).unwrap().extension(), Some((0x1000, &[0, 0, 1, 1][..])));
}

#[test]
fn a_packet_that_the_crate_rtcp_panics_on_is_an_error_here() {
    let data = octets("81cd000111223344");
    let read = || rtcp::packet::unmarshal(&mut Bytes::copy_from_slice(&data)).is_ok();
    assert!(catch_unwind(AssertUnwindSafe(read)).is_err());
    assert_eq!(ours(&data), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn the_crate_reads_our_rtcp_as_we_meant_it(said in proptest::collection::vec(anything_said(), 1..6)) {
        let mut data = Vec::new();
        said.iter().for_each(|s| write(s, &mut data));
        prop_assert_eq!(ours(&data), Some(said.clone()));
        prop_assert_eq!(theirs(&data), Some(said));
    }

    #[test]
    fn we_read_rtcp_that_the_crate_wrote_as_it_does(said in proptest::collection::vec(anything_said(), 1..6)) {
        let mut data = Vec::new();
        said.iter().for_each(|s| write(s, &mut data));
        let packets = rtcp::packet::unmarshal(&mut Bytes::from(data)).unwrap();
        let written = rtcp::packet::marshal(&packets).unwrap();
        prop_assert_eq!(ours(&written), Some(said));
    }

    #[test]
    fn rtcp_that_both_accept_is_read_alike_after_mutation(
        said in proptest::collection::vec(anything_said(), 1..4),
        mutations in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut data = Vec::new();
        said.iter().for_each(|s| write(s, &mut data));
        for (index, octet) in mutations {
            let index = index.index(data.len());
            data[index] = octet;
        }
        if let (Some(ours), Some(theirs)) = (ours(&data), theirs(&data)) {
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn rtp_that_both_accept_is_read_alike(
        mut data in proptest::collection::vec(any::<u8>(), 12..80),
        csrc in 0u8..4, extension in any::<bool>(), words in 0u8..4, padding in proptest::option::of(1u8..9),
    ) {
        data[0] = 0x80 | csrc | u8::from(extension) << 4 | u8::from(padding.is_some()) << 5;
        let at = 12 + usize::from(csrc) * 4;
        if extension && let Some(header) = data.get_mut(at..at + 4) {
            // Neither 0xbede nor 0x1000, whose elements the crate reads and we pass on.
            header.copy_from_slice(&[0x12, 0x34, 0, words]);
        }
        if let (Some(padding), Some(last)) = (padding, data.last_mut()) {
            *last = padding;
        }
        let read = || rtp::packet::Packet::unmarshal(&mut Bytes::copy_from_slice(&data));
        let theirs = catch_unwind(AssertUnwindSafe(read)).ok().and_then(Result::ok);
        let ours = RtpPacket::parse(&data);
        prop_assert_eq!(ours.is_ok(), theirs.is_some(), "{:?}", ours);
        let (Ok(ours), Some(theirs)) = (ours, theirs) else { return Ok(()) };
        let h = &theirs.header;
        prop_assert_eq!((ours.marker, ours.payload_type, ours.seq), (h.marker, h.payload_type, h.sequence_number));
        prop_assert_eq!((ours.timestamp, ours.ssrc), (h.timestamp, h.ssrc));
        prop_assert_eq!(ours.csrc().collect::<Vec<_>>(), h.csrc.clone());
        prop_assert_eq!(ours.payload(), &theirs.payload[..]);
        if let Some((profile, body)) = ours.extension() {
            prop_assert_eq!(profile, h.extension_profile);
            prop_assert_eq!(body, &h.extensions[0].payload[..]);
        }
    }

    #[test]
    fn rtp_that_the_crate_writes_is_what_we_write(
        marker in any::<bool>(), payload_type in 0u8..128, seq in any::<u16>(), timestamp in any::<u32>(),
        ssrc in any::<u32>(), payload in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let header = rtp::header::Header {
            version: 2, marker, payload_type, sequence_number: seq, timestamp, ssrc, ..Default::default()
        };
        let theirs = rtp::packet::Packet { header, payload: Bytes::from(payload.clone()) }.marshal().unwrap();
        let mut ours = Vec::new();
        RtpHeader { marker, payload_type, seq, timestamp, ssrc }.with_payload(&payload).write(&mut ours);
        prop_assert_eq!(ours, theirs.to_vec());
    }
}
