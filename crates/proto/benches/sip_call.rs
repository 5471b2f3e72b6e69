//! What the signalling of one call costs at both ends together: INVITE, 180, 200, ACK, BYE and 200, each built,
//! written, read and taken through transactions and dialogs, a thousand calls a second in virtual time, so that
//! the transactions of the last 32 s are still there. The aim: at most 36 us, the sockets not counted.

#![allow(clippy::panic, reason = "a benchmark of calls that fail has no figure to give")]

use divan::{Bencher, black_box};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::net::SocketAddr;
use visavis_proto::io::SocketId;
use visavis_proto::limits::Limits;
use visavis_proto::sip::dialog::Dialog;
use visavis_proto::sip::transaction::{Endpoint, Incoming, Output, ServerKey, Timers, Transactions, TuEvent};
use visavis_proto::sip::{CSeq, HeaderName, Message, Method, NameAddrBuf, Request, Response, UriBuf};
use visavis_proto::time::Time;

const SDP: [u8; 600] = [b'x'; 600];
const CALLS_PER_SECOND: u64 = 1_000;

fn main() {
    divan::main();
}

/// One end.
struct Agent {
    layer: Transactions,
    peer: Endpoint,
    limits: Limits,
}

impl Agent {
    fn new(seed: u64, local: u16, remote: u16) -> Agent {
        let limits = Limits { transactions: 1 << 20, transactions_per_source: 1 << 20, ..Limits::default() };
        let addr = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        Agent {
            layer: Transactions::new(Timers::default(), &limits, ChaCha20Rng::seed_from_u64(seed)),
            peer: Endpoint::udp(SocketId(0), addr(local), addr(remote)),
            limits,
        }
    }

    /// What it sends now, and the response that it has for its user.
    fn poll(&mut self, now: Time) -> (Option<bytes::Bytes>, Option<Response>) {
        let (mut sent, mut response) = (None, None);
        while let Some(output) = self.layer.poll(now) {
            match output {
                Output::Transmit(_, data) => sent = Some(data),
                Output::Event(TuEvent::Response(_, r)) => response = Some(r),
                Output::Event(_) => {}
            }
        }
        (sent, response)
    }

    fn receive(&mut self, now: Time, from: &mut Agent) -> Received {
        let (Some(data), _) = from.poll(now) else { panic!("nothing was sent") };
        match Message::parse(&data, &self.limits) {
            Ok(Message::Request(request)) => match self.layer.handle_request(now, request, self.peer) {
                Incoming::New(key, request) => Received::New(key, request),
                Incoming::AckFor2xx(_) => Received::Ack,
                other => panic!("{other:?}"),
            },
            Ok(Message::Response(response)) => {
                self.layer.handle_response(now, response);
                let (_, Some(response)) = self.poll(now) else { panic!("no response for the user") };
                Received::Response(response)
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn receive_request(&mut self, now: Time, from: &mut Agent) -> (ServerKey, Request) {
        match self.receive(now, from) {
            Received::New(key, request) => (key, request),
            Received::Ack | Received::Response(_) => panic!("no new request"),
        }
    }

    fn receive_response(&mut self, now: Time, from: &mut Agent) -> Response {
        match self.receive(now, from) {
            Received::Response(response) => response,
            Received::Ack | Received::New(..) => panic!("no response"),
        }
    }
}

enum Received {
    New(ServerKey, Request),
    Ack,
    Response(Response),
}

fn invite(uri: &UriBuf, number: u64) -> Request {
    let mut invite = Request::new(Method::Invite, uri.clone());
    let headers = &mut invite.headers;
    headers.push(HeaderName::MaxForwards, 70u32);
    headers.push(HeaderName::From, format!("\"Alice\" <sip:alice@127.0.0.1>;tag=a{number}"));
    headers.push(HeaderName::To, "<sip:bob@127.0.0.1>");
    headers.push(HeaderName::CallId, format!("{number}@127.0.0.1"));
    headers.push(HeaderName::CSeq, CSeq { seq: 1, method: Method::Invite });
    headers.push(HeaderName::Contact, "<sip:alice@127.0.0.1:5060>");
    headers.push(HeaderName::Allow, "INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE, INFO");
    headers.push(HeaderName::UserAgent, "visavis/0.1");
    invite.set_body("application/sdp", &SDP[..]);
    invite
}

/// One call from INVITE to the 200 of its BYE.
fn call(alice: &mut Agent, bob: &mut Agent, uri: &UriBuf, number: u64) -> Option<()> {
    let now = Time::from_nanos(number * (1_000_000_000 / CALLS_PER_SECOND));
    let invite = invite(uri, number);
    alice.layer.send_request(now, invite.clone(), alice.peer).ok()?;
    let (key, request) = bob.receive_request(now, alice);
    let mut callee =
        Dialog::callee(&request, &format!("b{number}"), NameAddrBuf::new(uri.clone()), false).ok()?;
    bob.layer.respond(now, key, &callee.response(&request, 180)).ok()?;
    alice.receive_response(now, bob);
    let mut ok = callee.response(&request, 200);
    ok.set_body("application/sdp", &SDP[..]);
    callee.confirm();
    bob.layer.respond(now, key, &ok).ok()?;
    let ok = alice.receive_response(now, bob);
    let mut caller = Dialog::caller(&invite, &ok, false).ok()?;
    alice.layer.send_ack(caller.ack(1), alice.peer);
    bob.receive(now, alice);
    alice.layer.send_request(now, caller.request(Method::Bye), alice.peer).ok()?;
    let (key, bye) = bob.receive_request(now, alice);
    callee.accept_sequence(&bye).ok()?;
    bob.layer.respond(now, key, &callee.response(&bye, 200)).ok()?;
    alice.receive_response(now, bob);
    black_box((alice.layer.next_timeout(), bob.layer.next_timeout()));
    Some(())
}

#[divan::bench(sample_size = 1_000, sample_count = 100)]
fn signalled_call_both_ends(bencher: Bencher<'_, '_>) {
    let (mut alice, mut bob) = (Agent::new(1, 5060, 5070), Agent::new(2, 5070, 5060));
    let uri = UriBuf::sip(Some("bob"), bob.peer.local.ip(), Some(5070));
    let mut number = 0;
    bencher.bench_local(|| {
        number += 1;
        assert!(call(&mut alice, &mut bob, &uri, number).is_some(), "call {number} failed");
    });
}
