//! Our SIP parser against rsip 0.4: what both accept they must read alike, and what rsip refuses or misreads
//! is written down here with what we make of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use proptest::prelude::*;
use rsip::headers::{ToTypedHeader, UntypedHeader};
use rsip::message::{HasHeaders, HeadersExt};
use visavis_proto::limits::Limits;
use visavis_proto::sip::{Message, NameAddr, Uri};

fn ours(datagram: &[u8]) -> Option<Message> {
    Message::parse(datagram, &Limits::default()).ok()
}

fn theirs(datagram: &[u8]) -> Option<rsip::SipMessage> {
    rsip::SipMessage::try_from(datagram).ok()
}

/// Names and values, as rsip sees them.
fn fields(headers: &rsip::Headers) -> Vec<(String, String)> {
    let split = |h: &rsip::Header| {
        let text = h.to_string();
        let (name, value) = text.split_once(':').expect("a colon");
        (name.trim().to_ascii_lowercase(), value.trim().to_owned())
    };
    headers.iter().map(split).collect()
}

fn agree_on_uri(ours: &Uri<'_>, theirs: &rsip::Uri) {
    assert_eq!(ours.user().map(<[u8]>::to_vec), theirs.user().map(|u| u.as_bytes().to_vec()));
    assert_eq!(ours.host().map(|h| h.to_string()), Some(theirs.host().to_string()));
    assert_eq!(ours.port(), theirs.port().map(|p| *p.value()));
}

fn agree_on_address(ours: &NameAddr<'_>, uri: &rsip::Uri, display: Option<&str>, params: &[rsip::Param]) {
    agree_on_uri(&ours.uri, uri);
    // rsip leaves the quotes away and escapes as they are.
    let plain = |d: String| d.trim_matches('"').to_owned();
    assert_eq!(ours.display_text().map(plain), display.map(|d| plain(d.to_owned())));
    let tag = params.iter().find_map(|p| match p {
        rsip::Param::Tag(tag) => Some(tag.value().as_bytes()),
        _ => None,
    });
    assert_eq!(ours.tag(), tag);
}

/// Everything that both can say of a message that both accept.
fn agree(ours: &Message, theirs: &rsip::SipMessage) {
    match (ours, theirs) {
        (Message::Request(a), rsip::SipMessage::Request(b)) => {
            assert_eq!(a.method.as_str(), b.method.to_string());
            agree_on_uri(&a.uri.view().unwrap(), &b.uri);
        }
        (Message::Response(a), rsip::SipMessage::Response(b)) => {
            assert_eq!(a.status, b.status_code.clone().into());
        }
        _ => panic!("{ours:?} {theirs:?}"),
    }
    let h = ours.headers();
    let own_fields: Vec<_> = h
        .iter()
        .map(|(n, v)| (n.as_str().to_ascii_lowercase(), String::from_utf8(v.to_vec()).unwrap()))
        .collect();
    assert_eq!(own_fields, fields(theirs.headers()));
    assert_eq!(&ours.body()[..], &theirs.body()[..]);

    let via = theirs.via_header().unwrap().typed().unwrap();
    let own = h.via().unwrap();
    assert_eq!(own.transport, via.transport.to_string());
    assert_eq!(
        (own.host.to_string(), own.port),
        (via.uri.host().to_string(), via.uri.port().map(|p| *p.value()))
    );
    assert_eq!(own.branch(), via.branch().map(|b| b.value().as_bytes()));

    let from = theirs.from_header().unwrap().typed().unwrap();
    agree_on_address(&h.from().unwrap(), &from.uri, from.display_name.as_deref(), &from.params);
    let to = theirs.to_header().unwrap().typed().unwrap();
    agree_on_address(&h.to().unwrap(), &to.uri, to.display_name.as_deref(), &to.params);
    if let (Some(own), Some(contact)) = (h.contacts().next(), theirs.contact_header().ok()) {
        let contact = contact.typed().unwrap();
        agree_on_address(&own.unwrap(), &contact.uri, contact.display_name.as_deref(), &contact.params);
    }
    assert_eq!(h.call_id().unwrap(), theirs.call_id_header().unwrap().value().as_bytes());
    let cseq = theirs.cseq_header().unwrap().typed().unwrap();
    let own = h.cseq().unwrap();
    assert_eq!((own.seq, own.method.to_string()), (cseq.seq, cseq.method.to_string()));
}

/// Messages within what rsip can read: IPv4 or names, no dot in a user part, long header names, one value a
/// line, CRLF.
fn plain_message() -> impl Strategy<Value = Vec<u8>> {
    let text = |pattern: &str| proptest::string::string_regex(pattern).expect("a pattern");
    let host = "(192\\.0\\.2\\.[1-9][0-9]?|[a-z]{2,8}\\.example\\.com)(:[1-9][0-9]{1,3})?";
    let uri = format!("sips?:[a-z0-9_+-]{{1,8}}@{host}(;transport=(udp|tcp))?");
    let address = format!("(\"[A-Za-z0-9 ,;]{{1,9}}\" |[A-Z][a-z]{{1,9}} )?<{uri}>");
    let tagged = format!("{address};tag=[a-z0-9]{{1,9}}");
    let start = prop_oneof![
        (text("(INVITE|BYE|OPTIONS|MESSAGE|INFO|REGISTER)"), text(&uri))
            .prop_map(|(method, uri)| (format!("{method} {uri} SIP/2.0"), method)),
        (text("(INVITE|BYE)"), text("(100 Trying|180 Ringing|200 OK|486 Busy Here)"))
            .prop_map(|(method, status)| (format!("SIP/2.0 {status}"), method)),
    ];
    let via = text(&format!("SIP/2\\.0/(UDP|TCP|TLS) {host};branch=z9hG4bK[a-z0-9]{{1,16}}"));
    let extra = proptest::collection::vec("X-[A-Z][a-z]{1,8}: [ -~]{0,30}", 0..4);
    let body = proptest::collection::vec(any::<u8>(), 0..50);
    let addresses = (text(&tagged), text(&address), text(&address));
    let parts = (via, addresses, "[A-Za-z0-9.@-]{1,20}", 0u32..1 << 31, extra, body);
    (start, parts).prop_map(|((start, method), (via, (from, to, contact), id, seq, extra, body))| {
        let extra: String = extra.iter().map(|line| format!("{}\r\n", line.trim_end())).collect();
        let head = format!(
            "{start}\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {id}\r\n\
             CSeq: {seq} {method}\r\nContact: {contact}\r\n{extra}Content-Length: {}\r\n\r\n",
            body.len()
        );
        [head.into_bytes(), body].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_accept_plain_messages_and_read_them_alike(datagram in plain_message()) {
        let (ours, theirs) = (ours(&datagram), theirs(&datagram));
        agree(&ours.expect("ours accepts"), &theirs.expect("rsip accepts"));
    }
}

/// A request with these lines; `VIA`, `FROM`, ... stand for sound ones.
fn datagram(start: &str, lines: &[&str]) -> Vec<u8> {
    let mut out = format!("{start}\r\n");
    for line in lines {
        out += match *line {
            "VIA" => "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa",
            "FROM" => "From: <sip:a@192.0.2.1>;tag=1",
            "TO" => "To: <sip:b@192.0.2.2>",
            "ID" => "Call-ID: c@192.0.2.1",
            "CSEQ" => "CSeq: 1 OPTIONS",
            other => other,
        };
        out += "\r\n";
    }
    (out + "\r\n").into_bytes()
}

const OPTIONS: &str = "OPTIONS sip:b@192.0.2.2 SIP/2.0";
const SOUND: [&str; 5] = ["VIA", "FROM", "TO", "ID", "CSEQ"];

#[test]
fn the_form_that_the_other_cases_depart_from_is_read_by_both() {
    let datagram = datagram(OPTIONS, &SOUND);
    agree(&ours(&datagram).unwrap(), &theirs(&datagram).unwrap());
}

#[test]
fn what_rsip_refuses_we_read() {
    let sound = datagram(OPTIONS, &SOUND);
    let text = String::from_utf8(sound.clone()).unwrap();
    let cases: [(&str, Vec<u8>); 8] = [
        ("an IPv6 Request-URI", datagram("OPTIONS sip:b@[2001:db8::2]:5060 SIP/2.0", &SOUND)),
        ("an unknown method", text.replace("OPTIONS", "DANCE").into_bytes()),
        ("a folded field", text.replace(";tag", "\r\n ;tag").into_bytes()),
        ("white space before the colon", text.replace("From:", "From :").into_bytes()),
        ("lines that end in LF", text.replace("\r\n", "\n").into_bytes()),
        ("empty lines in front", [b"\r\n\r\n", &sound[..]].concat()),
        ("Latin-1", [&sound[..sound.len() - 2], b"Subject: caf\xe9\r\n\r\n"].concat()),
        ("a status line without reason", text.replace(OPTIONS, "SIP/2.0 200").into_bytes()),
    ];
    for (what, datagram) in cases {
        assert!(theirs(&datagram).is_none(), "rsip now reads {what}");
        let message = ours(&datagram).unwrap_or_else(|| panic!("{what}"));
        assert_eq!(message.headers().from().unwrap().tag(), Some(&b"1"[..]), "{what}");
        assert_eq!(ours(&message.to_bytes()).unwrap().headers().call_id(), message.headers().call_id());
    }
}

#[test]
fn a_dot_in_a_user_part_does_not_end_it() {
    let datagram = datagram("OPTIONS sip:b.c@192.0.2.2 SIP/2.0", &SOUND);
    let Some(rsip::SipMessage::Request(rsip)) = theirs(&datagram) else { panic!("no request") };
    assert_eq!(rsip.uri.user(), None, "rsip now reads a dot in a user part");
    let Some(Message::Request(request)) = ours(&datagram) else { panic!("no request") };
    assert_eq!(request.uri.view().unwrap().user(), Some(&b"b.c"[..]));
}

#[test]
fn an_ipv6_via_is_read() {
    let via = "Via: SIP/2.0/UDP [2001:db8::1]:5061;branch=z9hG4bKa";
    let datagram = datagram(OPTIONS, &[via, "FROM", "TO", "ID", "CSEQ"]);
    assert!(theirs(&datagram).unwrap().via_header().unwrap().typed().is_err());
    let message = ours(&datagram).unwrap();
    let via = message.headers().via().unwrap();
    assert_eq!((via.host.to_string().as_str(), via.port), ("[2001:db8::1]", Some(5061)));
}

#[test]
fn compact_names_are_known() {
    let datagram = datagram(
        OPTIONS,
        &["v: SIP/2.0/UDP h;branch=z9hG4bKa", "f: <sip:a@h>;tag=1", "t: <sip:b@h>", "i: c", "CSEQ"],
    );
    let rsip = theirs(&datagram).unwrap();
    assert!(rsip.via_header().is_err() && rsip.from_header().is_err() && rsip.call_id_header().is_err());
    assert_eq!(ours(&datagram).unwrap().headers().via().unwrap().branch(), Some(&b"z9hG4bKa"[..]));
}

#[test]
fn every_via_of_a_comma_list_is_seen() {
    let via = "Via: SIP/2.0/UDP a;branch=z9hG4bKa, SIP/2.0/UDP b;branch=z9hG4bKb";
    let datagram = datagram(OPTIONS, &[via, "FROM", "TO", "ID", "CSEQ"]);
    let rsip = theirs(&datagram).unwrap();
    assert_eq!(rsip.headers().iter().filter(|h| matches!(h, rsip::Header::Via(_))).count(), 1);
    let message = ours(&datagram).unwrap();
    let branches: Vec<_> = message.headers().vias().map(|v| v.unwrap().branch().unwrap()).collect();
    assert_eq!(branches, [b"z9hG4bKa", b"z9hG4bKb"]);
}

#[test]
fn parameters_with_white_space_around_them_are_kept() {
    let via = "Via: SIP/2.0/UDP h:5060 ; rport=99 ; branch=z9hG4bKa";
    let datagram = datagram(OPTIONS, &[via, "FROM", "TO", "ID", "CSEQ"]);
    let rsip = theirs(&datagram).unwrap().via_header().unwrap().typed();
    assert!(rsip.is_err() || rsip.unwrap().branch().is_none());
    let message = ours(&datagram).unwrap();
    let via = message.headers().via().unwrap();
    assert_eq!((via.rport(), via.branch()), (Some(Some(99)), Some(&b"z9hG4bKa"[..])));
}

#[test]
fn a_bracket_inside_of_quotes_is_part_of_the_name() {
    let from = "From: \"a <b>\" <sip:a@192.0.2.1>;tag=1";
    let datagram = datagram(OPTIONS, &["VIA", from, "TO", "ID", "CSEQ"]);
    let rsip = theirs(&datagram).unwrap().from_header().unwrap().typed();
    assert!(rsip.is_err() || rsip.unwrap().uri.user() != Some("a"));
    let message = ours(&datagram).unwrap();
    let from = message.headers().from().unwrap();
    assert_eq!(from.display_text().as_deref(), Some("a <b>"));
    assert_eq!(from.uri.user(), Some(&b"a"[..]));
}

#[test]
fn a_binary_body_is_written_as_it_was_read() {
    let body = b"\x61\xf4\x27\x9f";
    let datagram = [&datagram(OPTIONS, &[&SOUND[..], &["Content-Length: 4"]].concat())[..], body].concat();
    let written = theirs(&datagram).unwrap().to_string().into_bytes();
    assert_eq!(written.len(), datagram.len() + 4, "rsip now keeps binary bodies");
    let message = ours(&datagram).unwrap();
    assert_eq!(&message.body()[..], body);
    assert_eq!(&message.to_bytes()[..], &datagram[..]);
}
