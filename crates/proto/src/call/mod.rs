//! A call: one INVITE dialog and its media. RFC 3261 sections 12 to 15.
//!
//! One file for each thing that happens in a call: [`invite`] begins it, [`reinvite`] changes it, [`bye`] and
//! [`cancel`] end it, [`message`] and [`info`] happen inside it, [`ske`] agrees on keys, [`path`] keeps to the way
//! that was found; [`media`] is what it is for. What comes from outside goes through [`arrive`], and its dialog's messages leave
//! through [`send`].

mod accept;
mod announce;
mod arrive;
mod bye;
mod cancel;
mod command;
pub(crate) mod convert;
mod crypto;
mod info;
mod invite;
pub(crate) mod media;
mod message;
mod path;
mod ports;
mod reinvite;
pub(crate) mod section;
mod send;
mod ske;
mod timer;

use self::accept::Unacknowledged;
use self::command::Awaited;
use self::invite::{Inviting, Offered};
use self::media::Media;
pub(crate) use self::path::PathNews;
use self::ports::Ports;
use self::reinvite::Exchange;
use self::ske::KeyExchange;
use self::timer::{Timer, Timers};
use crate::agent::core::Core;
use crate::frame::MediaKind;
use crate::io::{CallHandle, EndReason, Event, MediaChoice, Party, Path, RequestId, Section, SectionStats};
use crate::sdp::{LocalMedia, LocalStream, Negotiated, OfferAnswer, SessionDescription};
use crate::sip::dialog::{Dialog, DialogId};
use crate::sip::transaction::{ClientKey, Endpoint, ServerKey};
use crate::sip::{Method, NameAddr};
use crate::time::Time;
use rand_core::RngCore;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// A call, in one of the states of [`Phase`].
pub(crate) struct Call {
    handle: CallHandle,
    phase: Phase,
    /// The way that signalling takes: our socket and address, and where requests go that name no other place.
    way: Endpoint,
    /// The way that was found for this call, the only one that it uses; `None` where the peer was called as it is.
    path: Option<Path>,
    /// Whether media on it have stopped.
    path_suspect: bool,
    dialog: Option<Dialog>,
    /// Identifiers of dialogs that lead here.
    ids: Vec<DialogId>,
    session: OfferAnswer,
    /// The media that this side wants.
    choice: MediaChoice,
    /// Whether this side holds the peer.
    hold: bool,
    media: Media,
    ports: Ports,
    /// A re-INVITE of ours that is under way.
    exchange: Option<Exchange>,
    /// A 2xx of ours whose ACK has not come.
    unacknowledged: Option<Unacknowledged>,
    /// Our last ACK, to be sent again when its 2xx is repeated: CSeq number, way, octets.
    ack: Option<(u32, Endpoint, bytes::Bytes)>,
    /// Requests of ours that wait for their final response.
    asked: Vec<(ClientKey, Method)>,
    /// The agreement on keys, once the call is up.
    keys: Option<KeyExchange>,
    /// What is reported of the media once there are keys.
    held_back: Option<Vec<Section>>,
    /// What is to be done once the exchange that is under way has ended.
    wishes: VecDeque<Wanted>,
    /// Commands whose outcome is still open.
    awaited: Awaited,
    timers: Timers,
    began: Time,
    established: bool,
    /// Set by a command to hang up that must wait for an ACK (RFC 3261 section 15).
    leave_when_acknowledged: bool,
    news: News,
    /// The deadline under which the agent has this call in its list.
    pub(crate) scheduled: Option<Time>,
}

enum Phase {
    /// Placed from here: sockets are being opened, or the INVITE has no final response yet.
    Inviting(Box<Inviting>),
    /// Come in: no final response sent yet.
    Offered(Box<Offered>),
    /// Accepted by either side.
    Up,
    /// BYE sent, or CANCEL: its response, or that of the INVITE, is waited for.
    Leaving { bye: Option<ClientKey>, reason: EndReason },
    /// Done: [`Event::Ended`] was given.
    Over,
}

/// A change of the session that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Hold(bool),
    Media(MediaChoice),
}

/// A wish, and the report on it that is wanted.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    wish: Wish,
    request: Option<RequestId>,
}

/// What the agent must know after a call was touched.
#[derive(Default)]
pub(crate) struct News {
    pub(crate) clients: Vec<ClientKey>,
    pub(crate) servers: Vec<ServerKey>,
    pub(crate) sockets: Vec<RequestId>,
    pub(crate) dialogs: Vec<DialogId>,
    pub(crate) media_changed: bool,
    pub(crate) path: Vec<(Time, PathNews)>,
}

impl Call {
    fn new(
        now: Time,
        core: &mut Core,
        handle: CallHandle,
        way: Endpoint,
        choice: MediaChoice,
        phase: Phase,
        path: Option<Path>,
    ) -> Self {
        let way =
            path.map_or(way, |p| Endpoint { local: p.local, sent_by: p.mapped, remote: p.remote, ..way });
        let mut call = Call {
            handle,
            phase,
            way,
            path,
            path_suspect: false,
            dialog: None,
            ids: Vec::new(),
            session: OfferAnswer::new(core.rng.next_u64(), way.sent_by.ip()),
            choice,
            hold: false,
            media: Media::new(core, handle),
            ports: Ports::default(),
            exchange: None,
            unacknowledged: None,
            ack: None,
            asked: Vec::new(),
            keys: None,
            held_back: None,
            wishes: VecDeque::new(),
            awaited: Awaited::default(),
            timers: Timers::default(),
            began: now,
            established: false,
            leave_when_acknowledged: false,
            news: News::default(),
            scheduled: None,
        };
        call.hold_for_keys(core);
        call
    }

    pub(crate) fn handle(&self) -> CallHandle {
        self.handle
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    pub(crate) fn media(&self) -> &Media {
        &self.media
    }

    /// Where the peer signals from.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.way.remote
    }

    pub(crate) fn dialog_ids(&self) -> impl Iterator<Item = &DialogId> {
        self.ids.iter()
    }

    pub(crate) fn stats(&self) -> Vec<SectionStats> {
        self.media.stats()
    }

    pub(crate) fn take_news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }

    /// Ends a call that cannot come about.
    fn give_up(&mut self, now: Time, core: &mut Core, reason: EndReason) {
        if matches!(&self.phase, Phase::Inviting(i) if i.key.is_none()) {
            return self.over(core, reason);
        }
        if matches!(self.phase, Phase::Offered(_)) {
            self.decline(now, core, 500, &reason);
            return self.over(core, reason);
        }
        self.hangup(now, core, reason);
    }

    /// The call is over.
    fn over(&mut self, core: &mut Core, reason: EndReason) {
        if self.is_over() {
            return;
        }
        self.phase = Phase::Over;
        self.ports.close(core);
        self.report_at_end(core, &reason);
        core.event(Event::Ended { call: self.handle, reason, stats: self.media.stats() });
    }

    /// Notes when something was last heard, for the timer that ends a silent call.
    fn listen(&mut self, core: &Core) {
        let limit = core.config.media_silence.filter(|_| matches!(self.phase, Phase::Up));
        let at = limit.and_then(|limit| Some(self.media.heard()? + limit));
        self.timers.set(Timer::Silence, at);
        self.watch_path();
    }

    fn silence(&mut self, now: Time, core: &mut Core) {
        let limit = core.config.media_silence.unwrap_or_default();
        let what = format!("no media from {} for {} s", self.way.remote, limit.as_secs());
        self.hangup(now, core, EndReason::NoResponse { what });
    }

    /// What this side brings to an offer or an answer.
    fn local_media<'a>(&'a self, core: &'a Core) -> LocalMedia<'a> {
        let stream = |kind, ssrc| {
            let ports = self.ports.of(kind, &self.way);
            // Behind a NAT, the address that the peer sees.
            let seen = |local| self.path.map_or(local, |p| p.mapped);
            LocalStream {
                rtp: seen(ports.rtp.1),
                rtcp: seen(ports.rtcp.1),
                ssrc: Some(ssrc),
                direction: crate::io::Direction::SendRecv,
            }
        };
        LocalMedia {
            capabilities: &core.config.capabilities,
            choice: self.choice,
            hold: self.hold,
            audio: stream(MediaKind::Audio, self.media.ssrcs.0),
            video: stream(MediaKind::Video, self.media.ssrcs.1),
            cname: &self.media.cname,
        }
    }

    /// Takes over the outcome of an offer and its answer.
    fn agree(&mut self, now: Time, core: &mut Core, negotiated: &Negotiated) {
        let (ports, way) = (&self.ports, self.way);
        self.media.agree(now, core, negotiated, |kind| ports.of(kind, &way), way.remote);
        self.pin_media();
        self.news.media_changed = true;
        let sections = negotiated.to_sections();
        if self.media.crypto.is_held() {
            self.held_back = Some(sections);
        } else {
            core.event(Event::Media { call: self.handle, sections });
        }
        self.listen(core);
    }
}

/// Reads the SDP in a message; `Ok(None)` where there is none.
fn description(
    core: &Core,
    headers: &crate::sip::Headers,
    body: &[u8],
) -> Result<Option<SessionDescription>, String> {
    if body.is_empty() {
        return Ok(None);
    }
    // What could be decoded has lost this field.
    if headers.content_encoding().any(|c| !c.eq_ignore_ascii_case(b"identity")) {
        return Err("a body whose coding cannot be read".into());
    }
    match headers.content_type() {
        Ok(Some(t)) if t.is("application", "sdp") => SessionDescription::parse(body, &core.config.limits)
            .map(Some)
            .map_err(|e| format!("Bad SDP: {e}")),
        Ok(Some(t)) => Err(format!("a body of type {t}, not application/sdp")),
        Ok(None) => Err("a body without Content-Type".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// The party that a From or To header names.
pub(crate) fn party(address: Result<NameAddr<'_>, crate::sip::HeaderError>) -> Party {
    match address {
        Ok(a) => Party { display: a.display_text(), uri: a.uri.to_string() },
        Err(_) => Party::default(),
    }
}
