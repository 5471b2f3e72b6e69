//! Answers to offers, and offers where none came: RFC 3264 sections 5 and 6, RFC 8866.

use super::said;
use crate::case::{Finding, applies, ensure, table};
use crate::lab::{Call, Lab, Offer, SectionOffer, Which, description, usable};
use visavis_proto::io::Direction;
use visavis_proto::sdp::SessionDescription;

table! {
    "offer.m-line-count", "3264", "6",
    "The answer MUST contain exactly the same number of m= lines as the offer."
        => count;
    "offer.m-line-order", "3264", "6",
    "Streams are matched by their order: each m= line of the answer has the media type of its partner in the offer."
        => order;
    "offer.unknown-media", "3264", "6",
    "A stream that is rejected has port zero in the answer; one of an unknown media type can but be rejected."
        => unknown_media;
    "offer.unknown-transport", "3264", "6",
    "A stream over a transport that is not known is rejected: its port MUST be set to zero, and what stands beside it goes on."
        => unknown_transport;
    "offer.offered-port-0", "3264", "8.2",
    "\"A stream that is offered with a port of zero MUST be marked with port zero in the answer.\""
        => port_zero;
    "offer.common-format", "3264", "6.1",
    "The m= line of an accepted stream MUST contain at least one format from amongst those in the offer."
        => common_format;
    "offer.payload-number", "3264", "6.1",
    "A codec that had a payload type number in the offer SHOULD have the same one in the answer, numbers swapped or not."
        => payload_number;
    "offer.rtpmap-in-answer", "3264", "6.1",
    "The answer MUST contain rtpmap attributes for its dynamic payload types."
        => rtpmap;
    "offer.sendonly", "3264", "6.1",
    "A stream offered as sendonly MUST be recvonly or inactive in the answer."
        => sendonly;
    "offer.recvonly", "3264", "6.1",
    "A stream offered as recvonly MUST be sendonly or inactive in the answer."
        => recvonly;
    "offer.inactive", "3264", "6.1",
    "A stream offered as inactive MUST be inactive in the answer."
        => inactive;
    "offer.session-direction", "8866", "6.7",
    "A direction of the session holds for each of its streams that has none of its own."
        => session_direction;
    "offer.no-common-codec", "3264", "6.1",
    "Without a media format in common the stream MUST be rejected: port zero, or the INVITE refused with 488."
        => no_codec;
    "offer.time", "3264", "6",
    "The t= line in the answer MUST equal that of the offer."
        => time;
    "offer.valid-answer", "8866", "5",
    "A description has v=, o=, s= and t=, and a c= line for the session or for each of its streams."
        => valid_answer;
    "offer.unknown-attributes", "8866", "5.13",
    "An attribute that is not understood MUST be ignored."
        => unknown_attributes;
    "offer.bandwidth", "8866", "5.8",
    "SDP parsers \"MUST ignore bandwidth-fields with unknown <bwtype> names\", in the session and in its streams."
        => bandwidth;
    "offer.ptime", "3264", "6.1",
    "ptime is a wish and no condition: a stream with a ptime that nobody uses is accepted all the same."
        => ptime;
    "offer.late", "3261", "13.3.1.4",
    "Where the INVITE had no offer, its 2xx MUST contain one."
        => late;
    "offer.late-answer-in-ack", "3261", "13.2.1",
    "The answer to an offer in a 2xx MUST be taken from the ACK: media flow by it."
        => late_answer;
    "offer.hold-address", "3264", "8.4",
    "A connection address of 0.0.0.0 in an initial offer means that nothing is to be sent: the call comes about."
        => hold_address;
}

/// The answer to an offer, in a call that then ends by itself.
async fn answer(lab: &mut Lab, offer: Offer) -> Result<SessionDescription, Finding> {
    let call = lab.call_with(offer, |_| {}).await.map_err(refused)?;
    Ok(call.answer)
}

/// A refusal of what should be accepted is a fail here, not an error.
fn refused(finding: Finding) -> Finding {
    match finding {
        Finding::Error(why) => Finding::Fail(why),
        other => other,
    }
}

/// A whiteboard, which nobody has.
fn whiteboard(lab: &Lab) -> SectionOffer {
    let port = lab.lines[Which::Video as usize].port();
    SectionOffer::new("application", port, "udp", &["wb"], &["a=orient:portrait"])
}

async fn count(lab: &mut Lab) -> Result<(), Finding> {
    let sections = vec![lab.sound_section(), whiteboard(lab), lab.picture_section(), whiteboard(lab)];
    let answer = answer(lab, lab.offer(sections)).await?;
    ensure!(answer.media.len() == 4, "4 m= lines were offered, {} are in the answer", answer.media.len());
    Ok(())
}

async fn order(lab: &mut Lab) -> Result<(), Finding> {
    let sections = vec![lab.picture_section(), lab.sound_section()];
    let answer = answer(lab, lab.offer(sections)).await?;
    let kinds: Vec<&str> = answer.media.iter().map(|m| m.media.as_str()).collect();
    ensure!(kinds == ["video", "audio"], "video and audio were offered, the answer has {kinds:?}");
    Ok(())
}

/// The answer to sound and another section, of which the other one must be rejected.
async fn rejects(lab: &mut Lab, other: SectionOffer) -> Result<(), Finding> {
    let (media, transport) = (other.media.clone(), other.transport.clone());
    let sections = vec![lab.sound_section(), other];
    let answer = answer(lab, lab.offer(sections)).await?;
    let Some(second) = answer.media.get(1) else {
        return Err(Finding::Fail(format!(
            "two m= lines were offered, {} are in the answer",
            answer.media.len()
        )));
    };
    ensure!(second.port == 0, "m={media} over {transport} got port {}", second.port);
    ensure!(second.media == media, "m={media} was answered with m={}", second.media);
    ensure!(!second.formats.is_empty(), "the rejected m= line has no format, where one MUST be present");
    ensure!(answer.media.first().is_some_and(|m| m.port != 0), "the sound beside it is rejected too");
    Ok(())
}

async fn unknown_media(lab: &mut Lab) -> Result<(), Finding> {
    let port = lab.lines[Which::Video as usize].port();
    rejects(lab, SectionOffer::new("x-visavis", port, "udp", &["any"], &[])).await
}

async fn unknown_transport(lab: &mut Lab) -> Result<(), Finding> {
    let port = lab.lines[Which::Video as usize].port();
    rejects(lab, SectionOffer::new("audio", port, "RTP/XYZ", &["0"], &["a=rtpmap:0 PCMU/8000"])).await
}

async fn port_zero(lab: &mut Lab) -> Result<(), Finding> {
    let mut off = lab.picture_section();
    off.port = 0;
    rejects(lab, off).await
}

/// The sound of an answer, and what was offered for it.
async fn sound(lab: &mut Lab, offer: Offer) -> Result<Call, Finding> {
    let call = lab.call_with(offer, |_| {}).await.map_err(refused)?;
    ensure!(call.answer.media.first().is_some_and(|m| m.port != 0), "the answer rejects the sound");
    Ok(call)
}

async fn common_format(lab: &mut Lab) -> Result<(), Finding> {
    let call = sound(lab, lab.sound()).await?;
    let usable = call.offer.sections.iter().zip(&call.answer.media).find_map(|(o, a)| usable(o, a));
    let formats = call.answer.media.first().map(|m| m.formats.join(" ")).unwrap_or_default();
    ensure!(usable.is_some(), "none of the formats in the answer ({formats}) is a codec of the offer");
    Ok(())
}

async fn payload_number(lab: &mut Lab) -> Result<(), Finding> {
    // Two numbers that many a program takes for fixed ones, the wrong way round.
    let port = lab.sound_section().port;
    let lines = [
        "a=rtpmap:101 opus/48000/2",
        "a=rtpmap:96 telephone-event/8000",
        "a=rtpmap:115 PCMU/8000",
        "a=fmtp:96 0-16",
    ];
    let section = SectionOffer::new("audio", port, "RTP/AVP", &["115", "101", "96"], &lines);
    let call = sound(lab, lab.offer(vec![section])).await?;
    let media = call.answer.media.first().ok_or_else(|| Finding::Fail("no m= line".into()))?;
    for map in media.attributes("rtpmap") {
        let (number, name) = map.split_once(' ').unwrap_or((map, ""));
        let name = name.split('/').next().unwrap_or_default().to_ascii_lowercase();
        let expected = match name.as_str() {
            "opus" => "101",
            "telephone-event" => "96",
            "pcmu" => "115",
            _ => continue,
        };
        ensure!(number == expected, "{name} was offered as {expected} and answered as {number}");
    }
    Ok(())
}

async fn rtpmap(lab: &mut Lab) -> Result<(), Finding> {
    let port = lab.sound_section().port;
    let lines = ["a=rtpmap:115 PCMU/8000", "a=rtpmap:116 PCMA/8000", "a=rtpmap:117 opus/48000/2"];
    let section = SectionOffer::new("audio", port, "RTP/AVP", &["115", "116", "117"], &lines);
    let call = sound(lab, lab.offer(vec![section])).await?;
    let media = call.answer.media.first().ok_or_else(|| Finding::Fail("no m= line".into()))?;
    for format in media.formats.iter().filter(|f| f.parse().is_ok_and(|n: u8| n >= 96)) {
        let mapped = media.attributes("rtpmap").any(|m| m.split(' ').next() == Some(format));
        ensure!(mapped, "payload type {format} is in the answer without an rtpmap");
    }
    Ok(())
}

/// The direction of the sound in the answer to sound of this direction.
async fn direction(lab: &mut Lab, offer: Offer, allowed: &[Direction]) -> Result<(), Finding> {
    let call = lab.call_with(offer, |_| {}).await.map_err(refused)?;
    let Some(media) = call.answer.media.first().filter(|m| m.port != 0) else {
        return Err(Finding::Fail("the answer rejects the sound".into()));
    };
    let found = call.answer.section_direction(media);
    ensure!(allowed.contains(&found), "the answer is {}", found.as_str());
    Ok(())
}

async fn sendonly(lab: &mut Lab) -> Result<(), Finding> {
    direction(lab, lab.sound().with("a=sendonly"), &[Direction::RecvOnly, Direction::Inactive]).await
}

async fn recvonly(lab: &mut Lab) -> Result<(), Finding> {
    direction(lab, lab.sound().with("a=recvonly"), &[Direction::SendOnly, Direction::Inactive]).await
}

async fn inactive(lab: &mut Lab) -> Result<(), Finding> {
    direction(lab, lab.sound().with("a=inactive"), &[Direction::Inactive]).await
}

async fn session_direction(lab: &mut Lab) -> Result<(), Finding> {
    let mut offer = lab.sound();
    offer.lines.push("a=sendonly".into());
    direction(lab, offer, &[Direction::RecvOnly, Direction::Inactive]).await
}

async fn no_codec(lab: &mut Lab) -> Result<(), Finding> {
    let port = lab.sound_section().port;
    let lines = ["a=rtpmap:110 visavis-nonesuch/8000"];
    let section = SectionOffer::new("audio", port, "RTP/AVP", &["110"], &lines);
    let invite = lab.invite(&lab.offer(vec![section]));
    let response = lab.transact(&invite).await?;
    if !response.is_success() {
        ensure!(
            matches!(response.status, 488 | 606),
            "an offer without a known codec got {}",
            said(&response)
        );
        return Ok(());
    }
    let answer = description(&response)?;
    let taken = answer.media.iter().find(|m| m.port != 0);
    ensure!(
        taken.is_none(),
        "a stream of unknown codecs was accepted on port {}",
        taken.map_or(0, |m| m.port)
    );
    Ok(())
}

async fn time(lab: &mut Lab) -> Result<(), Finding> {
    let answer = answer(lab, lab.sound()).await?;
    ensure!(
        answer.time() == Some("0 0"),
        "t=0 0 was offered, t={} answered",
        answer.time().unwrap_or("nothing")
    );
    Ok(())
}

async fn valid_answer(lab: &mut Lab) -> Result<(), Finding> {
    let call = lab.call_with(lab.sound_and_pictures(), |_| {}).await.map_err(refused)?;
    let (answer, text) = (&call.answer, String::from_utf8_lossy(&call.ok.body));
    for start in ["v=0", "o=", "s=", "t="] {
        ensure!(text.lines().any(|l| l.starts_with(start)), "the answer has no line {start}");
    }
    let Some(origin) = answer.origin() else {
        return Err(Finding::Fail("the o= line of the answer cannot be read".into()));
    };
    // RFC 3264 section 5: both numbers fit into 64 bits with sign.
    for (name, number) in [("session id", &origin.session_id), ("version", &origin.session_version)] {
        ensure!(number.parse::<i64>().is_ok(), "the {name} in o= is {number}, no number of 63 bits");
    }
    for section in answer.media.iter().filter(|m| m.port != 0) {
        ensure!(!answer.section_connections(section).is_empty(), "m={} has no c= line", section.media);
    }
    Ok(())
}

async fn unknown_attributes(lab: &mut Lab) -> Result<(), Finding> {
    let mut offer = lab.sound().with("a=visavis-nonesuch:1 2 3").with("a=flagofnobody");
    offer.lines.push("a=group:VISAVIS 1 2".into());
    sound(lab, offer).await.map(|_| ())
}

async fn bandwidth(lab: &mut Lab) -> Result<(), Finding> {
    let mut offer = lab.sound();
    offer.lines.push("b=X-VISAVIS:77".into());
    if let Some(section) = offer.sections.first_mut() {
        let lines = ["b=AS:256", "b=X-NOBODY:1", "b=TIAS:256000"];
        section.lines.splice(0..0, lines.map(str::to_owned));
    }
    sound(lab, offer).await.map(|_| ())
}

async fn ptime(lab: &mut Lab) -> Result<(), Finding> {
    let offer = lab.sound().with("a=ptime:37").with("a=maxptime:400");
    sound(lab, offer).await.map(|_| ())
}

async fn late(lab: &mut Lab) -> Result<(), Finding> {
    let invite = lab.request("INVITE");
    let response = lab.transact(&invite).await?;
    applies!(lab.facts.refusal.is_none(), "the peer takes no calls");
    ensure!(response.is_success(), "an INVITE without an offer got {}", said(&response));
    let offer = description(&response)?;
    ensure!(!offer.media.is_empty(), "the offer in the 200 has no m= line");
    Ok(())
}

/// An answer to whatever the peer offers: PCMU or PCMA where it has them, and nothing else.
pub(super) fn plain_answer(lab: &Lab, offer: &SessionDescription) -> Option<Offer> {
    let mut taken = false;
    let mut sections = Vec::new();
    for theirs in &offer.media {
        let formats: Vec<&str> = theirs.formats.iter().map(String::as_str).collect();
        let known = formats.iter().copied().find(|f| ["0", "8"].contains(f));
        let first = formats.first().copied().unwrap_or("0");
        match known.filter(|_| theirs.media == "audio" && theirs.port != 0 && !taken) {
            Some(format) => {
                taken = true;
                let port = lab.lines[Which::Audio as usize].port();
                sections.push(SectionOffer::new("audio", port, &theirs.transport, &[format], &[]));
            }
            None => sections.push(SectionOffer::new(&theirs.media, 0, &theirs.transport, &[first], &[])),
        }
    }
    taken.then(|| lab.offer(sections))
}

async fn late_answer(lab: &mut Lab) -> Result<(), Finding> {
    let invite = lab.request("INVITE");
    let ok = lab.transact(&invite).await?;
    applies!(ok.is_success(), "an INVITE without an offer gets {}", said(&ok));
    let theirs = description(&ok)?;
    let Some(ours) = plain_answer(lab, &theirs) else {
        return Err(Finding::NotApplicable("the peer offers neither PCMU nor PCMA".into()));
    };
    let mut call = Call { seq: invite.seq(), invite, ok, offer: ours, answer: theirs };
    let mut ack = call.ack(lab, &call.invite);
    ack.body("application/sdp", call.offer.text());
    lab.send(&ack).await?;
    let wait = std::time::Duration::from_secs(2);
    let flows = lab.until(wait, |lab| !lab.lines[Which::Audio as usize].rtp.is_empty()).await;
    ensure!(flows, "no RTP came within 2 s after the ACK with our answer");
    lab.still_up(&mut call).await
}

async fn hold_address(lab: &mut Lab) -> Result<(), Finding> {
    let mut offer = lab.sound();
    offer.connection = Some("IN IP4 0.0.0.0".into());
    let mut call = lab.call_with(offer, |_| {}).await.map_err(refused)?;
    lab.listen(std::time::Duration::from_millis(500)).await;
    let came = lab.lines[Which::Audio as usize].rtp.len();
    ensure!(came == 0, "{came} RTP packets came though the address was 0.0.0.0");
    lab.still_up(&mut call).await
}
