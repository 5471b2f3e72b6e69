//! The page of one call.

mod chart;
mod exchange;
mod head;
mod ladder;
mod log;
mod measured;
mod paths;
mod pictures;
mod streams;
mod timelines;
mod verdict;
mod words;

use super::{Html, contents, el, note, page};
use crate::evidence::Evidence;

/// The page: a whole HTML document, good for any call and of bounded size.
pub fn call_page(evidence: &Evidence<'_>) -> String {
    let parts = [
        ("verdict", "Verdict", verdict::part(evidence)),
        ("ladder", "Messages", ladder::part(evidence)),
        ("timelines", "Over time", timelines::part(evidence)),
        ("pictures", "Pictures", pictures::part(evidence)),
        ("measured", "Measured", measured::part(evidence)),
        ("exchange", "Offer and answer", exchange::part(evidence)),
        ("streams", "Streams", streams::part(evidence)),
        ("paths", "Paths and keys", paths::part(evidence)),
        ("log", "Log and counts", log::part(evidence)),
    ];
    let there = || parts.iter().filter(|(.., content)| !content.is_empty());
    let mut body = head::part(evidence);
    body += contents(there().map(|(id, heading, _)| (*id, *heading)));
    for (id, heading, content) in there() {
        body += super::section(id, heading, content.clone());
    }
    body += el("footer", &[], note(format!("Made by {}. Times of day are UTC.", evidence.made_by)));
    page(&call_title(evidence), &body)
}

/// Who called whom, in words.
pub(crate) fn call_title(evidence: &Evidence<'_>) -> String {
    head::title(evidence)
}

/// What was left out of a list for its length, said in words; nothing where nothing was.
fn left_out(more: u64, what: &str) -> Html {
    if more == 0 { Html::new() } else { note(format!("{} more {what} left out.", words::count(more))) }
}
