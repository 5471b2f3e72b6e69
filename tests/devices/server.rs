//! A sound server of the test's own, and programs that know of no other devices.

use crate::harness::VISAVIS;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Two null sinks, `one` and `two`: what is played on one is heard on its monitor.
pub(crate) const SINKS: &str = "load-module module-null-sink sink_name=one norewinds=1\n\
                     load-module module-null-sink sink_name=two norewinds=1\n";

/// Two ends in one null sink, so that both are recorded by one clock: the sink `mouth` is heard by the source
/// `microphone` and on the left of `room.monitor`, the sink `ear` on its right.
pub(crate) const ROOM: &str = "load-module module-null-sink sink_name=room norewinds=1 rate=48000 channels=2 channel_map=left,right\n\
                    load-module module-remap-sink sink_name=mouth master=room channels=1 channel_map=mono master_channel_map=left remix=no\n\
                    load-module module-remap-sink sink_name=ear master=room channels=1 channel_map=mono master_channel_map=right remix=no\n\
                    load-module module-remap-source source_name=microphone master=room.monitor channels=1 channel_map=mono master_channel_map=left remix=no\n";

/// How samples are given to the server's own programs, and got from them.
const RAW: [&str; 4] = ["--raw", "--rate=48000", "--format=s16le", "--latency-msec=20"];

/// A home directory with an ALSA configuration of its own, and no way to any sound server but one in it.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new(asoundrc: &str) -> Self {
        let home = Home(tempfile::tempdir().expect("a directory"));
        fs::write(home.file(".asoundrc"), asoundrc).expect("a file");
        home
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn around(&self, mut command: Command) -> Command {
        command.env("HOME", self.0.path()).env("XDG_RUNTIME_DIR", self.0.path());
        command.env("XDG_CONFIG_HOME", self.file("c"));
        command.env("PULSE_SERVER", format!("unix:{}", self.file("native").display()));
        command.env_remove("DISPLAY").env_remove("DBUS_SESSION_BUS_ADDRESS");
        command
    }

    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments);
        self.around(command)
    }

    pub(crate) fn visavis(&self, arguments: &[&str], device: (&str, &str)) -> Output {
        let mut command = self.command(VISAVIS, &[&["--json"], arguments].concat());
        command.env(device.0, device.1).output().expect("visavis runs")
    }

    /// Begins a command of visavis, which prints JSON; sound comes from `source` and goes to `sink`.
    pub(crate) fn begin(&self, arguments: &[&str], (source, sink): (&str, &str)) -> Child {
        let mut command = self.command(VISAVIS, &[&["--json"], arguments].concat());
        command.env("PULSE_SOURCE", source).env("PULSE_SINK", sink);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("visavis runs")
    }
}

/// A sound server of the test's own.
pub(crate) struct Server {
    home: Home,
    process: Child,
}

impl std::ops::Deref for Server {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        Server::with(SINKS)
    }

    pub(crate) fn with(modules: &str) -> Self {
        let home = Home::new("pcm.!default pulse\nctl.!default pulse\n");
        let socket = home.file("native");
        let script = format!(
            "{modules}load-module module-native-protocol-unix socket={} auth-anonymous=1\n",
            socket.display()
        );
        fs::write(home.file("script.pa"), script).expect("a file");
        let process = Self::run(&home);
        Server { home, process }
    }

    fn run(home: &Home) -> Child {
        let mut command = home.command(
            "pulseaudio",
            &["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "-F"],
        );
        let process = command.arg(home.file("script.pa")).stderr(Stdio::null()).spawn();
        let process = process.expect(
            "pulseaudio is needed: apt-get install -y pulseaudio pulseaudio-utils libasound2-plugins",
        );
        let end = Instant::now() + Duration::from_secs(20);
        while !home.file("native").exists() {
            assert!(Instant::now() < end, "the sound server does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        process
    }

    /// Plays raw samples, 48 kHz and mono, on the `mouth` of [`ROOM`], until what it gives is dropped.
    pub(crate) fn speak(&self, raw: &[u8]) -> Ended {
        let said = self.file("said.raw");
        fs::write(&said, raw).expect("a file");
        let form = [&RAW[..], &["--channels=1", "-d", "mouth"]].concat();
        let said = fs::File::open(said).expect("a file");
        Ended(self.command("pacat", &form).stdin(said).spawn().expect("pacat runs"))
    }

    /// Records mouth and ear of [`ROOM`], left and right, into a file, until the recorder is dropped.
    pub(crate) fn listen(&self) -> (Ended, PathBuf) {
        let heard = self.file("heard.raw");
        let stereo = ["--channels=2", "--channel-map=left,right", "--no-remix", "-d", "room.monitor"];
        let mut record = self.command("parec", &[&RAW[..], &stereo].concat());
        let out = fs::File::create(&heard).expect("a file");
        (Ended(record.stdout(out).spawn().expect("parec runs")), heard)
    }

    /// Kills it.
    pub(crate) fn stop(&mut self) {
        // Nothing to be done where it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(self.home.file("native"));
    }

    /// Starts it once more.
    pub(crate) fn restart(&mut self) {
        self.process = Self::run(&self.home);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A child that does not outlive its test.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Nothing to be done where it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn events(output: &Output, name: &str) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["event"] == name).collect()
}

pub(crate) fn event(output: &Output, name: &str) -> Value {
    events(output, name).pop().unwrap_or_else(|| panic!("no {name}: {output:?}"))
}

/// A UDP port of 127.0.0.1 that is free now.
pub(crate) fn free_port() -> u16 {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.local_addr().expect("an address").port()
}

/// A call on loopback: what both ends have to say. `meanwhile` is called once the callee listens, with the
/// call's length in seconds ahead.
pub(crate) fn call(
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
pub(crate) fn share(sound: &[i16], hz: f64) -> f64 {
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

/// The least share of a tone of `hz` in any twentieth of a second of the sound. Over longer, a tone whose pitch is a thousandth
/// off, as it is while the clock of a device is learned, would seem to be no tone.
pub(crate) fn least_share(sound: &[i16], hz: f64) -> f64 {
    sound.windows(2_400).step_by(1_200).map(|part| share(part, hz)).fold(1.0, f64::min)
}

/// One channel of 16-bit sound from a raw file of `channels`.
pub(crate) fn channel(raw: &[u8], channels: usize, which: usize) -> Vec<i16> {
    let frames = raw.chunks_exact(2 * channels);
    frames.map(|f| i16::from_le_bytes([f[2 * which], f[2 * which + 1]])).collect()
}

/// Raw 16-bit mono sound at 48 kHz: a tone of `hz`, at a quarter of what is possible.
pub(crate) fn tone(hz: f64, seconds: u32) -> Vec<u8> {
    let samples = (0..48_000 * seconds)
        .map(|n| (8_192.0 * (std::f64::consts::TAU * hz * f64::from(n) / 48_000.0).sin()) as i16);
    samples.flat_map(i16::to_le_bytes).collect()
}
