//! Files of both formats, in both byte orders.

use super::Packet;
use super::link::Link;
use visavis_capture::Direction;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Pcap {
        big: bool,
        nanos: bool,
    },
    /// With the longer headers of a patch of libpcap.
    PcapPatched {
        big: bool,
    },
    /// With this octet of `if_tsresol`.
    Pcapng {
        big: bool,
        resolution: u8,
    },
    /// Packets in the block that is obsolete.
    PcapngOld {
        big: bool,
    },
}

/// Every format. All but nanoseconds (and what is finer) hold the times of [`super::call`] to the microsecond.
pub const ALL: [Format; 12] = [
    Format::Pcap { big: false, nanos: false },
    Format::Pcap { big: true, nanos: false },
    Format::Pcap { big: false, nanos: true },
    Format::Pcap { big: true, nanos: true },
    Format::PcapPatched { big: false },
    Format::PcapPatched { big: true },
    Format::Pcapng { big: false, resolution: 6 },
    Format::Pcapng { big: true, resolution: 9 },
    Format::Pcapng { big: false, resolution: 3 },
    Format::Pcapng { big: true, resolution: 0x80 | 30 },
    Format::PcapngOld { big: false },
    Format::PcapngOld { big: true },
];

/// Numbers in the byte order of a file.
#[derive(Clone, Copy, Debug)]
pub struct Writer {
    pub big: bool,
}

impl Writer {
    pub fn u16(self, value: u16) -> [u8; 2] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub fn u32(self, value: u32) -> [u8; 4] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub fn u64(self, value: u64) -> [u8; 8] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    /// A block of pcapng, its body filled up.
    pub fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let mut block = [&self.u32(kind)[..], &[0; 4], body].concat();
        block.resize(block.len().next_multiple_of(4), 0);
        let length = self.u32(block.len() as u32 + 4);
        block[4..8].copy_from_slice(&length);
        block.extend_from_slice(&length);
        block
    }

    pub fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let mut option = [&self.u16(code)[..], &self.u16(value.len() as u16), value].concat();
        option.resize(option.len().next_multiple_of(4), 0);
        option
    }

    pub fn section(self) -> Vec<u8> {
        let body = [&self.u32(0x1a2b_3c4d)[..], &self.u16(1), &self.u16(0), &self.u64(u64::MAX)].concat();
        self.block(0x0a0d_0d0a, &body)
    }

    pub fn interface(self, link: u32, snap: u32, options: &[Vec<u8>]) -> Vec<u8> {
        let head = [&self.u16(link as u16)[..], &[0, 0], &self.u32(snap)].concat();
        self.block(1, &[head, options.concat()].concat())
    }

    /// An enhanced packet block.
    pub fn packet(
        self,
        interface: u32,
        ticks: u64,
        length: u32,
        data: &[u8],
        options: &[Vec<u8>],
    ) -> Vec<u8> {
        self.any_packet(6, &self.u32(interface), ticks, length, data, options)
    }

    /// An obsolete packet block.
    pub fn old_packet(self, interface: u16, drops: u16, ticks: u64, length: u32, data: &[u8]) -> Vec<u8> {
        let head = [self.u16(interface), self.u16(drops)].concat();
        self.any_packet(2, &head, ticks, length, data, &[])
    }

    fn any_packet(
        self,
        kind: u32,
        interface: &[u8],
        ticks: u64,
        length: u32,
        data: &[u8],
        options: &[Vec<u8>],
    ) -> Vec<u8> {
        let time = [self.u32((ticks >> 32) as u32), self.u32(ticks as u32)].concat();
        let lengths = [self.u32(data.len() as u32), self.u32(length)].concat();
        let mut body = [interface, &time, &lengths, data].concat();
        body.resize(body.len().next_multiple_of(4), 0);
        self.block(kind, &[body, options.concat()].concat())
    }
}

impl Format {
    /// A file of these packets.
    pub fn file(self, link: Link, packets: &[Packet]) -> Vec<u8> {
        self.file_cut(link, packets, usize::MAX)
    }

    /// The same, with a snap length.
    pub fn file_cut(self, link: Link, packets: &[Packet], snap: usize) -> Vec<u8> {
        let mut file = self.header(link, u32::try_from(snap).unwrap_or(262_144));
        for packet in packets {
            let frame = link.frame(&packet.octets, packet.direction);
            let captured = &frame[..frame.len().min(snap)];
            file.extend(self.packet(packet, frame.len() as u32, captured));
        }
        file
    }

    fn writer(self) -> Writer {
        match self {
            Format::Pcap { big, .. }
            | Format::PcapPatched { big }
            | Format::Pcapng { big, .. }
            | Format::PcapngOld { big } => Writer { big },
        }
    }

    /// What stands before the packets.
    pub fn header(self, link: Link, snap: u32) -> Vec<u8> {
        let w = self.writer();
        let pcap = |magic: u32| {
            let version = [w.u16(2), w.u16(4)].concat();
            [&w.u32(magic)[..], &version, &[0; 8], &w.u32(snap), &w.u32(link.number())].concat()
        };
        match self {
            Format::Pcap { nanos: false, .. } => pcap(0xa1b2_c3d4),
            Format::Pcap { nanos: true, .. } => pcap(0xa1b2_3c4d),
            Format::PcapPatched { .. } => pcap(0xa1b2_cd34),
            Format::Pcapng { resolution, .. } => {
                let options = [w.option(9, &[resolution]), w.option(0, &[])];
                [w.section(), w.interface(link.number(), snap, &options)].concat()
            }
            Format::PcapngOld { .. } => [w.section(), w.interface(link.number(), snap, &[])].concat(),
        }
    }

    fn packet(self, packet: &Packet, length: u32, data: &[u8]) -> Vec<u8> {
        let w = self.writer();
        let nanos = packet.time.unix_nanos();
        let pcap = |fraction: u64, more: &[u8]| {
            let time = [w.u32((nanos / 1_000_000_000) as u32), w.u32(fraction as u32)].concat();
            [&time[..], &w.u32(data.len() as u32), &w.u32(length), more, data].concat()
        };
        let subsecond = nanos % 1_000_000_000;
        match self {
            Format::Pcap { nanos: false, .. } => pcap(subsecond / 1000, &[]),
            Format::Pcap { nanos: true, .. } => pcap(subsecond, &[]),
            Format::PcapPatched { .. } => {
                let kind = match packet.direction {
                    Some(Direction::Inbound) => 0,
                    Some(Direction::Outbound) => 4,
                    None => 3,
                };
                pcap(subsecond / 1000, &[&w.u32(1)[..], &w.u16(0x0800), &[kind, 0]].concat())
            }
            Format::Pcapng { resolution, .. } => {
                let ticks = ticks(resolution, nanos);
                let options = match packet.direction {
                    Some(Direction::Inbound) => vec![w.option(2, &w.u32(1)), w.option(0, &[])],
                    Some(Direction::Outbound) => vec![w.option(2, &w.u32(2)), w.option(0, &[])],
                    None => vec![],
                };
                w.packet(0, ticks, length, data, &options)
            }
            Format::PcapngOld { .. } => w.old_packet(0, u16::MAX, nanos / 1000, length, data),
        }
    }

    /// Whether packets have a direction in the file.
    pub fn tells_direction(self) -> bool {
        matches!(self, Format::Pcapng { .. } | Format::PcapPatched { .. })
    }
}

/// Nanoseconds in the unit of `if_tsresol`, rounded up, so that they come back rounded down.
fn ticks(resolution: u8, nanos: u64) -> u64 {
    let exponent = u32::from(resolution & 0x7f);
    let units = if resolution & 0x80 != 0 { 1u128 << exponent } else { 10u128.pow(exponent) };
    (u128::from(nanos) * units).div_ceil(1_000_000_000) as u64
}
