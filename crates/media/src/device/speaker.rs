//! A speaker as a sink of sound.

use super::health::{Health, StreamStatus};
use super::sound::{Pace, Shape, explain, find, with_sample_type};
use super::{Choice, DeviceError, DeviceKind, Now, Trouble};
use crate::live::playout::{Feed, PlayoutConfig, Pull, playout};
use crate::live::reference::Reference;
use crate::live::sample::DeviceSample;
use crate::sink::AudioSink;
use crate::sound::Pcm;
use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{OutputCallbackInfo, SizedSample, Stream};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use visavis_proto::time::Time;

const KIND: DeviceKind = DeviceKind::Speaker;

/// Samples converted at a time within a callback.
const CHUNK: usize = 512;

/// Sound comes this long before its time, less what it takes to decode: the jitter buffer sees to that.
const AHEAD: Duration = Duration::from_millis(5);

/// Time to decode in, and what a callback may come early by.
const MARGIN: Duration = Duration::from_millis(1);

/// An open speaker. Its sound is to be played at its `captured` time.
pub struct DeviceSpeaker {
    feed: Feed,
    health: Arc<Health>,
    name: String,
    shape: Shape,
    now: Now,
    /// Dropped last: that closes the device.
    _stream: Stream,
}

/// Opens a speaker; it plays silence until it is given sound.
///
/// # Errors
/// [`DeviceError`] where there is none, it is busy, not allowed, or has no format that can be used.
pub fn open(choice: &Choice, now: Now) -> Result<DeviceSpeaker, DeviceError> {
    let (device, name, shape) = find(KIND, choice)?;
    let health = Health::new(KIND, &name);
    let start = |pace: Pace| {
        let (feed, pull) = ends(&name, shape, pace)?;
        let output =
            Output { pull, channels: shape.channels.into(), rate: shape.sample_rate, now: Arc::clone(&now) };
        Ok((stream(&device, &name, shape, pace, output, &health)?, feed))
    };
    let (stream, feed) = Pace::best(start)?;
    Ok(DeviceSpeaker { feed, health, name, shape, now, _stream: stream })
}

fn ends(name: &str, shape: Shape, pace: Pace) -> Result<(Feed, Pull), DeviceError> {
    let config = PlayoutConfig {
        sample_rate: shape.sample_rate,
        channels: shape.ours(),
        delay: pace.period().saturating_sub(AHEAD) + MARGIN,
        capacity: Duration::from_secs(1),
    };
    playout(config).map_err(|error| DeviceError::new(KIND, name, Trouble::Format, error))
}

/// Opens it and closes it again.
pub(super) fn try_open(device: &cpal::Device, name: &str, shape: Shape) -> Result<(), DeviceError> {
    let build = |pace| {
        let now: Now = Arc::new(|| Time::ZERO);
        let (_, pull) = ends(name, shape, pace)?;
        let output = Output { pull, channels: shape.channels.into(), rate: shape.sample_rate, now };
        stream(device, name, shape, pace, output, &Health::new(KIND, name))
    };
    Pace::best(build).map(drop)
}

impl DeviceSpeaker {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it was opened with.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Why it plays no more, where it does not.
    pub fn lost(&self) -> Option<DeviceError> {
        self.health.lost()
    }

    /// What the device says about itself.
    pub fn status(&self) -> StreamStatus {
        self.health.status()
    }

    /// Tells another echo canceller of all that is played from now on; `reference` is for the rate and the channels
    /// of [`DeviceSpeaker::shape`].
    pub fn set_reference(&mut self, reference: Reference) {
        self.feed.set_reference(reference);
    }

    /// Counts, level, gain and mute.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }
}

impl AudioSink for DeviceSpeaker {
    fn play(&mut self, sound: &Pcm) -> io::Result<()> {
        if let Some(error) = self.health.lost() {
            return Err(io::Error::other(error));
        }
        self.feed.push((self.now)(), sound).map_err(io::Error::other)
    }
}

/// The callback's own.
struct Output {
    pull: Pull,
    /// Of the device.
    channels: usize,
    rate: u32,
    now: Now,
}

impl Output {
    /// Fills what a callback wants. Neither locks nor allocates.
    fn give<T: DeviceSample>(&mut self, data: &mut [T], health: &Health, latency: Option<Duration>) {
        health.called(latency);
        let ours = self.channels.clamp(1, 2);
        let mut now = (self.now)();
        let mut chunk = [0i16; CHUNK];
        for part in data.chunks_mut(CHUNK / 2 * self.channels) {
            let frames = part.len() / self.channels;
            let sound = &mut chunk[..frames * ours];
            self.pull.pull(now, sound);
            for (frame, sound) in part.chunks_exact_mut(self.channels).zip(sound.chunks_exact(ours)) {
                frame.fill(T::SILENCE);
                for (out, sample) in frame.iter_mut().zip(sound) {
                    *out = T::from_i16(*sample);
                }
            }
            now += Duration::from_nanos(frames as u64 * 1_000_000_000 / u64::from(self.rate));
        }
    }
}

fn stream(
    device: &cpal::Device,
    name: &str,
    shape: Shape,
    pace: Pace,
    output: Output,
    health: &Arc<Health>,
) -> Result<Stream, DeviceError> {
    let stream = with_sample_type!(shape.format, build(device, shape, pace, output, health));
    let stream = stream.map_err(|error| explain(KIND, name, &error))?;
    stream.play().map_err(|error| explain(KIND, name, &error))?;
    Ok(stream)
}

fn build<T: SizedSample + DeviceSample>(
    device: &cpal::Device,
    shape: Shape,
    pace: Pace,
    mut output: Output,
    health: &Arc<Health>,
) -> Result<Stream, cpal::Error> {
    let (for_data, for_errors) = (Arc::clone(health), Arc::clone(health));
    let data = move |data: &mut [T], info: &OutputCallbackInfo| {
        let time = info.timestamp();
        // A layer that knows nothing of its latency says 0.
        let latency = time.playback.checked_duration_since(time.callback).filter(|wait| !wait.is_zero());
        output.give(data, &for_data, latency);
    };
    let errors = move |error| for_errors.report(&error);
    device.build_output_stream(shape.config(pace), data, errors, Some(Duration::from_secs(2)))
}
