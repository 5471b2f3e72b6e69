//! What is printed: lines for people, or JSON objects for programs.

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Where a command says what happens. Texts go to stdout, or to stderr where stdout is for JSON.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    json: bool,
    silent: bool,
    status: ProgressBar,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let status =
            if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            status.set_style(style);
        }
        Output { json, silent: false, status }
    }

    /// The same without any output, for the half of a call that somebody else tells about.
    pub(crate) fn quiet(self) -> Self {
        Output { json: false, silent: true, status: ProgressBar::hidden() }
    }

    /// One line for a person.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        if self.silent {
            return;
        }
        self.status.suspend(|| {
            // Whoever read our output may have gone: that is no reason to end a call.
            let _ = if self.json {
                writeln!(std::io::stderr(), "{}", text.as_ref())
            } else {
                writeln!(std::io::stdout(), "{}", text.as_ref())
            };
        });
    }

    /// One event for a program: `{"event":NAME,"v":1,...}` with the fields of `body`.
    pub(crate) fn event(&self, name: &str, body: impl Serialize) {
        if !self.json {
            return;
        }
        let mut line = json!({ "event": name, "v": 1 });
        let body = serde_json::to_value(body).unwrap_or(Value::Null);
        if let (Some(line), Value::Object(fields)) = (line.as_object_mut(), body) {
            line.extend(fields);
        }
        self.status.suspend(|| {
            let _ = writeln!(std::io::stdout(), "{line}");
        });
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
        let _ = writeln!(std::io::stderr(), "visavis: {text}");
        self.event("error", json!({ "text": text, "code": code }));
    }
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
