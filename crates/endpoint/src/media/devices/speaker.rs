//! A call's speaker: sound goes by unheard until it is open.

use super::session::{Session, Slot, lock};
use std::io;
use std::sync::Arc;
use visavis_media::sink::AudioSink;
use visavis_media::sound::Pcm;

pub(super) struct CallSpeaker(Arc<Session>);

impl CallSpeaker {
    pub(super) fn new(session: Arc<Session>) -> Self {
        CallSpeaker(session)
    }
}

impl AudioSink for CallSpeaker {
    fn play(&mut self, sound: &Pcm) -> io::Result<()> {
        let mut slot = lock(&self.0.speaker);
        match &mut *slot {
            Slot::Open(speaker) => {
                let played = speaker.play(sound);
                if played.is_err() {
                    self.0.lose_speaker(&mut slot);
                }
                played
            }
            Slot::Opening => Ok(()),
            Slot::Gone(error, _) => Err(io::Error::other(error.clone())),
            Slot::Closed => Err(io::ErrorKind::NotFound.into()),
        }
    }
}
