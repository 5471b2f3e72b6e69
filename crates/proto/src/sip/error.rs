//! Why a message could not be read, and what a server answers to it.

use super::header::HeaderError;
use super::message::{Message, Request, Response};
use super::method::Method;

/// A message that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (octet {at} of the datagram)")]
pub struct ParseError {
    /// What was wrong.
    pub problem: Problem,
    /// Where, in octets from the start of the datagram.
    pub at: usize,
    /// What could be read in spite of it: start line and header fields, and a body where its end was known.
    /// `None` where there is no readable start line.
    pub partial: Option<Box<Message>>,
}

/// What can be wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing but line ends: a keep-alive (RFC 5626 section 3.5.1) or an empty datagram.
    #[error("empty message")]
    Empty,
    /// The first line is neither a request line nor a status line of SIP.
    #[error("no SIP start line")]
    NotSip,
    /// The first line is meant as one but breaks its grammar.
    #[error("bad start line: {0}")]
    StartLine(&'static str),
    /// Another version than 2.0.
    #[error("SIP version not supported")]
    Version,
    /// A line in the header that is no field.
    #[error("bad header line: {0}")]
    HeaderLine(&'static str),
    /// The header does not end.
    #[error("no empty line behind the header")]
    NoEnd,
    /// A header field that every message must have is missing, repeated or not readable.
    #[error("{0}")]
    Header(#[from] HeaderError),
    /// CSeq names another method than the request line (RFC 3261 section 8.1.1.5).
    #[error("CSeq method differs from the request's")]
    MethodMismatch,
    /// Content-Length says more than the datagram holds (RFC 3261 section 18.3).
    #[error("body shorter than its Content-Length")]
    BodyTooShort,
    /// No Content-Length in a message from a stream (RFC 3261 section 18.3).
    #[error("no Content-Length on a stream")]
    NoContentLength,
    /// Longer than `Limits::sip_message`.
    #[error("message too large")]
    TooLarge,
    /// More fields than `Limits::sip_headers`.
    #[error("too many header fields")]
    TooManyHeaders,
    /// More values than `Limits::sip_list_values` in the lists of one name.
    #[error("too many values in one header")]
    TooManyValues,
}

impl ParseError {
    /// The status that a server answers with: 505 for another version, 513 for a message past a limit, 400
    /// for everything else (RFC 3261 sections 18.3, 21.4.1, 21.5.6, 21.5.7).
    pub fn status(&self) -> u16 {
        match self.problem {
            Problem::Version => 505,
            Problem::TooLarge | Problem::TooManyHeaders | Problem::TooManyValues => 513,
            _ => 400,
        }
    }

    /// The request, where it was one and its start line could be read.
    pub fn request(&self) -> Option<&Request> {
        match self.partial.as_deref() {
            Some(Message::Request(request)) => Some(request),
            _ => None,
        }
    }

    /// The response to send, with a reason phrase that says what was wrong (RFC 3261 section 21.4.1); the To
    /// tag is for the caller to add.
    ///
    /// `None` where none can or may be sent: for a response, for an ACK, without a Via to send it by, or
    /// without the fields that a response must copy.
    pub fn response(&self) -> Option<Response> {
        let request = self.request()?;
        let headers = &request.headers;
        let can_be_answered = headers.via().is_ok()
            && [
                super::HeaderName::From,
                super::HeaderName::To,
                super::HeaderName::CallId,
                super::HeaderName::CSeq,
            ]
            .into_iter()
            .all(|name| headers.contains(name));
        if !can_be_answered || request.method == Method::Ack {
            return None;
        }
        let response = Response::to_request(request, self.status());
        Some(if self.status() == 400 {
            response.with_reason(&format!("Bad Request: {}", self.problem))
        } else {
            response
        })
    }
}
