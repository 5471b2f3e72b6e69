//! From the microphone to the encoder: what a device pushes at its pace is pulled at the call's.
//!
//! [`Push`] is the device's side, for its callback: it neither locks nor allocates. [`Microphone`] is the
//! call's side.

use super::clock::{Anchor, Lateness, Servo, Smoothed};
use super::effect::{Effect, Place, place};
use super::margin::Margin;
use super::meter::Meter;
use super::seam::Seam;
use super::volume::{Fader, Volume};
use crate::resample::Resampler;
use crate::sound::{Pcm, PcmError};
use crate::source::AudioSource;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use visavis_proto::time::Time;

/// Sound older than it need be by this much is cut.
const TOO_OLD: f64 = 0.060;

/// What is to be left of the microphone's sound when the encoder has taken its own, seconds: what callbacks are late by on a
/// machine that does nothing else.
const KEPT: f64 = 0.002;

/// How a microphone is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureConfig {
    /// The microphone's rate, Hz.
    pub sample_rate: u32,
    /// The microphone's channels, 1 or 2.
    pub channels: u8,
    /// From the capture of a frame's last sample to the moment at which the encoder takes it, but for the
    /// resampler's latency: the period of the callbacks and some of their jitter. It rises by itself where
    /// that is too short.
    pub delay: Duration,
    /// The most sound that waits.
    pub capacity: Duration,
}

/// What happened to sound on its way from the microphone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CaptureCounts {
    /// Times that the encoder wanted sound that the microphone had not given yet: each is heard.
    pub underruns: u64,
    /// Frames that found no room, because nobody pulled.
    pub overruns: u64,
    /// Frames that were left out because they had become too old.
    pub dropped: u64,
    /// How much older the newest sound was than it need be, seconds.
    pub late: f64,
    /// What the delay was raised by.
    pub raised: Duration,
    /// How much slower the encoder's clock is than the microphone's, parts in a million; `None` before it is known.
    pub drift: Option<f64>,
}

/// What both sides see.
#[derive(Debug)]
struct Shared {
    anchor: Anchor,
    overruns: AtomicU64,
    meter: Meter,
    volume: Volume,
}

/// A microphone's two ends.
///
/// # Errors
/// [`PcmError`] for a rate outside 8 to 96 kHz, or channels other than one and two.
pub fn capture(config: CaptureConfig) -> Result<(Push, Microphone), PcmError> {
    let CaptureConfig { sample_rate, channels, capacity, .. } = config;
    Pcm::silence(0, sample_rate, channels)?;
    let frames = (capacity.as_secs_f64() * f64::from(sample_rate)) as usize;
    let (producer, consumer) = rtrb::RingBuffer::new(frames.max(1) * usize::from(channels));
    let shared = Arc::new(Shared {
        anchor: Anchor::new(),
        overruns: AtomicU64::new(0),
        meter: Meter::new(),
        volume: Volume::default(),
    });
    let push = Push { config, producer, shared: Arc::clone(&shared), written: 0 };
    let microphone = Microphone {
        config,
        consumer,
        shared,
        read: 0,
        smoothed: Smoothed::default(),
        servo: Servo::new(),
        voice: None,
        output: None,
        aligned: false,
        dry: false,
        pulled: None,
        margin: Margin::new(),
        lateness: Lateness::default(),
        counts: CaptureCounts::default(),
    };
    Ok((push, microphone))
}

/// The device's side.
pub struct Push {
    config: CaptureConfig,
    producer: rtrb::Producer<i16>,
    shared: Arc<Shared>,
    /// Frames put into the queue.
    written: u64,
}

impl Push {
    /// Takes what the microphone heard, interleaved and of whole frames; `captured` is the time of the first
    /// sample. Neither locks nor allocates.
    pub fn push(&mut self, captured: Time, samples: &[i16]) {
        let channels = usize::from(self.config.channels);
        self.shared.anchor.set(captured, self.written, self.config.sample_rate);
        let room = self.producer.slots() / channels * channels;
        let (fits, rest) = samples.split_at(samples.len().min(room));
        let _ = self.producer.push_partial_slice(fits);
        self.written += (fits.len() / channels) as u64;
        if !rest.is_empty() {
            self.shared.overruns.fetch_add((rest.len() / channels) as u64, Ordering::Relaxed);
        }
    }
}

/// The call's side of a microphone: a source of sound.
pub struct Microphone {
    config: CaptureConfig,
    consumer: rtrb::Consumer<i16>,
    shared: Arc<Shared>,
    /// Frames taken from the queue.
    read: u64,
    smoothed: Smoothed,
    servo: Servo,
    voice: Option<Box<dyn Effect>>,
    output: Option<Output>,
    /// Whether the sound given is as old as it should be, or the queue must be brought to that first.
    aligned: bool,
    /// Whether the last pull got less than it wanted: what is missing from then on is the same gap.
    dry: bool,
    /// When the newest sound that was wanted was captured.
    pulled: Option<Time>,
    margin: Margin,
    lateness: Lateness,
    counts: CaptureCounts,
}

/// What leads to the rate that the encoder wants.
struct Output {
    sample_rate: u32,
    resampler: Resampler,
    seam: Seam,
    fader: Fader,
    place: Place,
    /// Sound at that rate that the effect has not worked on.
    raw: Vec<i16>,
    /// Sound that is not wanted yet.
    held: VecDeque<i16>,
}

impl Microphone {
    /// Lets `voice` work on the sound, in place of what did before; `None` leaves it as it is.
    pub fn set_voice(&mut self, voice: Option<Box<dyn Effect>>) {
        self.voice = voice;
        if let Some(output) = &mut self.output {
            output.place = place(self.voice.as_deref_mut(), self.config.sample_rate, output.sample_rate);
        }
    }

    /// From the capture of sound to the moment at which the encoder takes it, as it was in the last seconds; `None` before the
    /// first pull.
    pub fn waiting(&self) -> Option<Duration> {
        self.delay().map(|delay| self.lateness.on(delay))
    }

    /// The same, as it is meant to be.
    fn delay(&self) -> Option<Duration> {
        let output = self.output.as_ref()?;
        Some(self.config.delay + self.margin.raised() + output.resampler.latency())
    }

    /// What happened so far.
    pub fn counts(&self) -> CaptureCounts {
        let overruns = self.shared.overruns.load(Ordering::Relaxed);
        CaptureCounts { overruns, raised: self.margin.raised(), drift: self.servo.drift(), ..self.counts }
    }

    /// Where level and volume can be seen and set from other threads.
    pub fn controls(&self) -> Controls {
        Controls(Arc::clone(&self.shared))
    }

    /// Where the next sample out of the queue lies in time, nanoseconds.
    fn position(&mut self, now: Time) -> Option<f64> {
        let anchor = self.shared.anchor.nanos()?;
        Some(self.smoothed.due(anchor, now, self.read, self.config.sample_rate))
    }

    /// Takes up to `frames` from the queue, worked on where the effect comes first.
    fn take(&mut self, frames: usize) -> Option<Pcm> {
        let channels = usize::from(self.config.channels);
        let ready = self.consumer.slots() / channels;
        let before = self.output.as_ref().is_some_and(|o| o.place == Place::Before);
        let voice = self.voice.as_mut().filter(|_| before);
        let frames = match &voice {
            // Whole blocks alone.
            Some(voice) => frames.next_multiple_of(voice.block()).min(ready / voice.block() * voice.block()),
            None => frames.min(ready),
        };
        if frames == 0 {
            return None;
        }
        let mut samples = vec![0; frames * channels];
        let _ = self.consumer.pop_partial_slice(&mut samples);
        self.read += frames as u64;
        if let Some(voice) = voice {
            voice.process(&mut samples);
        }
        Pcm::new(samples, self.config.sample_rate, self.config.channels).ok()
    }

    /// Leaves out sound that is `late` seconds too old, or puts silence before sound that is too new.
    fn align(&mut self, late: f64) {
        self.aligned = true;
        if late > 0.0 {
            return self.skip(late);
        }
        if let Some(output) = &mut self.output {
            let frames = (-late * f64::from(output.sample_rate)) as usize;
            let mut silence = vec![0; frames * usize::from(self.config.channels)];
            output.seam.break_off();
            output.seam.fill(&mut silence);
            // Through the effect, like all that comes after it: whole frames stay whole blocks.
            output.raw.extend(silence);
            if let Some(voice) = self.voice.as_mut().filter(|_| output.place == Place::After) {
                voice.shifted(-(frames as f64) / f64::from(output.sample_rate));
            }
        }
    }

    fn skip(&mut self, seconds: f64) {
        let channels = usize::from(self.config.channels);
        let frames = (seconds * f64::from(self.config.sample_rate)) as usize;
        let count = (frames * channels).min(self.consumer.slots() / channels * channels);
        if let Ok(chunk) = self.consumer.read_chunk(count) {
            chunk.commit_all();
        }
        self.read += (count / channels) as u64;
        self.counts.dropped += (count / channels) as u64;
        if let Some(voice) = &mut self.voice {
            voice.shifted((count / channels) as f64 / f64::from(self.config.sample_rate));
        }
        if let Some(output) = &mut self.output {
            output.resampler.restart();
            output.seam.break_off();
        }
    }

    /// Forgets what came while nobody pulled: the oldest of it waits, and the newest found no room.
    fn resume(&mut self) {
        let count = self.consumer.slots();
        if let Ok(chunk) = self.consumer.read_chunk(count) {
            chunk.commit_all();
        }
        let frames = (count / usize::from(self.config.channels)) as u64;
        self.read += frames;
        self.counts.dropped += frames;
        if let Some(output) = &mut self.output {
            output.resampler.restart();
            output.seam.restart();
            output.raw.clear();
            output.held.clear();
        }
        self.smoothed.reset();
        // Nothing that was wanted is missing: there was nothing to be heard.
        (self.aligned, self.dry) = (false, true);
    }

    fn open(&mut self, sample_rate: u32) -> Option<()> {
        if self.output.as_ref().is_none_or(|o| o.sample_rate != sample_rate) {
            let CaptureConfig { sample_rate: from, channels, .. } = self.config;
            let resampler = Resampler::new((from, channels), (sample_rate, channels)).ok()?;
            let seam = Seam::new(sample_rate, channels);
            let fader = Fader::new(sample_rate, &self.shared.volume);
            let place = place(self.voice.as_deref_mut(), from, sample_rate);
            let (raw, held) = (Vec::new(), VecDeque::new());
            self.output = Some(Output { sample_rate, resampler, seam, fader, place, raw, held });
        }
        Some(())
    }

    /// How much older than need be the sound is that would be given next, seconds.
    fn late(&mut self, captured: Time, now: Time) -> Option<f64> {
        let position = self.position(now)?;
        let output = self.output.as_ref()?;
        let channels = u64::from(self.config.channels);
        let held = (output.held.len() + output.raw.len()) as u64 / channels;
        let held =
            super::clock::span(held, output.sample_rate) as f64 + output.resampler.held().as_nanos() as f64;
        let delay = self.config.delay + self.margin.raised() + output.resampler.latency();
        let wanted = captured.nanos() as f64 - delay.as_nanos() as f64;
        Some((wanted - (position - held)) / 1e9)
    }

    fn correct(&mut self, late: f64, passed: Duration) {
        let mut late = late;
        if late > TOO_OLD || !self.aligned {
            self.align(late);
            late = 0.0;
        }
        self.counts.late = late;
        self.lateness.add(late, passed);
        let ppm = self.servo.correct(late, passed);
        if let Some(output) = &mut self.output {
            output.resampler.set_drift(ppm);
            if let Some(voice) = self.voice.as_mut().filter(|_| output.place == Place::After) {
                voice.set_drift(ppm);
            }
        }
    }

    /// Fills `held` up to `samples`, as far as there is sound.
    fn gather(&mut self, samples: usize) {
        let channels = usize::from(self.config.channels);
        loop {
            let Some(output) = &self.output else { return };
            let wanted = samples.saturating_sub(output.held.len()) / channels;
            let block = match &self.voice {
                Some(voice) if output.place == Place::After => voice.block(),
                _ => 1,
            };
            let wanted = wanted.next_multiple_of(block.max(1));
            if wanted == 0 {
                return;
            }
            let missing = wanted.saturating_sub(output.raw.len() / channels);
            if missing == 0 {
                self.finish(wanted * channels);
                continue;
            }
            let frames = missing as f64 * f64::from(self.config.sample_rate) / f64::from(output.sample_rate);
            let Some(sound) = self.take(frames.ceil() as usize) else {
                let whole = self.output.as_ref().map_or(0, |o| o.raw.len() / channels / block * block);
                return self.finish(whole * channels);
            };
            let Some(output) = &mut self.output else { return };
            if let Ok(mut sound) = output.resampler.process(&sound) {
                output.seam.pass(sound.samples_mut());
                output.raw.extend_from_slice(sound.samples());
            }
        }
    }

    /// Brings `samples` of the raw ones to what the encoder gets.
    fn finish(&mut self, samples: usize) {
        let Some(output) = &mut self.output else { return };
        let channels = usize::from(self.config.channels);
        let work = &mut output.raw[..samples];
        if let Some(voice) = self.voice.as_mut().filter(|_| output.place == Place::After) {
            voice.process(work);
        }
        let seconds = (samples / channels) as f32 / output.sample_rate as f32;
        self.shared.meter.add(work, seconds);
        output.fader.apply(&self.shared.volume, work, channels);
        output.held.extend(output.raw.drain(..samples));
    }
}

impl AudioSource for Microphone {
    fn pull(&mut self, captured: Time, sample_rate: u32, frames: usize) -> Option<Pcm> {
        let channels = usize::from(self.config.channels);
        let passed = Duration::from_nanos(super::clock::span(frames as u64, sample_rate).unsigned_abs());
        self.open(sample_rate)?;
        let end = captured + passed;
        let before = self.pulled.replace(end);
        let late = if before.is_some_and(|before| end.since(before) > self.config.capacity + passed) {
            self.resume();
            // The newest callback's sound is lost with the rest: the next one says where what comes lies.
            None
        } else {
            self.late(captured, end)
        };
        if let Some(late) = late {
            self.correct(late, passed);
        }
        self.gather(frames * channels);
        let output = self.output.as_mut()?;
        let ready = output.held.len().min(frames * channels);
        let mut samples: Vec<i16> = output.held.drain(..ready).collect();
        if ready < frames * channels {
            samples.resize(frames * channels, 0);
            output.seam.break_off();
            output.seam.fill(&mut samples[ready..]);
            // The tail is of sound that nobody has silenced yet.
            output.fader.apply(&self.shared.volume, &mut samples[ready..], channels);
            // Before its first callback a microphone is not late.
            if late.is_some() {
                self.aligned = false;
                self.smoothed.reset();
                if !std::mem::replace(&mut self.dry, true) {
                    self.counts.underruns += 1;
                    self.margin.missed();
                }
            }
        } else {
            self.dry = false;
            let (left, worked_on) = (self.consumer.slots(), output.raw.len() + output.held.len());
            let seconds = |samples: usize, rate: u32| samples as f64 / channels as f64 / f64::from(rate);
            let spare = seconds(left, self.config.sample_rate) + seconds(worked_on, sample_rate) - KEPT;
            self.margin.in_time(passed, spare);
        }
        let delay = self.delay()?;
        let sound = Pcm::new(samples, sample_rate, self.config.channels).ok()?;
        Some(sound.at(captured.saturating_sub(delay)))
    }

    fn channels(&self) -> u8 {
        self.config.channels
    }
}

/// Level and volume of a microphone.
#[derive(Clone, Debug)]
pub struct Controls(Arc<Shared>);

impl Controls {
    /// Level of what the microphone hears, before gain and mute: who speaks while muted can be told.
    pub fn meter(&self) -> &Meter {
        &self.0.meter
    }

    /// Gain and mute.
    pub fn volume(&self) -> &Volume {
        &self.0.volume
    }
}

#[cfg(test)]
#[path = "capture_tests.rs"]
mod tests;
