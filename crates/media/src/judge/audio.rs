//! Listens to decoded sound: the tone, its gaps, its markers.

use super::marker::MarkerFinder;
use super::spectrum::Analyser;
use super::statistics::{Distribution, Series};
use crate::sound::Pcm;
use crate::source::tone::Tone;
use serde::Serialize;
use std::time::Duration;

/// Length of the blocks whose level is measured, milliseconds.
const BLOCK_MS: u64 = 5;
/// Blocks below this are silent: -60 dBFS, as the mean square of a sine.
const SILENT: f64 = 0.5e-6;
/// A block this much below the usual level has dropped out: 20 dB.
const DROPPED: f64 = 0.01;
/// The shortest dropout that is counted, blocks.
const SHORTEST: u64 = 2;
/// Blocks that belong to a marker by more than this share of their power stay out of the tone's windows.
const MARKER_SHARE: f64 = 0.1;
/// Blocks after a marker that stay out, too: what codecs smear.
const GUARD: u32 = 6;
/// A tone stands out of the rest by at least this, dB.
const TONAL: f64 = 6.0;
/// A hole in the time line up to this long is heard as silence, a longer one as a new start.
const LONGEST_HOLE: Duration = Duration::from_secs(2);
/// Play times may be off the sample count by this much before they count as a hole.
const SLACK: Duration = Duration::from_millis(5);

/// What was heard. What was not measured is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AudioReport {
    /// Seconds of sound, holes in the time line included.
    pub duration_s: f64,
    /// Samples a second of the last sound, Hz.
    pub sample_rate: Option<u32>,
    /// The strongest tone, Hz: the median of the windows that hold a tone.
    pub tone_hz: Option<f64>,
    /// The part of the windows (about half a second each, between the markers) that hold a tone, 0 to 1:
    /// noise and speech have few.
    pub tonal_share: Option<f64>,
    /// The tone's level, dBFS (0: a full-scale sine), median.
    pub level_dbfs: Option<f64>,
    /// The tone's power against everything else (noise and distortion), dB.
    pub over_noise_db: Option<Distribution>,
    /// The part of the time that was silent (below -60 dBFS), 0 to 1.
    pub silence_share: Option<f64>,
    /// Times that the sound dropped by 20 dB or was missing for 10 ms or longer after it had begun.
    pub dropouts: u64,
    /// How long these lasted in all, milliseconds.
    pub dropouts_ms: f64,
    /// The longest of them, milliseconds.
    pub longest_dropout_ms: f64,
    /// The part of the samples that stand at full scale, three or more in a row, 0 to 1.
    pub clipped_share: Option<f64>,
    /// Markers heard.
    pub markers: u64,
}

#[derive(Debug)]
pub(super) struct AudioJudge {
    tone: Tone,
    line: Option<Line>,
    counts: Counts,
    frequency: Series,
    level: Series,
    over_noise: Series,
}

#[derive(Debug, Default)]
struct Counts {
    samples: u64,
    seconds: f64,
    blocks: u64,
    silent: u64,
    windows: u64,
    clipped: u64,
    markers: u64,
    dropouts: Dropouts,
}

impl AudioJudge {
    pub(super) fn new(tone: Tone) -> Self {
        AudioJudge {
            tone,
            line: None,
            counts: Counts::default(),
            frequency: Series::new(),
            level: Series::new(),
            over_noise: Series::new(),
        }
    }

    /// Takes the next stretch of sound (its left channel); gives the times at which markers started,
    /// nanoseconds since the Unix epoch.
    pub(super) fn sound(&mut self, sound: &Pcm) -> Vec<i128> {
        let starts = i128::from(sound.captured.unix_nanos());
        let rate = sound.sample_rate();
        if self.line.as_ref().is_some_and(|line| line.sample_rate != rate) {
            self.line = None;
        }
        let mut found = Vec::new();
        let line = self.line.get_or_insert_with(|| Line::new(rate, self.tone, starts));
        let hole = starts - line.time_of(line.samples as f64);
        if hole.unsigned_abs() > SLACK.as_nanos() {
            if hole > 0 && hole.unsigned_abs() <= LONGEST_HOLE.as_nanos() {
                let missing = hole * i128::from(rate) / 1_000_000_000;
                for _ in 0..missing {
                    self.sample(0, &mut found);
                }
            } else {
                if hole > 0 {
                    self.counts.dropouts.add(hole as f64 / 1e6);
                }
                self.line = None;
            }
        }
        let line = self.line.get_or_insert_with(|| Line::new(rate, self.tone, starts));
        line.anchor = (line.samples, starts);
        for sample in sound.channel(0) {
            self.sample(sample, &mut found);
        }
        found
    }

    fn sample(&mut self, sample: i16, found: &mut Vec<i128>) {
        let Some(line) = &mut self.line else { return };
        let counts = &mut self.counts;
        counts.samples += 1;
        counts.seconds += 1.0 / f64::from(line.sample_rate);
        counts.clipped += line.clipping.push(sample);
        let value = f64::from(sample) / 32_768.0;
        if let Some(start) = line.markers.push(value) {
            counts.markers += 1;
            found.push(line.time_of(start));
        }
        line.samples += 1;
        line.block.push(value);
        if line.block.len() < line.block_length {
            return;
        }
        let power = line.block.iter().map(|v| v * v).sum::<f64>() / line.block.len() as f64;
        let beep = goertzel(&line.block, self.tone.marker_frequency / f64::from(line.sample_rate));
        let marker = beep > MARKER_SHARE * power && power >= SILENT;
        counts.blocks += 1;
        counts.silent += u64::from(power < SILENT);
        let sounding = marker || counts.dropouts.block(power);
        if marker {
            line.guard = GUARD;
            counts.dropouts.end();
        }
        if line.guard > 0 || !sounding {
            line.guard = line.guard.saturating_sub(1);
            line.window.clear();
            line.block.clear();
            return;
        }
        line.window.append(&mut line.block);
        let length = line.analyser.length();
        if line.window.len() < length {
            return;
        }
        counts.windows += 1;
        if let Some(spectrum) = line.analyser.analyse(&line.window[..length])
            && spectrum.over_rest >= TONAL
        {
            self.frequency.push(spectrum.frequency);
            self.level.push(spectrum.level);
            self.over_noise.push(spectrum.over_rest);
        }
        line.window.clear();
    }

    /// Dropouts so far, the one that goes on among them.
    pub(super) fn dropouts(&self) -> u64 {
        self.counts.dropouts.sum().0
    }

    pub(super) fn report(&self) -> AudioReport {
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let counts = &self.counts;
        let (dropouts, total, longest) = counts.dropouts.sum();
        AudioReport {
            duration_s: counts.seconds,
            sample_rate: self.line.as_ref().map(|line| line.sample_rate),
            tone_hz: self.frequency.median(),
            tonal_share: share(self.frequency.count(), counts.windows),
            level_dbfs: self.level.median(),
            over_noise_db: self.over_noise.distribution(),
            silence_share: share(counts.silent, counts.blocks),
            dropouts,
            dropouts_ms: total,
            longest_dropout_ms: longest,
            clipped_share: share(counts.clipped, counts.samples),
            markers: counts.markers,
        }
    }
}

/// Sound of one rate without a hole.
#[derive(Debug)]
struct Line {
    sample_rate: u32,
    /// Samples so far.
    samples: u64,
    /// A sample and when it is heard, nanoseconds since the Unix epoch.
    anchor: (u64, i128),
    markers: MarkerFinder,
    analyser: Analyser,
    clipping: Clipping,
    block_length: usize,
    block: Vec<f64>,
    /// Sound between the markers.
    window: Vec<f64>,
    /// Blocks still to be left out behind a marker.
    guard: u32,
}

impl Line {
    fn new(sample_rate: u32, tone: Tone, starts: i128) -> Self {
        Line {
            sample_rate,
            samples: 0,
            anchor: (0, starts),
            markers: MarkerFinder::new(sample_rate, tone.marker_frequency),
            analyser: Analyser::new(sample_rate),
            clipping: Clipping::default(),
            block_length: (u64::from(sample_rate) * BLOCK_MS / 1_000) as usize,
            block: Vec::new(),
            window: Vec::new(),
            guard: 0,
        }
    }

    /// When a sample is heard, counted from the start of this line.
    fn time_of(&self, sample: f64) -> i128 {
        let (index, nanos) = self.anchor;
        nanos + ((sample - index as f64) * 1e9 / f64::from(self.sample_rate)).round() as i128
    }
}

/// Finds blocks that fell away after the sound had begun.
#[derive(Debug, Default)]
struct Dropouts {
    /// The usual mean square of sounding blocks between the markers; `None` before the first.
    usual: Option<f64>,
    /// Blocks of the dropout that goes on.
    running: u64,
    count: u64,
    total_ms: f64,
    longest_ms: f64,
}

impl Dropouts {
    /// Takes the mean square of a block that is no marker's; whether the block sounds.
    fn block(&mut self, power: f64) -> bool {
        let Some(usual) = &mut self.usual else {
            if power >= SILENT {
                self.usual = Some(power);
            }
            return power >= SILENT;
        };
        if power < SILENT || power < DROPPED * *usual {
            self.running += 1;
            return false;
        }
        *usual += 0.02 * (power - *usual);
        self.end();
        true
    }

    /// Ends the dropout that goes on.
    fn end(&mut self) {
        if let Some(ms) = self.ended() {
            self.add(ms);
        }
        self.running = 0;
    }

    fn add(&mut self, ms: f64) {
        self.count += 1;
        self.total_ms += ms;
        self.longest_ms = self.longest_ms.max(ms);
    }

    /// How long the running dropout lasted, milliseconds, where it is long enough to count.
    fn ended(&self) -> Option<f64> {
        (self.running >= SHORTEST).then_some((self.running * BLOCK_MS) as f64)
    }

    /// Count, total and longest, the running one included, milliseconds.
    fn sum(&self) -> (u64, f64, f64) {
        let running = self.ended();
        let ms = running.unwrap_or(0.0);
        (self.count + u64::from(running.is_some()), self.total_ms + ms, self.longest_ms.max(ms))
    }
}

/// Counts samples at full scale in runs of three and more.
#[derive(Debug, Default)]
struct Clipping {
    run: u64,
}

impl Clipping {
    /// Takes a sample; how many more samples count as clipped by it.
    fn push(&mut self, sample: i16) -> u64 {
        if sample.unsigned_abs() < 0x7fff {
            self.run = 0;
            return 0;
        }
        self.run += 1;
        match self.run {
            ..3 => 0,
            3 => 3,
            _ => 1,
        }
    }
}

/// The mean square of the part of `block` at `step` turns a sample.
fn goertzel(block: &[f64], step: f64) -> f64 {
    let coefficient = 2.0 * (std::f64::consts::TAU * step).cos();
    let (last, before) =
        block.iter().fold((0.0, 0.0), |(last, before), value| (value + coefficient * last - before, last));
    let power = last * last + before * before - coefficient * last * before;
    2.0 * power / (block.len() * block.len()) as f64
}
