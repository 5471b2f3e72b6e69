//! What can be written into a header field, and what is wrong with one that was read.

use super::HeaderName;
use crate::sip::uri::{UriBuf, UriError};

/// Something that can be written as the value of a header field.
pub trait HeaderValue {
    /// Writes the value, without its name or line end.
    fn write_value(&self, out: &mut Vec<u8>);
}

/// What is wrong with one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at octet {at}")]
pub struct ValueError {
    /// What was wrong.
    pub what: &'static str,
    /// Where, counted from the start of the value.
    pub at: usize,
}

impl ValueError {
    pub(crate) fn new(what: &'static str, at: usize) -> Self {
        ValueError { what, at }
    }
}

impl From<UriError> for ValueError {
    fn from(e: UriError) -> Self {
        ValueError { what: e.what, at: e.at }
    }
}

/// Why a header field could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// There is no such field.
    #[error("no {0} header field")]
    Missing(HeaderName<'static>),
    /// There are several where only one may be.
    #[error("several {0} header fields")]
    Repeated(HeaderName<'static>),
    /// There is one that says nothing readable.
    #[error("bad {header} header field: {error}")]
    Bad {
        /// Which one.
        header: HeaderName<'static>,
        /// What is wrong with it.
        error: ValueError,
    },
}

impl HeaderError {
    /// The name of the field.
    pub fn header(&self) -> HeaderName<'static> {
        match *self {
            HeaderError::Missing(header)
            | HeaderError::Repeated(header)
            | HeaderError::Bad { header, .. } => header,
        }
    }
}

macro_rules! as_bytes {
    ($($type:ty),*) => {$(
        impl HeaderValue for $type {
            fn write_value(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(self.as_ref());
            }
        }
    )*};
}
as_bytes!(str, String, [u8], Vec<u8>, bytes::Bytes);

impl<const N: usize> HeaderValue for [u8; N] {
    fn write_value(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl HeaderValue for u32 {
    fn write_value(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.to_string().as_bytes());
    }
}

impl HeaderValue for usize {
    fn write_value(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.to_string().as_bytes());
    }
}

impl HeaderValue for UriBuf {
    fn write_value(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl<T: HeaderValue + ?Sized> HeaderValue for &T {
    fn write_value(&self, out: &mut Vec<u8>) {
        (**self).write_value(out);
    }
}
