//! Calls out of SIP messages: their course, their offers and answers, the bodies of a key exchange.

use std::net::SocketAddr;
use visavis_capture::Datagram;
use visavis_capture::analysis::{Analysis, AnalysisOptions};
use visavis_capture::findings::{CallFindings, Findings, Outcome, Transport};
use visavis_proto::Time;
use visavis_proto::rtp::RtpHeader;
use visavis_proto::sip::deflate;

const A: &str = "192.0.2.1:5060";
const B: &str = "192.0.2.2:16402";

/// A capture in the making.
struct Capture {
    analysis: Analysis,
    packet: u64,
    now: Time,
}

impl Capture {
    fn new() -> Self {
        Capture {
            analysis: Analysis::new(AnalysisOptions::default()),
            packet: 0,
            now: Time::from_millis(10_000),
        }
    }

    fn push(&mut self, from: &str, to: &str, data: &[u8]) {
        self.packet += 1;
        self.now += std::time::Duration::from_millis(5);
        let [source, destination] = [from, to].map(|text| text.parse::<SocketAddr>().unwrap());
        self.analysis.push(&Datagram {
            packet: self.packet,
            time: self.now,
            source,
            destination,
            transport: Transport::Udp,
            data,
            length: data.len(),
            direction: None,
        });
    }

    /// A message between the two, in the dialog of the only call.
    fn message(&mut self, from: &str, start: &str, cseq: &str, extra: &str, body: &[u8]) {
        let to = if from == A { B } else { A };
        self.push(from, to, &sip(from, start, cseq, extra, body));
    }

    fn sdp(&mut self, from: &str, start: &str, cseq: &str, port: u16) {
        self.message(from, start, cseq, "Content-Type: application/sdp\r\n", sdp(from, port).as_bytes());
    }

    fn plain(&mut self, from: &str, start: &str, cseq: &str) {
        self.message(from, start, cseq, "", b"");
    }

    fn finish(self) -> Findings {
        self.analysis.finish()
    }

    fn call(self) -> CallFindings {
        let mut findings = self.finish();
        assert_eq!(findings.calls.len(), 1);
        findings.calls.remove(0)
    }
}

fn sip(from: &str, start: &str, cseq: &str, extra: &str, body: &[u8]) -> Vec<u8> {
    let start = if start.as_bytes()[0].is_ascii_digit() {
        format!("SIP/2.0 {start}")
    } else {
        format!("{start} sip:b@h SIP/2.0")
    };
    // Requests of the callee turn the two around.
    let request_of_callee = from == B && !start.starts_with("SIP/");
    let (near, far) = if request_of_callee { ("b", "a") } else { ("a", "b") };
    let head = format!(
        "{start}\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{}\r\nFrom: \"One\" <sip:{near}@h>;tag={near}\r\n\
         To: <sip:{far}@h>{}\r\nCall-ID: x\r\nCSeq: {cseq}\r\nUser-Agent: test {from}\r\n{extra}Content-Length: {}\r\n\r\n",
        cseq.replace(' ', ""),
        if start.starts_with("INVITE") && cseq.starts_with("1 ") {
            String::new()
        } else {
            format!(";tag={far}")
        },
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn sdp(from: &str, port: u16) -> String {
    let ip = from.split(':').next().unwrap();
    format!(
        "v=0\r\no=- {ip} {port} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
    )
}

/// What each exchange came to: the packets of its offer and its answer.
fn exchanges(call: &CallFindings) -> Vec<(u64, Option<u64>)> {
    call.exchanges.iter().map(|exchange| (exchange.offer_packet, exchange.answer_packet)).collect()
}

#[test]
fn a_call_is_followed_from_invite_to_bye() {
    let mut capture = Capture::new();
    capture.sdp(A, "INVITE", "1 INVITE", 4000);
    capture.sdp(A, "INVITE", "1 INVITE", 4000);
    capture.plain(B, "180 Ringing", "1 INVITE");
    capture.sdp(B, "200 OK", "1 INVITE", 5000);
    capture.plain(A, "ACK", "1 ACK");
    capture.plain(B, "BYE", "1 BYE");
    capture.plain(A, "200 OK", "1 BYE");
    let call = capture.call();
    assert_eq!((call.outcome, call.status), (Outcome::CalleeHungUp, Some(200)));
    assert_eq!((call.from.as_str(), call.to.as_str()), ("\"One\" <sip:a@h>", "sip:b@h"));
    assert_eq!((call.caller, call.callee), (A.parse().ok(), B.parse().ok()));
    assert_eq!(call.callee_agent.as_deref(), Some("test 192.0.2.2:16402"));
    assert_eq!(call.answered.unwrap() - call.invited.unwrap(), std::time::Duration::from_millis(15));
    assert!(
        call.ringing < call.answered && call.answered < call.acknowledged && call.acknowledged < call.ended
    );
    let again: Vec<bool> = call.messages.iter().map(|message| message.retransmission).collect();
    assert_eq!(again, [false, true, false, false, false, false, false]);
    assert_eq!(exchanges(&call), [(1, Some(4))]);
    assert_eq!(call.exchanges[0].faults, Vec::<String>::new());
    assert_eq!(call.exchanges[0].sections[0].offered, ["0 PCMU/8000"]);
}

#[test]
fn every_way_of_offering_and_answering_is_followed() {
    // The offer in the INVITE, early media, the same answer again in the 200.
    let mut capture = Capture::new();
    capture.sdp(A, "INVITE", "1 INVITE", 4000);
    capture.sdp(B, "183 Session Progress", "1 INVITE", 5000);
    capture.sdp(B, "200 OK", "1 INVITE", 5000);
    // UPDATE of the callee, then a re-INVITE that is refused.
    capture.sdp(B, "UPDATE", "1 UPDATE", 5001);
    capture.sdp(A, "200 OK", "1 UPDATE", 4001);
    capture.sdp(A, "INVITE", "2 INVITE", 4002);
    capture.plain(B, "488 Not Acceptable Here", "2 INVITE");
    let call = capture.call();
    assert_eq!(exchanges(&call), [(1, Some(2)), (4, Some(5)), (6, None)]);
    assert_eq!(call.exchanges[2].faults, ["refused with 488"]);
    assert_eq!((call.outcome, call.status), (Outcome::Up, Some(200)));

    // A late offer, answered in the ACK.
    let mut capture = Capture::new();
    capture.plain(A, "INVITE", "1 INVITE");
    capture.sdp(B, "200 OK", "1 INVITE", 5000);
    capture.sdp(A, "ACK", "1 ACK", 4000);
    let call = capture.call();
    assert_eq!(exchanges(&call), [(2, Some(3))]);
    assert_eq!(call.exchanges[0].offerer, B.parse().ok());

    // A late offer in a reliable response, answered in the PRACK.
    let mut capture = Capture::new();
    capture.plain(A, "INVITE", "1 INVITE");
    capture.message(
        B,
        "183 Progress",
        "1 INVITE",
        "RSeq: 1\r\nContent-Type: application/sdp\r\n",
        sdp(B, 5000).as_bytes(),
    );
    capture.sdp(A, "PRACK", "2 PRACK", 4000);
    assert_eq!(exchanges(&capture.call()), [(2, Some(3))]);
}

#[test]
fn an_answer_that_changes_between_183_and_200_is_a_fault() {
    let mut capture = Capture::new();
    capture.sdp(A, "INVITE", "1 INVITE", 4000);
    capture.sdp(B, "183 Session Progress", "1 INVITE", 5000);
    capture.sdp(B, "200 OK", "1 INVITE", 5002);
    let call = capture.call();
    assert_eq!(call.exchanges.len(), 1);
    assert!(
        call.exchanges[0].faults[0].contains("RFC 3261 section 13.2.1"),
        "{:?}",
        call.exchanges[0].faults
    );
}

#[test]
fn compact_headers_and_a_deflated_body_are_read() {
    let mut capture = Capture::new();
    let body = deflate(sdp(A, 4000).as_bytes());
    let head = format!(
        "INVITE sip:b@h SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\nf: <sip:a@h>;tag=a\r\nt: <sip:b@h>\r\ni: x\r\n\
         CSeq: 1 INVITE\r\nc: application/sdp\r\ne: deflate\r\nl: {}\r\n\r\n",
        body.len()
    );
    capture.push(A, B, &[head.as_bytes(), &body].concat());
    capture.sdp(B, "200 OK", "1 INVITE", 5000);
    let call = capture.call();
    assert_eq!(exchanges(&call), [(1, Some(2))]);
    assert_eq!(call.exchanges[0].offer, sdp(A, 4000));
    assert!(call.messages[0].text.ends_with("m=audio 4000 RTP/AVP 0\r\n"), "{}", call.messages[0].text);
}

#[test]
fn a_challenged_invite_is_not_a_refused_call() {
    let mut capture = Capture::new();
    capture.sdp(A, "INVITE", "1 INVITE", 4000);
    capture.plain(B, "401 Unauthorized", "1 INVITE");
    capture.plain(A, "ACK", "1 ACK");
    let head = String::from_utf8(sip(A, "INVITE", "1 INVITE", "", b"")).unwrap();
    capture.push(A, B, head.replace("1 INVITE", "2 INVITE").replace("K1INVITE", "K2").as_bytes());
    capture.plain(B, "486 Busy Here", "2 INVITE");
    let call = capture.call();
    assert_eq!((call.outcome, call.status), (Outcome::Refused, Some(486)));
}

#[test]
fn a_key_exchange_is_put_together_from_fragments_in_any_order() {
    let mut capture = Capture::new();
    capture.sdp(A, "INVITE", "1 INVITE", 4000);
    capture.sdp(B, "200 OK", "1 INVITE", 5000);
    let body: Vec<u8> = (0..1_000u32).map(|i| i as u8).collect();
    for (cseq, fragment, part) in [(2, 1, &body[900..]), (3, 0, &body[..900])] {
        let extra = format!("SKESeq: 7;{fragment}\r\nContent-Type: application/ske\r\n");
        capture.message(A, "MESSAGE", &format!("{cseq} MESSAGE"), &extra, part);
    }
    capture.message(
        B,
        "MESSAGE",
        "2 MESSAGE",
        "SKESeq: 2;0\r\nContent-Type: application/ske\r\n",
        &[1, 2, 3, 4],
    );
    let call = capture.call();
    let bodies: Vec<_> =
        call.ske.iter().map(|ske| (ske.sequence, ske.fragments, ske.body.as_slice())).collect();
    assert_eq!(bodies, [(7, 2, &body[..]), (2, 1, &[1, 2, 3, 4])]);
}

#[test]
fn streams_find_their_call_by_address_by_ssrc_and_by_the_flow_of_its_signalling() {
    let packet = |ssrc: u32, seq: u16| {
        let header = RtpHeader { marker: false, payload_type: 0, seq, timestamp: u32::from(seq) * 160, ssrc };
        let mut out = Vec::new();
        header.with_payload(&[0xd5; 160]).write(&mut out);
        out
    };
    let mut capture = Capture::new();
    capture.sdp(A, "INVITE", "1 INVITE", 4000);
    capture.sdp(B, "200 OK", "1 INVITE", 5000);
    for seq in 0..10 {
        // To what the callee named; from it, to an address behind a NAT; between the ends of the signalling; and
        // somewhere else altogether.
        capture.push("192.0.2.1:4000", "192.0.2.2:5000", &packet(1, seq));
        capture.push("192.0.2.2:5000", "203.0.113.9:61000", &packet(2, seq));
        capture.push(A, B, &packet(3, seq));
        capture.push("198.51.100.1:1000", "198.51.100.2:2000", &packet(4, seq));
    }
    let findings = capture.finish();
    let calls: Vec<_> =
        findings.streams.iter().map(|stream| (stream.ssrc, stream.call, stream.known_by)).collect();
    let (signalled, fixed) = (Some("signalled"), Some("static payload type"));
    assert_eq!(
        calls,
        [(1, Some(0), signalled), (2, Some(0), signalled), (3, Some(0), signalled), (4, None, fixed)]
    );
    assert_eq!(findings.calls[0].streams, [0, 1, 2]);
}

#[test]
fn what_is_no_rtp_is_not_taken_for_it() {
    let mut capture = Capture::new();
    let mut state = 88_172_645_463_325_252u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for index in 0..4_000u32 {
        // Random datagrams that begin like RTP; DNS with identifiers that do; a protocol that counts in its second word.
        let mut noise: Vec<u8> = (0..100).map(|_| (random() >> 20) as u8).collect();
        noise[0] = 0x80;
        noise[1] &= 0x3f;
        capture.push("192.0.2.7:1000", "192.0.2.8:1000", &noise);
        let mut query = vec![0x80 | (random() as u8 & 0x3f), random() as u8, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        query.extend(b"\x07example\x03com\x00\x00\x01\x00\x01");
        capture.push("192.0.2.7:2000", "192.0.2.8:53", &query);
        let mut counted = vec![0x80, 0x21, 0, 9];
        counted.extend(index.to_be_bytes());
        counted.extend([1; 40]);
        capture.push("192.0.2.7:3000", "192.0.2.8:3000", &counted);
    }
    let findings = capture.finish();
    assert!(findings.streams.is_empty(), "{:?}", findings.streams[0]);
    assert!(findings.calls.is_empty() && findings.stun.is_empty());
}
