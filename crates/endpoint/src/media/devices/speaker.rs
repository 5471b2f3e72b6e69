//! A call's speaker: sound goes by unheard until it is open, and while it is gone.

use super::session::{Session, Slot, lock};
use std::io;
use std::sync::Arc;
use visavis_media::device::DeviceKind;
use visavis_media::sink::AudioSink;
use visavis_media::sound::Pcm;

pub(super) struct CallSpeaker(Arc<Session>);

impl CallSpeaker {
    pub(super) fn new(session: Arc<Session>) -> Self {
        CallSpeaker(session)
    }
}

impl AudioSink for CallSpeaker {
    /// Fails never: whoever plays would give a sink up that did, and the speaker may come back.
    fn play(&mut self, sound: &Pcm) -> io::Result<()> {
        let mut slot = lock(&self.0.speaker);
        match &mut *slot {
            Slot::Open(speaker) => {
                let Err(error) = speaker.play(sound) else { return Ok(()) };
                tracing::debug!(%error, "sound was not played");
                self.0.lose_speaker(&mut slot);
            }
            Slot::Opening => return Ok(()),
            Slot::Closed | Slot::Gone(..) => {}
        }
        drop(slot);
        self.0.tell_gone(DeviceKind::Speaker, None);
        Ok(())
    }
}
