//! The two timers that one transaction runs.

use super::schedule::{Alarm, Schedule};
use super::store::Key;
use super::table::Action;
use super::timer::{Slot, Timer, Timers};
use crate::time::Time;
use std::time::Duration;

/// Which timers run, at most one in each [`Slot`].
#[derive(Debug, Default)]
pub(super) struct Alarms {
    resend: Option<(Timer, Time)>,
    end: Option<(Timer, Time)>,
    /// What the timer that resends was last set to.
    interval: Duration,
}

/// What it takes to start a timer.
pub(super) struct Clock<'a> {
    pub(super) now: Time,
    pub(super) timers: &'a Timers,
    pub(super) schedule: &'a mut Schedule,
    pub(super) reliable: bool,
}

impl Alarms {
    /// Whether this alarm is for a timer that still runs.
    pub(super) fn run(&self, alarm: &Alarm) -> bool {
        let running = match alarm.timer.slot() {
            Slot::Resend => self.resend,
            Slot::End => self.end,
        };
        running == Some((alarm.timer, alarm.at))
    }

    /// Does what an action says about timers; other actions are none of its business.
    pub(super) fn act(&mut self, key: Key, action: Action, clock: &mut Clock<'_>) {
        match action {
            Action::Start(timer) => {
                let after = clock.timers.initial(timer, clock.reliable);
                self.set(key, timer, after, clock);
            }
            Action::Double(timer) => {
                let after = clock.timers.doubled(timer, self.interval);
                self.set(key, timer, Some(after), clock);
            }
            Action::Slow(timer) => self.set(key, timer, Some(clock.timers.t2), clock),
            Action::Stop(timer) => *self.slot(timer.slot()) = None,
            Action::Send
            | Action::SendAck
            | Action::SendTrying
            | Action::ToTu
            | Action::Timeout
            | Action::TransportError => {}
        }
    }

    fn set(&mut self, key: Key, timer: Timer, after: Option<Duration>, clock: &mut Clock<'_>) {
        let at = after.map(|after| clock.now + after);
        *self.slot(timer.slot()) = at.map(|at| (timer, at));
        let (Some(after), Some(at)) = (after, at) else { return };
        clock.schedule.set(at, key, timer);
        if timer.slot() == Slot::Resend {
            self.interval = after;
        }
    }

    fn slot(&mut self, slot: Slot) -> &mut Option<(Timer, Time)> {
        match slot {
            Slot::Resend => &mut self.resend,
            Slot::End => &mut self.end,
        }
    }
}
