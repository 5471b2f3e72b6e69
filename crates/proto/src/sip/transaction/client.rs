//! Client transactions at work: requests out, responses in.

use super::alarms::{Alarms, Clock};
use super::matching;
use super::store::Key;
use super::table::{Action, ClientInput};
use super::timer::Timer;
use super::user::{ClientKey, Endpoint, Output, SendError, TuEvent};
use super::{Transaction, Transactions, invite_client, non_invite_client};
use crate::io::Protocol;
use crate::sip::{HeaderName, Method, Request, Response, ViaBuf};
use crate::time::Time;
use bytes::Bytes;
use rand_core::RngCore;

/// A client transaction.
#[derive(Debug)]
pub(super) struct Client {
    state: State,
    pub(super) alarms: Alarms,
    pub(super) to: Endpoint,
    /// The request as it was sent.
    message: Bytes,
    /// An INVITE that may still have to be acknowledged here or cancelled.
    invite: Option<Box<Request>>,
    ack: Option<Bytes>,
    cancel: Cancel,
    method: Method,
    branch: u64,
    /// Whether the TU knows of it: it does not know of CANCELs.
    reported: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Invite(invite_client::State),
    Other(non_invite_client::State),
}

/// What became of the wish to cancel an INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancel {
    Unwanted,
    /// It waits for a provisional response (RFC 3261 section 9.1).
    HeldBack,
    Sent,
}

impl State {
    fn step(self, input: ClientInput) -> (State, &'static [Action]) {
        match self {
            State::Invite(state) => {
                let (next, actions) = invite_client::step(state, input);
                (State::Invite(next), actions)
            }
            State::Other(state) => {
                let (next, actions) = non_invite_client::step(state, input);
                (State::Other(next), actions)
            }
        }
    }

    fn is_terminated(self) -> bool {
        matches!(
            self,
            State::Invite(invite_client::State::Terminated)
                | State::Other(non_invite_client::State::Terminated)
        )
    }
}

impl Transactions {
    /// Sends a request and opens its client transaction (RFC 3261 section 17.1). The Via, with a branch of its
    /// own, is put in here; the rest of the request is the caller's.
    ///
    /// # Errors
    /// The limit on transactions is reached, or the method is ACK or CANCEL, which are not sent this way.
    pub fn send_request(
        &mut self,
        now: Time,
        mut request: Request,
        to: Endpoint,
    ) -> Result<ClientKey, SendError> {
        if matches!(request.method, Method::Ack | Method::Cancel) {
            return Err(SendError::Method);
        }
        if self.store.len() >= self.limit {
            return Err(SendError::TooMany(self.store.len()));
        }
        let branch = self.push_via(&mut request, to);
        let method = request.method.clone();
        let message = self.writer.request(&request);
        let invite = (method == Method::Invite).then(|| Box::new(request));
        let client = Client::new(method, branch, to, message, invite, true);
        Ok(ClientKey(self.open_client(now, client)))
    }

    /// Sends an ACK for a 2xx response, outside of any transaction (RFC 3261 section 13.2.2.4). The Via is put
    /// in here. Returns the octets: the TU sends the same ones again for each repetition of the 2xx.
    pub fn send_ack(&mut self, mut ack: Request, to: Endpoint) -> Bytes {
        self.push_via(&mut ack, to);
        let message = self.writer.request(&ack);
        self.outputs.push_back(Output::Transmit(to, message.clone()));
        message
    }

    /// Cancels an INVITE (RFC 3261 section 9.1): at once if a provisional response came, as soon as one comes
    /// if none did, and not at all after a final one. The outcome is that of the INVITE: usually a 487, but a
    /// 2xx that crosses the CANCEL is reported like any other, and where no final response comes within 64*T1
    /// a [`TuEvent::Timeout`].
    pub fn cancel(&mut self, now: Time, key: ClientKey) {
        let Some(client) = self.client_mut(key.0) else { return };
        if client.cancel != Cancel::Unwanted {
            return;
        }
        match client.state {
            State::Invite(invite_client::State::Calling) => client.cancel = Cancel::HeldBack,
            State::Invite(invite_client::State::Proceeding) => self.send_cancel(now, key.0),
            State::Invite(_) | State::Other(_) => {}
        }
    }

    /// Takes in a response. What concerns the TU is queued for [`Transactions::poll`]; one that matches no
    /// transaction is counted and dropped (RFC 6026 section 7.2).
    pub fn handle_response(&mut self, now: Time, response: Response) {
        let Some(key) = self.match_response(&response) else {
            self.counters.stray_responses += 1;
            tracing::debug!(status = response.status, "response matches no transaction");
            return;
        };
        self.counters.responses += 1;
        self.drive_client(now, key, ClientInput::response(response.status), Some(response));
    }

    /// One step of a client transaction, `response` being what came in if the input is a response.
    pub(super) fn drive_client(
        &mut self,
        now: Time,
        key: Key,
        input: ClientInput,
        mut response: Option<Response>,
    ) {
        let Some(Transaction::Client(client)) = self.store.get_mut(key) else { return };
        let (next, actions) = client.state.step(input);
        client.state = next;
        let acked = client.ack.is_some() && actions.contains(&Action::SendAck);
        let resent = matches!(input, ClientInput::Fired(_)) && actions.contains(&Action::Send);
        self.counters.retransmissions += u64::from(acked || resent);
        self.run_client(now, key, actions, &mut response);
        let Some(client) = self.client_mut(key) else { return };
        if next.is_terminated() {
            self.close_client(key);
        } else if let State::Invite(state) = next {
            if state == invite_client::State::Proceeding {
                if client.cancel == Cancel::HeldBack {
                    self.send_cancel(now, key);
                }
            } else if state != invite_client::State::Calling {
                // The ACK is made and nothing can be cancelled any more.
                client.invite = None;
            }
        }
    }

    fn run_client(
        &mut self,
        now: Time,
        key: Key,
        actions: &'static [Action],
        response: &mut Option<Response>,
    ) {
        let Some(Transaction::Client(client)) = self.store.get_mut(key) else { return };
        let mut clock = Clock {
            now,
            timers: &self.timers,
            schedule: &mut self.schedule,
            reliable: client.to.is_reliable(),
        };
        for &action in actions {
            client.alarms.act(key, action, &mut clock);
            let event = match action {
                Action::Send => {
                    self.outputs.push_back(Output::Transmit(client.to, client.message.clone()));
                    continue;
                }
                Action::SendAck => {
                    if client.ack.is_none()
                        && let (Some(invite), Some(response)) = (&client.invite, response.as_ref())
                    {
                        client.ack = Some(self.writer.request(&invite.ack_for(response)));
                    }
                    if let Some(ack) = &client.ack {
                        self.outputs.push_back(Output::Transmit(client.to, ack.clone()));
                    }
                    continue;
                }
                Action::ToTu => {
                    let Some(response) = response.take() else { continue };
                    TuEvent::Response(ClientKey(key), response)
                }
                Action::Timeout => {
                    self.counters.timeouts += 1;
                    TuEvent::Timeout(ClientKey(key))
                }
                Action::TransportError => TuEvent::TransportError(ClientKey(key)),
                // Timers were served above; 100 is not a client's to send.
                Action::Start(_)
                | Action::Double(_)
                | Action::Slow(_)
                | Action::Stop(_)
                | Action::SendTrying => continue,
            };
            if client.reported {
                self.outputs.push_back(Output::Event(event));
            }
        }
    }

    fn client_mut(&mut self, key: Key) -> Option<&mut Client> {
        match self.store.get_mut(key)? {
            Transaction::Client(client) => Some(client),
            Transaction::Server(_) => None,
        }
    }

    fn open_client(&mut self, now: Time, client: Client) -> Key {
        let index = (client.branch, client.method == Method::Cancel);
        let actions = match client.state {
            State::Invite(_) => invite_client::ENTER.1,
            State::Other(_) => non_invite_client::ENTER.1,
        };
        let key = self.store.insert(Transaction::Client(client));
        self.clients.insert(index, key);
        self.run_client(now, key, actions, &mut None);
        key
    }

    fn close_client(&mut self, key: Key) {
        let Some(Transaction::Client(client)) = self.store.remove(key) else { return };
        self.clients.remove(&(client.branch, client.method == Method::Cancel));
        if client.reported {
            self.outputs.push_back(Output::Event(TuEvent::ClientTerminated(ClientKey(key))));
        }
    }

    /// Sends the CANCEL of an INVITE in its own transaction, to where the INVITE went, and gives the INVITE
    /// 64*T1 from now on.
    fn send_cancel(&mut self, now: Time, key: Key) {
        let Some(Transaction::Client(client)) = self.store.get_mut(key) else { return };
        let Some(invite) = &client.invite else { return };
        client.cancel = Cancel::Sent;
        let message = self.writer.request(&invite.cancel());
        let cancel = Client::new(Method::Cancel, client.branch, client.to, message, None, false);
        self.run_client(now, key, &[Action::Start(Timer::Cancelled)], &mut None);
        self.open_client(now, cancel);
    }

    /// Puts a Via with a branch of its own on top and returns the number in the branch.
    fn push_via(&mut self, request: &mut Request, to: Endpoint) -> u64 {
        let number = self.rng.next_u64();
        let transport = match to.protocol {
            Protocol::Udp => "UDP",
            Protocol::Tcp => "TCP",
            Protocol::Tls => "TLS",
            Protocol::Ws => "WS",
            Protocol::Wss => "WSS",
        };
        let via = ViaBuf {
            transport,
            sent_by: to.sent_by,
            branch: matching::branch(number),
            rport: !to.is_reliable() && self.writer.shape.asks_for_rport(),
        };
        request.headers.push_front(HeaderName::Via, via);
        number
    }

    /// RFC 3261 sections 17.1.3 and 18.1.2. More than one Via means that the response is not for us (section
    /// 8.1.3.3).
    fn match_response(&self, response: &Response) -> Option<Key> {
        let via = response.headers.via().ok()?;
        let number = matching::branch_number(via.branch()?)?;
        let method = response.headers.cseq().ok()?.method;
        let key = *self.clients.get(&(number, method == Method::Cancel))?;
        let Some(Transaction::Client(client)) = self.store.get(key) else { return None };
        let ours = client.method == method
            && matching::is_sent_by(&via, client.to.sent_by)
            && response.headers.vias().nth(1).is_none();
        ours.then_some(key)
    }
}

impl Client {
    fn new(
        method: Method,
        branch: u64,
        to: Endpoint,
        message: Bytes,
        invite: Option<Box<Request>>,
        reported: bool,
    ) -> Client {
        let state = match method {
            Method::Invite => State::Invite(invite_client::ENTER.0),
            _ => State::Other(non_invite_client::ENTER.0),
        };
        Client {
            state,
            alarms: Alarms::default(),
            to,
            message,
            invite,
            ack: None,
            cancel: Cancel::Unwanted,
            method,
            branch,
            reported,
        }
    }
}
