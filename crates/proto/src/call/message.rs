//! MESSAGE inside a call. RFC 3428.

use super::{Call, Phase, party};
use crate::agent::core::Core;
use crate::io::Event;
use crate::sip::transaction::ServerKey;
use crate::sip::{HeaderName, Method, Request};
use crate::time::Time;
use bytes::Bytes;

/// The largest MESSAGE request that may go out, octets (RFC 3428 section 8).
const MAX_MESSAGE: usize = 1_300;
/// What our start line and headers take of it at the most, octets.
const HEADERS: usize = 500;

impl Call {
    pub(super) fn send_message(&mut self, now: Time, core: &mut Core, content_type: &str, body: Bytes) {
        let refused = |status: u16, reason: &str| Event::Answered {
            call: self.handle,
            method: "MESSAGE".into(),
            status,
            reason: reason.into(),
        };
        if body.len() + HEADERS > MAX_MESSAGE {
            return core.event(refused(513, "not sent: a MESSAGE may have 1300 octets with its headers"));
        }
        if !matches!(self.phase, Phase::Up) {
            return core.event(refused(481, "not sent: the call is not up"));
        }
        let Some(dialog) = &mut self.dialog else { return };
        let mut request = dialog.request(Method::Message);
        request.set_body(content_type, body);
        self.send(now, core, request);
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
