//! Frames of 802.11, bare and behind the headers that monitors put before them: radiotap and PPI.
//!
//! Only data frames hold IP. One that is protected, is a fragment, or was received with a wrong check sum, cannot
//! be read; an aggregate (A-MSDU) holds several packets.

use super::link::{Inner, Part, llc};
use super::octets::{Order, be16, octet};

/// The bits of a frame's first two octets, IEEE 802.11-2016 section 9.2.4.1.
mod control {
    /// Version, and type: a data frame of the only version.
    pub(super) const KIND_MASK: u8 = 0x0f;
    pub(super) const DATA: u8 = 0x08;
    /// In the type: without payload; with quality of service.
    pub(super) const NO_DATA: u8 = 0x40;
    pub(super) const QOS: u8 = 0x80;
    /// In the flags.
    pub(super) const BOTH_WAYS: u8 = 0x03;
    pub(super) const MORE_FRAGMENTS: u8 = 0x04;
    pub(super) const PROTECTED: u8 = 0x40;
    pub(super) const ORDER: u8 = 0x80;
    /// In the first octet of the quality of service.
    pub(super) const AGGREGATE: u8 = 0x80;
}

const HEADER: usize = 24;

/// The IP packet in a frame that begins at `at`. `padded`: the header is filled up to a multiple of four octets.
pub(super) fn inner(frame: &[u8], at: usize, padded: bool) -> Option<Inner> {
    let (kind, flags) = (octet(frame, at)?, octet(frame, at + 1)?);
    let sequence = Order::Little.u16(frame, at + 22)?;
    let fragment = flags & control::MORE_FRAGMENTS != 0 || sequence & 0x0f != 0;
    let readable = kind & control::KIND_MASK == control::DATA
        && kind & control::NO_DATA == 0
        && flags & control::PROTECTED == 0
        && !fragment;
    if !readable {
        return None;
    }
    let mut length = HEADER;
    if flags & control::BOTH_WAYS == control::BOTH_WAYS {
        length += 6; // a fourth address
    }
    let mut aggregate = false;
    if kind & control::QOS != 0 {
        aggregate = octet(frame, at + length)? & control::AGGREGATE != 0;
        length += 2;
        if flags & control::ORDER != 0 {
            length += 4; // HT control
        }
    }
    if padded {
        length = length.next_multiple_of(4);
    }
    if aggregate {
        return subframe(frame, at + length);
    }
    Some(Inner { at: llc(frame, at + length)?, ..Inner::default() })
}

/// The first IP packet in the parts of an aggregate from `at` on: two addresses, a length, LLC; each part is filled up
/// to a multiple of four octets (IEEE 802.11-2016 section 9.3.2.2).
pub(super) fn subframe(frame: &[u8], mut at: usize) -> Option<Inner> {
    loop {
        let length = usize::from(be16(frame, at + 12)?);
        let part = Part { end: at + 14 + length, next: at + (14 + length).next_multiple_of(4) };
        if let Some(inner) = llc(frame, at + 14) {
            return Some(Inner { at: inner, part: Some(part), direction: None });
        }
        at = part.next;
    }
}

/// Flags of radiotap's field of that name.
mod radiotap_flags {
    pub(super) const PADDED: u8 = 0x20;
    pub(super) const BAD_CHECK_SUM: u8 = 0x40;
}

/// A frame behind radiotap (<https://www.radiotap.org>): version, length, bits of what is present, fields.
pub(super) fn radiotap(frame: &[u8]) -> Option<Inner> {
    const TIMER: u32 = 1;
    const FLAGS: u32 = 1 << 1;
    const MORE: u32 = 1 << 31;
    if octet(frame, 0)? != 0 {
        return None;
    }
    let length = usize::from(Order::Little.u16(frame, 2)?);
    let header = frame.get(..length)?;
    let present = Order::Little.u32(header, 4)?;
    let mut fields = 8;
    let mut word = present;
    while word & MORE != 0 {
        word = Order::Little.u32(header, fields)?;
        fields += 4;
    }
    let mut flags = 0;
    if present & FLAGS != 0 {
        if present & TIMER != 0 {
            fields = fields.next_multiple_of(8) + 8;
        }
        flags = octet(header, fields)?;
    }
    if flags & radiotap_flags::BAD_CHECK_SUM != 0 {
        return None;
    }
    inner(frame, length, flags & radiotap_flags::PADDED != 0)
}

/// The type of the frame behind a PPI header (CACE Technologies, Per-Packet Information, version 1.0.10), and where
/// it begins.
pub(super) fn ppi(frame: &[u8]) -> Option<(u32, usize)> {
    const COMMON: u16 = 2;
    const BAD_CHECK_SUM: u16 = 0x0004;
    const ALIGNED: u8 = 0x01;
    let (version, flags) = (octet(frame, 0)?, octet(frame, 1)?);
    let length = usize::from(Order::Little.u16(frame, 2)?);
    let link = Order::Little.u32(frame, 4)?;
    let header = frame.get(..length)?;
    if version != 0 || length < 8 {
        return None;
    }
    let mut at = 8;
    while let (Some(kind), Some(size)) = (Order::Little.u16(header, at), Order::Little.u16(header, at + 2)) {
        let received = Order::Little.u16(header, at + 12);
        if kind == COMMON && size >= 10 && received.is_some_and(|flags| flags & BAD_CHECK_SUM != 0) {
            return None;
        }
        at += 4 + usize::from(size);
        if flags & ALIGNED != 0 {
            at = at.next_multiple_of(4);
        }
    }
    Some((link, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LLC: [u8; 8] = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];

    fn frame(kind: u8, flags: u8, more: &[u8]) -> Vec<u8> {
        [&[kind, flags][..], &[0; 22], more, &LLC].concat()
    }

    fn at(frame: &[u8]) -> Option<usize> {
        inner(frame, 0, false).map(|inner| inner.at)
    }

    #[test]
    fn headers_of_every_length_are_passed_over() {
        assert_eq!(at(&frame(0x08, 1, &[])), Some(32));
        assert_eq!(at(&frame(0x08, 3, &[0; 6])), Some(38));
        assert_eq!(at(&frame(0x88, 2, &[0; 2])), Some(34));
        assert_eq!(at(&frame(0x88, 3, &[0; 8])), Some(40));
        assert_eq!(at(&frame(0x88, 0x81, &[0; 6])), Some(38));
        assert_eq!(inner(&frame(0x88, 2, &[0; 4]), 0, true).map(|i| i.at), Some(36));
    }

    #[test]
    fn what_holds_no_readable_packet_is_left() {
        for (kind, flags) in
            [(0x80, 0), (0xd4, 0), (0x48, 1), (0xc8, 1), (0x08, 0x41), (0x08, 0x05), (0x09, 1)]
        {
            assert_eq!(at(&frame(kind, flags, &[])), None, "{kind:#x} {flags:#x}");
        }
        let mut fragment = frame(0x08, 1, &[]);
        fragment[22] = 1;
        assert_eq!(at(&fragment), None);
    }

    #[test]
    fn every_packet_of_an_aggregate_is_found() {
        let part = |protocol: u8| {
            let length = [0, 10];
            [&[0; 12][..], &length, &[0xaa, 0xaa, 3, 0, 0, 0, 8, protocol], &[0x45, 0]].concat()
        };
        let parts = [part(0), part(6), part(0)].concat();
        let frame = [&[0x88, 2][..], &[0; 22], &[0x80, 0], &parts].concat();
        let first = inner(&frame, 0, false).unwrap();
        assert_eq!((first.at, first.part), (26 + 22, Some(Part { end: 26 + 24, next: 26 + 24 })));
        // The second one is ARP.
        let second = subframe(&frame, 50).unwrap();
        assert_eq!((second.at, second.part.unwrap().next), (26 + 48 + 22, 26 + 72));
        assert_eq!(subframe(&frame, 98), None);
    }

    #[test]
    fn radiotap_is_as_long_as_it_says_and_tells_bad_frames() {
        let data = frame(0x88, 2, &[0; 4]);
        let tap = |present: &[u8], fields: &[u8]| {
            let length = (4 + present.len() + fields.len()) as u8;
            [&[0, 0, length, 0], present, fields, &data].concat()
        };
        // Flags alone: padded.
        assert_eq!(radiotap(&tap(&[2, 0, 0, 0], &[0x20])).unwrap().at, 9 + 36);
        // Two words of bits, padding, the timer, flags.
        let fields = [&[0; 12][..], &[0x20]].concat();
        let long = tap(&[3, 0, 0, 0x80, 0, 0, 0, 0], &fields);
        assert_eq!(radiotap(&long).unwrap().at, 25 + 36);
        assert_eq!(radiotap(&tap(&[2, 0, 0, 0], &[0x60])), None);
        // Bits that say there are more bits, to the end of the header.
        assert_eq!(radiotap(&tap(&[2, 0, 0, 0x80], &[0, 0, 0, 0x80])), None);
    }

    #[test]
    fn ppi_names_the_link_inside_and_tells_bad_frames() {
        let header = |flags: u8| {
            let common = [&[2, 0, 20, 0][..], &[0; 8], &[flags, 0], &[0; 10]].concat();
            [&[0, 0, 40, 0, 105, 0, 0, 0][..], &[9, 9, 4, 0, 0, 0, 0, 0], &common].concat()
        };
        assert_eq!(ppi(&header(1)), Some((105, 40)));
        assert_eq!(ppi(&header(5)), None);
        assert_eq!(ppi(&[0, 0, 4, 0, 105, 0, 0, 0]), None);
    }
}
