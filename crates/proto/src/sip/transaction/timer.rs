//! Every timer of the transaction layer and how long it runs: RFC 3261 table 4, amended by RFC 6026 section
//! 8.11 and RFC 4320 section 4.

use std::time::Duration;

/// The timers of all four transactions.
///
/// A transaction runs two at most: one that sends something again ([`Slot::Resend`]) and one that ends it or
/// its state ([`Slot::End`]). Starting a timer replaces the one that runs in its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// INVITE request retransmission, unreliable transports only: T1, doubling (RFC 3261 section 17.1.1.2).
    A,
    /// INVITE transaction timeout: 64*T1 (section 17.1.1.2).
    B,
    /// Wait for retransmissions of a 300-699 response to INVITE: at least 32 s, 0 on reliable transports
    /// (section 17.1.1.2).
    D,
    /// Non-INVITE request retransmission, unreliable transports only: T1, doubling up to T2; T2 once a
    /// provisional response came (section 17.1.2.2).
    E,
    /// Non-INVITE transaction timeout: 64*T1 (section 17.1.2.2).
    F,
    /// Retransmission of a 300-699 response to INVITE, unreliable transports only: T1, doubling up to T2
    /// (section 17.2.1).
    G,
    /// Wait for the ACK of a 300-699 response: 64*T1 (section 17.2.1).
    H,
    /// Wait for retransmissions of that ACK: T4, 0 on reliable transports (section 17.2.1).
    I,
    /// Wait for retransmissions of a non-INVITE request: 64*T1, 0 on reliable transports (section 17.2.2).
    J,
    /// Wait for retransmissions of a response to a non-INVITE request: T4, 0 on reliable transports (section
    /// 17.1.2.2).
    K,
    /// Wait for retransmissions of an accepted INVITE: 64*T1 (RFC 6026 section 7.1).
    L,
    /// Wait for further 2xx responses, of this branch or another of a fork: 64*T1 (RFC 6026 section 7.2).
    M,
    /// The TU has not answered an INVITE yet, so the transaction sends 100 (Trying): 200 ms (RFC 3261 section
    /// 17.2.1).
    Trying,
    /// The same for any other request: once the client's timer E is set to T2, 3.5 s by default (RFC 4320
    /// section 4.1).
    LateTrying,
    /// The TU never answered a request other than INVITE; the client has given up by now, and a 408 must not
    /// be sent: 64*T1 (RFC 4320 section 4.2).
    Unanswered,
    /// A cancelled INVITE got no final response: 64*T1 from the CANCEL (RFC 3261 section 9.1).
    Cancelled,
}

/// Which of a transaction's two timers a [`Timer`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Sends something (again).
    Resend,
    /// Ends the transaction or its present state.
    End,
}

impl Timer {
    /// Every timer, for tests that visit each cell of a state table.
    pub const ALL: [Timer; 16] = [
        Timer::A,
        Timer::B,
        Timer::D,
        Timer::E,
        Timer::F,
        Timer::G,
        Timer::H,
        Timer::I,
        Timer::J,
        Timer::K,
        Timer::L,
        Timer::M,
        Timer::Trying,
        Timer::LateTrying,
        Timer::Unanswered,
        Timer::Cancelled,
    ];

    /// The slot that this timer runs in.
    pub const fn slot(self) -> Slot {
        match self {
            Timer::A | Timer::E | Timer::G | Timer::Trying | Timer::LateTrying => Slot::Resend,
            _ => Slot::End,
        }
    }
}

/// The values that the timers scale with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Estimate of the round-trip time. Values below 500 ms are for closed networks only (RFC 3261 section
    /// 17.1.1.1).
    pub t1: Duration,
    /// The longest interval between retransmissions of a non-INVITE request or an INVITE response.
    pub t2: Duration,
    /// The longest time that a message stays in the network.
    pub t4: Duration,
    /// Timer D on unreliable transports. RFC 3261 section 17.1.1.2 wants at least 32 s whatever T1 is,
    /// because the server's T1 is not known.
    pub d: Duration,
    /// How long the TU may take over an INVITE before the transaction sends 100 (Trying) by itself.
    pub trying: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Timers {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            d: Duration::from_secs(32),
            trying: Duration::from_millis(200),
        }
    }
}

impl Timers {
    /// 64*T1: how long a transaction is worth pursuing.
    pub fn t1_64(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// How long `timer` runs when it is first started; `None` where the transport makes it needless.
    pub fn initial(&self, timer: Timer, reliable: bool) -> Option<Duration> {
        let lingering = |d| Some(if reliable { Duration::ZERO } else { d });
        match timer {
            Timer::A | Timer::E | Timer::G => (!reliable).then_some(self.t1),
            Timer::B | Timer::F | Timer::H | Timer::L | Timer::M | Timer::Unanswered | Timer::Cancelled => {
                Some(self.t1_64())
            }
            Timer::D => lingering(self.d),
            Timer::I | Timer::K => lingering(self.t4),
            Timer::J => lingering(self.t1_64()),
            Timer::Trying => Some(self.trying),
            Timer::LateTrying => Some(self.late_trying()),
        }
    }

    /// How long a retransmission timer runs after one that ran for `previous`: twice that, and no longer than
    /// T2 but for timer A, which has no ceiling.
    pub fn doubled(&self, timer: Timer, previous: Duration) -> Duration {
        let doubled = previous.saturating_mul(2);
        if timer == Timer::A { doubled } else { doubled.min(self.t2) }
    }

    /// How long it takes a client until its timer E is set to T2.
    fn late_trying(&self) -> Duration {
        let (mut elapsed, mut interval) = (Duration::ZERO, self.t1);
        // A T1 of zero never reaches T2, and 64 doublings are more than a Duration can hold.
        for _ in 0..64 {
            if interval >= self.t2 {
                break;
            }
            elapsed = elapsed.saturating_add(interval);
            interval = self.doubled(Timer::E, interval);
        }
        elapsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_rfc_3261_table_4() {
        let t = Timers::default();
        let secs = |s| Some(Duration::from_secs(s));
        for timer in Timer::ALL {
            let (unreliable, reliable) = match timer {
                Timer::A | Timer::E | Timer::G => (Some(Duration::from_millis(500)), None),
                Timer::B | Timer::F | Timer::H | Timer::L | Timer::M => (secs(32), secs(32)),
                Timer::Unanswered | Timer::Cancelled => (secs(32), secs(32)),
                Timer::D | Timer::J => (secs(32), secs(0)),
                Timer::I | Timer::K => (secs(5), secs(0)),
                Timer::Trying => (Some(Duration::from_millis(200)), Some(Duration::from_millis(200))),
                Timer::LateTrying => (Some(Duration::from_millis(3500)), Some(Duration::from_millis(3500))),
            };
            assert_eq!(t.initial(timer, false), unreliable, "{timer:?} on UDP");
            assert_eq!(t.initial(timer, true), reliable, "{timer:?} on TCP");
        }
    }

    #[test]
    fn timer_a_doubles_without_a_ceiling_and_e_and_g_stop_at_t2() {
        let t = Timers::default();
        assert_eq!(t.doubled(Timer::A, Duration::from_secs(16)), Duration::from_secs(32));
        assert_eq!(t.doubled(Timer::E, Duration::from_secs(2)), Duration::from_secs(4));
        assert_eq!(t.doubled(Timer::E, Duration::from_secs(4)), Duration::from_secs(4));
        assert_eq!(t.doubled(Timer::G, Duration::from_secs(4)), Duration::from_secs(4));
    }

    #[test]
    fn a_t1_of_zero_makes_no_endless_loop() {
        let stopped = Timers { t1: Duration::ZERO, ..Timers::default() };
        assert_eq!(stopped.initial(Timer::LateTrying, false), Some(Duration::ZERO));
    }
}
