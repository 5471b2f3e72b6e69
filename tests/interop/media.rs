//! Files of the test pattern and its tone for peers to play, and the judge for what they recorded.

use crate::harness::{need, run};
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;
use visavis::media_codecs::judge::{AudioReport, Judge, JudgeConfig, VideoReport};
use visavis::media_codecs::sink::wav::WavSink;
use visavis::media_codecs::sink::y4m::Y4mSink;
use visavis::media_codecs::sink::{AudioSink, VideoSink};
use visavis::media_codecs::sound::Pcm;
use visavis::media_codecs::source::file::{Playback, y4m::Y4mSource};
use visavis::media_codecs::source::pattern::PatternSource;
use visavis::media_codecs::source::tone::{Tone, ToneSource};
use visavis::media_codecs::source::{AudioSource, FrameRate, VideoSource};
use visavis::proto::time::Time;

/// The tone that both sides send, Hz.
pub(crate) const TONE: f64 = 997.0;

/// Writes `seconds` of the test pattern to a Y4M file.
pub(crate) fn pattern_y4m(path: &Path, (width, height): (u32, u32), fps: u32, seconds: u64) {
    let rate = FrameRate::new(fps, 1).expect("a frame rate");
    let mut source = PatternSource::new(width, height, rate).expect("a size for the pattern");
    let mut sink = Y4mSink::new(BufWriter::new(File::create(path).expect("a new file")), rate);
    let mut now = Time::ZERO;
    while now < Time::from_millis(seconds * 1_000) {
        if let Some(picture) = source.next(now) {
            sink.show(&picture).expect("room for a picture");
        }
        now = source.due().expect("the pattern never ends");
    }
    sink.finish().expect("room for a picture");
}

/// Writes `seconds` of the test pattern to `pattern.mp4` in `dir`, as H.264 by x264.
pub(crate) fn pattern_mp4(dir: &Path, size: (u32, u32), fps: u32, seconds: u64) -> PathBuf {
    need("ffmpeg", "ffmpeg");
    let (raw, film) = (dir.join("pattern.y4m"), dir.join("pattern.mp4"));
    pattern_y4m(&raw, size, fps, seconds);
    let x264 =
        ["-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast", "-crf", "18", "-g", "30"];
    ffmpeg(&[&["-i", text(&raw)], &x264[..], &["-pix_fmt", "yuv420p", text(&film)]].concat());
    std::fs::remove_file(raw).expect("the file that was just written");
    film
}

/// Writes `seconds` of the tone to `tone.wav` in `dir`, 16-bit mono.
pub(crate) fn tone_wav(dir: &Path, sample_rate: u32, seconds: u64) -> PathBuf {
    let path = dir.join("tone.wav");
    let mut source = ToneSource::new(Tone::default());
    let mut sink = WavSink::new(BufWriter::new(File::create(&path).expect("a new file")));
    let block = u64::from(sample_rate) / 50;
    for index in 0..seconds * 50 {
        let at = Time::from_millis(index * 20);
        let sound = source.pull(at, sample_rate, block as usize).expect("the tone never ends");
        sink.play(&sound).expect("room for sound");
    }
    sink.finish().expect("room for sound");
    path
}

/// Runs ffmpeg without its chatter.
pub(crate) fn ffmpeg(args: &[&str]) -> Vec<u8> {
    need("ffmpeg", "ffmpeg");
    run("ffmpeg", &[&["-nostdin", "-hide_banner", "-loglevel", "error", "-y"], args].concat())
}

/// What the judge sees in a film of any format that ffmpeg decodes. Every decoded picture is shown once.
pub(crate) fn judge_film(film: &Path) -> VideoReport {
    let raw = film.with_extension("judged.y4m");
    ffmpeg(&["-i", text(film), "-vsync", "passthrough", "-pix_fmt", "yuv420p", text(&raw)]);
    let mut source = Y4mSource::open(&raw, Playback::Once).expect("ffmpeg writes Y4M");
    let mut judge = Judge::new(JudgeConfig::default());
    let mut now = Time::ZERO;
    while !source.ended() {
        if let Some(picture) = source.next(now) {
            judge.picture(&picture, now);
        }
        now = source.due().unwrap_or(now);
    }
    std::fs::remove_file(raw).expect("the file that was just written");
    judge.judgement(now).video
}

/// What the judge hears in a sound file of any format that ffmpeg decodes.
pub(crate) fn judge_sound(file: &Path) -> AudioReport {
    const RATE: u32 = 48_000;
    let raw = ffmpeg(&["-i", text(file), "-f", "s16le", "-ac", "1", "-ar", &RATE.to_string(), "-"]);
    let samples: Vec<i16> = raw.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let mut judge = Judge::new(JudgeConfig::default());
    for (index, block) in samples.chunks(RATE as usize / 50).enumerate() {
        let sound = Pcm::new(block.to_vec(), RATE, 1).expect("a rate that sound may have");
        judge.sound(&sound.at(Time::from_millis(index as u64 * 20)));
    }
    judge.judgement(Time::from_millis(samples.len() as u64 / u64::from(RATE / 1_000))).audio
}

/// Asserts that at least 95 % of the pictures show the pattern and can be read, of at least `least` pictures.
pub(crate) fn assert_pattern(report: &VideoReport, least: u64) {
    let read = report.read + report.repeated;
    assert!(report.received >= least, "only {} pictures: {report:?}", report.received);
    assert!(read * 100 >= report.received * 95, "only {read} of {} pictures: {report:?}", report.received);
}

/// Asserts that the tone of a recording is within 1 Hz of ours.
pub(crate) fn assert_tone(report: &AudioReport) {
    let tone = report.tone_hz.unwrap_or_else(|| panic!("no tone: {report:?}"));
    assert!((tone - TONE).abs() <= 1.0, "{tone} Hz is not {TONE} Hz: {report:?}");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn the_judge_of_recordings_reads_the_pattern_and_the_tone_it_is_given() {
    let scratch = crate::harness::Scratch::new();
    let film = pattern_mp4(scratch.path(), (320, 240), 30, 2);
    let seen = judge_film(&film);
    assert_eq!((seen.received, seen.read), (60, 60), "{seen:?}");
    let tone = judge_sound(&tone_wav(scratch.path(), 8_000, 3));
    assert_tone(&tone);
    assert!(tone.duration_s > Duration::from_millis(2_900).as_secs_f64(), "{tone:?}");
}
