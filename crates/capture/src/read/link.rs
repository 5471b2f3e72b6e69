//! From a frame to the IP packet inside, by the type of the link (<https://www.tcpdump.org/linktypes.html>).

use super::octets::{Order, be16, be32, octet, within};
use super::pcap::sent;
use super::wifi;
use crate::datagram::Direction;

/// Where in a frame an IP packet begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Inner {
    /// Octets before it.
    pub(super) at: usize,
    /// The part that it stands in, of a frame that may hold several.
    pub(super) part: Option<Part>,
    /// Which way it went, where the frame says so.
    pub(super) direction: Option<Direction>,
}

/// A part of a frame of 802.11.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Octets before its end.
    pub(super) end: usize,
    /// Where the next one begins.
    pub(super) next: usize,
}

/// Numbers of LINKTYPE_... and, where they differ, of DLT_..., which PPI names and old files do.
mod kind {
    pub(super) const NULL: u32 = 0;
    pub(super) const ETHERNET: u32 = 1;
    pub(super) const RAW: [u32; 3] = [12, 14, 101];
    pub(super) const IEEE802_11: u32 = 105;
    pub(super) const LOOP: u32 = 108;
    pub(super) const LINUX_SLL: u32 = 113;
    pub(super) const IEEE802_11_RADIOTAP: u32 = 127;
    pub(super) const PPI: u32 = 192;
    pub(super) const IPV4: u32 = 228;
    pub(super) const IPV6: u32 = 229;
    pub(super) const LINUX_SLL2: u32 = 276;
}

/// The numbers of protocols behind the header of a frame.
mod ethertype {
    pub(super) const IPV4: u16 = 0x0800;
    pub(super) const IPV6: u16 = 0x86dd;
    pub(super) const VLAN: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
    pub(super) const PPPOE_SESSION: u16 = 0x8864;
}

/// More tags than these nobody stacks.
const MAX_TAGS: usize = 8;

/// Finds the IP packet in a frame; `None` where there is none, or none that can be read.
pub(super) fn inner(link: u32, frame: &[u8]) -> Option<Inner> {
    match link {
        kind::ETHERNET => ethernet(frame, 0),
        kind::LINUX_SLL => {
            let direction = be16(frame, 0).and_then(|kind| sent(u8::try_from(kind).ok()?));
            Some(Inner { direction, ..protocol(frame, 14)? })
        }
        kind::LINUX_SLL2 => {
            let direction = octet(frame, 10).and_then(sent);
            Some(Inner { at: payload(frame, be16(frame, 0)?, 20)?, part: None, direction })
        }
        kind::NULL => {
            // The family in the byte order of the machine that captured, whichever that was.
            let family = [Order::Little, Order::Big].map(|order| order.u32(frame, 0));
            let known = family.into_iter().flatten().any(is_ip_family);
            known.then_some(Inner { at: 4, ..Inner::default() })
        }
        kind::LOOP => {
            be32(frame, 0).filter(|f| is_ip_family(*f)).map(|_| Inner { at: 4, ..Inner::default() })
        }
        kind::IPV4 | kind::IPV6 => Some(Inner::default()),
        link if kind::RAW.contains(&link) => Some(Inner::default()),
        kind::IEEE802_11 => wifi::inner(frame, 0, false),
        kind::IEEE802_11_RADIOTAP => wifi::radiotap(frame),
        kind::PPI => match wifi::ppi(frame)? {
            (kind::PPI, _) => None,
            (link, at) => {
                let inner = inner(link, within(frame, at..frame.len()))?;
                let part = inner.part.map(|part| Part { end: part.end + at, next: part.next + at });
                Some(Inner { at: inner.at + at, part, ..inner })
            }
        },
        _ => None,
    }
}

/// The next IP packet in a frame that held several, from [`Part::next`] of the one before.
pub(super) fn next_inner(frame: &[u8], next: usize) -> Option<Inner> {
    wifi::subframe(frame, next)
}

/// AF_INET is 2 everywhere; AF_INET6 is 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on Darwin, 10 on Linux.
fn is_ip_family(family: u32) -> bool {
    matches!(family, 2 | 10 | 24 | 28 | 30)
}

/// Behind two addresses of six octets: a protocol, or a length and LLC (IEEE 802.3).
fn ethernet(frame: &[u8], at: usize) -> Option<Inner> {
    protocol(frame, at + 12)
}

/// What begins with the number of a protocol or with a length.
fn protocol(frame: &[u8], at: usize) -> Option<Inner> {
    Some(Inner { at: payload(frame, be16(frame, at)?, at + 2)?, ..Inner::default() })
}

/// Where the IP packet begins behind the number of a protocol or a length.
fn payload(frame: &[u8], number: u16, at: usize) -> Option<usize> {
    match number {
        // Linux writes 4 where LLC follows (LINKTYPE_LINUX_SLL); longer is a length.
        0..=1500 => llc(frame, at),
        number => by_ethertype(frame, number, at),
    }
}

/// Behind LLC with SNAP (RFC 1042): a protocol, or LLC's own number for IPv4.
pub(super) fn llc(frame: &[u8], at: usize) -> Option<usize> {
    match *within(frame, at..at + 8) {
        // Encapsulated Ethernet, as such or across bridges (IEEE 802.1H).
        [0xaa, 0xaa, 0x03, 0, 0, 0 | 0xf8, high, low] => {
            by_ethertype(frame, u16::from_be_bytes([high, low]), at + 8)
        }
        [0x06, 0x06, 0x03, ..] => Some(at + 3),
        _ => None,
    }
}

/// Passes over tags. `at` is where the payload of `number` begins.
fn by_ethertype(frame: &[u8], mut number: u16, mut at: usize) -> Option<usize> {
    for _ in 0..=MAX_TAGS {
        match number {
            ethertype::IPV4 | ethertype::IPV6 => return Some(at),
            tag if ethertype::VLAN.contains(&tag) => {
                number = be16(frame, at + 2)?;
                at += 4;
                if number <= 1500 {
                    return llc(frame, at);
                }
            }
            // PPP behind six octets (RFC 2516 section 4), its protocols being those of RFC 1332 and RFC 5072.
            ethertype::PPPOE_SESSION => {
                return matches!(be16(frame, at + 6)?, 0x0021 | 0x0057).then_some(at + 8);
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(link: u32, frame: &[u8]) -> Option<usize> {
        inner(link, frame).map(|inner| inner.at)
    }

    fn addressed(rest: &[u8]) -> Vec<u8> {
        [&[2; 12], rest].concat()
    }

    #[test]
    fn tags_are_passed_over_however_many_there_are() {
        assert_eq!(at(1, &addressed(&[8, 0])), Some(14));
        assert_eq!(at(1, &addressed(&[0x81, 0, 0, 7, 0x86, 0xdd])), Some(18));
        assert_eq!(at(1, &addressed(&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8, 8, 0])), Some(22));
        let many = [[0x81, 0, 0, 1].repeat(9), vec![8, 0]].concat();
        assert_eq!(at(1, &addressed(&many)), None);
    }

    #[test]
    fn llc_and_pppoe_are_passed_over() {
        assert_eq!(at(1, &addressed(&[0, 50, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0])), Some(22));
        assert_eq!(at(1, &addressed(&[0, 50, 0x42, 0x42, 3, 0, 0, 0, 8, 0])), None);
        assert_eq!(at(1, &addressed(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 40, 0, 0x21])), Some(22));
        assert_eq!(at(1, &addressed(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 40, 0xc0, 0x21])), None);
    }

    #[test]
    fn cooked_frames_tell_the_way() {
        let mut v1 = [0; 16];
        v1[14..].copy_from_slice(&[8, 0]);
        let found = inner(113, &v1).unwrap();
        assert_eq!((found.at, found.direction), (16, Some(Direction::Inbound)));
        v1[1] = 4;
        assert_eq!(inner(113, &v1).unwrap().direction, Some(Direction::Outbound));
        let mut v2 = [0; 20];
        v2[..2].copy_from_slice(&[0x86, 0xdd]);
        v2[10] = 3;
        let found = inner(276, &v2).unwrap();
        assert_eq!((found.at, found.direction), (20, None));
        let llc = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
        v2[..2].copy_from_slice(&[0, 4]);
        assert_eq!(at(276, &[&v2[..], &llc].concat()), Some(28));
    }

    #[test]
    fn the_family_of_a_loopback_may_have_either_order() {
        for family in [[2, 0, 0, 0], [0, 0, 0, 2], [30, 0, 0, 0], [0, 0, 0, 24]] {
            assert_eq!(at(0, &family), Some(4));
            assert_eq!(at(108, &family).is_some(), family[0] == 0);
        }
        assert_eq!(at(0, &[7, 0, 0, 0]), None);
    }

    #[test]
    fn what_is_no_ip_has_nothing_inside() {
        assert_eq!(at(1, &addressed(&[8, 6])), None);
        assert_eq!(at(1, &[0; 13]), None);
        assert_eq!(at(9999, &[0; 100]), None);
        // PPI inside PPI inside PPI: one is enough.
        assert_eq!(at(192, &[0, 0, 8, 0, 192, 0, 0, 0, 0, 0, 8, 0, 1, 0, 0, 0]), None);
    }
}
