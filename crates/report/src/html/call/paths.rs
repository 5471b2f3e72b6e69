//! How the two ends reached one another, and what keys they have.

use super::words::{address, count, figure, offset};
use super::{left_out, streams};
use crate::evidence::{Evidence, Shown};
use crate::html::{Html, Tone, badge, el, note, or_unknown, table};
use visavis_capture::findings::{ProtectionVerdict, StreamFindings};

/// Rows of each table.
const MOST: usize = 24;

pub(super) fn part(evidence: &Evidence<'_>) -> Html {
    let Some(shown) = evidence.capture else { return Html::new() };
    stun(&shown, evidence) + ske(evidence) + protection(&shown)
}

fn stun(shown: &Shown<'_>, evidence: &Evidence<'_>) -> Html {
    let all = shown.stun();
    let heading = el("h3", &[], "STUN");
    if all.is_empty() {
        return heading + note("No STUN message is in the capture.");
    }
    let start = evidence.start().unwrap_or_default();
    let columns =
        ["client", "server", "first", "requests", "answers", "errors", "mapped address", "round trip"];
    let rows = all.iter().take(MOST).map(|s| {
        [
            address(s.client),
            address(s.server),
            or_unknown(s.first.map(|at| offset(start, at))),
            Html::from(count(s.requests)),
            Html::from(count(s.successes)),
            Html::from(count(s.errors)),
            address(s.mapped),
            figure(s.round_trip_ms, 1, "ms"),
        ]
    });
    heading + table(&columns, rows) + left_out(all.len().saturating_sub(MOST) as u64, "pairs of addresses")
}

fn ske(evidence: &Evidence<'_>) -> Html {
    let bodies = evidence.call().map_or(&[][..], |call| &call.ske[..]);
    if bodies.is_empty() {
        return Html::new();
    }
    let start = evidence.start().unwrap_or_default();
    let rows = bodies.iter().take(MOST).map(|body| {
        [
            Html::from(offset(start, body.time)),
            address(body.source),
            Html::from(count(body.sequence)),
            Html::from(count(body.fragments.into())),
            Html::from(count(body.octets as u64)),
        ]
    });
    let columns = ["time", "from", "number", "fragments", "octets"];
    let more = bodies.len().saturating_sub(MOST) as u64;
    el("h3", &[], "Key exchange") + table(&columns, rows) + left_out(more, "messages")
}

fn protection(shown: &Shown<'_>) -> Html {
    let streams: Vec<&StreamFindings> = shown.streams().take(MOST).collect();
    if streams.is_empty() {
        return Html::new();
    }
    let rows = streams.into_iter().map(|stream| {
        let (tone, word) = match stream.protection.verdict {
            ProtectionVerdict::CannotTell => (Tone::Unknown, "cannot tell"),
            ProtectionVerdict::LooksClear => (Tone::Plain, "looks clear"),
            ProtectionVerdict::LooksEncrypted => (Tone::Plain, "looks encrypted"),
            ProtectionVerdict::Opened => (Tone::Plain, "opened with keys"),
        };
        let p = &stream.protection;
        let keys = format!("{} opened, {} refused", count(p.opened), count(p.refused));
        let keys = (p.opened + p.refused > 0).then_some(keys);
        [
            Html::from(streams::name(stream, shown.call())),
            badge(tone, word),
            Html::from(p.suite.as_deref().unwrap_or("–")),
            Html::from(keys.as_deref().unwrap_or("–")),
            Html::from(p.reasons.join("; ")),
        ]
    });
    let columns = ["stream", "encryption", "suite", "packets", "why"];
    el("h3", &[], "Encryption of the media") + table(&columns, rows)
}
