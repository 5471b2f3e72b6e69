//! A microphone's sound freed of what the speaker played and of noise, and brought to an even level.
//!
//! The work is that of `sonora`, a port of WebRTC's audio processing: docs/decisions/0016 has the figures.

use super::capture::Effect;
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
    /// Of what was played, what makes no whole block yet.
    played: Vec<i16>,
    config: VoiceConfig,
    /// The rate that it was made for, Hz.
    own: u32,
    /// Rate in Hz and channels: of the sound worked on, of the speaker.
    forms: [(u32, u8); 2],
    /// Samples of both channels in 10 ms of these.
    blocks: [usize; 2],
    block: Vec<i16>,
    scratch: Vec<i16>,
}

/// How much of what the speaker played may wait for the microphone.
const LONGEST: Duration = Duration::from_millis(500);
/// What waits longer was played while nobody took the microphone's sound: its echo was not heard either.
const STALE: Duration = Duration::from_millis(60);

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
        config,
        own: microphone.0,
        forms,
        blocks,
        block: vec![0; blocks[1]],
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
    /// Lets the canceller hear all that has been played. An echo that it met before the sound that made it would stay.
    fn listen(&mut self) {
        while self.heard.waiting() > STALE && self.heard.take(&mut self.block) {}
        while self.heard.take(&mut self.block) {
            match self.paced() {
                Some(sound) => self.played.extend_from_slice(sound.samples()),
                None => self.played.extend_from_slice(&self.block),
            }
        }
        let whole = self.played.len() / self.blocks[1] * self.blocks[1];
        for block in self.played[..whole].chunks_exact(self.blocks[1]) {
            let output = &mut self.scratch[..self.blocks[1]];
            if let Err(error) = self.processing.process_render_i16(block, output) {
                tracing::debug!(%error, "the echo canceller missed a block");
            }
        }
        self.played.drain(..whole);
    }

    /// A block of what was played, at the microphone's pace.
    fn paced(&mut self) -> Option<Pcm> {
        let (rate, channels) = self.forms[1];
        let pace = self.pace.as_mut()?;
        pace.process(&Pcm::new(self.block.clone(), rate, channels).ok()?).ok()
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

    fn block(&self) -> usize {
        (self.forms[0].0 / 100) as usize
    }

    fn process(&mut self, samples: &mut [i16]) {
        for block in samples.chunks_exact_mut(self.blocks[0]) {
            self.listen();
            let output = &mut self.scratch[..self.blocks[0]];
            match self.processing.process_capture_i16(block, output) {
                Ok(()) => block.copy_from_slice(output),
                Err(error) => tracing::debug!(%error, "a block of sound is left as it is"),
            }
        }
    }
}

#[cfg(test)]
#[path = "voice_tests.rs"]
mod tests;
