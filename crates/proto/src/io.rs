//! What goes into an agent and what comes out of it: the whole of its contract with the world.
//!
//! The types are open for streams (TCP, TLS, WebSocket), name resolution, port pools and address changes; an
//! agent that has no use for one of them says so in its counters, never by a panic.

mod command;
mod event;
mod media;
mod outcome;

pub use command::{CallRequest, Command, MediaChoice, PathRequest};
pub use event::{Event, Party, Path, Protection};
pub use media::{Direction, EncoderTarget, MediaFormat, Section, SectionStats};
pub use outcome::{Done, EndReason, NotDone};

use crate::frame::EncodedFrame;
use crate::time::Time;
use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};

/// A call of one agent, from its first command or INVITE until its [`Event::Ended`]; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallHandle(pub u64);

/// An open datagram socket, numbered by whoever opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub u32);

/// An open stream (TCP, TLS or WebSocket connection), numbered by whoever opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u32);

/// Joins a request of the agent ([`Output::OpenSocket`], [`Output::Connect`], [`Output::Resolve`]) to the
/// input that answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// A transport protocol of SIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket, RFC 7118.
    Ws,
    /// WebSocket over TLS, RFC 7118.
    Wss,
}

/// A datagram that arrived.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The socket that it arrived on.
    pub socket: SocketId,
    /// The address that it was sent to: a wildcard socket answers from this one.
    pub local: SocketAddr,
    /// Where it came from.
    pub remote: SocketAddr,
    /// Its payload.
    pub data: &'a [u8],
    /// When the kernel received it. Earlier than `now` by our own scheduling delay, which is therefore never
    /// taken for network jitter.
    pub received: Time,
}

/// What an agent can be told.
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram arrived.
    Datagram(Datagram<'a>),
    /// A person or a program wants something.
    Command(Command),
    /// An encoder finished a frame, to be sent on a media section of a call.
    Frame {
        /// The call.
        call: CallHandle,
        /// The index of the media section in the session description.
        section: usize,
        /// The frame.
        frame: EncodedFrame,
    },
    /// The deadline of the last [`Output::Timeout`] has come.
    Timeout,
    /// A datagram socket is open: the first one, or the answer to an [`Output::OpenSocket`].
    SocketOpened {
        /// The request that this answers; `None` for sockets that the program opened on its own account.
        request: Option<RequestId>,
        /// The socket and the address that it is bound to, or why there is none.
        result: Result<(SocketId, SocketAddr), OpenError>,
    },
    /// A stream is connected or was accepted.
    StreamOpened {
        /// The request that this answers; `None` for an accepted stream.
        request: Option<RequestId>,
        /// The stream with its local and remote address, or why there is none.
        result: Result<(StreamId, Protocol, SocketAddr, SocketAddr), OpenError>,
    },
    /// Octets arrived on a stream.
    StreamData {
        /// The stream.
        stream: StreamId,
        /// The octets, in order.
        data: &'a [u8],
    },
    /// A stream ended.
    StreamClosed {
        /// The stream.
        stream: StreamId,
    },
    /// A name was resolved, the answer to an [`Output::Resolve`].
    Resolved {
        /// The request that this answers.
        request: RequestId,
        /// Addresses in the order to try them; empty where the name has none.
        addresses: Vec<SocketAddr>,
    },
    /// The machine's addresses changed.
    InterfacesChanged {
        /// All addresses that it has now.
        addresses: Vec<IpAddr>,
    },
}

/// Why a socket or a stream could not be opened, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenError(pub String);

/// The protocol that a datagram carries, for its traffic class and for counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketKind {
    /// SIP.
    Sip,
    /// STUN.
    Stun,
    /// RTP with sound.
    Audio,
    /// RTP with pictures.
    Video,
    /// RTCP.
    Rtcp,
}

/// A datagram to send.
#[derive(Clone, Debug)]
pub struct Transmit {
    /// The socket to send it from.
    pub socket: SocketId,
    /// The local address to send it from, where the socket is bound to a wildcard address.
    pub local: Option<IpAddr>,
    /// Where to send it.
    pub remote: SocketAddr,
    /// Its payload.
    pub data: Bytes,
    /// What it carries.
    pub kind: PacketKind,
}

/// What an agent wants done.
#[derive(Debug)]
pub enum Output {
    /// Send a datagram.
    Transmit(Transmit),
    /// Something happened that the program may want to know.
    Event(Event),
    /// Nothing more to do for now: call `handle(now, Input::Timeout)` at this time, unless another input
    /// comes first. `None`: there is nothing to wait for.
    Timeout(Option<Time>),
    /// Open a datagram socket; answer with [`Input::SocketOpened`].
    OpenSocket {
        /// Names the answer.
        request: RequestId,
        /// The address to bind.
        local: IpAddr,
        /// Ports to try in order; empty means any.
        ports: Vec<u16>,
    },
    /// Close a datagram socket that the agent had asked for.
    CloseSocket(SocketId),
    /// Connect a stream; answer with [`Input::StreamOpened`].
    Connect {
        /// Names the answer.
        request: RequestId,
        /// The protocol.
        protocol: Protocol,
        /// The peer.
        remote: SocketAddr,
        /// The name to verify a certificate against, where one was given.
        name: Option<String>,
    },
    /// Send octets on a stream.
    StreamSend {
        /// The stream.
        stream: StreamId,
        /// The octets.
        data: Bytes,
    },
    /// Resolve a name (RFC 3263); answer with [`Input::Resolved`].
    Resolve {
        /// Names the answer.
        request: RequestId,
        /// The host name.
        name: String,
        /// The port, where the URI named one.
        port: Option<u16>,
        /// The protocol, where the URI named one.
        protocol: Option<Protocol>,
    },
    /// What an encoder should produce from now on.
    EncoderTarget {
        /// The call.
        call: CallHandle,
        /// The media section.
        section: usize,
        /// The target.
        target: EncoderTarget,
    },
}
