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
    /// Where the next NAL unit begins, behind its start code.
    next: Option<usize>,
}

impl<'a> NalUnits<'a> {
    /// Reads a byte stream; `None` where it does not begin with a start code.
    pub fn new(stream: &'a Bytes) -> Option<Self> {
        let first = memmem::find(stream, &[0, 0, 1])?;
        let leading = stream.get(..first)?;
        leading.iter().all(|&b| b == 0).then_some(NalUnits { stream, next: Some(first + 3) })
    }
}

impl Iterator for NalUnits<'_> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        loop {
            let begin = self.next?;
            let rest = self.stream.get(begin..)?;
            let found = memmem::find(rest, &[0, 0, 1]);
            self.next = found.map(|at| begin + at + 3);
            let nal = rest.get(..found.unwrap_or(rest.len()))?;
            let end = nal.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
            if end > 0 {
                return Some(self.stream.slice(begin..begin + end));
            }
        }
    }
}
