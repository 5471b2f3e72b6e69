//! What microphone and speaker have in common: finding one, and its form.

use super::{Choice, DeviceError, DeviceKind, Trouble};
use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{BufferSize, ErrorKind, SampleFormat, StreamConfig};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How often callbacks are asked to come, a second, the best first; `None`: as the device likes.
const PACES: [Option<u32>; 3] = [Some(200), Some(100), None];

/// What devices like to do, where they are asked for nothing.
const USUAL_PACE: u32 = 50;

/// A device that has nothing but errors for this long is lost.
const PATIENCE: Duration = Duration::from_secs(1);

/// A device without a callback for this long is lost. Callbacks come more than ten times a second.
const SILENCE: Duration = Duration::from_secs(2);

/// What a device can do, and whether it could be opened.
#[derive(Clone, Debug)]
pub struct SoundDevice {
    /// What it is.
    pub kind: DeviceKind,
    /// Its place, for [`Choice::Index`].
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Whether the system prefers it.
    pub default: bool,
    /// What it would be opened with, or why it cannot be.
    pub opens: Result<Shape, DeviceError>,
    /// All that it offers, as (rates in Hz, channels, form of samples).
    pub offers: Vec<(std::ops::RangeInclusive<u32>, u16, String)>,
}

/// What a device is opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Samples a second, Hz.
    pub sample_rate: u32,
    /// Channels of the device; ours are at most two of them.
    pub channels: u16,
    /// How it counts samples.
    pub(super) format: SampleFormat,
}

impl Shape {
    /// Our channels.
    pub fn ours(&self) -> u8 {
        self.channels.clamp(1, 2) as u8
    }

    /// The form of samples, in a word.
    pub fn form(&self) -> String {
        self.format.to_string()
    }

    pub(super) fn config(&self, pace: Pace) -> StreamConfig {
        let buffer_size =
            pace.0.map_or(BufferSize::Default, |often| BufferSize::Fixed(self.sample_rate / often));
        StreamConfig { channels: self.channels, sample_rate: self.sample_rate, buffer_size }
    }
}

/// How often callbacks are asked to come.
#[derive(Clone, Copy)]
pub(super) struct Pace(Option<u32>);

impl Pace {
    /// From one callback to the next.
    pub(super) fn period(self) -> Duration {
        Duration::from_secs(1) / self.0.unwrap_or(USUAL_PACE)
    }

    /// Opens a device at the best pace that it takes.
    pub(super) fn best<T>(mut open: impl FnMut(Pace) -> Result<T, DeviceError>) -> Result<T, DeviceError> {
        let [best, rest @ ..] = PACES.map(Pace);
        rest.into_iter().fold(open(best), |opened, pace| opened.or_else(|_| open(pace)))
    }
}

/// Microphones or speakers, the preferred one first. Each is opened for a moment, since being in the list says
/// little; what does not open and is no hardware is left out.
pub fn list(kind: DeviceKind) -> Vec<SoundDevice> {
    quiet();
    let default = default_device(kind).and_then(|device| device.id().ok());
    let found = devices(kind).into_iter().enumerate().map(|(index, device)| {
        let name = name(&device);
        let hardware = is_hardware(&device);
        let listed = SoundDevice {
            kind,
            index,
            default: default.is_some() && device.id().ok() == default,
            opens: shape(kind, &device, &name).and_then(|shape| match kind {
                DeviceKind::Speaker => super::speaker::try_open(&device, &name, shape).map(|()| shape),
                _ => super::microphone::try_open(&device, &name, shape).map(|()| shape),
            }),
            offers: offers(kind, &device),
            name,
        };
        (hardware, listed)
    });
    let shown = found.filter(|(hardware, device)| *hardware || device.default || device.opens.is_ok());
    shown.map(|(_, device)| device).collect()
}

/// Whether it is more than a plugin of ALSA's, which lists every one that it knows of.
fn is_hardware(device: &cpal::Device) -> bool {
    !cfg!(target_os = "linux") || device.id().is_ok_and(|id| id.id().contains("CARD="))
}

/// Keeps the layers below from writing to stderr, on this thread; their errors come back all the same.
pub(super) fn quiet() {
    #[cfg(target_os = "linux")]
    if let Err(error) = alsa::Output::local_error_handler() {
        tracing::debug!(%error, "ALSA goes on writing to stderr");
    }
}

/// The device that is meant, its name and what to open it with.
pub(super) fn find(kind: DeviceKind, choice: &Choice) -> Result<(cpal::Device, String, Shape), DeviceError> {
    quiet();
    let absent = || DeviceError::new(kind, choice, Trouble::Absent, "");
    let device = match choice {
        Choice::Default => default_device(kind).ok_or_else(absent)?,
        choice => {
            let mut devices = devices(kind);
            let names: Vec<String> = devices.iter().map(name).collect();
            devices.swap_remove(choice.find(&names).ok_or_else(absent)?)
        }
    };
    let name = name(&device);
    let shape = shape(kind, &device, &name)?;
    Ok((device, name, shape))
}

fn default_device(kind: DeviceKind) -> Option<cpal::Device> {
    let host = cpal::default_host();
    match kind {
        DeviceKind::Speaker => host.default_output_device(),
        _ => host.default_input_device(),
    }
}

/// The default one first.
fn devices(kind: DeviceKind) -> Vec<cpal::Device> {
    let default = default_device(kind).and_then(|device| device.id().ok());
    let found = cpal::default_host().devices().into_iter().flatten();
    let mut devices: Vec<cpal::Device> = found
        .filter(|device| match kind {
            DeviceKind::Speaker => device.supports_output(),
            _ => device.supports_input(),
        })
        .collect();
    devices.sort_by_key(|device| default.is_none() || device.id().ok() != default);
    devices
}

fn name(device: &cpal::Device) -> String {
    device.description().map_or_else(|_| "unknown".into(), |d| d.name().to_owned())
}

/// What it is best opened with: 48 kHz if it can, one or two channels if it can.
fn shape(kind: DeviceKind, device: &cpal::Device, name: &str) -> Result<Shape, DeviceError> {
    let preferred = match kind {
        DeviceKind::Speaker => device.default_output_config(),
        _ => device.default_input_config(),
    };
    let preferred = preferred.map_err(|error| explain(kind, name, &error))?;
    let ours = |range: &cpal::SupportedStreamConfigRange| {
        (range.min_sample_rate()..=range.max_sample_rate()).contains(&48_000)
            && (1..=2).contains(&range.channels())
            && known(range.sample_format())
    };
    let best = ranges(kind, device)
        .into_iter()
        .filter(ours)
        .min_by_key(|range| (range.sample_format() != SampleFormat::I16, range.channels()));
    let shape = match best {
        Some(range) => {
            Shape { sample_rate: 48_000, channels: range.channels(), format: range.sample_format() }
        }
        None => Shape {
            sample_rate: preferred.sample_rate(),
            channels: preferred.channels(),
            format: preferred.sample_format(),
        },
    };
    let fits = crate::sound::SAMPLE_RATES.contains(&shape.sample_rate) && known(shape.format);
    fits.then_some(shape).ok_or_else(|| {
        let words = format!("{} Hz, {} channels, {}", shape.sample_rate, shape.channels, shape.format);
        DeviceError::new(kind, name, Trouble::Format, words)
    })
}

/// Whether samples of this form can be converted.
fn known(format: SampleFormat) -> bool {
    use SampleFormat as F;
    matches!(format, F::I8 | F::U8 | F::I16 | F::U16 | F::I32 | F::U32 | F::F32 | F::F64)
}

fn ranges(kind: DeviceKind, device: &cpal::Device) -> Vec<cpal::SupportedStreamConfigRange> {
    match kind {
        DeviceKind::Speaker => device.supported_output_configs().into_iter().flatten().collect(),
        _ => device.supported_input_configs().into_iter().flatten().collect(),
    }
}

fn offers(kind: DeviceKind, device: &cpal::Device) -> Vec<(std::ops::RangeInclusive<u32>, u16, String)> {
    let ranges = ranges(kind, device).into_iter();
    let offers = ranges
        .map(|r| (r.min_sample_rate()..=r.max_sample_rate(), r.channels(), r.sample_format().to_string()));
    offers.collect()
}

/// What is wrong, in our words.
pub(super) fn explain(kind: DeviceKind, name: &str, error: &cpal::Error) -> DeviceError {
    let trouble = match error.kind() {
        ErrorKind::DeviceBusy | ErrorKind::ResourceExhausted => Trouble::Busy,
        ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable => Trouble::Absent,
        ErrorKind::UnsupportedConfig | ErrorKind::UnsupportedOperation | ErrorKind::InvalidInput => {
            Trouble::Format
        }
        ErrorKind::PermissionDenied => Trouble::Permission,
        _ => Trouble::Other,
    };
    DeviceError::new(kind, name, trouble, error)
}

/// What became of a stream; its error callback writes, others read.
#[derive(Debug)]
pub(super) struct Health {
    kind: DeviceKind,
    name: String,
    opened: Instant,
    /// The newest callback, nanoseconds after it was opened.
    newest: AtomicU64,
    lost: AtomicBool,
    why: Mutex<Option<DeviceError>>,
    xruns: AtomicU64,
    /// Callbacks at the first of the errors in a row, and when that was.
    stumbled: Mutex<Option<(u64, Instant)>>,
    /// How long sound is in the device, nanoseconds; [`UNKNOWN`] before it was said.
    latency: AtomicU64,
    callbacks: AtomicU64,
}

/// No latency.
const UNKNOWN: u64 = u64::MAX;

impl Health {
    pub(super) fn new(kind: DeviceKind, name: &str) -> Arc<Self> {
        Arc::new(Health {
            kind,
            name: name.to_owned(),
            opened: Instant::now(),
            newest: AtomicU64::new(0),
            lost: AtomicBool::new(false),
            why: Mutex::new(None),
            xruns: AtomicU64::new(0),
            stumbled: Mutex::new(None),
            latency: AtomicU64::new(UNKNOWN),
            callbacks: AtomicU64::new(0),
        })
    }

    /// A stream reports trouble. Not from the data callback: this locks.
    pub(super) fn report(&self, error: &cpal::Error) {
        let name = &self.name;
        match error.kind() {
            ErrorKind::Xrun => {
                self.xruns.fetch_add(1, Ordering::Relaxed);
            }
            ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied => {
                tracing::debug!(%error, device = %name, "a device has something to say");
            }
            ErrorKind::BackendError | ErrorKind::Other if !self.stuck() => {
                tracing::debug!(%error, device = %name, "a device stumbles");
            }
            _ => {
                let mut why = explain(self.kind, name, error);
                // It was there.
                if matches!(why.trouble, Trouble::Absent | Trouble::Other) {
                    why.trouble = Trouble::Lost;
                }
                if let Ok(mut slot) = self.why.lock() {
                    slot.get_or_insert(why);
                }
                self.lost.store(true, Ordering::Release);
            }
        }
    }

    /// Whether no callback has come for [`PATIENCE`] of errors. Sound servers under load give errors in an
    /// underrun, and are well again after it.
    fn stuck(&self) -> bool {
        let Ok(mut since) = self.stumbled.lock() else { return true };
        let callbacks = self.callbacks.load(Ordering::Relaxed);
        match *since {
            Some((before, at)) if before == callbacks => at.elapsed() > PATIENCE,
            _ => {
                *since = Some((callbacks, Instant::now()));
                false
            }
        }
    }

    /// Why it works no more, where it does not: it said so, or its callbacks have stopped without a word, as they
    /// do when a sound server dies.
    pub(super) fn lost(&self) -> Option<DeviceError> {
        if self.lost.load(Ordering::Acquire) {
            return self.why.lock().ok()?.clone();
        }
        let newest = Duration::from_nanos(self.newest.load(Ordering::Relaxed));
        if self.opened.elapsed().saturating_sub(newest) < SILENCE {
            return None;
        }
        let words = format!("nothing has come from it for {} s", SILENCE.as_secs());
        Some(DeviceError::new(self.kind, &self.name, Trouble::Lost, words))
    }

    /// A callback came, with the device's word on its latency where it has one. Neither locks nor allocates, but
    /// for the first time, which makes its thread quiet.
    pub(super) fn called(&self, latency: Option<Duration>) {
        self.newest.store(self.opened.elapsed().as_nanos() as u64, Ordering::Relaxed);
        if self.callbacks.fetch_add(1, Ordering::Relaxed) == 0 {
            quiet();
        }
        if let Some(latency) = latency {
            self.latency.store(latency.as_nanos() as u64, Ordering::Relaxed);
        }
    }

    pub(super) fn status(&self) -> StreamStatus {
        let latency = Some(self.latency.load(Ordering::Relaxed)).filter(|nanos| *nanos != UNKNOWN);
        StreamStatus {
            callbacks: self.callbacks.load(Ordering::Relaxed),
            xruns: self.xruns.load(Ordering::Relaxed),
            latency: latency.map(Duration::from_nanos),
        }
    }
}

/// What a device's stream says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStatus {
    /// Callbacks so far.
    pub callbacks: u64,
    /// Times that the device ran out of sound or of room, by its own count.
    pub xruns: u64,
    /// How long sound is in the device and the sound server, by their own word; `None` where they say nothing.
    pub latency: Option<Duration>,
}

/// Calls `$build::<T>` with the type that holds samples of a format.
macro_rules! with_sample_type {
    ($format:expr, $build:ident($($argument:expr),*)) => {
        match $format {
            cpal::SampleFormat::I8 => $build::<i8>($($argument),*),
            cpal::SampleFormat::U8 => $build::<u8>($($argument),*),
            cpal::SampleFormat::I16 => $build::<i16>($($argument),*),
            cpal::SampleFormat::U16 => $build::<u16>($($argument),*),
            cpal::SampleFormat::I32 => $build::<i32>($($argument),*),
            cpal::SampleFormat::U32 => $build::<u32>($($argument),*),
            cpal::SampleFormat::F32 => $build::<f32>($($argument),*),
            cpal::SampleFormat::F64 => $build::<f64>($($argument),*),
            _ => Err(cpal::Error::new(cpal::ErrorKind::UnsupportedConfig)),
        }
    };
}
pub(super) use with_sample_type;
