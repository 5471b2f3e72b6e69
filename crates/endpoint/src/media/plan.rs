//! What calls send, and what becomes of what they receive.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use visavis_media::judge::JudgeConfig;
use visavis_media::sink::{AudioSink, VideoSink};
use visavis_media::source::pattern::PatternSource;
use visavis_media::source::tone::{Tone, ToneSource};
use visavis_media::source::{AudioSource, FrameRate, VideoSource};
use visavis_proto::frame::MediaKind;
use visavis_proto::io::CallHandle;

/// What calls send, and what becomes of what they receive.
#[derive(Clone, Default)]
pub struct MediaPlan {
    /// What is sent.
    pub send: Sending,
    /// What becomes of what is received.
    pub receive: Receiving,
}

/// What is sent.
#[derive(Clone)]
pub enum Sending {
    /// Nothing.
    Nothing,
    /// What arrives, frame by frame, without coding it again.
    Echo,
    /// What arrives, decoded and coded again: at once, without waiting for the time to play it at.
    Mirror,
    /// What these sources make.
    Sources(Arc<dyn Sources>),
}

impl MediaPlan {
    /// Whether anything is decoded here.
    pub(super) fn wants_frames(&self) -> bool {
        matches!(self.send, Sending::Mirror) || self.receive.wants_frames()
    }
}

impl Sending {
    pub(super) fn sources(&self) -> Option<&dyn Sources> {
        match self {
            Sending::Sources(sources) => Some(sources.as_ref()),
            Sending::Nothing | Sending::Echo | Sending::Mirror => None,
        }
    }
}

impl Default for Sending {
    /// The test pattern and its tone.
    fn default() -> Self {
        Sending::Sources(Arc::new(TestSources::default()))
    }
}

/// Makes the sources of each call.
pub trait Sources: Send + Sync {
    /// A source of pictures for a call; `None`: this call sends none.
    fn video(&self, call: CallHandle) -> Option<Box<dyn VideoSource>>;
    /// A source of sound for a call; `None`: this call sends none.
    fn audio(&self, call: CallHandle) -> Option<Box<dyn AudioSource>>;
}

/// The moving test pattern, and the tone that belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct TestSources {
    /// Width and height, pixels.
    pub size: (u32, u32),
    /// Pictures a second.
    pub fps: u32,
    /// The tone.
    pub tone: Tone,
}

impl Default for TestSources {
    /// 640x480, 30 pictures a second.
    fn default() -> Self {
        TestSources { size: (640, 480), fps: 30, tone: Tone::default() }
    }
}

impl Sources for TestSources {
    fn video(&self, _: CallHandle) -> Option<Box<dyn VideoSource>> {
        let rate = FrameRate::new(self.fps.clamp(1, 120), 1)?;
        match PatternSource::new(self.size.0, self.size.1, rate) {
            Ok(pattern) => Some(Box::new(pattern)),
            Err(error) => {
                tracing::error!(%error, "no test pattern of this size");
                None
            }
        }
    }

    fn audio(&self, _: CallHandle) -> Option<Box<dyn AudioSource>> {
        Some(Box::new(ToneSource::new(self.tone)))
    }
}

/// Where the received pictures and sound of calls go, besides judge and recorder.
///
/// What a sink gets is stamped with the time to play or show it at, by the endpoint's [`Clock`](crate::Clock)
/// and with sound and pictures in step. Sinks run on a codec thread, which serves other calls too: neither they
/// nor what makes them may wait.
pub trait Sinks: Send + Sync {
    /// Where a call's sound is played; `None`: nowhere, for now. Asked with the first sound of the call, and where there was
    /// none, with the first one after each offer and answer.
    fn audio(&self, call: CallHandle) -> Option<Box<dyn AudioSink>>;
    /// Where a call's pictures are shown; `None`: nowhere, for now. Asked as for sound.
    fn video(&self, call: CallHandle) -> Option<Box<dyn VideoSink>>;
    /// A sink of this call failed, and gets nothing more. By default it is logged.
    fn failed(&self, call: CallHandle, kind: MediaKind, error: &io::Error) {
        tracing::warn!(%error, call = call.0, kind = kind.as_str(), "nothing more is played");
    }
}

/// What becomes of what is received.
#[derive(Clone, Default)]
pub struct Receiving {
    /// Decode it and measure it against the test pattern and its tone.
    pub judge: Option<JudgeConfig>,
    /// Record it.
    pub record: Option<Recording>,
    /// Keep what decoders and judge saw second by second, and a few small pictures, for a report
    /// ([`MediaReport::timeline`](visavis_report::MediaReport::timeline)).
    pub timeline: bool,
    /// Play and show it.
    pub sinks: Option<Arc<dyn Sinks>>,
}

impl Receiving {
    fn wants_frames(&self) -> bool {
        self.judge.is_some() || self.record.is_some() || self.timeline || self.sinks.is_some()
    }
}

impl fmt::Debug for Receiving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Receiving { judge, record, timeline, sinks } = self;
        f.debug_struct("Receiving")
            .field("judge", judge)
            .field("record", record)
            .field("timeline", timeline)
            .field("sinks", &sinks.is_some())
            .finish()
    }
}

/// Where recordings go.
#[derive(Clone, Debug)]
pub struct Recording {
    /// An existing directory: one file `call-N.mp4` for each call. Anything else: the file itself, for one call.
    pub path: PathBuf,
    /// Keep received AAC-LD and AAC-ELD as a second sound track.
    pub keep_aac: bool,
}

impl Recording {
    pub(super) fn file(&self, call: CallHandle) -> PathBuf {
        if self.path.is_dir() { self.path.join(format!("call-{}.mp4", call.0)) } else { self.path.clone() }
    }
}
