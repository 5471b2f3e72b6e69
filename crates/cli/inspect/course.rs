//! Offers and answers, and the key exchange of a call.

use super::words::{address, some, wrap};
use crate::output::clean;
use visavis::capture::findings::{CallFindings, ExchangeFindings, SectionFindings};

/// What was negotiated.
pub(super) fn exchanges(call: &CallFindings, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for exchange in &call.exchanges {
        let side = match exchange.offerer {
            offerer if offerer == call.caller => "the caller",
            offerer if offerer == call.callee => "the callee",
            _ => "somebody",
        };
        let answer = exchange
            .answer_packet
            .map_or_else(|| "no answer".to_owned(), |packet| format!("answer in packet {packet}"));
        lines.push(format!("  {side} offers in packet {}, {answer}", exchange.offer_packet));
        lines.extend(exchange.sections.iter().flat_map(|section| self::section(section, exchange, width)));
        for fault in &exchange.faults {
            lines.extend(wrap("    fault: ", 6, width, &[clean(fault)]));
        }
    }
    lines
}

fn section(section: &SectionFindings, exchange: &ExchangeFindings, width: usize) -> Vec<String> {
    let mut parts = vec![format!("{} {}", clean(&section.media), clean(&section.transport))];
    if section.accepted {
        parts.extend(section.direction.clone());
        parts.push(format!("{} ↔ {}", address(section.offerer), address(section.answerer)));
    } else if exchange.answer.is_some() {
        parts.push("refused".into());
    }
    parts.extend(section.crypto.as_ref().map(|suite| format!("SRTP with {}", clean(suite))));
    let mut lines = wrap("    ", 6, width, &parts);
    for (what, formats) in [("offered", &section.offered), ("answered", &section.answered)] {
        let formats: Vec<String> = formats.iter().map(|format| clean(format)).collect();
        if !formats.is_empty() && (what == "offered" || section.accepted) {
            lines.extend(wrap(&format!("      {what:9}"), 15, width, &formats));
        }
    }
    lines
}

/// The bodies of its key exchange.
pub(super) fn key_exchange(call: &CallFindings) -> Vec<String> {
    let body = |ske: &visavis::capture::findings::SkeFindings| {
        format!(
            "  SKE body {} from {}: {} octets in {}, packet {}",
            ske.sequence,
            address(ske.source),
            ske.octets,
            some(ske.fragments.into(), "fragment"),
            ske.packet
        )
    };
    call.ske.iter().map(body).collect()
}
