//! Agents and a peer whose messages are written by hand: what no agent of ours would send.

use super::*;

/// An INVITE of a peer that names no port for RTCP, written by hand.
pub(super) fn plain_invite() -> Vec<u8> {
    let body = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
                m=audio 40000 RTP/AVP 0\r\na=ssrc:7 cname:x\r\n";
    format!(
        "INVITE sip:192.0.2.1:16402 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKplain\r\n\
         Max-Forwards: 70\r\nFrom: <sip:p@192.0.2.9>;tag=p\r\nTo: <sip:192.0.2.1>\r\nCall-ID: plain\r\n\
         CSeq: 1 INVITE\r\nContact: <sip:p@192.0.2.9>\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[test]
fn rtcp_of_a_peer_that_knows_no_rtcp_attribute_is_heard_on_the_next_port() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    let (agent, local) = (&mut wire.agents[0].0, wire.agents[0].1);
    let now = wire.now;
    let from = |port: u16| SocketAddr::new("192.0.2.9".parse().unwrap(), port);
    let (invite, socket) = (plain_invite(), SocketId(0));
    agent.handle(
        now,
        Input::Datagram(Datagram { socket, local, remote: from(5060), data: &invite, received: now }),
    );
    let mut asked = None;
    loop {
        match agent.poll(now) {
            Output::OpenSocket { request, ports, .. } => asked = Some((request, ports)),
            Output::Timeout(_) => break,
            _ => {}
        }
    }
    let (request, ports) = asked.expect("the next port is asked for");
    assert_eq!(ports, [16_403]);
    let next = SocketAddr::new(local.ip(), 16_403);
    agent.handle(now, Input::SocketOpened { request: Some(request), result: Ok((SocketId(1), next)) });
    // A receiver report of SSRC 7 without a report block, and the SDES that a compound packet needs.
    let report = [0x80, 201, 0, 1, 0, 0, 0, 7, 0x81, 202, 0, 2, 0, 0, 0, 7, 1, 1, b'x', 0];
    let rtcp =
        Datagram { socket: SocketId(1), local: next, remote: from(40_001), data: &report, received: now };
    agent.handle(now, Input::Datagram(rtcp));
    let stats = agent.stats(CallHandle(1)).expect("the call is there");
    assert_eq!(stats[0].rtcp_received, 1);
    agent.handle(now, Input::Command(Command::Shutdown));
    let mut closed = false;
    for second in 1..100 {
        let at = now + Duration::from_secs(second);
        agent.handle(at, Input::Timeout);
        loop {
            match agent.poll(at) {
                Output::CloseSocket(SocketId(1)) => closed = true,
                Output::Timeout(_) => break,
                _ => {}
            }
        }
    }
    assert!(closed, "the port is given back");
}

/// What an agent sends at `now`, messages only.
fn messages(agent: &mut Agent, now: Time) -> Vec<Message> {
    let mut sent = Vec::new();
    loop {
        match agent.poll(now) {
            Output::Transmit(t) if t.kind == crate::io::PacketKind::Sip => {
                sent.push(
                    Message::parse(&t.data, &crate::limits::Limits::default()).expect("our own SIP is read"),
                );
            }
            Output::Timeout(_) => return sent,
            _ => {}
        }
    }
}

/// A request of the peer in the dialog of the call that [`plain_invite`] began.
fn plain_request(agent: &mut Agent, now: Time, text: &str) -> crate::sip::Response {
    let (remote, local): (SocketAddr, SocketAddr) =
        ("192.0.2.9:5060".parse().unwrap(), "192.0.2.1:16402".parse().unwrap());
    let datagram = Datagram { socket: SocketId(0), local, remote, data: text.as_bytes(), received: now };
    agent.handle(now, Input::Datagram(datagram));
    let answer = messages(agent, now).into_iter().find_map(|m| match m {
        Message::Response(response) => Some(response),
        Message::Request(_) => None,
    });
    answer.expect("a request is answered")
}

#[test]
fn info_asks_for_a_key_frame_and_names_no_package_that_was_not_agreed_on() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    let (agent, local, now) = (&mut wire.agents[0].0, wire.agents[0].1, wire.now);
    let remote = "192.0.2.9:5060".parse().unwrap();
    let invite = plain_invite();
    let datagram = Datagram { socket: SocketId(0), local, remote, data: &invite, received: now };
    agent.handle(now, Input::Datagram(datagram));
    let tag = messages(agent, now).iter().find_map(|m| match m {
        Message::Response(r) if r.status == 200 => {
            Some(String::from_utf8_lossy(r.headers.to().unwrap().tag().unwrap()).into_owned())
        }
        _ => None,
    });
    let tag = tag.expect("the call is accepted");
    let info = |seq: u32, headers: &str, body: &str| {
        format!(
            "INFO sip:192.0.2.1:16402 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKinfo{seq}\r\n\
             From: <sip:p@192.0.2.9>;tag=p\r\nTo: <sip:192.0.2.1>;tag={tag}\r\nCall-ID: plain\r\n\
             CSeq: {seq} INFO\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let update = "<media_control><vc_primitive><to_encoder><picture_fast_update/></to_encoder></vc_primitive></media_control>";
    let xml = "Content-Type: application/media_control+xml\r\n";
    assert_eq!(plain_request(agent, now, &info(2, xml, update)).status, 200);
    // RFC 6086 section 4.2.2.
    let refused = plain_request(agent, now, &info(3, "Info-Package: foo\r\n", ""));
    assert_eq!((refused.status, refused.headers.contains("Recv-Info")), (469, true));
    let unknown = plain_request(agent, now, &info(4, "Content-Type: text/plain\r\n", "x"));
    assert_eq!((unknown.status, unknown.headers.accept().count()), (415, 2));
}

#[test]
fn the_second_branch_of_a_fork_gets_an_ack_and_a_bye_and_the_call_goes_on() {
    let mut agent = Agent::new(Config::default(), [3; 32]);
    let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 16_402);
    let (local, now) = (at("192.0.2.1"), Time::from_millis(1));
    agent.handle(now, Input::SocketOpened { request: None, result: Ok((SocketId(0), local)) });
    let handle = agent.new_call();
    let request = CallRequest {
        target: "sip:bob@192.0.2.2:16402".into(),
        destination: at("192.0.2.2"),
        local: local.ip(),
        media: MediaChoice { audio: true, video: false },
        late_offer: false,
        ring_timeout: Duration::from_secs(30),
        path: None,
    };
    agent.handle(now, Input::Command(Command::Call(handle, Box::new(request))));
    let sent = messages(&mut agent, now);
    let Some(Message::Request(invite)) = sent.first() else { panic!("the INVITE goes out") };
    let answer = |tag: &str, ip: &str| {
        let mut response = crate::sip::Response::to_request(invite, 200);
        response.set_to_tag(tag);
        response.headers.push("Contact", format!("<sip:bob@{ip}:16402>").as_str());
        let body = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 9000 RTP/AVP 0\r\n"
        );
        response.set_body("application/sdp", body);
        response.to_bytes()
    };
    let mut branch = |tag: &str, ip: &str| {
        let (data, socket, remote) = (answer(tag, ip), SocketId(0), at("192.0.2.2"));
        agent.handle(now, Input::Datagram(Datagram { socket, local, remote, data: &data, received: now }));
        let names = messages(&mut agent, now).into_iter().filter_map(|m| match m {
            Message::Request(r) => Some(r.method.as_str().to_owned()),
            Message::Response(_) => None,
        });
        names.collect::<Vec<String>>()
    };
    assert_eq!(branch("one", "192.0.2.2"), ["ACK"]);
    assert_eq!(branch("two", "192.0.2.4"), ["ACK", "BYE"]);
    // A 200 that is repeated because its ACK was lost gets the ACK again, and nothing more.
    assert_eq!(branch("one", "192.0.2.2"), ["ACK"]);
    assert_eq!(agent.calls(), 1);
}

#[test]
fn a_message_too_large_for_udp_is_not_sent() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    let call = wire.call();
    wire.run(Duration::from_millis(100));
    let body = Bytes::from(vec![b'x'; 1_200]);
    wire.command(0, Command::Message { call, content_type: "text/plain".into(), body });
    wire.run(Duration::from_secs(1));
    assert!(wire.events[0].iter().any(|e| matches!(e, Event::Answered { status: 513, .. })));
    assert!(!wire.events[1].iter().any(|e| matches!(e, Event::Message { .. })));
}

#[test]
fn every_kind_of_datagram_is_counted_and_stun_requests_alone_are_answered() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    let (now, local) = (wire.now, wire.agents[0].1);
    let remote: SocketAddr = "198.51.100.5:3478".parse().unwrap();
    let id = stun::TransactionId([7; 16]);
    let request = stun::Builder::binding(stun::Class::Request, id).finish(None);
    let response = stun::Builder::binding(stun::Class::Success, id).mapped_address(local).finish(None);
    let cut = [&request[..3], &[8], &request[4..], &[0, 9, 0, 200, 0, 0, 0, 0]].concat();
    let packets: [&[u8]; 7] = [
        &request,
        &response,
        &cut,
        b"\x10\x00\x00\x01ZRTP\x00\x00\x00\x00",
        &[0x40, 0, 0, 4, 1, 2, 3, 4],
        &[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        b"\r\n\r\n",
    ];
    let agent = &mut wire.agents[0].0;
    for data in packets {
        let datagram = Datagram { socket: SocketId(0), local, remote, data, received: now };
        agent.handle(now, Input::Datagram(datagram));
    }
    let Output::Transmit(answer) = agent.poll(now) else { panic!("a STUN request is answered") };
    assert_eq!((answer.remote, answer.kind), (remote, crate::io::PacketKind::Stun));
    assert_eq!(stun::Message::parse(&answer.data).unwrap().mapped_address(), Some(remote));
    assert!(matches!(agent.poll(now), Output::Timeout(_)));
    let Counters { received, dropped, stun_answered, .. } = agent.counters().clone();
    assert_eq!((received.stun, stun_answered), (3, 1));
    assert_eq!((dropped.stun_stray, dropped.stun_malformed), (1, 1));
    let others = (received.zrtp, received.turn_channel, received.dtls, received.keep_alive);
    assert_eq!((others, dropped.unwanted), ((1, 1, 1, 1), 3));
}
