//! The outward form of messages: which header fields, in which order, spelled how.
//!
//! It is put on as the last step before a message is written, so that ACK, CANCEL and the transaction layer's own
//! responses have it too. What a message means stays as it was.

use super::{HeaderName, Headers, Method, Request, Response, coding, ids};
use crate::time::Time;
use rand_core::RngCore;
use std::net::IpAddr;

/// The form of the messages of an agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// That of a softphone: everything that it can do is listed.
    #[default]
    Softphone,
    /// That of FaceTime's engine in 2010: ten header fields in a fixed order.
    Facetime2010(FacetimeShape),
}

/// What may differ within the form of FaceTime 2010. All off is what was recorded in that year.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FacetimeShape {
    /// Ask by `rport` for responses to the source port (RFC 3581). Without it they come to the port in Via.
    pub rport: bool,
    /// Write compact header names (RFC 3261 section 7.3.3), as is known of 2013 and later.
    pub compact: bool,
    /// Send bodies deflated where that makes the message smaller, as is known of 2013 and later. A peer that cannot
    /// read them answers 415.
    pub deflate: bool,
}

impl Shape {
    /// Whether requests over UDP carry `rport`.
    pub fn asks_for_rport(self) -> bool {
        match self {
            Shape::Softphone => true,
            Shape::Facetime2010(shape) => shape.rport,
        }
    }

    /// Whether responses go to where their request came from, whatever its Via says: on a way that was punched
    /// through NATs there is no other.
    pub fn answers_to_source(self) -> bool {
        matches!(self, Shape::Facetime2010(_))
    }

    /// A new tag.
    pub fn tag(self, rng: &mut impl RngCore) -> String {
        match self {
            Shape::Softphone => ids::token(rng),
            Shape::Facetime2010(_) => ids::tag(rng),
        }
    }

    /// A new Call-ID.
    pub fn call_id(self, rng: &mut impl RngCore, now: Time, local: IpAddr) -> String {
        match self {
            Shape::Softphone => format!("{}@{local}", ids::token(rng)),
            Shape::Facetime2010(_) => ids::call_id(rng, now, local),
        }
    }

    /// Gives a request this form. Applied twice it changes nothing more.
    pub fn request(self, request: &mut Request) {
        let Shape::Facetime2010(shape) = self else { return };
        if shape.deflate {
            deflate(&mut request.headers, &mut request.body);
        }
        let method = request.method.clone();
        let goes = |name: HeaderName<'_>| match name {
            // RFC 3428 section 4 forbids it.
            HeaderName::Contact => method == Method::Message,
            _ => is_announcement(name) && method != Method::Options,
        };
        arrange(&mut request.headers, request.body.len(), &REQUEST, goes);
        if shape.compact {
            request.headers.abbreviate();
        }
    }

    /// Gives a response this form. Applied twice it changes nothing more.
    pub fn response(self, response: &mut Response) {
        let Shape::Facetime2010(shape) = self else { return };
        if shape.deflate {
            deflate(&mut response.headers, &mut response.body);
        }
        // The engine names itself in User-Agent in both directions.
        let headers = &mut response.headers;
        let server = headers.get(HeaderName::Server).map(<[u8]>::to_vec);
        headers.remove(HeaderName::Server);
        if let Some(server) = server.filter(|_| !headers.contains(HeaderName::UserAgent)) {
            headers.push(HeaderName::UserAgent, &server[..]);
        }
        // What RFC 3261 table 2 and sections 8.2.1, 8.2.3, 11.2 and 21.4.13 want stays: the refusals that must name
        // what would be taken, and the answer to OPTIONS, which is about nothing else.
        let refusal = matches!(response.status, 405 | 415);
        let options = headers.cseq().is_ok_and(|cseq| cseq.method == Method::Options);
        let goes = |name: HeaderName<'_>| is_announcement(name) && !refusal && !options;
        arrange(headers, response.body.len(), &RESPONSE, goes);
        if shape.compact {
            response.headers.abbreviate();
        }
    }
}

/// The order of a request's fields. Route belongs to no recorded call; it stands where proxies look for it first.
const REQUEST: [HeaderName<'static>; 12] = [
    HeaderName::Via,
    HeaderName::MaxForwards,
    HeaderName::Route,
    HeaderName::To,
    HeaderName::From,
    HeaderName::CallId,
    HeaderName::CSeq,
    HeaderName::Contact,
    HeaderName::UserAgent,
    HeaderName::ContentEncoding,
    HeaderName::ContentType,
    HeaderName::ContentLength,
];

/// The order of a response's fields.
const RESPONSE: [HeaderName<'static>; 11] = [
    HeaderName::Via,
    HeaderName::RecordRoute,
    HeaderName::To,
    HeaderName::From,
    HeaderName::CallId,
    HeaderName::CSeq,
    HeaderName::Contact,
    HeaderName::UserAgent,
    HeaderName::ContentEncoding,
    HeaderName::ContentType,
    HeaderName::ContentLength,
];

/// Whether a field does nothing but announce what its sender can do or take.
fn is_announcement(name: HeaderName<'_>) -> bool {
    matches!(
        name,
        HeaderName::Accept
            | HeaderName::AcceptEncoding
            | HeaderName::AcceptLanguage
            | HeaderName::Allow
            | HeaderName::AllowEvents
            | HeaderName::Supported
    )
}

/// Puts the fields of `order` first, adds a Content-Length where there is none, and takes out what `goes`. Other
/// fields follow as they came: those of a refusal, SKESeq.
fn arrange(
    headers: &mut Headers,
    content_length: usize,
    order: &[HeaderName<'static>],
    goes: impl Fn(HeaderName<'_>) -> bool,
) {
    let mut arranged = Headers::with_room(headers.len() + 1, headers.octets() + 32);
    for name in order.iter().copied().filter(|name| !goes(*name)) {
        match name {
            HeaderName::ContentLength => arranged.push(name, content_length),
            _ => arranged.copy_from(headers, name),
        }
    }
    for (name, value) in headers.iter().filter(|(name, _)| !order.contains(name) && !goes(*name)) {
        arranged.push(name, value);
    }
    *headers = arranged;
}

/// Deflates a body that is not coded yet, if the message becomes smaller by it.
fn deflate(headers: &mut Headers, body: &mut bytes::Bytes) {
    const FIELD: usize = "Content-Encoding: deflate\r\n".len();
    if body.is_empty() || headers.contains(HeaderName::ContentEncoding) {
        return;
    }
    let coded = coding::deflate(body);
    if coded.len() + FIELD < body.len() {
        headers.push(HeaderName::ContentEncoding, "deflate");
        *body = coded;
    }
}
