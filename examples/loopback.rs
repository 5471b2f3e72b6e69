//! A whole video call between two endpoints in one program: `cargo run --example loopback`.
//!
//! Each side sends the test pattern and a tone, and judges what arrives from the other. Nothing else is needed:
//! no camera, no microphone, no second machine, no free port of a certain number.
#![allow(clippy::print_stdout, reason = "it exists to print")]

use std::process::ExitCode;
use std::time::Duration;
use visavis::media_codecs::judge::JudgeConfig;
use visavis::{Arrival, CallOptions, CallRecord, Endpoint, Error, Expectation, Options};

#[tokio::main]
async fn main() -> Result<ExitCode, Error> {
    let [caller, callee] = hold_a_call(Duration::from_secs(2)).await?;

    // A record is plain data with `serde::Serialize`: print it, store it, compare it. The verdict on it depends
    // on what was expected: here, that the other side sends the test pattern.
    let expected = Expectation { pattern: true, ..Expectation::default() };
    let mut good = true;
    for (side, record) in [("caller", caller), ("callee", callee)] {
        for section in &record.sections {
            println!(
                "{side}: {} received as {}, {} packets, {} lost",
                section.kind.unwrap_or("nothing"),
                section.received_as.as_deref().unwrap_or("nothing"),
                section.packets_received,
                section.packets_lost,
            );
        }
        let verdict = record.verdict(&expected);
        println!("{side}: {verdict}");
        good &= verdict.good;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Holds a call of this length and gives the records of the caller and of the callee.
pub(crate) async fn hold_a_call(length: Duration) -> Result<[CallRecord; 2], Error> {
    // An endpoint is one UDP socket for SIP, RTP and RTCP, and the threads that code pictures and sound. By
    // default it accepts every call.
    let callee = Endpoint::start(options()).await?;
    let caller = Endpoint::start(options()).await?;

    let target = format!("sip:callee@{}", callee.local_addr());
    let call = caller.call(&target, CallOptions::default()).await?;

    // Both sides follow their end of the call: the caller hangs up, the callee stays until then.
    let callee_side = async {
        loop {
            match callee.accept().await {
                Some(Arrival::Call(call)) => break call.until_end(None).await,
                Some(Arrival::Message { .. }) => {}
                None => break CallRecord::default(),
            }
        }
    };
    let (mut at_caller, mut at_callee) = tokio::join!(call.until_end(Some(length)), callee_side);

    // Decoder and judge work on threads of their own and report when they have got through what had arrived.
    for (endpoint, record) in [(&caller, &mut at_caller), (&callee, &mut at_callee)] {
        if let Some((_, media)) = endpoint.media_report().await {
            record.media = media;
        }
    }
    caller.shutdown().await;
    callee.shutdown().await;
    Ok([at_caller, at_callee])
}

/// A free port on loopback, and a judge that may compare clocks, because both sides read the same one.
fn options() -> Options {
    let mut options = Options { listen: ([127, 0, 0, 1], 0).into(), ..Options::default() };
    options.media.receive.judge = Some(JudgeConfig { clocks_agree: true, ..JudgeConfig::default() });
    options
}
