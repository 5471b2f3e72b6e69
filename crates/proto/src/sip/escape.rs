//! The `%HH` escapes of URIs (RFC 3261 sections 19.1.2 and 25.1).

use super::lex::Class;
use std::borrow::Cow;

/// `s` with its `%HH` escapes resolved; a `%` that starts none stays.
pub fn unescape(s: &[u8]) -> Cow<'_, [u8]> {
    if !s.contains(&b'%') {
        return Cow::Borrowed(s);
    }
    let mut out = Vec::with_capacity(s.len());
    let mut rest = s;
    while let Some((b, tail)) = take_octet(rest) {
        out.push(b.value);
        rest = tail;
    }
    Cow::Owned(out)
}

/// One octet of a URI component and whether it was written as `%HH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Octet {
    pub(crate) value: u8,
    pub(crate) escaped: bool,
}

/// Takes one octet off the front, an escape being one octet.
pub(crate) fn take_octet(s: &[u8]) -> Option<(Octet, &[u8])> {
    let hex = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    if let [b'%', high, low, rest @ ..] = s
        && let (Some(high), Some(low)) = (hex(*high), hex(*low))
    {
        return Some((Octet { value: (high << 4) | low, escaped: true }, rest));
    }
    let (&value, rest) = s.split_first()?;
    Some((Octet { value, escaped: false }, rest))
}

/// Writes a user part, escaping what RFC 3261 section 25.1 does not allow in it.
pub fn escape_user(user: &[u8], out: &mut Vec<u8>) {
    static USER: Class = Class::alphanumeric_and(b"-_.!~*'()&=+$,;?/");
    escape(user, out, &USER);
}

/// Writes the name or the value of a URI parameter, escaping what RFC 3261 section 25.1 does not allow in it.
pub fn escape_param(text: &[u8], out: &mut Vec<u8>) {
    static PARAM: Class = Class::alphanumeric_and(b"-_.!~*'()[]/:&+$");
    escape(text, out, &PARAM);
}

fn escape(s: &[u8], out: &mut Vec<u8>, allowed: &Class) {
    for &b in s {
        if allowed.has(b) {
            out.push(b);
        } else {
            let digit = |n: u8| if n < 10 { b'0' + n } else { b'A' + n - 10 };
            out.extend_from_slice(&[b'%', digit(b >> 4), digit(b & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percent_sign_that_starts_no_escape_stays() {
        assert_eq!(&*unescape(b"%41%6a%6G%4"), b"Aj%6G%4");
        assert_eq!(&*unescape(b"%"), b"%");
        assert_eq!(&*unescape(b"%00%fF"), b"\x00\xff");
    }

    #[test]
    fn escaping_and_unescaping_are_inverse() {
        let all: Vec<u8> = (0..=255).collect();
        for escape in [escape_user, escape_param] {
            let mut out = Vec::new();
            escape(&all, &mut out);
            assert!(out.iter().all(u8::is_ascii_graphic));
            assert_eq!(&*unescape(&out), all);
        }
    }
}
