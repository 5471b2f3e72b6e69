//! Two agents on one network that call each other, with media that need no codec.

use crate::link::LinkProfile;
use crate::media;
use crate::nat::{Behaviour, Firewall, Nat, NatProfile};
use crate::network::{Access, MiddleboxId, NetworkError};
use crate::world::{Node, NodeId, World};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use visavis_proto::Time;
use visavis_proto::agent::{Agent, Config};
use visavis_proto::frame::Codec;
use visavis_proto::io::{
    CallHandle, CallRequest, Command, EncoderTarget, Event, Input, MediaChoice, MediaFormat, Output,
    PathRequest, RequestId, Section,
};
use visavis_proto::nat::{NatKind, Ticket, gather};

impl Node for Agent {
    fn handle(&mut self, now: Time, input: Input<'_>) {
        Agent::handle(self, now, input);
    }

    fn poll(&mut self, now: Time) -> Output {
        Agent::poll(self, now)
    }
}

/// Which of the two agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The first one, 192.0.2.1:16402.
    A,
    /// The second one, 192.0.2.2:16402.
    B,
}

impl Side {
    /// Both.
    pub const BOTH: [Side; 2] = [Side::A, Side::B];

    /// The other one.
    pub fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

/// What stands before one of the two agents.
#[derive(Clone, Debug)]
pub enum Front {
    /// Nothing.
    Open,
    /// A NAT.
    Nat(NatProfile),
    /// A firewall that no UDP passes.
    Blocked,
}

impl Front {
    /// What its agent tells the other in its ticket.
    pub fn kind(&self) -> NatKind {
        match self {
            Front::Open => NatKind::Open,
            Front::Blocked => NatKind::Blocked,
            Front::Nat(profile) => match (profile.mapping, profile.filtering) {
                (Behaviour::EndpointIndependent, Behaviour::EndpointIndependent) => NatKind::FullCone,
                (Behaviour::EndpointIndependent, Behaviour::AddressDependent) => NatKind::AddressRestricted,
                (Behaviour::EndpointIndependent, _) => NatKind::PortRestricted,
                _ => NatKind::Symmetric,
            },
        }
    }
}

/// Two agents on a network of their own.
pub struct Pair {
    world: World<Agent>,
    nodes: [NodeId; 2],
    kinds: [NatKind; 2],
    boxes: [Option<MiddleboxId>; 2],
    seed: u64,
    log: [Vec<(Time, Event)>; 2],
    streams: BTreeMap<(Side, CallHandle, usize), Stream>,
    frames: FrameCounts,
    heard: [Vec<Time>; 2],
}

/// One medium that one side sends.
struct Stream {
    format: MediaFormat,
    next: Time,
    interval: Duration,
    number: u64,
}

/// What [`Pair`] has seen of the frames that it made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// Frames given to an agent to be sent.
    pub sent: u64,
    /// Frames that an agent delivered as complete, and that were the ones sent, to the last octet.
    pub intact: u64,
    /// Frames that an agent delivered as complete, and that nobody had sent.
    pub corrupt: u64,
    /// Frames that an agent delivered as incomplete.
    pub incomplete: u64,
}

const PORT: u16 = 16_402;
/// The STUN server of [`Pair::meet`].
const SERVER: ([u8; 4], u16) = ([198, 51, 100, 1], 3478);
/// Longer than it takes to find out that a STUN server does not answer.
const ASKING: Duration = Duration::from_secs(20);
/// When tickets expire, seconds since 1970.
const NEVER: u64 = 4_000_000_000;
/// How often the frames that are due are looked for.
const TICK: Duration = Duration::from_millis(5);
/// The same while no frames are due at all; streams that begin meanwhile begin at the next look.
const IDLE_TICK: Duration = Duration::from_millis(50);
/// Every so many pictures is a key frame.
const KEYFRAME_EVERY: u64 = 30;
const PICTURE_OCTETS: usize = 2800;
const SOUND_OCTETS: usize = 80;

impl Pair {
    /// Two agents, each with an access line of its own. The seed decides everything that happens.
    pub fn new(seed: u64, configs: [Config; 2], accesses: [Access; 2]) -> Self {
        Pair::behind(seed, configs, accesses, [Front::Open, Front::Open])
    }

    /// The same behind NATs: then their own addresses are 10.0.0.1 and 10.0.0.2, and those of the NATs 203.0.113.1
    /// and 203.0.113.2.
    pub fn behind(
        seed: u64,
        [a, b]: [Config; 2],
        [access_a, access_b]: [Access; 2],
        [front_a, front_b]: [Front; 2],
    ) -> Self {
        let mut world = World::new(wide(seed, 0), Time::from_millis(1000));
        let kinds = [front_a.kind(), front_b.kind()];
        let mut add = |config, access, front, number| {
            let (address, behind) = place(&mut world, seed, front, number);
            let agent = Agent::new(config, wide(seed, number));
            (added(world.add(agent, SocketAddr::from((address, PORT)), access, behind)), behind)
        };
        let (a, box_a) = add(a, access_a, front_a, 1);
        let (b, box_b) = add(b, access_b, front_b, 2);
        Pair {
            world,
            nodes: [a, b],
            kinds,
            boxes: [box_a, box_b],
            seed,
            log: [Vec::new(), Vec::new()],
            streams: BTreeMap::new(),
            frames: FrameCounts::default(),
            heard: [Vec::new(), Vec::new()],
        }
    }

    /// Two agents with the same settings on lines that only delay, 10 ms each.
    pub fn on_good_lines(seed: u64, config: Config) -> Self {
        let line = Access::symmetric(LinkProfile::delay(Duration::from_millis(10)));
        Pair::new(seed, [config.clone(), config], [line.clone(), line])
    }

    /// One side calls the other.
    pub fn call(&mut self, from: Side, media: MediaChoice, late_offer: bool) -> CallHandle {
        let call = self.agent(from).new_call();
        let destination = self.world.address(self.node(from.other()));
        let request = CallRequest {
            target: format!("sip:b@{destination}"),
            destination,
            local: self.world.address(self.node(from)).ip(),
            media,
            late_offer,
            ring_timeout: Duration::from_secs(60),
            path: None,
        };
        self.command(from, Command::Call(call, Box::new(request)));
        call
    }

    /// One side calls the other by tickets, after both have asked a STUN server for their mapped addresses; the
    /// other one expects it. The handles are those of A and B.
    pub fn meet(&mut self, from: Side, media: MediaChoice, keyed: bool) -> [CallHandle; 2] {
        let line = Access::symmetric(LinkProfile::delay(Duration::from_millis(10)));
        let server = Agent::new(Config::default(), wide(self.seed, 3));
        let server = added(self.world.add(server, SERVER.into(), line, None));
        for side in Side::BOTH {
            let locals = vec![self.world.address(self.node(side))];
            let servers = vec![self.world.address(server)];
            self.command(side, Command::Classify { request: RequestId(0), servers, locals });
        }
        self.run(ASKING);
        let tickets = Side::BOTH.map(|side| {
            let mapped = self.log(side).iter().find_map(|(_, event)| match event {
                Event::Classified { result, .. } => Some(result.mapped.clone()),
                _ => None,
            });
            let local = self.world.address(self.node(side));
            let candidates = gather(&[local], &mapped.unwrap_or_default());
            let mut rng = ChaCha20Rng::from_seed(wide(self.seed, 4 + side as u8));
            let ticket = Ticket::new(&candidates, self.kinds[side as usize], None, NEVER, &mut rng);
            ticket.unwrap_or_else(|error| unreachable!("a ticket of good candidates: {error}"))
        });
        let handles = Side::BOTH.map(|side| self.agent(side).new_call());
        let path = |pair: &Pair, side: Side| PathRequest {
            own: tickets[side as usize].clone(),
            peer: tickets[side.other() as usize].clone(),
            locals: vec![pair.world.address(pair.node(side))],
            keyed,
        };
        let local = self.world.address(self.node(from));
        let request = CallRequest {
            target: String::new(),
            destination: local,
            local: local.ip(),
            media,
            late_offer: false,
            ring_timeout: Duration::from_secs(60),
            path: Some(Box::new(path(self, from))),
        };
        let (caller, callee) = (handles[from as usize], handles[from.other() as usize]);
        let expected = path(self, from.other());
        self.command(from.other(), Command::Expect(callee, Box::new(expected)));
        self.command(from, Command::Call(caller, Box::new(request)));
        handles
    }

    /// Lets the NAT in front of a side forget what it has, and take other ports from now on. Nobody is told.
    pub fn rebind(&mut self, side: Side) {
        let nat = self.boxes[side as usize].and_then(|id| self.world.network().middlebox::<Nat>(id));
        nat.into_iter().for_each(Nat::rebind);
    }

    /// Gives a side another address of its own, and tells it.
    pub fn readdress(&mut self, side: Side, address: IpAddr) {
        let node = self.node(side);
        added(self.world.readdress(node, address));
        self.observe();
    }

    /// Tells one side something.
    pub fn command(&mut self, side: Side, command: Command) {
        self.world.input(self.node(side), Input::Command(command));
        self.observe();
    }

    /// Lets time pass. Every media section that is agreed on carries frames: sound as often as its format says,
    /// 30 pictures a second.
    pub fn run(&mut self, time: Duration) {
        let end = self.world.now() + time;
        while self.world.now() < end {
            let now = self.world.now();
            self.send_frames(now);
            let tick = if self.streams.is_empty() { IDLE_TICK } else { TICK };
            self.world.run_until((now + tick).min(end));
            self.observe();
        }
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.world.now()
    }

    /// One of the agents.
    pub fn agent(&mut self, side: Side) -> &mut Agent {
        self.world.node(self.node(side))
    }

    /// The world that both live in.
    pub fn world(&mut self) -> &mut World<Agent> {
        &mut self.world
    }

    /// What one side told its encoders to make, each with the media section that it is for.
    pub fn targets(&self, side: Side) -> &[(Time, usize, EncoderTarget)] {
        self.world.targets(self.node(side))
    }

    /// Changes the line of one side.
    pub fn set_access(&mut self, side: Side, access: Access) {
        let host = self.world.host(self.node(side));
        self.world.network().set_access(host, access);
    }

    /// Everything that one side has reported, but for frames: those are counted.
    pub fn log(&self, side: Side) -> &[(Time, Event)] {
        &self.log[side as usize]
    }

    /// When each frame reached a side.
    pub fn heard(&self, side: Side) -> &[Time] {
        &self.heard[side as usize]
    }

    /// The frames so far, both ways.
    pub fn frames(&self) -> FrameCounts {
        self.frames
    }

    /// One of the nodes.
    pub fn node(&self, side: Side) -> NodeId {
        self.nodes[side as usize]
    }

    fn send_frames(&mut self, now: Time) {
        for ((side, call, section), stream) in &mut self.streams {
            while stream.next <= now {
                let octets = match stream.format {
                    MediaFormat::Audio(_) => SOUND_OCTETS,
                    MediaFormat::Video(_) => PICTURE_OCTETS,
                };
                let keyframe = stream.number.is_multiple_of(KEYFRAME_EVERY);
                let frame = media::frame(&stream.format, stream.number, octets, keyframe, stream.next);
                stream.number += 1;
                stream.next += stream.interval;
                self.frames.sent += 1;
                let input = Input::Frame { call: *call, section: *section, frame };
                self.world.input(self.nodes[*side as usize], input);
            }
        }
    }

    /// Takes note of what was reported.
    fn observe(&mut self) {
        for side in Side::BOTH {
            for (at, event) in self.world.take_events(self.node(side)) {
                match event {
                    Event::Frame { frame, .. } => {
                        self.heard[side as usize].push(at);
                        let intact = media::number(frame.codec, &frame.data).is_some();
                        match (frame.complete, intact) {
                            (false, _) => self.frames.incomplete += 1,
                            (true, true) => self.frames.intact += 1,
                            (true, false) => self.frames.corrupt += 1,
                        }
                        continue;
                    }
                    Event::Media { call, ref sections } => self.learn(side, call, sections),
                    Event::Ended { call, .. } => {
                        self.streams.retain(|(s, c, _), _| (*s, *c) != (side, call));
                    }
                    _ => {}
                }
                self.log[side as usize].push((at, event));
            }
        }
    }

    /// From now on sends what was agreed on.
    fn learn(&mut self, side: Side, call: CallHandle, sections: &[Section]) {
        for (i, section) in sections.iter().enumerate() {
            let key = (side, call, i);
            let sends = section.active && section.direction.sends();
            let Some(format) = section.send.clone().filter(|_| sends) else {
                self.streams.remove(&key);
                continue;
            };
            let interval = interval(&format);
            let now = self.world.now();
            let stream = self.streams.entry(key).or_insert_with(|| Stream {
                format: format.clone(),
                next: now,
                interval,
                number: 0,
            });
            (stream.format, stream.interval, stream.next) = (format, interval, stream.next.max(now));
        }
    }
}

/// Where an agent goes, and what it stands behind.
fn place(world: &mut World<Agent>, seed: u64, front: Front, number: u8) -> (IpAddr, Option<MiddleboxId>) {
    let own = |front: [u8; 3]| IpAddr::from([front[0], front[1], front[2], number]);
    let public = own([192, 0, 2]);
    let network = world.network();
    match front {
        Front::Open => (public, None),
        Front::Blocked => {
            let firewall = Firewall::blocking_udp(&[public]);
            (public, Some(added(network.add_middlebox(Box::new(firewall), None))))
        }
        Front::Nat(profile) => {
            let nat = Nat::new(own([203, 0, 113]), profile, wide(seed, 10 + number));
            (own([10, 0, 0]), Some(added(network.add_middlebox(Box::new(nat), None))))
        }
    }
}

/// What cannot fail: addresses of a network that this module alone gives addresses to.
fn added<T>(result: Result<T, NetworkError>) -> T {
    result.unwrap_or_else(|error| unreachable!("addresses of one's own network: {error}"))
}

fn interval(format: &MediaFormat) -> Duration {
    match format {
        MediaFormat::Audio(audio) => {
            Duration::from_secs(1) * audio.samples_per_frame.max(1) / audio.sample_rate.max(1)
        }
        MediaFormat::Video(video) => {
            debug_assert_eq!(video.codec, Codec::H264);
            Duration::from_secs(1) / 30
        }
    }
}

/// A seed for the network or one of the agents, out of a number that fits a test's name.
fn wide(seed: u64, stream: u8) -> [u8; 32] {
    let mut wide = [stream; 32];
    wide[..8].copy_from_slice(&seed.to_le_bytes());
    wide
}
