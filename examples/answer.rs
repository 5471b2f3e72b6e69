//! Answers one call and says what it saw: `cargo run --example answer`, or `... --example answer 5060` for
//! another port than 16402. It listens on loopback only; `cargo run --example call` calls it.
#![allow(clippy::print_stdout, reason = "it exists to print")]

use std::error::Error;
use visavis::media_codecs::judge::JudgeConfig;
use visavis::proto::agent::AnswerPolicy;
use visavis::{Arrival, Call, CallRecord, Endpoint, Expectation, Options};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = match std::env::args().nth(1) {
        Some(text) => text.parse().map_err(|e| format!("{text} is no port: {e}"))?,
        None => 16402,
    };
    let mut options = Options { listen: ([127, 0, 0, 1], port).into(), ..Options::default() };
    // Ask us about each call, instead of accepting all of them.
    options.agent.answer = AnswerPolicy::Ask;
    // Decode what arrives, and measure it.
    options.media.receive.judge = Some(JudgeConfig::default());
    let endpoint = Endpoint::start(options).await?;
    println!("waiting for a call on UDP {}", endpoint.local_addr());

    while let Some(arrival) = endpoint.accept().await {
        match arrival {
            Arrival::Call(call) => {
                let mut record = answer(call).await?;
                if let Some((_, media)) = endpoint.media_report().await {
                    record.media = media;
                }
                say(&record);
                break;
            }
            Arrival::Message { from, content_type, .. } => println!("{from} sent a message, {content_type}"),
        }
    }
    endpoint.shutdown().await;
    Ok(())
}

/// Lets it ring, answers, and stays until the caller hangs up.
async fn answer(call: Call) -> Result<CallRecord, visavis::Error> {
    if let Some(incoming) = call.incoming() {
        println!("{} calls from {}", incoming.from, incoming.remote);
    }
    call.ring(180).await?;
    call.accept().await?;
    Ok(call.until_end(None).await)
}

fn say(record: &CallRecord) {
    println!("the call is over: {}", record.end_text.as_deref().unwrap_or("unknown"));
    if let Some(judgement) = &record.media.judgement {
        println!("{} pictures of the test pattern could be read", judgement.video.read);
        match judgement.audio.tone_hz {
            Some(hz) => println!("a tone of {hz:.0} Hz was heard"),
            None => println!("no tone was heard"),
        }
    }
    // A peer that sends other pictures than the test pattern is judged by what arrived, so this asks for less
    // than `loopback` does.
    println!("verdict: {}", record.verdict(&Expectation::default()));
}
