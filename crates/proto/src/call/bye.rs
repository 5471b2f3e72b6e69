//! How a call ends: BYE, both sides. RFC 3261 section 15.

use super::timer::Timer;
use super::{Call, Phase};
use crate::agent::core::Core;
use crate::io::EndReason;
use crate::sip::transaction::ServerKey;
use crate::sip::{Method, Request};
use crate::time::Time;
use std::time::Duration;

/// How long a caller that gives up waits for a first sign of the callee: without one it must not send CANCEL
/// (RFC 3261 section 9.1), and a callee that is there answers 100 to one of the INVITEs sent meanwhile.
const PATIENCE: Duration = Duration::from_secs(4);

impl Call {
    /// Ends the call, in whatever state it is.
    pub(super) fn hangup(&mut self, now: Time, core: &mut Core, reason: EndReason) {
        match &mut self.phase {
            Phase::Inviting(inviting) => {
                let Some(key) = inviting.key else { return self.over(core, reason) };
                if inviting.cancelled.is_none() {
                    inviting.cancelled = Some(reason);
                    core.transactions.cancel(now, key);
                    if !inviting.heard {
                        self.timers.set(Timer::Leave, Some(now + PATIENCE));
                    }
                }
            }
            Phase::Offered(_) => {
                // RFC 3261 section 21.6.2: 603 says that the callee does not want to take part.
                self.decline(now, core, 603, &reason);
                let reason = if reason == EndReason::LocalHangup { EndReason::Rejected(603) } else { reason };
                self.over(core, reason);
            }
            Phase::Up if self.unacknowledged.is_some() && !self.established => {
                // RFC 3261 section 15: the callee must not say BYE before its ACK came.
                self.leave_when_acknowledged = true;
            }
            Phase::Up => self.leave(now, core, reason),
            Phase::Leaving { .. } | Phase::Over => {}
        }
    }

    fn leave(&mut self, now: Time, core: &mut Core, reason: EndReason) {
        self.media.close(now, core);
        self.unacknowledged = None;
        self.drop_wishes(core);
        for timer in super::Timers::ALL {
            self.timers.set(timer, None);
        }
        let Some(dialog) = &mut self.dialog else { return self.over(core, reason) };
        let bye = dialog.request(Method::Bye);
        let Some(key) = self.send(now, core, bye) else { return self.over(core, reason) };
        self.phase = Phase::Leaving { bye: Some(key), reason };
        // The transaction ends by timer F; a little later this one catches what it does not report.
        let limit = core.config.timers.t1_64() + Duration::from_secs(1);
        self.timers.set(Timer::Leave, Some(now + limit));
    }

    /// The BYE was answered, or never will be; or the peer of a call given up on is not there at all.
    pub(super) fn left(&mut self, now: Time, core: &mut Core) {
        match &self.phase {
            Phase::Leaving { reason, .. } => {
                let reason = reason.clone();
                self.over(core, reason);
            }
            Phase::Inviting(_) => self.invite_unanswered(now, core),
            _ => {}
        }
    }

    /// The peer ends the call.
    pub(super) fn bye_received(&mut self, now: Time, core: &mut Core, key: ServerKey, request: &Request) {
        self.respond(now, core, key, request, 200);
        match &self.phase {
            Phase::Offered(_) => {
                // The caller may end an early dialog by BYE; the INVITE is still to be answered.
                self.decline(now, core, 487, &EndReason::RemoteHangup);
                self.over(core, EndReason::RemoteHangup);
            }
            Phase::Inviting(_) | Phase::Up => {
                self.media.close(now, core);
                self.over(core, EndReason::RemoteHangup);
            }
            // Both said BYE: the response to ours is still to come.
            Phase::Leaving { .. } | Phase::Over => {}
        }
    }
}
