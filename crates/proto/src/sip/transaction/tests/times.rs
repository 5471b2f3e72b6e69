//! What is sent when, against the times that the RFCs give.

use super::*;

fn at(times: &[u64], what: &str) -> Vec<(u64, String)> {
    times.iter().map(|t| (*t, what.to_string())).collect()
}

fn log<const N: usize>(entries: [(u64, &str); N]) -> Vec<(u64, String)> {
    entries.map(|(t, what)| (t, what.to_string())).into()
}

#[test]
fn an_unanswered_invite_is_sent_seven_times_and_ends_after_64_t1() {
    let mut layer = layer(1);
    layer.send_request(ms(0), outgoing("INVITE"), way(ALICE, BOB)).unwrap();
    let mut expected = at(&[0, 500, 1_500, 3_500, 7_500, 15_500, 31_500], "INVITE");
    expected.extend(log([(32_000, "timeout"), (32_000, "client over")]));
    assert_eq!(run(&mut layer, ms(0)), expected);
    assert_eq!(layer.counters().retransmissions, 6);
    assert_empty(&mut layer);
}

#[test]
fn an_unanswered_request_is_sent_eleven_times_and_ends_after_64_t1() {
    let mut layer = layer(1);
    layer.send_request(ms(0), outgoing("OPTIONS"), way(ALICE, BOB)).unwrap();
    let times = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    let mut expected = at(&times, "OPTIONS");
    expected.extend(log([(32_000, "timeout"), (32_000, "client over")]));
    assert_eq!(run(&mut layer, ms(0)), expected);
    assert_empty(&mut layer);
}

#[test]
fn a_provisional_response_slows_a_request_down_and_silences_an_invite() {
    let mut layer = layer(1);
    let (_, options) = send(&mut layer, ms(0), "OPTIONS");
    layer.handle_response(ms(100), answer(&options, 100));
    let mut expected = at(&[100], "TU 100");
    expected.extend(at(&[500, 4_500, 8_500, 12_500, 16_500, 20_500, 24_500, 28_500], "OPTIONS"));
    expected.extend(log([(32_000, "timeout"), (32_000, "client over")]));
    assert_eq!(run(&mut layer, ms(100)), expected);

    let (_, invite) = send(&mut layer, ms(0), "INVITE");
    layer.handle_response(ms(100), answer(&invite, 180));
    assert_eq!(run(&mut layer, ms(100)), at(&[100], "TU 180"));
    assert_eq!(layer.len(), 1, "it rings as long as the TU likes");
}

#[test]
fn each_2xx_to_an_invite_reaches_the_tu_until_timer_m() {
    let mut layer = layer(1);
    let (_, invite) = send(&mut layer, ms(0), "INVITE");
    layer.handle_response(ms(1_000), answer(&invite, 200));
    layer.handle_response(ms(1_500), answer(&invite, 200));
    layer.handle_response(ms(1_600), answer(&invite, 180));
    let mut fork = answer(&invite, 200);
    fork.headers.set(HeaderName::To, "<sip:alice@192.0.2.1>;tag=fork");
    layer.handle_response(ms(2_000), fork);
    let mut expected = at(&[2_000; 3], "TU 200");
    expected.extend(log([(33_000, "client over")]));
    assert_eq!(run(&mut layer, ms(2_000)), expected);
    assert_empty(&mut layer);
}

#[test]
fn a_timer_that_was_replaced_wakes_nobody() {
    let mut layer = layer(1);
    let (_, invite) = send(&mut layer, ms(0), "INVITE");
    assert_eq!(layer.next_timeout(), Some(ms(500)), "timer A");
    layer.handle_response(ms(1), answer(&invite, 200));
    drain(&mut layer, ms(1));
    assert_eq!(layer.next_timeout(), Some(ms(32_001)), "timer M, neither A nor B");
}

#[test]
fn a_failure_is_acknowledged_each_time_and_reported_once_until_timer_d() {
    let mut layer = layer(1);
    let (_, invite) = send(&mut layer, ms(0), "INVITE");
    for t in [700, 1_200, 2_200] {
        layer.handle_response(ms(t), answer(&invite, 486));
    }
    let expected =
        log([(2_200, "ACK"), (2_200, "ACK"), (2_200, "ACK"), (2_200, "TU 486"), (32_700, "client over")]);
    assert_eq!(run(&mut layer, ms(2_200)), expected);
    assert_eq!(layer.counters().retransmissions, 2);
    assert_empty(&mut layer);
}

#[test]
fn a_final_response_to_a_request_lingers_for_t4() {
    let mut layer = layer(1);
    let (_, bye) = send(&mut layer, ms(0), "BYE");
    layer.handle_response(ms(40), answer(&bye, 200));
    layer.handle_response(ms(90), answer(&bye, 200));
    assert_eq!(run(&mut layer, ms(90)), log([(90, "TU 200"), (5_040, "client over")]));
    assert_empty(&mut layer);
}

#[test]
fn an_invite_gets_100_after_200_ms_unless_the_tu_was_faster() {
    let mut layer = layer(1);
    open(&mut layer, ms(0), incoming("INVITE", "z9hG4bK1"));
    assert_eq!(run(&mut layer, ms(0)), log([(200, "100")]));
    // It answers retransmissions with what it sent last.
    layer.handle_request(ms(500), incoming("INVITE", "z9hG4bK1"), way(ALICE, BOB));
    assert_eq!(run(&mut layer, ms(500)), log([(500, "100")]));

    let (key, request) = open(&mut layer, ms(0), incoming("INVITE", "z9hG4bK2"));
    layer.respond(ms(100), key, &Response::to_request(&request, 180)).unwrap();
    layer.handle_request(ms(150), incoming("INVITE", "z9hG4bK2"), way(ALICE, BOB));
    assert_eq!(run(&mut layer, ms(150)), log([(150, "180"), (150, "180")]));
}

#[test]
fn the_100_of_the_layer_has_no_to_tag_and_copies_the_timestamp() {
    let mut layer = layer(1);
    let mut request = incoming("INVITE", "z9hG4bK1");
    request.headers.push(HeaderName::Timestamp, "54");
    open(&mut layer, ms(0), request);
    let trying = parse_response(&drain(&mut layer, ms(200)).sent[0].1);
    assert_eq!(trying.headers.to().unwrap().tag(), None);
    assert_eq!(trying.headers.get(HeaderName::Timestamp), Some(&b"54"[..]));
    let via = trying.headers.via().unwrap();
    assert_eq!((via.received(), via.rport()), (Some(addr(BOB).ip()), Some(Some(5070))));
}

#[test]
fn a_failure_is_repeated_up_to_t2_and_given_up_after_64_t1_without_an_ack() {
    let mut layer = layer(1);
    let (key, request) = open(&mut layer, ms(0), incoming("INVITE", "z9hG4bK1"));
    layer.respond(ms(0), key, &Response::to_request(&request, 486)).unwrap();
    let times = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    let mut expected = at(&times, "486");
    expected.extend(log([(32_000, "server timeout"), (32_000, "server over")]));
    assert_eq!(run(&mut layer, ms(0)), expected);
    assert_empty(&mut layer);
}

#[test]
fn the_ack_ends_the_repetitions_and_is_absorbed_for_t4() {
    let mut layer = layer(1);
    let (key, request) = open(&mut layer, ms(0), incoming("INVITE", "z9hG4bK1"));
    layer.respond(ms(0), key, &Response::to_request(&request, 486)).unwrap();
    drain(&mut layer, ms(0));
    let mut ack = |t| layer.handle_request(ms(t), incoming("ACK", "z9hG4bK1"), way(ALICE, BOB));
    assert!(matches!(ack(100), Incoming::Ack(k) if k == key));
    assert!(matches!(ack(200), Incoming::Absorbed));
    assert_eq!(run(&mut layer, ms(200)), log([(5_100, "server over")]));
    assert_eq!(layer.counters().acks, 2);
    assert_empty(&mut layer);
}

#[test]
fn an_accepted_invite_absorbs_retransmissions_and_lets_the_tu_repeat_its_2xx_until_timer_l() {
    let mut layer = layer(1);
    let (key, request) = open(&mut layer, ms(0), incoming("INVITE", "z9hG4bK1"));
    layer.respond(ms(0), key, &Response::to_request(&request, 200)).unwrap();
    layer.handle_request(ms(400), incoming("INVITE", "z9hG4bK1"), way(ALICE, BOB));
    layer.resend_2xx(ms(500), key).unwrap();
    assert_eq!(layer.respond(ms(500), key, &Response::new(486)), Err(RespondError::Answered(486)));
    let said = drain(&mut layer, ms(500));
    assert_eq!(said.sent.len(), 2);
    assert_eq!(said.sent[0], said.sent[1]);
    assert_eq!(run(&mut layer, ms(500)), log([(32_000, "server over")]));
    assert_eq!(layer.resend_2xx(ms(32_000), key), Err(RespondError::Over));
    assert_empty(&mut layer);
}

#[test]
fn an_answered_request_repeats_its_answer_for_each_retransmission_for_64_t1() {
    let mut layer = layer(1);
    let (key, request) = open(&mut layer, ms(0), incoming("OPTIONS", "z9hG4bK1"));
    layer.handle_request(ms(10), incoming("OPTIONS", "z9hG4bK1"), way(ALICE, BOB));
    layer.respond(ms(20), key, &Response::to_request(&request, 200)).unwrap();
    layer.handle_request(ms(30), incoming("OPTIONS", "z9hG4bK1"), way(ALICE, BOB));
    assert_eq!(layer.respond(ms(40), key, &Response::new(500)), Err(RespondError::Answered(500)));
    let expected = log([(40, "200"), (40, "200"), (32_020, "server over")]);
    assert_eq!(run(&mut layer, ms(40)), expected);
    assert_empty(&mut layer);
}

#[test]
fn an_unanswered_request_gets_a_late_100_and_never_a_408() {
    let mut layer = layer(1);
    let (key, _) = open(&mut layer, ms(0), incoming("MESSAGE", "z9hG4bK1"));
    for status in [100, 183, 408] {
        assert_eq!(layer.respond(ms(0), key, &Response::new(status)), Err(RespondError::Status(status)));
    }
    let expected = log([(3_500, "100"), (32_000, "server timeout"), (32_000, "server over")]);
    assert_eq!(run(&mut layer, ms(0)), expected);
    assert_empty(&mut layer);
}

#[test]
fn on_a_stream_nothing_is_sent_twice_and_nothing_lingers() {
    let mut layer = layer(1);
    layer.send_request(ms(0), outgoing("INVITE"), over_tcp()).unwrap();
    let invite = drain(&mut layer, ms(0)).sent[0].1.clone();
    assert!(invite.windows(11).any(|w| w == b"SIP/2.0/TCP"));
    layer.handle_response(ms(10_000), answer(&invite, 486));
    assert_eq!(
        run(&mut layer, ms(10_000)),
        log([(10_000, "ACK"), (10_000, "TU 486"), (10_000, "client over")])
    );

    layer.send_request(ms(0), outgoing("BYE"), over_tcp()).unwrap();
    let bye = drain(&mut layer, ms(0)).sent[0].1.clone();
    layer.handle_response(ms(10_000), answer(&bye, 200));
    assert_eq!(run(&mut layer, ms(10_000)), log([(10_000, "TU 200"), (10_000, "client over")]));

    let request = incoming("INVITE", "z9hG4bK1");
    let Incoming::New(key, request) = layer.handle_request(ms(0), request, over_tcp()) else { panic!() };
    layer.respond(ms(0), key, &Response::to_request(&request, 486)).unwrap();
    assert_eq!(
        run(&mut layer, ms(0)),
        log([(0, "486"), (32_000, "server timeout"), (32_000, "server over")])
    );
    assert_empty(&mut layer);
}

#[test]
fn a_transport_error_ends_clients_and_is_reported_by_servers() {
    let mut layer = layer(1);
    send(&mut layer, ms(0), "INVITE");
    send(&mut layer, ms(0), "OPTIONS");
    let (key, request) = open(&mut layer, ms(0), incoming("INVITE", "z9hG4bK1"));
    layer.respond(ms(0), key, &Response::to_request(&request, 200)).unwrap();
    drain(&mut layer, ms(0));
    layer.transport_error(ms(10), addr("203.0.113.9:5060"));
    assert!(drain(&mut layer, ms(10)).events.is_empty());
    layer.transport_error(ms(10), addr(BOB));
    let expected = [
        (10, "transport error"),
        (10, "client over"),
        (10, "transport error"),
        (10, "client over"),
        (10, "server transport error"),
        (32_000, "server over"),
    ];
    assert_eq!(run(&mut layer, ms(10)), log(expected));
    assert_empty(&mut layer);
}
