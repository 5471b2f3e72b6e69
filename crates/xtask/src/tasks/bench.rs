//! `cargo xtask bench`: what things cost, in microbenchmarks and, against another server, in whole calls.

use crate::run::{Run, cargo, workspace};
use crate::steps::{Failure, Note, Steps};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What the benchmark of whole calls is called.
const CALLS: &str = "signalled_call_through_sockets";
/// What that of captures is called.
const CAPTURES: &str = "capture_of_many_calls";
/// What that of a call through devices is called. It takes a quarter of an hour and a quiet machine, so it runs only
/// where it is named.
const DEVICES: &str = "devices";
/// How often each server is measured.
const ROUNDS: usize = 3;
/// Calls in each round, and how many of them begin in a second.
const COUNT: u32 = 4_000;
const RATE: u32 = 200;
/// Transactions last for 64*T1 after their calls (RFC 3261 sections 17.2.2 and 13.3.1.4), and their end costs too.
const AFTERMATH: Duration = Duration::from_secs(33);

/// Runs the benchmarks whose name has `filter` in it.
pub fn run(filter: Option<&str>) -> Steps {
    let mut steps = Steps::new();
    let whole_calls = filter.is_none_or(|filter| CALLS.contains(filter));
    let captures = filter.is_none_or(|filter| CAPTURES.contains(filter));
    let devices = filter == Some(DEVICES);
    // Asked for by their full names, these run alone.
    if !filter.is_some_and(|filter| [CALLS, CAPTURES, DEVICES].contains(&filter)) {
        steps.step("bench", "what it costs", || {
            let mut args = vec!["bench", "--workspace", "--bench", "*"];
            args.extend(filter.map(|filter| ["--", filter]).into_iter().flatten());
            cargo(&args).show()
        });
    }
    if whole_calls {
        let what = "processor time of a signalled call, next to SIPp as the server";
        steps.step("calls", what, signalled_calls);
    }
    if captures {
        let what = "time and memory to inspect a large capture, next to tshark";
        steps.step("captures", what, super::inspect_bench::run);
    }
    if devices {
        let what = "a call from microphone to speaker: delay, holes, echo, processor time";
        steps.step("devices", what, super::devices_bench::run);
    }
    steps
}

/// SIPp calls this program and SIPp in turn, so that whatever else the machine does bears on both alike.
fn signalled_calls() -> Result<Note, Failure> {
    if Run::new("sipp", &["-v"]).read().is_none_or(|out| out.stdout.is_empty()) {
        return Err(Failure::new("SIPp is not here: `cargo xtask setup` installs it"));
    }
    cargo(&["build", "--release", "-p", "visavis", "--bin", "visavis"]).show()?;
    let program = target_dir().join("release").join(format!("visavis{}", std::env::consts::EXE_SUFFIX));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let [to_us, to_sipp] = free_ports()?;
        let visavis = Server::visavis(&program, to_us)?;
        let sipp = Server::sipp(to_sipp)?;
        let before = visavis.cpu()?;
        call(to_us)?;
        let called = Instant::now();
        let sipp_before = sipp.cpu()?;
        call(to_sipp)?;
        theirs.push(per_call(sipp.cpu()? - sipp_before));
        sleep(AFTERMATH.saturating_sub(called.elapsed()));
        ours.push(per_call(visavis.cpu()? - before));
        if let (Some(us), Some(them)) = (ours.last(), theirs.last()) {
            println!("    round {round}: visavis {us:.1} us a call, sipp -sn uas {them:.1} us");
        }
    }
    let (us, them) = (median(&mut ours), median(&mut theirs));
    let ratio = us / them;
    Ok(format!("visavis {us:.1} us, sipp -sn uas {them:.1} us (medians): {ratio:.2} of it"))
}

/// A server that is stopped when it is dropped.
struct Server(Child);

impl Server {
    fn visavis(program: &PathBuf, port: u16) -> Result<Server, Failure> {
        let mut command = Command::new(program);
        command.args(["answer", "--no-media", "--listen", &format!("127.0.0.1:{port}")]);
        let mut server = Server(start(command.stdout(Stdio::piped()))?);
        let Some(stdout) = server.0.stdout.take() else { return Err(Failure::new("no output to read")) };
        let mut lines = BufReader::new(stdout).lines();
        // Its first line says that it listens. What comes then must be read all the same: a full pipe would stop it.
        if lines.next().is_none() {
            return Err(Failure::new("visavis ended at once"));
        }
        std::thread::spawn(move || lines.for_each(drop));
        Ok(server)
    }

    fn sipp(port: u16) -> Result<Server, Failure> {
        let mut command = Command::new("sipp");
        command.args(["-sn", "uas", "-i", "127.0.0.1", "-p", &port.to_string(), "-nostdin"]);
        let server = Server(start(command.stdout(Stdio::null()))?);
        sleep(Duration::from_secs(1));
        Ok(server)
    }

    fn cpu(&self) -> Result<Duration, Failure> {
        cpu(self.0.id())
    }
}

/// The processor time of all threads of a process so far. Unlike utime and stime, which count in hundredths of a
/// second, the scheduler's figure is in nanoseconds.
pub(super) fn cpu(process: u32) -> Result<Duration, Failure> {
    let tasks = format!("/proc/{process}/task");
    let threads = fs::read_dir(&tasks).map_err(|e| Failure::new(format!("cannot read {tasks}: {e}")))?;
    let nanos = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Ok(Duration::from_nanos(nanos.sum()))
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Makes the calls of one round: INVITE, 180, 200, ACK, BYE, 200.
fn call(port: u16) -> Result<(), Failure> {
    let (target, rate, count) = (format!("127.0.0.1:{port}"), RATE.to_string(), COUNT.to_string());
    let args = ["-sn", "uac", &target, "-i", "127.0.0.1", "-r", &rate, "-m", &count, "-d", "0", "-nostdin"];
    let mut command = Command::new("sipp");
    let status = start(command.args(args).stdout(Stdio::null()))?.wait();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            Err(Failure::new(format!("calls failed: `sipp {}` ended with {status}", args.join(" "))))
        }
        Err(error) => Err(Failure::new(format!("cannot wait for sipp: {error}"))),
    }
}

pub(super) fn start(command: &mut Command) -> Result<Child, Failure> {
    let started = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
    started.map_err(|error| Failure::new(format!("cannot run {command:?}: {error}")))
}

/// Two UDP ports that nobody else has at the moment.
pub(super) fn free_ports() -> Result<[u16; 2], Failure> {
    let open = || UdpSocket::bind(("127.0.0.1", 0)).and_then(|s| Ok((s.local_addr()?.port(), s)));
    let failed = |e: std::io::Error| Failure::new(format!("no free port: {e}"));
    let (one, two) = (open().map_err(failed)?, open().map_err(failed)?);
    Ok([one.0, two.0])
}

pub(super) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// Microseconds for each call of a round.
fn per_call(cpu: Duration) -> f64 {
    cpu.as_secs_f64() * 1e6 / f64::from(COUNT)
}

pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_whatever_the_order() {
        assert_eq!(median(&mut [9.0, 1.0, 5.0]), 5.0);
        assert!(median(&mut []).is_nan());
    }
}
