//! What was typed.

/// What is printed for `--help` and after a mistake.
pub const USAGE: &str = "\
cargo xtask <task>

  setup                          install what the tests need (Debian packages, as root), or say what is missing
  test                           set-up, format, clippy, docs, licences, all tests with interop: what CI runs
  interop [NAME]                 calls with real peers on this machine; only the tests whose name has NAME in it
  fuzz [TARGET] [--seconds N]    fuzz one parser, or each in turn, for N seconds (60)
  soak [--seconds N] [--seed S]  random calls over random lines on a virtual clock for N seconds (300)
  bench [NAME]                   benchmarks; only those whose name has NAME in it
  bench devices                  a call from microphone to speaker, a quarter of an hour of it";

/// What is meant.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    Help,
    Setup,
    Test,
    Interop { filter: Option<String> },
    Fuzz { target: Option<String>, seconds: u64 },
    Soak { seconds: u64, seed: Option<u64> },
    Bench { filter: Option<String> },
}

/// Reads the arguments after the program's name.
pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Task, String> {
    let mut args = args.into_iter();
    let Some(name) = args.next() else { return Ok(Task::Help) };
    let rest = Rest::read(args)?;
    let (task, allowed): (Task, &[&str]) = match name.as_str() {
        "help" | "--help" | "-h" => (Task::Help, &[]),
        "setup" => (Task::Setup, &[]),
        "test" => (Task::Test, &[]),
        "interop" => (Task::Interop { filter: rest.word.clone() }, &["word"]),
        "fuzz" => {
            let seconds = rest.seconds.unwrap_or(60);
            (Task::Fuzz { target: rest.word.clone(), seconds }, &["word", "--seconds"])
        }
        "soak" => {
            let seconds = rest.seconds.unwrap_or(300);
            (Task::Soak { seconds, seed: rest.seed }, &["--seconds", "--seed"])
        }
        "bench" => (Task::Bench { filter: rest.word.clone() }, &["word"]),
        _ => return Err(format!("there is no task `{name}`")),
    };
    match rest.present().find(|(kind, _)| !allowed.contains(kind)) {
        Some((_, given)) => Err(format!("`{name}` takes no `{given}`")),
        None => Ok(task),
    }
}

#[derive(Default)]
struct Rest {
    word: Option<String>,
    seconds: Option<u64>,
    seed: Option<u64>,
}

impl Rest {
    fn read(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut rest = Rest::default();
        while let Some(arg) = args.next() {
            let number = match arg.as_str() {
                "--seconds" => &mut rest.seconds,
                "--seed" => &mut rest.seed,
                option if option.starts_with('-') => return Err(format!("there is no option `{option}`")),
                _ if rest.word.is_some() => return Err(format!("`{arg}` is one name too many")),
                _ => {
                    rest.word = Some(arg);
                    continue;
                }
            };
            let value = args.next().ok_or_else(|| format!("`{arg}` needs a number"))?;
            let parsed = value.parse().map_err(|_| format!("`{arg} {value}` is not a number"))?;
            *number = Some(parsed);
        }
        Ok(rest)
    }

    /// What was given: its kind, and what was typed.
    fn present(&self) -> impl Iterator<Item = (&'static str, String)> {
        let word = self.word.clone().map(|word| ("word", word));
        let seconds = self.seconds.map(|_| ("--seconds", "--seconds".to_owned()));
        let seed = self.seed.map(|_| ("--seed", "--seed".to_owned()));
        [word, seconds, seed].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Result<Task, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn tasks_take_their_own_arguments() {
        assert_eq!(typed(""), Ok(Task::Help));
        assert_eq!(typed("test"), Ok(Task::Test));
        assert_eq!(typed("fuzz"), Ok(Task::Fuzz { target: None, seconds: 60 }));
        assert_eq!(typed("fuzz --seconds 5 sip"), Ok(Task::Fuzz { target: Some("sip".into()), seconds: 5 }));
        assert_eq!(typed("soak --seed 7"), Ok(Task::Soak { seconds: 300, seed: Some(7) }));
        assert_eq!(typed("interop bare"), Ok(Task::Interop { filter: Some("bare".into()) }));
    }

    #[test]
    fn mistakes_are_named() {
        let error = |line| typed(line).unwrap_err();
        assert_eq!(error("tset"), "there is no task `tset`");
        assert_eq!(error("test me"), "`test` takes no `me`");
        assert_eq!(error("fuzz --seed 1"), "`fuzz` takes no `--seed`");
        assert_eq!(error("fuzz --seconds"), "`--seconds` needs a number");
        assert_eq!(error("fuzz --seconds ten"), "`--seconds ten` is not a number");
        assert_eq!(error("fuzz a b"), "`b` is one name too many");
        assert_eq!(error("soak --fast"), "there is no option `--fast`");
    }
}
