//! A microphone and an encoder in virtual time.

use super::*;
use crate::live::testing::worst_click;
use std::f64::consts::TAU;

const RATE: u32 = 8_000;
const HZ: f64 = 497.0;
const CONFIG: CaptureConfig = CaptureConfig {
    sample_rate: RATE,
    channels: 1,
    delay: Duration::from_millis(15),
    capacity: Duration::from_millis(500),
};

/// A microphone's callbacks of 10 ms and an encoder's pulls of 20 ms on one virtual clock.
struct Bench {
    push: Push,
    microphone: Microphone,
    /// Parts in a million that the microphone's clock is slow by.
    slow: f64,
    callback: u64,
    frame: u64,
    phase: f64,
    encoded: Vec<i16>,
    captured: Time,
}

impl Bench {
    fn new(slow: f64) -> Self {
        let (push, microphone) = capture(CONFIG).unwrap();
        let (callback, frame) = (0, 0);
        Bench { push, microphone, slow, callback, frame, phase: 0.0, encoded: vec![], captured: Time::ZERO }
    }

    /// Runs until frame number `until`; callback number n comes `late(n)` seconds late.
    fn run(&mut self, until: u64, late: impl Fn(u64) -> f64) {
        while self.frame < until {
            let pulls = 1.02 + self.frame as f64 * 0.02;
            let period = 0.01 * (1.0 + self.slow * 1e-6);
            let first_sample = 0.95 + self.callback as f64 * period;
            if first_sample + period + late(self.callback) <= pulls {
                let samples = self.sound();
                self.push.push(Time::from_nanos((first_sample * 1e9) as u64), &samples);
                self.callback += 1;
                continue;
            }
            let captured = Time::from_nanos(((pulls - 0.02) * 1e9) as u64);
            let sound = self.microphone.pull(captured, RATE, RATE as usize / 50).unwrap();
            self.captured = sound.captured;
            self.encoded.extend_from_slice(sound.samples());
            self.frame += 1;
        }
    }

    fn sound(&mut self) -> Vec<i16> {
        let step = TAU * HZ / f64::from(RATE);
        let samples = (0..RATE / 100).map(|_| {
            self.phase = (self.phase + step) % TAU;
            (8_000.0 * self.phase.sin()).round() as i16
        });
        samples.collect()
    }

    /// The worst click since this was called last, but for the first fade.
    fn click(&mut self) -> f64 {
        let encoded = std::mem::take(&mut self.encoded);
        let start = encoded.iter().position(|s| *s != 0).unwrap_or(0) + 100;
        worst_click(&encoded[start.min(encoded.len())..], HZ, RATE)
    }
}

fn hour(slow: f64) {
    let mut bench = Bench::new(slow);
    bench.run(50, |_| 0.0);
    bench.click();
    let started = bench.microphone.counts();
    let mut worst = 0.0f64;
    for minute in 1..=60 {
        bench.run(minute * 3_000, |n| if n % 3 == 0 { 0.001 } else { 0.0 });
        worst = worst.max(bench.click());
        let counts = bench.microphone.counts();
        assert!(counts.late.abs() < 0.006, "minute {minute}: {counts:?}");
    }
    let counts = bench.microphone.counts();
    // A slow microphone makes the encoder's clock look fast.
    let drift = counts.drift.expect("an hour");
    assert!((drift + slow).abs() < 20.0, "{counts:?}");
    assert_eq!((counts.underruns, counts.overruns), (started.underruns, 0));
    assert_eq!(counts.dropped, started.dropped);
    assert!(worst < 20.0, "{worst}");
}

#[test]
fn an_hour_with_a_microphone_200_ppm_slow_has_no_gap_and_no_click() {
    hour(200.0);
}

#[test]
fn an_hour_with_a_microphone_200_ppm_fast_has_no_gap_and_no_click() {
    hour(-200.0);
}

#[test]
fn sound_keeps_the_time_at_which_it_was_captured() {
    let mut bench = Bench::new(0.0);
    bench.run(100, |_| 0.0);
    // The encoder's frame begins at 1 + 99 * 0.02; its sound was captured `delay` and the resampler's 4 ms
    // before.
    let raised = bench.microphone.counts().raised;
    assert_eq!(
        bench.captured,
        Time::from_millis(2_980).saturating_sub(CONFIG.delay + raised + Duration::from_millis(4))
    );
    assert!(bench.microphone.counts().late.abs() < 0.002, "{:?}", bench.microphone.counts());
}

#[test]
fn a_microphone_that_stalls_is_an_underrun_and_comes_back_without_a_cut() {
    let mut bench = Bench::new(0.0);
    bench.run(100, |_| 0.0);
    bench.click();
    let before = bench.microphone.counts();
    bench.run(200, |n| if (240..248).contains(&n) { 0.08 - (n - 240) as f64 * 0.01 } else { 0.0 });
    let counts = bench.microphone.counts();
    assert_eq!(counts.underruns, before.underruns + 1, "one gap: {counts:?}");
    assert_eq!(counts.raised, before.raised + Duration::from_millis(5));
    bench.run(400, |_| 0.0);
    let click = bench.click();
    // A cut would leave up to 16000.
    assert!(click < 3_000.0, "fades, no cuts: {click}");
    assert_eq!(bench.microphone.counts().underruns, counts.underruns);
}

#[test]
fn what_nobody_pulls_is_counted_and_old_sound_is_left_out() {
    let (mut push, mut microphone) = capture(CONFIG).unwrap();
    for n in 0..100 {
        push.push(Time::from_millis(1_000 + 10 * n), &[100; 80]);
    }
    assert_eq!(microphone.counts().overruns, 4_000);
    microphone.pull(Time::from_millis(1_980), RATE, 160).unwrap();
    assert!(microphone.counts().dropped > 0);
}

#[test]
fn mute_is_silence_and_the_meter_still_shows_who_speaks() {
    let mut bench = Bench::new(0.0);
    bench.microphone.controls().volume().set_muted(true);
    bench.run(50, |_| 0.0);
    assert_eq!(bench.encoded.iter().filter(|s| **s != 0).count(), 0);
    assert!((bench.microphone.controls().meter().level().mean + 12.2).abs() < 0.3);
}

#[test]
fn what_is_muted_stays_silent_where_the_microphone_stalls() {
    let mut bench = Bench::new(0.0);
    bench.run(100, |_| 0.0);
    bench.microphone.controls().volume().set_muted(true);
    bench.run(110, |_| 0.0);
    bench.encoded.clear();
    let before = bench.microphone.counts();
    bench.run(200, |n| if (240..248).contains(&n) { 0.08 - (n - 240) as f64 * 0.01 } else { 0.0 });
    assert!(bench.microphone.counts().underruns > before.underruns);
    assert_eq!(bench.encoded.iter().filter(|s| **s != 0).count(), 0);
}

#[test]
fn a_pause_in_which_nobody_pulls_is_no_underrun_and_nothing_of_it_is_given_later() {
    let mut bench = Bench::new(0.0);
    bench.run(100, |_| 0.0);
    let before = bench.microphone.counts();
    // Ten seconds of another pitch, on hold.
    let (_, period) = (bench.frame += 500, 0.01);
    while 0.95 + (bench.callback + 1) as f64 * period <= 1.02 + bench.frame as f64 * 0.02 {
        let samples: Vec<i16> = (0..80).map(|n| if n % 2 == 0 { 8_000 } else { -8_000 }).collect();
        let first = Time::from_nanos(((0.95 + bench.callback as f64 * period) * 1e9) as u64);
        bench.push.push(first, &samples);
        bench.callback += 1;
    }
    assert!(bench.microphone.counts().overruns > 0);
    bench.encoded.clear();
    bench.run(700, |_| 0.0);
    let counts = bench.microphone.counts();
    assert_eq!((counts.underruns, counts.raised), (before.underruns, before.raised), "{counts:?}");
    let jump = bench.encoded.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max();
    // The tone's own steepest step is 3100, that of what was said on hold 16000.
    assert!(jump < Some(4_000), "{jump:?}");
    assert!(bench.encoded[1_000..].iter().any(|s| *s > 7_000), "the tone is heard again");
    assert!(bench.microphone.counts().late.abs() < 0.003, "{counts:?}");
}

/// Halves the sound, in blocks of 70 samples, at these rates.
struct Halve(&'static [u32], u32);

impl Effect for Halve {
    fn set_rate(&mut self, sample_rate: u32) -> bool {
        self.1 = sample_rate;
        self.0.contains(&sample_rate)
    }
    fn set_drift(&mut self, _: f64) {}

    fn shifted(&mut self, _: f64) {}

    fn block(&self) -> usize {
        70
    }
    fn process(&mut self, samples: &mut [i16]) {
        assert_eq!(samples.len() % 70, 0);
        assert!(self.0.contains(&self.1));
        samples.iter_mut().for_each(|s| *s /= 2);
    }
}

fn halved(bench: &mut Bench) {
    bench.run(500, |_| 0.0);
    let settled = &bench.encoded[60_000..];
    let peak = settled.iter().max().copied().unwrap_or(0);
    assert!((3_950..4_050).contains(&peak), "{peak}");
    let click = worst_click(settled, HZ, RATE);
    assert!(click < 10.0, "{click}");
}

#[test]
fn an_effect_gets_whole_blocks_and_all_of_the_sound() {
    let mut bench = Bench::new(0.0);
    bench.microphone.set_voice(Some(Box::new(Halve(&[RATE], 0))));
    halved(&mut bench);
}

#[test]
fn an_effect_that_cannot_work_at_the_encoders_rate_works_at_the_microphones() {
    let (mut push, mut microphone) = capture(CONFIG).unwrap();
    microphone.set_voice(Some(Box::new(Halve(&[RATE], 0))));
    let mut loudest = 0;
    for n in 0..100 {
        push.push(Time::from_millis(1_000 + 10 * n), &[1_000; 80]);
        let sound = microphone.pull(Time::from_millis(1_000 + 10 * n), 2 * RATE, 160).unwrap();
        loudest = loudest.max(sound.samples().iter().copied().max().unwrap_or(0));
    }
    assert!((490..520).contains(&loudest), "{loudest}");
}

#[test]
fn an_effect_whose_blocks_fit_the_frames_adds_no_delay() {
    struct Keep;
    impl Effect for Keep {
        fn set_rate(&mut self, _: u32) -> bool {
            true
        }
        fn set_drift(&mut self, _: f64) {}

        fn shifted(&mut self, _: f64) {}

        fn block(&self) -> usize {
            RATE as usize / 100
        }
        fn process(&mut self, _: &mut [i16]) {}
    }
    let mut bench = Bench::new(100.0);
    bench.microphone.set_voice(Some(Box::new(Keep)));
    bench.run(50, |_| 0.0);
    let started = bench.microphone.counts();
    // Long enough for the two clocks to drift by more than a block.
    bench.run(8_000, |_| 0.0);
    let counts = bench.microphone.counts();
    assert_eq!((counts.underruns, counts.raised), (started.underruns, Duration::ZERO), "{counts:?}");
}
