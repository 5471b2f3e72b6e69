//! The highest clean rate that `visavis load` finds, next to the one that sipp's own caller finds by the same steps and
//! the same conditions, against `visavis answer` and sipp's own callee: `cargo bench --bench highest_clean_rate`.
//!
//! Each step has processes of its own for caller and callee, all on loopback, bounded in calls and
//! time. The two callers take turns, so that whatever else the machine does bears on both alike.
#![allow(missing_docs, clippy::print_stdout, reason = "a program that prints what it measured")]

use serde_json::Value;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;
use visavis::load::{Clean, Search, Tally};

/// Searches by each caller against each callee.
const ROUNDS: usize = 3;
/// Where a search begins, where it ends at the latest, calls a second, and how near it comes (a share).
const LOW: f64 = 3_000.0;
const HIGH: f64 = 32_000.0;
const PRECISION: f64 = 0.05;
/// A rate has failed when it did so this often in a row.
const TRIES: u32 = 3;
/// How long calls begin in a step.
const STEP: Duration = Duration::from_secs(3);
/// What a callee has between two steps.
const REST: Duration = Duration::from_secs(1);

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[derive(Clone, Copy, Debug)]
enum Caller {
    Visavis,
    Sipp,
}

#[derive(Clone, Copy, Debug)]
enum Callee {
    Answer,
    SippUas,
}

fn main() -> Outcome<()> {
    // Other benchmarks may be what was asked for.
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    if filter.is_some_and(|filter| !"highest_clean_rate".contains(&filter)) {
        return Ok(());
    }
    if Command::new("sipp").arg("-v").output().is_err() {
        return Err("sipp is needed and not installed: apt-get install -y sip-tester".into());
    }
    let callees = [Callee::Answer, Callee::SippUas];
    let mut found = callees.map(|callee| (callee, Vec::new(), Vec::new()));
    for round in 1..=ROUNDS {
        // Who begins changes from round to round.
        let order =
            if round % 2 == 1 { [Caller::Visavis, Caller::Sipp] } else { [Caller::Sipp, Caller::Visavis] };
        for (callee, ours, theirs) in &mut found {
            for caller in order {
                let rate = search(caller, *callee)?.unwrap_or(f64::NAN);
                println!("{callee:?}, round {round}: {caller:?} finds {rate:.0} calls a second");
                match caller {
                    Caller::Visavis => ours.push(rate),
                    Caller::Sipp => theirs.push(rate),
                }
            }
        }
    }
    for (callee, mut ours, mut theirs) in found {
        let (us, them) = (median(&mut ours), median(&mut theirs));
        println!(
            "{callee:?}: visavis load {us:.0}, sipp {them:.0} calls a second (medians): {:.3} of it",
            us / them
        );
    }
    Ok(())
}

/// Finds the highest clean rate.
fn search(caller: Caller, callee: Callee) -> Outcome<Option<f64>> {
    let mut search = Search::new(LOW, HIGH, PRECISION, TRIES);
    while let Some(rate) = search.next() {
        // What a step beyond its strength leaves in a callee lasts for 64*T1, and would spoil the next ones.
        let port = UdpSocket::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let target = format!("127.0.0.1:{port}");
        let _running = start(callee, port)?;
        let calls = Search::calls(rate, STEP);
        let tally = match caller {
            Caller::Visavis => by_visavis(&target, rate, calls)?,
            Caller::Sipp => by_sipp(&target, rate, calls)?,
        };
        let objection = Clean::default().objection(rate, &tally);
        println!("    {caller:?} at {rate:>6.0}: {}", objection.as_deref().unwrap_or("clean"));
        search.took(objection.is_none());
        sleep(REST);
    }
    Ok(search.highest())
}

/// A program that is stopped when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn quiet(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn start(callee: Callee, port: u16) -> Outcome<Running> {
    let port = port.to_string();
    let mut command = match callee {
        Callee::Answer => {
            let mut command = quiet(env!("CARGO_BIN_EXE_visavis"));
            command.args(["answer", "--no-media", "--listen", &format!("127.0.0.1:{port}")]);
            command
        }
        Callee::SippUas => {
            let mut command = quiet("sipp");
            command.args(["-sn", "uas", "-i", "127.0.0.1", "-p", &port, "-nostdin"]);
            command
        }
    };
    let running = Running(command.spawn()?);
    sleep(Duration::from_secs(1));
    Ok(running)
}

fn by_visavis(target: &str, rate: f64, calls: u64) -> Outcome<Tally> {
    let (rate, calls) = (rate.to_string(), calls.to_string());
    let args = [
        "--json",
        "load",
        target,
        "--rate",
        &rate,
        "--calls",
        &calls,
        "--hold",
        "0",
        "--setup-timeout",
        "5s",
    ];
    let output = Command::new(env!("CARGO_BIN_EXE_visavis")).args(args).stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let event = events.rfind(|event| event["event"] == "load").ok_or("visavis reported no load")?;
    let count = |field: &str| event[field].as_u64().unwrap_or_default();
    Ok(tally(count("placed"), count("good_calls"), count("retransmissions"), event["rate"].as_f64()))
}

fn by_sipp(target: &str, rate: f64, calls: u64) -> Outcome<Tally> {
    let dir = tempfile::tempdir()?;
    let table = dir.path().join("statistics.csv");
    let (rate, calls) = (rate.round().to_string(), calls.to_string());
    // As many calls at once as it likes, time for what was lost to be sent again three times, and socket buffers as large
    // as ours: with its own 64 kB it gives out at two thirds of its strength.
    let args = ["-sn", "uac", target, "-i", "127.0.0.1", "-r", &rate, "-m", &calls, "-d", "0", "-nostdin"];
    let more = ["-l", "100000", "-timeout", "8s", "-buff_size", "4194304", "-trace_stat", "-fd", "1"];
    quiet("sipp").args(args).args(more).arg("-stf").arg(&table).current_dir(dir.path()).status()?;
    read_statistics(&table)
}

/// The last line of sipp's table of statistics.
fn read_statistics(path: &Path) -> Outcome<Tally> {
    let table = std::fs::read_to_string(path)?;
    let (names, last) = (table.lines().next().unwrap_or_default(), table.lines().last().unwrap_or_default());
    let cell = |name: &str| -> Outcome<f64> {
        let found = names.split(';').zip(last.split(';')).find(|(n, _)| *n == name);
        Ok(found.ok_or_else(|| format!("sipp's table has no {name}"))?.1.parse()?)
    };
    let count = |name: &str| cell(name).map(|value| value as u64);
    let rate = cell("CallRate(C)")?;
    Ok(tally(
        count("TotalCallCreated")?,
        count("SuccessfulCall(C)")?,
        count("Retransmissions(C)")?,
        Some(rate),
    ))
}

/// What a step came to, in the terms by which it is judged.
fn tally(placed: u64, good: u64, retransmissions: u64, rate: Option<f64>) -> Tally {
    let gaps = placed.saturating_sub(1) as f64;
    let span =
        rate.filter(|rate| *rate > 0.0).map(|rate| (Duration::ZERO, Duration::from_secs_f64(gaps / rate)));
    Tally { placed, good, retransmissions, span, ..Tally::default() }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
