//! Headers of IPv4 (RFC 791), IPv6 (RFC 8200), UDP (RFC 768) and TCP (RFC 9293).
//!
//! Check sums are not looked at: whoever captures on the sending machine sees them before the network card has put
//! them in.

use super::octets::{be16, be32, octet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// The protocols that are read.
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const UDP_HEADER: usize = 8;
const TCP_HEADER: usize = 20;
/// More extension headers than these no packet has.
const MAX_EXTENSIONS: usize = 16;

/// An IP packet, its headers read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ip {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// The protocol inside. In a fragment of IPv6 it may be an extension header.
    pub(super) protocol: u8,
    /// Where the payload begins.
    pub(super) at: usize,
    /// How long it was on the wire, octets.
    pub(super) length: usize,
    pub(super) fragment: Option<Fragment>,
}

/// Which part of a payload a packet holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    pub(super) identification: u32,
    pub(super) offset: usize,
    pub(super) more: bool,
}

/// Reads the headers of a packet that had `wire` octets, of which `data` may be but the first.
pub(super) fn packet(data: &[u8], wire: usize) -> Option<Ip> {
    match octet(data, 0)? >> 4 {
        4 => ipv4(data, wire),
        6 => ipv6(data, wire),
        _ => None,
    }
}

fn ipv4(data: &[u8], wire: usize) -> Option<Ip> {
    let header = usize::from(octet(data, 0)? & 0x0f) * 4;
    // Zero stands in packets that the network card is still to cut into pieces.
    let total = match usize::from(be16(data, 2)?) {
        0 => wire,
        total => total,
    };
    if header < IPV4_HEADER || total < header {
        return None;
    }
    let flags = be16(data, 6)?;
    let offset = usize::from(flags & 0x1fff) * 8;
    let more = flags & 0x2000 != 0;
    let identification = u32::from(be16(data, 4)?);
    Some(Ip {
        source: Ipv4Addr::from(be32(data, 12)?).into(),
        destination: Ipv4Addr::from(be32(data, 16)?).into(),
        protocol: octet(data, 9)?,
        at: header,
        length: total - header,
        fragment: (more || offset > 0).then_some(Fragment { identification, offset, more }),
    })
}

fn ipv6(data: &[u8], wire: usize) -> Option<Ip> {
    let length = match usize::from(be16(data, 4)?) {
        0 => wire.saturating_sub(IPV6_HEADER),
        length => length,
    };
    let address =
        |at: usize| -> Option<IpAddr> { Some(Ipv6Addr::from(*data.get(at..)?.first_chunk::<16>()?).into()) };
    let (source, destination) = (address(8)?, address(24)?);
    let payload = data.get(IPV6_HEADER..).unwrap_or_default();
    let (protocol, skipped, fragment) = extensions(octet(data, 6)?, payload)?;
    let length = length.checked_sub(skipped)?;
    Some(Ip { source, destination, protocol, at: IPV6_HEADER + skipped, length, fragment })
}

/// Passes over extension headers (RFC 8200 section 4) up to the protocol or to a part of a fragmented payload. Gives
/// the protocol and how many octets come before it.
pub(super) fn extensions(mut next: u8, data: &[u8]) -> Option<(u8, usize, Option<Fragment>)> {
    let mut at = 0;
    for _ in 0..MAX_EXTENSIONS {
        match next {
            // Hop-by-hop options, routing, destination options, mobility, HIP, shim6.
            0 | 43 | 60 | 135 | 139 | 140 => {
                next = octet(data, at)?;
                at += (usize::from(octet(data, at + 1)?) + 1) * 8;
            }
            // Authentication (RFC 4302 section 2.2) counts in units of four octets.
            51 => {
                next = octet(data, at)?;
                at += (usize::from(octet(data, at + 1)?) + 2) * 4;
            }
            44 => {
                next = octet(data, at)?;
                let flags = be16(data, at + 2)?;
                let offset = usize::from(flags & 0xfff8);
                let more = flags & 1 != 0;
                let identification = be32(data, at + 4)?;
                at += 8;
                if more || offset > 0 {
                    return Some((next, at, Some(Fragment { identification, offset, more })));
                }
            }
            protocol => return Some((protocol, at, None)),
        }
    }
    None
}

/// What a UDP datagram or a TCP segment says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Transport {
    pub(super) source: u16,
    pub(super) destination: u16,
    /// Where in the IP payload its own payload stands, as far as it was captured.
    pub(super) data: Range<usize>,
    /// How long that was on the wire, octets.
    pub(super) length: usize,
}

/// Reads a UDP header. `length` is that of the IP payload on the wire.
pub(super) fn udp(payload: &[u8], length: usize) -> Option<Transport> {
    let length = match usize::from(be16(payload, 4)?) {
        0 => length,
        udp if udp <= length => udp,
        _ => return None,
    };
    transport(payload, UDP_HEADER, length)
}

/// The fields of a TCP header that tell where its payload belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tcp {
    pub(super) transport: Transport,
    pub(super) sequence: u32,
    /// What its sender has received, if it says so.
    pub(super) acknowledged: Option<u32>,
    pub(super) syn: bool,
}

/// Reads a TCP header. `length` is that of the IP payload on the wire.
pub(super) fn tcp(payload: &[u8], length: usize) -> Option<Tcp> {
    let flags = octet(payload, 13)?;
    let header = usize::from(octet(payload, 12)? >> 4) * 4;
    if header < TCP_HEADER {
        return None;
    }
    let acknowledged = be32(payload, 8)?;
    Some(Tcp {
        transport: transport(payload, header, length)?,
        sequence: be32(payload, 4)?,
        acknowledged: (flags & 0x10 != 0).then_some(acknowledged),
        syn: flags & 0x02 != 0,
    })
}

fn transport(payload: &[u8], header: usize, length: usize) -> Option<Transport> {
    let end = length.min(payload.len()).max(header);
    Some(Transport {
        source: be16(payload, 0)?,
        destination: be16(payload, 2)?,
        // Where the capture cut the header itself, there is no payload.
        data: header.min(payload.len())..end.min(payload.len()),
        length: length.checked_sub(header)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(flags: u16, total: u16, options: usize) -> Vec<u8> {
        let mut header = vec![0; 20 + options];
        header[0] = 0x45 + (options / 4) as u8;
        header[2..4].copy_from_slice(&total.to_be_bytes());
        header[5] = 7;
        header[6..8].copy_from_slice(&flags.to_be_bytes());
        header[9] = UDP;
        header[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
        header
    }

    fn v6(next: u8, extensions: &[u8], length: u16) -> Vec<u8> {
        let mut header = vec![0; 40];
        header[0] = 0x60;
        header[4..6].copy_from_slice(&length.to_be_bytes());
        header[6] = next;
        header[23] = 1;
        header[39] = 2;
        [&header, extensions].concat()
    }

    #[test]
    fn options_padding_and_zero_lengths_of_ipv4_are_understood() {
        let found = packet(&v4(0x4000, 100, 8), 200).unwrap();
        assert_eq!((found.at, found.length, found.fragment), (28, 72, None));
        assert_eq!(found.source.to_string(), "10.0.0.1");
        assert_eq!(packet(&v4(0, 0, 0), 200).unwrap().length, 180);
        assert_eq!(packet(&v4(0, 19, 0), 200), None);
        let mut short = v4(0, 100, 0);
        short[0] = 0x44;
        assert_eq!(packet(&short, 200), None);
        assert_eq!(packet(&short[..12], 200), None);
    }

    #[test]
    fn fragments_say_where_they_belong() {
        let found = packet(&v4(0x2003, 100, 0), 100).unwrap();
        assert_eq!(found.fragment, Some(Fragment { identification: 7, offset: 24, more: true }));
        let header = [UDP, 0, 0, 0x19, 0, 0, 1, 0];
        let found = packet(&v6(44, &header, 40), 80).unwrap();
        assert_eq!(found.fragment, Some(Fragment { identification: 256, offset: 24, more: true }));
        assert_eq!((found.at, found.length), (48, 32));
        // A fragment that is the whole (RFC 8200 section 4.5) needs no putting together.
        let found = packet(&v6(44, &[UDP, 0, 0, 0, 0, 0, 1, 0], 40), 80).unwrap();
        assert_eq!((found.protocol, found.fragment), (UDP, None));
    }

    #[test]
    fn extension_headers_are_passed_over() {
        let chain = [60, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 51, 0, 0, 0, 0, 0, 0, 0];
        let authentication = [UDP, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let found = packet(&v6(0, &[&chain[..], &authentication].concat(), 100), 140).unwrap();
        assert_eq!((found.protocol, found.at, found.length), (UDP, 76, 64));
        // Without an end, and longer than the packet.
        assert_eq!(packet(&v6(0, &[0; 400], 400), 440), None);
        assert_eq!(packet(&v6(0, &[60, 200, 0, 0, 0, 0, 0, 0], 8), 48), None);
    }

    #[test]
    fn udp_holds_no_more_than_the_packet_and_perhaps_less() {
        let datagram = |length: u16| {
            let length = length.to_be_bytes();
            [&[0, 1, 0, 2], &length[..], &[0, 0], b"payload"].concat()
        };
        let found = udp(&datagram(12), 15).unwrap();
        assert_eq!((found.source, found.destination), (1, 2));
        assert_eq!((found.data, found.length), (8..12, 4));
        assert_eq!(udp(&datagram(0), 15).unwrap().length, 7);
        assert_eq!(udp(&datagram(16), 15), None);
        assert_eq!(udp(&datagram(7), 15), None);
        // Cut by the capture.
        let cut = udp(&datagram(100)[..10], 100).unwrap();
        assert_eq!((cut.data, cut.length), (8..10, 92));
        assert_eq!(udp(&datagram(100)[..8], 100).unwrap().data, 8..8);
    }

    #[test]
    fn tcp_headers_have_options() {
        let mut segment = vec![0; 24];
        segment[7] = 9;
        segment[11] = 5;
        segment[12] = 0x60;
        segment[13] = 0x12;
        let found = tcp(&[&segment[..], b"data"].concat(), 28).unwrap();
        assert_eq!((found.sequence, found.acknowledged, found.syn), (9, Some(5), true));
        assert_eq!((found.transport.data, found.transport.length), (24..28, 4));
        // The options were cut off.
        assert_eq!(tcp(&segment[..20], 28).unwrap().transport.data, 20..20);
        segment[12] = 0x40;
        assert_eq!(tcp(&segment, 24), None);
    }
}
