//! A capture of many calls, read by `visavis inspect` and by tshark in turn: time, and the memory that it takes.

use super::bench::{median, target_dir};
use crate::run::{Run, cargo};
use crate::steps::{Failure, Note};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often each program reads the capture.
const ROUNDS: usize = 3;
/// The least size of the capture, octets.
const SIZE: u64 = 500_000_000;
/// How often a running program's memory and processor time are looked at.
const GLANCE: Duration = Duration::from_millis(20);
/// Ticks of processor time in a second, as /proc counts them on Linux.
const TICKS: f64 = 100.0;

/// Makes the capture, and has both programs read it.
pub fn run() -> Result<Note, Failure> {
    if Run::new("tshark", &["-v"]).read().is_none() {
        return Err(Failure::new("tshark is not here: `cargo xtask setup` installs it"));
    }
    cargo(&["build", "--release", "-p", "visavis", "--bin", "visavis"]).show()?;
    let program = target_dir().join("release").join(format!("visavis{}", std::env::consts::EXE_SUFFIX));
    let dir = target_dir().join("inspect-bench");
    let out = dir.display().to_string();
    let demo = ["demo", "--duration", "10s", "--out", &out];
    let called = Command::new(&program).args(demo).stdout(Stdio::null()).status();
    if !called.is_ok_and(|status| status.success()) {
        return Err(Failure::new("the call to record went wrong: see `visavis demo`"));
    }
    let (call, many) = (dir.join("call.pcapng"), dir.join("many.pcapng"));
    let failed = |error: io::Error| Failure::new(format!("{}: {error}", many.display()));
    let calls = fs::read(&call).and_then(|octets| repeat(&octets, &many)).map_err(failed)?;
    let megabytes = fs::metadata(&many).map_err(failed)?.len() as f64 / 1e6;
    println!("    {calls} calls in {megabytes:.0} MB");
    let many = many.display().to_string();
    let tshark = ["-n", "-r", &many, "-q", "--enable-heuristic", "rtp_udp", "-z", "rtp,streams"];
    let (mut ours, mut theirs, mut memory) = (Vec::new(), Vec::new(), 0);
    for round in 1..=ROUNDS {
        let us = watch(Command::new(&program).args(["inspect", "--json", &many]))?;
        let them = watch(Command::new("tshark").args(tshark))?;
        println!("    round {round}: visavis {us}; tshark {them}");
        memory = memory.max(us.memory_kb);
        ours.push(us.cpu);
        theirs.push(them.cpu);
    }
    let (us, them) = (median(&mut ours), median(&mut theirs));
    let _ = fs::remove_dir_all(&dir);
    Ok(format!(
        "processor time, medians: visavis {us:.2} s ({:.0} MB/s, {memory} kB at most), tshark {them:.2} s: {:.1} times as long",
        megabytes / us,
        them / us
    ))
}

/// What a program took.
struct Taken {
    wall: f64,
    /// Processor time up to the last look at it, seconds.
    cpu: f64,
    /// The most memory that it had, VmHWM.
    memory_kb: u64,
}

impl std::fmt::Display for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} s on the clock, {:.2} s of processor, {} kB", self.wall, self.cpu, self.memory_kb)
    }
}

/// Runs a program to its end, and looks at it meanwhile.
fn watch(command: &mut Command) -> Result<Taken, Failure> {
    let failed = |error: io::Error| Failure::new(format!("{error}"));
    let start = Instant::now();
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(failed)?;
    let proc = format!("/proc/{}", child.id());
    let mut taken = Taken { wall: 0.0, cpu: 0.0, memory_kb: 0 };
    loop {
        let ended = child.try_wait().map_err(failed)?;
        if let Some(status) = ended {
            taken.wall = start.elapsed().as_secs_f64();
            let failure = || Failure::new(format!("{command:?} ended with {status}"));
            return if status.success() { Ok(taken) } else { Err(failure()) };
        }
        taken.cpu = cpu(&proc).unwrap_or(taken.cpu);
        taken.memory_kb = memory(&proc).unwrap_or(0).max(taken.memory_kb);
        sleep(GLANCE);
    }
}

fn memory(proc: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("{proc}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// utime and stime: the 14th and the 15th field; the second, the name in brackets, may have spaces.
fn cpu(proc: &str) -> Option<f64> {
    let stat = fs::read_to_string(format!("{proc}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let ticks = rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    Some(ticks.sum::<f64>() / TICKS)
}

/// Writes the packets of a capture again and again, each time as another call: later, with other SSRCs and another
/// Call-ID. Gives the number of calls.
fn repeat(capture: &[u8], to: &Path) -> io::Result<u32> {
    const PACKET: u32 = 6;
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(kind) = word(capture, at) {
        let length = word(capture, at + 4).unwrap_or(0) as usize;
        let Some(block) = capture.get(at..at + length).filter(|_| length >= 12) else { break };
        blocks.push((kind, block));
        at += length;
    }
    let packets: Vec<&[u8]> =
        blocks.iter().filter(|(kind, _)| *kind == PACKET).map(|(_, block)| *block).collect();
    let times = packets.iter().filter_map(|block| time(block));
    let (first, last) = (times.clone().min().unwrap_or(0), times.max().unwrap_or(0));
    let call_id = call_id(&packets);
    let mut file = BufWriter::new(File::create(to)?);
    let head = blocks.iter().take_while(|(kind, _)| *kind != PACKET);
    let mut written = 0;
    for (_, block) in head {
        file.write_all(block)?;
    }
    let mut call = 0;
    while written < SIZE {
        for block in &packets {
            let mut block = block.to_vec();
            let shifted = time(&block).unwrap_or(first) + u64::from(call) * (last - first + 1_000_000_000);
            block[12..16].copy_from_slice(&((shifted >> 32) as u32).to_le_bytes());
            block[16..20].copy_from_slice(&(shifted as u32).to_le_bytes());
            change(&mut block, call, &call_id);
            file.write_all(&block)?;
            written += block.len() as u64;
        }
        call += 1;
    }
    file.flush()?;
    Ok(call)
}

fn word(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(octets.get(at..at + 4)?.try_into().ok()?))
}

/// The time of a packet block, in the capture's own units (nanoseconds).
fn time(block: &[u8]) -> Option<u64> {
    Some(u64::from(word(block, 12)?) << 32 | u64::from(word(block, 16)?))
}

/// The Call-ID, up to its `@`.
fn call_id(packets: &[&[u8]]) -> Vec<u8> {
    let mark = b"Call-ID: ";
    let found = packets.iter().find_map(|packet| {
        let at = packet.windows(mark.len()).position(|window| window == mark)?;
        let rest = packet.get(at + mark.len()..)?;
        Some(rest.iter().take_while(|&&octet| octet.is_ascii_alphanumeric()).copied().collect())
    });
    found.unwrap_or_default()
}

/// Where the UDP payload begins in a packet block that holds IPv4 without options on no link.
const PAYLOAD: usize = 28 + 20 + 8;

/// Makes a packet one of another call.
fn change(block: &mut [u8], call: u32, call_id: &[u8]) {
    let Some(payload) = block.get_mut(PAYLOAD..) else { return };
    match payload.first() {
        Some(128..=191) => {
            let rtcp = payload.get(1).is_some_and(|kind| (192..=223).contains(kind));
            // In RTCP, only that of who reports: the others belong to the call's other streams.
            let at = if rtcp { 4 } else { 8 };
            for (octet, shift) in payload.iter_mut().skip(at).take(4).zip([24, 16, 8, 0]) {
                *octet ^= (call.wrapping_mul(0x0101_0101) >> shift) as u8;
            }
        }
        _ if !call_id.is_empty() => {
            let number = format!("{call:08x}");
            let found = payload.windows(call_id.len()).position(|window| window == call_id);
            let place = found.and_then(|at| payload.get_mut(at..at + number.len().min(call_id.len())));
            if let Some(place) = place {
                let length = place.len();
                place.copy_from_slice(&number.as_bytes()[..length]);
            }
        }
        _ => {}
    }
    // The UDP checksum does not hold any more; zero is none (RFC 768).
    if let Some(checksum) = block.get_mut(PAYLOAD - 2..PAYLOAD) {
        checksum.fill(0);
    }
}
