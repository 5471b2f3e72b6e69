//! What is typed.

mod check;
mod control;
mod devices;
mod impair;
mod inspect;
mod live;
mod load;
mod probe;
mod report;
mod verdict;
mod window;

pub(crate) use check::CheckArgs;
pub(crate) use control::ControlArgs;
pub(crate) use devices::DevicesArgs;
pub(crate) use impair::ImpairArgs;
pub(crate) use inspect::InspectArgs;
pub(crate) use live::LiveArgs;
pub(crate) use load::{LoadArgs, LoadMedia, Rates, SearchArgs};
pub(crate) use probe::ProbeArgs;
pub(crate) use report::ReportArgs;
pub(crate) use verdict::{PeerMediaArgs, VerdictArgs};
pub(crate) use window::WindowArgs;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use visavis::proto::frame::Rotation;
use visavis::proto::nat::Ticket;

/// A video-call endpoint for people who test and study video calls.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 good, 1 call or verdict failed, 2 wrong usage, 3 a needed thing is missing."
)]
pub(crate) struct Cli {
    /// Print one JSON object per line on stdout; texts for people go to stderr.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say more on stderr; twice: trace every packet that is dropped.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Hold a whole video call between two endpoints on this machine, and judge it.
    Demo(DemoArgs),
    /// Answer calls until interrupted.
    Answer(AnswerArgs),
    /// Call somebody.
    Call(CallArgs),
    /// Print a ticket for a peer: where this machine can be reached, and a secret for this one call.
    Ticket(TicketArgs),
    /// Place many calls at once, and tell how fast they are set up and what becomes of their media.
    Load(Box<LoadArgs>),
    /// Ask a peer what it can do, and say what the network to it is like.
    Probe(ProbeArgs),
    /// Say what a capture holds: calls, offers and answers, streams; and give its pictures and sound back.
    Inspect(InspectArgs),
    /// Hold a user agent to what the RFCs ask of it, case by case.
    Check(Box<CheckArgs>),
    /// List microphones, speakers and cameras that can be opened, and try them.
    Devices(DevicesArgs),
}

impl Command {
    /// Whether a script gives commands on stdin, and so reads JSON.
    pub(crate) fn is_scripted(&self) -> bool {
        match self {
            Command::Answer(args) => args.control.control,
            Command::Call(args) => args.control.control,
            _ => false,
        }
    }

    /// The window that is to be opened: its title, and the size of the pictures that it is for.
    pub(crate) fn window(&self) -> Option<(&'static str, (u32, u32))> {
        let (title, window, media) = match self {
            Command::Demo(args) => ("visavis demo", args.window, &args.media),
            Command::Answer(args) => ("visavis answer", args.window, &args.media),
            Command::Call(args) => ("visavis call", args.window, &args.media),
            _ => return None,
        };
        window.window.then(|| (title, media.size()))
    }
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// How long the call lasts, seconds (or 500ms, 2m).
    #[arg(long, default_value = "6s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// Where call.mp4, call.pcapng and call.json go.
    #[arg(long, default_value = "visavis-demo")]
    pub(crate) out: PathBuf,
    /// Lose all video packets on the way to the callee, to see a bad verdict: short for --impair
    /// up.video:loss=100%. Up is from the caller to the callee here.
    #[arg(long)]
    pub(crate) drop_video: bool,
    #[command(flatten)]
    pub(crate) media: MediaArgs,
    #[command(flatten)]
    pub(crate) window: WindowArgs,
    #[command(flatten)]
    pub(crate) verdict: VerdictArgs,
    #[command(flatten)]
    pub(crate) impair: ImpairArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    #[command(flatten)]
    pub(crate) peer: PeerArgs,
    #[command(flatten)]
    pub(crate) endpoint: EndpointArgs,
    #[command(flatten)]
    pub(crate) media: MediaArgs,
    #[command(flatten)]
    pub(crate) window: WindowArgs,
    #[command(flatten)]
    pub(crate) live: LiveArgs,
    #[command(flatten)]
    pub(crate) verdict: VerdictArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
    #[command(flatten)]
    pub(crate) peer_media: PeerMediaArgs,
    #[command(flatten)]
    pub(crate) impair: ImpairArgs,
    /// Stop after this many calls have ended.
    #[arg(long, value_name = "N")]
    pub(crate) max_calls: Option<u64>,
    /// Hang up after this long, seconds (or 500ms, 2m); 0: never.
    #[arg(long, default_value = "0", value_parser = duration)]
    pub(crate) duration: Duration,
    /// Decline every call with this status (486 busy, 603 decline).
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(300..700))]
    pub(crate) decline: Option<u16>,
    /// Let it ring for this long before answering.
    #[arg(long, default_value = "0", value_parser = duration, conflicts_with = "peer")]
    pub(crate) ring: Duration,
    /// Ask whoever sits at the terminal about each call: it rings, y answers and n declines.
    #[arg(long, conflicts_with_all = ["control", "decline", "ring", "peer"])]
    pub(crate) ask: bool,
    #[command(flatten)]
    pub(crate) control: ControlArgs,
    /// With --control, answer calls at once instead of waiting for the script to do so.
    #[arg(long, requires = "control", conflicts_with_all = ["decline", "ring"])]
    pub(crate) auto_answer: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// Whom to call: sip:user@host:port, or host:port. Left out with --peer.
    #[arg(required_unless_present = "peer", conflicts_with = "peer")]
    pub(crate) uri: Option<String>,
    #[command(flatten)]
    pub(crate) peer: PeerArgs,
    #[command(flatten)]
    pub(crate) endpoint: EndpointArgs,
    #[command(flatten)]
    pub(crate) media: MediaArgs,
    #[command(flatten)]
    pub(crate) window: WindowArgs,
    #[command(flatten)]
    pub(crate) live: LiveArgs,
    #[command(flatten)]
    pub(crate) verdict: VerdictArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
    #[command(flatten)]
    pub(crate) peer_media: PeerMediaArgs,
    #[command(flatten)]
    pub(crate) impair: ImpairArgs,
    /// Hang up after this long, seconds (or 500ms, 2m); 0: when interrupted, or when the peer does. Default: 10s, with
    /// --control 0.
    #[arg(long, value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Give up when it has rung for this long.
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub(crate) ring_timeout: Duration,
    /// Send the INVITE without an offer (the peer offers in its 200).
    #[arg(long)]
    pub(crate) late_offer: bool,
    /// Keys to press once the call is up, for instance 12#.
    #[arg(long, value_name = "KEYS", value_parser = keys)]
    pub(crate) dtmf: Option<String>,
    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

impl CallArgs {
    /// How long the call lasts; zero: until somebody ends it.
    pub(crate) fn duration(&self) -> Duration {
        let default = if self.control.control { Duration::ZERO } else { Duration::from_secs(10) };
        self.duration.unwrap_or(default)
    }
}

#[derive(Debug, Args)]
pub(crate) struct TicketArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// How long the peer has for using it.
    #[arg(long, default_value = "60m", value_parser = duration)]
    pub(crate) valid: Duration,
    /// The UDP address that the call will use: address:port, an address, or :port.
    #[arg(long, default_value = "0.0.0.0:16402", value_parser = listen)]
    pub(crate) listen: SocketAddr,
}

/// Where this machine stands.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    /// STUN servers to ask for the address that peers see, host or host:port; two tell more than one.
    #[arg(long, value_name = "HOST[:PORT]", value_delimiter = ',')]
    pub(crate) stun: Vec<String>,
    /// Where tickets and the identity are kept. Default: visavis in the user's state directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

/// The peer of a call that is named by ticket.
#[derive(Debug, Args)]
pub(crate) struct PeerArgs {
    /// The peer's ticket, as its `visavis ticket` printed it: find a way to it through NATs from both sides.
    #[arg(long, value_name = "TICKET")]
    pub(crate) peer: Option<Ticket>,
    /// The ticket that was given to the peer. Default: the last one that `visavis ticket` printed here.
    #[arg(long, value_name = "TICKET", requires = "peer")]
    pub(crate) ticket: Option<Ticket>,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// What the FaceTime-2010 profile leaves open.
#[derive(Debug, Args)]
pub(crate) struct FacetimeArgs {
    /// Speak as the phones of 2010 did, name and all: their offer, unsigned checks, no keys.
    #[arg(long)]
    pub(crate) emulate: bool,
    /// The key exchange: none, tap:DIR (record what the peer sends), replay:DIR (play bodies from files), lab (our
    /// own, with SRTP). Default: lab with --peer, none otherwise.
    #[arg(long, value_name = "SCHEME", value_parser = ske)]
    pub(crate) ske: Option<Ske>,
    /// End the call when the key exchange takes longer.
    #[arg(long, default_value = "5s", value_parser = duration)]
    pub(crate) ske_timeout: Duration,
    /// The fingerprint that the peer's identity must have (lab).
    #[arg(long, value_name = "FINGERPRINT")]
    pub(crate) peer_key: Option<String>,
    /// Write the keys of the call's SRTP to this file, as SDP that players read. Whoever has it can listen.
    #[arg(long, value_name = "FILE")]
    pub(crate) export_keys: Option<PathBuf>,
}

/// A key exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ske {
    None,
    Tap(PathBuf),
    Replay(PathBuf),
    Lab,
}

#[derive(Debug, Args)]
pub(crate) struct EndpointArgs {
    /// The UDP address to listen on: address:port, an address, or :port.
    #[arg(long, default_value = "0.0.0.0:16402", value_parser = listen)]
    pub(crate) listen: SocketAddr,
    /// Where the port of --listen is taken, try these in order, for instance 16402-16393.
    #[arg(long, value_name = "FROM-TO", value_parser = port_range)]
    pub(crate) port_range: Option<PortRange>,
    /// Give each media section ports of its own, from this pool, instead of one port for everything.
    #[arg(long, value_name = "FROM-TO", num_args = 0..=1, default_missing_value = "16384-16403",
          value_parser = port_range)]
    pub(crate) separate_ports: Option<PortRange>,
    /// The display name in From.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Write every packet to this pcapng file.
    #[arg(long, value_name = "FILE")]
    pub(crate) capture: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct MediaArgs {
    /// The dialect to speak.
    #[arg(long, value_enum, default_value_t = Profile::Softphone)]
    pub(crate) profile: Profile,
    #[command(flatten)]
    pub(crate) facetime: FacetimeArgs,
    /// Send back what arrives instead of the test picture and tone: frame by frame as it was coded, or with
    /// --echo=decoded decoded and coded again.
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "coded",
          conflicts_with_all = ["video_file", "audio_file", "no_media"])]
    pub(crate) echo: Option<Echo>,
    /// Signalling only: no RTP and no RTCP.
    #[arg(long)]
    pub(crate) no_media: bool,
    /// Sound only.
    #[arg(long, conflicts_with = "video_only")]
    pub(crate) audio_only: bool,
    /// Pictures only.
    #[arg(long)]
    pub(crate) video_only: bool,
    /// Codecs to use, in order of preference, for instance h264,opus,pcmu.
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    pub(crate) codecs: Vec<String>,
    /// Send this Y4M file or PNG picture instead of the test pattern.
    #[arg(long, value_name = "FILE")]
    pub(crate) video_file: Option<PathBuf>,
    /// Send this WAV file instead of the tone.
    #[arg(long, value_name = "FILE")]
    pub(crate) audio_file: Option<PathBuf>,
    /// Size of the test pattern. Default: 640x480, in the profile of 2010 320x240.
    #[arg(long, value_parser = size)]
    pub(crate) size: Option<(u32, u32)>,
    /// Pictures a second of the test pattern. Default: 30, in the profile of 2010 15.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(crate) fps: Option<u32>,
    /// How far our picture is to be turned to stand upright, degrees clockwise, as that of a camera that is mounted
    /// sideways: told to peers that turn it themselves, and done here for others.
    #[arg(long, value_name = "DEGREES", default_value = "0", value_parser = rotation, conflicts_with_all = ["echo", "no_media"])]
    pub(crate) rotate: Rotation,
    /// The pitch of the test tone, Hz. Default: 997.
    #[arg(long, value_name = "HZ", value_parser = tone, conflicts_with = "audio_file")]
    pub(crate) tone: Option<f64>,
    /// Bits a second for pictures, thousands.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(32..=50_000))]
    pub(crate) video_kbps: u32,
    /// Record what arrives into this directory, one MP4 file a call.
    #[arg(long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,
    /// Keep the received AAC in the recording, as a second sound track.
    #[arg(long, requires = "record")]
    pub(crate) keep_aac: bool,
}

impl MediaArgs {
    /// The size of the test pattern.
    pub(crate) fn size(&self) -> (u32, u32) {
        self.size.unwrap_or(match self.profile {
            Profile::Softphone => (640, 480),
            Profile::Facetime2010 => (320, 240),
        })
    }

    /// Its pictures a second.
    pub(crate) fn fps(&self) -> u32 {
        self.fps.unwrap_or(match self.profile {
            Profile::Softphone => 30,
            Profile::Facetime2010 => 15,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub(crate) enum Profile {
    /// What SIP softphones speak.
    Softphone,
    /// What a phone maker's video calls of 2010 spoke: everything on one port.
    Facetime2010,
}

/// How what arrives is sent back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Echo {
    /// Frame by frame, as it was coded.
    Coded,
    /// Decoded and coded again.
    Decoded,
}

/// A range of ports in the order to try them: upwards or downwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PortRange {
    range: RangeInclusive<u16>,
    down: bool,
}

impl PortRange {
    pub(crate) fn ports(&self) -> Vec<u16> {
        let mut ports: Vec<u16> = self.range.clone().collect();
        if self.down {
            ports.reverse();
        }
        ports
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.trim().parse().map_err(|_| format!("{text} is no time; try 10, 500ms or 2m"))?;
    let seconds = match unit {
        "" | "s" => number,
        "ms" => number / 1000.0,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(format!("{unit} is no unit of time; use ms, s, m or h")),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("{text} is out of range"))
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Some(port) = text.strip_prefix(':').and_then(|p| p.parse().ok()) {
        return Ok(SocketAddr::from(([0, 0, 0, 0], port)));
    }
    let ip = text.parse().map_err(|_| format!("{text} is no address; try 0.0.0.0:16402 or [::]:16402"))?;
    Ok(SocketAddr::new(ip, 16402))
}

fn port_range(text: &str) -> Result<PortRange, String> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let port = |t: &str| t.trim().parse::<u16>().ok().filter(|&p| p > 0);
    match (port(from), port(to)) {
        (Some(a), Some(b)) => Ok(PortRange { range: a.min(b)..=a.max(b), down: a > b }),
        _ => Err(format!("{text} is no range of ports; try 16402-16393")),
    }
}

fn ske(text: &str) -> Result<Ske, String> {
    let (name, dir) = text.split_once(':').unwrap_or((text, ""));
    match (name, dir) {
        ("none", "") => Ok(Ske::None),
        ("lab", "") => Ok(Ske::Lab),
        ("tap", dir) if !dir.is_empty() => Ok(Ske::Tap(dir.into())),
        ("replay", dir) if !dir.is_empty() => Ok(Ske::Replay(dir.into())),
        ("tap" | "replay", "") => Err(format!("{name} needs a directory: {name}:DIR")),
        _ => Err(format!("{text} is no key exchange; use none, tap:DIR, replay:DIR or lab")),
    }
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parsed = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    parsed
        .filter(|&(w, h): &(u32, u32)| {
            (128..=1920).contains(&w) && (96..=1088).contains(&h) && w % 2 + h % 2 == 0
        })
        .ok_or_else(|| format!("{text} is no picture size; try 640x480 (even numbers, 128x96 to 1920x1088)"))
}

fn rotation(text: &str) -> Result<Rotation, String> {
    let degrees = text.parse().ok().and_then(Rotation::from_degrees);
    degrees.ok_or_else(|| format!("{text} is no turn that a picture can be given; 0, 90, 180 or 270"))
}

/// A tone that every codec carries, and that is not taken for the marker's.
fn tone(text: &str) -> Result<f64, String> {
    let hz = text.trim_end_matches("Hz").trim().parse().ok();
    hz.filter(|hz| (300.0..=2200.0).contains(hz) || (2800.0..=3300.0).contains(hz)).ok_or_else(|| {
        format!("{text} is no tone to send; try 997 (300 to 3300 Hz, not near the marker's 2500)")
    })
}

fn keys(text: &str) -> Result<String, String> {
    match text.chars().find(|c| !"0123456789*#ABCD".contains(*c)) {
        Some(c) => Err(format!("{c} is no DTMF key; keys are 0-9 * # A-D")),
        None => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn times_ranges_and_addresses_read_as_people_write_them() {
        assert_eq!(duration("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("soon").is_err() && duration("-1").is_err() && duration("3y").is_err());
        assert_eq!(port_range("16402-16393").unwrap().ports()[..2], [16402, 16401]);
        assert_eq!(port_range("16384-16403").unwrap().ports()[..2], [16384, 16385]);
        assert!(port_range("0-5").is_err() && port_range("x").is_err());
        assert_eq!(listen("127.0.0.1").unwrap().to_string(), "127.0.0.1:16402");
        assert_eq!(listen(":7").unwrap().to_string(), "0.0.0.0:7");
        assert_eq!(listen("[::]:9").unwrap().to_string(), "[::]:9");
        assert!(size("641x480").is_err() && size("64x48").is_err());
    }
}
