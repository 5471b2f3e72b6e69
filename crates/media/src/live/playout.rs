//! From decoded sound to the speaker: played when it is due, at the speaker's own pace.
//!
//! [`Feed`] is the call's side: it takes sound with the times to play it at and holds it to them. [`Pull`] is
//! the speaker's side, for its callback: it neither locks nor allocates.

use super::clock::{Anchor, Lateness, Servo, Smoothed};
use super::margin::Margin;
use super::meter::Meter;
use super::reference::Reference;
use super::seam::Seam;
use super::stretch::{Stretched, Stretcher, Wish};
use super::volume::{Fader, Volume};
use crate::resample::Resampler;
use crate::sound::{Pcm, PcmError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use visavis_proto::time::Time;

/// Sound this much off its time is brought back by leaving out or repeating periods ...
const STRETCH_FROM: Duration = Duration::from_millis(8);
/// ... until it is within this; what is left is the resampler's.
const STRETCH_TO: Duration = Duration::from_millis(3);
/// Sound between two such places.
const STRETCH_EVERY: Duration = Duration::from_millis(40);
/// Sound that is later than this is not played at all.
const TOO_LATE: Duration = Duration::from_millis(250);
/// Sound that is earlier than this has silence before it.
const PAUSE: Duration = Duration::from_millis(60);

/// References for echo cancellers that may be on their way to a speaker's callback.
const MOST_REFERENCES: usize = 4;

/// How a speaker is to be fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayoutConfig {
    /// The speaker's rate, Hz.
    pub sample_rate: u32,
    /// The speaker's channels, 1 or 2.
    pub channels: u8,
    /// How much later than its time sound reaches the speaker's callback: the period of its callbacks and some
    /// time to decode in. It rises by itself where that is too short.
    pub delay: Duration,
    /// The most sound that waits.
    pub capacity: Duration,
}

/// What happened to sound on its way to the speaker.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PlayoutCounts {
    /// Times that the speaker found nothing though sound was on its way: each is heard.
    pub underruns: u64,
    /// Times that sound ended: underruns and the pauses of the sender.
    pub gaps: u64,
    /// Frames that were left out to play earlier.
    pub removed: u64,
    /// Frames that were repeated to play later.
    pub repeated: u64,
    /// Frames that came too late to be played, or found no room.
    pub dropped: u64,
    /// How late the newest sound will be played, seconds; less than zero is early.
    pub late: f64,
    /// What the delay was raised by.
    pub raised: Duration,
    /// How much slower the speaker's clock is than the sender's, parts in a million; `None` before it is known.
    pub drift: Option<f64>,
}

/// What both sides see.
#[derive(Debug)]
struct Shared {
    anchor: Anchor,
    /// Frames of silence that the speaker got for want of sound.
    starved: AtomicU64,
    gaps: AtomicU64,
    meter: Meter,
    volume: Volume,
}

/// A speaker's two ends.
///
/// # Errors
/// [`PcmError`] for a rate outside 8 to 96 kHz, or channels other than one and two.
pub fn playout(config: PlayoutConfig) -> Result<(Feed, Pull), PcmError> {
    let PlayoutConfig { sample_rate, channels, capacity, .. } = config;
    Pcm::silence(0, sample_rate, channels)?;
    let frames = (capacity.as_secs_f64() * f64::from(sample_rate)) as usize;
    let (producer, consumer) = rtrb::RingBuffer::new(frames.max(1) * usize::from(channels));
    let (new_references, references) = rtrb::RingBuffer::new(MOST_REFERENCES);
    // Whatever is on its way finds room in here.
    let (used, used_references) = rtrb::RingBuffer::new(2 * MOST_REFERENCES);
    let shared = Arc::new(Shared {
        anchor: Anchor::new(),
        starved: AtomicU64::new(0),
        gaps: AtomicU64::new(0),
        meter: Meter::new(),
        volume: Volume::default(),
    });
    let feed = Feed {
        config,
        producer,
        shared: Arc::clone(&shared),
        written: 0,
        starved: 0,
        gaps: 0,
        smoothed: Smoothed::default(),
        servo: Servo::new(),
        converter: None,
        seam: Seam::new(sample_rate, channels),
        cutting: false,
        since_stretch: Duration::ZERO,
        stretching: false,
        margin: Margin::new(),
        lateness: Lateness::default(),
        counts: PlayoutCounts::default(),
        references: (new_references, used_references),
    };
    let fader = Fader::new(sample_rate, &shared.volume);
    let pull = Pull {
        sample_rate,
        channels: channels.into(),
        consumer,
        shared,
        read: 0,
        dry: true,
        reference: None,
        references: (references, used),
        seam: Seam::new(sample_rate, channels),
        fader,
    };
    Ok((feed, pull))
}

/// The call's side of a speaker.
pub struct Feed {
    config: PlayoutConfig,
    producer: rtrb::Producer<i16>,
    shared: Arc<Shared>,
    /// Frames put into the queue.
    written: u64,
    /// What [`Shared::starved`] was at the last push.
    starved: u64,
    /// Gaps of the speaker's that are known of.
    gaps: u64,
    smoothed: Smoothed,
    servo: Servo,
    converter: Option<Converter>,
    seam: Seam,
    /// Sound is being dropped until it is in time again.
    cutting: bool,
    since_stretch: Duration,
    stretching: bool,
    margin: Margin,
    lateness: Lateness,
    counts: PlayoutCounts,
    /// References on their way to the speaker, and those that it needs no more.
    references: (rtrb::Producer<Reference>, rtrb::Consumer<Reference>),
}

/// What brings sound of one shape to the speaker's.
struct Converter {
    from: (u32, u8),
    stretcher: Stretcher,
    resampler: Resampler,
}

impl Feed {
    /// Takes sound whose `captured` is the time to play it at; `now` is the time of the call. Before the
    /// speaker's first callback sound goes by unheard.
    ///
    /// # Errors
    /// [`PcmError`] for sound that cannot be brought to the speaker's rate.
    pub fn push(&mut self, now: Time, sound: &Pcm) -> Result<(), PcmError> {
        let Some(anchor) = self.shared.anchor.nanos() else { return Ok(()) };
        let starved = self.shared.starved.load(Ordering::Acquire);
        let ran_dry = std::mem::replace(&mut self.starved, starved) != starved;
        let gaps = self.shared.gaps.load(Ordering::Relaxed);
        let broke_off = std::mem::replace(&mut self.gaps, gaps) != gaps;
        if ran_dry {
            self.smoothed.reset();
        }
        let (rate, channels) = (self.config.sample_rate, self.config.channels);
        let from = (sound.sample_rate(), sound.channels());
        if self.converter.as_ref().is_none_or(|c| c.from != from) {
            let resampler = Resampler::new(from, (rate, channels))?;
            let stretcher = Stretcher::new(from.0, from.1);
            self.converter = Some(Converter { from, stretcher, resampler });
            // What the one before still held is not played.
            self.seam.break_off();
        }
        let Some(converter) = &mut self.converter else { return Ok(()) };
        let next = self.smoothed.due(anchor, now, self.written, rate);
        let held = converter.resampler.held() + converter.stretcher.held();
        let wanted = sound.captured.saturating_sub(held) + self.config.delay + self.margin.raised();
        let mut late = (next - wanted.nanos() as f64) / 1e9;
        // Silence that only went on is no new underrun.
        if broke_off && late > 0.0 && late < TOO_LATE.as_secs_f64() {
            self.counts.underruns += 1;
            late -= self.margin.missed().as_secs_f64();
        } else if !ran_dry {
            // Sound that comes when it is due has the whole delay until it is needed.
            let spare = (next - now.nanos() as f64) / 1e9 - self.config.delay.as_secs_f64();
            self.margin.in_time(sound.duration(), spare);
        }
        self.counts.late = late;
        if late > TOO_LATE.as_secs_f64() {
            if !std::mem::replace(&mut self.cutting, true) {
                self.silence(0.005);
            }
            self.counts.dropped += sound.frames() as u64;
            return Ok(());
        }
        self.cutting = false;
        // A speaker that has run dry waits for the very moment, one that plays is not interrupted for little.
        if late < if ran_dry { 0.0 } else { -PAUSE.as_secs_f64() } {
            self.silence(-late);
            late = 0.0;
        }
        self.lateness.add(late, sound.duration());
        let wish = self.wish(late, sound.duration());
        let slack = self.waiting().saturating_sub(self.config.delay);
        let Some(converter) = &mut self.converter else { return Ok(()) };
        let Stretched { sound: stretched, removed } = converter.stretcher.process(sound, wish, slack);
        self.counts.removed += removed.max(0).unsigned_abs();
        self.counts.repeated += removed.min(0).unsigned_abs();
        if removed != 0 {
            self.since_stretch = Duration::ZERO;
        }
        // While periods are left out or repeated, their error says nothing about the clocks.
        if !self.stretching {
            converter.resampler.set_drift(self.servo.correct(late, sound.duration()));
        }
        let ready = converter.resampler.process(&stretched)?;
        self.write(ready);
        Ok(())
    }

    /// Tells another echo canceller of all that is played from the next callback on, in place of the one before.
    /// `reference` is for the speaker's rate and channels.
    pub fn set_reference(&mut self, reference: Reference) {
        let (new, used) = &mut self.references;
        while used.pop().is_ok() {}
        if new.push(reference).is_err() {
            tracing::debug!("a speaker without callbacks is asked for yet another echo canceller");
        }
    }

    /// What happened so far.
    pub fn counts(&self) -> PlayoutCounts {
        let gaps = self.shared.gaps.load(Ordering::Relaxed);
        PlayoutCounts { gaps, raised: self.margin.raised(), drift: self.servo.drift(), ..self.counts }
    }

    /// How much sound waits for the speaker.
    pub fn waiting(&self) -> Duration {
        let samples = self.producer.buffer().capacity() - self.producer.slots();
        let frames = samples as u64 / u64::from(self.config.channels);
        Duration::from_nanos(super::clock::span(frames, self.config.sample_rate).unsigned_abs())
    }

    /// From the time to play sound at to its callback, as it was in the last seconds.
    pub fn delay(&self) -> Duration {
        let resampling = self.converter.as_ref().map_or(Duration::ZERO, |c| c.resampler.latency());
        self.lateness.on(self.config.delay + self.margin.raised() + resampling)
    }

    /// Level of what the speaker plays.
    pub fn meter(&self) -> &Meter {
        &self.shared.meter
    }

    /// Volume of the speaker.
    pub fn volume(&self) -> &Volume {
        &self.shared.volume
    }

    fn wish(&mut self, late: f64, passed: Duration) -> Wish {
        self.since_stretch += passed;
        let bound = if self.stretching { STRETCH_TO } else { STRETCH_FROM };
        self.stretching = late.abs() > bound.as_secs_f64();
        if !self.stretching || self.since_stretch < STRETCH_EVERY {
            return Wish::Keep;
        }
        let most = Duration::from_secs_f64(late.abs());
        if late > 0.0 { Wish::Shorten(most) } else { Wish::Lengthen(most) }
    }

    /// Writes `seconds` of silence, a tail at its start.
    fn silence(&mut self, seconds: f64) {
        let seconds = seconds.min(self.config.capacity.as_secs_f64() / 2.0);
        let frames = (seconds * f64::from(self.config.sample_rate)) as usize;
        let mut samples = vec![0; frames * usize::from(self.config.channels)];
        if let Some(converter) = &mut self.converter {
            converter.resampler.restart();
            converter.stretcher = Stretcher::new(converter.from.0, converter.from.1);
        }
        if self.waiting() > Duration::ZERO {
            self.seam.break_off();
            self.seam.fill(&mut samples);
        } else {
            // A speaker that has run dry has made a tail of its own.
            self.seam.restart();
        }
        self.put(&samples);
    }

    fn write(&mut self, mut sound: Pcm) {
        self.seam.pass(sound.samples_mut());
        self.put(sound.samples());
    }

    fn put(&mut self, samples: &[i16]) {
        let channels = usize::from(self.config.channels);
        let room = self.producer.slots() / channels * channels;
        let (fits, rest) = samples.split_at(samples.len().min(room));
        let _ = self.producer.push_partial_slice(fits);
        self.written += (fits.len() / channels) as u64;
        if !rest.is_empty() {
            self.counts.dropped += (rest.len() / channels) as u64;
            self.seam.break_off();
        }
    }
}

/// The speaker's side.
pub struct Pull {
    sample_rate: u32,
    channels: usize,
    consumer: rtrb::Consumer<i16>,
    shared: Arc<Shared>,
    /// Frames taken from the queue.
    read: u64,
    dry: bool,
    reference: Option<Reference>,
    /// References to come, and the way back for those that went: memory is given back on the call's side.
    references: (rtrb::Consumer<Reference>, rtrb::Producer<Reference>),
    seam: Seam,
    fader: Fader,
}

impl Pull {
    /// Fills `out`, interleaved and of whole frames, with what is to be played; `now` is the time of the
    /// callback. Neither locks nor allocates.
    pub fn pull(&mut self, now: Time, out: &mut [i16]) {
        let ready = (self.consumer.slots() / self.channels * self.channels).min(out.len());
        let (sound, missing) = out.split_at_mut(ready);
        let _ = self.consumer.pop_partial_slice(sound);
        self.seam.pass(sound);
        self.read += (ready / self.channels) as u64;
        if ready > 0 {
            self.dry = false;
        }
        if !missing.is_empty() {
            if !std::mem::replace(&mut self.dry, true) {
                self.shared.gaps.fetch_add(1, Ordering::Relaxed);
                self.seam.break_off();
            }
            self.seam.fill(missing);
            self.shared.starved.fetch_add((missing.len() / self.channels) as u64, Ordering::Release);
        }
        let frames = (out.len() / self.channels) as u64;
        let end = now + Duration::from_nanos(super::clock::span(frames, self.sample_rate).unsigned_abs());
        self.shared.anchor.set(end, self.read, self.sample_rate);
        self.fader.apply(&self.shared.volume, out, self.channels);
        self.shared.meter.add(out, frames as f32 / self.sample_rate as f32);
        while let Ok(reference) = self.references.0.pop() {
            if let Some(used) = self.reference.replace(reference) {
                let _ = self.references.1.push(used);
            }
        }
        if let Some(reference) = &mut self.reference {
            reference.heard(out);
        }
    }
}

#[cfg(test)]
#[path = "playout_tests.rs"]
mod tests;
