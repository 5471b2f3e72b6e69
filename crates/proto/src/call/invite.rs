//! How a call begins: INVITE, both sides. RFC 3261 sections 13.2 and 13.3.

use super::timer::Timer;
use super::{Call, Phase, description, party};
use crate::agent::core::{ALLOW, Core};
use crate::agent::{AnswerPolicy, PortPlan};
use crate::io::{CallHandle, CallRequest, EndReason, Event, MediaChoice, Path};
use crate::sdp::{Negotiated, NegotiationError, OfferAnswer, SessionDescription};
use crate::sip::dialog::Dialog;
use crate::sip::transaction::{ClientKey, Endpoint, ServerKey};
use crate::sip::{CSeq, HeaderName, Method, NameAddrBuf, Request, Response, Shape, UriBuf};
use crate::time::Time;

/// A call placed from here, before its final response.
pub(super) struct Inviting {
    request: CallRequest,
    /// The transaction, once the INVITE is sent.
    pub(super) key: Option<ClientKey>,
    invite: Option<Request>,
    /// Whether the peer has answered anything yet.
    pub(super) heard: bool,
    /// Why it is being cancelled, if it is.
    pub(super) cancelled: Option<EndReason>,
}

/// A call that came in, before its final response.
pub(super) struct Offered {
    pub(super) key: ServerKey,
    pub(super) invite: Request,
    pub(super) offer: Option<SessionDescription>,
    /// Accepted, and only waiting for ports.
    pub(super) accepted: bool,
    /// The answer, where it depends on nothing that is still to come: where the session stands after it, and what
    /// was agreed.
    pub(super) answer: Option<Box<(OfferAnswer, SessionDescription, Negotiated)>>,
}

impl Call {
    /// Places a call.
    pub(crate) fn place(
        now: Time,
        core: &mut Core,
        handle: CallHandle,
        mut request: CallRequest,
        path: Option<Path>,
    ) -> Call {
        if let Some(path) = path {
            (request.destination, request.local) = (path.remote, path.local.ip());
        }
        if path.is_some() || core.config.shape != Shape::Softphone {
            // There everybody is called the same, and an address is all that tells them apart.
            let (ip, port) = (request.destination.ip(), request.destination.port());
            request.target = UriBuf::sip(Some(&core.config.user), ip, Some(port)).to_string();
        }
        let (socket, bound) = core.main.unwrap_or((crate::io::SocketId(0), ([0, 0, 0, 0], 0).into()));
        let local = std::net::SocketAddr::new(request.local, bound.port());
        let way = Endpoint::udp(socket, local, request.destination);
        let choice = MediaChoice {
            audio: request.media.audio && core.config.media.audio,
            video: request.media.video && core.config.media.video,
        };
        let inviting = Inviting { request, key: None, invite: None, heard: false, cancelled: None };
        let mut call = Call::new(now, core, handle, way, choice, Phase::Inviting(Box::new(inviting)), path);
        if core.main.is_none() {
            call.over(core, EndReason::Failed { what: "there is no socket to call from".into() });
        } else if !call.ports.reserve(core, &mut call.news.sockets, local.ip()) {
            call.invite(now, core);
        }
        call
    }

    /// Sends the INVITE, its ports being there.
    pub(super) fn invite(&mut self, now: Time, core: &mut Core) {
        let Phase::Inviting(inviting) = &self.phase else { return };
        let (target, late) = (inviting.request.target.clone(), inviting.request.late_offer);
        let ring_timeout = inviting.request.ring_timeout;
        let Ok(uri) = UriBuf::new(&target) else {
            return self.over(core, EndReason::Failed { what: format!("{target} is no URI") });
        };
        let body = match (!late).then(|| self.offer(core)).transpose() {
            Ok(body) => body,
            Err(error) => return self.over(core, EndReason::Media { what: error.to_string() }),
        };
        let mut invite = Request::new(Method::Invite, uri.clone());
        let tag = core.tag();
        let call_id = core.call_id(now, self.way.local.ip());
        let from = NameAddrBuf::new(self.local_uri(core))
            .with_display(core.config.display_name.clone().unwrap_or_default())
            .with_tag(&tag);
        let headers = &mut invite.headers;
        headers.push(HeaderName::MaxForwards, 70u32);
        headers.push(HeaderName::From, from);
        headers.push(HeaderName::To, NameAddrBuf::new(uri));
        headers.push(HeaderName::CallId, call_id.as_str());
        headers.push(HeaderName::CSeq, CSeq { seq: 1, method: Method::Invite });
        headers.push(HeaderName::Contact, self.contact(core));
        headers.push(HeaderName::Allow, ALLOW);
        if let Some(body) = body {
            invite.set_body("application/sdp", body.to_bytes());
        }
        let key = self.send(now, core, invite.clone());
        let Some(key) = key else {
            return self.over(core, EndReason::Failed { what: "the INVITE could not be sent".into() });
        };
        if let Phase::Inviting(inviting) = &mut self.phase {
            inviting.key = Some(key);
            inviting.invite = Some(invite);
        }
        core.event(Event::Calling { call: self.handle, call_id });
        self.timers.set(Timer::Ring, Some(now + ring_timeout));
    }

    /// Makes an offer.
    pub(super) fn offer(&mut self, core: &Core) -> Result<SessionDescription, NegotiationError> {
        let mut session = self.session.clone();
        let offer = session.offer(&self.local_media(core));
        self.session = session;
        offer
    }

    /// Answers an offer, and takes over what comes out of it.
    pub(super) fn answer(
        &mut self,
        now: Time,
        core: &mut Core,
        offer: &SessionDescription,
    ) -> Result<SessionDescription, NegotiationError> {
        let mut session = self.session.clone();
        let (answer, negotiated) = session.answer(offer, &self.local_media(core))?;
        self.session = session;
        self.agree(now, core, &negotiated);
        Ok(answer)
    }

    /// A response to the INVITE that began this call.
    pub(super) fn invite_answered(&mut self, now: Time, core: &mut Core, response: Response) {
        let Phase::Inviting(inviting) = &mut self.phase else { return };
        let (Some(invite), Some(key)) = (inviting.invite.clone(), inviting.key) else { return };
        let (late, cancelled) = (inviting.request.late_offer, inviting.cancelled.clone());
        inviting.heard = true;
        self.timers.set(Timer::Leave, None);
        let reason = response.reason_text();
        if response.is_provisional() {
            let status = response.status;
            core.event(Event::Progress { call: self.handle, status, reason });
            if !late && cancelled.is_none() && status > 100 {
                self.early_media(now, core, &response);
            }
            return;
        }
        self.timers.set(Timer::Ring, None);
        if !response.is_success() {
            let reason = match cancelled {
                Some(reason) => reason,
                None => {
                    EndReason::Refused { status: response.status, reason: with_warning(&response, reason) }
                }
            };
            self.media.close(now, core);
            return self.over(core, reason);
        }
        let dialog = match Dialog::caller(&invite, &response, false) {
            Ok(dialog) => dialog,
            Err(error) => {
                let what = format!("the 200 of {} makes no dialog: {error}", self.way.remote);
                return self.over(core, EndReason::Failed { what });
            }
        };
        self.learn_dialog(&dialog);
        self.dialog = Some(dialog);
        self.phase = Phase::Up;
        if let Some(reason) = cancelled {
            // The 200 crossed our CANCEL (RFC 3261 section 9.1).
            self.acknowledge(core, 1, None);
            return self.hangup(now, core, reason);
        }
        self.answered_with_2xx(now, core, key, &response, late);
        if !matches!(self.phase, Phase::Up) {
            return;
        }
        self.established = true;
        core.event(Event::Established { call: self.handle, setup: now.since(self.began) });
        self.begin_key_exchange(now, core);
        self.listen(core);
        self.next_wish(now, core);
    }

    /// Acknowledges a 2xx, with the answer where it brought an offer; ends the call where the two do not fit.
    fn answered_with_2xx(
        &mut self,
        now: Time,
        core: &mut Core,
        _key: ClientKey,
        response: &Response,
        late: bool,
    ) {
        let found = description(core, &response.headers, &response.body);
        let outcome = match (found, late) {
            (Err(what), _) => Err(what),
            (Ok(None), _) => Err("its 200 has no SDP".to_owned()),
            (Ok(Some(offer)), true) => self.answer(now, core, &offer).map(Some).map_err(|e| e.to_string()),
            (Ok(Some(answer)), false) => match self.session.apply_answer(&answer) {
                Ok(negotiated) => {
                    self.agree(now, core, &negotiated);
                    Ok(None)
                }
                Err(error) => Err(error.to_string()),
            },
        };
        match outcome {
            Ok(body) => self.acknowledge(core, 1, body.as_ref()),
            Err(what) => {
                self.acknowledge(core, 1, None);
                let what = format!("no media agreed with {}: {what}", self.way.remote);
                self.hangup(now, core, EndReason::Media { what });
            }
        }
    }

    /// An answer in a provisional response lets early media in; the 2xx repeats it (RFC 3261 section 13.2.1).
    fn early_media(&mut self, now: Time, core: &mut Core, response: &Response) {
        let Ok(Some(answer)) = description(core, &response.headers, &response.body) else { return };
        let early = self.session.clone().apply_answer(&answer);
        if let Ok(negotiated) = early {
            self.agree(now, core, &negotiated);
        }
    }

    /// Sends the ACK of a 2xx to the INVITE with this CSeq number, and keeps it for repetitions.
    pub(super) fn acknowledge(&mut self, core: &mut Core, seq: u32, body: Option<&SessionDescription>) {
        let Some(dialog) = &self.dialog else { return };
        let mut ack = dialog.ack(seq);
        if let Some(body) = body {
            ack.set_body("application/sdp", body.to_bytes());
        }
        let way = self.way_of(dialog);
        let octets = core.transactions.send_ack(ack, way);
        self.ack = Some((seq, way, octets));
    }

    /// A 2xx to an INVITE of ours, after the first: a repetition, whose ACK was lost, or another branch of a fork.
    pub(super) fn accepted_again(&mut self, now: Time, core: &mut Core, key: ClientKey, response: Response) {
        let id = crate::sip::dialog::DialogId::of_response(&response);
        let ours = self.dialog.as_ref().map(Dialog::id) == id.as_ref();
        let seq = response.headers.cseq().map_or(0, |c| c.seq);
        if !ours {
            return self.refuse_fork(now, core, &response);
        }
        if self.exchange.as_ref().is_some_and(|e| e.key == key) {
            return self.answered(now, core, &response);
        }
        if let Some((acked, way, octets)) = &self.ack
            && *acked == seq
        {
            let (way, octets) = (*way, octets.clone());
            core.sip_datagram(&way, octets);
        }
    }

    /// Another callee of a forked INVITE answered too: it gets an ACK and a BYE (RFC 3261 section 13.2.2.4).
    fn refuse_fork(&mut self, now: Time, core: &mut Core, response: &Response) {
        let mut invite = Request::new(Method::Invite, UriBuf::sip(None, self.way.remote.ip(), None));
        for name in [HeaderName::From, HeaderName::CSeq] {
            invite.headers.copy_from(&response.headers, name);
        }
        invite.headers.push(HeaderName::Contact, self.contact(core));
        let Ok(mut fork) = Dialog::caller(&invite, response, false) else { return };
        let seq = response.headers.cseq().map_or(1, |c| c.seq);
        let way = self.way_of(&fork);
        core.transactions.send_ack(fork.ack(seq), way);
        let bye = fork.request(Method::Bye);
        if let Err(error) = core.request(now, bye, way) {
            tracing::debug!(%error, "no BYE to the other branch of a fork");
        }
    }

    /// Why a call is given up on that nobody has picked up.
    pub(super) fn not_answered(&self, now: Time) -> EndReason {
        let heard = matches!(&self.phase, Phase::Inviting(inviting) if inviting.heard);
        let (remote, seconds) = (self.way.remote, now.since(self.began).as_secs_f64());
        let what = if heard {
            format!("{remote} rang for {seconds:.1} s and nobody answered")
        } else {
            format!("no response to INVITE from {remote} in {seconds:.1} s")
        };
        EndReason::NoResponse { what }
    }

    /// The INVITE that began this call got no final response.
    pub(super) fn invite_unanswered(&mut self, now: Time, core: &mut Core) {
        let Phase::Inviting(inviting) = &self.phase else { return };
        let reason = inviting.cancelled.clone().unwrap_or_else(|| self.not_answered(now));
        self.media.close(now, core);
        self.over(core, reason);
    }

    /// Takes a call that came in: its INVITE has passed every check.
    pub(crate) fn offered(
        now: Time,
        core: &mut Core,
        handle: CallHandle,
        (key, invite, offer): (ServerKey, Request, Option<SessionDescription>),
        way: Endpoint,
        path: Option<Path>,
    ) -> Option<Call> {
        let choice = core.config.media;
        let offered = Offered { key, invite, offer, accepted: false, answer: None };
        let mut call = Call::new(now, core, handle, way, choice, Phase::Offered(Box::new(offered)), path);
        let Phase::Offered(offered) = &call.phase else { return None };
        let tag = core.tag();
        let dialog = match Dialog::callee(&offered.invite, &tag, call.contact(core), false) {
            Ok(dialog) => dialog,
            Err(error) => {
                let mut response = core.response(&offered.invite, 400);
                response = response.with_reason(&format!("Bad Request: {error}"));
                core.respond(now, key, response);
                return None;
            }
        };
        // Nobody is rung for a call that cannot come about.
        let mut session = call.session.clone();
        let answer = offered.offer.as_ref().map(|o| session.answer(o, &call.local_media(core)));
        let answer = match answer.transpose() {
            Ok(answer) => answer,
            Err(error) => {
                call.decline(now, core, 488, &EndReason::Media { what: error.to_string() });
                return None;
            }
        };
        let invite = &offered.invite;
        let event = Event::Incoming {
            call: handle,
            from: party(invite.headers.from()),
            to: party(invite.headers.to()),
            remote: way.remote,
            call_id: invite.headers.text(HeaderName::CallId).unwrap_or_default(),
            offered: offered.offer.as_ref().map(media_offered),
        };
        core.event(event);
        if core.config.ports == PortPlan::One
            && let Phase::Offered(offered) = &mut call.phase
        {
            offered.answer = answer.map(|(answer, negotiated)| Box::new((session, answer, negotiated)));
        }
        call.learn_dialog(&dialog);
        call.dialog = Some(dialog);
        call.news.servers.push(key);
        match core.config.answer {
            AnswerPolicy::Accept => {
                call.ring(now, core, 180);
                call.accept(now, core);
            }
            AnswerPolicy::Ask => {}
            AnswerPolicy::Decline(status) => call.reject(now, core, status),
        }
        Some(call)
    }

    /// Answers with a provisional status.
    pub(super) fn ring(&mut self, now: Time, core: &mut Core, status: u16) {
        let Phase::Offered(offered) = &self.phase else { return };
        let response = self.response(core, &offered.invite, status.clamp(101, 199));
        core.respond(now, offered.key, response);
    }

    /// Declines by command.
    pub(super) fn reject(&mut self, now: Time, core: &mut Core, status: u16) {
        if matches!(self.phase, Phase::Offered(_)) {
            let status = status.clamp(300, 699);
            self.decline(now, core, status, &EndReason::Rejected(status));
            self.over(core, EndReason::Rejected(status));
        }
    }

    /// Sends a final failure to the INVITE.
    pub(super) fn decline(&mut self, now: Time, core: &mut Core, status: u16, reason: &EndReason) {
        let Phase::Offered(offered) = &self.phase else { return };
        let mut response = self.response(core, &offered.invite, status);
        if let EndReason::Media { what } = reason {
            add_warning(&mut response, 305, self.way.local.ip(), what);
        }
        if matches!(status, 480 | 486 | 503 | 600 | 603) && status != 603 {
            // RFC 3261 section 20.33: when to try again, in seconds.
            response.headers.push(HeaderName::RetryAfter, 5u32);
        }
        core.respond(now, offered.key, response);
        self.media.close(now, core);
    }
}

/// A Warning header that says in words why something could not be had. Its code is of RFC 3261 section 20.43: 305 for an
/// incompatible media format, 399 for what has no code of its own.
pub(crate) fn add_warning(response: &mut Response, code: u16, agent: std::net::IpAddr, what: &str) {
    let text: String =
        what.chars().map(|c| if matches!(c, '"' | '\\') || c.is_control() { '\'' } else { c }).collect();
    let agent = match agent {
        std::net::IpAddr::V6(v6) => format!("[{v6}]"),
        std::net::IpAddr::V4(v4) => v4.to_string(),
    };
    response.headers.push(HeaderName::Warning, format!("{code} {agent} \"{text}\"").as_str());
}

fn with_warning(response: &Response, reason: String) -> String {
    match response.headers.text(HeaderName::Warning) {
        Some(warning) => format!("{reason} ({warning})"),
        None => reason,
    }
}

/// Which media an offer has sections for, apart from those it has switched off.
fn media_offered(offer: &SessionDescription) -> MediaChoice {
    let has = |name: &str| offer.media.iter().any(|m| m.media.eq_ignore_ascii_case(name) && m.port != 0);
    MediaChoice { audio: has("audio"), video: has("video") }
}
