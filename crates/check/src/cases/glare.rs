//! Both sides want something at once: RFC 3261 section 14.2, RFC 3311 section 5.2.

use super::said;
use crate::case::{Finding, applies, ensure, table};
use crate::lab::{Call, Draft, Lab, Offer, Seen, description};
use std::time::Duration;
use visavis_proto::sip::{HeaderName, Message, Method, Request, Response};

table! {
    "glare.reinvite-491", "3261", "14.2",
    "An INVITE that arrives while an INVITE of the UAS's own is in progress on the dialog MUST get 491."
        => both_invite;
    "glare.second-invite", "3261", "14.2",
    "A second INVITE before the final response to the first MUST get 500 with a Retry-After of 0 to 10 seconds."
        => second_invite;
    "glare.update-while-offering", "3311", "5.2",
    "An UPDATE with an offer that arrives while the UAS's own offer has no answer MUST get 491."
        => update_while_offering;
}

/// How long the peer has for an INVITE of its own.
const OWN_INVITE: Duration = Duration::from_millis(1500);

async fn both_invite(lab: &mut Lab) -> Result<(), Finding> {
    lab.leave_invites = true;
    let mut call = lab.call().await?;
    let own = |seen: &Seen| match &seen.message {
        Message::Request(request) if request.method == Method::Invite => Some(request.clone()),
        _ => None,
    };
    let found: Option<Request> = lab.find(0, OWN_INVITE, own).await;
    let Some(theirs) = found else {
        return Err(Finding::NotApplicable("the peer sent no re-INVITE of its own to cross".into()));
    };
    let offer = call.offer.next();
    let invite = call.reinvite(lab, &offer);
    let response = lab.transact(&invite).await?;
    let address = lab.peer.address;
    lab.answer(&theirs, address, 491, None).await;
    ensure!(response.status == 491, "an INVITE that crossed the peer's own got {}", said(&response));
    Ok(())
}

async fn second_invite(lab: &mut Lab) -> Result<(), Finding> {
    let invite = lab.invite(&lab.sound());
    lab.send(&invite).await?;
    let wanted = invite.clone();
    let rings = move |s: &Seen| s.response_to(&wanted).filter(|r| r.status > 100).cloned();
    let Some(ringing) = lab.find(0, lab.patience, rings).await else {
        return Err(Finding::Fail("no response to INVITE beyond 100".into()));
    };
    lab.listen(Duration::from_millis(20)).await;
    applies!(
        lab.finals(&invite).is_empty() && ringing.is_provisional(),
        "the peer accepts before a second INVITE can reach it; make it ring for a moment to try this"
    );
    let mut second = invite.clone();
    let branch = format!("z9hG4bK{}", lab.token());
    let to = ringing.headers.get(HeaderName::To).unwrap_or_default().to_vec();
    second.rebranch(&branch).set("CSeq", "2 INVITE").set("To", to);
    let response = lab.transact(&second).await?;
    ensure!(response.status == 500, "a second INVITE in the early dialog got {}", said(&response));
    let after: Option<u32> = response.headers.text("Retry-After").and_then(|t| t.trim().parse().ok());
    ensure!(after.is_some_and(|s| s <= 10), "Retry-After of the 500 is {after:?}, not 0 to 10 seconds");
    Ok(())
}

/// A call in which the peer has offered in the 200 to a re-INVITE without a body, and got no answer yet.
async fn offering(lab: &mut Lab) -> Result<(Call, Draft, Response), Finding> {
    let mut call = lab.call().await?;
    let bare = call.next(lab, "INVITE");
    let ok = lab.transact(&bare).await?;
    applies!(ok.is_success(), "the peer refuses a re-INVITE without an offer: {}", said(&ok));
    description(&ok)?;
    Ok((call, bare, ok))
}

/// Gives the peer's offer in its 200 an answer at last.
pub(super) async fn settle(lab: &mut Lab, call: &Call, bare: &Draft, ok: &Response) -> Result<(), Finding> {
    let mut ack = call.ack(lab, bare);
    if let Ok(theirs) = description(ok)
        && let Some(answer) = super::offer::plain_answer(lab, &theirs)
    {
        ack.body(
            "application/sdp",
            Offer { id: call.offer.id, version: call.offer.version + 1, ..answer }.text(),
        );
    }
    lab.send(&ack).await
}

async fn update_while_offering(lab: &mut Lab) -> Result<(), Finding> {
    applies!(lab.facts.allows("UPDATE"), "the peer does not allow UPDATE");
    let (mut call, bare, ok) = offering(lab).await?;
    let mut update = call.next(lab, "UPDATE");
    update.body("application/sdp", call.offer.next().text());
    let response = lab.transact(&update).await?;
    settle(lab, &call, &bare, &ok).await?;
    ensure!(response.status == 491, "an UPDATE that crossed the peer's offer got {}", said(&response));
    Ok(())
}
