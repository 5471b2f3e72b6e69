//! What the line before an endpoint did to its datagrams: for people, for programs, and one by one in a file.

use crate::Failure;
use crate::output::{Output, millis};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;
use visavis::impair::{Counts, Entry, Fate, ImpairmentLog};
use visavis::{Endpoint, Impair};

/// Prints what was done at an endpoint (`at` in words: `at the caller`), and writes it to a file where one is named.
pub(crate) async fn report(
    endpoint: &Endpoint,
    impair: Option<&Impair>,
    at: &str,
    file: Option<&Path>,
    output: &Output,
) -> Result<(), Failure> {
    let Some(impair) = impair else { return Ok(()) };
    let Some(log) = endpoint.impairment().await else { return Ok(()) };
    report_log(&log, impair, at, file, output)
}

/// The same of a log.
pub(crate) fn report_log(
    log: &ImpairmentLog,
    impair: &Impair,
    at: &str,
    file: Option<&Path>,
    output: &Output,
) -> Result<(), Failure> {
    let counts: Vec<Value> = log
        .all()
        .map(|(way, traffic, counts)| {
            let mut line = json!({ "way": way.as_str(), "kind": traffic.as_str() });
            if let (Some(line), Value::Object(fields)) = (line.as_object_mut(), in_figures(&counts)) {
                line.extend(fields);
            }
            line
        })
        .collect();
    output.event("impairment", || {
        json!({
            "at": at, "lines": impair.lines.to_string(), "seed": impair.seed, "counts": counts,
            "overflow": log.overflow,
        })
    });
    say(log, impair, at, output);
    file.map_or(Ok(()), |path| write(log, path))
}

fn say(log: &ImpairmentLog, impair: &Impair, at: &str, output: &Output) {
    output.say(format!("  impaired {at}: {} (seed {})", impair.lines, impair.seed));
    for (way, traffic, counts) in log.all() {
        let lost = counts.lost + counts.outage;
        let mut line =
            format!("    {:4} {:5} {:>6} sent, {lost} lost", way.as_str(), traffic.as_str(), counts.sent);
        for (count, what) in [
            (counts.queue_full, "at a full queue"),
            (counts.held_back, "held back"),
            (counts.duplicated, "doubled"),
        ] {
            if count > 0 {
                line.push_str(&format!(", {count} {what}"));
            }
        }
        if let (Some(least), Some(mean), Some(most)) =
            (counts.delay_min, counts.delay_mean(), counts.delay_max)
            && most > Duration::ZERO
        {
            let [least, mean, most] = [least, mean, most].map(|delay| millis(Some(ms(delay))));
            line.push_str(&match least == most {
                true => format!(", delayed {most}"),
                false => format!(", delayed {least} to {most}, {mean} on average"),
            });
        }
        output.say(line);
    }
    if log.overflow > 0 {
        output.say(format!("    {} could not be kept as long as they were to be delayed", log.overflow));
    }
}

fn in_figures(counts: &Counts) -> Value {
    json!({
        "sent": counts.sent, "octets": counts.octets, "arrived": counts.arrived, "lost": counts.lost,
        "outage": counts.outage, "queue_full": counts.queue_full, "duplicated": counts.duplicated,
        "held_back": counts.held_back, "delay_min_ms": counts.delay_min.map(ms),
        "delay_mean_ms": counts.delay_mean().map(ms), "delay_max_ms": counts.delay_max.map(ms),
    })
}

fn write(log: &ImpairmentLog, path: &Path) -> Result<(), Failure> {
    let written = File::create(path).and_then(|file| {
        let mut file = BufWriter::new(file);
        for entry in log.entries() {
            writeln!(file, "{}", line(entry))?;
        }
        if log.left_out > 0 {
            writeln!(file, "{}", json!({ "left_out": log.left_out }))?;
        }
        file.flush()
    });
    written.map_err(|e| Failure::Missing(format!("cannot write {}: {e}", path.display())))
}

/// One datagram: when it was given to the line (seconds since 1970), what it was, what became of it.
fn line(entry: &Entry) -> Value {
    let (fate, at, copy, held_back) = match entry.fate {
        Fate::Arrives { at, copy, held_back } => ("arrives", Some(at), copy, held_back),
        Fate::Lost => ("lost", None, None, false),
        Fate::Outage => ("outage", None, None, false),
        Fate::QueueFull => ("queue-full", None, None, false),
    };
    let mark = entry.parcel.mark;
    let delay = |at: Option<visavis::proto::Time>| at.map(|at| ms(at - entry.sent));
    json!({
        "t": entry.sent.unix_nanos() as f64 / 1e9, "way": entry.way.as_str(), "kind": entry.parcel.traffic.as_str(),
        "octets": entry.parcel.octets, "ssrc": mark.map(|m| m.ssrc), "seq": mark.map(|m| m.seq),
        "timestamp": mark.map(|m| m.timestamp), "fate": fate, "delay_ms": delay(at), "copy_ms": delay(copy),
        "held_back": held_back,
    })
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
