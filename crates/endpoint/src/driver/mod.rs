//! The task that owns an agent: it reads the sockets and the clock, and does what the agent asks.

mod output;
mod receive;
mod request;

pub(crate) use request::ToDriver;

use crate::call::CallFeed;
use crate::clock::Clock;
use crate::impair::Gate;
use crate::interfaces::Interfaces;
use crate::media::MediaSink;
use crate::socket::{Batch, Received, Socket};
use crate::train::Train;
use receive::SideDatagram;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use visavis_capture::Tap;
use visavis_proto::Time;
use visavis_proto::agent::Agent;
use visavis_proto::io::{CallHandle, Command, Event, Input, RequestId, SocketId};

/// Inputs handled before the driver lets other tasks run.
const TURN: usize = 64;

/// How long a driver that is done answers retransmissions: the first of them comes after T1, 500 ms.
const LINGER: Duration = Duration::from_millis(600);

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
}

pub(crate) async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
