//! The layer as its user sees it, in virtual time.

mod cancel;
mod limits;
mod loss;
mod matching;
mod random;
mod tables;
mod times;

pub(super) use tables::{assert_table, client_inputs, reaches_an_end_from_everywhere, server_inputs};

use super::{
    ClientKey, Counters, Endpoint, Incoming, Output, RespondError, SendError, ServerKey, Timers,
    Transactions, TuEvent,
};
use crate::io::{Protocol, SocketId};
use crate::limits::Limits;
use crate::sip::{HeaderName, Message, Request, Response};
use crate::time::Time;
use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::net::SocketAddr;

const ALICE: &str = "192.0.2.1:5060";
const BOB: &str = "198.51.100.2:5070";

fn addr(s: &str) -> SocketAddr {
    s.parse().unwrap()
}

/// The way from one address to another.
fn way(local: &str, remote: &str) -> Endpoint {
    Endpoint::udp(SocketId(0), addr(local), addr(remote))
}

fn layer(seed: u64) -> Transactions {
    layer_with(seed, &Limits::default())
}

fn layer_with(seed: u64, limits: &Limits) -> Transactions {
    Transactions::new(Timers::default(), limits, ChaCha20Rng::seed_from_u64(seed))
}

fn ms(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn parse(message: &[u8]) -> Message {
    Message::parse(message, &Limits::default()).unwrap()
}

fn parse_request(message: &[u8]) -> Request {
    match parse(message) {
        Message::Request(request) => request,
        Message::Response(response) => panic!("a response: {response:?}"),
    }
}

fn parse_response(message: &[u8]) -> Response {
    match parse(message) {
        Message::Response(response) => response,
        Message::Request(request) => panic!("a request: {request:?}"),
    }
}

/// A request without Via, as the TU hands it over.
fn outgoing(method: &str) -> Request {
    let mut request = incoming(method, "unused");
    request.headers.remove(HeaderName::Via);
    request
}

/// A request as it arrives from Bob, with this branch.
fn incoming(method: &str, branch: &str) -> Request {
    let text = format!(
        "{method} sip:alice@192.0.2.1 SIP/2.0\r\n\
         Via: SIP/2.0/UDP {BOB};branch={branch};rport\r\n\
         Max-Forwards: 70\r\n\
         Route: <sip:192.0.2.1;lr>\r\n\
         From: Bob <sip:bob@198.51.100.2>;tag=b0b\r\n\
         To: Alice <sip:alice@192.0.2.1>\r\n\
         Call-ID: {branch}@198.51.100.2\r\n\
         CSeq: 7 {method}\r\n\
         Require: 100rel\r\n\
         Contact: <sip:bob@{BOB}>\r\n\r\n"
    );
    parse_request(text.as_bytes())
}

/// A response as Bob would send it to a request of ours.
fn answer(request: &[u8], status: u16) -> Response {
    let mut response = Response::to_request(&parse_request(request), status);
    if status > 100 {
        response.set_to_tag("b0b");
    }
    response
}

/// All that a layer has to say by `now`.
#[derive(Debug, Default)]
struct Said {
    sent: Vec<(Endpoint, Bytes)>,
    events: Vec<TuEvent>,
}

fn drain(layer: &mut Transactions, now: Time) -> Said {
    let mut said = Said::default();
    while let Some(output) = layer.poll(now) {
        match output {
            Output::Transmit(to, data) => said.sent.push((to, data)),
            Output::Event(event) => said.events.push(event),
        }
    }
    said
}

/// Runs a layer until no timer is left, and notes when it said what: first words of what it sent, and events.
fn run(layer: &mut Transactions, from: Time) -> Vec<(u64, String)> {
    let mut log = Vec::new();
    let mut now = from;
    loop {
        let said = drain(layer, now);
        let at = now.nanos() / 1_000_000;
        for (_, data) in said.sent {
            log.push((at, first_words(&data)));
        }
        for event in said.events {
            log.push((at, name(&event)));
        }
        let Some(next) = layer.next_timeout() else { return log };
        assert!(next > now, "a timer in the past");
        now = next;
    }
}

/// `INVITE`, or `SIP/2.0 486`.
fn first_words(data: &[u8]) -> String {
    let line = String::from_utf8_lossy(data);
    let words: Vec<&str> = line.split(' ').take(2).collect();
    if words[0] == "SIP/2.0" { words[1].to_string() } else { words[0].to_string() }
}

fn name(event: &TuEvent) -> String {
    match event {
        TuEvent::Response(_, response) => format!("TU {}", response.status),
        TuEvent::Timeout(_) => "timeout".into(),
        TuEvent::TransportError(_) => "transport error".into(),
        TuEvent::ClientTerminated(_) => "client over".into(),
        TuEvent::ServerTimeout(_) => "server timeout".into(),
        TuEvent::ServerTransportError(_) => "server transport error".into(),
        TuEvent::ServerTerminated(_) => "server over".into(),
    }
}

/// Lets a request in that must be new.
fn open(layer: &mut Transactions, now: Time, request: Request) -> (ServerKey, Request) {
    match layer.handle_request(now, request, way(ALICE, BOB)) {
        Incoming::New(key, request) => (key, request),
        other => panic!("not new: {other:?}"),
    }
}

/// Sends a request to Bob and returns its key and octets.
fn send(layer: &mut Transactions, now: Time, method: &str) -> (ClientKey, Bytes) {
    let key = layer.send_request(now, outgoing(method), way(ALICE, BOB)).unwrap();
    let said = drain(layer, now);
    assert_eq!(said.sent.len(), 1);
    (key, said.sent[0].1.clone())
}

/// Asserts that nothing is left of any transaction.
fn assert_empty(layer: &mut Transactions) {
    assert_eq!(layer.next_timeout(), None);
    assert!(layer.is_empty());
    assert!(layer.clients.is_empty() && layer.servers.is_empty());
    assert!(layer.merges.is_empty() && layer.sources.is_empty());
}

fn over_tcp() -> Endpoint {
    Endpoint { protocol: Protocol::Tcp, ..way(ALICE, BOB) }
}
