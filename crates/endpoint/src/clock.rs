//! The one place that reads the machine's clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use visavis_proto::Time;

/// Readings of the monotonic clock, with the wall-clock time at the start beside them.
///
/// The wall clock is read once: a step of it in mid-call would otherwise tear RTP, RTCP and the capture apart.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    unix_origin: Duration,
}

impl Clock {
    /// A clock whose origin is now.
    pub fn start() -> Self {
        let unix_origin = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { origin: Instant::now(), unix_origin }
    }

    /// The time now.
    pub fn now(&self) -> Time {
        self.at(Instant::now())
    }

    /// The monotonic instant of a reading.
    pub fn instant(&self, time: Time) -> Instant {
        self.origin + Duration::from_nanos(time.nanos())
    }

    /// The time since its start.
    pub fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    /// The instant this long after its start.
    pub(crate) fn after(&self, start: Duration) -> tokio::time::Instant {
        (self.origin + start).into()
    }

    /// What the machine's wall clock says now, since the Unix epoch.
    pub(crate) fn wall() -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// The reading at a wall-clock time that the kernel noted (since the Unix epoch), where the wall clock said `wall`
    /// at `now`. It lies at most a second before `now`: farther away means that the wall clock was stepped, and `now` is
    /// the better guess.
    pub(crate) fn at_unix(unix: Duration, (now, wall): (Time, Duration)) -> Time {
        match wall.checked_sub(unix) {
            Some(ago) if ago < Duration::from_secs(1) => now.saturating_sub(ago),
            _ => now,
        }
    }

    fn at(&self, instant: Instant) -> Time {
        let nanos = instant.saturating_duration_since(self.origin).as_nanos();
        let offset = i64::try_from(self.unix_origin.as_nanos()).unwrap_or(i64::MAX);
        Time::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).with_unix_offset(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_time_stamp_is_placed_on_the_monotonic_clock() {
        let now = Clock::start().now() + Duration::from_secs(10);
        let wall = Clock::wall();
        let ago = |ms| now.since(Clock::at_unix(wall - Duration::from_millis(ms), (now, wall)));
        assert_eq!(ago(30), Duration::from_millis(30));
        assert_eq!(ago(3_600_000), Duration::ZERO);
        assert_eq!(Clock::at_unix(wall + Duration::from_millis(1), (now, wall)), now);
    }
}
