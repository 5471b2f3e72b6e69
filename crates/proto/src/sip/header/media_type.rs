//! Media types: Content-Type and Accept (RFC 3261 sections 20.1 and 20.15).

use super::value::ValueError;
use crate::sip::lex;
use crate::sip::params::Params;
use std::fmt;

/// A media type or range, borrowed from the message that holds it.
#[derive(Clone, Copy, Debug)]
pub struct MediaType<'a> {
    /// The type; `*` in a range.
    pub kind: &'a str,
    /// The subtype; `*` in a range.
    pub subtype: &'a str,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> MediaType<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// Anything but two tokens around a slash, and parameters.
    pub fn parse(value: &'a [u8]) -> Result<MediaType<'a>, ValueError> {
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let (range, params) = value.split_at_checked(end).unwrap_or_default();
        let (kind, subtype) = lex::split_once(range, b'/').ok_or(ValueError::new("no slash", 0))?;
        let token = |s: &'a [u8], at| lex::token(lex::trim(s)).ok_or(ValueError::new("no token", at));
        let subtype = token(subtype, kind.len() + 1)?;
        Ok(MediaType { kind: token(kind, 0)?, subtype, params: Params(params) })
    }

    /// Whether it is this type and subtype, compared without regard to case.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// Whether this range takes that type: `*/*`, `application/*` or the same type and subtype.
    pub fn accepts(&self, kind: &str, subtype: &str) -> bool {
        (self.kind == "*" || self.kind.eq_ignore_ascii_case(kind))
            && (self.subtype == "*" || self.subtype.eq_ignore_ascii_case(subtype))
    }
}

impl fmt::Display for MediaType<'_> {
    /// Type and subtype without parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.subtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_compare_without_case_and_ranges_take_what_they_cover() {
        let sdp = MediaType::parse(b"Application / SDP ; charset=\"utf-8\"").unwrap();
        assert!(sdp.is("application", "sdp") && !sdp.is("application", "sd"));
        assert_eq!(sdp.params.get("charset").unwrap().unquoted().unwrap().as_ref(), b"utf-8");
        let accepts = |range: &[u8]| MediaType::parse(range).unwrap().accepts("application", "sdp");
        assert!(accepts(b"*/*") && accepts(b"application/*;q=0.1") && accepts(b"application/SDP"));
        assert!(!accepts(b"text/*") && !accepts(b"application/ske"));
    }

    #[test]
    fn a_type_is_two_tokens() {
        for bad in [&b""[..], b"application", b"application/", b"/sdp", b"a b/c", b"a/b/c", b"a;b/c"] {
            assert!(MediaType::parse(bad).is_err(), "{}", lex::text(bad));
        }
    }
}
