//! A task's steps: each named and timed, the first failure ends the task, and a table ends the output.

use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Why a step failed, in words, with the command that shows it again where there is one.
#[derive(Debug)]
pub struct Failure {
    pub what: String,
    pub again: Option<String>,
}

impl Failure {
    /// A failure without a command.
    pub fn new(what: impl Into<String>) -> Self {
        Failure { what: what.into(), again: None }
    }
}

/// What a step that passed has to say beyond that; empty for nothing.
pub type Note = String;

/// The steps of one task.
pub struct Steps {
    started: Instant,
    steps: Vec<Step>,
    failure: Option<Failure>,
}

struct Step {
    name: String,
    state: State,
    note: Note,
}

enum State {
    Passed(Duration),
    Failed(Duration),
    NotRun,
}

impl Steps {
    pub fn new() -> Self {
        Steps { started: Instant::now(), steps: Vec::new(), failure: None }
    }

    /// Runs a step, unless one before it failed.
    pub fn step(&mut self, name: &str, what: &str, run: impl FnOnce() -> Result<Note, Failure>) -> &mut Self {
        let name = name.to_owned();
        if self.failure.is_some() {
            self.steps.push(Step { name, state: State::NotRun, note: Note::new() });
            return self;
        }
        println!("\n=== {name}: {what}");
        let started = Instant::now();
        let result = run();
        let took = started.elapsed();
        let (state, note) = match result {
            Ok(note) => (State::Passed(took), note),
            Err(failure) => {
                self.failure = Some(failure);
                (State::Failed(took), Note::new())
            }
        };
        println!("--- {name}: {}", state.words());
        self.steps.push(Step { name, state, note });
        self
    }

    /// Prints the table and says how the task ended.
    pub fn finish(self) -> ExitCode {
        println!();
        for step in &self.steps {
            let line = format!("{:<12} {:<24} {}", step.name, step.state.words(), step.note);
            println!("  {}", line.trim_end());
        }
        if let Some(Failure { what, again }) = &self.failure {
            println!("\nFAILED: {what}");
            if let Some(command) = again {
                println!("        to see it again: {command}");
            }
        }
        println!("\n{} in {}", self.counts(), words(self.started.elapsed()));
        if self.failure.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    fn counts(&self) -> String {
        let count = |kind: fn(&State) -> bool| self.steps.iter().filter(|step| kind(&step.state)).count();
        let passed = count(|state| matches!(state, State::Passed(_)));
        let failed = count(|state| matches!(state, State::Failed(_)));
        let not_run = count(|state| matches!(state, State::NotRun));
        match not_run {
            0 => format!("steps: {passed} passed, {failed} failed"),
            _ => format!("steps: {passed} passed, {failed} failed, {not_run} not run"),
        }
    }
}

impl State {
    fn words(&self) -> String {
        match self {
            State::Passed(took) => format!("passed in {}", words(*took)),
            State::Failed(took) => format!("FAILED after {}", words(*took)),
            State::NotRun => "not run".to_owned(),
        }
    }
}

/// A duration as people say it.
fn words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_ends_the_task() {
        let mut ran = Vec::new();
        let mut steps = Steps::new();
        steps.step("one", "", || Ok(Note::new()));
        steps.step("two", "", || Err(Failure::new("broken")));
        steps.step("three", "", || {
            ran.push(3);
            Ok(Note::new())
        });
        assert_eq!(steps.counts(), "steps: 1 passed, 1 failed, 1 not run");
        assert_eq!(steps.finish(), ExitCode::FAILURE);
        assert!(ran.is_empty());
    }

    #[test]
    fn a_task_whose_steps_all_passed_succeeds() {
        let mut steps = Steps::new();
        steps.step("one", "", || Ok("with a note".into()));
        assert_eq!(steps.counts(), "steps: 1 passed, 0 failed");
        assert_eq!(steps.finish(), ExitCode::SUCCESS);
    }

    #[test]
    fn durations_read_naturally() {
        assert_eq!(words(Duration::from_millis(1250)), "1.2 s");
        assert_eq!(words(Duration::from_secs(192)), "3 min 12 s");
    }
}
