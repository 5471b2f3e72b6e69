//! `visavis call URI`: places one call and judges it.

use super::{stopping, summary};
use crate::Failure;
use crate::args::CallArgs;
use crate::control::{self, Calls};
use crate::counts;
use crate::impairment;
use crate::keep::Keep;
use crate::live::Live;
use crate::output::Output;
use crate::peer;
use crate::report::Report;
use crate::session::{Script, follow};
use crate::setup::{self, Capture};
use crate::window::Show;
use serde_json::json;
use visavis::report::Role;
use visavis::{CallOptions, CallRecord, Endpoint, Target};

pub(crate) async fn run(args: CallArgs, show: Option<Show>, output: &Output) -> Result<(), Failure> {
    let expected = args.verdict.expectation(&args.media, &args.peer_media)?;
    let tickets = peer::tickets(&args.peer, &args.media)?;
    // What was typed comes first: a port that is taken does not matter to a call that cannot be placed.
    if let Some(uri) = &args.uri {
        Target::resolve(uri, args.endpoint.listen.ip()).await?;
    }
    let mut options = setup::options(&args.endpoint, &args.media)?;
    options.listen = peer::listen(&args.peer, args.endpoint.listen)?;
    peer::arm(&mut options.agent, &args.media, tickets.as_ref(), args.peer.place.state.as_deref())?;
    let media = options.agent.media;
    let mut live = Live::begin(&args.live, &mut options, output)?;
    setup::rotate(&args.media, &mut options);
    if let Some(show) = &show {
        show.arm(&mut options, args.live.mute);
        show.follow(&mut live);
    }
    options.impair = args.impair.impair();
    let impair = options.impair.clone();
    let pages = Report::begin(&args.report, "call", &mut options.media)?;
    let path = args.endpoint.capture.clone().or_else(|| pages.as_ref().map(Report::capture));
    let capture = path.map(|path| Capture::start(&path, &mut options)).transpose()?;
    let endpoint = Endpoint::start(options).await?;
    output.event("listening", || json!({ "address": endpoint.local_addr().to_string() }));
    let (late_offer, ring_timeout, duration) = (args.late_offer, args.ring_timeout, args.duration());
    let options = CallOptions { media, late_offer, ring_timeout };
    let (call, whom) = match (tickets, args.uri) {
        (Some(tickets), _) => {
            let whom = tickets.name();
            output.say(format!(
                "looking for a way to {whom}; the peer must run visavis answer --peer meanwhile"
            ));
            (endpoint.call_peer(tickets, options).await?, whom)
        }
        (None, Some(uri)) => (endpoint.call(&uri, options).await?, uri),
        (None, None) => {
            return Err(Failure::Usage("whom to call is missing: a URI, or --peer TICKET".into()));
        }
    };
    let id = call.handle().0;
    output.event("calling", || json!({ "call": id, "uri": whom }));
    let keep = Keep::new(&args.media.facetime);
    let stop = stopping();
    let interrupted = stop.subscribe();
    let calls = Calls::new(live.clone());
    calls.add(&call);
    if let Some(show) = &show {
        show.serve(calls.clone(), None, stop.clone(), output);
    }
    if args.control.control {
        control::follow_stdin(calls.clone(), output, stop);
    }
    let watch = show.as_ref().map(Show::watch);
    let script = Script { duration, dtmf: args.dtmf, status: true, keep, watch };
    let mut record = follow(call, CallRecord::outgoing(&whom), script, output, interrupted).await;
    calls.remove(id);
    if let Some((handle, media)) = endpoint.media_report().await {
        record.media = media;
        record.media.add_devices(live.report(handle));
    }
    let counters = counts::report(&endpoint, output).await;
    impairment::report(&endpoint, impair.as_ref(), "here", args.impair.impair_log.as_deref(), output).await?;
    endpoint.shutdown().await;
    let verdict = record.verdict(&expected);
    summary(output, id, &record, &verdict);
    if let Some(capture) = capture {
        let (path, written) = capture.finish()?;
        output.say(format!("  {} packets in {}", written.written, path.display()));
        if let Some(pages) = pages {
            pages.one(&[(Role::Caller, &record)], &verdict, &counters, &path, output)?;
        }
    }
    if let Some(show) = show {
        show.over(id, &record, &verdict).await;
    }
    if verdict.good { Ok(()) } else { Err(Failure::Bad) }
}
