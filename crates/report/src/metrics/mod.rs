//! What can be measured of a call, by name: each metric with its unit and how it is measured.
//!
//! The same names serve requirements (`--require 'video.psnr_db>=30'`), verdicts and reports. A metric is taken
//! from the record of a live call ([`Metric::of_call`]) or, where a capture tells it, from the streams of one
//! ([`Metric::of_capture`]). `docs/metrics.md` lists them all; a test holds that page to this catalogue.

mod capture;
mod catalogue;
mod unit;

pub use capture::Scoped;
pub use catalogue::{all, find};
pub use unit::Unit;

use crate::record::{CallRecord, SectionRecord};
use catalogue::Source;
use visavis_capture::findings::Findings;
use visavis_media::judge::Distribution;
use visavis_proto::frame::MediaKind;

/// One thing that is measured.
#[derive(Debug)]
pub struct Metric {
    /// Its name, for instance `video.psnr_db`.
    pub name: String,
    /// What its values are in.
    pub unit: Unit,
    /// How it is measured, in one sentence.
    pub how: &'static str,
    /// Whether it is a distribution, whose statistics can be named: `video.latency_ms.p95`.
    pub spread: bool,
    call: Option<Source>,
    capture: Option<capture::Source>,
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// One number.
    Number(f64),
    /// Many, summed up.
    Spread(Distribution),
}

/// Which number of a distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Statistic {
    /// The least.
    Min,
    /// One in twenty is at or below this.
    P5,
    /// Half are at or below this: what a metric means where no statistic is named.
    #[default]
    Median,
    /// Nineteen in twenty are at or below this.
    P95,
    /// The greatest.
    Max,
    /// The arithmetic mean.
    Mean,
}

impl Statistic {
    /// All of them.
    pub const ALL: [Statistic; 6] =
        [Statistic::Min, Statistic::P5, Statistic::Median, Statistic::P95, Statistic::Max, Statistic::Mean];

    /// Its name behind a metric's: `p95`.
    pub fn as_str(self) -> &'static str {
        match self {
            Statistic::Min => "min",
            Statistic::P5 => "p5",
            Statistic::Median => "median",
            Statistic::P95 => "p95",
            Statistic::Max => "max",
            Statistic::Mean => "mean",
        }
    }
}

impl Value {
    /// The number that is meant.
    pub fn statistic(self, statistic: Statistic) -> f64 {
        match (self, statistic) {
            (Value::Number(number), _) => number,
            (Value::Spread(d), Statistic::Min) => d.min,
            (Value::Spread(d), Statistic::P5) => d.p5,
            (Value::Spread(d), Statistic::Median) => d.median,
            (Value::Spread(d), Statistic::P95) => d.p95,
            (Value::Spread(d), Statistic::Max) => d.max,
            (Value::Spread(d), Statistic::Mean) => d.mean,
        }
    }
}

impl Metric {
    /// Whether the record of a live call has it.
    pub fn is_of_calls(&self) -> bool {
        self.call.is_some()
    }

    /// Whether a capture alone tells it.
    pub fn is_of_captures(&self) -> bool {
        self.capture.is_some()
    }

    /// What was measured in a call, of what this side received where a direction matters; `None`: unknown.
    pub fn of_call(&self, record: &CallRecord) -> Option<Value> {
        match self.call.as_ref()? {
            Source::Call(measure) => measure(record),
            Source::Section(kind, measure) => measure(section(record, *kind)?).map(Value::Number),
            Source::Judged(measure) => measure(record.media.judgement.as_ref()?),
        }
    }

    /// What a capture tells: one entry for each stream of the metric's kind, or one for the call. `call` is an
    /// index into [`Findings::calls`]; without, every stream of the capture is meant. Nothing where the capture
    /// has no such stream, or cannot tell this metric at all.
    pub fn of_capture(&self, findings: &Findings, call: Option<usize>) -> Vec<Scoped> {
        self.capture.as_ref().map(|source| source.measure(findings, call)).unwrap_or_default()
    }
}

/// The first section of a kind.
fn section(record: &CallRecord, kind: MediaKind) -> Option<&SectionRecord> {
    record.sections.iter().find(|s| s.kind == Some(kind.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_say_their_unit_where_it_is_one_of_time_or_level() {
        let names: BTreeSet<&str> = all().iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names.len(), all().len());
        for metric in all() {
            let last = metric.name.rsplit('.').next().unwrap_or_default();
            let wanted = match metric.unit {
                Unit::Milliseconds => "_ms",
                Unit::Seconds => "_s",
                Unit::Decibels => "_db",
                Unit::Hertz => "_hz",
                Unit::FullScale => "_dbfs",
                _ => "",
            };
            assert!(last.ends_with(wanted), "{} is in {}", metric.name, metric.unit.symbol());
            assert!(metric.is_of_calls() || metric.is_of_captures(), "{} is measured nowhere", metric.name);
            assert!(metric.how.ends_with(|c: char| c != '.') && !metric.how.contains('|'), "{}", metric.name);
        }
    }

    #[test]
    fn of_a_call_of_which_nothing_is_known_nothing_is_made_up() {
        let known = |m: &&Metric| m.of_call(&CallRecord::default()).is_some();
        let made_up: Vec<&str> = all().iter().filter(known).map(|m| m.name.as_str()).collect();
        assert_eq!(made_up, ["established"], "that it was not set up is known");
    }

    /// docs/metrics.md has one row for each metric, with its unit and how it is measured.
    #[test]
    fn the_page_lists_every_metric_as_it_is() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
        let page = std::fs::read_to_string(path).expect("docs/metrics.md");
        let table = page.split("## The metrics").nth(1).expect("the table of metrics");
        let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
        let wanted: Vec<String> = all().iter().map(row).collect();
        let missing: Vec<&String> = wanted.iter().filter(|w| !rows.contains(&w.as_str())).collect();
        let foreign: Vec<&&str> = rows.iter().filter(|r| !wanted.iter().any(|w| w == *r)).collect();
        let list = |rows: &[&String]| rows.iter().map(|r| r.as_str()).collect::<Vec<_>>().join("\n");
        assert!(
            missing.is_empty() && foreign.is_empty(),
            "missing:\n{}\nnot in the catalogue:\n{foreign:#?}",
            list(&missing)
        );
    }

    fn row(metric: &Metric) -> String {
        let (unit, spread) = (metric.unit.symbol(), if metric.spread { "yes" } else { "" });
        let told = match (metric.is_of_calls(), metric.is_of_captures()) {
            (true, true) => "call, capture",
            (true, false) => "call",
            (false, _) => "capture",
        };
        let cells = [&format!("`{}`", metric.name), unit, spread, told, metric.how];
        let cells: String =
            cells.iter().map(|c| if c.is_empty() { " |".into() } else { format!(" {c} |") }).collect();
        format!("|{cells}")
    }
}
