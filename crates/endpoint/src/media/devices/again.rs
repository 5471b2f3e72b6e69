//! What is gone is tried again as long as its call lasts, on a thread that audio and calls know nothing of.

use super::session::{Session, Slot, lock};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;
use visavis_media::device::{Choice, DeviceKind, Trouble, camera, microphone, speaker};

/// How often.
const AGAIN: Duration = Duration::from_secs(2);

impl Session {
    /// Begins with it. Once is enough for a call.
    pub(super) fn try_again(self: &Arc<Self>) {
        if self.trying.swap(true, Ordering::Relaxed) {
            return;
        }
        let session = Arc::downgrade(self);
        // Without the session: its end must not wait for a device, nor the devices' next call for either.
        let work = move || {
            while session.strong_count() > 0 {
                thread::sleep(AGAIN);
                for kind in [DeviceKind::Microphone, DeviceKind::Speaker, DeviceKind::Camera] {
                    again(&session, kind);
                }
            }
        };
        if let Err(error) = thread::Builder::new().name("visavis-again".into()).spawn(work) {
            tracing::error!(%error, "a device that is gone is not tried again");
        }
    }

    /// Which device is to be tried again.
    fn missing(&self, kind: DeviceKind) -> Option<Choice> {
        let options = &self.desk.options;
        let choice = match kind {
            DeviceKind::Microphone => &options.microphone,
            DeviceKind::Speaker => &options.speaker,
            DeviceKind::Camera => &options.camera,
        };
        // What has no usable form will have none next time.
        self.gone(kind).filter(|error| error.trouble != Trouble::Format).and(choice.clone())
    }

    /// Says that a device is back, and takes it into use.
    fn welcome(&self, kind: DeviceKind, name: &str, form: String, put: impl FnOnce()) {
        self.tell_back(kind, name, form);
        put();
        self.is_back(kind);
    }
}

/// Tries one device, if it is gone.
fn again(session: &Weak<Session>, kind: DeviceKind) {
    let Some(found) = session.upgrade() else { return };
    let (desk, (size, fps)) = (Arc::clone(&found.desk), *lock(&found.camera_wish));
    let Some(choice) = found.missing(kind) else { return };
    drop(found);
    // What was lost may be closing still; and who comes next waits until this has been seen to.
    desk.closed();
    let _underway = desk.underway();
    let tried = match kind {
        DeviceKind::Microphone => microphone::open(&choice, desk.now()).map(|microphone| {
            let Some(session) = session.upgrade() else { return };
            let (name, form) = (microphone.name().to_owned(), microphone.shape().to_string());
            session.welcome(kind, &name, form, || session.put_microphone(microphone));
        }),
        DeviceKind::Speaker => speaker::open(&choice, desk.now()).map(|speaker| {
            let Some(session) = session.upgrade() else { return };
            let (name, form) = (speaker.name().to_owned(), speaker.shape().to_string());
            session.welcome(kind, &name, form, || session.put_speaker(speaker));
        }),
        DeviceKind::Camera => camera::open(&choice, size, fps, desk.now()).map(|camera| {
            let Some(session) = session.upgrade() else { return };
            let (name, form) = (camera.name().to_owned(), camera.mode().to_string());
            session.welcome(kind, &name, form, || *lock(&session.camera) = Slot::Open(camera));
        }),
    };
    if let Err(error) = tried {
        tracing::debug!(%error, "still gone");
    }
}
