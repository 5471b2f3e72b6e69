//! `visavis demo`: a whole video call on loopback, with its verdict, recording and capture.

use super::{requirements, stopping};
use crate::Failure;
use crate::args::{DemoArgs, Profile, ReportArgs, Ske};
use crate::control::Calls;
use crate::impairment;
use crate::keep::Keep;
use crate::output::{Output, millis, percent};
use crate::peer;
use crate::report::{Report, write_record};
use crate::session::{Script, follow};
use crate::setup::{self, Capture};
use crate::window::Show;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use visavis::impair::{Traffic, Way};
use visavis::media_codecs::judge::{Distribution, JudgeConfig, Judgement};
use visavis::proto::agent::{ARMED, Admission, Config};
use visavis::proto::nat::{Candidate, CandidateKind, NatKind, Ticket};
use visavis::proto::sdp::AAC_FIRST_AUDIO;
use visavis::proto::ske::Lab;
use visavis::report::Role;
use visavis::{
    Arrival, CallOptions, CallRecord, Endpoint, Expectation, Impair, Impairment, Incoming, Options,
    PeerTickets, Recording, Tones, Verdict,
};

/// The callee's tone, Hz: not the caller's, so that sound that comes back to its sender is told from sound of the other
/// side. A prime as the default tone is, and no part of the marker's 2500 Hz.
const CALLEE_TONE: f64 = 1_499.0;
/// The same where the caller plays that one.
const OTHER_TONE: f64 = 997.0;

pub(crate) async fn run(args: DemoArgs, show: Option<Show>, output: &Output) -> Result<(), Failure> {
    let missing =
        |path: &Path, e: std::io::Error| Failure::Missing(format!("cannot write {}: {e}", path.display()));
    let require = args.verdict.requirements()?;
    std::fs::create_dir_all(&args.out).map_err(|e| missing(&args.out, e))?;
    let (video, capture_path) = (args.out.join("call.mp4"), args.out.join("call.pcapng"));
    let pitch = args.media.pitch();
    let callee_pitch = if (pitch - CALLEE_TONE).abs() < 100.0 { OTHER_TONE } else { CALLEE_TONE };
    let mut callee = side(&args, callee_pitch)?;
    callee.media.receive.record = Some(Recording { path: video.clone(), keep_aac: args.media.keep_aac });
    let mut caller = side(&args, pitch)?;
    if let Some(show) = &show {
        show.arm(&mut caller, false);
    }
    caller.impair = impair(&args);
    let impair = caller.impair.clone();
    let facetime = args.media.profile == Profile::Facetime2010;
    if facetime {
        let scheme = args.media.facetime.ske.clone();
        arm(&mut caller.agent, &args, scheme.clone())?;
        arm(&mut callee.agent, &args, scheme)?;
    }
    let media = caller.agent.media;
    // A report belongs to the demo; --report only says where else it is to go.
    let pages = ReportArgs { report: args.report.report.clone().or_else(|| Some(args.out.clone())) };
    Report::begin(&pages, "demo", &mut caller.media)?;
    let pages = Report::begin(&pages, "demo", &mut callee.media)?;
    let capture = Capture::start(&capture_path, &mut callee)?;
    let callee = Endpoint::start(callee).await?;
    let caller = Endpoint::start(caller).await?;
    let target = format!("sip:demo@{}", callee.local_addr());
    output.say(format!(
        "a video call on this machine, {} calls {}",
        caller.local_addr(),
        callee.local_addr()
    ));
    output.event("calling", || json!({ "call": 1, "uri": target }));

    let stop = stopping();
    let options = CallOptions { media, ..CallOptions::default() };
    let (call, expected) = if facetime {
        let [theirs, ours] = tickets(&callee, &caller)?;
        let keyed = !args.media.facetime.emulate;
        let expected = callee.expect(PeerTickets { own: theirs.clone(), peer: ours.clone(), keyed }).await?;
        (caller.call_peer(PeerTickets { own: ours, peer: theirs, keyed }, options).await?, Some(expected))
    } else {
        (caller.call(&target, options).await?, None)
    };
    let there = CallRecord::outgoing(&target);
    let keep = Keep::new(&args.media.facetime);
    let calls = Calls::default();
    calls.add(&call);
    let (id, interrupted) = (call.handle().0, stop.subscribe());
    if let Some(show) = &show {
        show.serve(calls.clone(), None, stop, output);
    }
    let watch = show.as_ref().map(Show::watch);
    let script = Script { duration: args.duration, dtmf: None, status: true, keep, watch };
    let caller_side = async {
        let record = follow(call, there, script, output, interrupted).await;
        calls.remove(id);
        record
    };
    let callee_side = async {
        let call = match expected {
            Some(call) => call,
            None => match callee.accept().await {
                Some(Arrival::Call(call)) => call,
                _ => return CallRecord::default(),
            },
        };
        let record = call.incoming().map(Incoming::record).unwrap_or_default();
        let (_keep, never) = tokio::sync::watch::channel(false);
        follow(call, record, Script::default(), &Output::quiet(), never).await
    };
    let (mut there, mut back) = tokio::join!(caller_side, callee_side);
    // What arrives at the callee is what the caller sent, and the other way round.
    for (endpoint, record) in [(&caller, &mut there), (&callee, &mut back)] {
        if let Some((_, media)) = endpoint.media_report().await {
            record.media = media;
        }
    }
    report(output, &there, &back);
    let log = args.out.join("impairment.jsonl");
    let log = args.impair.impair_log.as_deref().unwrap_or(&log);
    impairment::report(&caller, impair.as_ref(), "at the caller", Some(log), output).await?;
    caller.shutdown().await;
    callee.shutdown().await;
    let (_, captured) = capture.finish()?;

    let expected = |own: f64, peers: f64| {
        let plays = args.media.plays().is_some();
        let tones = Tones { expected: Some(peers).filter(|_| plays), others: vec![(own, "its own".into())] };
        let (media, pattern) = (!args.media.no_media, args.media.echo.is_none());
        Expectation { media, pattern, tones, require: require.clone() }
    };
    let verdict = Verdict::join([
        ("at the caller", there.verdict(&expected(pitch, callee_pitch))),
        ("at the callee", back.verdict(&expected(callee_pitch, pitch))),
    ]);
    let ends = [(Role::Caller, &there), (Role::Callee, &back)];
    if args.report.report.is_some() {
        write_record(&args.out, "demo", &ends, &verdict)?;
    }
    requirements(output, &verdict);
    output.say(format!(
        "left in {}: call.mp4 (what the callee saw and heard), call.pcapng ({} packets), call.json",
        args.out.display(),
        captured.written,
    ));
    if let Some(pages) = pages {
        pages.one(&ends, &verdict, &[], &capture_path, output)?;
    }
    output.say(format!("verdict: {verdict}"));
    output.event("verdict", || json!({ "verdict": verdict, "caller": there, "callee": back }));
    if let Some(show) = show {
        show.over(id, &there, &verdict).await;
    }
    if verdict.good { Ok(()) } else { Err(Failure::Bad) }
}

/// What is done to the caller's datagrams.
fn impair(args: &DemoArgs) -> Option<Impair> {
    let wanted = args.impair.impair();
    if !args.drop_video {
        return wanted;
    }
    let blackout = Impairment::blackout(Way::Up, Traffic::Video);
    let lines = args.impair.impair.clone().map_or(blackout.clone(), |lines| blackout.and(lines));
    Some(Impair { lines, seed: args.impair.impair_seed })
}

/// One of the two endpoints: AAC-ELD first, since both have it, and a judge that knows the clocks to be one.
fn side(args: &DemoArgs, pitch: f64) -> Result<Options, Failure> {
    let mut options = setup::loopback(&args.media, pitch)?;
    if args.media.codecs.is_empty() && args.media.profile == Profile::Softphone && cfg!(feature = "aac") {
        options.agent.capabilities.audio = AAC_FIRST_AUDIO.to_vec();
    }
    let sent_size = Some(args.media.size()).filter(|_| args.media.video_file.is_none());
    let judge = JudgeConfig { clocks_agree: true, sent_size, ..JudgeConfig::default() };
    options.media.receive.judge = options.media.receive.judge.map(|_| judge);
    Ok(options)
}

/// Two tickets on loopback, the callee's first.
fn tickets(callee: &Endpoint, caller: &Endpoint) -> Result<[Ticket; 2], Failure> {
    let expires = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()) + 60;
    let ticket = |endpoint: &Endpoint| {
        let candidates = [Candidate::new(CandidateKind::Host, endpoint.local_addr())];
        visavis::ticket(&candidates, NatKind::Open, None, expires)
            .map_err(|e| Failure::Missing(e.to_string()))
    };
    Ok([ticket(callee)?, ticket(caller)?])
}

/// One call and no other, with keys unless something else was asked for. The identities live as long as the demo.
fn arm(agent: &mut Config, args: &DemoArgs, scheme: Option<Ske>) -> Result<(), Failure> {
    agent.admission = Admission::Expected { window: ARMED };
    agent.key_exchange_timeout = args.media.facetime.ske_timeout;
    let default = if args.media.facetime.emulate { Ske::None } else { Ske::Lab };
    agent.key_exchange = match scheme.unwrap_or(default) {
        Ske::Lab => {
            let identity = visavis::fresh_identity()?;
            Some(Arc::new(Lab::new(identity, None)))
        }
        other => peer::key_exchange(&other, &args.media.facetime, None, None)?,
    };
    peer::announce(agent);
    Ok(())
}

fn report(output: &Output, caller: &CallRecord, callee: &CallRecord) {
    output.say("");
    output.say(format!("  {:24} {:>22} {:>22}", "", "caller to callee", "callee to caller"));
    let row =
        |name: &str, there: String, back: String| output.say(format!("  {name:24} {there:>22} {back:>22}"));
    output.say(format!("  {:24} {:>22}", "set-up, INVITE to ACK", millis(caller.setup_ms)));
    for kind in ["video", "audio"] {
        let section =
            |r: &CallRecord| r.sections.iter().find(|s| s.kind == Some(kind)).cloned().unwrap_or_default();
        let (a, b) = (section(caller), section(callee));
        let codec = |s: &visavis::SectionRecord| s.sent_as.clone().unwrap_or_else(|| "-".into());
        row(&format!("{kind} codec"), codec(&a), codec(&b));
        let unit = if kind == "video" { "pictures" } else { "sound frames" };
        let count = |sent: u64, got: u64| format!("{sent} / {got}");
        row(
            &format!("{unit} sent / received"),
            count(a.frames_sent, b.frames_received),
            count(b.frames_sent, a.frames_received),
        );
        row(&format!("{kind} packets lost"), percent(b.loss), percent(a.loss));
        row(&format!("{kind} jitter"), millis(b.jitter_ms), millis(a.jitter_ms));
    }
    let median = |d: &Option<Distribution>, unit: &str| d.as_ref().map(|d| format!("{:.1} {unit}", d.median));
    let measured = |name: &str, value: fn(&Judgement) -> Measured| {
        let text = |record: &CallRecord| match record.media.judgement.as_ref().map(value) {
            Some(Measured::Text(text)) => text.unwrap_or_else(|| "unknown".into()),
            Some(Measured::Median(d, unit)) => median(&d, unit).unwrap_or_else(|| "unknown".into()),
            None => "unknown".into(),
        };
        row(name, text(callee), text(caller));
    };
    measured("pictures read / missing", |j| {
        Measured::Text(Some(format!("{} / {}", j.video.read, j.video.missing)))
    });
    measured("picture quality, PSNR", |j| Measured::Median(j.video.psnr_db, "dB"));
    measured("capture to decoded", |j| Measured::Median(j.video.latency_ms, "ms"));
    measured("longest freeze", |j| Measured::Text(j.video.longest_freeze_ms.map(|ms| millis(Some(ms)))));
    measured("tone", |j| Measured::Text(j.audio.tone_hz.map(|hz| format!("{hz:.1} Hz"))));
    measured("tone level", |j| Measured::Text(j.audio.level_dbfs.map(|db| format!("{db:.1} dBFS"))));
    measured("sound behind picture", |j| {
        Measured::Text(j.sync.map(|s| format!("{:+.0} ms", s.offset_ms.median)))
    });
    output.say("");
}

/// One figure of the judge.
enum Measured {
    Text(Option<String>),
    Median(Option<Distribution>, &'static str),
}
