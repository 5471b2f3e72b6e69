//! What is said in the end about the devices of a call.

use super::session::{Slot, lock};
use std::sync::Mutex;
use std::time::Duration;
use visavis_media::device::camera::DeviceCamera;
use visavis_media::device::microphone::DeviceMicrophone;
use visavis_media::device::sound::Shape;
use visavis_media::device::speaker::DeviceSpeaker;
use visavis_media::live::meter::Level;
use visavis_report::devices::{CameraReport, MicrophoneReport, SoundForm, SpeakerReport};

/// The report on what is in a slot, and the trouble with it.
pub(super) fn of<D, R: Default + Clone>(
    slot: &Mutex<Slot<D, R>>,
    read: impl Fn(&D) -> R,
) -> Option<(R, Option<String>)> {
    match &*lock(slot) {
        Slot::Closed => None,
        Slot::Opening => Some((R::default(), None)),
        Slot::Open(device) => Some((read(device), None)),
        Slot::Gone(error, report) => Some((report.clone(), Some(error.to_string()))),
    }
}

pub(super) fn of_microphone(microphone: &DeviceMicrophone) -> MicrophoneReport {
    let (status, counts) = (microphone.status(), microphone.counts());
    let Level { peak, mean } = microphone.controls().meter().level();
    let measured = status.callbacks > 0;
    MicrophoneReport {
        opened: Some(sound_form(microphone.name(), microphone.shape())),
        peak_dbfs: finite(peak),
        level_dbfs: finite(mean),
        underruns: counts.underruns,
        device_overruns: status.xruns,
        drift_ppm: counts.drift,
        device_ms: status.latency.filter(|_| measured).map(millis),
        waiting_ms: microphone.waiting().filter(|_| measured).map(millis),
        ..MicrophoneReport::default()
    }
}

pub(super) fn of_speaker(speaker: &DeviceSpeaker) -> SpeakerReport {
    let (status, counts) = (speaker.status(), speaker.feed().counts());
    let Level { peak, mean } = speaker.feed().meter().level();
    let measured = status.callbacks > 0;
    SpeakerReport {
        opened: Some(sound_form(speaker.name(), speaker.shape())),
        peak_dbfs: finite(peak),
        level_dbfs: finite(mean),
        underruns: counts.underruns,
        gaps: counts.gaps,
        device_underruns: status.xruns,
        drift_ppm: counts.drift,
        waiting_ms: measured.then(|| millis(speaker.feed().delay())),
        device_ms: status.latency.filter(|_| measured).map(millis),
        ..SpeakerReport::default()
    }
}

pub(super) fn of_camera(camera: &DeviceCamera) -> CameraReport {
    let mode = camera.mode();
    CameraReport {
        name: Some(camera.name().to_owned()),
        size: Some(mode.size),
        fps: Some(mode.fps),
        format: Some(mode.form()),
        pictures: camera.count(),
        ..CameraReport::default()
    }
}

fn sound_form(name: &str, shape: Shape) -> SoundForm {
    SoundForm {
        name: name.to_owned(),
        sample_rate: shape.sample_rate,
        channels: shape.channels,
        format: shape.form(),
    }
}

fn finite(level: f32) -> Option<f32> {
    level.is_finite().then_some(level)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
