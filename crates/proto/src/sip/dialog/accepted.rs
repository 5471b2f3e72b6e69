//! The UAS core's side of an accepted INVITE: repeating the 2xx until its ACK comes, RFC 3261 section 13.3.1.4.

use crate::sip::transaction::{Timer, Timers};
use crate::time::Time;
use std::time::Duration;

/// What [`Accepted::poll`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Pass the 2xx to the server transaction once more.
    Resend,
    /// 64*T1 went by without an ACK: send BYE. Said once.
    GiveUp,
}

/// The retransmission schedule of one 2xx response to an INVITE: T1, doubling up to T2, for 64*T1.
///
/// It runs whatever the transport is, since hops further on may be UDP. Drive it with [`Accepted::poll`] at
/// [`Accepted::deadline`], and drop it when the ACK comes.
#[derive(Clone, Debug)]
pub struct Accepted {
    resend_at: Time,
    interval: Duration,
    give_up_at: Time,
    over: bool,
}

impl Accepted {
    /// The schedule of a 2xx that was first sent at `now`.
    pub fn new(now: Time, timers: &Timers) -> Self {
        Accepted {
            resend_at: now + timers.t1,
            interval: timers.t1,
            give_up_at: now + timers.t1_64(),
            over: false,
        }
    }

    /// When [`Accepted::poll`] next has something to say; `None` after it gave up.
    pub fn deadline(&self) -> Option<Time> {
        (!self.over).then_some(self.resend_at.min(self.give_up_at))
    }

    /// What is due at `now`. A caller that comes late is told once, not once for each interval it slept over.
    pub fn poll(&mut self, now: Time, timers: &Timers) -> Option<Due> {
        if self.over {
            return None;
        }
        if now >= self.give_up_at {
            self.over = true;
            return Some(Due::GiveUp);
        }
        if now < self.resend_at {
            return None;
        }
        self.interval = timers.doubled(Timer::G, self.interval);
        self.resend_at = now + self.interval;
        Some(Due::Resend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_2xx_is_repeated_from_t1_up_to_t2_and_given_up_after_64_t1() {
        let timers = Timers::default();
        let mut accepted = Accepted::new(Time::from_millis(1_000), &timers);
        let mut seen = Vec::new();
        while let Some(at) = accepted.deadline() {
            assert_eq!(accepted.poll(at.saturating_sub(Duration::from_nanos(1)), &timers), None);
            seen.push((at.nanos() / 1_000_000 - 1_000, accepted.poll(at, &timers)));
        }
        let expected: Vec<_> = [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]
            .map(|t| (t, Some(Due::Resend)))
            .into_iter()
            .chain([(32_000, Some(Due::GiveUp))])
            .collect();
        assert_eq!(seen, expected);
        assert_eq!(accepted.poll(Time::from_millis(100_000), &timers), None);
    }

    #[test]
    fn a_caller_that_slept_is_told_once() {
        let timers = Timers::default();
        let mut accepted = Accepted::new(Time::ZERO, &timers);
        let late = Time::from_millis(20_000);
        assert_eq!(accepted.poll(late, &timers), Some(Due::Resend));
        assert_eq!(accepted.poll(late, &timers), None);
    }
}
