//! A call's microphone: silence until it is open, its sound, and nothing while it is gone.

use super::session::{Session, Slot, lock};
use std::sync::Arc;
use visavis_media::device::DeviceKind;
use visavis_media::sound::Pcm;
use visavis_media::source::AudioSource;
use visavis_media::source::fallback::AudioFallback;
use visavis_proto::Time;

struct CallMicrophone {
    session: Arc<Session>,
    /// What is sent while it is gone, in words.
    instead: &'static str,
}

impl AudioSource for CallMicrophone {
    fn pull(&mut self, captured: Time, sample_rate: u32, frames: usize) -> Option<Pcm> {
        let mut slot = lock(&self.session.microphone);
        match &mut *slot {
            Slot::Open(microphone) => {
                if let Some(sound) = microphone.pull(captured, sample_rate, frames) {
                    return Some(sound);
                }
                self.session.lose_microphone(&mut slot);
            }
            Slot::Opening => return silence(captured, sample_rate, frames),
            Slot::Closed | Slot::Gone(..) => {}
        }
        drop(slot);
        self.session.tell_gone(DeviceKind::Microphone, Some(self.instead));
        None
    }

    fn channels(&self) -> u8 {
        match &*lock(&self.session.microphone) {
            Slot::Open(microphone) => microphone.channels(),
            _ => 1,
        }
    }
}

/// Stands in for a microphone where there is nothing else to send, so that the stream of sound goes on.
struct Silence;

impl AudioSource for Silence {
    fn pull(&mut self, captured: Time, sample_rate: u32, frames: usize) -> Option<Pcm> {
        silence(captured, sample_rate, frames)
    }

    fn channels(&self) -> u8 {
        1
    }
}

fn silence(captured: Time, sample_rate: u32, frames: usize) -> Option<Pcm> {
    Pcm::silence(frames, sample_rate, 1).ok().map(|sound| sound.at(captured))
}

/// The sound that a call sends, be it the microphone's or what stands in for it: mute holds for both.
pub(super) struct CallSound {
    session: Arc<Session>,
    sound: AudioFallback,
}

impl CallSound {
    pub(super) fn new(session: Arc<Session>, otherwise: Option<Box<dyn AudioSource>>) -> Self {
        let (otherwise, instead) = match otherwise {
            Some(otherwise) => (otherwise, "the test tone"),
            None => (Box::new(Silence) as _, "silence"),
        };
        let microphone = Box::new(CallMicrophone { session: Arc::clone(&session), instead });
        CallSound { session, sound: AudioFallback::new(microphone, otherwise) }
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
