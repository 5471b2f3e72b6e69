//! SIP (RFC 3261): messages, transactions and dialogs.
//!
//! [`Message::parse`] reads a datagram and [`Message::encode`] writes one. Both keep octets as they are: a
//! message that is read and written again differs in nothing but white space around values and in its
//! Content-Length, which is always true to the body.

pub mod dialog;
pub mod ids;
pub mod transaction;

mod coding;
mod encode;
mod error;
mod escape;
mod header;
mod host;
mod lex;
mod message;
mod method;
mod multipart;
mod params;
mod parse;
mod shape;
mod status;
mod stream;
mod uri;
mod uri_eq;

pub use coding::{ACCEPT_ENCODING, CodingError, deflate, inflate};
pub use error::{ParseError, Problem};
pub use escape::{escape_param, escape_user, unescape};
pub use header::{
    CSeq, HeaderError, HeaderName, HeaderValue, Headers, MAGIC_COOKIE, MediaType, NameAddr, NameAddrBuf,
    ValueError, Via, ViaBuf, Warning,
};
pub use host::Host;
pub use message::{Message, Request, Response};
pub use method::Method;
pub(crate) use multipart::is_optional;
pub use params::{Param, Params};
pub use parse::looks_like_sip;
pub use shape::{FacetimeShape, Shape};
pub use status::reason;
pub use stream::StreamFramer;
pub use uri::{Scheme, Uri, UriBuf, UriError};
