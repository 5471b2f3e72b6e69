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
#[path = "link_tests.rs"]
mod tests;
