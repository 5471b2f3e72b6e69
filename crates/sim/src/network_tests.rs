use super::*;
use crate::link::{Jitter, Loss, Rate, Reorder};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn packet(src: &str, dst: &str, data: &[u8]) -> Packet {
    Packet { src: address(src), dst: address(dst), data: Bytes::copy_from_slice(data) }
}

fn drain(network: &mut Network) -> Vec<Arrival> {
    let mut arrivals = Vec::new();
    while let Some(at) = network.next_event() {
        arrivals.extend(network.advance(at));
    }
    arrivals
}

fn bad_line() -> Access {
    Access::symmetric(LinkProfile {
        loss: Loss::bursts(0.03, 2.0),
        delay: 20 * MS,
        jitter: Jitter::Uniform(10 * MS),
        reorder: Reorder { probability: 0.02, by: 15 * MS },
        duplicate: 0.02,
        rate: Some(Rate { bits_per_second: 500_000, queue: 100 * MS }),
    })
}

#[test]
fn a_datagram_takes_the_time_of_both_lines() {
    let mut network = Network::new([0; 32]);
    let line = |ms| Access::symmetric(LinkProfile::delay(ms * MS));
    let a = network.add_host(&["10.0.0.1".parse().unwrap()], line(10), None).unwrap();
    let b = network.add_host(&["fd00::2".parse().unwrap()], line(5), None).unwrap();
    let sent = packet("10.0.0.1:5060", "[fd00::2]:5060", b"hello");
    network.send(Time::from_millis(1), a, sent.clone());
    assert_eq!(network.stats().in_flight, 1);
    assert_eq!(drain(&mut network), [Arrival { at: Time::from_millis(16), host: b, packet: sent }]);
    assert_eq!(network.stats().delivered, 1);
}

#[test]
fn the_line_carries_the_headers_too() {
    assert_eq!(packet("10.0.0.1:1", "10.0.0.2:1", b"12345").line_octets(), 33);
    assert_eq!(packet("[fd00::1]:1", "[fd00::2]:1", b"12345").line_octets(), 53);
}

#[test]
fn an_address_that_nobody_has_is_counted() {
    let mut network = Network::new([0; 32]);
    let a = network.add_host(&["10.0.0.1".parse().unwrap()], Access::default(), None).unwrap();
    network.send(Time::ZERO, a, packet("10.0.0.1:1", "10.0.0.9:1", b"x"));
    assert!(drain(&mut network).is_empty());
    assert_eq!(network.stats().unroutable, 1);
    assert_eq!(network.stats().in_flight, 0);
}

#[test]
fn an_address_is_given_only_once() {
    let mut network = Network::new([0; 32]);
    let ip: IpAddr = "10.0.0.1".parse().unwrap();
    network.add_host(&[ip], Access::default(), None).unwrap();
    let second = network.add_host(&[ip], Access::default(), None);
    assert_eq!(second, Err(NetworkError::AddressTaken(ip)));
}

#[test]
fn a_host_that_moves_loses_what_is_on_its_way_to_its_old_address() {
    let mut network = Network::new([0; 32]);
    let line = || Access::symmetric(LinkProfile::delay(10 * MS));
    let [old, new, taken]: [IpAddr; 3] =
        ["10.0.0.1", "10.0.0.2", "10.0.0.9"].map(|text| text.parse().unwrap());
    let a = network.add_host(&[old], line(), None).unwrap();
    let b = network.add_host(&[taken], line(), None).unwrap();
    network.send(Time::ZERO, b, packet("10.0.0.9:1", "10.0.0.1:1", b"on its last leg"));
    assert_eq!(network.advance(Time::from_millis(10)), None);
    network.send(Time::from_millis(10), b, packet("10.0.0.9:1", "10.0.0.1:1", b"on its first leg"));
    assert_eq!(network.set_addresses(a, &[taken]), Err(NetworkError::AddressTaken(taken)));
    network.set_addresses(a, &[new]).unwrap();
    assert!(drain(&mut network).is_empty());
    assert_eq!(network.stats().unroutable, 2);
    let after = packet("10.0.0.9:1", "10.0.0.2:1", b"after");
    network.send(Time::from_millis(30), b, after.clone());
    assert_eq!(drain(&mut network)[0].packet, after);
}

#[test]
fn every_datagram_is_accounted_for_at_every_moment() {
    let mut network = Network::new([3; 32]);
    let a = network.add_host(&["10.0.0.1".parse().unwrap()], bad_line(), None).unwrap();
    let b = network.add_host(&["10.0.0.2".parse().unwrap()], bad_line(), None).unwrap();
    let mut arrived = 0;
    for i in 0..20_000u64 {
        let now = Time::from_millis(8 * i);
        while network.next_event().is_some_and(|at| at <= now) {
            arrived += u64::from(network.advance(now).is_some());
        }
        network.send(now, a, packet("10.0.0.1:1", "10.0.0.2:1", &[0; 600]));
        network.send(now, b, packet("10.0.0.2:1", "10.0.0.1:1", &[0; 300]));
        let s = network.stats();
        let ends = s.delivered + s.lost + s.queue_full + s.filtered + s.unroutable + s.in_flight;
        assert_eq!(s.sent + s.duplicated, ends);
        assert_eq!(s.delivered, arrived);
    }
    assert!(network.stats().in_flight > 0);
    drain(&mut network);
    let stats = network.stats();
    assert_eq!(stats.in_flight, 0);
    for count in [stats.lost, stats.queue_full, stats.duplicated, stats.delivered] {
        assert!(count > 100, "{stats:?}");
    }
    let links = [network.link_stats(a), network.link_stats(b)];
    let lost: u64 = links.iter().map(|(up, down)| up.lost + down.lost).sum();
    assert_eq!(stats.lost, lost);
}

#[test]
fn equal_seeds_give_equal_networks() {
    let run = |seed: u8| {
        let mut network = Network::new([seed; 32]);
        let a = network.add_host(&["10.0.0.1".parse().unwrap()], bad_line(), None).unwrap();
        network.add_host(&["10.0.0.2".parse().unwrap()], bad_line(), None).unwrap();
        for i in 0..2000u64 {
            network.send(Time::from_millis(i), a, packet("10.0.0.1:1", "10.0.0.2:1", &i.to_be_bytes()));
        }
        drain(&mut network)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

/// Gives each inside port the same port on its one outside address, and lets in what comes from where the
/// inside has sent to.
struct ToyNat {
    outside: IpAddr,
    inside: Vec<(SocketAddr, SocketAddr)>,
}

impl Middlebox for ToyNat {
    fn addresses(&self) -> Vec<IpAddr> {
        vec![self.outside]
    }

    fn outbound(&mut self, _now: Time, packet: Packet) -> Option<Packet> {
        self.inside.push((packet.src, packet.dst));
        Some(Packet { src: SocketAddr::new(self.outside, packet.src.port()), ..packet })
    }

    fn inbound(&mut self, _now: Time, packet: Packet) -> Option<Packet> {
        let known =
            |(src, dst): &&(SocketAddr, SocketAddr)| src.port() == packet.dst.port() && *dst == packet.src;
        let dst = self.inside.iter().find(known)?.0;
        Some(Packet { dst, ..packet })
    }
}

#[test]
fn a_middlebox_rewrites_what_passes_and_drops_what_it_does_not_know() {
    let mut network = Network::new([0; 32]);
    let nat = |outside: &str| ToyNat { outside: outside.parse().unwrap(), inside: Vec::new() };
    let outer = network.add_middlebox(Box::new(nat("203.0.113.1")), None).unwrap();
    let home = network.add_middlebox(Box::new(nat("100.64.0.7")), Some(outer)).unwrap();
    let lan: IpAddr = "192.168.0.2".parse().unwrap();
    let line = Access::default;
    let inside = network.add_host(&[lan], line(), Some(home)).unwrap();
    let mate = network.add_host(&["192.168.0.3".parse().unwrap()], line(), Some(home)).unwrap();
    let server = network.add_host(&["198.51.100.1".parse().unwrap()], line(), None).unwrap();

    network.send(Time::ZERO, server, packet("198.51.100.1:7", "203.0.113.1:9", b"too early"));
    network.send(Time::ZERO, inside, packet("192.168.0.2:9", "192.168.0.3:9", b"neighbour"));
    network.send(Time::ZERO, inside, packet("192.168.0.2:9", "198.51.100.1:7", b"out"));
    let arrivals = drain(&mut network);
    let seen: Vec<_> = arrivals.iter().map(|a| (a.host, a.packet.clone())).collect();
    assert_eq!(
        seen,
        [
            (mate, packet("192.168.0.2:9", "192.168.0.3:9", b"neighbour")),
            (server, packet("203.0.113.1:9", "198.51.100.1:7", b"out")),
        ]
    );
    assert_eq!(network.stats().filtered, 1);
    assert_eq!(network.middlebox::<ToyNat>(home).unwrap().inside.len(), 1);
    assert!(network.middlebox::<crate::Nat>(home).is_none());

    network.send(Time::ZERO, server, packet("198.51.100.1:7", "203.0.113.1:9", b"back"));
    let arrivals = drain(&mut network);
    assert_eq!(arrivals[0].host, inside);
    assert_eq!(arrivals[0].packet, packet("198.51.100.1:7", "192.168.0.2:9", b"back"));
}
