//! The classic format (draft-ietf-opsawg-pcap): one header of 24 octets, then packets, each behind 16 octets.

use super::error::ReadError;
use super::octets::Order;
use super::packet::{MAX_PACKET, Packet, Step, Unit};
use super::source::Source;
use crate::datagram::Direction;
use std::io::Read;
use visavis_proto::Time;

/// The length of the file's header, octets.
const HEADER: usize = 24;
/// The only version there has been since 1998 is 2.4.
const VERSION: u16 = 2;

/// How the packets of a file are written.
#[derive(Debug)]
pub(super) struct Pcap {
    order: Order,
    unit: Unit,
    /// The length of a packet's header, octets.
    record: usize,
    link: u32,
}

/// What the first four octets say: order, unit of the fraction, length of a packet's header.
fn magic(word: [u8; 4]) -> Option<(Order, Unit, usize)> {
    let micros = Unit::MICROS;
    let nanos = Unit::Nanos(1);
    Some(match word {
        [0xa1, 0xb2, 0xc3, 0xd4] => (Order::Big, micros, 16),
        [0xd4, 0xc3, 0xb2, 0xa1] => (Order::Little, micros, 16),
        [0xa1, 0xb2, 0x3c, 0x4d] => (Order::Big, nanos, 16),
        [0x4d, 0x3c, 0xb2, 0xa1] => (Order::Little, nanos, 16),
        // A patch of libpcap once put interface, protocol and kind of packet behind the lengths.
        [0xa1, 0xb2, 0xcd, 0x34] => (Order::Big, micros, 24),
        [0x34, 0xcd, 0xb2, 0xa1] => (Order::Little, micros, 24),
        _ => return None,
    })
}

impl Pcap {
    /// Reads the file's header; `None` where it is not this format.
    pub(super) fn begin<R: Read>(source: &mut Source<R>) -> Result<Option<Pcap>, ReadError> {
        source.need(4)?;
        let Some((order, unit, record)) = source.ahead().first_chunk().and_then(|word| magic(*word)) else {
            return Ok(None);
        };
        if !source.need(HEADER)? {
            return Err(ReadError::ShortHeader(source.seen()));
        }
        let header = source.ahead();
        let [major, minor] = [4, 6].map(|at| order.u16(header, at).unwrap_or_default());
        // The upper bits tell of checksums behind the frames, which the lengths of IP leave out anyway.
        let link = order.u32(header, 20).unwrap_or_default() & 0xffff;
        if major != VERSION {
            return Err(ReadError::Version { format: "pcap", major, minor, readable: VERSION });
        }
        source.take(HEADER);
        Ok(Some(Pcap { order, unit, record, link }))
    }

    /// The next packet.
    pub(super) fn next<R: Read>(&mut self, source: &mut Source<R>) -> Result<Step, ReadError> {
        let at = source.position();
        if !source.need(self.record)? {
            let ended = source.ahead().is_empty();
            let why = || format!("the file ends at octet {}, inside a packet's header", source.seen());
            return Ok(if ended { Step::End } else { Step::Damage(why()) });
        }
        let header = source.ahead();
        let [seconds, fraction, captured, length] =
            [0, 4, 8, 12].map(|at| self.order.u32(header, at).unwrap_or_default());
        let direction = if self.record > 16 { header.get(22).and_then(|kind| sent(*kind)) } else { None };
        if captured > MAX_PACKET {
            return Ok(Step::Damage(format!(
                "a packet of {captured} octets at octet {at} is longer than any that is captured"
            )));
        }
        let size = captured as usize;
        if !source.need(self.record + size)? {
            let seen = source.seen();
            return Ok(Step::Damage(format!("the file ends at octet {seen}, inside a packet")));
        }
        source.take(self.record);
        let nanos = u64::from(seconds) * 1_000_000_000 + self.unit.nanos(u64::from(fraction));
        Ok(Step::Packet(Packet {
            time: Some(Time::from_nanos(nanos)),
            link: Some(self.link),
            data: source.take(size),
            length: size.max(length as usize),
            direction,
        }))
    }
}

/// The way of a packet by the kind that Linux gives it: 0 to us, 1 to all, 2 to some, 3 to others, 4 by us.
pub(super) fn sent(kind: u8) -> Option<Direction> {
    match kind {
        0..=2 => Some(Direction::Inbound),
        4 => Some(Direction::Outbound),
        _ => None,
    }
}
