//! The lexical rules that all header fields share (RFC 3261 section 25.1): tokens, white space, quoted
//! strings, comma lists.

use std::borrow::Cow;

/// A class of octets, by table: every octet of a message is looked up in one or the other.
pub(crate) struct Class([bool; 256]);

impl Class {
    /// The alphanumeric octets of ASCII and these others.
    pub(crate) const fn alphanumeric_and(others: &[u8]) -> Class {
        let mut table = [false; 256];
        let mut b = b'0';
        while b <= b'z' {
            mark(&mut table, b, b.is_ascii_alphanumeric());
            b += 1;
        }
        Class(table).set(others, true)
    }

    /// All octets above the space but these and DEL.
    pub(crate) const fn visible_but(others: &[u8]) -> Class {
        let mut table = [true; 256];
        let mut b = 0;
        while b <= b' ' {
            mark(&mut table, b, false);
            b += 1;
        }
        Class(table).set(&[0x7f], false).set(others, false)
    }

    const fn set(mut self, mut octets: &[u8], to: bool) -> Class {
        while let [b, rest @ ..] = octets {
            mark(&mut self.0, *b, to);
            octets = rest;
        }
        self
    }

    /// Whether `b` belongs to it.
    #[inline]
    pub(crate) fn has(&self, b: u8) -> bool {
        self.0.get(usize::from(b)).copied().unwrap_or_default()
    }

    /// Whether all of `s` does.
    #[inline]
    pub(crate) fn has_all(&self, s: &[u8]) -> bool {
        s.iter().all(|&b| self.has(b))
    }
}

#[allow(clippy::indexing_slicing, reason = "an octet is below 256, and there is no get_mut at compile time")]
const fn mark(table: &mut [bool; 256], b: u8, to: bool) {
    table[b as usize] = to;
}

/// What a token is made of.
pub(crate) static TOKEN: Class = Class::alphanumeric_and(b"-.!%*_+`'~");

/// `s` as text if all of it is one token.
#[inline]
pub(crate) fn token(s: &[u8]) -> Option<&str> {
    if s.is_empty() || !TOKEN.has_all(s) {
        return None;
    }
    std::str::from_utf8(s).ok()
}

/// Whether `b` is linear white space. Line ends count: a folded value is read as if unfolded.
#[inline]
pub(crate) fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

/// `s` without white space at both ends.
#[inline]
pub(crate) fn trim(s: &[u8]) -> &[u8] {
    trim_end(trim_start(s))
}

/// `s` without white space at its start.
#[inline]
pub(crate) fn trim_start(mut s: &[u8]) -> &[u8] {
    while let [b, rest @ ..] = s
        && is_space(*b)
    {
        s = rest;
    }
    s
}

/// `s` without white space at its end.
#[inline]
pub(crate) fn trim_end(mut s: &[u8]) -> &[u8] {
    while let [rest @ .., b] = s
        && is_space(*b)
    {
        s = rest;
    }
    s
}

/// `s` before and after the first `b`, without it.
#[inline]
pub(crate) fn split_once(s: &[u8], b: u8) -> Option<(&[u8], &[u8])> {
    // What is looked for lies a few octets ahead as a rule: a plain loop beats a vector search.
    let (head, tail) = s.split_at_checked(s.iter().position(|&c| c == b)?)?;
    Some((head, tail.get(1..)?))
}

/// A decimal number of at most ten digits that fits `u32`; no sign, no white space.
#[inline]
pub(crate) fn decimal(s: &[u8]) -> Option<u32> {
    if s.is_empty() {
        return None;
    }
    s.iter().try_fold(0u32, |n, &b| {
        let digit = b.is_ascii_digit().then(|| u32::from(b - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}

/// Where `b` first stands outside of quoted strings.
pub(crate) fn find_unquoted(s: &[u8], b: u8) -> Option<usize> {
    Split { rest: None, separator: b, quotes: true, angles: false }.separator_index(s)
}

/// Where the quoted string that starts `s` ends: the index behind its closing quote. `None` if `s` does not
/// start with a quote or the quote is never closed.
pub(crate) fn quoted_end(s: &[u8]) -> Option<usize> {
    if s.first() != Some(&b'"') {
        return None;
    }
    let mut i = 1;
    loop {
        i += memchr::memchr2(b'"', b'\\', s.get(i..)?)?;
        if s.get(i) == Some(&b'"') {
            return Some(i + 1);
        }
        i += 2;
    }
}

/// The content of a quoted string with its escapes resolved; anything else comes back as it is.
pub(crate) fn unquote(s: &[u8]) -> Cow<'_, [u8]> {
    let [b'"', inner @ .., b'"'] = s else { return Cow::Borrowed(s) };
    if !inner.contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&b) = bytes.next() {
        out.push(if b == b'\\' { *bytes.next().unwrap_or(&b) } else { b });
    }
    Cow::Owned(out)
}

/// Writes `s` as a quoted string.
pub(crate) fn write_quoted(s: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &b in s {
        if matches!(b, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(b);
    }
    out.push(b'"');
}

/// Octets as text for a person: UTF-8 where they are that, else Latin-1. Never fails, loses nothing.
pub(crate) fn text(s: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(s) {
        Ok(s) => Cow::Borrowed(s),
        Err(_) => Cow::Owned(s.iter().map(|&b| char::from(b)).collect()),
    }
}

/// Splits at a separator that stands outside of quoted strings and, if asked, outside of angle brackets.
///
/// A quote or bracket that is never closed counts as an ordinary octet. Linear in the length of the input:
/// having met one unclosed quote, it looks for no other.
#[derive(Clone, Debug)]
pub(crate) struct Split<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
    quotes: bool,
    angles: bool,
}

impl<'a> Split<'a> {
    /// The values of a comma list.
    pub(crate) fn commas(s: &'a [u8]) -> Self {
        Split { rest: Some(s), separator: b',', quotes: true, angles: true }
    }

    /// Parameters.
    pub(crate) fn semicolons(s: &'a [u8]) -> Self {
        Split { rest: Some(s), separator: b';', quotes: true, angles: false }
    }

    /// What has not been split yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest.unwrap_or_default()
    }

    #[inline]
    fn separator_index(&mut self, s: &[u8]) -> Option<usize> {
        let mut i = 0;
        loop {
            let rest = s.get(i..)?;
            let at = match (self.quotes, self.angles) {
                (true, true) => memchr::memchr3(self.separator, b'"', b'<', rest),
                (true, false) => memchr::memchr2(self.separator, b'"', rest),
                (false, true) => memchr::memchr2(self.separator, b'<', rest),
                (false, false) => memchr::memchr(self.separator, rest),
            }?;
            let rest = rest.get(at..)?;
            i += at;
            i += match rest.first()? {
                &b if b == self.separator => return Some(i),
                b'"' => {
                    let end = quoted_end(rest);
                    self.quotes = end.is_some();
                    end.unwrap_or(1)
                }
                _ => {
                    let end = memchr::memchr(b'>', rest);
                    self.angles = end.is_some();
                    end.unwrap_or(1)
                }
            };
        }
    }
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];

    /// The next element without white space around it. Empty elements are passed over.
    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let s = self.rest.take()?;
            let element = match self.separator_index(s).and_then(|i| s.split_at_checked(i)) {
                Some((element, rest)) => {
                    self.rest = rest.get(1..);
                    element
                }
                None => s,
            };
            let element = trim(element);
            if !element.is_empty() {
                return Some(element);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commas(s: &[u8]) -> Vec<&[u8]> {
        Split::commas(s).collect()
    }

    #[test]
    fn commas_inside_quotes_and_brackets_do_not_split() {
        assert_eq!(
            commas(br#""a, \"b" <sip:x,y@h>;p=",", <sip:z@h>"#),
            [&br#""a, \"b" <sip:x,y@h>;p=",""#[..], b"<sip:z@h>"]
        );
    }

    #[test]
    fn empty_elements_are_passed_over() {
        assert_eq!(commas(b" , a ,, b,"), [b"a", b"b"]);
        assert!(commas(b" ").is_empty());
    }

    #[test]
    fn an_unclosed_quote_or_bracket_is_an_ordinary_octet() {
        assert_eq!(commas(b"a\"b, c"), [&b"a\"b"[..], b"c"]);
        assert_eq!(commas(b"a<b, c"), [&b"a<b"[..], b"c"]);
    }

    #[test]
    fn many_escaped_quotes_behind_an_unclosed_one_stay_linear() {
        let mut s = b"\"".to_vec();
        s.extend(b",\\\"".repeat(200_000));
        assert_eq!(commas(&s).len(), 200_001);
    }

    #[test]
    fn unquoting_and_quoting_are_inverse() {
        let mut out = Vec::new();
        write_quoted(b"a\"b\\c\xff", &mut out);
        assert_eq!(out, b"\"a\\\"b\\\\c\xff\"");
        assert_eq!(&*unquote(&out), b"a\"b\\c\xff");
        assert_eq!(&*unquote(b"plain"), b"plain");
        assert_eq!(&*unquote(b"\""), b"\"");
    }

    #[test]
    fn decimals_refuse_what_does_not_fit() {
        assert_eq!(decimal(b"4294967295"), Some(u32::MAX));
        for bad in [&b""[..], b"4294967296", b"+1", b" 1", b"1a"] {
            assert_eq!(decimal(bad), None);
        }
    }

    #[test]
    fn octets_that_are_not_utf8_read_as_latin_1() {
        assert_eq!(text(b"caf\xe9"), "caf\u{e9}");
        assert_eq!(text("café".as_bytes()), "café");
    }
}
