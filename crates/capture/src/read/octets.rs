//! Numbers out of octets that may end too early.

use std::ops::Range;

/// The order of the octets of a number in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    pub(super) fn u16(self, data: &[u8], at: usize) -> Option<u16> {
        let octets = *data.get(at..)?.first_chunk()?;
        Some(match self {
            Order::Little => u16::from_le_bytes(octets),
            Order::Big => u16::from_be_bytes(octets),
        })
    }

    pub(super) fn u32(self, data: &[u8], at: usize) -> Option<u32> {
        let octets = *data.get(at..)?.first_chunk()?;
        Some(match self {
            Order::Little => u32::from_le_bytes(octets),
            Order::Big => u32::from_be_bytes(octets),
        })
    }

    pub(super) fn u64(self, data: &[u8], at: usize) -> Option<u64> {
        let octets = *data.get(at..)?.first_chunk()?;
        Some(match self {
            Order::Little => u64::from_le_bytes(octets),
            Order::Big => u64::from_be_bytes(octets),
        })
    }
}

/// An octet of a packet.
pub(super) fn octet(data: &[u8], at: usize) -> Option<u8> {
    data.get(at).copied()
}

/// A number of a packet in network order.
pub(super) fn be16(data: &[u8], at: usize) -> Option<u16> {
    Order::Big.u16(data, at)
}

/// A number of a packet in network order.
pub(super) fn be32(data: &[u8], at: usize) -> Option<u32> {
    Order::Big.u32(data, at)
}

/// As much of `range` as there is of `data`.
pub(super) fn within(data: &[u8], range: Range<usize>) -> &[u8] {
    let end = range.end.min(data.len());
    data.get(range.start..end).unwrap_or_default()
}
