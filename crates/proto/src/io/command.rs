//! What an endpoint is asked to do.

use super::{CallHandle, RequestId};
use crate::nat::Ticket;
use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What a person or a program may want.
#[derive(Clone, Debug)]
pub enum Command {
    /// Place a call. The handle comes from [`Agent::new_call`](crate::agent::Agent::new_call).
    Call(CallHandle, Box<CallRequest>),
    /// Expect one call of a peer: find a way to it, then take its INVITE. The handle comes from
    /// [`Agent::new_call`](crate::agent::Agent::new_call), and [`Event::Incoming`](super::Event::Incoming)
    /// names it again.
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
    /// Do this in a call, and say by [`Event::Outcome`](super::Event::Outcome) what became of it: once, at the latest when
    /// the call is over.
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
