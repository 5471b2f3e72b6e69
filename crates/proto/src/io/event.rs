//! What an endpoint tells of its calls.

use super::{CallHandle, Done, EndReason, MediaChoice, NotDone, RequestId, Section, SectionStats};
use crate::frame::ReceivedFrame;
use crate::nat::Classification;
use crate::rtp::srtp::MasterKey;
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A call came in. Answer with [`Command::Ring`](super::Command::Ring), [`Command::Accept`](super::Command::Accept) or
    /// [`Command::Reject`](super::Command::Reject), unless the configuration answers by itself.
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
    /// The answer to [`Command::Options`](super::Command::Options).
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
    /// What became of a command that was to be reported on ([`Command::Report`](super::Command::Report)).
    Outcome {
        /// The request.
        request: RequestId,
        /// Whether it was carried out.
        result: Result<Done, NotDone>,
    },
    /// The answer to [`Command::Classify`](super::Command::Classify).
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
