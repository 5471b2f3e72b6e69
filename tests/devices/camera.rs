//! Cameras. One of the test's own (`camera.c`) answers in place of a driver; what the kernel itself says of files that are
//! no cameras is asked in a mount namespace.

use crate::harness::{SOON, VISAVIS, Visavis, need, run};
use crate::server::{Home, event, events};
use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Output};

/// A home where programs find the camera.
struct Room {
    home: Home,
    preload: String,
}

impl Room {
    fn new() -> Self {
        let home = Home::new("");
        fs::create_dir(home.file("dev")).expect("a directory");
        fs::write(home.file("dev").join("video0"), "").expect("a file");
        // A name without a number is none of a camera, and no reason to end.
        fs::write(home.file("dev").join("video-decoder"), "").expect("a file");
        let preload = home.file("camera.so").display().to_string();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/devices/camera.c");
        run("cc", &["-Wall", "-O1", "-fPIC", "-shared", "-o", &preload, source, "-ldl"]);
        Room { home, preload }
    }

    fn command(&self) -> Command {
        let mut command = self.home.command(VISAVIS, &[]);
        command.env("LD_PRELOAD", &self.preload).env("CAMERA_DEV", self.home.file("dev"));
        command.env("CAMERA_TROUBLE", self.home.file("trouble"));
        command
    }

    /// From now on what is done with the camera fails in this way.
    fn fails(&self, how: &str) {
        // At once: half a line would be another error.
        fs::write(self.home.file("next"), how).expect("a file");
        fs::rename(self.home.file("next"), self.home.file("trouble")).expect("a file");
    }

    fn works(&self) {
        fs::remove_file(self.home.file("trouble")).expect("it is there");
    }

    fn test(&self, format: &str) -> Output {
        let out = self.home.file("camera.png").display().to_string();
        let mut command = self.command();
        command.env("CAMERA_FORMAT", format).args(["--json", "devices", "--test-camera", "--out", &out]);
        command.output().expect("visavis runs")
    }
}

const BUSY: &str = "busy; end the program that uses it, or take another one";
const FORBIDDEN: &str = "not allowed; give this user (group audio or video) or program the right to it";
const ABSENT: &str = "there is none; plug one in, or see what there is with `visavis devices`";
const USELESS: &str = "it has no format that can be used; take another one";

fn check_line(text: &Value, name: &str, says: &str) {
    let text = text.as_str().expect("a text");
    assert!(text.starts_with(&format!("camera {name}: {says}")), "{text}");
    assert!(!text.contains('\n') && text.len() < 250, "{text}");
}

#[test]
fn a_camera_gives_a_picture_or_says_in_a_line_why_not() {
    need("ffmpeg", "ffmpeg");
    let room = Room::new();
    for (trouble, says) in [
        ("open 13", FORBIDDEN),
        ("open 1", FORBIDDEN),
        ("open 16", BUSY),
        ("set 16", BUSY),
        ("open 6", ABSENT),
    ] {
        room.fails(trouble);
        let output = room.test("YUYV");
        assert_eq!(output.status.code(), Some(3), "{trouble}: {output:?}");
        check_line(&event(&output, "error")["text"], "/dev/video0", says);
    }
    room.works();
    let useless = room.test("H264");
    assert_eq!(useless.status.code(), Some(3), "{useless:?}");
    check_line(&event(&useless, "error")["text"], "/dev/video0", USELESS);
    let output = room.test("YUYV");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(event(&output, "camera")["size"], json!([320, 240]), "{output:?}");
    let picture = room.home.file("camera.png").display().to_string();
    let pixels = run("ffmpeg", &["-v", "error", "-i", &picture, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
    assert_eq!(pixels.len(), 320 * 240 * 3);
    assert!(pixels.chunks_exact(3).all(|p| p[0] > 240 && p[1] < 15 && p[2] < 15), "{:?}", &pixels[..12]);
}

#[test]
fn a_camera_that_is_lost_is_used_again_when_it_is_back() {
    let room = Room::new();
    let start = |command: Command, arguments: &[&str]| {
        Visavis::start_by(command, &[arguments, &["--listen", "127.0.0.1:0"]].concat())
    };
    let mut callee = start(Command::new(VISAVIS), &["answer", "--max-calls", "1"]);
    let uri = callee.address().to_string();
    let mut caller = start(room.command(), &["call", &uri, "--control", "--camera"]);
    let opened = caller.event("device-opened", SOON);
    assert_eq!(opened["form"], "320x240, 15 pictures a second, yuyv");
    caller.done(json!({ "command": "wait", "seconds": 2 }));
    room.fails("open 19\ntake 19");
    let gone = caller.event("device-gone", SOON);
    check_line(&gone["text"], "/dev/video0", "it is gone; plug it in again");
    assert_eq!(gone["instead"], "the test pattern");
    caller.done(json!({ "command": "wait", "seconds": 3 }));
    room.works();
    caller.event("device-back", SOON);
    caller.done(json!({ "command": "wait", "seconds": 2 }));
    let camera =
        |caller: &mut Visavis| caller.done(json!({ "command": "stats" }))["devices"]["camera"].take();
    let now = camera(&mut caller);
    assert_eq!((&now["times_gone"], now["trouble"].is_null()), (&json!(1), true), "{now}");
    assert!(now["pictures"].as_u64() > Some(10), "{now}");
    // One that says nothing and gives nothing.
    room.fails("take 0");
    let silent = caller.event_where("device-gone", |event| event["text"] != gone["text"]);
    check_line(&silent["text"], "/dev/video0", "it is gone; plug it in again (no picture has come from it");
    room.works();
    let backs = std::cell::Cell::new(0);
    caller.event_where("device-back", |_| {
        backs.set(backs.get() + 1);
        backs.get() == 2
    });
    assert_eq!(camera(&mut caller)["times_gone"], 2);
    caller.done(json!({ "command": "hangup" }));
    let theirs = callee.finish(SOON);
    assert!(theirs.record["media"]["pictures_decoded"].as_u64() > Some(60), "{}", theirs.record["media"]);
    assert!(
        theirs.judged("/video/read") > 5.0,
        "the pattern was there meanwhile: {}",
        theirs.record["media"]
    );
}

#[test]
fn the_kernels_word_on_files_that_are_no_cameras_is_understood() {
    need("unshare", "util-linux");
    let home = Home::new("");
    // A file, one that nobody may open, a name of nothing. Root may open anything, but for this.
    let script = format!(
        "mount -t tmpfs none /dev && touch /dev/video0 /dev/video1 /dev/null && chmod 000 /dev/video1 && \
         ln -s nothing /dev/video2 && exec setpriv --bounding-set=-dac_override,-dac_read_search '{VISAVIS}' --json devices"
    );
    let output = home.command("unshare", &["--mount", "sh", "-c", &script]).output().expect("unshare runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let cameras: Vec<Value> =
        events(&output, "device").into_iter().filter(|device| device["kind"] == "camera").collect();
    assert_eq!(cameras.len(), 3, "{output:?}");
    for ((camera, says), number) in cameras.iter().zip([USELESS, FORBIDDEN, ABSENT]).zip(0..) {
        assert_eq!((&camera["opens"], &camera["index"]), (&json!(false), &json!(number)), "{camera}");
        check_line(&camera["error"], &format!("/dev/video{number}"), says);
    }
}
