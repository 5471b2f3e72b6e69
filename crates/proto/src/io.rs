//! What goes into an agent and what comes out of it: the whole of its contract with the world.
//!
//! The types are open for streams (TCP, TLS, WebSocket), name resolution, port pools and address changes; an
//! agent that has no use for one of them says so in its counters, never by a panic.

mod outcome;

pub use outcome::{Done, EndReason, NotDone};

use crate::frame::{AudioFormat, EncodedFrame, MediaKind, ReceivedFrame, Rotation, VideoFormat};
use crate::nat::{Classification, Ticket};
use crate::rtp::session::MappingOrigin;
use crate::rtp::srtp::MasterKey;
use crate::time::Time;
use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

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

/// What a person or a program may want.
#[derive(Clone, Debug)]
pub enum Command {
    /// Place a call. The handle comes from [`Agent::new_call`](crate::agent::Agent::new_call).
    Call(CallHandle, Box<CallRequest>),
    /// Expect one call of a peer: find a way to it, then take its INVITE. The handle comes from
    /// [`Agent::new_call`](crate::agent::Agent::new_call), and [`Event::Incoming`] names it again.
    Expect(CallHandle, Box<PathRequest>),
    /// Answer an incoming call with a provisional status (180 to 199).
    Ring {
        /// The call.
        call: CallHandle,
        /// The status, 180 for ringing.
        status: u16,
    },
    /// Accept an incoming call: 200 with an answer (or with an offer, where the INVITE brought none).
    Accept {
        /// The call.
        call: CallHandle,
    },
    /// Decline an incoming call with a final status (300 to 699).
    Reject {
        /// The call.
        call: CallHandle,
        /// The status, 486 for busy, 603 for decline.
        status: u16,
    },
    /// End a call in whatever state it is: CANCEL, a final response or BYE.
    Hangup {
        /// The call.
        call: CallHandle,
    },
    /// Put the peer on hold by re-INVITE (RFC 3264 section 8.4).
    Hold {
        /// The call.
        call: CallHandle,
    },
    /// Take the peer off hold by re-INVITE.
    Resume {
        /// The call.
        call: CallHandle,
    },
    /// Offer the session again by re-INVITE, with this choice of media.
    Reinvite {
        /// The call.
        call: CallHandle,
        /// Which media the call is to have from now on.
        media: MediaChoice,
    },
    /// Send a MESSAGE (RFC 3428) inside the call's dialog.
    Message {
        /// The call.
        call: CallHandle,
        /// The media type of the body.
        content_type: String,
        /// The body, at most 1300 octets with its headers (RFC 3428 section 8).
        body: Bytes,
    },
    /// Ask what a peer can do, outside of any call (RFC 3261 section 11).
    Options {
        /// Names the answer's event.
        request: RequestId,
        /// Whom to ask, a SIP URI.
        target: String,
        /// Where to send the request.
        destination: SocketAddr,
    },
    /// Ask STUN servers what kind of NAT is in front of this machine, from the main socket.
    Classify {
        /// Names the answer's event.
        request: RequestId,
        /// Whom to ask; the first that has a second address (RFC 5780) tells most.
        servers: Vec<SocketAddr>,
        /// Our own addresses, with the port of the main socket.
        locals: Vec<SocketAddr>,
    },
    /// Send a DTMF event (RFC 4733).
    Dtmf {
        /// The call.
        call: CallHandle,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
        /// How long the key is held down.
        duration: Duration,
    },
    /// Ask the peer for a picture that a decoder can start from: PLI, or the INFO of RFC 5168.
    RequestKeyframe {
        /// The call.
        call: CallHandle,
        /// The media section.
        section: usize,
    },
    /// End all calls and take no new ones.
    Shutdown,
    /// Do this in a call, and say by [`Event::Outcome`] what became of it: once, at the latest when the call is over.
    Report(RequestId, Box<Command>),
}

impl Command {
    /// The call that is to do something; `None` for what makes a call or is about none.
    pub fn call(&self) -> Option<CallHandle> {
        match self {
            Command::Ring { call, .. }
            | Command::Accept { call }
            | Command::Reject { call, .. }
            | Command::Hangup { call }
            | Command::Hold { call }
            | Command::Resume { call }
            | Command::Reinvite { call, .. }
            | Command::Message { call, .. }
            | Command::Dtmf { call, .. }
            | Command::RequestKeyframe { call, .. } => Some(*call),
            Command::Report(_, command) => command.call(),
            Command::Call(..)
            | Command::Expect(..)
            | Command::Options { .. }
            | Command::Classify { .. }
            | Command::Shutdown => None,
        }
    }
}

/// Which media a call is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaChoice {
    /// Whether there is sound.
    pub audio: bool,
    /// Whether there are pictures.
    pub video: bool,
}

impl MediaChoice {
    /// Sound and pictures.
    pub const BOTH: MediaChoice = MediaChoice { audio: true, video: true };
}

/// A call to place.
#[derive(Clone, Debug)]
pub struct CallRequest {
    /// Whom to call, a SIP URI; it becomes the request-URI and the To URI.
    pub target: String,
    /// Where to send the INVITE.
    pub destination: SocketAddr,
    /// The local IP address that reaches `destination`, for Via, Contact and SDP.
    pub local: IpAddr,
    /// The media to offer.
    pub media: MediaChoice,
    /// Send the INVITE without an offer, and take the peer's from its 200 (RFC 3261 section 13.2.1).
    pub late_offer: bool,
    /// Give up after ringing this long: CANCEL.
    pub ring_timeout: Duration,
    /// Find a way to the peer first, by the tickets of both; `target`'s host, `destination` and `local` then come
    /// from the pair that was found.
    pub path: Option<Box<PathRequest>>,
}

/// A way to a peer that is to be found from both sides at once: see [`nat`](crate::nat).
#[derive(Clone, Debug)]
pub struct PathRequest {
    /// The ticket that was given to the peer.
    pub own: Ticket,
    /// The peer's.
    pub peer: Ticket,
    /// Our own addresses, with the port of the main socket.
    pub locals: Vec<SocketAddr>,
    /// Sign the checks with the key that both tickets make. Without it, as in 2010, nothing tells a check of the
    /// peer from one of anybody who guesses its address: then the call never moves.
    pub keyed: bool,
}

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

/// What an encoder should produce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderTarget {
    /// Bits a second of codec payload.
    pub bitrate: u32,
    /// Width and height to scale to; `None`: as the source gives them, within the section's format.
    pub size: Option<(u16, u16)>,
    /// Pictures a second; `None`: as the source gives them, within the section's format.
    pub fps: Option<u16>,
    /// Make the next picture one that a decoder can start from.
    pub keyframe: bool,
    /// The peer misses some of our packets, and makes use of redundancy that the codec has against that.
    pub lossy: bool,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A call came in. Answer with [`Command::Ring`], [`Command::Accept`] or [`Command::Reject`], unless the
    /// configuration answers by itself.
    Incoming {
        /// The new call.
        call: CallHandle,
        /// Who calls: the From display name and URI.
        from: Party,
        /// Who is called: the To display name and URI.
        to: Party,
        /// Where the INVITE came from.
        remote: SocketAddr,
        /// Its Call-ID.
        call_id: String,
        /// Whether it offers sound and pictures; `None` where it brought no offer.
        offered: Option<MediaChoice>,
    },
    /// The INVITE of a call placed from here went out.
    Calling {
        /// The call.
        call: CallHandle,
        /// Its Call-ID.
        call_id: String,
    },
    /// The peer sent a provisional response.
    Progress {
        /// The call.
        call: CallHandle,
        /// The status, 100 to 199.
        status: u16,
        /// The reason phrase.
        reason: String,
    },
    /// The call is up: 200 received, or sent and acknowledged.
    Established {
        /// The call.
        call: CallHandle,
        /// From the INVITE to the ACK.
        setup: Duration,
    },
    /// A way to the peer was found: requests and media go there, and nowhere else.
    PathFound {
        /// The call.
        call: CallHandle,
        /// Our address, the peer's, and how the peer sees ours.
        path: Path,
        /// The round trip of the check that succeeded.
        round_trip: Duration,
    },
    /// The peer, or this side, has another address now, and a check went there and back.
    PathMoved {
        /// The call.
        call: CallHandle,
        /// The new way.
        path: Path,
    },
    /// Nothing goes through any more on the way that was found; another one is looked for.
    PathLost {
        /// The call.
        call: CallHandle,
        /// The way that was lost.
        path: Path,
    },
    /// Somebody at another address claims to be the peer, and is not believed.
    MoveRefused {
        /// The call.
        call: CallHandle,
        /// The address.
        remote: SocketAddr,
        /// Why.
        why: String,
    },
    /// A message of the key exchange was sent, or has arrived whole or in part.
    KeyMessage {
        /// The call.
        call: CallHandle,
        /// Whether this side sent it.
        sent: bool,
        /// Its number, the first one of `SKESeq`.
        sequence: u64,
        /// Its fragment, the second one.
        fragment: u32,
        /// The fragment's octets.
        body: Bytes,
    },
    /// The key exchange has ended, and media may flow.
    Protected {
        /// The call.
        call: CallHandle,
        /// How media are protected from now on.
        protection: Protection,
    },
    /// An offer/answer exchange ended: what each media section does from now on. In a call that is to be encrypted
    /// it is reported once there are keys.
    Media {
        /// The call.
        call: CallHandle,
        /// One entry for each `m=` line, in order.
        sections: Vec<Section>,
    },
    /// A coded frame arrived.
    Frame {
        /// The call.
        call: CallHandle,
        /// The media section.
        section: usize,
        /// The frame.
        frame: ReceivedFrame,
    },
    /// A DTMF event arrived (RFC 4733).
    Dtmf {
        /// The call.
        call: CallHandle,
        /// The key.
        digit: char,
        /// How long it was held down.
        duration: Duration,
    },
    /// A MESSAGE arrived.
    Message {
        /// The call whose dialog it came in, if any.
        call: Option<CallHandle>,
        /// Who sent it.
        from: Party,
        /// The media type of the body.
        content_type: String,
        /// The body.
        body: Bytes,
    },
    /// A request inside a call (MESSAGE, re-INVITE, INFO) was answered.
    Answered {
        /// The call.
        call: CallHandle,
        /// The method of the request.
        method: String,
        /// The final status; 408 where no response came (RFC 3261 section 8.1.3.1).
        status: u16,
        /// The reason phrase.
        reason: String,
    },
    /// The answer to [`Command::Options`].
    OptionsAnswered {
        /// The request.
        request: RequestId,
        /// The final response; 408 where none came.
        status: u16,
        /// Its reason phrase.
        reason: String,
        /// The methods that the peer's Allow header lists.
        allow: Vec<String>,
        /// The value of its User-Agent or Server header.
        agent: Option<String>,
        /// Time from request to response; `None` where none came.
        round_trip: Option<Duration>,
    },
    /// What became of a command that was to be reported on ([`Command::Report`]).
    Outcome {
        /// The request.
        request: RequestId,
        /// Whether it was carried out.
        result: Result<Done, NotDone>,
    },
    /// The answer to [`Command::Classify`].
    Classified {
        /// The request.
        request: RequestId,
        /// What was found out.
        result: Classification,
    },
    /// The call is over; its handle names nothing any more.
    Ended {
        /// The call.
        call: CallHandle,
        /// Why.
        reason: EndReason,
        /// What was measured in each media section over the whole call.
        stats: Vec<SectionStats>,
    },
}

/// What came out of a key exchange.
#[derive(Clone, Debug, Default)]
pub struct Protection {
    /// The SRTP suite by its SDP name (RFC 4568 section 6.2); `None`: media are clear.
    pub suite: Option<String>,
    /// The fingerprints of our identity and of the peer's, where identities were shown.
    pub fingerprints: Option<(String, String)>,
    /// A short text that two people compare: it is the same on both ends unless somebody stands in the middle.
    pub short_authentication_string: Option<String>,
    /// The master keys of what this side sends and of what it receives.
    pub keys: Option<Box<(MasterKey, MasterKey)>>,
}

/// A way between two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Our address.
    pub local: SocketAddr,
    /// Our address as the peer sees it.
    pub mapped: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
}

/// A person or a machine in a call, as a From or To header names it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Party {
    /// The display name, unquoted.
    pub display: Option<String>,
    /// The URI.
    pub uri: String,
}

impl std::fmt::Display for Party {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.display {
            Some(name) if !name.is_empty() => write!(f, "{name} <{}>", self.uri),
            _ => f.write_str(&self.uri),
        }
    }
}

/// Which way media flow, seen from this side (RFC 8866 section 6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// From here to the peer.
    SendOnly,
    /// From the peer to here.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// A direction from its two halves.
    pub fn new(send: bool, receive: bool) -> Self {
        match (send, receive) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    /// Whether this side sends.
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether this side receives.
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// The same flow seen from the other side.
    pub fn reversed(self) -> Self {
        Direction::new(self.receives(), self.sends())
    }

    /// The SDP attribute's name: `sendrecv`, `sendonly`, `recvonly` or `inactive`.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }
}

/// A media section after negotiation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Sound or pictures; `None` for a media type that this side does not know.
    pub kind: Option<MediaKind>,
    /// Whether the section is in use (its port is not 0).
    pub active: bool,
    /// Which way its media flow.
    pub direction: Direction,
    /// What to send and how; `None` where the section is not in use.
    pub send: Option<MediaFormat>,
    /// What to expect, by RTP payload type: the peer may send any of these, the preferred one comes first.
    pub receive: Vec<(u8, MediaFormat)>,
    /// Where this side receives RTP.
    pub local: Option<SocketAddr>,
    /// Where this side sends RTP.
    pub remote: Option<SocketAddr>,
    /// Whether the peer reads how a picture is to be turned ([`EncodedFrame::rotation`]).
    pub takes_rotation: bool,
}

/// The format of one direction of a media section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaFormat {
    /// Sound.
    Audio(AudioFormat),
    /// Pictures.
    Video(VideoFormat),
}

impl MediaFormat {
    /// The codec.
    pub fn codec(&self) -> crate::frame::Codec {
        match self {
            MediaFormat::Audio(f) => f.codec,
            MediaFormat::Video(f) => f.codec,
        }
    }
}

/// What was measured in one media section, both directions. What was not measured is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SectionStats {
    /// Sound or pictures; `None` for a section that was never in use.
    pub kind: Option<MediaKind>,
    /// The codec last sent or received.
    pub codec: Option<crate::frame::Codec>,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// RTP payload octets sent.
    pub octets_sent: u64,
    /// RTP packets received.
    pub packets_received: u64,
    /// RTP payload octets received.
    pub octets_received: u64,
    /// Packets that never arrived, by RFC 3550 appendix A.3; duplicates can make it negative.
    pub packets_lost: i64,
    /// Packets that arrived after the jitter buffer had given them up.
    pub packets_late: u64,
    /// Packets that arrived twice.
    pub packets_duplicate: u64,
    /// Packets that arrived out of order.
    pub packets_reordered: u64,
    /// Interarrival jitter, RFC 3550 section 6.4.1; `None` before the second packet.
    pub jitter: Option<Duration>,
    /// Round trip from the last RTCP report that allowed it; `None` where none did.
    pub round_trip: Option<Duration>,
    /// Fraction of our packets that the peer last reported lost, 0 to 1; `None` without a report.
    pub remote_loss: Option<f64>,
    /// RTCP packets received.
    pub rtcp_received: u64,
    /// RTCP packets sent.
    pub rtcp_sent: u64,
    /// Key frames sent because the peer asked.
    pub keyframes_requested: u64,
    /// Frames sent.
    pub frames_sent: u64,
    /// Frames passed on to the decoder.
    pub frames_received: u64,
    /// Frames that could not be put together.
    pub frames_dropped: u64,
    /// What tells the sender's time of what arrives, by which sound and pictures are aligned; `None` where nothing has.
    pub synchronised_by: Option<MappingOrigin>,
    /// How the pictures that are sent are to be turned, where the peer was told.
    pub rotation_sent: Option<Rotation>,
    /// How the pictures that arrive are to be turned, where the peer said so.
    pub rotation_received: Option<Rotation>,
}

impl SectionStats {
    /// Packets that never arrived as a share of those that should have, 0 to 1; `None` where none should have. What
    /// arrived twice makes up for nothing here, though RFC 3550 appendix A.3 lets it (see
    /// [`SectionStats::packets_lost`]).
    pub fn loss(&self) -> Option<f64> {
        let expected =
            i64::try_from(self.packets_received).unwrap_or(i64::MAX).saturating_add(self.packets_lost);
        let doubles = i64::try_from(self.packets_duplicate).unwrap_or(i64::MAX);
        let missing = self.packets_lost.saturating_add(doubles).max(0);
        (expected > 0).then(|| missing as f64 / expected as f64)
    }
}
