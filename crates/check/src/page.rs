//! A run as a page in one file.

use crate::case::Verdict;
use crate::results::{CaseResult, Run};
use visavis_report::html::{
    Html, Tone, badge, contents, el, facts, note, or_unknown, page as shell, section, table,
};

/// The page.
pub(crate) fn page(run: &Run) -> String {
    let counts = run.counts;
    let tone = Tone::of(run.good());
    let verdict = match (counts.fail, counts.error) {
        (0, 0) => "no case failed".to_owned(),
        (fails, 0) => format!("{fails} failed"),
        (fails, errors) => format!("{fails} failed, {errors} could not be carried through"),
    };
    let mut body = el("header", &[], badge(tone, &verdict) + el("h1", &[], "Conformance"));
    body += summary(run);
    let bad: Vec<&CaseResult> = run.cases.iter().filter(|c| is_bad(c)).collect();
    let mut groups: Vec<&str> = run.cases.iter().map(CaseResult::group).collect();
    groups.dedup();
    let failed = (!bad.is_empty()).then_some(("failed", "What failed"));
    body += contents(failed.into_iter().chain(groups.iter().map(|g| (*g, *g))));
    if !bad.is_empty() {
        let list: Html = bad.into_iter().map(at_length).collect();
        body += section("failed", "What failed", list);
    }
    for group in groups {
        let cases = || run.cases.iter().filter(|c| c.group() == group);
        let rows = cases().map(row);
        let others: Html = cases().filter(|c| !is_bad(c)).map(at_length).collect();
        body += section(group, group, table(&["case", "result", "asked for", "found"], rows) + others);
    }
    shell(&format!("Conformance of {}", run.uri), &body)
}

fn is_bad(case: &CaseResult) -> bool {
    matches!(case.verdict, Verdict::Fail(_) | Verdict::Error(_))
}

fn summary(run: &Run) -> Html {
    let counts = run.counts;
    let allow = (!run.facts.allow.is_empty()).then(|| run.facts.allow.join(", "));
    let found = format!(
        "{} pass, {} fail, {} not applicable, {} error",
        counts.pass, counts.fail, counts.not_applicable, counts.error
    );
    facts([
        ("peer", Html::from(format!("{} at {}", run.uri, run.address))),
        ("calls itself", or_unknown(run.facts.user_agent.clone())),
        ("allows", or_unknown(allow)),
        ("sound", or_unknown(run.facts.sound.clone())),
        ("pictures", or_unknown(run.facts.pictures.clone())),
        ("cases", Html::from(found)),
        ("took", Html::from(format!("{:.0} s", run.took_s))),
        ("pack", Html::from(format!("visavis {}", run.version))),
    ])
}

fn word(case: &CaseResult) -> Html {
    let (tone, text) = match case.verdict {
        Verdict::Pass => (Tone::Good, "pass"),
        Verdict::Fail(_) => (Tone::Bad, "fail"),
        Verdict::NotApplicable(_) => (Tone::Unknown, "not applicable"),
        Verdict::Error(_) => (Tone::Bad, "error"),
    };
    badge(tone, text)
}

fn row(case: &CaseResult) -> Vec<Html> {
    let link = el("a", &[("href", &format!("#{}", case.name))], case.name);
    let asked = Html::from(case.requirement) + note(case.reference());
    let found = case.verdict.reason().map_or_else(Html::new, Html::from);
    vec![link, word(case), asked, found]
}

/// The case with its exchange, folded up.
fn at_length(case: &CaseResult) -> Html {
    let mut summary = word(case) + Html::from(format!(" {}", case.name));
    if let Some(reason) = case.verdict.reason().filter(|_| is_bad(case)) {
        summary += el("span", &[("class", "muted")], format!(": {reason}"));
    }
    let summary = el("summary", &[], summary);
    let mut inside = el("p", &[], format!("{}: {}", case.reference(), case.requirement));
    if let Some(reason) = case.verdict.reason() {
        inside += el("p", &[], format!("Found: {reason}"));
    }
    if let Some((first, last)) = case.frames {
        inside += note(format!("frames {first} to {last} of check.pcapng"));
    }
    inside += el("pre", &[("tabindex", "0")], case.exchange.to_string());
    el("details", &[("id", case.name)], summary + inside)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_page_shows_each_case_once_at_length_and_what_failed_first() {
        let run = crate::results::tests::run();
        let page = run.html();
        for case in &run.cases {
            assert_eq!(page.matches(&format!("<details id=\"{}\"", case.name)).count(), 1, "{}", case.name);
        }
        assert!(page.contains("it said &lt;404&gt;") && !page.contains("<remark>"), "{page}");
        assert!(page.find("What failed") < page.find("not applicable</span>"));
    }
}
