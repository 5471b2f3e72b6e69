//! What the media tests share: ffmpeg, and pictures to and from files.

use std::path::PathBuf;
use std::process::Command;

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
#[allow(dead_code)]
pub(crate) fn probe(file: &str, stream: &str, entry: &str) -> String {
    let arguments =
        ["-v", "error", "-select_streams", stream, "-show_entries", entry, "-of", "default=nw=1:nk=1"];
    let (out, err) = run("ffprobe", &[&arguments[..], &[file]].concat());
    assert_eq!(err, "", "ffprobe {entry}");
    out.trim().to_owned()
}
