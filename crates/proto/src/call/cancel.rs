//! CANCEL, as the callee sees it. RFC 3261 section 9.2.

use super::{Call, Phase};
use crate::agent::core::Core;
use crate::io::EndReason;
use crate::sip::Request;
use crate::sip::transaction::ServerKey;
use crate::time::Time;

impl Call {
    /// The caller gives up. It gets 200 for the CANCEL, and 487 for its INVITE if that has no final response.
    pub(crate) fn cancelled(&mut self, now: Time, core: &mut Core, cancel: ServerKey, request: &Request) {
        // The To tag is that of the response to the INVITE (section 9.2).
        let response = match &self.dialog {
            Some(dialog) => dialog.response(request, 200),
            None => core.response(request, 200),
        };
        core.respond(now, cancel, response);
        if matches!(self.phase, Phase::Offered(_)) {
            self.decline(now, core, 487, &EndReason::Cancelled);
            self.over(core, EndReason::Cancelled);
        }
    }
}
