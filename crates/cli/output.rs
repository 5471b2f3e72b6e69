//! What is printed: lines for people, or JSON objects for programs.

use crate::lines::Lines;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

/// Where a command says what happens. Texts go to stdout, or to stderr where stdout is for JSON.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    json: bool,
    lines: Option<Arc<Lines>>,
    status: ProgressBar,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let status =
            if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            status.set_style(style);
        }
        let lines = Some(Arc::new(Lines::start(status.clone())));
        Output { json, lines, status }
    }

    /// One without any output, for the half of a call that somebody else tells about.
    pub(crate) fn quiet() -> Self {
        Output { json: false, lines: None, status: ProgressBar::hidden() }
    }

    /// Whether stdout is for programs.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// One line for a person.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        let Some(lines) = &self.lines else { return };
        let text = fit_for_terminals(text.as_ref());
        if self.json {
            lines.to_stderr(&text);
        } else {
            lines.to_stdout(&text);
        }
    }

    /// Rings the terminal's bell, on stderr.
    pub(crate) fn bell(&self) {
        if let Some(lines) = &self.lines {
            lines.bell();
        }
    }

    /// What a command is for, in one line that a script can take: alone on stdout, unless that is for JSON.
    pub(crate) fn result(&self, text: &str) {
        if let Some(lines) = self.lines.as_ref().filter(|_| !self.json) {
            lines.to_stdout(text);
        }
    }

    /// One line for a person beside a [`Output::result`]: on stderr.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        if let Some(lines) = &self.lines {
            lines.to_stderr(&fit_for_terminals(text.as_ref()));
        }
    }

    /// One event for a program: `{"event":NAME,"v":1,...}` with the fields of `body`, which is asked for only
    /// where somebody reads it.
    pub(crate) fn event(&self, name: &str, body: impl FnOnce() -> Value) {
        let Some(lines) = self.lines.as_ref().filter(|_| self.json) else { return };
        let mut line = json!({ "event": name, "v": 1 });
        if let (Some(line), Value::Object(fields)) = (line.as_object_mut(), body()) {
            line.extend(fields);
        }
        lines.to_stdout(&line.to_string());
    }

    /// Waits until everything said so far is written. Nothing that is said later is.
    pub(crate) fn finish(&self) {
        if let Some(lines) = &self.lines {
            lines.finish();
        }
    }

    /// The line that is written over again and again while a call lasts; nothing where there is no terminal.
    pub(crate) fn status(&self, text: String) {
        self.status.set_message(text);
        self.status.tick();
    }

    /// Takes the status line away.
    pub(crate) fn clear_status(&self) {
        self.status.finish_and_clear();
        self.status.reset();
    }

    pub(crate) fn error(&self, text: &str, code: u8) {
        self.clear_status();
        if let Some(lines) = &self.lines {
            lines.to_stderr(&format!("visavis: {}", fit_for_terminals(text)));
        }
        self.event("error", || json!({ "text": text, "code": code }));
    }
}

/// Control characters of others do not belong on a terminal.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '·' } else { c }).collect()
}

/// The same where a text of our own has lines and columns: names, reasons and addresses in it are the peer's.
fn fit_for_terminals(text: &str) -> Cow<'_, str> {
    let ours = |c: char| matches!(c, '\n' | '\t');
    if !text.chars().any(|c| c.is_control() && !ours(c)) {
        return Cow::Borrowed(text);
    }
    text.chars().map(|c| if c.is_control() && !ours(c) { '·' } else { c }).collect()
}

/// A share in per cent, or `unknown`.
pub(crate) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "unknown".into(), |s| format!("{:.1} %", s * 100.0))
}

/// Milliseconds, or `unknown`.
pub(crate) fn millis(ms: Option<f64>) -> String {
    ms.map_or_else(
        || "unknown".into(),
        |ms| if ms < 10.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") },
    )
}

/// A time in seconds, as a clock shows it.
pub(crate) fn clock(time: Duration) -> String {
    let s = time.as_secs();
    if s < 3600 {
        format!("{:02}:{:02}", s / 60, s % 60)
    } else {
        format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_says_cannot_steer_the_terminal() {
        assert_eq!(clean("a\u{1b}[31m\n"), "a·[31m·");
        assert_eq!(fit_for_terminals("two\nlines,\ttwo columns"), "two\nlines,\ttwo columns");
        assert_eq!(fit_for_terminals("call from \u{1b}[2J\u{9b}1m\rx\u{7}"), "call from ·[2J·1m·x·");
    }
}
