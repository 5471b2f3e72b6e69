//! Hosts that do nothing but punch: each asks a STUN server for its mapped address, takes the other's ticket, and
//! runs a [`HolePunch`].

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use visavis_proto::Time;
use visavis_proto::io::{Datagram, Input, Output, PacketKind, SocketId, Transmit};
use visavis_proto::nat::{
    self, Failure, HolePunch, NatKind, Pair, PunchConfig, Role, Strategy, Ticket, gather,
};
use visavis_proto::stun::{Builder, Class, Dialect, Message, TransactionId, binding_success};
use visavis_sim::{Access, Firewall, Jitter, LinkProfile, MiddleboxId, Nat, NatProfile, Node, NodeId, World};

/// Where the STUN server listens.
const SERVER: &str = "198.51.100.1:3478";
/// How long a host asks it.
const ASK_FOR: Duration = Duration::from_secs(3);
const ASK_EVERY: Duration = Duration::from_millis(500);
/// Longer than a punch takes to give up.
const PUNCH_FOR: Duration = Duration::from_secs(40);

/// A node of the test's networks.
pub(crate) enum Actor {
    /// The STUN server.
    Server(VecDeque<Output>),
    /// One that punches.
    Host(Box<Host>),
}

/// One that punches.
pub(crate) struct Host {
    local: SocketAddr,
    ask_at: Option<Time>,
    rng: ChaCha20Rng,
    mapped: Option<SocketAddr>,
    punch: Option<HolePunch>,
    outputs: VecDeque<Output>,
    /// The pair in use, or why there is none.
    pub(crate) outcome: Option<Result<Pair, Box<Failure>>>,
}

fn transmit(remote: SocketAddr, data: bytes::Bytes) -> Output {
    Output::Transmit(Transmit { socket: SocketId(0), local: None, remote, data, kind: PacketKind::Stun })
}

fn server() -> SocketAddr {
    SERVER.parse().unwrap()
}

impl Host {
    fn new(local: SocketAddr, seed: u8) -> Self {
        let rng = ChaCha20Rng::from_seed([seed; 32]);
        let outputs = VecDeque::new();
        Host { local, ask_at: None, rng, mapped: None, punch: None, outputs, outcome: None }
    }

    fn handle(&mut self, now: Time, input: Input<'_>) {
        match input {
            Input::SocketOpened { .. } => self.ask_at = Some(now),
            Input::Datagram(Datagram { local, remote, data, .. }) => {
                let message = Message::parse(data).expect("nothing but STUN is sent");
                if remote == server() {
                    self.mapped = message.mapped_address();
                    self.ask_at = None;
                } else {
                    self.tell(now, nat::Input::Stun { local, remote, message: &message });
                }
            }
            Input::Timeout => {
                if self.ask_at.is_some_and(|at| at <= now) {
                    let transaction = TransactionId::random(Dialect::Rfc8489, &mut self.rng);
                    let request = Builder::binding(Class::Request, transaction).finish(None);
                    self.outputs.push_back(transmit(server(), request));
                    self.ask_at = Some(now + ASK_EVERY);
                }
                self.tell(now, nat::Input::Timeout);
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    /// Tells the punch, where there is one by now, and takes what it says.
    fn tell(&mut self, now: Time, input: nat::Input<'_>) {
        let Some(punch) = &mut self.punch else { return };
        if let nat::Input::Stun { message, remote, .. } = input
            && !punch.recognises(message, remote)
        {
            return;
        }
        punch.handle(now, input);
        while let Some(output) = punch.poll(now) {
            match output {
                nat::Output::Transmit { local, remote, data } => {
                    assert_eq!(local, self.local);
                    self.outputs.push_back(transmit(remote, data));
                }
                nat::Output::Event(nat::Event::Validated { pair, .. }) => self.outcome = Some(Ok(pair)),
                nat::Output::Event(nat::Event::Moved { to, .. }) => self.outcome = Some(Ok(to)),
                nat::Output::Event(nat::Event::Failed(why)) => self.outcome = Some(Err(Box::new(why))),
                nat::Output::Event(_) => {}
            }
        }
    }
}

impl Node for Actor {
    fn handle(&mut self, now: Time, input: Input<'_>) {
        match (self, input) {
            (Actor::Host(host), input) => host.handle(now, input),
            (Actor::Server(outputs), Input::Datagram(datagram)) => {
                let request = Message::parse(datagram.data).expect("hosts ask in STUN");
                outputs
                    .push_back(transmit(datagram.remote, binding_success(&request, datagram.remote, None)));
            }
            (Actor::Server(_), _) => {}
        }
    }

    fn poll(&mut self, _now: Time) -> Output {
        match self {
            Actor::Server(outputs) => outputs.pop_front().unwrap_or(Output::Timeout(None)),
            Actor::Host(host) => {
                let punch = host.punch.as_ref().and_then(Strategy::next_timeout);
                let next = [host.ask_at, punch].into_iter().flatten().min();
                host.outputs.pop_front().unwrap_or(Output::Timeout(next))
            }
        }
    }
}

/// What stands before a host.
#[derive(Clone, Debug)]
pub(crate) enum Front {
    /// Nothing.
    Open,
    /// A firewall that no UDP passes.
    Blocked,
    /// NATs, the outermost first.
    Nats(Vec<NatProfile>),
    /// A NAT that stands already, then NATs of its own.
    Behind(MiddleboxId, Vec<NatProfile>),
}

/// How two hosts punch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// With tickets.
    Keyed,
    /// With tickets that leave out the hosts' own addresses.
    MappedOnly,
    /// Without a secret, as in 2010.
    Bare,
}

/// A network with a STUN server and two hosts.
pub(crate) struct Net {
    world: World<Actor>,
    seed: u64,
    boxes: u8,
    hosts: Vec<NodeId>,
}

impl Net {
    /// One with the server alone. Lines delay by 10 to 40 ms each way and lose nothing: what fails, fails for
    /// the NATs.
    pub(crate) fn new(seed: u64) -> Self {
        let mut wide = [0; 32];
        wide[..8].copy_from_slice(&seed.to_le_bytes());
        let mut world = World::new(wide, Time::from_millis(1000));
        world.add(Actor::Server(VecDeque::new()), server(), line(), None).unwrap();
        Net { world, seed, boxes: 0, hosts: Vec::new() }
    }

    /// Adds a NAT, outside or behind another one.
    pub(crate) fn nat(&mut self, profile: NatProfile, behind: Option<MiddleboxId>) -> MiddleboxId {
        self.boxes += 1;
        let address = match behind {
            None => [203, 0, 113, self.boxes],
            Some(_) => [100, 64, 0, self.boxes],
        };
        let mut seed = [self.boxes; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        let nat = Nat::new(IpAddr::from(address), profile, seed);
        self.world.network().add_middlebox(Box::new(nat), behind).unwrap()
    }

    /// Adds a host behind this.
    pub(crate) fn host(&mut self, front: &Front) {
        let number = u8::try_from(self.hosts.len()).unwrap() + 1;
        let private = IpAddr::from([10, 0, 0, number]);
        let public = IpAddr::from([192, 0, 2, number]);
        let (address, behind) = match front {
            Front::Open => (public, None),
            Front::Blocked => {
                let firewall = Box::new(Firewall::blocking_udp(&[public]));
                (public, Some(self.world.network().add_middlebox(firewall, None).unwrap()))
            }
            Front::Nats(nats) => (private, self.chain(nats, None)),
            Front::Behind(outer, nats) => (private, self.chain(nats, Some(*outer))),
        };
        let local = SocketAddr::new(address, 16_402);
        let seed = number.wrapping_add((self.seed as u8).wrapping_mul(2));
        let host = Actor::Host(Box::new(Host::new(local, seed)));
        self.hosts.push(self.world.add(host, local, line(), behind).unwrap());
    }

    fn chain(&mut self, nats: &[NatProfile], behind: Option<MiddleboxId>) -> Option<MiddleboxId> {
        nats.iter().fold(behind, |behind, nat| Some(self.nat(nat.clone(), behind)))
    }

    fn actor(&mut self, side: usize) -> &mut Host {
        match self.world.node(self.hosts[side]) {
            Actor::Host(host) => host,
            Actor::Server(_) => unreachable!("hosts are hosts"),
        }
    }

    /// Lets both hosts learn their mapped addresses and punch, each knowing the kinds of both NATs. What
    /// each of them comes to.
    pub(crate) fn punch(&mut self, kinds: [NatKind; 2], manner: Manner) -> [Result<Pair, Box<Failure>>; 2] {
        self.world.run_for(ASK_FOR);
        let tickets = [0, 1].map(|side| {
            let host = self.actor(side);
            host.ask_at = None;
            let locals = if manner == Manner::MappedOnly { vec![] } else { vec![host.local] };
            let candidates = gather(&locals, host.mapped.as_slice());
            Ticket::new(&candidates, kinds[side], None, 4_000_000_000, &mut host.rng).unwrap()
        });
        for (side, role) in [(0, Role::Initiator), (1, Role::Responder)] {
            let now = self.world.now();
            let host = self.actor(side);
            let keyed = PunchConfig::keyed(role, &tickets[side], &tickets[1 - side]);
            let config = if manner == Manner::Bare { PunchConfig { key: None, ..keyed } } else { keyed };
            host.punch = Some(HolePunch::new(config, ChaCha20Rng::from_rng(&mut host.rng)));
            let locals = [host.local];
            host.tell(now, nat::Input::Start { locals: &locals });
            // The outputs wait for the next input.
            self.world.input(self.hosts[side], Input::Timeout);
        }
        let hosts = self.hosts.clone();
        let over = |world: &mut World<Actor>| {
            let mut done = hosts.iter().map(|id| match world.node(*id) {
                Actor::Host(host) => host.outcome.is_some(),
                Actor::Server(_) => false,
            });
            done.all(|done| done)
        };
        assert!(self.world.run_while_not(PUNCH_FOR, over), "a punch that never ends");
        [0, 1].map(|side| self.actor(side).outcome.clone().unwrap())
    }
}

fn line() -> Access {
    let delay = LinkProfile::delay(Duration::from_millis(10));
    Access::symmetric(LinkProfile { jitter: Jitter::Uniform(Duration::from_millis(30)), ..delay })
}
