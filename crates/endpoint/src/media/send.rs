//! From a source to coded frames: one actor for each media section that is sent.

use super::Work;
use crate::driver::ToDriver;
use std::time::Duration;
use tokio::sync::mpsc;
use visavis_media::codec::{self, AudioEncoder, CodecError, VideoEncoder};
use visavis_media::picture::Picture;
use visavis_media::source::{AudioSource, VideoSource};
use visavis_proto::Time;
use visavis_proto::frame::{AudioFormat, EncodedFrame, VideoFormat};
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
    fn send(&mut self, frame: EncodedFrame) {
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
    target: EncoderTarget,
    fps: f32,
    last: Option<Time>,
    outlet: Outlet,
}

impl VideoSender {
    pub(super) fn new(
        source: Box<dyn VideoSource>,
        format: VideoFormat,
        target: EncoderTarget,
        outlet: Outlet,
    ) -> Result<Self, CodecError> {
        let fps = frame_rate(source.fps(), &format, &target, source.size());
        let encoder = codec::open_video_encoder(&format, target.bitrate, fps)?;
        Ok(VideoSender { source, encoder, format, target, fps, last: None, outlet })
    }

    pub(super) fn handle(&mut self, work: Work) {
        let Work::Target(target) = work else { return };
        if target.keyframe {
            self.encoder.request_keyframe();
        }
        let fps = frame_rate(self.source.fps(), &self.format, &target, self.source.size());
        if (target.bitrate, fps) != (self.target.bitrate, self.fps)
            && let Err(error) = self.encoder.set_rates(target.bitrate, fps)
        {
            tracing::warn!(%error, bitrate = target.bitrate, "the encoder keeps its old rate");
        }
        (self.target, self.fps) = (target, fps);
    }

    pub(super) fn tick(&mut self, now: Time) -> Option<Time> {
        if let Some(picture) = self.source.next(now)
            && self.wanted(&picture)
        {
            self.last = Some(picture.captured);
            match self.fit(picture).and_then(|p| self.encoder.encode(&p)) {
                Ok(Some(frame)) => self.outlet.send(frame),
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

    fn fit(&mut self, picture: Picture) -> Result<Picture, CodecError> {
        let (width, height) = target_size(picture.size(), &self.format, &self.target);
        if (width, height) == picture.size() {
            return Ok(picture);
        }
        Ok(picture)
    }
}

/// The largest size of the same shape, in whole macroblocks, that the peer takes.
fn target_size((width, height): (u32, u32), format: &VideoFormat, target: &EncoderTarget) -> (u32, u32) {
    let mut scale = 1.0f64;
    for (w, h) in [format.max_size, target.size].into_iter().flatten() {
        scale = scale.min(f64::from(w) / f64::from(width)).min(f64::from(h) / f64::from(height));
    }
    loop {
        let fit = |n: u32| ((f64::from(n) * scale / 2.0).round() as u32 * 2).max(16);
        let (w, h) = if scale == 1.0 { (width, height) } else { (fit(width), fit(height)) };
        if macroblocks(w, h) <= format.max_fs.max(1) || (w, h) == (16, 16) {
            return (w, h);
        }
        // The square root of the excess, and a little more for the rounding to whole macroblocks.
        let excess = f64::from(format.max_fs.max(1)) / f64::from(macroblocks(w, h));
        scale *= excess.sqrt().min(0.995);
    }
}

fn macroblocks(width: u32, height: u32) -> u32 {
    width.div_ceil(16) * height.div_ceil(16)
}

/// The most pictures a second that source, peer and target allow.
fn frame_rate(source: f64, format: &VideoFormat, target: &EncoderTarget, size: (u32, u32)) -> f32 {
    let (width, height) = target_size(size, format, target);
    let by_level = f64::from(format.max_mbps) / f64::from(macroblocks(width, height).max(1));
    let named = [format.max_fps, target.fps].into_iter().flatten().map(f64::from);
    named.fold(source.min(by_level), f64::min).max(1.0) as f32
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
        bitrate: Option<u32>,
        outlet: Outlet,
    ) -> Result<Self, CodecError> {
        let encoder = codec::open_audio_encoder(&format, bitrate)?;
        Ok(AudioSender { source, encoder, format, due: None, outlet, ended: false })
    }

    pub(super) fn handle(&mut self, work: Work) {
        let Work::Target(target) = work else { return };
        if let Err(error) = self.encoder.set_bitrate(target.bitrate) {
            tracing::warn!(%error, bitrate = target.bitrate, "the encoder keeps its old rate");
        }
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
        match self.encoder.encode(&sound) {
            Ok(Some(frame)) => self.outlet.send(frame),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a frame of sound was not sent"),
        }
    }

    fn frame_duration(&self) -> Duration {
        let rate = u64::from(self.format.sample_rate.max(1));
        Duration::from_nanos(u64::from(self.format.samples_per_frame.max(1)) * 1_000_000_000 / rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis_proto::frame::Codec;

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

    const TARGET: EncoderTarget = EncoderTarget { bitrate: 500_000, size: None, fps: None, keyframe: false };

    #[test]
    fn pictures_are_scaled_to_what_the_peer_takes_and_keep_their_shape() {
        assert_eq!(target_size((640, 480), &format(3600, 108_000, None), &TARGET), (640, 480));
        let (w, h) = target_size((1280, 720), &format(1620, 40_500, None), &TARGET);
        assert!(macroblocks(w, h) <= 1620 && w * 9 / 16 >= h - 2 && w * 9 / 16 <= h + 2, "{w}x{h}");
        assert_eq!(target_size((640, 480), &format(3600, 108_000, Some((320, 240))), &TARGET), (320, 240));
        let (w, h) = target_size((640, 480), &format(99, 1485, None), &TARGET);
        assert!(macroblocks(w, h) <= 99 && w >= 160, "{w}x{h}");
    }

    #[test]
    fn the_frame_rate_keeps_to_macroblocks_a_second() {
        let level_1_3 = format(396, 11_880, None);
        assert_eq!(frame_rate(30.0, &level_1_3, &TARGET, (352, 288)), 30.0);
        assert_eq!(frame_rate(30.0, &format(396, 5_940, None), &TARGET, (352, 288)), 15.0);
        let slow = EncoderTarget { fps: Some(10), ..TARGET };
        assert_eq!(frame_rate(30.0, &level_1_3, &slow, (352, 288)), 10.0);
    }
}
