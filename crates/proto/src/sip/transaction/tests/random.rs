//! Random operations in random order: nothing panics, every transaction ends once, nothing is left behind.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Clone, Debug)]
enum Op {
    /// Send a request, INVITE or not, over UDP or TCP.
    Send(bool, bool),
    Cancel(usize),
    Respond(usize, u16),
    Resend(usize),
    /// A request of the peer: method, branch, whether inside a dialog.
    Request(usize, usize, bool),
    /// A response of the peer to something that we sent.
    Response(usize, u16),
    /// Something that we sent comes back to us.
    Reflect(usize),
    TransportError(bool),
    Pass(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let status = prop_oneof![Just(100u16), Just(180), Just(200), Just(302), Just(408), Just(486), Just(603)];
    prop_oneof![
        3 => (any::<bool>(), any::<bool>()).prop_map(|(invite, tcp)| Op::Send(invite, tcp)),
        2 => any::<usize>().prop_map(Op::Cancel),
        4 => (any::<usize>(), status.clone()).prop_map(|(i, s)| Op::Respond(i, s)),
        1 => any::<usize>().prop_map(Op::Resend),
        6 => (0..5usize, 0..6usize, any::<bool>()).prop_map(|(m, b, d)| Op::Request(m, b, d)),
        6 => (any::<usize>(), status).prop_map(|(i, s)| Op::Response(i, s)),
        2 => any::<usize>().prop_map(Op::Reflect),
        1 => any::<bool>().prop_map(Op::TransportError),
        5 => prop_oneof![0..50u64, 100..700u64, 1_000..40_000u64].prop_map(Op::Pass),
    ]
}

/// A layer with a TU that keeps books.
struct Books {
    layer: Transactions,
    now: Time,
    clients: Vec<ClientKey>,
    servers: Vec<(ServerKey, Request)>,
    sent: Vec<Bytes>,
    over: BTreeSet<String>,
}

impl Books {
    fn drain(&mut self) {
        let said = drain(&mut self.layer, self.now);
        self.sent.extend(said.sent.into_iter().map(|(_, data)| data));
        for event in said.events {
            let key = match &event {
                TuEvent::Response(key, _) | TuEvent::Timeout(key) | TuEvent::TransportError(key) => {
                    assert!(self.clients.contains(key), "an event for a stranger: {event:?}");
                    assert!(!self.over.contains(&format!("{key:?}")), "an event after the end: {event:?}");
                    continue;
                }
                TuEvent::ServerTimeout(key) | TuEvent::ServerTransportError(key) => {
                    assert!(self.servers.iter().any(|(k, _)| k == key), "an event for a stranger: {event:?}");
                    assert!(!self.over.contains(&format!("{key:?}")), "an event after the end: {event:?}");
                    continue;
                }
                TuEvent::ClientTerminated(key) => format!("{key:?}"),
                TuEvent::ServerTerminated(key) => format!("{key:?}"),
            };
            assert!(self.over.insert(key), "over twice: {event:?}");
        }
    }

    /// Lets time pass, timer by timer.
    fn pass(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(next) = self.layer.next_timeout().filter(|next| *next <= until) {
            assert!(next >= self.now);
            self.now = next;
            self.drain();
        }
        self.now = until;
    }

    fn arrive(&mut self, request: Request) {
        match self.layer.handle_request(self.now, request, way(ALICE, BOB)) {
            Incoming::New(key, request) | Incoming::Cancel { cancel: key, request, .. } => {
                self.servers.push((key, request));
            }
            Incoming::Ack(_) | Incoming::AckFor2xx(_) | Incoming::Absorbed => {}
        }
    }

    fn apply(&mut self, op: Op) {
        let now = self.now;
        match op {
            Op::Send(invite, tcp) => {
                let request = outgoing(if invite { "INVITE" } else { "INFO" });
                let to = if tcp { over_tcp() } else { way(ALICE, BOB) };
                self.clients.push(self.layer.send_request(now, request, to).unwrap());
            }
            Op::Cancel(i) => {
                if let Some(key) = pick(&self.clients, i) {
                    self.layer.cancel(now, *key);
                }
            }
            Op::Respond(i, status) => {
                if let Some((key, request)) = pick(&self.servers, i) {
                    let _ = self.layer.respond(now, *key, &Response::to_request(request, status));
                }
            }
            Op::Resend(i) => {
                if let Some((key, _)) = pick(&self.servers, i) {
                    let _ = self.layer.resend_2xx(now, *key);
                }
            }
            Op::Request(method, branch, in_dialog) => {
                let method = ["INVITE", "ACK", "CANCEL", "BYE", "MESSAGE"][method];
                // Three of the branches are RFC 2543's.
                let branch = if branch < 3 { format!("z9hG4bK{branch}") } else { branch.to_string() };
                let mut request = incoming(method, &branch);
                if in_dialog {
                    request.headers.set(HeaderName::To, "<sip:alice@192.0.2.1>;tag=a11ce");
                }
                self.arrive(request);
            }
            Op::Response(i, status) => {
                if let Some(Message::Request(request)) = pick(&self.sent, i).map(|data| parse(data)) {
                    self.layer.handle_response(now, Response::to_request(&request, status));
                }
            }
            Op::Reflect(i) => match pick(&self.sent, i).map(|data| parse(data)) {
                Some(Message::Request(request)) => self.arrive(request),
                Some(Message::Response(response)) => self.layer.handle_response(now, response),
                None => {}
            },
            Op::TransportError(bob) => {
                self.layer.transport_error(now, addr(if bob { BOB } else { "203.0.113.1:9" }));
            }
            Op::Pass(millis) => self.pass(millis),
        }
        self.drain();
    }
}

fn pick<T>(list: &[T], i: usize) -> Option<&T> {
    list.get(i.checked_rem(list.len())?)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_panics_and_nothing_is_left_behind(ops in prop::collection::vec(op(), 1..120)) {
        let mut books = Books {
            layer: layer(1),
            now: ms(0),
            clients: Vec::new(),
            servers: Vec::new(),
            sent: Vec::new(),
            over: BTreeSet::new(),
        };
        for op in ops {
            books.apply(op);
        }
        // What a TU owes in the end: an answer to every INVITE, and a CANCEL of what still rings.
        for (key, request) in books.servers.clone() {
            let _ = books.layer.respond(books.now, key, &Response::to_request(&request, 487));
        }
        for key in books.clients.clone() {
            books.layer.cancel(books.now, key);
        }
        books.drain();
        books.pass(3 * 32_000 + 5_000);
        let expected: BTreeSet<String> = books.clients.iter().map(|key| format!("{key:?}"))
            .chain(books.servers.iter().map(|(key, _)| format!("{key:?}")))
            .collect();
        prop_assert_eq!(&books.over, &expected);
        assert_empty(&mut books.layer);
    }
}
