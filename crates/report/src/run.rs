//! A run of several calls: one page that leads to each, and one JUnit file.

use crate::evidence::Evidence;
use crate::html::{Html, Tone, badge, el, note, or_unknown, page, section, table};
use crate::junit;
use crate::unix::date;
use crate::verdict::Verdict;
use std::time::Duration;
use visavis_proto::Time;

/// One call of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunCall {
    /// Its name in the run: `call-3`.
    pub name: String,
    /// Who called whom, in words.
    pub title: String,
    /// When it began.
    pub began: Option<Time>,
    /// How long it was up, seconds.
    pub duration_s: Option<f64>,
    /// How it ended.
    pub end: Option<String>,
    /// What it came to; `None` where nothing was held against it.
    pub verdict: Option<Verdict>,
    /// The page of the call, as the index leads to it; `None` where there is none.
    pub page: Option<String>,
}

impl RunCall {
    /// A call with a page at `page`.
    pub fn new(name: &str, evidence: &Evidence<'_>, page: &str) -> Self {
        RunCall {
            name: name.to_owned(),
            title: crate::html::call_title(evidence),
            began: evidence.start(),
            duration_s: evidence.duration_s(),
            end: evidence.end_text(),
            verdict: evidence.verdict.cloned(),
            page: Some(page.to_owned()),
        }
    }
}

/// Calls on an index page.
const MOST: usize = 5_000;

/// The page that leads to those of the calls.
pub fn index_page(title: &str, made_by: &str, calls: &[RunCall]) -> String {
    let bad = calls.iter().filter(|call| call.verdict.as_ref().is_some_and(|v| !v.good)).count();
    let judged = calls.iter().any(|call| call.verdict.is_some());
    let tone = if judged { Tone::of(bad == 0) } else { Tone::Unknown };
    let summary = match (calls.len(), bad) {
        (1, 0) => "1 call".to_owned(),
        (all, 0) => format!("{all} calls"),
        (all, bad) => format!("{bad} of {all} calls bad"),
    };
    let row = |call: &RunCall| {
        let name = match &call.page {
            Some(page) => el("a", &[("href", page)], &call.name),
            None => Html::from(&call.name),
        };
        let (tone, word) = match &call.verdict {
            Some(verdict) => (Tone::of(verdict.good), if verdict.good { "good" } else { "bad" }),
            None => (Tone::Unknown, "no verdict"),
        };
        let reasons = call.verdict.as_ref().map(|v| v.reasons.join("; ")).unwrap_or_default();
        [
            name,
            badge(tone, word),
            Html::from(&call.title),
            or_unknown(call.began.map(|at| format!("{} UTC", date(at).join(" ")))),
            or_unknown(call.duration_s.map(|s| format!("{s:.1} s"))),
            or_unknown(call.end.as_ref()),
            Html::from(reasons),
        ]
    };
    let columns = ["call", "verdict", "who", "began", "up for", "how it ended", "what is wrong"];
    let mut list = table(&columns, calls.iter().take(MOST).map(row));
    if calls.len() > MOST {
        list += note(format!("{} more calls left out.", calls.len() - MOST));
    }
    let body = el("header", &[], badge(tone, &summary) + el("h1", &[], title))
        + section("calls", "Calls", list)
        + el("footer", &[], note(format!("Made by {made_by}.")));
    page(title, &body)
}

/// The run for a test server: one case for each call. A call that nothing was held against is skipped.
pub fn junit_run(name: &str, class: &str, calls: &[RunCall]) -> junit::Run {
    let case = |call: &RunCall| junit::Case {
        class: class.to_owned(),
        name: format!("{}: {}", call.name, call.title),
        time: call.duration_s.and_then(|s| Duration::try_from_secs_f64(s).ok()),
        outcome: match &call.verdict {
            None => junit::Outcome::Skipped { message: "nothing was held against it".into() },
            Some(verdict) if verdict.good => junit::Outcome::Passed,
            Some(verdict) => junit::Outcome::Failed {
                message: verdict.reasons.first().cloned().unwrap_or_default(),
                details: verdict.reasons.join("\n"),
            },
        },
        system_out: call.end.clone().unwrap_or_default(),
    };
    let began = calls.iter().filter_map(|call| call.began).min_by_key(|at| at.unix_nanos());
    let suite = junit::Suite {
        name: name.to_owned(),
        timestamp: began.map(|at| format!("{}Z", date(at).join("T"))),
        properties: Vec::new(),
        cases: calls.iter().map(case).collect(),
    };
    junit::Run { name: name.to_owned(), suites: vec![suite] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls() -> Vec<RunCall> {
        let call = |name: &str, verdict| RunCall {
            name: name.into(),
            title: "a → <b>".into(),
            began: Some(Time::from_millis(1_790_000_000_000)),
            duration_s: Some(2.5),
            end: Some("hung up here".into()),
            verdict,
            page: Some(format!("{name}/report.html")),
        };
        let bad = Verdict { reasons: vec!["no video".into(), "no sound".into()], ..Verdict::default() };
        let good = Verdict { good: true, ..Verdict::default() };
        vec![call("call-1", Some(good)), call("call-2", Some(bad)), call("call-3", None)]
    }

    #[test]
    fn each_call_is_a_case_with_its_reasons() {
        let run = junit_run("visavis answer", "visavis.answer", &calls());
        assert_eq!(run.suites[0].timestamp.as_deref(), Some("2026-09-21T14:13:20Z"));
        let xml = run.to_xml();
        assert!(xml.contains("tests=\"3\"") && xml.contains("failures=\"1\""), "{xml}");
        assert!(xml.contains("no video\nno sound") && xml.contains("a → &lt;b&gt;"), "{xml}");
    }

    #[test]
    fn the_index_leads_to_each_call() {
        let page = index_page("calls answered", "visavis", &calls());
        assert!(page.contains("href=\"call-2/report.html\"") && page.contains("1 of 3 calls bad"));
        assert!(index_page("none", "visavis", &[]).contains("0 calls"));
    }
}
