//! A microphone as a source of sound.

use super::health::{Health, StreamStatus};
use super::sound::{Pace, Shape, explain, find, with_sample_type};
use super::{Choice, DeviceError, DeviceKind, Now};
use crate::live::capture::{CaptureConfig, CaptureCounts, Controls, Microphone, Push, capture};
use crate::live::effect::Effect;
use crate::live::sample::DeviceSample;
use crate::sound::Pcm;
use crate::source::AudioSource;
use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{InputCallbackInfo, SizedSample, Stream};
use std::sync::Arc;
use std::time::Duration;
use visavis_proto::time::Time;

const KIND: DeviceKind = DeviceKind::Microphone;

/// Samples converted at a time within a callback.
const CHUNK: usize = 512;

/// What a callback may be late by before the encoder misses it.
const JITTER: Duration = Duration::from_millis(5);

/// An open microphone. It ends as a source where the device is lost.
pub struct DeviceMicrophone {
    microphone: Microphone,
    health: Arc<Health>,
    name: String,
    shape: Shape,
    /// Dropped last: that closes the device.
    _stream: Stream,
}

/// Opens a microphone; sound is taken from now on.
///
/// # Errors
/// [`DeviceError`] where there is none, it is busy, not allowed, or has no format that can be used.
pub fn open(choice: &Choice, now: Now) -> Result<DeviceMicrophone, DeviceError> {
    let (device, name, shape) = find(KIND, choice)?;
    let health = Health::new(KIND, &name);
    let start = |pace: Pace| {
        let config = CaptureConfig {
            sample_rate: shape.sample_rate,
            channels: shape.ours(),
            delay: pace.period() + JITTER,
            capacity: Duration::from_secs(1),
        };
        let (push, microphone) =
            capture(config).map_err(|e| DeviceError::new(KIND, &name, super::Trouble::Format, e))?;
        let input =
            Input { push, channels: shape.channels.into(), rate: shape.sample_rate, now: Arc::clone(&now) };
        let stream = stream(&device, &name, shape, pace, input, &health)?;
        Ok((stream, microphone))
    };
    let (stream, microphone) = Pace::best(start)?;
    Ok(DeviceMicrophone { microphone, health, name, shape, _stream: stream })
}

/// Opens it and closes it again.
pub(super) fn try_open(device: &cpal::Device, name: &str, shape: Shape) -> Result<(), DeviceError> {
    let build = |pace| {
        let health = Health::new(KIND, name);
        let config = CaptureConfig {
            sample_rate: shape.sample_rate,
            channels: shape.ours(),
            delay: Duration::ZERO,
            capacity: Duration::from_millis(100),
        };
        let (push, _) =
            capture(config).map_err(|e| DeviceError::new(KIND, name, super::Trouble::Format, e))?;
        let now: Now = Arc::new(|| Time::ZERO);
        let input = Input { push, channels: shape.channels.into(), rate: shape.sample_rate, now };
        stream(device, name, shape, pace, input, &health)
    };
    Pace::best(build).map(drop)
}

impl DeviceMicrophone {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it was opened with.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Why it ended, where it did.
    pub fn lost(&self) -> Option<DeviceError> {
        self.health.lost()
    }

    /// What the device says about itself.
    pub fn status(&self) -> StreamStatus {
        self.health.status()
    }

    /// What happened to the sound.
    pub fn counts(&self) -> CaptureCounts {
        self.microphone.counts()
    }

    /// From the device's callback to the encoder, as it was in the last seconds; `None` before the first pull.
    pub fn waiting(&self) -> Option<Duration> {
        self.microphone.waiting()
    }

    /// Level, gain and mute.
    pub fn controls(&self) -> Controls {
        self.microphone.controls()
    }

    /// Lets `effect` work on the sound, at the rate and with the channels of [`DeviceMicrophone::shape`].
    pub fn set_voice(&mut self, effect: Option<Box<dyn Effect>>) {
        self.microphone.set_voice(effect);
    }
}

impl AudioSource for DeviceMicrophone {
    fn pull(&mut self, captured: Time, sample_rate: u32, frames: usize) -> Option<Pcm> {
        if self.health.lost().is_some() {
            return None;
        }
        self.microphone.pull(captured, sample_rate, frames)
    }

    fn channels(&self) -> u8 {
        self.microphone.channels()
    }
}

/// The callback's own.
struct Input {
    push: Push,
    /// Of the device.
    channels: usize,
    rate: u32,
    now: Now,
}

impl Input {
    /// Takes what a callback brought. Neither locks nor allocates.
    /// `age` is that of the first sample.
    fn take<T: DeviceSample>(&mut self, data: &[T], health: &Health, age: Option<Duration>) {
        let ours = self.channels.clamp(1, 2);
        let frames = data.len() / self.channels.max(1);
        let lasts =
            |frames: usize| Duration::from_nanos(frames as u64 * 1_000_000_000 / u64::from(self.rate));
        health.called(age.map(|age| age.saturating_sub(lasts(frames))));
        let mut captured = (self.now)().saturating_sub(lasts(frames));
        let mut chunk = [0i16; CHUNK];
        for part in data.chunks(CHUNK / 2 * self.channels) {
            let mut count = 0;
            for frame in part.chunks_exact(self.channels) {
                for (out, sample) in chunk[count..count + ours].iter_mut().zip(frame) {
                    *out = sample.to_i16();
                }
                count += ours;
            }
            self.push.push(captured, &chunk[..count]);
            captured += lasts(count / ours);
        }
    }
}

fn stream(
    device: &cpal::Device,
    name: &str,
    shape: Shape,
    pace: Pace,
    input: Input,
    health: &Arc<Health>,
) -> Result<Stream, DeviceError> {
    let stream = with_sample_type!(shape.format, build(device, shape, pace, input, health));
    let stream = stream.map_err(|error| explain(KIND, name, &error))?;
    stream.play().map_err(|error| explain(KIND, name, &error))?;
    Ok(stream)
}

fn build<T: SizedSample + DeviceSample>(
    device: &cpal::Device,
    shape: Shape,
    pace: Pace,
    mut input: Input,
    health: &Arc<Health>,
) -> Result<Stream, cpal::Error> {
    let (for_data, for_errors) = (Arc::clone(health), Arc::clone(health));
    let data = move |data: &[T], info: &InputCallbackInfo| {
        let time = info.timestamp();
        // A layer that knows nothing of its latency says 0.
        let age = time.callback.checked_duration_since(time.capture).filter(|age| !age.is_zero());
        input.take(data, &for_data, age);
    };
    let errors = move |error| for_errors.report(&error);
    device.build_input_stream(shape.config(pace), data, errors, Some(Duration::from_secs(2)))
}
