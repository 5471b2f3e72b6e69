//! What is left of a call: how it went and what was measured.

use crate::log::CallLog;
use crate::media::MediaReport;
use serde::Serialize;
use std::time::Duration;
use visavis_proto::frame::{MediaKind, Rotation};
use visavis_proto::io::{EndReason, Event, MediaFormat, Party, Section, SectionStats};
use visavis_proto::rtp::session::MappingOrigin;
use visavis_proto::rtp::srtp::MasterKey;

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
    /// The master keys of its SRTP, to read its capture with; in no file unless somebody puts them there.
    #[serde(skip)]
    pub keys: Vec<MasterKey>,
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
    /// RTP packets that never came, less those that came twice (RFC 3550 appendix A.3).
    pub packets_lost: i64,
    /// Lost packets as a share of those that should have come, 0 to 1; `None` where none should have.
    pub loss: Option<f64>,
    /// Packets that came too late to be played.
    pub packets_late: u64,
    /// Packets that came twice.
    pub packets_duplicate: u64,
    /// Packets that came behind one with a higher number.
    pub packets_reordered: u64,
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
    /// What told the sender's time of what arrived, by which sound and pictures were aligned: `header extension` (RFC
    /// 6051) or `sender report`; `None`: nothing did.
    pub synchronised_by: Option<&'static str>,
    /// How far the peer was told to turn our pictures before it shows them, degrees clockwise; `None`: it was not told.
    pub rotation_sent: Option<u16>,
    /// How far the peer said that its pictures are to be turned, degrees clockwise; `None`: it did not.
    pub rotation_received: Option<u16>,
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
            Event::Protected { protection, .. } => {
                self.keys =
                    protection.keys.as_deref().map_or_else(Vec::new, |(a, b)| vec![a.clone(), b.clone()]);
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
        self.loss = stats.loss();
        self.packets_late = stats.packets_late;
        self.packets_duplicate = stats.packets_duplicate;
        self.packets_reordered = stats.packets_reordered;
        self.jitter_ms = stats.jitter.map(millis);
        self.round_trip_ms = stats.round_trip.map(millis);
        self.remote_loss = stats.remote_loss;
        self.frames_sent = stats.frames_sent;
        self.frames_received = stats.frames_received;
        self.frames_incomplete = stats.frames_dropped;
        self.rtcp_sent = stats.rtcp_sent;
        self.rtcp_received = stats.rtcp_received;
        self.keyframes_requested = stats.keyframes_requested;
        self.synchronised_by = stats.synchronised_by.map(MappingOrigin::as_str);
        self.rotation_sent = stats.rotation_sent.map(Rotation::degrees);
        self.rotation_received = stats.rotation_received.map(Rotation::degrees);
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
