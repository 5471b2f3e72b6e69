//! What a run has found, and the forms in which it is told.

use crate::case::{Case, Verdict};
use crate::facts::Facts;
use crate::lab::Exchange;
use crate::page;
use serde::Serialize;
use std::time::Duration;
use visavis_report::junit;

/// One case that was tried.
#[derive(Clone, Debug, Serialize)]
pub struct CaseResult {
    /// Its name.
    pub name: &'static str,
    /// The RFC that it is from.
    pub rfc: &'static str,
    /// The section.
    pub section: &'static str,
    /// What is asked for there.
    pub requirement: &'static str,
    /// How it ended.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// When it began, seconds since the run did.
    pub at_s: f64,
    /// How long it took, seconds.
    pub took_s: f64,
    /// First and last of its packets in the capture, from 1, where there is a capture.
    pub frames: Option<(u64, u64)>,
    /// Everything that was said.
    pub exchange: Exchange,
}

impl CaseResult {
    pub(crate) fn new(
        case: &Case,
        verdict: Verdict,
        began: Duration,
        took: Duration,
        exchange: Exchange,
    ) -> Self {
        CaseResult {
            name: case.name,
            rfc: case.rfc,
            section: case.section,
            requirement: case.requirement,
            verdict,
            at_s: began.as_secs_f64(),
            took_s: took.as_secs_f64(),
            frames: exchange.frames(),
            exchange,
        }
    }

    /// What stands before the dot of its name.
    pub fn group(&self) -> &'static str {
        self.name.split('.').next().unwrap_or(self.name)
    }

    /// RFC and section.
    pub fn reference(&self) -> String {
        format!("{} section {}", self.rfc, self.section)
    }
}

/// How many cases ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Cases that passed.
    pub pass: usize,
    /// Cases that failed.
    pub fail: usize,
    /// Cases that do not apply.
    pub not_applicable: usize,
    /// Cases that could not be carried through.
    pub error: usize,
}

/// A whole run.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// The URI of the peer.
    pub uri: String,
    /// Where requests went.
    pub address: String,
    /// When it began, seconds since 1970 by the wall clock.
    pub began_unix_s: u64,
    /// How long it took, seconds.
    pub took_s: f64,
    /// The version of the pack.
    pub version: &'static str,
    /// What is known of the peer.
    pub facts: Facts,
    /// How many cases ended how.
    pub counts: Counts,
    /// Each case, in the order in which they ran.
    pub cases: Vec<CaseResult>,
}

impl Run {
    /// Whether no case failed and none came to grief.
    pub fn good(&self) -> bool {
        self.counts.fail == 0 && self.counts.error == 0
    }

    /// Counts the verdicts.
    pub(crate) fn count(cases: &[CaseResult]) -> Counts {
        let mut counts = Counts::default();
        for case in cases {
            match case.verdict {
                Verdict::Pass => counts.pass += 1,
                Verdict::Fail(_) => counts.fail += 1,
                Verdict::NotApplicable(_) => counts.not_applicable += 1,
                Verdict::Error(_) => counts.error += 1,
            }
        }
        counts
    }

    /// The run for a test server: a suite for each group, the exchange with each case that did not pass.
    pub fn junit(&self) -> junit::Run {
        let mut suites: Vec<junit::Suite> = Vec::new();
        for result in &self.cases {
            let name = format!("visavis.check.{}", result.group());
            if suites.last().is_none_or(|suite| suite.name != name) {
                suites.push(self.suite(name.clone()));
            }
            if let Some(suite) = suites.last_mut() {
                suite.cases.push(junit_case(name, result));
            }
        }
        junit::Run { name: format!("visavis check {}", self.uri), suites }
    }

    fn suite(&self, name: String) -> junit::Suite {
        let peer = self.facts.user_agent.clone().unwrap_or_else(|| "unknown".into());
        let properties = vec![
            ("uri".to_owned(), self.uri.clone()),
            ("peer".to_owned(), peer),
            ("version".to_owned(), self.version.to_owned()),
        ];
        junit::Suite { name, timestamp: None, properties, cases: Vec::new() }
    }

    /// The run as a page in one file.
    pub fn html(&self) -> String {
        page::page(self)
    }
}

fn junit_case(class: String, result: &CaseResult) -> junit::Case {
    let details = format!("{}: {}", result.reference(), result.requirement);
    let outcome = match &result.verdict {
        Verdict::Pass => junit::Outcome::Passed,
        Verdict::Fail(message) => junit::Outcome::Failed { message: message.clone(), details },
        Verdict::NotApplicable(message) => junit::Outcome::Skipped { message: message.clone() },
        Verdict::Error(message) => junit::Outcome::Error { message: message.clone(), details },
    };
    let system_out = match result.verdict {
        Verdict::Pass | Verdict::NotApplicable(_) => String::new(),
        _ => result.exchange.to_string(),
    };
    let name = result.name.split_once('.').map_or(result.name, |(_, name)| name).to_owned();
    let time = Some(Duration::from_secs_f64(result.took_s.max(0.0)));
    junit::Case { class, name, time, outcome, system_out }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A run with a case of each verdict.
    pub(crate) fn run() -> Run {
        let verdicts = [
            Verdict::Pass,
            Verdict::Fail("it said <404>".into()),
            Verdict::NotApplicable("no pictures".into()),
            Verdict::Error("it is gone".into()),
        ];
        let took = Duration::from_millis(20);
        let cases: Vec<CaseResult> = verdicts
            .into_iter()
            .zip(crate::case::all())
            .map(|(verdict, case)| {
                let mut exchange = Exchange::default();
                exchange.note(took, "a <remark>".into());
                CaseResult::new(case, verdict, Duration::ZERO, took, exchange)
            })
            .collect();
        Run {
            uri: "sip:a@127.0.0.1".into(),
            address: "127.0.0.1:5060".into(),
            began_unix_s: 0,
            took_s: 1.0,
            version: "0",
            facts: Facts::default(),
            counts: Run::count(&cases),
            cases,
        }
    }

    #[test]
    fn a_run_counts_its_verdicts_and_is_good_without_fails_and_errors() {
        let run = run();
        assert_eq!(run.counts, Counts { pass: 1, fail: 1, not_applicable: 1, error: 1 });
        assert!(!run.good());
    }

    #[test]
    fn junit_has_the_exchange_with_what_did_not_pass() {
        let xml = run().junit().to_xml();
        assert!(xml.contains(r#"failures="1" errors="1" skipped="1""#), "{xml}");
        assert_eq!(xml.matches("a &lt;remark&gt;").count(), 2, "{xml}");
    }

    #[test]
    fn json_has_a_verdict_and_a_reason_for_each_case() {
        let json = serde_json::to_value(run()).unwrap();
        let cases = json["cases"].as_array().unwrap();
        assert_eq!((cases[0]["verdict"].as_str(), cases[0].get("reason")), (Some("pass"), None));
        assert_eq!(cases[2]["verdict"], "not-applicable");
        assert_eq!(cases[2]["reason"], "no pictures");
    }
}
