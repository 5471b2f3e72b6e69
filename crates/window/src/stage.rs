//! What is to be seen: told by whoever runs the call, read by whoever draws it.

use crate::reel::Reel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use visavis_media::Picture;
use visavis_proto::Time;

/// How long a note is shown.
const NOTE: Duration = Duration::from_secs(2);

/// How a call stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Phase {
    /// There is none; what is waited for.
    #[default]
    Waiting,
    /// It was placed, and nobody has answered.
    Calling,
    /// Somebody calls, and is to be answered or declined.
    Ringing,
    /// It is up, since then.
    Up(Instant),
    /// It is over, after this long (`None`: it was never up).
    Over {
        /// From the answer to the end.
        lasted: Option<Duration>,
        /// Whether its verdict was good; `None` where there is none yet.
        good: Option<bool>,
    },
}

/// What is said beside the pictures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// How the call stands.
    pub phase: Phase,
    /// Who is at the other end, or who is waited for.
    pub peer: String,
    /// What happens, in a line or a few: ringing, why it is over, the verdict.
    pub words: Vec<String>,
    /// Codec and quality, a line for each medium.
    pub quality: Vec<String>,
}

/// What is to be seen: cheap to clone, and the clones are one. Nothing here waits for the screen.
#[derive(Clone, Default)]
pub struct Stage(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Tells the window that there is something new.
    bell: Mutex<Option<Box<dyn Fn() + Send>>>,
}

#[derive(Default)]
struct State {
    facts: Facts,
    call: Option<u64>,
    remote: Reel,
    shown: Option<Picture>,
    own: Option<Picture>,
    muted: bool,
    camera_off: bool,
    /// What is said for a moment, and until when.
    note: Option<(String, Instant)>,
    closed: bool,
    /// Something changed since it was looked at last.
    changed: bool,
}

/// What is to be on the screen at one moment.
#[derive(Clone, Debug, Default)]
pub struct Screen {
    /// What is said.
    pub facts: Facts,
    /// The peer's picture.
    pub remote: Option<Picture>,
    /// Our own, as it is sent.
    pub own: Option<Picture>,
    /// Silence is sent.
    pub muted: bool,
    /// Dark pictures are sent.
    pub camera_off: bool,
    /// What is said for a moment.
    pub note: Option<String>,
}

impl Stage {
    /// An empty one: nobody calls.
    pub fn new() -> Self {
        Stage::default()
    }

    /// Says what stands beside the pictures, and whose call's pictures these are; those of another are taken away.
    pub fn tell(&self, call: Option<u64>, facts: Facts) {
        self.change(|state| {
            if state.call != call {
                state.call = call;
                state.remote = Reel::default();
                (state.shown, state.own) = (None, None);
            }
            state.facts = facts;
        });
    }

    /// Takes a picture of the peer of this call, to be shown at its `captured` time by the wall clock. What belongs to
    /// a call that is not on the stage is not shown.
    pub fn remote_picture(&self, call: u64, picture: Picture) {
        self.put(call, |state| state.remote.put(picture));
    }

    /// Takes a picture of ours that goes into this call, to be shown at once.
    pub fn own_picture(&self, call: u64, picture: Picture) {
        self.put(call, |state| state.own = Some(picture));
    }

    /// Has silence sent, or ends that.
    pub fn set_muted(&self, muted: bool) {
        self.change(|state| state.muted = muted);
    }

    /// Turns the camera off or on; gives whether it is off then.
    pub fn turn_camera(&self) -> bool {
        self.change(|state| {
            state.camera_off = !state.camera_off;
            state.camera_off
        })
    }

    /// Whether silence is to be sent.
    pub fn is_muted(&self) -> bool {
        self.state().muted
    }

    /// Whether dark pictures are to be sent.
    pub fn camera_is_off(&self) -> bool {
        self.state().camera_off
    }

    /// Our own picture that was sent last.
    pub fn own(&self) -> Option<Picture> {
        self.state().own.clone()
    }

    /// Width and height of the peer's picture that is shown, pixels.
    pub fn remote_size(&self) -> Option<(u32, u32)> {
        self.state().shown.as_ref().map(Picture::size)
    }

    /// How the call stands.
    pub fn phase(&self) -> Phase {
        self.state().facts.phase.clone()
    }

    /// Says something for a moment.
    pub fn note(&self, text: &str) {
        self.change(|state| state.note = Some((text.to_owned(), Instant::now() + NOTE)));
    }

    /// Closes the window, for good.
    pub fn close(&self) {
        self.change(|state| state.closed = true);
    }

    /// Whether the window is to be closed.
    pub fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Whether there is something new to draw at `now`, and how long until there will be by itself.
    pub fn look(&self, now: Time) -> (bool, Option<Duration>) {
        let mut state = self.state();
        if let Some(picture) = state.remote.take(now) {
            state.shown = Some(picture);
            state.changed = true;
        }
        let left = state.note.as_ref().map(|(_, until)| until.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            (state.note, state.changed) = (None, true);
        }
        let left = left.filter(|left| !left.is_zero());
        (std::mem::take(&mut state.changed), state.remote.wait(now).into_iter().chain(left).min())
    }

    /// What is to be on the screen.
    pub fn screen(&self) -> Screen {
        let state = self.state();
        Screen {
            facts: state.facts.clone(),
            remote: state.shown.clone(),
            own: state.own.clone(),
            muted: state.muted,
            camera_off: state.camera_off,
            note: state.note.as_ref().map(|(text, _)| text.clone()),
        }
    }

    /// Whom to tell that there is something new; nobody else from then on.
    #[cfg(feature = "native")]
    pub(crate) fn tells(&self, bell: Option<Box<dyn Fn() + Send>>) {
        *self.0.bell.lock().unwrap_or_else(PoisonError::into_inner) = bell;
    }

    fn put(&self, call: u64, put: impl FnOnce(&mut State)) {
        if self.state().call == Some(call) {
            self.change(put);
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let result = change(&mut state);
        // Whoever was told and has not looked yet need not be told again.
        let first = !std::mem::replace(&mut state.changed, true);
        drop(state);
        if first && let Some(bell) = &*self.0.bell.lock().unwrap_or_else(PoisonError::into_inner) {
            bell();
        }
        result
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("facts", &self.state().facts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "native")]
    use std::sync::atomic::{AtomicU32, Ordering};

    fn picture(ms: u64) -> Picture {
        Picture::new(16, 16).unwrap().at(Time::from_millis(ms)).numbered(ms)
    }

    fn shown(stage: &Stage) -> Option<u64> {
        stage.screen().remote.map(|picture| picture.sequence)
    }

    #[test]
    fn pictures_of_the_call_on_the_stage_are_shown_and_go_with_it() {
        let stage = Stage::new();
        stage.tell(Some(1), Facts::default());
        stage.remote_picture(1, picture(40));
        stage.remote_picture(2, picture(41));
        stage.own_picture(1, picture(0));
        assert_eq!(stage.look(Time::from_millis(30)), (true, Some(Duration::from_millis(10))));
        assert_eq!(shown(&stage), None, "its time has not come");
        assert_eq!(stage.look(Time::from_millis(45)), (true, None));
        assert_eq!(stage.look(Time::from_millis(46)), (false, None), "nothing is new");
        assert_eq!((shown(&stage), stage.remote_size()), (Some(40), Some((16, 16))));
        stage.tell(Some(1), Facts { peer: "Ann".into(), ..Facts::default() });
        assert!(shown(&stage).is_some() && stage.own().is_some());
        stage.tell(Some(2), Facts::default());
        assert!(shown(&stage).is_none() && stage.own().is_none());
    }

    #[cfg(feature = "native")]
    #[test]
    fn the_window_is_told_once_until_it_looks() {
        let (stage, rung) = (Stage::new(), Arc::new(AtomicU32::new(0)));
        let bell = rung.clone();
        stage.tells(Some(Box::new(move || {
            bell.fetch_add(1, Ordering::Relaxed);
        })));
        stage.tell(Some(1), Facts::default());
        (0..10).for_each(|ms| stage.own_picture(1, picture(ms)));
        assert_eq!(rung.load(Ordering::Relaxed), 1);
        assert!(stage.look(Time::ZERO).0);
        stage.set_muted(true);
        assert_eq!(rung.load(Ordering::Relaxed), 2);
        stage.close();
        assert!(stage.is_closed() && stage.is_muted());
    }
}
