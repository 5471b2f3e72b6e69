//! The log of a call: what happened, and when.

use serde::Serialize;
use std::time::Duration;
use visavis_proto::Time;
use visavis_proto::frame::MediaKind;
use visavis_proto::io::{Event, MediaFormat, Protection, Section};

/// Entries kept; what comes later is counted.
const MOST: usize = 1_000;
/// The longest text of an entry, octets.
const LONGEST: usize = 400;

/// What happened in a call, in order. Bounded: [`CallLog::left_out`] counts what there was no room for.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CallLog {
    /// What happened.
    pub entries: Vec<LogEntry>,
    /// Entries left out because there were too many.
    pub left_out: u64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogEntry {
    /// When this end knew of it.
    #[serde(serialize_with = "crate::unix::time")]
    pub at: Time,
    /// What kind of thing, in a word: the name of the event that `--json` prints for it.
    pub name: &'static str,
    /// What there is to say about it.
    pub text: String,
}

impl CallLog {
    /// Takes in an event of the call. Frames are no events of the log: the time line counts them.
    pub fn observe(&mut self, at: Time, event: &Event) {
        if let Some((name, text)) = words(event) {
            self.note(at, name, text);
        }
    }

    /// Adds an entry. The end of a call always finds room.
    pub fn note(&mut self, at: Time, name: &'static str, text: impl Into<String>) {
        if self.entries.len() >= MOST {
            self.left_out += 1;
            if name != "ended" {
                return;
            }
            self.entries.pop();
        }
        let mut text = text.into();
        text.truncate(text.floor_char_boundary(LONGEST));
        self.entries.push(LogEntry { at, name, text });
    }
}

fn words(event: &Event) -> Option<(&'static str, String)> {
    Some(match event {
        Event::Incoming { from, remote, .. } => ("incoming", format!("from {from} at {remote}")),
        Event::Calling { call_id, .. } => ("calling", format!("INVITE sent, Call-ID {call_id}")),
        Event::Progress { status, reason, .. } => ("progress", format!("{status} {reason}")),
        Event::Established { setup, .. } => ("established", format!("up after {}", ms(*setup))),
        Event::PathFound { path, round_trip, .. } => {
            ("path", format!("from {} to {}, round trip {}", path.local, path.remote, ms(*round_trip)))
        }
        Event::PathMoved { path, .. } => {
            ("path-moved", format!("now from {} to {}", path.local, path.remote))
        }
        Event::PathLost { path, .. } => ("path-lost", format!("nothing comes from {} any more", path.remote)),
        Event::MoveRefused { remote, why, .. } => ("move-refused", format!("{remote}: {why}")),
        Event::KeyMessage { sent, sequence, fragment, body, .. } => {
            let way = if *sent { "sent" } else { "received" };
            ("key-message", format!("{way}, number {sequence};{fragment}, {} octets", body.len()))
        }
        Event::Protected { protection, .. } => ("protected", protected(protection)),
        Event::Media { sections, .. } => {
            let said: Vec<String> = sections.iter().map(section).collect();
            ("media", said.join("; "))
        }
        Event::Dtmf { digit, duration, .. } => ("dtmf", format!("key {digit} for {}", ms(*duration))),
        Event::Message { content_type, body, .. } => {
            ("message", format!("{} octets of {content_type}", body.len()))
        }
        Event::Answered { method, status, reason, .. } => {
            ("answered", format!("{method}: {status} {reason}"))
        }
        Event::Ended { reason, .. } => ("ended", reason.to_string()),
        Event::Frame { .. }
        | Event::OptionsAnswered { .. }
        | Event::Classified { .. }
        | Event::Outcome { .. } => return None,
    })
}

fn protected(protection: &Protection) -> String {
    match (&protection.suite, &protection.short_authentication_string) {
        (None, _) => "media are clear".into(),
        (Some(suite), None) => suite.clone(),
        (Some(suite), Some(words)) => format!("{suite}; to compare: {words}"),
    }
}

fn section(section: &Section) -> String {
    let kind = section.kind.map_or("unknown media", MediaKind::as_str);
    if !section.active {
        return format!("{kind} not in use");
    }
    let name = |format: Option<&MediaFormat>| format.map_or("nothing", |f| f.codec().name());
    let (sends, receives) = (section.send.as_ref(), section.receive.first().map(|(_, f)| f));
    format!("{kind} {}, sends {}, expects {}", section.direction.as_str(), name(sends), name(receives))
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis_proto::io::{CallHandle, EndReason};

    #[test]
    fn a_long_log_stays_bounded_and_still_says_how_it_ended() {
        let mut log = CallLog::default();
        for n in 0..MOST + 5 {
            log.note(Time::from_millis(n as u64), "dtmf", "é".repeat(LONGEST));
        }
        assert!(log.entries.iter().all(|e| e.text.len() <= LONGEST));
        let (call, reason) = (CallHandle(1), EndReason::LocalHangup);
        log.observe(Time::from_millis(9_000), &Event::Ended { call, reason, stats: Vec::new() });
        assert_eq!(log.entries.len(), MOST);
        assert_eq!(log.left_out, 6);
        assert_eq!(log.entries.last().map(|e| e.text.as_str()), Some("hung up here"));
    }
}
