//! Transactions and transport: RFC 3261 sections 8.2, 17 and 18, RFC 3581.

use super::said;
use crate::case::{Finding, applies, ensure, table};
use crate::lab::{Lab, Seen, to_tag};
use std::collections::BTreeSet;
use std::time::Duration;
use visavis_proto::sip::{HeaderName, Response};

table! {
    "transaction.invite-retransmission", "3261", "17.2.1",
    "A retransmitted INVITE is absorbed by its transaction: the responses are repeated, and no second call begins."
        => invite_retransmission;
    "transaction.2xx-retransmitted", "3261", "13.3.1.4",
    "A 2xx is passed to the transport again and again, \"with an interval that starts at T1 seconds and doubles\" up to T2."
        => success_retransmitted;
    "transaction.ack-stops-2xx", "3261", "13.3.1.4",
    "Response retransmissions \"cease when an ACK request for the response is received\"."
        => ack_stops_success;
    "transaction.non-invite-retransmission", "3261", "17.2.2",
    "In the Completed state a retransmitted request makes the server transaction send its final response again."
        => non_invite_retransmission;
    "transaction.non-2xx-retransmitted", "3261", "17.2.1",
    "Over UDP a final response of 300 to 699 to INVITE is sent again by timer G until its ACK comes."
        => refusal_retransmitted;
    "transaction.ack-stops-non-2xx", "3261", "17.2.1",
    "The ACK for a 300 to 699 moves the transaction to Confirmed: the response is not sent any more."
        => ack_stops_refusal;
    "transaction.merged-request", "3261", "8.2.2.2",
    "A request with the From tag, Call-ID and CSeq of an ongoing transaction, but on another branch, SHOULD get 482."
        => merged_request;
    "transaction.rfc2543-branch", "3261", "17.2.3",
    "A request whose branch lacks the magic cookie is matched by Request-URI, tags, Call-ID, CSeq and Via, and answered."
        => old_branch;
    "transaction.via-received", "3261", "18.2.1",
    "If the sent-by host is a name or differs from the source address, the server MUST add a received parameter."
        => via_received;
    "transaction.rport", "3581", "4",
    "An empty rport MUST be filled with the source port, received be added, and the response go to that port."
        => rport;
    "transaction.via-copied", "3261", "8.2.6.2",
    "The Via values in the response MUST equal those in the request and MUST keep their order."
        => via_copied;
    "transaction.response-fields", "3261", "8.2.6.2",
    "From, Call-ID and CSeq of the response MUST equal those of the request; To equals it but for an added tag."
        => response_fields;
    "transaction.to-tag-stable", "3261", "8.2.6.2",
    "The same To tag MUST be used for all responses to a request, final and provisional, 100 excepted."
        => tag_stable;
    "transaction.first-response", "3261", "17.2.1",
    "Unless it answers within 200 ms, the server MUST generate a 100 (Trying)."
        => first_response;
    "transaction.ack-gets-no-response", "3261", "17",
    "A response to ACK is a disallowed response: whatever an ACK belongs to, it gets none."
        => no_response_to_ack;
}

/// A call whose INVITE goes out twice.
async fn invite_retransmission(lab: &mut Lab) -> Result<(), Finding> {
    let call = lab.call_without_ack(lab.sound(), |_| {}).await?;
    let before = lab.finals(&call.invite).len();
    lab.send(&call.invite).await?;
    lab.listen(Duration::from_millis(400)).await;
    let ack = call.ack(lab, &call.invite);
    lab.send(&ack).await?;
    let finals = lab.finals(&call.invite);
    let tags: BTreeSet<String> = finals.iter().map(|(_, r)| to_tag(r)).collect();
    ensure!(tags.len() == 1, "the second INVITE began another call: To tags {tags:?}");
    let refused = finals.iter().skip(before).find(|(_, r)| !r.is_success());
    if let Some((_, response)) = refused {
        return Err(Finding::Fail(format!("the retransmission got {}", said(response))));
    }
    Ok(())
}

async fn success_retransmitted(lab: &mut Lab) -> Result<(), Finding> {
    let call = lab.call_without_ack(lab.sound(), |_| {}).await?;
    lab.listen(Duration::from_millis(3700)).await;
    let times: Vec<Duration> = lab.finals(&call.invite).iter().map(|(at, _)| *at).collect();
    ensure!(
        times.len() >= 3,
        "{} times 200 in 3.7 s without ACK, where 0, 0.5, 1.5 and 3.5 s are due",
        times.len()
    );
    let gaps: Vec<f64> = times.windows(2).map(|w| (w[1] - w[0]).as_secs_f64()).collect();
    ensure!(gaps.iter().all(|gap| *gap >= 0.3), "the 200 comes again after {gaps:.2?} s, where T1 is 0.5 s");
    Ok(())
}

async fn ack_stops_success(lab: &mut Lab) -> Result<(), Finding> {
    let call = lab.call().await?;
    lab.listen(Duration::from_millis(200)).await;
    let before = lab.finals(&call.invite).len();
    lab.listen(Duration::from_millis(2500)).await;
    let again = lab.finals(&call.invite).len() - before;
    ensure!(again == 0, "the 200 came {again} times more after its ACK");
    Ok(())
}

async fn non_invite_retransmission(lab: &mut Lab) -> Result<(), Finding> {
    let options = lab.request("OPTIONS");
    let first = lab.transact(&options).await?;
    let from = lab.seen.len();
    lab.send(&options).await?;
    let wanted = options.clone();
    let again = lab.find(from, lab.patience, move |s| s.response_on(&wanted).cloned()).await;
    let Some(again) = again else {
        return Err(Finding::Fail("the retransmitted request gets no response".into()));
    };
    ensure!(again.status == first.status, "first {}, then {}", said(&first), said(&again));
    let (one, two) = (to_tag(&first), to_tag(&again));
    ensure!(one == two, "another response, with the To tag {two:?} in place of {one:?}");
    Ok(())
}

/// An INVITE that any user agent must refuse, and its refusal.
async fn refused(lab: &mut Lab) -> Result<(crate::lab::Draft, Response), Finding> {
    let mut invite = lab.invite(&lab.sound());
    invite.push("Require", "visavis-nonesuch");
    let wanted = invite.clone();
    lab.send(&invite).await?;
    let found = move |seen: &Seen| seen.response_to(&wanted).filter(|r| !r.is_provisional()).cloned();
    match lab.find(0, lab.patience, found).await {
        Some(response) if response.is_success() => {
            Err(Finding::NotApplicable("the peer accepts even an INVITE that it should refuse".into()))
        }
        Some(response) => Ok((invite, response)),
        None => Err(Finding::Fail("no final response to the INVITE".into())),
    }
}

async fn refusal_retransmitted(lab: &mut Lab) -> Result<(), Finding> {
    let (invite, response) = refused(lab).await?;
    lab.listen(Duration::from_millis(1900)).await;
    let count = lab.finals(&invite).len();
    ensure!(
        count >= 2,
        "the {} came once in 1.9 s without ACK, where 0, 0.5 and 1.5 s are due",
        response.status
    );
    Ok(())
}

async fn ack_stops_refusal(lab: &mut Lab) -> Result<(), Finding> {
    let (invite, response) = refused(lab).await?;
    let to = response.headers.get(HeaderName::To).unwrap_or_default().to_vec();
    lab.send(&invite.companion("ACK", &to)).await?;
    lab.listen(Duration::from_millis(200)).await;
    let before = lab.finals(&invite).len();
    lab.listen(Duration::from_millis(1800)).await;
    let again = lab.finals(&invite).len() - before;
    ensure!(again == 0, "the {} came {again} times more after its ACK", response.status);
    Ok(())
}

async fn merged_request(lab: &mut Lab) -> Result<(), Finding> {
    let call = lab.call_without_ack(lab.sound(), |_| {}).await?;
    let mut second = call.invite.clone();
    let branch = format!("z9hG4bK{}", lab.token());
    second.rebranch(&branch);
    let from = lab.seen.len();
    lab.send(&second).await?;
    let wanted = second.clone();
    let found = move |seen: &Seen| seen.response_on(&wanted).filter(|r| !r.is_provisional()).cloned();
    let response = lab.find(from, lab.patience, found).await;
    let ack = call.ack(lab, &call.invite);
    lab.send(&ack).await?;
    let Some(response) = response else {
        return Err(Finding::Fail("no final response to the same request on another branch".into()));
    };
    if !response.is_success() {
        let to = response.headers.get(HeaderName::To).unwrap_or_default().to_vec();
        lab.send(&second.companion("ACK", &to)).await?;
    }
    ensure!(response.status == 482, "the same request on another branch got {}, not 482", said(&response));
    Ok(())
}

async fn old_branch(lab: &mut Lab) -> Result<(), Finding> {
    let mut options = lab.request("OPTIONS");
    let branch = lab.token();
    options.rebranch(&branch);
    let first = lab.transact(&options).await?;
    let from = lab.seen.len();
    lab.send(&options).await?;
    let wanted = options.clone();
    let again = lab.find(from, lab.patience, move |s| s.response_on(&wanted).cloned()).await;
    let Some(again) = again else {
        return Err(Finding::Fail("a retransmission without the magic cookie gets no response".into()));
    };
    let (one, two) = (to_tag(&first), to_tag(&again));
    ensure!(one == two, "the retransmission is taken for another request: To tag {two:?}, first {one:?}");
    Ok(())
}

async fn via_received(lab: &mut Lab) -> Result<(), Finding> {
    let mut options = lab.request("OPTIONS");
    let local = lab.local();
    options.set("Via", format!("SIP/2.0/UDP check.invalid:{};branch=z9hG4bK{}", local.port(), lab.token()));
    let response = lab.transact(&options).await?;
    let received = response.headers.via().ok().and_then(|via| via.received());
    ensure!(
        received == Some(local.ip()),
        "received is {}, the source address {}",
        received.map_or("missing".into(), |ip| ip.to_string()),
        local.ip()
    );
    Ok(())
}

async fn rport(lab: &mut Lab) -> Result<(), Finding> {
    let elsewhere = lab.another_socket().await?;
    let mut options = lab.request("OPTIONS");
    options.set("Via", format!("SIP/2.0/UDP {elsewhere};rport;branch=z9hG4bK{}", lab.token()));
    let from = lab.seen.len();
    lab.send(&options).await?;
    let wanted = options.clone();
    let found = move |seen: &Seen| seen.response_to(&wanted).map(|r| (seen.local, r.clone()));
    let Some((local, response)) = lab.find(from, lab.patience, found).await else {
        return Err(Finding::Fail("no response to a request that asks for rport".into()));
    };
    let ours = lab.local();
    ensure!(
        local == ours,
        "the response went to the port in sent-by, not to the port that the request came from"
    );
    let via = response.headers.via().ok();
    let rport = via.as_ref().and_then(|via| via.rport()).flatten();
    ensure!(rport == Some(ours.port()), "rport is {rport:?}, the source port {}", ours.port());
    let received = via.and_then(|via| via.received());
    ensure!(received == Some(ours.ip()), "rport is there without received ({received:?})");
    Ok(())
}

async fn via_copied(lab: &mut Lab) -> Result<(), Finding> {
    let mut options = lab.request("OPTIONS");
    options.push(
        "Via",
        "SIP/2.0/UDP first.invalid:5062;branch=z9hG4bKone;odd=\"a,b\", SIP/2.0/TCP second.invalid;branch=two",
    );
    options.push("Via", "SIP/2.0/UDP third.invalid;branch=z9hG4bKthree;hidden");
    let response = lab.transact(&options).await?;
    let below: Vec<String> = response
        .headers
        .values(HeaderName::Via)
        .skip(1)
        .map(|value| String::from_utf8_lossy(value).replace(' ', ""))
        .collect();
    let expected = [
        "SIP/2.0/UDPfirst.invalid:5062;branch=z9hG4bKone;odd=\"a,b\"",
        "SIP/2.0/TCPsecond.invalid;branch=two",
        "SIP/2.0/UDPthird.invalid;branch=z9hG4bKthree;hidden",
    ];
    ensure!(below == expected, "below the topmost Via the response has {below:?}");
    Ok(())
}

async fn response_fields(lab: &mut Lab) -> Result<(), Finding> {
    let mut options = lab.request("OPTIONS");
    let from = format!("\"A, \\\"B\\\"\" <sip:check@{}>;tag={};x=y", lab.local(), lab.token());
    options.set("From", &from);
    let response = lab.transact(&options).await?;
    for name in ["From", "Call-ID", "CSeq"] {
        let there = response.headers.text(name).unwrap_or_default();
        let here = options.text(name);
        ensure!(
            there.replace(' ', "") == here.replace(' ', ""),
            "{name} went out as {here} and came back as {there}"
        );
    }
    ensure!(!to_tag(&response).is_empty(), "the response has no tag in To");
    let (sent, back) = (lab.peer.uri.clone(), response.headers.text("To").unwrap_or_default());
    ensure!(back.contains(&sent), "To went out with {sent} and came back as {back}");
    Ok(())
}

async fn tag_stable(lab: &mut Lab) -> Result<(), Finding> {
    let call = lab.call().await?;
    let responses = lab.seen.iter().filter_map(|s| s.response_to(&call.invite)).filter(|r| r.status > 100);
    let tags: Vec<(u16, String)> = responses.map(|r| (r.status, to_tag(r))).collect();
    let last = call.to_tag();
    let other = tags.iter().find(|(_, tag)| !tag.is_empty() && *tag != last);
    applies!(tags.len() > 1, "there was but one response");
    ensure!(other.is_none(), "To tags differ: {tags:?}");
    let bare = tags.iter().find(|(_, tag)| tag.is_empty());
    ensure!(bare.is_none(), "a response has no To tag: {tags:?}");
    Ok(())
}

async fn first_response(lab: &mut Lab) -> Result<(), Finding> {
    let invite = lab.invite(&lab.sound());
    let sent = lab.now();
    lab.send(&invite).await?;
    let wanted = invite.clone();
    let first = lab.find(0, lab.patience, move |s| s.response_to(&wanted).map(|r| (s.at, r.status))).await;
    let Some((at, status)) = first else {
        return Err(Finding::Fail("no response to INVITE at all".into()));
    };
    let took = (at - sent).as_millis();
    // 200 ms, and as much again for a machine with other things to do.
    ensure!(took <= 400, "the first response, {status}, came after {took} ms");
    Ok(())
}

async fn no_response_to_ack(lab: &mut Lab) -> Result<(), Finding> {
    let mut ack = lab.request("ACK");
    let to = format!("{};tag={}", ack.text("To"), lab.token());
    ack.set("To", to);
    lab.send(&ack).await?;
    lab.listen(Duration::from_millis(700)).await;
    let answer = lab.seen.iter().find_map(|s| s.response_to(&ack)).map(said);
    ensure!(answer.is_none(), "an ACK got {}", answer.unwrap_or_default());
    super::still_there(lab).await
}
