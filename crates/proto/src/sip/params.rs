//! Parameters: `;name`, `;name=value`, `;name="quoted value"`.

use super::lex::{self, Split};
use std::borrow::Cow;

/// The parameters of a header value or of a URI, read as they are asked for.
///
/// Names compare without regard to case (RFC 3261 section 7.3.1). Empty ones (`;;`) are passed over, white
/// space around `;` and `=` does not count. Where a name stands twice the first one holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Params<'a>(pub(crate) &'a [u8]);

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// The name as it stood on the wire.
    pub name: &'a [u8],
    /// The value, quotes and escapes as on the wire; `None` where there is no `=`.
    pub value: Option<&'a [u8]>,
}

impl<'a> Param<'a> {
    /// The value without quotes and escapes; `None` where there is no `=`.
    pub fn unquoted(&self) -> Option<Cow<'a, [u8]>> {
        self.value.map(lex::unquote)
    }
}

impl<'a> Params<'a> {
    /// The parameters in this text, which may or may not start with a semicolon.
    pub fn new(text: &'a [u8]) -> Self {
        Params(text)
    }

    /// All of them in order.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = Param<'a>> + Clone {
        Split::semicolons(self.0).map(|param| match lex::split_once(param, b'=') {
            Some((name, value)) => Param { name: lex::trim_end(name), value: Some(lex::trim_start(value)) },
            None => Param { name: param, value: None },
        })
    }

    /// The first of this name.
    pub fn get(self, name: &str) -> Option<Param<'a>> {
        self.iter().find(|p| p.name.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// The value of the first of this name, quotes and escapes as on the wire; `None` where there is no such
    /// parameter or it has no value.
    pub fn value(self, name: &str) -> Option<&'a [u8]> {
        self.get(name)?.value
    }

    /// Whether there is one of this name.
    pub fn has(self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.iter().next().is_none()
    }

    /// The text as on the wire.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_empty_parameters_do_not_count() {
        let p = Params::new(b" ; rport=99 ;; lr ; Q = \"a;b\" ;");
        assert_eq!(p.value("rport"), Some(&b"99"[..]));
        assert!(p.has("LR"));
        assert_eq!(p.value("lr"), None);
        assert_eq!(p.get("q").unwrap().unquoted().unwrap().as_ref(), b"a;b");
        assert_eq!(p.iter().count(), 3);
        assert!(Params::new(b" ; ").is_empty());
    }

    #[test]
    fn the_first_of_two_holds() {
        assert_eq!(Params::new(b"tag=a;tag=b").value("tag"), Some(&b"a"[..]));
    }
}
