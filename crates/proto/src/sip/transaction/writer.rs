//! Messages into octets.

use crate::sip::{Request, Response};
use bytes::Bytes;

/// Writes messages by way of one buffer, so that each costs one allocation of its own size: they are kept for
/// half a minute.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn request(&mut self, request: &Request) -> Bytes {
        self.0.clear();
        request.encode(&mut self.0);
        Bytes::copy_from_slice(&self.0)
    }

    pub(super) fn response(&mut self, response: &Response) -> Bytes {
        self.0.clear();
        response.encode(&mut self.0);
        Bytes::copy_from_slice(&self.0)
    }
}
