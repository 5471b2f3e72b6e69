//! RTCP as the peer sends and takes it: RFC 3550 section 6, RFC 5761.

use super::rtp::{goes_on, talked};
use crate::case::{Finding, applies, ensure, table};
use crate::lab::{Call, Lab, Rtcp, Which};
use std::collections::BTreeSet;
use std::time::Duration;
use visavis_proto::rtp::rtcp::{Compound, Packet, ReportBlock};

table! {
    "rtcp.sent", "3550", "6.2",
    "Participants send RTCP: with two of them the interval is 5 s at the least, half that for the first, and at random."
        => sent;
    "rtcp.compound", "3550", "6.1",
    "The first packet of a compound MUST be SR or RR, and each compound MUST include an SDES with CNAME."
        => compound;
    "rtcp.sender-report", "3550", "6.4.1",
    "One who sends media sends SR, with the SSRC of its media and counts of what it has sent."
        => sender_report;
    "rtcp.reception-report", "3550", "6.4.1",
    "A report has a block on each source heard since the last one: on ours, with our sequence numbers."
        => reception_report;
    "rtcp.one-cname", "3550", "6.5.1",
    "The CNAME of a participant stays the same, and is the same for its sound and its pictures."
        => one_cname;
    "rtcp.mux", "5761", "5.1.1",
    "Where offer and answer have a=rtcp-mux, RTP and RTCP are sent to one port."
        => mux;
    "rtcp.no-mux-unasked", "5761", "5.1.1",
    "Without a=rtcp-mux in the offer there is none in the answer, and RTCP goes to its own port."
        => no_mux;
    "rtcp.takes-garbage", "3550", "A.2",
    "What fails the validity checks of RTCP is dropped and harms nobody."
        => garbage;
    "rtcp.takes-bye", "3550", "6.6",
    "A BYE says that a source is gone, not that the call is: the dialog stays."
        => bye;
    "rtcp.takes-unknown-types", "3550", "6.1",
    "Packets of unknown types in a compound SHOULD be ignored; APP and XR disturb nobody."
        => unknown_types;
}

const AUDIO: usize = Which::Audio as usize;
/// The longest first interval: 5 s, halved, times 1.5 and divided by e - 3/2, and as much as that again for late
/// starters.
const FIRST: Duration = Duration::from_millis(7500);

/// Whether a report has come.
fn has_report(lab: &Lab) -> bool {
    let is_report = |datagram: &Rtcp| datagram.data.get(1).is_some_and(|kind| matches!(kind, 200 | 201));
    lab.lines[AUDIO].rtcp.iter().any(is_report)
}

/// A call with sound both ways, and a report of the peer.
async fn reported(lab: &mut Lab) -> Result<Call, Finding> {
    let call = talked(lab, Duration::ZERO).await?;
    applies!(lab.until(FIRST, has_report).await, "the peer sends no reports");
    Ok(call)
}

async fn sent(lab: &mut Lab) -> Result<(), Finding> {
    talked(lab, Duration::ZERO).await?;
    let there = lab.until(FIRST, has_report).await;
    ensure!(there, "no SR and no RR came within {:.1} s of the first RTP", FIRST.as_secs_f64());
    Ok(())
}

/// The packets of a datagram, or what is wrong with them.
fn packets(datagram: &Rtcp) -> Result<Vec<Packet<'_>>, Finding> {
    let broken = |e| Finding::Fail(format!("an RTCP datagram is broken: {e}"));
    let compound = Compound::parse(&datagram.data).map_err(broken)?;
    compound.packets().map(|p| p.map_err(broken)).collect()
}

async fn compound(lab: &mut Lab) -> Result<(), Finding> {
    reported(lab).await?;
    for datagram in &lab.lines[AUDIO].rtcp {
        let packets = packets(datagram)?;
        let frame = datagram.frame.map_or(String::new(), |n| format!(" (frame {n})"));
        let report = matches!(packets.first(), Some(Packet::SenderReport(_) | Packet::ReceiverReport(_)));
        ensure!(report, "an RTCP compound{frame} begins with neither SR nor RR");
        let cname = packets.iter().any(|p| match p {
            Packet::Sdes(sdes) => sdes.cnames().any(|(_, cname)| cname.is_some_and(|c| !c.is_empty())),
            _ => false,
        });
        ensure!(cname, "an RTCP compound{frame} has no SDES with a CNAME");
    }
    Ok(())
}

async fn sender_report(lab: &mut Lab) -> Result<(), Finding> {
    reported(lab).await?;
    let sources: BTreeSet<u32> = lab.lines[AUDIO].rtp.iter().map(|p| p.ssrc).collect();
    let mut found = false;
    for datagram in &lab.lines[AUDIO].rtcp {
        for packet in packets(datagram)? {
            let Packet::SenderReport(report) = packet else { continue };
            found = true;
            ensure!(
                sources.contains(&report.ssrc),
                "the SR is of {:#010x}, the media of {sources:x?}",
                report.ssrc
            );
            let before =
                lab.lines[AUDIO].rtp.iter().filter(|p| p.ssrc == report.ssrc && p.at <= datagram.at).count();
            let off = i64::from(report.info.packets) - before as i64;
            // What is on its way when the report is made, or lost before the ports were open.
            ensure!(off.abs() <= 10, "the SR counts {} packets, {before} had come", report.info.packets);
        }
    }
    ensure!(found, "the peer sends media and no SR: {} RTCP datagrams", lab.lines[AUDIO].rtcp.len());
    Ok(())
}

/// The first block on our source.
fn block_on_us(lab: &Lab) -> Result<Option<ReportBlock>, Finding> {
    for datagram in &lab.lines[AUDIO].rtcp {
        for packet in packets(datagram)? {
            let block = match packet {
                Packet::SenderReport(report) => report.blocks().find(|b| b.ssrc == lab.ssrc),
                Packet::ReceiverReport(report) => report.blocks().find(|b| b.ssrc == lab.ssrc),
                _ => None,
            };
            if block.is_some() {
                return Ok(block);
            }
        }
    }
    Ok(None)
}

async fn reception_report(lab: &mut Lab) -> Result<(), Finding> {
    reported(lab).await?;
    let there = |lab: &Lab| block_on_us(lab).is_ok_and(|b| b.is_some());
    lab.until(FIRST, there).await;
    let Some(block) = block_on_us(lab)? else {
        return Err(Finding::Fail(
            "no report of the peer has a block on our source, which it has heard".into(),
        ));
    };
    let sent = lab.lines[AUDIO].sent.load(std::sync::atomic::Ordering::Relaxed) as u32;
    let highest = block.highest_seq & 0xffff;
    let ours = (1000..=1000 + sent).contains(&highest);
    ensure!(ours, "the block names sequence number {highest}, ours were 1000 to {}", 1000 + sent);
    Ok(())
}

async fn one_cname(lab: &mut Lab) -> Result<(), Finding> {
    reported(lab).await?;
    lab.until(FIRST, |lab| lab.lines[AUDIO].rtcp.len() > 2).await;
    let mut names = BTreeSet::new();
    for datagram in &lab.lines[AUDIO].rtcp {
        for packet in packets(datagram)? {
            if let Packet::Sdes(sdes) = packet {
                let cnames = sdes.cnames().filter_map(|(_, cname)| cname);
                names.extend(cnames.map(|c| String::from_utf8_lossy(c).into_owned()));
            }
        }
    }
    ensure!(names.len() == 1, "the peer has {} CNAMEs: {names:?}", names.len());
    Ok(())
}

async fn mux(lab: &mut Lab) -> Result<(), Finding> {
    let call = lab.call_with(lab.sound().with("a=rtcp-mux"), |_| {}).await?;
    let agreed = call.answer.media.first().is_some_and(|m| m.attributes("rtcp-mux").next().is_some());
    applies!(agreed, "the answer has no a=rtcp-mux");
    lab.talk(&call)?;
    applies!(lab.until(FIRST, has_report).await, "the peer sends no reports");
    let apart = lab.lines[AUDIO].rtcp.iter().filter(|r| !r.muxed).count();
    ensure!(apart == 0, "{apart} RTCP datagrams came to the port above, though a=rtcp-mux is agreed on");
    Ok(())
}

async fn no_mux(lab: &mut Lab) -> Result<(), Finding> {
    let call = reported(lab).await?;
    let said = call.answer.media.iter().any(|m| m.attributes("rtcp-mux").next().is_some());
    ensure!(!said, "a=rtcp-mux is in the answer to an offer without");
    let muxed = lab.lines[AUDIO].rtcp.iter().filter(|r| r.muxed).count();
    ensure!(muxed == 0, "{muxed} RTCP datagrams came to the port of RTP, without a=rtcp-mux");
    Ok(())
}

/// Sends these to the peer's port of RTCP: sound and call go on.
async fn takes(lab: &mut Lab, datagrams: &[&[u8]]) -> Result<(), Finding> {
    let mut call = talked(lab, Duration::from_millis(300)).await?;
    let remote = call.remote_rtcp(Which::Audio);
    for octets in datagrams {
        lab.send_media(Which::Audio, remote, true, octets).await?;
        lab.listen(Duration::from_millis(20)).await;
    }
    goes_on(lab, &mut call).await
}

const EMPTY_RR: [u8; 8] = [0x80, 201, 0, 1, 0x5e, 0xed, 0xca, 0xfe];

async fn garbage(lab: &mut Lab) -> Result<(), Finding> {
    let lying = [0x9f, 200, 0xff, 0xff, 0, 0, 0, 1];
    let version = [0x40, 201, 0, 1, 0, 0, 0, 1];
    let sdes = [&EMPTY_RR[..], &[0x9f, 202, 0, 2, 0, 0, 0, 1, 1, 0xff, b'x', 0]].concat();
    takes(lab, &[b"", b"\x80", b"\x80\xc9", &lying, &version, &sdes, &[0xff; 500], &[0; 64]]).await
}

async fn bye(lab: &mut Lab) -> Result<(), Finding> {
    let octets = [&EMPTY_RR[..], &[0x81, 203, 0, 1, 0xde, 0xad, 0xbe, 0xef]].concat();
    takes(lab, &[&octets]).await
}

async fn unknown_types(lab: &mut Lab) -> Result<(), Finding> {
    let app = [&EMPTY_RR[..], &[0x80, 204, 0, 2, 0x5e, 0xed, 0xca, 0xfe, b'v', b'i', b's', b'a']].concat();
    let report = [&EMPTY_RR[..], &[0x80, 207, 0, 1, 0x5e, 0xed, 0xca, 0xfe]].concat();
    let odd = [&EMPTY_RR[..], &[0x85, 213, 0, 1, 0x5e, 0xed, 0xca, 0xfe]].concat();
    takes(lab, &[&app, &report, &odd]).await
}
