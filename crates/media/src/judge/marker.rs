//! Finds the beeps of [`ToneSource`](crate::source::tone::ToneSource) in decoded sound, to a millisecond.
//!
//! The sound is shifted down by the marker's frequency and smoothed (two moving averages of 4 ms), which leaves
//! the marker's envelope. A rise and fall at half of the highest envelope, about a pulse apart, is a marker;
//! its time is taken from the middle between the two, which the symmetrical smear of a codec leaves alone.

use crate::source::pattern::PULSE;
use std::f64::consts::TAU;

/// The smoothing's length, twice, seconds.
const SMOOTHING: f64 = 0.004;
/// The least envelope that can be a marker's, of a full-scale sine.
const FLOOR: f64 = 0.01;
/// How far a marker's length may be off, seconds.
const TOLERANCE: f64 = 0.03;
/// The least part of a marker's power that must lie at its frequency.
const PURITY: f64 = 0.5;

#[derive(Debug)]
pub(super) struct MarkerFinder {
    sample_rate: f64,
    oscillator: Oscillator,
    smoothing: [[MovingAverage; 2]; 2],
    power: MovingAverage,
    index: u64,
    /// Envelope and power since the envelope rose above the floor, and the index of the first.
    candidate: Option<(u64, Vec<(f64, f64)>)>,
}

impl MarkerFinder {
    pub(super) fn new(sample_rate: u32, frequency: f64) -> Self {
        let sample_rate = f64::from(sample_rate);
        let length = ((sample_rate * SMOOTHING) as usize).max(1);
        let average = || MovingAverage::new(length);
        MarkerFinder {
            sample_rate,
            oscillator: Oscillator::new(frequency / sample_rate),
            smoothing: [[average(), average()], [average(), average()]],
            power: MovingAverage::new(2 * length - 1),
            index: 0,
            candidate: None,
        }
    }

    /// Takes the next sample (1.0 is full scale); gives a marker's start, in samples from the first, once its
    /// end was heard.
    pub(super) fn push(&mut self, sample: f64) -> Option<f64> {
        let (sin, cos) = self.oscillator.next();
        let [in_phase, quadrature] = &mut self.smoothing;
        let real = in_phase.iter_mut().fold(sample * cos, |value, average| average.push(value));
        let imaginary = quadrature.iter_mut().fold(sample * sin, |value, average| average.push(value));
        let envelope = 2.0 * (real * real + imaginary * imaginary).sqrt();
        let power = self.power.push(sample * sample);
        let index = self.index;
        self.index += 1;

        let (start, envelopes) = match (&mut self.candidate, envelope > FLOOR) {
            (None, false) => return None,
            (None, true) => {
                self.candidate = Some((index, vec![(envelope, power)]));
                return None;
            }
            (Some((start, envelopes)), above) => {
                // What goes on beyond twice the longest marker is none; its samples are not kept.
                if envelopes.len() < (0.4 * self.sample_rate) as usize {
                    envelopes.push((envelope, power));
                }
                if above {
                    return None;
                }
                (*start, std::mem::take(envelopes))
            }
        };
        self.candidate = None;
        let marker = self.judge(&envelopes)?;
        let delay = (self.smoothing[0][0].length() - 1) as f64;
        Some(start as f64 + marker - delay)
    }

    /// The start of the marker in samples from the candidate's first, or `None` where it is no marker.
    fn judge(&self, envelopes: &[(f64, f64)]) -> Option<f64> {
        let half = envelopes.iter().map(|&(envelope, _)| envelope).fold(0.0, f64::max) / 2.0;
        let rise = envelopes.iter().position(|&(envelope, _)| envelope >= half)?;
        let fall = envelopes.iter().rposition(|&(envelope, _)| envelope >= half)?;
        let length = (fall - rise + 1) as f64 / self.sample_rate;
        if (length - PULSE.as_secs_f64()).abs() > TOLERANCE {
            return None;
        }
        let within = &envelopes[rise..=fall];
        let (marker, all) = within.iter().fold((0.0, 0.0), |(marker, all), (envelope, power)| {
            (marker + envelope * envelope / 2.0, all + power)
        });
        let middle = (rise + fall) as f64 / 2.0;
        (marker >= PURITY * all).then_some(middle - PULSE.as_secs_f64() / 2.0 * self.sample_rate)
    }
}

/// Sine and cosine of an angle that grows evenly.
#[derive(Debug)]
struct Oscillator {
    /// Turns a sample.
    step: f64,
    /// Sine and cosine of a step, and of where it stands.
    turn: (f64, f64),
    now: (f64, f64),
    count: u64,
}

impl Oscillator {
    /// Samples between two that are worked out anew, so that rounding does not add up.
    const ANEW: u64 = 1_024;

    fn new(step: f64) -> Self {
        Oscillator { step, turn: (TAU * step).sin_cos(), now: (0.0, 1.0), count: 0 }
    }

    fn next(&mut self) -> (f64, f64) {
        if self.count.is_multiple_of(Self::ANEW) {
            self.now = (TAU * (self.count as f64 * self.step).fract()).sin_cos();
        }
        self.count += 1;
        let ((sin, cos), (turn_sin, turn_cos)) = (self.now, self.turn);
        self.now = (sin * turn_cos + cos * turn_sin, cos * turn_cos - sin * turn_sin);
        (sin, cos)
    }
}

#[derive(Debug)]
struct MovingAverage {
    window: Vec<f64>,
    oldest: usize,
    sum: f64,
    /// Of the sum, in the average: to multiply costs less than to divide.
    share: f64,
}

impl MovingAverage {
    fn new(length: usize) -> Self {
        MovingAverage { window: vec![0.0; length], oldest: 0, sum: 0.0, share: 1.0 / length as f64 }
    }

    fn length(&self) -> usize {
        self.window.len()
    }

    fn push(&mut self, value: f64) -> f64 {
        self.sum += value - std::mem::replace(&mut self.window[self.oldest], value);
        self.oldest = if self.oldest + 1 == self.window.len() { 0 } else { self.oldest + 1 };
        self.sum * self.share
    }
}
