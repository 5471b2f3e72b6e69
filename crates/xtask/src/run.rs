//! Runs other programs, and says which.

use crate::steps::{Failure, Note};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder that holds the workspace.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// A command of the cargo that runs this program, in the workspace.
pub fn cargo(args: &[&str]) -> Run {
    let mut run = Run::new("cargo", args);
    run.command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    run.command.args(args).current_dir(workspace());
    run
}

/// A program to run.
pub struct Run {
    command: Command,
    words: String,
}

impl Run {
    /// A program of this name, in the workspace.
    pub fn new(program: &str, args: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(args).current_dir(workspace());
        let words: Vec<String> = [&[program], args].concat().into_iter().map(quoted).collect();
        Run { command, words: words.join(" ") }
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self.words = format!("{name}={} {}", quoted(value), self.words);
        self
    }

    /// Runs it with its output shown; a failure where it does not end well.
    pub fn show(mut self) -> Result<Note, Failure> {
        println!("    $ {}", self.words);
        match self.command.status() {
            Ok(status) if status.success() => Ok(Note::new()),
            Ok(status) => Err(Failure {
                what: format!("`{}` ended with {status}", self.words),
                again: Some(self.words),
            }),
            Err(error) => Err(Failure::new(format!("cannot run `{}`: {error}", self.words))),
        }
    }

    /// Runs it quietly and returns what it printed; `None` where it could not be started.
    pub fn read(mut self) -> Option<Output> {
        self.command.output().ok()
    }

    /// Whether it can be started and ends well.
    pub fn works(self) -> bool {
        self.read().is_some_and(|output| output.status.success())
    }
}

/// Installs a cargo subcommand where it is missing.
pub fn install(subcommand: &str, version: &str) -> Result<(), Failure> {
    if cargo(&[subcommand, "--version"]).works() {
        return Ok(());
    }
    let package = format!("cargo-{subcommand}");
    // On a fresh machine most of its time is its own build: unoptimised takes half of that.
    cargo(&["install", "--debug", "--locked", "--version", version, &package]).show().map(|_| ())
}

/// A word as a shell takes it.
fn quoted(value: &str) -> String {
    if value.contains([' ', '*', '\n']) { format!("'{value}'") } else { value.to_owned() }
}
