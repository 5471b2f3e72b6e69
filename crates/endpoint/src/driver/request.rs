//! What other tasks and threads ask of the driver.

use super::{Driver, TURN};
use crate::call::CallFeed;
use crate::impair::ImpairmentLog;
use std::net::SocketAddr;
use tokio::sync::oneshot;
use visavis_proto::agent::Counters;
use visavis_proto::frame::EncodedFrame;
use visavis_proto::io::{
    CallHandle, CallRequest, Command, Event, Input, PathRequest, RequestId, SectionStats,
};

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

impl Driver {
    pub(super) fn requests(&mut self, first: ToDriver) {
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
}
