//! Bodies of several parts: RFC 5621 section 4.2, RFC 2046 section 5.1.
//!
//! Only one part is of use here, the session description. It is taken out and put in the place of the whole, as if
//! it had come alone, unless there is a part beside it that the sender insists on.

use super::header::MediaType;
use super::{HeaderName, Headers, Request, Response, lex, parse};
use crate::limits::Limits;
use bytes::Bytes;

/// How deep parts may lie within parts.
const DEEPEST: usize = 4;

impl Request {
    /// Puts the session description in the place of a multipart body that holds one. A body that has none, or one
    /// with another part whose handling is required (RFC 5621 section 8.2: which is what is meant where nothing is
    /// said), is left as it is.
    pub fn unpack_body(&mut self, limits: &Limits) {
        unpack(&mut self.headers, &mut self.body, limits);
    }
}

impl Response {
    /// As [`Request::unpack_body`].
    pub fn unpack_body(&mut self, limits: &Limits) {
        unpack(&mut self.headers, &mut self.body, limits);
    }
}

fn unpack(headers: &mut Headers, body: &mut Bytes, limits: &Limits) {
    let is_multipart = matches!(headers.content_type(), Ok(Some(t)) if is_multipart(&t));
    if !is_multipart || body.is_empty() {
        return;
    }
    let Some(found) = description(headers, body, limits, DEEPEST) else { return };
    let content = found.to_vec();
    headers.set(HeaderName::ContentType, "application/sdp");
    if headers.contains(HeaderName::ContentLength) {
        headers.set(HeaderName::ContentLength, content.len());
    }
    *body = content.into();
}

fn is_multipart(media_type: &MediaType<'_>) -> bool {
    media_type.kind.eq_ignore_ascii_case("multipart")
}

/// The session description in a multipart body.
fn description<'a>(headers: &Headers, body: &'a [u8], limits: &Limits, depth: usize) -> Option<&'a [u8]> {
    let media_type = headers.content_type().ok().flatten()?;
    let boundary = media_type.params.get("boundary")?.unquoted()?;
    // Of alternatives one is enough (RFC 5621 section 8.3).
    let alternative = media_type.subtype.eq_ignore_ascii_case("alternative");
    let mut found = None;
    for part in parts(body, &boundary) {
        let (part_headers, content) = parse::part(part, limits)?;
        let this = match part_headers.content_type() {
            Ok(Some(t)) if t.is("application", "sdp") => Some(content),
            Ok(Some(t)) if is_multipart(&t) && depth > 0 => {
                description(&part_headers, content, limits, depth - 1)
            }
            _ => None,
        };
        if this.is_none() && !alternative && !is_optional(&part_headers) {
            return None;
        }
        found = found.or(this);
    }
    found
}

/// Whether the sender of a part can do without it (RFC 3261 section 20.11).
pub(crate) fn is_optional(headers: &Headers) -> bool {
    let disposition = headers.text(HeaderName::ContentDisposition);
    disposition.is_some_and(|d| d.to_ascii_lowercase().replace(' ', "").contains("handling=optional"))
}

/// What stands between the lines of a boundary: a header, an empty line, the content.
fn parts<'a>(body: &'a [u8], boundary: &[u8]) -> Vec<&'a [u8]> {
    let line = [b"--", boundary].concat();
    let mut starts = Vec::new();
    for at in memchr::memmem::find_iter(body, &line) {
        // A line of its own.
        let begins = at == 0 || body.get(at - 1) == Some(&b'\n');
        if begins {
            starts.push(at);
        }
    }
    let mut found = Vec::new();
    for pair in starts.windows(2) {
        let [from, to] = *pair else { continue };
        let part = body.get(from + line.len()..to).unwrap_or_default();
        // What is left of the line itself is white space; its line end and the one before the next line belong to
        // the boundaries.
        let Some(head) = memchr::memchr(b'\n', part) else { continue };
        let part = part.get(head + 1..).unwrap_or_default();
        let part = part.strip_suffix(b"\n").unwrap_or(part);
        found.push(part.strip_suffix(b"\r").unwrap_or(part));
    }
    let ends =
        |at: &usize| body.get(at + line.len()..).is_some_and(|rest| lex::trim_start(rest).starts_with(b"--"));
    // Without a last line the message was cut off.
    if starts.last().is_some_and(ends) { found } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(content_type: &str, body: &str) -> (String, String) {
        let mut response = Response::new(200);
        response.set_body(content_type, body.to_owned());
        response.headers.push(HeaderName::ContentLength, body.len());
        response.unpack_body(&Limits::default());
        let length = response.headers.content_length().unwrap().unwrap();
        assert_eq!(length, response.body.len());
        let text = String::from_utf8(response.body.to_vec()).unwrap();
        (response.headers.text(HeaderName::ContentType).unwrap(), text)
    }

    const OPTIONAL: &str =
        "Content-Type: text/plain\r\nContent-Disposition: render; handling=optional\r\n\r\nhi";
    const SDP: &str = "Content-Type: application/sdp\r\n\r\nv=0\r\ns=-\r\n";

    #[test]
    fn a_description_among_optional_parts_takes_the_place_of_the_whole() {
        for body in [
            format!("--b\r\n{SDP}\r\n--b\r\n{OPTIONAL}\r\n--b--\r\n"),
            format!("preamble\r\n--b  \r\n{OPTIONAL}\r\n--b\r\n{SDP}\r\n--b--"),
        ] {
            let (kind, text) = unpacked("Multipart/Mixed; boundary=\"b\"", &body);
            assert_eq!((kind.as_str(), text.as_str()), ("application/sdp", "v=0\r\ns=-\r\n"), "{body}");
        }
    }

    #[test]
    fn parts_within_parts_are_found_and_alternatives_need_no_leave() {
        let inner = format!("--i\r\nContent-Type: x/y\r\n\r\n?\r\n--i\r\n{SDP}\r\n--i--\r\n");
        let body =
            format!("--b\r\nContent-Type: multipart/alternative;boundary=i\r\n\r\n{inner}\r\n--b--\r\n");
        assert_eq!(unpacked("multipart/mixed;boundary=b", &body).1, "v=0\r\ns=-\r\n");
    }

    #[test]
    fn a_part_that_is_required_and_unknown_leaves_the_body_as_it_is() {
        let required = "Content-Type: text/plain\r\n\r\nread me";
        let body = format!("--b\r\n{SDP}\r\n--b\r\n{required}\r\n--b--\r\n");
        assert_eq!(unpacked("multipart/mixed;boundary=b", &body).1, body);
    }

    #[test]
    fn what_is_broken_is_left_as_it_is() {
        let cut = format!("--b\r\n{SDP}\r\n--b\r\n");
        let nested = "--b\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n".repeat(50) + "--b--";
        for body in [cut.as_str(), "--b--", "--b\r\n--b--", "", "--b", &nested] {
            assert_eq!(unpacked("multipart/mixed;boundary=b", body).1, body);
        }
        assert_eq!(unpacked("multipart/mixed", SDP).1, SDP);
        assert_eq!(unpacked("multipart/mixed;boundary=", SDP).1, SDP);
    }
}
