//! Datagrams on their way to the agent: off a socket, over the line if there is one, into the capture.

use super::{Driver, TURN};
use crate::clock::Clock;
use crate::socket::{Batch, Received, Socket};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::mpsc;
use visavis_capture::Direction;
use visavis_proto::Time;
use visavis_proto::io::{Datagram, Input, SocketId};

/// A datagram that a side socket's reader passes on.
pub(super) struct SideDatagram {
    pub(super) socket: SocketId,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) received: Time,
    pub(super) data: Vec<u8>,
}

impl Driver {
    pub(super) fn receive(&mut self, batch: &mut Batch) {
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
    pub(super) fn datagram(&mut self, now: Time, socket: SocketId, d: Received<'_>) {
        match &mut self.gate {
            Some(gate) => {
                gate.receive(socket, d);
                self.arrivals();
            }
            None => self.arrived(now, socket, d),
        }
    }

    /// Takes what has left the line in.
    pub(super) fn arrivals(&mut self) {
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
}

/// Passes on what a side socket receives, until it is closed.
pub(super) async fn read(id: SocketId, socket: Arc<Socket>, clock: Clock, out: mpsc::Sender<SideDatagram>) {
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
