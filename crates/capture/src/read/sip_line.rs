//! Telling SIP from anything else on a stream, by its first line.

use visavis_proto::demux::{Kind, classify};
use visavis_proto::sip::{Method, looks_like_sip};

/// A start line is not longer than this, octets: nobody's Request-URI is.
const MAX_LINE: usize = 2048;
/// No method is longer.
const MAX_METHOD: usize = 32;

/// What some octets begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A whole start line of SIP.
    Sip,
    /// Perhaps the beginning of one.
    More,
    /// Something else.
    Other,
}

/// Looks at the first line, line ends before it aside.
pub(super) fn look(data: &[u8]) -> Line {
    let Some(start) = data.iter().position(|octet| !is_line_end(octet)) else { return Line::More };
    let text = data.get(start..).unwrap_or_default();
    let first = text.first().copied().unwrap_or_default();
    // Most of what is not SIP ends here.
    if !first.is_ascii_alphanumeric() && !b"-.!%*_+`'~".contains(&first) {
        return Line::Other;
    }
    let window = text.get(..MAX_LINE).unwrap_or(text);
    match window.iter().position(is_line_end) {
        Some(end) => match classify(window.get(..end).unwrap_or_default()) {
            Kind::Sip => Line::Sip,
            _ => Line::Other,
        },
        None if text.len() >= MAX_LINE => Line::Other,
        None if looks_like_sip(text) => Line::More,
        None if text.len() <= MAX_METHOD && !text.contains(&b' ') => Line::More,
        None => Line::Other,
    }
}

fn is_line_end(octet: &u8) -> bool {
    matches!(octet, b'\r' | b'\n')
}

/// Whether a message begins here, for octets of which it is not known that they begin a line: the rest of a line may look
/// like a start line with another method, so it has to be a status line or a method that is known.
pub(super) fn begins(data: &[u8]) -> bool {
    let text = data.iter().position(|octet| !is_line_end(octet)).and_then(|start| data.get(start..));
    let Some((word, rest)) = text.and_then(|text| {
        let end = text.iter().take(MAX_METHOD).position(|octet| *octet == b' ')?;
        Some((text.get(..end)?, text.get(end + 1..)?))
    }) else {
        return false;
    };
    let known = if word.eq_ignore_ascii_case(b"SIP/2.0") {
        rest.first_chunk::<3>().is_some_and(|status| status.iter().all(u8::is_ascii_digit))
    } else {
        !matches!(Method::parse(word), None | Some(Method::Other(_)))
    };
    known && look(data) == Line::Sip
}

/// Where the first start line is that begins the data or stands behind a line end.
pub(super) fn find(data: &[u8]) -> Option<usize> {
    let behind_ends = data.iter().enumerate().filter(|(_, octet)| **octet == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(behind_ends).find(|start| {
        let text = data.get(*start..).unwrap_or_default();
        // Empty lines are not looked into each by itself: there may be many.
        let empty = *start > 0 && text.first().is_none_or(is_line_end);
        !empty && begins(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_beginning_of_a_start_line_may_become_one() {
        for line in
            ["INVITE sip:a@example.org SIP/2.0\r\n", "SIP/2.0 180 Ringing\r\n", "\r\n\r\nACK sip:a SIP/2.0\n"]
        {
            for cut in 0..line.len() {
                let seen = look(&line.as_bytes()[..cut]);
                assert!(matches!(seen, Line::More | Line::Sip), "{:?}: {seen:?}", &line[..cut]);
            }
            assert_eq!(look(line.as_bytes()), Line::Sip);
        }
    }

    #[test]
    fn other_protocols_are_told_at_once() {
        for text in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"HTTP/1.1 200 OK\r\n",
            b"\x16\x03\x01\x02\x00",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"EHLO example.org\r\n",
            &[b'A'; 40],
        ] {
            assert_eq!(look(text), Line::Other, "{text:?}");
        }
    }

    #[test]
    fn a_start_line_is_found_behind_the_rest_of_a_message() {
        let text = b"=rtpmap:0 PCMU/8000\r\na=sendrecv\r\nBYE sip:a@b SIP/2.0\r\nVia: x\r\n";
        assert_eq!(find(text), Some(33));
        assert_eq!(find(&text[33..]), Some(0));
        assert_eq!(find(b"no line at all"), None);
        // What is left of a start line or of a Via is none.
        for rest in
            ["VITE sip:a@b SIP/2.0\r\n", "b SIP/2.0\r\n", "SIP/2.0/TCP 192.0.2.7\r\n", "2.0 200 OK\r\n"]
        {
            assert_eq!(find(rest.as_bytes()), None, "{rest:?}");
        }
        assert_eq!(find(b"SIP/2.0 200 OK\r\n"), Some(0));
        assert_eq!(find(&[b'\n'; 5000]), None);
    }
}
