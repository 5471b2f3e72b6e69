//! One file for each subcommand.

pub(crate) mod answer;
pub(crate) mod call;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod devices;
pub(crate) mod inspect;
pub(crate) mod load;
pub(crate) mod probe;
pub(crate) mod ticket;

use crate::output::{Output, millis, percent};
use serde_json::json;
use tokio::sync::watch;
use visavis::media_codecs::judge::Judgement;
use visavis::{CallRecord, MediaReport, Verdict};

/// A signal that turns true at the first Ctrl-C; the second one ends the program at once.
pub(crate) fn interruption() -> watch::Receiver<bool> {
    stopping().subscribe()
}

/// The same, with a handle that makes it turn true.
pub(crate) fn stopping() -> watch::Sender<bool> {
    let stop = watch::Sender::new(false);
    let interrupt = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupt.send_replace(true);
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    });
    stop
}

/// What the judge made of the other side's pictures and sound; `None` where it saw no test pattern and heard no tone.
fn judged(judgement: &Judgement) -> Option<String> {
    let (video, audio) = (&judgement.video, &judgement.audio);
    let psnr = video.psnr_db.map_or("unknown".into(), |psnr| format!("{:.1} dB", psnr.median));
    let pictures = (video.read > 0).then(|| {
        format!("test pattern: {} pictures read, {} missing, PSNR {psnr}", video.read, video.missing)
    });
    let level = audio.level_dbfs.map_or("unknown".into(), |db| format!("{db:.1} dBFS"));
    let tone = audio.tone_hz.map(|hz| format!("tone: {hz:.1} Hz at {level}"));
    let found: Vec<String> = pictures.into_iter().chain(tone).collect();
    (!found.is_empty()).then(|| found.join("; "))
}

/// What the devices did, and what sound waited for on its way through them.
fn devices(media: &MediaReport) -> Vec<String> {
    let (delay, mut lines) = (&media.sound_delay, Vec::new());
    let Some(devices) = &media.devices else { return lines };
    if let Some(microphone) = &devices.microphone {
        lines.push(format!(
            "microphone: {} underruns; mouth to network {}: device {}, waiting {}, frame {}, codec {}",
            microphone.underruns,
            millis(delay.mouth_ms),
            millis(microphone.device_ms),
            millis(microphone.waiting_ms),
            millis(delay.frame_ms),
            millis(delay.codec_ms),
        ));
    }
    if let Some(speaker) = &devices.speaker {
        lines.push(format!(
            "speaker: {} underruns; network to ear {}: jitter buffer {}, waiting {}, device {}",
            speaker.underruns,
            millis(delay.ear_ms),
            millis(delay.jitter_buffer_ms),
            millis(speaker.waiting_ms),
            millis(speaker.device_ms),
        ));
    }
    if let Some(camera) = &devices.camera {
        lines.push(format!("camera: {} pictures", camera.pictures));
    }
    lines
}

/// Prints what became of a call.
pub(crate) fn summary(output: &Output, id: u64, record: &CallRecord, verdict: &Verdict) {
    output.event("call", || json!({ "call": id, "record": record, "verdict": verdict }));
    let media = &record.media;
    for section in record.sections.iter().filter(|s| s.kind.is_some()) {
        output.say(format!(
            "  {:5} {}: {} frames sent, {} received; packets {} out, {} in, loss {}, jitter {}, round trip {}",
            section.kind.unwrap_or("?"),
            section.sent_as.as_deref().unwrap_or("-"),
            section.frames_sent,
            section.frames_received,
            section.packets_sent,
            section.packets_received,
            percent(section.loss),
            millis(section.jitter_ms),
            millis(section.round_trip_ms),
        ));
    }
    if let Some(text) = media.judgement.as_ref().and_then(judged) {
        output.say(format!("  {text}"));
    }
    for line in devices(media) {
        output.say(format!("  {line}"));
    }
    if let Some(path) = &media.recording {
        output.say(format!("  recorded to {}", path.display()));
    }
    if let Some(error) = &media.recording_error {
        output.say(format!("  the recording is not whole: {error}"));
    }
    requirements(output, verdict);
    output.say(format!("verdict: {verdict}"));
}

/// Prints what was required, and what became of it.
pub(crate) fn requirements(output: &Output, verdict: &Verdict) {
    for check in verdict.checks.iter().filter(|check| check.required) {
        let mark = if check.pass { "ok  " } else { "FAIL" };
        let scope = check.scope.as_ref().map_or_else(String::new, |scope| format!("  {scope}"));
        output.say(format!(
            "  {mark} {:28} {:>12}   required {}{scope}",
            check.metric, check.measured_text, check.threshold_text
        ));
    }
}
