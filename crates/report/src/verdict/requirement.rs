//! `video.psnr_db>=30`: a metric, an operator and a threshold.

use crate::metrics::{self, Metric, Statistic, Unit};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A metric and what it must be.
#[derive(Clone, Copy, Debug)]
pub struct Requirement {
    /// What is measured.
    pub metric: &'static Metric,
    /// Which number of it, where it is a distribution.
    pub statistic: Statistic,
    /// How it is compared.
    pub operator: Operator,
    /// With what, in the metric's unit (shares 0 to 1).
    pub threshold: f64,
    /// How far off [`Operator::Equal`] may be; `None`: not at all.
    pub tolerance: Option<f64>,
}

/// How a measured value is compared with a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
}

impl Operator {
    /// The longer ones first, so that each is found whole.
    const ALL: [Operator; 5] =
        [Operator::AtMost, Operator::AtLeast, Operator::Equal, Operator::Below, Operator::Above];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Operator::Below => "<",
            Operator::AtMost => "<=",
            Operator::Above => ">",
            Operator::AtLeast => ">=",
            Operator::Equal => "==",
        }
    }

    /// Whether a default that is compared so is replaced by a requirement that is compared otherwise.
    fn replaces(self, other: Operator) -> bool {
        let side = |operator| match operator {
            Operator::Below | Operator::AtMost => -1,
            Operator::Above | Operator::AtLeast => 1,
            Operator::Equal => 0,
        };
        side(self) == 0 || side(self) == side(other)
    }
}

/// A requirement that cannot be read: what is wrong and what would be right, in words.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct RequirementError(pub(crate) String);

impl PartialEq for Requirement {
    fn eq(&self, other: &Self) -> bool {
        let numbers = |r: &Self| (r.operator, r.threshold, r.tolerance);
        self.name() == other.name() && numbers(self) == numbers(other)
    }
}

impl Requirement {
    /// What must hold of the metric of this name; `None` where there is none.
    pub(crate) fn new(name: &str, operator: Operator, threshold: f64) -> Option<Self> {
        let metric = metrics::find(name)?;
        Some(Requirement { metric, statistic: Statistic::Median, operator, threshold, tolerance: None })
    }

    /// The metric's name, with the statistic where it is not the median.
    pub fn name(&self) -> String {
        match self.statistic {
            Statistic::Median => self.metric.name.clone(),
            statistic => format!("{}.{}", self.metric.name, statistic.as_str()),
        }
    }

    /// Operator and threshold: `>= 30 dB`, `== 997 Hz ±2 Hz`.
    pub fn limit(&self) -> String {
        let write = |value| self.metric.unit.write(value);
        let around = self.tolerance.map_or_else(String::new, |t| format!(" ±{}", write(t)));
        format!("{} {}{around}", self.operator.as_str(), write(self.threshold))
    }

    /// Whether a value that was measured is as required.
    pub fn holds(&self, value: f64) -> bool {
        match self.operator {
            Operator::Below => value < self.threshold,
            Operator::AtMost => value <= self.threshold,
            Operator::Above => value > self.threshold,
            Operator::AtLeast => value >= self.threshold,
            // Shares are quotients: what was counted alike may differ in the last bits.
            Operator::Equal => (value - self.threshold).abs() <= self.tolerance.unwrap_or(1e-12),
        }
    }

    /// Whether this is asked for in place of a default.
    pub(crate) fn replaces(&self, default: &Requirement) -> bool {
        self.name() == default.name() && self.operator.replaces(default.operator)
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name(), self.limit())
    }
}

impl FromStr for Requirement {
    type Err = RequirementError;

    /// Reads `METRIC[.STATISTIC] OPERATOR NUMBER[UNIT]`, and behind `==` a tolerance: `==997±2` or `==997+-2`.
    /// Without one, `==` is exact for counts and shares, and for others as exact as the number is written.
    fn from_str(text: &str) -> Result<Self, RequirementError> {
        let wrong = |what: String| RequirementError(format!("{text}: {what}"));
        let found = Operator::ALL.into_iter().filter_map(|o| Some((text.find(o.as_str())?, o)));
        // The first one in the text; of those at one place, the longest.
        let first = found.min_by_key(|(at, o)| (*at, std::cmp::Reverse(o.as_str().len())));
        let Some((at, operator)) = first else {
            return Err(wrong(
                "no comparison; write for instance video.psnr_db>=30 (<, <=, >, >= or ==)".into(),
            ));
        };
        let name = text.get(..at).unwrap_or_default().trim();
        let number = text.get(at + operator.as_str().len()..).unwrap_or_default();
        let (metric, statistic) = named(name).map_err(RequirementError)?;
        let read = |part: &str| metric.unit.read(part).map_err(wrong);
        let (number, around) = match number.split_once('±').or_else(|| number.split_once("+-")) {
            Some(_) if operator != Operator::Equal => {
                return Err(wrong(format!("a tolerance goes with ==, not with {}", operator.as_str())));
            }
            Some((number, around)) => (number, Some(around)),
            None => (number, None),
        };
        let (threshold, half) = read(number)?;
        let rounded = !matches!(metric.unit, Unit::Count | Unit::Share) && operator == Operator::Equal;
        let tolerance = match around {
            Some(around) => Some(read(around)?.0),
            None => rounded.then_some(half),
        };
        Ok(Requirement { metric, statistic, operator, threshold, tolerance })
    }
}

/// The metric of a name, with or without a statistic behind it.
fn named(name: &str) -> Result<(&'static Metric, Statistic), String> {
    if let Some(metric) = metrics::find(name) {
        return Ok((metric, Statistic::Median));
    }
    if let Some((front, last)) = name.rsplit_once('.')
        && let Some(metric) = metrics::find(front)
    {
        if !metric.spread {
            return Err(format!("{front} is one number: it has no {last}"));
        }
        let statistic = Statistic::ALL.into_iter().find(|s| s.as_str() == last);
        let names: Vec<&str> = Statistic::ALL.iter().map(|s| s.as_str()).collect();
        return statistic
            .map(|statistic| (metric, statistic))
            .ok_or_else(|| format!("{last} is no statistic; use {}", names.join(", ")));
    }
    let near = metrics::all().iter().map(|m| (distance(name, &m.name), m.name.as_str())).min();
    let hint = near.filter(|(distance, _)| *distance <= 1 + name.len() / 3);
    Err(match hint {
        Some((_, near)) => format!("there is no metric {name}; did you mean {near}?"),
        None => format!("there is no metric {name}; docs/metrics.md lists them all"),
    })
}

/// How many characters must change between two names (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(b.chars()) {
            let changed = diagonal + usize::from(from != to);
            diagonal = *cell;
            left = changed.min(*cell + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Requirement {
        text.parse().unwrap_or_else(|e| panic!("{e}"))
    }

    fn error(text: &str) -> String {
        text.parse::<Requirement>().unwrap_err().to_string()
    }

    #[test]
    fn requirements_read_as_people_write_them_and_print_in_one_form() {
        for (text, printed) in [
            ("video.psnr_db>=30", "video.psnr_db >= 30 dB"),
            ("audio.loss < 1%", "audio.loss < 1 %"),
            ("audio.loss<=0.015", "audio.loss <= 1.5 %"),
            ("video.latency_ms.p95<=0.2s", "video.latency_ms.p95 <= 200 ms"),
            ("sync.offset_ms.min > -40", "sync.offset_ms.min > -40 ms"),
            ("video.missing==0", "video.missing == 0"),
            ("audio.tone_hz==997", "audio.tone_hz == 997 Hz ±0.5 Hz"),
            ("audio.tone_hz == 1.5kHz ± 2", "audio.tone_hz == 1500 Hz ±2 Hz"),
            ("audio.tone_hz==997+-2Hz", "audio.tone_hz == 997 Hz ±2 Hz"),
        ] {
            assert_eq!(read(text).to_string(), printed);
            assert_eq!(read(printed), read(text), "{printed} reads as what it was printed from");
        }
    }

    #[test]
    fn a_comparison_holds_at_its_border_where_it_says_so() {
        let holds = |text: &str, value: f64| read(text).holds(value);
        assert!(holds("video.psnr_db>=30", 30.0) && !holds("video.psnr_db>30", 30.0));
        assert!(holds("audio.loss<=1%", 0.01) && !holds("audio.loss<1%", 0.01));
        assert!(holds("audio.loss==0%", 0.0) && !holds("audio.loss==0%", 0.004));
        assert!(holds("audio.tone_hz==997", 997.4) && !holds("audio.tone_hz==997.0", 997.4));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right() {
        assert!(error("video.psnr>=30").contains("did you mean video.psnr_db?"));
        assert!(error("videopsnr_db>=30").contains("did you mean video.psnr_db?"));
        assert!(error("whatever>=30").contains("docs/metrics.md"));
        assert!(error("video.psnr_db").contains("no comparison"));
        assert!(error("video.psnr_db>=good").contains("good is no number, for instance 5dB"));
        assert!(error("video.latency_ms.p99<=9").contains("p99 is no statistic; use min, p5, median"));
        assert!(error("audio.loss.p95<=9%").contains("audio.loss is one number"));
        assert!(error("audio.loss<5").contains("5%"));
        assert!(error("video.psnr_db>=30±1").contains("goes with =="));
        assert!(error("video.psnr_db=30").contains("no comparison"));
        assert!(error(">=30").contains("there is no metric"));
    }

    #[test]
    fn a_requirement_takes_the_place_of_a_default_that_looks_the_same_way() {
        let default = read("video.longest_freeze_ms<=1000");
        assert!(read("video.longest_freeze_ms<3000").replaces(&default));
        assert!(read("video.longest_freeze_ms==3000").replaces(&default));
        assert!(!read("video.longest_freeze_ms>=100").replaces(&default));
        assert!(!read("audio.loss<3%").replaces(&default));
    }

    mod properties {
        use super::*;
        use proptest::prelude::*;

        proptest! {
            #[test]
            fn nothing_that_is_typed_makes_it_panic(text in ".{0,40}") {
                let _ = text.parse::<Requirement>();
            }

            #[test]
            fn what_is_printed_reads_back(
                index in 0..metrics::all().len(),
                operator in prop::sample::select(Operator::ALL.to_vec()),
                tenths in 0i32..=10,
            ) {
                let metric = &metrics::all()[index];
                let threshold = f64::from(tenths) / 10.0;
                let text = format!("{}{}{threshold}", metric.name, operator.as_str());
                let read: Requirement = text.parse().unwrap();
                prop_assert!((read.threshold - threshold).abs() < 1e-9);
                let again: Requirement = read.to_string().parse().unwrap();
                prop_assert!((again.threshold - read.threshold).abs() < 1e-9 && again.operator == read.operator);
            }
        }
    }
}
