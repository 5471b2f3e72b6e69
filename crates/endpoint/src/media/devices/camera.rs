//! A call's camera: opened once it is known what the peer takes. Where there is none, a card says so.

use super::session::{Session, Slot, lock};
use std::sync::Arc;
use std::time::Duration;
use visavis_media::device::{DeviceError, DeviceKind, Trouble};
use visavis_media::picture::Picture;
use visavis_media::source::file::png::StillSource;
use visavis_media::source::pattern::card;
use visavis_media::source::{FrameRate, VideoSource};
use visavis_proto::Time;

/// What a camera is asked for where nobody says otherwise.
const WISH: ((u32, u32), f64) = ((640, 480), 30.0);

/// How often it is looked whether it is open.
const POLL: Duration = Duration::from_millis(20);

/// Pictures of the card, a second.
const CARD_RATE: u32 = 5;

pub(super) struct CallCamera {
    session: Arc<Session>,
    /// Size and rate: what is wanted, or what the camera gives.
    size: (u32, u32),
    fps: f64,
    due: Option<Time>,
    card: Option<StillSource>,
    ended: bool,
}

impl CallCamera {
    /// A camera that is to be `wish`: size and pictures a second.
    pub(super) fn new(session: Arc<Session>, wish: Option<((u32, u32), f64)>) -> Self {
        let (size, fps) = wish.unwrap_or(WISH);
        CallCamera { session, size, fps, due: None, card: None, ended: false }
    }

    /// A card in place of a camera that is not there; the end of the source where it is something else.
    fn without(&mut self, error: &DeviceError) {
        let (width, height) = self.size;
        let drawn = has_card(error).then(|| card(width, height, "no camera").ok()).flatten();
        match drawn.zip(FrameRate::new(CARD_RATE, 1)) {
            Some((picture, rate)) => {
                self.fps = rate.as_f64();
                self.card = Some(StillSource::new(picture, rate));
            }
            None => self.ended = true,
        }
    }
}

/// Whether a card stands for a camera with this trouble.
pub(super) fn has_card(error: &DeviceError) -> bool {
    error.trouble == Trouble::Absent
}

impl VideoSource for CallCamera {
    fn next(&mut self, now: Time) -> Option<Picture> {
        if let Some(card) = &mut self.card {
            return card.next(now);
        }
        self.due = Some(now + POLL);
        let session = Arc::clone(&self.session);
        let mut slot = lock(&session.camera);
        let error = match &mut *slot {
            Slot::Open(camera) if !camera.ended() => {
                let picture = camera.next(now);
                (self.size, self.fps, self.due) = (camera.size(), camera.fps(), camera.due());
                return picture;
            }
            Slot::Open(_) => {
                session.lose_camera(&mut slot);
                None
            }
            Slot::Gone(error, _) => Some(error.clone()),
            Slot::Opening => return None,
            Slot::Closed => {
                // Whoever stands between did not pass on what it is to suit.
                drop(slot);
                session.open_camera(self.size, self.fps.ceil() as u32);
                return None;
            }
        };
        drop(slot);
        match error {
            Some(error) => self.without(&error),
            None => self.ended = true,
        }
        // Its first time, from which it knows when it is due.
        let first = self.card.as_mut()?.next(now);
        session.tell_gone(DeviceKind::Camera);
        first
    }

    fn due(&self) -> Option<Time> {
        match &self.card {
            Some(card) => card.due(),
            None => self.due,
        }
    }

    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn fps(&self) -> f64 {
        self.fps
    }

    fn suit(&mut self, size: (u32, u32), fps: f64) {
        (self.size, self.fps) = (size, fps);
        self.session.open_camera(size, fps.ceil() as u32);
    }

    fn ended(&self) -> bool {
        self.ended
    }
}
