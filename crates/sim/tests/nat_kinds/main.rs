//! What a classification makes of every kind of NAT, and of servers that can little or do wrong.

mod agent;
mod lab;

use lab::{CLIENT, FIRST, Lab, Manner, OUTSIDE, PLAIN, SECOND, at};
use std::net::SocketAddr;
use std::time::Duration;
use visavis_proto::nat::{Behaviour, NatKind};
use visavis_proto::stun::Dialect;
use visavis_sim::{Behaviour as Simulated, Firewall, NatProfile, PortAssignment};

const ALL: [(Simulated, Behaviour); 3] = [
    (Simulated::EndpointIndependent, Behaviour::EndpointIndependent),
    (Simulated::AddressDependent, Behaviour::AddressDependent),
    (Simulated::AddressAndPortDependent, Behaviour::AddressAndPortDependent),
];

#[test]
fn every_mapping_and_filtering_behaviour_is_told_by_a_server_with_two_addresses() {
    for dialect in [Dialect::Rfc8489, Dialect::Rfc3489] {
        for (mapping, expected_mapping) in ALL {
            for (filtering, expected_filtering) in ALL {
                let ports = PortAssignment::Random;
                let profile = NatProfile { mapping, filtering, ports, ..NatProfile::full_cone() };
                let mut lab = Lab::new(Some(profile), 1);
                lab.dialect = dialect;
                let (found, took) = lab.classify(&[FIRST]);
                let behaviours = (found.mapping, found.filtering);
                assert_eq!(behaviours, (expected_mapping, expected_filtering), "{}", found.how);
                assert_eq!(found.kind, NatKind::of(expected_mapping, expected_filtering));
                assert_eq!(found.preserves_port, Some(false));
                assert!(took < Duration::from_millis(5600), "{took:?}: {}", found.how);
            }
        }
    }
}

#[test]
fn the_named_kinds_are_told_with_what_else_is_known_of_them() {
    for (profile, kind, hairpin) in [
        (NatProfile::full_cone(), NatKind::FullCone, Some(true)),
        (NatProfile::full_cone().without_hairpinning(), NatKind::FullCone, Some(false)),
        (NatProfile::address_restricted(), NatKind::AddressRestricted, Some(true)),
        (NatProfile::port_restricted(), NatKind::PortRestricted, Some(true)),
        (NatProfile::port_restricted().without_hairpinning(), NatKind::PortRestricted, Some(false)),
        // What comes back comes from a port that was not sent to.
        (NatProfile::symmetric(), NatKind::Symmetric, None),
    ] {
        let keeps = profile.ports == PortAssignment::Preserving;
        let (found, _) = Lab::new(Some(profile), 2).classify(&[FIRST]);
        assert_eq!((found.kind, found.hairpin, found.preserves_port), (kind, hairpin, Some(keeps)));
        assert!(found.mapped.iter().all(|mapped| mapped.ip().to_string() == OUTSIDE), "{found:?}");
        assert_eq!(found.mapped.len(), if kind == NatKind::Symmetric { 3 } else { 1 });
    }
}

#[test]
fn nothing_is_sent_to_the_second_address_before_the_filter_has_been_tried() {
    let mut lab = Lab::new(Some(NatProfile::port_restricted()), 3);
    let (found, took) = lab.classify(&[FIRST]);
    let other = |to: &SocketAddr| to.ip() == at(SECOND).ip();
    let first = lab.sent.iter().find(|(_, to)| other(to)).expect("it is asked in the end").0;
    assert!(
        first - visavis_proto::Time::ZERO >= Duration::from_secs(5),
        "{first:?} of {took:?}: {}",
        found.how
    );
    assert!(lab.sent.len() < 30, "{} requests", lab.sent.len());
}

#[test]
fn without_a_nat_the_network_is_open_or_has_a_filter() {
    let (found, took) = Lab::new(None, 4).classify(&[FIRST]);
    assert_eq!((found.kind, found.mapped.clone(), found.hairpin), (NatKind::Open, vec![at(CLIENT)], None));
    assert!(took < Duration::from_millis(500), "{took:?}");
    assert!(found.how.contains("no address translation"), "{}", found.how);
    for (simulated, filtering) in ALL {
        let mut lab = Lab::new(None, 4);
        lab.front = Some(Box::new(Firewall::stateful(&[at(CLIENT).ip()], simulated)));
        let (found, _) = lab.classify(&[FIRST]);
        assert_eq!((found.mapping, found.filtering), (Behaviour::EndpointIndependent, filtering));
        assert!(found.how.contains("no address translation"), "{}", found.how);
    }
    let mut lab = Lab::new(None, 4).serving(&PLAIN.map(|address| (address, Manner::Plain)));
    lab.front = Some(Box::new(Firewall::blocking_udp(&[at(CLIENT).ip()])));
    assert_eq!(lab.classify(&PLAIN).0.kind, NatKind::Blocked);
}

#[test]
fn loss_is_not_taken_for_a_filter() {
    for (profile, kind) in [
        (NatProfile::full_cone(), NatKind::FullCone),
        (NatProfile::address_restricted(), NatKind::AddressRestricted),
        (NatProfile::port_restricted(), NatKind::PortRestricted),
        (NatProfile::symmetric(), NatKind::Symmetric),
    ] {
        let tell = |seed| {
            let mut lab = Lab::new(Some(profile.clone()), seed);
            lab.loss = 10;
            lab.delay = Duration::from_millis(150);
            lab.classify(&[FIRST]).0.kind
        };
        let wrong: Vec<u64> = (0..200).filter(|seed| tell(*seed) != kind).collect();
        assert!(wrong.len() <= 1, "{kind}: wrong with seeds {wrong:?}");
    }
}

#[test]
fn two_servers_of_one_address_tell_the_mapping_and_not_the_filter() {
    for (profile, mapping, kind) in [
        (Some(NatProfile::full_cone()), Behaviour::EndpointIndependent, NatKind::Unknown),
        (Some(NatProfile::port_restricted()), Behaviour::EndpointIndependent, NatKind::Unknown),
        (Some(NatProfile::symmetric()), Behaviour::AddressAndPortDependent, NatKind::Symmetric),
        (None, Behaviour::EndpointIndependent, NatKind::Unknown),
    ] {
        let mut lab = Lab::new(profile, 5).serving(&PLAIN.map(|address| (address, Manner::Plain)));
        let (found, _) = lab.classify(&PLAIN);
        assert_eq!((found.mapping, found.filtering, found.kind), (mapping, Behaviour::Unknown, kind));
        assert!(found.how.contains("no server has a second address"), "{}", found.how);
    }
    let mut lab = Lab::new(Some(NatProfile::full_cone()), 5).serving(&[(PLAIN[0], Manner::Plain)]);
    let (found, _) = lab.classify(&PLAIN[..1]);
    assert_eq!((found.mapping, found.kind), (Behaviour::Unknown, NatKind::Unknown), "one sees too little");
    assert_eq!(found.mapped, [SocketAddr::new(OUTSIDE.parse().unwrap(), at(CLIENT).port())]);
}

#[test]
fn servers_that_are_down_cost_little_time_and_all_of_them_mean_that_nothing_passes() {
    let mut lab = Lab::new(Some(NatProfile::full_cone()), 6);
    let (found, took) = lab.classify(&[PLAIN[0], PLAIN[1], FIRST]);
    assert_eq!(found.kind, NatKind::FullCone);
    assert!(took < Duration::from_secs(2), "{took:?}");

    let (found, took) = lab.serving(&[]).classify(&PLAIN);
    assert_eq!((found.kind, found.mapping, found.mapped.len()), (NatKind::Blocked, Behaviour::Unknown, 0));
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert!(found.how.contains("nothing came from 192.0.2.1:3478; nothing came from 192.0.2.99:5000"));

    let (found, _) = Lab::new(None, 6).serving(&[]).classify(&[FIRST]);
    assert_eq!((found.kind, found.preserves_port), (NatKind::Unknown, None), "it may be the server alone");
}

#[test]
fn a_server_that_does_not_change_its_address_tells_nothing_of_the_filter() {
    for manner in [Manner::Ignoring, Manner::Refusing] {
        for profile in [NatProfile::full_cone(), NatProfile::port_restricted()] {
            let mut lab = Lab::new(Some(profile), 7).serving(&[(FIRST, manner)]);
            let (found, took) = lab.classify(&[FIRST]);
            let behaviours = (found.mapping, found.filtering);
            assert_eq!(behaviours, (Behaviour::EndpointIndependent, Behaviour::Unknown), "{manner:?}");
            assert!(took < Duration::from_secs(1), "{took:?}");
            assert!(found.how.contains("would not answer from"), "{}", found.how);
        }
    }
}

#[test]
fn a_server_that_misnames_its_second_address_still_tells_the_filter() {
    for (profile, filtering) in [
        (NatProfile::full_cone(), Behaviour::EndpointIndependent),
        (NatProfile::port_restricted(), Behaviour::AddressAndPortDependent),
    ] {
        let mut lab = Lab::new(Some(profile), 8).serving(&[(FIRST, Manner::Misnaming)]);
        let (found, _) = lab.classify(&[FIRST]);
        assert_eq!((found.mapping, found.filtering), (Behaviour::Unknown, filtering), "{}", found.how);
    }
}

#[test]
fn where_the_second_address_was_asked_first_the_filter_stays_unknown() {
    let servers = [("198.51.100.2:5000", Manner::Plain), (FIRST, Manner::Full)];
    let mut lab = Lab::new(Some(NatProfile::address_restricted()), 9).serving(&servers);
    let (found, _) = lab.classify(&["198.51.100.2:5000", FIRST]);
    assert_eq!((found.mapping, found.filtering), (Behaviour::EndpointIndependent, Behaviour::Unknown));
    assert!(found.how.contains("198.51.100.2 had been asked before"), "{}", found.how);
}

#[test]
fn nothing_goes_to_seventeen_slash_eight_whoever_names_it() {
    let mut lab = Lab::new(Some(NatProfile::full_cone()), 10);
    let (found, took) = lab.classify(&["17.0.0.1:3478", "[2001:db8::1]:3478"]);
    assert_eq!((found.kind, took), (NatKind::Unknown, Duration::ZERO));
    assert!(found.how.starts_with("17.0.0.1:3478 was not asked: it lies in 17.0.0.0/8"), "{}", found.how);
    assert!(
        found.how.contains("[2001:db8::1]:3478 was not asked: it is of an address family"),
        "{}",
        found.how
    );

    for (manner, named) in [
        (Manner::Lying("17.9.9.9:1"), "17.9.9.9"),
        (Manner::Pointing("17.9.9.9:1"), "17.9.9.9"),
        (Manner::Pointing("127.0.0.1:1"), "127.0.0.1"),
    ] {
        let mut lab = Lab::new(Some(NatProfile::full_cone()), 11).serving(&[(FIRST, manner)]);
        let (found, _) = lab.classify(&[FIRST]);
        assert!(!found.mapped.is_empty(), "{manner:?}: {}", found.how);
        assert!(lab.sent.iter().all(|(_, to)| to.ip().to_string() != named), "{manner:?}: {:?}", lab.sent);
    }
}
