//! What one end of a call costs, VGA at 25 pictures a second and Opus both ways: visavis without devices and with them, and baresip, by
//! turns, each called by the same visavis and showing the same pictures.

use super::bench::{cpu, free_ports, median, start};
use super::devices_bench::{MARGIN, finish, number};
use super::room::{Alive, Room};
use crate::steps::Failure;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long each call is whose cost is compared, and how often each end takes its turn.
const COSTED: u64 = 20;
const ROUNDS: usize = 3;
/// Pictures of the test pattern are recorded for so long, and shown to baresip's end over and over.
const FILMED: u64 = 10;
const SHOWN: u64 = COSTED + 2 * MARGIN;

/// What answers the call whose cost is measured.
#[derive(Clone, Copy)]
enum End {
    /// visavis with its test pattern and tone.
    Synthetic,
    /// visavis with microphone and speaker.
    Devices,
    /// baresip with a film and a tone, and nobody who sees or hears.
    Baresip,
}

/// Medians of what the ends cost, percent of a core.
pub(super) struct Costs {
    without: f64,
    with: f64,
    baresip: f64,
}

impl std::fmt::Display for Costs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Costs { without, with, baresip } = self;
        let ratio = without / baresip;
        write!(
            f,
            "{without:.1} % without devices, {with:.1} % with; baresip {baresip:.1} %, ratio {ratio:.2}"
        )
    }
}

impl Costs {
    pub(super) fn measure(room: &Room, program: &Path) -> Result<Self, Failure> {
        let baresip = Baresip::prepare(room, program)?;
        let mut taken = [End::Synthetic, End::Devices, End::Baresip].map(|end| (end, Vec::new()));
        for _ in 0..ROUNDS {
            for (end, shares) in &mut taken {
                shares.push(cost(room, program, &baresip, *end)? * 100.0);
            }
        }
        let [without, with, baresip] = taken.map(|(_, mut shares)| median(&mut shares));
        Ok(Costs { without, with, baresip })
    }
}

const MEDIA: [&str; 6] = ["--size", "640x480", "--fps", "25", "--codecs", "h264,opus"];

/// The share of a core that one end of a call needs.
fn cost(room: &Room, program: &Path, baresip: &Baresip, end: End) -> Result<f64, Failure> {
    let [port, _] = free_ports()?;
    let address = format!("127.0.0.1:{port}");
    let answer = [&["answer", "--listen", &address, "--max-calls", "1"], &MEDIA[..]].concat();
    let ours = |more: &[&str]| room.visavis(program, &[&answer[..], more].concat(), ("microphone", "ear"));
    let mut callee = match end {
        End::Synthetic => ours(&[])?,
        End::Devices => ours(&["--mic", "--speaker"])?,
        End::Baresip => baresip.answer(room, &address)?,
    };
    let length = format!("{}s", COSTED + MARGIN);
    let uri = format!("sip:lab@{address}");
    let call = ["call", &uri, "--listen", "127.0.0.1:0", "--duration", &length];
    let caller = room.visavis(program, &[&call[..], &MEDIA].concat(), ("far-microphone", "far-ear"))?;
    sleep(Duration::from_secs(MARGIN / 2));
    let (begun, before) = (Instant::now(), cpu(callee.0.id())?);
    sleep(Duration::from_secs(COSTED));
    if callee.0.try_wait().is_ok_and(|ended| ended.is_some()) {
        return Err(Failure::new("the end whose cost is measured is gone"));
    }
    let used = (cpu(callee.0.id())? - before).as_secs_f64() / begun.elapsed().as_secs_f64();
    let said = finish(caller)?;
    let pictures = number(&said, "pictures_decoded").unwrap_or_default();
    if pictures < COSTED as f64 * 20.0 {
        return Err(Failure::new(format!("in a call of {length} only {pictures} pictures came back")));
    }
    Ok(used)
}

/// A baresip to be started, and what it shows.
struct Baresip {
    home: PathBuf,
    tone: PathBuf,
    film: PathBuf,
}

impl Baresip {
    fn prepare(room: &Room, program: &Path) -> Result<Self, Failure> {
        let [home, recorded, film, tone] =
            ["baresip", "recorded", "film.nut", "tone.wav"].map(|n| room.file(n));
        fs::create_dir_all(&home)
            .map_err(|e| Failure::new(format!("cannot make {}: {e}", home.display())))?;
        let (length, out) = (format!("{FILMED}s"), recorded.display().to_string());
        let record = ["demo", "--size", "640x480", "--fps", "25", "--duration", &length, "--out", &out];
        finish(room.visavis(program, &record, ("microphone", "ear"))?)?;
        // Uncompressed: what it costs to read it is hardly more than what it costs to draw the pattern.
        let (from, to, shown) = (recorded.join("call.mp4"), film.display().to_string(), SHOWN.to_string());
        let from = from.display().to_string();
        let input = ["-v", "error", "-y", "-stream_loop", "-1", "-i", &from, "-an", "-t", &shown];
        let form = ["-r", "25", "-c:v", "rawvideo", "-pix_fmt", "yuv420p", &to];
        ffmpeg(&[&input[..], &form].concat())?;
        let sine = format!("sine=frequency=997:sample_rate=48000:duration={SHOWN}");
        ffmpeg(&["-v", "error", "-y", "-f", "lavfi", "-i", &sine, "-ac", "1", &tone.display().to_string()])?;
        Ok(Baresip { home, tone, film })
    }

    /// Lets it answer one call after another at `address`.
    fn answer(&self, room: &Room, address: &str) -> Result<Alive, Failure> {
        let modules = "account menu uuid opus aufile aubridge avcodec avformat fakevideo";
        let modules: String = modules.split(' ').map(|name| format!("module {name}.so\n")).collect();
        let config = format!(
            "poll_method epoll\nsip_listen {address}\nnet_interface 127.0.0.1\n\
             module_path /usr/lib/baresip/modules\n{modules}\
             audio_source aufile,{}\naudio_player aubridge,nil\naudio_alert aubridge,nil\n\
             ausrc_srate 48000\nauplay_srate 48000\nopus_stereo no\nopus_bitrate 40000\n\
             video_source avformat,{}\nvideo_display fakevideo,nil\n\
             video_size 640x480\nvideo_fps 25\nvideo_bitrate 1000000\n",
            self.tone.display(),
            self.film.display(),
        );
        let account = "<sip:lab@127.0.0.1>;regint=0;answermode=auto\n";
        for (name, text) in [("config", config.as_str()), ("accounts", account), ("contacts", "")] {
            let path = self.home.join(name);
            fs::write(&path, text)
                .map_err(|e| Failure::new(format!("cannot write {}: {e}", path.display())))?;
        }
        let mut command = room.command("baresip", &["-4", "-f", &self.home.display().to_string()]);
        let baresip = Alive(start(command.stdout(Stdio::null()))?);
        // It says when it is ready, but only to somebody whose terminal it has.
        sleep(Duration::from_secs(2));
        Ok(baresip)
    }
}

fn ffmpeg(arguments: &[&str]) -> Result<(), Failure> {
    let status = Command::new("ffmpeg").args(arguments).stdin(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(format!("ffmpeg {} ended with {status}", arguments.join(" ")))),
        Err(error) => Err(Failure::new(format!("cannot run ffmpeg: {error}"))),
    }
}
