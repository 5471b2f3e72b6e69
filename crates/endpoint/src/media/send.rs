//! From a source to coded frames: one actor for each media section that is sent.

use super::Work;
use crate::driver::ToDriver;
use std::time::Duration;
use tokio::sync::mpsc;
use visavis_media::codec::{self, AudioEncoder, CodecError, VideoEncoder};
use visavis_media::picture::Picture;
use visavis_media::pixel;
use visavis_media::scale::{self, Scaler};
use visavis_media::sound::Pcm;
use visavis_media::source::{AudioSource, VideoSource};
use visavis_proto::Time;
use visavis_proto::frame::{AudioFormat, EncodedFrame, Rotation, VideoFormat};
use visavis_proto::io::{CallHandle, EncoderTarget};

/// How far a source may fall behind before what it missed is given up.
const MAX_BACKLOG: Duration = Duration::from_millis(200);

/// Where coded frames go.
pub(super) struct Outlet {
    pub(super) call: CallHandle,
    pub(super) section: usize,
    pub(super) requests: mpsc::WeakSender<ToDriver>,
}

impl Outlet {
    pub(super) fn send(&mut self, frame: EncodedFrame) {
        let Some(requests) = self.requests.upgrade() else { return };
        let (call, section) = (self.call, self.section);
        if requests.try_send(ToDriver::Frame { call, section, frame }).is_err() {
            tracing::debug!(call = call.0, section, "the driver has no room for a frame");
        }
    }
}

/// Encodes pictures.
pub(crate) struct VideoSender {
    source: Box<dyn VideoSource>,
    encoder: Box<dyn VideoEncoder>,
    format: VideoFormat,
    scaler: Scaler,
    target: EncoderTarget,
    /// Pictures a second that are encoded, and those that the source gave when that was settled.
    fps: f32,
    source_fps: f64,
    last: Option<Time>,
    /// Whether the peer turns pictures as it is told. Otherwise they are turned here.
    takes_rotation: bool,
    outlet: Outlet,
}

impl VideoSender {
    pub(super) fn new(
        mut source: Box<dyn VideoSource>,
        format: VideoFormat,
        target: EncoderTarget,
        takes_rotation: bool,
        outlet: Outlet,
    ) -> Result<Self, CodecError> {
        let fps = frame_rate(source.fps(), &format, &target, source.size());
        if let Some(size) = target_size(source.size(), &format, &target) {
            source.suit(size, fps.into());
        }
        let encoder = codec::open_video_encoder(&format, target.bitrate, fps)?;
        let (source_fps, scaler) = (source.fps(), Scaler::new());
        Ok(VideoSender {
            source,
            encoder,
            format,
            scaler,
            target,
            fps,
            source_fps,
            last: None,
            takes_rotation,
            outlet,
        })
    }

    pub(super) fn handle(&mut self, work: Work) {
        let Work::Target(target) = work else { return };
        if target.keyframe {
            self.encoder.request_keyframe();
        }
        self.follow(target);
    }

    /// Sets the encoder's rates to this target, and to what the source gives now.
    fn follow(&mut self, target: EncoderTarget) {
        let fps = frame_rate(self.source.fps(), &self.format, &target, self.source.size());
        if (target.bitrate, fps) != (self.target.bitrate, self.fps)
            && let Err(error) = self.encoder.set_rates(target.bitrate, fps)
        {
            tracing::warn!(%error, bitrate = target.bitrate, "the encoder keeps its old rate");
        }
        (self.target, self.fps, self.source_fps) = (target, fps, self.source.fps());
    }

    pub(super) fn tick(&mut self, now: Time) -> Option<Time> {
        let picture = self.source.next(now);
        // What comes from elsewhere may come faster or slower than before.
        if (self.source.fps() / self.source_fps - 1.0).abs() > 0.1 {
            self.follow(self.target);
        }
        if let Some(picture) = picture
            && self.wanted(&picture)
        {
            self.last = Some(picture.captured);
            let (picture, rotation) = match self.takes_rotation {
                true => (picture.clone(), picture.rotation),
                false => (pixel::upright(&picture), Rotation::None),
            };
            match self.fit(picture).and_then(|p| self.encoder.encode(&p)) {
                Ok(Some(frame)) => self.outlet.send(EncodedFrame { rotation, ..frame }),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "a picture was not sent"),
            }
        }
        self.source.due()
    }

    /// Leaves out the pictures that would be more a second than the peer takes.
    fn wanted(&self, picture: &Picture) -> bool {
        let source = self.source.fps() as f32;
        let Some(last) = self.last.filter(|_| source > self.fps * 1.01) else { return true };
        let interval = Duration::from_secs_f32(1.0 / self.fps);
        // Half a source interval early is as near as the source's grid comes.
        picture.captured.since(last) + Duration::from_secs_f32(0.5 / source) >= interval
    }

    /// Scales a picture to the size that peer and target take.
    fn fit(&mut self, picture: Picture) -> Result<Picture, CodecError> {
        let failed = |what| CodecError::Input { codec: self.format.codec, what };
        let size = target_size(picture.size(), &self.format, &self.target);
        let size = size.ok_or_else(|| failed("a peer that takes no picture of any size".into()))?;
        if size == picture.size() {
            return Ok(picture);
        }
        let scaled = self.scaler.scale(&picture, size);
        scaled.map_err(|error| failed(format!("a picture that cannot be scaled to {size:?}: {error}")))
    }
}

/// The size to send: the peer's limits, and those of the target.
pub(super) fn target_size(
    source: (u32, u32),
    format: &VideoFormat,
    target: &EncoderTarget,
) -> Option<(u32, u32)> {
    let smaller = |a: (u16, u16), b: (u16, u16)| (a.0.min(b.0), a.1.min(b.1));
    let max_size = match (format.max_size, target.size) {
        (Some(a), Some(b)) => Some(smaller(a, b)),
        (a, b) => a.or(b),
    };
    scale::fit(source, &VideoFormat { max_size, ..format.clone() })
}

/// The most pictures a second that source, peer and target allow.
pub(super) fn frame_rate(source: f64, format: &VideoFormat, target: &EncoderTarget, size: (u32, u32)) -> f32 {
    let size = target_size(size, format, target).unwrap_or(size);
    let wanted = target.fps.map_or(f32::MAX, f32::from);
    scale::max_frame_rate(size, format).min(wanted).min(source as f32).max(1.0)
}

/// Opens an encoder of sound; without a target its codec's own bit rate is taken.
pub(super) fn open_encoder(
    format: &AudioFormat,
    target: Option<&EncoderTarget>,
) -> Result<Box<dyn AudioEncoder>, CodecError> {
    let mut encoder = codec::open_audio_encoder(format, target.map(|target| target.bitrate))?;
    if let Some(target) = target {
        encoder.set_lossy(target.lossy)?;
    }
    Ok(encoder)
}

/// Tells an encoder of sound what to make from now on.
pub(super) fn aim(encoder: &mut dyn AudioEncoder, target: &EncoderTarget) {
    let told = encoder.set_bitrate(target.bitrate).and_then(|_| encoder.set_lossy(target.lossy));
    if let Err(error) = told {
        tracing::warn!(%error, ?target, "the encoder goes on as before");
    }
}

/// Encodes sound.
pub(crate) struct AudioSender {
    source: Box<dyn AudioSource>,
    encoder: Box<dyn AudioEncoder>,
    format: AudioFormat,
    /// When the next frame's last sample has been captured.
    due: Option<Time>,
    outlet: Outlet,
    ended: bool,
}

impl AudioSender {
    pub(super) fn new(
        source: Box<dyn AudioSource>,
        format: AudioFormat,
        target: Option<&EncoderTarget>,
        outlet: Outlet,
    ) -> Result<Self, CodecError> {
        let encoder = open_encoder(&format, target)?;
        Ok(AudioSender { source, encoder, format, due: None, outlet, ended: false })
    }

    pub(super) fn handle(&mut self, work: Work) {
        let Work::Target(target) = work else { return };
        aim(self.encoder.as_mut(), &target);
    }

    pub(super) fn tick(&mut self, now: Time) -> Option<Time> {
        let frame = self.frame_duration();
        let mut due = *self.due.get_or_insert(now + frame);
        if now.since(due) > MAX_BACKLOG {
            due = now;
        }
        while due <= now && !self.ended {
            // A microphone hands a block over when its last sample is in.
            self.encode(due.saturating_sub(frame));
            due += frame;
        }
        self.due = Some(due);
        self.due.filter(|_| !self.ended)
    }

    fn encode(&mut self, captured: Time) {
        let frames = self.format.samples_per_frame as usize;
        let Some(sound) = self.source.pull(captured, self.format.sample_rate, frames) else {
            self.ended = true;
            return;
        };
        match remix(sound, &self.format).and_then(|s| self.encoder.encode(&s)) {
            Ok(Some(frame)) => self.outlet.send(frame),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a frame of sound was not sent"),
        }
    }

    /// How long a frame lasts, and how much later than the frame its sound comes out of the decoder.
    pub(super) fn delay(&self) -> (Duration, Duration) {
        let rate = u64::from(self.format.sample_rate.max(1));
        let lag = Duration::from_nanos(u64::from(self.encoder.lag()) * 1_000_000_000 / rate);
        (self.frame_duration(), lag)
    }

    fn frame_duration(&self) -> Duration {
        let rate = u64::from(self.format.sample_rate.max(1));
        Duration::from_nanos(u64::from(self.format.samples_per_frame.max(1)) * 1_000_000_000 / rate)
    }
}

/// The same sound with the channels of this format.
pub(super) fn remix(sound: Pcm, format: &AudioFormat) -> Result<Pcm, CodecError> {
    let channels = format.channels;
    if sound.channels() == channels {
        return Ok(sound);
    }
    let samples: Vec<i16> = match channels {
        1 => sound
            .channel(0)
            .zip(sound.channel(1))
            .map(|(l, r)| ((i32::from(l) + i32::from(r)) / 2) as i16)
            .collect(),
        _ => sound.channel(0).flat_map(|s| [s, s]).collect(),
    };
    let captured = sound.captured;
    let remixed = Pcm::new(samples, sound.sample_rate(), channels).map(|s| s.at(captured));
    remixed.map_err(|error| CodecError::Input { codec: format.codec, what: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis_media::source::tone::ToneSource;
    use visavis_proto::frame::{Codec, ReceivedFrame};

    fn format(max_fs: u32, max_mbps: u32, max_size: Option<(u16, u16)>) -> VideoFormat {
        VideoFormat {
            codec: Codec::H264,
            profile_level_id: [0x42, 0xe0, 0x1f],
            max_fs,
            max_mbps,
            max_size,
            max_fps: None,
            max_bitrate: None,
            max_nal: None,
        }
    }

    const TARGET: EncoderTarget =
        EncoderTarget { bitrate: 500_000, size: None, fps: None, keyframe: false, lossy: false };

    #[test]
    fn pictures_keep_to_the_smaller_of_what_peer_and_target_want() {
        let format = format(3600, 108_000, Some((320, 240)));
        assert_eq!(target_size((640, 480), &format, &TARGET), Some((320, 240)));
        let target = EncoderTarget { size: Some((160, 120)), ..TARGET };
        assert_eq!(target_size((640, 480), &format, &target), Some((160, 120)));
    }

    /// What the encoder makes of a picture of 64 x 48 that is to be turned by a quarter: what goes out beside it, and
    /// the size of the picture in it.
    fn sent(takes_rotation: bool) -> (Rotation, (u32, u32)) {
        struct Once(Option<Picture>);
        impl VideoSource for Once {
            fn next(&mut self, _: Time) -> Option<Picture> {
                self.0.take()
            }
            fn due(&self) -> Option<Time> {
                None
            }
            fn size(&self) -> (u32, u32) {
                (64, 48)
            }
            fn fps(&self) -> f64 {
                30.0
            }
        }
        let picture = Picture::new(64, 48).unwrap().rotated(Rotation::Clockwise90);
        let (requests, mut frames) = mpsc::channel(4);
        let outlet = Outlet { call: CallHandle(1), section: 0, requests: requests.downgrade() };
        let source = Box::new(Once(Some(picture)));
        let format = format(3600, 108_000, None);
        let mut sender = VideoSender::new(source, format, TARGET, takes_rotation, outlet).unwrap();
        sender.tick(Time::from_millis(1));
        let Ok(ToDriver::Frame { frame, .. }) = frames.try_recv() else { panic!("a frame") };
        let mut decoder = codec::open_video_decoder(Codec::H264).unwrap();
        let received = ReceivedFrame {
            codec: Codec::H264,
            payload_type: 96,
            data: frame.data,
            timestamp: 0,
            received: Time::ZERO,
            play_at: Time::ZERO,
            keyframe: true,
            lost_packets: 0,
            complete: true,
            rotation: frame.rotation,
        };
        let decoded = decoder.decode(&received).unwrap().expect("a picture");
        (frame.rotation, decoded.picture.size())
    }

    #[test]
    fn a_picture_is_turned_here_where_the_peer_does_not_turn_it() {
        assert_eq!(sent(true), (Rotation::Clockwise90, (64, 48)));
        assert_eq!(sent(false), (Rotation::None, (48, 64)));
    }

    #[test]
    fn the_frame_rate_keeps_to_macroblocks_a_second() {
        let level_1_3 = format(396, 11_880, None);
        assert_eq!(frame_rate(30.0, &level_1_3, &TARGET, (352, 288)), 30.0);
        assert_eq!(frame_rate(30.0, &format(396, 5_940, None), &TARGET, (352, 288)), 15.0);
        let slow = EncoderTarget { fps: Some(10), ..TARGET };
        assert_eq!(frame_rate(30.0, &level_1_3, &slow, (352, 288)), 10.0);
    }

    #[test]
    fn sound_has_redundancy_from_the_first_frame_where_packets_are_lost() {
        let format = AudioFormat {
            codec: Codec::Opus,
            sample_rate: 48_000,
            clock_rate: 48_000,
            channels: 1,
            samples_per_frame: 960,
            config: Default::default(),
            max_bitrate: None,
        };
        for lossy in [false, true] {
            let target = EncoderTarget { bitrate: 40_000, lossy, ..TARGET };
            let mut encoder = open_encoder(&format, Some(&target)).unwrap();
            let mut source = ToneSource::new(Default::default());
            let mut coded = (1..=20u64).filter_map(|n| {
                let sound = source.pull(Time::from_millis(20 * n), 48_000, 960).unwrap();
                encoder.encode(&remix(sound, &format).unwrap()).unwrap()
            });
            // RFC 6716 section 3.1: configurations from 16 on are CELT only, which has none.
            assert_eq!(coded.all(|frame| frame.data[0] >> 3 < 16), lossy);
        }
    }
}
