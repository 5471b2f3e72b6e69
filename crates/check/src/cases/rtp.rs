//! RTP as the peer sends and takes it: RFC 3550, RFC 3264 section 6.1, RFC 4961.

use crate::case::{Finding, applies, ensure, table};
use crate::lab::{Call, Lab, Rtp, Which};
use std::collections::BTreeSet;
use std::time::Duration;
use visavis_proto::rtp::RtpHeader;

table! {
    "rtp.flows", "3264", "6.1",
    "Once a stream is agreed on as sendrecv, media are sent to the address and port of the offer."
        => sound_flows;
    "rtp.payload-type", "3264", "6.1",
    "The answerer MUST send a format of the offer that stands in its answer, and MUST use the numbers of the offer."
        => payload_type;
    "rtp.sequence", "3550", "5.1",
    "\"The sequence number increments by one for each RTP data packet sent.\""
        => sequence;
    "rtp.timestamp-rate", "3550", "5.1",
    "The timestamp MUST be derived from a clock that increments linearly: it keeps to the clock rate of the format."
        => timestamps;
    "rtp.one-ssrc", "3550", "8.1",
    "A source keeps its SSRC for the session: one microphone has one SSRC, from the first packet to the last."
        => one_ssrc;
    "rtp.ssrc-after-reinvite", "3550", "8",
    "A re-INVITE that changes nothing is no new session: the stream goes on with its SSRC and its sequence numbers."
        => ssrc_after_reinvite;
    "rtp.symmetric", "4961", "3",
    "Symmetric RTP: media are sent from the address and port at which they are received."
        => symmetric;
    "rtp.stops-after-bye", "3261", "15.1.2",
    "With a BYE the session is over: the UAS SHOULD stop sending media."
        => stops;
    "rtp.payload-swap", "3264", "6.1",
    "The payload type numbers are those of the offer, whichever it has chosen: RTP is sent with the offered ones."
        => swap;
    "rtp.takes-padding-and-extension", "3550", "5.1",
    "Padding, CSRCs and header extensions are part of RTP: packets with them disturb nobody."
        => decorated;
    "rtp.takes-unknown-payload-types", "3550", "5.1",
    "\"A receiver MUST ignore packets with payload types that it does not understand.\""
        => unknown_types;
    "rtp.takes-reordering", "3550", "3",
    "Packets may be lost, come late or twice: the stream and the call go on."
        => disordered;
    "rtp.takes-garbage", "3550", "A.1",
    "What fails the validity checks of an RTP header is dropped and harms nobody."
        => garbage;
}

const AUDIO: usize = Which::Audio as usize;

/// A call with sound both ways for so long; the packets that came meanwhile are in the lab.
pub(super) async fn talked(lab: &mut Lab, time: Duration) -> Result<Call, Finding> {
    let call = lab.call().await?;
    lab.talk(&call)?;
    let first = lab.until(Duration::from_secs(3), |lab| !lab.lines[AUDIO].rtp.is_empty()).await;
    applies!(first, "the peer sends no sound");
    lab.listen(time).await;
    Ok(call)
}

/// A call in which odd packets were taken in: it must still be up, and sound still come.
pub(super) async fn goes_on(lab: &mut Lab, call: &mut Call) -> Result<(), Finding> {
    lab.listen(Duration::from_millis(300)).await;
    let moment = lab.now();
    let there = lab.until(Duration::from_secs(2), |lab| lab.lines[AUDIO].since(moment).count() > 2).await;
    ensure!(there, "the peer's sound stopped");
    lab.still_up(call).await
}

async fn sound_flows(lab: &mut Lab) -> Result<(), Finding> {
    let call = lab.call().await?;
    lab.talk(&call)?;
    let there = lab.until(Duration::from_secs(4), |lab| lab.lines[AUDIO].rtp.len() > 10).await;
    let came = lab.lines[AUDIO].rtp.len();
    ensure!(there, "{came} RTP packets came within 4 s");
    Ok(())
}

async fn payload_type(lab: &mut Lab) -> Result<(), Finding> {
    let call = talked(lab, Duration::from_millis(800)).await?;
    let offered = call.offer.sections.first().map(|s| s.formats.clone()).unwrap_or_default();
    let answered = call.answer.media.first().map(|s| s.formats.clone()).unwrap_or_default();
    for packet in &lab.lines[AUDIO].rtp {
        let number = packet.payload_type.to_string();
        let both = offered.contains(&number) && answered.contains(&number);
        ensure!(both, "RTP comes with payload type {number}; offered {offered:?}, answered {answered:?}");
    }
    Ok(())
}

/// The packets in the order of arrival, where loopback leaves no room for another one.
fn packets(lab: &Lab) -> &[Rtp] {
    &lab.lines[AUDIO].rtp
}

async fn sequence(lab: &mut Lab) -> Result<(), Finding> {
    talked(lab, Duration::from_millis(1500)).await?;
    let mut by_source: Vec<&Rtp> = packets(lab).iter().collect();
    by_source.sort_by_key(|p| p.ssrc);
    for pair in by_source.windows(2).filter(|w| w[0].ssrc == w[1].ssrc) {
        let step = pair[1].seq.wrapping_sub(pair[0].seq);
        ensure!(step == 1, "the sequence number goes from {} to {}", pair[0].seq, pair[1].seq);
    }
    Ok(())
}

async fn timestamps(lab: &mut Lab) -> Result<(), Finding> {
    let call = talked(lab, Duration::from_millis(2500)).await?;
    let (_, name, _) = call.format(Which::Audio).ok_or_else(|| Finding::Fail("no codec in common".into()))?;
    let offered = call.offer.sections.first();
    // The first moments are no steady state: a queue may run empty, a voice detector settle.
    let settled: Vec<&Rtp> = packets(lab).iter().skip(10).collect();
    let (Some(first), Some(last)) = (settled.first(), settled.last()) else {
        return Err(Finding::NotApplicable("too few packets came to tell".into()));
    };
    let rate = offered.and_then(|o| o.encoding(&last.payload_type.to_string())).map(|(_, rate)| rate);
    let Some(rate) = rate.filter(|_| first.payload_type == last.payload_type) else {
        return Err(Finding::NotApplicable(format!("the payload type changed, or is not {name}")));
    };
    let time = (last.at - first.at).as_secs_f64();
    let ticks = f64::from(last.timestamp.wrapping_sub(first.timestamp));
    let measured = ticks / time.max(0.001);
    let off = (measured / f64::from(rate) - 1.0).abs();
    ensure!(
        off < 0.1,
        "the timestamp runs at {measured:.0} Hz over {time:.2} s, the clock rate is {rate} Hz"
    );
    Ok(())
}

async fn one_ssrc(lab: &mut Lab) -> Result<(), Finding> {
    talked(lab, Duration::from_millis(1500)).await?;
    let sources: BTreeSet<u32> = packets(lab).iter().map(|p| p.ssrc).collect();
    ensure!(sources.len() == 1, "one stream of sound has {} SSRCs: {sources:x?}", sources.len());
    Ok(())
}

async fn ssrc_after_reinvite(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = talked(lab, Duration::from_millis(400)).await?;
    let offer = call.offer.clone();
    lab.change(&mut call, offer).await?;
    lab.listen(Duration::from_millis(800)).await;
    let sources: BTreeSet<u32> = packets(lab).iter().map(|p| p.ssrc).collect();
    ensure!(
        sources.len() == 1,
        "a re-INVITE that changes nothing made {} SSRCs of one: {sources:x?}",
        sources.len()
    );
    Ok(())
}

async fn symmetric(lab: &mut Lab) -> Result<(), Finding> {
    let call = talked(lab, Duration::from_millis(400)).await?;
    let named = call.remote(Which::Audio).map(|a| a.port()).unwrap_or_default();
    let other = packets(lab).iter().find(|p| p.from.port() != named);
    ensure!(
        other.is_none(),
        "the answer takes RTP on port {named}, RTP comes from {}",
        other.map_or(String::new(), |p| p.from.to_string())
    );
    Ok(())
}

async fn stops(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = talked(lab, Duration::from_millis(300)).await?;
    lab.hang_up(&mut call).await?;
    lab.silence();
    lab.listen(Duration::from_millis(300)).await;
    let moment = lab.now();
    lab.listen(Duration::from_millis(1000)).await;
    let after = lab.lines[AUDIO].since(moment).count();
    ensure!(after == 0, "{after} RTP packets came in a second, 0.3 s after the BYE was answered");
    Ok(())
}

async fn swap(lab: &mut Lab) -> Result<(), Finding> {
    let mut section = lab.sound_section();
    section.formats = vec!["119".into(), "120".into()];
    section.lines = vec!["a=rtpmap:119 PCMA/8000".into(), "a=rtpmap:120 PCMU/8000".into()];
    let call = lab.call_with(lab.offer(vec![section]), |_| {}).await?;
    lab.talk(&call)?;
    let there = lab.until(Duration::from_secs(3), |lab| lab.lines[AUDIO].rtp.len() > 5).await;
    applies!(there, "the peer sends no sound");
    let odd = packets(lab).iter().find(|p| !matches!(p.payload_type, 119 | 120));
    ensure!(
        odd.is_none(),
        "RTP comes with payload type {}; 119 and 120 were offered",
        odd.map_or(0, |p| p.payload_type)
    );
    Ok(())
}

/// A packet of our source.
fn packet(lab: &Lab, payload_type: u8, seq: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let header = RtpHeader { marker: false, payload_type, seq, timestamp, ssrc: lab.ssrc };
    header.with_payload(payload).write(&mut out);
    out
}

async fn decorated(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = talked(lab, Duration::from_millis(300)).await?;
    let (number, ..) = call.format(Which::Audio).ok_or_else(|| Finding::Fail("no codec in common".into()))?;
    let remote = call.remote(Which::Audio);
    lab.silence();
    for n in 0..10u16 {
        let mut octets = packet(lab, number, 40_000 + n, 1_000_000 + u32::from(n) * 160, &[]);
        // Padding, an extension and two CSRCs.
        octets[0] |= 0x20 | 0x10 | 2;
        octets.extend([0, 0, 0, 1, 0, 0, 0, 2]);
        octets.extend([0xbe, 0xde, 0, 1, 0x10, 0xaa, 0, 0]);
        octets.extend([0xff; 160]);
        octets.extend([0, 0, 0, 4]);
        lab.send_media(Which::Audio, remote, false, &octets).await?;
        lab.listen(Duration::from_millis(20)).await;
    }
    goes_on(lab, &mut call).await
}

async fn unknown_types(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = talked(lab, Duration::from_millis(300)).await?;
    let remote = call.remote(Which::Audio);
    for (n, number) in [77u8, 34, 127, 71].into_iter().enumerate() {
        let octets = packet(lab, number, 50_000 + n as u16, 2_000_000, &[0x55; 100]);
        lab.send_media(Which::Audio, remote, false, &octets).await?;
        lab.listen(Duration::from_millis(20)).await;
    }
    goes_on(lab, &mut call).await
}

async fn disordered(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = talked(lab, Duration::from_millis(300)).await?;
    let (number, ..) = call.format(Which::Audio).ok_or_else(|| Finding::Fail("no codec in common".into()))?;
    let remote = call.remote(Which::Audio);
    lab.silence();
    for seq in [65_530u16, 65_532, 65_531, 65_531, 2, 0, 65_000, 20_000, 3] {
        let octets = packet(lab, number, seq, u32::from(seq).wrapping_mul(160), &[0xff; 160]);
        lab.send_media(Which::Audio, remote, false, &octets).await?;
        lab.listen(Duration::from_millis(10)).await;
    }
    goes_on(lab, &mut call).await
}

async fn garbage(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = talked(lab, Duration::from_millis(300)).await?;
    let remote = call.remote(Which::Audio);
    let short = packet(lab, 0, 1, 1, &[]);
    let mut lying = packet(lab, 0, 2, 2, &[1, 2, 3]);
    // 15 CSRCs that are not there, and padding longer than the packet.
    lying[0] = 0x80 | 0x20 | 0x10 | 15;
    for octets in [
        &b""[..],
        b"\x80",
        &short[..11],
        &short,
        &lying,
        b"\x40\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00",
        &[0xff; 1400],
    ] {
        lab.send_media(Which::Audio, remote, false, octets).await?;
        lab.listen(Duration::from_millis(10)).await;
    }
    goes_on(lab, &mut call).await
}
