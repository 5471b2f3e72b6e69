//! Bodies: the parts of one, and the text of a message that carries it.

use std::borrow::Cow;
use visavis_proto::sip::{CodingError, HeaderName, MediaType, Message};

/// The most parts read from one body.
const MAX_PARTS: usize = 16;

/// A body, or one part of a multipart body (RFC 5621 section 3).
#[derive(Debug)]
pub(super) struct Part<'a> {
    content_type: Cow<'a, [u8]>,
    pub(super) body: Cow<'a, [u8]>,
}

impl Part<'_> {
    /// Whether it is of this media type.
    pub(super) fn is(&self, kind: &str, subtype: &str) -> bool {
        MediaType::parse(&self.content_type).is_ok_and(|media_type| media_type.is(kind, subtype))
    }
}

/// The parts of a message's body; a body that is not multipart is one.
pub(super) fn parts(message: &Message) -> Vec<Part<'_>> {
    let body = message.body();
    let Some(content_type) = message.headers().get(HeaderName::ContentType).filter(|_| !body.is_empty())
    else {
        return Vec::new();
    };
    match boundary(content_type) {
        Some(boundary) => split(body, &boundary),
        None => vec![Part { content_type: Cow::Borrowed(content_type), body: Cow::Borrowed(body) }],
    }
}

/// The boundary of a multipart type (RFC 2046 section 5.1.1).
fn boundary(content_type: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(content_type);
    if !text.trim_start().to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    let value = text.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    });
    value.filter(|value| !value.is_empty())
}

/// Parts between lines of `--boundary`. A part with a transfer coding of its own is passed over by whoever reads it.
fn split<'a>(body: &'a [u8], boundary: &str) -> Vec<Part<'a>> {
    let mark = format!("--{boundary}");
    let mark = mark.as_bytes();
    let mut starts: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(found) = body.get(at..).and_then(|rest| rest.windows(mark.len()).position(|w| w == mark)) {
        starts.push(at + found);
        at += found + mark.len();
        if starts.len() > MAX_PARTS {
            break;
        }
    }
    let pairs = starts.iter().zip(starts.iter().skip(1));
    pairs
        .filter_map(|(&from, &to)| {
            let part = body.get(from + mark.len()..to)?;
            let part = part.strip_prefix(b"\r\n").or_else(|| part.strip_prefix(b"\n"))?;
            let part = part.strip_suffix(b"\n")?;
            let part = part.strip_suffix(b"\r").unwrap_or(part);
            let (head, content) = cut(part, b"\r\n\r\n").or_else(|| cut(part, b"\n\n"))?;
            let head = String::from_utf8_lossy(head);
            let content_type = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.trim().eq_ignore_ascii_case("content-type").then(|| value.trim().as_bytes().to_vec())
            })?;
            Some(Part { content_type: Cow::Owned(content_type), body: Cow::Borrowed(content) })
        })
        .collect()
}

fn cut<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    Some((text.get(..at)?, text.get(at + mark.len()..)?))
}

/// A message as text: as it came, but for a coded body, which stands there decoded.
pub(super) fn text(data: &[u8], message: &Message, coding: Option<&CodingError>) -> String {
    let whole = || String::from_utf8_lossy(data).into_owned();
    if let Some(error) = coding {
        return format!("{}\n[{error}]", head(data));
    }
    let body = message.body();
    if body.is_empty() || data.windows(body.len()).any(|window| window == &body[..]) {
        return whole();
    }
    format!("{}{}", head(data), String::from_utf8_lossy(body))
}

/// The start line and the header fields, with the empty line behind them.
fn head(data: &[u8]) -> String {
    let end = data.windows(4).position(|window| window == b"\r\n\r\n").map_or(data.len(), |at| at + 4);
    String::from_utf8_lossy(data.get(..end).unwrap_or(data)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_multipart_body_are_found_and_a_plain_one_is_its_own() {
        let body = b"--xx\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--xx\r\nContent-type:text/plain\r\n\r\nhello\r\n--xx--\r\n";
        let parts = split(body, "xx");
        assert_eq!(parts.len(), 2);
        assert!(parts[0].is("application", "sdp") && parts[1].is("text", "plain"));
        assert_eq!((&parts[0].body[..], &parts[1].body[..]), (&b"v=0\r\n"[..], &b"hello"[..]));
        assert_eq!(boundary(b"multipart/mixed; boundary=\"xx\""), Some("xx".into()));
        assert_eq!(boundary(b"application/sdp"), None);
    }
}
