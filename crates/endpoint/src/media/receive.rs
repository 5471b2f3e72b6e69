//! From received frames to pictures and sound, the judge and the recorder: one actor for each call.

use super::mirror::Back;
use super::show::Shown;
use super::{Receiving, Work};
use crate::driver::ToDriver;
use std::collections::HashMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;
use visavis_media::codec::{self, AudioDecoder, VideoDecoder};
use visavis_media::judge::Judge;
use visavis_media::pixel;
use visavis_media::sink::mp4::Mp4Recorder;
use visavis_proto::Time;
use visavis_proto::frame::{AudioFormat, MediaKind, ReceivedFrame};
use visavis_proto::io::{CallHandle, Command, MediaFormat, Section};
use visavis_report::{MediaReport, SoundDelay, TimelineBuilder};

/// The shortest time between two requests for a key frame; RTCP has a bound of its own below this.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(300);

pub(crate) struct Receiver {
    call: CallHandle,
    sections: Vec<Section>,
    video: Option<Box<dyn VideoDecoder>>,
    audio: Option<(u8, Box<dyn AudioDecoder>)>,
    judge: Option<Judge>,
    recorder: Option<Mp4Recorder<BufWriter<File>>>,
    timeline: Option<Box<TimelineBuilder>>,
    shown: Option<Shown>,
    /// Ways back to encoders, by section.
    backs: HashMap<usize, Back>,
    keep_aac: bool,
    keyframe_asked: Option<Time>,
    /// How long frames of sound had until they were to be played, added up, and how many they were.
    buffered: (Duration, u64),
    requests: mpsc::WeakSender<ToDriver>,
    reports: mpsc::UnboundedSender<(CallHandle, MediaReport)>,
    report: MediaReport,
}

impl Receiver {
    pub(super) fn new(
        call: CallHandle,
        plan: &Receiving,
        _now: Time,
        requests: mpsc::WeakSender<ToDriver>,
        reports: mpsc::UnboundedSender<(CallHandle, MediaReport)>,
    ) -> Self {
        let mut report = MediaReport::default();
        let mut recorder = None;
        if let Some(recording) = &plan.record {
            let path = recording.file(call);
            match record(&path) {
                Ok(opened) => {
                    recorder = Some(opened);
                    report.recording = Some(path);
                }
                Err(error) => report.recording_error = Some(format!("{}: {error}", path.display())),
            }
        }
        Receiver {
            call,
            sections: Vec::new(),
            video: None,
            audio: None,
            judge: plan.judge.map(Judge::new),
            recorder,
            timeline: plan.timeline.then(|| Box::new(TimelineBuilder::new())),
            shown: plan.sinks.clone().map(|sinks| Shown::new(call, sinks)),
            backs: HashMap::new(),
            keep_aac: plan.record.as_ref().is_some_and(|r| r.keep_aac),
            keyframe_asked: None,
            buffered: (Duration::ZERO, 0),
            requests,
            reports,
            report,
        }
    }

    pub(super) fn handle(&mut self, now: Time, work: Work) {
        match work {
            Work::Sections(sections) => {
                self.sections = sections;
                if let Some(shown) = &mut self.shown {
                    shown.ask_again();
                }
            }
            Work::Frame(section, frame) => {
                if let Some(timeline) = &mut self.timeline {
                    timeline.frame(now, &frame);
                }
                match frame.codec.kind() {
                    MediaKind::Video => self.picture(now, section, &frame),
                    MediaKind::Audio => self.sound(now, section, &frame),
                }
            }
            Work::Back(section, back) => {
                self.backs.remove(&section);
                self.backs.extend(back.map(|back| (section, back)));
            }
            Work::Finish(sound) => self.finish(now, sound),
            Work::Target(_) | Work::Wake | Work::Sound(_) => {}
        }
    }

    fn picture(&mut self, now: Time, section: usize, frame: &ReceivedFrame) {
        if let Some(recorder) = &mut self.recorder
            && let Err(error) = recorder.picture(frame)
        {
            note(&mut self.report, &error);
        }
        if self.video.is_none() {
            match codec::open_video_decoder(frame.codec) {
                Ok(decoder) => self.video = Some(decoder),
                Err(error) => return tracing::error!(%error, call = self.call.0, "no decoder"),
            }
        }
        let Some(decoder) = &mut self.video else { return };
        match decoder.decode(frame) {
            Ok(Some(mut decoded)) => {
                decoded.picture.rotation = frame.rotation;
                if let Some(back) = self.backs.get(&section) {
                    back.picture(decoded.picture.clone().at(frame.received));
                }
                if let Some(shown) = &mut self.shown {
                    shown.picture(&decoded.picture);
                }
                self.report.pictures_decoded += 1;
                self.report.pictures_concealed += u64::from(decoded.concealed);
                // The judge reads the picture as it was sent, people see it as it is meant.
                let judge = self.judge.as_mut();
                let seen = judge.and_then(|judge| judge.picture(&decoded.picture, now)).unwrap_or_default();
                if let Some(timeline) = &mut self.timeline {
                    timeline.picture(now, &pixel::upright(&decoded.picture), decoded.concealed, seen);
                }
            }
            Ok(None) => {}
            Err(error) => {
                self.report.decode_errors += 1;
                if let Some(timeline) = &mut self.timeline {
                    timeline.trouble(now, 0, 1);
                }
                tracing::debug!(%error, call = self.call.0, "a picture did not decode");
            }
        }
        if decoder.needs_keyframe() {
            self.request_keyframe(now, section);
        }
    }

    fn request_keyframe(&mut self, now: Time, section: usize) {
        if self.keyframe_asked.is_some_and(|at| now.since(at) < KEYFRAME_INTERVAL) {
            return;
        }
        self.keyframe_asked = Some(now);
        if let Some(timeline) = &mut self.timeline {
            timeline.keyframe_asked(now);
        }
        if let Some(requests) = self.requests.upgrade() {
            let command = Command::RequestKeyframe { call: self.call, section };
            // A driver with no room for it is asked again with the next picture.
            let _ = requests.try_send(ToDriver::Command(command));
        }
    }

    fn sound(&mut self, now: Time, section: usize, frame: &ReceivedFrame) {
        let Some(format) = self.format(section, frame) else { return };
        if self.keep_aac
            && let Some(recorder) = &mut self.recorder
            && let Err(error) = recorder.received_sound(frame, &format)
        {
            note(&mut self.report, &error);
        }
        if self.audio.as_ref().is_none_or(|(pt, d)| *pt != frame.payload_type || *d.format() != format) {
            match codec::open_audio_decoder(&format) {
                Ok(decoder) => self.audio = Some((frame.payload_type, decoder)),
                Err(error) => return tracing::error!(%error, call = self.call.0, "no decoder"),
            }
        }
        let Some((_, decoder)) = &mut self.audio else { return };
        self.buffered.0 += frame.play_at.since(frame.received);
        self.buffered.1 += 1;
        let received = decoder.receive(frame);
        if let Some(back) = self.backs.get(&section) {
            for sound in &received.sound {
                let ahead = frame.play_at - sound.captured;
                back.sound(sound.clone().at(frame.received.saturating_sub(ahead)));
            }
        }
        if let Some(shown) = &mut self.shown {
            received.sound.iter().for_each(|sound| shown.sound(sound));
        }
        self.report.sound_concealed += u64::from(received.concealed);
        self.report.decode_errors += u64::from(received.error.is_some());
        if let Some(timeline) = &mut self.timeline {
            timeline.trouble(now, received.concealed, u32::from(received.error.is_some()));
            received.sound.iter().for_each(|sound| timeline.sound(now, sound));
        }
        for sound in &received.sound {
            if let Some(judge) = &mut self.judge {
                judge.sound(sound);
            }
            if let Some(recorder) = &mut self.recorder
                && let Err(error) = recorder.sound(sound)
            {
                note(&mut self.report, &error);
            }
        }
        if let Some((timeline, judge)) = self.timeline.as_mut().zip(self.judge.as_ref()) {
            timeline.dropouts(now, judge.dropouts());
        }
    }

    fn format(&self, section: usize, frame: &ReceivedFrame) -> Option<AudioFormat> {
        let formats = &self.sections.get(section)?.receive;
        match &formats.iter().find(|(pt, _)| *pt == frame.payload_type)?.1 {
            MediaFormat::Audio(format) => Some(format.clone()),
            MediaFormat::Video(_) => None,
        }
    }

    fn finish(&mut self, now: Time, sound: Option<(Duration, Duration)>) {
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let (sum, count) = self.buffered;
        self.report.sound_delay = SoundDelay {
            frame_ms: sound.map(|(frame, _)| millis(frame)),
            codec_ms: sound.map(|(_, lag)| millis(lag)),
            jitter_buffer_ms: (count > 0).then(|| millis(sum) / count as f64),
            ..SoundDelay::default()
        };
        if let Some(mut recorder) = self.recorder.take()
            && let Err(error) = recorder.finish()
        {
            note(&mut self.report, &error);
        }
        if let Some(shown) = &mut self.shown {
            shown.finish();
        }
        self.report.judgement = self.judge.as_ref().map(|j| j.judgement(now));
        self.report.timeline = self.timeline.as_ref().map(|t| t.timeline());
        // Nobody follows reports where the endpoint is going away.
        let _ = self.reports.send((self.call, self.report.clone()));
    }
}

fn record(path: &Path) -> std::io::Result<Mp4Recorder<BufWriter<File>>> {
    Mp4Recorder::new(BufWriter::new(File::create(path)?))
}

/// Keeps the first thing that went wrong with the recording.
fn note(report: &mut MediaReport, error: &dyn std::fmt::Display) {
    if report.recording_error.is_none() {
        report.recording_error = Some(error.to_string());
        tracing::warn!(%error, "the recording is not whole");
    }
}
