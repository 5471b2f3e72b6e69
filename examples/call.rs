//! Calls somebody for five seconds, and follows the call event by event: `cargo run --example call`, or
//! `... --example call sip:alice@192.0.2.7:5060`. Without an argument it calls `cargo run --example answer`.
#![allow(clippy::print_stdout, reason = "it exists to print")]

use std::error::Error;
use std::time::Duration;
use visavis::proto::io::Event;
use visavis::{Call, CallOptions, CallRecord, Endpoint, Expectation, Options};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let target = std::env::args().nth(1).unwrap_or_else(|| "sip:127.0.0.1:16402".into());
    // Any free port will do for calling; `Options::default()` would listen on 16402.
    let endpoint =
        Endpoint::start(Options { listen: ([0, 0, 0, 0], 0).into(), ..Options::default() }).await?;
    let call = endpoint.call(&target, CallOptions::default()).await?;
    let record = follow(call, CallRecord::outgoing(&target)).await?;
    endpoint.shutdown().await;

    let verdict = record.verdict(&Expectation::default());
    println!("verdict: {verdict}");
    if verdict.good { Ok(()) } else { Err("the call was not good".into()) }
}

/// The long way of `call.until_end(Some(Duration::from_secs(5)))`: a program that wants to see what happens in a
/// call reads its events itself.
async fn follow(mut call: Call, mut record: CallRecord) -> Result<CallRecord, visavis::Error> {
    // Commands the same call from another task, while this one waits for events.
    let remote_control = call.remote_control();
    let mut hangup = None;
    while let Some(event) = call.next().await {
        match &event {
            Event::Progress { status, reason, .. } => println!("{status} {reason}"),
            Event::Established { setup, .. } => {
                println!("up after {} ms", setup.as_millis());
                let remote_control = remote_control.clone();
                hangup = Some(tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(5)).await;
                    remote_control.hangup().await
                }));
            }
            Event::Media { sections, .. } => {
                for (index, section) in sections.iter().enumerate() {
                    println!("section {index}: {:?}, {:?}", section.kind, section.direction);
                }
            }
            Event::Ended { reason, .. } => println!("over: {reason:?}"),
            _ => {}
        }
        record.observe(&event, None);
    }
    if let Some(hangup) = hangup {
        hangup.abort();
    }
    Ok(record)
}
