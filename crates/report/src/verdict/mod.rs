//! Good or bad, and why: requirements laid over what was measured.
//!
//! There is one way to a verdict: a list of [`Check`]s, each a [`Requirement`] with what was measured beside it.
//! Some are laid over every call (`defaults.rs`: what tells a working call from a broken one), others are asked
//! for ([`Expectation::require`]). One that is asked for takes the place of the default on the same metric. A
//! default is laid over what was measured alone; what was asked for and was not measured fails.

mod defaults;
mod file;
mod requirement;

pub use file::read_thresholds;
pub use requirement::{Operator, Requirement, RequirementError};

use crate::record::CallRecord;
use serde::Serialize;
use visavis_capture::findings::Findings;

/// How far a tone may be from one that it is taken for, Hz.
pub const TONE_TOLERANCE_HZ: f64 = 2.0;

/// What a call is measured against.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Whether media are expected at all; without them a call is good that was set up and ended by BYE.
    pub media: bool,
    /// Whether the peer is known to send the test pattern and its tone: then they must be there. Otherwise they
    /// are judged where they are seen.
    pub pattern: bool,
    /// The pitches in the game, by which a sound that came the wrong way is told.
    pub tones: Tones,
    /// What is asked of this call in particular.
    pub require: Vec<Requirement>,
}

impl Default for Expectation {
    /// Media both ways.
    fn default() -> Self {
        Expectation { media: true, pattern: false, tones: Tones::default(), require: Vec::new() }
    }
}

/// Who plays which tone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tones {
    /// The peer's, Hz; `None` where it is not known.
    pub expected: Option<f64>,
    /// Others that must not be heard from it, Hz, with whose they are: `our own`, `call 2's`.
    pub others: Vec<(f64, String)>,
}

/// Good, or the reasons why not.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Verdict {
    /// Whether nothing is wrong.
    pub good: bool,
    /// What is wrong, each in words.
    pub reasons: Vec<String>,
    /// The faults among it that have a name.
    pub faults: Vec<Fault>,
    /// Everything that was held against a threshold.
    pub checks: Vec<Check>,
}

/// A requirement beside what was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// The metric, with its statistic where it is not the median: `video.latency_ms.p95`.
    pub metric: String,
    /// What was measured, in `unit`; `None`: unknown.
    pub measured: Option<f64>,
    /// The unit of both numbers: `dB`, `ms`; `share` is 0 to 1, counts have none.
    pub unit: &'static str,
    /// `<`, `<=`, `>`, `>=` or `==`.
    pub operator: &'static str,
    /// What it was held against.
    pub threshold: f64,
    /// How far off `==` may be.
    pub tolerance: Option<f64>,
    /// What was measured, for people: `0.4 %`, `unknown`.
    pub measured_text: String,
    /// Operator and threshold, for people: `<= 5 %`.
    pub threshold_text: String,
    /// Whether it holds.
    pub pass: bool,
    /// Whether it was asked for, or is laid over every call.
    pub required: bool,
    /// Of what, where there are several: `at the callee`, a stream of a capture.
    pub scope: Option<String>,
    /// The name of the fault, where it does not hold and there is one.
    pub fault: Option<Fault>,
    /// What is wrong, in words, where it does not hold.
    pub reason: Option<String>,
}

/// Faults that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The call did not come about.
    NoCall,
    /// No media in either direction.
    NoMedia,
    /// Media in one direction alone.
    OneWay,
    /// No pictures came.
    NoPicture,
    /// No sound came.
    NoSound,
    /// Pictures came, the test pattern in none of them.
    NoPattern,
    /// The picture stood still.
    FrozenPicture,
    /// Sound came, and was silent.
    SilentSound,
    /// Somebody else's sound came: one's own, or another call's.
    SwappedSound,
}

impl Fault {
    /// Its name in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::NoCall => "no call",
            Fault::NoMedia => "no media",
            Fault::OneWay => "one-way",
            Fault::NoPicture => "no picture",
            Fault::NoSound => "no sound",
            Fault::NoPattern => "no test pattern",
            Fault::FrozenPicture => "frozen picture",
            Fault::SilentSound => "silent sound",
            Fault::SwappedSound => "swapped sound",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.good { f.write_str("good") } else { write!(f, "bad: {}", self.reasons.join("; ")) }
    }
}

impl CallRecord {
    /// Whether the call was good.
    pub fn verdict(&self, expected: &Expectation) -> Verdict {
        let mut checks = defaults::checks(self, expected);
        for requirement in &expected.require {
            let measured = requirement.metric.of_call(self).map(|v| v.statistic(requirement.statistic));
            checks.push(required(requirement, measured, &expected.tones, None));
        }
        Verdict::of(checks)
    }
}

/// Whether a capture keeps to what is asked for: every stream that a requirement is about must. `call` is an index
/// into [`Findings::calls`]; without, the whole capture is meant.
pub fn of_capture(findings: &Findings, call: Option<usize>, require: &[Requirement]) -> Verdict {
    let tones = Tones::default();
    let mut checks = Vec::new();
    for requirement in require {
        let found = requirement.metric.of_capture(findings, call);
        if found.is_empty() {
            checks.push(required(requirement, None, &tones, None));
        }
        let of = found.into_iter().map(|f| required(requirement, f.value, &tones, Some(f.scope)));
        checks.extend(of);
    }
    Verdict::of(checks)
}

impl Verdict {
    /// The verdict that these checks come to.
    pub fn of(checks: Vec<Check>) -> Self {
        let failed = checks.iter().filter(|c| !c.pass);
        let reasons: Vec<String> = failed.clone().filter_map(|c| c.reason.clone()).collect();
        let mut faults = Vec::new();
        for fault in failed.filter_map(|c| c.fault) {
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        Verdict { good: checks.iter().all(|c| c.pass), reasons, faults, checks }
    }

    /// One verdict out of several, each with whose it is: `at the callee`.
    pub fn join<'a>(verdicts: impl IntoIterator<Item = (&'a str, Verdict)>) -> Self {
        let scoped = verdicts.into_iter().flat_map(|(whose, verdict)| {
            verdict.checks.into_iter().map(move |check| Check {
                reason: check.reason.map(|reason| format!("{whose}: {reason}")),
                scope: Some(whose.to_owned()),
                ..check
            })
        });
        Verdict::of(scoped.collect())
    }
}

/// The check of something that was asked for.
fn required(requirement: &Requirement, measured: Option<f64>, tones: &Tones, scope: Option<String>) -> Check {
    let mut check = Check::new(requirement, measured);
    check.required = true;
    if !check.pass {
        let name = &check.metric;
        let text = match measured {
            None => format!("{name} is unknown, and {} is required", check.threshold_text),
            Some(_) => format!("{name} is {}, not {}", check.measured_text, check.threshold_text),
        };
        check.fault = measured.and_then(|value| fault(requirement, value, tones));
        let at = scope.as_ref().map_or_else(String::new, |scope| format!(" ({scope})"));
        check.reason = Some(match check.fault {
            Some(fault) => format!("{}: {text}{at}", fault.as_str()),
            None => format!("{text}{at}"),
        });
    }
    check.scope = scope;
    check
}

/// The name of what is wrong where a requirement does not hold.
fn fault(requirement: &Requirement, measured: f64, tones: &Tones) -> Option<Fault> {
    let least = matches!(requirement.operator, Operator::AtLeast | Operator::Above | Operator::Equal);
    let most = matches!(requirement.operator, Operator::AtMost | Operator::Below | Operator::Equal);
    match requirement.metric.name.as_str() {
        "established" => Some(Fault::NoCall),
        "packets_received" | "packets_sent" if measured == 0.0 && least => Some(Fault::OneWay),
        "video.packets_received" | "video.pictures" if measured == 0.0 && least => Some(Fault::NoPicture),
        "audio.packets_received" | "audio.duration_s" if measured == 0.0 && least => Some(Fault::NoSound),
        "video.read" if measured == 0.0 && least => Some(Fault::NoPattern),
        "video.longest_freeze_ms" if most => Some(Fault::FrozenPicture),
        "audio.silence" if most => Some(Fault::SilentSound),
        "audio.tone_hz" if whose(measured, tones).is_some() => Some(Fault::SwappedSound),
        _ => None,
    }
}

/// Whose tone this is that should not be heard.
fn whose(measured: f64, tones: &Tones) -> Option<&str> {
    let near = |hz: f64| (measured - hz).abs() <= TONE_TOLERANCE_HZ;
    if tones.expected.is_some_and(near) {
        return None;
    }
    tones.others.iter().find(|(hz, _)| near(*hz)).map(|(_, whose)| whose.as_str())
}

impl Check {
    fn new(requirement: &Requirement, measured: Option<f64>) -> Self {
        let unit = requirement.metric.unit;
        Check {
            metric: requirement.name(),
            measured,
            unit: if unit == crate::metrics::Unit::Share { "share" } else { unit.symbol() },
            operator: requirement.operator.as_str(),
            threshold: requirement.threshold,
            tolerance: requirement.tolerance,
            measured_text: measured.map_or_else(|| "unknown".into(), |value| unit.write(value)),
            threshold_text: requirement.limit(),
            pass: measured.is_some_and(|value| requirement.holds(value)),
            required: false,
            scope: None,
            fault: None,
            reason: None,
        }
    }
}
