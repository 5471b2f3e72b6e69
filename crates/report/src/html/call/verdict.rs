//! What it was held against.

use crate::evidence::Evidence;
use crate::html::{Html, Tone, badge, el, note, table};
use crate::verdict::Check;

pub(super) fn part(evidence: &Evidence<'_>) -> Html {
    let Some(verdict) = evidence.verdict else {
        return note("Nothing was held against this call.");
    };
    let said = if verdict.good {
        el("p", &[], "Nothing is wrong with this call.")
    } else {
        let item = |reason: &String| el("li", &[("class", "bad")], reason);
        el("ul", &[("class", "plain")], verdict.reasons.iter().map(item).collect::<Html>())
    };
    if verdict.checks.is_empty() {
        return said;
    }
    let (fail, hold): (Vec<&Check>, Vec<&Check>) = verdict.checks.iter().partition(|check| !check.pass);
    let (asked, laid_over): (Vec<&Check>, Vec<&Check>) = hold.into_iter().partition(|check| check.required);
    let mut html = said;
    html += list("Fails", &fail);
    html += list("Asked for, and holds", &asked);
    if !laid_over.is_empty() {
        let heading = format!("{} thresholds that are laid over every call hold", laid_over.len());
        html += el("details", &[], el("summary", &[], heading) + rows(&laid_over));
    }
    html
}

fn list(heading: &str, checks: &[&Check]) -> Html {
    if checks.is_empty() { Html::new() } else { el("h3", &[], heading) + rows(checks) }
}

fn rows(checks: &[&Check]) -> Html {
    let rows = checks.iter().map(|check| {
        let (tone, word) = match (check.pass, check.measured) {
            (true, _) => (Tone::Good, "holds"),
            (false, Some(_)) => (Tone::Bad, "fails"),
            (false, None) => (Tone::Bad, "fails: unknown"),
        };
        let metric = el("span", &[("class", "mono")], &check.metric);
        let scope = check.scope.as_deref().map(|s| el("span", &[("class", "muted")], format!(" {s}")));
        [
            metric + scope.unwrap_or_default(),
            Html::from(&check.measured_text),
            Html::from(&check.threshold_text),
            badge(tone, word),
        ]
    });
    table(&["metric", "measured", "threshold", "result"], rows)
}
