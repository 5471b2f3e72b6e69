//! When RTCP reports are due: RFC 3550 sections 6.3.1 to 6.3.6 and appendix A.7, with timer reconsideration
//! and reverse reconsideration.

use super::RtcpConfig;
use crate::time::Time;
use rand_core::RngCore;
use std::time::Duration;

/// The least time between reports, section 6.2.
const FIXED_MINIMUM: f64 = 5.0;
/// The part of the session bandwidth that RTCP takes, section 6.2.
const RTCP_FRACTION: f64 = 0.05;
/// The part of the RTCP bandwidth that is for senders, as long as they are few.
const SENDER_FRACTION: f64 = 0.25;
/// e - 3/2: makes up for timer reconsideration, which would settle below the intended rate.
const COMPENSATION: f64 = std::f64::consts::E - 1.5;
/// UDP and IPv4 headers, which count as part of a packet's size.
const LOWER_HEADERS: usize = 28;

/// Who takes part, as far as it matters for the interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Members {
    /// All, this side among them.
    pub(super) members: u32,
    /// Those that send RTP, this side among them.
    pub(super) senders: u32,
    /// Whether this side sends RTP.
    pub(super) we_sent: bool,
}

/// The transmission timer with the variables of section 6.3, by their names there.
#[derive(Debug)]
pub(super) struct Interval {
    tp: Time,
    tn: Time,
    pmembers: u32,
    avg_rtcp_size: f64,
    initial: bool,
    minimum: f64,
    rtcp_bw: f64,
}

impl Interval {
    /// Section 6.3.2; `first_size` is the probable size of the first packet.
    pub(super) fn new(now: Time, config: &RtcpConfig, first_size: usize, rng: &mut impl RngCore) -> Self {
        let bandwidth = f64::from(config.session_bandwidth.max(1));
        let minimum = match config.reduced_minimum {
            true => (360_000.0 / bandwidth).min(FIXED_MINIMUM),
            false => FIXED_MINIMUM,
        };
        let mut interval = Interval {
            tp: now,
            tn: now,
            pmembers: 1,
            avg_rtcp_size: (first_size + LOWER_HEADERS) as f64,
            initial: true,
            minimum,
            rtcp_bw: bandwidth * RTCP_FRACTION / 8.0,
        };
        interval.tn = now + interval.calculated(Members { members: 1, senders: 0, we_sent: false }, rng);
        interval
    }

    /// When to call [`Interval::expired`].
    pub(super) fn next(&self) -> Time {
        self.tn
    }

    /// Section 6.3.6: whether a report is to be sent now; then [`Interval::sent`] is due. Otherwise the timer
    /// has been set anew, if it had expired.
    pub(super) fn expired(&mut self, now: Time, members: Members, rng: &mut impl RngCore) -> bool {
        if now < self.tn {
            return false;
        }
        self.pmembers = members.members;
        let tn = self.tp + self.calculated(members, rng);
        if tn <= now {
            return true;
        }
        self.tn = tn;
        false
    }

    /// A report of this size went out on the timer.
    pub(super) fn sent(&mut self, now: Time, size: usize, members: Members, rng: &mut impl RngCore) {
        self.heard(size);
        self.tp = now;
        // As in A.7, the interval after the first packet is still that of a newcomer.
        self.tn = now + self.calculated(members, rng);
        self.initial = false;
    }

    /// A packet of this size was received, or sent beside the timer.
    pub(super) fn heard(&mut self, size: usize) {
        self.avg_rtcp_size += ((size + LOWER_HEADERS) as f64 - self.avg_rtcp_size) / 16.0;
    }

    /// Reverse reconsideration, section 6.3.4: members have left.
    pub(super) fn left(&mut self, now: Time, members: u32) {
        if members >= self.pmembers {
            return;
        }
        let ratio = f64::from(members) / f64::from(self.pmembers);
        self.tn = now + (self.tn - now).mul_f64(ratio);
        self.tp = now.saturating_sub((now - self.tp).mul_f64(ratio));
        self.pmembers = members;
    }

    /// How long a member may be silent before it counts as gone: five deterministic intervals of a receiver
    /// (section 6.3.5), from the fixed minimum (section 6.2).
    pub(super) fn member_timeout(&self, members: Members) -> Duration {
        let receiver = Members { we_sent: false, ..members };
        Duration::from_secs_f64(5.0 * self.deterministic(receiver, FIXED_MINIMUM))
    }

    /// T of section 6.3.1.
    fn calculated(&self, members: Members, rng: &mut impl RngCore) -> Duration {
        let minimum = if self.initial { self.minimum / 2.0 } else { self.minimum };
        let random = f64::from(rng.next_u32()) / f64::from(u32::MAX);
        Duration::from_secs_f64(self.deterministic(members, minimum) * (0.5 + random) / COMPENSATION)
    }

    /// Td of section 6.3.1, seconds.
    fn deterministic(&self, members: Members, minimum: f64) -> f64 {
        let (all, senders) = (f64::from(members.members), f64::from(members.senders));
        let (n, bandwidth) = if senders > all * SENDER_FRACTION {
            (all, self.rtcp_bw)
        } else if members.we_sent {
            (senders, self.rtcp_bw * SENDER_FRACTION)
        } else {
            (all - senders, self.rtcp_bw * (1.0 - SENDER_FRACTION))
        };
        // A day is as good as never, and keeps every sum of times in range.
        (n * self.avg_rtcp_size / bandwidth).max(minimum).min(86_400.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    const TWO: Members = Members { members: 2, senders: 2, we_sent: true };

    /// Runs the timer and gives the times of reports, in seconds.
    fn reports(config: &RtcpConfig, members: Members, size: usize, count: usize) -> Vec<f64> {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let mut interval = Interval::new(Time::ZERO, config, size, &mut rng);
        let mut times = Vec::new();
        while times.len() < count {
            let now = interval.next();
            if interval.expired(now, members, &mut rng) {
                interval.sent(now, size, members, &mut rng);
                times.push(now.nanos() as f64 / 1e9);
            }
        }
        times
    }

    fn mean(times: &[f64]) -> f64 {
        (times[times.len() - 1] - times[0]) / (times.len() - 1) as f64
    }

    #[test]
    fn the_mean_interval_is_the_minimum_where_the_bandwidth_allows_more() {
        let fixed = RtcpConfig { reduced_minimum: false, ..RtcpConfig::default() };
        let times = reports(&fixed, TWO, 100, 20_000);
        // Timer reconsideration with the compensation factor settles near the deterministic interval.
        let mean = mean(&times[2..]);
        assert!((4.75..5.25).contains(&mean), "{mean}");
        let steps = times[2..].windows(2).map(|w| w[1] - w[0]);
        let (low, high) = steps.fold((f64::MAX, 0.0f64), |(l, h), s| (l.min(s), h.max(s)));
        assert!(low >= 2.5 / COMPENSATION && high <= 7.5 / COMPENSATION, "{low} {high}");
    }

    #[test]
    fn the_first_report_comes_after_half_the_minimum() {
        let fixed = RtcpConfig { reduced_minimum: false, ..RtcpConfig::default() };
        for seed in 0..50u8 {
            let mut rng = ChaCha20Rng::from_seed([seed; 32]);
            let tn = Interval::new(Time::ZERO, &fixed, 100, &mut rng).next() - Time::ZERO;
            let seconds = tn.as_secs_f64();
            assert!((1.25 / COMPENSATION..=3.75 / COMPENSATION).contains(&seconds), "{seconds}");
        }
    }

    #[test]
    fn the_reduced_minimum_follows_the_bandwidth() {
        let config = |session_bandwidth| RtcpConfig { session_bandwidth, ..RtcpConfig::default() };
        let fast = mean(&reports(&config(720_000), TWO, 100, 5_000));
        assert!((0.47..0.53).contains(&fast), "{fast}");
        // 64 kbit/s would give 5.6 s, and the fixed minimum is less.
        let slow = mean(&reports(&config(64_000), TWO, 100, 5_000));
        assert!((4.75..5.25).contains(&slow), "{slow}");
    }

    #[test]
    fn rtcp_keeps_to_its_share_of_a_thin_session() {
        let thin = RtcpConfig { session_bandwidth: 2_000, ..RtcpConfig::default() };
        let mean = mean(&reports(&thin, TWO, 100, 5_000));
        // Two members, 128 octets each with lower headers, in 12.5 octets a second.
        let expected = 2.0 * 128.0 / 12.5;
        assert!((mean / expected - 1.0).abs() < 0.05, "{mean} {expected}");
    }

    #[test]
    fn many_listeners_share_three_quarters_of_the_bandwidth() {
        let config = RtcpConfig { session_bandwidth: 64_000, ..RtcpConfig::default() };
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let interval = Interval::new(Time::ZERO, &config, 72, &mut rng);
        let crowd = Members { members: 1_000, senders: 1, we_sent: false };
        let listener = interval.deterministic(crowd, 5.0);
        assert!((listener - 999.0 * 100.0 / (400.0 * 0.75)).abs() < 1e-9, "{listener}");
        let sender = interval.deterministic(Members { we_sent: true, ..crowd }, 0.0);
        assert!((sender - 100.0 / (400.0 * 0.25)).abs() < 1e-9, "{sender}");
    }

    #[test]
    fn a_report_comes_sooner_when_members_leave() {
        let config = RtcpConfig { reduced_minimum: false, ..RtcpConfig::default() };
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let mut interval = Interval::new(Time::ZERO, &config, 100, &mut rng);
        interval.sent(Time::from_millis(1_000), 100, TWO, &mut rng);
        interval.pmembers = 4;
        let (now, before) = (Time::from_millis(1_500), interval.next());
        interval.left(now, 2);
        assert_eq!(interval.next(), now + (before - now) / 2);
        assert_eq!(interval.tp, Time::from_millis(1_250));
        interval.left(now, 3);
        assert_eq!(interval.tp, Time::from_millis(1_250), "more members change nothing");
    }
}
