//! STUN in one of its dialects: what both of its fuzz targets do.

use crate::Octets;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use visavis_proto::Time;
use visavis_proto::demux::{Kind, classify};
use visavis_proto::stun::attribute::{
    FINGERPRINT, MAPPED_ADDRESS, MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256, UNKNOWN_ATTRIBUTES,
    XOR_MAPPED_ADDRESS,
};
use visavis_proto::stun::{
    Answer, BINDING, Builder, COOKIE, Class, Dialect, Fingerprint, Integrity, Message, Responder,
    ResponderLimits, TransactionId, binding_error, binding_success,
};

const CLASSES: [Class; 4] = [Class::Request, Class::Indication, Class::Success, Class::Error];
/// The key that messages are signed with here, and one that they are not.
const KEYS: [&[u8]; 2] = [b"key", b"another"];
/// What the responder may send: no more than serves nobody as a weapon.
const MOST_OCTETS: usize = 100;
/// Octets of a header.
const HEADER: usize = 20;
/// The longest value that the builder writes.
const MAX_VALUE: usize = 763;
/// Datagrams of one input.
const MOST_DATAGRAMS: usize = 16;
const LIMITS: ResponderLimits = ResponderLimits { per_second: 8, per_second_and_source: 3 };

/// Reads datagrams, writes what was read again, spoils what was signed, and asks a responder.
pub fn run(data: &[u8], dialect: Dialect) {
    let mut octets = Octets(data);
    let mut asked =
        Asked { responder: Responder::new(LIMITS), now: Time::from_millis(1), answers: HashMap::new() };
    // One octet says how a datagram is come by; all datagrams of one input meet one responder.
    for _ in 0..MOST_DATAGRAMS {
        if octets.is_empty() {
            break;
        }
        let control = octets.octet();
        let datagram = match control & 0x03 {
            0 => built(dialect, &mut octets),
            // The rest, as it is or with a header that fits.
            1 => octets.take(usize::MAX).to_vec(),
            2 => fitted(dialect, octets.take(usize::MAX)),
            _ => fitted(dialect, octets.data()),
        };
        if control & 0x04 != 0 {
            asked.now += Duration::from_millis(u64::from(octets.octet()) * 10);
        }
        let source = source(control);
        match Message::parse(&datagram) {
            Ok(message) => {
                look(&datagram, &message);
                spoil(&datagram, &message, &mut octets);
                write_again(&datagram, &message);
                answer(&message, source);
                asked.ask(&message, source);
            }
            Err(error) => {
                let _ = error.to_string();
            }
        }
    }
}

/// One of few that ask, of both families.
fn source(control: u8) -> SocketAddr {
    let (number, port) = (control >> 4 & 0x07, 1000 + u16::from(control));
    let ip = match control & 0x80 {
        0 => IpAddr::from([203, 0, 113, number]),
        _ => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(number)]),
    };
    SocketAddr::new(ip, port)
}

/// The same octets, with a header of the dialect whose length is right.
fn fitted(dialect: Dialect, octets: &[u8]) -> Vec<u8> {
    let mut datagram = octets.to_vec();
    datagram.truncate(HEADER + 0xfffc);
    if let Some(rest) = datagram.len().checked_sub(HEADER) {
        datagram.truncate(HEADER + rest / 4 * 4);
        datagram[0] &= 0x3f;
        let length = (datagram.len() - HEADER) as u16;
        datagram[2..4].copy_from_slice(&length.to_be_bytes());
        let transaction = transaction(dialect, &datagram[4..HEADER]);
        datagram[4..HEADER].copy_from_slice(&transaction.0);
    }
    datagram
}

fn transaction(dialect: Dialect, octets: &[u8]) -> TransactionId {
    let mut id = [0; 16];
    id[..octets.len()].copy_from_slice(octets);
    match dialect {
        Dialect::Rfc8489 => id[..4].copy_from_slice(&COOKIE),
        Dialect::Rfc3489 if id.starts_with(&COOKIE) => id[0] ^= 1,
        Dialect::Rfc3489 => {}
    }
    TransactionId(id)
}

/// A message with attributes of any kind, signed or not.
fn built(dialect: Dialect, octets: &mut Octets<'_>) -> Vec<u8> {
    let choice = octets.octet();
    let class = CLASSES[usize::from(choice & 0x03)];
    let id = transaction(dialect, octets.take(16));
    let mut builder = Builder::binding(class, id);
    for _ in 0..choice >> 4 {
        let more = octets.octet();
        builder = match more & 0x0f {
            0 => builder.username(octets.data()),
            1 => builder.software(&String::from_utf8_lossy(octets.data())),
            2 => builder.priority(u32::from(more) << 24 | u32::from(octets.octet())),
            3 => builder.use_candidate(),
            4 => builder.change_request(more & 0x10 != 0, more & 0x20 != 0),
            5 => builder.mapped_address(source(octets.octet())),
            6 => builder.address(MAPPED_ADDRESS, source(octets.octet())),
            7 => builder.error(u16::from(octets.octet()) * 4, "reason"),
            _ => {
                let kind = u16::from(more >> 4) << 12 | u16::from(octets.octet());
                builder.attribute(kind, octets.data())
            }
        };
    }
    let datagram = builder.finish((choice & 0x04 != 0).then_some(KEYS[0])).to_vec();
    let message = Message::parse(&datagram).unwrap();
    assert_eq!((message.class, message.method, message.transaction), (class, BINDING, id));
    datagram
}

/// Every attribute by a reader of its own: kind, value, and whether the signature leaves it out.
fn attributes(datagram: &[u8]) -> Vec<(u16, &[u8], bool)> {
    let (mut rest, mut signed, mut found) = (&datagram[HEADER..], false, Vec::new());
    while let [k0, k1, l0, l1, behind @ ..] = rest {
        let (kind, length) = (u16::from_be_bytes([*k0, *k1]), usize::from(u16::from_be_bytes([*l0, *l1])));
        let closes = [MESSAGE_INTEGRITY_SHA256, FINGERPRINT].contains(&kind);
        found.push((kind, &behind[..length], signed && !closes));
        signed |= [MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256].contains(&kind);
        rest = &behind[length.next_multiple_of(4)..];
    }
    found
}

/// Looks at all that a message holds: it is what the octets say.
fn look(datagram: &[u8], message: &Message) {
    let [t0, t1, ..] = *datagram else { panic!("a message of {} octets", datagram.len()) };
    let class = CLASSES[usize::from(t0 & 1) << 1 | usize::from(t1 >> 4 & 1)];
    let method = u16::from(t0 & 0x3e) << 6 | u16::from(t1 & 0xe0) >> 1 | u16::from(t1 & 0x0f);
    assert_eq!((message.class, message.method), (class, method));
    assert_eq!(message.transaction.0, datagram[4..HEADER]);
    let cookie = message.transaction.0.starts_with(&COOKIE);
    assert_eq!(message.dialect() == Dialect::Rfc8489, cookie);
    // RFC 7983 leaves STUN the octets up to 3: that is all methods that anybody uses.
    assert!(t0 > 3 || classify(datagram) == Kind::Stun, "not told as STUN");

    let all = attributes(datagram);
    for (kind, ..) in &all {
        let first = all.iter().find(|(other, _, trailing)| other == kind && !trailing);
        assert_eq!(message.get(*kind), first.map(|(_, value, _)| *value), "attribute {kind:#06x}");
    }
    let unknown = message.unknown_required();
    assert!(unknown.len() <= 16 && unknown.iter().all(|kind| *kind < 0x8000));
    let _ = (message.mapped_address(), message.other_address(), message.response_origin());
    let _ = (message.username(), message.software(), message.priority(), message.use_candidate());
    assert!(message.error_code().is_none_or(|code| (300..700).contains(&code)));
    let signed = [MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256].into_iter().any(|k| message.get(k).is_some());
    // A key longer than a block of the hash.
    assert_eq!(message.integrity(&[7; 200]) == Integrity::Absent, !signed);
    assert_eq!(message.fingerprint() == Fingerprint::Absent, message.get(FINGERPRINT).is_none());
}

/// What is signed or summed up and then changed in any octet is signed or right no more.
fn spoil(datagram: &[u8], message: &Message, octets: &mut Octets<'_>) {
    let signed = message.integrity(KEYS[0]) == Integrity::Valid;
    let summed = message.fingerprint() == Fingerprint::Valid;
    assert_ne!(message.integrity(KEYS[1]), Integrity::Valid, "signed with a key that nobody has");
    if !signed && !summed {
        return;
    }
    let at = (usize::from(octets.octet()) << 8 | usize::from(octets.octet())) % datagram.len();
    let mut spoilt = datagram.to_vec();
    spoilt[at] ^= octets.octet().max(1);
    let Ok(changed) = Message::parse(&spoilt) else { return };
    assert!(!summed || changed.fingerprint() != Fingerprint::Valid, "octet {at} changed and the sum fits");
    // Behind the signature anything may change.
    let covered = attributes(datagram)
        .iter()
        .find(|(kind, ..)| *kind == MESSAGE_INTEGRITY)
        .map(|(_, value, _)| value.as_ptr() as usize + value.len() - datagram.as_ptr() as usize);
    if signed && covered.is_some_and(|end| at < end) {
        assert_ne!(changed.integrity(KEYS[0]), Integrity::Valid, "octet {at} changed and the signature fits");
    }
}

/// The attributes written into a message of our own are read again as they were.
fn write_again(datagram: &[u8], message: &Message) {
    let closing = [MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256, FINGERPRINT];
    let mut kept = attributes(datagram);
    kept.retain(|(kind, ..)| !closing.contains(kind));
    kept.truncate(30);
    for key in [None, Some(KEYS[0])] {
        let mut builder = Builder::binding(message.class, message.transaction);
        for (kind, value, _) in &kept {
            builder = builder.attribute(*kind, value);
        }
        let written = builder.finish(key);
        let again = Message::parse(&written).unwrap();
        assert_eq!(
            (again.class, again.method, again.transaction),
            (message.class, BINDING, message.transaction)
        );
        let found = attributes(&written);
        for ((kind, value, _), (found_kind, found_value, trailing)) in kept.iter().zip(&found) {
            assert_eq!(
                (kind, &value[..value.len().min(MAX_VALUE)], false),
                (found_kind, *found_value, *trailing)
            );
        }
        let cookie = message.dialect() == Dialect::Rfc8489;
        assert_eq!(found.len(), kept.len() + usize::from(key.is_some()) + usize::from(cookie));
        assert_eq!(again.integrity(KEYS[0]) == Integrity::Valid, key.is_some());
        assert_ne!(again.integrity(KEYS[1]), Integrity::Valid);
        assert_eq!(again.fingerprint() == Fingerprint::Valid, cookie);
    }
}

/// Answers to it say what they should, in its dialect.
fn answer(message: &Message, seen: SocketAddr) {
    for key in [None, Some(KEYS[0])] {
        let success = Message::parse(&binding_success(message, seen, key)).unwrap();
        assert_eq!((success.class, success.transaction), (Class::Success, message.transaction));
        assert_eq!(success.mapped_address(), Some(seen));
        let cookie = message.dialect() == Dialect::Rfc8489;
        assert_eq!(success.get(XOR_MAPPED_ADDRESS).is_some(), cookie);
        assert_eq!(success.get(MAPPED_ADDRESS).is_some(), !cookie);
        let unknown = message.unknown_required();
        let error = Message::parse(&binding_error(message, 420, "Unknown Attribute", &unknown, key)).unwrap();
        assert_eq!((error.class, error.error_code()), (Class::Error, Some(420)));
        let listed = error.get(UNKNOWN_ATTRIBUTES).unwrap_or_default();
        assert!(unknown.iter().all(|kind| listed.chunks(2).any(|two| two == kind.to_be_bytes())));
        for answer in [success, error] {
            let valid = answer.integrity(KEYS[0]) == Integrity::Valid;
            assert_eq!((answer.transaction, valid), (message.transaction, key.is_some()));
        }
    }
}

/// A responder, and how much it answered.
struct Asked {
    responder: Responder,
    now: Time,
    answers: HashMap<Option<IpAddr>, u64>,
}

impl Asked {
    /// Only requests are answered, shortly, to the one that asked, and at no more than the rate.
    fn ask(&mut self, message: &Message, source: SocketAddr) {
        let octets = match self.responder.handle(self.now, message, source) {
            Answer::Send(octets) => octets,
            Answer::Stray => return assert_ne!(message.class, Class::Request, "a request is no stray"),
            Answer::Limited => return,
        };
        assert_eq!(message.class, Class::Request, "an answer to what asked nothing");
        assert!(octets.len() <= MOST_OCTETS, "an answer of {} octets", octets.len());
        let answer = Message::parse(&octets).unwrap();
        assert_eq!((answer.transaction, answer.method), (message.transaction, BINDING));
        assert_eq!(answer.integrity(KEYS[0]), Integrity::Absent);
        match answer.class {
            Class::Success => assert_eq!(answer.mapped_address(), Some(source)),
            Class::Error => assert!(matches!(answer.error_code(), Some(400 | 420))),
            Class::Request | Class::Indication => panic!("an answer that is none"),
        }
        // Windows of a second begin with a request.
        let windows = self.now.nanos() / 1_000_000_000 + 1;
        let most = [(None, LIMITS.per_second), (Some(source.ip()), LIMITS.per_second_and_source)];
        for (who, per_second) in most {
            let answers = self.answers.entry(who).or_default();
            *answers += 1;
            assert!(*answers <= u64::from(per_second) * windows, "{answers} answers in {windows} s");
        }
    }
}
