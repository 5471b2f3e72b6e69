//! What happened at our ends, and what was counted.

use super::left_out;
use super::words::{count, offset};
use crate::evidence::{End, Evidence};
use crate::html::{Html, el, note, table};
use visavis_capture::findings::FileFindings;

/// Entries shown of the log of each end.
const MOST: usize = 400;

pub(super) fn part(evidence: &Evidence<'_>) -> Html {
    let mut html: Html = evidence.ends.iter().map(|end| entries(end, evidence)).collect();
    if evidence.ends.is_empty() {
        html += note(
            "A bare capture has no log: what decoders, jitter buffer and judge saw (picture quality, latency, \
             sound) is unknown.",
        );
    }
    if let Some(shown) = evidence.capture {
        html += el("h3", &[], "The capture") + file(&shown.findings.file);
    }
    if !evidence.counters.is_empty() {
        let rows = evidence.counters.iter().map(|(name, n)| [Html::from(*name), Html::from(count(*n))]);
        html += el("h3", &[], "Counted by the endpoint over its whole life") + table(&["", "count"], rows);
    }
    html
}

fn entries(end: &End<'_>, evidence: &Evidence<'_>) -> Html {
    let log = &end.record.log;
    if log.entries.is_empty() {
        return Html::new();
    }
    let start = evidence.start().unwrap_or_default();
    let rows =
        log.entries.iter().take(MOST).map(|entry| {
            [Html::from(offset(start, entry.at)), Html::from(entry.name), Html::from(&entry.text)]
        });
    let more = log.left_out + log.entries.len().saturating_sub(MOST) as u64;
    let heading = format!("Log of the {}", end.role.as_str());
    el("h3", &[], heading) + table(&["time", "what", ""], rows) + left_out(more, "entries")
}

fn file(file: &FileFindings) -> Html {
    let rows = [
        ("packets", file.packets),
        ("octets", file.octets),
        ("datagrams and TCP messages", file.datagrams),
        ("packets cut by the capture", file.cut),
        ("packets that could not be read", file.unread),
        ("fragments without the rest", file.fragments_left),
        ("datagrams missing, by the writer's own count", file.dropped),
    ];
    let rows = rows.map(|(name, n)| [Html::from(name), Html::from(count(n))]);
    let damage =
        file.damage.as_ref().map(|why| el("p", &[("class", "bad")], format!("Not all of it: {why}")));
    table(&["", "count"], rows) + damage.unwrap_or_default()
}
