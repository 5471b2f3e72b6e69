//! One call: its messages, its course, and how it ended.

use super::exchange::Exchanges;
use super::media::Announced;
use super::ske::Joiner;
use super::{body, exchange};
use crate::findings::{CallFindings, MessageFindings, Outcome};
use crate::input::Datagram;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::Duration;
use visavis_proto::Time;
use visavis_proto::limits::Limits;
use visavis_proto::sip::{CSeq, CodingError, HeaderName, Message, Method, NameAddr};

/// An INVITE without any answer has failed after this long: 64 times T1 (RFC 3261 section 17.1.1.2).
const PATIENCE: Duration = Duration::from_secs(32);
/// Messages that are remembered, to know a repeated one by.
const REMEMBERED: usize = 8_192;

/// A call that is being followed.
#[derive(Debug)]
pub(super) struct Call {
    findings: CallFindings,
    /// Hashes of what makes a message the same as another.
    seen: HashSet<u64>,
    exchanges: Exchanges,
    ske: Joiner,
    /// The CSeq of the latest INVITE outside of a dialog: the one that sets the call up.
    set_up: Option<u32>,
    /// The tag of who sent it.
    caller_tag: Option<Vec<u8>>,
    cancelled: Option<Time>,
}

/// What a message may cost, and how to read it.
pub(super) struct Place<'a> {
    /// Octets of text that may be kept of it.
    pub(super) room: usize,
    /// The most messages of a call.
    pub(super) most: usize,
    pub(super) limits: &'a Limits,
    pub(super) au_headers: bool,
}

impl Call {
    pub(super) fn new(call_id: &str) -> Self {
        Call {
            findings: CallFindings { call_id: call_id.to_owned(), ..CallFindings::default() },
            seen: HashSet::new(),
            exchanges: Exchanges::default(),
            ske: Joiner::default(),
            set_up: None,
            caller_tag: None,
            cancelled: None,
        }
    }

    /// Takes a message of the call. Gives what it announces of media, and the octets of text that were kept.
    pub(super) fn push(
        &mut self,
        datagram: &Datagram<'_>,
        message: &Message,
        cseq: CSeq,
        coding: Option<CodingError>,
        place: &Place<'_>,
    ) -> (Vec<Announced>, usize) {
        let retransmission = !self.is_new(datagram, message, &cseq);
        let used = self.keep(datagram, message, &cseq, coding.as_ref(), retransmission, place);
        if retransmission {
            return (Vec::new(), used);
        }
        match message {
            Message::Request(_) => self.request(datagram, message, &cseq),
            Message::Response(response) => self.response(datagram, message, &cseq, response.status),
        }
        let mut announced = Vec::new();
        if coding.is_none() {
            for part in body::parts(message) {
                if part.is("application", "sdp") {
                    let carrier = exchange::Carrier { datagram, message, cseq: &cseq };
                    announced.extend(self.exchanges.description(
                        &carrier,
                        &part.body,
                        place.limits,
                        place.au_headers,
                    ));
                } else if part.is("application", "ske") {
                    self.ske.push(datagram, message, &part.body, place.limits);
                }
            }
        }
        self.exchanges.refused(datagram, message, &cseq);
        (announced, used)
    }

    /// Whether the call has ended.
    pub(super) fn is_over(&self) -> bool {
        self.findings.ended.is_some()
    }

    pub(super) fn finish(mut self, last: Option<Time>) -> CallFindings {
        let findings = &mut self.findings;
        if findings.outcome == Outcome::Unknown {
            let waited = findings.invited.zip(last).map(|(invited, last)| last - invited);
            findings.outcome = match (findings.answered, waited) {
                (Some(_), _) => Outcome::Up,
                (None, Some(waited)) if waited >= PATIENCE && findings.status.is_none() => {
                    Outcome::Unanswered
                }
                _ => Outcome::Unknown,
            };
        }
        findings.exchanges = self.exchanges.finish();
        findings.ske = self.ske.finish();
        self.findings
    }

    /// Whether no message like this went the same way before. A proxy's two sides are two ways.
    fn is_new(&mut self, datagram: &Datagram<'_>, message: &Message, cseq: &CSeq) -> bool {
        let mut hasher = DefaultHasher::new();
        (datagram.source, datagram.destination, cseq).hash(&mut hasher);
        match message {
            Message::Request(request) => request.method.hash(&mut hasher),
            Message::Response(response) => response.status.hash(&mut hasher),
        }
        let headers = message.headers();
        headers.via().ok().and_then(|via| via.branch()).hash(&mut hasher);
        // Provisional responses that are sent reliably have numbers of their own (RFC 3262 section 3).
        headers.get("RSeq").hash(&mut hasher);
        headers.get("SKESeq").hash(&mut hasher);
        headers.to().ok().and_then(|to| to.tag()).hash(&mut hasher);
        let hash = hasher.finish();
        !self.seen.contains(&hash) && (self.seen.len() >= REMEMBERED || self.seen.insert(hash))
    }

    /// Puts the message onto the ladder; gives the octets of text that were kept.
    fn keep(
        &mut self,
        datagram: &Datagram<'_>,
        message: &Message,
        cseq: &CSeq,
        coding: Option<&CodingError>,
        retransmission: bool,
        place: &Place<'_>,
    ) -> usize {
        if self.findings.messages.len() >= place.most || place.room == 0 {
            self.findings.messages_left_out += 1;
            return 0;
        }
        let mut text = body::text(datagram.data, message, coding);
        if text.len() > place.room {
            text.truncate(text.floor_char_boundary(place.room));
            text.push_str("\n[...]");
        }
        let used = text.len();
        let summary = match message {
            Message::Request(request) => request.method.as_str().to_owned(),
            Message::Response(response) => {
                format!("{} {}", response.status, response.reason_text()).trim_end().to_owned()
            }
        };
        let content_type = message.headers().get(HeaderName::ContentType).map(|value| {
            let value = String::from_utf8_lossy(value);
            value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
        });
        self.findings.messages.push(MessageFindings {
            packet: datagram.packet,
            time: datagram.time,
            source: Some(datagram.source),
            destination: Some(datagram.destination),
            transport: datagram.transport,
            summary,
            cseq: Some((cseq.seq, cseq.method.as_str().to_owned())),
            text,
            content_type: content_type.filter(|_| !message.body().is_empty()),
            retransmission,
        });
        used
    }

    fn request(&mut self, datagram: &Datagram<'_>, message: &Message, cseq: &CSeq) {
        let headers = message.headers();
        let findings = &mut self.findings;
        let in_dialog = headers.to().is_ok_and(|to| to.tag().is_some());
        match cseq.method {
            Method::Invite => {
                if findings.invited.is_none() {
                    findings.invited = Some(datagram.time);
                    findings.caller = Some(datagram.source);
                    findings.callee = Some(datagram.destination);
                    findings.from = headers.from().map(|from| party(&from)).unwrap_or_default();
                    findings.to = headers.to().map(|to| party(&to)).unwrap_or_default();
                    findings.caller_agent = headers.text(HeaderName::UserAgent);
                    self.caller_tag = headers.from().ok().and_then(|from| from.tag()).map(<[u8]>::to_vec);
                    self.set_up = Some(cseq.seq);
                } else if !in_dialog && findings.answered.is_none() && self.set_up < Some(cseq.seq) {
                    // Once more, with credentials or after a redirection.
                    self.set_up = Some(cseq.seq);
                    (findings.status, findings.ended, findings.outcome) = (None, None, Outcome::Unknown);
                }
            }
            Method::Ack if findings.answered.is_some() && self.set_up == Some(cseq.seq) => {
                findings.acknowledged.get_or_insert(datagram.time);
            }
            Method::Cancel if findings.answered.is_none() => {
                self.cancelled = self.cancelled.or(Some(datagram.time))
            }
            Method::Bye => {
                let tag = headers.from().ok().and_then(|from| from.tag());
                let by_caller = match (&self.caller_tag, tag) {
                    (Some(caller), Some(tag)) => caller == tag,
                    _ => findings.caller == Some(datagram.source),
                };
                if findings.ended.is_none() {
                    findings.ended = Some(datagram.time);
                    findings.outcome = if by_caller { Outcome::CallerHungUp } else { Outcome::CalleeHungUp };
                }
            }
            _ => {}
        }
    }

    fn response(&mut self, datagram: &Datagram<'_>, message: &Message, cseq: &CSeq, status: u16) {
        let findings = &mut self.findings;
        if cseq.method != Method::Invite || self.set_up.is_some_and(|set_up| set_up != cseq.seq) {
            return;
        }
        let headers = message.headers();
        let agent = headers.text(HeaderName::UserAgent).or_else(|| headers.text(HeaderName::Server));
        match status {
            180 | 183 => {
                findings.ringing.get_or_insert(datagram.time);
            }
            200..=299 => {
                findings.answered.get_or_insert(datagram.time);
                findings.status.get_or_insert(status);
            }
            300..=699 if findings.answered.is_none() => {
                findings.status = Some(status);
                findings.ended = self.cancelled.or(Some(datagram.time));
                let cancelled = self.cancelled.is_some() && status == 487;
                findings.outcome = if cancelled { Outcome::Cancelled } else { Outcome::Refused };
            }
            _ => {}
        }
        if status != 100 && findings.callee_agent.is_none() {
            findings.callee_agent = agent;
        }
    }
}

/// Who takes part: display name and URI, without parameters.
fn party(address: &NameAddr<'_>) -> String {
    let uri = String::from_utf8_lossy(address.uri.as_bytes());
    match address.display_text() {
        Some(name) if !name.is_empty() => format!("\"{name}\" <{uri}>"),
        _ => uri.into_owned(),
    }
}

/// The two ends of a message, whichever sent it.
pub(super) fn hop(datagram: &Datagram<'_>) -> (SocketAddr, SocketAddr) {
    let (a, b) = (datagram.source, datagram.destination);
    (a.min(b), a.max(b))
}
