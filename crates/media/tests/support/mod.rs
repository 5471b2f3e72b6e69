//! What the tests that run ffmpeg share.

use bytes::Bytes;
use std::path::PathBuf;
use std::process::Command;
use visavis_proto::frame::{Codec, ReceivedFrame, Rotation, VideoFormat};
use visavis_proto::time::Time;

/// A directory of its own for one test, removed with it.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("visavis-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a scratch directory");
        Scratch(path)
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path in UTF-8").to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs `ffmpeg` or `ffprobe`; what it wrote to standard output and standard error. A test that needs it fails
/// without it.
pub(crate) fn run(program: &str, arguments: &[&str]) -> (String, String) {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| {
        panic!("{program} cannot be run ({error}); install it: apt-get install ffmpeg")
    });
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?} failed: {err}");
    (out, err)
}

/// Runs `ffmpeg`, which must have nothing to say.
pub(crate) fn ffmpeg(arguments: &[&str]) {
    let quiet = [&["-v", "error", "-nostdin", "-y"], arguments].concat();
    let (_, err) = run("ffmpeg", &quiet);
    assert_eq!(err, "", "ffmpeg {arguments:?}");
}

/// The figure that `ffprobe` gives for `entry` of the selected `stream`.
#[allow(dead_code)] // not every file of tests asks for figures
pub(crate) fn probe(file: &str, stream: &str, entry: &str) -> String {
    let arguments =
        ["-v", "error", "-select_streams", stream, "-show_entries", entry, "-of", "default=nw=1:nk=1"];
    let (out, err) = run("ffprobe", &[&arguments[..], &[file]].concat());
    assert_eq!(err, "", "ffprobe {entry}");
    out.trim().to_owned()
}

#[allow(dead_code)] // not every file of tests codes pictures
/// What a receiver of VGA at 30 pictures a second takes.
pub(crate) fn video_format() -> VideoFormat {
    VideoFormat {
        codec: Codec::H264,
        profile_level_id: [0x42, 0xe0, 0x1f],
        max_fs: 3_600,
        max_mbps: 108_000,
        max_size: None,
        max_fps: None,
        max_bitrate: None,
        max_nal: None,
    }
}

#[allow(dead_code)] // not every file of tests decodes
/// A whole frame as a jitter buffer hands it over, stamped by an RTP clock of `clock` Hz.
pub(crate) fn received(
    codec: Codec,
    data: Bytes,
    clock: u128,
    captured: Time,
    play_at: Time,
) -> ReceivedFrame {
    ReceivedFrame {
        codec,
        payload_type: 96,
        data,
        timestamp: ((u128::from(captured.nanos()) * clock + 500_000_000) / 1_000_000_000) as u64 + 77,
        received: play_at,
        play_at,
        keyframe: false,
        lost_packets: 0,
        complete: true,
        rotation: Rotation::None,
    }
}
