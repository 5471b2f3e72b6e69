//! The header of a message: its fields in order.

use super::name::{HeaderName, OTHER};
use super::value::HeaderValue;
use crate::sip::lex::{self, Split};
use std::fmt;
use std::ops::Range;

/// The header fields of a message, in order, values octet for octet as they came (unfolded, without white
/// space around them).
///
/// One buffer holds all text; a field is a pair of ranges in it. Two headers are equal if they hold equal
/// names (compact or long) and values in the same order.
#[derive(Clone, Default)]
pub struct Headers {
    text: Vec<u8>,
    fields: Vec<Field>,
}

#[derive(Clone)]
struct Field {
    /// [`HeaderName::code`]: all that comparing known names needs.
    code: u8,
    name: Range<usize>,
    value: Range<usize>,
}

impl Headers {
    /// No fields.
    pub fn new() -> Self {
        Headers::default()
    }

    /// How many fields there are; a comma list counts as one.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// All fields in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (HeaderName<'_>, &[u8])> {
        self.fields.iter().map(|f| (self.name(f), self.slice(&f.value)))
    }

    /// The value of the first field of this name.
    pub fn get<'n>(&self, name: impl Into<HeaderName<'n>>) -> Option<&[u8]> {
        let i = self.position(canonical(name.into()))?;
        self.fields.get(i).map(|f| self.slice(&f.value))
    }

    /// Whether there is a field of this name.
    pub fn contains<'n>(&self, name: impl Into<HeaderName<'n>>) -> bool {
        self.position(canonical(name.into())).is_some()
    }

    /// The values of all fields of this name, comma lists not taken apart.
    pub fn all<'a>(&'a self, name: impl Into<HeaderName<'a>>) -> impl Iterator<Item = &'a [u8]> {
        let name = canonical(name.into());
        let code = name.code();
        // One number to compare: what the typed accessors live on.
        let is_named = move |f: &&Field| f.code == code && (code != OTHER || self.is_named(f, name));
        self.fields.iter().filter(is_named).map(|f| self.slice(&f.value))
    }

    /// The elements of the comma lists in all fields of this name, in order. Commas inside of quotes or
    /// angle brackets do not count, empty elements are passed over.
    pub fn values<'a>(&'a self, name: impl Into<HeaderName<'a>>) -> impl Iterator<Item = &'a [u8]> {
        self.all(name).flat_map(Split::commas)
    }

    /// The value of the first field of this name as text for a person: UTF-8, else Latin-1.
    pub fn text<'n>(&self, name: impl Into<HeaderName<'n>>) -> Option<String> {
        self.get(name).map(|v| lex::text(v).into_owned())
    }

    /// Adds a field at the end. A known name is written in its canonical spelling.
    ///
    /// No value can break out of its line: line ends in it become spaces, white space around it is
    /// dropped. Octets that no name may hold become `-`.
    pub fn push<'n>(&mut self, name: impl Into<HeaderName<'n>>, value: impl HeaderValue) {
        self.insert(self.fields.len(), name.into(), &value);
    }

    /// Adds a field in front of all others, as a Via or Route is added.
    pub fn push_front<'n>(&mut self, name: impl Into<HeaderName<'n>>, value: impl HeaderValue) {
        self.insert(0, name.into(), &value);
    }

    /// Puts this value into the first field of this name and removes the others of this name, or adds a
    /// field at the end where there is none.
    pub fn set<'n>(&mut self, name: impl Into<HeaderName<'n>>, value: impl HeaderValue) {
        let name = canonical(name.into());
        let at = self.position(name).unwrap_or(self.fields.len());
        self.remove(name);
        self.insert(at.min(self.fields.len()), name, &value);
    }

    /// Removes all fields of this name and says how many there were.
    pub fn remove<'n>(&mut self, name: impl Into<HeaderName<'n>>) -> usize {
        let name = canonical(name.into());
        let before = self.fields.len();
        let mut fields = std::mem::take(&mut self.fields);
        fields.retain(|f| !self.is_named(f, name));
        self.fields = fields;
        before - self.fields.len()
    }

    /// Removes the first element of the comma list in the first field of this name (the whole field if it
    /// was the only one), as a Via is removed from a response, and returns it.
    pub fn pop_first<'n>(&mut self, name: impl Into<HeaderName<'n>>) -> Option<Vec<u8>> {
        let (i, first, rest) = self.first_element(canonical(name.into()))?;
        if rest.is_empty() {
            self.fields.remove(i);
        } else {
            self.replace_value(i, &rest);
        }
        Some(first)
    }

    /// Puts another value in place of the first element of the comma list in the first field of this name;
    /// `false` where there is none.
    pub fn replace_first<'n>(&mut self, name: impl Into<HeaderName<'n>>, value: impl HeaderValue) -> bool {
        let Some((i, _, rest)) = self.first_element(canonical(name.into())) else { return false };
        let mut text = Vec::new();
        value.write_value(&mut text);
        if !rest.is_empty() {
            text.extend_from_slice(b", ");
            text.extend_from_slice(&rest);
        }
        self.replace_value(i, &text);
        true
    }

    /// Copies all fields of this name from another header to the end of this one.
    pub fn copy_from<'n>(&mut self, other: &Headers, name: impl Into<HeaderName<'n>>) {
        let name = canonical(name.into());
        for value in other.all(name) {
            self.push(name, value);
        }
    }

    /// Writes all fields, each with its line end, names spelled as they came, but with this Content-Length:
    /// where there was one, else at the end.
    pub(in crate::sip) fn encode(&self, content_length: usize, out: &mut Vec<u8>) {
        out.reserve(self.text.len() + 4 * self.fields.len() + content_length);
        let mut length_written = false;
        for field in &self.fields {
            let is_length = field.code == HeaderName::ContentLength.code();
            if is_length && std::mem::replace(&mut length_written, true) {
                continue;
            }
            out.extend_from_slice(self.slice(&field.name));
            out.extend_from_slice(b": ");
            if is_length {
                content_length.write_value(out);
            } else {
                out.extend_from_slice(self.slice(&field.value));
            }
            out.extend_from_slice(b"\r\n");
        }
        if !length_written {
            out.extend_from_slice(format!("Content-Length: {content_length}\r\n").as_bytes());
        }
    }

    /// Spells every name that has a compact form in that form.
    pub(in crate::sip) fn abbreviate(&mut self) {
        for field in &mut self.fields {
            let known = HeaderName::by_code(field.code);
            if let Some(compact) = known.and_then(HeaderName::compact_form) {
                let start = self.text.len();
                self.text.extend_from_slice(compact.as_bytes());
                field.name = start..self.text.len();
            }
        }
    }

    /// No fields yet, with room for that many, and for that many octets of names and values.
    pub(in crate::sip) fn with_room(fields: usize, octets: usize) -> Headers {
        Headers { text: Vec::with_capacity(octets), fields: Vec::with_capacity(fields) }
    }

    /// How many octets its names and values take, and whatever else its text holds.
    pub(in crate::sip) fn octets(&self) -> usize {
        self.text.len()
    }

    /// Adds a field that lies at these ranges of the text to come.
    pub(in crate::sip) fn push_ranges(
        &mut self,
        name: HeaderName<'_>,
        at: Range<usize>,
        value: Range<usize>,
    ) {
        self.fields.push(Field { code: name.code(), name: at, value });
    }

    /// Takes the text that the ranges point into. Where values in it may hold line ends, they are unfolded.
    pub(in crate::sip) fn set_text(&mut self, text: &[u8], folded: bool) {
        self.text.extend_from_slice(text);
        if !folded {
            return;
        }
        for field in &self.fields {
            unfold(self.text.get_mut(field.value.clone()).unwrap_or_default());
        }
    }

    /// Where in the text the value of the first field of this name begins: for a header fresh from the
    /// parser, counted from its first line.
    pub(in crate::sip) fn offset(&self, name: HeaderName<'_>) -> Option<usize> {
        self.fields.iter().find(|f| self.is_named(f, name)).map(|f| f.value.start)
    }

    fn insert(&mut self, at: usize, name: HeaderName<'_>, value: &dyn HeaderValue) {
        let name = canonical(name);
        let start = self.text.len();
        self.text
            .extend(name.as_str().bytes().map(|b| if b.is_ascii_graphic() && b != b':' { b } else { b'-' }));
        let name_end = self.text.len();
        value.write_value(&mut self.text);
        let value = self.clean(name_end);
        self.fields.insert(at, Field { code: name.code(), name: start..name_end, value });
    }

    fn replace_value(&mut self, field: usize, value: &[u8]) {
        let start = self.text.len();
        self.text.extend_from_slice(value);
        let value = self.clean(start);
        if let Some(f) = self.fields.get_mut(field) {
            f.value = value;
        }
    }

    /// Makes the text from `start` on fit for one line and returns its range without white space around it.
    fn clean(&mut self, start: usize) -> Range<usize> {
        let Some(added) = self.text.get_mut(start..) else { return start..start };
        unfold(added);
        let lead = added.len() - lex::trim_start(added).len();
        let len = lex::trim(added).len();
        start + lead..start + lead + len
    }

    /// The index of the first field of this name that holds any element, that element, and the rest.
    fn first_element(&self, name: HeaderName<'_>) -> Option<(usize, Vec<u8>, Vec<u8>)> {
        self.fields.iter().enumerate().filter(|(_, f)| self.is_named(f, name)).find_map(|(i, f)| {
            let mut list = Split::commas(self.slice(&f.value));
            let first = list.next()?;
            Some((i, first.to_vec(), lex::trim(list.rest()).to_vec()))
        })
    }

    fn position(&self, name: HeaderName<'_>) -> Option<usize> {
        self.fields.iter().position(|f| self.is_named(f, name))
    }

    #[inline]
    fn is_named(&self, field: &Field, name: HeaderName<'_>) -> bool {
        field.code == name.code()
            && match name {
                HeaderName::Other(n) => self.slice(&field.name).eq_ignore_ascii_case(n.as_bytes()),
                _ => true,
            }
    }

    fn name<'a>(&'a self, field: &Field) -> HeaderName<'a> {
        HeaderName::by_code(field.code).unwrap_or_else(|| {
            HeaderName::Other(std::str::from_utf8(self.slice(&field.name)).unwrap_or_default())
        })
    }

    #[inline]
    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

/// Makes one line of a value: every CR and LF becomes a space.
fn unfold(value: &mut [u8]) {
    for b in value {
        *b = if matches!(b, b'\r' | b'\n') { b' ' } else { *b };
    }
}

/// A name that someone spelled out as [`HeaderName::Other`] although it is known.
#[inline]
fn canonical(name: HeaderName<'_>) -> HeaderName<'_> {
    match name {
        HeaderName::Other(text) => HeaderName::from(text),
        known => known,
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}
impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(n, v)| (n.as_str(), lex::text(v)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        fields.iter().for_each(|&(name, value)| headers.push(name, value));
        headers
    }

    #[test]
    fn a_field_is_found_by_any_of_its_names() {
        let h = headers(&[("i", "1"), ("X-a", "2"), ("Call-Id", "3")]);
        assert_eq!(h.all(HeaderName::CallId).collect::<Vec<_>>(), [b"1", b"3"]);
        assert_eq!(h.get(HeaderName::Other("call-ID")), Some(&b"1"[..]));
        assert_eq!(h.get("x-A"), Some(&b"2"[..]));
        assert_eq!(h.get("X"), None);
        assert!(h.contains("I") && !h.contains(HeaderName::Via));
    }

    #[test]
    fn setting_a_field_keeps_its_place_and_drops_its_doubles() {
        let mut h = headers(&[("A", "1"), ("B-c", "2"), ("A", "3"), ("D", "4")]);
        h.set("a", "5");
        h.set("E-f", "6");
        let seen: Vec<_> = h.iter().map(|(n, v)| (n.as_str(), v)).collect();
        assert_eq!(seen, [("a", &b"5"[..]), ("B-c", b"2"), ("D", b"4"), ("E-f", b"6")]);
        assert_eq!((h.remove("a"), h.remove("a"), h.len()), (1, 0, 3));
    }

    #[test]
    fn the_top_of_a_list_is_taken_off_or_replaced_across_fields() {
        let mut h = headers(&[("Route", ", <sip:a,b@h>, <sip:c@h>"), ("Route", "<sip:d@h>")]);
        assert!(h.replace_first(HeaderName::Route, "<sip:x@h>"));
        assert_eq!(h.get(HeaderName::Route), Some(&b"<sip:x@h>, <sip:c@h>"[..]));
        h.push_front(HeaderName::Route, "<sip:y@h>");
        let popped = std::iter::from_fn(|| h.pop_first(HeaderName::Route)).collect::<Vec<_>>();
        assert_eq!(popped, [&b"<sip:y@h>"[..], b"<sip:x@h>", b"<sip:c@h>", b"<sip:d@h>"]);
        assert!(h.is_empty() && !h.replace_first(HeaderName::Route, "<sip:z@h>"));
    }

    #[test]
    fn equality_sees_names_values_and_order_alone() {
        let a = headers(&[("Via", "1"), ("X", "2")]);
        let mut b = headers(&[("x", "2")]);
        b.push_front("v", " 1 ");
        assert_eq!(a, b);
        assert_ne!(a, headers(&[("X", "2"), ("Via", "1")]));
    }

    #[test]
    fn content_length_is_written_once_and_true() {
        let mut out = Vec::new();
        headers(&[("l", "7"), ("X-a", "y"), ("Content-Length", "8")]).encode(3, &mut out);
        assert_eq!(out, b"Content-Length: 3\r\nX-a: y\r\n");
        out.clear();
        headers(&[("X-a", "y")]).encode(3, &mut out);
        assert_eq!(out, b"X-a: y\r\nContent-Length: 3\r\n");
    }
}
