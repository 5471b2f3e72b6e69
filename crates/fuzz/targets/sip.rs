//! SIP: a message that is read can be looked at in every way, and is the same after it is written and read
//! again; a stream cut anywhere never upsets the framer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use visavis_proto::limits::Limits;
use visavis_proto::sip::{HeaderName, Message, NameAddr, Response, StreamFramer, Uri};

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    match Message::parse(data, &limits) {
        Ok(message) => {
            look(&message);
            let written = message.to_bytes();
            let again = Message::parse(&written, &limits);
            let Ok(again) = again else {
                assert!(written.len() > limits.sip_message, "{again:?} from {:?}", written);
                return;
            };
            assert_eq!(again.body(), message.body());
            assert_eq!(again.to_bytes(), written);
        }
        Err(error) => {
            let _ = error.to_string();
            if let Some(response) = error.response() {
                let _ = Message::from(response).to_bytes();
            }
        }
    }
    stream(data, &limits);
});

/// Reads every field that has a type.
fn look(message: &Message) {
    let headers = message.headers();
    for via in headers.vias().flatten() {
        let _ = (via.branch(), via.received(), via.rport(), via.maddr());
    }
    for name in [HeaderName::From, HeaderName::To, HeaderName::Contact, HeaderName::Route] {
        headers.values(name).filter_map(|value| NameAddr::parse(value).ok()).for_each(|n| address(&n));
    }
    headers.record_routes().flatten().for_each(|n| address(&n));
    let _ = (headers.cseq(), headers.call_id(), headers.content_length(), headers.max_forwards());
    let _ = (headers.expires(), headers.contact_is_star(), headers.user_agent());
    let _ = headers.content_type().ok().flatten().map(|kind| kind.is("application", "sdp"));
    let _ = headers.require().chain(headers.supported()).chain(headers.allow()).count();
    let _ = headers.accept().flatten().filter(|kind| kind.accepts("application", "sdp")).count();
    let _ = headers.content_encoding().count();
    if let Message::Request(request) = message {
        let mut stamped = request.clone();
        stamped.stamp_source("[2001:db8::1]:5060".parse().unwrap());
        let mut response = Response::to_request(&stamped, 180).with_reason("a\r\nb");
        response.set_to_tag("t");
        let written = response.to_bytes();
        Message::parse(&written, &Limits { sip_message: usize::MAX, ..Limits::default() }).unwrap();
        let _ = (request.ack_for(&response).to_bytes(), request.cancel().to_bytes());
    }
}

fn address(name: &NameAddr<'_>) {
    let _ = (name.display_text(), name.tag());
    let written = name.to_owned();
    if let Ok(uri) = written.uri.view() {
        let _ = (uri.user_text(), uri.socket_addr(), uri.params().iter().count(), uri.is_loose_route());
        assert!(uri.equivalent(&uri), "a URI differs from itself");
        assert_eq!(Uri::parse(uri.as_bytes()).map(|u| u.host()), Ok(uri.host()));
    }
}

/// The same octets as a stream: cut where its own octets say.
fn stream(data: &[u8], limits: &Limits) {
    let mut framer = StreamFramer::new();
    let mut rest = data;
    while !rest.is_empty() && !framer.is_broken() {
        let cut = (usize::from(rest[0]) + 1).min(rest.len());
        framer.push(&rest[..cut]);
        rest = &rest[cut..];
        let mut messages = 0;
        while framer.next_message(limits).is_some() {
            messages += 1;
            assert!(messages <= data.len() + 1, "messages for ever");
            if framer.is_broken() {
                break;
            }
        }
    }
}
