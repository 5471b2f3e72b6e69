//! Server transactions at work: responses out, again and again.

use super::alarms::{Alarms, Clock};
use super::identity::Identity;
use super::store::Key;
use super::table::{Action, ServerInput};
use super::user::{Endpoint, Output, RespondError, ServerKey, TuEvent};
use super::writer::Writer;
use super::{Transaction, Transactions, invite_server, non_invite_server};
use crate::sip::{Method, Request, Response};
use crate::time::Time;
use bytes::Bytes;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;

/// A server transaction.
#[derive(Debug)]
pub(super) struct Server {
    state: State,
    pub(super) alarms: Alarms,
    /// Where its responses go.
    pub(super) to: Endpoint,
    /// Where its request came from, for the limit on what one source may hold.
    source: SocketAddr,
    /// The latest response.
    message: Option<Bytes>,
    /// The 100 that is sent if the TU takes its time.
    trying: Option<Bytes>,
    /// The To tag of a 300-699 response, by which an RFC 2543 ACK is matched.
    to_tag: Option<Box<[u8]>>,
    identity: Identity,
    merge: Option<Identity>,
    /// Whether the TU knows of it: it does not know of merged requests.
    reported: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Invite(invite_server::State),
    Other(non_invite_server::State),
}

impl State {
    fn step(self, input: ServerInput) -> (State, &'static [Action]) {
        match self {
            State::Invite(state) => {
                let (next, actions) = invite_server::step(state, input);
                (State::Invite(next), actions)
            }
            State::Other(state) => {
                let (next, actions) = non_invite_server::step(state, input);
                (State::Other(next), actions)
            }
        }
    }

    fn is_terminated(self) -> bool {
        matches!(
            self,
            State::Invite(invite_server::State::Terminated)
                | State::Other(non_invite_server::State::Terminated)
        )
    }

    /// Whether the TU may send this status now.
    fn allows(self, status: u16, reliable: bool) -> Result<(), RespondError> {
        use invite_server::State as I;
        use non_invite_server::State as O;
        match self {
            State::Invite(I::Proceeding) => Ok(()),
            State::Invite(I::Accepted) if (200..300).contains(&status) => Ok(()),
            State::Invite(_) | State::Other(O::Completed | O::Terminated) => {
                Err(RespondError::Answered(status))
            }
            State::Other(O::Trying | O::Proceeding) => match status {
                100 if reliable => Ok(()),
                100..200 | 408 => Err(RespondError::Status(status)),
                _ => Ok(()),
            },
        }
    }
}

impl Server {
    /// A transaction for a request that goes back to `to`. One that is not `reported` is the layer's own.
    pub(super) fn new(
        request: &Request,
        (source, to): (SocketAddr, Endpoint),
        identity: Identity,
        merge: Option<Identity>,
        reported: bool,
        writer: &mut Writer,
    ) -> Server {
        let state = match request.method {
            Method::Invite => State::Invite(invite_server::ENTER.0),
            _ => State::Other(non_invite_server::ENTER.0),
        };
        Server {
            state,
            alarms: Alarms::default(),
            to,
            source,
            message: None,
            trying: Some(writer.response(&Response::to_request(request, 100))),
            to_tag: None,
            identity,
            merge,
            reported,
        }
    }

    /// Whether the TU knows of this transaction.
    pub(super) fn is_reported(&self) -> bool {
        self.reported
    }

    pub(super) fn invite_state(&self) -> Option<invite_server::State> {
        match self.state {
            State::Invite(state) => Some(state),
            State::Other(_) => None,
        }
    }

    /// The To tag of the 300-699 response that was sent.
    pub(super) fn failure_tag(&self) -> Option<&[u8]> {
        self.to_tag.as_deref()
    }
}

impl Transactions {
    /// Sends a response of the TU and keeps it for retransmissions (RFC 3261 sections 17.2.1 and 17.2.2).
    ///
    /// # Errors
    /// The transaction is over or has its final response, or RFC 4320 forbids the status.
    pub fn respond(&mut self, now: Time, key: ServerKey, response: &Response) -> Result<(), RespondError> {
        let Some(Transaction::Server(server)) = self.store.get_mut(key.0) else {
            return Err(RespondError::Over);
        };
        server.state.allows(response.status, server.to.is_reliable())?;
        server.message = Some(self.writer.response(response));
        server.trying = None;
        if response.status >= 300 {
            let tag = response.headers.to().ok().and_then(|to| to.tag());
            server.to_tag = tag.map(Into::into);
        }
        self.drive_server(now, key.0, ServerInput::response(response.status));
        Ok(())
    }

    /// Sends the 2xx that an INVITE was answered with once more, octet for octet: what the TU does until the
    /// ACK comes (RFC 3261 section 13.3.1.4).
    ///
    /// # Errors
    /// The transaction is over (timer L, 64*T1), or it was not answered with a 2xx.
    pub fn resend_2xx(&mut self, now: Time, key: ServerKey) -> Result<(), RespondError> {
        match self.store.get(key.0) {
            Some(Transaction::Server(server))
                if server.state == State::Invite(invite_server::State::Accepted) =>
            {
                self.counters.retransmissions += 1;
                self.drive_server(now, key.0, ServerInput::Success);
                Ok(())
            }
            _ => Err(RespondError::Over),
        }
    }

    /// One step of a server transaction.
    pub(super) fn drive_server(&mut self, now: Time, key: Key, input: ServerInput) {
        let Some(Transaction::Server(server)) = self.store.get_mut(key) else { return };
        let (next, actions) = server.state.step(input);
        server.state = next;
        if matches!(input, ServerInput::Request | ServerInput::Fired(_))
            && server.message.is_some()
            && actions.contains(&Action::Send)
        {
            self.counters.retransmissions += 1;
        }
        self.run_server(now, key, actions);
        if next.is_terminated() {
            self.close_server(key);
        }
    }

    fn run_server(&mut self, now: Time, key: Key, actions: &'static [Action]) {
        let Some(Transaction::Server(server)) = self.store.get_mut(key) else { return };
        let mut clock = Clock {
            now,
            timers: &self.timers,
            schedule: &mut self.schedule,
            reliable: server.to.is_reliable(),
        };
        for &action in actions {
            server.alarms.act(key, action, &mut clock);
            let event = match action {
                Action::Send | Action::SendTrying => {
                    if action == Action::SendTrying {
                        server.message = server.trying.take();
                    }
                    if let Some(message) = &server.message {
                        self.outputs.push_back(Output::Transmit(server.to, message.clone()));
                    }
                    continue;
                }
                Action::Timeout => {
                    self.counters.timeouts += 1;
                    TuEvent::ServerTimeout(ServerKey(key))
                }
                Action::TransportError => TuEvent::ServerTransportError(ServerKey(key)),
                // Timers were served above. The ACK that goes to the TU is returned by `handle_request`.
                Action::Start(_)
                | Action::Double(_)
                | Action::Slow(_)
                | Action::Stop(_)
                | Action::ToTu
                | Action::SendAck => continue,
            };
            if server.reported {
                self.outputs.push_back(Output::Event(event));
            }
        }
    }

    pub(super) fn server(&self, key: Key) -> Option<&Server> {
        match self.store.get(key)? {
            Transaction::Server(server) => Some(server),
            Transaction::Client(_) => None,
        }
    }

    pub(super) fn open_server(&mut self, now: Time, server: Server) -> ServerKey {
        let (identity, merge, source) = (server.identity, server.merge, server.source);
        let actions = match server.state {
            State::Invite(_) => invite_server::ENTER.1,
            State::Other(_) => non_invite_server::ENTER.1,
        };
        let key = self.store.insert(Transaction::Server(server));
        self.servers.insert(identity, key);
        if let Some(merge) = merge {
            self.merges.insert(merge, key);
        }
        *self.sources.entry(source).or_default() += 1;
        self.run_server(now, key, actions);
        ServerKey(key)
    }

    fn close_server(&mut self, key: Key) {
        let Some(Transaction::Server(server)) = self.store.remove(key) else { return };
        self.servers.remove(&server.identity);
        if let Some(merge) = server.merge {
            self.merges.remove(&merge);
        }
        if let Entry::Occupied(mut held) = self.sources.entry(server.source) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
        if server.reported {
            self.outputs.push_back(Output::Event(TuEvent::ServerTerminated(ServerKey(key))));
        }
    }
}
