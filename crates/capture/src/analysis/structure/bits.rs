//! Bits of an H.264 NAL unit, without its emulation prevention octets (ITU-T H.264 clause 7.3.1).

/// Reads a NAL unit bit by bit, from behind its header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bits<'a> {
    rest: &'a [u8],
    /// Zero octets just before.
    zeros: u8,
    octet: u8,
    left: u8,
}

impl<'a> Bits<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Bits { rest, zeros: 0, octet: 0, left: 0 }
    }

    pub(super) fn bit(&mut self) -> Option<u32> {
        if self.left == 0 {
            let (&first, mut rest) = self.rest.split_first()?;
            let mut octet = first;
            if self.zeros >= 2 && octet == 3 {
                let (&next, after) = rest.split_first()?;
                (octet, rest, self.zeros) = (next, after, 0);
            }
            self.zeros = if octet == 0 { self.zeros.saturating_add(1) } else { 0 };
            (self.octet, self.rest, self.left) = (octet, rest, 8);
        }
        self.left -= 1;
        Some(u32::from(self.octet >> self.left & 1))
    }

    /// At most 32 bits.
    pub(super) fn bits(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value: u32, _| Some(value << 1 | self.bit()?))
    }

    /// An unsigned Exp-Golomb code (clause 9.1).
    pub(super) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.bits(zeros)?;
        Some((1u32 << zeros) - 1 + rest)
    }

    /// A signed one (clause 9.1.1).
    pub(super) fn se(&mut self) -> Option<i64> {
        let code = i64::from(self.ue()?);
        Some(if code % 2 == 1 { code / 2 + 1 } else { -(code / 2) })
    }
}
