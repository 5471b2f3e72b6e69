//! What reaches a call, told by what the call is at: requests of its dialog, responses to its own or none, media, sockets that
//! were opened, and the time of its timers.

use super::accept::Unacknowledged;
use super::command;
use super::timer::Timer;
use super::{Call, Phase};
use crate::agent::core::Core;
use crate::frame::EncodedFrame;
use crate::io::{Datagram, EndReason, Event, OpenError, RequestId, SocketId};
use crate::rtp::rtcp::Compound;
use crate::sip::transaction::{ClientKey, ServerKey};
use crate::sip::{Method, Request, Response};
use crate::time::Time;
use std::net::SocketAddr;

impl Call {
    /// A request inside the dialog.
    pub(crate) fn request(&mut self, now: Time, core: &mut Core, key: ServerKey, request: &Request) {
        if let Some(dialog) = &mut self.dialog
            && let Err(error) = dialog.accept_sequence(request)
        {
            tracing::debug!(%error, call = self.handle.0, "a request is out of order");
            return self.respond(now, core, key, request, 500);
        }
        match request.method {
            Method::Invite => self.reinvited(now, core, key, request),
            Method::Bye => self.bye_received(now, core, key, request),
            Method::Message => self.message_received(now, core, key, request),
            Method::Info => self.info_received(now, core, key, request),
            Method::Options => {
                let mut response = self.response(core, request, 200);
                crate::agent::describe(&mut response);
                core.respond(now, key, response);
            }
            _ => self.respond(now, core, key, request, 405),
        }
    }

    /// The response to a request of ours.
    pub(crate) fn response_received(
        &mut self,
        now: Time,
        core: &mut Core,
        key: ClientKey,
        response: Response,
    ) {
        match &self.phase {
            Phase::Inviting(inviting) if inviting.key == Some(key) => {
                return self.invite_answered(now, core, response);
            }
            Phase::Leaving { bye: Some(bye), .. } if *bye == key => {
                if !response.is_provisional() {
                    self.left(now, core);
                }
                return;
            }
            Phase::Over => return,
            _ => {}
        }
        if response.is_success() && response.headers.cseq().is_ok_and(|c| c.method == Method::Invite) {
            return self.accepted_again(now, core, key, response);
        }
        if response.is_provisional() {
            return;
        }
        self.asked.retain(|(asked, _)| *asked != key);
        if self.ske_answered(now, core, key, Some(&response)) {
            return;
        }
        self.request_answered(core, key, Some((response.status, response.reason_text())));
        self.answered(now, core, &response);
    }

    /// No response to a request of ours came in time.
    pub(crate) fn no_response(&mut self, now: Time, core: &mut Core, key: ClientKey) {
        if self.ske_answered(now, core, key, None) {
            return self.asked.retain(|(asked, _)| *asked != key);
        }
        match &self.phase {
            Phase::Inviting(inviting) if inviting.key == Some(key) => self.invite_unanswered(now, core),
            Phase::Leaving { bye: Some(bye), .. } if *bye == key => self.left(now, core),
            Phase::Over => {}
            _ if self.exchange.as_ref().is_some_and(|e| e.key == key) => {
                let exchange = self.exchange.take();
                let request = exchange.and_then(|e| e.wanted.request);
                self.report(core, request, Err(command::unanswered()));
                // RFC 3261 section 12.2.1.2: a request in a dialog that times out ends the dialog.
                let what = format!("no response to re-INVITE from {} in time", self.way.remote);
                self.hangup(now, core, EndReason::NoResponse { what });
            }
            _ => {
                let asked = self.asked.iter().position(|(asked, _)| *asked == key);
                let Some((_, method)) = asked.map(|at| self.asked.remove(at)) else { return };
                self.request_answered(core, key, None);
                let (call, method) = (self.handle, method.as_str().to_owned());
                core.event(Event::Answered { call, method, status: 408, reason: "no response".into() });
            }
        }
    }

    pub(crate) fn frame(&mut self, now: Time, core: &mut Core, section: usize, frame: EncodedFrame) {
        if !matches!(self.phase, Phase::Leaving { .. } | Phase::Over) && !core.config.signalling_only {
            self.media.frame(now, core, section, &frame);
        }
    }

    pub(crate) fn rtp(&mut self, now: Time, core: &mut Core, section: usize, datagram: &Datagram<'_>) {
        if !matches!(self.phase, Phase::Leaving { .. } | Phase::Over) {
            self.media.rtp(now, core, section, datagram);
            self.heard_again(now);
            self.listen(core);
        }
    }

    pub(crate) fn rtcp(
        &mut self,
        _now: Time,
        core: &mut Core,
        datagram: &Datagram<'_>,
        compound: &Compound<'_>,
    ) -> bool {
        self.media.rtcp(core, datagram, compound)
    }

    /// Whether RTCP of this call is SRTCP, or will be.
    pub(crate) fn is_protected(&self) -> bool {
        !self.media.crypto.is_clear()
    }

    /// Takes an SRTCP packet; whether it is one of this call's.
    pub(crate) fn srtcp(&mut self, core: &mut Core, datagram: &Datagram<'_>) -> bool {
        self.media.srtcp(core, datagram)
    }

    /// Does what is due.
    pub(crate) fn timeout(&mut self, now: Time, core: &mut Core) {
        self.resend_2xx(now, core);
        while let Some(timer) = self.timers.expired(now) {
            match timer {
                Timer::Ring => self.hangup(now, core, self.not_answered(now)),
                Timer::Glare => self.next_wish(now, core),
                Timer::Silence => self.silence(now, core),
                Timer::Path => self.path_silent(now),
                Timer::Keys => self.follow_key_exchange(now, core),
                Timer::Info => {}
                Timer::Leave => self.left(now, core),
            }
        }
        if matches!(self.phase, Phase::Up | Phase::Inviting(_) | Phase::Offered(_))
            && !core.config.signalling_only
        {
            self.media.timeout(now, core);
        }
    }

    pub(crate) fn next_deadline(&self, core: &Core) -> Option<Time> {
        let media = match self.phase {
            Phase::Leaving { .. } | Phase::Over => None,
            _ if core.config.signalling_only => None,
            _ => self.media.next_deadline(),
        };
        let unacknowledged = self.unacknowledged.as_ref().and_then(Unacknowledged::deadline);
        [self.timers.next(), media, unacknowledged].into_iter().flatten().min()
    }

    /// The answer to an [`Output::OpenSocket`](crate::io::Output::OpenSocket) of this call.
    pub(crate) fn socket_opened(
        &mut self,
        now: Time,
        core: &mut Core,
        request: RequestId,
        result: Result<(SocketId, SocketAddr), OpenError>,
    ) {
        if let Err(error) = self.ports.opened(core, &mut self.news.sockets, request, result) {
            let what = format!("no ports for media: {}", error.0);
            return self.give_up(now, core, EndReason::Failed { what });
        }
        if self.ports.are_ready() {
            match &self.phase {
                Phase::Inviting(inviting) if inviting.key.is_none() => self.invite(now, core),
                Phase::Offered(offered) if offered.accepted => self.accept(now, core),
                _ => {}
            }
        }
    }
}
