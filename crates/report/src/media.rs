//! What was seen and heard of a call.

use crate::devices::DeviceReport;
use crate::timeline::Timeline;
use serde::Serialize;
use std::path::PathBuf;
use visavis_media::judge::Judgement;

/// What the decoders, the judge and the recorder of a call have to say. What was not measured is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MediaReport {
    /// What the judge measured; `None` where there was none.
    pub judgement: Option<Judgement>,
    /// The recording, where there is one.
    pub recording: Option<PathBuf>,
    /// Why the recording is missing or not whole.
    pub recording_error: Option<String>,
    /// Pictures that the decoder gave.
    pub pictures_decoded: u64,
    /// Pictures with parts that were lost and made up.
    pub pictures_concealed: u64,
    /// Frames of sound made up in place of lost ones.
    pub sound_concealed: u64,
    /// Frames that could not be decoded.
    pub decode_errors: u64,
    /// What sound waits for at this end, beside its devices.
    pub sound_delay: SoundDelay,
    /// What the devices did; `None` where there were none.
    pub devices: Option<DeviceReport>,
    /// The same second by second, where a report was asked for. In `call.json` it stands beside the record.
    #[serde(skip)]
    pub timeline: Option<Timeline>,
}

/// What the sound of a call waits for at one end, beside its devices, milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct SoundDelay {
    /// How long a frame lasts that is sent: its first sample waits for its last.
    pub frame_ms: Option<f64>,
    /// How much later than the frame its sound comes out of the decoder, for what is sent.
    pub codec_ms: Option<f64>,
    /// From the arrival of a frame to the time to play it at, the mean over the call.
    pub jitter_buffer_ms: Option<f64>,
    /// From mouth to network, at this end: the microphone, waiting for the encoder, frame and codec.
    pub mouth_ms: Option<f64>,
    /// From network to ear, at this end: the jitter buffer, waiting for the speaker, the speaker.
    pub ear_ms: Option<f64>,
}

impl MediaReport {
    /// Takes in what the devices did, and adds up what sound waits for.
    pub fn add_devices(&mut self, devices: Option<DeviceReport>) {
        let sum = |stages: [Option<f64>; 4]| stages.into_iter().sum::<Option<f64>>();
        let delay = &mut self.sound_delay;
        if let Some(microphone) = devices.as_ref().and_then(|d| d.microphone.as_ref()) {
            let stages = [microphone.device_ms, microphone.waiting_ms, delay.frame_ms, delay.codec_ms];
            delay.mouth_ms = sum(stages);
        }
        if let Some(speaker) = devices.as_ref().and_then(|d| d.speaker.as_ref()) {
            let stages = [delay.jitter_buffer_ms, speaker.waiting_ms, speaker.device_ms, Some(0.0)];
            delay.ear_ms = sum(stages);
        }
        self.devices = devices;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::{MicrophoneReport, SpeakerReport};

    #[test]
    fn the_stages_add_up_and_one_that_is_unknown_leaves_the_sum_unknown() {
        let microphone = Some(MicrophoneReport {
            device_ms: Some(2.0),
            waiting_ms: Some(7.5),
            ..MicrophoneReport::default()
        });
        let speaker =
            |device_ms| Some(SpeakerReport { device_ms, waiting_ms: Some(3.0), ..SpeakerReport::default() });
        let sound_delay = SoundDelay {
            frame_ms: Some(10.0),
            codec_ms: Some(5.0),
            jitter_buffer_ms: Some(12.0),
            ..SoundDelay::default()
        };
        let sums = |devices| {
            let mut report = MediaReport { sound_delay, ..MediaReport::default() };
            report.add_devices(devices);
            (report.sound_delay.mouth_ms, report.sound_delay.ear_ms)
        };
        let all = DeviceReport { microphone: microphone.clone(), speaker: speaker(Some(8.0)), camera: None };
        assert_eq!(sums(Some(all)), (Some(24.5), Some(23.0)));
        let unknown = DeviceReport { microphone, speaker: speaker(None), camera: None };
        assert_eq!(sums(Some(unknown)), (Some(24.5), None));
        assert_eq!(sums(None), (None, None));
    }
}
