//! From an IP packet to a datagram, or to a part of one.

use super::fragments::{Fragments, Key, Outcome, Part};
use super::ip::{self, Ip, TCP, UDP};
use super::octets::within;
use super::tcp::{Message, Origin, Streams};
use crate::findings::Transport;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

/// What packets led to, apart from the file that they stand in: what waits for more of it.
#[derive(Debug, Default)]
pub(super) struct Contents {
    fragments: Fragments,
    streams: Streams,
    /// The message that was given last.
    message: Vec<u8>,
}

/// What was read from an IP packet.
#[derive(Debug)]
pub(super) enum Content {
    /// A datagram.
    Datagram(Located),
    /// A segment; [`Contents::next_message`] has what it completed.
    Segment,
    /// A fragment that waits for others.
    Fragment,
    /// Nothing that can be read.
    Unread,
}

/// A datagram or a message, and where it is.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) origin: Origin,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) transport: Transport,
    pub(super) place: Place,
    /// Octets that it had on the wire.
    pub(super) length: usize,
}

/// Where octets are kept until the next packet is read.
#[derive(Debug)]
pub(super) enum Place {
    /// In the packet, which is not kept here.
    Packet(Range<usize>),
    /// In the payload that was put together last.
    Joined(Range<usize>),
    /// In the message that was given last.
    Message,
}

impl Contents {
    /// Reads an IP packet of `wire` octets, as much of it as was captured.
    pub(super) fn read(&mut self, packet: &[u8], wire: usize, origin: Origin) -> Content {
        let Some(ip) = ip::packet(packet, wire) else { return Content::Unread };
        let captured = ip.at.min(packet.len())..packet.len().min(ip.at.saturating_add(ip.length));
        let payload = within(packet, captured.clone());
        let Some(fragment) = ip.fragment else {
            return self.transport(&ip, payload, origin, |range| {
                Place::Packet(range.start + captured.start..range.end + captured.start)
            });
        };
        let key = Key {
            source: ip.source,
            destination: ip.destination,
            identification: fragment.identification,
            protocol: ip.source.is_ipv4().then_some(ip.protocol),
        };
        let outcome = self.fragments.add(&Part {
            key,
            time: origin.time,
            protocol: ip.protocol,
            offset: fragment.offset,
            more: fragment.more,
            data: payload,
            length: ip.length,
        });
        match outcome {
            Outcome::Waiting => Content::Fragment,
            Outcome::Refused => Content::Unread,
            Outcome::Joined { protocol, length } => self.joined(ip, protocol, length, origin),
        }
    }

    /// Reads what fragments were put together to.
    fn joined(&mut self, ip: Ip, protocol: u8, length: usize, origin: Origin) -> Content {
        let joined = std::mem::take(&mut self.fragments.joined);
        // In IPv6 there may be extension headers that were fragmented with the rest.
        let headers =
            if ip.source.is_ipv4() { Some((protocol, 0, None)) } else { ip::extensions(protocol, &joined) };
        let content = match headers {
            Some((protocol, at, None)) if at <= length => {
                let ip = Ip { protocol, at, length: length - at, ..ip };
                let payload = within(&joined, at..joined.len());
                let place = |range: Range<usize>| Place::Joined(range.start + at..range.end + at);
                self.transport(&ip, payload, origin, place)
            }
            // Fragments of fragments are not.
            _ => Content::Unread,
        };
        self.fragments.joined = joined;
        content
    }

    /// Reads the payload of an IP packet. `place` tells where a range of it is.
    fn transport(
        &mut self,
        ip: &Ip,
        payload: &[u8],
        origin: Origin,
        place: impl FnOnce(Range<usize>) -> Place,
    ) -> Content {
        match ip.protocol {
            UDP => match ip::udp(payload, ip.length) {
                Some(udp) => Content::Datagram(Located {
                    origin,
                    source: SocketAddr::new(ip.source, udp.source),
                    destination: SocketAddr::new(ip.destination, udp.destination),
                    transport: Transport::Udp,
                    place: place(udp.data),
                    length: udp.length,
                }),
                None => Content::Unread,
            },
            TCP => match ip::tcp(payload, ip.length) {
                Some(tcp) => {
                    let address = |ip: IpAddr, port: u16| SocketAddr::new(ip, port);
                    let key = (
                        address(ip.source, tcp.transport.source),
                        address(ip.destination, tcp.transport.destination),
                    );
                    self.streams.segment(key, &tcp, within(payload, tcp.transport.data.clone()), origin);
                    Content::Segment
                }
                None => Content::Unread,
            },
            _ => Content::Unread,
        }
    }

    /// The next message that segments completed.
    pub(super) fn next_message(&mut self) -> Option<Located> {
        let Message { origin, source, destination, data } = self.streams.next_message()?;
        let length = data.len();
        self.message = data;
        Some(Located {
            origin,
            source,
            destination,
            transport: Transport::Tcp,
            place: Place::Message,
            length,
        })
    }

    /// What stands in a place; `packet` gives what is in the packet.
    pub(super) fn octets<'a>(
        &'a self,
        place: Place,
        packet: impl FnOnce(Range<usize>) -> &'a [u8],
    ) -> &'a [u8] {
        match place {
            Place::Packet(range) => packet(range),
            Place::Joined(range) => within(&self.fragments.joined, range),
            Place::Message => &self.message,
        }
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self) {
        self.fragments.finish();
        self.streams.finish();
    }

    /// Fragments whose other parts never came.
    pub(super) fn fragments_left(&self) -> u64 {
        self.fragments.left()
    }

    /// Messages that could not be cut out of their stream.
    pub(super) fn broken(&self) -> u64 {
        self.streams.broken()
    }
}
