//! Dialogs: RFC 3261 section 12, and what sections 13.3.1.4 and 14.1 ask of a user agent around them.
//!
//! A [`Dialog`] writes the requests that belong to it ([`Dialog::request`], [`Dialog::ack`]) and the responses
//! that create or keep it ([`Dialog::response`]), and says whether a request of the other end is in order
//! ([`Dialog::accept_sequence`]).

mod accepted;
mod build;
mod glare;
mod id;
mod target;

pub use accepted::{Accepted, Due};
pub use glare::retry_after_glare;
pub use id::DialogId;

use crate::sip::{HeaderError, HeaderName, Headers, Method, NameAddrBuf, Request, Response, UriBuf};

/// A dialog as one of its ends sees it.
#[derive(Clone, Debug)]
pub struct Dialog {
    id: DialogId,
    state: DialogState,
    /// Whether this end sent the INVITE, and with it made the Call-ID.
    is_caller: bool,
    /// From of what this end sends, tag included, octet for octet as in the first INVITE.
    local: Vec<u8>,
    /// To of what this end sends.
    remote: Vec<u8>,
    contact: NameAddrBuf,
    local_seq: Option<u32>,
    remote_seq: Option<u32>,
    remote_target: UriBuf,
    /// Route values in the order in which they are sent.
    route_set: Vec<Vec<u8>>,
    secure: bool,
}

/// How far a dialog has come (RFC 3261 section 12). When one is over, its owner drops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialogState {
    /// Created by a provisional response.
    Early,
    /// Created or confirmed by a 2xx.
    Confirmed,
}

/// Why a message creates no dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialogError {
    /// A header field that a dialog is made of is missing or cannot be read: the peer's fault, 400.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A response that creates none: 100, without a tag, or a failure.
    #[error("a {0} response creates no dialog")]
    Status(u16),
}

/// A request that is out of order: answer 500 (RFC 3261 section 12.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("CSeq {received} after {highest}")]
pub struct OutOfOrder {
    /// The sequence number of the request.
    pub received: u32,
    /// The highest one that came before.
    pub highest: u32,
}

impl Dialog {
    /// The callee's end (RFC 3261 section 12.1.1), early until [`Dialog::confirm`]. Make it when the INVITE
    /// comes, and answer by [`Dialog::response`].
    ///
    /// `local_tag` becomes the To tag of the responses, `contact` their Contact. `tls`: the INVITE came over TLS.
    ///
    /// # Errors
    /// The INVITE lacks a Contact, or one of the fields that every request has.
    pub fn callee(
        invite: &Request,
        local_tag: &str,
        contact: NameAddrBuf,
        tls: bool,
    ) -> Result<Dialog, DialogError> {
        let headers = &invite.headers;
        let from = headers.from()?;
        headers.to()?;
        let remote_target = target::contact(headers)?.ok_or(HeaderError::Missing(HeaderName::Contact))?;
        let mut local = headers.get(HeaderName::To).unwrap_or_default().to_vec();
        local.extend_from_slice(b";tag=");
        local.extend_from_slice(local_tag.as_bytes());
        Ok(Dialog {
            id: DialogId {
                call_id: headers.call_id()?.into(),
                local_tag: local_tag.as_bytes().into(),
                remote_tag: from.tag().unwrap_or_default().into(),
            },
            state: DialogState::Early,
            is_caller: false,
            local,
            remote: headers.get(HeaderName::From).unwrap_or_default().to_vec(),
            contact,
            local_seq: None,
            remote_seq: Some(headers.cseq()?.seq),
            remote_target,
            route_set: headers.values(HeaderName::RecordRoute).map(<[u8]>::to_vec).collect(),
            secure: tls && target::is_sips(&invite.uri),
        })
    }

    /// The caller's end (RFC 3261 section 12.1.2), created by a response to its INVITE: early by 101-199,
    /// confirmed by 2xx. `tls`: the INVITE was sent over TLS.
    ///
    /// A response without Contact, as many early ones are, leaves the INVITE's Request-URI as the remote target.
    ///
    /// # Errors
    /// The response creates no dialog, or lacks one of the fields that every response has.
    pub fn caller(invite: &Request, response: &Response, tls: bool) -> Result<Dialog, DialogError> {
        let headers = &response.headers;
        headers.to()?;
        headers.from()?;
        headers.call_id()?;
        let id = DialogId::of_response(response)
            .filter(|_| response.status < 300)
            .ok_or(DialogError::Status(response.status))?;
        let contact = invite.headers.contacts().next().transpose()?;
        Ok(Dialog {
            id,
            state: if response.is_success() { DialogState::Confirmed } else { DialogState::Early },
            is_caller: true,
            local: invite.headers.get(HeaderName::From).unwrap_or_default().to_vec(),
            remote: headers.get(HeaderName::To).unwrap_or_default().to_vec(),
            contact: match contact {
                Some(contact) => contact.to_owned(),
                None => return Err(HeaderError::Missing(HeaderName::Contact).into()),
            },
            local_seq: Some(invite.headers.cseq()?.seq),
            remote_seq: None,
            remote_target: target::contact(headers)?.unwrap_or_else(|| invite.uri.clone()),
            route_set: reversed_record_routes(headers),
            secure: tls && target::is_sips(&invite.uri),
        })
    }

    /// Confirms the caller's early dialog by the 2xx that belongs to it: the route set and the remote target
    /// are taken from there (RFC 3261 sections 13.2.2.4 and 12.2.1.2).
    pub fn confirm_by(&mut self, response: &Response) {
        if self.state == DialogState::Early {
            self.route_set = reversed_record_routes(&response.headers);
        }
        self.confirm();
        self.refresh_target(&response.headers);
    }

    /// Confirms the callee's dialog, when its 2xx is sent.
    pub fn confirm(&mut self) {
        self.state = DialogState::Confirmed;
    }

    /// The identifier.
    pub fn id(&self) -> &DialogId {
        &self.id
    }

    /// Early or confirmed.
    pub fn state(&self) -> DialogState {
        self.state
    }

    /// Whether this end sent the INVITE that created the dialog, and so made its Call-ID (see
    /// [`retry_after_glare`]).
    pub fn is_caller(&self) -> bool {
        self.is_caller
    }

    /// Where the other end wants to be reached: its latest Contact.
    pub fn remote_target(&self) -> &UriBuf {
        &self.remote_target
    }

    /// Whether the dialog came about over TLS by a SIPS URI, so that its Contacts must be SIPS URIs.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether a request of the other end is in order, and if so, takes note of its CSeq (RFC 3261 section
    /// 12.2.2). ACK and CANCEL carry the number of the request that they belong to and are always in order.
    ///
    /// # Errors
    /// A higher number came before.
    pub fn accept_sequence(&mut self, request: &Request) -> Result<(), OutOfOrder> {
        let Ok(cseq) = request.headers.cseq() else { return Ok(()) };
        if matches!(request.method, Method::Ack | Method::Cancel) {
            return Ok(());
        }
        match self.remote_seq {
            Some(highest) if cseq.seq < highest => Err(OutOfOrder { received: cseq.seq, highest }),
            _ => {
                self.remote_seq = Some(cseq.seq);
                Ok(())
            }
        }
    }

    /// Takes the other end's Contact as the remote target, if there is one: call it with the header of a target
    /// refresh request (INVITE, UPDATE) that is being accepted, or of the 2xx to one (RFC 3261 sections 12.2.2
    /// and 12.2.1.2). A Contact that cannot be read changes nothing.
    pub fn refresh_target(&mut self, headers: &Headers) {
        if let Ok(Some(uri)) = target::contact(headers) {
            self.remote_target = uri;
        }
    }

    /// Changes the Contact that this end sends from now on, after its address changed.
    pub fn set_contact(&mut self, contact: NameAddrBuf) {
        self.contact = contact;
    }
}

fn reversed_record_routes(headers: &Headers) -> Vec<Vec<u8>> {
    let mut routes: Vec<Vec<u8>> = headers.values(HeaderName::RecordRoute).map(<[u8]>::to_vec).collect();
    routes.reverse();
    routes
}

#[cfg(test)]
mod tests;
