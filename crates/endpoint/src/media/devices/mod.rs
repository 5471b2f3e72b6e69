//! Microphone, speaker and camera of a call. One call has them at a time; others send what they would without.

mod again;
mod camera;
mod microphone;
mod report;
mod session;
mod speaker;

use self::camera::CallCamera;
use self::microphone::CallSound;
use self::session::{Session, lock};
use self::speaker::CallSpeaker;
use super::{Sinks, Sources};
use crate::clock::Clock;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;
use visavis_media::device::{Choice, DeviceError, DeviceKind, Now};
use visavis_media::live::voice::VoiceConfig;
use visavis_media::sink::{AudioSink, VideoSink};
use visavis_media::source::fallback::VideoFallback;
use visavis_media::source::{AudioSource, VideoSource};
use visavis_proto::io::CallHandle;
use visavis_report::DeviceReport;

/// Calls that are remembered for [`Devices::report`] once they are over.
const REMEMBERED: usize = 64;

/// How long devices of a call may take to close before the next call's are opened, or what became of them is told, all the same.
const CLOSING: Duration = Duration::from_secs(3);

/// Which devices calls get.
#[derive(Clone, Debug, Default)]
pub struct DeviceOptions {
    /// Where sound comes from; `None`: not from a device.
    pub microphone: Option<Choice>,
    /// Where sound goes; `None`: nowhere.
    pub speaker: Option<Choice>,
    /// Where pictures come from; `None`: not from a device.
    pub camera: Option<Choice>,
    /// Begin with a silent microphone.
    pub muted: bool,
    /// What is done to the microphone's sound.
    pub voice: VoiceConfig,
}

/// What became of a call's devices.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DeviceEvent {
    /// One was opened.
    Opened {
        /// What it is.
        kind: DeviceKind,
        /// Its name.
        name: String,
        /// What it was opened with, in words: `48000 Hz, 2 channels, i16`.
        form: String,
    },
    /// One could not be opened, or was lost. The call goes on, and the device is tried again every other second,
    /// unless it has no form that can be used.
    Gone {
        /// What is wrong, and what to do about it.
        error: DeviceError,
        /// What is sent in its place; `None` for a speaker.
        instead: Option<&'static str>,
    },
    /// One that was gone could be opened.
    Back {
        /// What it is.
        kind: DeviceKind,
        /// Its name.
        name: String,
        /// What it was opened with, in words.
        form: String,
    },
    /// Another call has the devices: this one goes on without.
    Taken {
        /// The call that has them.
        by: CallHandle,
    },
}

/// The devices of an endpoint's calls: give it to [`Sending::Sources`](super::Sending::Sources) and
/// [`Receiving::sinks`](super::Receiving::sinks). Clones share the devices.
#[derive(Clone)]
pub struct Devices(Arc<Desk>);

/// Told of what becomes of devices, from any thread.
type Tell = Box<dyn Fn(CallHandle, DeviceEvent) + Send + Sync>;

/// What is common to all calls.
struct Desk {
    options: DeviceOptions,
    /// Whether calls begin with a silent microphone.
    muted: AtomicBool,
    clock: Clock,
    otherwise: Arc<dyn Sources>,
    tell: Tell,
    book: Mutex<Book>,
    /// A session is over, and in the book as such.
    over: Condvar,
    /// How many are closing devices, or trying lost ones: nothing else is opened before they have.
    closing: Arc<(Mutex<u32>, Condvar)>,
}

/// Who has the devices, and who had them.
#[derive(Default)]
struct Book {
    holder: Option<(CallHandle, Weak<Session>)>,
    /// Those who were told that they get none.
    refused: BTreeSet<CallHandle>,
    /// Whose sessions were begun and are not yet among the finished, each as often as there are such.
    begun: Vec<CallHandle>,
    finished: BTreeMap<CallHandle, DeviceReport>,
    /// Who has silenced the microphone, or not, as asked for last: on hold a call has none, and it stays so.
    muted: BTreeMap<CallHandle, bool>,
}

impl Devices {
    /// Devices for calls of an endpoint with this clock ([`Options::clock`](crate::Options::clock)). Calls without
    /// them, and kinds that are not asked for, send what `otherwise` has. `tell` hears what becomes of them.
    pub fn new(
        options: DeviceOptions,
        clock: Clock,
        otherwise: Arc<dyn Sources>,
        tell: impl Fn(CallHandle, DeviceEvent) + Send + Sync + 'static,
    ) -> Self {
        let (tell, book, over) = (Box::new(tell), Mutex::default(), Condvar::new());
        let muted = AtomicBool::new(options.muted);
        Devices(Arc::new(Desk {
            options,
            muted,
            clock,
            otherwise,
            tell,
            book,
            over,
            closing: Arc::default(),
        }))
    }

    /// Silences a call's microphone, or lets it be heard again; whether the call has one, or had one and may take it up again, as
    /// it does behind a hold.
    pub fn set_muted(&self, call: CallHandle, muted: bool) -> bool {
        let Devices(desk) = self;
        if desk.options.microphone.is_none() {
            return false;
        }
        let mut book = lock(&desk.book);
        if !book.begun.contains(&call) && !book.finished.contains_key(&call) {
            return false;
        }
        book.muted.insert(call, muted);
        if book.muted.len() > REMEMBERED {
            book.muted.pop_first();
        }
        // The end of a session takes the lock.
        drop(book);
        if let Some(session) = desk.session(call) {
            session.set_muted(muted);
        }
        true
    }

    /// Lets calls that have had no microphone yet begin with a silent one, or not, in place of [`DeviceOptions::muted`].
    pub fn begin_muted(&self, muted: bool) {
        self.0.muted.store(muted, Ordering::Relaxed);
    }

    /// What the devices did so far in a call, or did in one that is over; `None` where it had none.
    pub fn report(&self, call: CallHandle) -> Option<DeviceReport> {
        let Devices(desk) = self;
        if let Some(session) = desk.session(call) {
            return Some(session.report());
        }
        // A session that nobody has any more may still be on its way into the book, on the thread that had it last.
        let on_its_way = |book: &mut Book| book.begun.contains(&call);
        let waited = desk.over.wait_timeout_while(lock(&desk.book), CLOSING, on_its_way);
        let (book, _) = waited.unwrap_or_else(PoisonError::into_inner);
        book.finished.get(&call).cloned()
    }
}

impl Desk {
    fn now(&self) -> Now {
        let clock = self.clock;
        Arc::new(move || clock.now())
    }

    /// The call's devices, where it has them.
    fn session(&self, call: CallHandle) -> Option<Arc<Session>> {
        let book = lock(&self.book);
        book.holder.as_ref().filter(|(holder, _)| *holder == call).and_then(|(_, session)| session.upgrade())
    }

    /// Gives the devices to a call, unless another one has them.
    fn claim(self: &Arc<Self>, call: CallHandle) -> Option<Arc<Session>> {
        let mut book = lock(&self.book);
        // Dropped behind the lock, which the end of a session takes.
        let current = book.holder.as_ref().and_then(|(holder, s)| Some((*holder, s.upgrade()?)));
        let found = match current {
            Some((holder, session)) if holder == call => Ok(session),
            Some((holder, session)) => Err((book.refused.insert(call), holder, session)),
            None => {
                let muted =
                    book.muted.get(&call).copied().unwrap_or_else(|| self.muted.load(Ordering::Relaxed));
                let session = Session::start(call, Arc::clone(self), muted, book.finished.get(&call));
                book.holder = Some((call, Arc::downgrade(&session)));
                book.begun.push(call);
                Ok(session)
            }
        };
        if book.refused.len() > REMEMBERED {
            book.refused.pop_first();
        }
        drop(book);
        match found {
            Ok(session) => Some(session),
            Err((new, by, _)) => {
                if new {
                    (self.tell)(call, DeviceEvent::Taken { by });
                }
                None
            }
        }
    }

    /// A session is over: this is what is left of it.
    fn finished(&self, call: CallHandle, report: DeviceReport) {
        let Book { begun, finished, .. } = &mut *lock(&self.book);
        if let Some(at) = begun.iter().position(|begun| *begun == call) {
            begun.swap_remove(at);
        }
        finished.insert(call, report);
        if finished.len() > REMEMBERED {
            finished.pop_first();
        }
        self.over.notify_all();
    }

    /// Closes devices, which may take its time.
    fn close(&self, devices: impl Send + 'static) {
        let underway = self.underway();
        let close = move || {
            drop(devices);
            drop(underway);
        };
        if let Err(error) = std::thread::Builder::new().name("visavis-close".into()).spawn(close) {
            // They were closed here, then.
            tracing::error!(%error, "a device was closed where others wait");
        }
    }

    /// Lets others wait in [`Desk::closed`] until this is dropped.
    fn underway(&self) -> Underway {
        *lock(&self.closing.0) += 1;
        Underway(Arc::clone(&self.closing))
    }

    /// Waits until what was closed before is closed.
    fn closed(&self) {
        let (closing, done) = &*self.closing;
        // One that never closes must not keep others from being tried.
        drop(done.wait_timeout_while(lock(closing), CLOSING, |closing| *closing > 0));
    }
}

/// Somebody has to do with devices.
struct Underway(Arc<(Mutex<u32>, Condvar)>);

impl Drop for Underway {
    fn drop(&mut self) {
        let (count, done) = &*self.0;
        *lock(count) -= 1;
        done.notify_all();
    }
}

impl Sources for Devices {
    fn video(&self, call: CallHandle) -> Option<Box<dyn VideoSource>> {
        let Devices(desk) = self;
        let otherwise = desk.otherwise.video(call);
        if desk.options.camera.is_none() {
            return otherwise;
        }
        let Some(session) = desk.claim(call) else { return otherwise };
        let camera = Box::new(CallCamera::new(session, otherwise.as_deref()));
        Some(match otherwise {
            Some(otherwise) => Box::new(VideoFallback::new(camera, otherwise)),
            None => camera,
        })
    }

    fn audio(&self, call: CallHandle) -> Option<Box<dyn AudioSource>> {
        let Devices(desk) = self;
        let otherwise = desk.otherwise.audio(call);
        if desk.options.microphone.is_none() {
            return otherwise;
        }
        let Some(session) = desk.claim(call) else { return otherwise };
        Some(Box::new(CallSound::new(session, otherwise)))
    }
}

impl Sinks for Devices {
    fn audio(&self, call: CallHandle) -> Option<Box<dyn AudioSink>> {
        let Devices(desk) = self;
        desk.options.speaker.as_ref()?;
        let session = desk.claim(call)?;
        Some(Box::new(CallSpeaker::new(session)))
    }

    fn video(&self, _: CallHandle) -> Option<Box<dyn VideoSink>> {
        None
    }
}

#[cfg(test)]
mod tests;
