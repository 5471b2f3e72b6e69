//! Changing a session by re-INVITE, both sides. RFC 3261 section 14, RFC 3264 section 8.

use super::accept::Unacknowledged;
use super::timer::Timer;
use super::{Call, Phase, Wanted, Wish, description, invite};
use crate::agent::core::Core;
use crate::io::{Done, EndReason, Event, MediaChoice, NotDone};
use crate::sip::dialog::retry_after_glare;
use crate::sip::transaction::{ClientKey, ServerKey};
use crate::sip::{HeaderName, Method, Request, Response};
use crate::time::Time;
use rand_core::RngCore;

/// A re-INVITE of ours that is under way.
pub(super) struct Exchange {
    pub(super) key: ClientKey,
    /// Its CSeq number, which the ACK carries.
    seq: u32,
    /// What it is for, to be tried again after a 491.
    pub(super) wanted: Wanted,
    /// What holds again if it fails.
    before: (MediaChoice, bool),
}

impl Call {
    /// Something about the session is to change, as soon as nothing else is under way.
    pub(super) fn wish(&mut self, now: Time, core: &mut Core, wanted: Wanted) {
        if self.wishes.len() < MAX_WISHES {
            self.wishes.push_back(wanted);
        } else {
            let why = format!("{MAX_WISHES} changes of the session wait already");
            self.report(core, wanted.request, Err(NotDone::because(why)));
        }
        self.next_wish(now, core);
    }

    /// Sends the next re-INVITE that is wanted.
    pub(super) fn next_wish(&mut self, now: Time, core: &mut Core) {
        let busy = self.exchange.is_some()
            || self.unacknowledged.is_some()
            || !self.established
            || self.timers.is_set(Timer::Glare)
            || !matches!(self.phase, Phase::Up);
        if busy {
            return;
        }
        let Some(wanted) = self.wishes.pop_front() else { return };
        let before = (self.choice, self.hold);
        match wanted.wish {
            Wish::Hold(hold) => self.hold = hold,
            Wish::Media(choice) => self.choice = choice,
        }
        let offer = match self.offer(core) {
            Ok(offer) => offer,
            Err(error) => {
                (self.choice, self.hold) = before;
                let (status, reason) = (488, error.to_string());
                self.report(core, wanted.request, Err(NotDone::because(reason.clone())));
                return core.event(Event::Answered {
                    call: self.handle,
                    method: "INVITE".into(),
                    status,
                    reason,
                });
            }
        };
        let Some(dialog) = &mut self.dialog else { return };
        let mut request = dialog.request(Method::Invite);
        request.headers.push(HeaderName::Allow, crate::agent::core::ALLOW);
        request.set_body("application/sdp", offer.to_bytes());
        let seq = request.headers.cseq().map_or(0, |c| c.seq);
        match self.send(now, core, request) {
            Some(key) => self.exchange = Some(Exchange { key, seq, wanted, before }),
            None => {
                self.session.offer_failed();
                (self.choice, self.hold) = before;
                self.report(core, wanted.request, Err(NotDone::because("the re-INVITE could not be sent")));
            }
        }
    }

    /// A final response to a request of ours in the dialog.
    pub(super) fn answered(&mut self, now: Time, core: &mut Core, response: &Response) {
        let Ok(cseq) = response.headers.cseq() else { return };
        let (status, reason) = (response.status, response.reason_text());
        let method = cseq.method.as_str().to_owned();
        if cseq.method == Method::Invite {
            let Some(exchange) = self.exchange.take_if(|e| e.seq == cseq.seq) else { return };
            self.reinvite_answered(now, core, exchange, response);
        }
        if !self.is_over() {
            core.event(Event::Answered { call: self.handle, method, status, reason });
        }
        if matches!(status, 408 | 481) && matches!(self.phase, Phase::Up) {
            // RFC 3261 section 12.2.1.2: the dialog is no more.
            let what = format!("{} knows this call no more ({status})", self.way.remote);
            self.hangup(now, core, EndReason::NoResponse { what });
        }
    }

    fn reinvite_answered(&mut self, now: Time, core: &mut Core, exchange: Exchange, response: &Response) {
        let (request, status, reason) = (exchange.wanted.request, response.status, response.reason_text());
        if response.is_success() {
            if let Some(dialog) = &mut self.dialog {
                dialog.refresh_target(&response.headers);
            }
            self.acknowledge(core, exchange.seq, None);
            if !matches!(self.phase, Phase::Up) {
                return self.report(core, request, Err(NotDone::because("the call is being left")));
            }
            let answer = description(core, &response.headers, &response.body);
            let outcome = match answer {
                Ok(Some(answer)) => self.session.apply_answer(&answer).map_err(|e| e.to_string()),
                Ok(None) => Err("the 200 has no SDP".to_owned()),
                Err(what) => Err(what),
            };
            match outcome {
                Ok(negotiated) => {
                    self.agree(now, core, &negotiated);
                    self.report(core, request, Ok(Done { response: Some((status, reason)), how: None }));
                }
                Err(what) => {
                    self.session.offer_failed();
                    let what = format!("re-INVITE answered badly by {}: {what}", self.way.remote);
                    self.report(core, request, Err(NotDone { status: Some(status), why: what.clone() }));
                    return self.hangup(now, core, EndReason::Media { what });
                }
            }
        } else {
            self.session.offer_failed();
            (self.choice, self.hold) = exchange.before;
            if response.status == 491 {
                let owner = self.dialog.as_ref().is_some_and(|d| d.is_caller());
                let wait = retry_after_glare(owner, &mut core.rng);
                self.timers.set(Timer::Glare, Some(now + wait));
                self.wishes.push_front(exchange.wanted);
            } else {
                let why = format!("the peer answered {status} {reason}");
                self.report(core, request, Err(NotDone { status: Some(status), why }));
            }
        }
        self.next_wish(now, core);
    }

    /// The peer wants to change the session.
    pub(super) fn reinvited(&mut self, now: Time, core: &mut Core, key: ServerKey, request: &Request) {
        if !matches!(self.phase, Phase::Up) {
            // RFC 3261 section 14.2 for an INVITE that is not answered yet; else the call is being left.
            let status = if matches!(self.phase, Phase::Offered(_)) { 500 } else { 481 };
            return self.refuse_reinvite(now, core, key, request, status, None);
        }
        if self.exchange.is_some() || self.session.is_offer_pending() {
            return self.refuse_reinvite(now, core, key, request, 491, None);
        }
        if self.unacknowledged.is_some() {
            return self.refuse_reinvite(now, core, key, request, 500, None);
        }
        let offer = match description(core, &request.headers, &request.body) {
            Ok(offer) => offer,
            Err(what) => return self.refuse_reinvite(now, core, key, request, 400, Some(&what)),
        };
        let body = match &offer {
            Some(offer) => self.answer(now, core, offer),
            None => self.offer(core),
        };
        let body = match body {
            Ok(body) => body,
            Err(error) => {
                let what = error.to_string();
                return self.refuse_reinvite(now, core, key, request, 488, Some(&what));
            }
        };
        if let Some(dialog) = &mut self.dialog {
            dialog.refresh_target(&request.headers);
        }
        let mut response = self.response(core, request, 200);
        crate::agent::describe(&mut response);
        response.set_body("application/sdp", body.to_bytes());
        core.respond(now, key, response);
        let seq = request.headers.cseq().map_or(0, |c| c.seq);
        self.unacknowledged = Some(Unacknowledged::new(now, core, key, seq, offer.is_none()));
    }

    fn refuse_reinvite(
        &mut self,
        now: Time,
        core: &mut Core,
        key: ServerKey,
        request: &Request,
        status: u16,
        what: Option<&str>,
    ) {
        let mut response = self.response(core, request, status);
        match (status, what) {
            // RFC 3261 section 14.2: a random time between 0 and 10 seconds.
            (500, _) => response.headers.push(HeaderName::RetryAfter, core.rng.next_u32() % 11),
            (488, Some(what)) => invite::add_warning(&mut response, 305, self.way.local.ip(), what),
            (400, Some(what)) => response = response.with_reason(&format!("Bad Request: {what}")),
            _ => {}
        }
        core.respond(now, key, response);
    }
}

/// Changes that may wait for one another.
const MAX_WISHES: usize = 16;
