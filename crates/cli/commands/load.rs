//! `visavis load URI`: many calls at once, and what became of them.

mod search;
mod table;
mod view;

use self::table::Table;
use super::interruption;
use crate::Failure;
use crate::args::{LoadArgs, LoadMedia};
use crate::impairment;
use crate::output::Output;
use crate::polite;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::watch;
use visavis::load::{Load, Plan, Ramp, Tally};
use visavis::proto::io::MediaChoice;
use visavis::proto::sdp::Capabilities;
use visavis::{Expectation, ImpairmentLog, TestSources};

/// How often the status line, the table of seconds and the events for programs go on.
const SECOND: Duration = Duration::from_secs(1);

pub(crate) async fn run(args: LoadArgs, output: &Output) -> Result<(), Failure> {
    let plan = plan(&args).await?;
    let mut stop = interruption();
    match args.search.search {
        Some(between) => search::run(&args, between, plan, output, &mut stop).await,
        None => once(&args, plan, output, &mut stop).await,
    }
}

/// Places the calls, and reports.
async fn once(
    args: &LoadArgs,
    plan: Plan,
    output: &Output,
    stop: &mut watch::Receiver<bool>,
) -> Result<(), Failure> {
    let mut seconds = args.csv.as_deref().map(|p| Table::create(p, &table::SECOND)).transpose()?;
    let mut calls = args.calls_csv.as_deref().map(|p| Table::create(p, &table::CALL)).transpose()?;
    let media = plan.media.is_some();
    let load = Load::start(plan)?;
    view::begin(output, args, load.locals());
    let ran = follow(load, output, stop, |second, progress| {
        if let Some(table) = &mut calls {
            progress.calls.iter().for_each(|row| table.add(table::call(row)));
        }
        if let (Some(table), Some(second)) = (&mut seconds, second) {
            table.add(table::second(second));
        }
    })
    .await;
    let good = ran.tally.placed > 0 && ran.tally.wrong() <= args.max_failures;
    view::report(output, args, &ran, media, good);
    if let (Some(log), Some(impair)) = (&ran.impairment, args.impair.impair()) {
        let file = args.impair.impair_log.as_deref();
        impairment::report_log(log, &impair, "here", file, output)?;
    }
    for table in [seconds, calls].into_iter().flatten() {
        output.say(format!("  {}", table.finish()?));
    }
    output.say(format!("verdict: {}", if good { "good".into() } else { view::why_bad(args, &ran.tally) }));
    if good { Ok(()) } else { Err(Failure::Bad) }
}

/// What a load came to.
struct Ran {
    tally: Tally,
    peak: u64,
    elapsed: Duration,
    interrupted: bool,
    impairment: Option<ImpairmentLog>,
}

/// A second of a load.
struct Second {
    since: Duration,
    /// What it adds.
    tally: Tally,
    up: u64,
}

/// Follows a load to its end, and shows how it goes. `tell` gets what is new, and every second that second's sum.
async fn follow(
    mut load: Load,
    output: &Output,
    stop: &mut watch::Receiver<bool>,
    mut tell: impl FnMut(Option<&Second>, &visavis::load::Progress),
) -> Ran {
    let (mut second, mut interrupted) = (Tally::default(), false);
    let mut next = load.elapsed() + SECOND;
    loop {
        tokio::select! {
            progress = load.next() => {
                let Some(progress) = progress else { break };
                second.merge(&progress.tally);
                tell(None, &progress);
            }
            stopped = stop.wait_for(|stop| *stop), if !interrupted => {
                interrupted = true;
                if stopped.is_ok() {
                    load.stop();
                    output.note("ending the calls that are up; Ctrl-C again leaves at once");
                }
            }
        }
        if load.elapsed() >= next {
            next += SECOND;
            let past = Second { since: load.elapsed(), tally: std::mem::take(&mut second), up: load.up() };
            view::second(output, &past, &load);
            tell(Some(&past), &Default::default());
        }
    }
    if second != Tally::default() {
        let past = Second { since: load.elapsed(), tally: second, up: 0 };
        view::second(output, &past, &load);
        tell(Some(&past), &Default::default());
    }
    output.clear_status();
    let impairment = load.impairment().cloned();
    Ran { tally: load.tally().clone(), peak: load.peak(), elapsed: load.elapsed(), interrupted, impairment }
}

/// From what was typed to the calls to place.
async fn plan(args: &LoadArgs) -> Result<Plan, Failure> {
    let mut plan = Plan::to(&args.uri).await?;
    polite::may("load", plan.target.destination.ip(), args.i_may_load_this_host, "--i-may-load-this-host")?;
    let (from, to) = (args.rate.from, args.rate.to);
    plan.ramp = match args.ramp {
        Some(over) if from != to => Ramp { from, to, over },
        Some(_) => return Err(Failure::Usage("--ramp goes from one rate to another: --rate 10..200".into())),
        None if from != to => {
            return Err(Failure::Usage(format!("--rate {from}..{to} needs --ramp: how long it takes")));
        }
        None => Ramp::steady(to),
    };
    (plan.calls, plan.hold, plan.limit) = (args.calls, args.hold, args.time_limit);
    plan.setup_timeout = args.setup_timeout;
    plan.sample = args.sample;
    plan.rows = args.calls_csv.is_some();
    plan.workers = usize::try_from(args.workers).unwrap_or(1);
    plan.listen = args.listen.unwrap_or(SocketAddr::new(plan.target.local, 0));
    plan.impair = args.impair.impair();
    media(args, &mut plan)?;
    Ok(plan)
}

fn media(args: &LoadArgs, plan: &mut Plan) -> Result<(), Failure> {
    let agent = &mut plan.agent;
    agent.media = MediaChoice { audio: true, video: args.media == LoadMedia::Video };
    agent.signalling_only = args.media == LoadMedia::None;
    agent.video_bitrate = args.video_kbps * 1000;
    let mut names: Vec<&str> = args.codecs.iter().map(|name| name.trim()).collect();
    names.retain(|name| !name.eq_ignore_ascii_case("h264"));
    if !names.is_empty() {
        let codecs = Capabilities::audio_from_names(names);
        agent.capabilities.audio = codecs.map_err(|e| Failure::Usage(format!("{e}; or h264")))?;
        agent.capabilities.offer_all = true;
    } else if !args.codecs.is_empty() {
        return Err(Failure::Usage(
            "--codecs names no codec for sound, which every call of a load has".into(),
        ));
    } else if args.media == LoadMedia::None {
        // What sipp's caller offers: nothing is sent, and a short offer costs neither side much.
        let codecs = Capabilities::audio_from_names(vec!["pcmu"]);
        agent.capabilities.audio = codecs.map_err(|e| Failure::Usage(e.to_string()))?;
    }
    plan.expectation = Expectation { require: args.verdict.requirements()?, ..Expectation::default() };
    plan.media = (args.media != LoadMedia::None).then(|| TestSources {
        size: args.size,
        fps: args.fps,
        ..TestSources::default()
    });
    Ok(())
}
