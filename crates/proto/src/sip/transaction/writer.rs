//! Messages into octets.

use crate::sip::{HeaderName, Request, Response, Shape};
use bytes::Bytes;

/// The largest request that may go over UDP where the path is not known, octets (RFC 3261 section 18.1.1). A
/// softphone's that would be larger has compact header names (section 7.3.3).
const LARGEST: usize = 1_300;

/// Writes messages by way of one buffer, so that each costs one allocation of its own size: they are kept for
/// half a minute.
#[derive(Debug, Default)]
pub(super) struct Writer {
    buffer: Vec<u8>,
    pub(super) shape: Shape,
}

impl Writer {
    pub(super) fn request(&mut self, request: &Request) -> Bytes {
        self.buffer.clear();
        if self.shape == Shape::Softphone {
            request.encode(&mut self.buffer);
            if self.buffer.len() > LARGEST {
                self.buffer.clear();
                let mut request = request.clone();
                if !request.headers.contains(HeaderName::ContentLength) {
                    request.headers.push(HeaderName::ContentLength, request.body.len());
                }
                request.headers.abbreviate();
                request.encode(&mut self.buffer);
            }
        } else {
            let mut request = request.clone();
            self.shape.request(&mut request);
            request.encode(&mut self.buffer);
        }
        Bytes::copy_from_slice(&self.buffer)
    }

    pub(super) fn response(&mut self, response: &Response) -> Bytes {
        self.buffer.clear();
        if self.shape == Shape::Softphone {
            response.encode(&mut self.buffer);
        } else {
            let mut response = response.clone();
            self.shape.response(&mut response);
            response.encode(&mut self.buffer);
        }
        Bytes::copy_from_slice(&self.buffer)
    }
}
