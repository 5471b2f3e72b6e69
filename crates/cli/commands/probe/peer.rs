//! `visavis probe URI`: what one peer says to OPTIONS, and how much goes through to it.

use crate::Failure;
use crate::args::ProbeArgs;
use crate::output::{Output, millis};
use crate::peer;
use serde_json::{Value, json};
use std::time::Duration;
use visavis::proto::probe::{Answer, Bound};
use visavis::{LARGEST_REQUEST, ProbeOptions, ProbeReport, probe};

pub(super) async fn run(uri: &str, args: &ProbeArgs, output: &Output) -> Result<(), Failure> {
    let options = ProbeOptions {
        listen: args.listen,
        fallback_ports: peer::ports_below(args.listen),
        count: args.count,
        timeout: args.timeout,
        stun: peer::stun_servers(&args.place.stun, args.listen).await?,
        largest: args.largest as usize,
    };
    let report = probe(uri, &options).await?;
    output.event("probe", || event(&report));
    say(output, &report, &args.place.stun);
    if report.answer.is_some() { Ok(()) } else { Err(Failure::Bad) }
}

fn event(report: &ProbeReport) -> Value {
    let answer = report.answer.as_ref();
    let times = report.round_trip();
    let ms = |which: usize| times.map(|times| ms(times[which]));
    let media = answer.and_then(|a| a.media.as_ref()).map(|media| {
        let line = |line: &visavis::proto::probe::MediaLine| {
            json!({ "kind": line.kind, "transport": line.transport, "formats": line.formats })
        };
        media.iter().map(line).collect::<Vec<_>>()
    });
    let stun = report.stun.iter().map(
        |(server, seen)| json!({ "server": server.to_string(), "address": seen.map(|a| a.to_string()) }),
    );
    json!({
        "uri": report.uri, "remote": report.remote.to_string(), "local": report.local.to_string(),
        "answered": answer.is_some(), "status": answer.map(|a| a.status), "reason": answer.map(|a| &a.reason),
        "unreachable": report.unreachable,
        "round_trip": {
            "sent": report.sent, "answered": report.round_trips.len(), "min_ms": ms(0), "median_ms": ms(1),
            "max_ms": ms(2),
        },
        "agent": answer.and_then(|a| a.agent.as_ref()), "allow": answer.and_then(|a| a.allow.as_ref()),
        "accept": answer.and_then(|a| a.accept.as_ref()),
        "accept_encoding": answer.and_then(|a| a.accept_encoding.as_ref()),
        "supported": answer.and_then(|a| a.supported.as_ref()), "media": media,
        "seen_as": {
            "via": answer.and_then(|a| a.seen_as).map(|a| a.to_string()),
            "peer_stun": report.peer_stun.map(|a| a.to_string()), "stun": stun.collect::<Vec<_>>(),
        },
        "path": {
            "largest_request": report.mtu.largest, "mtu": report.mtu.largest.map(|size| size + report.overhead()),
            "bound": bound(report.mtu.bound),
        },
    })
}

fn bound(bound: Bound) -> Option<&'static str> {
    Some(match bound {
        Bound::Unknown => return None,
        Bound::Asked => "asked",
        Bound::Unanswered => "unanswered",
        Bound::Here => "here",
        Bound::Path => "path",
    })
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn say(output: &Output, report: &ProbeReport, stun_names: &[String]) {
    output.say(format!("{} at {}, asked from {}", report.uri, report.remote, report.local));
    let row = |name: &str, value: &str| output.say(format!("  {name:22} {value}"));
    let sent = report.sent;
    let Some(answer) = &report.answer else {
        let why = if report.unreachable { ": nobody listens there (ICMP)" } else { "" };
        let requests = if sent == 1 { "a request".into() } else { format!("{sent} requests") };
        return row("answer", &format!("none to {requests}{why}"));
    };
    let by = answer.agent.as_deref().unwrap_or("a program that does not say its name");
    row("answer", &format!("{} {}, by {by}", answer.status, answer.reason));
    let [min, median, max] =
        report.round_trip().map(|times| times.map(|t| millis(Some(ms(t))))).unwrap_or_default();
    let answered = report.round_trips.len();
    row(
        "round trip",
        &format!("min {min}, median {median}, max {max}; {answered} of {sent} requests answered"),
    );
    row("methods", &list(answer.allow.as_ref()));
    row("bodies", &list(answer.accept.as_ref()));
    row("body codings", &list(answer.accept_encoding.as_ref()));
    row("extensions", &list(answer.supported.as_ref()));
    say_media(answer, row);
    let address = |address: Option<std::net::SocketAddr>| address.map_or("unknown".into(), |a| a.to_string());
    row(
        "we are, to the peer",
        &format!("{} (Via), {} (STUN)", address(answer.seen_as), address(report.peer_stun)),
    );
    for (name, (_, seen)) in stun_names.iter().zip(&report.stun) {
        row("we are, to STUN", &format!("{} ({name})", address(*seen)));
    }
    row("largest request", &largest(report));
}

fn say_media(answer: &Answer, row: impl Fn(&str, &str)) {
    let Some(media) = &answer.media else { return row("media", "unknown: no session description came") };
    for line in media {
        row("media", &format!("{} by {}: {}", line.kind, line.transport, line.formats.join(", ")));
    }
}

/// A list as the peer gave it.
fn list(values: Option<&Vec<String>>) -> String {
    match values {
        None => "unknown".into(),
        Some(values) if values.is_empty() => "none".into(),
        Some(values) => values.join(", "),
    }
}

fn largest(report: &ProbeReport) -> String {
    let Some(size) = report.mtu.largest else { return "unknown".into() };
    let exact = matches!(report.mtu.bound, Bound::Here | Bound::Path);
    let mtu = format!("path MTU {}{}", if exact { "" } else { "at least " }, size + report.overhead());
    let why = match report.mtu.bound {
        Bound::Unknown => "more was not tried",
        Bound::Asked if size == LARGEST_REQUEST => "UDP carries no more",
        Bound::Asked => "more was not asked for",
        Bound::Unanswered => "one more gets no answer: lost on the way, or too much for the peer",
        Bound::Here => "more does not leave this machine in one piece",
        Bound::Path => "a router on the way takes no more, and says so",
    };
    format!("{size} octets, {mtu}; {why}")
}
