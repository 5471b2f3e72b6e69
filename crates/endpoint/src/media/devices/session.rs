//! The devices of one call: opened on a thread of their own, since that takes its time, and closed with the call.

use super::report::{of, of_camera, of_microphone, of_speaker};
use super::{Desk, DeviceEvent, DeviceOptions};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use visavis_media::device::camera::{self, DeviceCamera};
use visavis_media::device::microphone::{self, DeviceMicrophone};
use visavis_media::device::sound::Shape;
use visavis_media::device::speaker::{self, DeviceSpeaker};
use visavis_media::device::{DeviceError, DeviceKind};
use visavis_media::live::voice::{Voice, VoiceConfig, voice};
use visavis_proto::io::CallHandle;
use visavis_report::DeviceReport;
use visavis_report::devices::{CameraReport, MicrophoneReport, SpeakerReport};

/// A device on its way.
pub(super) enum Slot<D, R> {
    /// Nobody has asked for it yet.
    Closed,
    Opening,
    Open(D),
    /// It did not open, or is lost, and this is what is left of it.
    Gone(DeviceError, R),
}

/// What a call has of devices.
pub(super) struct Session {
    pub(super) call: CallHandle,
    pub(super) desk: Arc<Desk>,
    pub(super) microphone: Mutex<Slot<DeviceMicrophone, MicrophoneReport>>,
    pub(super) speaker: Mutex<Slot<DeviceSpeaker, SpeakerReport>>,
    pub(super) camera: Mutex<Slot<DeviceCamera, CameraReport>>,
    /// What the camera was asked for: size, and pictures a second.
    pub(super) camera_wish: Mutex<((u32, u32), u32)>,
    muted: AtomicBool,
    /// Of microphone, speaker and camera: whether it was said that it is gone, and how often.
    said: [AtomicBool; 3],
    times_gone: [AtomicU32; 3],
    /// Whether what is gone is being tried again.
    pub(super) trying: AtomicBool,
}

impl Session {
    /// Begins to open microphone and speaker. `before` is what is left of a session that the call had until then.
    pub(super) fn start(
        call: CallHandle,
        desk: Arc<Desk>,
        muted: bool,
        before: Option<&DeviceReport>,
    ) -> Arc<Self> {
        let gone = |times: Option<u32>| AtomicU32::new(times.unwrap_or_default());
        let times_gone = [
            gone(before.and_then(|b| b.microphone.as_ref()).map(|m| m.times_gone)),
            gone(before.and_then(|b| b.speaker.as_ref()).map(|s| s.times_gone)),
            gone(before.and_then(|b| b.camera.as_ref()).map(|c| c.times_gone)),
        ];
        let session = Arc::new(Session {
            call,
            desk,
            microphone: Mutex::new(Slot::Closed),
            speaker: Mutex::new(Slot::Closed),
            camera: Mutex::new(Slot::Closed),
            camera_wish: Mutex::new(((640, 480), 30)),
            muted: AtomicBool::new(muted),
            said: Default::default(),
            times_gone,
            trying: AtomicBool::new(false),
        });
        let DeviceOptions { microphone, speaker, .. } = &session.desk.options;
        if microphone.is_some() {
            *lock(&session.microphone) = Slot::Opening;
        }
        if speaker.is_some() {
            *lock(&session.speaker) = Slot::Opening;
        }
        if microphone.is_some() || speaker.is_some() {
            let opened = Arc::clone(&session);
            session.aside(DeviceKind::Microphone, move || opened.open_sound());
        }
        session
    }

    /// Begins to open the camera in the mode nearest to this, once.
    pub(super) fn open_camera(self: &Arc<Self>, size: (u32, u32), fps: u32) {
        let mut slot = lock(&self.camera);
        let (Slot::Closed, Some(choice)) = (&*slot, self.desk.options.camera.clone()) else { return };
        *slot = Slot::Opening;
        drop(slot);
        *lock(&self.camera_wish) = (size, fps);
        let session = Arc::clone(self);
        self.aside(DeviceKind::Camera, move || {
            session.desk.closed();
            let opened = camera::open(&choice, size, fps, session.desk.now());
            if let Ok(camera) = &opened {
                session.tell_opened(DeviceKind::Camera, camera.name(), camera.mode().to_string());
            }
            put(&session.camera, opened);
        });
    }

    fn aside(self: &Arc<Self>, kind: DeviceKind, work: impl FnOnce() + Send + 'static) {
        let thread = std::thread::Builder::new().name(format!("visavis-open-{kind}"));
        if let Err(error) = thread.spawn(work) {
            // The call goes on as it does where a device takes for ever to open.
            tracing::error!(%error, %kind, "a device is not opened");
        }
    }

    fn open_sound(&self) {
        let desk = &self.desk;
        desk.closed();
        let microphone = desk.options.microphone.as_ref().map(|choice| microphone::open(choice, desk.now()));
        let speaker = desk.options.speaker.as_ref().map(|choice| speaker::open(choice, desk.now()));
        if let Some(Ok(microphone)) = &microphone {
            self.tell_opened(DeviceKind::Microphone, microphone.name(), microphone.shape().to_string());
        }
        if let Some(Ok(speaker)) = &speaker {
            self.tell_opened(DeviceKind::Speaker, speaker.name(), speaker.shape().to_string());
        }
        if let Some(opened) = speaker {
            put(&self.speaker, opened);
        }
        match microphone {
            Some(Ok(microphone)) => self.put_microphone(microphone),
            Some(Err(error)) => *lock(&self.microphone) = Slot::Gone(error, MicrophoneReport::default()),
            None => {}
        }
    }

    /// Takes a microphone into use, with what is done to its sound.
    pub(super) fn put_microphone(&self, mut microphone: DeviceMicrophone) {
        let config = self.desk.options.voice;
        let heard = mine(microphone.shape());
        if !self.cancel_echo(heard, |voice| microphone.set_voice(Some(voice)))
            && (config.noise || config.gain)
        {
            let rest = VoiceConfig { echo: false, ..config };
            microphone.set_voice(Some(Box::new(voice(rest, heard, heard).0)));
        }
        let mut slot = lock(&self.microphone);
        microphone.controls().volume().set_muted(self.muted.load(Ordering::Relaxed));
        *slot = Slot::Open(microphone);
    }

    /// Takes a speaker into use whose sound the microphone must not send back.
    pub(super) fn put_speaker(&self, speaker: DeviceSpeaker) {
        *lock(&self.speaker) = Slot::Open(speaker);
        let heard = match &*lock(&self.microphone) {
            Slot::Open(microphone) => mine(microphone.shape()),
            _ => return,
        };
        self.cancel_echo(heard, |voice| {
            // Another microphone that has come meanwhile has seen to it.
            match &mut *lock(&self.microphone) {
                Slot::Open(microphone) if mine(microphone.shape()) == heard => {
                    microphone.set_voice(Some(voice))
                }
                _ => {}
            }
        });
    }

    /// Makes an echo canceller between the open speaker and a microphone of `heard` (rate in Hz, channels), which
    /// `set` gives its end; whether there is one.
    fn cancel_echo(&self, heard: (u32, u8), set: impl FnOnce(Box<Voice>)) -> bool {
        let config = self.desk.options.voice;
        let played = match &*lock(&self.speaker) {
            Slot::Open(speaker) if config.echo => mine(speaker.shape()),
            _ => return false,
        };
        // It takes its time, in which nobody is to wait for a speaker or a microphone.
        let (voice, reference) = voice(config, heard, played);
        match &mut *lock(&self.speaker) {
            Slot::Open(speaker) if mine(speaker.shape()) == played => speaker.set_reference(reference),
            _ => return false,
        }
        set(Box::new(voice));
        true
    }

    pub(super) fn set_muted(&self, muted: bool) {
        self.muted.store(muted, Ordering::Relaxed);
        if let Slot::Open(microphone) = &*lock(&self.microphone) {
            microphone.controls().volume().set_muted(muted);
        }
    }

    /// Whether the microphone is silenced.
    pub(super) fn muted(&self) -> bool {
        self.muted.load(Ordering::Relaxed)
    }

    /// The microphone has ended.
    pub(super) fn lose_microphone(&self, slot: &mut Slot<DeviceMicrophone, MicrophoneReport>) {
        lose(&self.desk, slot, |m| (m.lost(), of_microphone(m)));
    }

    /// The speaker has ended.
    pub(super) fn lose_speaker(&self, slot: &mut Slot<DeviceSpeaker, SpeakerReport>) {
        lose(&self.desk, slot, |s| (s.lost(), of_speaker(s)));
    }

    /// The camera has ended.
    pub(super) fn lose_camera(&self, slot: &mut Slot<DeviceCamera, CameraReport>) {
        lose(&self.desk, slot, |c| (c.lost(), of_camera(c)));
    }

    fn tell_opened(&self, kind: DeviceKind, name: &str, form: String) {
        (self.desk.tell)(self.call, DeviceEvent::Opened { kind, name: name.to_owned(), form });
    }

    pub(super) fn tell_back(&self, kind: DeviceKind, name: &str, form: String) {
        (self.desk.tell)(self.call, DeviceEvent::Back { kind, name: name.to_owned(), form });
    }

    /// A device that was gone is in use: next time that is to be said again.
    pub(super) fn is_back(&self, kind: DeviceKind) {
        self.said[kind as usize].store(false, Ordering::Relaxed);
    }

    /// Says once what became of a device that is gone, and sees to it that it is tried again. `instead` is sent in its place.
    pub(super) fn tell_gone(self: &Arc<Self>, kind: DeviceKind, instead: Option<&'static str>) {
        let Some(error) = self.gone(kind) else { return };
        if !self.said[kind as usize].swap(true, Ordering::Relaxed) {
            self.times_gone[kind as usize].fetch_add(1, Ordering::Relaxed);
            (self.desk.tell)(self.call, DeviceEvent::Gone { error, instead });
            self.try_again();
        }
    }

    /// What is wrong with a device that is gone.
    pub(super) fn gone(&self, kind: DeviceKind) -> Option<DeviceError> {
        match kind {
            DeviceKind::Microphone => gone(&self.microphone),
            DeviceKind::Speaker => gone(&self.speaker),
            DeviceKind::Camera => gone(&self.camera),
        }
    }

    /// What the devices did so far.
    pub(super) fn report(&self) -> DeviceReport {
        let muted = self.muted();
        let [microphone, speaker, camera] = self.times_gone.each_ref().map(|n| n.load(Ordering::Relaxed));
        DeviceReport {
            microphone: of(&self.microphone, of_microphone).map(|(report, trouble)| MicrophoneReport {
                trouble,
                muted,
                times_gone: microphone,
                ..report
            }),
            speaker: of(&self.speaker, of_speaker).map(|(report, trouble)| SpeakerReport {
                trouble,
                times_gone: speaker,
                ..report
            }),
            camera: of(&self.camera, of_camera).map(|(report, trouble)| CameraReport {
                trouble,
                times_gone: camera,
                ..report
            }),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.desk.finished(self.call, self.report());
        let devices = (take(&mut self.microphone), take(&mut self.speaker), take(&mut self.camera));
        if let (None, None, None) = devices {
            return;
        }
        self.desk.close(devices);
    }
}

fn gone<D, R>(slot: &Mutex<Slot<D, R>>) -> Option<DeviceError> {
    match &*lock(slot) {
        Slot::Gone(error, _) => Some(error.clone()),
        _ => None,
    }
}

fn put<D, R: Default>(slot: &Mutex<Slot<D, R>>, opened: Result<D, DeviceError>) {
    *lock(slot) = match opened {
        Ok(device) => Slot::Open(device),
        Err(error) => Slot::Gone(error, R::default()),
    };
}

fn lose<D: Send + 'static, R>(
    desk: &Desk,
    slot: &mut Slot<D, R>,
    read: impl Fn(&D) -> (Option<DeviceError>, R),
) {
    let Slot::Open(device) = &*slot else { return };
    let (Some(error), report) = read(device) else { return };
    if let Slot::Open(device) = std::mem::replace(slot, Slot::Gone(error, report)) {
        desk.close(device);
    }
}

fn take<D, R>(slot: &mut Mutex<Slot<D, R>>) -> Option<D> {
    let slot = slot.get_mut().unwrap_or_else(PoisonError::into_inner);
    match std::mem::replace(slot, Slot::Closed) {
        Slot::Open(device) => Some(device),
        _ => None,
    }
}

/// The guard, also where a thread that had it panicked: what is in there is whole at any time.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Rate and channels as they come to us.
fn mine(shape: Shape) -> (u32, u8) {
    (shape.sample_rate, shape.ours())
}
