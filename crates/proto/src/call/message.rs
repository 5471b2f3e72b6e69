//! MESSAGE inside a call. RFC 3428.

use super::{Call, Phase, party};
use crate::agent::core::Core;
use crate::io::{Event, NotDone};
use crate::sip::transaction::{ClientKey, ServerKey};
use crate::sip::{HeaderName, MediaType, Method, Request};
use crate::time::Time;
use bytes::Bytes;

/// The largest MESSAGE request that may go out, octets (RFC 3428 section 8).
const MAX_MESSAGE: usize = 1_300;
/// What our start line and headers take of it at the most, octets.
const HEADERS: usize = 500;

impl Call {
    pub(super) fn send_message(
        &mut self,
        now: Time,
        core: &mut Core,
        content_type: &str,
        body: Bytes,
    ) -> Result<ClientKey, NotDone> {
        let refusal = if body.len() + HEADERS > MAX_MESSAGE {
            Some((513, "not sent: a MESSAGE may have 1300 octets with its headers"))
        } else if !is_media_type(content_type) {
            Some((415, "not sent: its content type is none"))
        } else if !matches!(self.phase, Phase::Up) {
            Some((481, "not sent: the call is not up"))
        } else {
            None
        };
        if let Some((status, reason)) = refusal {
            let method = Method::Message.as_str().to_owned();
            core.event(Event::Answered { call: self.handle, method, status, reason: reason.into() });
            return Err(NotDone::because(reason));
        }
        let request = self.dialog.as_mut().map(|dialog| {
            let mut request = dialog.request(Method::Message);
            request.set_body(content_type, body);
            request
        });
        let sent = request.and_then(|request| self.send(now, core, request));
        sent.ok_or_else(|| NotDone::because("not sent: too much is under way"))
    }

    pub(super) fn message_received(&mut self, now: Time, core: &mut Core, key: ServerKey, request: &Request) {
        if self.ske_received(now, core, key, request) {
            return;
        }
        core.event(Event::Message {
            call: Some(self.handle),
            from: party(request.headers.from()),
            content_type: request.headers.text(HeaderName::ContentType).unwrap_or_default(),
            body: request.body.clone(),
        });
        self.respond(now, core, key, request, 200);
    }
}

/// Whether a text can stand in a Content-Type header field: RFC 3261 section 25.1, `media-type`.
fn is_media_type(text: &str) -> bool {
    MediaType::parse(text.as_bytes()).is_ok() && !text.contains(char::is_control)
}
