//! SIP calls, by Call-ID.

mod body;
mod call;
mod exchange;
mod faults;
mod media;
mod ske;

pub(super) use media::Announced;

use self::call::Call;
use super::options::AnalysisLimits;
use crate::findings::CallFindings;
use crate::input::Datagram;
use std::collections::HashMap;
use visavis_proto::Time;
use visavis_proto::sip::{Message, Method};

/// All calls of a capture.
#[derive(Debug)]
pub(super) struct Calls {
    calls: Vec<Call>,
    index: HashMap<Box<[u8]>, usize>,
    limits: AnalysisLimits,
    /// Octets of text that may still be kept.
    text_left: usize,
    pub(super) left_out: u64,
}

/// What a message of a call means for the media.
#[derive(Debug, Default)]
pub(super) struct News {
    /// The call that it belongs to.
    pub(super) call: usize,
    /// What its description announces.
    pub(super) announced: Vec<Announced>,
    /// Whether the call is over with it.
    pub(super) over: bool,
}

impl Calls {
    pub(super) fn new(limits: &AnalysisLimits) -> Self {
        Calls {
            calls: Vec::new(),
            index: HashMap::new(),
            text_left: limits.text,
            limits: limits.clone(),
            left_out: 0,
        }
    }

    /// Takes a SIP message; `None` where it is none, or belongs to no call.
    pub(super) fn push(&mut self, datagram: &Datagram<'_>, au_headers: bool) -> Option<News> {
        let mut message = match Message::parse(datagram.data, &self.limits.parsing) {
            Ok(message) => message,
            Err(error) => *error.partial?,
        };
        let cseq = message.headers().cseq().ok()?;
        let call_id = message.headers().call_id().ok()?;
        let index = match self.index.get(call_id) {
            Some(&index) => index,
            None if !begins_call(&cseq.method) => return None,
            None if self.calls.len() >= self.limits.calls => {
                self.left_out += 1;
                return None;
            }
            None => {
                self.index.insert(call_id.into(), self.calls.len());
                self.calls.push(Call::new(&String::from_utf8_lossy(call_id)));
                self.calls.len() - 1
            }
        };
        let decoded = match &mut message {
            Message::Request(request) => request.decode_body(&self.limits.parsing),
            Message::Response(response) => response.decode_body(&self.limits.parsing),
        };
        let call = self.calls.get_mut(index)?;
        let room = self.limits.message_text.min(self.text_left);
        let place =
            call::Place { room, most: self.limits.messages, limits: &self.limits.parsing, au_headers };
        let (announced, used) = call.push(datagram, &message, cseq, decoded.err(), &place);
        self.text_left = self.text_left.saturating_sub(used);
        Some(News { call: index, announced, over: call.is_over() })
    }

    /// What was found, and where each call now stands; the capture ended at `last`.
    pub(super) fn finish(self, last: Option<Time>) -> Vec<CallFindings> {
        self.calls.into_iter().map(|call| call.finish(last)).collect()
    }
}

/// Whether a message with this method in its CSeq belongs to a call, even where its INVITE was not captured.
fn begins_call(method: &Method) -> bool {
    matches!(
        method,
        Method::Invite | Method::Ack | Method::Bye | Method::Cancel | Method::Prack | Method::Update
    )
}
