//! `cargo xtask fuzz`: feeds the parsers with what no peer would send.

use crate::run::{cargo, install, workspace};
use crate::steps::{Failure, Note, Steps};
use std::fs;

/// Fuzzes one target, or each in turn.
pub fn run(target: Option<&str>, seconds: u64) -> Steps {
    let mut steps = Steps::new();
    let mut targets = Vec::new();
    steps.step("set-up", "cargo-fuzz", || {
        install("fuzz", "^0.13")?;
        targets = choose(target)?;
        Ok(Note::new())
    });
    for target in &targets {
        steps.step(target, &format!("for {seconds} s"), || fuzz(target, seconds));
    }
    steps
}

/// Runs one target. New inputs go to `corpus`; the seeds that are checked in are only read.
fn fuzz(target: &str, seconds: u64) -> Result<Note, Failure> {
    let (corpus, seeds) = (format!("crates/fuzz/corpus/{target}"), format!("crates/fuzz/seeds/{target}"));
    for folder in [&corpus, &seeds] {
        let made = fs::create_dir_all(workspace().join(folder));
        made.map_err(|error| Failure::new(format!("cannot create {folder}: {error}")))?;
    }
    let time = format!("-max_total_time={seconds}");
    let args = ["fuzz", "run", "--fuzz-dir", "crates/fuzz", target, &corpus, &seeds, "--", &time];
    let limits = ["-max_len=65536", "-timeout=5", "-rss_limit_mb=2048", "-print_final_stats=1"];
    // The sanitizer's compiler flag is not stable; the runtime ships with the stable toolchain.
    cargo(&[&args[..], &limits].concat()).env("RUSTC_BOOTSTRAP", "1").show()
}

/// The targets: one, which must exist, or all.
fn choose(target: Option<&str>) -> Result<Vec<String>, Failure> {
    let folder = workspace().join("crates/fuzz/targets");
    let files = fs::read_dir(&folder)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", folder.display())))?;
    let stem = |name: String| name.strip_suffix(".rs").map(str::to_owned);
    let mut all: Vec<String> =
        files.filter_map(|file| stem(file.ok()?.file_name().into_string().ok()?)).collect();
    all.sort();
    match target {
        None => Ok(all),
        Some(target) if all.iter().any(|known| known == target) => Ok(vec![target.to_owned()]),
        Some(target) => {
            Err(Failure::new(format!("there is no fuzz target `{target}`; there are: {}", all.join(", "))))
        }
    }
}
