//! Tickets: what is read can be used and is written alike, nothing that may not be contacted gets in, and a copy
//! that was torn or mistyped is told.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};
use visavis_fuzz::Octets;
use visavis_proto::Time;
use visavis_proto::nat::{
    Candidate, CandidateKind, NatKind, TICKET_CANDIDATES, TICKET_OCTETS, Ticket, gather, is_forbidden,
    name_of, objection, shared_key,
};

fuzz_target!(|data: &[u8]| {
    let mut octets = Octets(data);
    match octets.octet() % 4 {
        0 => text(octets.0),
        1 => binary(octets.0),
        // Any content, with the version and the checksum of an honest ticket.
        2 => {
            let mut content = octets.0.to_vec();
            content.insert(0, 1);
            content.truncate(TICKET_OCTETS + 8);
            let sum = Sha256::digest(&content);
            content.extend(&sum[..4]);
            binary(&content);
        }
        _ => honest(&mut octets),
    }
});

fn text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for text in [text.to_string(), format!("vv1-{text}")] {
        match text.parse::<Ticket>() {
            Ok(ticket) => {
                look(&ticket);
                assert!(ticket.to_string().len() <= text.trim().len(), "written longer than it was read");
            }
            Err(error) => drop(error.to_string()),
        }
    }
}

fn binary(data: &[u8]) {
    match Ticket::decode(data) {
        Ok(ticket) => {
            assert!(data.len() <= TICKET_OCTETS);
            look(&ticket);
        }
        Err(error) => drop(error.to_string()),
    }
}

/// What must hold of every ticket that was read or made.
fn look(ticket: &Ticket) {
    assert!((1..=TICKET_CANDIDATES).contains(&ticket.candidates.len()));
    for candidate in &ticket.candidates {
        let address = candidate.address;
        assert_eq!(objection(address), None);
        assert!(!is_forbidden(address.ip()) && address.port() != 0, "{address}");
        let first = match address.ip().to_canonical() {
            IpAddr::V4(v4) => v4.octets()[0],
            IpAddr::V6(_) => 0,
        };
        assert_ne!(first, 17, "{address}");
        let _ = candidate.to_string();
    }
    let (octets, line) = (ticket.encode(), ticket.to_string());
    assert!(octets.len() <= TICKET_OCTETS);
    assert!(line.is_ascii() && !line.contains(char::is_whitespace));
    assert_eq!(Ticket::decode(&octets).as_ref(), Ok(ticket));
    assert_eq!(line.parse().as_ref(), Ok(ticket));
    // What the clock can show: it counts nanoseconds.
    if (1..9_000_000_000).contains(&ticket.expires) {
        let at = |seconds: u64| Time::ZERO.with_unix_offset(seconds as i64 * 1_000_000_000);
        assert!(ticket.valid_at(at(ticket.expires)).is_err());
        assert!(ticket.valid_at(at(ticket.expires - 1)).is_ok());
    }
    assert!(!format!("{ticket:?}").contains(&ticket.name()));
    assert_eq!(ticket.name(), name_of(&ticket.nonce));
}

/// Tickets of two sides with any addresses; one of them is then torn, or mistyped.
fn honest(octets: &mut Octets<'_>) {
    let kinds =
        [CandidateKind::Host, CandidateKind::Mapped, CandidateKind::PeerReflexive, CandidateKind::Relayed];
    let mut sides = Vec::new();
    for seed in 0..2 {
        let (mut candidates, choice) = (Vec::new(), octets.octet());
        for _ in 0..choice & 0x0f {
            let control = octets.octet();
            let ip = if control & 0x80 == 0 {
                IpAddr::from(padded::<4>(octets.take(4)))
            } else {
                IpAddr::from(padded::<16>(octets.take(16)))
            };
            let address = SocketAddr::new(ip, u16::from_be_bytes(padded(octets.take(2))));
            candidates.push(Candidate::new(kinds[usize::from(control & 3)], address));
        }
        let addresses: Vec<SocketAddr> = candidates.iter().map(|c| c.address).collect();
        let found = gather(&addresses, &addresses);
        assert!(found.iter().all(|c| objection(c.address).is_none()));
        let identity = (choice & 0x80 != 0).then_some([choice; 8]);
        let nat = [NatKind::Open, NatKind::PortRestricted, NatKind::Symmetric, NatKind::Unknown];
        let nat = nat[usize::from(choice >> 4 & 3)];
        let expires = u64::from_be_bytes(padded(octets.take(8)));
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        for candidates in [candidates, found] {
            match Ticket::new(&candidates, nat, identity, expires, &mut rng) {
                Ok(ticket) => {
                    look(&ticket);
                    sides.push(ticket);
                }
                Err(error) => drop(error.to_string()),
            }
        }
    }
    if let [first, .., last] = &sides[..] {
        assert_eq!(shared_key(first, last), shared_key(last, first));
        assert_ne!(shared_key(first, last), shared_key(first, first));
        let (octet, change) = (octets.octet(), octets.octet().max(1));
        let mut copy = first.encode();
        let at = usize::from(octet) % copy.len();
        copy[at] ^= change;
        assert!(Ticket::decode(&copy).is_err(), "octet {at} was changed");
        let line = first.to_string();
        assert!(line[..usize::from(octet) % line.len()].parse::<Ticket>().is_err(), "a torn copy");
    }
}

fn padded<const N: usize>(octets: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array[..octets.len()].copy_from_slice(octets);
    array
}
