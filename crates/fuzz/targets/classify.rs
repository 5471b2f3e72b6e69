//! Classification of NATs, with servers that say anything: it comes to a result in time, asks nobody whom nothing may
//! be sent to, and nobody more often than a dozen times.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;
use visavis_fuzz::Octets;
use visavis_proto::Time;
use visavis_proto::nat::{Classifier, ClassifierConfig, objection};
use visavis_proto::stun::attribute::{CHANGED_ADDRESS, OTHER_ADDRESS, XOR_MAPPED_ADDRESS};
use visavis_proto::stun::{Builder, Class, Dialect, Message};

/// Servers with other addresses, our own and mapped ones, and some that no host has.
const ADDRESSES: [&str; 16] = [
    "198.51.100.1:3478",
    "198.51.100.2:3479",
    "198.51.100.1:3479",
    "198.51.100.2:3478",
    "203.0.113.5:3478",
    "203.0.113.6:3478",
    "[2001:db8::5]:3478",
    "[2001:db8::6]:3479",
    "10.0.0.1:16402",
    "192.0.2.1:16402",
    "192.0.2.1:40000",
    "127.0.0.1:1",
    "17.1.2.3:3478",
    "224.0.0.1:5",
    "0.0.0.0:3478",
    "[::ffff:17.1.2.3]:9",
];
/// A server that names somebody else has this many requests sent there at most.
const MOST_REQUESTS: u32 = 12;
/// Three phases of five seconds, the pace of their questions, and a head start for each of eight servers.
const LONGEST: Duration = Duration::from_secs(25);

fn address(choice: u8) -> SocketAddr {
    ADDRESSES[usize::from(choice) % ADDRESSES.len()].parse().unwrap()
}

fuzz_target!(|data: &[u8]| {
    let mut octets = Octets(data);
    let (choice, begun) = (octets.octet(), Time::from_millis(1));
    let dialect = if choice & 1 == 0 { Dialect::Rfc8489 } else { Dialect::Rfc3489 };
    let config = ClassifierConfig { dialect, ..ClassifierConfig::default() };
    let list = |octets: &mut Octets<'_>, count: u8| -> Vec<SocketAddr> {
        (0..count).map(|_| address(octets.octet())).collect()
    };
    let locals = list(&mut octets, choice >> 1 & 0x03);
    let servers = list(&mut octets, choice >> 3 & 0x0f);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut classifier = Classifier::new(begun, config, &locals, &servers, &mut rng);
    let (mut now, mut asked) = (begun, Vec::new());
    while !octets.is_empty() {
        let (action, choice) = (octets.octet(), octets.octet());
        follow(&mut classifier, begun, now, &mut asked);
        match action % 4 {
            0 => {
                let end = now + Duration::from_millis(u64::from(choice) * 10);
                while let Some(at) = classifier.next_timeout().filter(|at| *at <= end) {
                    now = at;
                    follow(&mut classifier, begun, now, &mut asked);
                }
                now = end;
            }
            // An answer from wherever, that names whomever.
            1 | 2 => {
                let Some((to, request)) = asked.get(usize::from(choice) % asked.len().max(1)) else {
                    continue;
                };
                let from = if action & 0x10 == 0 { *to } else { address(octets.octet()) };
                let class = if action & 0x20 == 0 { Class::Success } else { Class::Error };
                let mut answer = Builder::binding(class, request.transaction);
                if class == Class::Error {
                    answer = answer.error(300 + u16::from(octets.octet()), "no");
                } else if action & 0x40 == 0 {
                    answer = answer.mapped_address(address(octets.octet()));
                }
                if action & 0x80 == 0 {
                    let kind = if choice & 0x80 == 0 { OTHER_ADDRESS } else { CHANGED_ADDRESS };
                    answer = answer.address(kind, address(octets.octet()));
                }
                if action & 0x08 != 0 {
                    answer = answer.attribute(XOR_MAPPED_ADDRESS, octets.data());
                }
                let message = Message::parse(&answer.finish(None)).unwrap();
                assert!(classifier.handle(now, &message, from), "an answer to none of its questions");
            }
            _ => {
                if let Ok(message) = Message::parse(octets.data()) {
                    let is_its_own =
                        asked.iter().any(|(_, r): &(_, Message)| r.transaction == message.transaction);
                    assert!(
                        classifier.handle(now, &message, address(choice)) <= is_its_own || asked.is_empty()
                    );
                }
            }
        }
    }
    for _ in 0..1_000 {
        follow(&mut classifier, begun, now, &mut asked);
        let Some(at) = classifier.next_timeout() else { break };
        now = now.max(at);
    }
    let result = classifier.result().expect("a result");
    assert!(!result.to_string().is_empty() && (servers.is_empty() || !result.how.is_empty()));
    let mut times: HashMap<SocketAddr, u32> = HashMap::new();
    asked.iter().for_each(|(to, _)| *times.entry(*to).or_default() += 1);
    let named = times.iter().filter(|(to, _)| !servers.contains(to)).max_by_key(|(_, times)| **times);
    assert!(named.is_none_or(|(_, times)| *times <= MOST_REQUESTS), "asked too often: {named:?}");
});

/// Takes what it sends, and checks that it comes to an end.
fn follow(classifier: &mut Classifier, begun: Time, now: Time, asked: &mut Vec<(SocketAddr, Message)>) {
    let mut datagrams = 0;
    while let Some((to, data)) = classifier.poll(now) {
        datagrams += 1;
        assert!(datagrams <= 16, "datagrams for ever");
        assert_eq!(objection(to), None, "asked {to}");
        let request = Message::parse(&data).unwrap();
        assert!(request.is_binding_request());
        asked.push((to, request));
    }
    assert_eq!(classifier.next_timeout().is_none(), classifier.result().is_some());
    let next = classifier.next_timeout();
    assert!(next.is_none_or(|at| at > now), "a question that is due was not asked");
    assert!(next.is_none_or(|at| at - begun < LONGEST), "no end: {next:?}");
}
