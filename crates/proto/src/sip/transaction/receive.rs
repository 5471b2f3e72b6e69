//! Requests in: which transaction they belong to, and what becomes of those that belong to none.

use super::identity::Identity;
use super::matching::Fields;
use super::reply::reply_to;
use super::server::Server;
use super::store::Key;
use super::table::ServerInput;
use super::user::{Endpoint, Incoming, Output, ServerKey};
use super::{Transactions, invite_server};
use crate::sip::{HeaderName, Message, Method, ParseError, Request, Response, Via};
use crate::time::Time;
use std::net::SocketAddr;

/// What a CANCEL is for.
enum Cancelled {
    /// An INVITE of the TU.
    Invite(Key),
    /// Another request, or an INVITE that the TU never saw.
    Other,
    /// No transaction.
    Nothing,
}

/// The methods besides INVITE whose transactions a CANCEL may name.
const OTHER_METHODS: [Method; 11] = [
    Method::Bye,
    Method::Register,
    Method::Options,
    Method::Message,
    Method::Info,
    Method::Update,
    Method::Prack,
    Method::Refer,
    Method::Subscribe,
    Method::Notify,
    Method::Publish,
];

/// A new request and what was found out about it.
struct Arrival {
    identity: Identity,
    merge: Option<Identity>,
    in_dialog: bool,
    from: Endpoint,
    /// Where responses go.
    to: Endpoint,
}

impl Transactions {
    /// Takes in a request from `from`, whose `remote` is the packet's source (RFC 3261 sections 17.2.3 and
    /// 18.2.1). `received` and `rport` are noted in its topmost Via.
    pub fn handle_request(&mut self, now: Time, mut request: Request, from: Endpoint) -> Incoming {
        // What the parser let through has all that is read here.
        let Ok(fields) = Fields::read(&request) else {
            self.counters.malformed += 1;
            return Incoming::Absorbed;
        };
        let to = self.way_back(&fields.via, from);
        if request.method == Method::Ack {
            let invite = self.match_ack(&fields);
            return self.handle_ack(now, invite, request);
        }
        let identity = fields.transaction(&self.secret, &request.method, fields.to_tag());
        if let Some(&key) = self.servers.get(&identity) {
            self.counters.request_retransmissions += 1;
            self.drive_server(now, key, ServerInput::Request);
            return Incoming::Absorbed;
        }
        let cancelled = (request.method == Method::Cancel).then(|| self.match_cancel(&fields));
        let merge = fields.merge(&self.secret);
        let in_dialog = fields.to_tag().is_some();
        request.stamp_source(from.remote);
        let arrival = Arrival { identity, merge, in_dialog, from, to };
        match cancelled {
            None => self.handle_new(now, request, arrival),
            Some(Cancelled::Invite(invite)) => self.handle_cancel(now, request, arrival, invite),
            // RFC 3261 section 9.2: 200 to whatever matches, although it changes nothing.
            Some(Cancelled::Other) => self.answer(&request, to, 200),
            Some(Cancelled::Nothing) => {
                self.counters.cancels_unmatched += 1;
                self.answer(&request, to, 481)
            }
        }
    }

    /// Answers a request that could not be read, if that is possible and allowed: 400, 505 or 513 without a
    /// transaction. What cannot be answered is counted and dropped.
    pub fn reject(&mut self, mut error: ParseError, from: Endpoint) {
        self.counters.malformed += 1;
        let Some(Message::Request(request)) = error.partial.as_deref_mut() else { return };
        let Ok(to) = request.headers.via().map(|via| self.way_back(&via, from)) else { return };
        request.stamp_source(from.remote);
        if let (Some(response), Some(request)) = (error.response(), error.request()) {
            let response = self.tagged(request, response);
            let data = self.writer.response(&response);
            self.outputs.push_back(Output::Transmit(to, data));
        }
    }

    /// Where the response to a request goes.
    fn way_back(&self, via: &Via<'_>, from: Endpoint) -> Endpoint {
        if self.writer.shape.answers_to_source() { from } else { reply_to(via, from) }
    }

    fn handle_new(&mut self, now: Time, request: Request, arrival: Arrival) -> Incoming {
        if self.is_full(arrival.from.remote, arrival.in_dialog) {
            return self.refuse(&request, arrival.to);
        }
        let ends = (arrival.from.remote, arrival.to);
        if arrival.merge.is_some_and(|merge| self.merges.contains_key(&merge)) {
            self.counters.merged += 1;
            let server = Server::new(&request, ends, arrival.identity, None, false, &mut self.writer);
            let key = self.open_server(now, server);
            let response = self.tagged(&request, Response::to_request(&request, 482));
            if let Err(error) = self.respond(now, key, &response) {
                tracing::warn!(%error, "no 482 to a merged request");
            }
            return Incoming::Absorbed;
        }
        self.counters.requests += 1;
        let server = Server::new(&request, ends, arrival.identity, arrival.merge, true, &mut self.writer);
        Incoming::New(self.open_server(now, server), request)
    }

    fn handle_cancel(&mut self, now: Time, request: Request, arrival: Arrival, invite: Key) -> Incoming {
        // A CANCEL frees more than it takes, so it is let in as long as there is any room.
        if self.is_full(arrival.from.remote, true) {
            return self.refuse(&request, arrival.to);
        }
        self.counters.requests += 1;
        let ends = (arrival.from.remote, arrival.to);
        let server = Server::new(&request, ends, arrival.identity, None, true, &mut self.writer);
        let cancel = self.open_server(now, server);
        Incoming::Cancel { cancel, request, invite: ServerKey(invite) }
    }

    fn handle_ack(&mut self, now: Time, invite: Option<Key>, request: Request) -> Incoming {
        use invite_server::State;
        let Some(key) = invite else { return Incoming::AckFor2xx(request) };
        let Some(server) = self.server(key) else { return Incoming::AckFor2xx(request) };
        let (before, reported) = (server.invite_state(), server.is_reported());
        self.drive_server(now, key, ServerInput::Ack);
        match before {
            // Some clients send it with the branch of the INVITE.
            Some(State::Accepted) => Incoming::AckFor2xx(request),
            Some(State::Completed) => {
                self.counters.acks += 1;
                if reported { Incoming::Ack(ServerKey(key)) } else { Incoming::Absorbed }
            }
            _ => {
                self.counters.acks += 1;
                Incoming::Absorbed
            }
        }
    }

    /// The INVITE that an ACK belongs to. An RFC 2543 ACK carries the To tag of the response (RFC 3261 section
    /// 17.2.3), the INVITE the same one only if it was sent inside a dialog.
    fn match_ack(&self, fields: &Fields<'_>) -> Option<Key> {
        let find = |tag| self.servers.get(&fields.transaction(&self.secret, &Method::Invite, tag)).copied();
        find(fields.to_tag()).or_else(|| {
            let key = find(None)?;
            (self.server(key)?.failure_tag() == fields.to_tag()).then_some(key)
        })
    }

    /// RFC 3261 section 9.2.
    fn match_cancel(&self, fields: &Fields<'_>) -> Cancelled {
        let find =
            |method| self.servers.get(&fields.transaction(&self.secret, method, fields.to_tag())).copied();
        match find(&Method::Invite) {
            Some(key) if self.server(key).is_some_and(Server::is_reported) => Cancelled::Invite(key),
            Some(_) => Cancelled::Other,
            None if OTHER_METHODS.iter().any(|method| find(method).is_some()) => Cancelled::Other,
            None => Cancelled::Nothing,
        }
    }

    /// Whether a new server transaction would pass a limit. An eighth of each limit is kept for requests
    /// inside of dialogs: under pressure the calls that stand come first.
    fn is_full(&self, source: SocketAddr, in_dialog: bool) -> bool {
        let room = |limit: usize| if in_dialog { limit } else { limit - limit / 8 };
        let held = self.sources.get(&source).copied().unwrap_or(0);
        self.store.len() >= room(self.limit) || held >= room(self.limit_per_source)
    }

    fn refuse(&mut self, request: &Request, to: Endpoint) -> Incoming {
        self.counters.refused += 1;
        self.answer(request, to, 503)
    }

    /// Answers without a transaction (RFC 3261 section 8.2.7).
    fn answer(&mut self, request: &Request, to: Endpoint, status: u16) -> Incoming {
        let response = self.tagged(request, Response::to_request(request, status));
        let data = self.writer.response(&response);
        self.outputs.push_back(Output::Transmit(to, data));
        Incoming::Absorbed
    }

    /// Adds a To tag that is the same for the same request, as section 8.2.7 asks.
    fn tagged(&self, request: &Request, mut response: Response) -> Response {
        let via = request.headers.get(HeaderName::Via).unwrap_or_default();
        response.set_to_tag(&self.secret.identity([&b"tag"[..], via]).tag());
        response
    }
}
