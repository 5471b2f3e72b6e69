//! What scripts do on stdin of `visavis call --control`, done by a program: `cargo run --example scripted_call`. Two
//! endpoints call each other; each command is waited for until it is known what became of it.
#![allow(clippy::print_stdout, reason = "it exists to print")]

use std::error::Error;
use std::time::Duration;
use visavis::proto::agent::{AnswerPolicy, Config};
use visavis::proto::io::{Event, MediaChoice};
use visavis::{Arrival, Call, CallControl, CallOptions, Endpoint, Options};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listen = ([127, 0, 0, 1], 0).into();
    let ask = Config { answer: AnswerPolicy::Ask, ..Config::default() };
    let callee = Endpoint::start(Options { listen, agent: ask, ..Options::default() }).await?;
    let caller = Endpoint::start(Options { listen, ..Options::default() }).await?;
    let sound = CallOptions { media: MediaChoice { audio: true, video: false }, ..CallOptions::default() };
    let call = caller.call(&format!("sip:lab@{}", callee.local_addr()), sound).await?;
    let Some(Arrival::Call(theirs)) = callee.accept().await else { return Err("no call came in".into()) };

    // Events are followed on tasks of their own, and commands given from here.
    let (here, there) = (call.remote_control(), theirs.remote_control());
    let followed = [tokio::spawn(follow("caller", call)), tokio::spawn(follow("callee", theirs))];
    let result = script(&here, &there).await;
    drop((here, there));
    for task in followed {
        task.await?;
    }
    caller.shutdown().await;
    callee.shutdown().await;
    result
}

async fn script(here: &CallControl, there: &CallControl) -> Result<(), Box<dyn Error>> {
    there.ring(183).await?.outcome().await?;
    there.accept().await?.outcome().await?;
    // The call is up once the ACK has come through: before that, there is nothing to put on hold.
    while here.hold().await?.outcome().await.is_err_and(|why| why.status.is_none()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let done = here.resume().await?.outcome().await?;
    println!("resumed: {:?}", done.response);
    here.reinvite(MediaChoice::BOTH).await?.outcome().await?;
    for key in "12#".chars() {
        here.dtmf(key, Duration::from_millis(100)).await?.outcome().await?;
    }
    there.message("text/plain", "hello").await?.outcome().await?;
    for _ in 0..60 {
        let Err(why) = here.request_keyframe(1).await?.outcome().await else { break };
        println!("no key frame: {why}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    for section in here.stats().await.unwrap_or_default() {
        println!("{:?}: {} packets sent", section.kind, section.packets_sent);
    }
    if let Err(why) = there.accept().await?.outcome().await {
        println!("accepting twice: {why}");
    }
    here.hangup().await?.outcome().await?;
    Ok(())
}

async fn follow(who: &'static str, mut call: Call) {
    while let Some(event) = call.next().await {
        match event {
            Event::Progress { status, reason, .. } => println!("{who}: {status} {reason}"),
            Event::Established { .. } => println!("{who}: up"),
            Event::Dtmf { digit, .. } => println!("{who}: key {digit}"),
            Event::Message { body, .. } => println!("{who}: {}", String::from_utf8_lossy(&body)),
            Event::Ended { reason, .. } => println!("{who}: {reason}"),
            _ => {}
        }
    }
}
