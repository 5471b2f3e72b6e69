//! Changes to a session: RFC 3264 section 8, RFC 3261 section 14.

use super::said;
use crate::case::{Finding, applies, ensure, table};
use crate::lab::{Call, Lab, SectionOffer, Which};
use std::time::Duration;
use visavis_proto::io::Direction;

table! {
    "reoffer.same", "3264", "8",
    "An offer whose version has not changed is a no-op, to which the answerer MUST generate a valid answer."
        => same;
    "reoffer.version", "3264", "8",
    "A description that differs from the last one has a version higher by one; with the same version it is identical."
        => version;
    "reoffer.stream-added", "3264", "8.1",
    "A stream may be added below the others: the answer has one more m= line, and the first one goes on."
        => added;
    "reoffer.stream-removed", "3264", "8.2",
    "A stream that is offered with port zero is removed: it has port zero in the answer too."
        => removed;
    "reoffer.hold", "3264", "8.4",
    "A stream that is put on hold as sendonly is answered recvonly or inactive, and the peer stops sending."
        => hold;
    "reoffer.hold-address", "3264", "8.4",
    "A connection address of 0.0.0.0 means that neither RTP nor RTCP should be sent."
        => hold_address;
    "reoffer.resume", "3264", "8.4",
    "A stream is taken from hold by a new offer as sendrecv: media flow again."
        => resume;
    "reoffer.port-change", "3264", "8.3.1",
    "After an offer that moves a stream to another port, media go to the new port."
        => moved;
    "reoffer.refused-keeps-call", "3261", "14.1",
    "Where a re-INVITE is refused, \"the session parameters MUST remain unchanged\": the call goes on."
        => refused;
    "reoffer.late", "3261", "14.2",
    "A re-INVITE without an offer gets a 2xx with one, in the session that there is."
        => late;
}

/// Waits for packets that came after `moment`.
async fn flows(lab: &mut Lab, moment: Duration, within: Duration) -> bool {
    lab.until(within, |lab| lab.lines[Which::Audio as usize].since(moment).count() > 2).await
}

/// A call with sound that is seen to flow. Where none does, the case does not apply: another one says so.
async fn flowing(lab: &mut Lab) -> Result<Call, Finding> {
    let call = lab.call().await?;
    lab.talk(&call)?;
    applies!(
        flows(lab, Duration::ZERO, Duration::from_secs(3)).await,
        "the peer sends no sound in a plain call"
    );
    Ok(call)
}

async fn same(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = lab.call().await?;
    let offer = call.offer.clone();
    let answer = lab.change(&mut call, offer).await?;
    ensure!(answer.media.len() == 1, "one m= line was offered, {} are in the answer", answer.media.len());
    ensure!(
        answer.media.first().is_some_and(|m| m.port != 0),
        "the answer rejects the sound that flowed before"
    );
    lab.still_up(&mut call).await
}

async fn version(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = lab.call().await?;
    let first = call.answer.clone();
    for step in ["a=sendonly", "a=sendrecv"] {
        let before = call.answer.clone();
        let offer = lab_offer(&call, step);
        let answer = lab.change(&mut call, offer).await?;
        let (Some(old), Some(new)) = (before.origin(), answer.origin()) else {
            return Err(Finding::Fail("an answer has no o= line".into()));
        };
        ensure!(
            old.session_id == new.session_id,
            "the session id went from {} to {}",
            old.session_id,
            new.session_id
        );
        let (old, new) = (number(&old.session_version)?, number(&new.session_version)?);
        if old == new {
            let same = before.to_bytes() == answer.to_bytes();
            ensure!(same, "the description changed and kept its version {new}");
        } else {
            ensure!(new == old + 1, "the version went from {old} to {new}");
        }
    }
    ensure!(first.origin().is_some(), "the first answer has no o= line");
    Ok(())
}

fn number(text: &str) -> Result<i128, Finding> {
    text.parse().map_err(|_| Finding::Fail(format!("the version in o= is {text}, no number")))
}

/// The next offer of a call, with this attribute in place of other directions.
fn lab_offer(call: &Call, direction: &str) -> crate::lab::Offer {
    let mut offer = call.offer.next();
    let ways = ["a=sendonly", "a=recvonly", "a=inactive", "a=sendrecv"];
    offer.sections.iter_mut().for_each(|s| s.lines.retain(|l| !ways.contains(&l.as_str())));
    offer.with(direction)
}

async fn added(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = lab.call().await?;
    let mut offer = call.offer.next();
    offer.sections.push(lab.picture_section());
    let answer = lab.change(&mut call, offer).await?;
    ensure!(answer.media.len() == 2, "2 m= lines were offered, {} are in the answer", answer.media.len());
    ensure!(
        answer.media.first().is_some_and(|m| m.port != 0),
        "the sound that flowed before is rejected now"
    );
    lab.still_up(&mut call).await
}

async fn removed(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = lab.video_call().await?;
    let mut offer = call.offer.next();
    if let Some(section) = offer.sections.get_mut(1) {
        *section = SectionOffer::new("video", 0, "RTP/AVP", &["97"], &["a=rtpmap:97 H264/90000"]);
    }
    let answer = lab.change(&mut call, offer).await?;
    ensure!(answer.media.len() == 2, "2 m= lines were offered, {} are in the answer", answer.media.len());
    let port = answer.media.get(1).map_or(0, |m| m.port);
    ensure!(port == 0, "the stream was removed with port zero and answered with port {port}");
    lab.still_up(&mut call).await
}

/// Whether the peer stops within half a second and stays silent.
async fn stops(lab: &mut Lab) -> Result<(), Finding> {
    lab.listen(Duration::from_millis(500)).await;
    let moment = lab.now();
    lab.listen(Duration::from_millis(800)).await;
    let packets = lab.lines[Which::Audio as usize].since(moment).count();
    ensure!(packets == 0, "{packets} RTP packets came in 0.8 s, half a second after the answer");
    Ok(())
}

async fn hold(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = flowing(lab).await?;
    let offer = lab_offer(&call, "a=sendonly");
    let answer = lab.change(&mut call, offer).await?;
    let media = answer.media.first().ok_or_else(|| Finding::Fail("no m= line".into()))?;
    let way = answer.section_direction(media);
    let silent = matches!(way, Direction::RecvOnly | Direction::Inactive);
    ensure!(silent, "a stream put on hold as sendonly is answered {}", way.as_str());
    stops(lab).await?;
    lab.still_up(&mut call).await
}

async fn hold_address(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = flowing(lab).await?;
    let mut offer = call.offer.next();
    offer.connection = Some("IN IP4 0.0.0.0".into());
    lab.change(&mut call, offer).await?;
    stops(lab).await?;
    lab.still_up(&mut call).await
}

async fn resume(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = flowing(lab).await?;
    let offer = lab_offer(&call, "a=sendonly");
    lab.change(&mut call, offer).await?;
    lab.listen(Duration::from_millis(300)).await;
    let offer = lab_offer(&call, "a=sendrecv");
    lab.change(&mut call, offer).await?;
    let moment = lab.now();
    ensure!(
        flows(lab, moment, Duration::from_secs(3)).await,
        "no RTP came within 3 s after the end of the hold"
    );
    Ok(())
}

async fn moved(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = flowing(lab).await?;
    // Some send to where packets come from, whatever was said.
    lab.silence();
    let mut offer = call.offer.next();
    let port = lab.lines[Which::Video as usize].port();
    offer.sections.iter_mut().for_each(|s| s.port = port);
    lab.change(&mut call, offer).await?;
    let moment = lab.now();
    let there = |lab: &Lab| lab.lines[Which::Video as usize].since(moment).count() > 2;
    ensure!(lab.until(Duration::from_secs(3), there).await, "no RTP came to the new port within 3 s");
    lab.listen(Duration::from_millis(300)).await;
    let moment = lab.now();
    lab.listen(Duration::from_millis(500)).await;
    let old = lab.lines[Which::Audio as usize].since(moment).count();
    ensure!(old == 0, "{old} RTP packets came to the old port in half a second");
    Ok(())
}

async fn refused(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = lab.call().await?;
    let mut offer = call.offer.next();
    if let Some(section) = offer.sections.first_mut() {
        section.formats = vec!["110".into()];
        section.lines = vec!["a=rtpmap:110 visavis-nonesuch/8000".into()];
    }
    let invite = call.reinvite(lab, &offer);
    let response = lab.transact(&invite).await?;
    if response.is_success() {
        let ack = call.ack(lab, &invite);
        lab.send(&ack).await?;
        let taken = crate::lab::description(&response)?.media.iter().any(|m| m.port != 0);
        ensure!(!taken, "a re-INVITE with nothing but an unknown codec got {}", said(&response));
    }
    lab.still_up(&mut call).await
}

async fn late(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = lab.call().await?;
    let bare = call.next(lab, "INVITE");
    let ok = lab.transact(&bare).await?;
    ensure!(ok.is_success(), "a re-INVITE without an offer got {}", said(&ok));
    super::glare::settle(lab, &call, &bare, &ok).await?;
    let theirs = crate::lab::description(&ok)?;
    let first = theirs.media.first().map(|m| m.media.as_str());
    ensure!(first == Some("audio"), "the session has sound first, the offer in the 200 {first:?}");
    lab.listen(Duration::from_millis(300)).await;
    lab.still_up(&mut call).await
}
