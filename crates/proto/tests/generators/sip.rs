//! Generated SIP messages, and a walk through all that can be read from one.

use proptest::prelude::*;
use std::net::SocketAddr;
use visavis_proto::sip::{
    CSeq, HeaderName, Headers, Host, Message, Method, NameAddrBuf, Request, Response, UriBuf, ViaBuf,
};

/// A token (RFC 3261 section 25.1).
pub(crate) fn token() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(&b"abcXYZ019-.!%*_+`'~"[..]), 1..12)
        .prop_map(|b| b.into_iter().map(char::from).collect())
}

/// Octets of a value: anything that does not end a line, without spaces and tabs around it.
pub(crate) fn value() -> impl Strategy<Value = Vec<u8>> {
    let inner = any::<u8>().prop_filter("ends a line", |b| !matches!(b, b'\r' | b'\n'));
    let outer = any::<u8>().prop_filter("white space", |b| !matches!(b, b'\r' | b'\n' | b'\t' | b' '));
    let long = (outer.clone(), proptest::collection::vec(inner, 0..40), outer)
        .prop_map(|(first, middle, last)| [&[first], &middle[..], &[last]].concat());
    prop_oneof![1 => Just(Vec::new()), 9 => long]
}

pub(crate) fn method() -> impl Strategy<Value = Method> {
    prop_oneof![
        Just(Method::Invite),
        Just(Method::Message),
        Just(Method::Options),
        Just(Method::Bye),
        token().prop_map(|t| Method::parse(t.as_bytes()).expect("a token")),
    ]
}

pub(crate) fn address() -> impl Strategy<Value = SocketAddr> {
    (any::<std::net::IpAddr>(), 1u16..).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

pub(crate) fn uri() -> impl Strategy<Value = UriBuf> {
    let host = prop_oneof!["[a-z]{1,8}(\\.[a-z]{1,4}){0,2}".prop_map(Err), address().prop_map(Ok)];
    let params = proptest::collection::vec((token(), proptest::option::of(token())), 0..3);
    (proptest::option::of("\\PC{1,10}"), host, proptest::option::of(1u16..), params).prop_map(
        |(user, host, port, params)| {
            let host: Host<'_> = match &host {
                Ok(addr) => addr.ip().into(),
                Err(name) => Host::Name(name),
            };
            let uri = UriBuf::sip(user.as_deref(), host, port);
            params.into_iter().fold(uri, |uri, (name, value)| uri.with_param(&name, value.as_deref()))
        },
    )
}

pub(crate) fn name_addr() -> impl Strategy<Value = NameAddrBuf> {
    let display = proptest::option::of(value().prop_filter("empty", |v| !v.is_empty()));
    (display, uri(), proptest::option::of(token())).prop_map(|(display, uri, tag)| {
        let address = NameAddrBuf { display, ..NameAddrBuf::new(uri) };
        match tag {
            Some(tag) => address.with_tag(&tag),
            None => address,
        }
    })
}

pub(crate) fn via() -> impl Strategy<Value = ViaBuf> {
    (address(), token(), any::<bool>()).prop_map(|(sent_by, branch, rport)| ViaBuf {
        transport: "UDP",
        sent_by,
        branch: format!("z9hG4bK{branch}"),
        rport,
    })
}

fn headers() -> impl Strategy<Value = Headers> {
    let extra = proptest::collection::vec(("X-[A-Za-z]{1,8}", value()), 0..4);
    let vias = proptest::collection::vec(via(), 1..4);
    let contacts = proptest::collection::vec(name_addr(), 0..3);
    (vias, name_addr(), name_addr(), token(), contacts, extra).prop_map(
        |(vias, from, to, call_id, contacts, extra)| {
            let mut headers = Headers::new();
            vias.iter().for_each(|v| headers.push(HeaderName::Via, v));
            headers.push(HeaderName::From, &from);
            headers.push(HeaderName::To, &to);
            headers.push(HeaderName::CallId, call_id);
            contacts.iter().for_each(|c| headers.push(HeaderName::Contact, c));
            extra.iter().for_each(|(name, value)| headers.push(name.as_str(), value));
            headers
        },
    )
}

/// A well-formed message with a true Content-Length at its end.
pub(crate) fn message() -> impl Strategy<Value = Message> {
    let body = proptest::collection::vec(any::<u8>(), 0..60);
    let response = proptest::option::of((100u16..700, value()));
    (method(), uri(), response, headers(), 0u32..1 << 31, body).prop_map(
        |(method, uri, response, mut headers, seq, body)| {
            headers.push(HeaderName::CSeq, CSeq { seq, method: method.clone() });
            headers.push(HeaderName::ContentLength, body.len());
            let body = body.into();
            match response {
                None => Request { method, uri, headers, body }.into(),
                Some((status, reason)) => Response { status, reason: reason.into(), headers, body }.into(),
            }
        },
    )
}

/// Reads everything that can be read from a message and writes everything that can be written from it.
pub(crate) fn walk(message: &Message) -> usize {
    let h = message.headers();
    let mut seen = h.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
    for via in h.vias().flatten() {
        seen += via.params.iter().count();
        seen += [via.received().is_some(), via.rport().is_some(), via.maddr().is_some()].len();
        seen += usize::from(via.has_magic_cookie());
    }
    let addresses = h.contacts().chain(h.routes()).chain(h.record_routes());
    for address in addresses.chain([h.from(), h.to()]).flatten() {
        seen += address.display_text().map_or(0, |d| d.len()) + address.uri.to_string().len();
        seen += address.uri.user_text().map_or(0, |u| u.len()) + address.to_owned().params.len();
        seen += usize::from(address.uri.socket_addr().is_some() || address.uri.is_loose_route());
        assert!(address.uri.equivalent(&address.uri), "{}", address.uri);
    }
    seen += h.call_id().map_or(0, <[u8]>::len) + h.cseq().map_or(0, |c| c.seq as usize & 1);
    seen += h.content_type().ok().flatten().map_or(0, |t| t.params.iter().count());
    seen += h.content_length().is_ok() as usize + h.max_forwards().is_ok() as usize;
    seen += h.expires().is_ok() as usize + h.contact_is_star() as usize + h.accept().count();
    seen += h.warnings().flatten().map(|w| w.text().len()).sum::<usize>();
    seen += h.require().chain(h.supported()).chain(h.allow()).chain(h.content_encoding()).count();
    seen += h.user_agent().map_or(0, |a| a.len());
    if let Message::Request(request) = message {
        let mut request = request.clone();
        seen += request.uri.view().map_or(0, |u| u.params().iter().count());
        request.stamp_source("[2001:db8::1]:5062".parse().expect("an address"));
        let mut response = Response::to_request(&request, 486);
        response.set_to_tag("tag");
        seen += request.to_bytes().len() + response.to_bytes().len();
        seen += request.cancel().to_bytes().len() + request.ack_for(&response).to_bytes().len();
    }
    seen + message.to_bytes().len()
}
