//! Reads capture files: pcap and pcapng, from frames to datagrams.
//!
//! [`Reader`] takes anything that is [`Read`] and gives what was sent, one [`Datagram`] after another: UDP datagrams, put
//! together where they were fragmented, and SIP messages out of TCP connections. It reads through one buffer and
//! copies nothing that stands in the file in one piece. What is kept for later (fragments, parts of messages) is
//! bounded, so that a file of any size is read in the same memory.
//!
//! Links: Ethernet (tags, LLC with SNAP, PPPoE), Linux cooked (both versions), raw IP, loopback of BSD, 802.11 bare and
//! behind radiotap or PPI. Everything else is counted in [`FileFindings::unread`].
//!
//! Datagrams come in the order of the capture. A SIP message behind a gap of its TCP connection is given once it is clear
//! that the gap stays, with the number and time of its own packet, which may be lower than those of others before it.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod content;
mod error;
mod fragments;
mod ip;
mod link;
mod octets;
mod packet;
mod pcap;
mod pcapng;
mod sip_line;
mod source;
mod tcp;
mod wifi;

pub use error::ReadError;

use crate::findings::FileFindings;
use crate::input::Datagram;
use content::{Content, Contents, Located, Place};
use link::Inner;
use octets::within;
use packet::{Packet, Step};
use pcap::Pcap;
use pcapng::Pcapng;
use source::Source;
use std::io::Read;
use tcp::Origin;
use visavis_proto::Time;

/// Reads one capture file.
#[derive(Debug)]
pub struct Reader<R> {
    source: Source<R>,
    format: Format,
    /// A packet of which not everything was read, and where to go on.
    open: Option<(Packet, usize)>,
    contents: Contents,
    file: FileFindings,
    /// Packets that could not be read.
    unread: u64,
    last: Time,
    ended: bool,
}

#[derive(Debug)]
enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

impl<R: Read> Reader<R> {
    /// Begins with the file's header. `input` need not be buffered.
    ///
    /// # Errors
    ///
    /// A file that is empty, something else, or ends in its header.
    pub fn new(input: R) -> Result<Self, ReadError> {
        let mut source = Source::new(input);
        let format = if let Some(pcap) = Pcap::begin(&mut source)? {
            Format::Pcap(pcap)
        } else if let Some(pcapng) = Pcapng::begin(&mut source)? {
            Format::Pcapng(pcapng)
        } else {
            return Err(error::stranger(source.ahead()));
        };
        Ok(Reader {
            source,
            format,
            open: None,
            contents: Contents::default(),
            file: FileFindings::default(),
            unread: 0,
            last: Time::ZERO,
            ended: false,
        })
    }

    /// The next datagram or message; `None` at the end. [`Reader::file`] then says whether the file was whole.
    ///
    /// # Errors
    ///
    /// Those of the input, and damage that comes before any packet.
    #[allow(
        clippy::should_implement_trait,
        reason = "what it lends stands in its buffer until the next call"
    )]
    pub fn next(&mut self) -> Result<Option<Datagram<'_>>, ReadError> {
        let Some(located) = self.locate()? else { return Ok(None) };
        let data = self.contents.octets(located.place, |range| self.source.taken(range));
        Ok(Some(Datagram {
            packet: located.origin.packet,
            time: located.origin.time,
            source: located.source,
            destination: located.destination,
            transport: located.transport,
            data,
            length: located.length,
            direction: located.origin.direction,
        }))
    }

    /// What the file held, as far as it was read.
    pub fn file(&self) -> &FileFindings {
        &self.file
    }

    fn locate(&mut self) -> Result<Option<Located>, ReadError> {
        loop {
            if let Some(message) = self.contents.next_message() {
                return Ok(Some(message));
            }
            let found = match self.open.take() {
                Some((packet, next)) => {
                    let inner = link::next_inner(self.source.taken(packet.data.clone()), next);
                    inner.and_then(|inner| self.read(packet, inner))
                }
                None if self.ended => return Ok(None),
                None => match self.packet()? {
                    Some(packet) => self.open(packet),
                    None => continue,
                },
            };
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// The next packet of the file; `None` where it ends.
    fn packet(&mut self) -> Result<Option<Packet>, ReadError> {
        let step = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.source)?,
            Format::Pcapng(pcapng) => pcapng.next(&mut self.source)?,
        };
        if let Step::Packet(packet) = step {
            return Ok(Some(packet));
        }
        self.ended = true;
        self.contents.finish();
        self.tally();
        if let Step::Damage(why) = step {
            self.file.damage = Some(why.clone());
            if self.file.packets == 0 {
                return Err(ReadError::Damaged(why));
            }
        }
        Ok(None)
    }

    /// Counts a packet, and reads the first IP packet inside of it.
    fn open(&mut self, packet: Packet) -> Option<Located> {
        let file = &mut self.file;
        file.packets += 1;
        file.octets = file.octets.saturating_add(packet.length as u64);
        file.cut += u64::from(packet.data.len() < packet.length);
        if let Some(time) = packet.time {
            file.first = Some(file.first.map_or(time, |first| first.min(time)));
            file.last = Some(file.last.map_or(time, |last| last.max(time)));
            self.last = time;
        }
        let frame = self.source.taken(packet.data.clone());
        match packet.link.and_then(|link| link::inner(link, frame)) {
            Some(inner) => self.read(packet, inner),
            None => {
                self.unread += 1;
                self.tally();
                None
            }
        }
    }

    /// Reads the IP packet inside of a packet.
    fn read(&mut self, packet: Packet, inner: Inner) -> Option<Located> {
        let frame = self.source.taken(packet.data.clone());
        let origin = Origin {
            packet: self.file.packets,
            // A packet without a time came after the one before it.
            time: packet.time.unwrap_or(self.last),
            direction: packet.direction.or(inner.direction),
        };
        // Of a frame with several packets, each has its own part.
        let end = inner.part.map_or(packet.length, |part| part.end);
        let wire = end.saturating_sub(inner.at);
        let content = self.contents.read(within(frame, inner.at..end), wire, origin);
        let start = packet.data.start.saturating_add(inner.at);
        if let Some(part) = inner.part {
            self.open = Some((packet, part.next));
        }
        let mut found = None;
        match content {
            Content::Datagram(mut located) => {
                self.file.datagrams += 1;
                if let Place::Packet(range) = &mut located.place {
                    *range = range.start + start..range.end + start;
                }
                found = Some(located);
            }
            Content::Segment => self.file.datagrams += 1,
            Content::Fragment => {}
            Content::Unread => self.unread += 1,
        }
        self.tally();
        found
    }

    /// Brings the counts together that are kept in several places.
    fn tally(&mut self) {
        self.file.unread = self.unread + self.contents.broken();
        self.file.fragments_left = self.contents.fragments_left();
        if let Format::Pcapng(pcapng) = &self.format {
            self.file.dropped = pcapng.dropped();
        }
    }
}
