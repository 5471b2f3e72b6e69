//! What both file formats give: one packet of a link.

use crate::datagram::Direction;
use std::ops::Range;
use visavis_proto::Time;

/// The longest packet that is believed, octets: four times what tcpdump captures by default.
pub(super) const MAX_PACKET: u32 = 1 << 20;

/// A packet as it stands in the file.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    /// When it was captured, if the file says so.
    pub(super) time: Option<Time>,
    /// The type of the link that it was captured on.
    pub(super) link: Option<u32>,
    /// Where in the buffer its captured octets are.
    pub(super) data: Range<usize>,
    /// Octets that it had on the wire.
    pub(super) length: usize,
    /// Which way it went, if the file says so.
    pub(super) direction: Option<Direction>,
}

/// What comes next in a file.
#[derive(Debug)]
pub(super) enum Step {
    /// A packet.
    Packet(Packet),
    /// The end, where it should be.
    End,
    /// Nothing more can be read, and why.
    Damage(String),
}

const NANOS: u64 = 1_000_000_000;

/// The unit of timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// So many nanoseconds.
    Nanos(u64),
    /// A nanosecond is so many units.
    Fraction(u64),
    /// A second divided by two to this power.
    Power(u32),
}

impl Unit {
    /// Microseconds, which is what holds where nothing is said.
    pub(super) const MICROS: Unit = Unit::Nanos(1000);

    /// From the octet of `if_tsresol`: a negative power of 2 where its first bit is set, of 10 otherwise
    /// (draft-ietf-opsawg-pcapng section 4.2).
    pub(super) fn from_resolution(octet: u8) -> Unit {
        let exponent = u32::from(octet & 0x7f);
        if octet & 0x80 != 0 {
            return Unit::Power(exponent);
        }
        match exponent {
            0..=9 => Unit::Nanos(10u64.pow(9 - exponent)),
            10..=28 => Unit::Fraction(10u64.pow(exponent - 9)),
            _ => Unit::Fraction(u64::MAX),
        }
    }

    /// So many units as nanoseconds.
    pub(super) fn nanos(self, count: u64) -> u64 {
        match self {
            Unit::Nanos(nanos) => count.saturating_mul(nanos),
            Unit::Fraction(units) => count / units,
            Unit::Power(exponent) => {
                let nanos = (u128::from(count) * u128::from(NANOS)) >> exponent;
                u64::try_from(nanos).unwrap_or(u64::MAX)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_of_any_unit_become_nanoseconds() {
        for (resolution, count, nanos) in [
            (0, 3, 3_000_000_000),
            (3, 1_289_000_000_123, 1_289_000_000_123_000_000),
            (6, 5, 5000),
            (9, 5, 5),
            (12, 5_999, 5),
            (28, u64::MAX, 1),
            (127, u64::MAX, 1),
            (0x80, 7, 7_000_000_000),
            (0x80 | 20, 1 << 19, 500_000_000),
            (0x80 | 32, 3 << 30, 750_000_000),
            (0xff, u64::MAX, 0),
            (0, u64::MAX, u64::MAX),
        ] {
            assert_eq!(Unit::from_resolution(resolution).nanos(count), nanos, "{resolution:#x}");
        }
    }
}
