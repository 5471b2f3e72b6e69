//! Nodes on a network: runs sans-IO state machines on the virtual clock, each as its driver would run it.

use crate::network::{Access, HostId, MiddleboxId, Network, NetworkError, Packet};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use visavis_proto::Time;
use visavis_proto::io::{Datagram, EncoderTarget, Event, Input, OpenError, Output, SocketId, Transmit};

/// A state machine that a [`World`] can run: what an agent offers to its driver.
pub trait Node {
    /// Takes an input.
    fn handle(&mut self, now: Time, input: Input<'_>);

    /// The next output. After [`Output::Timeout`] there is nothing more until the next input.
    fn poll(&mut self, now: Time) -> Output;
}

/// A node of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(usize);

/// Nodes, the network between them, and the time.
///
/// Events that happen at one instant happen in the order in which they were caused, so a run is a function of
/// the seed, the nodes and what the caller does.
pub struct World<N> {
    now: Time,
    network: Network,
    nodes: Vec<Slot<N>>,
    names: BTreeMap<String, Vec<SocketAddr>>,
    watched: Option<fn(&Transmit) -> bool>,
    seen: Vec<(NodeId, Transmit)>,
}

/// A node with what its driver would keep for it.
struct Slot<N> {
    node: N,
    host: HostId,
    address: SocketAddr,
    sockets: BTreeMap<SocketId, SocketAddr>,
    next_socket: u32,
    deadline: Option<Time>,
    events: Vec<(Time, Event)>,
    targets: Vec<(Time, usize, EncoderTarget)>,
}

/// Outputs without a timeout between them, or timeouts without progress of the clock, that a node may ask for
/// before it counts as one that runs in circles.
const MOST_TURNS: usize = 100_000;

impl<N: Node> World<N> {
    /// An empty world at `start`, whose wall-clock offset every reading keeps.
    pub fn new(seed: [u8; 32], start: Time) -> Self {
        World {
            now: start,
            network: Network::new(seed),
            nodes: Vec::new(),
            names: BTreeMap::new(),
            watched: None,
            seen: Vec::new(),
        }
    }

    /// Adds a node on a host of its own, outside or behind a middlebox, and opens its first socket at
    /// `address`.
    pub fn add(
        &mut self,
        node: N,
        address: SocketAddr,
        access: Access,
        behind: Option<MiddleboxId>,
    ) -> Result<NodeId, NetworkError> {
        let host = self.network.add_host(&[address.ip()], access, behind)?;
        let id = NodeId(self.nodes.len());
        let sockets = BTreeMap::from([(SocketId(0), address)]);
        let (events, targets) = (Vec::new(), Vec::new());
        self.nodes.push(Slot {
            node,
            host,
            address,
            sockets,
            next_socket: 1,
            deadline: None,
            events,
            targets,
        });
        self.input(id, Input::SocketOpened { request: None, result: Ok((SocketId(0), address)) });
        Ok(id)
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The network, to change a line or to read its counters.
    pub fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// A node.
    ///
    /// # Panics
    ///
    /// Where the node belongs to another world; so do all methods that take a node.
    pub fn node(&mut self, id: NodeId) -> &mut N {
        &mut self.nodes[id.0].node
    }

    /// The address of a node's first socket.
    pub fn address(&self, id: NodeId) -> SocketAddr {
        self.nodes[id.0].address
    }

    /// The host that a node runs on.
    pub fn host(&self, id: NodeId) -> HostId {
        self.nodes[id.0].host
    }

    /// Everything that a node has reported, with its time, and forgets it.
    pub fn take_events(&mut self, id: NodeId) -> Vec<(Time, Event)> {
        std::mem::take(&mut self.nodes[id.0].events)
    }

    /// What a node told its encoders to make, each with the media section that it is for.
    pub fn targets(&self, id: NodeId) -> &[(Time, usize, EncoderTarget)] {
        &self.nodes[id.0].targets
    }

    /// Everything that a node has reported since [`World::take_events`].
    pub fn events(&self, id: NodeId) -> &[(Time, Event)] {
        &self.nodes[id.0].events
    }

    /// Gives a node's host another address in place of its own, as a machine that changes its network does:
    /// sockets keep their ports, what is on its way to the old address is lost, and the node is told.
    pub fn readdress(&mut self, id: NodeId, address: IpAddr) -> Result<(), NetworkError> {
        let slot = &mut self.nodes[id.0];
        self.network.set_addresses(slot.host, &[address])?;
        slot.address.set_ip(address);
        slot.sockets.values_mut().for_each(|socket| socket.set_ip(address));
        self.input(id, Input::InterfacesChanged { addresses: vec![address] });
        Ok(())
    }

    /// From now on keeps a copy of everything that nodes send and that `wanted` holds for, lost later or not.
    pub fn watch(&mut self, wanted: fn(&Transmit) -> bool) {
        self.watched = Some(wanted);
    }

    /// What was kept since [`World::watch`], with who sent it.
    pub fn seen(&self) -> &[(NodeId, Transmit)] {
        &self.seen
    }

    /// Lets a name resolve to these addresses, for every node.
    pub fn name(&mut self, name: &str, addresses: Vec<SocketAddr>) {
        self.names.insert(name.to_owned(), addresses);
    }

    /// Gives a node an input now, and does what it asks for.
    pub fn input(&mut self, id: NodeId, input: Input<'_>) {
        self.nodes[id.0].node.handle(self.now, input);
        self.drain(id);
    }

    /// Moves the clock to the next thing that happens, if that is not after `limit`, and lets it happen.
    /// False where nothing is left to happen by then.
    pub fn step(&mut self, limit: Time) -> bool {
        let timer = self.next_timer();
        let timer_at = timer.map(|(at, _)| at);
        let datagram_at = self.network.next_event();
        // A datagram of the same instant goes first: it may be what the timer waits for.
        match (datagram_at, timer) {
            (Some(at), _) if at <= limit && timer_at.is_none_or(|timer| at <= timer) => {
                self.now = self.now.max(at);
                if let Some(arrival) = self.network.advance(at) {
                    self.deliver(arrival.host, arrival.packet);
                }
                true
            }
            (_, Some((at, id))) if at <= limit => {
                self.now = self.now.max(at);
                self.nodes[id.0].deadline = None;
                self.input(id, Input::Timeout);
                true
            }
            _ => false,
        }
    }

    /// Runs until `limit`, and leaves the clock there.
    ///
    /// # Panics
    ///
    /// Where a node asks for timeouts or outputs for ever without the clock moving on.
    pub fn run_until(&mut self, limit: Time) {
        let mut instant = self.now;
        let mut turns = 0;
        while self.step(limit) {
            turns = if self.now == instant { turns + 1 } else { 0 };
            instant = self.now;
            assert!(turns < MOST_TURNS, "the nodes keep each other busy for ever at {instant:?}");
        }
        self.now = self.now.max(limit);
    }

    /// Runs for `time`.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// Runs until `done` holds, at most for `time`; whether it does.
    pub fn run_while_not(&mut self, time: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let limit = self.now + time;
        while !done(self) {
            if !self.step(limit) {
                self.now = limit;
                return done(self);
            }
        }
        true
    }

    fn next_timer(&self) -> Option<(Time, NodeId)> {
        let timers = self.nodes.iter().enumerate();
        timers.filter_map(|(i, slot)| Some((slot.deadline?, NodeId(i)))).min()
    }

    /// Hands a datagram to the node whose socket it was sent to. What no socket is open for is dropped, as a
    /// host does.
    fn deliver(&mut self, host: HostId, packet: Packet) {
        let Some(i) = self.nodes.iter().position(|slot| slot.host == host) else { return };
        let open = self.nodes[i].sockets.iter().find(|(_, address)| **address == packet.dst);
        let Some((socket, local)) = open.map(|(socket, local)| (*socket, *local)) else { return };
        let received = self.now;
        let datagram = Datagram { socket, local, remote: packet.src, data: &packet.data, received };
        self.input(NodeId(i), Input::Datagram(datagram));
    }

    fn drain(&mut self, id: NodeId) {
        for _ in 0..MOST_TURNS {
            match self.nodes[id.0].node.poll(self.now) {
                Output::Timeout(deadline) => {
                    self.nodes[id.0].deadline = deadline;
                    return;
                }
                Output::Transmit(transmit) => self.transmit(id, transmit),
                Output::Event(event) => self.nodes[id.0].events.push((self.now, event)),
                Output::OpenSocket { request, local, ports } => {
                    let result = self.open(id, SocketAddr::new(local, 0), &ports);
                    let input = Input::SocketOpened { request: Some(request), result };
                    self.nodes[id.0].node.handle(self.now, input);
                }
                Output::CloseSocket(socket) => {
                    self.nodes[id.0].sockets.remove(&socket);
                }
                Output::Connect { request, .. } => {
                    let result = Err(OpenError("this network carries datagrams only".into()));
                    let input = Input::StreamOpened { request: Some(request), result };
                    self.nodes[id.0].node.handle(self.now, input);
                }
                Output::Resolve { request, name, .. } => {
                    let addresses = self.names.get(&name).cloned().unwrap_or_default();
                    self.nodes[id.0].node.handle(self.now, Input::Resolved { request, addresses });
                }
                Output::EncoderTarget { section, target, .. } => {
                    self.nodes[id.0].targets.push((self.now, section, target));
                }
                Output::StreamSend { .. } => {}
            }
        }
        panic!("node {} has outputs for ever at {:?}", id.0, self.now);
    }

    fn transmit(&mut self, id: NodeId, transmit: Transmit) {
        let slot = &self.nodes[id.0];
        let Some(&src) = slot.sockets.get(&transmit.socket) else { return };
        // A kernel refuses to send from an address that the machine does not have.
        if transmit.local.is_some_and(|local| local != src.ip()) {
            return;
        }
        let host = slot.host;
        if self.watched.is_some_and(|wanted| wanted(&transmit)) {
            self.seen.push((id, transmit.clone()));
        }
        let packet = Packet { src, dst: transmit.remote, data: transmit.data };
        self.network.send(self.now, host, packet);
    }

    /// Opens a socket at the first free port of `ports`, or at any from 49152 (RFC 6335 section 6).
    fn open(
        &mut self,
        id: NodeId,
        local: SocketAddr,
        ports: &[u16],
    ) -> Result<(SocketId, SocketAddr), OpenError> {
        let slot = &mut self.nodes[id.0];
        if local.ip() != slot.address.ip() {
            return Err(OpenError(format!("this host does not have the address {}", local.ip())));
        }
        let any: Vec<u16> = if ports.is_empty() { (49_152..=65_535).collect() } else { ports.to_vec() };
        let taken = |port: u16| slot.sockets.values().any(|address| address.port() == port);
        let Some(port) = any.into_iter().find(|port| !taken(*port)) else {
            return Err(OpenError(format!("no free port on {}", local.ip())));
        };
        let socket = SocketId(slot.next_socket);
        let address = SocketAddr::new(local.ip(), port);
        slot.next_socket += 1;
        slot.sockets.insert(socket, address);
        Ok((socket, address))
    }
}

#[cfg(test)]
#[path = "world_tests.rs"]
mod tests;
