//! Addresses with a display name and parameters: From, To, Contact, Route, Record-Route, Refer-To and their
//! like (RFC 3261 sections 20.10, 20.20, 20.30, 20.34, 20.39).

use super::value::{HeaderValue, ValueError};
use crate::sip::lex;
use crate::sip::params::Params;
use crate::sip::uri::{Uri, UriBuf};
use std::borrow::Cow;

/// An address, borrowed from the message that holds it.
#[derive(Clone, Copy, Debug)]
pub struct NameAddr<'a> {
    /// The display name as on the wire: a quoted string with its quotes, or words.
    pub display: Option<&'a [u8]>,
    /// The URI.
    pub uri: Uri<'a>,
    /// The parameters of the header field (not of the URI).
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one value, with or without angle brackets.
    ///
    /// Without brackets everything from the first semicolon on belongs to the header field (RFC 3261 section
    /// 20.10). A display name may hold any octets but `<`, or any at all in quotes.
    ///
    /// # Errors
    /// No closing bracket, no readable URI, or text behind the bracket that is no parameter.
    pub fn parse(value: &'a [u8]) -> Result<NameAddr<'a>, ValueError> {
        let value = lex::trim_end(value);
        let Some(open) = lex::find_unquoted(value, b'<') else { return NameAddr::without_brackets(value) };
        let (display, rest) = value.split_at_checked(open).unwrap_or_default();
        let display = Some(lex::trim(display)).filter(|d| !d.is_empty());
        let rest = rest.get(1..).unwrap_or_default();
        let Some((uri, tail)) = lex::split_once(rest, b'>') else {
            return Err(ValueError::new("no closing bracket", open));
        };
        let tail_at = value.len() - tail.len();
        let uri = Uri::parse(lex::trim(uri)).map_err(|e| ValueError::new(e.what, open + 1 + e.at))?;
        let tail = lex::trim(tail);
        if tail.first().is_some_and(|&b| b != b';') {
            return Err(ValueError::new("unexpected text behind the bracket", tail_at));
        }
        Ok(NameAddr { display, uri, params: Params(tail) })
    }

    fn without_brackets(value: &'a [u8]) -> Result<NameAddr<'a>, ValueError> {
        let uri_end = memchr::memchr(b';', value).unwrap_or(value.len());
        let (uri, params) = value.split_at_checked(uri_end).unwrap_or_default();
        Ok(NameAddr { display: None, uri: Uri::parse(lex::trim(uri))?, params: Params(params) })
    }

    /// The display name as text for a person: without quotes and escapes, UTF-8 or else Latin-1.
    pub fn display_text(&self) -> Option<String> {
        self.display.map(|d| lex::text(&lex::unquote(d)).into_owned())
    }

    /// The `tag` parameter of From and To.
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.params.value("tag")
    }

    /// An owned copy. Parameters keep order and spelling.
    pub fn to_owned(&self) -> NameAddrBuf {
        let owned = |b: Cow<'_, [u8]>| b.into_owned();
        NameAddrBuf {
            display: self.display.map(|d| owned(lex::unquote(d))),
            uri: self.uri.to_owned(),
            params: self.params.iter().map(|p| (p.name.to_vec(), p.value.map(<[u8]>::to_vec))).collect(),
        }
    }
}

/// An address of one's own, to be put into a header field. Always written with angle brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddrBuf {
    /// The display name, neither quoted nor escaped.
    pub display: Option<Vec<u8>>,
    /// The URI.
    pub uri: UriBuf,
    /// The parameters of the header field; values are written as they are, so quote them where need be.
    pub params: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl NameAddrBuf {
    /// The address of this URI, without display name and parameters.
    pub fn new(uri: UriBuf) -> Self {
        NameAddrBuf { display: None, uri, params: Vec::new() }
    }

    /// With this display name; none where it is empty.
    pub fn with_display(mut self, display: impl Into<Vec<u8>>) -> Self {
        self.display = Some(display.into()).filter(|d| !d.is_empty());
        self
    }

    /// With one more parameter.
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> Self {
        self.params.push((name.into(), value.map(Into::into)));
        self
    }

    /// With this `tag`.
    pub fn with_tag(self, tag: &str) -> Self {
        self.with_param("tag", Some(tag))
    }
}

impl HeaderValue for NameAddrBuf {
    fn write_value(&self, out: &mut Vec<u8>) {
        if let Some(display) = &self.display {
            lex::write_quoted(display, out);
            out.push(b' ');
        }
        out.push(b'<');
        out.extend_from_slice(self.uri.as_bytes());
        out.push(b'>');
        for (name, value) in &self.params {
            out.push(b';');
            out.extend_from_slice(name);
            if let Some(value) = value {
                out.push(b'=');
                out.extend_from_slice(value);
            }
        }
    }
}
