//! One datagram as it is kept, and the IP and UDP headers that it had, or could have had, on the wire.
//!
//! A socket gives and takes payloads; a capture file holds packets. The headers are therefore made up again:
//! IPv4 (RFC 791) or IPv6 (RFC 8200) without options, and UDP (RFC 768), with correct checksums. What a
//! socket cannot know (time to live, identification, fragments) takes fixed or counted values.

use bytes::Bytes;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use thiserror::Error;
use visavis_proto::Time;

/// Which way a datagram went, seen from the endpoint that recorded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// It arrived here.
    Inbound,
    /// It was sent from here.
    Outbound,
}

/// A datagram that was recorded, whole or its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it arrived or was sent.
    pub time: Time,
    /// Which way it went.
    pub direction: Direction,
    /// The address on this side.
    pub local: SocketAddr,
    /// The address on the other side.
    pub remote: SocketAddr,
    /// The payload, or its first octets.
    data: Bytes,
    /// The length of the whole payload.
    length: usize,
    /// The one's complement sum of the whole payload, for the UDP checksum.
    sum: u16,
}

/// Why a datagram cannot be given headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// No UDP datagram is that long.
    #[error("a payload of {0} octets does not fit into a UDP datagram")]
    TooLong(usize),
}

const UDP: u8 = 17;
const UDP_HEADER: usize = 8;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const TIME_TO_LIVE: u8 = 64;

impl Record {
    /// Keeps the first `keep` octets of a payload.
    pub fn new(
        time: Time,
        direction: Direction,
        local: SocketAddr,
        remote: SocketAddr,
        payload: &[u8],
        keep: usize,
    ) -> Self {
        let data = Bytes::copy_from_slice(&payload[..keep.min(payload.len())]);
        let sum = fold(sum(payload));
        Record { time, direction, local, remote, data, length: payload.len(), sum }
    }

    /// The payload, or as much of it as was kept.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The length of the payload when it was sent, octets.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Appends the packet to `out`: IP header, UDP header, payload. Returns its length on the wire, which is
    /// more than what was appended where only the beginning of the payload was kept.
    pub fn write_packet(&self, identification: u16, out: &mut Vec<u8>) -> Result<usize, FrameError> {
        let (local, remote) = same_family(self.local.ip(), self.remote.ip());
        let (local, remote) = ((local, self.local.port()), (remote, self.remote.port()));
        let ((src, src_port), (dst, dst_port)) = match self.direction {
            Direction::Inbound => (remote, local),
            Direction::Outbound => (local, remote),
        };
        let too_long = FrameError::TooLong(self.length);
        let udp_length = u16::try_from(UDP_HEADER + self.length).map_err(|_| too_long)?;
        let (ip_header, addresses_sum) = match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let total = udp_length.checked_add(IPV4_HEADER as u16).ok_or(too_long)?;
                out.extend_from_slice(&ipv4_header(src, dst, total, identification));
                (IPV4_HEADER, sum(&src.octets()) + sum(&dst.octets()))
            }
            (src, dst) => {
                let (src, dst) = (to_v6(src), to_v6(dst));
                out.extend_from_slice(&ipv6_header(src, dst, udp_length));
                (IPV6_HEADER, sum(&src.octets()) + sum(&dst.octets()))
            }
        };
        // The pseudo header (RFC 768, RFC 8200 section 8.1), the UDP header and the payload.
        let header = u64::from(src_port) + u64::from(dst_port) + u64::from(udp_length);
        let pseudo = addresses_sum + u64::from(UDP) + u64::from(udp_length);
        // A sum of zero is sent as all ones: zero would mean that there is none.
        let checksum = match !fold(pseudo + header + u64::from(self.sum)) {
            0 => 0xffff,
            checksum => checksum,
        };
        for field in [src_port, dst_port, udp_length, checksum] {
            out.extend_from_slice(&field.to_be_bytes());
        }
        out.extend_from_slice(&self.data);
        Ok(ip_header + UDP_HEADER + self.length)
    }
}

fn ipv4_header(src: Ipv4Addr, dst: Ipv4Addr, total: u16, identification: u16) -> [u8; IPV4_HEADER] {
    let mut header = [0; IPV4_HEADER];
    header[0] = 0x45;
    header[2..4].copy_from_slice(&total.to_be_bytes());
    header[4..6].copy_from_slice(&identification.to_be_bytes());
    header[8] = TIME_TO_LIVE;
    header[9] = UDP;
    header[12..16].copy_from_slice(&src.octets());
    header[16..20].copy_from_slice(&dst.octets());
    let checksum = !fold(sum(&header));
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    header
}

fn ipv6_header(src: Ipv6Addr, dst: Ipv6Addr, payload: u16) -> [u8; IPV6_HEADER] {
    let mut header = [0; IPV6_HEADER];
    header[0] = 0x60;
    header[4..6].copy_from_slice(&payload.to_be_bytes());
    header[6] = UDP;
    header[7] = TIME_TO_LIVE;
    header[8..24].copy_from_slice(&src.octets());
    header[24..40].copy_from_slice(&dst.octets());
    header
}

/// Brings both addresses to IPv4 where that is what they stand for: a socket that serves both families shows
/// IPv4 peers as `::ffff:a.b.c.d`, and a wildcard address has no family to speak of.
fn same_family(a: IpAddr, b: IpAddr) -> (IpAddr, IpAddr) {
    let wildcard = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    match (a.to_canonical(), b.to_canonical()) {
        (IpAddr::V6(a), IpAddr::V4(b)) if a.is_unspecified() => (wildcard, b.into()),
        (IpAddr::V4(a), IpAddr::V6(b)) if b.is_unspecified() => (a.into(), wildcard),
        same => same,
    }
}

fn to_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// The sum of the 16-bit words of `data`, the last one filled up with zero (RFC 1071 section 1).
fn sum(data: &[u8]) -> u64 {
    let words = data.chunks_exact(2);
    let odd = words.remainder().first().map_or(0, |octet| u64::from(*octet) << 8);
    words.map(|w| u64::from(u16::from_be_bytes([w[0], w[1]]))).sum::<u64>() + odd
}

/// Folds the carries back in.
fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(local: &str, remote: &str, payload: &[u8], keep: usize) -> Record {
        let (local, remote) = (local.parse().unwrap(), remote.parse().unwrap());
        Record::new(Time::ZERO, Direction::Outbound, local, remote, payload, keep)
    }

    fn packet(record: &Record) -> Vec<u8> {
        let mut out = Vec::new();
        let length = record.write_packet(0x1234, &mut out).unwrap();
        assert!(length >= out.len());
        out
    }

    #[test]
    fn an_ipv4_packet_is_the_one_worked_out_by_hand() {
        let packet = packet(&record("10.0.0.1:16402", "10.0.0.2:5060", b"abc", usize::MAX));
        let expected = [
            0x45, 0, 0, 31, 0x12, 0x34, 0, 0, 64, 17, 0x54, 0x98, 10, 0, 0, 1, 10, 0, 0, 2, 0x40, 0x12, 0x13,
            0xc4, 0, 11, 0xd3, 0x9c, b'a', b'b', b'c',
        ];
        assert_eq!(packet, expected);
    }

    #[test]
    fn the_sum_over_a_packet_with_its_checksums_is_all_ones() {
        for length in [0, 1, 2, 7, 1200, 65_507] {
            let payload: Vec<u8> = (0..length).map(|i| (i * 7 + i / 256) as u8).collect();
            let v4 = packet(&record("192.0.2.7:1", "198.51.100.9:65535", &payload, usize::MAX));
            assert_eq!(fold(sum(&v4[..20])), 0xffff);
            let pseudo = 17 + (v4.len() - 20) as u64;
            assert_eq!(fold(sum(&v4[12..]) + pseudo), 0xffff);
            let v6 = packet(&record("[2001:db8::1]:1", "[2001:db8::2]:2", &payload, usize::MAX));
            let pseudo = 17 + (v6.len() - 40) as u64;
            assert_eq!(fold(sum(&v6[8..]) + pseudo), 0xffff);
        }
    }

    #[test]
    fn a_checksum_of_zero_is_written_as_all_ones() {
        // The payload is what makes the sum come out at all ones.
        let empty = packet(&record("10.0.0.1:1", "10.0.0.2:1", &[0, 0], usize::MAX));
        let checksum = [empty[26], empty[27]];
        let packet = packet(&record("10.0.0.1:1", "10.0.0.2:1", &checksum, usize::MAX));
        assert_eq!(packet[26..28], [0xff, 0xff]);
    }

    #[test]
    fn the_beginning_of_a_payload_has_the_headers_of_the_whole() {
        let whole = packet(&record("10.0.0.1:1", "10.0.0.2:2", &[0x80; 500], usize::MAX));
        let cut = record("10.0.0.1:1", "10.0.0.2:2", &[0x80; 500], 12);
        assert_eq!((cut.data().len(), cut.length()), (12, 500));
        let mut out = Vec::new();
        assert_eq!(cut.write_packet(0x1234, &mut out), Ok(528));
        assert_eq!(out, whole[..40]);
    }

    #[test]
    fn mapped_and_wildcard_addresses_become_ipv4_beside_an_ipv4_peer() {
        for local in ["[::ffff:10.0.0.1]:1", "[::]:1"] {
            assert_eq!(packet(&record(local, "[::ffff:10.0.0.2]:2", b"x", 1))[0], 0x45);
        }
        assert_eq!(packet(&record("10.0.0.1:1", "[2001:db8::2]:2", b"x", 1))[0], 0x60);
    }

    #[test]
    fn a_payload_that_no_datagram_carries_is_refused() {
        let long = record("10.0.0.1:1", "10.0.0.2:2", &[0; 65_508], 0);
        assert_eq!(long.write_packet(0, &mut Vec::new()), Err(FrameError::TooLong(65_508)));
        let long = record("[::1]:1", "[::1]:2", &[0; 65_528], 0);
        assert_eq!(long.write_packet(0, &mut Vec::new()), Err(FrameError::TooLong(65_528)));
    }
}
