//! Packets of IP: cut into fragments, and with TCP inside.

use super::Packet;
use std::net::{IpAddr, SocketAddr};
use visavis_proto::Time;

/// Cuts a packet into fragments whose payload has at most `size` octets, a multiple of 8.
pub fn fragments(packet: &Packet, size: usize, identification: u32) -> Vec<Packet> {
    assert!(size.is_multiple_of(8));
    let v4 = packet.octets[0] >> 4 == 4;
    let (header, payload) = packet.octets.split_at(if v4 { 20 } else { 40 });
    let count = payload.len().div_ceil(size);
    let part = |(index, part): (usize, &[u8])| {
        let more = index + 1 < count;
        let mut header = header.to_vec();
        if v4 {
            header[2..4].copy_from_slice(&((20 + part.len()) as u16).to_be_bytes());
            header[4..6].copy_from_slice(&(identification as u16).to_be_bytes());
            let flags = (index * size / 8) as u16 | if more { 0x2000 } else { 0 };
            header[6..8].copy_from_slice(&flags.to_be_bytes());
            header[10..12].fill(0);
            let sum = checksum(&header);
            header[10..12].copy_from_slice(&sum.to_be_bytes());
        } else {
            header[4..6].copy_from_slice(&((8 + part.len()) as u16).to_be_bytes());
            let next = std::mem::replace(&mut header[6], 44);
            let offset = (index * size) as u16 | u16::from(more);
            header.extend_from_slice(&[next, 0]);
            header.extend_from_slice(&offset.to_be_bytes());
            header.extend_from_slice(&identification.to_be_bytes());
        }
        Packet { octets: [&header, part].concat(), ..packet.clone() }
    };
    payload.chunks(size).enumerate().map(part).collect()
}

/// Flags of a TCP header.
pub const SYN: u8 = 0x02;
pub const PUSH: u8 = 0x08;
pub const ACK: u8 = 0x10;
pub const FIN: u8 = 0x01;

/// One end of a connection, which counts what it sends.
pub struct End {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub sequence: u32,
    pub acknowledged: u32,
}

impl End {
    /// Makes a segment and counts on.
    pub fn send(&mut self, time: Time, flags: u8, data: &[u8]) -> Packet {
        let packet = self.segment(time, self.sequence, flags, data);
        let counted = data.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
        self.sequence = self.sequence.wrapping_add(counted);
        packet
    }

    /// A segment from anywhere in the stream.
    pub fn segment(&self, time: Time, sequence: u32, flags: u8, data: &[u8]) -> Packet {
        let mut segment = Vec::new();
        segment.extend_from_slice(&self.local.port().to_be_bytes());
        segment.extend_from_slice(&self.remote.port().to_be_bytes());
        segment.extend_from_slice(&sequence.to_be_bytes());
        let acknowledged = if flags & ACK != 0 { self.acknowledged } else { 0 };
        segment.extend_from_slice(&acknowledged.to_be_bytes());
        segment.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend_from_slice(data);
        let pseudo = match (self.local.ip(), self.remote.ip()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => [&a.octets()[..], &b.octets()].concat(),
            (IpAddr::V6(a), IpAddr::V6(b)) => [&a.octets()[..], &b.octets()].concat(),
            _ => panic!("one version of IP"),
        };
        let length = segment.len() as u16;
        let sum = checksum(&[&pseudo[..], &[0, 6], &length.to_be_bytes(), &segment].concat());
        segment[16..18].copy_from_slice(&sum.to_be_bytes());
        let header = if pseudo.len() == 8 {
            let mut header = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, 6, 0, 0];
            header.extend_from_slice(&pseudo);
            header[2..4].copy_from_slice(&(length + 20).to_be_bytes());
            let sum = checksum(&header);
            header[10..12].copy_from_slice(&sum.to_be_bytes());
            header
        } else {
            let [high, low] = length.to_be_bytes();
            [&[0x60, 0, 0, 0, high, low, 6, 64], &pseudo[..]].concat()
        };
        Packet { time, direction: None, octets: [header, segment].concat() }
    }
}

/// RFC 1071.
fn checksum(data: &[u8]) -> u16 {
    let words = data.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w.get(1).copied().unwrap_or(0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
