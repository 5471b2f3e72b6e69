//! `visavis call URI`: places one call and judges it.

use super::{interruption, summary};
use crate::Failure;
use crate::args::CallArgs;
use crate::output::Output;
use crate::session::{Script, follow};
use crate::setup::{self, Capture};
use serde_json::json;
use visavis::{CallOptions, CallRecord, Endpoint, Expectation, Target};

pub(crate) async fn run(args: CallArgs, output: &Output) -> Result<(), Failure> {
    // What was typed comes first: a port that is taken does not matter to a call that cannot be placed.
    Target::resolve(&args.uri, args.endpoint.listen.ip()).await?;
    let mut options = setup::options(&args.endpoint, &args.media)?;
    let media = options.agent.media;
    let capture = args.endpoint.capture.as_deref().map(|p| Capture::start(p, &mut options)).transpose()?;
    let endpoint = Endpoint::start(options).await?;
    output.event("listening", || json!({ "address": endpoint.local_addr().to_string() }));
    let (late_offer, ring_timeout) = (args.late_offer, args.ring_timeout);
    let call = endpoint.call(&args.uri, CallOptions { media, late_offer, ring_timeout }).await?;
    let id = call.handle().0;
    output.event("calling", || json!({ "call": id, "uri": args.uri }));
    let script = Script { duration: args.duration, dtmf: args.dtmf, status: true };
    let mut record = follow(call, CallRecord::outgoing(&args.uri), script, output, interruption()).await;
    if let Some((_, media)) = endpoint.media_report().await {
        record.media = media;
    }
    endpoint.shutdown().await;
    let verdict = record.verdict(&Expectation { media: !args.media.no_media, ..Expectation::default() });
    summary(output, id, &record, &verdict);
    if let Some(capture) = capture {
        let (path, written) = capture.finish()?;
        output.say(format!("  {} packets in {}", written.written, path.display()));
    }
    if verdict.good { Ok(()) } else { Err(Failure::Bad) }
}
