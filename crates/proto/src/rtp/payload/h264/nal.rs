//! NAL units: their types, and where they lie in an Annex B byte stream (ITU-T H.264 clause 7.3.1 and annex B).

use bytes::Bytes;
use memchr::memmem;

/// The values of `nal_unit_type` (ITU-T H.264 table 7-1) and of its extension to packets (RFC 6184 table 1)
/// that the payload format looks at.
pub mod nal_type {
    /// A slice of a picture that is not an IDR picture.
    pub const SLICE: u8 = 1;
    /// A slice of an IDR picture.
    pub const IDR: u8 = 5;
    /// Supplemental enhancement information.
    pub const SEI: u8 = 6;
    /// A sequence parameter set.
    pub const SPS: u8 = 7;
    /// A picture parameter set.
    pub const PPS: u8 = 8;
    /// An access unit delimiter.
    pub const AUD: u8 = 9;
    /// Several NAL units of one access unit in a packet.
    pub const STAP_A: u8 = 24;
    /// A fragment of a NAL unit.
    pub const FU_A: u8 = 28;

    /// The type in a NAL unit's first octet.
    pub const fn of(header: u8) -> u8 {
        header & 0x1f
    }

    /// Whether NAL units of this type carry coded picture data, so that they belong to exactly one picture
    /// (VCL NAL units, those of auxiliary pictures and of the extensions' layers).
    pub const fn is_slice(nal_type: u8) -> bool {
        matches!(nal_type, 1..=5 | 19..=21)
    }
}

/// The start code that goes before each NAL unit of a delivered access unit.
pub(super) const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// The NAL units of an Annex B byte stream, in order, as slices of it: without start codes, and without the
/// zero octets that may lie between a NAL unit and the next start code.
#[derive(Debug)]
pub struct NalUnits<'a> {
    stream: &'a Bytes,
    /// Where the further start codes are.
    codes: memmem::FindIter<'a, 'static>,
    /// Where the next NAL unit begins, behind its start code.
    next: Option<usize>,
}

/// The start code prefix: three octets, the zero octet that may go before it aside.
const PREFIX: &[u8] = &[0, 0, 1];

impl<'a> NalUnits<'a> {
    /// Reads a byte stream; `None` where it does not begin with a start code.
    pub fn new(stream: &'a Bytes) -> Option<Self> {
        let mut codes = memmem::find_iter(stream, PREFIX);
        let first = codes.next()?;
        let leading = stream.get(..first)?;
        let next = Some(first + PREFIX.len());
        leading.iter().all(|&octet| octet == 0).then_some(NalUnits { stream, codes, next })
    }
}

impl Iterator for NalUnits<'_> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        loop {
            let begin = self.next?;
            let code = self.codes.next();
            self.next = code.map(|at| at + PREFIX.len());
            let nal = self.stream.get(begin..code.unwrap_or(self.stream.len()))?;
            // A NAL unit never ends in a zero octet (clause 7.4.1): such octets are padding.
            if let Some(last) = nal.iter().rposition(|&octet| octet != 0) {
                return Some(self.stream.slice(begin..=begin + last));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nals(stream: &'static [u8]) -> Option<Vec<Vec<u8>>> {
        Some(NalUnits::new(&Bytes::from_static(stream))?.map(|nal| nal.to_vec()).collect())
    }

    #[test]
    fn start_codes_of_three_and_four_octets_and_padding_are_left_out() {
        let stream = b"\0\0\0\0\x01\x67\x42\0\0\x01\x68\xce\0\0\0\0\0\x01\x65\0\0\x03\x01\x80\0\0";
        let expected: [&[u8]; 3] = [b"\x67\x42", b"\x68\xce", b"\x65\0\0\x03\x01\x80"];
        assert_eq!(nals(stream).unwrap(), expected);
    }

    #[test]
    fn a_stream_without_a_leading_start_code_is_not_annex_b() {
        assert_eq!(nals(b""), None);
        assert_eq!(nals(b"\x65\x88"), None);
        assert_eq!(nals(b"\x65\x88\0\0\x01\x41"), None);
    }

    #[test]
    fn start_codes_with_nothing_between_them_make_no_nal_units() {
        assert_eq!(nals(b"\0\0\x01\0\0\x01\0\0\0\x01").unwrap(), Vec::<Vec<u8>>::new());
    }
}
