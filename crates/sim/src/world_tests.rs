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
    let toy = Toy { peer: Some(world.address(echo)), left: count, next: Some(world.now()), ..Toy::default() };
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
