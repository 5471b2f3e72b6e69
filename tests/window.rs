//! The window of `--window`: without the feature one line that says how to get it, with it real calls on a screen of
//! the test's own, looked at by screenshot and steered by keys.

// The helpers are those of the tests with peers; not all of them are needed here.
#[allow(dead_code)]
#[path = "interop/harness.rs"]
mod harness;

#[cfg(not(feature = "window"))]
mod without {
    use super::harness::VISAVIS;
    use std::process::Command;

    #[test]
    fn a_build_without_windows_says_in_one_line_how_to_get_them() {
        let listen = ["--listen", "127.0.0.66:0"];
        for arguments in [&["demo"][..], &["answer"], &["call", "sip:a@127.0.0.66:9"]] {
            let mut command = Command::new(VISAVIS);
            command.args(arguments).arg("--window");
            if arguments[0] != "demo" {
                command.args(listen);
            }
            let output = command.output().expect("visavis runs");
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(3), "{text}");
            assert!(text.contains("--features window"), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }
}

#[cfg(all(feature = "window", target_os = "linux"))]
mod with {
    use super::harness::{SOON, VISAVIS, Visavis, alone, need};
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::thread::sleep;
    use std::time::{Duration, Instant};
    use visavis::media_codecs::Picture;
    use visavis::media_codecs::picture::Component;
    use visavis::media_codecs::pixel::{PixelFormat, to_picture};
    use visavis::media_codecs::source::pattern::{Reading, Stamp};

    const CALLEE: &str = "127.0.0.66";
    const CALLER: &str = "127.0.0.67";
    const SCREEN: (usize, usize) = (1_300, 700);
    /// The pictures of the calls.
    const SIZE: (usize, usize) = (640, 480);
    /// Where windows are put: at the left, and beside it.
    const LEFT: usize = 0;
    const RIGHT: usize = 650;

    /// A screen that nobody sees.
    struct Screen {
        server: Child,
        display: String,
    }

    impl Screen {
        fn start() -> Self {
            Screen::of_depth(24)
        }

        /// A screen of so many bits a pixel.
        fn of_depth(bits: u32) -> Self {
            need("Xvfb", "xvfb");
            need("xdotool", "xdotool");
            need("ffmpeg", "ffmpeg");
            let size = format!("{}x{}x{bits}", SCREEN.0, SCREEN.1);
            let mut command = Command::new("Xvfb");
            command.args(["-displayfd", "1", "-screen", "0", &size, "-nolisten", "tcp"]);
            let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("Xvfb runs");
            let mut number = String::new();
            let out = server.stdout.take().expect("its output");
            BufReader::new(out).read_line(&mut number).expect("the number of its display");
            Screen { server, display: format!(":{}", number.trim()) }
        }

        fn command(&self, program: &str) -> Command {
            let mut command = Command::new(program);
            command.env("DISPLAY", &self.display).env_remove("WAYLAND_DISPLAY");
            command
        }

        fn visavis(&self, args: &[&str]) -> Visavis {
            Visavis::start_by(self.command(VISAVIS), args)
        }

        fn xdotool(&self, args: &[&str]) -> String {
            let output = self.command("xdotool").args(args).output().expect("xdotool runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "xdotool {}: {said}", args.join(" "));
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }

        /// Waits for a window with this title, and puts it somewhere.
        fn window(&self, title: &str, x: usize) -> String {
            let name = format!("^{title}$");
            let search = ["search", "--onlyvisible", "--name", &name];
            let end = Instant::now() + SOON;
            loop {
                let found = self.command("xdotool").args(search).output().expect("xdotool runs");
                let found = String::from_utf8_lossy(&found.stdout).trim().to_owned();
                if !found.is_empty() {
                    self.xdotool(&["windowmove", &found, &x.to_string(), "0"]);
                    return found;
                }
                assert!(Instant::now() < end, "no window {title}");
                sleep(Duration::from_millis(50));
            }
        }

        /// Presses keys before a window.
        fn press(&self, window: &str, keys: &[&str]) {
            self.xdotool(&["windowfocus", "--sync", window]);
            self.xdotool(&[&["key"], keys].concat());
        }

        /// What is on it: 0x00RRGGBB, rows from the top down.
        fn shot(&self) -> Shot {
            let size = format!("{}x{}", SCREEN.0, SCREEN.1);
            let mut command = self.command("ffmpeg");
            command.args(["-v", "error", "-f", "x11grab", "-draw_mouse", "0", "-video_size", &size]);
            command.args(["-i", &self.display, "-frames:v", "1", "-pix_fmt", "bgr0", "-f", "rawvideo", "-"]);
            let output = command.stdin(Stdio::null()).output().expect("ffmpeg runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(output.stdout.len(), SCREEN.0 * SCREEN.1 * 4);
            Shot(output.stdout)
        }

        /// Waits until a screenshot shows it.
        fn wait<T>(&self, what: &str, seen: impl Fn(&Shot) -> Option<T>) -> T {
            let end = Instant::now() + SOON;
            loop {
                if let Some(seen) = seen(&self.shot()) {
                    return seen;
                }
                assert!(Instant::now() < end, "never seen: {what}");
                sleep(Duration::from_millis(100));
            }
        }
    }

    impl Drop for Screen {
        fn drop(&mut self) {
            // It may have ended by itself.
            let _ = self.server.kill();
            let _ = self.server.wait();
        }
    }

    /// A screenshot: blue, green, red and nothing for each pixel.
    struct Shot(Vec<u8>);

    impl Shot {
        fn crop(&self, (x, y): (usize, usize), (width, height): (usize, usize)) -> Picture {
            let rows = self.0.chunks(SCREEN.0 * 4).skip(y).take(height);
            let octets: Vec<u8> = rows.flat_map(|row| row[x * 4..(x + width) * 4].to_vec()).collect();
            to_picture(PixelFormat::Bgrx, (width as u32, height as u32), &octets).expect("a picture")
        }

        /// The test pattern in the window at `x`, and how far down it is.
        fn pattern(&self, x: usize) -> Option<(Stamp, usize)> {
            (0..100).find_map(|y| match Stamp::read(&self.crop((x, y), SIZE)) {
                Reading::Stamp(stamp) => Some((stamp, y)),
                _ => None,
            })
        }

        /// Our own picture in the window at `x`, by the frame around it: 160 x 120 pixels in the upper right corner.
        fn own(&self, x: usize) -> Option<Picture> {
            let left = x + SIZE.0 - 8 - 160;
            let top = (0..100).find(|&y| {
                let row = &self.0[(y * SCREEN.0 + left) * 4..][..160 * 4];
                row.as_chunks::<4>().0.iter().all(|pixel| pixel[..3] == EDGE)
            })?;
            Some(self.crop((left, top), (160, 120)))
        }

        /// The pixels that are about amber in the `rows` of the window at `x`.
        fn amber(&self, x: usize, rows: std::ops::Range<usize>) -> usize {
            let rows = self.0.chunks(SCREEN.0 * 4).skip(rows.start).take(rows.len());
            let pixels = rows.flat_map(|row| row[x * 4..(x + SIZE.0) * 4].as_chunks::<4>().0);
            pixels.filter(|[b, g, r, _]| *r > 180 && (120..210).contains(g) && *b < 100).count()
        }

        /// Whether there is a panel in the window at `x`: its edge is a line across most of it.
        fn has_panel(&self, x: usize) -> bool {
            let mut rows =
                self.0.chunks(SCREEN.0 * 4).map(|row| row[x * 4..(x + SIZE.0) * 4].as_chunks::<4>().0);
            rows.any(|row| row.iter().filter(|pixel| pixel[..3] == EDGE).count() > 300)
        }
    }

    /// The colour of edges: blue, green, red.
    const EDGE: [u8; 3] = [0xdc, 0xd8, 0xd8];

    /// The mean of luma.
    fn brightness(picture: &Picture) -> f64 {
        let luma = picture.plane(Component::Y).data;
        luma.iter().map(|&sample| f64::from(sample)).sum::<f64>() / luma.len() as f64
    }

    #[test]
    fn both_ends_of_a_call_see_each_other_move_and_a_key_hangs_up() {
        let _alone = alone();
        let screen = Screen::start();
        let listen = format!("{CALLEE}:0");
        let mut there = screen.visavis(&["answer", "--window", "--max-calls", "1", "--listen", &listen]);
        let theirs = screen.window("visavis answer", RIGHT);
        let (uri, listen) = (format!("sip:callee@{}", there.address()), format!("{CALLER}:0"));
        let mut here = screen.visavis(&["call", &uri, "--window", "--duration", "0", "--listen", &listen]);
        let ours = screen.window("visavis call", LEFT);
        let seen = |shot: &Shot| Some((shot.pattern(LEFT)?, shot.pattern(RIGHT)?));
        let first = screen.wait("the test pattern in both windows", seen);
        sleep(Duration::from_millis(300));
        let second = screen.wait("it again", seen);
        for ((before, _), (after, _)) in [(first.0, second.0), (first.1, second.1)] {
            assert!(after.number > before.number, "{before:?} does not move: {after:?}");
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a date");
            let age = now.as_micros() as i128 - i128::from(after.captured_us);
            assert!((0..5_000_000).contains(&age), "what is seen is {age} us old");
        }
        let top = first.0.1;
        let before = screen.wait("our own picture", |shot| shot.own(LEFT));
        sleep(Duration::from_millis(300));
        let after = screen.wait("it again", |shot| shot.own(LEFT));
        assert_ne!(after, before, "our own picture stands still");
        // The pattern has colours at its left and greys at its right; mirrored it is the other way round.
        let colourful = |columns: std::ops::Range<usize>| {
            let chroma = after.plane(Component::Cb).data.chunks(80);
            chroma.flat_map(|row| &row[columns.clone()]).filter(|&&blue| blue.abs_diff(128) > 50).count()
        };
        assert!(
            colourful(40..80) > 200 && colourful(0..20) < 50,
            "{} {}",
            colourful(40..80),
            colourful(0..20)
        );
        screen.press(&ours, &["k"]);
        screen.press(&theirs, &["m"]);
        screen.wait("that we are muted", |shot| (shot.amber(RIGHT, 0..top) > 20).then_some(()));
        screen.press(&theirs, &["m"]);
        screen.wait("that we are not", |shot| (shot.amber(RIGHT, 0..top) == 0).then_some(()));
        screen.press(&ours, &["question"]);
        screen.wait("the keys", |shot| shot.has_panel(LEFT).then_some(()));
        screen.press(&ours, &["Escape", "h"]);
        let outcome = here.finish(SOON);
        assert_eq!(
            (&outcome.record["end"], &outcome.verdict["good"]),
            (&"local-hangup".into(), &true.into())
        );
        let outcome = there.finish(SOON);
        assert_eq!(
            (&outcome.record["end"], &outcome.verdict["good"]),
            (&"remote-hangup".into(), &true.into())
        );
        assert!(outcome.count("video", "keyframes_requested") > 0, "{}", outcome.record);
    }

    #[test]
    fn a_call_is_answered_in_the_window_darkened_there_and_ended_with_it() {
        let _alone = alone();
        let screen = Screen::start();
        let listen = format!("{CALLEE}:0");
        let mut there = screen.visavis(&["answer", "--window", "--ask", "--listen", &listen]);
        let theirs = screen.window("visavis answer", RIGHT);
        let (uri, listen) = (format!("sip:callee@{}", there.address()), format!("{CALLER}:0"));
        let call = ["call", &uri, "--window", "--duration", "0", "--listen", &listen];
        let mut first = screen.visavis(&call);
        first.event_where("progress", |e| e["status"] == 180);
        there.event("incoming", SOON);
        screen.press(&theirs, &["n"]);
        assert_eq!(first.finish(SOON).record["end"], "refused");
        let mut here = screen.visavis(&call);
        let ours = screen.window("visavis call", LEFT);
        here.event_where("progress", |e| e["status"] == 180);
        there.event_where("incoming", |e| e["call"] == 2);
        screen.press(&theirs, &["y"]);
        let (_, top) = screen.wait("the pattern", |shot| shot.pattern(LEFT));
        // The left half: our own picture is in the right one.
        let seen = |shot: &Shot| brightness(&shot.crop((LEFT, top), (320, 480)));
        // The first of them is for somebody else.
        screen.press(&theirs, &["ctrl+c", "c"]);
        screen.wait("dark pictures", |shot| (seen(shot) < 20.0).then_some(()));
        screen.press(&theirs, &["c"]);
        screen.wait("the pattern again", |shot| shot.pattern(LEFT));
        screen.xdotool(&["windowclose", &ours]);
        let ended = here.event("ended", SOON);
        assert_eq!(ended["end"], "local-hangup");
        here.wait(SOON);
        there.event_where("ended", |e| e["call"] == 2);
        // Nobody calls any more: it waits, and leaves when it is told to.
        screen.wait("that calls are waited for", |shot| {
            let middle = shot.crop((RIGHT, top), SIZE);
            let bright = middle.plane(Component::Y).data.iter().filter(|&&luma| luma > 150).count();
            (20..2_000).contains(&bright).then_some(())
        });
        screen.press(&theirs, &["q"]);
        there.wait(SOON);
    }

    #[test]
    fn without_a_screen_there_is_no_window_and_one_line_says_so() {
        let mut command = Command::new(VISAVIS);
        command.args(["call", "sip:a@127.0.0.66:9", "--window", "--listen", "127.0.0.66:0"]);
        let output =
            command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output().expect("visavis runs");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("no window can be opened") && text.contains("DISPLAY"), "{text}");
    }

    #[test]
    fn a_screen_that_cannot_take_the_window_ends_the_command() {
        let screen = Screen::of_depth(16);
        let mut command = screen.command(VISAVIS);
        command.args(["answer", "--window", "--listen", "127.0.0.66:0"]);
        let mut answer = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("visavis runs");
        let end = Instant::now() + SOON;
        while answer.try_wait().expect("a status").is_none() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
        }
        // One that goes on is none that a test may leave behind.
        let _ = answer.kill();
        let output = answer.wait_with_output().expect("its output");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(text.lines().last().is_some_and(|line| line.contains("no window can be opened")), "{text}");
    }
}
