//! Set-up, checks, interop, fuzz, soak and benchmarks, run as `cargo xtask <name>`.

mod args;
mod packages;
mod run;
mod steps;
mod tasks;

use args::Task;
use std::process::ExitCode;

fn main() -> ExitCode {
    let task = match args::parse(std::env::args().skip(1)) {
        Ok(task) => task,
        Err(error) => {
            eprintln!("{error}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    let steps = match task {
        Task::Help => {
            println!("{}", args::USAGE);
            return ExitCode::SUCCESS;
        }
        Task::Setup => tasks::setup(),
        Task::Test => tasks::test::run(),
        Task::Interop { filter } => tasks::interop::run(filter.as_deref()),
        Task::Fuzz { target, seconds } => tasks::fuzz::run(target.as_deref(), seconds),
        Task::Soak { seconds, seed } => tasks::soak(seconds, seed),
        Task::Bench { filter } => tasks::bench::run(filter.as_deref()),
    };
    steps.finish()
}
