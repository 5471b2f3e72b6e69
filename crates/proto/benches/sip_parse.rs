//! What one SIP message costs. The aim: an INVITE of some 800 octets, with its twelve header fields read as
//! typed values, in at most 0.9 us.

#![allow(clippy::expect_used, reason = "a benchmark of messages that cannot be read has no figure to give")]

use divan::{Bencher, black_box, counter::BytesCount};
use visavis_proto::limits::Limits;
use visavis_proto::sip::{HeaderName, Message, Response};

fn main() {
    divan::main();
}

/// 12 header fields and a body, some 800 octets.
fn invite() -> Vec<u8> {
    let body = "v=0\no=- 3498 1 IN IP4 192.0.2.10\ns=call\nc=IN IP4 192.0.2.10\nt=0 0\n\
        m=audio 5060 RTP/AVP 96 0 101\na=rtpmap:96 opus/48000/2\na=rtpmap:0 PCMU/8000\n\
        a=rtpmap:101 telephone-event/8000\nm=video 5060 RTP/AVP 97\na=rtpmap:97 H264/90000\n\
        a=fmtp:97 profile-level-id=42e01f;packetization-mode=1\na=sendrecv\n";
    let head = "INVITE sip:bob@192.0.2.20:5060 SIP/2.0\n\
        Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK7c1f0a92e4d35b68\n\
        Max-Forwards: 70\n\
        To: \"Bob\" <sip:bob@192.0.2.20:5060>\n\
        From: \"Alice\" <sip:alice@192.0.2.10:5060>;tag=527520767\n\
        Call-ID: 7f3c1a58-2b90-4ad2-9f0e-6c1d7be04a11@192.0.2.10\n\
        CSeq: 1 INVITE\n\
        Contact: <sip:alice@192.0.2.10:5060>\n\
        User-Agent: visavis/0.1\n\
        Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE, INFO\n\
        Supported: 100rel, timer\n\
        Content-Type: application/sdp\n";
    format!("{head}Content-Length: {}\n\n{body}", body.len() + body.matches('\n').count())
        .replace('\n', "\r\n")
        .into_bytes()
}

#[divan::bench(sample_size = 100)]
fn parse(bencher: Bencher<'_, '_>) {
    let datagram = invite();
    let limits = Limits::default();
    bencher
        .counter(BytesCount::new(datagram.len()))
        .bench_local(|| Message::parse(black_box(&datagram), &limits).map(|m| black_box(m).body().len()));
}

#[divan::bench(sample_size = 100)]
fn parse_and_read_every_field(bencher: Bencher<'_, '_>) {
    let datagram = invite();
    let limits = Limits::default();
    bencher.counter(BytesCount::new(datagram.len())).bench_local(|| {
        let message = Message::parse(black_box(&datagram), &limits).expect("well-formed");
        let h = message.headers();
        for via in h.vias() {
            let via = via.expect("Via");
            black_box((via.host, via.port, via.branch(), via.rport()));
        }
        black_box(h.max_forwards().expect("Max-Forwards"));
        black_box((h.to().expect("To").tag(), h.from().expect("From").tag()));
        black_box((h.call_id().expect("Call-ID"), h.cseq().expect("CSeq")));
        for contact in h.contacts() {
            black_box(contact.expect("Contact"));
        }
        black_box(h.get(HeaderName::UserAgent));
        black_box((h.allow().count(), h.supported().count()));
        black_box(h.content_type().expect("Content-Type"));
        black_box(h.content_length().expect("Content-Length"));
    });
}

#[divan::bench(sample_size = 100)]
fn encode(bencher: Bencher<'_, '_>) {
    let message = Message::parse(&invite(), &Limits::default()).expect("well-formed");
    let mut out = Vec::with_capacity(2048);
    bencher.bench_local(|| {
        out.clear();
        black_box(&message).encode(&mut out);
        black_box(out.len())
    });
}

#[divan::bench(sample_size = 100)]
fn respond(bencher: Bencher<'_, '_>) {
    let Ok(Message::Request(request)) = Message::parse(&invite(), &Limits::default()) else { return };
    bencher.bench_local(|| {
        let mut response = Response::to_request(black_box(&request), 180);
        response.set_to_tag("1119220857");
        response.to_bytes().len()
    });
}
