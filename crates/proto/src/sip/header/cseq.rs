//! CSeq (RFC 3261 section 20.16).

use super::value::{HeaderValue, ValueError};
use crate::sip::lex;
use crate::sip::method::Method;

/// The value of a CSeq header field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// The sequence number, below 2^31 (RFC 3261 section 8.1.1.5).
    pub seq: u32,
    /// The method of the request, or of the request that a response answers.
    pub method: Method,
}

impl CSeq {
    /// Reads a value.
    ///
    /// # Errors
    /// Anything but a number below 2^31, white space and a token.
    pub fn parse(value: &[u8]) -> Result<CSeq, ValueError> {
        let digits = value.iter().position(|b| !b.is_ascii_digit()).unwrap_or(value.len());
        let (number, rest) = value.split_at_checked(digits).unwrap_or_default();
        let seq = lex::decimal(number)
            .filter(|&n| n < 1 << 31)
            .ok_or(ValueError::new("no number below 2^31", 0))?;
        let name = lex::trim(rest);
        let method = (name.len() < rest.len()).then(|| Method::parse(name)).flatten();
        Ok(CSeq { seq, method: method.ok_or(ValueError::new("no method", digits))? })
    }
}

impl HeaderValue for CSeq {
    fn write_value(&self, out: &mut Vec<u8>) {
        self.seq.write_value(out);
        out.push(b' ');
        out.extend_from_slice(self.method.as_str().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_have_leading_zeros_and_wide_white_space() {
        let cseq = CSeq::parse(b"0009 \t INVITE").unwrap();
        assert_eq!(cseq, CSeq { seq: 9, method: Method::Invite });
        let mut out = Vec::new();
        cseq.write_value(&mut out);
        assert_eq!(out, b"9 INVITE");
    }

    #[test]
    fn numbers_of_2_to_the_31_and_above_are_refused() {
        assert_eq!(CSeq::parse(b"2147483647 ACK").unwrap().seq, 2_147_483_647);
        for bad in
            [&b"2147483648 ACK"[..], b"99999999999 ACK", b"-1 ACK", b"ACK", b"1", b"1ACK", b"1 A B", b""]
        {
            assert!(CSeq::parse(bad).is_err(), "{}", lex::text(bad));
        }
    }
}
