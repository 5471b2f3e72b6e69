//! Who called whom, when, and how it went.

use super::words::{date, figure, shortened};
use crate::evidence::{Evidence, Role};
use crate::html::{Html, Tone, badge, el, facts, or_unknown};
use std::net::SocketAddr;

/// The longest name in a heading, characters.
const NAME: usize = 64;

pub(super) fn title(evidence: &Evidence<'_>) -> String {
    match names(evidence) {
        Some((from, to)) => format!("{} → {}", shortened(&from, NAME), shortened(&to, NAME)),
        None => match evidence.capture {
            Some(shown) => format!("Streams without signalling in {}", shown.file),
            None => "A call".into(),
        },
    }
}

/// Who called whom.
fn names(evidence: &Evidence<'_>) -> Option<(String, String)> {
    if let Some(call) = evidence.call() {
        return Some((call.from.clone(), call.to.clone()));
    }
    let end = evidence.ends.first()?;
    let (peer, this) = (end.record.peer.clone(), "this end".to_owned());
    Some(match end.role {
        Role::Caller => (this, peer),
        Role::Callee => (peer, this),
    })
}

pub(super) fn part(evidence: &Evidence<'_>) -> Html {
    let verdict = match evidence.verdict {
        Some(verdict) if verdict.good => badge(Tone::Good, "good"),
        Some(_) => badge(Tone::Bad, "bad"),
        None => badge(Tone::Unknown, "no verdict"),
    };
    let call = evidence.call();
    let record = evidence.ends.first().map(|end| end.record);
    let call_id = record.and_then(|r| r.call_id.clone()).or_else(|| call.map(|c| c.call_id.clone()));
    let mut list = vec![
        ("began", or_unknown(evidence.start().map(date))),
        ("set-up, INVITE to ACK", figure(evidence.setup_ms(), 1, "ms")),
        ("up for", figure(evidence.duration_s(), 1, "s")),
        ("how it ended", or_unknown(evidence.end_text())),
    ];
    if let Some(call) = call {
        list.push(("caller", party(call.caller, call.caller_agent.as_deref())));
        list.push(("callee", party(call.callee, call.callee_agent.as_deref())));
    }
    list.push(("Call-ID", or_unknown(call_id.map(|id| shortened(&id, 96)))));
    if let Some(shown) = evidence.capture {
        let packets = format!("{}, {} packets", shown.file, super::words::count(shown.findings.file.packets));
        list.push(("capture", Html::from(packets)));
    } else {
        list.push(("capture", or_unknown(None::<&str>)));
    }
    el("header", &[], verdict + el("h1", &[], title(evidence)) + facts(list))
}

fn party(address: Option<SocketAddr>, agent: Option<&str>) -> Html {
    let agent = agent.map(|name| el("div", &[("class", "muted")], shortened(name, NAME)));
    super::words::address(address) + agent.unwrap_or_default()
}
