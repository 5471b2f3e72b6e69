//! What the agent wants done: datagrams sent, sockets opened, events passed on.

use super::Driver;
use super::receive::read;
use crate::call::CallFeed;
use crate::media::Reaction;
use crate::socket::Socket;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::sync::mpsc;
use visavis_capture::Direction;
use visavis_proto::Time;
use visavis_proto::io::{CallHandle, Command, Event, Input, OpenError, Output, SocketId, Transmit};

impl Driver {
    /// Polls the agent until it has nothing more to do.
    pub(super) fn drain(&mut self) {
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
