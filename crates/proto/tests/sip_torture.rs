//! Messages that are hard to read, and what must come of each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::net::IpAddr;
use visavis_proto::limits::Limits;
use visavis_proto::sip::{
    CSeq, HeaderError, HeaderName, Host, Message, Method, ParseError, Problem, Request, Response, Scheme,
};

/// The lines with CRLF ends, and an empty line behind them.
fn wire(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|l| [l.as_bytes(), b"\r\n"]).chain([&b"\r\n"[..]]).flatten().copied().collect()
}

/// A well-formed OPTIONS with these lines behind its own.
fn options(extra: &[&str]) -> Vec<u8> {
    let own = [
        "OPTIONS sip:bob@192.0.2.2 SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx",
        "From: <sip:alice@192.0.2.1>;tag=a",
        "To: <sip:bob@192.0.2.2>",
        "Call-ID: c",
        "CSeq: 7 OPTIONS",
    ];
    wire(&[&own[..], extra].concat())
}

/// [`options`] with one line of its own changed.
fn options_with(from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(options(&[])).unwrap();
    assert!(text.contains(from), "{from}");
    text.replace(from, to).into_bytes()
}

fn parse(datagram: &[u8]) -> Result<Message, ParseError> {
    Message::parse(datagram, &Limits::default())
}

fn request(datagram: &[u8]) -> Request {
    match parse(datagram) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn response(datagram: &[u8]) -> Response {
    match parse(datagram) {
        Ok(Message::Response(response)) => response,
        other => panic!("{other:?}"),
    }
}

fn refusal(datagram: &[u8]) -> ParseError {
    parse(datagram).expect_err("not to be read")
}

#[test]
fn an_invite_of_2010_is_read_without_loss() {
    let body = wire(&[
        "v=0",
        "o=thiago 0 0 IN IP4 192.168.20.198",
        "s=1021",
        "c=IN IP4 192.168.20.198",
        "b=AS:250",
        "t=0 0",
        "a=FLS;VRA:0;RVRA:1;AS:2",
        "a=hwi:17412:2:2800",
        "a=multipoint:1",
        "a=iChatEncryption:YES",
        "a=bandwidthDetection:NO",
        "m=audio 16402 RTP/AVP 105 0",
        "a=rtcp:16402",
        "a=rtpmap:105 X-AAC_ELD/22050",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpID:1261706994",
        "a=fmtp:AAC SamplesPerBlock 480",
        "m=video 16402 RTP/AVP 123 126 34",
        "a=rtcp:16402",
        "a=rtpmap:123 H264/90000",
        "a=rtpmap:126 X-H264/90000",
        "a=rtpmap:34 H263/90000",
        "a=fmtp:34 imagesize 0",
        "a=framerate:15",
        "a=RTCP:AUDIO 16402 VIDEO 16402",
        "a=fmtp:126 imagesize 0 rules 15:320:240:320:240:15",
        "a=fmtp:123 imagesize 0 rules 15:320:240:320:240:15",
        "a=rtpID:1085110790",
    ]);
    let body = &body[..body.len() - 2];
    let mut datagram = wire(&[
        "INVITE sip:user@192.168.20.100:16402 SIP/2.0",
        "Via: SIP/2.0/UDP 192.168.20.198:16402;branch=z9hG4bK15325fd03549ca85",
        "Max-Forwards: 70",
        "To: \"1022\" <sip:user@192.168.20.100:16402>",
        "From: \"1021\" <sip:user@192.168.20.198:16402>;tag=527520767",
        "Call-ID: 658685de-dcec-11df-b1e3-80c2c2c54012@192-168-20-198",
        "CSeq: 1 INVITE",
        "Contact: <sip:user@192.168.20.198:16402>;isfocus",
        "User-Agent: Viceroy 1.4.1",
        "Content-Type: application/sdp",
        "Content-Length: 666",
    ]);
    datagram.extend_from_slice(body);
    assert_eq!(datagram.len(), 1113);

    let m = request(&datagram);
    let h = &m.headers;
    assert_eq!(m.method, Method::Invite);
    assert_eq!(m.uri.as_bytes(), b"sip:user@192.168.20.100:16402");
    assert_eq!(m.uri.view().unwrap().socket_addr(), "192.168.20.100:16402".parse().ok());
    let via = h.via().unwrap();
    assert_eq!((via.transport, via.port), ("UDP", Some(16402)));
    assert_eq!(via.host.ip(), Some([192, 168, 20, 198].into()));
    assert_eq!(via.branch(), Some(&b"z9hG4bK15325fd03549ca85"[..]));
    assert!(via.has_magic_cookie() && via.rport().is_none());
    assert_eq!(h.max_forwards(), Ok(Some(70)));
    let (to, from) = (h.to().unwrap(), h.from().unwrap());
    assert_eq!((to.display_text().as_deref(), to.tag()), (Some("1022"), None));
    assert_eq!((from.display_text().as_deref(), from.tag()), (Some("1021"), Some(&b"527520767"[..])));
    assert_eq!(h.call_id().unwrap(), b"658685de-dcec-11df-b1e3-80c2c2c54012@192-168-20-198");
    assert_eq!(h.cseq(), Ok(CSeq { seq: 1, method: Method::Invite }));
    let contact = h.contacts().next().unwrap().unwrap();
    assert!(contact.params.has("isfocus") && contact.uri.user() == Some(b"user"));
    assert_eq!(h.user_agent().as_deref(), Some("Viceroy 1.4.1"));
    assert!(h.content_type().unwrap().unwrap().is("application", "sdp"));
    assert_eq!(h.content_length(), Ok(Some(666)));
    assert_eq!(&m.body[..], body);
    assert_eq!(&m.to_bytes()[..], &datagram[..]);
}

#[test]
fn one_message_may_use_every_freedom_of_the_grammar() {
    let m = request(
        b"\r\n\nMESSAGE sip:bob%20b;x=(1)@[2001:db8::2]:65535;transport=udp;lr?subject=a%20b&x= SIP/2.0\n\
        v \t: SIP / 2.0 / UDP\r\n [2001:db8::1]:5061 ; rport=99 ; branch = z9hG4bKa,\r\n\
        \tSIP/2.0/TCP first.example.com:5060;branch=z9hG4bKb;received=2001:db8::9 ;;,,\n\
        VIA: SIP/2.0/UDP h;received=[2001:db8::9];maddr=[::1]\r\n\
        t:<sips:[2001:db8::2]>\r\n\
        F   :\t\"comma, \\\"quote\\\" <angle>; semi\"  < sip:a@h > ; tag = t1 ; x=\";tag=no\"\r\n\
        CALL-id:\r\n  odd()<>:\\\"/[]?{}@id  \r\n\
        cseq: 0001\r\n MESSAGE\r\n\
        Subject:\r\n\
        k: a,b\r\n , c\r\n\
        Supported: , d\r\n\
        X-Unheard-Of: ;;,,\"\xff\xfe\x00\r\n\
        m: *\r\n\
        e: deflate\r\n\
        L: 4\r\n\
        \r\n\x61\xf4\x27\x9fand what lies behind the body",
    );
    let h = &m.headers;
    assert_eq!(m.method, Method::Message);
    let uri = m.uri.view().unwrap();
    assert_eq!(uri.user_text().as_deref(), Some("bob b;x=(1)"));
    assert_eq!((uri.port(), uri.is_loose_route()), (Some(65535), true));
    assert_eq!(uri.headers(), Some(&b"subject=a%20b&x="[..]));

    let vias: Vec<_> = h.vias().map(Result::unwrap).collect();
    assert_eq!(vias.len(), 3);
    assert_eq!((vias[0].port, vias[0].rport()), (Some(5061), Some(Some(99))));
    assert_eq!(vias[0].branch(), Some(&b"z9hG4bKa"[..]));
    let nine: IpAddr = "2001:db8::9".parse().unwrap();
    assert_eq!((vias[1].transport, vias[1].received()), ("TCP", Some(nine)));
    assert_eq!((vias[1].host, vias[2].received()), (Host::Name("FIRST.example.com"), Some(nine)));
    assert_eq!(vias[2].maddr(), Host::parse(b"[::1]"));

    let from = h.from().unwrap();
    assert_eq!(from.display_text().as_deref(), Some("comma, \"quote\" <angle>; semi"));
    assert_eq!(from.tag(), Some(&b"t1"[..]));
    assert_eq!(h.to().unwrap().uri.scheme(), Scheme::Sips);
    assert_eq!(h.call_id().unwrap(), b"odd()<>:\\\"/[]?{}@id");
    assert_eq!(h.cseq().unwrap().seq, 1);
    assert_eq!(h.get(HeaderName::Subject), Some(&b""[..]));
    assert_eq!(h.supported().collect::<Vec<_>>(), [b"a", b"b", b"c", b"d"]);
    assert_eq!(h.get("x-unheard-of"), Some(&b";;,,\"\xff\xfe\x00"[..]));
    assert!(h.contact_is_star());
    assert_eq!(h.content_encoding().collect::<Vec<_>>(), [b"deflate"]);
    assert_eq!(&m.body[..], b"\x61\xf4\x27\x9f");
    assert_eq!(parse(&m.to_bytes()), Ok(Message::Request(m)));
}

#[test]
fn display_names_may_hold_any_octets() {
    for (value, display) in [
        (&b"0 <sip:u@h>;tag=1"[..], "0"),
        (b"+1 (401) 524-2911, ext. 570 <sip:u@h>;tag=1", "+1 (401) 524-2911, ext. 570"),
        (b"caf\xe9 <sip:u@h>;tag=1", "caf\u{e9}"),
        ("\"日本 <\" <sip:u@h>;tag=1".as_bytes(), "日本 <"),
        (b"\"<sip:joe@example.com>\"<sip:u@h>;tag=1", "<sip:joe@example.com>"),
        (b"a \"b <c\" d <sip:u@h>;tag=1", "a \"b <c\" d"),
        (b"\"never closed <sip:u@h>;tag=1", "\"never closed"),
        (b"\"\" <sip:u@h>;tag=1", ""),
    ] {
        let line = [b"From: ", value].concat();
        let datagram = String::from_utf8(options(&[])).unwrap();
        let (before, after) = datagram.split_once("From: <sip:alice@192.0.2.1>;tag=a").unwrap();
        let m = request(&[before.as_bytes(), &line, after.as_bytes()].concat());
        let from = m.headers.from().unwrap();
        assert_eq!(from.display_text().as_deref(), Some(display));
        assert_eq!((from.uri.user(), from.tag()), (Some(&b"u"[..]), Some(&b"1"[..])));
        assert_eq!(m.headers.get(HeaderName::From), Some(value));
    }
}

#[test]
fn without_brackets_parameters_belong_to_the_header_field() {
    let m = request(&options_with("<sip:bob@192.0.2.2>\r\nC", "sip:bob@h ; tag=b\r\nC"));
    let to = m.headers.to().unwrap();
    assert_eq!((to.tag(), to.uri.params().is_empty()), (Some(&b"b"[..]), true));
}

#[test]
fn unknown_methods_schemes_and_fields_are_kept_for_the_server_to_refuse() {
    let text = String::from_utf8(options(&["Odd-Field!: {\u{e9}}", "Require: nothing-anyone-has"])).unwrap();
    let m = request(
        text.replace(
            "OPTIONS sip:bob@192.0.2.2",
            "d3-cOdE!'~ nobody://knows/this;scheme?a=b@c,<x".trim_end_matches(",<x"),
        )
        .replace("7 OPTIONS", "7 d3-cOdE!'~")
        .as_bytes(),
    );
    assert_eq!(m.method.as_str(), "d3-cOdE!'~");
    assert_eq!(m.uri.view().unwrap().scheme(), Scheme::Other("nobody"));
    assert_eq!(m.uri.view().unwrap().host(), None);
    assert_eq!(m.headers.get("ODD-FIELD!"), Some("{\u{e9}}".as_bytes()));
    assert_eq!(m.headers.require().collect::<Vec<_>>(), [b"nothing-anyone-has"]);

    let m = request(&options_with("OPTIONS sip:bob@192.0.2.2", "OPTIONS tel:+1-201-555-0123;ext=5"));
    assert_eq!(m.uri.view().unwrap().scheme(), Scheme::Tel);
}

#[test]
fn a_method_in_lower_case_is_another_method() {
    let error = refusal(&options_with("OPTIONS sip", "options sip"));
    assert_eq!(error.problem, Problem::MethodMismatch);
    assert_eq!(error.response().unwrap().status, 400);
}

#[test]
fn a_status_line_may_lack_its_reason() {
    let head = |line: &str| {
        let text = String::from_utf8(options(&[])).unwrap();
        response(text.replace("OPTIONS sip:bob@192.0.2.2 SIP/2.0", line).as_bytes())
    };
    for (line, reason) in [
        ("SIP/2.0 200", &b""[..]),
        ("SIP/2.0 200 ", b""),
        ("sip/2.0 200 OK", b"OK"),
        ("SIP/2.0 200 = 2**3 * 5**2 но", "= 2**3 * 5**2 но".as_bytes()),
    ] {
        let m = head(line);
        assert_eq!((m.status, &m.reason[..]), (200, reason), "{line}");
        let again = response(&m.to_bytes());
        assert_eq!((again.status, again.reason), (m.status, m.reason));
    }
    let latin = [b"SIP/2.0 486 Occup\xe9\r\n", &options(&[])[35..]].concat();
    assert_eq!(response(&latin).reason_text(), "Occup\u{e9}");
}

#[test]
fn a_status_code_is_three_digits_from_100_to_699() {
    for line in [
        "SIP/2.0 099 x",
        "SIP/2.0 700 x",
        "SIP/2.0 20 x",
        "SIP/2.0 4294967301 x",
        "SIP/2.0 2oo OK",
        "SIP/2.0 ",
    ] {
        let error = refusal(&options_with("OPTIONS sip:bob@192.0.2.2 SIP/2.0", line));
        assert!(matches!(error.problem, Problem::StartLine(_)), "{line}: {error}");
        assert!(error.response().is_none());
    }
}

#[test]
fn content_length_decides_where_a_body_ends() {
    let with = |length: &str, body: &[u8]| parse(&[&options(&[length])[..], body].concat());
    assert_eq!(&with("X: y", b"all of it").unwrap().body()[..], b"all of it");
    assert_eq!(&with("Content-Length: 3", b"all of it").unwrap().body()[..], b"all");
    assert_eq!(&with("l: 0009", b"all of it").unwrap().body()[..], b"all of it");
    assert!(with("Content-Length: 0", b"").unwrap().body().is_empty());

    let short = with("Content-Length: 10", b"all of it").unwrap_err();
    assert_eq!(short.problem, Problem::BodyTooShort);
    let answer = short.response().unwrap();
    assert_eq!(answer.status, 400);
    assert_eq!(answer.reason_text(), "Bad Request: body shorter than its Content-Length");

    for bad in ["-1", "", "x", "4294967296", "18446744073709551616", "1, 1"] {
        let error = with(&format!("Content-Length: {bad}"), b"x").unwrap_err();
        assert!(matches!(error.problem, Problem::Header(HeaderError::Bad { .. })), "{bad}: {error}");
        assert_eq!(error.response().unwrap().status, 400);
    }
}

#[test]
fn two_content_lengths_must_agree() {
    let with = |second: &str| parse(&[&options(&["Content-Length: 1", second])[..], b"xy"].concat());
    assert_eq!(&with("l: 1").unwrap().body()[..], b"x");
    let error = with("l: 2").unwrap_err();
    assert_eq!(error.problem, Problem::Header(HeaderError::Repeated(HeaderName::ContentLength)));
}

#[test]
fn a_response_with_a_short_body_is_not_answered() {
    let text = String::from_utf8(options(&["Content-Length: 10"])).unwrap();
    let error = refusal(text.replace("OPTIONS sip:bob@192.0.2.2 SIP/2.0", "SIP/2.0 200 OK").as_bytes());
    assert_eq!(error.problem, Problem::BodyTooShort);
    assert!(error.response().is_none() && error.request().is_none());
}

#[test]
fn another_version_is_answered_with_505() {
    for version in ["SIP/7.0", "SIP/2.00", "SIP/3"] {
        let error = refusal(&options_with("SIP/2.0\r\nVia", &format!("{version}\r\nVia")));
        assert_eq!(error.problem, Problem::Version);
        let answer = error.response().unwrap();
        assert_eq!((answer.status, &answer.reason[..]), (505, &b"Version Not Supported"[..]));
        assert_eq!(answer.headers.cseq().unwrap().seq, 7);
    }
}

#[test]
fn a_malformed_request_is_answered_with_what_is_wrong_and_where() {
    for (from, to, reason, at) in [
        ("CSeq: 7 OPTIONS", "CSeq: 7 INVITE", "CSeq method differs from the request's", "7 INVITE"),
        (
            "CSeq: 7",
            "CSeq: 2147483648",
            "bad CSeq header field: no number below 2^31 at octet 0",
            "2147483648",
        ),
        (
            "To: <sip:bob@192.0.2.2>",
            "To: <sip:bob@192.0.2.2",
            "bad To header field: no closing bracket at octet 0",
            "<sip:bob@192.0.2.2\r",
        ),
        (
            "To: <sip:bob@192.0.2.2>",
            "To: <sip:b b@h>",
            "bad To header field: white space, quote or bracket at octet 6",
            " b@h>",
        ),
        ("Call-ID: c", "Call-ID: c\r\nCall-ID: c", "several Call-ID header fields", "c\r\nCall-ID: c"),
        ("Call-ID: c", "Call-ID:", "bad Call-ID header field: empty at octet 0", "\r\nCSeq"),
        ("sip:bob@192.0.2.2 SIP", "<sip:bob@192.0.2.2> SIP", "bad start line: bad scheme", "OPTIONS"),
        (
            "sip:bob@192.0.2.2 SIP",
            "sip:bob@192.0.2.2; lr SIP",
            "bad start line: white space, quote or bracket",
            "OPTIONS",
        ),
        ("sip:bob@192.0.2.2 SIP", "bob SIP", "bad start line: no scheme", "OPTIONS"),
        ("sip:bob@192.0.2.2 SIP", "sip:bob@192.0.2.2:70000 SIP", "bad start line: bad port", "OPTIONS"),
        ("sip:bob@192.0.2.2 SIP", "sip:a@b@c SIP", "bad start line: bad host", "OPTIONS"),
        ("Call-ID: c", "Call-ID: c\r\nno field at all", "bad header line: no colon", "no field"),
        ("Call-ID: c", "Call-ID: c\r\n: nameless", "bad header line: bad name", ": nameless"),
        ("Call-ID: c", "Call-ID: c\r\nA B: c", "bad header line: bad name", "A B"),
        ("SIP/2.0\r\nVia", "SIP/2.0\r\n folded\r\nVia", "bad header line: continues no field", " folded"),
    ] {
        let datagram = options_with(from, to);
        let error = refusal(&datagram);
        let place = datagram.windows(at.len()).position(|w| w == at.as_bytes()).unwrap();
        assert_eq!(error.at, place, "{to}: {error}");
        let answer = error.response().unwrap_or_else(|| panic!("{to}: {error}"));
        assert_eq!(answer.status, 400);
        assert_eq!(answer.reason_text(), format!("Bad Request: {reason}"));
        assert_eq!(answer.headers.via().unwrap().branch(), Some(&b"z9hG4bKx"[..]));
    }
}

#[test]
fn what_cannot_be_sent_back_is_not_answered() {
    for name in ["Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx", "From", "To", "Call-ID", "CSeq"] {
        let error = refusal(&options_with(name, &format!("X-{name}")));
        let header = HeaderName::from(name.split(':').next().unwrap());
        assert!(matches!(error.problem, Problem::Header(HeaderError::Missing(h)) if h == header), "{error}");
        assert!(error.request().is_some() && error.response().is_none(), "{name}");
    }
    for via in
        ["Via: SIP/2.0/UDP", "Via: HTTP/1.1 h", "Via: SIP/2.0/UDP [::1", "Via: SIP/2.0/U(DP h", "Via: ,"]
    {
        let error = refusal(&options_with("Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx", via));
        assert!(error.response().is_none(), "{via}: {error}");
    }
}

#[test]
fn an_ack_is_never_answered() {
    let text = String::from_utf8(options_with("CSeq: 7 OPTIONS", "CSeq: 7 INVITE")).unwrap();
    let error = refusal(text.replace("OPTIONS", "ACK").as_bytes());
    assert_eq!(error.problem, Problem::MethodMismatch);
    assert!(error.response().is_none());
}

#[test]
fn past_a_limit_the_answer_is_513() {
    let limits = Limits { sip_headers: 8, sip_list_values: 3, sip_message: 2000, ..Limits::default() };
    let status = |datagram: &[u8]| {
        Message::parse(datagram, &limits).map_err(|e| (e.problem.clone(), e.response().unwrap().status))
    };
    assert!(status(&options(&["X-A: 1", "X-B: 2", "X-C: 3"])).is_ok());
    assert_eq!(
        status(&options(&["X-A: 1", "X-B: 2", "X-C: 3", "X-D: 4"])),
        Err((Problem::TooManyHeaders, 513))
    );
    assert!(status(&options(&["k: a, \"b,c\", d", "Allow: a,b,c"])).is_ok());
    assert_eq!(status(&options(&["k: a, b", "Supported: c, d"])), Err((Problem::TooManyValues, 513)));
    let long = [&options(&["l: 2000"])[..], &[b'x'; 2000]].concat();
    assert_eq!(status(&long), Err((Problem::TooLarge, 513)));
}

#[test]
fn line_ends_alone_are_an_empty_message() {
    for datagram in [&b""[..], b"\r\n\r\n", b"\r\n", b"\n"] {
        assert_eq!(refusal(datagram).problem, Problem::Empty);
    }
}

#[test]
fn what_is_not_sip_is_told_apart_from_what_is_broken() {
    for datagram in [
        &b"\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"hello\r\n\r\n",
        b"INVITE sip:a@b\r\n\r\n",
        b"\x80\x60\x00\x01\n\n",
    ] {
        assert_eq!(refusal(datagram).problem, Problem::NotSip, "{datagram:x?}");
    }
    assert_eq!(refusal(b"INVITE sip:a@b SIP/2").problem, Problem::NoEnd);
    assert!(matches!(refusal(b"IN(VITE sip:a@b SIP/2.0\r\n\r\n").problem, Problem::StartLine(_)));
}

#[test]
fn a_message_cut_short_anywhere_is_never_taken_for_whole() {
    let datagram = [&options(&["Content-Length: 4"])[..], b"body"].concat();
    assert!(parse(&datagram).is_ok());
    for len in 0..datagram.len() {
        assert!(parse(&datagram[..len]).is_err(), "{len} of {} octets", datagram.len());
    }
}

#[test]
fn no_value_can_add_a_line_to_a_message() {
    let mut m = request(&options(&[]));
    m.headers.push("X-Evil\r\nFoo: ", "a\r\nBar: b\n\rBaz: c");
    m.headers.set(HeaderName::CallId, "c\r\n\r\nbody");
    let again = request(&m.to_bytes());
    assert_eq!(again.headers.len(), 5 + 2, "one field and a Content-Length more");
    assert_eq!(again.headers.get("X-Evil--Foo--"), Some(&b"a  Bar: b  Baz: c"[..]));
    assert_eq!(again.headers.call_id().unwrap(), b"c    body");
    let answer = Response::to_request(&again, 400).with_reason("a\r\nb: c");
    assert_eq!(response(&answer.to_bytes()).reason_text(), "a  b: c");
}

#[test]
fn a_lone_carriage_return_is_white_space() {
    let m = request(&options(&["Subject: a\rX: b", "Y: \r c \r"]));
    assert_eq!(m.headers.get("Subject"), Some(&b"a X: b"[..]));
    assert_eq!(m.headers.get("Y"), Some(&b"c"[..]));
}
