//! The serialiser.
//!
//! Content-Length is written from the body, whatever the header says (RFC 3261 section 20.14): in its place
//! where the header has one, else at the end. Everything else goes out as it stands.

use super::header::Headers;
use super::message::{Message, Request, Response};
use bytes::Bytes;

impl Message {
    /// Appends the message as it goes on the wire.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Request(m) => m.encode(out),
            Message::Response(m) => m.encode(out),
        }
    }

    /// The message as it goes on the wire.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::new();
        self.encode(&mut out);
        out.into()
    }
}

impl Request {
    /// Appends the request as it goes on the wire.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.method.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.uri.as_bytes());
        out.extend_from_slice(b" SIP/2.0\r\n");
        tail(&self.headers, &self.body, out);
    }

    /// The request as it goes on the wire.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::new();
        self.encode(&mut out);
        out.into()
    }
}

impl Response {
    /// Appends the response as it goes on the wire.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("SIP/2.0 {:03} ", self.status).as_bytes());
        out.extend_from_slice(&self.reason);
        out.extend_from_slice(b"\r\n");
        tail(&self.headers, &self.body, out);
    }

    /// The response as it goes on the wire.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::new();
        self.encode(&mut out);
        out.into()
    }
}

fn tail(headers: &Headers, body: &[u8], out: &mut Vec<u8>) {
    headers.encode(body.len(), out);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}
