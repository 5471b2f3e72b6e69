//! All that there is of one call: what its ends logged, and what a capture shows.

use crate::record::CallRecord;
use crate::verdict::Verdict;
use serde_json::{Value, json};
use std::net::SocketAddr;
use visavis_capture::findings::{CallFindings, Findings, Outcome, StreamFindings, StunFindings};
use visavis_proto::Time;

/// What a report on a call is made of. A live call has records and most often a capture; a capture that somebody else
/// made is all there is of a call that was not ours.
#[derive(Clone, Debug, Default)]
pub struct Evidence<'a> {
    /// What made the report, for people: `visavis 0.1.0 demo`.
    pub made_by: &'a str,
    /// The ends of the call that were ours: none, one, or both in a demo.
    pub ends: Vec<End<'a>>,
    /// What it comes to; `None` where nothing was held against anything.
    pub verdict: Option<&'a Verdict>,
    /// What its capture shows.
    pub capture: Option<Shown<'a>>,
    /// What the endpoint counted over its whole life: name and count.
    pub counters: Vec<(&'a str, u64)>,
}

/// One of our ends.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// Which one.
    pub role: Role,
    /// What it recorded.
    pub record: &'a CallRecord,
}

/// An end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It sent the first INVITE.
    Caller,
    /// It was called.
    Callee,
}

impl Role {
    /// `caller` or `callee`.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Caller => "caller",
            Role::Callee => "callee",
        }
    }

    /// The other one.
    pub fn other(self) -> Role {
        match self {
            Role::Caller => Role::Callee,
            Role::Callee => Role::Caller,
        }
    }
}

/// The part of a capture that is about a call.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The capture's file name.
    pub file: &'a str,
    /// Everything in it.
    pub findings: &'a Findings,
    /// The call, as an index into [`Findings::calls`]; `None`: the streams without signalling.
    pub call: Option<usize>,
}

impl<'a> Shown<'a> {
    /// The call with this Call-ID in a capture; what belongs to no call, where there is none.
    pub fn by_call_id(file: &'a str, findings: &'a Findings, call_id: Option<&str>) -> Self {
        let of_id = |call: &CallFindings| Some(call.call_id.as_str()) == call_id;
        Shown { file, findings, call: findings.calls.iter().position(of_id) }
    }

    /// The call.
    pub fn call(&self) -> Option<&'a CallFindings> {
        self.findings.calls.get(self.call?)
    }

    /// STUN between addresses of the call; all of it, where the capture has no other call.
    pub fn stun(&self) -> Vec<&'a StunFindings> {
        let Some(call) = self.call().filter(|_| self.findings.calls.len() > 1) else {
            return self.findings.stun.iter().collect();
        };
        let sections = call.exchanges.iter().flat_map(|e| &e.sections);
        let ours: Vec<SocketAddr> = sections
            .flat_map(|s| [s.offerer, s.answerer])
            .chain([call.caller, call.callee])
            .flatten()
            .collect();
        let of_call = |stun: &&StunFindings| {
            [stun.client, stun.server].iter().flatten().any(|address| ours.contains(address))
        };
        self.findings.stun.iter().filter(of_call).collect()
    }

    /// Its streams.
    pub fn streams(&self) -> impl Iterator<Item = &'a StreamFindings> + use<'a> {
        let call = self.call;
        self.findings.streams.iter().filter(move |stream| stream.call == call)
    }
}

impl<'a> Evidence<'a> {
    /// The record of an end.
    pub fn end(&self, role: Role) -> Option<&'a CallRecord> {
        self.ends.iter().find(|end| end.role == role).map(|end| end.record)
    }

    /// The call in the capture.
    pub fn call(&self) -> Option<&'a CallFindings> {
        self.capture.as_ref()?.call()
    }

    /// When it all began: the first INVITE, or whatever else is the first that is known.
    pub fn start(&self) -> Option<Time> {
        let invited = self.call().and_then(|call| call.invited);
        let logged = || {
            let first = |end: &End<'_>| end.record.log.entries.first().map(|entry| entry.at);
            self.ends.iter().filter_map(first).min_by_key(|at| at.unix_nanos())
        };
        let streams = || {
            let first = self.capture.into_iter().flat_map(|c| c.streams()).filter_map(|s| s.first);
            first.min_by_key(|at| at.unix_nanos())
        };
        let file = || self.capture.and_then(|c| c.findings.file.first);
        invited.or_else(logged).or_else(streams).or_else(file)
    }

    /// From INVITE to ACK, milliseconds.
    pub fn setup_ms(&self) -> Option<f64> {
        let logged = self.ends.iter().find_map(|end| end.record.setup_ms);
        logged.or_else(|| {
            let call = self.call().filter(|call| call.answered.is_some())?;
            Some(between(call.invited?, call.acknowledged?) * 1e3)
        })
    }

    /// From ACK to the end, seconds.
    pub fn duration_s(&self) -> Option<f64> {
        let logged = self.ends.iter().find_map(|end| end.record.duration_s);
        logged.or_else(|| {
            let call = self.call().filter(|call| call.answered.is_some())?;
            Some(between(call.acknowledged?, call.ended?))
        })
    }

    /// How it ended, in words.
    pub fn end_text(&self) -> Option<String> {
        let logged = self.ends.iter().find_map(|end| end.record.end_text.clone());
        logged.or_else(|| self.call().map(|call| outcome(call).to_owned()))
    }

    /// `call.json`: see `docs/reports.md` and `docs/schema/call.schema.json`.
    pub fn to_json(&self) -> Value {
        let capture = self.capture.as_ref().map(|shown| {
            // One call has a file of its own: so places in lists are those of its lists.
            let (mut call, mut streams) = (json!(shown.call()), json!(shown.streams().collect::<Vec<_>>()));
            let of_call = if call.is_null() { Value::Null } else { json!(0) };
            let streams_of_call = streams.as_array_mut().map_or(0, |all| {
                all.iter_mut().for_each(|stream| stream["call"] = of_call.clone());
                all.len()
            });
            if !call.is_null() {
                call["streams"] = (0..streams_of_call).collect();
            }
            json!({
                "file": shown.file, "packets": shown.findings.file, "call": call, "streams": streams,
                "stun": shown.stun(),
            })
        });
        let counters: serde_json::Map<String, Value> =
            self.counters.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
        let end = |role| self.end(role).map(record);
        json!({
            "v": 1, "made_by": self.made_by, "caller": end(Role::Caller), "callee": end(Role::Callee),
            "verdict": self.verdict, "capture": capture, "counters": counters,
        })
    }
}

fn outcome(call: &CallFindings) -> &'static str {
    match call.outcome {
        Outcome::Unknown => "the capture does not show it",
        Outcome::Up => "it was still up when the capture ended",
        Outcome::CallerHungUp => "hung up by the caller",
        Outcome::CalleeHungUp => "hung up by the callee",
        Outcome::Cancelled => "given up by the caller",
        Outcome::Refused => "refused",
        Outcome::Unanswered => "no final response came",
    }
}

/// Seconds between two times by the wall clock; 0 where the second one is earlier.
fn between(from: Time, to: Time) -> f64 {
    to.unix_nanos().saturating_sub(from.unix_nanos()) as f64 / 1e9
}

/// A record with its log and its time line.
fn record(record: &CallRecord) -> Value {
    let mut value = json!(record);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("log".into(), json!(record.log));
        fields.insert("timeline".into(), json!(record.media.timeline));
    }
    value
}
