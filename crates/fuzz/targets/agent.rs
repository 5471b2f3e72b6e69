//! Two agents in calls with each other, and a wire between them that flips, cuts, drops, doubles, reorders, invents
//! and diverts datagrams: nobody panics or runs in circles, every call ends once, and in the end nothing is left.
//! Where they know each other by ticket, no media go to anybody else; where they agree on keys, none go before that.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use visavis_fuzz::Octets;
use visavis_proto::Time;
use visavis_proto::agent::{Admission, Agent, AnswerPolicy, Config};
use visavis_proto::demux::{Kind, classify};
use visavis_proto::io::{
    CallHandle, CallRequest, Command, Datagram, Event, Input, MediaChoice, MediaFormat, Output, PathRequest,
    SocketId, Transmit,
};
use visavis_proto::limits::Limits;
use visavis_proto::nat::{Candidate, CandidateKind, NatKind, Ticket};
use visavis_proto::ske::{Identity, Lab, Replay, Scheme, Tap};
use visavis_sim::media;

fuzz_target!(|data: &[u8]| {
    let mut octets = Octets(data);
    let mut wire = Wire::new(octets.octet());
    while !octets.is_empty() {
        wire.act(&mut octets);
    }
    wire.end();
});

const MEDIA: [MediaChoice; 3] =
    [MediaChoice::BOTH, MediaChoice { audio: true, video: false }, MediaChoice { audio: false, video: true }];
/// Datagrams on the wire; what comes on top is lost.
const MOST_IN_FLIGHT: usize = 200;

/// Somebody else.
const STRANGER: ([u8; 4], u16) = ([203, 0, 113, 9], 16_402);
/// The tickets of both sides.
static TICKETS: LazyLock<[Ticket; 2]> = LazyLock::new(|| {
    [0, 1].map(|side| {
        let candidate = Candidate::new(CandidateKind::Host, address(side));
        let mut rng = ChaCha20Rng::seed_from_u64(side as u64);
        Ticket::new(&[candidate], NatKind::Unknown, None, 2_000_000_000, &mut rng).unwrap()
    })
});

/// A datagram on its way.
#[derive(Clone)]
struct InFlight {
    from: SocketAddr,
    to: SocketAddr,
    data: Vec<u8>,
}

struct Wire {
    agents: [Agent; 2],
    deadlines: [Option<Time>; 2],
    now: Time,
    flight: VecDeque<InFlight>,
    /// The peers know each other by ticket; whether their checks are signed.
    keyed: Option<bool>,
    /// Media wait for keys; which calls have them.
    encrypts: bool,
    keys: [BTreeSet<CallHandle>; 2],
    /// Handles that wait for a call of the peer.
    expected: [BTreeSet<CallHandle>; 2],
    open: [BTreeSet<CallHandle>; 2],
    over: [BTreeSet<CallHandle>; 2],
    formats: BTreeMap<(usize, CallHandle, usize), MediaFormat>,
    frames: u64,
}

impl Wire {
    fn new(choice: u8) -> Self {
        let answer = if choice & 1 == 0 { AnswerPolicy::Accept } else { AnswerPolicy::Ask };
        let limits = Limits { calls: 6, transactions: 60, access_unit: 100_000, ..Limits::default() };
        let keyed = [None, Some(true), Some(false), None][usize::from(choice >> 1 & 0x03)];
        let base =
            if choice & 0x20 == 0 { Config::default() } else { Config::facetime2010(choice & 0x40 != 0) };
        let admission = match keyed {
            Some(_) => Admission::Expected { window: Duration::from_secs(30) },
            None => Admission::Anyone,
        };
        let config = |side: u8| {
            let key_exchange: Option<Arc<dyn Scheme>> = match choice >> 3 & 0x03 {
                0 => None,
                1 => Some(Arc::new(Tap)),
                2 => Some(Arc::new(Replay::sizes_of_2010())),
                _ => {
                    let identity = Identity::generate(&mut ChaCha20Rng::from_seed([side; 32]));
                    Some(Arc::new(Lab::new(identity, None)))
                }
            };
            Config { answer, admission, key_exchange, limits: limits.clone(), ..base.clone() }
        };
        let mut wire = Wire {
            agents: [Agent::new(config(1), [1; 32]), Agent::new(config(2), [2; 32])],
            deadlines: [None; 2],
            now: Time::from_millis(1000),
            flight: VecDeque::new(),
            keyed,
            encrypts: choice >> 3 & 0x03 == 3,
            keys: Default::default(),
            expected: Default::default(),
            open: Default::default(),
            over: Default::default(),
            formats: BTreeMap::new(),
            frames: 0,
        };
        for side in 0..2 {
            wire.input(side, Input::SocketOpened { request: None, result: Ok((SocketId(0), address(side))) });
        }
        wire
    }

    fn act(&mut self, octets: &mut Octets<'_>) {
        let (action, choice) = (octets.octet(), octets.octet());
        match action % 18 {
            0 => self.pass(Duration::from_millis(u64::from(choice))),
            1 => self.pass(Duration::from_millis(u64::from(choice) * 100)),
            // A whole exchange without disturbance.
            2 => (0..=choice & 0x1f).for_each(|_| self.deliver(|_| {})),
            3 => self.deliver(|datagram| {
                let at = usize::from(choice) << 3 | usize::from(octets.octet() & 0x07);
                let length = datagram.len().max(1);
                if let Some(octet) = datagram.get_mut(at % length) {
                    *octet ^= octets.octet();
                }
            }),
            4 => self.deliver(|datagram| datagram.truncate(usize::from(choice) << 2)),
            5 => self.deliver(|datagram| {
                let at = (usize::from(choice) << 2).min(datagram.len());
                datagram.splice(at..at, octets.data().iter().copied());
            }),
            6 => drop(self.flight.pop_front()),
            7 => {
                let copy = self.flight.front().cloned();
                self.flight.extend(copy);
            }
            8 => {
                let by = usize::from(choice) % self.flight.len().max(1);
                self.flight.rotate_left(by);
            }
            9 => {
                let side = usize::from(choice & 1);
                let from = if choice & 2 == 0 { address(1 - side) } else { STRANGER.into() };
                self.flight.push_front(InFlight { from, to: address(side), data: octets.data().to_vec() });
            }
            10 | 11 => self.command(usize::from(choice & 1), choice >> 1, octets.octet()),
            // Somebody else sends what was seen on the wire, to either side.
            14 => {
                if let Some(mut copy) = self.flight.get(usize::from(choice >> 1)).cloned() {
                    copy.from = STRANGER.into();
                    copy.to = address(usize::from(choice & 1));
                    self.flight.push_front(copy);
                }
            }
            // A NAT has forgotten its mapping: what is on its way seems to come from elsewhere.
            15 => {
                let side = usize::from(choice & 1);
                let (known, new) = (address(side), moved(side));
                self.flight.iter_mut().filter(|d| d.from == known).for_each(|d| d.from = new);
            }
            16 => {
                let side = usize::from(choice & 1);
                let all = [address(side).ip(), moved(side).ip(), IpAddr::from([10, 0, 0, 1])];
                let addresses =
                    all[usize::from(choice >> 1 & 1)..][..usize::from(choice >> 2 & 3).min(2)].to_vec();
                self.input(side, Input::InterfacesChanged { addresses });
            }
            _ => self.send_frames(choice),
        }
    }

    /// Hands over the first datagram on the wire, after `change`.
    fn deliver(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        let Some(InFlight { from, to, mut data }) = self.flight.pop_front() else { return };
        let Some(side) = owner(to) else { return };
        change(&mut data);
        let received = self.now;
        let datagram = Datagram { socket: SocketId(0), local: to, remote: from, data: &data, received };
        self.input(side, Input::Datagram(datagram));
    }

    fn command(&mut self, side: usize, choice: u8, more: u8) {
        let media = MEDIA[usize::from(more) % 3];
        if choice & 0x0f < 2 {
            let call = self.agents[side].new_call();
            let destination = address(1 - side);
            let path = self.keyed.map(|keyed| {
                let [own, peer] = [side, 1 - side].map(|side| TICKETS[side].clone());
                Box::new(PathRequest { own, peer, locals: vec![address(side)], keyed })
            });
            if let Some(path) = path.clone().filter(|_| choice & 0x10 != 0) {
                self.open[side].insert(call);
                self.expected[side].insert(call);
                return self.input(side, Input::Command(Command::Expect(call, path)));
            }
            let request = CallRequest {
                target: format!("sip:b@{destination}"),
                destination,
                local: address(side).ip(),
                media,
                late_offer: more & 0x80 != 0,
                ring_timeout: Duration::from_secs(20),
                path,
            };
            self.open[side].insert(call);
            return self.input(side, Input::Command(Command::Call(call, Box::new(request))));
        }
        let call = CallHandle(u64::from(choice >> 4) + 1);
        let command = match choice & 0x0f {
            2 => Command::Ring { call, status: 180 },
            3 | 4 => Command::Accept { call },
            5 => Command::Reject { call, status: 300 + u16::from(more) },
            6 => Command::Hangup { call },
            7 => Command::Hold { call },
            8 => Command::Resume { call },
            9 | 10 => Command::Reinvite { call, media },
            11 => Command::Message { call, content_type: "text/plain".into(), body: vec![more; 40].into() },
            12 => Command::Dtmf { call, digit: '1', duration: Duration::from_millis(u64::from(more) * 4) },
            _ => Command::RequestKeyframe { call, section: usize::from(more & 0x03) },
        };
        self.input(side, Input::Command(command));
    }

    /// Sends a frame in every medium that was agreed on.
    fn send_frames(&mut self, choice: u8) {
        for ((side, call, section), format) in self.formats.clone() {
            self.frames += 1;
            let size = usize::from(choice) << 4;
            let frame = media::frame(&format, self.frames, size, choice & 1 == 0, self.now);
            self.input(side, Input::Frame { call, section, frame });
        }
    }

    fn input(&mut self, side: usize, input: Input<'_>) {
        self.agents[side].handle(self.now, input);
        for _ in 0..20_000 {
            match self.agents[side].poll(self.now) {
                Output::Timeout(at) => {
                    assert!(at.is_none_or(|at| at > self.now), "a deadline that is due was not served");
                    self.deadlines[side] = at;
                    return;
                }
                Output::Transmit(transmit) => self.transmit(side, transmit),
                Output::Event(event) => self.event(side, event),
                _ => {}
            }
        }
        panic!("outputs for ever");
    }

    fn transmit(&mut self, side: usize, Transmit { local, remote, data, .. }: Transmit) {
        let kind = classify(&data);
        assert!(
            matches!(kind, Kind::Sip | Kind::Stun | Kind::Rtp | Kind::Rtcp),
            "sent {kind:?}: {data:02x?}"
        );
        let to_peer = owner(remote) == Some(1 - side);
        let is_media = matches!(kind, Kind::Rtp | Kind::Rtcp);
        assert!(self.keyed.is_none() || to_peer || !is_media, "media to {remote}, who is not the peer");
        let may = !self.encrypts || !self.keys[side].is_empty();
        assert!(may || !is_media, "media before there are keys");
        if to_peer && self.flight.len() < MOST_IN_FLIGHT {
            let from = local.map_or(address(side), |ip| SocketAddr::new(ip, address(side).port()));
            self.flight.push_back(InFlight { from, to: remote, data: data.to_vec() });
        }
    }

    fn event(&mut self, side: usize, event: Event) {
        let call = match event {
            Event::Incoming { call, .. } => {
                let is_new = self.open[side].insert(call);
                assert!(self.expected[side].remove(&call) || is_new, "a handle was given out twice");
                call
            }
            Event::Media { call, ref sections } => {
                self.formats.retain(|(s, c, _), _| (*s, *c) != (side, call));
                for (i, section) in sections.iter().enumerate() {
                    let sends = section.active && section.direction.sends();
                    if let Some(format) = section.send.clone().filter(|_| sends) {
                        self.formats.insert((side, call, i), format);
                    }
                }
                call
            }
            Event::Protected { call, ref protection } => {
                assert_eq!(protection.keys.is_some(), self.encrypts);
                self.keys[side].insert(call);
                call
            }
            Event::Ended { call, .. } => {
                assert!(self.over[side].insert(call), "a call ended twice");
                self.keys[side].remove(&call);
                self.formats.retain(|(s, c, _), _| (*s, *c) != (side, call));
                return;
            }
            Event::Calling { call, .. }
            | Event::Progress { call, .. }
            | Event::Established { call, .. }
            | Event::Frame { call, .. }
            | Event::Dtmf { call, .. }
            | Event::PathFound { call, .. }
            | Event::PathMoved { call, .. }
            | Event::PathLost { call, .. }
            | Event::MoveRefused { call, .. }
            | Event::KeyMessage { call, .. }
            | Event::Answered { call, .. } => call,
            Event::Message { call: Some(call), .. } => call,
            Event::Message { call: None, .. }
            | Event::OptionsAnswered { .. }
            | Event::Classified { .. }
            | Event::Outcome { .. } => return,
        };
        assert!(!self.over[side].contains(&call), "an event after the end: {event:?}");
    }

    /// Lets time pass, serving deadlines on the way.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..100_000 {
            let side =
                usize::from(self.deadlines[1].is_some_and(|b| self.deadlines[0].is_none_or(|a| b < a)));
            match self.deadlines[side] {
                Some(at) if at <= end => self.now = self.now.max(at),
                _ => {
                    self.now = end;
                    return;
                }
            }
            self.input(side, Input::Timeout);
        }
        panic!("timers for ever");
    }

    /// Ends everything, over a wire that does nothing any more to what passes.
    fn end(&mut self) {
        for side in 0..2 {
            self.input(side, Input::Command(Command::Shutdown));
        }
        for _ in 0..200 {
            (0..MOST_IN_FLIGHT).for_each(|_| self.deliver(|_| {}));
            self.pass(Duration::from_secs(1));
            if self.flight.is_empty() && self.agents.iter().all(Agent::is_idle) {
                break;
            }
        }
        for side in 0..2 {
            assert!(self.agents[side].is_idle(), "agent {side} has a call or a transaction left");
            assert!(self.open[side].is_subset(&self.over[side]), "agent {side} never ended a call");
        }
    }
}

fn address(side: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1 + side as u8], 16_402))
}

/// The address of a side after it has changed.
fn moved(side: usize) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 1 + side as u8], 16_402))
}

/// The side that an address belongs to.
fn owner(owned: SocketAddr) -> Option<usize> {
    (0..2).find(|side| [address(*side), moved(*side)].contains(&owned))
}
