//! What one peer and all of them may take up.

use super::*;

fn small() -> Limits {
    Limits { transactions: 16, transactions_per_source: 8, ..Limits::default() }
}

fn in_dialog(branch: &str) -> Request {
    let mut request = incoming("INFO", branch);
    request.headers.set(HeaderName::To, "<sip:alice@192.0.2.1>;tag=a11ce");
    request
}

fn arrive(layer: &mut Transactions, request: Request, source: &str) -> bool {
    matches!(layer.handle_request(ms(0), request, way(ALICE, source)), Incoming::New(..))
}

#[test]
fn past_its_limit_a_source_gets_503_and_others_get_through() {
    let mut layer = layer_with(1, &small());
    for i in 0..7 {
        assert!(arrive(&mut layer, incoming("OPTIONS", &format!("z9hG4bK{i}")), BOB));
    }
    assert!(!arrive(&mut layer, incoming("OPTIONS", "z9hG4bKx"), BOB));
    let sent = drain(&mut layer, ms(0)).sent;
    assert_eq!(sent.iter().map(|(_, d)| first_words(d)).collect::<Vec<_>>(), ["503"]);
    assert!(arrive(&mut layer, in_dialog("z9hG4bKd1"), BOB), "an eighth is kept for dialogs");
    assert!(!arrive(&mut layer, in_dialog("z9hG4bKd2"), BOB));
    assert!(arrive(&mut layer, incoming("OPTIONS", "z9hG4bKy"), "203.0.113.1:5060"));
    assert_eq!(layer.counters().refused, 2);
    run(&mut layer, ms(0));
    assert_empty(&mut layer);
    assert!(arrive(&mut layer, incoming("OPTIONS", "z9hG4bKx"), BOB), "there is room again");
}

#[test]
fn all_sources_together_keep_to_the_limit_too() {
    let mut layer = layer_with(1, &small());
    let from = |i: usize| format!("203.0.113.{i}:5060");
    for i in 0..14 {
        assert!(arrive(&mut layer, incoming("OPTIONS", &format!("z9hG4bK{i}")), &from(i)));
    }
    assert!(!arrive(&mut layer, incoming("OPTIONS", "z9hG4bKx"), BOB));
    assert!(arrive(&mut layer, in_dialog("z9hG4bKd"), BOB));
    assert!(layer.send_request(ms(0), outgoing("BYE"), way(ALICE, BOB)).is_ok());
    let refused = layer.send_request(ms(0), outgoing("BYE"), way(ALICE, BOB));
    assert_eq!(refused, Err(SendError::TooMany(16)));
    // An ACK and a retransmission cost no room.
    let ack = layer.handle_request(ms(0), incoming("ACK", "z9hG4bKa"), way(ALICE, BOB));
    assert!(matches!(ack, Incoming::AckFor2xx(_)));
    let again = layer.handle_request(ms(0), incoming("OPTIONS", "z9hG4bK1"), way(ALICE, &from(1)));
    assert!(matches!(again, Incoming::Absorbed));
    assert_eq!(layer.counters().request_retransmissions, 1);
}

#[test]
fn ack_and_cancel_are_not_sent_as_requests() {
    let mut layer = layer(1);
    for method in ["ACK", "CANCEL"] {
        assert_eq!(layer.send_request(ms(0), outgoing(method), way(ALICE, BOB)), Err(SendError::Method));
    }
    let bytes = layer.send_ack(outgoing("ACK"), way(ALICE, BOB));
    let said = drain(&mut layer, ms(0));
    assert_eq!(said.sent, [(way(ALICE, BOB), bytes)]);
    assert!(parse_request(&said.sent[0].1).headers.via().unwrap().has_magic_cookie());
    assert_empty(&mut layer);
}
