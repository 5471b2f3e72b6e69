//! Following one call from its first event to its last.

use crate::keep::Keep;
use crate::output::{Output, clock, millis, percent};
use data_encoding::BASE64;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use visavis::proto::io::{Event, Party, Path, Protection, SectionStats};
use visavis::{Call, CallRecord};

/// Looks on while a call is followed.
pub(crate) trait Watch: Send + Sync {
    /// A call begins to be followed.
    fn begin(&self, call: u64, record: &CallRecord);

    /// Something happened in it, and is in its record.
    fn observe(&self, call: u64, record: &CallRecord, event: &Event);

    /// What was measured by now, twice a second.
    fn figures(&self, call: u64, record: &CallRecord, stats: &[SectionStats]);
}

/// What a followed call does by itself.
#[derive(Clone, Default)]
pub(crate) struct Script {
    /// Hang up this long after it was established; zero: never.
    pub(crate) duration: Duration,
    /// Keys to press.
    pub(crate) dtmf: Option<String>,
    /// Write the status line while it lasts.
    pub(crate) status: bool,
    /// What of the key exchange goes to files.
    pub(crate) keep: Keep,
    /// Who looks on.
    pub(crate) watch: Option<Arc<dyn Watch>>,
}

/// Follows a call until it is over. `interrupted` turns true when the call is to be hung up.
pub(crate) async fn follow(
    mut call: Call,
    mut record: CallRecord,
    mut script: Script,
    output: &Output,
    mut interrupted: tokio::sync::watch::Receiver<bool>,
) -> CallRecord {
    let id = call.handle().0;
    let wall = visavis::Clock::start();
    let mut established: Option<Instant> = None;
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    let mut asked = false;
    if let Some(watch) = &script.watch {
        watch.begin(id, &record);
    }
    loop {
        let hangup = async {
            match established.filter(|_| !script.duration.is_zero()) {
                Some(at) => tokio::time::sleep_until((at + script.duration).into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = call.next() => {
                let Some(event) = event else { break };
                if let Event::Established { .. } = event {
                    established = Some(Instant::now());
                    press(&call, script.dtmf.as_deref()).await;
                }
                script.keep.observe(&event, output);
                record.log.observe(wall.now(), &event);
                record.observe(&event, established.map(|at| at.elapsed()));
                say(output, id, &record, &event);
                if let Some(watch) = &script.watch {
                    watch.observe(id, &record, &event);
                }
                if let Event::Ended { .. } = event {
                    break;
                }
            }
            () = hangup, if !asked => {
                asked = true;
                if call.hangup().await.is_err() {
                    break;
                }
            }
            () = stopped(&mut interrupted), if !asked => {
                asked = true;
                if call.hangup().await.is_err() {
                    break;
                }
            }
            _ = tick.tick(), if script.status || script.watch.is_some() => {
                let stats = call.stats().await.unwrap_or_default();
                if let Some(watch) = &script.watch {
                    watch.figures(id, &record, &stats);
                }
                if script.status {
                    output.status(status(&record, established.map(|at| at.elapsed()), &stats));
                }
            }
        }
    }
    if script.status {
        output.clear_status();
    }
    record
}

/// Waits until the call is to be hung up; never, where whoever could say so has gone.
async fn stopped(interrupted: &mut tokio::sync::watch::Receiver<bool>) {
    let gone = interrupted.wait_for(|stop| *stop).await.is_err();
    if gone {
        std::future::pending::<()>().await;
    }
}

async fn press(call: &Call, keys: Option<&str>) {
    for key in keys.unwrap_or_default().chars() {
        // The call may have ended in between: its event says so.
        let _ = call.dtmf(key, Duration::from_millis(160)).await;
    }
}

fn say(output: &Output, id: u64, record: &CallRecord, event: &Event) {
    match event {
        Event::Progress { status, reason, .. } => {
            output.event("progress", || json!({ "call": id, "status": status, "reason": reason }));
            if *status > 100 {
                output.say(format!("{status} {reason}"));
            }
        }
        Event::Established { setup, .. } => {
            let setup_ms = setup.as_secs_f64() * 1e3;
            output.event("established", || json!({ "call": id, "setup_ms": setup_ms }));
            output.say(format!("call {id} is up with {} after {}", record.peer, millis(Some(setup_ms))));
        }
        Event::Media { .. } => {
            output.event("media", || json!({ "call": id, "sections": record.sections }));
            for section in record.sections.iter().filter(|s| s.kind.is_some()) {
                output.say(format!(
                    "  {:5} {:8} sending {}, receiving {}",
                    section.kind.unwrap_or("?"),
                    section.direction.unwrap_or("?"),
                    section.sent_as.as_deref().unwrap_or("nothing"),
                    section.received_as.as_deref().unwrap_or("nothing"),
                ));
            }
        }
        Event::Dtmf { digit, duration, .. } => {
            output.event("dtmf", || json!({ "call": id, "digit": digit, "ms": duration.as_millis() as u64 }));
            output.say(format!("call {id}: key {digit}"));
        }
        Event::Message { from, content_type, body, .. } => {
            output.event("message", || message(Some(id), from, content_type, body));
            output.say(format!("call {id}: message of {} octets, {content_type}", body.len()));
        }
        Event::Answered { method, status, reason, .. } => {
            output.event(
                "answered",
                || json!({ "call": id, "method": method, "status": status, "reason": reason }),
            );
        }
        Event::Ended { .. } => {
            let text = record.end_text.as_deref().unwrap_or("unknown");
            output.event(
                "ended",
                || json!({ "call": id, "end": record.end, "text": text, "duration_s": record.duration_s }),
            );
            output.say(format!("call {id} is over: {text}"));
        }
        Event::PathFound { path, round_trip, .. } => {
            let round_trip_ms = round_trip.as_secs_f64() * 1e3;
            output.event(
                "path",
                || json!({ "call": id, "path": path_json(path), "round_trip_ms": round_trip_ms }),
            );
            output.say(format!("way to {} found, round trip {}", path.remote, millis(Some(round_trip_ms))));
        }
        Event::PathMoved { path, .. } => {
            output.event("path-moved", || json!({ "call": id, "path": path_json(path) }));
            output.say(format!("call {id} goes on from {} to {}", path.local, path.remote));
        }
        Event::PathLost { path, .. } => {
            output.event("path-lost", || json!({ "call": id, "path": path_json(path) }));
            output.say(format!(
                "call {id}: nothing comes from {} any more, looking for another way",
                path.remote
            ));
        }
        Event::MoveRefused { remote, why, .. } => {
            output.event("move-refused", || json!({ "call": id, "remote": remote.to_string(), "why": why }));
            output.say(format!("call {id}: does not move to {remote}: {why}"));
        }
        Event::KeyMessage { sent, sequence, fragment, body, .. } => {
            output.event(
                "key-message",
                || json!({ "call": id, "sent": sent, "sequence": sequence, "fragment": fragment, "octets": body.len() }),
            );
        }
        Event::Protected { protection, .. } => say_protection(output, id, protection),
        Event::Incoming { from, remote, call_id, .. } => {
            output.event("incoming", || {
                json!({ "call": id, "from": from.to_string(), "remote": remote.to_string(), "call_id": call_id })
            });
            output.say(format!("call {id} from {from} at {remote}"));
        }
        Event::Calling { .. }
        | Event::Frame { .. }
        | Event::OptionsAnswered { .. }
        | Event::Outcome { .. }
        | Event::Classified { .. } => {}
    }
}

/// A MESSAGE that came in, for programs.
pub(crate) fn message(call: Option<u64>, from: &Party, content_type: &str, body: &[u8]) -> Value {
    json!({
        "call": call, "from": from.to_string(), "content_type": content_type, "octets": body.len(),
        "text": String::from_utf8_lossy(body), "base64": BASE64.encode(body),
    })
}

fn path_json(path: &Path) -> Value {
    json!({
        "local": path.local.to_string(), "mapped": path.mapped.to_string(), "remote": path.remote.to_string(),
    })
}

fn say_protection(output: &Output, id: u64, protection: &Protection) {
    let (own, peer) = protection.fingerprints.clone().unzip();
    let words = &protection.short_authentication_string;
    output.event("protected", || {
        json!({
            "call": id, "suite": protection.suite, "own_fingerprint": own, "peer_fingerprint": peer,
            "short_authentication_string": words,
        })
    });
    match &protection.suite {
        Some(suite) => output.say(format!("call {id} is encrypted with {suite}")),
        None => output.say(format!("call {id} is not encrypted")),
    }
    if let (Some(own), Some(peer)) = (own, peer) {
        output.say(format!("  our fingerprint {own}, the peer's {peer}"));
    }
    if let Some(words) = words {
        output.say(format!("  compare with the peer: {words}"));
    }
}

fn status(record: &CallRecord, up: Option<Duration>, stats: &[SectionStats]) -> String {
    let Some(up) = up else { return format!("calling {} ...", record.peer) };
    let mut line = clock(up);
    for (section, stats) in record.sections.iter().zip(stats) {
        let Some(kind) = section.kind else { continue };
        let rate = |octets: u64| octets as f64 * 8.0 / 1000.0 / up.as_secs_f64().max(0.5);
        let ms = |d: Option<Duration>| millis(d.map(|d| d.as_secs_f64() * 1e3));
        line.push_str(&format!(
            "  {kind} {}: {:.0} kbit/s out, {:.0} in, loss {}, jitter {}, round trip {}",
            section.sent_as.as_deref().unwrap_or("-"),
            rate(stats.octets_sent),
            rate(stats.octets_received),
            percent(stats.loss()),
            ms(stats.jitter),
            ms(stats.round_trip),
        ));
    }
    line
}
