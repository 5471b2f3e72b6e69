//! One side's part in the offers and answers of a call (RFC 3264), over all its re-offers.

use super::capabilities::Capabilities;
use super::dialect::{Dialect, Facetime2010};
use super::error::NegotiationError;
use super::extmap::ExtensionNumbers;
use super::format::{Encoding, Format};
use super::negotiate::kind_of;
use super::session::{Line, MediaDescription, Origin, SessionDescription, address_text};
use crate::frame::MediaKind;
use crate::io::{Direction, MediaChoice};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// What this side brings to one offer or answer.
#[derive(Clone, Copy, Debug)]
pub struct LocalMedia<'a> {
    /// What it can do.
    pub capabilities: &'a Capabilities,
    /// Which media it wants. In an answer, a section of a medium that is not wanted is refused.
    pub choice: MediaChoice,
    /// Whether it holds the peer: nothing is to be received (RFC 3264 section 8.4).
    pub hold: bool,
    /// Its end of the audio section.
    pub audio: LocalStream,
    /// Its end of the video section.
    pub video: LocalStream,
    /// The canonical name of its sources (RFC 3550 section 6.5.1), for `a=ssrc`; no CR or LF.
    pub cname: &'a str,
}

/// This side's end of a media section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalStream {
    /// Where it receives RTP.
    pub rtp: SocketAddr,
    /// Where it receives RTCP.
    pub rtcp: SocketAddr,
    /// The SSRC that it sends with; `None` says nothing about it.
    pub ssrc: Option<u32>,
    /// Which way it wants media to flow.
    pub direction: Direction,
}

impl LocalStream {
    /// RTP and RTCP on one address, both ways.
    pub fn one_port(address: SocketAddr, ssrc: Option<u32>) -> Self {
        LocalStream { rtp: address, rtcp: address, ssrc, direction: Direction::SendRecv }
    }
}

impl LocalMedia<'_> {
    pub(super) fn stream(&self, kind: MediaKind) -> LocalStream {
        match kind {
            MediaKind::Audio => self.audio,
            MediaKind::Video => self.video,
        }
    }

    /// This side's end of a section: video's for a video section, else audio's.
    pub(super) fn stream_of(&self, section: &MediaDescription) -> LocalStream {
        if kind_of(section) == Some(MediaKind::Video) { self.video } else { self.audio }
    }

    pub(super) fn wants(&self, kind: MediaKind) -> bool {
        match kind {
            MediaKind::Audio => self.choice.audio,
            MediaKind::Video => self.choice.video,
        }
    }

    /// The direction that this side wants, with hold taken into account.
    pub(super) fn wanted_direction(&self, kind: MediaKind) -> Direction {
        let wanted = self.stream(kind).direction;
        if self.hold { intersect(wanted, Direction::SendOnly) } else { wanted }
    }
}

/// One side's state of the offer/answer model in one call (one SIP dialog).
///
/// Either [`offer`](OfferAnswer::offer) then [`apply_answer`](OfferAnswer::apply_answer) (or
/// [`offer_failed`](OfferAnswer::offer_failed)), or [`answer`](OfferAnswer::answer), as often as the call likes. An
/// exchange that fails leaves the session as it was (RFC 3261 section 14.1).
#[derive(Clone, Debug)]
pub struct OfferAnswer {
    session_id: u64,
    address: IpAddr,
    /// The last description that was sent, whatever became of it; its version is the last one used.
    sent: Option<SessionDescription>,
    version: u64,
    /// The description of each side that the last complete exchange ended with.
    pub(super) agreed: Option<Agreed>,
    /// The offer that waits for its answer.
    pub(super) pending: Option<Pending>,
    /// What each dynamic payload type has meant in this call: it never changes (RFC 3264 section 8.3.2). Those of
    /// the pending offer stand at the end, and go with it if it fails.
    assigned: Vec<(MediaKind, Format)>,
    /// Payload types that the peer has used for anything.
    taken: BTreeSet<u8>,
    /// What each local identifier of a header extension has meant in this call: it never changes (RFC 8285 section 7).
    pub(super) extensions: ExtensionNumbers,
}

/// An offer on its way, and what it was made from.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) description: SessionDescription,
    pub(super) capabilities: Capabilities,
    pub(super) audio: LocalStream,
    pub(super) video: LocalStream,
    /// How many payload types had a meaning before it.
    pub(super) assigned_before: usize,
}

/// The two descriptions of a complete exchange.
#[derive(Clone, Debug)]
pub(super) struct Agreed {
    pub(super) local: SessionDescription,
    pub(super) remote: SessionDescription,
}

impl OfferAnswer {
    /// The state of a call without any exchange. `session_id` goes into `o=` and should be random; its top bit is
    /// dropped, since it must fit a signed integer (RFC 3264 section 5). `address` goes into `o=` too.
    pub fn new(session_id: u64, address: IpAddr) -> Self {
        OfferAnswer {
            session_id: session_id & (u64::MAX >> 1),
            address,
            sent: None,
            version: 0,
            agreed: None,
            pending: None,
            assigned: Vec::new(),
            taken: BTreeSet::new(),
            extensions: ExtensionNumbers::default(),
        }
    }

    /// The local description of the last complete exchange.
    pub fn local(&self) -> Option<&SessionDescription> {
        self.agreed.as_ref().map(|agreed| &agreed.local)
    }

    /// The peer's description of the last complete exchange.
    pub fn remote(&self) -> Option<&SessionDescription> {
        self.agreed.as_ref().map(|agreed| &agreed.remote)
    }

    /// Whether an offer of this side waits for its answer.
    pub fn is_offer_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// The peer refused the pending offer, or it never arrived: the session stays as it was.
    pub fn offer_failed(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.forget_from(pending.assigned_before);
        }
    }

    /// Where the payload types of the pending offer, or of one made now, begin.
    pub(super) fn assigned_before(&self) -> usize {
        self.pending.as_ref().map_or(self.assigned.len(), |pending| pending.assigned_before)
    }

    /// Forgets the payload types of an offer that came to nothing.
    pub(super) fn forget_from(&mut self, assigned_before: usize) {
        self.assigned.truncate(assigned_before);
    }

    /// Puts the session level around media sections. The version goes up by one unless the description is the
    /// same as the last one (RFC 3264 section 8).
    pub(super) fn seal(
        &mut self,
        dialect: &Dialect,
        time: &str,
        (extensions, media): (Vec<Line>, Vec<MediaDescription>),
        at: IpAddr,
    ) -> SessionDescription {
        let facetime = dialect.facetime();
        let name = facetime.map_or("-", Facetime2010::session_name);
        let mut lines =
            vec![self.origin_line(dialect), Line::new('s', name), Line::new('c', address_text(at))];
        lines.extend(facetime.and_then(Facetime2010::session_bandwidth_line));
        lines.push(Line::new('t', time));
        lines.extend(facetime.map(Facetime2010::session_attributes).unwrap_or_default());
        lines.extend(extensions);
        let is_new = self.sent.as_ref().is_none_or(|sent| sent.lines != lines || sent.media != media);
        if is_new {
            self.version += 1;
            if let Some(origin) = lines.first_mut() {
                *origin = self.origin_line(dialect);
            }
        }
        let description = SessionDescription { lines, media };
        self.sent = Some(description.clone());
        description
    }

    fn origin_line(&self, dialect: &Dialect) -> Line {
        // The record has neither a number for the session nor one for its versions.
        let is_numbered = dialect.facetime().is_none_or(|facetime| !facetime.emulate);
        let number = |n: u64| if is_numbered { n } else { 0 }.to_string();
        let origin = Origin {
            username: dialect.facetime().map_or("-", Facetime2010::origin_name).to_owned(),
            session_id: number(self.session_id),
            session_version: number(self.version),
            address: address_text(self.address),
        };
        Line::new('o', origin.to_string())
    }

    /// Keeps the payload types of a description that the peer sent out of the way of our own.
    pub(super) fn reserve(&mut self, description: &SessionDescription) {
        self.taken.extend(
            description.media.iter().flat_map(MediaDescription::payload_types).filter(|pt| *pt >= 35),
        );
        self.extensions.reserve(description);
    }

    /// Remembers what a payload type means.
    pub(super) fn assign(&mut self, kind: MediaKind, format: &Format) {
        let known = self.assigned.iter().any(|(k, f)| *k == kind && f.payload_type == format.payload_type);
        if !known {
            self.assigned.push((kind, format.clone()));
        }
    }

    /// The payload type under which to offer an encoding: its static one, the one that it already has, or a free
    /// one; `None` where all are taken.
    pub(super) fn payload_type_for(&mut self, kind: MediaKind, encoding: &Encoding) -> Option<Format> {
        if let Some(payload_type) = encoding.static_payload_type() {
            return Some(Format { payload_type, encoding: encoding.clone() });
        }
        let known = self
            .assigned
            .iter()
            .find(|(k, format)| *k == kind && format.encoding.is_same_configuration(encoding))
            .map(|(_, format)| format.clone());
        if let Some(known) = known {
            let mut format = Format { payload_type: known.payload_type, encoding: encoding.clone() };
            format.encoding.adopt_identity(&known.encoding);
            return Some(format);
        }
        let used: BTreeSet<u8> = self.assigned.iter().map(|(_, format)| format.payload_type).collect();
        // 64 to 95 would read as RTCP on a shared port (RFC 5761 section 4).
        let payload_type =
            (96..=127).chain(35..=63).find(|pt| !used.contains(pt) && !self.taken.contains(pt))?;
        let format = Format { payload_type, encoding: encoding.clone() };
        self.assign(kind, &format);
        Some(format)
    }

    pub(super) fn check_no_pending(&self) -> Result<(), NegotiationError> {
        if self.pending.is_some() { Err(NegotiationError::OfferPending) } else { Ok(()) }
    }
}

/// What both directions allow.
pub(super) fn intersect(a: Direction, b: Direction) -> Direction {
    Direction::new(a.sends() && b.sends(), a.receives() && b.receives())
}
