//! Both ends of a dialog side by side.

use super::*;
use crate::limits::Limits;
use crate::sip::{Message, Uri};

const INVITE: &str = "INVITE sip:bob@biloxi.example SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
    Record-Route: <sip:192.0.2.20;lr;x=\"a,b\">, <sip:192.0.2.10;lr>\r\n\
    Max-Forwards: 70\r\n\
    From: \"Alice\" <sip:alice@atlanta.example>;tag=a1\r\n\
    To: Bob <sip:bob@biloxi.example>\r\n\
    Call-ID: c1\r\n\
    CSeq: 314159 INVITE\r\n\
    Contact: <sip:alice@192.0.2.1:5062>\r\n\r\n";

fn invite(text: &str) -> Request {
    match Message::parse(text.as_bytes(), &Limits::default()).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a response"),
    }
}

fn contact(uri: &str) -> NameAddrBuf {
    NameAddrBuf::new(uri.parse().unwrap())
}

fn bob(invite: &Request) -> Dialog {
    Dialog::callee(invite, "b1", contact("sip:bob@198.51.100.2:5070"), false).unwrap()
}

/// Both ends after a 200: Alice's and Bob's.
fn pair(text: &str) -> (Dialog, Dialog) {
    let invite = invite(text);
    let mut bob = bob(&invite);
    bob.confirm();
    let alice = Dialog::caller(&invite, &bob.response(&invite, 200), false).unwrap();
    (alice, bob)
}

/// As it comes out at the other end.
fn sent(request: &Request) -> Request {
    let mut request = request.clone();
    request.headers.push_front(HeaderName::Via, "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK9");
    invite(std::str::from_utf8(&request.to_bytes()).unwrap())
}

fn routes(request: &Request) -> Vec<String> {
    request.headers.values(HeaderName::Route).map(|v| String::from_utf8(v.to_vec()).unwrap()).collect()
}

fn text(headers: &Headers, name: HeaderName<'static>) -> String {
    headers.text(name).unwrap_or_default()
}

#[test]
fn each_end_finds_its_dialog_by_what_the_other_sends() {
    let (mut alice, mut bob) = pair(INVITE);
    assert_eq!((alice.state(), bob.state()), (DialogState::Confirmed, DialogState::Confirmed));
    assert_eq!((alice.is_caller(), bob.is_caller()), (true, false));
    assert_eq!(format!("{:?}", alice.id()), "c1;local=a1;remote=b1");
    assert_eq!(DialogId::of_request(&sent(&alice.request(Method::Bye))).as_ref(), Some(bob.id()));
    assert_eq!(DialogId::of_request(&sent(&alice.ack(314_159))).as_ref(), Some(bob.id()));
    let info = sent(&bob.request(Method::Info));
    assert_eq!(DialogId::of_request(&info).as_ref(), Some(alice.id()));
    assert_eq!(DialogId::of_response(&alice.response(&info, 200)).as_ref(), Some(bob.id()));
    assert_eq!(DialogId::of_request(&invite(INVITE)), None);
}

#[test]
fn a_request_of_the_caller_is_made_as_section_12_2_1_1_says() {
    let (mut alice, _) = pair(INVITE);
    let bye = alice.request(Method::Bye);
    assert_eq!(bye.uri.to_string(), "sip:bob@198.51.100.2:5070");
    assert_eq!(routes(&bye), ["<sip:192.0.2.10;lr>", "<sip:192.0.2.20;lr;x=\"a,b\">"]);
    assert_eq!(text(&bye.headers, HeaderName::From), "\"Alice\" <sip:alice@atlanta.example>;tag=a1");
    assert_eq!(text(&bye.headers, HeaderName::To), "Bob <sip:bob@biloxi.example>;tag=b1");
    assert_eq!(text(&bye.headers, HeaderName::CallId), "c1");
    assert_eq!(text(&bye.headers, HeaderName::CSeq), "314160 BYE");
    assert_eq!(text(&bye.headers, HeaderName::MaxForwards), "70");
    assert!(!bye.headers.contains(HeaderName::Contact));
    assert_eq!(alice.destination(), Some("192.0.2.10:5060".parse().unwrap()));
}

#[test]
fn a_request_of_the_callee_takes_the_routes_in_the_order_of_the_invite() {
    let (_, mut bob) = pair(INVITE);
    let reinvite = bob.request(Method::Invite);
    assert_eq!(reinvite.uri.to_string(), "sip:alice@192.0.2.1:5062");
    assert_eq!(routes(&reinvite), ["<sip:192.0.2.20;lr;x=\"a,b\">", "<sip:192.0.2.10;lr>"]);
    assert_eq!(text(&reinvite.headers, HeaderName::From), "Bob <sip:bob@biloxi.example>;tag=b1");
    assert_eq!(text(&reinvite.headers, HeaderName::CSeq), "1 INVITE");
    assert_eq!(text(&reinvite.headers, HeaderName::Contact), "<sip:bob@198.51.100.2:5070>");
}

#[test]
fn sequence_numbers_grow_by_one_and_the_ack_takes_that_of_its_invite() {
    let (mut alice, _) = pair(INVITE);
    let seq = |request: &Request| request.headers.cseq().unwrap().seq;
    assert_eq!(seq(&alice.ack(314_159)), 314_159);
    for (i, method) in [Method::Message, Method::Invite, Method::Options].into_iter().enumerate() {
        let contact = method == Method::Invite;
        let request = alice.request(method);
        assert_eq!(seq(&request), 314_160 + i as u32);
        assert_eq!(request.headers.contains(HeaderName::Contact), contact);
    }
    assert_eq!(seq(&alice.ack(314_161)), 314_161);
    alice.local_seq = Some((1 << 31) - 1);
    assert_eq!(seq(&alice.request(Method::Bye)), 1);
}

#[test]
fn a_lower_sequence_number_is_out_of_order_and_a_gap_is_not() {
    let (mut alice, mut bob) = pair(INVITE);
    let mut numbered = |seq: u32, method: Method| {
        let mut request = alice.request(method.clone());
        request.headers.set(HeaderName::CSeq, crate::sip::CSeq { seq, method });
        request
    };
    assert_eq!(bob.accept_sequence(&numbered(314_200, Method::Info)), Ok(()));
    let late = bob.accept_sequence(&numbered(314_160, Method::Message));
    assert_eq!(late, Err(OutOfOrder { received: 314_160, highest: 314_200 }));
    assert_eq!(bob.accept_sequence(&numbered(314_159, Method::Ack)), Ok(()));
    assert_eq!(bob.accept_sequence(&numbered(314_201, Method::Bye)), Ok(()));

    let (mut alice, mut bob) = pair(INVITE);
    assert_eq!(alice.accept_sequence(&bob.request(Method::Info)), Ok(()), "the first one sets the number");
    assert_eq!(alice.remote_seq, Some(1));
}

#[test]
fn with_a_strict_router_first_the_target_goes_last() {
    // The example of RFC 3261 section 12.2.1.1, with what a Request-URI must not hold added.
    let text = INVITE.replace(
        "<sip:192.0.2.20;lr;x=\"a,b\">, <sip:192.0.2.10;lr>",
        "<sip:proxy1;method=INVITE?a=b>, <sip:proxy2>, <sip:proxy3;lr>, <sip:proxy4>",
    );
    let (_, mut bob) = pair(&text.replace("sip:alice@192.0.2.1:5062", "sip:user@remoteua"));
    let message = bob.request(Method::Message);
    assert_eq!(message.uri.to_string(), "sip:proxy1");
    assert_eq!(routes(&message), ["<sip:proxy2>", "<sip:proxy3;lr>", "<sip:proxy4>", "<sip:user@remoteua>"]);
    assert_eq!(bob.destination(), None, "a name takes a resolver");
    assert!(bob.next_hop().view().unwrap().equivalent(&Uri::parse(b"sip:proxy1;method=INVITE?a=b").unwrap()));
}

#[test]
fn without_routes_requests_go_to_the_contact() {
    let direct: String =
        INVITE.lines().filter(|l| !l.starts_with("Record")).map(|l| format!("{l}\r\n")).collect();
    let (mut alice, bob) = pair(&direct);
    assert_eq!(routes(&alice.request(Method::Bye)), [""; 0]);
    assert_eq!(alice.destination(), Some("198.51.100.2:5070".parse().unwrap()));
    assert_eq!(bob.destination(), Some("192.0.2.1:5062".parse().unwrap()));
}

#[test]
fn a_target_refresh_moves_the_target_and_leaves_the_route_set() {
    let (mut alice, mut bob) = pair(INVITE);
    alice.set_contact(contact("sip:alice@203.0.113.5"));
    let mut reinvite = alice.request(Method::Invite);
    reinvite.headers.push(HeaderName::RecordRoute, "<sip:192.0.2.99;lr>");
    bob.refresh_target(&reinvite.headers);
    let bye = bob.request(Method::Bye);
    assert_eq!(bye.uri.to_string(), "sip:alice@203.0.113.5");
    assert_eq!(routes(&bye).len(), 2);
    for broken in ["<tel:+1555>", "*", "<sip:a@[::1>"] {
        reinvite.headers.set(HeaderName::Contact, broken);
        bob.refresh_target(&reinvite.headers);
        assert_eq!(bob.remote_target().to_string(), "sip:alice@203.0.113.5", "{broken}");
    }
    reinvite.headers.remove(HeaderName::Contact);
    bob.refresh_target(&reinvite.headers);
    assert_eq!(bob.remote_target().to_string(), "sip:alice@203.0.113.5");
}

#[test]
fn responses_tell_the_other_end_about_the_dialog_where_they_create_or_refresh_it() {
    let request = invite(INVITE);
    let mut bob = bob(&request);
    for (status, tag, contact) in
        [(100, false, false), (180, true, true), (200, true, true), (302, true, false), (486, true, false)]
    {
        let response = bob.response(&request, status);
        assert_eq!(response.headers.to().unwrap().tag().is_some(), tag, "{status}");
        assert_eq!(response.headers.contains(HeaderName::Contact), contact, "{status}");
        assert_eq!(response.headers.values(HeaderName::RecordRoute).count(), if contact { 2 } else { 0 });
    }
    bob.confirm();
    let mut alice = Dialog::caller(&request, &bob.response(&request, 200), false).unwrap();
    let ok = bob.response(&sent(&alice.request(Method::Bye)), 200);
    assert!(!ok.headers.contains(HeaderName::Contact));
    assert_eq!(text(&ok.headers, HeaderName::To), "Bob <sip:bob@biloxi.example>;tag=b1");
}

#[test]
fn a_2xx_confirms_the_early_dialog_and_brings_the_route_set() {
    let request = invite(INVITE);
    let bob = bob(&request);
    let mut ringing = bob.response(&request, 180);
    ringing.headers.remove(HeaderName::RecordRoute);
    ringing.headers.remove(HeaderName::Contact);
    let mut alice = Dialog::caller(&request, &ringing, false).unwrap();
    assert_eq!((alice.state(), alice.remote_target()), (DialogState::Early, &request.uri));
    let mut ok = bob.response(&request, 200);
    assert_eq!(DialogId::of_response(&ok).as_ref(), Some(alice.id()));
    alice.confirm_by(&ok);
    assert_eq!(alice.state(), DialogState::Confirmed);
    assert_eq!(routes(&alice.ack(314_159)), ["<sip:192.0.2.10;lr>", "<sip:192.0.2.20;lr;x=\"a,b\">"]);
    assert_eq!(alice.remote_target().to_string(), "sip:bob@198.51.100.2:5070");
    // The 2xx of a re-INVITE refreshes the target alone.
    ok.headers.remove(HeaderName::RecordRoute);
    ok.headers.set(HeaderName::Contact, "<sip:bob@203.0.113.6>");
    alice.confirm_by(&ok);
    assert_eq!(routes(&alice.request(Method::Bye)).len(), 2);
    assert_eq!(alice.remote_target().to_string(), "sip:bob@203.0.113.6");
}

#[test]
fn a_forked_invite_makes_a_dialog_for_each_tag() {
    let request = invite(INVITE);
    let other = Dialog::callee(&request, "b2", contact("sip:bob@198.51.100.3"), false).unwrap();
    let [first, second] = [bob(&request), other].map(|d| d.response(&request, 200));
    let [first, second] = [first, second].map(|r| Dialog::caller(&request, &r, false).unwrap());
    assert_ne!(first.id(), second.id());
    assert_eq!(first.id().local_tag, second.id().local_tag);
    assert_eq!(second.ack(314_159).uri.to_string(), "sip:bob@198.51.100.3");
}

#[test]
fn a_peer_without_tags_is_understood() {
    let request = invite(&INVITE.replace(";tag=a1", ""));
    let mut bob = bob(&request);
    assert_eq!(&*bob.id().remote_tag, b"");
    let bye = bob.request(Method::Bye);
    assert_eq!(bye.headers.to().unwrap().tag(), None);
    let mut ok = bob.response(&request, 200);
    ok.headers.set(HeaderName::To, "<sip:bob@biloxi.example>");
    let alice = Dialog::caller(&request, &ok, false).unwrap();
    assert_eq!(&*alice.id().remote_tag, b"");
    ok.status = 183;
    assert_eq!(DialogId::of_response(&ok), None, "only a 2xx may lack it");
}

#[test]
fn what_creates_no_dialog_says_why() {
    let request = invite(INVITE);
    let bob = bob(&request);
    for status in [100, 302, 486, 600] {
        let error = Dialog::caller(&request, &bob.response(&request, status), false).unwrap_err();
        assert_eq!(error, DialogError::Status(status));
    }
    let mut no_contact = request.clone();
    no_contact.headers.remove(HeaderName::Contact);
    let error = Dialog::callee(&no_contact, "b", contact("sip:b@h"), false).unwrap_err();
    assert_eq!(error.to_string(), "no Contact header field");
    no_contact.headers.push(HeaderName::Contact, "<mailto:alice@atlanta.example>");
    let error = Dialog::callee(&no_contact, "b", contact("sip:b@h"), false).unwrap_err();
    assert_eq!(error.to_string(), "bad Contact header field: not a SIP or SIPS URI at octet 0");
}

#[test]
fn a_dialog_is_secure_only_by_a_sips_uri_over_tls() {
    for (uri, tls, secure) in
        [("sips:bob@b", true, true), ("sips:bob@b", false, false), ("sip:bob@b", true, false)]
    {
        let mut request = invite(INVITE);
        request.uri = uri.parse().unwrap();
        let bob = Dialog::callee(&request, "b", contact("sips:bob@b"), tls).unwrap();
        let alice = Dialog::caller(&request, &bob.response(&request, 200), tls).unwrap();
        assert_eq!((bob.is_secure(), alice.is_secure()), (secure, secure), "{uri} {tls}");
    }
}
