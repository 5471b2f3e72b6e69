//! A key exchange of one's own, in a call between two endpoints by ticket: `cargo run --example custom_ske`.
//!
//! Nobody knows what the bodies of the calls of 2010 mean, so the scheme is a trait. This one says hello both ways in two
//! messages and leaves the media clear; one that ends in `Outcome::Keys` has them encrypted.
#![allow(clippy::print_stdout, reason = "it exists to print")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use visavis::proto::agent::{ARMED, Admission, Config};
use visavis::proto::io::{EndReason, Event};
use visavis::proto::nat::{Candidate, CandidateKind, NatKind, Ticket};
use visavis::proto::ske::{Body, Context, Handler, Outcome, Outgoing, RngCore, Role, Scheme, Step};
use visavis::{Call, CallOptions, Endpoint, Error, Options, PeerTickets};

/// The caller sends a greeting, and the callee sends one back.
#[derive(Debug)]
struct Greetings;

/// One end of it.
#[derive(Debug)]
struct Greeter(Role);

impl Scheme for Greetings {
    fn name(&self) -> &'static str {
        "greetings"
    }

    fn encrypts(&self) -> bool {
        false
    }

    fn start(&self, context: &Context, _: &mut dyn RngCore) -> Box<dyn Handler> {
        Box::new(Greeter(context.role))
    }
}

impl Handler for Greeter {
    fn begin(&mut self) -> Step {
        match self.0 {
            Role::Caller => Step { send: vec![says(1, "hello, callee")], ..Step::pending() },
            Role::Callee => Step::pending(),
        }
    }

    fn message(&mut self, input: &Body<'_>) -> Step {
        match (self.0, input.data) {
            (Role::Callee, b"hello, callee") => {
                Step { send: vec![says(2, "hello, caller")], ..Step::done(Outcome::Clear) }
            }
            (Role::Caller, b"hello, caller") => Step::done(Outcome::Clear),
            _ => Step::failed("the peer does not greet"),
        }
    }

    fn waits_for(&self) -> &'static str {
        "a greeting"
    }
}

fn says(sequence: u64, text: &'static str) -> Outgoing {
    Outgoing { sequence, body: text.into() }
}

#[tokio::main]
async fn main() -> Result<ExitCode, Error> {
    let [caller, callee] = greet(Duration::from_secs(1)).await?;
    for (side, heard) in [("caller", &caller), ("callee", &callee)] {
        for line in &heard.messages {
            println!("{side}: {line}");
        }
        println!("{side}: the exchange is {}", if heard.finished { "finished" } else { "not finished" });
    }
    Ok(if caller.finished && callee.finished { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What one side saw of the exchange.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// The messages, in the order in which they came and went.
    pub(crate) messages: Vec<String>,
    /// Whether media may flow.
    pub(crate) finished: bool,
    /// How the call ended.
    pub(crate) end: Option<EndReason>,
}

/// Holds a call of this length, and says what the caller and the callee saw.
pub(crate) async fn greet(length: Duration) -> Result<[Heard; 2], Error> {
    let callee = Endpoint::start(options()).await?;
    let caller = Endpoint::start(options()).await?;

    // Two people give each other these lines; here both ends are in one program.
    let [theirs, ours] = [ticket(&callee), ticket(&caller)];
    let expected =
        callee.expect(PeerTickets { own: theirs.clone(), peer: ours.clone(), keyed: true }).await?;
    let tickets = PeerTickets { own: ours, peer: theirs, keyed: true };
    let call = caller.call_peer(tickets, CallOptions::default()).await?;

    let (at_caller, at_callee) = tokio::join!(follow(call, Some(length)), follow(expected, None));
    caller.shutdown().await;
    callee.shutdown().await;
    Ok([at_caller?, at_callee?])
}

/// Follows a call to its end, and hangs up when it has been up for this long.
async fn follow(mut call: Call, length: Option<Duration>) -> Result<Heard, Error> {
    let mut heard = Heard::default();
    while let Some(event) = call.next().await {
        match event {
            Event::KeyMessage { sent, sequence, fragment, body, .. } => {
                let way = if sent { "sent" } else { "heard" };
                let text = String::from_utf8_lossy(&body);
                heard.messages.push(format!("{way} {sequence};{fragment} {text}"));
            }
            Event::Protected { .. } => {
                heard.finished = true;
                if let Some(length) = length {
                    tokio::time::sleep(length).await;
                    call.hangup().await?;
                }
            }
            Event::Ended { reason, .. } => heard.end = Some(reason),
            _ => {}
        }
    }
    Ok(heard)
}

/// The profile of 2010 on a free port of loopback, with a scheme from outside of the library.
fn options() -> Options {
    let agent = Config {
        key_exchange: Some(Arc::new(Greetings)),
        admission: Admission::Expected { window: ARMED },
        ..Config::facetime2010(false)
    };
    Options { listen: ([127, 0, 0, 1], 0).into(), agent, ..Options::default() }
}

/// Where an endpoint is, and a secret for one call, good for a minute.
fn ticket(endpoint: &Endpoint) -> Ticket {
    let candidates = [Candidate::new(CandidateKind::Host, endpoint.local_addr())];
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    visavis::ticket(&candidates, NatKind::Open, None, now + 60)
        .expect("a ticket for an address of this machine")
}
