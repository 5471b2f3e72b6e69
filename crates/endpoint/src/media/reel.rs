//! A few seconds of test pattern or tone, coded once and played over and over: sending them costs no encoder.
//!
//! A reel must look to a judge as the endless original does. So it lasts whole seconds, in which the tone has whole
//! turns, and its encoder has run for a second before it begins, so that end and beginning join without a click. The
//! numbers and capture times in its pictures cannot grow for ever; it has two halves, numbered so that at each seam
//! the one goes forward and the other back, which is how a source looks that starts anew.

use super::TestSources;
use super::send::{frame_rate, remix, target_size};
use bytes::Bytes;
use std::time::Duration;
use visavis_media::codec::{self, CodecError};
use visavis_media::source::AudioSource;
use visavis_media::source::pattern::{Pattern, Stamp};
use visavis_media::source::tone::ToneSource;
use visavis_proto::Time;
use visavis_proto::frame::{AudioFormat, Codec, VideoFormat};
use visavis_proto::io::{EncoderTarget, MediaFormat};

/// The capture time of the first frame: a whole second of some day.
const ORIGIN: Time = Time::from_millis(1_700_000_000_000);
/// The length of each half of a reel of pictures, seconds.
const HALF: u64 = 2;
/// The number of the first picture of the first half; the second half begins with 0.
const FIRST_NUMBER: u32 = 1_000_000;
/// The least and the greatest length of a reel of sound, seconds.
const SOUND: std::ops::RangeInclusive<u64> = 2..=16;
/// How much an audio encoder codes before what is kept.
const RUN_UP: Duration = Duration::from_secs(1);

/// Coded frames that are played over and over.
#[derive(Clone, Debug)]
pub(crate) struct Reel {
    frames: Vec<ReelFrame>,
    length: Duration,
}

/// A frame of a reel.
#[derive(Clone, Debug)]
pub(crate) struct ReelFrame {
    /// When it is due, from the start of the reel.
    pub(crate) at: Duration,
    pub(crate) data: Bytes,
    /// Length of the sound, RTP clock ticks.
    pub(crate) duration: u32,
    pub(crate) keyframe: bool,
}

impl Reel {
    /// Codes what these sources would send in this format.
    pub(crate) fn new(
        sources: &TestSources,
        format: &MediaFormat,
        target: &EncoderTarget,
    ) -> Result<Reel, CodecError> {
        match format {
            MediaFormat::Audio(format) => Reel::sound(sources, format, target),
            MediaFormat::Video(format) => Reel::pictures(sources, format, target),
        }
    }

    /// The frame at a place, and when it is due, both counted from the start on over all rounds; `None` for a reel
    /// without frames.
    pub(crate) fn frame(&self, place: u64) -> Option<(Duration, &ReelFrame)> {
        let count = self.frames.len() as u64;
        let round = u32::try_from(place.checked_div(count)?).ok()?;
        let frame = self.frames.get((place % count) as usize)?;
        Some((self.length.checked_mul(round)? + frame.at, frame))
    }

    /// The next place from `place` on at which a decoder can start.
    pub(crate) fn keyframe(&self, place: u64) -> Option<u64> {
        let count = self.frames.len() as u64;
        (place..place + count).find(|p| self.frame(*p).is_some_and(|(_, frame)| frame.keyframe))
    }

    fn pictures(
        sources: &TestSources,
        format: &VideoFormat,
        target: &EncoderTarget,
    ) -> Result<Reel, CodecError> {
        let failed = |what: String| CodecError::Format { codec: Codec::H264, what };
        let size = target_size(sources.size, format, target)
            .ok_or_else(|| failed("the peer takes no picture of any size".into()))?;
        let fps = frame_rate(f64::from(sources.fps), format, target, sources.size);
        // Whole pictures a second: one of them lies on the second, as the tone's marker does.
        let rate = u64::from((fps.floor() as u32).max(1));
        let pattern = Pattern::new(size.0, size.1).map_err(|e| failed(e.to_string()))?;
        let mut encoder = codec::open_video_encoder(format, target.bitrate, rate as f32)?;
        let mut frames = Vec::new();
        for index in 0..2 * HALF * rate {
            let (half, place) = (index / (HALF * rate), index % (HALF * rate));
            if place == 0 {
                encoder.request_keyframe();
            }
            let at = Duration::from_nanos(index * 1_000_000_000 / rate);
            let number = place as u32 + if half == 0 { FIRST_NUMBER } else { 0 };
            let captured = ORIGIN + at;
            let picture = pattern.draw(Stamp::new(number, captured)).at(captured).numbered(index);
            if let Some(frame) = encoder.encode(&picture)? {
                frames.push(ReelFrame { at, data: frame.data, duration: 0, keyframe: frame.keyframe });
            }
        }
        Ok(Reel { frames, length: Duration::from_secs(2 * HALF) })
    }

    fn sound(
        sources: &TestSources,
        format: &AudioFormat,
        target: &EncoderTarget,
    ) -> Result<Reel, CodecError> {
        let (rate, samples) =
            (u64::from(format.sample_rate.max(1)), u64::from(format.samples_per_frame.max(1)));
        let time = |frame: u64| Duration::from_nanos(frame * samples * 1_000_000_000 / rate);
        let count = frames_in_whole_seconds(rate, samples);
        let run_up = (RUN_UP.as_secs() * rate).div_ceil(samples);
        let mut source = ToneSource::new(sources.tone);
        let mut encoder = codec::open_audio_encoder(format, Some(target.bitrate))?;
        let mut frames = Vec::new();
        for index in 0..run_up + count {
            let captured = (ORIGIN + time(index)).saturating_sub(time(run_up));
            let Some(sound) = source.pull(captured, format.sample_rate, samples as usize) else { break };
            let Some(frame) = encoder.encode(&remix(sound, format)?)? else { continue };
            if let Some(place) = index.checked_sub(run_up) {
                let (data, duration) = (frame.data, frame.duration);
                frames.push(ReelFrame { at: time(place), data, duration, keyframe: frame.keyframe });
            }
        }
        Ok(Reel { frames, length: time(count) })
    }
}

/// How many frames of this many samples fill whole seconds; where it takes too many, those of the shortest reel.
fn frames_in_whole_seconds(rate: u64, samples: u64) -> u64 {
    let whole = SOUND.map(|seconds| seconds * rate).find(|total| total % samples == 0);
    whole.map_or_else(|| (SOUND.start() * rate).div_ceil(samples), |total| total / samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis_media::judge::{Judge, JudgeConfig};
    use visavis_proto::frame::{MediaKind, ReceivedFrame, Rotation};

    const TARGET: EncoderTarget =
        EncoderTarget { bitrate: 500_000, size: None, fps: None, keyframe: false, lossy: false };

    fn received(codec: Codec, (at, frame): (Duration, &ReelFrame)) -> ReceivedFrame {
        let now = Time::from_millis(5_000) + at;
        ReceivedFrame {
            codec,
            payload_type: 96,
            data: frame.data.clone(),
            timestamp: 0,
            received: now,
            play_at: now,
            keyframe: frame.keyframe,
            lost_packets: 0,
            complete: true,
            rotation: Rotation::None,
        }
    }

    /// Decodes and judges so many frames of a reel.
    fn judge(reel: &Reel, format: &MediaFormat, frames: u64) -> visavis_media::judge::Judgement {
        let mut judge = Judge::new(JudgeConfig::default());
        let codec = format.codec();
        let frames = (0..frames).map(|place| received(codec, reel.frame(place).unwrap()));
        let mut now = Time::ZERO;
        match format {
            MediaFormat::Audio(format) => {
                let mut decoder = codec::open_audio_decoder(format).unwrap();
                for frame in frames {
                    now = frame.received;
                    decoder.receive(&frame).sound.iter().for_each(|sound| judge.sound(sound));
                }
            }
            MediaFormat::Video(_) => {
                let mut decoder = codec::open_video_decoder(codec).unwrap();
                for frame in frames {
                    now = frame.received;
                    if let Some(decoded) = decoder.decode(&frame).unwrap() {
                        judge.picture(&decoded.picture, now);
                    }
                }
            }
        }
        judge.judgement(now)
    }

    #[test]
    fn pictures_go_round_without_a_freeze_or_a_loss() {
        let format = MediaFormat::Video(VideoFormat {
            codec: Codec::H264,
            profile_level_id: [0x42, 0xe0, 0x1f],
            max_fs: 1_200,
            max_mbps: 36_000,
            max_size: None,
            max_fps: None,
            max_bitrate: None,
            max_nal: None,
        });
        let sources = TestSources { size: (320, 240), fps: 15, ..TestSources::default() };
        let reel = Reel::new(&sources, &format, &TARGET).unwrap();
        assert_eq!(reel.length, Duration::from_secs(4));
        let seen = judge(&reel, &format, 3 * 60).video;
        assert_eq!((seen.received, seen.read, seen.repeated, seen.missing), (180, 180, 0, 0));
        assert_eq!(seen.restarts, 5, "at each seam");
        assert!(seen.longest_freeze_ms.is_some_and(|ms| ms < 100.0), "{seen:?}");
        assert!(seen.psnr_db.is_some_and(|db| db.median > 30.0), "{seen:?}");
        assert_eq!([0, 1, 31].map(|place| reel.keyframe(place)), [Some(0), Some(30), Some(60)]);
    }

    fn sound(codec: Codec, rates: (u32, u32), samples_per_frame: u32) -> MediaFormat {
        let (sample_rate, clock_rate) = rates;
        let config = Bytes::new();
        let format = AudioFormat {
            codec,
            sample_rate,
            clock_rate,
            channels: 1,
            samples_per_frame,
            config,
            max_bitrate: None,
        };
        assert_eq!(codec.kind(), MediaKind::Audio);
        MediaFormat::Audio(format)
    }

    #[test]
    fn a_tone_goes_round_without_a_click() {
        for format in [
            sound(Codec::Pcmu, (8_000, 8_000), 160),
            sound(Codec::G722, (16_000, 8_000), 320),
            sound(Codec::Opus, (48_000, 48_000), 960),
        ] {
            let target = EncoderTarget { bitrate: 64_000, ..TARGET };
            let reel = Reel::new(&TestSources::default(), &format, &target).unwrap();
            assert_eq!((reel.length, reel.frames.len()), (Duration::from_secs(2), 100), "{format:?}");
            let heard = judge(&reel, &format, 400).audio;
            assert!(heard.tone_hz.is_some_and(|hz| (hz - 997.0).abs() < 0.5), "{format:?}: {heard:?}");
            assert_eq!((heard.dropouts, heard.silence_share), (0, Some(0.0)), "{format:?}: {heard:?}");
            assert!(heard.markers >= 7, "{format:?}: {heard:?}");
        }
    }

    #[test]
    fn a_reel_of_sound_lasts_whole_seconds_where_that_is_not_too_long() {
        assert_eq!(frames_in_whole_seconds(8_000, 160), 100);
        assert_eq!(frames_in_whole_seconds(44_100, 480), 735, "8 s");
        assert_eq!(frames_in_whole_seconds(22_050, 480), 735, "16 s");
        assert_eq!(frames_in_whole_seconds(44_100, 512), 173, "128 s would be too long");
    }
}
