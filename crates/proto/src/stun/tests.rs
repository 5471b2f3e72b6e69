//! The vectors of RFC 5769, and how the two dialects differ.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::time::Time;
use rand_core::SeedableRng;
use std::time::Duration;

/// Section 2.1.
const REQUEST: &str = "\
    00 01 00 58 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae 80 22 00 10 53 54 55 4e 20 74 65 73 \
    74 20 63 6c 69 65 6e 74 00 24 00 04 6e 00 01 ff 80 29 00 08 93 2f f9 b1 51 26 3b 36 00 06 00 09 \
    65 76 74 6a 3a 68 36 76 59 20 20 20 00 08 00 14 9a ea a7 0c bf d8 cb 56 78 1e f2 b5 b2 d3 f2 49 \
    c1 b5 71 a2 80 28 00 04 e5 7a 3b cf";
/// Section 2.2.
const IPV4: &str = "\
    01 01 00 3c 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae 80 22 00 0b 74 65 73 74 20 76 65 63 \
    74 6f 72 20 00 20 00 08 00 01 a1 47 e1 12 a6 43 00 08 00 14 2b 91 f5 99 fd 9e 90 c3 8c 74 89 f9 \
    2a f9 ba 53 f0 6b e7 d7 80 28 00 04 c0 7d 4c 96";
/// Section 2.3.
const IPV6: &str = "\
    01 01 00 48 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae 80 22 00 0b 74 65 73 74 20 76 65 63 \
    74 6f 72 20 00 20 00 14 00 02 a1 47 01 13 a9 fa a5 d3 f1 79 bc 25 f4 b5 be d2 b9 d9 00 08 00 14 \
    a3 82 95 4e 4b e6 7b f1 17 84 c9 7c 82 92 c2 75 bf e3 ed 41 80 28 00 04 c8 fb 0b 4c";
/// Section 2.4.
const LONG: &str = "\
    00 01 00 60 21 12 a4 42 78 ad 34 33 c6 ad 72 c0 29 da 41 2e 00 06 00 12 e3 83 9e e3 83 88 e3 83 \
    aa e3 83 83 e3 82 af e3 82 b9 00 00 00 15 00 1c 66 2f 2f 34 39 39 6b 39 35 34 64 36 4f 4c 33 34 \
    6f 4c 39 46 53 54 76 79 36 34 73 41 00 14 00 0b 65 78 61 6d 70 6c 65 2e 6f 72 67 00 00 08 00 14 \
    f6 70 24 65 6d d6 4a 3e 02 b8 e0 71 2e 85 c9 a2 8c a8 96 66";
const PASSWORD: &[u8] = b"VOkJxbRl1RmTxUk/WvJxBt";

fn octets(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect()
}

fn changed(message: &[u8], at: usize) -> Vec<u8> {
    let mut changed = message.to_vec();
    changed[at] ^= 0x40;
    changed
}

#[test]
fn the_sample_request_of_rfc_5769_is_read_and_its_signatures_fit() {
    let octets = octets(REQUEST);
    let message = Message::parse(&octets).unwrap();
    assert!(message.is_binding_request());
    assert_eq!(message.dialect(), Dialect::Rfc8489);
    assert_eq!(message.username(), Some(&b"evtj:h6vY"[..]));
    assert_eq!(message.software().as_deref(), Some("STUN test client"));
    assert_eq!(message.priority(), Some(0x6e00_01ff));
    assert_eq!(message.integrity(PASSWORD), Integrity::Valid);
    assert_eq!(message.integrity(b"another"), Integrity::Wrong);
    assert_eq!(message.fingerprint(), Fingerprint::Valid);
    assert!(message.unknown_required().is_empty());
    let changed = Message::parse(&changed(&octets, 30)).unwrap();
    assert_eq!(changed.integrity(PASSWORD), Integrity::Wrong);
    assert_eq!(changed.fingerprint(), Fingerprint::Wrong);
}

#[test]
fn the_sample_responses_of_rfc_5769_give_both_addresses() {
    for (hex, address) in [(IPV4, "192.0.2.1:32853"), (IPV6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")]
    {
        let message = Message::parse(&octets(hex)).unwrap();
        assert_eq!(message.class, Class::Success);
        assert_eq!(message.mapped_address(), Some(address.parse().unwrap()));
        assert_eq!(message.integrity(PASSWORD), Integrity::Valid);
        assert_eq!(message.fingerprint(), Fingerprint::Valid);
    }
}

#[test]
fn the_long_term_sample_of_rfc_5769_is_signed_with_the_key_of_its_realm() {
    let message = Message::parse(&octets(LONG)).unwrap();
    // MD5 of username, realm and the prepared password (RFC 8489 section 9.2.2).
    let key = octets("e8 ca 7a d5 9d 5e b0 51 8e 31 29 11 d2 da b2 a9");
    assert_eq!(message.integrity(&key), Integrity::Valid);
    assert_eq!(message.fingerprint(), Fingerprint::Absent);
}

#[test]
fn what_is_written_is_read_again_in_both_dialects() {
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([7; 32]);
    for dialect in [Dialect::Rfc8489, Dialect::Rfc3489] {
        for seen in ["198.51.100.7:4711", "[2001:db8::7]:1"] {
            let seen: SocketAddr = seen.parse().unwrap();
            let id = TransactionId::random(dialect, &mut rng);
            let request = Builder::binding(Class::Request, id).username(b"abcde").finish(Some(b"key"));
            let request = Message::parse(&request).unwrap();
            assert_eq!((request.dialect(), request.transaction), (dialect, id));
            assert_eq!(request.integrity(b"key"), Integrity::Valid);
            let cookie = dialect == Dialect::Rfc8489;
            assert_eq!(request.fingerprint() == Fingerprint::Valid, cookie);
            let answer = Message::parse(&binding_success(&request, seen, Some(b"key"))).unwrap();
            assert_eq!(answer.mapped_address(), Some(seen));
            assert_eq!(answer.get(attribute::MAPPED_ADDRESS).is_some(), !cookie);
            assert_eq!((answer.transaction, answer.integrity(b"key")), (id, Integrity::Valid));
        }
    }
}

#[test]
fn what_stands_behind_the_signature_is_not_believed() {
    let id = TransactionId::random(Dialect::Rfc8489, &mut rand_chacha::ChaCha20Rng::from_seed([1; 32]));
    let signed = Builder::binding(Class::Request, id).finish(Some(b"key"));
    // The fingerprint's place is taken by a user name that nobody has signed.
    let mut forged = signed[..signed.len() - 8].to_vec();
    forged.extend([0, 6, 0, 4, b'e', b'v', b'i', b'l']);
    let forged = Message::parse(&forged).unwrap();
    assert_eq!(forged.username(), None);
    assert_eq!(forged.integrity(b"key"), Integrity::Valid);
}

#[test]
fn what_is_no_message_is_refused_with_the_reason() {
    let whole = octets(REQUEST);
    assert!(matches!(Message::parse(&whole[..19]), Err(StunError::Short { octets: 19, wanted: 20 })));
    assert!(matches!(Message::parse(&whole[..60]), Err(StunError::Short { .. })));
    assert_eq!(Message::parse(&changed(&whole, 0)), Err(StunError::Header));
    let mut cut = whole.clone();
    cut[23] = 0xff;
    assert_eq!(Message::parse(&cut), Err(StunError::Attribute { kind: attribute::SOFTWARE }));
    let id = TransactionId([0; 16]);
    let many = (0..33).fold(Builder::binding(Class::Request, id), |b, _| b.attribute(0x9999, &[]));
    assert_eq!(Message::parse(&many.finish(None)), Err(StunError::Limit(32)));
}

#[test]
fn the_responder_answers_requests_in_kind_and_nothing_else() {
    let (mut responder, now) = (Responder::default(), Time::from_millis(5));
    let seen: SocketAddr = "203.0.113.9:1024".parse().unwrap();
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([3; 32]);
    for dialect in [Dialect::Rfc8489, Dialect::Rfc3489] {
        let id = TransactionId::random(dialect, &mut rng);
        let parse = |builder: Builder| Message::parse(&builder.finish(None)).unwrap();
        // RESPONSE-ADDRESS would have it answer somebody else.
        let turned = Builder::binding(Class::Request, id).address(2, "192.0.2.66:9".parse().unwrap());
        let elsewhere = Builder::binding(Class::Request, id).change_request(false, true);
        let nowhere = Builder::binding(Class::Request, id).change_request(false, false);
        let plain = Builder::binding(Class::Request, id);
        for (request, code) in [(plain, None), (nowhere, None), (turned, Some(420)), (elsewhere, Some(420))] {
            let Answer::Send(answer) = responder.handle(now, &parse(request), seen) else { panic!() };
            let answer = Message::parse(&answer).unwrap();
            assert_eq!((answer.error_code(), answer.transaction), (code, id));
            assert_eq!(answer.mapped_address().is_some(), code.is_none());
            assert!(answer.octets.len() < 100);
        }
        for class in [Class::Indication, Class::Success, Class::Error] {
            assert_eq!(responder.handle(now, &parse(Builder::binding(class, id)), seen), Answer::Stray);
        }
    }
}

#[test]
fn the_responder_answers_no_faster_than_its_limits_and_again_a_second_later() {
    let limits = ResponderLimits { per_second: 10, per_second_and_source: 4 };
    let (mut responder, now) = (Responder::new(limits), Time::from_millis(5));
    let request = Builder::binding(Class::Request, TransactionId([9; 16])).finish(None);
    let request = Message::parse(&request).unwrap();
    let mut ask = |now, ip: u8| {
        let answers = (0..20).map(|_| responder.handle(now, &request, ([192, 0, 2, ip], 7).into()));
        answers.filter(|a| matches!(a, Answer::Send(_))).count()
    };
    assert_eq!([ask(now, 1), ask(now, 2), ask(now, 3)], [4, 4, 2]);
    assert_eq!(ask(now + Duration::from_secs(1), 3), 4);
}

#[test]
fn the_responder_notes_no_more_sources_than_it_answers() {
    let limits = ResponderLimits { per_second: 10, per_second_and_source: 4 };
    let (mut responder, now) = (Responder::new(limits), Time::from_millis(5));
    let request = Builder::binding(Class::Request, TransactionId([9; 16])).finish(None);
    let request = Message::parse(&request).unwrap();
    for source in 0..1_000u16 {
        let [high, low] = source.to_be_bytes();
        let _ = responder.handle(now, &request, ([10, 0, high, low], 7).into());
    }
    assert_eq!(responder.sources.len(), 10);
}

#[test]
fn the_signature_of_a_message_without_cookie_covers_zeros_up_to_64_octets() {
    use hmac::{Hmac, Mac};
    let id = TransactionId([5; 16]);
    let signed = Builder::binding(Class::Request, id).username(b"user").finish(Some(b"key"));
    let mut covered = signed[..28].to_vec();
    covered.resize(64, 0);
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(b"key").unwrap();
    mac.update(&covered);
    assert_eq!(mac.finalize().into_bytes()[..], signed[32..]);
    assert_eq!(Message::parse(&signed).unwrap().integrity(b"key"), Integrity::Valid);
}
