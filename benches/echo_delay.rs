//! How long pictures and sound take through somebody who sends them back, from wire to wire, minute by minute:
//! `cargo bench --bench echo_delay -- --minutes 10`.
//!
//! By default that is `visavis answer --echo`; with `--decoded`, `answer --echo=decoded`; with `--peer URI`, whoever
//! answers there. `visavis call` calls on loopback and writes a capture; the figures come from the capture alone. A
//! picture's or a frame's time is that of its last packet: on the way out when the caller hands it to the system, on the
//! way back when the kernel has received it.
//!
//! What goes back as it came is known again by its octets. What was coded again is known by what it shows: the number in
//! the test pattern, and the beep that marks each second.
#![allow(missing_docs, clippy::print_stdout, reason = "a program that prints what it measured")]

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use visavis::capture::analysis::{Analysis, AnalysisOptions, Extracted, FrameSink, StreamId};
use visavis::capture::read::Reader;
use visavis::media_codecs::codec::{self, AudioDecoder, VideoDecoder};
use visavis::media_codecs::source::pattern::{Reading, Stamp};
use visavis::media_codecs::source::tone::Tone;
use visavis::proto::Time;
use visavis::proto::frame::{MediaKind, ReceivedFrame};
use visavis::proto::io::MediaFormat;

/// The mark of every beep.
const BEEP: u64 = 0;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let (mut minutes, mut decoded, mut peer) = (1.0, false, None);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--minutes" => minutes = args.next().ok_or("--minutes takes a number")?.parse()?,
            "--decoded" => decoded = true,
            "--peer" => peer = Some(args.next().ok_or("--peer takes a URI")?),
            // Other benchmarks may be what was asked for.
            filter if !filter.starts_with('-') && !"echo_delay".contains(filter) => return Ok(()),
            _ => {}
        }
    }
    let dir = tempfile::tempdir()?;
    let capture = dir.path().join("call.pcapng");
    let caller = hold_a_call(peer, decoded, Duration::from_secs_f64(minutes * 60.0), &capture)?;
    let passed = read(&capture, caller, decoded)?;
    println!("| | minute | count | median | p95 | p99 | greatest, ms |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for kind in [MediaKind::Audio, MediaKind::Video] {
        let name = if kind == MediaKind::Audio { "sound" } else { "pictures" };
        let Some(passed) = passed.get(&kind) else { continue };
        let delays = passed.delays();
        let first = delays.first().map_or(Time::ZERO, |(at, _)| *at);
        let mut by_minute: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for (at, delay) in &delays {
            by_minute.entry((*at - first).as_secs() / 60).or_default().push(delay.as_secs_f64() * 1e3);
        }
        let mut all: Vec<f64> = by_minute.values().flatten().copied().collect();
        for (minute, delays) in &mut by_minute {
            println!("| {name} | {} | {} |", minute + 1, Figures::of(delays));
        }
        println!("| {name} | all | {} |", Figures::of(&mut all));
        println!(
            "| {name} that never came back | | {} of {} | | | | |",
            passed.sent.len() - delays.len(),
            passed.sent.len()
        );
    }
    Ok(())
}

/// Calls for so long; gives the caller's address.
fn hold_a_call(
    peer: Option<String>,
    decoded: bool,
    duration: Duration,
    capture: &Path,
) -> Outcome<SocketAddr> {
    let echo = if decoded { "--echo=decoded" } else { "--echo" };
    let answer =
        peer.is_none().then(|| Running::start(&["answer", echo, "--listen", "127.0.0.1:0"])).transpose()?;
    let target = match (&peer, &answer) {
        (Some(uri), _) => uri.clone(),
        (None, Some(answer)) => format!("sip:echo@{}", answer.address),
        (None, None) => unreachable!("one of them is there"),
    };
    let seconds = format!("{}s", duration.as_secs_f64());
    let capture = capture.to_str().ok_or("a path in UTF-8")?;
    let mut caller = Command::new(env!("CARGO_BIN_EXE_visavis"));
    // An address of its own, so that the capture tells the two directions apart.
    let listen = SocketAddr::from(([127, 0, 0, 2], free_port()?));
    caller.args(["call", &target, "--listen", &listen.to_string(), "--duration", &seconds]);
    let status = caller.args(["--capture", capture]).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    match status.code() {
        // A verdict may be bad and the figures good: peers have tones of their own.
        Some(0 | 1) => Ok(listen),
        _ => Err(format!("the call to {target} did not come off: {status}").into()),
    }
}

fn free_port() -> Outcome<u16> {
    Ok(std::net::UdpSocket::bind(("127.0.0.2", 0))?.local_addr()?.port())
}

/// A `visavis answer` that is stopped when this is dropped.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    fn start(args: &[&str]) -> Outcome<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
        let command = command.arg("--json").args(args).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output to read")?).lines();
        let first = lines.next().ok_or("visavis answer ended at once")??;
        // What comes then must be read all the same: a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        let listening: serde_json::Value = serde_json::from_str(&first)?;
        let address = listening["address"].as_str().ok_or("it does not listen")?.to_owned();
        Ok(Running { child, address })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// When what went out and came back: its mark, and the time of its last packet.
#[derive(Default)]
struct Passed {
    sent: Vec<(u64, Time)>,
    returned: Vec<(u64, Time)>,
}

impl Passed {
    /// When each that came back had gone out, and how long that took. Both directions are in order.
    fn delays(&self) -> Vec<(Time, Duration)> {
        let mut waiting: VecDeque<_> = self.sent.iter().copied().collect();
        let mut delays = Vec::new();
        for (mark, back) in &self.returned {
            let is_it = |(sent, at): &(u64, Time)| sent == mark && at <= back;
            // All beeps are alike, and a second apart: the last one before is the one.
            let place =
                if *mark == BEEP { waiting.iter().rposition(is_it) } else { waiting.iter().position(is_it) };
            if let Some(place) = place {
                delays.push((waiting[place].1, *back - waiting[place].1));
                waiting.drain(..=place);
            }
        }
        delays
    }
}

fn read(capture: &Path, caller: SocketAddr, decoded: bool) -> Outcome<BTreeMap<MediaKind, Passed>> {
    let passed = Arc::new(Mutex::new(BTreeMap::new()));
    let sink = Marks { caller, decoded, eyes: BTreeMap::new(), passed: passed.clone() };
    let mut reader = Reader::new(File::open(capture)?)?;
    let mut analysis = Analysis::with_sink(AnalysisOptions::default(), Box::new(sink));
    while let Some(datagram) = reader.next()? {
        analysis.push(&datagram);
    }
    analysis.finish();
    let passed = std::mem::take(&mut *passed.lock().map_err(|_| "the reader failed")?);
    Ok(passed)
}

/// Takes the frames of a capture, and marks them.
struct Marks {
    caller: SocketAddr,
    decoded: bool,
    /// What looks into each stream.
    eyes: BTreeMap<usize, Eye>,
    passed: Arc<Mutex<BTreeMap<MediaKind, Passed>>>,
}

impl FrameSink for Marks {
    fn frame(&mut self, stream: &StreamId, format: &MediaFormat, frame: &ReceivedFrame) {
        if !frame.complete {
            return;
        }
        let mark = if self.decoded {
            let eye = self.eyes.entry(stream.number).or_insert_with(|| Eye::open(format));
            eye.mark(frame)
        } else {
            let mut hasher = DefaultHasher::new();
            frame.data.hash(&mut hasher);
            Some(hasher.finish())
        };
        let (Some(mark), Ok(mut passed)) = (mark, self.passed.lock()) else { return };
        let passed = passed.entry(frame.codec.kind()).or_default();
        let ours = stream.source == self.caller;
        if ours { &mut passed.sent } else { &mut passed.returned }.push((mark, frame.received));
    }

    fn finish(&mut self, _: &StreamId) -> Extracted {
        Extracted::default()
    }
}

/// Sees numbers, or hears beeps.
enum Eye {
    Numbers(Box<dyn VideoDecoder>),
    Beeps(Box<dyn AudioDecoder>, Beeps),
    Closed,
}

impl Eye {
    fn open(format: &MediaFormat) -> Self {
        match format {
            MediaFormat::Video(video) => {
                codec::open_video_decoder(video.codec).map_or(Eye::Closed, Eye::Numbers)
            }
            MediaFormat::Audio(audio) => codec::open_audio_decoder(audio)
                .map_or(Eye::Closed, |decoder| Eye::Beeps(decoder, Beeps::default())),
        }
    }

    fn mark(&mut self, frame: &ReceivedFrame) -> Option<u64> {
        match self {
            Eye::Numbers(decoder) => match Stamp::read(&decoder.decode(frame).ok()??.picture) {
                Reading::Stamp(stamp) | Reading::Boxed(stamp) => Some(u64::from(stamp.number)),
                Reading::Unreadable | Reading::NoPattern => None,
            },
            Eye::Beeps(decoder, beeps) => {
                let sound = decoder.decode(&frame.data).ok()?;
                let samples: Vec<f64> = sound.channel(0).map(f64::from).collect();
                beeps.begins(&samples, f64::from(sound.sample_rate())).then_some(BEEP)
            }
            Eye::Closed => None,
        }
    }
}

/// Finds the frames in which a beep begins.
#[derive(Default)]
struct Beeps {
    sounding: bool,
}

impl Beeps {
    /// Whether one begins in these samples: a block of 2 ms that holds it louder than it holds the tone.
    fn begins(&mut self, samples: &[f64], rate: f64) -> bool {
        let tone = Tone::default();
        let mut begun = false;
        for block in samples.chunks_exact((rate / 500.0) as usize) {
            let beep = power(block, rate, tone.marker_frequency);
            let sounding = beep > power(block, rate, tone.frequency) && beep > 1e4;
            begun |= sounding && !self.sounding;
            self.sounding = sounding;
        }
        begun
    }
}

/// The power at a frequency, of samples that are few.
fn power(samples: &[f64], rate: f64, frequency: f64) -> f64 {
    let turn = std::f64::consts::TAU * frequency / rate;
    let (re, im) = (0..).zip(samples).fold((0.0, 0.0), |(re, im), (n, sample)| {
        let (sin, cos) = (turn * f64::from(n)).sin_cos();
        (re + sample * cos, im + sample * sin)
    });
    (re * re + im * im) / (samples.len() as f64).powi(2)
}

struct Figures {
    count: usize,
    values: [f64; 4],
}

impl Figures {
    fn of(delays: &mut [f64]) -> Self {
        delays.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let rank = (share * delays.len() as f64).ceil() as usize;
            delays.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
        };
        Figures { count: delays.len(), values: [at(0.5), at(0.95), at(0.99), at(1.0)] }
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [median, p95, p99, greatest] = self.values;
        write!(f, "{} | {median:.2} | {p95:.2} | {p99:.2} | {greatest:.2}", self.count)
    }
}
