//! A camera as a source of pictures. The newest picture wins: one that nobody took is replaced.

use super::{Choice, DeviceError, DeviceKind, Now, Trouble};
use crate::picture::Picture;
use crate::pixel::{PixelFormat, to_picture};
use crate::scale::Scaler;
use crate::source::VideoSource;
use nokhwa::Camera;
use nokhwa::NokhwaError;
use nokhwa::utils::{
    CameraFormat, CameraIndex, CameraInfo, FrameFormat, RequestedFormat, RequestedFormatType,
};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;
use visavis_proto::time::Time;

const KIND: DeviceKind = DeviceKind::Camera;

/// How often it is looked whether a picture has come.
const POLL: Duration = Duration::from_millis(4);
/// A camera that takes longer to open does not work.
const OPENING: Duration = Duration::from_secs(5);
/// A camera that takes longer to close is left to itself.
const CLOSING: Duration = Duration::from_secs(1);
/// A camera without a picture for this long is lost. In the dark some give five a second.
const SILENCE: Duration = Duration::from_secs(5);
/// Broken pictures in a row before a camera is given up.
const PATIENCE: u32 = 30;

/// A form in which a camera gives pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CameraMode {
    /// Width and height, pixels.
    pub size: (u32, u32),
    /// Pictures a second.
    pub fps: u32,
    /// How the pixels lie.
    pub format: PixelFormat,
}

impl CameraMode {
    /// How the pixels lie, in a word: `yuyv`, `jpeg`.
    pub fn form(&self) -> String {
        format!("{:?}", self.format).to_lowercase()
    }
}

impl fmt::Display for CameraMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CameraMode { size: (width, height), fps, .. } = self;
        write!(f, "{width}x{height}, {fps} pictures a second, {}", self.form())
    }
}

/// What a camera can do, and whether it could be opened.
#[derive(Clone, Debug)]
pub struct CameraDevice {
    /// Its name.
    pub name: String,
    /// All that it offers, or why it cannot be opened.
    pub opens: Result<Vec<CameraMode>, DeviceError>,
}

/// All cameras. Each is opened for a moment, since any file of the right name is in the system's list.
pub fn list() -> Vec<CameraDevice> {
    let devices = infos().into_iter().map(|info| {
        let name = info.human_name();
        let opens = connect(&info, &name).and_then(|mut camera| modes(&mut camera, &name));
        CameraDevice { name, opens }
    });
    devices.collect()
}

/// The cameras of Video4Linux, by their numbers. The library's own list ends the program where a name has no number.
#[cfg(target_os = "linux")]
fn infos() -> Vec<CameraInfo> {
    let nodes = std::fs::read_dir("/dev").into_iter().flatten().flatten();
    let number = |node: std::fs::DirEntry| node.file_name().to_str()?.strip_prefix("video")?.parse().ok();
    let mut numbers: Vec<u32> = nodes.filter_map(number).collect();
    numbers.sort_unstable();
    let info = |number: u32| {
        let path = format!("/dev/video{number}");
        let name = std::fs::read_to_string(format!("/sys/class/video4linux/video{number}/name"));
        let name = name.map_or_else(|_| path.clone(), |name| name.trim().to_owned());
        CameraInfo::new(&name, &path, "", CameraIndex::Index(number))
    };
    numbers.into_iter().map(info).collect()
}

#[cfg(not(target_os = "linux"))]
fn infos() -> Vec<CameraInfo> {
    let mut infos = nokhwa::query(nokhwa::utils::ApiBackend::Auto).unwrap_or_default();
    infos.sort_by_key(|info| match info.index() {
        CameraIndex::Index(index) => (*index, String::new()),
        CameraIndex::String(name) => (u32::MAX, name.clone()),
    });
    infos
}

/// An open camera. It ends as a source where the device is lost.
pub struct DeviceCamera {
    shared: Arc<Shared>,
    /// Ends when the camera is closed.
    closing: mpsc::Receiver<()>,
    name: String,
    mode: CameraMode,
    scaler: Scaler,
    count: u64,
    due: Option<Time>,
    /// When there was a picture last; before the first one, when one was asked for.
    alive: Option<Time>,
}

/// What the camera's thread writes.
#[derive(Default)]
struct Shared {
    newest: Mutex<Option<Picture>>,
    lost: Mutex<Option<DeviceError>>,
    ended: AtomicBool,
    /// Nobody wants pictures any more.
    closed: AtomicBool,
}

/// Opens a camera in the mode that is nearest to `size` and `fps`.
///
/// # Errors
/// [`DeviceError`] where there is none, it is busy, not allowed, or has no format that can be used.
pub fn open(choice: &Choice, size: (u32, u32), fps: u32, now: Now) -> Result<DeviceCamera, DeviceError> {
    let mut infos = infos();
    let names: Vec<String> = infos.iter().map(CameraInfo::human_name).collect();
    let place = choice.find(&names).ok_or_else(|| DeviceError::new(KIND, choice, Trouble::Absent, ""))?;
    let (info, name) = (infos.swap_remove(place), names[place].clone());
    let shared = Arc::new(Shared::default());
    let (opened, result) = mpsc::channel();
    // Nothing is ever sent through it: its far end goes when the camera is closed.
    let (closed, closing) = mpsc::channel::<()>();
    let thread = {
        let (shared, name) = (Arc::clone(&shared), name.clone());
        // A camera stays on the thread that opened it: some systems want it so.
        move || match start(&info, &name, size, fps) {
            Ok((mut camera, mode)) => {
                if opened.send(Ok(mode)).is_ok() {
                    let ended = watch(&mut camera, &name, &shared, &now);
                    if let Ok(mut lost) = shared.lost.lock() {
                        *lost = ended.err().or(lost.take());
                    }
                }
                shared.ended.store(true, Ordering::Release);
                drop(camera);
                drop(closed);
            }
            // Who waited has gone where this fails.
            Err(error) => drop(opened.send(Err(error))),
        }
    };
    let failed = |words: &dyn std::fmt::Display| DeviceError::new(KIND, &name, Trouble::Other, words);
    thread::Builder::new().name("visavis-camera".into()).spawn(thread).map_err(|error| failed(&error))?;
    let mode = result.recv_timeout(OPENING).map_err(|_| failed(&"it does not answer"))??;
    let scaler = Scaler::new();
    Ok(DeviceCamera { shared, closing, name, mode, scaler, count: 0, due: None, alive: None })
}

fn connect(info: &CameraInfo, name: &str) -> Result<Camera, DeviceError> {
    let any = RequestedFormat::with_formats(RequestedFormatType::None, &FORMATS);
    Camera::new(info.index().clone(), any).map_err(|error| explain(name, &error))
}

const FORMATS: [FrameFormat; 6] = [
    FrameFormat::MJPEG,
    FrameFormat::YUYV,
    FrameFormat::NV12,
    FrameFormat::GRAY,
    FrameFormat::RAWRGB,
    FrameFormat::RAWBGR,
];

fn modes(camera: &mut Camera, name: &str) -> Result<Vec<CameraMode>, DeviceError> {
    let formats = camera.compatible_camera_formats().map_err(|error| explain(name, &error))?;
    Ok(formats.iter().map(mode).collect())
}

fn mode(format: &CameraFormat) -> CameraMode {
    let size = (format.resolution().width(), format.resolution().height());
    CameraMode { size, fps: format.frame_rate(), format: pixels(format.format()) }
}

fn pixels(format: FrameFormat) -> PixelFormat {
    match format {
        FrameFormat::MJPEG => PixelFormat::Jpeg,
        FrameFormat::YUYV => PixelFormat::Yuyv,
        FrameFormat::NV12 => PixelFormat::Nv12,
        FrameFormat::GRAY => PixelFormat::Grey,
        FrameFormat::RAWRGB => PixelFormat::Rgb,
        FrameFormat::RAWBGR => PixelFormat::Bgr,
    }
}

fn start(
    info: &CameraInfo,
    name: &str,
    size: (u32, u32),
    fps: u32,
) -> Result<(Camera, CameraMode), DeviceError> {
    let mut camera = connect(info, name)?;
    let formats = camera.compatible_camera_formats().map_err(|error| explain(name, &error))?;
    let best = formats.iter().min_by_key(|format| distance(&mode(format), size, fps));
    let best = *best.ok_or_else(|| DeviceError::new(KIND, name, Trouble::Format, ""))?;
    let exact = RequestedFormat::with_formats(RequestedFormatType::Exact(best), &FORMATS);
    camera.set_camera_requset(exact).map_err(|error| explain(name, &error))?;
    camera.open_stream().map_err(|error| explain(name, &error))?;
    let mode = mode(&camera.camera_format());
    Ok((camera, mode))
}

/// How far a mode is from what is wanted: too small or too slow is worse than too large or too fast, and what
/// must be decoded is worse than what must not.
fn distance(mode: &CameraMode, (width, height): (u32, u32), fps: u32) -> (u32, u32, bool) {
    let off = |have: u32, want: u32| if have < want { 4 * (want - have) } else { have - want };
    let size = off(mode.size.0, width) + off(mode.size.1, height);
    (size, off(mode.fps, fps), mode.format == PixelFormat::Jpeg)
}

/// Takes pictures until nobody wants them or the camera is lost.
fn watch(camera: &mut Camera, name: &str, shared: &Shared, now: &Now) -> Result<(), DeviceError> {
    let mut broken = 0;
    while !shared.closed.load(Ordering::Acquire) {
        let frame = camera
            .frame()
            .map_err(|error| DeviceError { trouble: Trouble::Lost, ..explain(name, &error) })?;
        let size = (frame.resolution().width(), frame.resolution().height());
        match to_picture(pixels(frame.source_frame_format()), size, frame.buffer()) {
            Ok(picture) => {
                broken = 0;
                if let Ok(mut newest) = shared.newest.lock() {
                    *newest = Some(picture.at(now()));
                }
            }
            // Cameras begin with a broken picture or two.
            Err(error) => {
                broken += 1;
                tracing::debug!(%error, camera = name, "a picture is left out");
                if broken >= PATIENCE {
                    return Err(DeviceError::new(KIND, name, Trouble::Format, error));
                }
            }
        }
    }
    Ok(())
}

/// What is wrong, in our words: the library has no more than the system's text.
fn explain(name: &str, error: &NokhwaError) -> DeviceError {
    let words = match error {
        // Its own text has all that is known of the value before it comes to the point.
        NokhwaError::SetPropertyError { property, error, .. } => format!("{property}: {error}"),
        error => error.to_string(),
    };
    let text = words.to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    // `io::Error` ends with the number.
    let number = text.split("os error ").nth(1).and_then(|rest| rest.split(')').next()?.parse().ok());
    let trouble = match number {
        // EPERM, EACCES; EBUSY; ENOENT, ENXIO, ENODEV; EINVAL, ENOTTY.
        Some(1 | 13) => Trouble::Permission,
        Some(16) => Trouble::Busy,
        Some(2 | 6 | 19) => Trouble::Absent,
        Some(22 | 25) => Trouble::Format,
        Some(i32::MIN..) => Trouble::Other,
        None if says(&["permission", "denied"]) => Trouble::Permission,
        None if says(&["busy"]) => Trouble::Busy,
        None if says(&["not found", "no such"]) => Trouble::Absent,
        None if says(&["format"]) => Trouble::Format,
        None => Trouble::Other,
    };
    DeviceError::new(KIND, name, trouble, words)
}

impl DeviceCamera {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The mode it was opened in.
    pub fn mode(&self) -> CameraMode {
        self.mode
    }

    /// Pictures that it gave.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Nothing comes from it, and nobody says why.
    fn give_up(&self) {
        let words = format!("no picture has come from it for {} s", SILENCE.as_secs());
        if let Ok(mut lost) = self.shared.lost.lock() {
            lost.get_or_insert(DeviceError::new(KIND, &self.name, Trouble::Lost, words));
        }
        self.shared.ended.store(true, Ordering::Release);
    }

    /// Why it ended, where it did.
    pub fn lost(&self) -> Option<DeviceError> {
        self.shared.lost.lock().ok()?.clone()
    }
}

impl VideoSource for DeviceCamera {
    fn next(&mut self, now: Time) -> Option<Picture> {
        self.due = Some(now + POLL);
        let alive = *self.alive.get_or_insert(now);
        let Some(picture) = self.shared.newest.lock().ok()?.take() else {
            if now.since(alive) > SILENCE {
                self.give_up();
            }
            return None;
        };
        self.alive = Some(now);
        // A compressed picture has a size of its own.
        let picture = self.scaler.scale(&picture, self.mode.size).ok()?;
        let number = self.count;
        self.count += 1;
        Some(picture.numbered(number))
    }

    fn due(&self) -> Option<Time> {
        self.due.filter(|_| !self.ended())
    }

    fn size(&self) -> (u32, u32) {
        self.mode.size
    }

    fn fps(&self) -> f64 {
        f64::from(self.mode.fps.max(1))
    }

    fn ended(&self) -> bool {
        self.shared.ended.load(Ordering::Acquire)
    }
}

impl Drop for DeviceCamera {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        // Its thread may be waiting for a picture, and whoever opens it next would find it busy.
        let _ = self.closing.recv_timeout(CLOSING);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_nearest_to_what_is_wanted_is_taken_and_nothing_smaller_if_possible() {
        let mode = |size, fps, format| CameraMode { size, fps, format };
        let offered = [
            mode((320, 240), 30, PixelFormat::Yuyv),
            mode((640, 480), 30, PixelFormat::Jpeg),
            mode((640, 480), 30, PixelFormat::Yuyv),
            mode((1280, 720), 10, PixelFormat::Yuyv),
            mode((1280, 720), 30, PixelFormat::Jpeg),
        ];
        let best = |size, fps| *offered.iter().min_by_key(|mode| distance(mode, size, fps)).unwrap();
        assert_eq!(best((640, 480), 30), offered[2]);
        assert_eq!(best((1280, 720), 30), offered[4]);
        assert_eq!(best((600, 400), 25).size, (640, 480));
    }

    #[test]
    fn a_camera_that_is_not_there_is_absent_in_one_line() {
        let now: Now = Arc::new(|| Time::ZERO);
        let error = open(&Choice::Name("no such camera".into()), (640, 480), 30, now).err().unwrap();
        assert_eq!(error.trouble, Trouble::Absent);
        assert!(error.to_string().starts_with("camera \"no such camera\": there is none"), "{error}");
    }
}
