//! Requests that come in: the checks of RFC 3261 section 8.2, and the way to the call that they belong to.

use super::core::{ACCEPT, ALLOW, Core};
use super::{Agent, CallHandle};
use crate::call::{Call, party};
use crate::io::Event;
use crate::probe::Asking;
use crate::sdp::SessionDescription;
use crate::sip::dialog::DialogId;
use crate::sip::transaction::{Endpoint, Incoming, ServerKey};
use crate::sip::{
    ACCEPT_ENCODING, HeaderName, Method, ParseError, Problem, Request, Response, UriBuf, is_optional,
};
use crate::time::Time;

impl Agent {
    /// A request that could not be read: answered where that is possible (RFC 3261 section 21.4.1).
    pub(super) fn malformed(&mut self, error: ParseError, source: Endpoint) {
        let dropped = &mut self.core.counters.dropped;
        match error.problem {
            Problem::TooLarge | Problem::TooManyHeaders | Problem::TooManyValues => dropped.sip_limit += 1,
            _ => dropped.sip_malformed += 1,
        }
        self.core.transactions.reject(error, source);
    }

    pub(super) fn request(&mut self, now: Time, request: Request, source: Endpoint) {
        match self.core.transactions.handle_request(now, request, source) {
            Incoming::New(key, request) => self.new_request(now, key, request, source),
            Incoming::Cancel { cancel, request, invite } => {
                let call = self.servers.get(&invite).copied();
                match call.and_then(|h| Some((h, self.calls.get_mut(&h)?))) {
                    Some((handle, call)) => {
                        call.cancelled(now, &mut self.core, cancel, &request);
                        self.settle(handle);
                    }
                    // The call is over, so its INVITE has its final response (RFC 3261 section 9.2).
                    None => self.core.refuse(now, cancel, &request, 200),
                }
            }
            Incoming::AckFor2xx(mut request) => match self.call_of(&request) {
                Some((handle, call)) => {
                    let (call, core) = call;
                    let limits = &core.config.limits;
                    core.counters.dropped.sip_coded += u64::from(request.decode_body(limits).is_err());
                    request.unpack_body(limits);
                    call.acknowledged(now, core, &request);
                    self.settle(handle);
                }
                None => self.core.counters.dropped.sip_stray += 1,
            },
            Incoming::Ack(_) | Incoming::Absorbed => {}
        }
    }

    fn call_of(&mut self, request: &Request) -> Option<(CallHandle, (&mut Call, &mut Core))> {
        let handle = *self.dialogs.get(&DialogId::of_request(request)?)?;
        Some((handle, (self.calls.get_mut(&handle)?, &mut self.core)))
    }

    fn new_request(&mut self, now: Time, key: ServerKey, mut request: Request, source: Endpoint) {
        if let Some(response) = self.objection(&mut request) {
            return self.core.respond(now, key, response);
        }
        if DialogId::of_request(&request).is_some() {
            return match self.call_of(&request) {
                Some((handle, (call, core))) => {
                    if request.method == Method::Invite {
                        call.signalled_from(now, source.remote);
                    }
                    call.request(now, core, key, &request);
                    self.settle(handle);
                }
                // RFC 3261 section 12.2.2: a To tag that names no dialog here.
                None => self.core.refuse(now, key, &request, 481),
            };
        }
        match request.method {
            Method::Invite => self.invited(now, key, request, source),
            Method::Options => {
                let mut response = self.core.response(&request, 200);
                describe(&mut response);
                self.core.respond(now, key, response);
            }
            Method::Message => {
                self.core.event(Event::Message {
                    call: None,
                    from: party(request.headers.from()),
                    content_type: request.headers.text(HeaderName::ContentType).unwrap_or_default(),
                    body: request.body.clone(),
                });
                self.core.refuse(now, key, &request, 200);
            }
            // BYE, INFO and the like without a dialog (RFC 3261 section 15.1.2).
            _ => self.core.refuse(now, key, &request, 481),
        }
    }

    /// The response to a request that cannot be taken, whatever it is about, in the order of RFC 3261 section
    /// 8.2: method, Request-URI, extensions, content.
    fn objection(&mut self, request: &mut Request) -> Option<Response> {
        match request.method {
            Method::Invite | Method::Bye | Method::Options | Method::Message | Method::Info => {}
            _ => {
                // 501 is for a method that nobody here has heard of (section 21.5.2).
                let status = if !matches!(request.method, Method::Other(_)) { 405 } else { 501 };
                let mut response = self.core.response(request, status);
                response.headers.push(HeaderName::Allow, ALLOW);
                return Some(response);
            }
        }
        if !request.uri.view().is_ok_and(|u| u.scheme().is_sip()) {
            return Some(self.core.response(request, 416));
        }
        let required: Vec<&[u8]> = request.headers.require().collect();
        if !required.is_empty() {
            let mut response = self.core.response(request, 420);
            response.headers.push(HeaderName::Unsupported, required.join(&b", "[..]));
            return Some(response);
        }
        self.objection_to_content(request)
    }

    /// RFC 3261 section 8.2.3. A coded body is decoded here.
    fn objection_to_content(&mut self, request: &mut Request) -> Option<Response> {
        if request.body.is_empty() {
            return None;
        }
        if let Err(error) = request.decode_body(&self.core.config.limits) {
            tracing::debug!(%error, "a body cannot be decoded");
            self.core.counters.dropped.sip_coded += 1;
            let mut response = self.core.response(request, error.status());
            if error.status() == 415 {
                response.headers.push(HeaderName::AcceptEncoding, ACCEPT_ENCODING);
            }
            return Some(response);
        }
        if request.method == Method::Invite {
            request.unpack_body(&self.core.config.limits);
        }
        let optional = is_optional(&request.headers);
        let readable = match request.method {
            Method::Invite => match request.headers.content_type() {
                Ok(Some(t)) => t.is("application", "sdp"),
                _ => false,
            },
            // MESSAGE hands any body on; INFO judges by itself; the others have no use for theirs.
            _ => true,
        };
        if readable || optional {
            return None;
        }
        let mut response = self.core.response(request, 415);
        response.headers.push(HeaderName::Accept, ACCEPT);
        Some(response)
    }

    fn invited(&mut self, now: Time, key: ServerKey, request: Request, source: Endpoint) {
        if self.core.config.trying_at_once {
            self.core.respond(now, key, Response::to_request(&request, 100));
        }
        if self.closing || self.calls.len() >= self.core.config.limits.calls {
            // RFC 3261 section 21.4.18 for a user agent that goes away, 21.5.4 for one that is overloaded.
            let status = if self.closing { 480 } else { 503 };
            let mut response = self.core.response(&request, status);
            response.headers.push(HeaderName::RetryAfter, 5u32);
            return self.core.respond(now, key, response);
        }
        let is_sdp = matches!(request.headers.content_type(), Ok(Some(t)) if t.is("application", "sdp"));
        let offer = if request.body.is_empty() || !is_sdp {
            None
        } else {
            match SessionDescription::parse(&request.body, &self.core.config.limits) {
                Ok(offer) => Some(offer),
                Err(error) => {
                    let response = self.core.response(&request, 400);
                    let response = response.with_reason(&format!("Bad Request: bad SDP, {error}"));
                    return self.core.respond(now, key, response);
                }
            }
        };
        let expected = match self.admit(now, source.remote) {
            Ok(expected) => expected,
            Err(status) => {
                self.core.counters.dropped.invite_unexpected += 1;
                return self.core.refuse(now, key, &request, status);
            }
        };
        self.core.counters.calls_in += 1;
        let handle = expected.map_or_else(|| self.new_call(), |(handle, _)| handle);
        let path = expected.map(|(_, path)| path);
        if let Some(call) = Call::offered(now, &mut self.core, handle, (key, request, offer), source, path) {
            self.calls.insert(handle, Box::new(call));
            self.settle(handle);
        }
    }
}

/// Puts in what this side can do: RFC 3261 sections 11.2 and 13.3.1.4.
pub(crate) fn describe(response: &mut Response) {
    response.headers.push(HeaderName::Allow, ALLOW);
    response.headers.push(HeaderName::Accept, ACCEPT);
    response.headers.push(HeaderName::AcceptEncoding, ACCEPT_ENCODING);
    response.headers.push(HeaderName::AcceptLanguage, "en");
    // No extension is supported: an empty list says so (section 20.37).
    response.headers.push(HeaderName::Supported, "");
}

/// OPTIONS outside of any call (RFC 3261 section 11.1).
pub(super) fn options_request(core: &mut Core, now: Time, target: UriBuf, way: &Endpoint) -> Request {
    let local = UriBuf::sip(Some(&core.config.user), way.local.ip(), Some(way.local.port()));
    let (tag, call_id) = (core.tag(), core.call_id(now, way.local.ip()));
    let asking = Asking { target, local, tag: &tag, call_id: &call_id, sequence: 1, accept: ACCEPT };
    asking.to_request()
}
