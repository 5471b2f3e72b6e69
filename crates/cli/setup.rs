//! From what was typed to how an endpoint is set up.

use crate::Failure;
use crate::args::{Echo, EndpointArgs, MediaArgs, Profile};
use crate::peer;
use std::fs::File;
use std::io::BufWriter;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use visavis::capture::{Description, Summary, Tap, TapMode, tap};
use visavis::media_codecs::judge::JudgeConfig;
use visavis::media_codecs::source::FrameRate;
use visavis::media_codecs::source::file::{Playback, png::StillSource, wav::WavSource, y4m::Y4mSource};
use visavis::media_codecs::source::tone::Tone;
use visavis::media_codecs::source::turned::Turned;
use visavis::media_codecs::source::{AudioSource, VideoSource};
use visavis::proto::agent::{Config, PortPlan};
use visavis::proto::frame::Rotation;
use visavis::proto::io::{CallHandle, MediaChoice};
use visavis::proto::sdp::Capabilities;
use visavis::{MediaPlan, Options, Receiving, Recording, Sending, Sources, TestSources};

/// Pictures a second of a still picture.
const STILL_RATE: u32 = 10;
/// What the tap may hold in memory before packets go missing from the capture, octets.
const TAP_MEMORY: usize = 64 * 1024 * 1024;

/// A capture that is being written.
pub(crate) struct Capture {
    path: PathBuf,
    writer: JoinHandle<std::io::Result<Summary>>,
}

impl Capture {
    /// Begins a capture, and puts its tap into `options`.
    pub(crate) fn start(path: &Path, options: &mut Options) -> Result<Capture, Failure> {
        let (capture, tap) = Capture::begin(path, &format!("UDP as seen at {}", options.listen))?;
        options.tap = Some(tap);
        Ok(capture)
    }

    /// Begins a capture; `details` says what of.
    pub(crate) fn begin(path: &Path, details: &str) -> Result<(Capture, Tap), Failure> {
        let file = File::create(path)
            .map_err(|e| Failure::Missing(format!("cannot write {}: {e}", path.display())))?;
        let (tap, recorder) = tap(TAP_MEMORY, TapMode::Full);
        let description = Description {
            application: concat!("visavis ", env!("CARGO_PKG_VERSION")).into(),
            interface: "visavis".into(),
            details: details.into(),
            comment: String::new(),
        };
        let writer = std::thread::spawn(move || recorder.write_to(BufWriter::new(file), &description));
        Ok((Capture { path: path.to_owned(), writer }, tap))
    }

    /// Waits until everything is written; the endpoint must be gone by then.
    pub(crate) fn finish(self) -> Result<(PathBuf, Summary), Failure> {
        let failed = |what: String| Failure::Missing(format!("cannot write {}: {what}", self.path.display()));
        match self.writer.join() {
            Ok(Ok(summary)) => Ok((self.path, summary)),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed("the writer failed".into())),
        }
    }
}

/// The options of an endpoint.
pub(crate) fn options(endpoint: &EndpointArgs, media: &MediaArgs) -> Result<Options, Failure> {
    let mut agent = agent(media)?;
    if media.profile == Profile::Facetime2010 && endpoint.separate_ports.is_some() {
        return Err(Failure::Usage(
            "--separate-ports does not go with --profile facetime2010: it has one port".into(),
        ));
    }
    agent.display_name = endpoint.name.clone();
    if let Some(range) = &endpoint.separate_ports {
        let pool = range.ports().into_iter().filter(|p| p % 2 == 0).collect();
        agent.ports = PortPlan::Separate { pool };
    }
    let fallback_ports = match &endpoint.port_range {
        Some(range) => range.ports(),
        None if media.profile == Profile::Facetime2010 => peer::ports_below(endpoint.listen),
        None => Vec::new(),
    };
    let media = plan(media, media.pitch())?;
    Ok(Options { listen: endpoint.listen, fallback_ports, agent, media, ..Options::default() })
}

/// An endpoint on loopback, on a free port, with a test tone of this pitch (Hz).
pub(crate) fn loopback(media: &MediaArgs, pitch: f64) -> Result<Options, Failure> {
    let listen = SocketAddr::new(IpAddr::from([127, 0, 0, 1]), 0);
    let mut options =
        Options { listen, agent: agent(media)?, media: plan(media, pitch)?, ..Options::default() };
    rotate(media, &mut options);
    Ok(options)
}

fn agent(media: &MediaArgs) -> Result<Config, Failure> {
    let base = peer::profile(media)?;
    let mut capabilities = base.capabilities.clone();
    let mut choice = MediaChoice { audio: !media.video_only, video: !media.audio_only };
    if !media.codecs.is_empty() {
        let is_video = |name: &&String| name.trim().eq_ignore_ascii_case("h264");
        choice.video &= media.codecs.iter().any(|n| is_video(&n));
        let names: Vec<&str> = media.codecs.iter().filter(|n| !is_video(n)).map(String::as_str).collect();
        choice.audio &= !names.is_empty();
        let codecs = Capabilities::audio_from_names(names);
        capabilities.audio = codecs.map_err(|e| Failure::Usage(format!("{e}; or h264")))?;
        capabilities.offer_all = true;
    }
    if !choice.audio && !choice.video {
        return Err(Failure::Usage("neither sound nor pictures are left to call with".into()));
    }
    let video_bitrate = media.video_kbps * 1000;
    Ok(Config { capabilities, media: choice, video_bitrate, signalling_only: media.no_media, ..base })
}

fn plan(media: &MediaArgs, pitch: f64) -> Result<MediaPlan, Failure> {
    if media.no_media {
        return Ok(MediaPlan { send: Sending::Nothing, receive: Receiving::default() });
    }
    let send = match media.echo {
        Some(Echo::Coded) => Sending::Echo,
        Some(Echo::Decoded) => Sending::Mirror,
        None => {
            let tone = Tone { frequency: pitch, ..Tone::default() };
            let test = TestSources { size: media.size(), fps: media.fps(), tone };
            Sending::Sources(Arc::new(FileSources::new(test, media)?))
        }
    };
    let record = media.record.as_ref().map(|dir| -> Result<Recording, Failure> {
        std::fs::create_dir_all(dir)
            .map_err(|e| Failure::Missing(format!("cannot make {}: {e}", dir.display())))?;
        Ok(Recording { path: dir.clone(), keep_aac: media.keep_aac })
    });
    let receive = Receiving {
        judge: Some(JudgeConfig::default()),
        record: record.transpose()?,
        ..Receiving::default()
    };
    Ok(MediaPlan { send, receive })
}

/// Says of what calls send how it is to be turned; once all that they send is known.
pub(crate) fn rotate(media: &MediaArgs, options: &mut Options) {
    if let Sending::Sources(sources) = &mut options.media.send
        && media.rotate != Rotation::None
    {
        *sources = Arc::new(RotatedSources { sources: Arc::clone(sources), rotation: media.rotate });
    }
}

/// Sources whose camera is not mounted upright.
struct RotatedSources {
    sources: Arc<dyn Sources>,
    rotation: Rotation,
}

impl Sources for RotatedSources {
    fn video(&self, call: CallHandle) -> Option<Box<dyn VideoSource>> {
        let source = self.sources.video(call)?;
        Some(Box::new(Turned::new(source, self.rotation)))
    }

    fn audio(&self, call: CallHandle) -> Option<Box<dyn AudioSource>> {
        self.sources.audio(call)
    }
}

/// Files where they were named, the test pattern and its tone elsewhere.
struct FileSources {
    test: TestSources,
    video: Option<PathBuf>,
    audio: Option<PathBuf>,
}

impl FileSources {
    /// Opens each file once, so that one that cannot be played is refused before any call.
    fn new(test: TestSources, media: &MediaArgs) -> Result<Self, Failure> {
        if let Some(path) = &media.video_file {
            open_video(path).map_err(Failure::Missing)?;
        }
        if let Some(path) = &media.audio_file {
            open_audio(path).map_err(Failure::Missing)?;
        }
        Ok(FileSources { test, video: media.video_file.clone(), audio: media.audio_file.clone() })
    }
}

impl Sources for FileSources {
    fn video(&self, call: CallHandle) -> Option<Box<dyn VideoSource>> {
        match self.video.as_deref().map(open_video) {
            None => self.test.video(call),
            Some(Ok(source)) => Some(source),
            Some(Err(error)) => {
                tracing::error!(error, "no pictures are sent");
                None
            }
        }
    }

    fn audio(&self, call: CallHandle) -> Option<Box<dyn AudioSource>> {
        match self.audio.as_deref().map(open_audio) {
            None => self.test.audio(call),
            Some(Ok(source)) => Some(source),
            Some(Err(error)) => {
                tracing::error!(error, "no sound is sent");
                None
            }
        }
    }
}

fn open_video(path: &Path) -> Result<Box<dyn VideoSource>, String> {
    let failed = |e: &dyn std::fmt::Display| format!("cannot play {}: {e}", path.display());
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("png")) {
        let rate = FrameRate::new(STILL_RATE, 1).ok_or_else(|| failed(&"no frame rate"))?;
        return StillSource::open(path, rate).map(|s| Box::new(s) as _).map_err(|e| failed(&e));
    }
    Y4mSource::open(path, Playback::Loop).map(|s| Box::new(s) as _).map_err(|e| failed(&e))
}

fn open_audio(path: &Path) -> Result<Box<dyn AudioSource>, String> {
    let opened = WavSource::open(path, Playback::Loop);
    opened.map(|s| Box::new(s) as _).map_err(|e| format!("cannot play {}: {e}", path.display()))
}
