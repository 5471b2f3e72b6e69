//! URIs: SIP, SIPS, tel and whatever else stands where a URI belongs (RFC 3261 section 19.1, RFC 3966).

use super::escape::{escape_param, escape_user, unescape};
use super::host::Host;
use super::lex::{self, Class};
use super::params::Params;
use std::fmt;
use std::net::SocketAddr;

/// A URI, borrowed from the message that holds it.
///
/// SIP and SIPS URIs are taken apart; of any other scheme only the text is kept, so that a server can answer
/// 416 to it.
#[derive(Clone, Copy, Debug)]
pub struct Uri<'a> {
    raw: &'a [u8],
    scheme: Scheme<'a>,
    user: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
    host: Option<Host<'a>>,
    port: Option<u16>,
    params: Params<'a>,
    headers: Option<&'a [u8]>,
}

/// The scheme of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme<'a> {
    /// `sip`, RFC 3261 section 19.1.
    Sip,
    /// `sips`, RFC 3261 section 19.1.
    Sips,
    /// `tel`, RFC 3966.
    Tel,
    /// Any other, as on the wire.
    Other(&'a str),
}

/// What is wrong where an octet stands that no URI holds.
const FOREIGN: &str = "white space, quote or bracket";

/// Where the parts of a SIP URI meet, counted from behind the scheme.
#[derive(Default)]
struct Marks {
    at: Option<usize>,
    /// The first colon before `at`.
    user_colon: Option<usize>,
    /// The first semicolon behind `at` and before `question`.
    semicolon: Option<usize>,
    /// The first question mark behind `at`.
    question: Option<usize>,
}

impl Marks {
    /// One pass over the text; the error is the place of an octet that no URI holds. Octets beyond ASCII
    /// pass, so that what peers send unescaped survives.
    #[inline]
    fn find(text: &[u8]) -> Result<Marks, usize> {
        static ORDINARY: Class = Class::visible_but(b"<>\":@;?");
        let mut marks = Marks::default();
        let mut colon = None;
        for (i, &b) in text.iter().enumerate() {
            if ORDINARY.has(b) {
                continue;
            }
            match b {
                // A user part may hold `;` and `?` (section 25.1): what was met before counts no more.
                b'@' if marks.at.is_none() => {
                    marks = Marks { at: Some(i), user_colon: colon, ..Marks::default() }
                }
                b'@' => {}
                b':' => colon = colon.or(Some(i)),
                b';' if marks.question.is_none() => marks.semicolon = marks.semicolon.or(Some(i)),
                b';' => {}
                b'?' => marks.question = marks.question.or(Some(i)),
                _ => return Err(i),
            }
        }
        Ok(marks)
    }
}

/// Why a text is no URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} in URI at octet {at}")]
pub struct UriError {
    /// What was wrong.
    pub what: &'static str,
    /// Where, counted from the start of the URI.
    pub at: usize,
}

impl<'a> Uri<'a> {
    /// Reads a URI that stands alone: no white space, no angle brackets around it.
    ///
    /// # Errors
    /// No scheme, an octet that no URI holds, or a SIP or SIPS URI without a readable host and port.
    pub fn parse(raw: &'a [u8]) -> Result<Uri<'a>, UriError> {
        let err = |what, at| Err(UriError { what, at });
        let Some((name, rest)) = lex::split_once(raw, b':') else { return err("no scheme", 0) };
        let Some(scheme) = Scheme::parse(name) else { return err("bad scheme", 0) };
        let rest_at = raw.len() - rest.len();
        let marks = Marks::find(rest).map_err(|at| UriError { what: FOREIGN, at: rest_at + at })?;
        let opaque = Uri {
            raw,
            scheme,
            user: None,
            password: None,
            host: None,
            port: None,
            params: Params::default(),
            headers: None,
        };
        if !scheme.is_sip() {
            return Ok(opaque);
        }
        let part =
            |from: usize, to: Option<usize>| rest.get(from..to.unwrap_or(rest.len())).unwrap_or_default();
        let host_at = marks.at.map_or(0, |at| at + 1);
        let host = part(host_at, marks.semicolon.or(marks.question));
        let host_at = rest_at + host_at;
        if marks.at == Some(0) || (marks.at.is_some() && marks.user_colon == Some(0)) {
            return err("empty user", rest_at);
        }
        let (host, port) = Host::parse_with_port(host).map_err(|what| UriError { what, at: host_at })?;
        Ok(Uri {
            user: marks.at.map(|at| part(0, marks.user_colon.or(Some(at)))),
            password: marks.user_colon.map(|colon| part(colon + 1, marks.at)),
            host: Some(host),
            port,
            params: Params(marks.semicolon.map_or(&[], |at| part(at, marks.question))),
            headers: marks.question.map(|at| part(at + 1, None)),
            ..opaque
        })
    }

    /// The text as on the wire.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme<'a> {
        self.scheme
    }

    /// The user part with its escapes, without the password; `None` where there is no `@`.
    pub fn user(&self) -> Option<&'a [u8]> {
        self.user
    }

    /// The user part with its escapes resolved, as text for a person.
    pub fn user_text(&self) -> Option<String> {
        self.user.map(|u| lex::text(&unescape(u)).into_owned())
    }

    /// The password with its escapes.
    pub fn password(&self) -> Option<&'a [u8]> {
        self.password
    }

    /// The host of a SIP or SIPS URI; `None` for other schemes.
    pub fn host(&self) -> Option<Host<'a>> {
        self.host
    }

    /// The port, where one is given.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The URI parameters; none for other schemes than SIP and SIPS.
    pub fn params(&self) -> Params<'a> {
        self.params
    }

    /// The text behind `?`, where there is one.
    pub fn headers(&self) -> Option<&'a [u8]> {
        self.headers
    }

    /// Whether this is the URI of a loose router (RFC 3261 section 19.1.1).
    pub fn is_loose_route(&self) -> bool {
        self.params.has("lr")
    }

    /// The address and port that the URI names without a resolver: its host if that is an address, port 5060
    /// (5061 for SIPS) where it gives none (RFC 3263 section 4.2). `maddr` overrides the host.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        let host = match self.params.value("maddr") {
            Some(maddr) => Host::parse_bare(maddr)?,
            None => self.host?,
        };
        let default = if self.scheme == Scheme::Sips { 5061 } else { 5060 };
        Some(SocketAddr::new(host.ip()?, self.port.unwrap_or(default)))
    }

    /// An owned copy.
    pub fn to_owned(&self) -> UriBuf {
        UriBuf(self.raw.into())
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&lex::text(self.raw))
    }
}

impl<'a> Scheme<'a> {
    #[inline]
    fn parse(name: &'a [u8]) -> Option<Self> {
        if name.eq_ignore_ascii_case(b"sip") {
            return Some(Scheme::Sip);
        }
        let tail = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        if !name.first()?.is_ascii_alphabetic() || !name.iter().all(tail) {
            return None;
        }
        Some(if name.eq_ignore_ascii_case(b"sips") {
            Scheme::Sips
        } else if name.eq_ignore_ascii_case(b"tel") {
            Scheme::Tel
        } else {
            Scheme::Other(std::str::from_utf8(name).ok()?)
        })
    }

    /// Whether it is `sip` or `sips`.
    pub fn is_sip(self) -> bool {
        matches!(self, Scheme::Sip | Scheme::Sips)
    }
}

/// A URI of one's own.
///
/// Built from the wire it may hold text that is no URI (a request line can carry anything, and a server must
/// still answer it): [`UriBuf::view`] says. Two compare equal if their octets do; for the comparison of RFC
/// 3261 section 19.1.4 see [`Uri::equivalent`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UriBuf(Box<[u8]>);

impl UriBuf {
    /// A checked copy of a URI.
    ///
    /// # Errors
    /// As [`Uri::parse`].
    pub fn new(raw: impl AsRef<[u8]>) -> Result<UriBuf, UriError> {
        Uri::parse(raw.as_ref()).map(|uri| uri.to_owned())
    }

    /// `sip:user@host:port`. The user is escaped as needed.
    pub fn sip<'h>(user: Option<&str>, host: impl Into<Host<'h>>, port: Option<u16>) -> UriBuf {
        let mut text = b"sip:".to_vec();
        if let Some(user) = user.filter(|u| !u.is_empty()) {
            escape_user(user.as_bytes(), &mut text);
            text.push(b'@');
        }
        match host.into() {
            Host::Name(name) => escape_param(name.as_bytes(), &mut text),
            ip => text.extend_from_slice(ip.to_string().as_bytes()),
        }
        if let Some(port) = port {
            text.extend_from_slice(format!(":{port}").as_bytes());
        }
        UriBuf(text.into())
    }

    /// This URI with one more parameter behind those that it has; name and value are escaped as needed. Only
    /// meant for URIs without headers (`?`).
    pub fn with_param(self, name: &str, value: Option<&str>) -> UriBuf {
        let mut text = self.0.into_vec();
        text.push(b';');
        escape_param(name.as_bytes(), &mut text);
        if let Some(value) = value {
            text.push(b'=');
            escape_param(value.as_bytes(), &mut text);
        }
        UriBuf(text.into())
    }

    /// The text of a request line, whatever it is.
    pub(crate) fn from_wire(raw: &[u8]) -> UriBuf {
        UriBuf(raw.into())
    }

    /// The URI in its parts.
    ///
    /// # Errors
    /// As [`Uri::parse`], where the text came from the wire unchecked.
    pub fn view(&self) -> Result<Uri<'_>, UriError> {
        Uri::parse(&self.0)
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for UriBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UriBuf({self})")
    }
}

impl fmt::Display for UriBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&lex::text(&self.0))
    }
}

impl std::str::FromStr for UriBuf {
    type Err = UriError;
    fn from_str(s: &str) -> Result<Self, UriError> {
        UriBuf::new(s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Uri<'_> {
        Uri::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_user_part_may_hold_what_ends_a_host() {
        let uri = parse("sip:a;b?c=/&,$:p&w@h:5070;lr;x=1?s=a%20b&t=u");
        assert_eq!(uri.user(), Some(&b"a;b?c=/&,$"[..]));
        assert_eq!(uri.password(), Some(&b"p&w"[..]));
        assert_eq!((uri.host(), uri.port()), (Some(Host::Name("h")), Some(5070)));
        assert!(uri.is_loose_route());
        assert_eq!(uri.params().value("x"), Some(&b"1"[..]));
        assert_eq!(uri.headers(), Some(&b"s=a%20b&t=u"[..]));
    }

    #[test]
    fn the_parts_behind_the_host_are_each_optional() {
        let uri = parse("SIPS:[2001:db8::1]?a;b");
        assert_eq!((uri.scheme(), uri.user(), uri.port()), (Scheme::Sips, None, None));
        assert!(uri.params().is_empty());
        assert_eq!(uri.headers(), Some(&b"a;b"[..]));
        assert_eq!(parse("sip:h;a").headers(), None);
        assert_eq!(parse("sip:u:@h").password(), Some(&b""[..]));
    }

    #[test]
    fn the_address_is_that_of_maddr_or_host_and_the_port_that_of_the_scheme() {
        let address = |text: &str| parse(text).socket_addr().map(|a| a.to_string());
        assert_eq!(address("sip:u@192.0.2.1").as_deref(), Some("192.0.2.1:5060"));
        assert_eq!(address("sips:u@[::1]").as_deref(), Some("[::1]:5061"));
        assert_eq!(address("sip:u@h:9;maddr=192.0.2.7").as_deref(), Some("192.0.2.7:9"));
        assert_eq!(address("sip:u@h"), None);
        assert_eq!(address("tel:+1"), None);
    }

    #[test]
    fn errors_say_where() {
        for (text, what, at) in [
            ("", "no scheme", 0),
            ("alice", "no scheme", 0),
            ("1:x", "bad scheme", 0),
            ("<sip:a@h>", "bad scheme", 0),
            ("sip:a@h>", FOREIGN, 7),
            ("sip:a b@h", FOREIGN, 5),
            ("tel:+1 2", FOREIGN, 6),
            ("sip:@h", "empty user", 4),
            ("sip::p@h", "empty user", 4),
            ("sip:", "bad host", 4),
            ("sip:a@", "bad host", 6),
            ("sip:a@b@c", "bad host", 6),
            ("sip:a@h:x", "bad port", 6),
            ("sip:[::1", "bad host", 4),
        ] {
            assert_eq!(Uri::parse(text.as_bytes()).unwrap_err(), UriError { what, at }, "{text}");
        }
    }

    #[test]
    fn a_built_uri_escapes_what_it_is_given() {
        let uri = UriBuf::sip(Some("a b@c:d"), Host::Name("h\r\nx"), None).with_param("p q", Some("r;s"));
        assert_eq!(uri.to_string(), "sip:a%20b%40c%3Ad@h%0D%0Ax;p%20q=r%3Bs");
        let uri = UriBuf::sip(None, std::net::IpAddr::from([0u8; 16]), Some(5060));
        assert_eq!(uri.to_string(), "sip:[::]:5060");
        assert!("nonsense".parse::<UriBuf>().is_err());
    }
}
