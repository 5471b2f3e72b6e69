//! The kinds of datagrams on one port: whatever arrives has one kind that its first octets allow, what a parser
//! takes is of the parser's kind, and no content makes a datagram of one kind look like another.

#![no_main]

use libfuzzer_sys::fuzz_target;
use visavis_fuzz::Octets;
use visavis_proto::demux::{Kind, classify};
use visavis_proto::limits::Limits;
use visavis_proto::rtp::RtpPacket;
use visavis_proto::rtp::rtcp::Compound;
use visavis_proto::sip;
use visavis_proto::stun::{Builder, COOKIE, Class, Message, TransactionId};

fuzz_target!(|data: &[u8]| {
    judge(data);
    let mut octets = Octets(data);
    let (mut datagram, kinds) = valid(&mut octets);
    let kind = judge(&datagram);
    assert!(kinds.contains(&kind), "{kind:?}, not one of {kinds:?}: {datagram:02x?}");
    while !octets.is_empty() && !datagram.is_empty() {
        let at = (usize::from(octets.octet()) << 8 | usize::from(octets.octet())) % datagram.len();
        match octets.octet() & 0x03 {
            0 => datagram.truncate(at),
            1 => drop(datagram.splice(at..at, octets.data().iter().copied())),
            // The octets that decide.
            2 => {
                let decides = datagram.len().min(8);
                datagram[at % decides] = octets.octet();
            }
            _ => datagram[at] ^= octets.octet(),
        }
        judge(&datagram);
    }
});

/// The kind of a datagram, which fits to its octets and to what the parsers say.
fn judge(data: &[u8]) -> Kind {
    let kind = classify(data);
    let (first, second) = (data.first().copied(), data.get(1).copied());
    let is_line_end = |octet: &u8| matches!(octet, b'\r' | b'\n');
    match kind {
        Kind::KeepAlive => assert!(data.iter().all(is_line_end)),
        Kind::Stun => assert!(matches!(first, Some(0..=3)) && data.len() >= 8),
        Kind::Rtp | Kind::Rtcp => {
            assert!(matches!(first, Some(128..=191)));
            // RFC 5761 section 4.
            assert_eq!(kind == Kind::Rtcp, matches!(second, Some(192..=223)));
        }
        Kind::Dtls => assert!(matches!(first, Some(20..=63))),
        Kind::Zrtp => assert!(matches!(first, Some(16..=19))),
        Kind::TurnChannel => assert!(matches!(first, Some(64..=79))),
        Kind::Sip => {
            let line = data.split(is_line_end).find(|line| !line.is_empty()).unwrap_or_default();
            let version = |four: &[u8]| four.eq_ignore_ascii_case(b"SIP/");
            assert!(line.windows(4).any(version), "SIP without a version: {line:02x?}");
        }
        Kind::Unknown => {}
    }
    assert!(!data.iter().all(is_line_end) || kind == Kind::KeepAlive);
    // What a parser takes goes to that parser.
    if Message::parse(data).is_ok() && matches!(first, Some(0..=3)) {
        assert_eq!(kind, Kind::Stun);
    }
    if sip::Message::parse(data, &Limits::default()).is_ok() {
        assert_eq!(kind, Kind::Sip);
    }
    if RtpPacket::parse(data).is_ok() {
        assert!(matches!(kind, Kind::Rtp | Kind::Rtcp), "{kind:?}");
    }
    if Compound::parse(data).is_ok() && matches!(second, Some(192..=223)) {
        assert_eq!(kind, Kind::Rtcp);
    }
    kind
}

/// A datagram of a kind, with any content, and what it may be taken for.
fn valid(octets: &mut Octets<'_>) -> (Vec<u8>, &'static [Kind]) {
    let (choice, more) = (octets.octet(), octets.octet());
    let content = octets.data();
    match choice % 10 {
        0 | 1 => {
            let mut id = [more; 16];
            if choice % 10 == 0 {
                id[..4].copy_from_slice(&COOKIE);
            }
            let class = [Class::Request, Class::Indication, Class::Success, Class::Error];
            let builder = Builder::binding(class[usize::from(more & 3)], TransactionId(id));
            let message = builder.attribute(u16::from(more), content).finish(None);
            (message.to_vec(), &[Kind::Stun])
        }
        2 => {
            let payload_type = if matches!(more, 192..=223) { more ^ 0x60 } else { more };
            let header = [0x80 | more & 0x3f, payload_type, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
            ([&header, content].concat(), &[Kind::Rtp])
        }
        3 => {
            let header = [0x80 | more & 0x3f, 192 | more & 0x1f, 0, 0];
            ([&header, content].concat(), &[Kind::Rtcp])
        }
        4 => {
            let methods = ["ACK", "BYE", "CANCEL", "INVITE", "MESSAGE", "OPTIONS", "PRACK", "x.-!%*_+`'~1"];
            let method = methods[usize::from(more) % methods.len()];
            let line = format!("{}{method} sip:a@b SIP/2.0\r\n", if more & 0x80 == 0 { "" } else { "\r\n" });
            ([line.as_bytes(), content].concat(), &[Kind::Sip])
        }
        5 => ([b"SIP/2.0 200 OK\r\n", content].concat(), &[Kind::Sip]),
        6 => (b"\r\n".repeat(usize::from(more & 0x07)), &[Kind::KeepAlive]),
        7 => {
            let header = [20 + more % 44, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1];
            let length = (content.len() as u16).to_be_bytes();
            ([&header[..], &length, content].concat(), &[Kind::Dtls])
        }
        8 => ([&[0x10 | more & 3, 0, 0, 1][..], b"ZRTP", content].concat(), &[Kind::Zrtp]),
        _ => {
            // A channel may spell the name of a SIP method, and its data the rest of the line.
            let length = (content.len() as u16).to_be_bytes();
            ([&[0x40 | more & 0x0f, more][..], &length, content].concat(), &[Kind::TurnChannel, Kind::Sip])
        }
    }
}
