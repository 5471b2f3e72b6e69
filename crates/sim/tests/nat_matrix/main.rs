//! Which NATs two peers meet through, and what the others are told: the table below is the test.
//!
//! Each peer knows its mapped address from a STUN server, and both punch at the same time (RFC 5128 section 3.3).
//! That works unless one side's mapping is not known to the other (an address and port-dependent one, RFC 4787
//! section 4.1) and the other side lets in only what it has sent to by address and port (section 5).

mod peer;

use peer::{Front, Manner, Net};
use visavis_proto::nat::NatKind;
use visavis_sim::NatProfile;

/// How many worlds each cell is tried in.
const SEEDS: u64 = 100;

/// The caller's NAT at the left, the callee's at the top.
const TABLE: &str = "
                     open    full-cone  address-restricted  port-restricted  symmetric  blocked
open                 meet    meet       meet                meet             meet       blocked
full-cone            meet    meet       meet                meet             meet       blocked
address-restricted   meet    meet       meet                meet             meet       blocked
port-restricted      meet    meet       meet                meet             apart      blocked
symmetric            meet    meet       meet                apart            apart      blocked
blocked              blocked blocked    blocked             blocked          blocked    blocked
";

/// The same without a secret: a mapping that only a peer's check could tell of is not believed.
const BARE_TABLE: &str = "
                     open    full-cone  address-restricted  port-restricted  symmetric  blocked
open                 meet    meet       meet                meet             secret     blocked
full-cone            meet    meet       meet                meet             secret     blocked
address-restricted   meet    meet       meet                meet             secret     blocked
port-restricted      meet    meet       meet                meet             apart      blocked
symmetric            secret  secret     secret              apart            apart      blocked
blocked              blocked blocked    blocked             blocked          blocked    blocked
";

fn kind(name: &str) -> (Front, NatKind) {
    let nat = |profile| Front::Nats(vec![profile]);
    match name {
        "open" => (Front::Open, NatKind::Open),
        "full-cone" => (nat(NatProfile::full_cone()), NatKind::FullCone),
        "address-restricted" => (nat(NatProfile::address_restricted()), NatKind::AddressRestricted),
        "port-restricted" => (nat(NatProfile::port_restricted()), NatKind::PortRestricted),
        "symmetric" => (nat(NatProfile::symmetric()), NatKind::Symmetric),
        "blocked" => (Front::Blocked, NatKind::Blocked),
        other => panic!("there is no kind {other}"),
    }
}

/// Holds a table to what happens.
fn try_table(table: &str, manner: Manner) {
    let mut lines = table.lines().filter(|line| !line.is_empty());
    let callees: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    for line in lines {
        let mut words = line.split_whitespace();
        let caller = words.next().unwrap();
        for (callee, expected) in callees.iter().zip(words) {
            let sides = [kind(caller), kind(callee)];
            try_cell(&format!("{caller} calls {callee}, {manner:?}"), expected, |net| {
                sides.iter().for_each(|(front, _)| net.host(front));
                word(net, [sides[0].1, sides[1].1], manner)
            });
        }
    }
}

/// What came of a punch, in a word of the table, with the messages where it failed.
fn word(net: &mut Net, kinds: [NatKind; 2], manner: Manner) -> (&'static str, Vec<String>) {
    let outcomes = net.punch(kinds, manner);
    let messages: Vec<String> = outcomes.iter().filter_map(|o| Some(o.as_ref().err()?.to_string())).collect();
    let all = |text: &str| messages.iter().all(|message| message.contains(text));
    let word = match messages.len() {
        0 => "meet",
        1 => "one side alone",
        _ if all("network blocks UDP") => "blocked",
        _ if all("No hole can be punched between these two kinds of NAT") => "apart",
        _ if all("unsigned checks from such an address are not believed") => "secret",
        _ if all("nothing came back") => "silence",
        _ => "?",
    };
    (word, messages)
}

/// Tries one cell with each seed.
fn try_cell(what: &str, expected: &str, cell: impl Fn(&mut Net) -> (&'static str, Vec<String>)) {
    for seed in 0..SEEDS {
        let (found, messages) = cell(&mut Net::new(seed));
        assert_eq!(found, expected, "{what}, seed {seed}: {messages:#?}");
    }
}

#[test]
fn peers_meet_through_all_nats_that_a_punch_can_pass_and_are_told_of_the_others() {
    try_table(TABLE, Manner::Keyed);
}

#[test]
fn without_a_secret_no_address_is_learnt_and_what_needs_it_fails() {
    try_table(BARE_TABLE, Manner::Bare);
}

#[test]
fn behind_one_nat_peers_meet_by_their_own_addresses_or_by_hairpinning() {
    for (name, hairpinning, manner, expected) in [
        ("full-cone", true, Manner::MappedOnly, "meet"),
        ("full-cone", false, Manner::MappedOnly, "silence"),
        ("full-cone", false, Manner::Keyed, "meet"),
        ("port-restricted", true, Manner::MappedOnly, "meet"),
        ("port-restricted", false, Manner::MappedOnly, "silence"),
        ("port-restricted", false, Manner::Keyed, "meet"),
        ("symmetric", true, Manner::MappedOnly, "apart"),
        ("symmetric", false, Manner::Keyed, "meet"),
    ] {
        let (front, kind) = kind(name);
        let Front::Nats(nats) = front else { panic!("{name} is no NAT") };
        let what = format!("both behind one {name} NAT, hairpinning {hairpinning}, {manner:?}");
        try_cell(&what, expected, |net| {
            let profile = nats[0].clone();
            let shared = if hairpinning { profile } else { profile.without_hairpinning() };
            let shared = net.nat(shared, None);
            (0..2).for_each(|_| net.host(&Front::Behind(shared, vec![])));
            word(net, [kind; 2], manner)
        });
    }
}

#[test]
fn behind_two_nats_in_a_row_the_stricter_one_decides() {
    let (full, port) = (NatProfile::full_cone(), NatProfile::port_restricted());
    let symmetric = NatProfile::symmetric();
    for (what, nats, kind, expected) in [
        (
            "a port-restricted home behind a full-cone carrier",
            [&full, &port],
            NatKind::PortRestricted,
            "meet",
        ),
        (
            "a full-cone home behind a port-restricted carrier",
            [&port, &full],
            NatKind::PortRestricted,
            "meet",
        ),
        ("a full-cone home behind a symmetric carrier", [&symmetric, &full], NatKind::Symmetric, "apart"),
        ("a symmetric home behind a full-cone carrier", [&full, &symmetric], NatKind::Symmetric, "apart"),
    ] {
        try_cell(what, expected, |net| {
            net.host(&Front::Nats(nats.map(NatProfile::clone).to_vec()));
            net.host(&Front::Nats(vec![port.clone()]));
            word(net, [kind, NatKind::PortRestricted], Manner::Keyed)
        });
    }
}

#[test]
fn two_homes_of_one_carrier_meet_where_the_carrier_turns_their_datagrams_round() {
    for (hairpinning, expected) in [(true, "meet"), (false, "silence")] {
        try_cell(&format!("one carrier, hairpinning {hairpinning}"), expected, |net| {
            let carrier = NatProfile { hairpinning, ..NatProfile::full_cone() };
            let carrier = net.nat(carrier, None);
            (0..2).for_each(|_| net.host(&Front::Behind(carrier, vec![NatProfile::port_restricted()])));
            word(net, [NatKind::PortRestricted; 2], Manner::Keyed)
        });
    }
}
