//! Dialogs: RFC 3261 sections 11.2, 12, 14 and 15.

use super::said;
use crate::case::{Finding, ensure, table};
use crate::lab::{Lab, Seen, target_of};
use std::time::Duration;
use visavis_proto::sip::{HeaderName, Uri};

table! {
    "dialog.contact-in-2xx", "3261", "12.1.1",
    "A response that establishes a dialog MUST have a Contact with a SIP URI at which the user agent can be reached."
        => contact;
    "dialog.to-tag-unique", "3261", "19.3",
    "A tag MUST be globally unique: two calls never share one."
        => tag_unique;
    "dialog.record-route-copied", "3261", "12.1.1",
    "The UAS MUST copy all Record-Route values into the response, with their parameters and in their order."
        => record_route;
    "dialog.cseq-lower", "3261", "12.2.2",
    "A request in the dialog with a lower CSeq number is out of order and MUST be rejected with 500."
        => seq_lower;
    "dialog.cseq-gap", "3261", "12.2.2",
    "A CSeq number that is higher by more than one is no error: the request is to be processed."
        => seq_gap;
    "dialog.bye-unknown", "3261", "15.1.2",
    "A BYE that matches no dialog SHOULD get 481."
        => bye_unknown;
    "dialog.bye-wrong-from-tag", "3261", "15.1.2",
    "A dialog is matched by Call-ID and both tags: a BYE with another From tag gets 481 and ends nothing."
        => wrong_from_tag;
    "dialog.bye", "3261", "15.1.2",
    "To a BYE in a dialog the UAS MUST generate a 2xx response."
        => bye;
    "dialog.bye-twice", "3261", "15.1.2",
    "After a BYE the dialog is no more: another BYE SHOULD get 481."
        => bye_twice;
    "dialog.bye-retransmission", "3261", "17.2.2",
    "A retransmitted BYE gets the same response again, though its dialog is gone."
        => bye_retransmission;
    "dialog.options-in-dialog", "3261", "11.2",
    "An OPTIONS request within a dialog is answered as outside of it and has no impact on the dialog."
        => options_in_dialog;
    "dialog.unknown-method-in-dialog", "3261", "12.2.2",
    "A request that is refused leaves the dialog as it was."
        => unknown_method;
    "dialog.ack-lost", "3261", "13.3.1.4",
    "The 2xx is repeated until an ACK comes: a call whose first ACK is lost is confirmed by the next one."
        => ack_lost;
    "dialog.display-change", "3261", "12.2.1.1",
    "Requests are matched by tags alone: another display name and URI in From and To change nothing."
        => display_change;
}

async fn contact(lab: &mut Lab) -> Result<(), Finding> {
    let call = lab.call().await?;
    let count = call.ok.headers.contacts().count();
    ensure!(count == 1, "the 200 to INVITE has {count} Contact values");
    let uri = target_of(&call.ok).unwrap_or_default();
    let sip = Uri::parse(uri.as_bytes()).is_ok_and(|uri| uri.scheme().is_sip() && uri.host().is_some());
    ensure!(sip, "the Contact of the 200 is {uri:?}, no SIP URI with a host");
    Ok(())
}

async fn tag_unique(lab: &mut Lab) -> Result<(), Finding> {
    let mut first = lab.call().await?;
    lab.hang_up(&mut first).await?;
    let second = lab.call().await?;
    let (one, two) = (first.to_tag(), second.to_tag());
    ensure!(!one.is_empty() && !two.is_empty(), "a 200 has no To tag");
    ensure!(one != two, "two calls have the same To tag {one}");
    Ok(())
}

async fn record_route(lab: &mut Lab) -> Result<(), Finding> {
    let local = lab.local();
    let routes = [format!("<sip:one@{local};lr;x=1>;p=q"), format!("<sip:two@{local};lr>")];
    let value = routes.join(", ");
    let call = lab
        .call_with(lab.sound(), |invite| {
            invite.push("Record-Route", &value);
        })
        .await?;
    let copied: Vec<String> = call
        .ok
        .headers
        .values(HeaderName::RecordRoute)
        .map(|value| String::from_utf8_lossy(value).replace(' ', ""))
        .collect();
    ensure!(copied == routes, "Record-Route went out as {value} and came back as {copied:?}");
    Ok(())
}

async fn seq_lower(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = lab
        .call_with(lab.sound(), |invite| {
            invite.set("CSeq", "500 INVITE");
        })
        .await?;
    let offer = call.offer.next();
    let mut invite = call.reinvite(lab, &offer);
    invite.set("CSeq", "300 INVITE");
    let response = lab.transact(&invite).await?;
    ensure!(response.status == 500, "a re-INVITE with CSeq 300 after CSeq 500 got {}", said(&response));
    lab.still_up(&mut call).await
}

async fn seq_gap(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = lab.call().await?;
    call.seq += 4000;
    let response = lab.hang_up(&mut call).await?;
    ensure!(response.is_success(), "a BYE whose CSeq skips 4000 numbers got {}", said(&response));
    Ok(())
}

async fn bye_unknown(lab: &mut Lab) -> Result<(), Finding> {
    let mut bye = lab.request("BYE");
    let to = format!("{};tag={}", bye.text("To"), lab.token());
    bye.set("To", to);
    let response = lab.transact(&bye).await?;
    ensure!(response.status == 481, "a BYE without a dialog got {}", said(&response));
    Ok(())
}

async fn wrong_from_tag(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = lab.call().await?;
    let mut bye = call.next(lab, "BYE");
    let from = format!("<sip:check@{}>;tag={}", lab.local(), lab.token());
    bye.set("From", from);
    let response = lab.transact(&bye).await?;
    ensure!(response.status == 481, "a BYE with another From tag got {}", said(&response));
    lab.still_up(&mut call).await
}

async fn bye(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = lab.call().await?;
    let response = lab.hang_up(&mut call).await?;
    ensure!(response.is_success(), "the BYE got {}", said(&response));
    Ok(())
}

async fn bye_twice(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = lab.call().await?;
    lab.hang_up(&mut call).await?;
    let response = lab.hang_up(&mut call).await?;
    ensure!(response.status == 481, "the second BYE got {}", said(&response));
    Ok(())
}

async fn bye_retransmission(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = lab.call().await?;
    let bye = call.next(lab, "BYE");
    let first = lab.transact(&bye).await?;
    lab.ended(&call.call_id(), &call.to_tag());
    let from = lab.seen.len();
    lab.send(&bye).await?;
    let wanted = bye.clone();
    let found = move |seen: &Seen| seen.response_on(&wanted).cloned();
    let Some(again) = lab.find(from, lab.patience, found).await else {
        return Err(Finding::Fail("the retransmitted BYE gets no response".into()));
    };
    ensure!(
        first.status == again.status,
        "the BYE got {}, its retransmission {}",
        said(&first),
        said(&again)
    );
    Ok(())
}

async fn options_in_dialog(lab: &mut Lab) -> Result<(), Finding> {
    let plain = lab.request("OPTIONS");
    let outside = lab.transact(&plain).await?;
    let mut call = lab.call().await?;
    let options = call.next(lab, "OPTIONS");
    let response = lab.transact(&options).await?;
    // A peer with one line says outside of a call whether it is busy: 200 and 486 are both capabilities.
    let same = response.status == outside.status || response.is_success();
    ensure!(same, "OPTIONS gets {} outside of a dialog and {} within", said(&outside), said(&response));
    lab.still_up(&mut call).await
}

async fn unknown_method(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = lab.call().await?;
    let odd = call.next(lab, "FROBNICATE");
    let response = lab.transact(&odd).await?;
    ensure!(response.status >= 400, "an unknown method in the dialog got {}", said(&response));
    lab.still_up(&mut call).await
}

async fn ack_lost(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = lab.call_without_ack(lab.sound(), |_| {}).await?;
    let before = lab.finals(&call.invite).len();
    let invite = call.invite.clone();
    let repeated = lab.until(Duration::from_secs(2), move |lab| lab.finals(&invite).len() > before).await;
    ensure!(repeated, "the 200 was not repeated within 2 s");
    let ack = call.ack(lab, &call.invite);
    lab.send(&ack).await?;
    lab.listen(Duration::from_millis(300)).await;
    lab.still_up(&mut call).await?;
    let response = lab.hang_up(&mut call).await?;
    ensure!(response.is_success(), "the BYE got {}", said(&response));
    Ok(())
}

async fn display_change(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = lab.call().await?;
    let from = call.invite.text("From");
    let tag = from.split("tag=").nth(1).unwrap_or_default().to_owned();
    let mut bye = call.next(lab, "BYE");
    bye.set("From", format!("\"Somebody else\" <sip:other@{}>;tag={tag}", lab.local()));
    let to = format!("\"Whoever\" <sip:whoever@{}>;tag={}", lab.peer.address, call.to_tag());
    bye.set("To", to);
    let response = lab.transact(&bye).await?;
    if response.is_success() {
        lab.ended(&call.call_id(), &call.to_tag());
    }
    ensure!(
        response.is_success(),
        "a BYE with the right tags and another URI in From and To got {}",
        said(&response)
    );
    Ok(())
}
