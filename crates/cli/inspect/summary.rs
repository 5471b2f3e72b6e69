//! The file and its calls in a few lines.

use super::words::{address, cut, date, octets, some, span, wrap};
use crate::output::clean;
use visavis::capture::findings::{CallFindings, Findings, Outcome};

/// The file.
pub(super) fn file(name: &str, findings: &Findings, width: usize) -> Vec<String> {
    let file = &findings.file;
    let mut parts = vec![format!("{name}: {}", some(file.packets, "packet")), octets(file.octets)];
    if let (Some(first), Some(last)) = (file.first, file.last) {
        parts.push(format!("{} from {} UTC", span(last - first), date(first)));
    }
    let mut lines = wrap("", 2, width, &parts);
    let found = [
        (findings.calls.len() as u64, "call"),
        (findings.streams.len() as u64, "stream"),
        (findings.stun.len() as u64, "pair of STUN"),
    ];
    let mut found: Vec<String> = found
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| match what {
            "pair of STUN" if count > 1 => format!("{count} pairs of STUN"),
            what => some(count, what),
        })
        .collect();
    if found.is_empty() {
        found.push("no calls and no streams in it".into());
    }
    let left_out = findings.left_out;
    let odd = [
        (file.unread, "packet", "not read"),
        (file.cut, "packet", "cut off by the capture"),
        (file.fragments_left, "fragment", "without the others"),
        (file.dropped, "datagram", "missing, as the file says"),
        (left_out.calls, "message", "of calls beyond the bound"),
        (left_out.streams, "stream", "beyond the bound"),
        (left_out.stun, "STUN message", "beyond the bound"),
    ];
    let odd = odd.into_iter().filter(|(count, ..)| *count > 0);
    found.extend(odd.map(|(count, what, how)| format!("{} {how}", some(count, what))));
    lines.extend(wrap("  ", 2, width, &found));
    lines
}

/// One call.
pub(super) fn call(index: usize, call: &CallFindings, width: usize) -> Vec<String> {
    let who = |text: &str| if text.is_empty() { "unknown".to_owned() } else { clean(text) };
    let title = format!("call {}: {} calls {}", index + 1, who(&call.from), who(&call.to));
    let mut lines = vec![cut(&title, width), cut(&format!("  Call-ID {}", clean(&call.call_id)), width)];
    lines.extend(wrap("  ", 2, width, &course(call)));
    for (side, at, agent) in
        [("caller", call.caller, &call.caller_agent), ("callee", call.callee, &call.callee_agent)]
    {
        let agent = agent.as_ref().map_or_else(String::new, |agent| format!(", {}", clean(agent)));
        lines.push(cut(&format!("  {side} {}{agent}", address(at)), width));
    }
    lines
}

/// How it went, one step after the other.
fn course(call: &CallFindings) -> Vec<String> {
    let mut parts = Vec::new();
    let after = |time: Option<_>| Some(span(time? - call.invited?));
    if let Some(time) = after(call.ringing) {
        parts.push(format!("rang after {time}"));
    }
    if let Some(time) = after(call.answered) {
        parts.push(format!("answered after {time}"));
    }
    if let Some(time) = after(call.acknowledged) {
        parts.push(format!("acknowledged after {time}"));
    }
    let lasted =
        call.answered.zip(call.ended).map(|(answered, ended)| format!(" after {}", span(ended - answered)));
    let lasted = lasted.unwrap_or_default();
    parts.push(match call.outcome {
        Outcome::Unknown => "how it ended is not in the capture".to_owned(),
        Outcome::Up => "still up when the capture ends".to_owned(),
        Outcome::CallerHungUp => format!("the caller hung up{lasted}"),
        Outcome::CalleeHungUp => format!("the callee hung up{lasted}"),
        Outcome::Cancelled => "cancelled by the caller".to_owned(),
        Outcome::Refused => {
            format!("refused with {}", call.status.map_or_else(|| "unknown".into(), |s| s.to_string()))
        }
        Outcome::Unanswered => "nobody answered".to_owned(),
    });
    parts
}
