//! An agent asks from its own socket, and answers as any STUN server does.

use crate::lab::at;
use std::net::SocketAddr;
use std::time::Duration;
use visavis_proto::agent::Config;
use visavis_proto::io::{Command, Event, RequestId};
use visavis_proto::nat::{Behaviour, Classification, NatKind};
use visavis_sim::{Pair, Side};

const OWN: &str = "192.0.2.1:16402";
const PEER: &str = "192.0.2.2:16402";

fn asking(server: SocketAddr) -> Pair {
    let mut pair = Pair::on_good_lines(1, Config::default());
    let (servers, locals) = (vec![server], vec![at(OWN)]);
    pair.command(Side::A, Command::Classify { request: RequestId(7), servers, locals });
    pair
}

fn found(pair: &Pair) -> Option<Classification> {
    pair.log(Side::A).iter().find_map(|(_, event)| match event {
        Event::Classified { request: RequestId(7), result } => Some(result.clone()),
        _ => None,
    })
}

#[test]
fn an_agent_tells_its_own_address_as_another_one_sees_it() {
    let mut pair = asking(at(PEER));
    pair.run(Duration::from_secs(1));
    let found = found(&pair).expect("it was answered");
    assert_eq!((found.mapped, found.mapping), (vec![at(OWN)], Behaviour::EndpointIndependent));
    assert_eq!((found.filtering, found.preserves_port), (Behaviour::Unknown, Some(true)));
    assert!(pair.agent(Side::A).is_idle());
    assert_eq!(pair.agent(Side::A).counters().dropped.stun_stray, 0);
    assert_eq!(pair.agent(Side::B).counters().stun_answered, 1);
}

#[test]
fn an_agent_gives_a_server_five_seconds_and_is_busy_until_then() {
    let mut pair = asking(at("192.0.2.200:3478"));
    pair.run(Duration::from_secs(4));
    assert_eq!(found(&pair), None);
    assert!(!pair.agent(Side::A).is_idle());
    pair.run(Duration::from_secs(2));
    assert_eq!(found(&pair).map(|c| (c.kind, c.mapped)), Some((NatKind::Unknown, vec![])));
    assert!(pair.agent(Side::A).is_idle());
}
