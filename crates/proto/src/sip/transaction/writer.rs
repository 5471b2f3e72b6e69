//! Messages into octets.

use crate::sip::{Request, Response, Shape};
use bytes::Bytes;

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
