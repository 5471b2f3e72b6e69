//! A call's microphone: silence until it is open, its sound, and the end where it is gone.

use super::session::{Session, Slot, lock};
use std::sync::Arc;
use visavis_media::device::DeviceKind;
use visavis_media::sound::Pcm;
use visavis_media::source::AudioSource;
use visavis_media::source::fallback::AudioFallback;
use visavis_proto::Time;

pub(super) struct CallMicrophone(Arc<Session>);

impl CallMicrophone {
    pub(super) fn new(session: Arc<Session>) -> Self {
        CallMicrophone(session)
    }
}

impl AudioSource for CallMicrophone {
    fn pull(&mut self, captured: Time, sample_rate: u32, frames: usize) -> Option<Pcm> {
        let mut slot = lock(&self.0.microphone);
        match &mut *slot {
            Slot::Open(microphone) => {
                if let Some(sound) = microphone.pull(captured, sample_rate, frames) {
                    return Some(sound);
                }
                self.0.lose_microphone(&mut slot);
                None
            }
            Slot::Opening => Pcm::silence(frames, sample_rate, 1).ok().map(|p| p.at(captured)),
            Slot::Closed | Slot::Gone(..) => None,
        }
    }

    fn channels(&self) -> u8 {
        match &*lock(&self.0.microphone) {
            Slot::Open(microphone) => microphone.channels(),
            _ => 1,
        }
    }
}

/// The sound that a call sends, be it the microphone's or what has taken its place: mute holds for both.
pub(super) struct CallSound {
    session: Arc<Session>,
    sound: AudioFallback,
}

impl CallSound {
    pub(super) fn new(session: Arc<Session>, otherwise: Box<dyn AudioSource>) -> Self {
        let microphone = Box::new(CallMicrophone::new(Arc::clone(&session)));
        let lost = Arc::clone(&session);
        let told = Box::new(move || lost.tell_gone(DeviceKind::Microphone));
        CallSound { session, sound: AudioFallback::new(microphone, otherwise, told) }
    }
}

impl AudioSource for CallSound {
    fn pull(&mut self, captured: Time, sample_rate: u32, frames: usize) -> Option<Pcm> {
        let mut sound = self.sound.pull(captured, sample_rate, frames)?;
        if self.session.muted() && !matches!(*lock(&self.session.microphone), Slot::Open(_)) {
            sound.samples_mut().fill(0);
        }
        Some(sound)
    }

    fn channels(&self) -> u8 {
        self.sound.channels()
    }
}
