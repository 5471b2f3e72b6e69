//! Header fields: the container, and one file for each kind of value.

mod access;
mod cseq;
mod fields;
mod media_type;
mod name;
mod name_addr;
mod value;
mod via;
mod warning;

pub use cseq::CSeq;
pub use fields::Headers;
pub use media_type::MediaType;
pub use name::HeaderName;
pub use name_addr::{NameAddr, NameAddrBuf};
pub use value::{HeaderError, HeaderValue, ValueError};
pub(in crate::sip) use via::stamp;
pub use via::{MAGIC_COOKIE, Via, ViaBuf};
pub use warning::Warning;
