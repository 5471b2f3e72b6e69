//! Clearing up after a script, however it ended: no call and no transaction of it stays with the peer.

use super::{Draft, Lab, Seen, T1, target_of, to_tag};
use std::time::Duration;
use visavis_proto::sip::{HeaderName, Message, Method, Response};

/// How long the peer has for each answer.
const WAIT: Duration = Duration::from_millis(1500);
/// A CSeq number that no script reaches.
const CLEARING: u32 = 100_000;

impl Lab {
    /// Acknowledges, cancels and hangs up whatever is left. What goes wrong here is no finding.
    pub(crate) async fn clear_up(&mut self) {
        self.silence();
        for invite in self.invites.clone() {
            if self.finals(&invite).is_empty() && self.heard_of(&invite) {
                let cancel = invite.companion("CANCEL", invite.text("To").as_bytes());
                // The peer may be gone.
                let _ = self.send(&cancel).await;
                let wanted = invite.clone();
                let found =
                    move |s: &Seen| s.response_to(&wanted).filter(|r| !r.is_provisional()).map(|_| ());
                self.find(0, WAIT, found).await;
            }
            let refusal = self.finals(&invite).into_iter().map(|(_, r)| r).find(|r| !r.is_success());
            if let Some(refusal) = refusal {
                let to = refusal.headers.get(HeaderName::To).unwrap_or_default().to_vec();
                let _ = self.send(&invite.companion("ACK", &to)).await;
            }
        }
        for ok in self.accepted() {
            self.end(&ok).await;
        }
        for line in &mut self.lines {
            let summaries = line.summaries();
            self.exchange.entries.extend(summaries);
        }
        self.exchange.entries.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    }

    /// The first offence of the peer that no case is about.
    pub(crate) fn offence(&self) -> Option<&str> {
        self.offences.first().map(String::as_str)
    }

    /// Says that a dialog is over, so that it needs no BYE any more.
    pub(crate) fn ended(&mut self, call_id: &str, to_tag: &str) {
        self.ended.insert((call_id.to_owned(), to_tag.to_owned()));
    }

    /// Whether the peer has ended a dialog, or was told to.
    pub(crate) fn is_over(&self, call_id: &str, to_tag: &str) -> bool {
        self.ended.contains(&(call_id.to_owned(), to_tag.to_owned()))
    }

    fn heard_of(&self, invite: &Draft) -> bool {
        self.seen.iter().any(|s| s.response_to(invite).is_some())
    }

    /// One 2xx to INVITE from each dialog, also of calls that should never have come about.
    fn accepted(&self) -> Vec<Response> {
        let mut found: Vec<Response> = Vec::new();
        for seen in &self.seen {
            let Message::Response(response) = &seen.message else { continue };
            let invite = response.headers.cseq().map_or(true, |c| c.method == Method::Invite);
            let known = |r: &Response| to_tag(r) == to_tag(response) && call_id(r) == call_id(response);
            if invite && response.is_success() && !found.iter().any(known) {
                found.push(response.clone());
            }
        }
        found
    }

    /// Acknowledges a 2xx by what it says itself, and hangs up where that has not been done.
    async fn end(&mut self, ok: &Response) {
        let seq = ok.headers.cseq().map_or(1, |c| c.seq);
        let target = target_of(ok).unwrap_or_else(|| self.peer.uri.clone());
        let in_dialog = |lab: &Lab, method: &str, seq: u32| {
            let mut draft = lab.request(method);
            draft.start = format!("{method} {target} SIP/2.0");
            for (name, wire) in
                [(HeaderName::From, "From"), (HeaderName::To, "To"), (HeaderName::CallId, "Call-ID")]
            {
                draft.set(wire, ok.headers.get(name).unwrap_or_default());
            }
            draft.set("CSeq", format!("{seq} {method}"));
            draft
        };
        let ack = in_dialog(self, "ACK", seq);
        let _ = self.send(&ack).await;
        let (call_id, tag) = (call_id(ok), to_tag(ok));
        if self.is_over(&call_id, &tag) {
            return;
        }
        let bye = in_dialog(self, "BYE", CLEARING.max(seq.saturating_add(1000)));
        for _ in 0..3 {
            let from = self.seen.len();
            let _ = self.send(&bye).await;
            let sent = bye.clone();
            if self.find(from, T1, move |s: &Seen| s.response_to(&sent).map(|_| ())).await.is_some() {
                break;
            }
        }
        self.ended(&call_id, &tag);
    }
}

fn call_id(response: &Response) -> String {
    response.headers.text(HeaderName::CallId).unwrap_or_default()
}
