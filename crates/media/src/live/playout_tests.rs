//! A speaker and a sender in virtual time.

use super::*;
use crate::live::margin::RAISE;
use crate::live::testing::worst_click;
use std::f64::consts::TAU;

const RATE: u32 = 8_000;
const HZ: f64 = 497.0;
const CONFIG: PlayoutConfig = PlayoutConfig {
    sample_rate: RATE,
    channels: 1,
    delay: Duration::from_millis(14),
    capacity: Duration::from_millis(500),
};

/// A sender's frames of 20 ms and a speaker's callbacks of 10 ms on one virtual clock.
struct Bench {
    feed: Feed,
    pull: Pull,
    /// Parts in a million that the speaker's clock is slow by.
    slow: f64,
    /// Samples a second that the sender sends.
    sent: u32,
    callback: u64,
    frame: u64,
    phase: f64,
    heard: Vec<i16>,
    state: u32,
}

impl Bench {
    fn new(slow: f64) -> Self {
        let (feed, pull) = playout(CONFIG).unwrap();
        Bench { feed, pull, slow, sent: RATE, callback: 0, frame: 0, phase: 0.0, heard: Vec::new(), state: 1 }
    }

    /// 0 to 1, the same in every run.
    fn random(&mut self) -> f64 {
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(self.state >> 8) / f64::from(1u32 << 24)
    }

    /// Runs until frame number `until`: each arrives `arrival(n)` after its capture and is to be played
    /// `delay(n)` after its capture, both in seconds; `None` never arrives.
    fn run(&mut self, until: u64, arrival: impl Fn(u64) -> Option<f64>, delay: impl Fn(u64) -> f64) {
        let mut out = [0i16; RATE as usize / 100];
        while self.frame < until {
            let captured = 1.0 + self.frame as f64 * 0.02;
            let arrives = captured + arrival(self.frame).unwrap_or(0.0);
            let period = 0.01 * (1.0 + self.slow * 1e-6);
            let calls = 0.95 + self.callback as f64 * period;
            if calls <= arrives {
                // A callback comes up to a millisecond late.
                let at = Time::from_nanos(((calls + self.random() * 0.001) * 1e9) as u64);
                self.pull.pull(at, &mut out);
                self.heard.extend_from_slice(&out);
                self.callback += 1;
                continue;
            }
            let sound = self.sound();
            if arrival(self.frame).is_some() {
                let play_at = Time::from_nanos(((captured + delay(self.frame)) * 1e9) as u64);
                self.feed.push(Time::from_nanos((arrives * 1e9) as u64), &sound.at(play_at)).unwrap();
            }
            self.frame += 1;
        }
    }

    fn sound(&mut self) -> Pcm {
        let step = TAU * HZ / f64::from(self.sent);
        let samples = (0..self.sent / 50).map(|_| {
            self.phase = (self.phase + step) % TAU;
            (8_000.0 * self.phase.sin()).round() as i16
        });
        Pcm::new(samples.collect(), self.sent, 1).unwrap()
    }

    /// The worst click since this was called last, but for the first fade.
    fn click(&mut self) -> f64 {
        let heard = std::mem::take(&mut self.heard);
        let start = heard.iter().position(|s| *s != 0).unwrap_or(0) + 100;
        worst_click(&heard[start.min(heard.len())..], HZ, RATE)
    }
}

fn hour(slow: f64) {
    let mut bench = Bench::new(slow);
    let mut worst = 0.0f64;
    for minute in 1..=60 {
        bench.run(minute * 3_000, |_| Some(0.005), |_| 0.010);
        worst = worst.max(bench.click());
        let counts = bench.feed.counts();
        assert!(counts.late.abs() < 0.006, "minute {minute}: {counts:?}");
        if minute > 5 {
            assert!(counts.late.abs() < 0.002, "minute {minute}: {counts:?}");
        }
    }
    let counts = bench.feed.counts();
    let drift = counts.drift.expect("an hour");
    assert!((drift - slow).abs() < 20.0, "{counts:?}");
    let PlayoutCounts { underruns, gaps, removed, repeated, dropped, .. } = counts;
    assert_eq!([underruns, gaps, removed, repeated, dropped], [0; 5]);
    // Rounding alone makes 4; a dropped or repeated sample would make 1500.
    assert!(worst < 20.0, "{worst}");
}

#[test]
fn an_hour_on_a_speaker_200_ppm_slow_has_no_gap_and_no_click() {
    hour(200.0);
}

#[test]
fn an_hour_on_a_speaker_200_ppm_fast_has_no_gap_and_no_click() {
    hour(-200.0);
}

#[test]
fn sound_is_heard_when_it_is_due() {
    let mut bench = Bench::new(0.0);
    bench.run(100, |_| Some(0.005), |_| 0.030);
    // The first frame is due at 1.000 + 0.030 + 0.014; callbacks began at 0.95.
    let first = bench.heard.iter().position(|s| *s != 0).unwrap() as f64 / f64::from(RATE);
    assert!((first - 0.094).abs() < 0.003, "{first}");
}

#[test]
fn a_jitter_buffer_that_grows_and_shrinks_is_followed_without_a_click() {
    let mut bench = Bench::new(0.0);
    bench.run(250, |_| Some(0.005), |_| 0.010);
    bench.click();
    bench.run(500, |_| Some(0.005), |_| 0.060);
    let counts = bench.feed.counts();
    assert!(counts.late.abs() < 0.004 && counts.repeated > 300, "{counts:?}");
    let grown = bench.click();
    bench.run(750, |_| Some(0.005), |_| 0.010);
    let counts = bench.feed.counts();
    assert!(counts.late.abs() < 0.004 && counts.removed > 300, "{counts:?}");
    let shrunk = bench.click();
    assert_eq!((counts.underruns, counts.gaps, counts.dropped), (0, 0, 0));
    assert!(grown < 60.0 && shrunk < 60.0, "{grown} {shrunk}");
}

#[test]
fn the_wait_that_is_told_is_what_it_was_and_not_what_it_should_be() {
    let meant = CONFIG.delay + Duration::from_millis(4);
    // A speaker this slow is only held to by leaving out periods, one behind the other.
    for (slow, least, most) in [(0.0, 0, 1), (4_000.0, 3, 9)] {
        let mut bench = Bench::new(slow);
        bench.run(2_000, |_| Some(0.005), |_| 0.010);
        let more = bench.feed.delay().saturating_sub(meant);
        let bounds = Duration::from_millis(least)..=Duration::from_millis(most);
        assert!(bounds.contains(&more), "{slow}: {more:?}, {:?}", bench.feed.counts());
    }
}

#[test]
fn sound_that_comes_too_late_once_is_an_underrun_and_makes_the_delay_longer() {
    let mut bench = Bench::new(0.0);
    bench.run(100, |_| Some(0.005), |_| 0.010);
    bench.run(101, |_| Some(0.045), |_| 0.010);
    bench.run(300, |_| Some(0.005), |_| 0.010);
    let counts = bench.feed.counts();
    assert_eq!((counts.underruns, counts.gaps), (1, 1));
    assert_eq!(counts.raised, RAISE);
    assert!(bench.click() < 1_500.0, "fades, no cuts");
}

#[test]
fn a_pause_of_the_sender_is_a_gap_but_no_underrun() {
    let mut bench = Bench::new(0.0);
    let talks = |n: u64| (n % 100 < 50).then_some(0.005);
    bench.run(1_000, talks, |_| 0.010);
    let counts = bench.feed.counts();
    assert_eq!((counts.underruns, counts.dropped), (0, 0), "{counts:?}");
    assert!(counts.gaps >= 9, "{counts:?}");
    assert!(counts.late.abs() < 0.004, "{counts:?}");
}

#[test]
fn a_sender_goes_from_one_rate_to_another_without_a_step() {
    let mut bench = Bench::new(0.0);
    bench.run(100, |_| Some(0.005), |_| 0.010);
    bench.heard.clear();
    for (n, rate) in (0..).zip([16_000, 48_000, 8_000, 24_000, 8_000]) {
        bench.sent = rate;
        bench.run(110 + 10 * n, |_| Some(0.005), |_| 0.010);
    }
    let step = bench.heard.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max();
    // The tone's own steepest step is 3123.
    assert!(step < Some(3_300), "{step:?}");
    assert_eq!(bench.feed.counts().underruns, 0);
}

#[test]
fn what_is_far_too_late_is_dropped_and_what_no_speaker_pulls_goes_by() {
    let (mut feed, mut pull) = playout(CONFIG).unwrap();
    let sound = Pcm::new(vec![9_000; 160], RATE, 1).unwrap();
    feed.push(Time::from_millis(900), &sound.clone().at(Time::from_millis(900))).unwrap();
    let mut out = [1; 80];
    pull.pull(Time::from_millis(1_000), &mut out);
    assert_eq!(out, [0; 80]);
    feed.push(Time::from_millis(1_005), &sound.clone().at(Time::from_millis(500))).unwrap();
    assert_eq!(feed.counts().dropped, 160);
    feed.push(Time::from_millis(1_005), &sound.at(Time::from_millis(1_000))).unwrap();
    pull.pull(Time::from_millis(1_010), &mut out);
    pull.pull(Time::from_millis(1_020), &mut out);
    assert!(out[79] > 8_000, "{out:?}");
    feed.volume().set_muted(true);
    assert!(feed.meter().level().peak > -13.0);
}

#[test]
fn a_shape_that_no_speaker_has_is_an_error() {
    assert!(playout(PlayoutConfig { sample_rate: 4_000, ..CONFIG }).is_err());
    assert!(playout(PlayoutConfig { channels: 3, ..CONFIG }).is_err());
}
