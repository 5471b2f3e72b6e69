//! Warning (RFC 3261 section 20.43).

use super::value::ValueError;
use crate::sip::lex;

/// One warning, borrowed from the message that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning<'a> {
    /// The three-digit code, such as 305 for an incompatible media format.
    pub code: u16,
    /// Who warns: a host with or without a port, or a pseudonym.
    pub agent: &'a [u8],
    /// The text as on the wire, with its quotes.
    pub quoted: &'a [u8],
}

impl<'a> Warning<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// No three-digit code and agent in front. Text without quotes is let pass.
    pub fn parse(value: &'a [u8]) -> Result<Warning<'a>, ValueError> {
        let (code, rest) = lex::split_once(value, b' ').ok_or(ValueError::new("no code", 0))?;
        let code = Some(code).filter(|c| c.len() == 3).and_then(lex::decimal);
        let code = code.and_then(|c| u16::try_from(c).ok()).ok_or(ValueError::new("bad code", 0))?;
        let rest = lex::trim_start(rest);
        let (agent, text) = lex::split_once(rest, b' ').ok_or(ValueError::new("no text", value.len()))?;
        Ok(Warning { code, agent, quoted: lex::trim_start(text) })
    }

    /// The text for a person: without quotes and escapes, UTF-8 or else Latin-1.
    pub fn text(&self) -> String {
        lex::text(&lex::unquote(self.quoted)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_agent_and_text_are_read() {
        let warning = Warning::parse(b"304 pc.example.com:5060  \"No \\\"h261\\\", sorry\"").unwrap();
        assert_eq!((warning.code, warning.agent), (304, &b"pc.example.com:5060"[..]));
        assert_eq!(warning.text(), "No \"h261\", sorry");
    }

    #[test]
    fn a_warning_without_its_parts_is_refused() {
        for bad in [&b""[..], b"305", b"305 h", b"30 h \"x\"", b"x05 h \"x\""] {
            assert!(Warning::parse(bad).is_err(), "{}", lex::text(bad));
        }
    }
}
