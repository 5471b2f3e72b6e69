//! One device tried out by itself.

use crate::Failure;
use crate::output::{Output, millis};
use serde_json::json;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use visavis::Clock;
use visavis::media_codecs::device::{Choice, DeviceError, Now, camera, microphone, speaker};
use visavis::media_codecs::live::meter::Level;
use visavis::media_codecs::sink::AudioSink;
use visavis::media_codecs::sink::png::write_png;
use visavis::media_codecs::source::tone::{Tone, ToneSource};
use visavis::media_codecs::source::{AudioSource, VideoSource};

/// What is taken or given at a time.
const BLOCK: Duration = Duration::from_millis(20);
/// How often the level is shown, in blocks.
const SHOWN_EVERY: u32 = 5;
/// Sound is given this long before it is to be played.
const AHEAD: Duration = Duration::from_millis(20);
/// A camera that gives no picture for this long does not work.
const FIRST_PICTURE: Duration = Duration::from_secs(5);
/// A camera's first pictures are dark or broken: this many are let go by.
const WARMING_UP: u64 = 5;

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        Failure::Missing(error.to_string())
    }
}

fn now(clock: Clock) -> Now {
    Arc::new(move || clock.now())
}

/// Shows the level of a microphone.
pub(super) async fn microphone(which: &Choice, lasts: Duration, output: &Output) -> Result<(), Failure> {
    let clock = Clock::start();
    let mut source = microphone::open(which, now(clock))?;
    let (rate, frames) = (48_000, (48_000 * BLOCK.as_millis() / 1_000) as usize);
    output.say(format!("listening to {} for {} s", source.name(), lasts.as_secs_f32()));
    let controls = source.controls();
    let start = clock.now();
    let (mut heard, mut loudest) = (0u32, f32::NEG_INFINITY);
    while heard * BLOCK < lasts {
        let captured = start + heard * BLOCK;
        heard += 1;
        tokio::time::sleep_until(clock.instant(captured + BLOCK).into()).await;
        if source.pull(captured, rate, frames).is_none() {
            return Err(source.lost().map_or(Failure::Bad, Failure::from));
        }
        let level = controls.meter().level();
        loudest = loudest.max(level.peak);
        if heard.is_multiple_of(SHOWN_EVERY) {
            output.status(bar(level));
            output.event(
                "level",
                || json!({ "peak_dbfs": finite(level.peak), "mean_dbfs": finite(level.mean) }),
            );
        }
    }
    output.clear_status();
    let (counts, status) = (source.counts(), source.status());
    output.event("microphone", || {
        json!({
            "name": source.name(), "peak_dbfs": finite(loudest), "callbacks": status.callbacks,
            "underruns": counts.underruns, "device_latency_ms": ms(status.latency),
            "drift_ppm": counts.drift,
        })
    });
    output.say(format!(
        "  peak {}; {} callbacks, {} underruns, {} in the device",
        decibels(loudest),
        status.callbacks,
        counts.underruns,
        millis(ms(status.latency))
    ));
    if status.callbacks == 0 {
        return Err(Failure::Call(format!(
            "microphone {} gave nothing; is something else using it?",
            source.name()
        )));
    }
    if loudest == f32::NEG_INFINITY {
        return Err(Failure::Call(format!(
            "microphone {} gave nothing but silence; is it muted?",
            source.name()
        )));
    }
    Ok(())
}

/// Plays the test tone.
pub(super) async fn speaker(which: &Choice, lasts: Duration, output: &Output) -> Result<(), Failure> {
    let clock = Clock::start();
    let mut sink = speaker::open(which, now(clock))?;
    let (rate, frames) = (48_000, (48_000 * BLOCK.as_millis() / 1_000) as usize);
    output.say(format!("playing a tone on {} for {} s", sink.name(), lasts.as_secs_f32()));
    let mut tone = ToneSource::new(Tone::default());
    let start = clock.now();
    let mut played = 0u32;
    while played * BLOCK < lasts {
        let at = start + played * BLOCK;
        tokio::time::sleep_until(clock.instant(at).into()).await;
        let Some(sound) = tone.pull(at + AHEAD, rate, frames) else { break };
        if sink.play(&sound).is_err() {
            return Err(sink.lost().map_or(Failure::Bad, Failure::from));
        }
        played += 1;
        if played.is_multiple_of(SHOWN_EVERY) {
            output.status(bar(sink.feed().meter().level()));
        }
    }
    output.clear_status();
    let (counts, status) = (sink.feed().counts(), sink.status());
    output.event("speaker", || {
        json!({
            "name": sink.name(), "callbacks": status.callbacks, "underruns": counts.underruns,
            "gaps": counts.gaps, "device_latency_ms": ms(status.latency), "drift_ppm": counts.drift,
        })
    });
    output.say(format!(
        "  {} callbacks, {} underruns, {} in the device",
        status.callbacks,
        counts.underruns,
        millis(ms(status.latency))
    ));
    if status.callbacks == 0 {
        return Err(Failure::Call(format!(
            "speaker {} took nothing; is something else using it?",
            sink.name()
        )));
    }
    Ok(())
}

/// Saves a picture.
pub(super) async fn camera(which: &Choice, file: &Path, output: &Output) -> Result<(), Failure> {
    let clock = Clock::start();
    let mut source = camera::open(which, (640, 480), 30, now(clock))?;
    let picture = loop {
        if let Some(picture) = source.next(clock.now()).filter(|p| p.sequence >= WARMING_UP) {
            break picture;
        }
        if let Some(error) = source.lost() {
            return Err(error.into());
        }
        if clock.elapsed() > FIRST_PICTURE {
            return Err(Failure::Call(format!(
                "camera {} gives no picture; is it covered up?",
                source.name()
            )));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let failed = |error: std::io::Error| Failure::Missing(format!("{}: {error}", file.display()));
    let out = BufWriter::new(File::create(file).map_err(failed)?);
    write_png(&picture, out).map_err(failed)?;
    let (width, height) = picture.size();
    output.event("camera", || json!({ "name": source.name(), "size": [width, height], "file": file }));
    output.say(format!("  {}: {width}x{height} saved to {}", source.name(), file.display()));
    Ok(())
}

/// A bar from -60 to 0 dBFS.
fn bar(level: Level) -> String {
    const WIDTH: usize = 40;
    let long = ((level.mean.max(-60.0) + 60.0) / 60.0 * WIDTH as f32) as usize;
    let long = long.min(WIDTH);
    format!("[{}{}] {}", "#".repeat(long), "-".repeat(WIDTH - long), decibels(level.mean))
}

fn decibels(level: f32) -> String {
    if level.is_finite() { format!("{level:.1} dBFS") } else { "silence".into() }
}

fn ms(time: Option<Duration>) -> Option<f64> {
    time.map(|time| time.as_secs_f64() * 1e3)
}

fn finite(level: f32) -> Option<f32> {
    level.is_finite().then_some(level)
}
