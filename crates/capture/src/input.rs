//! What analysis is fed with: one datagram, or one message out of a stream, whoever captured it.

use crate::datagram::Direction;
use crate::findings::Transport;
use std::net::SocketAddr;
use visavis_proto::Time;

/// A UDP datagram, or one whole SIP message out of a TCP stream, in the order of the capture.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The number of the packet that completed it, from 1.
    pub packet: u64,
    /// When that packet was captured; its monotonic and its wall-clock time are the same.
    pub time: Time,
    /// Who sent it.
    pub source: SocketAddr,
    /// Where to.
    pub destination: SocketAddr,
    /// Over what.
    pub transport: Transport,
    /// The payload, or as much of it as was captured.
    pub data: &'a [u8],
    /// The length of the whole payload on the wire, octets: more than `data` where the capture cut it.
    pub length: usize,
    /// Which way it went, where the capture says so.
    pub direction: Option<Direction>,
}
