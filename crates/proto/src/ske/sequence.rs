//! The value of the `SKESeq` header field: `sequence;fragment`.

use std::fmt;
use std::str::FromStr;

/// Where a body belongs: `SKESeq: 3;0` is the first fragment of message 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SkeSeq {
    /// The number of the message, by custom from 1.
    pub sequence: u64,
    /// The number of the fragment, from 0.
    pub fragment: u32,
}

/// A value that is no `number;number`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("SKESeq must be a sequence number and a fragment number, as in 1;0")]
pub struct SkeSeqError;

impl FromStr for SkeSeq {
    type Err = SkeSeqError;

    fn from_str(text: &str) -> Result<Self, SkeSeqError> {
        let (sequence, fragment) = text.split_once(';').ok_or(SkeSeqError)?;
        Ok(SkeSeq { sequence: number(sequence)?, fragment: number(fragment)? })
    }
}

/// Digits alone: the standard parser would take a sign.
fn number<T: FromStr>(text: &str) -> Result<T, SkeSeqError> {
    let text = text.trim_matches([' ', '\t']);
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(SkeSeqError);
    }
    text.parse().map_err(|_| SkeSeqError)
}

impl fmt::Display for SkeSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};{}", self.sequence, self.fragment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_reads_and_prints_and_anything_else_is_refused() {
        for (text, sequence, fragment) in
            [("1;0", 1, 0), (" 4 ; 2 ", 4, 2), ("18446744073709551615;4294967295", u64::MAX, u32::MAX)]
        {
            assert_eq!(text.parse(), Ok(SkeSeq { sequence, fragment }), "{text}");
        }
        assert_eq!(SkeSeq { sequence: 3, fragment: 1 }.to_string(), "3;1");
        for text in ["", "1", "1;", ";0", "+1;0", "1;-0", "1;0;0", "18446744073709551616;0", "1;4294967296"] {
            assert_eq!(text.parse::<SkeSeq>(), Err(SkeSeqError), "{text}");
        }
    }
}
