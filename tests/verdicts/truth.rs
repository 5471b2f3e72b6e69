//! What must have happened, by the engine's log alone.

use crate::call::Outcome;
use std::time::Duration;
use visavis::impair::{Traffic, Visible, Way};
use visavis::proto::Time;

/// A picture's way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Journey {
    pub(crate) captured: Time,
    pub(crate) keyframe: bool,
    /// When the last of its packets arrived; `None` where one did not.
    pub(crate) whole: Option<Time>,
}

impl Outcome {
    /// What the callee can know of the losses of a medium.
    pub(crate) fn visible(&self, traffic: Traffic) -> Visible {
        let streams = self.log.streams(Way::Up);
        let mut of_kind = streams.iter().filter(|(_, kind)| *kind == traffic);
        let (Some((ssrc, _)), None) = (of_kind.next(), of_kind.next()) else {
            panic!("one {} stream in {streams:?}", traffic.as_str());
        };
        self.log.visible(Way::Up, *ssrc, self.ended)
    }

    /// The pictures that were sent, each with its way. Packets of one picture have one timestamp, and pictures are
    /// sent in the order in which they were coded.
    pub(crate) fn journeys(&self) -> Vec<Journey> {
        let mut pictures: Vec<(u32, Option<Time>)> = Vec::new();
        for entry in self.log.entries().iter().filter(|e| e.parcel.traffic == Traffic::Video) {
            let timestamp = entry.parcel.mark.expect("RTP").timestamp;
            let came = entry.fate.arrivals().next().filter(|at| *at <= self.ended);
            match pictures.last_mut().filter(|(last, _)| *last == timestamp) {
                Some((_, whole)) => *whole = whole.zip(came).map(|(a, b)| a.max(b)),
                None => pictures.push((timestamp, came)),
            }
        }
        let sent = self.sent.iter().zip(pictures);
        let journeys = sent.map(|(picture, (_, whole))| Journey {
            captured: picture.captured,
            keyframe: picture.keyframe,
            whole,
        });
        journeys.collect()
    }

    /// The pictures that came whole. Each is ready when all before it are: pictures come out in order.
    pub(crate) fn whole(&self) -> Vec<(Journey, Time)> {
        let mut ready = Time::ZERO;
        let whole = self.journeys().into_iter().filter_map(|journey| {
            ready = ready.max(journey.whole?);
            Some((journey, ready))
        });
        whole.collect()
    }

    /// When the pictures that could be decoded were ready: whole, and with every picture since the last key frame
    /// whole.
    fn decodable(&self) -> Vec<Time> {
        let mut ready = Time::ZERO;
        let mut intact = false;
        let mut found = Vec::new();
        for journey in self.journeys() {
            let Some(whole) = journey.whole else {
                intact = false;
                continue;
            };
            intact |= journey.keyframe;
            if intact {
                ready = ready.max(whole);
                found.push(ready);
            }
        }
        found
    }

    /// The longest time between two pictures that could be decoded, or from the last one to the end, milliseconds.
    pub(crate) fn longest_gap_ms(&self) -> f64 {
        let times: Vec<Time> = self.decodable().into_iter().chain([self.ended]).collect();
        let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
        ms(gaps.max().expect("pictures"))
    }
}

pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The least value that `percent` % of all are at or below.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}

#[track_caller]
pub(crate) fn assert_near(what: &str, measured: f64, truth: f64, tolerance: f64) {
    let off = (measured - truth).abs();
    eprintln!("{what}: measured {measured:.3}, truth {truth:.3}");
    assert!(off <= tolerance, "{what}: measured {measured}, truth {truth}: {off} off, {tolerance} allowed");
}
