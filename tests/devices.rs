//! Devices as a shell script meets them: without the feature one line that says how to get them, with it real
//! callbacks on a sound server of the test's own.

#[cfg(not(feature = "devices"))]
mod without {
    use std::process::Command;

    #[test]
    fn a_build_without_devices_says_in_one_line_how_to_get_them() {
        for arguments in [&["devices"][..], &["devices", "--test-mic"], &["devices", "--test-camera", "0"]] {
            let output =
                Command::new(env!("CARGO_BIN_EXE_visavis")).args(arguments).output().expect("visavis runs");
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(3), "{text}");
            assert!(text.contains("--features devices") && text.contains("libasound2-dev"), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }
}

#[cfg(all(feature = "devices", target_os = "linux"))]
mod with {
    use serde_json::Value;
    use std::fs;
    use std::path::PathBuf;
    use std::process::{Child, Command, Output, Stdio};
    use std::time::{Duration, Instant};

    /// A sound server with two null sinks, `one` and `two`: what is played on one is heard on its monitor.
    struct Server {
        dir: tempfile::TempDir,
        process: Child,
    }

    impl Server {
        fn start() -> Self {
            let dir = tempfile::tempdir().expect("a directory");
            fs::write(dir.path().join(".asoundrc"), "pcm.!default pulse\nctl.!default pulse\n")
                .expect("a file");
            let socket = dir.path().join("native");
            let script = format!(
                "load-module module-null-sink sink_name=one norewinds=1\n\
                 load-module module-null-sink sink_name=two norewinds=1\n\
                 load-module module-native-protocol-unix socket={} auth-anonymous=1\n",
                socket.display()
            );
            let file = dir.path().join("script.pa");
            fs::write(&file, script).expect("a file");
            let mut command = Command::new("pulseaudio");
            command
                .args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "-F"])
                .arg(&file);
            let process = Self::around(&dir, command).stderr(Stdio::null()).spawn();
            let process = process.expect(
                "pulseaudio is needed: apt-get install -y pulseaudio pulseaudio-utils libasound2-plugins",
            );
            let server = Server { dir, process };
            let end = Instant::now() + Duration::from_secs(20);
            while !socket.exists() {
                assert!(Instant::now() < end, "the sound server does not start");
                std::thread::sleep(Duration::from_millis(50));
            }
            server
        }

        fn around(dir: &tempfile::TempDir, mut command: Command) -> Command {
            let path = |name: &str| dir.path().join(name);
            command
                .env("HOME", dir.path())
                .env("XDG_RUNTIME_DIR", dir.path())
                .env("XDG_CONFIG_HOME", path("c"));
            command.env("PULSE_SERVER", format!("unix:{}", path("native").display()));
            command.env_remove("DISPLAY").env_remove("DBUS_SESSION_BUS_ADDRESS");
            command
        }

        fn command(&self, program: &str, arguments: &[&str]) -> Command {
            let mut command = Command::new(program);
            command.args(arguments);
            Self::around(&self.dir, command)
        }

        fn visavis(&self, arguments: &[&str], device: (&str, &str)) -> Output {
            let mut command = self.command(env!("CARGO_BIN_EXE_visavis"), &[&["--json"], arguments].concat());
            command.env(device.0, device.1).output().expect("visavis runs")
        }

        fn file(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            // Nothing to be done where it has ended.
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }

    fn event(output: &Output, name: &str) -> Value {
        let text = String::from_utf8_lossy(&output.stdout);
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let errors = String::from_utf8_lossy(&output.stderr);
        lines.filter(|l| l["event"] == name).last().unwrap_or_else(|| panic!("no {name}: {text}{errors}"))
    }

    /// The share of a tone of `hz` in 16-bit mono sound at 48 kHz, of all its power.
    fn share(sound: &[i16], hz: f64) -> f64 {
        let step = std::f64::consts::TAU * hz / 48_000.0;
        let (mut re, mut im, mut power) = (0.0, 0.0, 0.0);
        for (n, &sample) in sound.iter().enumerate() {
            let (sample, phase) = (f64::from(sample), step * n as f64);
            re += sample * phase.cos();
            im += sample * phase.sin();
            power += sample * sample;
        }
        2.0 * (re * re + im * im) / sound.len() as f64 / power.max(1.0)
    }

    #[test]
    fn the_tone_comes_out_of_the_speaker_whole() {
        let server = Server::start();
        let file = server.file("heard.raw");
        let record = ["--raw", "--rate=48000", "--channels=1", "--format=s16le", "-d", "one.monitor"];
        let out = fs::File::create(&file).expect("a file");
        let mut recorder = server.command("parec", &record).stdout(out).spawn().expect("parec runs");
        let output =
            server.visavis(&["devices", "--test-speaker", "--duration", "4s"], ("PULSE_SINK", "one"));
        recorder.kill().expect("it runs");
        recorder.wait().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let speaker = event(&output, "speaker");
        assert!(speaker["callbacks"].as_u64() > Some(100), "{speaker}");
        let raw = fs::read(file).expect("sound");
        let sound: Vec<i16> = raw.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
        let first = sound.iter().position(|s| s.abs() > 1_000).expect("something is heard");
        // Seconds have a beep in their first tenth: between two there is nothing but the tone.
        let windows = sound[first..].windows(24_000).step_by(4_800);
        let best = windows.map(|w| share(w, 997.0)).fold(0.0, f64::max);
        assert!(best > 0.95, "{best} of it is the tone; {speaker}");
    }

    #[test]
    fn what_is_played_is_heard_by_the_microphone() {
        let server = Server::start();
        let tone: Vec<u8> = (0..48_000 * 8u32)
            .map(|n| (8_192.0 * (std::f64::consts::TAU * 500.0 * f64::from(n) / 48_000.0).sin()) as i16)
            .flat_map(i16::to_le_bytes)
            .collect();
        let file = server.file("tone.raw");
        fs::write(&file, tone).expect("a file");
        let play = ["--raw", "--rate=48000", "--channels=1", "--format=s16le", "-d", "two"];
        let input = fs::File::open(&file).expect("a file");
        let mut player = server.command("pacat", &play).stdin(input).spawn().expect("pacat runs");
        let output =
            server.visavis(&["devices", "--test-mic", "--duration", "3s"], ("PULSE_SOURCE", "two.monitor"));
        player.kill().expect("it runs");
        player.wait().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let microphone = event(&output, "microphone");
        let peak = microphone["peak_dbfs"].as_f64().expect("a level");
        assert!((-12.6..-11.4).contains(&peak), "{microphone}");
        let listed = server.visavis(&["devices"], ("PULSE_SINK", "one"));
        let device = event(&listed, "device");
        assert_eq!(listed.status.code(), Some(0), "{device}");
    }

    #[test]
    fn silence_and_no_device_at_all_are_said_in_one_line() {
        let server = Server::start();
        let silent =
            server.visavis(&["devices", "--test-mic", "--duration", "1s"], ("PULSE_SOURCE", "one.monitor"));
        assert_eq!(silent.status.code(), Some(1), "{silent:?}");
        assert!(event(&silent, "error")["text"].as_str().is_some_and(|t| t.contains("silence")));
        for arguments in [["devices", "--test-mic=nobody"], ["devices", "--test-camera=nobody"]] {
            let absent = server.visavis(&arguments, ("PULSE_SINK", "one"));
            assert_eq!(absent.status.code(), Some(3), "{absent:?}");
            let text = event(&absent, "error")["text"].to_string();
            assert!(text.contains("there is none") && text.contains("nobody"), "{text}");
        }
    }
}
