//! Devices as a shell script meets them: without the feature one line that says how to get them, with it real
//! callbacks on a sound server of the test's own.

#[cfg(not(feature = "devices"))]
mod without {
    use std::process::Command;

    #[test]
    fn a_build_without_devices_says_in_one_line_how_to_get_them() {
        for arguments in [
            &["devices"][..],
            &["devices", "--test-mic"],
            &["devices", "--test-camera", "0"],
            &["call", "127.0.0.1:9", "--mic"],
            &["answer", "--speaker=headset"],
        ] {
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

    /// Two null sinks, `one` and `two`: what is played on one is heard on its monitor.
    const SINKS: &str = "load-module module-null-sink sink_name=one norewinds=1\n\
                         load-module module-null-sink sink_name=two norewinds=1\n";

    /// Two ends in one null sink, so that both are recorded by one clock: the sink `mouth` is heard by the source
    /// `microphone` and on the left of `room.monitor`, the sink `ear` on its right.
    const ROOM: &str = "load-module module-null-sink sink_name=room norewinds=1 rate=48000 channels=2 channel_map=left,right\n\
                        load-module module-remap-sink sink_name=mouth master=room channels=1 channel_map=mono master_channel_map=left remix=no\n\
                        load-module module-remap-sink sink_name=ear master=room channels=1 channel_map=mono master_channel_map=right remix=no\n\
                        load-module module-remap-source source_name=microphone master=room.monitor channels=1 channel_map=mono master_channel_map=left remix=no\n";

    /// A sound server of the test's own.
    struct Server {
        dir: tempfile::TempDir,
        process: Child,
    }

    impl Server {
        fn start() -> Self {
            Server::with(SINKS)
        }

        fn with(modules: &str) -> Self {
            let dir = tempfile::tempdir().expect("a directory");
            fs::write(dir.path().join(".asoundrc"), "pcm.!default pulse\nctl.!default pulse\n")
                .expect("a file");
            let socket = dir.path().join("native");
            let script = format!(
                "{modules}load-module module-native-protocol-unix socket={} auth-anonymous=1\n",
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

        /// Begins a command of visavis, which prints JSON; sound comes from `source` and goes to `sink`.
        fn begin(&self, arguments: &[&str], (source, sink): (&str, &str)) -> Child {
            let mut command = self.command(env!("CARGO_BIN_EXE_visavis"), &[&["--json"], arguments].concat());
            command.env("PULSE_SOURCE", source).env("PULSE_SINK", sink);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("visavis runs")
        }

        /// Kills it.
        fn stop(&mut self) {
            // Nothing to be done where it has ended.
            let _ = self.process.kill();
            let _ = self.process.wait();
        }

        fn file(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            self.stop();
        }
    }

    /// A child that does not outlive its test.
    struct Ended(Child);

    impl Drop for Ended {
        fn drop(&mut self) {
            // Nothing to be done where it has ended.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn events(output: &Output, name: &str) -> Vec<Value> {
        let text = String::from_utf8_lossy(&output.stdout);
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["event"] == name).collect()
    }

    fn event(output: &Output, name: &str) -> Value {
        events(output, name).pop().unwrap_or_else(|| panic!("no {name}: {output:?}"))
    }

    /// A UDP port of 127.0.0.1 that is free now.
    fn free_port() -> u16 {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.local_addr().expect("an address").port()
    }

    /// A call on loopback: what both ends have to say. `meanwhile` is called once the callee listens, with the
    /// call's length in seconds ahead.
    fn call(
        server: &mut Server,
        caller: &[&str],
        callee: &[&str],
        meanwhile: impl FnOnce(&mut Server),
    ) -> [Output; 2] {
        let address = format!("127.0.0.1:{}", free_port());
        let answer = [&["answer", "--listen", &address, "--max-calls", "1", "--audio-only"], callee].concat();
        let callee = server.begin(&answer, ("microphone", "ear"));
        // The caller sends its INVITE again until the callee is there.
        let call = ["call", &address, "--listen", "127.0.0.1:0", "--audio-only"];
        let caller = server.begin(&[&call[..], caller].concat(), ("microphone", "ear"));
        meanwhile(server);
        [caller, callee].map(|end| end.wait_with_output().expect("it ends"))
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
    fn a_call_that_rings_is_heard_on_the_speaker_until_its_caller_gives_up() {
        let server = Server::start();
        let (file, address) = (server.file("rung.raw"), format!("127.0.0.1:{}", free_port()));
        let record = ["--raw", "--rate=48000", "--channels=1", "--format=s16le", "-d", "one.monitor"];
        let out = fs::File::create(&file).expect("a file");
        let mut recorder = server.command("parec", &record).stdout(out).spawn().expect("parec runs");
        // Somebody sits at a terminal, and types nothing.
        let answer = format!(
            "exec '{}' answer --ask --speaker --max-calls 1 --listen {address}",
            env!("CARGO_BIN_EXE_visavis")
        );
        let mut person = server.command("script", &["-qfec", &answer, "/dev/null"]);
        person.env("PULSE_SINK", "one").stdin(Stdio::piped()).stdout(Stdio::piped());
        let person = person.spawn().expect("script is needed: apt-get install -y bsdutils");
        let call = ["call", &address, "--listen", "127.0.0.1:0", "--ring-timeout", "5s"];
        let caller = server.visavis(&call, ("PULSE_SINK", "two"));
        assert_eq!(caller.status.code(), Some(1), "{caller:?}");
        let said = person.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&said.stdout);
        assert!(said.contains("answer it?") && said.contains("the caller gave up"), "{said}");
        assert!(!said.contains("on the terminal alone") && !said.contains('\u{7}'), "{said}");
        recorder.kill().expect("it runs");
        recorder.wait().expect("it ends");
        let raw = fs::read(file).expect("sound");
        let sound: Vec<i16> = raw.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
        let first = sound.iter().position(|s| s.abs() > 1_000).expect("something is heard");
        // Two strokes of 0.4 s, the second 0.6 s after the first, then a pause: a window of 0.2 s in each.
        let window = |at: f64| {
            let begin = first + (at * 48_000.0) as usize;
            &sound[begin..begin + 9_600]
        };
        for stroke in [0.1, 0.7] {
            let both = share(window(stroke), 440.0) + share(window(stroke), 480.0);
            assert!(both > 0.9, "{both} of the stroke at {stroke} s is its two pitches");
        }
        for pause in [1.2, 2.2] {
            assert!(window(pause).iter().all(|s| s.abs() < 300), "it is not quiet {pause} s after it began");
        }
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
    /// Samples a second of what is looked through for chirps.
    const SEARCHED: usize = 8_000;

    /// A tenth of a second from 400 to 2400 Hz, at that rate.
    fn chirp(rate: usize) -> Vec<f64> {
        let samples = (0..rate / 10).map(|n| {
            let t = n as f64 / rate as f64;
            let fade = (std::f64::consts::PI * t / 0.1).sin().powi(2);
            fade * (std::f64::consts::TAU * (400.0 * t + 10_000.0 * t * t)).sin()
        });
        samples.collect()
    }

    /// Where chirps begin in sound at 48 kHz, seconds.
    fn chirps(sound: &[f64]) -> Vec<f64> {
        let coarse: Vec<f64> = sound.chunks_exact(6).map(|six| six.iter().sum::<f64>() / 6.0).collect();
        let template = chirp(SEARCHED);
        let likeness: Vec<f64> = coarse
            .windows(template.len())
            .map(|window| window.iter().zip(&template).map(|(a, b)| a * b).sum::<f64>().abs())
            .collect();
        let most = likeness.iter().fold(0.0f64, |a, b| a.max(*b));
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(next) = likeness[at..].iter().position(|l| *l > most / 2.0 && most > 1_000.0) {
            let near = &likeness[at + next..(at + next + SEARCHED / 2).min(likeness.len())];
            let best = near.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(n, _)| n);
            found.push((at + next + best) as f64 / SEARCHED as f64);
            at = (at + next + SEARCHED / 2).min(likeness.len());
        }
        found
    }

    #[test]
    fn what_is_said_at_one_end_is_heard_at_the_other() {
        let mut server = Server::with(ROOM);
        let mut second: Vec<f64> = chirp(48_000);
        second.resize(48_000, 0.0);
        let raw: Vec<u8> =
            second.iter().flat_map(|s| ((s * 16_000.0) as i16).to_le_bytes()).collect::<Vec<u8>>().repeat(60);
        let (said, heard) = (server.file("said.raw"), server.file("heard.raw"));
        fs::write(&said, raw).expect("a file");
        let form = ["--raw", "--rate=48000", "--format=s16le", "--latency-msec=20"];
        let mut play = server.command("pacat", &[&form[..], &["--channels=1", "-d", "mouth"]].concat());
        let _player = Ended(play.stdin(fs::File::open(&said).expect("a file")).spawn().expect("pacat runs"));
        let stereo = ["--channels=2", "--channel-map=left,right", "--no-remix", "-d", "room.monitor"];
        let mut record = server.command("parec", &[&form[..], &stereo].concat());
        let out = fs::File::create(&heard).expect("a file");
        let recorder = Ended(record.stdout(out).spawn().expect("parec runs"));
        let plain = ["--no-echo-cancel", "--no-noise-suppression", "--no-gain-control"];
        let eld = ["--mic", "--codecs", "aac-eld/48000/480", "--duration", "8s"];
        let [caller, callee] = call(&mut server, &[&eld[..], &plain].concat(), &["--speaker"], |_| {});
        drop(recorder);
        assert_eq!(caller.status.code(), Some(0), "{caller:?}");
        assert_eq!(callee.status.code(), Some(0), "{callee:?}");
        let raw = fs::read(heard).expect("sound");
        let side = |at: usize| -> Vec<f64> {
            raw.chunks_exact(4).map(|f| f64::from(i16::from_le_bytes([f[at], f[at + 1]]))).collect()
        };
        let (said, heard) = (chirps(&side(0)), chirps(&side(2)));
        assert!(heard.len() >= 5, "{said:?} {heard:?}");
        let delays: Vec<f64> = heard
            .iter()
            .map(|ear| {
                let mouth = said.iter().rev().find(|mouth| *mouth < ear).expect("nothing is heard unsaid");
                (ear - mouth) * 1e3
            })
            .collect();
        // What it is on a quiet machine stands in docs/benchmarks.md.
        assert!(delays.iter().all(|ms| (10.0..500.0).contains(ms)), "{delays:?}");
        for (output, kind) in [(&caller, "microphone"), (&callee, "speaker")] {
            let opened = event(output, "device-opened");
            assert_eq!(
                (&opened["kind"], opened["form"].as_str().is_some()),
                (&kind.into(), true),
                "{opened}"
            );
            let media = &event(output, "call")["record"]["media"];
            let device = &media["devices"][kind];
            assert_eq!(device["opened"]["sample_rate"], 48_000, "{media}");
            let known = |value: &Value| value.as_f64().is_some_and(|ms| ms > 0.0);
            assert!(known(&device["waiting_ms"]) && known(&device["device_ms"]), "{media}");
            assert!(known(&media["sound_delay"]["jitter_buffer_ms"]), "{media}");
            assert_eq!(media["sound_delay"]["frame_ms"], 10.0, "{media}");
            let part = if kind == "speaker" { "ear_ms" } else { "mouth_ms" };
            assert!(known(&media["sound_delay"][part]), "{media}");
            let chatter = String::from_utf8_lossy(&output.stderr);
            assert!(!chatter.contains("ALSA lib"), "{chatter}");
        }
    }

    #[test]
    fn a_call_outlives_the_sound_server() {
        let mut server = Server::with(ROOM);
        let caller = ["--mic", "--speaker", "--duration", "9s"];
        let [caller, callee] = call(&mut server, &caller, &[], |server| {
            // By then the call is up and its devices are open: what was opened is counted below.
            std::thread::sleep(Duration::from_secs(4));
            server.stop();
        });
        let mut gone: Vec<String> =
            events(&caller, "device-gone").iter().map(|e| e["kind"].to_string()).collect();
        gone.sort();
        assert_eq!(gone, ["\"microphone\"", "\"speaker\""], "{caller:?}");
        assert_eq!(events(&caller, "device-opened").len(), 2, "{caller:?}");
        let lost = event(&caller, "device-gone");
        assert!(lost["text"].as_str().is_some_and(|text| text.contains("it is gone")), "{lost}");
        let record = &event(&callee, "call")["record"];
        assert!(record["duration_s"].as_f64().is_some_and(|s| s > 8.0), "{record}");
        let tone = record["media"]["judgement"]["audio"]["tone_hz"].as_f64();
        assert!(tone.is_some_and(|hz| (hz - 997.0).abs() < 5.0), "the tone took over: {record}");
        assert!(event(&caller, "call")["verdict"]["good"].is_boolean());
    }

    #[test]
    fn a_call_without_any_device_is_held_with_pattern_and_tone() {
        let dir = tempfile::tempdir().expect("a directory");
        let address = format!("127.0.0.1:{}", free_port());
        let start = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
            command.env("HOME", dir.path()).env("XDG_RUNTIME_DIR", dir.path()).arg("--json").args(arguments);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("visavis runs")
        };
        let callee = start(&["answer", "--listen", &address, "--max-calls", "1"]);
        let devices = ["--mic=nobody", "--speaker=nobody", "--camera=nobody"];
        let call = ["call", &address, "--listen", "127.0.0.1:0", "--duration", "5s"];
        let caller = start(&[&call[..], &devices].concat());
        let [caller, callee] = [caller, callee].map(|end| end.wait_with_output().expect("it ends"));
        assert_eq!(caller.status.code(), Some(0), "{caller:?}");
        let gone = events(&caller, "device-gone");
        assert_eq!(gone.len(), 3, "{caller:?}");
        for (kind, instead) in
            [("microphone", Some("the test tone")), ("speaker", None), ("camera", Some("a card"))]
        {
            let event = gone.iter().find(|e| e["kind"] == kind).expect("each is gone");
            assert_eq!(event["instead"].as_str(), instead, "{event}");
            assert!(event["text"].as_str().is_some_and(|t| t.contains("there is none")), "{event}");
        }
        let media = &event(&callee, "call")["record"]["media"];
        assert!(media["pictures_decoded"].as_u64() > Some(5), "{media}");
        assert!(media["judgement"]["audio"]["tone_hz"].is_number(), "{media}");
    }
}
