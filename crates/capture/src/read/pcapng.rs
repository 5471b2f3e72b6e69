//! The block format (draft-ietf-opsawg-pcapng): sections of either byte order, each with interfaces of its own.

use super::error::ReadError;
use super::octets::{Order, octet, within};
use super::packet::{MAX_PACKET, Packet, Step, Unit};
use super::source::Source;
use crate::datagram::Direction;
use crate::pcapng::{BYTE_ORDER_MAGIC, block, option};
use std::io::Read;
use visavis_proto::Time;

/// The type of a section's header reads alike in both byte orders.
const SECTION: [u8; 4] = block::SECTION.to_be_bytes();
/// Type and length before the body, and the length again behind it.
const AROUND: usize = 12;
/// The longest block of the kinds that are read: a packet with its options.
const MAX_BLOCK: u32 = MAX_PACKET + (1 << 18);
/// The header of a section up to its length: type, length, magic, version, section length.
const SECTION_HEADER: usize = 24;
const VERSION: u16 = 1;
/// More than any system has.
const MAX_INTERFACES: usize = 4096;

/// Where a file is.
#[derive(Debug)]
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    /// Packets that the file says are missing from it.
    dropped: u64,
}

#[derive(Debug)]
struct Interface {
    link: u32,
    snap: u32,
    unit: Unit,
    /// Seconds to add to each timestamp.
    offset: i64,
    /// Missing, by what the packets say.
    dropped: u64,
    /// Missing, by the last statistics.
    counted: u64,
}

impl Pcapng {
    /// Reads the header of the first section; `None` where it is not this format.
    pub(super) fn begin<R: Read>(source: &mut Source<R>) -> Result<Option<Pcapng>, ReadError> {
        source.need(4)?;
        if source.ahead().first_chunk() != Some(&SECTION) {
            return Ok(None);
        }
        let mut pcapng = Pcapng { order: Order::Little, interfaces: Vec::new(), dropped: 0 };
        match pcapng.section(source)? {
            Ok(()) => Ok(Some(pcapng)),
            Err(SectionError::Short) => Err(ReadError::ShortHeader(source.seen())),
            Err(SectionError::Version { major, minor }) => {
                Err(ReadError::Version { format: "pcapng", major, minor, readable: VERSION })
            }
            Err(SectionError::Broken(why)) => Err(ReadError::Damaged(why)),
        }
    }

    /// Packets that the file says are missing from it, so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The next packet; blocks of other kinds are read or passed over on the way.
    pub(super) fn next<R: Read>(&mut self, source: &mut Source<R>) -> Result<Step, ReadError> {
        loop {
            let at = source.position();
            if !source.need(8)? {
                let ended = source.ahead().is_empty();
                let why = || format!("the file ends at octet {}, inside the head of a block", source.seen());
                return Ok(if ended { Step::End } else { Step::Damage(why()) });
            }
            if source.ahead().first_chunk() == Some(&SECTION) {
                match self.section(source)? {
                    Ok(()) => continue,
                    Err(error) => return Ok(Step::Damage(error.line(at, source.seen()))),
                }
            }
            let header = source.ahead();
            let [kind, length] = [0, 4].map(|at| self.order.u32(header, at).unwrap_or_default());
            let size = length as usize;
            if size < AROUND || !size.is_multiple_of(4) {
                return Ok(Step::Damage(format!("the block at octet {at} cannot be {length} octets long")));
            }
            let known = matches!(
                kind,
                block::INTERFACE
                    | block::OLD_PACKET
                    | block::SIMPLE_PACKET
                    | block::STATISTICS
                    | block::PACKET
            );
            let whole = if !known {
                // All but the length at its end.
                source.skip(size - 4)? && source.need(4)?
            } else if length <= MAX_BLOCK {
                source.need(size)?
            } else {
                let why = format!("the block at octet {at} is longer than any packet: {length} octets");
                return Ok(Step::Damage(why));
            };
            if !whole {
                return Ok(Step::Damage(format!("the file ends at octet {}, inside a block", source.seen())));
            }
            let end = if known { size - 4 } else { 0 };
            if self.order.u32(source.ahead(), end) != Some(length) {
                let why = format!("the block at octet {at} has another length at its end than at its start");
                return Ok(Step::Damage(why));
            }
            if !known {
                source.take(4);
                continue;
            }
            let start = source.take(size).start;
            let body = source.taken(start + 8..start + size - 4);
            match self.block(kind, body) {
                Ok(None) => {}
                Ok(Some(mut packet)) => {
                    packet.data = packet.data.start + start + 8..packet.data.end + start + 8;
                    return Ok(Step::Packet(packet));
                }
                Err(why) => return Ok(Step::Damage(format!("the block at octet {at} {why}"))),
            }
        }
    }

    /// Reads the header of a section, which lies ahead.
    fn section<R: Read>(&mut self, source: &mut Source<R>) -> Result<Result<(), SectionError>, ReadError> {
        let at = source.position();
        if !source.need(SECTION_HEADER)? {
            return Ok(Err(SectionError::Short));
        }
        let header = source.ahead();
        let broken = |why: &str| Ok(Err(SectionError::Broken(format!("the section at octet {at} {why}"))));
        let order = match Order::Little.u32(header, 8) {
            Some(BYTE_ORDER_MAGIC) => Order::Little,
            Some(word) if word.swap_bytes() == BYTE_ORDER_MAGIC => Order::Big,
            _ => return broken("does not say its byte order"),
        };
        let length = order.u32(header, 4).unwrap_or_default();
        let [major, minor] = [12, 14].map(|at| order.u16(header, at).unwrap_or_default());
        let size = length as usize;
        if size < SECTION_HEADER + 4 || !size.is_multiple_of(4) {
            return broken(&format!("cannot have a header of {length} octets"));
        }
        if major != VERSION {
            return Ok(Err(SectionError::Version { major, minor }));
        }
        if !(source.skip(size - 4)? && source.need(4)?) {
            return Ok(Err(SectionError::Short));
        }
        if order.u32(source.ahead(), 0) != Some(length) {
            return broken("has a header with another length at its end than at its start");
        }
        source.take(4);
        self.interfaces.clear();
        self.order = order;
        Ok(Ok(()))
    }

    /// Reads a block of a known kind. The place of a packet is counted from the start of the body.
    fn block(&mut self, kind: u32, body: &[u8]) -> Result<Option<Packet>, &'static str> {
        const SHORT: &str = "is shorter than its kind must be";
        match kind {
            block::INTERFACE if self.interfaces.len() >= MAX_INTERFACES => Err("is one interface too many"),
            block::INTERFACE => {
                let interface = Interface::read(self.order, body).ok_or(SHORT)?;
                self.interfaces.push(interface);
                Ok(None)
            }
            block::STATISTICS => {
                self.statistics(body).ok_or(SHORT)?;
                Ok(None)
            }
            block::SIMPLE_PACKET => self.simple_packet(body).ok_or(SHORT).map(Some),
            _ => self.packet(kind, body).ok_or("holds less than the packet it tells of").map(Some),
        }
    }

    /// A packet of the current kind or the one that it replaced, which have the same lengths at the same places.
    fn packet(&mut self, kind: u32, body: &[u8]) -> Option<Packet> {
        const HEADER: usize = 20;
        let order = self.order;
        let old = kind == block::OLD_PACKET;
        let (interface, old_drops) = if old {
            (u32::from(order.u16(body, 0)?), order.u16(body, 2).filter(|drops| *drops != u16::MAX))
        } else {
            (order.u32(body, 0)?, None)
        };
        let ticks = u64::from(order.u32(body, 4)?) << 32 | u64::from(order.u32(body, 8)?);
        let captured = order.u32(body, 12)? as usize;
        let length = order.u32(body, 16)? as usize;
        let data = HEADER..HEADER.checked_add(captured)?;
        body.get(data.clone())?;
        let mut direction = None;
        let mut dropped = old_drops.map_or(0, u64::from);
        let rest = body.get(data.end.next_multiple_of(4)..).unwrap_or_default();
        for (code, value) in (Options { order, rest }) {
            match code {
                // Bits 0 and 1 are 01 for inbound, 10 for outbound.
                option::PACKET_FLAGS => match order.u32(value, 0).map(|flags| flags & 0b11) {
                    Some(0b01) => direction = Some(Direction::Inbound),
                    Some(0b10) => direction = Some(Direction::Outbound),
                    _ => {}
                },
                option::PACKET_DROPS if !old => dropped = order.u64(value, 0).unwrap_or(0),
                _ => {}
            }
        }
        let interface = self.interfaces.get_mut(interface as usize);
        let (link, time) = match interface {
            Some(interface) => {
                let more = interface.miss(|i| i.dropped = i.dropped.saturating_add(dropped));
                self.dropped = self.dropped.saturating_add(more);
                (Some(interface.link), Some(interface.time(ticks)))
            }
            // A packet of an interface that was never described: nobody can tell what is in it, or when it came.
            None => (None, None),
        };
        Some(Packet { time, link, data, length: length.max(captured), direction })
    }

    /// A packet without a time, of the first interface.
    fn simple_packet(&self, body: &[u8]) -> Option<Packet> {
        let length = self.order.u32(body, 0)? as usize;
        let interface = self.interfaces.first();
        let snap = interface.map_or(0, |interface| interface.snap as usize);
        let held = body.len() - 4;
        let captured = length.min(held).min(if snap == 0 { usize::MAX } else { snap });
        let link = interface.map(|interface| interface.link);
        Some(Packet { time: None, link, data: 4..4 + captured, length, direction: None })
    }

    fn statistics(&mut self, body: &[u8]) -> Option<()> {
        let order = self.order;
        let interface = order.u32(body, 0)?;
        let rest = body.get(12..)?;
        let counted = Options { order, rest }
            .filter(|(code, _)| [option::STATISTICS_DROPPED, option::STATISTICS_OS_DROPPED].contains(code))
            .filter_map(|(_, value)| order.u64(value, 0))
            .fold(0, u64::saturating_add);
        if let Some(interface) = self.interfaces.get_mut(interface as usize) {
            let more = interface.miss(|i| i.counted = i.counted.max(counted));
            self.dropped = self.dropped.saturating_add(more);
        }
        Some(())
    }
}

impl Interface {
    fn read(order: Order, body: &[u8]) -> Option<Interface> {
        let link = u32::from(order.u16(body, 0)?);
        let snap = order.u32(body, 4)?;
        let mut interface = Interface { link, snap, unit: Unit::MICROS, offset: 0, dropped: 0, counted: 0 };
        for (code, value) in (Options { order, rest: within(body, 8..body.len()) }) {
            match code {
                option::INTERFACE_RESOLUTION => {
                    interface.unit = octet(value, 0).map_or(interface.unit, Unit::from_resolution);
                }
                option::INTERFACE_OFFSET => {
                    interface.offset = order.u64(value, 0).map_or(0, u64::cast_signed);
                }
                _ => {}
            }
        }
        Some(interface)
    }

    fn time(&self, ticks: u64) -> Time {
        let offset = self.offset.saturating_mul(1_000_000_000);
        Time::from_nanos(self.unit.nanos(ticks).saturating_add_signed(offset))
    }

    /// Counts missing packets one way or the other; gives how many more they are now. Packets and statistics tell of
    /// the same ones.
    fn miss(&mut self, count: impl FnOnce(&mut Interface)) -> u64 {
        let before = self.dropped.max(self.counted);
        count(self);
        self.dropped.max(self.counted) - before
    }
}

/// The options at the end of a block, up to the one that says that there are no more. Broken ones end them.
struct Options<'a> {
    order: Order,
    rest: &'a [u8],
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let code = self.order.u16(self.rest, 0)?;
        let length = usize::from(self.order.u16(self.rest, 2)?);
        if code == option::END {
            return None;
        }
        let value = self.rest.get(4..4 + length)?;
        self.rest = self.rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    }
}

/// What is wrong with the header of a section.
#[derive(Debug)]
enum SectionError {
    Short,
    Version { major: u16, minor: u16 },
    Broken(String),
}

impl SectionError {
    /// What to say of a section that begins at `at`, in a file of which `seen` octets were there.
    fn line(&self, at: u64, seen: u64) -> String {
        match self {
            SectionError::Short => format!("the file ends at octet {seen}, inside the header of a section"),
            SectionError::Version { major, minor } => {
                format!("the section at octet {at} is of pcapng {major}.{minor}, which is not read")
            }
            SectionError::Broken(why) => why.clone(),
        }
    }
}
