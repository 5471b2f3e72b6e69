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
mod tests {
    use super::*;
    use crate::link::{LinkProfile, Loss};
    use bytes::Bytes;
    use std::collections::VecDeque;
    use visavis_proto::io::{PacketKind, RequestId};

    const MS: Duration = Duration::from_millis(1);

    /// Sends a number to its peer every 20 ms, as many times as told, and echoes what it gets, once.
    #[derive(Default)]
    struct Toy {
        peer: Option<SocketAddr>,
        left: u64,
        next: Option<Time>,
        outputs: VecDeque<Output>,
        got: Vec<(Time, u64)>,
        opened: Vec<Result<(SocketId, SocketAddr), OpenError>>,
        addresses: Vec<IpAddr>,
    }

    impl Toy {
        fn send(&mut self, remote: SocketAddr, number: u64) {
            self.outputs.push_back(Output::Transmit(Transmit {
                socket: SocketId(0),
                local: None,
                remote,
                data: Bytes::copy_from_slice(&number.to_be_bytes()),
                kind: PacketKind::Audio,
            }));
        }
    }

    impl Node for Toy {
        fn handle(&mut self, now: Time, input: Input<'_>) {
            match input {
                Input::Datagram(datagram) => {
                    assert_eq!(datagram.received, now);
                    let number = u64::from_be_bytes(datagram.data.try_into().unwrap());
                    self.got.push((now, number));
                    if self.peer.is_none() {
                        self.send(datagram.remote, number);
                    }
                }
                Input::Timeout => {
                    if let Some(peer) = self.peer
                        && self.next.is_some_and(|next| next <= now)
                    {
                        self.left -= 1;
                        self.send(peer, self.left);
                        self.next = (self.left > 0).then(|| now + 20 * MS);
                    }
                }
                Input::SocketOpened { result, .. } => self.opened.push(result),
                Input::InterfacesChanged { addresses } => self.addresses = addresses,
                other => panic!("unexpected {other:?}"),
            }
        }

        fn poll(&mut self, _now: Time) -> Output {
            self.outputs.pop_front().unwrap_or(Output::Timeout(self.next))
        }
    }

    fn pair(seed: u8, access: Access, count: u64) -> (World<Toy>, NodeId, NodeId) {
        let mut world = World::new([seed; 32], Time::from_millis(1000).with_unix_offset(77));
        let echo = world.add(Toy::default(), "10.0.0.2:7".parse().unwrap(), access.clone(), None).unwrap();
        let toy =
            Toy { peer: Some(world.address(echo)), left: count, next: Some(world.now()), ..Toy::default() };
        let caller = world.add(toy, "10.0.0.1:9".parse().unwrap(), access, None).unwrap();
        (world, caller, echo)
    }

    #[test]
    fn nodes_talk_with_the_delay_of_their_lines() {
        let (mut world, caller, echo) = pair(1, Access::symmetric(LinkProfile::delay(10 * MS)), 3);
        world.run_for(Duration::from_secs(1));
        let times = |got: &[(Time, u64)]| got.iter().map(|(at, n)| (at.nanos() / 1_000_000, *n)).collect();
        let at_echo: Vec<(u64, u64)> = times(&world.node(echo).got);
        assert_eq!(at_echo, [(1020, 2), (1040, 1), (1060, 0)]);
        let back: Vec<(u64, u64)> = times(&world.node(caller).got);
        assert_eq!(back, [(1040, 2), (1060, 1), (1080, 0)]);
        assert_eq!(world.now(), Time::from_millis(2000));
        assert_eq!(world.now().unix_nanos(), 2_000_000_077);
    }

    #[test]
    fn equal_seeds_give_equal_worlds() {
        let line = || {
            let loss = Loss::Independent(0.2);
            Access::symmetric(LinkProfile { loss, ..LinkProfile::delay(30 * MS) })
        };
        let run = |seed| {
            let (mut world, caller, _) = pair(seed, line(), 200);
            world.run_for(Duration::from_secs(60));
            world.node(caller).got.clone()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn waiting_for_a_condition_stops_the_clock_where_it_comes_true() {
        let (mut world, caller, _) = pair(1, Access::symmetric(LinkProfile::delay(10 * MS)), 3);
        assert!(world.run_while_not(Duration::from_secs(5), |w| w.node(caller).got.len() == 2));
        assert_eq!(world.now(), Time::from_millis(1060));
        assert!(!world.run_while_not(Duration::from_secs(5), |w| w.node(caller).got.len() == 4));
        assert_eq!(world.now(), Time::from_millis(6060));
    }

    #[test]
    fn a_datagram_to_a_closed_port_goes_nowhere() {
        let (mut world, caller, echo) = pair(1, Access::default(), 1);
        world.node(caller).peer = Some("10.0.0.2:8".parse().unwrap());
        world.run_for(Duration::from_secs(1));
        assert!(world.node(echo).got.is_empty());
        assert_eq!(world.network().stats().delivered, 1);
    }

    #[test]
    fn sockets_are_opened_at_the_first_free_port() {
        let (mut world, caller, _) = pair(1, Access::default(), 0);
        world.node(caller).next = None;
        for (local, ports) in [("10.0.0.1", vec![9, 11]), ("10.0.0.1", vec![9]), ("10.0.0.9", vec![])] {
            world.node(caller).outputs.push_back(Output::OpenSocket {
                request: RequestId(1),
                local: local.parse().unwrap(),
                ports,
            });
        }
        world.input(caller, Input::Timeout);
        let opened = world.node(caller).opened.split_off(1);
        assert_eq!(opened[0], Ok((SocketId(1), "10.0.0.1:11".parse().unwrap())));
        assert_eq!(opened[1], Err(OpenError("no free port on 10.0.0.1".into())));
        assert_eq!(opened[2], Err(OpenError("this host does not have the address 10.0.0.9".into())));
    }

    #[test]
    fn a_node_that_moves_is_told_and_sends_and_receives_at_its_new_address() {
        let (mut world, caller, echo) = pair(1, Access::symmetric(LinkProfile::delay(10 * MS)), 3);
        // The first number is on its way when the echo moves, and lost; so is all that is sent to its old address.
        world.run_for(15 * MS);
        let new: IpAddr = "10.0.0.9".parse().unwrap();
        world.readdress(echo, new).unwrap();
        assert_eq!(world.node(echo).addresses, [new]);
        world.run_for(10 * MS);
        world.node(caller).peer = Some(world.address(echo));
        world.run_for(Duration::from_secs(1));
        let got = |got: &[(Time, u64)]| got.iter().map(|(_, n)| *n).collect::<Vec<_>>();
        assert_eq!(got(&world.node(echo).got), [0]);
        assert_eq!(got(&world.node(caller).got), [0]);
    }

    #[test]
    fn nothing_is_sent_from_an_address_that_the_host_no_longer_has() {
        let (mut world, caller, echo) = pair(1, Access::default(), 0);
        for local in ["10.0.0.7", "10.0.0.1"] {
            let remote = world.address(echo);
            let caller = world.node(caller);
            caller.send(remote, 5);
            let Some(Output::Transmit(transmit)) = caller.outputs.back_mut() else { panic!("no output") };
            transmit.local = Some(local.parse().unwrap());
        }
        world.node(caller).next = None;
        world.input(caller, Input::Timeout);
        world.run_for(MS);
        assert_eq!(world.node(echo).got.len(), 1);
    }

    /// Asks to be woken at once, for ever.
    struct Restless;

    impl Node for Restless {
        fn handle(&mut self, _now: Time, _input: Input<'_>) {}

        fn poll(&mut self, now: Time) -> Output {
            Output::Timeout(Some(now))
        }
    }

    #[test]
    #[should_panic(expected = "busy for ever")]
    fn a_node_that_runs_in_circles_is_named_instead_of_hanging_the_test() {
        let mut world = World::new([0; 32], Time::ZERO);
        world.add(Restless, "10.0.0.1:1".parse().unwrap(), Access::default(), None).unwrap();
        world.run_for(MS);
    }
}
