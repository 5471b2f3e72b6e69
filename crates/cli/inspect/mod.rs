//! What a capture holds, put into words, and its streams put into files.

mod course;
mod extract;
mod ladder;
mod media;
mod summary;
mod words;

pub(crate) use extract::{Extract, write_bodies};

use visavis::capture::findings::Findings;

/// Calls that are told in full; of further ones a line each.
const IN_FULL: usize = 20;
/// The width where there is no terminal.
const USUAL_WIDTH: usize = 100;

/// The width of the terminal, or of what `COLUMNS` says.
pub(crate) fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let terminal = console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    columns.or(terminal).unwrap_or(USUAL_WIDTH).clamp(60, 200)
}

/// Everything, line for line, in lines of at most `width` columns where that can be.
pub(crate) fn text(name: &str, findings: &Findings, bodies: &[String], width: usize) -> Vec<String> {
    let mut lines = summary::file(name, findings, width);
    for (index, call) in findings.calls.iter().enumerate() {
        lines.push(String::new());
        lines.extend(summary::call(index, call, width));
        if index < IN_FULL {
            lines.extend(ladder::draw(call, width));
            lines.extend(course::exchanges(call, width));
            lines.extend(course::key_exchange(call));
        }
    }
    lines.extend(media::stun(&findings.stun, width));
    lines.extend(media::streams(findings, width));
    if !bodies.is_empty() {
        lines.push(String::new());
        lines.push(format!("bodies of the key exchange: {}", bodies.join(", ")));
    }
    lines
}
