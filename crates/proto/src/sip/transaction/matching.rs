//! Which transaction a message belongs to: RFC 3261 sections 17.1.3, 17.2.3 and 8.2.2.2.

use super::identity::{Identity, Secret};
use crate::sip::{CSeq, HeaderError, HeaderName, Host, MAGIC_COOKIE, Method, NameAddr, Request, Via};
use std::net::{IpAddr, SocketAddr};

/// The branch of a request of ours, as it stands on the wire.
pub(super) fn branch(number: u64) -> String {
    format!("{MAGIC_COOKIE}{number:016x}")
}

/// The number in a branch that [`branch`] made.
pub(super) fn branch_number(branch: &[u8]) -> Option<u64> {
    let digits = branch.strip_prefix(MAGIC_COOKIE.as_bytes())?;
    if digits.len() != 16 {
        return None;
    }
    digits.iter().try_fold(0u64, |number, &b| {
        let digit = match b {
            b'0'..=b'9' => b - b'0',
            b'a'..=b'f' => b - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(digit))
    })
}

/// Whether the sent-by of a response's Via is the one that we wrote (RFC 3261 section 18.1.2).
pub(super) fn is_sent_by(via: &Via<'_>, local: SocketAddr) -> bool {
    via.host.ip() == Some(local.ip()) && via.port.unwrap_or(5060) == local.port()
}

/// The fields of a request by which it is matched.
pub(super) struct Fields<'a> {
    request: &'a Request,
    pub(super) via: Via<'a>,
    from: NameAddr<'a>,
    to: NameAddr<'a>,
    call_id: &'a [u8],
    cseq: CSeq,
}

impl<'a> Fields<'a> {
    pub(super) fn read(request: &'a Request) -> Result<Self, HeaderError> {
        let headers = &request.headers;
        Ok(Fields {
            request,
            via: headers.via()?,
            from: headers.from()?,
            to: headers.to()?,
            call_id: headers.call_id()?,
            cseq: headers.cseq()?,
        })
    }

    pub(super) fn to_tag(&self) -> Option<&'a [u8]> {
        self.to.tag()
    }

    /// The identity of the server transaction of `method` that this request would match: its own method for
    /// most, INVITE for ACK, and for CANCEL that of the request to be cancelled (RFC 3261 sections 17.2.3 and
    /// 9.2). `to_tag` only counts where the branch has no magic cookie.
    pub(super) fn transaction(&self, secret: &Secret, method: &Method, to_tag: Option<&[u8]>) -> Identity {
        let method = method.as_str().as_bytes();
        let seq = self.cseq.seq.to_be_bytes();
        if self.via.has_magic_cookie() {
            let (octets, lower);
            let host = match self.via.host {
                Host::Ip(IpAddr::V4(ip)) => {
                    octets = ip.to_ipv6_mapped().octets();
                    &octets[..]
                }
                Host::Ip(IpAddr::V6(ip)) => {
                    octets = ip.octets();
                    &octets[..]
                }
                Host::Name(name) => {
                    lower = name.to_ascii_lowercase();
                    lower.as_bytes()
                }
            };
            let port = self.via.port.unwrap_or(0).to_be_bytes();
            let branch = self.via.branch().unwrap_or_default();
            return secret.identity([&b"branch"[..], branch, host, &port, method]);
        }
        // RFC 2543. The topmost Via is compared as it came, before anything is noted in it.
        let via = self.request.headers.values(HeaderName::Via).next().unwrap_or_default();
        let [to_tag, from_tag] = [to_tag, self.from.tag()].map(Option::unwrap_or_default);
        let uri = self.request.uri.as_bytes();
        secret.identity([&b"2543"[..], uri, to_tag, from_tag, self.call_id, &seq, method, via])
    }

    /// What a request shares with itself when it comes by another path; `None` for requests that cannot
    /// merge: those inside a dialog, and CANCEL, which follows its INVITE along each path (RFC 3261 section
    /// 8.2.2.2).
    pub(super) fn merge(&self, secret: &Secret) -> Option<Identity> {
        if self.to.tag().is_some() || self.request.method == Method::Cancel {
            return None;
        }
        let method = self.request.method.as_str().as_bytes();
        let from_tag = self.from.tag().unwrap_or_default();
        let seq = self.cseq.seq.to_be_bytes();
        Some(secret.identity([&b"merge"[..], from_tag, self.call_id, &seq, method]))
    }
}
