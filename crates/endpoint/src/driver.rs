//! The task that owns an agent: it reads the sockets and the clock, and does what the agent asks.

use crate::call::CallFeed;
use crate::clock::Clock;
use crate::impair::{Gate, ImpairmentLog};
use crate::interfaces::Interfaces;
use crate::media::{MediaSink, Reaction};
use crate::socket::{Batch, Received, Socket};
use crate::train::Train;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use visavis_capture::{Direction, Tap};
use visavis_proto::Time;
use visavis_proto::agent::{Agent, Counters};
use visavis_proto::frame::EncodedFrame;
use visavis_proto::io::{
    CallHandle, CallRequest, Command, Datagram, Event, Input, OpenError, Output, PathRequest, RequestId,
    SectionStats, SocketId, Transmit,
};

/// Inputs handled before the driver lets other tasks run.
const TURN: usize = 64;

/// How long a driver that is done answers retransmissions: the first of them comes after T1, 500 ms.
const LINGER: Duration = Duration::from_millis(600);

/// What other tasks and threads ask of the driver.
pub(crate) enum ToDriver {
    /// Place a call; the feed gets its events.
    Call(Box<CallRequest>, CallFeed, oneshot::Sender<CallHandle>),
    /// Expect a call of a peer; the feed gets its events.
    Expect(Box<PathRequest>, CallFeed, oneshot::Sender<CallHandle>),
    /// Anything else that the agent is told.
    Command(Command),
    /// What a call is told, and where its outcome goes.
    Report(Command, oneshot::Sender<Event>),
    /// OPTIONS, and where its answer goes.
    Options { target: String, destination: SocketAddr, answer: oneshot::Sender<Event> },
    /// What kind of NAT there is, by these servers' answers, and where the result goes.
    Classify { servers: Vec<SocketAddr>, locals: Vec<SocketAddr>, answer: oneshot::Sender<Event> },
    /// An encoder finished a frame.
    Frame { call: CallHandle, section: usize, frame: EncodedFrame },
    /// What was measured so far in a call; `None` when it is over.
    Stats(CallHandle, oneshot::Sender<Option<Vec<SectionStats>>>),
    /// The agent's counters.
    Counters(oneshot::Sender<Counters>),
    /// What was done to its datagrams; `None` where nothing is.
    Impairment(oneshot::Sender<Option<ImpairmentLog>>),
}

/// A datagram that a side socket's reader passes on.
struct SideDatagram {
    socket: SocketId,
    local: SocketAddr,
    remote: SocketAddr,
    received: Time,
    data: Vec<u8>,
}

/// Owns the agent and everything that it has opened.
pub(crate) struct Driver {
    agent: Agent,
    clock: Clock,
    main: Arc<Socket>,
    main_id: SocketId,
    sockets: BTreeMap<SocketId, (Arc<Socket>, Option<tokio::task::JoinHandle<()>>)>,
    next_socket: u32,
    requests: mpsc::Receiver<ToDriver>,
    side: (mpsc::Sender<SideDatagram>, mpsc::Receiver<SideDatagram>),
    calls: HashMap<CallHandle, CallFeed>,
    new_calls: mpsc::UnboundedSender<(Event, CallFeedSeed)>,
    answers: HashMap<RequestId, oneshot::Sender<Event>>,
    next_request: u64,
    media: MediaSink,
    tap: Option<Tap>,
    gate: Option<Gate>,
    train: Train,
    deadline: Option<Time>,
    send_errors: u64,
    interfaces: Interfaces,
}

/// The receiving half that the driver makes for an incoming call.
pub(crate) type CallFeedSeed = mpsc::UnboundedReceiver<Event>;

/// What a driver is made of.
pub(crate) struct Parts {
    pub(crate) agent: Agent,
    pub(crate) clock: Clock,
    pub(crate) socket: Socket,
    pub(crate) requests: mpsc::Receiver<ToDriver>,
    pub(crate) new_calls: mpsc::UnboundedSender<(Event, CallFeedSeed)>,
    pub(crate) media: MediaSink,
    pub(crate) tap: Option<Tap>,
    pub(crate) gate: Option<Gate>,
}

impl Driver {
    pub(crate) fn new(parts: Parts) -> Self {
        let main = Arc::new(parts.socket);
        let main_id = SocketId(0);
        let interfaces = Interfaces::watch(main.local());
        let mut driver = Driver {
            agent: parts.agent,
            clock: parts.clock,
            sockets: BTreeMap::from([(main_id, (main.clone(), None))]),
            main,
            main_id,
            next_socket: 1,
            requests: parts.requests,
            side: mpsc::channel(1024),
            calls: HashMap::new(),
            new_calls: parts.new_calls,
            answers: HashMap::new(),
            next_request: 0,
            media: parts.media,
            tap: parts.tap,
            gate: parts.gate,
            train: Train::default(),
            deadline: None,
            send_errors: 0,
            interfaces,
        };
        let opened = Ok((main_id, driver.main.local()));
        driver.agent.handle(driver.clock.now(), Input::SocketOpened { request: None, result: opened });
        driver
    }

    /// Runs until every handle to the endpoint is gone and the last call has ended.
    pub(crate) async fn run(mut self) {
        let mut batch = Batch::new();
        let mut open = true;
        self.drain();
        let mut leave_at = None;
        while open || !self.is_done(&mut leave_at) {
            let line = self.gate.as_ref().and_then(Gate::due);
            let wake = self.deadline.into_iter().chain(leave_at).chain(line).min();
            let wake = wake.map(|t| tokio::time::Instant::from_std(self.clock.instant(t)));
            tokio::select! {
                biased;
                ready = self.main.readable() => {
                    if ready.is_ok() {
                        self.receive(&mut batch);
                    }
                }
                side = self.side.1.recv() => {
                    if let Some(d) = side {
                        let (now, data) = (self.clock.now(), d.data);
                        self.datagram(now, d.socket, Received {
                            local: d.local, remote: d.remote, received: d.received, data: &data,
                        });
                        self.drain();
                    }
                }
                request = self.requests.recv(), if open => {
                    match request {
                        Some(request) => self.requests(request),
                        None => {
                            open = false;
                            let now = self.clock.now();
                            self.agent.handle(now, Input::Command(Command::Shutdown));
                            self.drain();
                        }
                    }
                }
                () = self.interfaces.changed() => {
                    let addresses = self.interfaces.addresses().to_vec();
                    let now = self.clock.now();
                    self.agent.handle(now, Input::InterfacesChanged { addresses });
                    self.drain();
                }
                () = sleep_until(wake) => {
                    let now = self.clock.now();
                    self.agent.handle(now, Input::Timeout);
                    self.drain();
                    self.arrivals();
                }
            }
        }
        for (_, (_, reader)) in self.sockets {
            if let Some(reader) = reader {
                reader.abort();
            }
        }
    }

    /// Whether the driver may end: all calls are over, and their last responses have had time to be asked for
    /// again.
    fn is_done(&self, leave_at: &mut Option<Time>) -> bool {
        if self.agent.calls() > 0 {
            *leave_at = None;
            return false;
        }
        if self.gate.as_ref().is_some_and(Gate::sends) {
            return false;
        }
        let now = self.clock.now();
        self.agent.is_idle() || now >= *leave_at.get_or_insert(now + LINGER)
    }

    fn receive(&mut self, batch: &mut Batch) {
        let socket = self.main.clone();
        for _ in 0..TURN {
            let Ok(more) = socket.receive(batch) else { return };
            let clock = self.clock;
            let now = clock.now();
            for datagram in socket.datagrams(batch, now) {
                self.datagram(now, self.main_id, datagram);
                self.drain();
            }
            if !more {
                return;
            }
        }
    }

    /// A datagram came in: it is there, or there is a line before it.
    fn datagram(&mut self, now: Time, socket: SocketId, d: Received<'_>) {
        match &mut self.gate {
            Some(gate) => {
                gate.receive(socket, d);
                self.arrivals();
            }
            None => self.arrived(now, socket, d),
        }
    }

    /// Takes what has left the line in.
    fn arrivals(&mut self) {
        loop {
            let now = self.clock.now();
            let Some(a) = self.gate.as_mut().and_then(|gate| gate.received(now)) else { return };
            let (local, remote, received) = (a.local, a.remote, a.received);
            self.arrived(now, a.socket, Received { local, remote, received, data: &a.data });
            self.drain();
        }
    }

    fn arrived(&mut self, now: Time, socket: SocketId, d: Received<'_>) {
        if let Some(tap) = &self.tap {
            tap.record(d.received, Direction::Inbound, d.local, d.remote, d.data);
        }
        let (local, remote, received, data) = (d.local, d.remote, d.received, d.data);
        self.agent.handle(now, Input::Datagram(Datagram { socket, local, remote, data, received }));
    }

    fn requests(&mut self, first: ToDriver) {
        self.request(first);
        for _ in 0..TURN {
            match self.requests.try_recv() {
                Ok(request) => self.request(request),
                Err(_) => break,
            }
        }
        self.drain();
    }

    fn request(&mut self, request: ToDriver) {
        let now = self.clock.now();
        match request {
            ToDriver::Call(request, feed, handle) => {
                let call = self.agent.new_call();
                self.calls.insert(call, feed);
                // The caller may have gone; the call is then ended by its own Drop.
                let _ = handle.send(call);
                self.agent.handle(now, Input::Command(Command::Call(call, request)));
            }
            ToDriver::Expect(path, feed, handle) => {
                let call = self.agent.new_call();
                self.calls.insert(call, feed);
                // As with a call that is placed.
                let _ = handle.send(call);
                self.agent.handle(now, Input::Command(Command::Expect(call, path)));
            }
            ToDriver::Command(command) => self.agent.handle(now, Input::Command(command)),
            ToDriver::Report(command, answer) => {
                let request = self.ask(answer);
                self.agent.handle(now, Input::Command(Command::Report(request, Box::new(command))));
            }
            ToDriver::Options { target, destination, answer } => {
                let request = self.ask(answer);
                let command = Command::Options { request, target, destination };
                self.agent.handle(now, Input::Command(command));
            }
            ToDriver::Classify { servers, locals, answer } => {
                let request = self.ask(answer);
                let command = Command::Classify { request, servers, locals };
                self.agent.handle(now, Input::Command(command));
            }
            ToDriver::Frame { call, section, frame } => {
                self.agent.handle(now, Input::Frame { call, section, frame });
            }
            ToDriver::Stats(call, answer) => drop(answer.send(self.agent.stats(call))),
            ToDriver::Counters(answer) => drop(answer.send(self.agent.counters().clone())),
            ToDriver::Impairment(answer) => {
                drop(answer.send(self.gate.as_ref().map(|gate| gate.log().clone())));
            }
        }
        self.drain();
    }

    /// A request whose answer goes there.
    fn ask(&mut self, answer: oneshot::Sender<Event>) -> RequestId {
        let request = RequestId(self.next_request);
        self.next_request += 1;
        self.answers.insert(request, answer);
        request
    }

    /// Polls the agent until it has nothing more to do.
    fn drain(&mut self) {
        loop {
            let now = self.clock.now();
            match self.agent.poll(now) {
                Output::Transmit(transmit) => self.transmit(now, transmit),
                Output::Event(event) => self.event(event),
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    while let Some(transmit) = self.gate.as_mut().and_then(|gate| gate.sent(now)) {
                        self.depart(transmit);
                    }
                    self.flush();
                    return;
                }
                Output::OpenSocket { request, local, ports } => {
                    let result = self.open_socket(local, &ports);
                    self.agent.handle(now, Input::SocketOpened { request: Some(request), result });
                }
                Output::CloseSocket(id) => {
                    if let Some((_, Some(reader))) = self.sockets.remove(&id) {
                        reader.abort();
                    }
                }
                Output::EncoderTarget { call, section, target } => {
                    if target.keyframe && self.media.echoes() {
                        self.ask_for_keyframe(now, call, section);
                    }
                    self.media.target(call, section, target);
                }
                Output::Connect { request, .. } => {
                    let result = Err(OpenError("this endpoint speaks SIP over UDP only".into()));
                    self.agent.handle(now, Input::StreamOpened { request: Some(request), result });
                }
                Output::StreamSend { .. } => {}
                Output::Resolve { request, .. } => {
                    self.agent.handle(now, Input::Resolved { request, addresses: Vec::new() });
                }
            }
        }
    }

    fn event(&mut self, event: Event) {
        let call = match &event {
            Event::Frame { call, section, frame } => {
                let (call, section) = (*call, *section);
                let now = self.clock.now();
                return match self.media.frame(call, section, frame.clone()) {
                    Reaction::Nothing => {}
                    Reaction::Echo(frame) => self.agent.handle(now, Input::Frame { call, section, frame }),
                    Reaction::RequestKeyframe => self.ask_for_keyframe(now, call, section),
                };
            }
            Event::OptionsAnswered { request, .. }
            | Event::Classified { request, .. }
            | Event::Outcome { request, .. } => {
                if let Some(answer) = self.answers.remove(request) {
                    // Whoever asked may have gone.
                    let _ = answer.send(event);
                }
                return;
            }
            // Who expects the call follows it already.
            Event::Incoming { call, .. } if self.calls.contains_key(call) => *call,
            Event::Incoming { call, .. } => {
                let (feed, seed) = mpsc::unbounded_channel();
                self.calls.insert(*call, CallFeed(feed));
                if self.new_calls.send((event.clone(), seed)).is_err() {
                    // Nobody takes calls any more: 480 Temporarily Unavailable.
                    let command = Command::Reject { call: *call, status: 480 };
                    self.agent.handle(self.clock.now(), Input::Command(command));
                }
                return;
            }
            Event::Message { call: None, .. } => {
                let (_, seed) = mpsc::unbounded_channel();
                let _ = self.new_calls.send((event, seed));
                return;
            }
            Event::Message { call: Some(call), .. }
            | Event::Calling { call, .. }
            | Event::Progress { call, .. }
            | Event::Established { call, .. }
            | Event::Media { call, .. }
            | Event::Dtmf { call, .. }
            | Event::PathFound { call, .. }
            | Event::PathMoved { call, .. }
            | Event::PathLost { call, .. }
            | Event::MoveRefused { call, .. }
            | Event::KeyMessage { call, .. }
            | Event::Protected { call, .. }
            | Event::Answered { call, .. }
            | Event::Ended { call, .. } => *call,
        };
        match &event {
            Event::Media { sections, .. } => {
                if let Some(gate) = &mut self.gate {
                    gate.sections(sections);
                }
                self.media.sections(call, sections);
            }
            Event::Ended { .. } => self.media.ended(call),
            _ => {}
        }
        let ended = matches!(event, Event::Ended { .. });
        if let Some(feed) = self.calls.get(&call) {
            // Whoever followed the call may have gone.
            let _ = feed.0.send(event);
        }
        if ended {
            self.calls.remove(&call);
        }
    }

    fn ask_for_keyframe(&mut self, now: Time, call: CallHandle, section: usize) {
        self.agent.handle(now, Input::Command(Command::RequestKeyframe { call, section }));
    }

    fn transmit(&mut self, now: Time, transmit: Transmit) {
        if let Some(tap) = &self.tap {
            let port = self.sockets.get(&transmit.socket).map_or(0, |(s, _)| s.local().port());
            let ip = transmit.local.unwrap_or_else(|| {
                self.sockets.get(&transmit.socket).map_or(IpAddr::from([0, 0, 0, 0]), |(s, _)| s.local().ip())
            });
            tap.record(now, Direction::Outbound, SocketAddr::new(ip, port), transmit.remote, &transmit.data);
        }
        match &mut self.gate {
            Some(gate) => gate.send(now, transmit),
            None => self.depart(transmit),
        }
    }

    fn depart(&mut self, transmit: Transmit) {
        if !self.train.joins(&transmit, self.main.train()) {
            self.flush();
        }
        self.train.add(transmit);
    }

    fn flush(&mut self) {
        let Some(train) = self.train.take() else { return };
        let Some((socket, _)) = self.sockets.get(&train.socket) else { return };
        let sent = socket.send(train.local, train.remote, &train.data, train.segment);
        match sent {
            Ok(()) => {}
            // A full send buffer is loss, as on any link: media go on, SIP retransmits.
            Err(error) => {
                self.send_errors += 1;
                tracing::debug!(%error, remote = %train.remote, kind = ?train.kind, "a datagram was not sent");
            }
        }
    }

    fn open_socket(&mut self, local: IpAddr, ports: &[u16]) -> Result<(SocketId, SocketAddr), OpenError> {
        let any = [0];
        let candidates = if ports.is_empty() { &any[..] } else { ports };
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for &port in candidates {
            match Socket::bind(SocketAddr::new(local, port)) {
                Ok(socket) => {
                    let id = SocketId(self.next_socket);
                    self.next_socket += 1;
                    let address = socket.local();
                    let socket = Arc::new(socket);
                    let reader = tokio::spawn(read(id, socket.clone(), self.clock, self.side.0.clone()));
                    self.sockets.insert(id, (socket, Some(reader)));
                    return Ok((id, address));
                }
                Err(error) => last = error,
            }
        }
        Err(OpenError(format!("no UDP port of {candidates:?} on {local} can be opened: {last}")))
    }
}

/// Passes on what a side socket receives, until it is closed.
async fn read(id: SocketId, socket: Arc<Socket>, clock: Clock, out: mpsc::Sender<SideDatagram>) {
    let mut batch = Batch::new();
    while socket.readable().await.is_ok() {
        if socket.receive(&mut batch).is_err() {
            continue;
        }
        let now = clock.now();
        for d in socket.datagrams(&batch, now) {
            let (local, remote, received, data) = (d.local, d.remote, d.received, d.data.to_vec());
            let datagram = SideDatagram { socket: id, local, remote, received, data };
            if out.try_send(datagram).is_err() && out.is_closed() {
                return;
            }
        }
    }
}

pub(crate) async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
