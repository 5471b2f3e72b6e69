//! Metrics that a capture tells.

use visavis_capture::findings::{CallFindings, Findings, StreamFindings};
use visavis_proto::frame::MediaKind;

/// How a metric is taken from a capture.
#[derive(Debug)]
pub(super) enum Source {
    /// From a call's messages.
    Call(fn(&CallFindings) -> Option<f64>),
    /// From each stream of a kind.
    Stream(MediaKind, fn(&StreamFindings) -> Option<f64>),
}

pub(super) fn of_exchange(measure: fn(&CallFindings) -> Option<f64>) -> Option<Source> {
    Some(Source::Call(measure))
}

pub(super) fn of_stream(kind: MediaKind, measure: fn(&StreamFindings) -> Option<f64>) -> Source {
    Source::Stream(kind, measure)
}

/// A value, and of what.
#[derive(Clone, Debug, PartialEq)]
pub struct Scoped {
    /// The stream or the call, in words: `10.0.0.1:16402 to 10.0.0.2:16402, SSRC 0x1a2b3c4d`.
    pub scope: String,
    /// What was measured; `None`: unknown.
    pub value: Option<f64>,
}

impl Source {
    pub(super) fn measure(&self, findings: &Findings, call: Option<usize>) -> Vec<Scoped> {
        match self {
            Source::Call(measure) => {
                let calls = findings.calls.iter().enumerate();
                let meant = calls.filter(|(index, _)| call.is_none_or(|wanted| wanted == *index));
                meant
                    .map(|(_, c)| Scoped { scope: format!("call {}", c.call_id), value: measure(c) })
                    .collect()
            }
            Source::Stream(kind, measure) => {
                let streams = findings.streams.iter();
                let meant =
                    streams.filter(|s| s.kind == Some(kind.as_str()) && (call.is_none() || s.call == call));
                meant.map(|s| Scoped { scope: name(s), value: measure(s) }).collect()
            }
        }
    }
}

fn name(stream: &StreamFindings) -> String {
    let end = |address: Option<std::net::SocketAddr>| address.map_or("unknown".into(), |a| a.to_string());
    format!("{} to {}, SSRC {:#010x}", end(stream.source), end(stream.destination), stream.ssrc)
}
