//! A call's camera: opened once it is known what the peer takes. While there is none, a card says so.

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
    /// What is sent while it is gone, in words; a card beside that.
    instead: Option<&'static str>,
    /// Size and rate: what is wanted, or what the camera gives.
    size: (u32, u32),
    fps: f64,
    due: Option<Time>,
    card: Option<StillSource>,
    /// It gives neither pictures nor a card.
    gone: bool,
}

impl CallCamera {
    /// A camera that is to be as the pictures of `otherwise` are, which stands in for it.
    pub(super) fn new(session: Arc<Session>, otherwise: Option<&dyn VideoSource>) -> Self {
        let (size, fps) = otherwise.map_or(WISH, |o| (o.size(), o.fps()));
        let instead = otherwise.map(|_| "the test pattern");
        CallCamera { session, instead, size, fps, due: None, card: None, gone: false }
    }

    /// A picture of the card, where one stands for a camera with this trouble.
    fn without(&mut self, error: &DeviceError, now: Time) -> Option<Picture> {
        let session = Arc::clone(&self.session);
        if error.trouble == Trouble::Absent && self.card.is_none() {
            let (width, height) = self.size;
            let drawn = card(width, height, "no camera").ok();
            self.card = drawn.zip(FrameRate::new(CARD_RATE, 1)).map(|(p, rate)| StillSource::new(p, rate));
        }
        self.gone = self.card.is_none();
        let Some(card) = &mut self.card else {
            session.tell_gone(DeviceKind::Camera, self.instead);
            return None;
        };
        let picture = card.next(now);
        (self.fps, self.due) = (card.fps(), card.due());
        session.tell_gone(DeviceKind::Camera, Some("a card"));
        picture
    }
}

impl VideoSource for CallCamera {
    fn next(&mut self, now: Time) -> Option<Picture> {
        self.due = Some(now + POLL);
        let session = Arc::clone(&self.session);
        let mut slot = lock(&session.camera);
        if matches!(&*slot, Slot::Open(camera) if camera.ended()) {
            session.lose_camera(&mut slot);
        }
        match &mut *slot {
            Slot::Open(camera) => {
                let picture = camera.next(now);
                (self.size, self.fps) = (camera.size(), camera.fps());
                // One that ends at this moment is to be asked once more.
                self.due = camera.due().or(self.due);
                (self.card, self.gone) = (None, false);
                picture
            }
            Slot::Gone(error, _) => {
                let error = error.clone();
                drop(slot);
                self.without(&error, now)
            }
            Slot::Opening => None,
            Slot::Closed => {
                // Whoever stands between did not pass on what it is to suit.
                drop(slot);
                session.open_camera(self.size, self.fps.ceil() as u32);
                None
            }
        }
    }

    fn due(&self) -> Option<Time> {
        self.due
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
        self.gone
    }
}
