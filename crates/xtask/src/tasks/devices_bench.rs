//! `cargo xtask bench devices`: a call from microphone to speaker on a sound server of its own. How long
//! sound takes from mouth to ear, how often it is missing, how much of an echo is left, and (in `devices_cost`) what it costs.
//!
//! The sound server has one null sink, `room`, whose two channels are played and heard apart by remapped sinks and
//! sources: so mouth and ear are recorded by one clock, to the sample.

use super::bench::{free_ports, target_dir};
use super::chirps::{self, RATE};
use super::devices_cost::Costs;
use super::room::{Alive, Room};
use crate::run::cargo;
use crate::steps::{Failure, Note};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// How long the call is that is listened to; `VISAVIS_BENCH_SECONDS` says otherwise.
const LISTENED: u64 = 600;
/// Sound, settled and hung up.
pub(super) const MARGIN: u64 = 8;

const CODEC: &str = "aac-eld/48000/480";

/// Measures all of it.
pub(super) fn run() -> Result<Note, Failure> {
    for program in ["pulseaudio", "pacat", "parec", "baresip", "ffmpeg"] {
        // Each of them knows -h or says that it does not; what matters is that it is there.
        if Command::new(program).arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            return Err(Failure::new(format!("{program} is not here: `cargo xtask setup` installs it")));
        }
    }
    cargo(&["build", "--release", "--features", "devices", "-p", "visavis", "--bin", "visavis"]).show()?;
    let program = target_dir().join("release/visavis");
    let seconds = std::env::var("VISAVIS_BENCH_SECONDS").ok().and_then(|text| text.parse().ok());
    let room = Room::open()?;
    let plain = mouth_to_ear(&room, &program, 20, &PLAIN)?;
    println!("    mouth to ear, nothing done to the voice: {plain}");
    let voice = mouth_to_ear(&room, &program, 20, &[])?;
    println!("    mouth to ear with echo canceller, noise suppression and gain control: {voice}");
    let echo = echo(&room, &program)?;
    println!("    echo of the far end, {echo:.1} dB down");
    let costs = Costs::measure(&room, &program)?;
    println!("    VGA at 25 pictures a second and Opus both ways, shares of a core: {costs}");
    let long = mouth_to_ear(&room, &program, seconds.unwrap_or(LISTENED), &PLAIN)?;
    println!("    {} s: {long}", seconds.unwrap_or(LISTENED));
    Ok(format!(
        "mouth to ear {:.0} ms, of it {:.0} ms ours; echo {echo:.0} dB down; {} holes in {} s beside {} of pacat, \
         {} underruns beside {}; {costs}",
        long.total,
        long.ours,
        long.holes,
        seconds.unwrap_or(LISTENED),
        long.holes_of_pacat,
        long.underruns,
        long.underruns_of_pacat,
    ))
}

const PLAIN: [&str; 3] = ["--no-echo-cancel", "--no-noise-suppression", "--no-gain-control"];

/// What was measured from mouth to ear.
struct Way {
    /// Medians, milliseconds: in all, and by visavis's own word what of it is not the sound server's.
    total: f64,
    ours: f64,
    least: f64,
    most: f64,
    chirps: usize,
    /// Chirps that did not come through visavis, and through pacat beside it.
    holes: usize,
    holes_of_pacat: usize,
    /// Underruns by visavis's own count, and by pacat's.
    underruns: u64,
    underruns_of_pacat: usize,
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Way { total, ours, least, most, chirps, holes, holes_of_pacat, underruns, underruns_of_pacat } =
            self;
        write!(
            f,
            "{total:.1} ms ({least:.1} to {most:.1}, {chirps} chirps), {ours:.1} ms of it ours; {holes} holes, \
             {holes_of_pacat} of pacat beside it; {underruns} underruns counted, {underruns_of_pacat} by pacat"
        )
    }
}

/// Lets one end hear the mouth and the other play on the ear, and finds chirps on both.
fn mouth_to_ear(room: &Room, program: &Path, seconds: u64, more: &[&str]) -> Result<Way, Failure> {
    let said = room.file("said.raw");
    write(&said, &chirps::every_second(seconds + 2 * MARGIN))?;
    let _mouth = room.play(&said, "mouth")?;
    // The same through pacat alone: parec hears the mouth, and pacat plays it on the far ear.
    let said_by_pacat = room.file("pacat.log");
    let _loop = room.pass_on("microphone", "far-ear", &said_by_pacat)?;
    let (heard, looped) = (room.file("heard.raw"), room.file("looped.raw"));
    let recorders = [room.record("room.monitor", &heard)?, room.record("far.monitor", &looped)?];
    let [port, _] = free_ports()?;
    let address = format!("127.0.0.1:{port}");
    let length = format!("{seconds}s");
    let answer = ["answer", "--listen", &address, "--max-calls", "1", "--audio-only", "--speaker"];
    let callee = room.visavis(program, &answer, ("far-microphone", "ear"))?;
    let call = ["call", &address, "--listen", "127.0.0.1:0", "--audio-only", "--codecs", CODEC, "--mic"];
    let call = [&call[..], &["--duration", &length], more].concat();
    let caller = room.visavis(program, &call, ("microphone", "far-ear"))?;
    let (caller, callee) = (finish(caller)?, finish(callee)?);
    drop(recorders);
    let (said, heard) = chirps::find(&heard)?;
    let (_, looped) = chirps::find(&looped)?;
    let mut delays: Vec<f64> = heard.iter().filter_map(|ear| delay(&said, *ear)).collect();
    if delays.is_empty() {
        return Err(Failure::new("nothing that was said was heard"));
    }
    let total = super::bench::median(&mut delays);
    let (Some(first), Some(last)) = (heard.first(), heard.last()) else {
        return Err(Failure::new("nothing was heard"));
    };
    let during = |times: &[f64]| times.iter().filter(|t| (*first - 0.5..*last + 0.5).contains(*t)).count();
    let expected = (last - first).round() as usize + 1;
    let stages = ["waiting_ms", "frame_ms", "codec_ms"].map(|name| number(&caller, name));
    let ears = ["jitter_buffer_ms", "waiting_ms"].map(|name| number(&callee, name));
    let ours = stages.into_iter().chain(ears).sum::<Option<f64>>();
    Ok(Way {
        total,
        ours: ours.ok_or_else(|| Failure::new("a stage of the delay is unknown"))?,
        least: delays.first().copied().unwrap_or_default(),
        most: delays.last().copied().unwrap_or_default(),
        chirps: heard.len(),
        holes: expected.saturating_sub(heard.len()),
        holes_of_pacat: expected.saturating_sub(during(&looped)),
        underruns: [&caller, &callee].iter().filter_map(|text| number(text, "underruns")).sum::<f64>() as u64,
        underruns_of_pacat: times_in(&said_by_pacat, "Stream underrun")?,
    })
}

/// How often a text stands in a file.
fn times_in(path: &Path, text: &str) -> Result<usize, Failure> {
    let all = fs::read_to_string(path);
    Ok(all.map_err(|e| Failure::new(format!("cannot read {}: {e}", path.display())))?.matches(text).count())
}

/// From the newest chirp of the mouth's that is older than one of the ear's, milliseconds.
fn delay(said: &[f64], ear: f64) -> Option<f64> {
    said.iter().rev().find(|mouth| **mouth < ear).map(|mouth| (ear - mouth) * 1e3)
}

/// How much weaker the far end's sound comes back than it was, dB: the near end's microphone hears its own speaker
/// alone.
fn echo(room: &Room, program: &Path) -> Result<f64, Failure> {
    let said = room.file("speech.raw");
    write(&said, &chirps::babble(40))?;
    let _mouth = room.play(&said, "far-mouth")?;
    let heard = room.file("echo.raw");
    let recorder = room.record("far.monitor", &heard)?;
    let [port, _] = free_ports()?;
    let address = format!("127.0.0.1:{port}");
    // The near end: what it plays on the ear is all that its microphone hears.
    let answer = ["answer", "--listen", &address, "--max-calls", "1", "--audio-only", "--mic", "--speaker"];
    let near = [&answer[..], &["--no-noise-suppression", "--no-gain-control"]].concat();
    let near = room.visavis(program, &near, ("open", "ear"))?;
    let call = [
        "call",
        &address,
        "--listen",
        "127.0.0.1:0",
        "--audio-only",
        "--codecs",
        "opus",
        "--mic",
        "--speaker",
    ];
    let call = [&call[..], &PLAIN, &["--duration", "30s"]].concat();
    let far = room.visavis(program, &call, ("far-microphone", "far-ear"))?;
    for end in [far, near] {
        finish(end)?;
    }
    drop(recorder);
    let sound = chirps::read(&heard)?;
    // The last ten seconds: the canceller has settled, and nobody has hung up.
    let end = sound.len().saturating_sub(RATE * 4);
    let part = sound.get(end.saturating_sub(RATE * 10)..end).unwrap_or_default();
    let power = |side: usize| part.iter().map(|frame| frame[side] * frame[side]).sum::<f64>() + 1.0;
    if power(0) < 1e6 {
        return Err(Failure::new("the far end was not heard"));
    }
    Ok(10.0 * (power(0) / power(1)).log10())
}

/// The last number of this name in what visavis printed.
pub(super) fn number(text: &str, name: &str) -> Option<f64> {
    let (_, rest) = text.rsplit_once(&format!("\"{name}\":"))?;
    rest.split([',', '}']).next()?.parse().ok()
}

/// Waits for a visavis, and gives what it printed.
pub(super) fn finish(mut end: Alive) -> Result<String, Failure> {
    let Some(mut stdout) = end.0.stdout.take() else { return Err(Failure::new("no output to read")) };
    let mut text = String::new();
    std::io::Read::read_to_string(&mut stdout, &mut text).map_err(|e| Failure::new(e.to_string()))?;
    Ok(text)
}

fn write(path: &Path, samples: &[i16]) -> Result<(), Failure> {
    let octets: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    fs::write(path, octets).map_err(|e| Failure::new(format!("cannot write {}: {e}", path.display())))
}
