//! The form of FaceTime 2010, seen from outside: the recorded INVITE is read and answered, and our own messages have
//! its fields in its order.

use super::*;
use crate::sip::{ACCEPT_ENCODING, FacetimeShape, HeaderName, Method, Request, Response, Shape, deflate};

/// An INVITE recorded in October 2010, with LF for CRLF.
const RECORDED: &str = r#"INVITE sip:user@192.168.20.100:16402 SIP/2.0
Via: SIP/2.0/UDP 192.168.20.198:16402;branch=z9hG4bK15325fd03549ca85
Max-Forwards: 70
To: "1022" <sip:user@192.168.20.100:16402>
From: "1021" <sip:user@192.168.20.198:16402>;tag=527520767
Call-ID: 658685de-dcec-11df-b1e3-80c2c2c54012@192-168-20-198
CSeq: 1 INVITE
Contact: <sip:user@192.168.20.198:16402>;isfocus
User-Agent: Viceroy 1.4.1
Content-Type: application/sdp
Content-Length: 666

v=0
o=thiago 0 0 IN IP4 192.168.20.198
s=1021
c=IN IP4 192.168.20.198
b=AS:250
t=0 0
a=FLS;VRA:0;RVRA:1;AS:2
a=hwi:17412:2:2800
a=multipoint:1
a=iChatEncryption:YES
a=bandwidthDetection:NO
m=audio 16402 RTP/AVP 105 0
a=rtcp:16402
a=rtpmap:105 X-AAC_ELD/22050
a=rtpmap:0 PCMU/8000
a=rtpID:1261706994
a=fmtp:AAC SamplesPerBlock 480
m=video 16402 RTP/AVP 123 126 34
a=rtcp:16402
a=rtpmap:123 H264/90000
a=rtpmap:126 X-H264/90000
a=rtpmap:34 H263/90000
a=fmtp:34 imagesize 0
a=framerate:15
a=RTCP:AUDIO 16402 VIDEO 16402
a=fmtp:126 imagesize 0 rules 15:320:240:320:240:15
a=fmtp:123 imagesize 0 rules 15:320:240:320:240:15
a=rtpID:1085110790
"#;

/// The fields of a recorded reply, which come in this order.
const REPLY: [&str; 10] = [
    "Via",
    "To",
    "From",
    "Call-ID",
    "CSeq",
    "Contact",
    "User-Agent",
    "Content-Encoding",
    "Content-Type",
    "Content-Length",
];

fn recorded() -> Vec<u8> {
    RECORDED.replace('\n', "\r\n").into_bytes()
}

fn shaped(shape: FacetimeShape) -> Config {
    let shape = Shape::Facetime2010(shape);
    Config { shape, user: "user".into(), display_name: Some("1021".into()), ..Config::default() }
}

fn plain() -> Config {
    shaped(FacetimeShape::default())
}

fn request(datagram: &[u8]) -> Request {
    match Message::parse(datagram, &crate::limits::Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn response(datagram: &[u8]) -> Response {
    match Message::parse(datagram, &crate::limits::Limits::default()) {
        Ok(Message::Response(response)) => response,
        other => panic!("{other:?}"),
    }
}

/// The names of the fields as they stand on the wire.
fn names(datagram: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(datagram).into_owned();
    let head = text.split("\r\n\r\n").next().unwrap().to_owned();
    head.split("\r\n").skip(1).map(|line| line.split(':').next().unwrap().to_owned()).collect()
}

/// An agent at the address that the record calls, and what it sends when datagrams come in.
struct Called(Agent);

impl Called {
    fn new(config: Config) -> Called {
        let mut agent = Agent::new(config, [3; 32]);
        let result = Ok((SocketId(0), "192.168.20.100:16402".parse().unwrap()));
        agent.handle(Time::ZERO, Input::SocketOpened { request: None, result });
        Called(agent)
    }

    fn hears(&mut self, from: &str, data: &[u8]) -> Vec<(SocketAddr, Bytes)> {
        let (local, remote) = ("192.168.20.100:16402".parse().unwrap(), from.parse().unwrap());
        let received = Time::from_millis(1);
        let datagram = Datagram { socket: SocketId(0), local, remote, data, received };
        self.0.handle(received, Input::Datagram(datagram));
        let mut sent = Vec::new();
        loop {
            match self.0.poll(received) {
                Output::Transmit(t) if t.kind == crate::io::PacketKind::Sip => sent.push((t.remote, t.data)),
                Output::Timeout(_) => return sent,
                _ => {}
            }
        }
    }
}

/// The recorded INVITE with another body.
fn with_body(coding: &str, body: &[u8]) -> Vec<u8> {
    let mut invite = request(&recorded());
    invite.headers.push(HeaderName::ContentEncoding, coding);
    invite.body = Bytes::copy_from_slice(body);
    invite.to_bytes().to_vec()
}

#[test]
fn the_recorded_invite_is_read_without_loss() {
    let octets = recorded();
    let body_at = octets.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    assert_eq!((body_at, octets.len() - body_at), (447, 666));
    let invite = request(&octets);
    assert_eq!(invite.to_bytes(), octets);
    assert_eq!(invite.headers.to().unwrap().display_text().as_deref(), Some("1022"));
    assert_eq!(invite.headers.from().unwrap().tag(), Some(&b"527520767"[..]));
    let via = invite.headers.via().unwrap();
    assert_eq!((via.branch(), via.rport()), (Some(&b"z9hG4bK15325fd03549ca85"[..]), None));
    let mut again = invite.clone();
    Shape::Facetime2010(FacetimeShape::default()).request(&mut again);
    assert_eq!(again.to_bytes(), octets, "it has its own form already");
}

#[test]
fn display_names_without_quotes_are_read() {
    let text = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:59135;branch=z9hG4bK59a04ac96b13b97b\r\n\
        To: 0 <sip:user@192.168.101.210:16402>;tag=1119220857\r\n\
        From: u0 <sip:user@10.2.18.205:16402>;tag=1972789769\r\n\
        Call-ID: 1e22f62a8dbccfc-2f62-11e2-bfb1-ae4360fa4012@10-2-18-205\r\nCSeq: 1 INVITE\r\n\
        Contact: <sip:user@198.51.100.7:25060>\r\nUser-Agent: Viceroy 1.4\r\nContent-Length: 0\r\n\r\n";
    let reply = response(text.as_bytes());
    assert_eq!(reply.to_bytes(), text.as_bytes());
    let displays = [reply.headers.to(), reply.headers.from()].map(|a| a.unwrap().display_text().unwrap());
    assert_eq!(displays, ["0", "u0"]);
    assert_eq!(reply.headers.to().unwrap().tag(), Some(&b"1119220857"[..]));
}

#[test]
fn the_recorded_invite_is_answered_in_its_own_form() {
    let mut called = Called::new(plain());
    let sent = called.hears("192.168.20.198:16402", &recorded());
    let statuses: Vec<u16> = sent.iter().map(|(_, data)| response(data).status).collect();
    assert_eq!(statuses, [180, 200]);
    for (to, data) in &sent {
        assert_eq!(to.to_string(), "192.168.20.198:16402");
        let reply = response(data);
        let expected = REPLY.iter().filter(|n| reply.status == 200 || !matches!(**n, "Content-Type"));
        let expected: Vec<_> = expected.filter(|n| **n != "Content-Encoding").copied().collect();
        assert_eq!(names(data), expected);
        assert!(data.starts_with(b"SIP/2.0 "));
        let tag = reply.headers.to().unwrap().tag().unwrap();
        assert!(std::str::from_utf8(tag).unwrap().parse::<u32>().unwrap() < 1 << 31);
    }
    let contact = response(&sent[1].1).headers.text(HeaderName::Contact);
    assert_eq!(contact.as_deref(), Some("<sip:user@192.168.20.100:16402>"));
}

#[test]
fn answers_go_to_the_source_whatever_via_says() {
    let statuses = |config: Config, from: &str| {
        let sent = Called::new(config).hears(from, &recorded());
        sent.iter().map(|(to, _)| to.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(statuses(plain(), "198.51.100.9:31000"), ["198.51.100.9:31000"; 2]);
    // RFC 3261 section 18.2.2 has the port of Via.
    assert_eq!(statuses(Config::default(), "198.51.100.9:31000"), ["198.51.100.9:16402"; 2]);
}

#[test]
fn our_invite_has_the_fields_of_the_record_in_its_order() {
    let mut wire = Wire::new([plain(), Config::default()]);
    wire.call();
    wire.run(Duration::from_millis(100));
    assert!(wire.established(0) && wire.established(1));
    let octets = &wire.sip[0][0];
    assert_eq!(names(octets), names(&recorded()));
    let invite = request(octets);
    let text = |name| invite.headers.text(name).unwrap();
    let via = text(HeaderName::Via);
    let branch = via.strip_prefix("SIP/2.0/UDP 192.0.2.1:16402;branch=z9hG4bK").unwrap();
    assert!(branch.len() == 16 && branch.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{via}");
    let from = text(HeaderName::From);
    let tag = from.strip_prefix("\"1021\" <sip:user@192.0.2.1:16402>;tag=").unwrap();
    assert!(tag.parse::<u32>().unwrap() < 1 << 31);
    let call_id = text(HeaderName::CallId);
    let uuid = call_id.strip_suffix("@192-0-2-1").unwrap();
    assert!(uuid.len() == 36 && uuid.as_bytes()[14] == b'1', "{uuid} is of version 1");
    assert_eq!(text(HeaderName::MaxForwards), "70");
    assert_eq!(text(HeaderName::CSeq), "1 INVITE");
    assert_eq!(text(HeaderName::Contact), "<sip:user@192.0.2.1:16402>");
    assert_eq!(text(HeaderName::ContentLength), invite.body.len().to_string());
    let head = octets.len() - invite.body.len();
    assert!(head < 500, "{head} octets of header");
}

#[test]
fn every_request_of_a_call_has_that_form() {
    let mut wire = Wire::new([plain(), plain()]);
    let call = wire.call();
    wire.run(Duration::from_millis(100));
    let body = Bytes::from_static(b"four");
    wire.command(0, Command::Message { call, content_type: "application/ske".into(), body });
    wire.run(Duration::from_millis(100));
    wire.command(0, Command::Hangup { call });
    wire.run(Duration::from_millis(100));
    let head = ["Via", "Max-Forwards", "To", "From", "Call-ID", "CSeq"];
    let mut seen = Vec::new();
    for octets in &wire.sip[0] {
        let sent = request(octets);
        let rest = names(octets).split_off(head.len());
        assert_eq!(names(octets)[..head.len()], head);
        assert!(!rest.contains(&"Allow".to_owned()));
        let rest = rest.iter().map(String::as_str).filter(|n| *n != "User-Agent").collect::<Vec<_>>();
        match sent.method {
            Method::Message => assert_eq!(rest, ["Content-Type", "Content-Length"]),
            Method::Ack | Method::Bye => assert_eq!(rest, ["Content-Length"]),
            _ => assert_eq!(rest, ["Contact", "Content-Type", "Content-Length"]),
        }
        seen.push(sent.method);
    }
    assert_eq!(seen, [Method::Invite, Method::Ack, Method::Message, Method::Bye]);
    wire.run(Duration::from_secs(40));
    wire.assert_idle();
}

#[test]
fn a_cancel_and_the_ack_of_a_refusal_have_it_too() {
    let ask = Config { answer: AnswerPolicy::Ask, ..plain() };
    let mut wire = Wire::new([plain(), ask]);
    let call = wire.call();
    wire.run(Duration::from_millis(100));
    let theirs = wire.incoming();
    wire.command(1, Command::Ring { call: theirs, status: 180 });
    wire.run(Duration::from_millis(100));
    wire.command(0, Command::Hangup { call });
    wire.run(Duration::from_millis(200));
    let sent: Vec<_> = wire.sip[0].iter().map(|octets| (request(octets).method, names(octets))).collect();
    let expected = ["Via", "Max-Forwards", "To", "From", "Call-ID", "CSeq", "Content-Length"];
    assert_eq!(sent.len(), 3, "{sent:?}");
    for (at, method) in [(1, Method::Cancel), (2, Method::Ack)] {
        assert_eq!(sent[at].0, method);
        assert_eq!(sent[at].1, expected);
    }
}

#[test]
fn refusals_keep_the_fields_that_say_what_would_be_taken() {
    let send = |edit: &dyn Fn(&mut Request)| {
        let mut message = request(&recorded());
        edit(&mut message);
        let sent = Called::new(plain()).hears("192.168.20.198:16402", &message.to_bytes());
        response(&sent.last().unwrap().1)
    };
    let unsupported = send(&|m| m.headers.push(HeaderName::Require, "100rel"));
    assert_eq!(unsupported.status, 420);
    assert_eq!(unsupported.headers.text(HeaderName::Unsupported).as_deref(), Some("100rel"));
    let content = send(&|m| m.headers.set(HeaderName::ContentType, "text/plain"));
    assert_eq!(content.status, 415);
    assert!(content.headers.accept().flatten().any(|t| t.is("application", "sdp")));
    let method = send(&|m| {
        m.method = Method::Register;
        m.headers.set(HeaderName::CSeq, "1 REGISTER");
    });
    assert_eq!(method.status, 405);
    assert!(method.headers.contains(HeaderName::Allow));
    let options = send(&|m| {
        m.method = Method::Options;
        m.headers.set(HeaderName::CSeq, "1 OPTIONS");
    });
    assert_eq!(options.status, 200);
    assert!(options.headers.contains(HeaderName::Allow));
    assert_eq!(options.headers.text(HeaderName::AcceptEncoding).as_deref(), Some(ACCEPT_ENCODING));
}

#[test]
fn a_deflated_offer_is_answered_and_a_bad_one_refused() {
    let whole = request(&recorded()).body;
    let answer = |datagram: &[u8]| {
        let mut called = Called::new(plain());
        let sent = called.hears("192.168.20.198:16402", datagram);
        (response(&sent.last().unwrap().1), called.0.counters().dropped.sip_coded)
    };
    let (reply, dropped) = answer(&with_body("deflate", &deflate(&whole)));
    assert_eq!((reply.status, dropped), (200, 0));
    assert!(reply.body.starts_with(b"v=0\r\n"));
    let (reply, dropped) = answer(&with_body("deflate", &deflate(&vec![b'v'; 100_000])));
    assert_eq!((reply.status, dropped), (413, 1));
    let (reply, dropped) = answer(&with_body("deflate", &whole));
    assert_eq!((reply.status, dropped), (400, 1));
    let (reply, dropped) = answer(&with_body("br", &whole));
    assert_eq!((reply.status, dropped), (415, 1));
    assert_eq!(reply.headers.text(HeaderName::AcceptEncoding).as_deref(), Some(ACCEPT_ENCODING));
}

#[test]
fn a_call_with_compact_names_and_deflated_bodies_is_made() {
    let small = FacetimeShape { rport: true, compact: true, deflate: true };
    let mut wire = Wire::new([shaped(small), shaped(small)]);
    let call = wire.call_with(true, MediaChoice::BOTH);
    wire.run(Duration::from_millis(100));
    assert!(wire.established(0) && wire.established(1));
    let body = Bytes::from(vec![b'a'; 700]);
    wire.command(0, Command::Message { call, content_type: "text/plain".into(), body: body.clone() });
    wire.run(Duration::from_millis(100));
    let heard = wire.events[1].iter().find_map(|e| match e {
        Event::Message { body, .. } => Some(body.clone()),
        _ => None,
    });
    assert_eq!(heard, Some(body));
    // The offer is in the 200, its answer in the ACK, since the INVITE had none.
    let offer = wire.sip[1].last_chunk::<2>().unwrap()[0].clone();
    let expected = ["v", "t", "f", "i", "CSeq", "m", "User-Agent", "e", "c", "l"];
    assert_eq!((response(&offer).status, names(&offer)), (200, expected.map(str::to_owned).to_vec()));
    let ack = &wire.sip[0][1];
    assert_eq!(request(ack).method, Method::Ack);
    assert_eq!(names(ack), ["v", "Max-Forwards", "t", "f", "i", "CSeq", "e", "c", "l"]);
    assert!(request(ack).headers.via().unwrap().rport().is_some());
}

/// The octets of the first INVITE that an agent with these settings sends.
fn first_invite(config: Config) -> Vec<u8> {
    let mut agent = Agent::new(config, [5; 32]);
    let at: SocketAddr = "192.168.20.198:16402".parse().unwrap();
    // 2010-10-21 08:22:51 UTC: the time of the record, which a UUID of version 1 carries.
    let now = Time::from_millis(10).with_unix_offset(1_287_649_371_000_000_000);
    agent.handle(now, Input::SocketOpened { request: None, result: Ok((SocketId(0), at)) });
    let call = agent.new_call();
    let request = CallRequest {
        target: "sip:192.168.20.100:16402".into(),
        destination: "192.168.20.100:16402".parse().unwrap(),
        local: at.ip(),
        media: MediaChoice::BOTH,
        late_offer: false,
        ring_timeout: Duration::from_secs(30),
        path: None,
    };
    agent.handle(now, Input::Command(Command::Call(call, Box::new(request))));
    loop {
        match agent.poll(now) {
            Output::Transmit(transmit) => return transmit.data.to_vec(),
            Output::Timeout(_) => panic!("no INVITE"),
            _ => {}
        }
    }
}

#[test]
fn the_invite_of_the_emulation_is_the_recorded_one_line_by_line_but_for_what_differs_in_each_call() {
    let octets = first_invite(Config { display_name: Some("1021".into()), ..Config::facetime2010(true) });
    assert!(octets.len() < 1_300, "{}", octets.len());
    let text = String::from_utf8(octets).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let hex = |text: &str, digits| text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
    let mut varying = Vec::new();
    let mut lines = Vec::new();
    for line in head.split("\r\n") {
        let (line, value) = match line {
            l if l.starts_with("Via: ") => l.split_once(";branch=z9hG4bK").unwrap(),
            l if l.starts_with("From: ") => l.split_once(";tag=").unwrap(),
            l if l.starts_with("Call-ID: ") => {
                let (uuid, host) = l.strip_prefix("Call-ID: ").unwrap().split_once('@').unwrap();
                assert_eq!(host, "192-168-20-198");
                ("Call-ID", uuid)
            }
            l => (l, ""),
        };
        lines.push(line);
        varying.push(value);
    }
    let length = format!("Content-Length: {}", body.len());
    assert_eq!(
        lines,
        [
            "INVITE sip:user@192.168.20.100:16402 SIP/2.0",
            "Via: SIP/2.0/UDP 192.168.20.198:16402",
            "Max-Forwards: 70",
            "To: <sip:user@192.168.20.100:16402>",
            "From: \"1021\" <sip:user@192.168.20.198:16402>",
            "Call-ID",
            "CSeq: 1 INVITE",
            "Contact: <sip:user@192.168.20.198:16402>",
            "User-Agent: Viceroy 1.4/GK",
            "Content-Type: application/sdp",
            &length,
        ]
    );
    let (branch, tag, uuid) = (varying[1], varying[4], varying[5]);
    assert!(hex(branch, 16) && branch == branch.to_lowercase(), "{branch}");
    assert!(tag.parse::<u32>().is_ok_and(|tag| tag < 1 << 31), "{tag}");
    let parts: Vec<&str> = uuid.split('-').collect();
    assert!(parts.iter().zip([8, 4, 4, 4, 12]).all(|(part, digits)| hex(part, digits)), "{uuid}");
    // The same quarter of an hour as in the record gives the same upper half of the time: version 1.
    assert_eq!((parts[1], parts[2]), ("dcec", "11df"));
    let ssrcs: Vec<&str> = body.lines().filter_map(|l| l.strip_prefix("a=rtpID:")).collect();
    assert!(ssrcs.len() == 2 && ssrcs.iter().all(|ssrc| ssrc.parse::<u32>().is_ok()), "{ssrcs:?}");
    assert!(body.starts_with("v=0\r\no=GKVoiceChatService 0 0 IN IP4 192.168.20.198\r\n"), "{body}");
}

#[test]
fn the_invite_of_the_lab_form_fits_into_one_packet_too() {
    let octets = first_invite(Config::facetime2010(false));
    assert!(octets.len() < 1_300, "{}", octets.len());
    assert!(String::from_utf8_lossy(&octets).contains("User-Agent: visavis/"));
}
