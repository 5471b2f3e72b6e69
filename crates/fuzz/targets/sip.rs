//! SIP: a message that is read can be looked at in every way, and is the same after it is written and read
//! again; a coded body inflates to what was deflated, and never to more than may be; a message put into the form of
//! 2010 stays in it; a stream cut anywhere never upsets the framer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use visavis_proto::limits::Limits;
use visavis_proto::sip::{
    CodingError, FacetimeShape, HeaderName, Message, NameAddr, Response, Shape, StreamFramer, Uri, deflate,
    inflate,
};

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
            decode(&again, &limits);
            reshape(again, &limits);
        }
        Err(error) => {
            let _ = error.to_string();
            if let Some(response) = error.response() {
                let _ = Message::from(response).to_bytes();
            }
        }
    }
    stream(data, &limits);
    codings(data);
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

/// Undoes the coding of the body; where that fails, nothing is changed.
fn decode(message: &Message, limits: &Limits) {
    let mut decoded = message.clone();
    let result = match &mut decoded {
        Message::Request(request) => request.decode_body(limits),
        Message::Response(response) => response.decode_body(limits),
    };
    match result {
        Ok(()) if decoded.body() == message.body() => {}
        Ok(()) => {
            assert!(decoded.body().len() <= limits.sip_inflated);
            assert!(!decoded.headers().contains(HeaderName::ContentEncoding));
            let length = decoded.headers().content_length();
            assert!(length.is_err() || length == Ok(None) || length == Ok(Some(decoded.body().len())));
            let written = decoded.to_bytes();
            let unlimited = Limits { sip_message: usize::MAX, ..limits.clone() };
            assert_eq!(Message::parse(&written, &unlimited).unwrap().body(), decoded.body());
        }
        Err(error) => {
            assert!(matches!(error.status(), 400 | 413 | 415), "{error}");
            assert_eq!(&decoded, message);
        }
    }
}

/// Any octets as a coded body, and as one to be coded.
fn codings(data: &[u8]) {
    for max in [0, 100, 70_000] {
        match inflate(data, max) {
            Ok(inflated) => assert!(inflated.len() <= max),
            Err(error) => drop(error.to_string()),
        }
    }
    let deflated = deflate(data);
    assert_eq!(inflate(&deflated, data.len()).as_deref(), Ok(data));
    if let Some(less) = data.len().checked_sub(1) {
        assert_eq!(inflate(&deflated, less), Err(CodingError::TooLarge { max: less }));
    }
}

/// Puts a message into the form of 2010 and its later kin: it can be read, and twice is as good as once.
fn reshape(message: Message, limits: &Limits) {
    let unlimited = Limits { sip_message: usize::MAX, ..limits.clone() };
    let later = FacetimeShape { rport: true, compact: true, deflate: true };
    for shape in [FacetimeShape::default(), later].map(Shape::Facetime2010) {
        let put_on = |message: &mut Message| match message {
            Message::Request(request) => shape.request(request),
            Message::Response(response) => shape.response(response),
        };
        let mut shaped = message.clone();
        put_on(&mut shaped);
        let written = shaped.to_bytes();
        assert!(Message::parse(&written, &unlimited).is_ok(), "{written:?} from {:?}", message.to_bytes());
        put_on(&mut shaped);
        assert_eq!(shaped.to_bytes(), written, "twice is not once");
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
