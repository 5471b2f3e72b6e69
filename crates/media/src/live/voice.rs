//! A microphone's sound freed of what the speaker played and of noise, and brought to an even level.
//!
//! The work is that of `sonora`, a port of WebRTC's audio processing: docs/decisions/0016 has the figures.

use super::effect::Effect;
use super::reference::{Heard, Reference, reference};
use crate::resample::Resampler;
use crate::sound::Pcm;
use sonora::config::{
    AdaptiveDigital, EchoCanceller, GainController2, HighPassFilter, MaxProcessingRate, NoiseSuppression,
    Pipeline,
};
use sonora::{AudioProcessing, Config, StreamConfig};
use std::time::Duration;

/// What is done to a microphone's sound: each a switch of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoiceConfig {
    /// Take out what the speaker played.
    pub echo: bool,
    /// Take out steady noise.
    pub noise: bool,
    /// Bring speech to an even level.
    pub gain: bool,
}

impl Default for VoiceConfig {
    /// All of it.
    fn default() -> Self {
        VoiceConfig { echo: true, noise: true, gain: true }
    }
}

/// Works on a microphone's sound in blocks of 10 ms.
pub struct Voice {
    processing: AudioProcessing,
    heard: Heard,
    /// Brings what the speaker played to the pace that the microphone's sound is resampled to: else the echo's way would
    /// grow and shrink as that is corrected. Both are taken to have one clock, as those of one sound card have.
    pace: Option<Resampler>,
    /// What was played and the canceller has not heard.
    played: Vec<i16>,
    /// Samples to be left out of that, as many as were left out of the microphone's sound; less than zero: silence to be put before it.
    owed: isize,
    /// Blocks of the microphone's sound since it was owed.
    overdue: usize,
    /// Blocks of what was played that the canceller heard more than of the microphone's sound; `None` before it heard any.
    ahead: Option<usize>,
    /// Blocks of silence in a row that it heard for want of what was played.
    missing: usize,
    /// Blocks of the microphone's sound since that was looked at, those for which nothing was there, and the least of what was
    /// played that waited at any of them.
    watched: usize,
    missed: usize,
    least_spare: usize,
    config: VoiceConfig,
    /// The rate that it was made for, Hz.
    own: u32,
    /// Rate in Hz and channels: of the sound worked on, of the speaker.
    forms: [(u32, u8); 2],
    /// Samples of both channels in 10 ms of these.
    blocks: [usize; 2],
    /// A part of what was played.
    part: Vec<i16>,
    scratch: Vec<i16>,
}

/// How much of what the speaker played may wait for the microphone.
const LONGEST: Duration = Duration::from_millis(500);
/// Blocks that what is played may be late by; a speaker that is later has stopped meanwhile.
const LATE: usize = 4;
/// What was played is taken in this many parts of a block: what waits to be a whole one is not there.
const PARTS: usize = 4;
/// Parts of what was played that the canceller is not told yet, so that jitter of the callbacks makes none missing.
const SPARE: usize = 3;
/// More parts than this are too many, and it is moved by so many where they are, or too few.
const MOST_SPARE: usize = 5;
const MOVED: usize = 2;
/// Blocks of the microphone's sound after which that is seen.
const WATCHED: usize = 50;

/// The rates of a microphone's sound that it works at, Hz, beside the one that it is made for: those of WebRTC's
/// processing, and of most codecs.
const RATES: [u32; 4] = [8_000, 16_000, 32_000, 48_000];

/// A [`Voice`] for a microphone and the [`Reference`] for its speaker, each given as (rate in Hz, channels).
/// Without echo cancellation the reference need not be used.
pub fn voice(config: VoiceConfig, microphone: (u32, u8), speaker: (u32, u8)) -> (Voice, Reference) {
    let (reference, heard) = reference(speaker, LONGEST);
    let forms = [microphone, speaker];
    let blocks = forms.map(block);
    let voice = Voice {
        processing: processing(config, forms),
        heard,
        pace: None,
        played: Vec::new(),
        owed: 0,
        overdue: 0,
        ahead: None,
        missing: 0,
        watched: 0,
        missed: 0,
        least_spare: usize::MAX,
        config,
        own: microphone.0,
        forms,
        blocks,
        part: vec![0; part(speaker)],
        scratch: vec![0; blocks[0].max(blocks[1])],
    };
    (voice, reference)
}

fn processing(config: VoiceConfig, [microphone, speaker]: [(u32, u8); 2]) -> AudioProcessing {
    AudioProcessing::builder()
        .config(configuration(config))
        .capture_config(stream(microphone))
        .render_config(stream(speaker))
        .build()
}

/// Samples of all channels in 10 ms.
fn block((rate, channels): (u32, u8)) -> usize {
    (rate / 100) as usize * usize::from(channels)
}

/// Samples of all channels in a part of that.
fn part((rate, channels): (u32, u8)) -> usize {
    (rate as usize / 100 / PARTS).max(1) * usize::from(channels)
}

fn stream((rate, channels): (u32, u8)) -> StreamConfig {
    StreamConfig::new(rate, u16::from(channels))
}

fn configuration(config: VoiceConfig) -> Config {
    Config {
        pipeline: Pipeline {
            maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz,
            ..Pipeline::default()
        },
        high_pass_filter: (config.echo || config.noise).then(HighPassFilter::default),
        echo_canceller: config.echo.then(EchoCanceller::default),
        noise_suppression: config.noise.then(NoiseSuppression::default),
        gain_controller2: config.gain.then(|| GainController2 {
            adaptive_digital: Some(AdaptiveDigital::default()),
            ..GainController2::default()
        }),
        ..Config::default()
    }
}

impl Voice {
    /// Lets the canceller hear what has been played, before it gets the next of `blocks` of the microphone's sound. It pairs blocks of
    /// both in the order in which it gets them, from the newest one that was played at the first on, and an echo that comes before
    /// the sound that made it stays for the rest of the call. So what was played is nearly as new as can be, and nothing is left out
    /// on one side alone.
    fn listen(&mut self, blocks: usize) {
        let lost = self.heard.lost() || self.missing > LATE;
        while self.heard.take(&mut self.part) {
            match self.paced() {
                Some(sound) => self.played.extend_from_slice(sound.samples()),
                None => self.played.extend_from_slice(&self.part),
            }
        }
        let block = self.blocks[1];
        self.shift(blocks.saturating_sub(self.ahead.unwrap_or_default()) * block);
        match self.ahead {
            None if self.played.len() < blocks * block + SPARE * self.part() => return,
            None => self.level(blocks),
            Some(ahead) if lost && self.played.len() >= block => self.level(blocks.saturating_sub(ahead)),
            Some(_) => {}
        }
        let whole = (self.played.len() / block).min(blocks.saturating_sub(self.ahead.unwrap_or_default()));
        let played: Vec<i16> = self.played.drain(..whole * block).collect();
        played.chunks_exact(block).for_each(|block| self.hear(block));
        if whole > 0 {
            self.missing = 0;
        } else if self.ahead == Some(0) {
            // What is late is left out when it comes.
            self.hear(&vec![0; block]);
            self.owed += block as isize;
            self.missing += 1;
            self.missed += 1;
        }
        self.watch();
    }

    /// Looks now and then whether what was played has come too late or too early all the time, and if so moves it.
    fn watch(&mut self) {
        self.least_spare = self.least_spare.min(self.played.len());
        self.watched += 1;
        if self.watched == WATCHED {
            if self.least_spare > MOST_SPARE * self.part() {
                self.owed += (MOVED * self.part()) as isize;
            } else if self.missed > WATCHED / 20 {
                self.owed -= (MOVED * self.part()) as isize;
            }
            (self.watched, self.missed, self.least_spare) = (0, 0, usize::MAX);
        }
    }

    /// Leaves out of what was played what the microphone's sound was left out of, or puts silence before it. What is needed now, as
    /// many samples, is there for it: what was late comes beside it, or never.
    fn shift(&mut self, needed: usize) {
        match usize::try_from(self.owed) {
            Ok(0) => self.overdue = 0,
            Ok(too_many) => {
                let count = too_many.min(self.played.len().saturating_sub(needed));
                self.played.drain(..count);
                self.owed -= count as isize;
                self.overdue += 1;
                if self.overdue > 2 * LATE {
                    (self.owed, self.overdue) = (0, 0);
                }
            }
            Err(_) => {
                let silence = std::iter::repeat_n(0, self.owed.unsigned_abs());
                self.played.splice(..0, silence);
                self.owed = 0;
            }
        }
    }

    /// Brings what was played to the newest `blocks` of it and the spare, silence before them where there is less.
    fn level(&mut self, blocks: usize) {
        let wanted = blocks * self.blocks[1] + SPARE * self.part();
        let length = self.played.len();
        let silence = std::iter::repeat_n(0, wanted.saturating_sub(length));
        self.played.splice(..length.saturating_sub(wanted), silence);
        self.owed = 0;
    }

    /// Samples of all channels in a part of a block of what was played.
    fn part(&self) -> usize {
        self.part.len()
    }

    /// Lets the canceller hear a block of what was played.
    fn hear(&mut self, block: &[i16]) {
        self.ahead = Some(self.ahead.unwrap_or_default() + 1);
        let output = &mut self.scratch[..self.blocks[1]];
        if let Err(error) = self.processing.process_render_i16(block, output) {
            tracing::debug!(%error, "the echo canceller missed a block");
        }
    }

    /// Works on a block of the microphone's sound.
    fn work(&mut self, block: &mut [i16]) {
        self.ahead = self.ahead.map(|ahead| ahead.saturating_sub(1));
        let output = &mut self.scratch[..self.blocks[0]];
        match self.processing.process_capture_i16(block, output) {
            Ok(()) => block.copy_from_slice(output),
            Err(error) => tracing::debug!(%error, "a block of sound is left as it is"),
        }
    }

    /// A part of what was played, at the microphone's pace.
    fn paced(&mut self) -> Option<Pcm> {
        let (rate, channels) = self.forms[1];
        let pace = self.pace.as_mut()?;
        pace.process(&Pcm::new(self.part.clone(), rate, channels).ok()?).ok()
    }
}

impl Effect for Voice {
    fn set_rate(&mut self, sample_rate: u32) -> bool {
        let [(rate, channels), speaker] = self.forms;
        if sample_rate == rate {
            return true;
        }
        if sample_rate != self.own && !RATES.contains(&sample_rate) {
            return false;
        }
        self.forms = [(sample_rate, channels), speaker];
        self.blocks = self.forms.map(block);
        self.scratch = vec![0; self.blocks[0].max(self.blocks[1])];
        self.processing = processing(self.config, self.forms);
        self.ahead = None;
        true
    }

    fn set_drift(&mut self, ppm: f64) {
        if self.pace.is_none() && self.config.echo {
            self.pace = Resampler::new(self.forms[1], self.forms[1]).ok();
        }
        if let Some(pace) = &mut self.pace {
            pace.set_drift(ppm);
        }
    }

    fn shifted(&mut self, seconds: f64) {
        if self.ahead.is_none() {
            return;
        }
        let (rate, channels) = self.forms[1];
        self.owed += (seconds * f64::from(rate)).round() as isize * isize::from(channels);
    }

    fn block(&self) -> usize {
        (self.forms[0].0 / 100) as usize
    }

    fn process(&mut self, samples: &mut [i16]) {
        let blocks = samples.len() / self.blocks[0];
        for (n, block) in samples.chunks_exact_mut(self.blocks[0]).enumerate() {
            self.listen(blocks - n);
            self.work(block);
        }
    }
}

#[cfg(test)]
#[path = "voice_tests.rs"]
mod tests;
