//! What microphone and speaker have in common: finding one, and its form.

use super::{Choice, DeviceError, DeviceKind, Trouble};
use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{BufferSize, ErrorKind, SampleFormat, StreamConfig};
use std::fmt;
use std::time::Duration;

/// How often callbacks are asked to come, a second, the best first; `None`: as the device likes.
const PACES: [Option<u32>; 3] = [Some(200), Some(100), None];

/// What devices like to do, where they are asked for nothing.
const USUAL_PACE: u32 = 50;

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

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape { sample_rate, channels, format } = self;
        let word = if *channels == 1 { "channel" } else { "channels" };
        write!(f, "{sample_rate} Hz, {channels} {word}, {format}")
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

    /// Opens a device at the best pace that it takes. One that is not there, busy or forbidden is that at any pace.
    pub(super) fn best<T>(mut open: impl FnMut(Pace) -> Result<T, DeviceError>) -> Result<T, DeviceError> {
        let [best, rest @ ..] = PACES.map(Pace);
        rest.into_iter().fold(open(best), |opened, pace| match opened {
            Err(error) if matches!(error.trouble, Trouble::Format | Trouble::Other) => open(pace),
            settled => settled,
        })
    }
}

/// Microphones or speakers, the preferred one first. Each is opened for a moment, since being in the list says
/// little; what is no hardware, and nothing but a name with nothing behind it, is left out.
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
    let shown = found.filter(|(hardware, device)| *hardware || device.default || is_there(device));
    shown.map(|(_, device)| device).collect()
}

/// Whether it opens, or there is something that does not let us.
fn is_there(device: &SoundDevice) -> bool {
    let refused = |error: &DeviceError| matches!(error.trouble, Trouble::Busy | Trouble::Permission);
    !device.offers.is_empty() || device.opens.as_ref().map_or_else(refused, |_| true)
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

/// What it is best opened with: one or two channels if it can, near to 48 kHz if it can.
fn shape(kind: DeviceKind, device: &cpal::Device, name: &str) -> Result<Shape, DeviceError> {
    let preferred = match kind {
        DeviceKind::Speaker => device.default_output_config(),
        _ => device.default_input_config(),
    };
    let preferred = preferred.map_err(|error| explain(kind, name, &error))?;
    best(&ranges(kind, device)).ok_or_else(|| {
        let (sample_rate, channels) = (preferred.sample_rate(), preferred.channels());
        let shape = Shape { sample_rate, channels, format: preferred.sample_format() };
        DeviceError::new(kind, name, Trouble::Format, shape)
    })
}

fn best(ranges: &[cpal::SupportedStreamConfigRange]) -> Option<Shape> {
    const WISH: u32 = 48_000;
    let nearest = ranges.iter().map(|range| Shape {
        sample_rate: WISH
            .clamp(range.min_sample_rate(), range.max_sample_rate().max(range.min_sample_rate())),
        channels: range.channels(),
        format: range.sample_format(),
    });
    let usable = nearest
        .filter(|s| crate::sound::SAMPLE_RATES.contains(&s.sample_rate) && s.channels > 0 && known(s.format));
    usable.min_by_key(|s| {
        let many = s.channels > 2;
        (many, s.sample_rate.abs_diff(WISH), s.format != SampleFormat::I16, s.channels)
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
        // What ALSA's plugin for a sound server gives where there is none, in the words of its errno.
        _ if ["Connection refused", "Host is down"].iter().any(|words| error.to_string().contains(words)) => {
            Trouble::NoServer
        }
        _ => Trouble::Other,
    };
    DeviceError::new(kind, name, trouble, error)
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

#[cfg(test)]
mod tests {
    use super::*;
    use cpal::{SupportedBufferSize, SupportedStreamConfigRange};

    #[test]
    fn a_device_is_opened_with_few_channels_near_48_khz_in_a_form_that_we_know() {
        use SampleFormat as F;
        let opened = |offers: &[(u16, [u32; 2], F)]| {
            let ranges: Vec<_> = offers
                .iter()
                .map(|&(channels, [min, max], format)| {
                    SupportedStreamConfigRange::new(channels, min, max, SupportedBufferSize::Unknown, format)
                })
                .collect();
            best(&ranges).map(|shape| (shape.channels, shape.sample_rate, shape.format))
        };
        let card =
            [(2, [44_100, 192_000], F::I32), (1, [8_000, 48_000], F::I16), (2, [8_000, 48_000], F::I16)];
        assert_eq!(opened(&card), Some((1, 48_000, F::I16)));
        // What the system prefers may be of no use where something else is.
        assert_eq!(
            opened(&[(2, [44_100, 44_100], F::I24), (2, [44_100, 44_100], F::I16)]),
            Some((2, 44_100, F::I16))
        );
        assert_eq!(
            opened(&[(18, [44_100, 96_000], F::I32), (2, [16_000, 16_000], F::I32)]),
            Some((2, 16_000, F::I32))
        );
        assert_eq!(opened(&[(18, [44_100, 96_000], F::I32)]), Some((18, 48_000, F::I32)));
        assert_eq!(opened(&[(1, [5_000, 5_000], F::I16), (2, [48_000, 48_000], F::I24)]), None);
    }
}
