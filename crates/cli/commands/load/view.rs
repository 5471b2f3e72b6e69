//! What a load shows: while it lasts, and in the end.

use super::{Ran, Second};
use crate::args::{LoadArgs, LoadMedia};
use crate::output::{Output, clock, percent};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use visavis::load::{Histogram, Load, RtpTally, Tally};

/// The shares at which times are read off.
const SHARES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)];

/// Says what is about to happen.
pub(super) fn begin(output: &Output, args: &LoadArgs, locals: &[SocketAddr]) {
    output.event("listening", || {
        let address = locals.first().map(ToString::to_string);
        json!({ "address": address, "addresses": locals.iter().map(ToString::to_string).collect::<Vec<_>>() })
    });
    let rate = match args.ramp {
        Some(ramp) => {
            format!("{} to {} a second within {} s", args.rate.from, args.rate.to, ramp.as_secs_f64())
        }
        None => format!("{} a second", args.rate.to),
    };
    let media = match args.media {
        LoadMedia::None => "without media",
        LoadMedia::Audio => "with sound",
        LoadMedia::Video => "with sound and pictures",
    };
    let (calls, hold) = (args.calls, args.hold.as_secs_f64());
    output.say(format!("{calls} calls to {}, {rate}, each held for {hold} s, {media}", args.uri));
}

/// Shows a second that has passed.
pub(super) fn second(output: &Output, second: &Second, load: &Load) {
    let (all, since) = (load.tally(), second.since);
    output.event("load-progress", || {
        let mut event = figures(&second.tally);
        event.insert("elapsed_s".into(), json!(since.as_secs_f64()));
        event.insert("up".into(), json!(second.up));
        Value::Object(event)
    });
    let mut line = format!(
        "{}  {} calls, {} up (most {}), {} good, {} failed, {} sent again; answered after p50 {}, p99 {}",
        clock(since),
        all.placed,
        second.up,
        load.peak(),
        all.good,
        all.failed,
        all.retransmissions,
        time(second.tally.answer.quantile(0.5)),
        time(second.tally.answer.quantile(0.99)),
    );
    if all.rtp.sent + all.rtp.received > 0 {
        line.push_str(&format!("; RTP loss {}", percent(all.rtp.loss())));
    }
    output.status(line);
}

/// Says what all calls came to.
pub(super) fn report(output: &Output, args: &LoadArgs, ran: &Ran, media: bool, good: bool) {
    let Ran { tally, peak, elapsed, interrupted, .. } = ran;
    output.event("load", || {
        let mut event = figures(tally);
        event.insert("target".into(), json!(args.uri));
        event.insert("elapsed_s".into(), json!(elapsed.as_secs_f64()));
        event.insert("peak".into(), json!(peak));
        event.insert("interrupted".into(), json!(interrupted));
        event.insert("good".into(), json!(good));
        Value::Object(event)
    });
    output.say(format!(
        "  calls              {} placed, {} good, {} failed, {} given up; most at once {peak}",
        tally.placed, tally.good, tally.failed, tally.abandoned
    ));
    for (reason, count) in &tally.failures {
        output.say(format!("    {count:>6} x {reason}"));
    }
    let reached = tally.rate().map_or_else(|| "unknown".into(), |rate| format!("{rate:.1} a second"));
    output.say(format!("  begun              {reached}, late by {}", times(&tally.late)));
    output.say(format!("  INVITE to 200      {}", times(&tally.answer)));
    output.say(format!("  INVITE to ACK      {}", times(&tally.setup)));
    output.say(format!(
        "  sent again         {} messages; {} never answered",
        tally.retransmissions, tally.timeouts
    ));
    if media {
        media_report(output, tally);
    }
}

fn media_report(output: &Output, tally: &Tally) {
    let RtpTally { sent, received, lost, late, stray, reported, reported_loss, .. } = &tally.rtp;
    output.say(format!(
        "  RTP                {sent} packets sent, {received} received, {lost} lost ({}), {late} late, {stray} stray",
        percent(tally.rtp.loss())
    ));
    output.say(format!(
        "  RTP at the peer    loss in {reported_loss} of {reported} streams that it reported on"
    ));
    output.say(format!("  jitter             {}", times(&tally.rtp.jitter)));
    output.say(format!("  judged             {} calls, {} bad", tally.judged, tally.bad));
    for (complaint, count) in &tally.complaints {
        output.say(format!("    {count:>6} x {complaint}"));
    }
}

/// Why a load is bad, in words.
pub(super) fn why_bad(args: &LoadArgs, tally: &Tally) -> String {
    if tally.placed == 0 {
        return "bad: no call was placed".into();
    }
    let allowed = args.max_failures;
    format!("bad: {} calls failed and {} were judged bad, {allowed} may", tally.failed, tally.bad)
}

/// What a tally says, for a program. Times in milliseconds.
pub(super) fn figures(tally: &Tally) -> Map<String, Value> {
    let counts = |counts: &BTreeMap<String, u64>| json!(counts);
    let rtp = &tally.rtp;
    let value = json!({
        "placed": tally.placed, "established": tally.established, "good_calls": tally.good,
        "failed": tally.failed, "failures": counts(&tally.failures), "abandoned": tally.abandoned,
        "rate": tally.rate(), "late_ms": distribution(&tally.late),
        "answer_ms": distribution(&tally.answer), "setup_ms": distribution(&tally.setup),
        "retransmissions": tally.retransmissions, "timeouts": tally.timeouts,
        "rtp": {
            "sent": rtp.sent, "received": rtp.received, "lost": rtp.lost, "loss": rtp.loss(), "late": rtp.late,
            "stray": rtp.stray, "jitter_ms": distribution(&rtp.jitter), "reported": rtp.reported,
            "reported_loss": rtp.reported_loss, "frames_sent": rtp.frames_sent,
            "frames_received": rtp.frames_received,
        },
        "judged": tally.judged, "bad": tally.bad, "complaints": counts(&tally.complaints),
    });
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A histogram for a program; `null` where nothing was counted.
fn distribution(histogram: &Histogram) -> Value {
    let ms = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1e3);
    if histogram.count() == 0 {
        return Value::Null;
    }
    let mut map = Map::new();
    map.insert("count".into(), json!(histogram.count()));
    map.insert("min".into(), json!(ms(histogram.min())));
    map.insert("mean".into(), json!(ms(histogram.mean())));
    for (name, share) in SHARES {
        map.insert(name.into(), json!(ms(histogram.quantile(share))));
    }
    map.insert("max".into(), json!(ms(histogram.max())));
    Value::Object(map)
}

/// A histogram for a person.
fn times(histogram: &Histogram) -> String {
    if histogram.count() == 0 {
        return "unknown".into();
    }
    let shares = SHARES.map(|(name, share)| format!("{name} {}", time(histogram.quantile(share))));
    format!("{}, max {}", shares.join(", "), time(histogram.max()))
}

/// Milliseconds to three digits, or `unknown`.
fn time(time: Option<Duration>) -> String {
    let Some(ms) = time.map(|time| time.as_secs_f64() * 1e3) else { return "unknown".into() };
    let digits = if ms < 10.0 { 2 } else { usize::from(ms < 100.0) };
    format!("{ms:.digits$} ms")
}
