//! A call that is up.

use super::{Draft, Lab, Offer};
use crate::case::Finding;
use std::time::Duration;
use visavis_proto::limits::Limits;
use visavis_proto::sdp::SessionDescription;
use visavis_proto::sip::{HeaderName, Response};

/// A dialog that an INVITE and its 200 made (RFC 3261 section 12.1.2).
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) invite: Draft,
    pub(crate) ok: Response,
    /// What was offered; or, where the offer came from the peer, answered.
    pub(crate) offer: Offer,
    /// The description in the 200.
    pub(crate) answer: SessionDescription,
    /// The CSeq number of the last request.
    pub(crate) seq: u32,
}

impl Call {
    pub(crate) fn call_id(&self) -> String {
        self.invite.text("Call-ID")
    }

    /// The tag of the peer.
    pub(crate) fn to_tag(&self) -> String {
        to_tag(&self.ok)
    }

    /// To with the peer's tag.
    pub(crate) fn to(&self) -> Vec<u8> {
        self.ok.headers.get(HeaderName::To).unwrap_or_default().to_vec()
    }

    /// The ACK of a 2xx to this INVITE of the dialog.
    pub(crate) fn ack(&self, lab: &Lab, invite: &Draft) -> Draft {
        let mut ack = self.in_dialog(lab, "ACK");
        ack.set("CSeq", format!("{} ACK", invite.seq()));
        ack
    }

    /// The next request in the dialog.
    pub(crate) fn next(&mut self, lab: &Lab, method: &str) -> Draft {
        self.seq += 1;
        let mut draft = self.in_dialog(lab, method);
        draft.set("CSeq", format!("{} {method}", self.seq));
        draft
    }

    /// The next INVITE in the dialog, with this offer.
    pub(crate) fn reinvite(&mut self, lab: &Lab, offer: &Offer) -> Draft {
        let mut draft = self.next(lab, "INVITE");
        draft.body("application/sdp", offer.text());
        draft
    }

    fn in_dialog(&self, lab: &Lab, method: &str) -> Draft {
        let target = target_of(&self.ok).unwrap_or_else(|| lab.peer.uri.clone());
        let mut draft = lab.request(method);
        draft.start = format!("{method} {target} SIP/2.0");
        draft.set("From", self.invite.text("From")).set("To", self.to()).set("Call-ID", self.call_id());
        draft
    }
}

impl Lab {
    /// An INVITE with sound that is accepted, and its ACK.
    pub(crate) async fn call(&mut self) -> Result<Call, Finding> {
        let offer = self.sound();
        self.call_with(offer, |_| {}).await
    }

    /// An INVITE with sound and pictures that is accepted, and its ACK.
    pub(crate) async fn video_call(&mut self) -> Result<Call, Finding> {
        let offer = self.sound_and_pictures();
        self.call_with(offer, |_| {}).await
    }

    /// The same with this offer, and with an INVITE that `edit` has changed.
    pub(crate) async fn call_with(
        &mut self,
        offer: Offer,
        edit: impl Fn(&mut Draft),
    ) -> Result<Call, Finding> {
        let call = self.call_without_ack(offer, edit).await?;
        let ack = call.ack(self, &call.invite);
        self.send(&ack).await?;
        Ok(call)
    }

    /// The same without the ACK.
    pub(crate) async fn call_without_ack(
        &mut self,
        offer: Offer,
        edit: impl Fn(&mut Draft),
    ) -> Result<Call, Finding> {
        let mut tries = 0;
        loop {
            let mut invite = self.invite(&offer);
            edit(&mut invite);
            let ok = self.transact(&invite).await?;
            // The call before may not quite be over at a peer with one line.
            if matches!(ok.status, 480 | 486 | 503 | 600) && tries < 6 {
                tries += 1;
                self.listen(Duration::from_millis(700)).await;
                continue;
            }
            if !ok.is_success() {
                return Err(Finding::Error(format!(
                    "no call came about: the peer answers {} {}",
                    ok.status,
                    ok.reason_text()
                )));
            }
            let answer = description(&ok)?;
            return Ok(Call { seq: invite.seq(), invite, ok, offer, answer });
        }
    }

    /// A new INVITE in the dialog that is accepted, and its ACK; gives the answer.
    pub(crate) async fn change(
        &mut self,
        call: &mut Call,
        offer: Offer,
    ) -> Result<SessionDescription, Finding> {
        let invite = call.reinvite(self, &offer);
        let ok = self.transact(&invite).await?;
        if !ok.is_success() {
            return Err(Finding::Fail(format!("the re-INVITE got {} {}", ok.status, ok.reason_text())));
        }
        let ack = call.ack(self, &invite);
        self.send(&ack).await?;
        let answer = description(&ok)?;
        call.offer = offer;
        call.answer = answer.clone();
        Ok(answer)
    }

    /// BYE, and the final response to it.
    pub(crate) async fn hang_up(&mut self, call: &mut Call) -> Result<Response, Finding> {
        let bye = call.next(self, "BYE");
        let response = self.transact(&bye).await?;
        self.ended(&call.call_id(), &call.to_tag());
        Ok(response)
    }

    /// Asks in the dialog whether it is still there, by an OPTIONS request, and fails the case where it is not.
    pub(crate) async fn still_up(&mut self, call: &mut Call) -> Result<(), Finding> {
        let (call_id, tag) = (call.call_id(), call.to_tag());
        if self.is_over(&call_id, &tag) {
            return Err(Finding::Fail("the peer ended the call with BYE".into()));
        }
        let options = call.next(self, "OPTIONS");
        let response = self.transact(&options).await?;
        if response.status == 481 {
            return Err(Finding::Fail("the call is gone: OPTIONS in the dialog gets 481".into()));
        }
        Ok(())
    }
}

/// The tag in To of a response, or nothing.
pub(crate) fn to_tag(response: &Response) -> String {
    let to = response.headers.to().ok();
    let tag = to.and_then(|to| to.tag().map(|tag| String::from_utf8_lossy(tag).into_owned()));
    tag.unwrap_or_default()
}

/// The URI in Contact.
pub(crate) fn target_of(response: &Response) -> Option<String> {
    let contact = response.headers.contacts().next()?.ok()?;
    Some(String::from_utf8_lossy(contact.uri.as_bytes()).into_owned())
}

/// The session description of a 2xx; where it has none, or none that can be read, the case has failed.
pub(crate) fn description(response: &Response) -> Result<SessionDescription, Finding> {
    if response.body.is_empty() {
        return Err(Finding::Fail(format!("the {} has no session description", response.status)));
    }
    SessionDescription::parse(&response.body, &Limits::default())
        .map_err(|e| Finding::Fail(format!("the description in the {} is broken: {e}", response.status)))
}
