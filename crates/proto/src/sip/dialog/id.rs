//! Dialog identifiers: RFC 3261 section 12.

use crate::sip::{Request, Response, lex};
use std::fmt;

/// What identifies a dialog at one of its ends (RFC 3261 section 12). One INVITE that was forked leads to
/// several dialogs, which differ in the remote tag.
///
/// A peer of RFC 2543 may send no tag; the empty one stands for that.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DialogId {
    /// The Call-ID.
    pub call_id: Box<[u8]>,
    /// The tag of this end.
    pub local_tag: Box<[u8]>,
    /// The tag of the other end.
    pub remote_tag: Box<[u8]>,
}

impl DialogId {
    /// The dialog that a request from the other end is in; `None` for one that is in none (no To tag).
    pub fn of_request(request: &Request) -> Option<DialogId> {
        let headers = &request.headers;
        let local_tag = headers.to().ok()?.tag()?;
        let remote_tag = headers.from().ok()?.tag().unwrap_or_default();
        Some(DialogId::new(headers.call_id().ok()?, local_tag, remote_tag))
    }

    /// The dialog that a response from the other end belongs to or creates; `None` for one that creates none:
    /// 100, or 101-199 without a To tag (RFC 3261 section 12.1).
    pub fn of_response(response: &Response) -> Option<DialogId> {
        let headers = &response.headers;
        let remote_tag = headers.to().ok()?.tag();
        if response.status == 100 || (response.is_provisional() && remote_tag.is_none()) {
            return None;
        }
        let local_tag = headers.from().ok()?.tag().unwrap_or_default();
        Some(DialogId::new(headers.call_id().ok()?, local_tag, remote_tag.unwrap_or_default()))
    }

    fn new(call_id: &[u8], local_tag: &[u8], remote_tag: &[u8]) -> DialogId {
        DialogId { call_id: call_id.into(), local_tag: local_tag.into(), remote_tag: remote_tag.into() }
    }
}

impl fmt::Debug for DialogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [call_id, local, remote] =
            [&self.call_id, &self.local_tag, &self.remote_tag].map(|b| lex::text(b));
        write!(f, "{call_id};local={local};remote={remote}")
    }
}
