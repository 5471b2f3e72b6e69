//! Questions about the NAT, asked of an agent as of any STUN server.

use super::*;
use crate::nat::{Behaviour, Classification, NatKind};

impl Wire {
    fn classify(&mut self, servers: &[SocketAddr]) {
        let (servers, locals) = (servers.to_vec(), vec![self.agents[0].1]);
        self.command(0, Command::Classify { request: RequestId(7), servers, locals });
    }

    fn classification(&self) -> Option<Classification> {
        self.events[0].iter().find_map(|e| match e {
            Event::Classified { request: RequestId(7), result } => Some(result.clone()),
            _ => None,
        })
    }
}

#[test]
fn an_agent_tells_its_own_address_as_another_one_sees_it() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    let (own, peer) = (wire.agents[0].1, wire.agents[1].1);
    wire.classify(&[peer]);
    wire.run(Duration::from_secs(1));
    let found = wire.classification().expect("it was answered");
    assert_eq!((found.mapped, found.mapping), (vec![own], Behaviour::EndpointIndependent));
    assert_eq!((found.filtering, found.preserves_port), (Behaviour::Unknown, Some(true)));
    assert!(wire.agents[0].0.is_idle());
    assert_eq!(wire.agents[0].0.counters().dropped.stun_stray, 0);
}

#[test]
fn a_server_that_does_not_answer_ends_a_classification_all_the_same() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    let nobody: SocketAddr = "192.0.2.200:3478".parse().unwrap();
    wire.classify(&[nobody]);
    wire.run(Duration::from_secs(4));
    assert_eq!(wire.classification(), None);
    wire.run(Duration::from_secs(2));
    assert_eq!(wire.classification().map(|c| (c.kind, c.mapped)), Some((NatKind::Unknown, vec![])));
}
