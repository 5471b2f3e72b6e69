//! Offers and answers side by side, and what came of them.

use super::words::{address, count};
use crate::evidence::Evidence;
use crate::html::{Html, Tone, badge, el, note, or_unknown, table};
use visavis_capture::findings::{ExchangeFindings, SectionFindings};

/// Exchanges shown.
const MOST: usize = 12;
/// Characters of a session description that are shown.
const LONGEST: usize = 16_000;

pub(super) fn part(evidence: &Evidence<'_>) -> Html {
    let Some(call) = evidence.call() else { return Html::new() };
    if call.exchanges.is_empty() {
        return note("The capture shows no offer and no answer.");
    }
    let mut html = Html::new();
    for exchange in call.exchanges.iter().take(MOST) {
        let whose = match exchange.offerer {
            Some(offerer) if Some(offerer) == call.caller => "the caller".into(),
            Some(offerer) if Some(offerer) == call.callee => "the callee".into(),
            Some(offerer) => offerer.to_string(),
            None => "an unknown end".into(),
        };
        html += shown(exchange, &whose);
    }
    let more = call.exchanges.len().saturating_sub(MOST);
    html + super::left_out(more as u64, "exchanges of offer and answer")
}

fn shown(exchange: &ExchangeFindings, whose: &str) -> Html {
    let answer = match (exchange.answer_packet, &exchange.answer) {
        (Some(packet), Some(answer)) => column(&format!("Answer, packet {}", count(packet)), answer),
        _ => el("div", &[], el("h3", &[], "Answer") + note("The capture shows none.")),
    };
    let offer = format!("Offer of {whose}, packet {}", count(exchange.offer_packet));
    let pair = el("div", &[("class", "pair")], column(&offer, &exchange.offer) + answer);
    let faults: Html = exchange.faults.iter().map(|f| el("li", &[("class", "bad")], f)).collect();
    let faults = if faults.is_empty() { faults } else { el("ul", &[("class", "plain")], faults) };
    let columns = [
        "media",
        "result",
        "offered",
        "answered",
        "direction, from the offerer",
        "offerer at",
        "answerer at",
    ];
    let rows = exchange.sections.iter().map(negotiated);
    pair + faults + table(&columns, rows)
}

fn column(heading: &str, sdp: &str) -> Html {
    let shown = &sdp[..sdp.floor_char_boundary(LONGEST)];
    let line = |line: &str| {
        let text = Html::from(line.trim_end_matches('\r'));
        let text = if line.starts_with("m=") { el("b", &[], text) } else { text };
        text + Html::from("\n")
    };
    let lines: Html = shown.split_terminator('\n').map(line).collect();
    let cut = super::left_out((sdp.len() - shown.len()) as u64, "octets");
    el("div", &[], el("h3", &[], heading) + el("pre", &[("tabindex", "0")], lines) + cut)
}

fn negotiated(section: &SectionFindings) -> [Html; 7] {
    let media = format!("{} {}", section.media, section.transport);
    let list = |formats: &[String]| {
        let lines: Html = formats.iter().map(|format| el("div", &[], format)).collect();
        or_unknown((!formats.is_empty()).then_some(lines))
    };
    let result = match (section.accepted, &section.crypto) {
        (false, _) => badge(Tone::Bad, "not in use"),
        (true, None) => badge(Tone::Good, "in use"),
        (true, Some(suite)) => badge(Tone::Good, "in use") + Html::from(format!(" {suite}")),
    };
    [
        Html::from(media),
        result,
        list(&section.offered),
        list(&section.answered),
        or_unknown(section.direction.as_ref()),
        address(section.offerer),
        address(section.answerer),
    ]
}
