//! The exchange end to end, without a network: what both sides agree on, and every way of standing between them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::ske::{Body, Carrier, Outcome, Outgoing, State, Step};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn lab(seed: u8) -> Lab {
    Lab::new(Identity::generate(&mut rng(seed)), None)
}

fn context(role: Role, call_id: &str) -> Context {
    let (caller, callee) = ("527520767", "1119220857");
    let (local, remote) = if role == Role::Caller { (caller, callee) } else { (callee, caller) };
    Context { role, call_id: call_id.into(), local_tag: local.into(), remote_tag: remote.into() }
}

fn start(lab: &Lab, role: Role, seed: u8) -> Box<dyn Handler> {
    lab.start(&context(role, "1@192-0-2-1"), &mut rng(seed))
}

fn hand(handler: &mut dyn Handler, message: &Outgoing) -> Step {
    handler.message(&Body { sequence: message.sequence, carrier: Carrier::Request, data: &message.body })
}

/// Carries messages until nothing more is said; `between` may change each of them. Gives both ends.
fn run(
    caller: &mut Box<dyn Handler>,
    callee: &mut Box<dyn Handler>,
    mut between: impl FnMut(&mut Outgoing),
) -> [State; 2] {
    let mut step = caller.begin();
    let mut states = [State::Pending, State::Pending];
    for turn in 0..8 {
        let Some(mut message) = step.send.pop() else { break };
        between(&mut message);
        let receiver = if turn % 2 == 0 { &mut *callee } else { &mut *caller };
        step = hand(receiver.as_mut(), &message);
        states[1 - turn % 2] = std::mem::replace(&mut step.state, State::Pending);
    }
    states
}

fn keys(state: &State) -> &Secrets {
    match state {
        State::Done(Outcome::Keys(secrets)) => secrets,
        other => panic!("{other:?}"),
    }
}

fn failure(state: &State) -> &str {
    match state {
        State::Failed(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_sides_end_with_the_same_keys_the_same_words_and_each_others_fingerprints() {
    for suite in Suite::ALL {
        let (a, b) = (lab(1).with_suites(&[suite]), lab(2));
        let (mut caller, mut callee) = (start(&a, Role::Caller, 3), start(&b, Role::Callee, 4));
        let mut sizes = Vec::new();
        let ends = run(&mut caller, &mut callee, |m| sizes.push((m.sequence, m.body.len())));
        let (one, other) = (keys(&ends[0]), keys(&ends[1]));
        assert_eq!(sizes, [(1, 55), (2, 86), (3, 160), (4, 96)]);
        assert_eq!((&one.send, &one.receive), (&other.receive, &other.send));
        assert_ne!(one.send, one.receive);
        assert_eq!(one.short_authentication_string, other.short_authentication_string);
        assert_eq!(one.short_authentication_string.len(), 7);
        assert_eq!(one.remote_fingerprint, b.identity.fingerprint().to_string());
        assert_eq!(other.remote_fingerprint, a.identity.fingerprint().to_string());
        let (name, key, salt) = suite.parameters();
        assert_eq!((one.profile, one.send.key.len(), one.send.salt.len()), (name, key, salt));
    }
}

#[test]
fn the_caller_s_preference_decides_and_without_a_common_suite_it_is_declined() {
    let a = lab(1).with_suites(&[Suite::AeadAes256Gcm, Suite::Aes128CmHmacSha1_80]);
    let (mut caller, mut callee) = (start(&a, Role::Caller, 3), start(&lab(2), Role::Callee, 4));
    let ends = run(&mut caller, &mut callee, |_| ());
    assert_eq!(keys(&ends[0]).profile, "AEAD_AES_256_GCM");
    let b = lab(2).with_suites(&[Suite::AeadAes128Gcm]);
    let (mut caller, mut callee) = (start(&a, Role::Caller, 3), start(&b, Role::Callee, 4));
    let ends = run(&mut caller, &mut callee, |_| ());
    assert!(matches!(&ends[1], State::Declined(why) if why == "no SRTP suite in common"), "{ends:?}");
}

#[test]
fn any_octet_that_is_changed_on_the_way_ends_the_exchange_on_a_side_that_sees_it() {
    for (sequence, octets) in [(1, 55), (2, 86), (3, 160), (4, 96)] {
        for at in 0..octets {
            let (mut caller, mut callee) = (start(&lab(1), Role::Caller, 3), start(&lab(2), Role::Callee, 4));
            let ends = run(&mut caller, &mut callee, |m| {
                if m.sequence == sequence {
                    let mut octets = m.body.to_vec();
                    octets[at] ^= 1;
                    m.body = octets.into();
                }
            });
            let whole = ends.iter().all(|end| matches!(end, State::Done(_)));
            assert!(!whole, "octet {at} of message {sequence}");
            // The callee is done once it has sent message 4; its caller then knows better, and says BYE.
            let caller_done = matches!(ends[0], State::Done(_));
            assert!(!caller_done, "octet {at} of message {sequence}");
        }
    }
}

#[test]
fn messages_that_are_cut_or_longer_or_out_of_turn_are_refused() {
    for sequence in 1..=4 {
        for change in [
            |b: &mut Vec<u8>| b.truncate(b.len() - 1),
            |b: &mut Vec<u8>| b.push(0),
            |b: &mut Vec<u8>| b.clear(),
        ] {
            let (mut caller, mut callee) = (start(&lab(1), Role::Caller, 3), start(&lab(2), Role::Callee, 4));
            let ends = run(&mut caller, &mut callee, |m| {
                if m.sequence == sequence {
                    let mut octets = m.body.to_vec();
                    change(&mut octets);
                    m.body = octets.into();
                }
            });
            assert!(!matches!(ends[0], State::Done(_)), "message {sequence}");
        }
    }
    let mut callee = start(&lab(2), Role::Callee, 4);
    let message = Outgoing { sequence: 3, body: vec![0; 160].into() };
    assert_eq!(failure(&hand(&mut *callee, &message).state), "message 3 came out of turn");
}

#[test]
fn a_man_in_the_middle_with_keys_of_its_own_is_named_where_the_peer_s_key_is_known() {
    let (alice, bob, mallory) = (lab(1), lab(2), lab(9));
    let pinned = |lab: &Lab, peer: &Lab| Lab::new(lab.identity.clone(), Some(peer.identity.fingerprint()));
    // Mallory answers Alice as the callee.
    let mut caller = start(&pinned(&alice, &bob), Role::Caller, 3);
    let mut mallory_to_alice = start(&mallory, Role::Callee, 5);
    let ends = run(&mut caller, &mut mallory_to_alice, |_| ());
    let why = failure(&ends[0]);
    assert!(why.contains("somebody may stand in the middle"), "{why}");
    for key in [&mallory, &bob] {
        assert!(why.contains(&key.identity.fingerprint().to_string()), "{why}");
    }
    // And calls Bob as the caller; a pin of 8 octets, as a ticket has it, is enough.
    let short = Lab::new(bob.identity.clone(), Some(alice.identity.fingerprint().short().into()));
    let (mut mallory_to_bob, mut callee) = (start(&mallory, Role::Caller, 6), start(&short, Role::Callee, 4));
    let ends = run(&mut mallory_to_bob, &mut callee, |_| ());
    assert!(failure(&ends[1]).contains("somebody may stand in the middle"));
}

#[test]
fn a_man_in_the_middle_of_strangers_leaves_them_with_different_words() {
    let (mut caller, mut callee) = (start(&lab(1), Role::Caller, 3), start(&lab(2), Role::Callee, 4));
    let (mut toward_caller, mut toward_callee) =
        (start(&lab(9), Role::Callee, 5), start(&lab(9), Role::Caller, 6));
    let one = run(&mut caller, &mut toward_caller, |_| ());
    let other = run(&mut toward_callee, &mut callee, |_| ());
    let words = [keys(&one[0]), keys(&other[1])].map(|k| k.short_authentication_string.clone());
    assert_ne!(words[0], words[1]);
}

#[test]
fn a_caller_that_shows_other_keys_than_it_promised_is_refused() {
    let (mut caller, mut callee) = (start(&lab(1), Role::Caller, 3), start(&lab(2), Role::Callee, 4));
    let mut other = start(&lab(1), Role::Caller, 7);
    other.begin();
    let mut reveal = None;
    let ends = run(&mut caller, &mut callee, |m| match m.sequence {
        2 => reveal = hand(&mut *other, m).send.pop(),
        3 => *m = reveal.take().unwrap(),
        _ => {}
    });
    assert!(failure(&ends[1]).contains("other keys than it promised"));
}

#[test]
fn what_was_said_in_another_call_or_by_ourselves_is_refused() {
    // The same people, the same keys, another Call-ID.
    let mut caller = lab(1).start(&context(Role::Caller, "2@192-0-2-1"), &mut rng(3));
    let mut callee = start(&lab(2), Role::Callee, 4);
    let ends = run(&mut caller, &mut callee, |_| ());
    assert!(failure(&ends[1]).contains("proof of its key is wrong"));
    // A call to ourselves, as a reflector would make it.
    let (mut caller, mut callee) = (start(&lab(1), Role::Caller, 3), start(&lab(1), Role::Callee, 4));
    let ends = run(&mut caller, &mut callee, |_| ());
    assert!(failure(&ends[0]).contains("our own identity"));
}

#[test]
fn keys_of_low_order_are_refused() {
    let (mut caller, mut callee) = (start(&lab(1), Role::Caller, 3), start(&lab(2), Role::Callee, 4));
    let ends = run(&mut caller, &mut callee, |m| {
        if m.sequence == 2 {
            let mut octets = m.body.to_vec();
            octets[22..54].fill(0);
            m.body = octets.into();
        }
    });
    assert_eq!(failure(&ends[0]), "the peer's key is of low order");
}

#[test]
fn an_identity_survives_its_file_and_a_fingerprint_its_text() {
    let identity = Identity::generate(&mut rng(1));
    let read: Identity = identity.to_line().parse().unwrap();
    assert_eq!(read.public(), identity.public());
    assert!(!format!("{identity:?}").contains(identity.to_line().trim_end().split(' ').next_back().unwrap()));
    let fingerprint = identity.fingerprint();
    assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint.clone()));
    assert!(fingerprint.fits(&identity.public()) && !fingerprint.fits(&lab(2).identity.public()));
    for bad in ["", "visavis-ed25519", "visavis-ed25519 AAAA", "ssh-ed25519 AAAA"] {
        assert!(bad.parse::<Identity>().is_err(), "{bad}");
    }
    for bad in ["", "8F", "8F:03:XX:00:00:00:00:00", "8F:+3:00:00:00:00:00:00"] {
        assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
    }
}

/// One exchange with fixed random numbers, as docs/ske-lab-vectors.txt has it.
#[test]
fn the_published_vectors_are_those_of_this_code() {
    let (mut caller, mut callee) = (start(&lab(1), Role::Caller, 3), start(&lab(2), Role::Callee, 4));
    let hex = |octets: &[u8]| octets.iter().map(|o| format!("{o:02x}")).collect::<String>();
    let mut lines = vec![
        "call-id 1@192-0-2-1".to_owned(),
        "caller-tag 527520767".to_owned(),
        "callee-tag 1119220857".to_owned(),
    ];
    for (name, lab, seed) in [("caller", lab(1), 3), ("callee", lab(2), 4)] {
        lines.push(format!("{name}-identity-secret {}", hex(lab.identity.secret())));
        let (mut nonce, mut secret) = ([0; 16], [0; 32]);
        let mut rng = rng(seed);
        rng.fill_bytes(&mut nonce);
        rng.fill_bytes(&mut secret);
        lines.push(format!("{name}-nonce {}", hex(&nonce)));
        lines.push(format!("{name}-exchange-secret {}", hex(&secret)));
    }
    let ends =
        run(&mut caller, &mut callee, |m| lines.push(format!("message-{} {}", m.sequence, hex(&m.body))));
    let secrets = keys(&ends[0]);
    lines.push(format!("suite {}", secrets.profile));
    for (name, material) in [("caller", &secrets.send), ("callee", &secrets.receive)] {
        lines.push(format!("{name}-master-key {}", hex(&material.key)));
        lines.push(format!("{name}-master-salt {}", hex(&material.salt)));
    }
    lines.push(format!("short-authentication-string {}", secrets.short_authentication_string));
    let published = include_str!("../../../../../docs/ske-lab-vectors.txt");
    let published: Vec<&str> = published.lines().filter(|l| !l.starts_with('#') && !l.is_empty()).collect();
    assert_eq!(published, lines, "\n{}\n", lines.join("\n"));
}
