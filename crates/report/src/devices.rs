//! What microphone, speaker and camera did in a call.

use serde::Serialize;

/// The devices of a call. A kind that nobody asked for is `None`; what was not measured is `None`, too.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DeviceReport {
    /// Where sound came from.
    pub microphone: Option<MicrophoneReport>,
    /// Where sound went.
    pub speaker: Option<SpeakerReport>,
    /// Where pictures came from.
    pub camera: Option<CameraReport>,
}

/// What a device of sound was opened with.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SoundForm {
    /// Its name.
    pub name: String,
    /// Samples a second, Hz.
    pub sample_rate: u32,
    /// Channels of the device.
    pub channels: u16,
    /// How it counts samples, in a word: `i16`, `f32`.
    pub format: String,
}

/// What a microphone did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MicrophoneReport {
    /// What was opened; `None` where nothing was.
    pub opened: Option<SoundForm>,
    /// Why it did not open, or was lost; `None` where it is back.
    pub trouble: Option<String>,
    /// Times that it did not open or was lost. The other figures are those since it was opened last.
    pub times_gone: u32,
    /// Whether it is silenced.
    pub muted: bool,
    /// The loudest of what it heard of late, dBFS (before mute).
    pub peak_dbfs: Option<f32>,
    /// Its level over about an eighth of a second, dBFS (before mute).
    pub level_dbfs: Option<f32>,
    /// Times that the encoder wanted sound that was not there: each is heard.
    pub underruns: u64,
    /// Times that the device lost sound, by its own count.
    pub device_overruns: u64,
    /// How much slower the call's clock is than the device's, parts in a million; unknown before sound has flowed for 23 s.
    pub drift_ppm: Option<f64>,
    /// How long sound is in the device and the sound server, by their own word, a mean of the last second or two,
    /// milliseconds.
    pub device_ms: Option<f64>,
    /// From there to the encoder, milliseconds.
    pub waiting_ms: Option<f64>,
}

/// What a speaker did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SpeakerReport {
    /// What was opened; `None` where nothing was.
    pub opened: Option<SoundForm>,
    /// Why it did not open, or was lost; `None` where it is back.
    pub trouble: Option<String>,
    /// Times that it did not open or was lost. The other figures are those since it was opened last.
    pub times_gone: u32,
    /// The loudest of what it played of late, dBFS.
    pub peak_dbfs: Option<f32>,
    /// Its level over about an eighth of a second, dBFS.
    pub level_dbfs: Option<f32>,
    /// Times that it found nothing to play though sound was on its way: each is heard.
    pub underruns: u64,
    /// Times that sound ended, underruns among them.
    pub gaps: u64,
    /// Times that the device ran out of sound, by its own count.
    pub device_underruns: u64,
    /// How much slower the device's clock is than the sender's, parts in a million; unknown before sound has flowed for 23 s.
    pub drift_ppm: Option<f64>,
    /// From the time to play sound at to the device, milliseconds.
    pub waiting_ms: Option<f64>,
    /// How long sound is in the device and the sound server, by their own word, a mean of the last second or two,
    /// milliseconds.
    pub device_ms: Option<f64>,
}

/// What a camera did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CameraReport {
    /// Its name; `None` where none was opened.
    pub name: Option<String>,
    /// Why it did not open, or was lost; `None` where it is back.
    pub trouble: Option<String>,
    /// Times that it did not open or was lost. The other figures are those since it was opened last.
    pub times_gone: u32,
    /// Width and height, pixels.
    pub size: Option<(u32, u32)>,
    /// Pictures a second.
    pub fps: Option<u32>,
    /// How its pixels lie, in a word: `yuyv`, `jpeg`.
    pub format: Option<String>,
    /// Pictures that it gave.
    pub pictures: u64,
}
