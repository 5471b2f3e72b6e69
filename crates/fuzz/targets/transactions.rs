//! The transaction layer, driven by any sequence of requests, responses, commands and time: each transaction
//! ends exactly once, nothing comes after its end, and when nothing happens any more all of them end.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use visavis_fuzz::Octets;
use visavis_proto::Time;
use visavis_proto::io::{Protocol, SocketId};
use visavis_proto::limits::Limits;
use visavis_proto::sip::transaction::{
    ClientKey, Endpoint, Incoming, Output, ServerKey, Timers, Transactions, TuEvent,
};
use visavis_proto::sip::{Message, Method, Request, Response};

fuzz_target!(|data: &[u8]| {
    let mut octets = Octets(data);
    let protocol = if octets.octet() & 1 == 0 { Protocol::Udp } else { Protocol::Tcp };
    let mut lab = Lab::new(protocol);
    while !octets.is_empty() {
        lab.act(&mut octets);
        lab.drain();
    }
    lab.end();
});

const METHODS: [&str; 6] = ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "MESSAGE"];
const STATUSES: [u16; 8] = [100, 180, 183, 200, 202, 404, 487, 603];

/// The layer with what its user would remember.
struct Lab {
    now: Time,
    protocol: Protocol,
    layer: Transactions,
    clients: BTreeSet<ClientKey>,
    servers: BTreeSet<ServerKey>,
    /// What arrived, to answer it.
    requests: Vec<(ServerKey, Request)>,
    /// What the layer sent, to answer it.
    sent: Vec<Request>,
}

impl Lab {
    fn new(protocol: Protocol) -> Self {
        let limits = Limits { transactions: 40, transactions_per_source: 16, ..Limits::default() };
        Lab {
            now: Time::from_millis(1),
            protocol,
            layer: Transactions::new(Timers::default(), &limits, ChaCha20Rng::from_seed([1; 32])),
            clients: BTreeSet::new(),
            servers: BTreeSet::new(),
            requests: Vec::new(),
            sent: Vec::new(),
        }
    }

    fn end_point(&self, choice: u8) -> Endpoint {
        let remote = SocketAddr::from(([192, 0, 2, 9], 5060 + u16::from(choice & 0x03)));
        let local = SocketAddr::from(([192, 0, 2, 7], 5060));
        Endpoint { protocol: self.protocol, socket: SocketId(0), local, sent_by: local, remote }
    }

    fn act(&mut self, octets: &mut Octets<'_>) {
        let (action, choice) = (octets.octet(), octets.octet());
        match action % 10 {
            0 => self.now += Duration::from_millis(u64::from(choice) * 10),
            1 => self.now += Duration::from_secs(u64::from(choice)),
            2 | 3 => self.receive_request(choice, octets.octet()),
            4 => {
                if let Some((key, request)) = pick(&self.requests, choice) {
                    let mut response =
                        Response::to_request(request, STATUSES[usize::from(octets.octet() & 0x07)]);
                    response.set_to_tag("u");
                    let _ = self.layer.respond(self.now, *key, &response);
                }
            }
            5 => self.send_request(choice),
            6 => {
                if let Some(request) = pick(&self.sent, choice) {
                    let mut response =
                        Response::to_request(request, STATUSES[usize::from(octets.octet() & 0x07)]);
                    if octets.octet() & 0x03 != 0 {
                        response.set_to_tag("p");
                    }
                    self.layer.handle_response(self.now, response);
                }
            }
            7 => {
                if let Some(key) = pick(&Vec::from_iter(self.clients.iter().copied()), choice) {
                    self.layer.cancel(self.now, *key);
                }
            }
            8 => {
                let remote = self.end_point(choice).remote;
                self.layer.transport_error(self.now, remote);
            }
            _ => {
                if let Some((key, _)) = pick(&self.requests, choice) {
                    let _ = self.layer.resend_2xx(self.now, *key);
                }
            }
        }
    }

    /// A request from one of few dialogs, branches and sources, so that they meet.
    fn receive_request(&mut self, choice: u8, variant: u8) {
        let method = METHODS[usize::from(choice) % METHODS.len()];
        let cookie = if variant & 0x80 == 0 { "z9hG4bK" } else { "" };
        let tag = if variant & 0x40 == 0 { "" } else { ";tag=u" };
        let text = format!(
            "{method} sip:a@192.0.2.7 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch={cookie}{}\r\n\
             From: <sip:b@h>;tag={}\r\nTo: <sip:a@h>{tag}\r\nCall-ID: c{}\r\nCSeq: {} {method}\r\n\r\n",
            variant & 0x03,
            variant >> 2 & 0x01,
            variant >> 3 & 0x01,
            variant >> 4 & 0x03,
        );
        let from = self.end_point(choice >> 4);
        let cut = if variant == 0xff { text.len() - usize::from(choice) % 60 } else { text.len() };
        let request = match Message::parse(&text.as_bytes()[..cut], &Limits::default()) {
            Ok(Message::Request(request)) => request,
            Ok(Message::Response(_)) => return,
            Err(error) => return self.layer.reject(error, from),
        };
        match self.layer.handle_request(self.now, request, from) {
            Incoming::New(key, request) => self.opened(key, request),
            Incoming::Cancel { cancel, request, invite } => {
                assert!(self.servers.contains(&invite), "a CANCEL for a transaction that is over");
                self.opened(cancel, request);
            }
            Incoming::Ack(key) => {
                assert!(self.servers.contains(&key), "an ACK for a transaction that is over")
            }
            Incoming::AckFor2xx(_) | Incoming::Absorbed => {}
        }
    }

    fn opened(&mut self, key: ServerKey, request: Request) {
        assert!(self.servers.insert(key), "a key was given out twice");
        self.requests.push((key, request));
    }

    fn send_request(&mut self, choice: u8) {
        let method = METHODS[usize::from(choice) % METHODS.len()];
        let text = format!(
            "{method} sip:b@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP x\r\nFrom: <sip:a@h>;tag=u\r\n\
             To: <sip:b@h>\r\nCall-ID: d\r\nCSeq: 1 {method}\r\n\r\n"
        );
        let Ok(Message::Request(mut request)) = Message::parse(text.as_bytes(), &Limits::default()) else {
            panic!("{text}");
        };
        request.headers.remove("Via");
        let to = self.end_point(choice >> 4);
        if request.method == Method::Ack {
            self.layer.send_ack(request, to);
        } else if let Ok(key) = self.layer.send_request(self.now, request, to) {
            assert!(self.clients.insert(key), "a key was given out twice");
        }
    }

    fn drain(&mut self) {
        let mut outputs = 0;
        while let Some(output) = self.layer.poll(self.now) {
            outputs += 1;
            assert!(outputs < 100_000, "outputs for ever");
            match output {
                Output::Transmit(_, octets) => {
                    let message = Message::parse(&octets, &Limits::default()).expect("what is sent is SIP");
                    if let Message::Request(request) = message {
                        self.sent.push(request);
                    }
                }
                Output::Event(event) => self.event(event),
            }
        }
        let next = self.layer.next_timeout();
        assert!(next.is_none_or(|at| at > self.now), "a timer that is due was not served");
    }

    fn event(&mut self, event: TuEvent) {
        match event {
            TuEvent::Response(key, _) | TuEvent::Timeout(key) | TuEvent::TransportError(key) => {
                assert!(self.clients.contains(&key), "an event after the end");
            }
            TuEvent::ClientTerminated(key) => assert!(self.clients.remove(&key), "ended twice"),
            TuEvent::ServerTimeout(key) | TuEvent::ServerTransportError(key) => {
                assert!(self.servers.contains(&key), "an event after the end");
            }
            TuEvent::ServerTerminated(key) => {
                assert!(self.servers.remove(&key), "ended twice");
                self.requests.retain(|(open, _)| *open != key);
            }
        }
    }

    /// Lets time pass until everything is over. An INVITE may ring for ever: ours are cancelled, others refused.
    fn end(&mut self) {
        for key in Vec::from_iter(self.clients.iter().copied()) {
            self.layer.cancel(self.now, key);
        }
        for (key, request) in std::mem::take(&mut self.requests) {
            let _ = self.layer.respond(self.now, key, &Response::to_request(&request, 487));
        }
        self.drain();
        let mut turns = 0;
        while let Some(at) = self.layer.next_timeout() {
            turns += 1;
            assert!(turns < 100_000, "timers for ever");
            self.now = at;
            self.drain();
        }
        assert!(self.layer.is_empty(), "{} transactions never end", self.layer.len());
        assert!(self.clients.is_empty() && self.servers.is_empty(), "an end was not reported");
    }
}

fn pick<T>(list: &[T], choice: u8) -> Option<&T> {
    list.get(usize::from(choice) % list.len().max(1))
}
