//! Accepting an INVITE: the 200, its repetitions, and its ACK. RFC 3261 section 13.3.1.4.

use super::{Call, Phase, description};
use crate::agent::core::Core;
use crate::io::{EndReason, Event};
use crate::sip::Request;
use crate::sip::dialog::{Accepted, Due};
use crate::sip::transaction::ServerKey;
use crate::time::Time;

/// A 2xx of ours that is sent again and again until its ACK comes.
pub(super) struct Unacknowledged {
    schedule: Accepted,
    key: ServerKey,
    /// The CSeq number of the INVITE, which its ACK carries.
    seq: u32,
    /// Whether the 2xx brought our offer, so that the ACK must bring the answer.
    offered: bool,
}

impl Unacknowledged {
    pub(super) fn new(now: Time, core: &Core, key: ServerKey, seq: u32, offered: bool) -> Self {
        Unacknowledged { schedule: Accepted::new(now, &core.config.timers), key, seq, offered }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.schedule.deadline()
    }
}

impl Call {
    /// Accepts the call: 200 with an answer, or with an offer where the INVITE brought none.
    pub(super) fn accept(&mut self, now: Time, core: &mut Core) {
        let Phase::Offered(offered) = &mut self.phase else { return };
        offered.accepted = true;
        let local = self.way.local.ip();
        if self.ports.reserve(core, &mut self.news.sockets, local) {
            return;
        }
        let Phase::Offered(offered) = &mut self.phase else { return };
        // The offer is answered here or never.
        let (key, invite, offer) = (offered.key, offered.invite.clone(), offered.offer.take());
        let answer = offered.answer.take();
        let body = match (answer, &offer) {
            (Some(ready), _) => {
                let (session, answer, negotiated) = *ready;
                self.session = session;
                self.agree(now, core, &negotiated);
                Ok(answer)
            }
            (None, Some(offer)) => self.answer(now, core, offer),
            (None, None) => self.offer(core),
        };
        let body = match body {
            Ok(body) => body,
            Err(error) => {
                let reason = EndReason::Media { what: error.to_string() };
                self.decline(now, core, 488, &reason);
                return self.over(core, reason);
            }
        };
        let mut response = self.response(core, &invite, 200);
        crate::agent::describe(&mut response);
        response.set_body("application/sdp", body.to_bytes());
        core.respond(now, key, response);
        let seq = invite.headers.cseq().map_or(0, |c| c.seq);
        self.unacknowledged = Some(Unacknowledged::new(now, core, key, seq, offer.is_none()));
        if let Some(dialog) = &mut self.dialog {
            dialog.confirm();
        }
        self.phase = Phase::Up;
        self.report_accepted(core);
    }

    /// Repeats the 2xx when it is time, and gives up after 64*T1.
    pub(super) fn resend_2xx(&mut self, now: Time, core: &mut Core) {
        while let Some(waiting) = &mut self.unacknowledged {
            match waiting.schedule.poll(now, &core.config.timers) {
                Some(Due::Resend) => {
                    let key = waiting.key;
                    if let Err(error) = core.transactions.resend_2xx(now, key) {
                        tracing::debug!(%error, "a 2xx was not repeated");
                    }
                }
                Some(Due::GiveUp) => {
                    self.unacknowledged = None;
                    self.leave_when_acknowledged = false;
                    let what = format!(
                        "no ACK from {} in {} s",
                        self.way.remote,
                        core.config.timers.t1_64().as_secs()
                    );
                    self.hangup(now, core, EndReason::NoResponse { what });
                }
                None => return,
            }
        }
    }

    /// An ACK came.
    pub(crate) fn acknowledged(&mut self, now: Time, core: &mut Core, ack: &Request) {
        let seq = ack.headers.cseq().map_or(0, |c| c.seq);
        let Some(waiting) = self.unacknowledged.take_if(|w| w.seq == seq) else {
            core.counters.dropped.sip_stray += 1;
            return;
        };
        if waiting.offered {
            let answer = description(core, &ack.headers, &ack.body);
            let outcome = match answer {
                Err(what) => Err(what),
                Ok(None) => Err("its ACK has no answer to our offer".to_owned()),
                Ok(Some(answer)) => self.session.apply_answer(&answer).map_err(|e| e.to_string()),
            };
            match outcome {
                Ok(negotiated) => self.agree(now, core, &negotiated),
                Err(what) => {
                    let what = format!("no media agreed with {}: {what}", self.way.remote);
                    return self.hangup(now, core, EndReason::Media { what });
                }
            }
        }
        if !self.established {
            self.established = true;
            core.event(Event::Established { call: self.handle, setup: now.since(self.began) });
            self.begin_key_exchange(now, core);
        }
        self.listen(core);
        if std::mem::take(&mut self.leave_when_acknowledged) {
            return self.hangup(now, core, EndReason::LocalHangup);
        }
        self.next_wish(now, core);
    }

    /// The layer gave a server transaction of this call up: an INVITE was left without a final response.
    pub(crate) fn server_timeout(&mut self, now: Time, core: &mut Core, key: ServerKey) {
        if matches!(&self.phase, Phase::Offered(o) if o.key == key) {
            self.media.close(now, core);
            self.over(
                core,
                EndReason::Failed { what: "the call was neither accepted nor declined in time".into() },
            );
        }
    }
}
