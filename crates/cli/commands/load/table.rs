//! Tables in files: comma-separated, a line of names first (RFC 4180).

use super::Second;
use crate::Failure;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use visavis::load::{CallRow, Histogram};

/// The columns of a table of seconds.
pub(super) const SECOND: [&str; 17] = [
    "second",
    "placed",
    "established",
    "good",
    "failed",
    "up",
    "answer_p50_ms",
    "answer_p90_ms",
    "answer_p99_ms",
    "setup_p99_ms",
    "late_p99_ms",
    "retransmissions",
    "timeouts",
    "rtp_sent",
    "rtp_received",
    "rtp_lost",
    "jitter_p50_ms",
];

/// The columns of a table of calls.
pub(super) const CALL: [&str; 9] = [
    "call",
    "begun_s",
    "answer_ms",
    "setup_ms",
    "length_s",
    "outcome",
    "rtp_sent",
    "rtp_received",
    "rtp_lost",
];

/// The columns of a table of steps.
pub(super) const STEP: [&str; 7] =
    ["rate", "calls", "good", "retransmissions", "reached", "answer_p99_ms", "objection"];

/// A table that is being written.
pub(super) struct Table {
    path: PathBuf,
    file: BufWriter<File>,
    lines: u64,
    failed: Option<std::io::Error>,
}

impl Table {
    pub(super) fn create(path: &Path, columns: &[&str]) -> Result<Self, Failure> {
        let file = File::create(path)
            .map_err(|e| Failure::Missing(format!("cannot write {}: {e}", path.display())))?;
        let mut table = Table { path: path.to_owned(), file: BufWriter::new(file), lines: 0, failed: None };
        table.write(&columns.join(","));
        Ok(table)
    }

    /// Adds a line. What cannot be written is said in the end: it is no reason to end a load.
    pub(super) fn add<const N: usize>(&mut self, cells: [String; N]) {
        self.lines += 1;
        self.write(&cells.map(|cell| quoted(&cell)).join(","));
    }

    fn write(&mut self, line: &str) {
        if let Err(error) = writeln!(self.file, "{line}") {
            self.failed.get_or_insert(error);
        }
    }

    /// Writes what is left; says in words what there is.
    pub(super) fn finish(mut self) -> Result<String, Failure> {
        let path = self.path.display();
        let failed = self.failed.take().or(self.file.flush().err());
        match failed {
            Some(error) => Err(Failure::Missing(format!("cannot write {path}: {error}"))),
            None => Ok(format!("{} lines in {path}", self.lines)),
        }
    }
}

/// A second of a load.
pub(super) fn second(second: &Second) -> [String; 17] {
    let tally = &second.tally;
    let at = |histogram: &Histogram, share| millis(histogram.quantile(share));
    [
        format!("{:.1}", second.since.as_secs_f64()),
        tally.placed.to_string(),
        tally.established.to_string(),
        tally.good.to_string(),
        tally.failed.to_string(),
        second.up.to_string(),
        at(&tally.answer, 0.5),
        at(&tally.answer, 0.9),
        at(&tally.answer, 0.99),
        at(&tally.setup, 0.99),
        at(&tally.late, 0.99),
        tally.retransmissions.to_string(),
        tally.timeouts.to_string(),
        tally.rtp.sent.to_string(),
        tally.rtp.received.to_string(),
        tally.rtp.lost.to_string(),
        at(&tally.rtp.jitter, 0.5),
    ]
}

/// A call of a load.
pub(super) fn call(row: &CallRow) -> [String; 9] {
    let (sent, received, lost) = row.rtp;
    [
        row.number.to_string(),
        format!("{:.6}", row.begun.as_secs_f64()),
        millis(row.answer),
        millis(row.setup),
        format!("{:.6}", row.length.as_secs_f64()),
        row.outcome.text().to_owned(),
        sent.to_string(),
        received.to_string(),
        lost.to_string(),
    ]
}

/// Milliseconds; an empty cell for what was not measured.
pub(super) fn millis(time: Option<Duration>) -> String {
    time.map_or_else(String::new, |time| format!("{:.3}", time.as_secs_f64() * 1e3))
}

fn quoted(cell: &str) -> String {
    if cell.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_with_commas_and_quotes_stay_one_cell() {
        assert_eq!(quoted("486 Busy Here"), "486 Busy Here");
        assert_eq!(quoted(r#"488 Not here, "why""#), r#""488 Not here, ""why""""#);
        assert_eq!((millis(None), millis(Some(Duration::from_micros(1_500)))), ("".into(), "1.500".into()));
    }
}
