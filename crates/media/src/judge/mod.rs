//! Judges what arrived: reads the test pattern and listens to the tone behind the decoders.
//!
//! Feed every decoded picture and every stretch of sound to a [`Judge`], and ask it for a [`Judgement`] at any
//! time. A judgement holds measurements alone, and whether they are good is for others to say: what could not be
//! measured is `None`, never a guess. Memory stays bounded however long a call lasts.

mod audio;
mod marker;
mod spectrum;
mod statistics;
mod sync;
mod video;

pub use audio::AudioReport;
pub use statistics::Distribution;
pub use sync::SyncReport;
pub use video::{PSNR_IDENTICAL, PictureMeasured, VideoReport};

use crate::picture::Picture;
use crate::sound::Pcm;
use crate::source::tone::Tone;
use serde::Serialize;
use visavis_proto::time::Time;

/// What a [`Judge`] is told about the other side.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JudgeConfig {
    /// Whether the sender's wall clock and ours are the same, or known to agree to a millisecond: only then
    /// is latency measured.
    pub clocks_agree: bool,
    /// The size that the sender draws the pattern at, where that is known: pictures that arrive at another
    /// size are left out of the PSNR. `None` takes every picture for one drawn at the size that it has;
    /// where somebody scaled it on the way, the difference counts against it.
    pub sent_size: Option<(u32, u32)>,
    /// The tone that the sender plays; its marker's frequency is what is listened for.
    pub tone: Tone,
}

/// Everything measured so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Judgement {
    /// The pictures.
    pub video: VideoReport,
    /// The sound.
    pub audio: AudioReport,
    /// How they lie to each other; `None` where no marker was heard while pictures came.
    pub sync: Option<SyncReport>,
}

/// Measures decoded pictures and sound against the test pattern and its tone.
#[derive(Debug)]
pub struct Judge {
    video: video::VideoJudge,
    audio: audio::AudioJudge,
    sync: sync::SyncJudge,
}

impl Judge {
    /// A judge that has seen and heard nothing yet.
    pub fn new(config: JudgeConfig) -> Self {
        Judge {
            video: video::VideoJudge::new(config.clocks_agree, config.sent_size),
            audio: audio::AudioJudge::new(config.tone),
            sync: sync::SyncJudge::default(),
        }
    }

    /// Takes one picture that left the decoder at `decoded`. Its own `captured` is when it is to be shown, as
    /// decoders set it: lip sync is measured by that, latency, frame rate and freezes by `decoded`. Gives what
    /// was measured of it; `None` of a picture that is not the pattern's, or was there before.
    pub fn picture(&mut self, picture: &Picture, decoded: Time) -> Option<PictureMeasured> {
        let seen = self.video.picture(picture, decoded)?;
        let measured = seen.measured;
        self.sync.picture(seen);
        Some(measured)
    }

    /// Takes the next stretch of sound. Its `captured` is when its first sample is to be heard, on the clock
    /// of the pictures; where it leaves a hole behind the stretch before, that counts as a dropout.
    pub fn sound(&mut self, sound: &Pcm) {
        for marker in self.audio.sound(sound) {
            self.sync.marker(marker);
        }
    }

    /// Dropouts heard so far.
    pub fn dropouts(&self) -> u64 {
        self.audio.dropouts()
    }

    /// What was measured up to `now`; a freeze that goes on lasts until then.
    pub fn judgement(&self, now: Time) -> Judgement {
        Judgement { video: self.video.report(now), audio: self.audio.report(), sync: self.sync.report() }
    }
}
