//! The devices of one call: opened on a thread of their own, since that takes its time, and closed with the call.

use super::{Desk, DeviceEvent, DeviceOptions};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use visavis_media::device::camera::{self, DeviceCamera};
use visavis_media::device::microphone::{self, DeviceMicrophone};
use visavis_media::device::sound::Shape;
use visavis_media::device::speaker::{self, DeviceSpeaker};
use visavis_media::device::{DeviceError, DeviceKind};
use visavis_media::live::capture::Effect;
use visavis_media::live::meter::Level;
use visavis_media::live::voice::{VoiceConfig, voice};
use visavis_proto::io::CallHandle;
use visavis_report::DeviceReport;
use visavis_report::devices::{CameraReport, MicrophoneReport, SoundForm, SpeakerReport};

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
    desk: Arc<Desk>,
    pub(super) microphone: Mutex<Slot<DeviceMicrophone, MicrophoneReport>>,
    pub(super) speaker: Mutex<Slot<DeviceSpeaker, SpeakerReport>>,
    pub(super) camera: Mutex<Slot<DeviceCamera, CameraReport>>,
    muted: AtomicBool,
    /// Of microphone, speaker and camera: whether it was said that it is gone.
    said: [AtomicBool; 3],
}

impl Session {
    /// Begins to open microphone and speaker.
    pub(super) fn start(call: CallHandle, desk: Arc<Desk>) -> Arc<Self> {
        let muted = AtomicBool::new(desk.options.muted);
        let session = Arc::new(Session {
            call,
            desk,
            microphone: Mutex::new(Slot::Closed),
            speaker: Mutex::new(Slot::Closed),
            camera: Mutex::new(Slot::Closed),
            muted,
            said: Default::default(),
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
        let session = Arc::clone(self);
        self.aside(DeviceKind::Camera, move || {
            session.desk.closed();
            let opened = camera::open(&choice, size, fps, session.desk.now());
            if let Ok(camera) = &opened {
                let mode = camera.mode();
                let ((width, height), fps) = (mode.size, mode.fps);
                let form = format!("{width}x{height}, {fps} pictures a second, {}", word(mode.format));
                session.tell_opened(DeviceKind::Camera, camera.name(), form);
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

    /// The microphone first, since the echo canceller between the two must know both.
    fn open_sound(&self) {
        let (desk, config) = (&self.desk, self.desk.options.voice);
        desk.closed();
        let mut microphone = desk.options.microphone.as_ref().map(|c| microphone::open(c, desk.now()));
        let heard = microphone.as_ref().and_then(|m| m.as_ref().ok()).map(|m| mine(m.shape()));
        let mut effect: Option<Box<dyn Effect>> = None;
        let speaker = desk.options.speaker.as_ref().map(|choice| {
            speaker::open(choice, desk.now(), |shape| {
                let (voice, reference) = voice(config, heard.filter(|_| config.echo)?, mine(shape));
                effect = Some(Box::new(voice));
                Some(reference)
            })
        });
        let rest = VoiceConfig { echo: false, ..config };
        if let Some(Ok(microphone)) = &mut microphone {
            if speaker.as_ref().is_none_or(Result::is_err) || effect.is_none() {
                effect =
                    heard.filter(|_| rest.noise || rest.gain).map(|h| Box::new(voice(rest, h, h).0) as _);
            }
            microphone.set_voice(effect);
            self.tell_opened(DeviceKind::Microphone, microphone.name(), form(microphone.shape()));
        }
        if let Some(Ok(speaker)) = &speaker {
            self.tell_opened(DeviceKind::Speaker, speaker.name(), form(speaker.shape()));
        }
        if let Some(opened) = microphone {
            let mut slot = lock(&self.microphone);
            if let Ok(microphone) = &opened {
                microphone.controls().volume().set_muted(self.muted.load(Ordering::Relaxed));
            }
            fill(&mut slot, opened);
        }
        if let Some(opened) = speaker {
            put(&self.speaker, opened);
        }
    }

    /// Whether this device was asked for.
    pub(super) fn has(&self, kind: DeviceKind) -> bool {
        let options = &self.desk.options;
        match kind {
            DeviceKind::Microphone => options.microphone.is_some(),
            DeviceKind::Speaker => options.speaker.is_some(),
            DeviceKind::Camera => options.camera.is_some(),
        }
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
        lose(&self.desk, slot, |m| (m.lost(), self.of_microphone(m)));
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

    /// Says once what became of a device that is gone.
    pub(super) fn tell_gone(&self, kind: DeviceKind) {
        let (error, instead) = match kind {
            DeviceKind::Microphone => (gone(&self.microphone), Some("the test tone")),
            DeviceKind::Speaker => (gone(&self.speaker), None),
            DeviceKind::Camera => (gone(&self.camera), Some("the test pattern")),
        };
        let Some(error) = error else { return };
        if !self.said[kind as usize].swap(true, Ordering::Relaxed) {
            let camera = kind == DeviceKind::Camera;
            let instead = if camera && super::camera::has_card(&error) { Some("a card") } else { instead };
            (self.desk.tell)(self.call, DeviceEvent::Gone { error, instead });
        }
    }

    /// What the devices did so far.
    pub(super) fn report(&self) -> DeviceReport {
        let muted = self.muted();
        DeviceReport {
            microphone: of(&self.microphone, |m| self.of_microphone(m))
                .map(|(report, trouble)| MicrophoneReport { trouble, muted, ..report }),
            speaker: of(&self.speaker, of_speaker)
                .map(|(report, trouble)| SpeakerReport { trouble, ..report }),
            camera: of(&self.camera, of_camera).map(|(report, trouble)| CameraReport { trouble, ..report }),
        }
    }

    fn of_microphone(&self, microphone: &DeviceMicrophone) -> MicrophoneReport {
        let (status, counts) = (microphone.status(), microphone.counts());
        let Level { peak, mean } = microphone.controls().meter().level();
        let measured = status.callbacks > 0;
        MicrophoneReport {
            opened: Some(sound_form(microphone.name(), microphone.shape())),
            trouble: None,
            muted: self.muted(),
            peak_dbfs: finite(peak),
            level_dbfs: finite(mean),
            underruns: counts.underruns,
            device_overruns: status.xruns,
            drift_ppm: measured.then_some(counts.drift),
            device_ms: status.latency.filter(|_| measured).map(millis),
            waiting_ms: microphone.waiting().filter(|_| measured).map(millis),
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

fn of_speaker(speaker: &DeviceSpeaker) -> SpeakerReport {
    let (status, counts) = (speaker.status(), speaker.feed().counts());
    let Level { peak, mean } = speaker.feed().meter().level();
    let measured = status.callbacks > 0;
    SpeakerReport {
        opened: Some(sound_form(speaker.name(), speaker.shape())),
        trouble: None,
        peak_dbfs: finite(peak),
        level_dbfs: finite(mean),
        underruns: counts.underruns,
        gaps: counts.gaps,
        device_underruns: status.xruns,
        drift_ppm: measured.then_some(counts.drift),
        waiting_ms: measured.then(|| millis(speaker.feed().delay())),
        device_ms: status.latency.filter(|_| measured).map(millis),
    }
}

fn of_camera(camera: &DeviceCamera) -> CameraReport {
    let mode = camera.mode();
    CameraReport {
        name: Some(camera.name().to_owned()),
        trouble: None,
        size: Some(mode.size),
        fps: Some(mode.fps),
        format: Some(word(mode.format)),
        pictures: camera.count(),
    }
}

/// The report on what is in a slot, and the trouble with it.
fn of<D, R: Default + Clone>(
    slot: &Mutex<Slot<D, R>>,
    read: impl Fn(&D) -> R,
) -> Option<(R, Option<String>)> {
    match &*lock(slot) {
        Slot::Closed => None,
        Slot::Opening => Some((R::default(), None)),
        Slot::Open(device) => Some((read(device), None)),
        Slot::Gone(error, report) => Some((report.clone(), Some(error.to_string()))),
    }
}

fn gone<D, R>(slot: &Mutex<Slot<D, R>>) -> Option<DeviceError> {
    match &*lock(slot) {
        Slot::Gone(error, _) => Some(error.clone()),
        _ => None,
    }
}

fn put<D, R: Default>(slot: &Mutex<Slot<D, R>>, opened: Result<D, DeviceError>) {
    fill(&mut lock(slot), opened);
}

fn fill<D, R: Default>(slot: &mut Slot<D, R>, opened: Result<D, DeviceError>) {
    *slot = match opened {
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

fn form(shape: Shape) -> String {
    let channels = if shape.channels == 1 { "channel" } else { "channels" };
    format!("{} Hz, {} {channels}, {}", shape.sample_rate, shape.channels, shape.form())
}

fn sound_form(name: &str, shape: Shape) -> SoundForm {
    SoundForm {
        name: name.to_owned(),
        sample_rate: shape.sample_rate,
        channels: shape.channels,
        format: shape.form(),
    }
}

fn word(format: visavis_media::pixel::PixelFormat) -> String {
    format!("{format:?}").to_lowercase()
}

fn finite(level: f32) -> Option<f32> {
    level.is_finite().then_some(level)
}

fn millis(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
