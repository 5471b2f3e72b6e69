//! CANCEL and its races: RFC 3261 section 9.2.

use super::said;
use crate::case::{Finding, applies, ensure, table};
use crate::lab::{Call, Draft, Lab, Seen, description, to_tag};
use std::time::Duration;
use visavis_proto::sip::Response;

table! {
    "cancel.before-final", "3261", "9.2",
    "An INVITE that has no final response yet is answered with 487 on CANCEL, and the CANCEL itself with 200."
        => before_final;
    "cancel.same-to-tag", "3261", "9.2",
    "The To tags of the response to CANCEL and of the one to the cancelled INVITE SHOULD be the same."
        => same_tag;
    "cancel.after-final", "3261", "9.2",
    "A CANCEL after the final response \"has no effect\" on the session: the call stays up."
        => after_final;
    "cancel.unknown", "3261", "9.2",
    "A CANCEL that matches no transaction SHOULD get 481."
        => unknown;
    "cancel.retransmission", "3261", "17.2.2",
    "A retransmitted CANCEL gets the same response again."
        => retransmission;
}

/// How long a 200 and a CANCEL may cross.
const CROSSING: Duration = Duration::from_millis(150);

/// The CANCEL of a request.
fn cancel_of(invite: &Draft) -> Draft {
    invite.companion("CANCEL", invite.text("To").as_bytes())
}

/// A call that is cancelled at the first sign of the peer: the responses to CANCEL and to INVITE. The case does not
/// apply where the peer has accepted before.
async fn cancelled(lab: &mut Lab) -> Result<(Draft, Response, Response), Finding> {
    let invite = lab.invite(&lab.sound());
    lab.send(&invite).await?;
    let wanted = invite.clone();
    let first = lab.find(0, lab.patience, move |s| s.response_to(&wanted).map(|r| r.status)).await;
    let Some(status) = first else {
        return Err(Finding::Fail("no response to INVITE at all".into()));
    };
    // What comes after a 180 may be on its way already.
    lab.listen(Duration::from_millis(20)).await;
    applies!(
        status < 200 && lab.finals(&invite).is_empty(),
        "the peer accepts before a CANCEL can reach it; make it ring for a moment to try this"
    );
    let cancel = cancel_of(&invite);
    let sent = lab.now();
    let response = lab.transact(&cancel).await?;
    let wanted = invite.clone();
    let last =
        move |s: &Seen| s.response_to(&wanted).filter(|r| !r.is_provisional()).map(|r| (s.at, r.clone()));
    let Some((at, answer)) = lab.find(0, lab.patience, last).await else {
        return Err(Finding::Fail("the cancelled INVITE gets no final response".into()));
    };
    let late = at.saturating_sub(sent);
    ensure!(
        !answer.is_success() || late < CROSSING,
        "the INVITE got {} {:.2} s after it was cancelled",
        said(&answer),
        late.as_secs_f64()
    );
    applies!(!answer.is_success(), "the peer accepted while the CANCEL was on its way");
    Ok((invite, response, answer))
}

async fn before_final(lab: &mut Lab) -> Result<(), Finding> {
    let (_, response, answer) = cancelled(lab).await?;
    ensure!(response.status == 200, "the CANCEL got {}", said(&response));
    ensure!(answer.status == 487, "the cancelled INVITE got {}", said(&answer));
    Ok(())
}

async fn same_tag(lab: &mut Lab) -> Result<(), Finding> {
    let (_, response, answer) = cancelled(lab).await?;
    let (one, two) = (to_tag(&response), to_tag(&answer));
    ensure!(one == two, "the CANCEL is answered with the To tag {one:?}, the INVITE with {two:?}");
    Ok(())
}

async fn after_final(lab: &mut Lab) -> Result<(), Finding> {
    let offer = lab.sound();
    let call = lab.call_without_ack(offer, |_| {}).await?;
    let response = lab.transact(&cancel_of(&call.invite)).await?;
    // By RFC 3261 the transaction is gone with its 2xx, by RFC 6026 it is not yet.
    ensure!(matches!(response.status, 200 | 481), "a CANCEL that comes too late got {}", said(&response));
    let mut call = Call { answer: description(&call.ok)?, ..call };
    let ack = call.ack(lab, &call.invite);
    lab.send(&ack).await?;
    lab.listen(Duration::from_millis(300)).await;
    lab.still_up(&mut call).await
}

async fn unknown(lab: &mut Lab) -> Result<(), Finding> {
    let response = lab.transact(&cancel_of(&lab.request("INVITE"))).await?;
    ensure!(response.status == 481, "a CANCEL of nothing got {}", said(&response));
    Ok(())
}

async fn retransmission(lab: &mut Lab) -> Result<(), Finding> {
    let cancel = cancel_of(&lab.request("INVITE"));
    let first = lab.transact(&cancel).await?;
    let from = lab.seen.len();
    lab.send(&cancel).await?;
    let wanted = cancel.clone();
    let Some(again) = lab.find(from, lab.patience, move |s| s.response_on(&wanted).cloned()).await else {
        return Err(Finding::Fail("the retransmitted CANCEL gets no response".into()));
    };
    ensure!(
        again.status == first.status,
        "the CANCEL got {}, its retransmission {}",
        said(&first),
        said(&again)
    );
    Ok(())
}
