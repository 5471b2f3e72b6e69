//! The key exchange of a call: MESSAGEs with `application/ske` in its dialog, and what comes out of them.
//!
//! Until it has ended, the media of a call that is to be encrypted are held: neither are they sent, nor can they be
//! read.

use super::crypto::Crypto;
use super::timer::Timer;
use super::{Call, Phase, invite};
use crate::agent::core::Core;
use crate::io::{EndReason, Event, Protection};
use crate::rtp::srtp::{MasterKey, Profile};
use crate::sdp::Dialect;
use crate::sip::transaction::{ClientKey, ServerKey};
use crate::sip::{HeaderName, Method, Request, Response};
use crate::ske::{self, Carrier, Exchange, Out, Outcome, Role, SkeSeq};
use crate::time::Time;
use bytes::Bytes;

/// The header field that numbers the bodies.
const SKE_SEQ: HeaderName<'static> = HeaderName::Other("SKESeq");

/// A key exchange that is under way, or has ended and still answers what is repeated.
pub(super) struct KeyExchange {
    exchange: Exchange,
    /// MESSAGEs of ours that wait for their responses.
    outstanding: Vec<(ClientKey, SkeSeq)>,
}

impl Call {
    /// Holds the media of a call that is to be encrypted.
    pub(super) fn hold_for_keys(&mut self, core: &Core) {
        if core.config.key_exchange.as_ref().is_some_and(|scheme| scheme.encrypts()) {
            self.media.crypto = Crypto::Held;
        }
    }

    /// The call is up: keys are to be agreed on.
    pub(super) fn begin_key_exchange(&mut self, now: Time, core: &mut Core) {
        if self.keys.is_some() || !matches!(self.phase, Phase::Up) {
            return;
        }
        let Some(scheme) = core.config.key_exchange.clone() else { return };
        let Some(dialog) = &self.dialog else { return };
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let id = dialog.id();
        let context = ske::Context {
            role: if dialog.is_caller() { Role::Caller } else { Role::Callee },
            call_id: text(&id.call_id),
            local_tag: text(&id.local_tag),
            remote_tag: text(&id.remote_tag),
        };
        let (limits, timeout) = (&core.config.limits, core.config.key_exchange_timeout);
        let exchange = Exchange::new(now, scheme.as_ref(), &context, limits, timeout, &mut core.rng);
        self.keys = Some(KeyExchange { exchange, outstanding: Vec::new() });
        self.follow_key_exchange(now, core);
    }

    /// A MESSAGE of the exchange came; whether it was one.
    pub(super) fn ske_received(
        &mut self,
        now: Time,
        core: &mut Core,
        key: ServerKey,
        request: &Request,
    ) -> bool {
        if !is_ske(&request.headers) {
            return false;
        }
        if core.config.key_exchange.is_none() {
            if !matches!(core.config.capabilities.dialect, Dialect::Facetime2010(_)) {
                // To any other agent it is a message like all others.
                return false;
            }
            // Taken with 200, the peer would wait for an answer that never comes.
            let mut response = self.response(core, request, 488);
            invite::add_warning(&mut response, 399, self.way.local.ip(), "no keys are exchanged here");
            core.respond(now, key, response);
            return true;
        }
        // The peer may begin before its ACK has come through.
        self.begin_key_exchange(now, core);
        let status = match (&mut self.keys, sequence(&request.headers)) {
            (Some(keys), Some(seq)) => {
                keys.exchange.received(now, seq, &request.body, Carrier::Request).status
            }
            (Some(_), None) => 400,
            (None, _) => 481,
        };
        self.respond(now, core, key, request, status);
        self.follow_key_exchange(now, core);
        true
    }

    /// A MESSAGE of ours was answered, or never will be; whether it was one of the exchange.
    pub(super) fn ske_answered(
        &mut self,
        now: Time,
        core: &mut Core,
        key: ClientKey,
        response: Option<&Response>,
    ) -> bool {
        let Some(keys) = &mut self.keys else { return false };
        let Some(at) = keys.outstanding.iter().position(|(asked, _)| *asked == key) else { return false };
        let (_, seq) = keys.outstanding.swap_remove(at);
        keys.exchange.sent_answered(now, seq, response.map_or(408, |r| r.status));
        // A body in a response is read, though none is ever sent in one (RFC 3428 section 7).
        if let Some(response) = response.filter(|r| !r.body.is_empty() && is_ske(&r.headers))
            && let Some(seq) = sequence(&response.headers)
        {
            keys.exchange.received(now, seq, &response.body, Carrier::Response);
        }
        self.follow_key_exchange(now, core);
        true
    }

    /// Does what the exchange wants.
    pub(super) fn follow_key_exchange(&mut self, now: Time, core: &mut Core) {
        while let Some(keys) = &mut self.keys
            && let Some(out) = keys.exchange.poll(now)
        {
            match out {
                Out::Send { seq, body } => self.send_ske(now, core, seq, body),
                Out::Body { direction, seq, body } => {
                    let sent = direction == ske::Direction::Sent;
                    let SkeSeq { sequence, fragment } = seq;
                    core.event(Event::KeyMessage { call: self.handle, sent, sequence, fragment, body });
                }
                Out::Finished(result) => self.key_exchange_ended(now, core, result),
            }
        }
        let next = self.keys.as_ref().and_then(|keys| keys.exchange.next_timeout());
        self.timers.set(Timer::Keys, next.filter(|_| matches!(self.phase, Phase::Up)));
    }

    fn send_ske(&mut self, now: Time, core: &mut Core, seq: SkeSeq, body: Bytes) {
        let Some(dialog) = self.dialog.as_mut().filter(|_| matches!(self.phase, Phase::Up)) else { return };
        let mut request = dialog.request(Method::Message);
        request.set_body(ske::CONTENT_TYPE, body);
        request.headers.push(SKE_SEQ, seq.to_string().as_str());
        let sent = self.send(now, core, request);
        if let (Some(keys), Some(key)) = (&mut self.keys, sent) {
            keys.outstanding.push((key, seq));
        }
    }

    fn key_exchange_ended(&mut self, now: Time, core: &mut Core, result: Result<Outcome, ske::Failure>) {
        let outcome = result.map_err(|failure| failure.to_string()).and_then(|outcome| match outcome {
            Outcome::Clear => Ok((Crypto::Clear, Protection::default())),
            Outcome::Keys(secrets) => {
                let profile = secrets.profile.parse::<Profile>().map_err(|e| e.to_string())?;
                let key = |octets: &ske::KeyMaterial| {
                    MasterKey::new(profile, &octets.key, &octets.salt).map_err(|e| e.to_string())
                };
                let (send, receive) = (key(&secrets.send)?, key(&secrets.receive)?);
                let protection = Protection {
                    suite: Some(profile.name().to_owned()),
                    fingerprints: Some((secrets.local_fingerprint, secrets.remote_fingerprint)),
                    short_authentication_string: Some(secrets.short_authentication_string),
                    keys: Some(Box::new((send.clone(), receive.clone()))),
                };
                Ok((Crypto::srtp(&send, &receive, &core.config.limits), protection))
            }
        });
        match outcome {
            Ok((crypto, protection)) => {
                self.media.crypto = crypto;
                self.media.expect_again(now);
                core.event(Event::Protected { call: self.handle, protection });
                if let Some(sections) = self.held_back.take() {
                    core.event(Event::Media { call: self.handle, sections });
                }
                self.listen(core);
            }
            Err(what) => self.hangup(now, core, EndReason::KeyExchange { what }),
        }
    }
}

fn is_ske(headers: &crate::sip::Headers) -> bool {
    matches!(headers.content_type(), Ok(Some(t)) if t.is("application", "ske"))
}

fn sequence(headers: &crate::sip::Headers) -> Option<SkeSeq> {
    headers.text(SKE_SEQ)?.parse().ok()
}
