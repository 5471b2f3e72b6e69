//! Which message belongs to which transaction, RFC 3261 sections 17.1.3, 17.2.3, 8.2.2.2 and 18.

use super::*;

fn with(mut request: Request, name: HeaderName<'static>, value: &str) -> Request {
    request.headers.set(name, value);
    request
}

fn is_new(layer: &mut Transactions, request: Request) -> bool {
    matches!(layer.handle_request(ms(0), request, way(ALICE, BOB)), Incoming::New(..))
}

#[test]
fn a_request_is_stamped_with_its_source_before_the_tu_sees_it() {
    let mut layer = layer(1);
    let source = way(ALICE, "203.0.113.77:40000");
    let Incoming::New(key, request) = layer.handle_request(ms(0), incoming("INVITE", "z9hG4bK1"), source)
    else {
        panic!()
    };
    let via = request.headers.via().unwrap();
    assert_eq!((via.received(), via.rport()), (Some(source.remote.ip()), Some(Some(40_000))));
    layer.respond(ms(0), key, &Response::to_request(&request, 486)).unwrap();
    assert_eq!(drain(&mut layer, ms(0)).sent[0].0, source);
}

#[test]
fn branch_sent_by_and_method_make_a_server_transaction() {
    let mut layer = layer(1);
    let request = || incoming("OPTIONS", "z9hG4bKabc");
    assert!(is_new(&mut layer, request()));
    assert!(!is_new(&mut layer, request()));
    let other_call = with(request(), HeaderName::CallId, "other@example");
    assert!(!is_new(&mut layer, other_call), "the branch says it all");
    for via in [
        "SIP/2.0/UDP 198.51.100.2:5070;branch=z9hG4bKabd",
        "SIP/2.0/UDP 198.51.100.2:5071;branch=z9hG4bKabc",
        "SIP/2.0/UDP 198.51.100.3:5070;branch=z9hG4bKabc",
        "SIP/2.0/UDP bob.example:5070;branch=z9hG4bKabc",
    ] {
        let request = with(request(), HeaderName::Via, via);
        assert!(is_new(&mut layer, with(request, HeaderName::CallId, via)), "{via}");
    }
    let upper = with(request(), HeaderName::Via, "SIP/2.0/UDP BOB.example:5070;branch=z9hG4bKabc");
    assert!(!is_new(&mut layer, upper), "host names have no case");
    assert!(is_new(&mut layer, incoming("MESSAGE", "z9hG4bKabc")));
    assert_eq!(layer.counters().request_retransmissions, 3);
}

#[test]
fn without_the_magic_cookie_rfc_2543_matching_is_used() {
    let mut layer = layer(1);
    let request = || incoming("INVITE", "1");
    let (key, first) = open(&mut layer, ms(0), request());
    assert!(!is_new(&mut layer, request()));
    assert!(is_new(&mut layer, with(request(), HeaderName::CallId, "other@example")));
    assert!(is_new(&mut layer, with(request(), HeaderName::CSeq, "8 INVITE")));
    assert!(is_new(&mut layer, with(request(), HeaderName::From, "<sip:bob@198.51.100.2>;tag=x")));
    assert!(is_new(&mut layer, with(request(), HeaderName::To, "<sip:alice@192.0.2.1>;tag=x")));
    let mut elsewhere = request();
    elsewhere.uri = "sip:carol@192.0.2.1".parse().unwrap();
    let elsewhere = layer.handle_request(ms(0), elsewhere, way(ALICE, BOB));
    assert!(matches!(elsewhere, Incoming::Absorbed));
    assert_eq!(layer.counters().merged, 1, "another transaction, but a merged request");

    let mut response = Response::to_request(&first, 486);
    response.set_to_tag("a11ce");
    layer.respond(ms(0), key, &response).unwrap();
    let ack =
        |tag: &str| with(incoming("ACK", "1"), HeaderName::To, &format!("<sip:alice@192.0.2.1>;tag={tag}"));
    let stray = layer.handle_request(ms(1), ack("other"), way(ALICE, BOB));
    assert!(matches!(stray, Incoming::AckFor2xx(_)), "the To tag is not that of the response");
    let matched = layer.handle_request(ms(1), ack("a11ce"), way(ALICE, BOB));
    assert!(matches!(matched, Incoming::Ack(k) if k == key));
}

#[test]
fn an_rfc_2543_re_invite_is_acknowledged_and_cancelled_inside_its_dialog() {
    let mut layer = layer(1);
    let inside = |method| with(incoming(method, "1"), HeaderName::To, "<sip:alice@192.0.2.1>;tag=a11ce");
    let (key, first) = open(&mut layer, ms(0), inside("INVITE"));
    let cancel = layer.handle_request(ms(0), inside("CANCEL"), way(ALICE, BOB));
    assert!(matches!(cancel, Incoming::Cancel { invite, .. } if invite == key));
    layer.respond(ms(0), key, &Response::to_request(&first, 487)).unwrap();
    let ack = layer.handle_request(ms(0), inside("ACK"), way(ALICE, BOB));
    assert!(matches!(ack, Incoming::Ack(k) if k == key));
}

#[test]
fn an_ack_for_a_2xx_goes_to_the_tu_whatever_its_branch() {
    let mut layer = layer(1);
    let (key, request) = open(&mut layer, ms(0), incoming("INVITE", "z9hG4bK1"));
    let early = layer.handle_request(ms(0), incoming("ACK", "z9hG4bK1"), way(ALICE, BOB));
    assert!(matches!(early, Incoming::Absorbed), "nothing was sent that it could be for");
    layer.respond(ms(0), key, &Response::to_request(&request, 200)).unwrap();
    for branch in ["z9hG4bK1", "z9hG4bK2"] {
        let ack = layer.handle_request(ms(0), incoming("ACK", branch), way(ALICE, BOB));
        assert!(matches!(ack, Incoming::AckFor2xx(_)), "{branch}");
    }
}

#[test]
fn a_merged_request_gets_482_and_its_ack_is_absorbed() {
    let mut layer = layer(1);
    open(&mut layer, ms(0), incoming("INVITE", "z9hG4bK1"));
    let merged = || {
        let via = "SIP/2.0/UDP 198.51.100.2:5070;branch=z9hG4bK2";
        with(incoming("INVITE", "z9hG4bK1"), HeaderName::Via, via)
    };
    assert!(!is_new(&mut layer, merged()));
    let sent = drain(&mut layer, ms(0)).sent;
    let response = parse_response(&sent[0].1);
    assert_eq!(response.status, 482);
    assert!(response.headers.to().unwrap().tag().is_some());
    let mut ack = merged().ack_for(&response);
    ack.stamp_source(addr(BOB));
    assert!(matches!(layer.handle_request(ms(10), ack, way(ALICE, BOB)), Incoming::Absorbed));
    let log = run(&mut layer, ms(10));
    assert_eq!(log, [(200, "100".to_string())], "the TU never hears of it");
    assert_eq!((layer.len(), layer.counters().merged), (1, 1));
}

#[test]
fn the_same_request_inside_a_dialog_or_with_another_cseq_does_not_merge() {
    let mut layer = layer(1);
    let other_path =
        |request| with(request, HeaderName::Via, "SIP/2.0/UDP 198.51.100.2:5070;branch=z9hG4bK2");
    let inside = || with(incoming("INVITE", "z9hG4bK1"), HeaderName::To, "<sip:alice@192.0.2.1>;tag=1");
    assert!(is_new(&mut layer, inside()));
    assert!(is_new(&mut layer, other_path(inside())));
    assert!(is_new(&mut layer, incoming("INVITE", "z9hG4bK3")));
    let next = with(incoming("INVITE", "z9hG4bK3"), HeaderName::CSeq, "8 INVITE");
    let via = "SIP/2.0/UDP 198.51.100.2:5070;branch=z9hG4bK4";
    assert!(is_new(&mut layer, with(next, HeaderName::Via, via)));
    assert_eq!(layer.counters().merged, 0);
}

#[test]
fn strays_are_counted_and_dropped() {
    let mut layer = layer(1);
    let (_, invite) = send(&mut layer, ms(0), "INVITE");
    let good = || answer(&invite, 180);
    let mut strays = Vec::new();
    let mut stray = |change: &dyn Fn(&mut Response)| {
        let mut response = good();
        change(&mut response);
        strays.push(response);
    };
    let via = |text: &'static str| {
        move |r: &mut Response| {
            r.headers.set(HeaderName::Via, text);
        }
    };
    stray(&via("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK0123456789abcdef"));
    stray(&via("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK"));
    stray(&via("SIP/2.0/UDP 192.0.2.1:5060"));
    for other in ["192.0.2.9:5060", "192.0.2.1:5061"] {
        stray(&|r| {
            let ours = r.headers.text(HeaderName::Via).unwrap();
            r.headers.set(HeaderName::Via, ours.replace(ALICE, other));
        });
    }
    stray(&|r| {
        r.headers.push(HeaderName::Via, "SIP/2.0/UDP 203.0.113.1;branch=z9hG4bKdownstream");
    });
    stray(&|r| {
        r.headers.set(HeaderName::CSeq, "7 OPTIONS");
    });
    stray(&|r| {
        r.headers.set(HeaderName::CSeq, "7 CANCEL");
    });
    let count = strays.len() as u64;
    for response in strays {
        layer.handle_response(ms(10), response);
    }
    assert!(drain(&mut layer, ms(10)).events.is_empty());
    layer.handle_response(ms(20), good());
    assert_eq!(drain(&mut layer, ms(20)).events.len(), 1);
    let counters = Counters { responses: 1, stray_responses: count, ..Counters::default() };
    assert_eq!(*layer.counters(), counters);
}

#[test]
fn what_cannot_be_read_is_answered_where_that_is_possible() {
    let mut layer = layer(1);
    let text = format!(
        "OPTIONS sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {BOB};branch=z9hG4bK1;rport\r\n\
         From: <sip:bob@198.51.100.2>;tag=b\r\nTo: <sip:alice@192.0.2.1>\r\nCall-ID: x\r\n\
         CSeq: many OPTIONS\r\n\r\n"
    );
    for _ in 0..2 {
        let error = Message::parse(text.as_bytes(), &Limits::default()).unwrap_err();
        layer.reject(error, way(ALICE, BOB));
    }
    let ack = Message::parse(text.replace("OPTIONS", "ACK").as_bytes(), &Limits::default()).unwrap_err();
    layer.reject(ack, way(ALICE, BOB));
    layer.reject(Message::parse(b"\x16\x03\x01", &Limits::default()).unwrap_err(), way(ALICE, BOB));
    let sent = drain(&mut layer, ms(0)).sent;
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], sent[1], "the same To tag for the same request");
    let text = String::from_utf8(sent[0].1.to_vec()).unwrap();
    assert!(text.starts_with("SIP/2.0 400 Bad Request: "), "{text}");
    assert!(text.contains(";received=198.51.100.2;rport=5070\r\n"), "{text}");
    assert_eq!((layer.counters().malformed, layer.len()), (4, 0));
}
