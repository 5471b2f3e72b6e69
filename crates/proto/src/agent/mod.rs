//! The agent: inputs are routed to calls, and what the calls want is collected.

mod classify;
mod config;
pub(crate) mod core;
mod counters;
mod paths;
mod profile;
mod routes;
mod rtcp_port;
mod strategy;
mod uas;

pub(crate) use uas::describe;

pub use config::{Admission, AnswerPolicy, Config, Pacing, PortPlan};
pub use counters::{Counters, Dropped, Received};
pub use profile::ARMED;
pub use strategy::{HolePunching, StrategyFactory};

use self::classify::Classifiers;
use self::core::Core;
use self::paths::Paths;
use self::routes::Routes;
use self::rtcp_port::RtcpPort;
use crate::call::Call;
use crate::demux::{self, Kind};
use crate::io::{
    CallHandle, CallRequest, Command, Datagram, Done, EndReason, Event, Input, NotDone, Output, PacketKind,
    Path, RequestId, SectionStats, Transmit,
};
use crate::nat;
use crate::sip::dialog::DialogId;
use crate::sip::transaction::{self, ClientKey, Endpoint, ServerKey, TuEvent};
use crate::sip::{Message, UriBuf};
use crate::stun;
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A user agent: SIP, SDP and RTP of any number of calls on one port.
///
/// Feed it with [`Agent::handle`], and after each input take what it wants done from [`Agent::poll`] until
/// that gives [`Output::Timeout`].
pub struct Agent {
    core: Core,
    /// Each in a place of its own: a tree moves its entries about.
    calls: BTreeMap<CallHandle, Box<Call>>,
    routes: Routes,
    paths: Paths,
    classifiers: Classifiers,
    responder: stun::Responder,
    dialogs: HashMap<DialogId, CallHandle>,
    clients: HashMap<ClientKey, Asker>,
    servers: HashMap<ServerKey, CallHandle>,
    sockets_asked: HashMap<RequestId, CallHandle>,
    rtcp_port: RtcpPort,
    deadlines: BTreeSet<(Time, CallHandle)>,
    next_call: u64,
    closing: bool,
}

/// Who waits for the response to a request of ours.
#[derive(Clone, Copy, Debug)]
enum Asker {
    Call(CallHandle),
    Options { request: RequestId, sent: Time },
}

impl Agent {
    /// An agent without a socket: it gets one by [`Input::SocketOpened`]. All its random numbers come from
    /// `seed`, which must itself come from a cryptographic source.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Agent {
            core: Core::new(config, seed),
            calls: BTreeMap::new(),
            routes: Routes::default(),
            paths: Paths::default(),
            classifiers: Classifiers::default(),
            responder: stun::Responder::default(),
            dialogs: HashMap::new(),
            clients: HashMap::new(),
            servers: HashMap::new(),
            sockets_asked: HashMap::new(),
            rtcp_port: RtcpPort::default(),
            deadlines: BTreeSet::new(),
            next_call: 0,
            closing: false,
        }
    }

    /// A handle for a call to be placed with [`Command::Call`].
    pub fn new_call(&mut self) -> CallHandle {
        self.next_call += 1;
        CallHandle(self.next_call)
    }

    /// What was measured in a call so far; `None` when it is over.
    pub fn stats(&self, call: CallHandle) -> Option<Vec<SectionStats>> {
        Some(self.calls.get(&call)?.stats())
    }

    /// What was tried to reach the peer of a call that is named by ticket, and what came back; `None` where there is
    /// no such call.
    pub fn path_report(&self, call: CallHandle) -> Option<nat::Report> {
        self.paths.report(call)
    }

    /// What was counted since the start.
    pub fn counters(&self) -> &Counters {
        &self.core.counters
    }

    /// What was counted in the transaction layer since the start.
    pub fn transaction_counters(&self) -> &transaction::Counters {
        self.core.transactions.counters()
    }

    /// The calls that are not over.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Whether no call, no transaction and no classification is left.
    pub fn is_idle(&self) -> bool {
        let is_quiet = self.core.transactions.is_empty() && self.classifiers.is_empty();
        is_quiet && self.calls.is_empty() && self.paths.is_empty()
    }

    /// Takes one input. Then call [`Agent::poll`] until it gives [`Output::Timeout`].
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        match input {
            Input::Datagram(datagram) => self.datagram(now, datagram),
            Input::Frame { call, section, frame } => match self.calls.get_mut(&call) {
                Some(found) => {
                    found.frame(now, &mut self.core, section, frame);
                    self.settle(call);
                }
                None => self.core.counters.dropped.frames += 1,
            },
            Input::Command(command) => self.command(now, command),
            Input::Timeout => {}
            Input::SocketOpened { request: None, result } => match result {
                Ok(opened) => drop(self.core.main.get_or_insert(opened)),
                Err(error) => tracing::warn!(error = error.0, "no socket"),
            },
            Input::SocketOpened { request: Some(request), result } if self.rtcp_port.is_asked(request) => {
                self.rtcp_port.opened(result);
            }
            Input::SocketOpened { request: Some(request), result } => {
                let owner = self.sockets_asked.remove(&request);
                if let Some((handle, call)) = owner.and_then(|h| Some((h, self.calls.get_mut(&h)?))) {
                    call.socket_opened(now, &mut self.core, request, result);
                    self.settle(handle);
                } else if let Ok((socket, _)) = result {
                    self.core.output(Output::CloseSocket(socket));
                }
            }
            Input::InterfacesChanged { addresses } => {
                tracing::debug!(?addresses, "addresses changed");
                self.interfaces_changed(now, &addresses);
            }
            // Streams and names are asked for by this agent, which asks for none yet.
            Input::StreamOpened { .. }
            | Input::StreamData { .. }
            | Input::StreamClosed { .. }
            | Input::Resolved { .. } => self.core.counters.dropped.unwanted += 1,
        }
    }

    /// The next thing to do; [`Output::Timeout`] when there is nothing for now.
    pub fn poll(&mut self, now: Time) -> Output {
        loop {
            if let Some(output) = self.core.next_output() {
                return output;
            }
            match self.core.transactions.poll(now) {
                Some(transaction::Output::Transmit(to, data)) => {
                    self.core.counters.sent += 1;
                    return Output::Transmit(to.datagram(data));
                }
                Some(transaction::Output::Event(event)) => {
                    self.transaction_event(now, event);
                    continue;
                }
                None => {}
            }
            if let Some(&(at, handle)) = self.deadlines.first()
                && at <= now
            {
                if let Some(call) = self.calls.get_mut(&handle) {
                    call.timeout(now, &mut self.core);
                }
                self.settle(handle);
                continue;
            }
            if let Some(handle) = self.paths.due(now) {
                self.path_timeout(now, handle);
                continue;
            }
            let classifiers = self.classifiers.next_timeout();
            if classifiers.is_some_and(|at| at <= now) {
                self.classifier_timeout(now);
                continue;
            }
            let calls = self.deadlines.first().map(|&(at, _)| at);
            let transactions = self.core.transactions.next_timeout();
            let paths = self.paths.next_timeout();
            let all = calls.into_iter().chain(transactions).chain(paths).chain(classifiers);
            return Output::Timeout(all.min());
        }
    }

    fn datagram(&mut self, now: Time, datagram: Datagram<'_>) {
        let received = &mut self.core.counters.received;
        match demux::classify(datagram.data) {
            Kind::Sip => {
                received.sip += 1;
                self.sip(now, datagram);
            }
            Kind::Rtp => {
                received.rtp += 1;
                self.rtp(now, datagram);
            }
            Kind::Rtcp => {
                received.rtcp += 1;
                self.rtcp(now, datagram);
            }
            Kind::KeepAlive => received.keep_alive += 1,
            Kind::Stun => {
                received.stun += 1;
                self.stun(now, datagram);
            }
            // What this endpoint has no use for: it offers neither DTLS nor ZRTP, and has no relay.
            Kind::Dtls => {
                received.dtls += 1;
                self.core.counters.dropped.unwanted += 1;
            }
            Kind::Zrtp => {
                received.zrtp += 1;
                self.core.counters.dropped.unwanted += 1;
            }
            Kind::TurnChannel => {
                received.turn_channel += 1;
                self.core.counters.dropped.unwanted += 1;
            }
            Kind::Unknown => {
                received.unknown += 1;
                self.core.counters.dropped.unwanted += 1;
                tracing::trace!(remote = %datagram.remote, octets = datagram.data.len(), "not a known protocol");
            }
        }
    }

    fn sip(&mut self, now: Time, datagram: Datagram<'_>) {
        let Datagram { socket, local, remote, data, .. } = datagram;
        let source = Endpoint::udp(socket, local, remote);
        match Message::parse(data, &self.core.config.limits) {
            Ok(Message::Request(request)) => self.request(now, request, source),
            Ok(Message::Response(response)) => {
                self.core.transactions.handle_response(now, response);
            }
            Err(error) => {
                tracing::debug!(%error, %remote, "a SIP message cannot be read");
                self.malformed(error, source);
            }
        }
    }

    /// STUN is an answer to a question of ours, or else a peer's check; what is neither gets what any STUN server answers.
    fn stun(&mut self, now: Time, datagram: Datagram<'_>) {
        let Datagram { socket, local, remote, data, .. } = datagram;
        let Ok(message) = stun::Message::parse(data) else {
            self.core.counters.dropped.stun_malformed += 1;
            return;
        };
        if self.classifier_stun(now, remote, &message) || self.path_stun(now, (local, remote), &message) {
            return;
        }
        match self.responder.handle(now, &message, remote) {
            stun::Answer::Send(data) => {
                self.core.counters.stun_answered += 1;
                let (local, kind) = (Some(local.ip()), PacketKind::Stun);
                self.core.transmit(Transmit { socket, local, remote, data, kind });
            }
            stun::Answer::Stray => self.core.counters.dropped.stun_stray += 1,
            stun::Answer::Limited => self.core.counters.dropped.stun_limited += 1,
        }
    }

    fn rtp(&mut self, now: Time, datagram: Datagram<'_>) {
        let Some((handle, section)) = self.routes.rtp(&datagram, &self.calls) else {
            self.core.counters.dropped.rtp_stray += 1;
            return;
        };
        if let Some(call) = self.calls.get_mut(&handle) {
            if call.is_off_path(datagram.remote) {
                self.core.counters.dropped.rtp_off_path += 1;
                return;
            }
            call.rtp(now, &mut self.core, section, &datagram);
            self.settle(handle);
        }
    }

    fn rtcp(&mut self, now: Time, datagram: Datagram<'_>) {
        let compound = crate::rtp::rtcp::Compound::parse(datagram.data).ok();
        let mut taken = false;
        for handle in self.routes.rtcp(&datagram) {
            let Some(call) = self.calls.get_mut(&handle) else { continue };
            if call.is_off_path(datagram.remote) {
                self.core.counters.dropped.rtp_off_path += 1;
                return;
            }
            taken = match &compound {
                _ if call.is_protected() => call.srtcp(&mut self.core, &datagram),
                Some(compound) => call.rtcp(now, &mut self.core, &datagram, compound),
                None => false,
            };
            if taken {
                self.settle(handle);
                break;
            }
        }
        if !taken {
            self.core.counters.dropped.rtcp_stray += 1;
        }
    }

    fn command(&mut self, now: Time, command: Command) {
        match command {
            Command::Call(handle, request) => {
                self.next_call = self.next_call.max(handle.0);
                match request.path.clone() {
                    Some(path) => self.place_over_path(now, handle, request, &path),
                    None => self.place(now, handle, *request, None),
                }
            }
            Command::Expect(handle, path) => self.expect(now, handle, &path),
            Command::Options { request, target, destination } => {
                self.send_options(now, request, &target, destination);
            }
            Command::Classify { request, servers, locals } => self.classify(now, request, &servers, &locals),
            Command::Shutdown => {
                self.closing = true;
                for handle in self.paths.waiting().collect::<Vec<_>>() {
                    self.abandon_path(handle);
                }
                for handle in self.calls.keys().copied().collect::<Vec<_>>() {
                    self.command(now, Command::Hangup { call: handle });
                }
            }
            Command::Report(request, command) => self.in_call(now, *command, Some(request)),
            Command::Ring { .. }
            | Command::Accept { .. }
            | Command::Reject { .. }
            | Command::Hangup { .. }
            | Command::Hold { .. }
            | Command::Resume { .. }
            | Command::Reinvite { .. }
            | Command::Message { .. }
            | Command::Dtmf { .. }
            | Command::RequestKeyframe { .. } => self.in_call(now, command, None),
        }
    }

    /// A command to a call; `request` names the report on it that is wanted.
    fn in_call(&mut self, now: Time, command: Command, request: Option<RequestId>) {
        let result = match command.call() {
            Some(call) if matches!(command, Command::Hangup { .. }) && self.abandon_path(call) => {
                Ok(Done::default())
            }
            Some(handle) => match self.calls.get_mut(&handle) {
                Some(call) => {
                    call.command(now, &mut self.core, command, request);
                    return self.settle(handle);
                }
                None if self.paths.waiting().any(|waiting| waiting == handle) => {
                    Err(NotDone::because("the call waits for a way to its peer"))
                }
                None => Err(NotDone::because(format!("there is no call {}", handle.0))),
            },
            None => Err(NotDone::because("this is no command to a call")),
        };
        if let Some(request) = request {
            self.core.event(Event::Outcome { request, result });
        }
    }

    /// Places a call, over a way that was found or to where the request says.
    fn place(&mut self, now: Time, handle: CallHandle, request: CallRequest, path: Option<Path>) {
        if self.closing || self.calls.len() >= self.core.config.limits.calls {
            let what = if self.closing { "the endpoint is closing" } else { "the limit on calls is reached" };
            let reason = EndReason::Failed { what: what.into() };
            self.paths.forget(handle);
            return self.core.event(Event::Ended { call: handle, reason, stats: Vec::new() });
        }
        self.core.counters.calls_out += 1;
        let call = Call::place(now, &mut self.core, handle, request, path);
        self.calls.insert(handle, Box::new(call));
        self.settle(handle);
    }

    fn send_options(&mut self, now: Time, id: RequestId, target: &str, destination: std::net::SocketAddr) {
        let unsent = |reason: &str| Event::OptionsAnswered {
            request: id,
            status: 408,
            reason: reason.to_owned(),
            allow: Vec::new(),
            agent: None,
            round_trip: None,
        };
        let (Ok(uri), Some((socket, local))) = (UriBuf::new(target), self.core.main) else {
            return self.core.event(unsent("the target is no URI, or there is no socket"));
        };
        let to = Endpoint::udp(socket, local, destination);
        let request = uas::options_request(&mut self.core, now, uri, &to);
        match self.core.request(now, request, to) {
            Ok(key) => drop(self.clients.insert(key, Asker::Options { request: id, sent: now })),
            Err(error) => self.core.event(unsent(&error.to_string())),
        }
    }

    fn transaction_event(&mut self, now: Time, event: TuEvent) {
        match event {
            TuEvent::Response(key, mut response) => match self.clients.get(&key).copied() {
                Some(Asker::Call(handle)) => {
                    if let Some(call) = self.calls.get_mut(&handle) {
                        let unread = response.decode_body(&self.core.config.limits).is_err();
                        self.core.counters.dropped.sip_coded += u64::from(unread);
                        response.unpack_body(&self.core.config.limits);
                        call.response_received(now, &mut self.core, key, response);
                        self.settle(handle);
                    }
                }
                Some(Asker::Options { request, sent }) if !response.is_provisional() => {
                    self.clients.remove(&key);
                    let text = |m: &[u8]| String::from_utf8_lossy(m).into_owned();
                    self.core.event(Event::OptionsAnswered {
                        request,
                        status: response.status,
                        reason: response.reason_text(),
                        allow: response.headers.allow().map(text).collect(),
                        agent: response.headers.user_agent(),
                        round_trip: Some(now.since(sent)),
                    });
                }
                Some(Asker::Options { .. }) | None => {}
            },
            TuEvent::Timeout(key) | TuEvent::TransportError(key) => match self.clients.get(&key).copied() {
                Some(Asker::Call(handle)) => {
                    if let Some(call) = self.calls.get_mut(&handle) {
                        call.no_response(now, &mut self.core, key);
                        self.settle(handle);
                    }
                }
                Some(Asker::Options { request, .. }) => {
                    self.clients.remove(&key);
                    self.core.event(Event::OptionsAnswered {
                        request,
                        status: 408,
                        reason: "no response".into(),
                        allow: Vec::new(),
                        agent: None,
                        round_trip: None,
                    });
                }
                None => {}
            },
            TuEvent::ClientTerminated(key) => drop(self.clients.remove(&key)),
            TuEvent::ServerTimeout(key) => {
                if let Some(handle) = self.servers.get(&key).copied()
                    && let Some(call) = self.calls.get_mut(&handle)
                {
                    call.server_timeout(now, &mut self.core, key);
                    self.settle(handle);
                }
            }
            TuEvent::ServerTransportError(_) => {}
            TuEvent::ServerTerminated(key) => drop(self.servers.remove(&key)),
        }
    }

    /// Brings the tables up to date with what a call has become.
    fn settle(&mut self, handle: CallHandle) {
        let Some(call) = self.calls.get_mut(&handle) else { return };
        let news = call.take_news();
        for key in news.clients {
            self.clients.insert(key, Asker::Call(handle));
        }
        for key in news.servers {
            self.servers.insert(key, handle);
        }
        for request in news.sockets {
            self.sockets_asked.insert(request, handle);
        }
        for id in news.dialogs {
            self.dialogs.insert(id, handle);
        }
        if news.media_changed {
            self.routes.forget(handle);
            self.routes.learn(call);
            self.rtcp_port.watch(&mut self.core, call);
        }
        if let Some(at) = call.scheduled.take() {
            self.deadlines.remove(&(at, handle));
        }
        if call.is_over() {
            self.paths.forget(handle);
            let call = self.calls.remove(&handle);
            self.routes.forget(handle);
            for id in call.iter().flat_map(|call| call.dialog_ids()) {
                self.dialogs.remove(id);
            }
            if self.calls.is_empty() {
                self.rtcp_port.close(&mut self.core);
            }
        } else if let Some(at) = call.next_deadline(&self.core) {
            call.scheduled = Some(at);
            self.deadlines.insert((at, handle));
        }
        for (at, news) in news.path {
            self.path_news(at, handle, news);
        }
    }
}

#[cfg(test)]
mod tests;
