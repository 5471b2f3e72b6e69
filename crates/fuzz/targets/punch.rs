//! Hole punching: two sides and a wire that loses, diverts, repeats and changes, and somebody else who sends STUN of
//! any kind from anywhere. Nothing goes where nothing may go, no side sends more than it may, and a pair is proven
//! only by an answer to a check that was sent on it and by a check of the peer that came in on it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;
use visavis_fuzz::Octets;
use visavis_proto::Time;
use visavis_proto::nat::{
    Candidate, CandidateKind, Event, HolePunch, Input, NatKind, Output, Pair, PunchConfig, Role, Strategy,
    Ticket, objection, shared_key,
};
use visavis_proto::stun::{Builder, Class, Dialect, Integrity, Message, TransactionId};

fuzz_target!(|data: &[u8]| {
    let mut octets = Octets(data);
    let mut lab = Lab::new(octets.octet());
    while !octets.is_empty() {
        lab.act(&mut octets);
    }
    lab.end();
});

/// Addresses of the two sides (each has the three of its parity), of others, and some that no host has.
const ADDRESSES: [&str; 12] = [
    "192.0.2.1:16402",
    "192.0.2.2:16402",
    "10.0.0.1:16402",
    "10.0.0.2:16402",
    "[2001:db8::1]:16402",
    "[2001:db8::2]:16402",
    "203.0.113.9:16402",
    "[2001:db8::9]:7",
    "17.1.2.3:16402",
    "0.0.0.0:16402",
    "192.0.2.2:0",
    "[64:ff9b::1101:203]:16402",
];
const MOST_IN_FLIGHT: usize = 60;
/// Pairs that a side may have: RFC 8445 section 6.1.2.5 would take 100.
const MOST_PAIRS: usize = 64;

fn address(choice: u8) -> SocketAddr {
    ADDRESSES[usize::from(choice) % ADDRESSES.len()].parse().unwrap()
}

/// The addresses of a side.
fn own(side: usize) -> [SocketAddr; 3] {
    [side, side + 2, side + 4].map(|at| address(at as u8))
}

struct Side {
    punch: HolePunch,
    /// Checks that were sent, with the pair that they went on.
    sent: HashSet<(Pair, TransactionId)>,
    answered: HashSet<Pair>,
    heard: HashSet<Pair>,
    validated: bool,
    failed: bool,
    stopped: bool,
    deadline: Option<Time>,
}

struct Lab {
    now: Time,
    key: Option<Vec<u8>>,
    sides: [Side; 2],
    /// From, to, and what.
    flight: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
}

impl Lab {
    fn new(choice: u8) -> Self {
        let tickets = [0, 1].map(|side| {
            let kinds = [CandidateKind::Host, CandidateKind::Mapped, CandidateKind::Relayed];
            let mut candidates: Vec<_> =
                kinds.into_iter().zip(own(side)).map(|(k, a)| Candidate::new(k, a)).collect();
            candidates.truncate(usize::from(choice >> 2 & 3).max(1));
            let mut rng = ChaCha20Rng::seed_from_u64(side as u64);
            Ticket::new(&candidates, NatKind::PortRestricted, None, 2_000_000_000, &mut rng).unwrap()
        });
        let keyed = choice & 1 == 0;
        let roles = [Role::Initiator, Role::Responder];
        let sides = [0, 1].map(|side| {
            let (role, own, peer) = (roles[side], &tickets[side], &tickets[1 - side]);
            let mut config = match keyed {
                true => PunchConfig::keyed(role, own, peer),
                false => PunchConfig::bare(role, peer.candidates.clone()),
            };
            if choice & 2 != 0 {
                config.dialect = Dialect::Rfc3489;
            }
            Side {
                punch: HolePunch::new(config, ChaCha20Rng::seed_from_u64(10 + side as u64)),
                sent: HashSet::new(),
                answered: HashSet::new(),
                heard: HashSet::new(),
                validated: false,
                failed: false,
                stopped: false,
                deadline: None,
            }
        });
        let key = keyed.then(|| shared_key(&tickets[0], &tickets[1]).as_bytes().to_vec());
        let mut lab = Lab { now: Time::from_millis(1), key, sides, flight: VecDeque::new() };
        for side in 0..2 {
            // One of them may have nobody to talk to.
            if choice & 0x10 == 0 || side == 0 {
                lab.give(side, Input::Start { locals: &own(side)[..usize::from(choice >> 5 & 3).max(1)] });
            }
        }
        lab
    }

    fn act(&mut self, octets: &mut Octets<'_>) {
        let (action, choice) = (octets.octet(), octets.octet());
        let side = usize::from(choice & 1);
        match action % 16 {
            0 => self.pass(Duration::from_millis(u64::from(choice))),
            1 => self.pass(Duration::from_millis(u64::from(choice) * 100)),
            2 | 3 => (0..=choice & 0x0f).for_each(|_| self.deliver()),
            4 => drop(self.flight.pop_front()),
            5 => {
                if let Some((.., data)) = self.flight.front_mut() {
                    let at = usize::from(choice) % data.len();
                    data[at] ^= octets.octet();
                }
            }
            // It comes twice, from somewhere else, or to somewhere else.
            6 => {
                if let Some((mut from, mut to, data)) = self.flight.front().cloned() {
                    match choice & 3 {
                        0 => {}
                        1 => from = address(choice >> 2),
                        2 => to = address(choice >> 2),
                        _ => std::mem::swap(&mut from, &mut to),
                    }
                    self.flight.push_front((from, to, data));
                }
            }
            7 => self.flight.rotate_left(usize::from(choice) % self.flight.len().max(1)),
            8 | 9 => self.invent(side, choice >> 1, octets),
            10 => {
                let locals = [octets.octet(), octets.octet()].map(address);
                self.give(
                    side,
                    Input::LocalsChanged { locals: &locals[..usize::from(choice >> 1 & 3).min(2)] },
                );
            }
            11 => {
                let kind = if choice & 2 == 0 { CandidateKind::Relayed } else { CandidateKind::Host };
                let candidates = [Candidate::new(kind, address(choice >> 2))];
                self.give(side, Input::PeerCandidates { candidates: &candidates });
            }
            12 => self.give(side, Input::Suggested { remote: address(choice >> 1) }),
            13 => {
                let pair = Pair { local: address(octets.octet()), remote: address(choice >> 1) };
                let own = self.sides[side].punch.report().current;
                let pair = own.filter(|_| choice & 0x80 != 0).unwrap_or(pair);
                self.give(side, Input::Chosen { pair });
            }
            14 => match choice >> 1 & 3 {
                0 => self.give(side, Input::MediaHeard),
                1 => self.give(side, Input::MediaSilent),
                2 => self.give(side, Input::Unreachable { remote: address(choice >> 3) }),
                _ => self.give(side, Input::Timeout),
            },
            _ if choice >> 1 == 0x7f => {
                self.sides[side].stopped = true;
                self.give(side, Input::Stop);
            }
            _ => self.give(side, Input::Start { locals: &own(side) }),
        }
    }

    /// Hands over the first datagram on the wire.
    fn deliver(&mut self) {
        let Some((from, to, data)) = self.flight.pop_front() else { return };
        let Some(side) = (0..2).find(|side| own(*side).contains(&to)) else { return };
        if let Ok(message) = Message::parse(&data) {
            self.hand(side, to, from, &message);
        }
    }

    fn hand(&mut self, side: usize, local: SocketAddr, remote: SocketAddr, message: &Message) {
        let (pair, state) = (Pair { local, remote }, &mut self.sides[side]);
        let recognised = state.punch.recognises(message, remote);
        let signed = self.key.as_ref().is_none_or(|key| message.integrity(key) == Integrity::Valid);
        match message.class {
            Class::Success if signed && state.sent.contains(&(pair, message.transaction)) => {
                state.answered.insert(pair);
            }
            Class::Request if signed => drop(state.heard.insert(pair)),
            _ => {}
        }
        if recognised {
            self.give(side, Input::Stun { local, remote, message });
        }
    }

    /// STUN of any kind from anywhere; a key is not known to whoever sends it.
    fn invent(&mut self, side: usize, choice: u8, octets: &mut Octets<'_>) {
        let class = [Class::Request, Class::Indication, Class::Success, Class::Error];
        let more = octets.octet();
        let remote = address(more >> 4);
        let local = own(side)[usize::from(choice >> 4) % 3];
        let mut id = [more; 16];
        if let Some((.., data)) = self.flight.get(usize::from(more)) {
            // Of a check that is on its way.
            id.copy_from_slice(&data[4..20]);
        }
        let mut builder = Builder::binding(class[usize::from(choice & 3)], TransactionId(id));
        if choice & 4 != 0 {
            let username = self
                .flight
                .iter()
                .find_map(|(.., data)| Message::parse(data).ok()?.username().map(<[u8]>::to_vec));
            builder = builder.username(&username.unwrap_or_else(|| octets.data().to_vec()));
        }
        if choice & 8 != 0 {
            builder = builder.use_candidate().mapped_address(address(octets.octet()));
        }
        if more & 8 != 0 {
            builder = builder.attribute(u16::from(octets.octet()), octets.data());
        }
        let key = (more & 4 != 0).then_some(&b"another"[..]);
        if let Ok(message) = Message::parse(&builder.finish(key)) {
            self.hand(side, local, remote, &message);
        }
    }

    fn give(&mut self, side: usize, input: Input<'_>) {
        let is_check = matches!(input, Input::Stun { message, .. } if message.class == Class::Request);
        self.sides[side].punch.handle(self.now, input);
        let (mut checks, mut answers, mut outputs) = (0, 0, 0);
        while let Some(output) = self.sides[side].punch.poll(self.now) {
            outputs += 1;
            assert!(outputs < 100, "outputs for ever");
            match output {
                Output::Transmit { local, remote, data } => {
                    assert_eq!(objection(remote), None, "sent to {remote}");
                    assert!(data.len() <= 150, "{} octets", data.len());
                    let message = Message::parse(&data).unwrap();
                    let pair = Pair { local, remote };
                    match message.class {
                        Class::Request => {
                            checks += 1;
                            assert!(
                                !self.sides[side].stopped && !self.sides[side].failed,
                                "a check after the end"
                            );
                            self.sides[side].sent.insert((pair, message.transaction));
                        }
                        Class::Success | Class::Error => answers += 1,
                        Class::Indication => panic!("an indication"),
                    }
                    if self.flight.len() < MOST_IN_FLIGHT {
                        self.flight.push_back((local, remote, data.to_vec()));
                    }
                }
                Output::Event(event) => self.event(side, event),
            }
        }
        assert!(checks <= 2, "{checks} checks at once");
        assert!(answers <= usize::from(is_check), "{answers} answers");
        let state = &mut self.sides[side];
        state.deadline = state.punch.next_timeout();
        assert!(state.deadline.is_none_or(|at| at > self.now), "a timer that is due was not served");
        let report = state.punch.report();
        assert!(report.pairs.len() <= MOST_PAIRS);
        assert!(report.refused.len() <= 16);
        assert!(report.current.is_none() || state.validated);
        if let Some(current) = report.current {
            assert!(state.answered.contains(&current), "{current} was never proven");
        }
    }

    fn event(&mut self, side: usize, event: Event) {
        let keyed = self.key.is_some();
        let state = &mut self.sides[side];
        assert!(!state.failed && !state.stopped, "after the end: {event:?}");
        match event {
            Event::Validated { pair, .. } => {
                assert!(!std::mem::replace(&mut state.validated, true), "validated twice");
                assert!(state.answered.contains(&pair), "{pair} without an answer");
                assert!(state.heard.contains(&pair), "{pair} without a check of the peer");
                assert_eq!(objection(pair.remote), None);
            }
            Event::Moved { to, .. } => {
                assert!(state.validated && state.answered.contains(&to), "moved to {to} without an answer");
            }
            Event::PathLost { .. } => assert!(state.validated),
            Event::MoveRefused { .. } => assert!(!keyed && state.validated),
            Event::RelayAdvised { .. } => assert!(!state.validated),
            Event::Failed(failure) => {
                state.failed = true;
                assert!(!failure.to_string().is_empty());
            }
        }
    }

    /// Lets time pass, serving deadlines on the way.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..100_000 {
            let due = (0..2).filter_map(|side| Some((self.sides[side].deadline?, side))).min();
            let Some((at, side)) = due.filter(|(at, _)| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(at);
            self.give(side, Input::Timeout);
        }
        panic!("timers for ever");
    }

    /// What has begun ends: by a path, or by a failure in time.
    fn end(&mut self) {
        self.flight.clear();
        self.pass(Duration::from_secs(120));
        for side in &self.sides {
            let begun = !side.punch.report().pairs.is_empty() && !side.stopped;
            assert!(!begun || side.failed, "nobody answers and no failure");
        }
    }
}
