//! What is left of a call: how it went, what was measured, and whether that is good.

use crate::log::CallLog;
use crate::media::MediaReport;
use serde::Serialize;
use std::time::Duration;
use visavis_media::judge::verdict::{Reason, Thresholds, verdict};
use visavis_proto::frame::MediaKind;
use visavis_proto::io::{EndReason, Event, MediaFormat, Party, Section, SectionStats};

/// A call from its first event to its last. What was not measured is `None`, and `null` in JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CallRecord {
    /// The peer: the URI called, or who called.
    pub peer: String,
    /// Whether the call came in.
    pub incoming: bool,
    /// The Call-ID, where it is known.
    pub call_id: Option<String>,
    /// From INVITE to ACK, milliseconds.
    pub setup_ms: Option<f64>,
    /// From ACK to the end, seconds.
    pub duration_s: Option<f64>,
    /// Why it ended, in a word.
    pub end: Option<&'static str>,
    /// The same for a person.
    pub end_text: Option<String>,
    /// One entry for each media section.
    pub sections: Vec<SectionRecord>,
    /// What was seen and heard.
    pub media: MediaReport,
    /// What happened, and when. In `call.json` it stands beside the record.
    #[serde(skip)]
    pub log: CallLog,
}

/// What was agreed and measured in one media section.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SectionRecord {
    /// `audio` or `video`; `None` for a section that was never in use.
    pub kind: Option<&'static str>,
    /// What was sent, in words: `H.264`, `Opus 48000 Hz`.
    pub sent_as: Option<String>,
    /// What was expected, in words.
    pub received_as: Option<String>,
    /// The direction that was agreed last: `sendrecv`, `sendonly`, `recvonly`, `inactive`.
    pub direction: Option<&'static str>,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// RTP packets received.
    pub packets_received: u64,
    /// RTP packets that never came.
    pub packets_lost: i64,
    /// Lost packets as a share of those that should have come, 0 to 1; `None` where none should have.
    pub loss: Option<f64>,
    /// Packets that came too late to be played.
    pub packets_late: u64,
    /// Interarrival jitter, milliseconds.
    pub jitter_ms: Option<f64>,
    /// Round trip by RTCP, milliseconds.
    pub round_trip_ms: Option<f64>,
    /// The share of our packets that the peer last reported lost, 0 to 1.
    pub remote_loss: Option<f64>,
    /// Frames sent.
    pub frames_sent: u64,
    /// Frames that arrived.
    pub frames_received: u64,
    /// Frames that arrived with parts missing.
    pub frames_incomplete: u64,
    /// RTCP packets sent.
    pub rtcp_sent: u64,
    /// RTCP packets received.
    pub rtcp_received: u64,
    /// Key frames that the peer asked for.
    pub keyframes_requested: u64,
}

/// What a call is measured against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expectation {
    /// Whether media are expected at all; without them a call is good that was set up and ended by BYE.
    pub media: bool,
    /// Whether the peer is known to send the test pattern and its tone: then they must be there. Otherwise they
    /// are judged where they are seen.
    pub pattern: bool,
    /// The greatest share of packets that may be lost, 0 to 1.
    pub max_loss: f64,
    /// What is asked of pictures and sound.
    pub thresholds: Thresholds,
}

impl Default for Expectation {
    /// Media both ways, at most 5 % loss, the judge's own thresholds for what it sees.
    fn default() -> Self {
        Expectation { media: true, pattern: false, max_loss: 0.05, thresholds: Thresholds::default() }
    }
}

/// Good, or the reasons why not.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Verdict {
    /// Whether nothing is wrong.
    pub good: bool,
    /// What is wrong, each in words.
    pub reasons: Vec<String>,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.good { f.write_str("good") } else { write!(f, "bad: {}", self.reasons.join("; ")) }
    }
}

impl CallRecord {
    /// The record of a call to `peer` that has only begun.
    pub fn outgoing(peer: &str) -> Self {
        CallRecord { peer: peer.to_owned(), ..CallRecord::default() }
    }

    /// The record of a call that came in.
    pub fn incoming(from: &Party, call_id: &str) -> Self {
        CallRecord {
            peer: from.to_string(),
            incoming: true,
            call_id: Some(call_id.to_owned()),
            ..CallRecord::default()
        }
    }

    /// Takes in an event of the call; `since_setup` is the time since it was established.
    pub fn observe(&mut self, event: &Event, since_setup: Option<Duration>) {
        match event {
            Event::Calling { call_id, .. } => self.call_id = Some(call_id.clone()),
            Event::Established { setup, .. } => self.setup_ms = Some(setup.as_secs_f64() * 1e3),
            Event::Media { sections, .. } => {
                for (index, section) in sections.iter().enumerate() {
                    if self.sections.len() <= index {
                        self.sections.push(SectionRecord::default());
                    }
                    if section.active {
                        self.sections[index].agree(section);
                    }
                }
            }
            Event::Ended { reason, stats, .. } => {
                self.end = Some(word(reason));
                self.end_text = Some(reason.to_string());
                self.duration_s = since_setup.map(|d| d.as_secs_f64());
                for (index, stats) in stats.iter().enumerate() {
                    if self.sections.len() <= index {
                        self.sections.push(SectionRecord::default());
                    }
                    self.sections[index].measure(stats);
                }
            }
            _ => {}
        }
    }

    /// Whether the call was good.
    pub fn verdict(&self, expected: &Expectation) -> Verdict {
        let mut reasons = Vec::new();
        let regular = matches!(self.end, Some("local-hangup" | "remote-hangup"));
        if self.setup_ms.is_none() {
            let why = self.end_text.as_deref().unwrap_or("it has not ended");
            return Verdict { good: false, reasons: vec![format!("the call did not come about: {why}")] };
        }
        if !regular {
            reasons.extend(self.end_text.clone());
        }
        if expected.media {
            self.judge_transport(expected, &mut reasons);
            self.judge_media(expected, &mut reasons);
        }
        Verdict { good: reasons.is_empty(), reasons }
    }

    fn judge_transport(&self, expected: &Expectation, reasons: &mut Vec<String>) {
        let used: Vec<&SectionRecord> = self.sections.iter().filter(|s| s.kind.is_some()).collect();
        let sent = used.iter().any(|s| s.packets_sent > 0);
        let received = used.iter().any(|s| s.packets_received > 0);
        let agreed = |ways: [&str; 2]| used.iter().any(|s| s.direction.is_some_and(|d| ways.contains(&d)));
        let (sends, receives) = (agreed(["sendrecv", "sendonly"]), agreed(["sendrecv", "recvonly"]));
        match (sent || !sends, received || !receives) {
            (false, false) => reasons.push("no media in either direction".into()),
            (true, false) => reasons.push("one-way: nothing arrived".into()),
            (false, true) => reasons.push("one-way: nothing was sent".into()),
            (true, true) => {}
        }
        for section in used {
            let kind = section.kind.unwrap_or_default();
            let expects = matches!(section.direction, Some("sendrecv" | "recvonly"));
            if received && expects && section.packets_received == 0 {
                reasons.push(format!("no {kind} arrived"));
            }
            if let Some(loss) = section.loss.filter(|l| *l > expected.max_loss) {
                reasons.push(format!("{kind}: {:.1} % of the packets were lost", loss * 100.0));
            }
        }
    }

    fn judge_media(&self, expected: &Expectation, reasons: &mut Vec<String>) {
        let Some(judgement) = &self.media.judgement else { return };
        let arrives = |kind| {
            let of_kind = |s: &&SectionRecord| s.kind == Some(kind);
            self.sections.iter().find(of_kind).is_some_and(|s| s.packets_received > 0)
        };
        let pattern = judgement.video.read > 0;
        let limits = Thresholds {
            picture: expected.thresholds.picture && arrives("video"),
            sound: expected.thresholds.sound && arrives("audio"),
            ..expected.thresholds
        };
        let found = verdict(judgement, &limits).reasons;
        reasons
            .extend(found.iter().filter(|r| expected.pattern || applies(r, pattern)).map(Reason::to_string));
    }
}

/// Whether a complaint says anything about a peer that may be sending any picture and any sound.
fn applies(reason: &Reason, pattern: bool) -> bool {
    match reason {
        Reason::NoPicture | Reason::NoSound => true,
        Reason::Frozen(_)
        | Reason::Unreadable(_)
        | Reason::LowPsnr(_)
        | Reason::OutOfSync(_)
        | Reason::LowFrameRate(_) => pattern,
        Reason::NoPattern
        | Reason::Silence(_)
        | Reason::Dropouts(_)
        | Reason::Noise(_)
        | Reason::WrongTone(_)
        | Reason::Clipped(_)
        | Reason::OneWay => false,
    }
}

impl SectionRecord {
    fn agree(&mut self, section: &Section) {
        self.kind = section.kind.map(MediaKind::as_str);
        self.direction = Some(section.direction.as_str());
        self.sent_as = section.send.as_ref().map(format);
        self.received_as = section.receive.first().map(|(_, f)| format(f));
    }

    fn measure(&mut self, stats: &SectionStats) {
        let millis = |d: Duration| d.as_secs_f64() * 1e3;
        self.kind = self.kind.or(stats.kind.map(MediaKind::as_str));
        self.packets_sent = stats.packets_sent;
        self.packets_received = stats.packets_received;
        self.packets_lost = stats.packets_lost;
        let should = stats.packets_received as i64 + stats.packets_lost;
        self.loss = (should > 0).then(|| stats.packets_lost.max(0) as f64 / should as f64);
        self.packets_late = stats.packets_late;
        self.jitter_ms = stats.jitter.map(millis);
        self.round_trip_ms = stats.round_trip.map(millis);
        self.remote_loss = stats.remote_loss;
        self.frames_sent = stats.frames_sent;
        self.frames_received = stats.frames_received;
        self.frames_incomplete = stats.frames_dropped;
        self.rtcp_sent = stats.rtcp_sent;
        self.rtcp_received = stats.rtcp_received;
        self.keyframes_requested = stats.keyframes_requested;
    }
}

/// A format in words.
fn format(format: &MediaFormat) -> String {
    match format {
        MediaFormat::Video(f) => f.codec.to_string(),
        MediaFormat::Audio(f) => format!("{} {} Hz", f.codec, f.sample_rate),
    }
}

/// Why a call ended, in a word.
fn word(reason: &EndReason) -> &'static str {
    match reason {
        EndReason::LocalHangup => "local-hangup",
        EndReason::RemoteHangup => "remote-hangup",
        EndReason::Cancelled => "cancelled",
        EndReason::Rejected(_) => "rejected",
        EndReason::Refused { .. } => "refused",
        EndReason::NoResponse { .. } => "no-response",
        EndReason::Media { .. } => "media",
        EndReason::NoPath { .. } => "no-path",
        EndReason::KeyExchange { .. } => "key-exchange",
        EndReason::Failed { .. } => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(kind: &'static str, sent: u64, received: u64, lost: i64) -> SectionRecord {
        let should = received as i64 + lost;
        SectionRecord {
            kind: Some(kind),
            direction: Some("sendrecv"),
            packets_sent: sent,
            packets_received: received,
            packets_lost: lost,
            loss: (should > 0).then(|| lost as f64 / should as f64),
            ..SectionRecord::default()
        }
    }

    fn record(sections: Vec<SectionRecord>) -> CallRecord {
        CallRecord { setup_ms: Some(12.0), end: Some("local-hangup"), sections, ..CallRecord::default() }
    }

    #[test]
    fn media_in_one_direction_and_missing_media_are_named() {
        let good = record(vec![section("audio", 9, 9, 0), section("video", 9, 9, 0)]);
        assert!(good.verdict(&Expectation::default()).good);
        let one_way = record(vec![section("audio", 9, 0, 0)]).verdict(&Expectation::default());
        assert_eq!(one_way.reasons, ["one-way: nothing arrived"]);
        let blind = record(vec![section("audio", 9, 9, 0), section("video", 9, 0, 0)]);
        assert_eq!(blind.verdict(&Expectation::default()).reasons, ["no video arrived"]);
        let lossy = record(vec![section("audio", 9, 90, 10)]).verdict(&Expectation::default());
        assert_eq!(lossy.reasons, ["audio: 10.0 % of the packets were lost"]);
        assert!(record(Vec::new()).verdict(&Expectation { media: false, ..Expectation::default() }).good);
    }

    #[test]
    fn a_direction_that_was_agreed_to_be_silent_is_not_held_against_a_call() {
        let listening = SectionRecord { direction: Some("recvonly"), ..section("audio", 0, 9, 0) };
        assert!(record(vec![listening]).verdict(&Expectation::default()).good);
        let talking = SectionRecord { direction: Some("sendonly"), ..section("audio", 9, 0, 0) };
        assert!(record(vec![talking]).verdict(&Expectation::default()).good);
        let deaf = SectionRecord { direction: Some("recvonly"), ..section("audio", 0, 0, 0) };
        assert!(!record(vec![deaf]).verdict(&Expectation::default()).good);
    }

    #[test]
    fn a_call_that_did_not_come_about_says_why() {
        let mut failed = CallRecord::outgoing("sip:a@b");
        let reason = EndReason::Refused { status: 486, reason: "Busy Here".into() };
        failed.observe(
            &Event::Ended { call: visavis_proto::io::CallHandle(1), reason, stats: Vec::new() },
            None,
        );
        let verdict = failed.verdict(&Expectation::default());
        assert!(!verdict.good && verdict.to_string().contains("486 Busy Here"), "{verdict}");
    }
}
