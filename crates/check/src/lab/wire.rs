//! What is common to all cases of a run: the clock, the capture, and how fast messages may go out.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;
use visavis_capture::{Direction, Tap};
use visavis_proto::Time;

/// The clock of a run, its capture and its pace.
#[derive(Debug)]
pub(crate) struct Wire {
    origin: Instant,
    unix_origin: Duration,
    /// The tap, and the number of packets that went into it.
    tap: Mutex<(Option<Tap>, u64)>,
    pace: Mutex<Pace>,
}

#[derive(Debug)]
struct Pace {
    /// When the last messages went out, a second's worth at the most.
    recent: VecDeque<Instant>,
    rate: usize,
    /// How many may still go out.
    left: u64,
}

impl Wire {
    /// At most `rate` messages a second, and `total` in all.
    pub(crate) fn new(tap: Option<Tap>, rate: usize, total: u64) -> Self {
        Wire {
            origin: Instant::now(),
            unix_origin: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            tap: Mutex::new((tap, 0)),
            pace: Mutex::new(Pace { recent: VecDeque::new(), rate: rate.max(1), left: total }),
        }
    }

    /// The time since the run began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Notes a datagram in the capture; gives its number there, counted from 1.
    pub(crate) fn record(
        &self,
        direction: Direction,
        local: SocketAddr,
        remote: SocketAddr,
        data: &[u8],
    ) -> Option<u64> {
        let mut guard = self.tap.lock().ok()?;
        let (tap, count) = &mut *guard;
        let tap = tap.as_ref()?;
        let offset = i64::try_from(self.unix_origin.as_nanos()).unwrap_or_default();
        let nanos = u64::try_from(self.elapsed().as_nanos()).unwrap_or_default();
        tap.record(Time::from_nanos(nanos).with_unix_offset(offset), direction, local, remote, data);
        *count += 1;
        Some(*count)
    }

    /// Waits until another message may go out; false where no more may at all.
    pub(crate) async fn pace(&self) -> bool {
        loop {
            let wait = {
                let Ok(mut pace) = self.pace.lock() else { return false };
                if pace.left == 0 {
                    return false;
                }
                let now = Instant::now();
                let wait = if pace.recent.len() < pace.rate {
                    None
                } else {
                    let second = Duration::from_secs(1);
                    pace.recent.front().and_then(|first| (*first + second).checked_duration_since(now))
                };
                if wait.is_none() {
                    pace.left -= 1;
                    pace.recent.push_back(now);
                    if pace.recent.len() > pace.rate {
                        pace.recent.pop_front();
                    }
                }
                wait
            };
            match wait {
                None => return true,
                Some(wait) => tokio::time::sleep(wait.max(Duration::from_millis(1))).await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_number_of_messages_is_bounded() {
        let wire = Wire::new(None, 100, 3);
        let mut sent = 0;
        while sent < 10 && wire.pace().await {
            sent += 1;
        }
        assert_eq!(sent, 3);
    }
}
