//! One direction of a line: when does a datagram that is sent now arrive, if it does?
//!
//! The order of what happens to a datagram is that of a real line: it waits in a queue in front of the
//! bottleneck (or finds it full), it may be lost behind it, and it arrives after the line's delay.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use std::time::Duration;
use visavis_proto::Time;

/// What a line does to datagrams. The default does nothing at all: no loss, no delay, no limit.
///
/// Probabilities run from 0 (never) to 1 (always).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkProfile {
    /// Which datagrams are lost.
    pub loss: Loss,
    /// The time from one end to the other, not counting the queue.
    pub delay: Duration,
    /// How the delay varies. Jitter alone never changes the order of datagrams.
    pub jitter: Jitter,
    /// Which datagrams are overtaken by later ones.
    pub reorder: Reorder,
    /// The probability that a datagram arrives twice.
    pub duplicate: f64,
    /// The bottleneck; `None` for a line without one.
    pub rate: Option<Rate>,
}

impl LinkProfile {
    /// A line that only delays.
    pub fn delay(delay: Duration) -> Self {
        LinkProfile { delay, ..LinkProfile::default() }
    }
}

/// Which datagrams are lost behind the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Loss {
    /// None.
    #[default]
    None,
    /// Each with this probability, whatever happened to the one before.
    Independent(f64),
    /// The two-state model of Gilbert and Elliott: before each datagram the line may change between a good
    /// and a bad state, and each state has its own loss.
    GilbertElliott {
        /// The probability to go from good to bad.
        to_bad: f64,
        /// The probability to go from bad to good.
        to_good: f64,
        /// The loss in the good state.
        good_loss: f64,
        /// The loss in the bad state.
        bad_loss: f64,
    },
}

impl Loss {
    /// Losses that come in bursts: `loss` of all datagrams (0 to below 1), `burst` in a row on average (1 or
    /// more). Gilbert's model: nothing is lost in the good state, all in the bad one.
    pub fn bursts(loss: f64, burst: f64) -> Self {
        let to_good = 1.0 / burst.max(1.0);
        Loss::GilbertElliott { to_bad: to_good * loss / (1.0 - loss), to_good, good_loss: 0.0, bad_loss: 1.0 }
    }

    /// The loss over a long time, 0 to 1.
    pub fn mean(self) -> f64 {
        match self {
            Loss::None => 0.0,
            Loss::Independent(p) => p,
            Loss::GilbertElliott { to_bad, to_good, good_loss, bad_loss } => {
                let bad = if to_bad == 0.0 { 0.0 } else { to_bad / (to_bad + to_good) };
                bad * bad_loss + (1.0 - bad) * good_loss
            }
        }
    }
}

/// How the delay of a line varies from datagram to datagram.
///
/// Datagrams leave the line in the order in which they entered: one that drew a short delay waits for the one
/// before it. Where datagrams follow each other faster than the jitter is wide, the spread is therefore less
/// than asked for, and the mean is more.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Jitter {
    /// Not at all.
    #[default]
    None,
    /// By an extra delay between zero and this, all equally likely.
    Uniform(Duration),
    /// By a bell curve around the delay, with this standard deviation: the sum of four uniform numbers, so
    /// that nothing lies more than 3.46 deviations out. A delay never gets below zero.
    Normal(Duration),
}

/// Which datagrams are held back so that later ones overtake them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reorder {
    /// The probability that a datagram is held back.
    pub probability: f64,
    /// How much later it then arrives. Datagrams sent within this time overtake it.
    pub by: Duration,
}

/// A bottleneck with a queue in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Bits a second, of what [`Link::send`] is given as the length.
    pub bits_per_second: u64,
    /// The longest time that a datagram may wait for its turn: one that would have to wait longer is dropped
    /// (tail drop). An idle line takes any datagram.
    pub queue: Duration,
}

impl Rate {
    /// The time that `octets` take to pass.
    pub fn transmission_time(&self, octets: usize) -> Duration {
        let bit_nanos = octets as u128 * 8 * 1_000_000_000;
        let nanos = bit_nanos.div_ceil(u128::from(self.bits_per_second.max(1)));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// What became of one datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It arrives.
    Arrives {
        /// When.
        at: Time,
        /// When it arrives a second time, where the line doubles it.
        copy: Option<Time>,
    },
    /// It does not arrive.
    Dropped(DropReason),
}

impl Outcome {
    /// When the datagram arrives: never, once or twice.
    pub fn arrivals(self) -> impl Iterator<Item = Time> {
        let (first, second) = match self {
            Outcome::Arrives { at, copy } => (Some(at), copy),
            Outcome::Dropped(_) => (None, None),
        };
        first.into_iter().chain(second)
    }
}

/// Why a datagram did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// The line lost it.
    Lost,
    /// The queue was full.
    QueueFull,
}

/// What a link has done so far, exactly: `sent + duplicated = arrivals + lost + queue_full`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Datagrams given to the link.
    pub sent: u64,
    /// Their octets.
    pub sent_octets: u64,
    /// Datagrams that arrive, copies included.
    pub arrivals: u64,
    /// Their octets.
    pub arrival_octets: u64,
    /// Datagrams lost by [`LinkProfile::loss`].
    pub lost: u64,
    /// Datagrams dropped because the queue was full.
    pub queue_full: u64,
    /// Datagrams that arrive twice.
    pub duplicated: u64,
    /// Datagrams held back by [`LinkProfile::reorder`].
    pub held_back: u64,
    /// The longest time that a datagram waited in the queue.
    pub longest_wait: Duration,
}

/// One direction of a line.
#[derive(Clone, Debug)]
pub struct Link {
    profile: LinkProfile,
    rng: ChaCha20Rng,
    bad: bool,
    /// When the bottleneck has sent all that it was given.
    busy_until: Time,
    /// The latest arrival that later datagrams must not precede.
    last_arrival: Time,
    stats: LinkStats,
}

impl Link {
    /// A link. `seed` decides all of its chances; `stream` gives each of several links of one seed its own.
    pub fn new(profile: LinkProfile, seed: [u8; 32], stream: u64) -> Self {
        let mut rng = ChaCha20Rng::from_seed(seed);
        rng.set_stream(stream);
        Link {
            profile,
            rng,
            bad: false,
            busy_until: Time::ZERO,
            last_arrival: Time::ZERO,
            stats: LinkStats::default(),
        }
    }

    /// Sends `octets` at `now` and says what becomes of them. `now` never runs backwards.
    pub fn send(&mut self, now: Time, octets: usize) -> Outcome {
        let chance = Chances::draw(&mut self.rng);
        self.stats.sent += 1;
        self.stats.sent_octets += octets as u64;
        let lost = self.loses(&chance);
        let Some(leaves) = self.pass_queue(now, octets) else {
            self.stats.queue_full += 1;
            return Outcome::Dropped(DropReason::QueueFull);
        };
        if lost {
            self.stats.lost += 1;
            return Outcome::Dropped(DropReason::Lost);
        }

        let mut at = (leaves + self.delay(chance.jitter)).max(self.last_arrival);
        if hits(chance.reorder, self.profile.reorder.probability) {
            self.stats.held_back += 1;
            at += self.profile.reorder.by;
        } else {
            self.last_arrival = at;
        }
        let copy = hits(chance.duplicate, self.profile.duplicate).then(|| {
            self.stats.duplicated += 1;
            (leaves + self.delay(chance.copy_jitter)).max(at)
        });
        let copies = 1 + u64::from(copy.is_some());
        self.stats.arrivals += copies;
        self.stats.arrival_octets += copies * octets as u64;
        Outcome::Arrives { at, copy }
    }

    /// What the line does from now on. What was sent before arrives as it would have.
    pub fn set_profile(&mut self, profile: LinkProfile) {
        self.profile = profile;
    }

    /// What the line does.
    pub fn profile(&self) -> &LinkProfile {
        &self.profile
    }

    /// What it has done so far.
    pub fn stats(&self) -> LinkStats {
        self.stats
    }

    /// The time that a datagram sent at `now` would wait in the queue.
    pub fn backlog(&self, now: Time) -> Duration {
        self.busy_until - now
    }

    fn loses(&mut self, chance: &Chances) -> bool {
        match self.profile.loss {
            Loss::None => false,
            Loss::Independent(p) => hits(chance.loss, p),
            Loss::GilbertElliott { to_bad, to_good, good_loss, bad_loss } => {
                if hits(chance.state, if self.bad { to_good } else { to_bad }) {
                    self.bad = !self.bad;
                }
                hits(chance.loss, if self.bad { bad_loss } else { good_loss })
            }
        }
    }

    /// When the datagram has passed the bottleneck; `None` where it finds the queue full.
    fn pass_queue(&mut self, now: Time, octets: usize) -> Option<Time> {
        let Some(rate) = self.profile.rate else { return Some(now) };
        let wait = self.backlog(now);
        if wait > rate.queue {
            return None;
        }
        self.stats.longest_wait = self.stats.longest_wait.max(wait);
        self.busy_until = now + wait + rate.transmission_time(octets);
        Some(self.busy_until)
    }

    fn delay(&self, chance: u64) -> Duration {
        let delay = self.profile.delay;
        match self.profile.jitter {
            Jitter::None => delay,
            Jitter::Uniform(most) => delay + most.mul_f64(unit(chance)),
            Jitter::Normal(deviation) => {
                let by = normal(chance);
                let offset = deviation.mul_f64(by.abs());
                if by < 0.0 { delay.saturating_sub(offset) } else { delay + offset }
            }
        }
    }
}

/// The random numbers of one datagram. Always all of them are drawn, so that one impairment, switched on or
/// off, leaves the pattern of the others as it was.
struct Chances {
    state: u64,
    loss: u64,
    jitter: u64,
    reorder: u64,
    duplicate: u64,
    copy_jitter: u64,
}

impl Chances {
    fn draw(rng: &mut ChaCha20Rng) -> Self {
        Chances {
            state: rng.next_u64(),
            loss: rng.next_u64(),
            jitter: rng.next_u64(),
            reorder: rng.next_u64(),
            duplicate: rng.next_u64(),
            copy_jitter: rng.next_u64(),
        }
    }
}

/// Whether a random number falls within `probability`.
fn hits(chance: u64, probability: f64) -> bool {
    unit(chance) < probability
}

/// A number from 0 to below 1 out of 64 random bits.
fn unit(chance: u64) -> f64 {
    (chance >> 11) as f64 / (1u64 << 53) as f64
}

/// A number of mean 0 and deviation 1, near enough to the bell curve. Sums alone: the mathematics library of
/// the machine takes no part, so that every machine computes the same.
fn normal(chance: u64) -> f64 {
    const SQRT_3: f64 = 1.732_050_807_568_877_2;
    let sum: f64 = (0..4).map(|i| f64::from((chance >> (16 * i)) as u16) / 65_536.0).sum();
    (sum - 2.0) * SQRT_3
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn link(profile: LinkProfile) -> Link {
        Link::new(profile, [7; 32], 0)
    }

    /// Sends `count` datagrams of `octets`, one every `every`.
    fn run(link: &mut Link, count: u64, octets: usize, every: Duration) -> Vec<(Time, Outcome)> {
        let mut now = Time::ZERO;
        (0..count)
            .map(|_| {
                now += every;
                (now, link.send(now, octets))
            })
            .collect()
    }

    fn delays(outcomes: &[(Time, Outcome)]) -> Vec<Duration> {
        outcomes.iter().flat_map(|(sent, o)| o.arrivals().take(1).map(move |at| at - *sent)).collect()
    }

    fn mean(delays: &[Duration]) -> Duration {
        delays.iter().sum::<Duration>() / delays.len() as u32
    }

    fn near(value: f64, expected: f64, tolerance: f64) {
        assert!((value - expected).abs() <= tolerance, "{value} is not within {tolerance} of {expected}");
    }

    #[test]
    fn a_default_line_delivers_at_once_and_in_full() {
        let mut line = link(LinkProfile::default());
        for (sent, outcome) in run(&mut line, 1000, 1200, MS) {
            assert_eq!(outcome, Outcome::Arrives { at: sent, copy: None });
        }
        assert_eq!(line.stats().arrivals, 1000);
        assert_eq!(line.stats().arrival_octets, 1_200_000);
    }

    #[test]
    fn independent_loss_keeps_to_its_probability_and_has_no_memory() {
        let mut line = link(LinkProfile { loss: Loss::Independent(0.05), ..Default::default() });
        let outcomes = run(&mut line, 100_000, 100, MS);
        // Five standard deviations of a binomial of 100,000 at 5 % are 345.
        near(line.stats().lost as f64, 5000.0, 345.0);
        let lost: Vec<bool> = outcomes.iter().map(|(_, o)| matches!(o, Outcome::Dropped(_))).collect();
        let pairs = lost.windows(2).filter(|w| w[0] && w[1]).count();
        near(pairs as f64, 250.0, 80.0);
    }

    #[test]
    fn burst_loss_keeps_to_its_mean_and_its_burst_length() {
        let loss = Loss::bursts(0.05, 4.0);
        near(loss.mean(), 0.05, 1e-12);
        let mut line = link(LinkProfile { loss, ..Default::default() });
        let outcomes = run(&mut line, 400_000, 100, MS);
        near(line.stats().lost as f64 / 400_000.0, 0.05, 0.004);
        let mut bursts = 0;
        let mut before = false;
        for (_, outcome) in &outcomes {
            let lost = matches!(outcome, Outcome::Dropped(_));
            bursts += u64::from(lost && !before);
            before = lost;
        }
        near(line.stats().lost as f64 / bursts as f64, 4.0, 0.25);
    }

    #[test]
    fn a_bad_state_that_loses_half_is_worth_half() {
        let loss = Loss::GilbertElliott { to_bad: 0.1, to_good: 0.3, good_loss: 0.01, bad_loss: 0.5 };
        near(loss.mean(), 0.1325, 1e-12);
        let mut line = link(LinkProfile { loss, ..Default::default() });
        run(&mut line, 200_000, 100, MS);
        near(line.stats().lost as f64 / 200_000.0, 0.1325, 0.005);
    }

    #[test]
    fn uniform_jitter_spreads_evenly_above_the_delay() {
        let profile = LinkProfile { jitter: Jitter::Uniform(10 * MS), ..LinkProfile::delay(40 * MS) };
        let mut line = link(profile);
        let delays = delays(&run(&mut line, 50_000, 100, 20 * MS));
        assert!(delays.iter().all(|d| (40 * MS..=50 * MS).contains(d)));
        near(mean(&delays).as_secs_f64(), 0.045, 0.0001);
        let low = delays.iter().filter(|d| **d < Duration::from_micros(42_500)).count();
        near(low as f64, 12_500.0, 500.0);
    }

    #[test]
    fn normal_jitter_has_the_deviation_asked_for() {
        let profile = LinkProfile { jitter: Jitter::Normal(3 * MS), ..LinkProfile::delay(40 * MS) };
        let mut line = link(profile);
        let delays = delays(&run(&mut line, 50_000, 100, 50 * MS));
        let mean = mean(&delays).as_secs_f64();
        near(mean, 0.040, 0.0001);
        let variance = delays.iter().map(|d| (d.as_secs_f64() - mean).powi(2)).sum::<f64>() / 50_000.0;
        near(variance.sqrt(), 0.003, 0.0001);
    }

    #[test]
    fn a_delay_never_gets_below_zero() {
        let mut line = link(LinkProfile { jitter: Jitter::Normal(30 * MS), ..LinkProfile::delay(MS) });
        for (sent, outcome) in run(&mut line, 10_000, 100, MS) {
            assert!(outcome.arrivals().all(|at| at >= sent));
        }
    }

    #[test]
    fn jitter_alone_keeps_the_order() {
        let mut line = link(LinkProfile { jitter: Jitter::Uniform(100 * MS), ..LinkProfile::delay(10 * MS) });
        let arrivals: Vec<Time> =
            run(&mut line, 10_000, 100, MS).iter().flat_map(|(_, o)| o.arrivals()).collect();
        assert!(arrivals.is_sorted());
    }

    #[test]
    fn a_datagram_held_back_is_overtaken_by_those_sent_meanwhile() {
        let reorder = Reorder { probability: 0.02, by: 25 * MS };
        let mut line = link(LinkProfile { reorder, ..LinkProfile::delay(10 * MS) });
        let outcomes = run(&mut line, 50_000, 100, 10 * MS);
        let arrivals: Vec<Time> = outcomes.iter().flat_map(|(_, o)| o.arrivals()).collect();
        let overtaken = |i: usize| arrivals[i + 1..].iter().take(5).filter(|a| **a < arrivals[i]).count();
        let mut held = 0;
        for i in 0..arrivals.len() - 6 {
            if arrivals[i] - outcomes[i].0 == 35 * MS {
                held += 1;
                let also_held = (1..=2).filter(|n| arrivals[i + n] - outcomes[i + n].0 == 35 * MS).count();
                assert_eq!(overtaken(i), 2 - also_held);
            } else {
                assert_eq!(overtaken(i), 0);
            }
        }
        near(held as f64, 1000.0, 160.0);
        near(line.stats().held_back as f64, held as f64, 2.0);
    }

    #[test]
    fn duplicates_come_once_more_and_never_before_the_original() {
        let profile =
            LinkProfile { duplicate: 0.1, jitter: Jitter::Uniform(5 * MS), ..LinkProfile::delay(MS) };
        let mut line = link(profile);
        for (_, outcome) in run(&mut line, 20_000, 100, 10 * MS) {
            let arrivals: Vec<Time> = outcome.arrivals().collect();
            assert!(arrivals.is_sorted() && !arrivals.is_empty());
        }
        near(line.stats().duplicated as f64, 2000.0, 215.0);
        assert_eq!(line.stats().arrivals, 20_000 + line.stats().duplicated);
    }

    #[test]
    fn a_bottleneck_passes_its_rate_and_no_more() {
        // 1,000 octets at 1 Mbit/s take 8 ms; one comes every 4 ms.
        let rate = Rate { bits_per_second: 1_000_000, queue: 80 * MS };
        let mut line = link(LinkProfile { rate: Some(rate), ..Default::default() });
        let outcomes = run(&mut line, 10_000, 1000, 4 * MS);
        let arrivals: Vec<Time> = outcomes.iter().flat_map(|(_, o)| o.arrivals()).collect();
        assert!(arrivals.windows(2).all(|w| w[1] - w[0] == 8 * MS));
        let delays = delays(&outcomes);
        assert_eq!(*delays.iter().min().unwrap(), 8 * MS);
        assert_eq!(*delays.iter().max().unwrap(), 88 * MS);
        assert_eq!(line.stats().longest_wait, 80 * MS);
        let stats = line.stats();
        near(stats.queue_full as f64, 5000.0, 15.0);
        assert_eq!(stats.sent, stats.arrivals + stats.queue_full);
    }

    #[test]
    fn an_idle_bottleneck_takes_a_datagram_of_any_size() {
        let rate = Rate { bits_per_second: 8_000, queue: Duration::ZERO };
        let mut line = link(LinkProfile { rate: Some(rate), ..Default::default() });
        let at = Time::ZERO + Duration::from_secs(60);
        assert_eq!(line.send(Time::ZERO, 60_000), Outcome::Arrives { at, copy: None });
        assert_eq!(line.send(Time::from_millis(59_999), 1), Outcome::Dropped(DropReason::QueueFull));
        assert!(matches!(line.send(at, 1), Outcome::Arrives { .. }));
    }

    #[test]
    fn every_datagram_is_accounted_for_under_all_impairments_at_once() {
        let mut line = link(everything());
        let outcomes = run(&mut line, 100_000, 700, 4 * MS);
        let stats = line.stats();
        assert_eq!(stats.sent + stats.duplicated, stats.arrivals + stats.lost + stats.queue_full);
        let arrivals = outcomes.iter().flat_map(|(_, o)| o.arrivals()).count() as u64;
        assert_eq!(stats.arrivals, arrivals);
        for count in [stats.lost, stats.queue_full, stats.duplicated, stats.held_back] {
            assert!(count > 100, "{stats:?}");
        }
    }

    #[test]
    fn equal_seeds_give_equal_lines_and_streams_differ() {
        let run = |seed, stream| run(&mut Link::new(everything(), [seed; 32], stream), 2000, 700, 4 * MS);
        assert_eq!(run(1, 0), run(1, 0));
        assert_ne!(run(1, 0), run(1, 1));
        assert_ne!(run(1, 0), run(2, 0));
    }

    #[test]
    fn one_impairment_leaves_the_pattern_of_the_others() {
        let lost = |profile: LinkProfile| -> Vec<bool> {
            let outcomes = run(&mut link(profile), 5000, 100, MS);
            outcomes.iter().map(|(_, o)| matches!(o, Outcome::Dropped(_))).collect()
        };
        let loss = Loss::bursts(0.1, 3.0);
        let plain = lost(LinkProfile { loss, ..Default::default() });
        let much = lost(LinkProfile { rate: None, loss, ..everything() });
        assert_eq!(plain, much);
    }

    #[test]
    fn a_change_of_profile_holds_for_what_is_sent_after_it() {
        let mut line = link(LinkProfile::delay(100 * MS));
        let first = line.send(Time::ZERO, 100);
        line.set_profile(LinkProfile { loss: Loss::Independent(1.0), ..Default::default() });
        assert_eq!(first, Outcome::Arrives { at: Time::from_millis(100), copy: None });
        assert_eq!(line.send(Time::from_millis(1), 100), Outcome::Dropped(DropReason::Lost));
    }

    fn everything() -> LinkProfile {
        LinkProfile {
            loss: Loss::bursts(0.02, 3.0),
            delay: 30 * MS,
            jitter: Jitter::Normal(4 * MS),
            reorder: Reorder { probability: 0.01, by: 12 * MS },
            duplicate: 0.01,
            rate: Some(Rate { bits_per_second: 1_350_000, queue: 120 * MS }),
        }
    }
}
