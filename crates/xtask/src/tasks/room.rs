//! A room for a benchmark: a sound server of its own, those who play and record in it, and those who call.

use super::bench::start;
use crate::steps::Failure;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Mouth on the left and ear on the right of `room`; `microphone` hears the mouth, `open` both, which is an echo.
const ROOM: &str = "\
load-module module-null-sink sink_name=room norewinds=1 rate=48000 channels=2 channel_map=left,right
load-module module-remap-sink sink_name=mouth master=room channels=1 channel_map=mono master_channel_map=left remix=no
load-module module-remap-sink sink_name=ear master=room channels=1 channel_map=mono master_channel_map=right remix=no
load-module module-remap-source source_name=microphone master=room.monitor channels=1 channel_map=mono master_channel_map=left remix=no
load-module module-remap-source source_name=open master=room.monitor channels=1 channel_map=mono master_channel_map=right remix=no
load-module module-null-sink sink_name=far norewinds=1 rate=48000 channels=2 channel_map=left,right
load-module module-remap-sink sink_name=far-mouth master=far channels=1 channel_map=mono master_channel_map=left remix=no
load-module module-remap-sink sink_name=far-ear master=far channels=1 channel_map=mono master_channel_map=right remix=no
load-module module-remap-source source_name=far-microphone master=far.monitor channels=1 channel_map=mono master_channel_map=left remix=no
";

/// A child that is killed when nobody needs it any more.
pub(super) struct Alive(pub(super) Child);

impl Drop for Alive {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A sound server of the benchmark's own.
pub(super) struct Room {
    dir: PathBuf,
    _server: Alive,
}

impl Room {
    pub(super) fn open() -> Result<Self, Failure> {
        let dir = std::env::temp_dir().join(format!("visavis-bench-{}", std::process::id()));
        let failed = |e: std::io::Error| Failure::new(format!("cannot make {}: {e}", dir.display()));
        fs::create_dir_all(&dir).map_err(failed)?;
        let socket = dir.join("native");
        let script = format!(
            "{ROOM}load-module module-native-protocol-unix socket={} auth-anonymous=1\n",
            socket.display()
        );
        fs::write(dir.join("script.pa"), script).map_err(failed)?;
        fs::write(dir.join(".asoundrc"), "pcm.!default pulse\nctl.!default pulse\n").map_err(failed)?;
        let mut command = around(&dir, "pulseaudio");
        command.args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "-F"]);
        let server = Alive(start(command.arg(dir.join("script.pa")).stdout(Stdio::null()))?);
        let end = Instant::now() + Duration::from_secs(20);
        while !socket.exists() {
            if Instant::now() > end {
                return Err(Failure::new("the sound server does not start"));
            }
            sleep(Duration::from_millis(50));
        }
        Ok(Room { dir, _server: server })
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(super) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = around(&self.dir, program);
        command.args(arguments);
        command
    }

    pub(super) fn play(&self, file: &Path, sink: &str) -> Result<Alive, Failure> {
        let form =
            ["--raw", "--rate=48000", "--channels=1", "--format=s16le", "--latency-msec=50", "-d", sink];
        let input = File::open(file).map_err(|e| Failure::new(e.to_string()))?;
        let mut command = self.command("pacat", &form);
        let player = command.stdin(input).stderr(Stdio::null()).spawn();
        player.map(Alive).map_err(|e| Failure::new(format!("cannot run pacat: {e}")))
    }

    /// Plays on a sink what a source hears, by parec and pacat alone; what pacat says of it goes into `log`.
    pub(super) fn pass_on(&self, source: &str, sink: &str, log: &Path) -> Result<[Alive; 2], Failure> {
        let form = ["--raw", "--rate=48000", "--channels=1", "--format=s16le"];
        let failed = |e: std::io::Error| Failure::new(format!("parec and pacat cannot be joined: {e}"));
        let mut command = self.command("parec", &form);
        command.args(["--latency-msec=10", "-d", source]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut recorder = Alive(command.spawn().map_err(failed)?);
        let sound = recorder.0.stdout.take().ok_or_else(|| Failure::new("parec gives nothing"))?;
        let mut command = self.command("pacat", &form);
        let log = File::create(log).map_err(failed)?;
        command
            .args(["--latency-msec=20", "--verbose", "-d", sink])
            .stdin(sound)
            .stderr(log)
            .env("LC_ALL", "C");
        Ok([recorder, Alive(command.spawn().map_err(failed)?)])
    }

    /// Records both channels of a monitor.
    pub(super) fn record(&self, source: &str, file: &Path) -> Result<Alive, Failure> {
        let form = ["--raw", "--rate=48000", "--channels=2", "--channel-map=left,right", "--no-remix"];
        let output = File::create(file).map_err(|e| Failure::new(e.to_string()))?;
        let mut command = self.command("parec", &form);
        let recorder =
            command.args(["--format=s16le", "-d", source]).stdout(output).stderr(Stdio::null()).spawn();
        recorder.map(Alive).map_err(|e| Failure::new(format!("cannot run parec: {e}")))
    }

    /// A visavis that hears `source` and plays on `sink`.
    pub(super) fn visavis(
        &self,
        program: &Path,
        arguments: &[&str],
        (source, sink): (&str, &str),
    ) -> Result<Alive, Failure> {
        let mut command = self.command(&program.display().to_string(), &["--json"]);
        command.args(arguments).env("PULSE_SOURCE", source).env("PULSE_SINK", sink);
        start(command.stdout(Stdio::piped())).map(Alive)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What is left lies in the system's temporary directory.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn around(dir: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("HOME", dir).env("XDG_RUNTIME_DIR", dir).env("XDG_CONFIG_HOME", dir.join("config"));
    command.env("PULSE_SERVER", format!("unix:{}", dir.join("native").display()));
    command.env_remove("DISPLAY").env_remove("DBUS_SESSION_BUS_ADDRESS");
    command
}
