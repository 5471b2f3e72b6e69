//! CANCEL and its races: RFC 3261 section 9.

use super::*;
use crate::sip::Method;

/// An INVITE that rang after 100 ms and was cancelled after 200 ms: its key, and both requests as sent.
fn cancelled(layer: &mut Transactions) -> (ClientKey, Bytes, Bytes) {
    let (key, invite) = send(layer, ms(0), "INVITE");
    layer.handle_response(ms(100), answer(&invite, 180));
    drain(layer, ms(100));
    layer.cancel(ms(200), key);
    let cancel = drain(layer, ms(200)).sent[0].1.clone();
    (key, invite, cancel)
}

#[test]
fn a_cancel_waits_for_a_provisional_response() {
    let mut layer = layer(1);
    let (key, invite) = send(&mut layer, ms(0), "INVITE");
    layer.cancel(ms(100), key);
    layer.cancel(ms(110), key);
    assert_eq!(drain(&mut layer, ms(110)).sent.len(), 0);
    layer.handle_response(ms(200), answer(&invite, 100));
    let sent = drain(&mut layer, ms(200)).sent;
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, way(ALICE, BOB));
    layer.cancel(ms(210), key);
    assert_eq!(drain(&mut layer, ms(210)).sent.len(), 0);
}

#[test]
fn a_cancel_is_made_as_section_9_1_says() {
    let mut layer = layer(1);
    let (_, invite, cancel) = cancelled(&mut layer);
    let (invite, cancel) = (parse_request(&invite), parse_request(&cancel));
    assert_eq!(cancel.method, Method::Cancel);
    assert_eq!(cancel.uri, invite.uri);
    for name in [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::Route] {
        assert_eq!(cancel.headers.get(name), invite.headers.get(name), "{name}");
    }
    assert_eq!(cancel.headers.cseq().unwrap().seq, 7);
    assert_eq!(cancel.headers.cseq().unwrap().method, Method::Cancel);
    assert!(!cancel.headers.contains(HeaderName::Require));
}

#[test]
fn a_held_back_cancel_is_never_sent_when_the_final_response_comes_first() {
    let mut layer = layer(1);
    for status in [200, 486] {
        let (key, invite) = send(&mut layer, ms(0), "INVITE");
        layer.cancel(ms(100), key);
        layer.handle_response(ms(200), answer(&invite, status));
        let log = run(&mut layer, ms(200));
        assert!(log.iter().all(|(_, what)| what != "CANCEL"), "{log:?}");
        assert!(log.contains(&(200, format!("TU {status}"))));
        layer.cancel(ms(40_000), key);
        assert_empty(&mut layer);
    }
}

#[test]
fn a_2xx_that_crosses_the_cancel_reaches_the_tu() {
    let mut layer = layer(1);
    let (_, invite, cancel) = cancelled(&mut layer);
    layer.handle_response(ms(210), answer(&invite, 200));
    layer.handle_response(ms(250), answer(&cancel, 200));
    let expected = [(250, "TU 200"), (32_210, "client over")].map(|(t, s)| (t, s.to_string()));
    assert_eq!(run(&mut layer, ms(250)), expected, "the CANCEL's own 200 is not for the TU");
    assert_empty(&mut layer);
}

#[test]
fn a_cancel_that_goes_unheeded_ends_the_invite_after_64_t1() {
    let mut layer = layer(1);
    let (_, _, cancel) = cancelled(&mut layer);
    layer.handle_response(ms(250), answer(&cancel, 200));
    let log = run(&mut layer, ms(250));
    assert_eq!(log, [(32_200, "timeout".to_string()), (32_200, "client over".to_string())]);
    assert_empty(&mut layer);
}

#[test]
fn a_cancelled_invite_ends_with_487_and_its_ack() {
    let mut layer = layer(1);
    let (key, invite, cancel) = cancelled(&mut layer);
    layer.handle_response(ms(250), answer(&cancel, 200));
    layer.handle_response(ms(250), answer(&invite, 487));
    let said = drain(&mut layer, ms(250));
    assert!(matches!(&said.events[..], [TuEvent::Response(k, r)] if *k == key && r.status == 487));
    let (ack, invite) = (parse_request(&said.sent[0].1), parse_request(&invite));
    // RFC 3261 section 17.1.1.3.
    assert_eq!((ack.method, &ack.uri), (Method::Ack, &invite.uri));
    for name in [HeaderName::Via, HeaderName::From, HeaderName::CallId, HeaderName::Route] {
        assert_eq!(ack.headers.get(name), invite.headers.get(name), "{name}");
    }
    assert_eq!(ack.headers.vias().count(), 1);
    assert_eq!(ack.headers.to().unwrap().tag(), Some(&b"b0b"[..]));
    assert_eq!(ack.headers.cseq().unwrap().seq, 7);
    assert_eq!(ack.headers.cseq().unwrap().method, Method::Ack);
}

#[test]
fn the_server_side_names_the_invite_that_a_cancel_is_for() {
    let mut layer = layer(1);
    let (invite, request) = open(&mut layer, ms(0), incoming("INVITE", "z9hG4bK1"));
    layer.respond(ms(0), invite, &Response::to_request(&request, 180)).unwrap();
    let Incoming::Cancel { cancel, request: c, invite: named } =
        layer.handle_request(ms(50), incoming("CANCEL", "z9hG4bK1"), way(ALICE, BOB))
    else {
        panic!()
    };
    assert_eq!(named, invite);
    layer.respond(ms(50), cancel, &Response::to_request(&c, 200)).unwrap();
    layer.respond(ms(50), invite, &Response::to_request(&request, 487)).unwrap();
    // The CANCEL again: its 200 again.
    let again = layer.handle_request(ms(60), incoming("CANCEL", "z9hG4bK1"), way(ALICE, BOB));
    assert!(matches!(again, Incoming::Absorbed));
    let sent: Vec<String> = drain(&mut layer, ms(60)).sent.iter().map(|(_, d)| first_words(d)).collect();
    assert_eq!(sent, ["180", "200", "487", "200"]);
}

#[test]
fn a_cancel_behind_the_2xx_still_gets_its_200_and_changes_nothing() {
    let mut layer = layer(1);
    let (invite, request) = open(&mut layer, ms(0), incoming("INVITE", "z9hG4bK1"));
    layer.respond(ms(0), invite, &Response::to_request(&request, 200)).unwrap();
    let Incoming::Cancel { cancel, request: c, .. } =
        layer.handle_request(ms(50), incoming("CANCEL", "z9hG4bK1"), way(ALICE, BOB))
    else {
        panic!()
    };
    layer.respond(ms(50), cancel, &Response::to_request(&c, 200)).unwrap();
    let refused = layer.respond(ms(50), invite, &Response::to_request(&request, 487));
    assert_eq!(refused, Err(RespondError::Answered(487)));
}

#[test]
fn a_cancel_that_matches_nothing_gets_481_and_one_for_another_method_200() {
    let mut layer = layer(1);
    open(&mut layer, ms(0), incoming("OPTIONS", "z9hG4bK1"));
    for branch in ["z9hG4bK1", "z9hG4bK2"] {
        let cancel = layer.handle_request(ms(0), incoming("CANCEL", branch), way(ALICE, BOB));
        assert!(matches!(cancel, Incoming::Absorbed));
    }
    let sent: Vec<Response> = drain(&mut layer, ms(0)).sent.iter().map(|(_, d)| parse_response(d)).collect();
    assert_eq!(sent.iter().map(|r| r.status).collect::<Vec<_>>(), [200, 481]);
    assert!(sent.iter().all(|r| r.headers.to().unwrap().tag().is_some()));
    assert_eq!(layer.counters().cancels_unmatched, 1);
    assert_eq!(layer.len(), 1, "neither takes up room");
}
