//! What decoder, jitter buffer and judge saw of one direction of a call, step by step, and a few of its pictures.
//!
//! Memory is bounded however long a call lasts: when there are too many steps, each two become one that is twice as
//! long, and every second picture goes.

use serde::Serialize;
use std::time::Duration;
use visavis_media::judge::PictureMeasured;
use visavis_media::picture::Picture;
use visavis_media::scale::Scaler;
use visavis_media::sink::png::write_png;
use visavis_media::sound::Pcm;
use visavis_proto::Time;
use visavis_proto::frame::{MediaKind, ReceivedFrame};

/// Steps kept at most.
const MOST_STEPS: usize = 512;
/// Pictures kept at most.
const MOST_PICTURES: usize = 12;
/// The longer side of a picture that is kept, pixels.
const PICTURE_SIDE: u32 = 192;
/// The time between the first two pictures that are kept.
const PICTURE_INTERVAL: Duration = Duration::from_millis(500);
/// A PNG file larger than this is left out, octets.
const LARGEST_PICTURE: usize = 96 * 1024;
/// Values of one step that its median is taken from, at most.
const MOST_VALUES: usize = 16_384;
/// The level below which there is silence for a decibel scale, dBFS.
const FLOOR_DBFS: f32 = -100.0;

/// What one end received, second by second, as its decoders and its judge saw it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Timeline {
    /// When the first step begins.
    #[serde(serialize_with = "crate::unix::option")]
    pub start: Option<Time>,
    /// The length of each step, seconds: 1, or more in long calls.
    pub step_s: u32,
    /// The steps, without a gap between them; the last one may be cut short by the end of the call.
    pub steps: Vec<Step>,
    /// Pictures as they were decoded, spread over the call.
    pub pictures: Vec<Thumbnail>,
}

/// One step. What was not measured in it is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Step {
    /// Pictures decoded.
    pub pictures: u32,
    /// Those with lost parts made up.
    pub pictures_concealed: u32,
    /// The longest time from one decoded picture to the next, that ended here, milliseconds.
    pub interval_max_ms: Option<f32>,
    /// The poorest picture's luma PSNR, dB.
    pub psnr_min_db: Option<f32>,
    /// The median PSNR, dB; of steps that were joined, the mean of their medians.
    pub psnr_median_db: Option<f32>,
    /// From capture to decoded picture, milliseconds, the median (joined as above).
    pub latency_median_ms: Option<f32>,
    /// The longest of them.
    pub latency_max_ms: Option<f32>,
    /// How long the jitter buffer held pictures, milliseconds, the longest: from a frame's last packet to when it is
    /// to be shown.
    pub video_buffer_ms: Option<f32>,
    /// The same for sound.
    pub audio_buffer_ms: Option<f32>,
    /// Packets that the jitter buffer gave up waiting for.
    pub packets_given_up: u32,
    /// Frames that could not be decoded.
    pub decode_errors: u32,
    /// Key frames that this end asked for.
    pub keyframes_asked: u32,
    /// Level of the sound, dBFS (0: a full-scale sine).
    pub sound_dbfs: Option<f32>,
    /// Frames of sound made up in place of lost ones.
    pub sound_concealed: u32,
    /// Dropouts that the judge heard.
    pub dropouts: u32,
}

/// A small picture.
#[derive(Clone, PartialEq, Serialize)]
pub struct Thumbnail {
    /// When it was decoded.
    #[serde(serialize_with = "crate::unix::time")]
    pub at: Time,
    /// Its size, pixels.
    pub size: (u32, u32),
    /// The size of the picture that it was made from.
    pub of_size: (u32, u32),
    /// A PNG file.
    #[serde(skip)]
    pub png: Vec<u8>,
}

impl std::fmt::Debug for Thumbnail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Thumbnail({:?}, {:?}, {} octets)", self.at, self.size, self.png.len())
    }
}

/// Makes a [`Timeline`] while a call lasts.
#[derive(Default)]
pub struct TimelineBuilder {
    start: Option<Time>,
    step: Duration,
    steps: Vec<Step>,
    now: Values,
    last_picture: Option<Time>,
    dropouts: u64,
    scaler: Scaler,
    kept: Vec<(Time, Picture, (u32, u32))>,
    interval: Duration,
}

/// What the step that goes on has brought.
#[derive(Debug, Default)]
struct Values {
    step: Step,
    psnr: Vec<f32>,
    latency: Vec<f32>,
    /// The sum of squares of samples, and their number.
    power: (f64, u64),
}

impl TimelineBuilder {
    /// One that has seen nothing.
    pub fn new() -> Self {
        TimelineBuilder { step: Duration::from_secs(1), interval: PICTURE_INTERVAL, ..Default::default() }
    }

    /// A frame came out of the jitter buffer.
    pub fn frame(&mut self, now: Time, frame: &ReceivedFrame) {
        let step = &mut self.at(now).step;
        step.packets_given_up += frame.lost_packets;
        let buffer = match frame.codec.kind() {
            MediaKind::Video => &mut step.video_buffer_ms,
            MediaKind::Audio => &mut step.audio_buffer_ms,
        };
        raise(buffer, ms(frame.play_at - frame.received));
    }

    /// A picture was decoded; `seen` is what the judge measured of it.
    pub fn picture(&mut self, now: Time, picture: &Picture, concealed: bool, seen: PictureMeasured) {
        let before = self.last_picture.replace(now);
        let values = self.at(now);
        values.step.pictures += 1;
        values.step.pictures_concealed += u32::from(concealed);
        if let Some(before) = before {
            raise(&mut values.step.interval_max_ms, ms(now - before));
        }
        if let Some(psnr) = seen.psnr_db.map(|db| db as f32) {
            keep(&mut values.psnr, psnr);
            lower(&mut values.step.psnr_min_db, psnr);
        }
        if let Some(latency) = seen.latency_ms.map(|ms| ms as f32) {
            keep(&mut values.latency, latency);
            raise(&mut values.step.latency_max_ms, latency);
        }
        self.keep_picture(now, picture);
    }

    /// Sound was decoded.
    pub fn sound(&mut self, now: Time, sound: &Pcm) {
        let (mut sum, mut count) = (0.0, 0);
        for sample in sound.channel(0) {
            sum += (f64::from(sample) / 32_768.0).powi(2);
            count += 1;
        }
        let power = &mut self.at(now).power;
        *power = (power.0 + sum, power.1 + count);
    }

    /// Something of the sound was made up, or a frame could not be decoded.
    pub fn trouble(&mut self, now: Time, sound_concealed: u32, decode_errors: u32) {
        if sound_concealed > 0 || decode_errors > 0 {
            let step = &mut self.at(now).step;
            step.sound_concealed += sound_concealed;
            step.decode_errors += decode_errors;
        }
    }

    /// A key frame was asked for.
    pub fn keyframe_asked(&mut self, now: Time) {
        self.at(now).step.keyframes_asked += 1;
    }

    /// The judge has heard so many dropouts in all.
    pub fn dropouts(&mut self, now: Time, total: u64) {
        let more = total.saturating_sub(self.dropouts);
        if more > 0 {
            self.dropouts = total;
            let step = &mut self.at(now).step;
            step.dropouts = step.dropouts.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        }
    }

    /// What was seen up to now.
    pub fn timeline(&self) -> Timeline {
        let mut steps = self.steps.clone();
        if self.start.is_some() {
            steps.push(self.now.sum());
        }
        let small = self.kept.iter().filter_map(|(at, picture, of_size)| {
            let mut png = Vec::new();
            write_png(picture, &mut png).ok()?;
            let fits = png.len() <= LARGEST_PICTURE;
            fits.then(|| Thumbnail { at: *at, size: picture.size(), of_size: *of_size, png })
        });
        let step_s = self.step.as_secs() as u32;
        Timeline { start: self.start, step_s, steps, pictures: small.collect() }
    }

    /// The step that a time falls into. What comes from before it falls into it, too.
    fn at(&mut self, now: Time) -> &mut Values {
        let start = *self.start.get_or_insert(now);
        while now.since(start) >= self.step * (self.steps.len() as u32 + 1) {
            let done = std::mem::take(&mut self.now);
            self.steps.push(done.sum());
            if self.steps.len() == MOST_STEPS {
                self.steps = self.steps.chunks(2).map(join).collect();
                self.step *= 2;
            }
        }
        &mut self.now
    }

    fn keep_picture(&mut self, now: Time, picture: &Picture) {
        if self.kept.last().is_some_and(|(at, ..)| now.since(*at) < self.interval) {
            return;
        }
        let (width, height) = picture.size();
        let scale = (f64::from(PICTURE_SIDE) / f64::from(width.max(height))).min(1.0);
        let side = |n: u32| ((f64::from(n) * scale) as u32 & !1).max(2);
        if let Ok(small) = self.scaler.scale(picture, (side(width), side(height))) {
            self.kept.push((now, small, (width, height)));
        }
        if self.kept.len() > MOST_PICTURES {
            let mut index = 0;
            self.kept.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.interval *= 2;
        }
    }
}

impl Values {
    fn sum(&self) -> Step {
        let (sum, count) = self.power;
        let level = (count > 0).then(|| {
            // The mean square of a full-scale sine is one half.
            let level = 10.0 * (2.0 * sum / count as f64).log10();
            (level as f32).max(FLOOR_DBFS)
        });
        Step {
            psnr_median_db: median(&self.psnr),
            latency_median_ms: median(&self.latency),
            sound_dbfs: level,
            ..self.step
        }
    }
}

/// Two steps, or one, as one.
fn join(steps: &[Step]) -> Step {
    let sum = |value: fn(&Step) -> u32| steps.iter().map(value).fold(0, u32::saturating_add);
    let known = |value: fn(&Step) -> Option<f32>| steps.iter().filter_map(value).collect::<Vec<f32>>();
    let greatest = |value| known(value).into_iter().reduce(f32::max);
    let mean = |value| {
        let known = known(value);
        (!known.is_empty()).then(|| known.iter().sum::<f32>() / known.len() as f32)
    };
    Step {
        pictures: sum(|s| s.pictures),
        pictures_concealed: sum(|s| s.pictures_concealed),
        interval_max_ms: greatest(|s| s.interval_max_ms),
        psnr_min_db: known(|s| s.psnr_min_db).into_iter().reduce(f32::min),
        psnr_median_db: mean(|s| s.psnr_median_db),
        latency_median_ms: mean(|s| s.latency_median_ms),
        latency_max_ms: greatest(|s| s.latency_max_ms),
        video_buffer_ms: greatest(|s| s.video_buffer_ms),
        audio_buffer_ms: greatest(|s| s.audio_buffer_ms),
        packets_given_up: sum(|s| s.packets_given_up),
        decode_errors: sum(|s| s.decode_errors),
        keyframes_asked: sum(|s| s.keyframes_asked),
        sound_dbfs: mean(|s| s.sound_dbfs),
        sound_concealed: sum(|s| s.sound_concealed),
        dropouts: sum(|s| s.dropouts),
    }
}

fn ms(time: Duration) -> f32 {
    time.as_secs_f32() * 1e3
}

fn raise(most: &mut Option<f32>, value: f32) {
    *most = Some(most.map_or(value, |most| most.max(value)));
}

fn lower(least: &mut Option<f32>, value: f32) {
    *least = Some(least.map_or(value, |least| least.min(value)));
}

fn keep(values: &mut Vec<f32>, value: f32) {
    if values.len() < MOST_VALUES {
        values.push(value);
    }
}

/// The value in the middle; of an even number of them the lower one.
fn median(values: &[f32]) -> Option<f32> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        Picture::new(640, 480).unwrap()
    }

    fn at(ms: u64) -> Time {
        Time::from_millis(10_000 + ms)
    }

    #[test]
    fn steps_hold_what_fell_into_them_and_a_gap_is_a_long_interval() {
        let mut line = TimelineBuilder::new();
        for (ms, psnr) in [(0, 40.0), (100, 30.0), (200, 35.0), (2_500, 20.0)] {
            let seen = PictureMeasured { psnr_db: Some(psnr), latency_ms: None };
            line.picture(at(ms), &picture(), psnr < 25.0, seen);
        }
        let line = line.timeline();
        assert_eq!((line.start, line.step_s, line.steps.len()), (Some(at(0)), 1, 3));
        let [first, second, third] = line.steps[..] else { panic!() };
        assert_eq!((first.pictures, first.psnr_min_db, first.psnr_median_db), (3, Some(30.0), Some(35.0)));
        assert_eq!(first.interval_max_ms, Some(100.0));
        assert_eq!(second, Step::default());
        assert_eq!((third.pictures, third.pictures_concealed, third.interval_max_ms), (1, 1, Some(2_300.0)));
        assert_eq!(third.latency_median_ms, None);
    }

    #[test]
    fn a_long_call_takes_longer_steps_and_keeps_its_sums() {
        let mut line = TimelineBuilder::new();
        for second in 0..3_000 {
            line.picture(at(second * 1_000), &picture(), false, PictureMeasured::default());
        }
        assert!(line.steps.len() < MOST_STEPS && line.kept.len() <= MOST_PICTURES);
        let line = line.timeline();
        assert_eq!(line.step_s, 8);
        assert_eq!(line.steps.iter().map(|s| s.pictures).sum::<u32>(), 3_000);
        let span = line.pictures.last().unwrap().at - line.pictures[0].at;
        assert!(line.pictures.len() >= MOST_PICTURES / 2 && span > Duration::from_secs(2_000), "{line:?}");
        assert_eq!((line.pictures[0].size, line.pictures[0].of_size), ((192, 144), (640, 480)));
    }

    #[test]
    fn the_level_of_a_full_scale_sine_is_zero_and_silence_has_a_floor() {
        let sine: Vec<i16> =
            (0..4_800).map(|n| (32_767.0 * (n as f64 * std::f64::consts::TAU / 48.0).sin()) as i16).collect();
        let level = |samples: Vec<i16>| {
            let mut line = TimelineBuilder::new();
            line.sound(at(0), &Pcm::new(samples, 48_000, 1).unwrap());
            line.timeline().steps[0].sound_dbfs.unwrap()
        };
        assert!(level(sine).abs() < 0.01);
        assert_eq!(level(vec![0; 480]), FLOOR_DBFS);
        let empty = TimelineBuilder::new().timeline();
        assert!(empty.steps.is_empty() && empty.start.is_none());
    }
}
