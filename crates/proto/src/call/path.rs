//! The way of a call whose peer was named by ticket: signalling and media use the pair that was validated, and
//! nothing else.

use super::timer::Timer;
use super::{Call, Phase};
use crate::agent::core::Core;
use crate::io::{EndReason, Path};
use crate::sip::transaction::Endpoint;
use crate::time::Time;
use std::net::SocketAddr;
use std::time::Duration;

/// Media silent for this long are a reason to look whether the way still works. It is several times what jitter
/// and lost packets explain, and leaves time to mend the way before people give the call up.
const SILENT: Duration = Duration::from_secs(1);

/// What a call has noticed about its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathNews {
    /// Media should arrive, and do not.
    Silent,
    /// Media arrive again.
    Heard,
    /// A request in the dialog came from this address.
    Suggested(SocketAddr),
}

impl Call {
    /// Whether a datagram from `remote` cannot be one of this call's media.
    pub(crate) fn is_off_path(&self, remote: SocketAddr) -> bool {
        self.path.is_some_and(|p| p.remote != remote)
    }

    /// From now on everything takes another way.
    pub(crate) fn moved(&mut self, now: Time, core: &mut Core, path: Path) {
        if self.path.is_none() || self.is_over() {
            return;
        }
        self.path = Some(path);
        self.way = Endpoint { local: path.local, sent_by: path.mapped, remote: path.remote, ..self.way };
        self.pin_media();
        for section in self.media.sections.iter_mut().flatten() {
            // What was on its way is lost: pictures must begin anew.
            section.keyframe_due_to_drop();
        }
        self.media.expect_again(now);
        self.news.media_changed = true;
        self.listen(core);
    }

    /// The way is gone, and no other was found.
    pub(crate) fn path_failed(&mut self, now: Time, core: &mut Core, reason: EndReason) {
        self.hangup(now, core, reason);
    }

    /// Makes media go to the peer's end of the way, whatever its description says.
    pub(super) fn pin_media(&mut self) {
        let Some(path) = self.path else { return };
        for section in self.media.sections.iter_mut().flatten() {
            section.pin(path.local, path.remote);
        }
    }

    /// Sets the timer that notices silence on the way.
    pub(super) fn watch_path(&mut self) {
        let watched = self.path.is_some() && matches!(self.phase, Phase::Up) && !self.path_suspect;
        let at = self.media.heard().filter(|_| watched).map(|heard| heard + SILENT);
        self.timers.set(Timer::Path, at);
    }

    pub(super) fn path_silent(&mut self, now: Time) {
        self.path_suspect = true;
        self.news.path.push((now, PathNews::Silent));
    }

    /// Media arrived: the way is in order.
    pub(super) fn heard_again(&mut self, now: Time) {
        if std::mem::take(&mut self.path_suspect) {
            self.news.path.push((now, PathNews::Heard));
        }
    }

    /// A request of the dialog came from `remote`. Its tags vouch for it; a check must still go there and back.
    pub(crate) fn signalled_from(&mut self, now: Time, remote: SocketAddr) {
        if self.is_off_path(remote) {
            self.news.path.push((now, PathNews::Suggested(remote)));
        }
    }
}
