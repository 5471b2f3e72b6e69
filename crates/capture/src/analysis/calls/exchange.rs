//! Offers and their answers: RFC 3261 section 13.2.1, RFC 3262 section 5, RFC 3311 section 5, and RFC 3264.

use super::call::hop;
use super::faults;
use super::media::{Announced, announced};
use crate::findings::ExchangeFindings;
use crate::input::Datagram;
use std::net::SocketAddr;
use visavis_proto::limits::Limits;
use visavis_proto::sdp::SessionDescription;
use visavis_proto::sip::{CSeq, Message, Method};

/// The most exchanges of one call.
const MAX_EXCHANGES: usize = 256;

/// All exchanges of one call.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    all: Vec<Exchange>,
}

#[derive(Debug)]
struct Exchange {
    findings: ExchangeFindings,
    hop: (SocketAddr, SocketAddr),
    seq: u32,
    method: Method,
    /// Whether the offer stood in a response, so that the answer stands in a request.
    late: bool,
    state: State,
    offer: Option<SessionDescription>,
    answer: Option<SessionDescription>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Offered,
    /// By a provisional response: the final one may say it again.
    Early,
    Answered,
    Refused,
}

/// The message that brought a description.
pub(super) struct Carrier<'a> {
    pub(super) datagram: &'a Datagram<'a>,
    pub(super) message: &'a Message,
    pub(super) cseq: &'a CSeq,
}

impl Carrier<'_> {
    fn is_request(&self) -> bool {
        matches!(self.message, Message::Request(_))
    }

    fn status(&self) -> Option<u16> {
        match self.message {
            Message::Request(_) => None,
            Message::Response(response) => Some(response.status),
        }
    }

    /// The exchange that a description in this message would answer.
    fn answers(&self, exchange: &Exchange) -> bool {
        let open = exchange.state == State::Offered;
        match (self.is_request(), exchange.late) {
            (false, false) => {
                matches!(exchange.state, State::Offered | State::Early | State::Answered)
                    && exchange.seq == self.cseq.seq
                    && exchange.method == self.cseq.method
                    && exchange.hop == hop(self.datagram)
            }
            // The ACK to a 2xx may go another way than the INVITE.
            (true, true) => match self.cseq.method {
                Method::Ack => open && exchange.seq == self.cseq.seq,
                Method::Prack => open,
                _ => false,
            },
            _ => false,
        }
    }
}

impl Exchanges {
    /// Takes a description; gives what it announces.
    pub(super) fn description(
        &mut self,
        carrier: &Carrier<'_>,
        body: &[u8],
        limits: &Limits,
        au_headers: bool,
    ) -> Vec<Announced> {
        let text = String::from_utf8_lossy(body).into_owned();
        let parsed = SessionDescription::parse(body, limits);
        let (description, fault) = match parsed {
            Ok(description) => (Some(description), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let owner = carrier.datagram.source;
        let open = self.all.iter().rposition(|exchange| carrier.answers(exchange));
        let index = match open {
            Some(index) => {
                let Some(exchange) = self.all.get_mut(index) else { return Vec::new() };
                exchange.answered(carrier, text, description.clone(), fault);
                index
            }
            None => {
                if self.all.len() >= MAX_EXCHANGES || !may_offer(carrier) || self.is_forwarded(carrier, &text)
                {
                    return Vec::new();
                }
                let previous = self.all.iter().rev().find_map(|exchange| exchange.said_by(owner)).cloned();
                let mut exchange = Exchange::new(carrier, text, description.clone(), fault);
                if let (Some(before), Some(now)) = (previous, &description) {
                    exchange.findings.faults.extend(faults::of_repeated(&before, now));
                }
                self.all.push(exchange);
                self.all.len() - 1
            }
        };
        description.map_or_else(Vec::new, |description| announced(&description, owner, index, au_headers))
    }

    /// Takes notice of a final response that refuses an offer.
    pub(super) fn refused(&mut self, datagram: &Datagram<'_>, message: &Message, cseq: &CSeq) {
        let carrier = Carrier { datagram, message, cseq };
        let Some(status @ 300..) = carrier.status() else { return };
        let of = |exchange: &&mut Exchange| {
            !exchange.late
                && exchange.state == State::Offered
                && exchange.seq == cseq.seq
                && exchange.method == cseq.method
                && exchange.hop == hop(datagram)
        };
        if let Some(exchange) = self.all.iter_mut().rfind(of) {
            exchange.state = State::Refused;
            exchange.findings.faults.push(format!("refused with {status}"));
        }
    }

    pub(super) fn finish(self) -> Vec<ExchangeFindings> {
        self.all.into_iter().map(Exchange::finish).collect()
    }

    /// Whether a proxy has passed on what is known already.
    fn is_forwarded(&self, carrier: &Carrier<'_>, text: &str) -> bool {
        self.all.iter().any(|exchange| {
            exchange.seq == carrier.cseq.seq
                && exchange.method == carrier.cseq.method
                && (exchange.findings.offer == text || exchange.findings.answer.as_deref() == Some(text))
        })
    }
}

/// Whether a message that answers no offer may carry one.
fn may_offer(carrier: &Carrier<'_>) -> bool {
    match carrier.status() {
        None => matches!(carrier.cseq.method, Method::Invite | Method::Update | Method::Prack),
        Some(101..=299) => carrier.cseq.method == Method::Invite,
        Some(_) => false,
    }
}

impl Exchange {
    fn new(
        carrier: &Carrier<'_>,
        text: String,
        description: Option<SessionDescription>,
        fault: Option<String>,
    ) -> Self {
        let faults = fault.map(|fault| format!("the offer cannot be read: {fault}"));
        Exchange {
            findings: ExchangeFindings {
                offerer: Some(carrier.datagram.source),
                offer_packet: carrier.datagram.packet,
                offer: text,
                faults: faults.into_iter().collect(),
                ..ExchangeFindings::default()
            },
            hop: hop(carrier.datagram),
            seq: carrier.cseq.seq,
            method: carrier.cseq.method.clone(),
            late: !carrier.is_request(),
            state: State::Offered,
            offer: description,
            answer: None,
        }
    }

    fn answered(
        &mut self,
        carrier: &Carrier<'_>,
        text: String,
        description: Option<SessionDescription>,
        fault: Option<String>,
    ) {
        let findings = &mut self.findings;
        if let (Some(before), Some(packet)) = (&findings.answer, findings.answer_packet) {
            if *before == text {
                self.state = state_by(carrier);
                return;
            }
            findings.faults.push(format!(
                "the answer in packet {} differs from that in packet {packet} (RFC 3261 section 13.2.1)",
                carrier.datagram.packet
            ));
        }
        findings.answer = Some(text);
        findings.answer_packet = Some(carrier.datagram.packet);
        findings.faults.extend(fault.map(|fault| format!("the answer cannot be read: {fault}")));
        self.answer = description;
        self.state = state_by(carrier);
    }

    /// What this side last said in the exchange.
    fn said_by(&self, owner: SocketAddr) -> Option<&SessionDescription> {
        if self.state == State::Refused {
            return None;
        }
        if self.findings.offerer == Some(owner) { self.offer.as_ref() } else { self.answer.as_ref() }
    }

    fn finish(mut self) -> ExchangeFindings {
        if let Some(offer) = &self.offer {
            self.findings.sections = faults::sections(offer, self.answer.as_ref());
            if let Some(answer) = &self.answer {
                self.findings.faults.extend(faults::of_answer(offer, answer));
            }
        }
        if self.findings.answer.is_none() && self.state == State::Offered {
            self.findings.faults.push("no answer in the capture".to_owned());
        }
        self.findings
    }
}

fn state_by(carrier: &Carrier<'_>) -> State {
    if carrier.status().is_some_and(|status| status < 200) { State::Early } else { State::Answered }
}
