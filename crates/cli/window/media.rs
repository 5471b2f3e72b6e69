//! Pictures on their way to the stage.

use std::io;
use std::sync::Arc;
use visavis::media_codecs::Picture;
use visavis::media_codecs::sink::{AudioSink, VideoSink};
use visavis::media_codecs::source::{AudioSource, VideoSource};
use visavis::proto::frame::MediaKind;
use visavis::proto::io::CallHandle;
use visavis::{Sinks, Sources};
use visavis_window::{Mutable, SelfView, Stage};

/// What is sent, shown as well.
pub(super) struct Tapped {
    pub(super) sources: Arc<dyn Sources>,
    pub(super) stage: Stage,
}

impl Sources for Tapped {
    fn video(&self, call: CallHandle) -> Option<Box<dyn VideoSource>> {
        let source = self.sources.video(call)?;
        Some(Box::new(SelfView::new(source, &self.stage, call.0)))
    }

    fn audio(&self, call: CallHandle) -> Option<Box<dyn AudioSource>> {
        let source = self.sources.audio(call)?;
        Some(Box::new(Mutable::new(source, &self.stage)))
    }
}

/// Where what is received goes: its pictures to the stage, and all of it to whoever takes it besides.
pub(super) struct Pictures {
    pub(super) others: Option<Arc<dyn Sinks>>,
    pub(super) stage: Stage,
}

impl Sinks for Pictures {
    fn audio(&self, call: CallHandle) -> Option<Box<dyn AudioSink>> {
        self.others.as_ref()?.audio(call)
    }

    fn video(&self, call: CallHandle) -> Option<Box<dyn VideoSink>> {
        let other = self.others.as_ref().and_then(|others| others.video(call));
        Some(Box::new(Shown { call, stage: self.stage.clone(), other }))
    }

    fn failed(&self, call: CallHandle, kind: MediaKind, error: &io::Error) {
        if let Some(others) = &self.others {
            others.failed(call, kind, error);
        }
    }
}

struct Shown {
    call: CallHandle,
    stage: Stage,
    other: Option<Box<dyn VideoSink>>,
}

impl VideoSink for Shown {
    fn show(&mut self, picture: &Picture) -> io::Result<()> {
        self.stage.remote_picture(self.call.0, picture.clone());
        self.other.as_mut().map_or(Ok(()), |other| other.show(picture))
    }

    fn finish(&mut self) -> io::Result<()> {
        self.other.as_mut().map_or(Ok(()), |other| other.finish())
    }
}
