//! What every call of an agent shares: settings, transactions, random numbers, and the queue of outputs.

use super::config::Config;
use super::counters::Counters;
use crate::io::{Event, Output, RequestId, SocketId, Transmit};
use crate::sip::transaction::{ClientKey, Endpoint, SendError, ServerKey, Transactions};
use crate::sip::{HeaderName, Request, Response, ids};
use crate::time::Time;
use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

/// The methods that the agent takes, as its Allow header lists them.
pub(crate) const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO";
/// The bodies that it reads, as its Accept header lists them.
pub(crate) const ACCEPT: &str = "application/sdp, multipart/mixed, multipart/alternative";

pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) transactions: Transactions,
    pub(crate) counters: Counters,
    /// The socket that signalling uses.
    pub(crate) main: Option<(SocketId, SocketAddr)>,
    outputs: VecDeque<Output>,
    ssrcs: BTreeSet<u32>,
    next_request: u64,
}

impl Core {
    pub(crate) fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let transaction_rng = ChaCha20Rng::from_rng(&mut rng);
        let transactions = Transactions::new(config.timers.clone(), &config.limits, transaction_rng)
            .with_shape(config.shape);
        Core {
            config,
            rng,
            transactions,
            counters: Counters::default(),
            main: None,
            outputs: VecDeque::new(),
            ssrcs: BTreeSet::new(),
            next_request: 0,
        }
    }

    pub(crate) fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Queues an output; past the limit the oldest datagrams of media give way, nothing else does.
    pub(crate) fn output(&mut self, output: Output) {
        if self.outputs.len() >= self.config.limits.outputs
            && matches!(output, Output::Transmit(_) | Output::Event(Event::Frame { .. }))
        {
            self.counters.dropped.outputs += 1;
            return;
        }
        self.outputs.push_back(output);
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.output(Output::Event(event));
    }

    pub(crate) fn transmit(&mut self, transmit: Transmit) {
        self.counters.sent += 1;
        self.output(Output::Transmit(transmit));
    }

    /// A number for a request to the world outside.
    pub(crate) fn request_id(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId(self.next_request)
    }

    /// 64 random bits in hex.
    pub(crate) fn token(&mut self) -> String {
        ids::token(&mut self.rng)
    }

    /// A new tag.
    pub(crate) fn tag(&mut self) -> String {
        self.config.shape.tag(&mut self.rng)
    }

    /// A new Call-ID.
    pub(crate) fn call_id(&mut self, now: Time, local: IpAddr) -> String {
        self.config.shape.call_id(&mut self.rng, now, local)
    }

    /// An SSRC that no section of this agent uses (RFC 3550 section 8).
    pub(crate) fn ssrc(&mut self) -> u32 {
        loop {
            let ssrc = self.rng.next_u32();
            if ssrc != 0 && self.ssrcs.insert(ssrc) {
                return ssrc;
            }
        }
    }

    pub(crate) fn release_ssrc(&mut self, ssrc: u32) {
        self.ssrcs.remove(&ssrc);
    }

    /// Answers a request. The transaction may have ended by itself; then there is nobody to answer.
    pub(crate) fn respond(&mut self, now: Time, key: ServerKey, mut response: Response) {
        if response.status >= 400 {
            self.counters.requests_refused += 1;
        }
        if response.status > 100 && !response.headers.contains(HeaderName::Server) {
            response.headers.push(HeaderName::Server, self.config.user_agent.as_str());
        }
        if let Err(error) = self.transactions.respond(now, key, &response) {
            tracing::debug!(%error, "a response was not sent");
        }
    }

    /// Answers a request with a status and nothing more; a To tag is added where there is none.
    pub(crate) fn refuse(&mut self, now: Time, key: ServerKey, request: &Request, status: u16) {
        let response = self.response(request, status);
        self.respond(now, key, response);
    }

    /// A response with a To tag.
    pub(crate) fn response(&mut self, request: &Request, status: u16) -> Response {
        let mut response = Response::to_request(request, status);
        let tag = self.tag();
        response.set_to_tag(&tag);
        response
    }

    /// Sends a request of ours; User-Agent is added.
    pub(crate) fn request(
        &mut self,
        now: Time,
        mut request: Request,
        to: Endpoint,
    ) -> Result<ClientKey, SendError> {
        request.headers.set(HeaderName::UserAgent, self.config.user_agent.as_str());
        self.transactions.send_request(now, request, to)
    }

    pub(crate) fn sip_datagram(&mut self, to: &Endpoint, data: Bytes) {
        self.transmit(to.datagram(data));
    }
}
