//! The clock reading that every entry point takes as an argument.

use std::cmp::Ordering;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// Seconds between the NTP era (1900) and the Unix epoch (1970), RFC 3550 section 4.
const NTP_UNIX_OFFSET_SECS: u64 = 2_208_988_800;

/// A reading of a monotonic clock that also knows the wall-clock time.
///
/// Monotonic time orders events and sets deadlines. The wall-clock offset is used for RTCP sender reports
/// (RFC 3550 section 6.4.1) and for captures alone; two readings compare by their monotonic part only.
#[derive(Clone, Copy, Debug, Default)]
pub struct Time {
    nanos: u64,
    unix_offset: i64,
}

impl Time {
    /// The clock's origin.
    pub const ZERO: Time = Time { nanos: 0, unix_offset: 0 };

    /// A reading `nanos` nanoseconds after the clock's origin; the origin is taken as the Unix epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Time { nanos, unix_offset: 0 }
    }

    /// A reading `millis` milliseconds after the clock's origin.
    pub const fn from_millis(millis: u64) -> Self {
        Time::from_nanos(millis.saturating_mul(1_000_000))
    }

    /// The same reading, on a clock whose origin lies `offset` nanoseconds after the Unix epoch.
    pub const fn with_unix_offset(self, offset: i64) -> Self {
        Time { nanos: self.nanos, unix_offset: offset }
    }

    /// Nanoseconds since the clock's origin.
    pub const fn nanos(self) -> u64 {
        self.nanos
    }

    /// Nanoseconds since the Unix epoch, by the wall clock (0 for a reading before 1970).
    pub const fn unix_nanos(self) -> u64 {
        self.nanos.saturating_add_signed(self.unix_offset)
    }

    /// The 64-bit NTP timestamp (32.32 fixed point seconds since 1900; RFC 3550 section 4).
    pub const fn ntp(self) -> u64 {
        let unix = self.unix_nanos();
        let secs = (unix / 1_000_000_000).wrapping_add(NTP_UNIX_OFFSET_SECS);
        let frac = ((unix % 1_000_000_000) << 32) / 1_000_000_000;
        (secs << 32) | frac
    }

    /// The middle 32 bits of [`Time::ntp`] (16.16 seconds), as LSR and DLSR use them.
    pub const fn ntp_middle(self) -> u32 {
        (self.ntp() >> 16) as u32
    }

    /// The time since `earlier`, or zero where `earlier` is later.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.nanos.saturating_sub(earlier.nanos))
    }

    /// `self - duration`, or the clock's origin where that would lie before it.
    pub const fn saturating_sub(self, duration: Duration) -> Time {
        Time { nanos: self.nanos.saturating_sub(nanos(duration)), unix_offset: self.unix_offset }
    }
}

const fn nanos(d: Duration) -> u64 {
    let n = d.as_nanos();
    if n > u64::MAX as u128 { u64::MAX } else { n as u64 }
}

impl PartialEq for Time {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}
impl Eq for Time {}
impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Time {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}
impl std::hash::Hash for Time {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.nanos.hash(state);
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, d: Duration) -> Time {
        Time { nanos: self.nanos.saturating_add(nanos(d)), unix_offset: self.unix_offset }
    }
}
impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, d: Duration) {
        *self = *self + d;
    }
}
impl Sub<Time> for Time {
    type Output = Duration;
    /// As [`Time::since`]: never negative.
    fn sub(self, earlier: Time) -> Duration {
        self.since(earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_counts_from_1900() {
        // 2010-10-21 08:22:51.5 UTC
        let t = Time::from_nanos(1_287_649_371_500_000_000);
        assert_eq!(t.ntp() >> 32, 1_287_649_371 + NTP_UNIX_OFFSET_SECS);
        assert_eq!(t.ntp() & 0xffff_ffff, 0x8000_0000);
    }

    #[test]
    fn the_wall_clock_takes_no_part_in_ordering() {
        let a = Time::from_millis(5);
        assert_eq!(a, a.with_unix_offset(1_000_000));
        assert_eq!(a - Time::from_millis(9), Duration::ZERO);
    }
}
