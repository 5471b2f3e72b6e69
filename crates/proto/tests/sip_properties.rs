//! What holds for every SIP message, and for every datagram that is none.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "generators/sip.rs"]
mod generators;

use generators::{message, name_addr, via, walk};
use proptest::prelude::*;
use visavis_proto::limits::Limits;
use visavis_proto::sip::{HeaderName, Headers, Host, Message, NameAddr, Uri, UriBuf, Via, unescape};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn parse(datagram: &[u8]) -> Result<Message, visavis_proto::sip::ParseError> {
    Message::parse(datagram, &Limits::default())
}

/// Reads a datagram that may be anything, and all that can be made of it.
fn survives(datagram: &[u8]) {
    match parse(datagram) {
        Ok(mut message) => {
            walk(&message);
            let length = message.body().len();
            message.headers_mut().set(HeaderName::ContentLength, length);
            assert_eq!(parse(&message.to_bytes()).as_ref(), Ok(&message));
        }
        Err(error) => {
            assert!(error.at <= datagram.len(), "{error}");
            if let Some(partial) = &error.partial {
                walk(partial);
            }
            if let Some(mut response) = error.response() {
                response.set_to_tag("x");
                let datagram = response.to_bytes();
                // What made the request unreadable may stand in a field that the response must copy, but
                // its frame and status are sound.
                let again = parse(&datagram).unwrap_or_else(|e| *e.partial.expect("a status line"));
                assert!(matches!(again, Message::Response(r) if r.status == error.status()));
            }
        }
    }
}

/// The same message with other line ends, folds, names and spaces.
fn disguise(datagram: &[u8], style: u8) -> Vec<u8> {
    let head_len = datagram.windows(4).position(|w| w == b"\r\n\r\n").expect("an empty line") + 2;
    let (head, body) = datagram.split_at(head_len);
    let end: &[u8] = if style & 1 == 0 { b"\r\n" } else { b"\n" };
    let mut out = if style & 2 == 0 { Vec::new() } else { b"\r\n\n\r\n".to_vec() };
    for (i, line) in head.split(|&b| b == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(colon) = line.iter().position(|&b| b == b':').filter(|_| i > 0) else {
            out.extend_from_slice(line);
            out.extend_from_slice(if line.is_empty() { b"" } else { end });
            continue;
        };
        let name: &[u8] = match &line[..colon] {
            b"Via" if style & 4 != 0 => b"v",
            b"From" if style & 4 != 0 => b"F",
            b"Call-ID" if style & 4 != 0 => b"cAlL-iD",
            b"Content-Length" if style & 4 != 0 => b"l",
            name => name,
        };
        out.extend_from_slice(name);
        out.extend_from_slice(if style & 8 == 0 { b":" } else { b" \t:" });
        if style & 16 != 0 {
            out.extend_from_slice(end);
            out.extend_from_slice(b"\t");
        }
        out.extend_from_slice(&line[colon + 1..]);
        out.extend_from_slice(if style & 32 == 0 { b"" } else { b" \t " });
        out.extend_from_slice(end);
    }
    out.extend_from_slice(end);
    out.extend_from_slice(&body[2..]);
    out
}

proptest! {
    #![proptest_config(config(10_000))]

    #[test]
    fn no_datagram_makes_the_parser_panic(datagram in proptest::collection::vec(any::<u8>(), 0..300)) {
        survives(&datagram);
    }

    #[test]
    fn no_text_in_the_letters_of_sip_makes_the_parser_panic(
        text in "(INVITE|SIP/2.0 200|ACK) (sip:[a@;?:\\[\\]]{0,9} SIP/2.0)?\r\n\
            ((Via|From|t|CSeq|Call-ID|l|m)[: ]{0,2}[SIP/2.0UDP ;,\"\\\\<>@:=\r\n\u{e9}]{0,40}\r\n){0,9}\r\n"
    ) {
        survives(text.as_bytes());
    }
}

proptest! {
    #![proptest_config(config(3_000))]

    #[test]
    fn what_is_written_is_read_back_the_same(message in message()) {
        let datagram = message.to_bytes();
        prop_assert_eq!(parse(&datagram), Ok(message));
    }

    #[test]
    fn a_message_in_disguise_is_the_same_message(message in message(), style in 0u8..64) {
        let datagram = disguise(&message.to_bytes(), style);
        prop_assert_eq!(parse(&datagram), Ok(message));
    }

    #[test]
    fn no_mutated_message_makes_the_parser_panic(
        message in message(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6),
    ) {
        let mut datagram = message.to_bytes().to_vec();
        for (at, octet, kind) in edits {
            let at = at.index(datagram.len());
            match kind {
                0 => datagram[at] = octet,
                1 => datagram.insert(at, *b"\r\n\t ,;<>\"\\:@%[]=".get(usize::from(octet % 16)).expect("16")),
                2 => drop(datagram.remove(at)),
                _ => {
                    let line = datagram.split(|&b| b == b'\n').nth(usize::from(octet % 8));
                    let line = line.unwrap_or_default().to_vec();
                    drop(datagram.splice(at..at, line));
                }
            }
            if datagram.is_empty() {
                break;
            }
        }
        survives(&datagram);
    }

    #[test]
    fn an_address_that_is_written_is_read_back_the_same(address in name_addr()) {
        let mut headers = Headers::new();
        headers.push(HeaderName::Contact, &address);
        let value = headers.get(HeaderName::Contact).expect("just put there");
        prop_assert_eq!(NameAddr::parse(value).expect("readable").to_owned(), address.clone());
        prop_assert_eq!(headers.contacts().count(), 1, "{:?}", headers);
    }

    #[test]
    fn a_via_that_is_written_is_read_back_the_same(via in via()) {
        let mut headers = Headers::new();
        headers.push(HeaderName::Via, &via);
        let read: Via<'_> = headers.via().expect("readable");
        prop_assert_eq!(read.host.ip(), Some(via.sent_by.ip()));
        prop_assert_eq!(read.port, Some(via.sent_by.port()));
        prop_assert_eq!(read.branch(), Some(via.branch.as_bytes()));
        prop_assert_eq!(read.rport().is_some(), via.rport);
    }

    #[test]
    fn escapes_do_not_change_what_a_uri_means(user in "[a-z0-9_.!~-]{1,10}", host in "[a-z]{1,9}") {
        let escaped: String = user.bytes().map(|b| format!("%{b:02x}")).collect();
        let plain = format!("sip:{user}@{host}");
        let other = format!("SIP:{escaped}@{}", host.to_uppercase());
        let (plain, other) = (Uri::parse(plain.as_bytes()), Uri::parse(other.as_bytes()));
        let (plain, other) = (plain.expect("a URI"), other.expect("a URI"));
        prop_assert!(plain.equivalent(&other) && other.equivalent(&plain), "{} {}", plain, other);
        prop_assert_eq!(other.user_text(), Some(user));
    }

    #[test]
    fn a_uri_that_is_built_has_the_parts_that_it_was_built_from(
        user in "\\PC{1,10}", host in "[a-z]{1,9}", port in 1u16.., name in "[a-z]{1,4}", value in "\\PC{1,9}"
    ) {
        let uri = UriBuf::sip(Some(&user), Host::Name(&host), Some(port)).with_param(&name, Some(&value));
        let view = uri.view().expect("a URI");
        prop_assert_eq!(view.user_text(), Some(user));
        prop_assert_eq!(view.host(), Some(Host::Name(&host)));
        prop_assert_eq!(view.port(), Some(port));
        let read = view.params().value(&name).map(unescape).expect("the parameter");
        prop_assert_eq!(&*read, value.as_bytes());
    }
}
