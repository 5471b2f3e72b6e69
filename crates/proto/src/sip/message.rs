//! Requests and responses.

use super::header::{self, CSeq, HeaderName, Headers};
use super::method::Method;
use super::uri::UriBuf;
use bytes::Bytes;
use std::net::SocketAddr;

/// A SIP message (RFC 3261 section 7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The Request-URI.
    pub uri: UriBuf,
    /// The header fields.
    pub headers: Headers,
    /// The body, octet for octet.
    pub body: Bytes,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code, 100 to 699.
    pub status: u16,
    /// The reason phrase, octet for octet; may be empty.
    pub reason: Bytes,
    /// The header fields.
    pub headers: Headers,
    /// The body, octet for octet.
    pub body: Bytes,
}

impl Message {
    /// The header fields.
    pub fn headers(&self) -> &Headers {
        match self {
            Message::Request(m) => &m.headers,
            Message::Response(m) => &m.headers,
        }
    }

    /// The header fields, to be changed.
    pub fn headers_mut(&mut self) -> &mut Headers {
        match self {
            Message::Request(m) => &mut m.headers,
            Message::Response(m) => &mut m.headers,
        }
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        match self {
            Message::Request(m) => &m.body,
            Message::Response(m) => &m.body,
        }
    }
}

impl Request {
    /// A request without header fields and body.
    pub fn new(method: Method, uri: UriBuf) -> Self {
        Request { method, uri, headers: Headers::with_room(12, 512), body: Bytes::new() }
    }

    /// Puts a body of this media type in.
    pub fn set_body(&mut self, content_type: &str, body: impl Into<Bytes>) {
        self.headers.set(HeaderName::ContentType, content_type);
        self.body = body.into();
    }

    /// Notes in the topmost Via where the request came from, as a server must before all else (RFC 3261
    /// section 18.2.1, RFC 3581 section 4).
    pub fn stamp_source(&mut self, source: SocketAddr) {
        let stamped = self.headers.values(HeaderName::Via).next().and_then(|v| header::stamp(v, source));
        if let Some(value) = stamped {
            self.headers.replace_first(HeaderName::Via, value);
        }
    }

    /// The ACK that a client transaction sends for a final response of 300 to 699 to this INVITE: same
    /// Request-URI, Call-ID, From, topmost Via and Routes, the To of the response (RFC 3261 section
    /// 17.1.1.3).
    pub fn ack_for(&self, response: &Response) -> Request {
        self.follow_up(Method::Ack, &response.headers)
    }

    /// The CANCEL of this request: same Request-URI, Call-ID, To, From, topmost Via and Routes (RFC 3261
    /// section 9.1).
    pub fn cancel(&self) -> Request {
        self.follow_up(Method::Cancel, &self.headers)
    }

    fn follow_up(&self, method: Method, to: &Headers) -> Request {
        let mut request = Request::new(method.clone(), self.uri.clone());
        if let Some(via) = self.headers.values(HeaderName::Via).next() {
            request.headers.push(HeaderName::Via, via);
        }
        request.headers.push(HeaderName::MaxForwards, 70u32);
        request.headers.copy_from(&self.headers, HeaderName::Route);
        request.headers.copy_from(to, HeaderName::To);
        request.headers.copy_from(&self.headers, HeaderName::From);
        request.headers.copy_from(&self.headers, HeaderName::CallId);
        if let Ok(cseq) = self.headers.cseq() {
            request.headers.push(HeaderName::CSeq, CSeq { seq: cseq.seq, method });
        }
        request
    }
}

impl Response {
    /// A response without header fields and body, with the reason phrase of its status.
    pub fn new(status: u16) -> Self {
        let reason = Bytes::from_static(super::status::reason(status).as_bytes());
        Response { status, reason, headers: Headers::new(), body: Bytes::new() }
    }

    /// The response with this status to a request: Via, From, To, Call-ID and CSeq are copied, and in a 100
    /// the Timestamp too (RFC 3261 sections 8.2.6.1 and 8.2.6.2). The To tag is for the caller to add.
    pub fn to_request(request: &Request, status: u16) -> Self {
        let mut response = Response::new(status);
        response.headers = Headers::with_room(request.headers.len() + 8, request.headers.octets() + 256);
        use HeaderName as N;
        for name in [N::Via, N::To, N::From, N::CallId, N::CSeq] {
            response.headers.copy_from(&request.headers, name);
        }
        if status == 100 {
            response.headers.copy_from(&request.headers, N::Timestamp);
        }
        response
    }

    /// With this reason phrase instead; line ends in it become spaces.
    pub fn with_reason(mut self, reason: &str) -> Self {
        self.reason = reason.replace(['\r', '\n', '\0'], " ").into();
        self
    }

    /// Puts a body of this media type in.
    pub fn set_body(&mut self, content_type: &str, body: impl Into<Bytes>) {
        self.headers.set(HeaderName::ContentType, content_type);
        self.body = body.into();
    }

    /// Adds a tag to To where it has none yet (RFC 3261 section 8.2.6.2).
    pub fn set_to_tag(&mut self, tag: &str) {
        let Some(value) = self.headers.get(HeaderName::To) else { return };
        // A To that cannot be read goes back as it came.
        let Ok(to) = super::NameAddr::parse(value) else { return };
        if to.tag().is_none() {
            let value = [value, b";tag=", tag.as_bytes()].concat();
            self.headers.set(HeaderName::To, value);
        }
    }

    /// The reason phrase as text for a person.
    pub fn reason_text(&self) -> String {
        super::lex::text(&self.reason).into_owned()
    }

    /// Whether this is no final response: 100 to 199.
    pub fn is_provisional(&self) -> bool {
        self.status < 200
    }

    /// Whether this is a success: 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl From<Request> for Message {
    fn from(m: Request) -> Self {
        Message::Request(m)
    }
}

impl From<Response> for Message {
    fn from(m: Response) -> Self {
        Message::Response(m)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn invite() -> Request {
        let datagram = b"INVITE sip:bob@h SIP/2.0\r\nv: SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP b\r\n\
            Via: SIP/2.0/UDP c\r\nRoute: <sip:p;lr>\r\nMax-Forwards: 9\r\nFrom: <sip:al@h>;tag=1\r\n\
            t: sip:bob@h\r\nCall-ID: c\r\nCSeq: 3 INVITE\r\nTimestamp: 5.2\r\nX: y\r\n\r\nbody";
        match Message::parse(datagram, &Limits::default()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    fn names(headers: &Headers) -> Vec<String> {
        headers.iter().map(|(n, _)| n.to_string()).collect()
    }

    #[test]
    fn a_response_copies_what_rfc_3261_says_and_no_more() {
        let response = Response::to_request(&invite(), 180);
        assert_eq!(names(&response.headers), ["Via", "Via", "To", "From", "Call-ID", "CSeq"]);
        assert_eq!(response.headers.vias().count(), 3);
        assert_eq!((response.status, response.reason_text().as_str()), (180, "Ringing"));
        let trying = Response::to_request(&invite(), 100);
        assert_eq!(trying.headers.get(HeaderName::Timestamp), Some(&b"5.2"[..]));
    }

    #[test]
    fn a_to_tag_is_added_once() {
        let mut response = Response::to_request(&invite(), 200);
        response.set_to_tag("t1");
        response.set_to_tag("t2");
        assert_eq!(response.headers.get(HeaderName::To), Some(&b"sip:bob@h;tag=t1"[..]));
    }

    #[test]
    fn an_ack_has_the_topmost_via_and_the_to_of_the_response() {
        let request = invite();
        let mut response = Response::to_request(&request, 486);
        response.set_to_tag("t");
        let ack = request.ack_for(&response);
        let expected = ["Via", "Max-Forwards", "Route", "To", "From", "Call-ID", "CSeq"];
        assert_eq!(names(&ack.headers), expected);
        assert_eq!(ack.headers.get(HeaderName::Via), Some(&b"SIP/2.0/UDP a;branch=z9hG4bK1"[..]));
        assert_eq!(ack.headers.to().unwrap().tag(), Some(&b"t"[..]));
        assert_eq!(ack.headers.cseq(), Ok(CSeq { seq: 3, method: Method::Ack }));
        assert_eq!((ack.method, ack.uri), (Method::Ack, request.uri));
    }

    #[test]
    fn a_cancel_has_the_to_of_the_request() {
        let cancel = invite().cancel();
        assert_eq!(cancel.headers.to().unwrap().tag(), None);
        assert_eq!(cancel.headers.cseq(), Ok(CSeq { seq: 3, method: Method::Cancel }));
        assert!(cancel.body.is_empty());
    }

    #[test]
    fn the_source_is_noted_in_the_topmost_via_alone() {
        let mut request = invite();
        request.stamp_source(([192, 0, 2, 9], 5999).into());
        let received: Vec<_> = request.headers.vias().map(|v| v.unwrap().received()).collect();
        assert_eq!(received, [Some([192, 0, 2, 9].into()), None, None]);
    }
}
