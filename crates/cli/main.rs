//! The command line: what is typed, what is meant, and the exit code.

mod args;
mod ask;
mod commands;
mod control;
mod counts;
mod impairment;
mod inspect;
mod keep;
mod lines;
mod live;
mod output;
mod peer;
mod polite;
mod report;
mod ring;
mod session;
mod setup;
mod window;

use args::{Cli, Command};
use clap::Parser;
use output::Output;
use std::process::ExitCode;
use tracing_subscriber::filter::LevelFilter;
use window::Show;

/// Why a command did not end well, with its exit code.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The call or its verdict was bad; everything about it was said already.
    #[error("")]
    Bad,
    /// The call could not be tried.
    #[error("{0}")]
    Call(String),
    /// What was typed cannot be done.
    #[error("{0}")]
    Usage(String),
    /// Something that is needed is not there: a port, a file, a codec.
    #[error("{0}")]
    Missing(String),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Failure::Bad | Failure::Call(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Missing(_) => 3,
        }
    }
}

impl From<visavis::Error> for Failure {
    fn from(error: visavis::Error) -> Self {
        use visavis::Error as E;
        match &error {
            E::Target { .. } => Failure::Usage(error.to_string()),
            E::Bind { .. } | E::Threads(_) | E::Random(_) => Failure::Missing(error.to_string()),
            E::Unreachable { .. } | E::Closed => Failure::Call(error.to_string()),
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = match cli.verbose {
        0 => LevelFilter::ERROR,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).without_time().init();
    let output = Output::new(cli.json || cli.command.is_scripted());
    let result = match cli.command.window() {
        None => run(cli.command, None, &output),
        Some((title, size)) => window::beside(title, size, |show| run(cli.command, Some(show), &output)),
    };
    let code = match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&output, &failure),
    };
    output.finish();
    code
}

fn run(command: Command, show: Option<Show>, output: &Output) -> Result<(), Failure> {
    // One thread for the endpoint and all that follows its calls: signalling is too little work to be handed from
    // thread to thread, which costs more than it does. Codecs, files and lines have threads of their own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Missing(format!("cannot start the runtime: {error}")))?;
    let result = runtime.block_on(async {
        match command {
            Command::Demo(args) => commands::demo::run(args, show, output).await,
            Command::Answer(args) => commands::answer::run(args, show, output).await,
            Command::Call(args) => commands::call::run(args, show, output).await,
            Command::Load(args) => commands::load::run(*args, output).await,
            Command::Ticket(args) => commands::ticket::run(args, output).await,
            Command::Devices(args) => commands::devices::run(args, output).await,
            Command::Probe(args) => commands::probe::run(args, output).await,
            Command::Inspect(args) => commands::inspect::run(&args, output),
            Command::Check(args) => commands::check::run(*args, output).await,
        }
    });
    // A resolver thread or a timer may still hold the runtime: nobody waits for those.
    runtime.shutdown_background();
    result
}

fn fail(output: &Output, failure: &Failure) -> ExitCode {
    if !matches!(failure, Failure::Bad) {
        output.error(&failure.to_string(), failure.code());
    }
    ExitCode::from(failure.code())
}
