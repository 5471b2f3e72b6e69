//! Pictures: RFC 6184, and the ways to ask for a key frame: RFC 4585, RFC 5104, RFC 5168.

use crate::case::{Finding, applies, ensure, table};
use crate::lab::{Call, Lab, Rtp, Which};
use std::time::Duration;
use visavis_proto::rtp::rtcp::feedback::{write_fir, write_pli};
use visavis_proto::rtp::rtcp::report::write_receiver_report;
use visavis_proto::rtp::rtcp::sdes::write_cname;

table! {
    "video.flows", "6184", "8.2.2",
    "Where H.264 is agreed on, packets of H.264 are sent, with a payload type of the offer."
        => pictures_flow;
    "video.marker", "6184", "5.1",
    "The marker bit is set for the very last packet of an access unit, and for no other."
        => marker;
    "video.packetization-mode", "6184", "6",
    "Without packetization-mode in the answer, or with 0, every packet has a single NAL unit: no FU, no STAP."
        => mode;
    "video.timestamp-rate", "6184", "5.1",
    "The timestamps of H.264 MUST be those of a 90 kHz clock."
        => timestamps;
    "video.pli", "4585", "6.3.1",
    "A PLI says that pictures were lost: a decoder refresh follows, in H.264 an IDR picture, within a second here."
        => pli;
    "video.fir", "5104", "4.3.1",
    "On FIR the sender MUST send a decoder refresh point as soon as it can, in H.264 an IDR picture."
        => fir;
    "video.info-fast-update", "5168", "4",
    "An INFO with picture_fast_update asks for a full picture: it gets 200, and an IDR picture follows."
        => info;
}

const VIDEO: usize = Which::Video as usize;
/// How long an IDR picture may take that was asked for, with as much again for a slow encoder.
const REFRESH: Duration = Duration::from_millis(2000);

/// A call with pictures of the peer.
async fn seen(lab: &mut Lab, time: Duration) -> Result<Call, Finding> {
    applies!(lab.facts.pictures.is_some(), "the peer takes no H.264");
    let call = lab.video_call().await?;
    applies!(call.format(Which::Video).is_some(), "the peer takes no H.264");
    // Some send pictures only once sound flows.
    if call.format(Which::Audio).is_some() {
        lab.talk(&call)?;
    }
    let there = lab.until(Duration::from_secs(5), |lab| !lab.lines[VIDEO].rtp.is_empty()).await;
    applies!(there, "the peer sends no pictures");
    lab.listen(time).await;
    Ok(call)
}

async fn pictures_flow(lab: &mut Lab) -> Result<(), Finding> {
    applies!(lab.facts.pictures.is_some(), "the peer takes no H.264");
    let call = lab.video_call().await?;
    applies!(call.format(Which::Video).is_some(), "the peer takes no H.264");
    let sends = call.answer.media.get(1).is_some_and(|m| call.answer.section_direction(m).sends());
    applies!(sends, "the answer says that no pictures are sent");
    lab.talk(&call)?;
    let there = lab.until(Duration::from_secs(5), |lab| lab.lines[VIDEO].rtp.len() > 2).await;
    ensure!(there, "no pictures came within 5 s, though the answer is to send some");
    let odd = lab.lines[VIDEO].rtp.iter().find(|p| !matches!(p.payload_type, 97 | 98));
    ensure!(
        odd.is_none(),
        "pictures come with payload type {}; 97 and 98 were offered",
        odd.map_or(0, |p| p.payload_type)
    );
    Ok(())
}

async fn marker(lab: &mut Lab) -> Result<(), Finding> {
    seen(lab, Duration::from_millis(2000)).await?;
    let packets = &lab.lines[VIDEO].rtp;
    for pair in packets.windows(2) {
        let (one, two) = (&pair[0], &pair[1]);
        let last = one.timestamp != two.timestamp;
        let frame = one.frame.map_or(String::new(), |n| format!(" (frame {n})"));
        ensure!(!last || one.marker, "the last packet of timestamp {}{frame} has no marker", one.timestamp);
        ensure!(last || !one.marker, "a marker before the end of timestamp {}{frame}", one.timestamp);
    }
    Ok(())
}

async fn mode(lab: &mut Lab) -> Result<(), Finding> {
    applies!(lab.facts.pictures.is_some(), "the peer takes no H.264");
    let mut pictures = lab.picture_section();
    pictures.formats = vec!["98".into()];
    pictures.lines.retain(|line| !line.contains(":97 "));
    let call = lab.call_with(lab.offer(vec![lab.sound_section(), pictures]), |_| {}).await?;
    applies!(call.format(Which::Video).is_some(), "the peer takes no H.264 in single NAL units");
    let packetization = call.answer.media.get(1).and_then(|m| m.attributes("fmtp").next().map(str::to_owned));
    applies!(
        !packetization.is_some_and(|f| f.contains("packetization-mode=1")),
        "the answer has packetization-mode=1"
    );
    lab.talk(&call)?;
    let there = lab.until(Duration::from_secs(5), |lab| lab.lines[VIDEO].rtp.len() > 4).await;
    applies!(there, "the peer sends no pictures");
    lab.listen(Duration::from_millis(500)).await;
    let odd = lab.lines[VIDEO].rtp.iter().find(|p| p.payload.first().is_some_and(|b| b & 0x1f >= 24));
    ensure!(
        odd.is_none(),
        "in single NAL unit mode a packet has NAL type {}",
        odd.and_then(|p| p.payload.first()).map_or(0, |b| b & 0x1f)
    );
    Ok(())
}

async fn timestamps(lab: &mut Lab) -> Result<(), Finding> {
    seen(lab, Duration::from_millis(3500)).await?;
    let packets = &lab.lines[VIDEO].rtp;
    let (Some(first), Some(last)) = (packets.first(), packets.last()) else { return Ok(()) };
    let time = (last.at - first.at).as_secs_f64();
    applies!(time > 1.5, "too few pictures came to tell");
    let rate = f64::from(last.timestamp.wrapping_sub(first.timestamp)) / time;
    ensure!((rate / 90_000.0 - 1.0).abs() < 0.15, "the timestamps run at {rate:.0} Hz over {time:.2} s");
    Ok(())
}

/// Whether a packet has, or begins, a slice of an IDR picture: as it is, in a STAP-A, in an FU-A (RFC 6184 section
/// 5.2).
fn is_idr(packet: &Rtp) -> bool {
    let Some((&head, rest)) = packet.payload.split_first() else { return false };
    match head & 0x1f {
        5 => true,
        24 => {
            let mut units = rest;
            while let Some((length, unit)) = units.split_first_chunk::<2>() {
                if unit.first().is_some_and(|b| b & 0x1f == 5) {
                    return true;
                }
                units = unit.get(usize::from(u16::from_be_bytes(*length))..).unwrap_or_default();
            }
            false
        }
        28 => rest.first().is_some_and(|fu| fu & 0x80 != 0 && fu & 0x1f == 5),
        _ => false,
    }
}

/// Whether an IDR picture comes soon.
async fn refreshed(lab: &mut Lab) -> Result<(), Finding> {
    let moment = lab.now();
    let there = lab.until(REFRESH, |lab| lab.lines[VIDEO].since(moment).any(is_idr)).await;
    let came = lab.lines[VIDEO].since(moment).count();
    ensure!(there, "no IDR picture within {} s ({came} packets came)", REFRESH.as_secs());
    Ok(())
}

/// A call in which the peer sends no IDR pictures of its own accord just now, so that one that comes was asked for.
async fn quiet(lab: &mut Lab, feedback: Option<&str>) -> Result<Call, Finding> {
    let call = seen(lab, Duration::from_millis(1500)).await?;
    if let Some(feedback) = feedback {
        let agreed =
            call.answer.media.get(1).is_some_and(|m| m.attributes("rtcp-fb").any(|f| f.contains(feedback)));
        applies!(agreed, "the answer does not agree to {feedback}");
    }
    let moment = lab.now();
    lab.listen(REFRESH).await;
    let often = lab.lines[VIDEO].since(moment).any(is_idr);
    applies!(!often, "the peer sends IDR pictures so often that one more proves nothing");
    Ok(call)
}

/// A compound with feedback behind an empty report.
fn feedback(message: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut octets = Vec::new();
    write_receiver_report(&mut octets, OUR_VIDEO, &[]);
    write_cname(&mut octets, OUR_VIDEO, "visavis-check");
    message(&mut octets);
    octets
}

const OUR_VIDEO: u32 = 0x5eed_beef;

async fn by_rtcp(lab: &mut Lab, agreed: &str, message: impl Fn(&mut Vec<u8>, u32)) -> Result<(), Finding> {
    let call = quiet(lab, Some(agreed)).await?;
    let media = lab.lines[VIDEO].rtp.last().map(|p| p.ssrc).unwrap_or_default();
    let octets = feedback(|out| message(out, media));
    let remote = call.remote_rtcp(Which::Video);
    lab.send_media(Which::Video, remote, true, &octets).await?;
    refreshed(lab).await
}

async fn pli(lab: &mut Lab) -> Result<(), Finding> {
    by_rtcp(lab, "pli", |out, media| write_pli(out, OUR_VIDEO, media)).await
}

async fn fir(lab: &mut Lab) -> Result<(), Finding> {
    by_rtcp(lab, "fir", |out, media| write_fir(out, OUR_VIDEO, media, 1)).await
}

async fn info(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = quiet(lab, None).await?;
    let mut info = call.next(lab, "INFO");
    info.body(
        "application/media_control+xml",
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><media_control><vc_primitive><to_encoder><picture_fast_update>\
         </picture_fast_update></to_encoder></vc_primitive></media_control>",
    );
    let response = lab.transact(&info).await?;
    applies!(response.is_success(), "the INFO gets {}", super::said(&response));
    refreshed(lab).await
}
