//! The timers of a call, beside those of its transactions and of its media.

use crate::time::Time;

/// What a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Timer {
    /// The caller gives up when the callee has rung for too long: CANCEL.
    Ring,
    /// A re-INVITE that met the peer's (491) is sent again, RFC 3261 section 14.1.
    Glare,
    /// Nothing has arrived though media should: BYE.
    Silence,
    /// Nothing has arrived for so long that the way to the peer is to be checked.
    Path,
    /// The key exchange has something to do, or has taken too long.
    Keys,
    /// The next INFO that asks for a key frame may go out, RFC 5168.
    Info,
    /// The response to BYE has not come in time, though its transaction should have ended by itself.
    Leave,
}

/// The deadlines that are set.
#[derive(Debug, Default)]
pub(crate) struct Timers([Option<Time>; 7]);

impl Timers {
    pub(crate) const ALL: [Timer; 7] =
        [Timer::Ring, Timer::Glare, Timer::Silence, Timer::Path, Timer::Keys, Timer::Info, Timer::Leave];

    pub(crate) fn set(&mut self, timer: Timer, at: Option<Time>) {
        if let Some(slot) = self.0.get_mut(timer as usize) {
            *slot = at;
        }
    }

    /// The first timer whose time has come; it is then no longer set.
    pub(crate) fn expired(&mut self, now: Time) -> Option<Timer> {
        let due = |t: &&Timer| self.0.get(**t as usize).copied().flatten().is_some_and(|at| at <= now);
        let timer = *Self::ALL.iter().find(due)?;
        self.set(timer, None);
        Some(timer)
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.0.iter().flatten().min().copied()
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.0.get(timer as usize).copied().flatten().is_some()
    }
}
