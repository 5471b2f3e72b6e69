use super::*;
use crate::nat::{NatKind, Ticket};
use rand_core::{RngCore, SeedableRng};

const A: &str = "192.0.2.1:16402";
const B: &str = "192.0.2.2:16402";

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn host(text: &str) -> Candidate {
    Candidate::new(CandidateKind::Host, at(text))
}

fn ticket(addresses: &[&str], seed: u64) -> Ticket {
    let candidates: Vec<_> = addresses.iter().map(|a| host(a)).collect();
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    Ticket::new(&candidates, NatKind::PortRestricted, None, 2_000_000_000, &mut rng).expect("a ticket")
}

/// Two punches and a wire between them that loses and delays; index 0 is the initiator.
struct World {
    now: Time,
    sides: [HolePunch; 2],
    /// The addresses at which each side is reached.
    at: [Vec<SocketAddr>; 2],
    /// What a datagram from this local address seems to come from.
    seen_as: Vec<(SocketAddr, SocketAddr)>,
    delay: Duration,
    loss: u32,
    rng: ChaCha20Rng,
    wire: Vec<(Time, usize, Pair, bytes::Bytes)>,
    events: [Vec<(Time, Event)>; 2],
    sent: [Vec<(Time, Pair)>; 2],
}

impl World {
    fn new(keyed: bool, a: &[&str], b: &[&str], seed: u64) -> Self {
        let (ta, tb) = (ticket(a, seed * 2 + 1), ticket(b, seed * 2 + 2));
        let configs = if keyed {
            [PunchConfig::keyed(Role::Initiator, &ta, &tb), PunchConfig::keyed(Role::Responder, &tb, &ta)]
        } else {
            [
                PunchConfig::bare(Role::Initiator, tb.candidates.clone()),
                PunchConfig::bare(Role::Responder, ta.candidates.clone()),
            ]
        };
        World::of(configs, seed)
    }

    fn of(configs: [PunchConfig; 2], seed: u64) -> Self {
        let mut n = seed;
        let sides = configs.map(|c| {
            n += 1000;
            HolePunch::new(c, ChaCha20Rng::seed_from_u64(n))
        });
        World {
            now: Time::from_millis(1_000),
            sides,
            at: [vec![at(A)], vec![at(B)]],
            seen_as: Vec::new(),
            delay: Duration::from_millis(5),
            loss: 0,
            rng: ChaCha20Rng::seed_from_u64(seed),
            wire: Vec::new(),
            events: [Vec::new(), Vec::new()],
            sent: [Vec::new(), Vec::new()],
        }
    }

    fn give(&mut self, side: usize, input: Input<'_>) {
        self.sides[side].handle(self.now, input);
        while let Some(output) = self.sides[side].poll(self.now) {
            match output {
                Output::Event(event) => self.events[side].push((self.now, event)),
                Output::Transmit { local, remote, data } => {
                    self.sent[side].push((self.now, Pair { local, remote }));
                    if self.rng.next_u32() % 100 >= self.loss {
                        let seen = self.seen_as.iter().find(|(l, _)| *l == local).map_or(local, |(_, s)| *s);
                        self.wire.push((self.now + self.delay, side, Pair { local: seen, remote }, data));
                    }
                }
            }
        }
    }

    fn start(&mut self) {
        for side in 0..2 {
            let locals = self.at[side].clone();
            self.give(side, Input::Start { locals: &locals });
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let arrival = self.wire.iter().map(|(t, ..)| *t).min();
            let timers = self.sides.iter().filter_map(|s| s.next_timeout());
            let Some(next) = timers.chain(arrival).min().filter(|t| *t <= end) else { break };
            self.now = self.now.max(next);
            while let Some(i) = self.wire.iter().position(|(t, ..)| *t <= self.now) {
                let (_, from, pair, data) = self.wire.remove(i);
                self.deliver(1 - from, pair.local, pair.remote, &data);
            }
            for side in 0..2 {
                if self.sides[side].next_timeout().is_some_and(|t| t <= self.now) {
                    self.give(side, Input::Timeout);
                }
            }
        }
        self.now = end;
    }

    /// A datagram from `remote` to `to`, where a NAT may have its way with it.
    fn deliver(&mut self, side: usize, remote: SocketAddr, to: SocketAddr, data: &[u8]) {
        let behind = self.seen_as.iter().find(|(l, s)| *s == to && self.at[side].contains(l));
        let local = behind.map_or(to, |(l, _)| *l);
        let hidden = behind.is_none() && self.seen_as.iter().any(|(l, _)| *l == to);
        if hidden || !self.at[side].contains(&local) {
            return;
        }
        let message = Message::parse(data).expect("STUN");
        if self.sides[side].recognises(&message, remote) {
            self.give(side, Input::Stun { local, remote, message: &message });
        }
    }

    fn validated(&self, side: usize) -> Option<(Time, Pair)> {
        self.events[side].iter().find_map(|(t, e)| match e {
            Event::Validated { pair, .. } => Some((*t, *pair)),
            _ => None,
        })
    }

    fn moved(&self, side: usize) -> Option<(Time, Pair, SocketAddr)> {
        self.events[side].iter().find_map(|(t, e)| match e {
            Event::Moved { to, mapped, .. } => Some((*t, *to, *mapped)),
            _ => None,
        })
    }

    fn failure(&self, side: usize) -> Option<String> {
        self.events[side].iter().find_map(|(_, e)| match e {
            Event::Failed(failure) => Some(failure.to_string()),
            _ => None,
        })
    }
}

#[test]
fn both_sides_find_the_same_pair_at_once_with_and_without_a_key() {
    for keyed in [true, false] {
        let mut w = World::new(keyed, &[A], &["192.0.2.99:16402", B], 1);
        w.start();
        w.run(Duration::from_secs(1));
        let (t, pair) = w.validated(0).expect("the initiator has a pair");
        assert_eq!(pair, Pair { local: at(A), remote: at(B) });
        assert!(t <= Time::from_millis(1_100));
        assert_eq!(w.validated(1).expect("the responder has a pair").1, Pair { local: at(B), remote: at(A) });
        assert!(w.sides[0].is_proven(pair));
        assert!(!w.sides[0].is_proven(Pair { remote: at("192.0.2.99:16402"), ..pair }));
        let before = w.sent[0].len();
        w.run(Duration::from_secs(9));
        assert_eq!(w.sent[0].len(), before, "nothing more is checked once a pair is in use");
    }
}

#[test]
fn a_fifth_of_loss_and_400_ms_of_round_trip_delay_a_pair_and_never_prevent_it() {
    for keyed in [true, false] {
        for seed in 0..200 {
            let mut w = World::new(keyed, &[A], &[B], seed);
            (w.delay, w.loss) = (Duration::from_millis(200), 20);
            w.start();
            w.run(Duration::from_secs(30));
            for side in 0..2 {
                let (t, _) = w.validated(side).expect("a pair");
                assert!(t < Time::from_millis(11_000), "side {side} of seed {seed} at {t:?}");
            }
        }
    }
}

#[test]
fn a_peer_that_is_not_there_is_given_up_after_35_s_with_what_was_tried() {
    let mut w = World::new(true, &[A], &[B, "192.0.2.98:7"], 3);
    w.at[1] = Vec::new();
    w.start();
    w.run(Duration::from_secs(5));
    w.give(0, Input::Unreachable { remote: at("192.0.2.98:7") });
    w.run(Duration::from_secs(29));
    assert_eq!(w.failure(0), None);
    w.run(Duration::from_secs(2));
    let text = w.failure(0).expect("it gave up");
    assert!(text.starts_with("no path to the peer in 35 s. Tried 192.0.2.2:16402 (host): "), "{text}");
    assert!(
        text.contains("nothing came back") && text.contains("192.0.2.98:7") && text.contains("ICMP"),
        "{text}"
    );
    assert!(text.contains("NAT here: port-restricted") && text.contains("probe"), "{text}");
    let advised =
        |(t, e): &(Time, Event)| matches!(e, Event::RelayAdvised { .. }) && *t == Time::from_millis(7_000);
    assert!(w.events[0].iter().any(advised));
}

#[test]
fn a_wrong_key_is_answered_401_believed_never_and_named() {
    let (ta, tb) = (ticket(&[A], 1), ticket(&[B], 2));
    let a = PunchConfig::keyed(Role::Initiator, &ta, &tb);
    let mut b = PunchConfig::keyed(Role::Responder, &tb, &ta);
    b.key = Some(crate::nat::Key::new([9; 32]));
    let mut w = World::of([a, b], 4);
    w.start();
    w.run(Duration::from_secs(36));
    assert_eq!((w.validated(0), w.validated(1)), (None, None));
    let text = w.failure(0).expect("it gave up");
    assert!(text.contains("error 401") && text.contains("exchange new tickets"), "{text}");
    assert!(w.sides[1].report().unauthenticated > 20);
}

#[test]
fn a_check_played_again_from_elsewhere_is_counted_and_changes_nothing() {
    let mut w = World::new(true, &[A], &[B], 5);
    w.start();
    let (.., data) = w.wire.iter().find(|(_, from, ..)| *from == 0).cloned().expect("a check");
    w.run(Duration::from_secs(1));
    let (sent, events) = (w.sent[1].len(), w.events[1].len());
    w.deliver(1, at("203.0.113.66:666"), at(B), &data);
    w.run(Duration::from_secs(5));
    assert_eq!((w.sent[1].len(), w.events[1].len()), (sent, events));
    assert_eq!(w.sides[1].report().replayed, 1);
}

#[test]
fn an_off_path_attacker_without_the_key_moves_nothing() {
    for keyed in [true, false] {
        let mut w = World::new(keyed, &[A], &[B], 6);
        w.start();
        w.run(Duration::from_secs(1));
        w.give(1, Input::MediaSilent);
        let mut rng = ChaCha20Rng::seed_from_u64(66);
        let id = crate::stun::TransactionId::random(crate::stun::Dialect::Rfc8489, &mut rng);
        let name = format!("{}:x", ticket(&[B], 14).name());
        let forged =
            crate::stun::Builder::binding(Class::Request, id).username(name.as_bytes()).use_candidate();
        let forged = forged.finish(Some(&[1; 32]));
        for _ in 0..3 {
            w.deliver(1, at("203.0.113.66:666"), at(B), &forged);
        }
        w.run(Duration::from_secs(5));
        assert_eq!(w.moved(1), None);
        let refused = |(_, e): &&(Time, Event)| matches!(e, Event::MoveRefused { .. });
        assert_eq!(
            w.events[1].iter().filter(refused).count(),
            usize::from(!keyed),
            "told once, without a key"
        );
        assert_eq!(w.sides[1].report().unauthenticated, if keyed { 3 } else { 0 });
        assert_eq!(w.sides[1].report().current.map(|p| p.remote), Some(at(A)));
    }
}

#[test]
fn a_call_whose_own_address_changes_moves_on_both_sides_within_two_seconds() {
    for side in 0..2 {
        let mut w = World::new(true, &[A], &[B], 7);
        (w.delay, w.loss) = (Duration::from_millis(100), 0);
        w.start();
        w.run(Duration::from_secs(2));
        let new = at("198.51.100.7:16402");
        w.at[side] = vec![new];
        let changed = w.now;
        w.give(side, Input::LocalsChanged { locals: &[new] });
        w.run(Duration::from_secs(5));
        let (t, pair, _) = w.moved(side).expect("we move");
        assert!(pair.local == new && t - changed < Duration::from_secs(2));
        let (t, pair, _) = w.moved(1 - side).expect("the peer follows");
        assert!(pair.remote == new && t - changed < Duration::from_secs(2));
    }
}

#[test]
fn a_nat_that_rebinds_silently_is_followed_within_two_seconds_of_the_silence() {
    let mut w = World::new(true, &[A], &[B], 8);
    w.seen_as = vec![(at(A), at(A))];
    w.start();
    w.run(Duration::from_secs(2));
    let outside = at("192.0.2.1:50000");
    w.seen_as = vec![(at(A), outside)];
    let silent = w.now;
    w.give(0, Input::MediaSilent);
    w.give(1, Input::MediaSilent);
    w.run(Duration::from_secs(5));
    let (t, pair, _) = w.moved(1).expect("the peer follows");
    assert!(pair.remote == outside && t - silent < Duration::from_secs(2));
    let (_, _, mapped) = w.moved(0).expect("we hear of it");
    assert_eq!(mapped, outside);
}

#[test]
fn the_pair_in_use_is_checked_every_10_to_15_seconds() {
    let mut w = World::new(true, &[A], &[B], 9);
    w.start();
    w.run(Duration::from_secs(1));
    w.sent[0].clear();
    w.run(Duration::from_secs(120));
    // Its own checks and the answers to the peer's: 8 to 12 of each.
    assert!((16..=24).contains(&w.sent[0].len()), "{}", w.sent[0].len());
    assert!(w.events[0].iter().all(|(_, e)| !matches!(e, Event::PathLost { .. })));
}

#[test]
fn nothing_is_ever_sent_into_seventeen_slash_eight() {
    let peer = vec![host("17.1.2.3:16402"), host(B)];
    let configs =
        [PunchConfig::bare(Role::Initiator, peer), PunchConfig::bare(Role::Responder, vec![host(A)])];
    let mut w = World::of(configs, 10);
    w.start();
    w.run(Duration::from_secs(2));
    w.give(0, Input::Suggested { remote: at("17.9.9.9:1") });
    w.run(Duration::from_secs(20));
    assert!(w.validated(0).is_some());
    assert!(w.sent[0].iter().all(|(_, p)| !crate::nat::is_forbidden(p.remote.ip())));
    assert_eq!(w.sides[0].report().refused.len(), 1);
}

#[test]
fn without_a_key_the_call_names_the_new_address_and_a_round_trip_proves_it() {
    let mut w = World::new(false, &[A], &[B], 11);
    w.start();
    w.run(Duration::from_secs(1));
    let new = at("198.51.100.7:16402");
    w.at[0].push(new);
    w.give(1, Input::Suggested { remote: at("203.0.113.1:9") });
    w.run(Duration::from_secs(10));
    assert_eq!(w.moved(1), None, "nobody answers there");
    w.at[0] = vec![new];
    w.give(0, Input::LocalsChanged { locals: &[new] });
    w.give(1, Input::Suggested { remote: new });
    w.run(Duration::from_secs(3));
    assert_eq!(w.moved(1).map(|m| m.1.remote), Some(new));
}
