//! STUN and streams.

use super::words::{address, bit_rate, cut, some, wrap};
use crate::output::clean;
use crate::output::{millis, percent};
use visavis::capture::findings::{Findings, ProtectionVerdict, StreamFindings, StunFindings};

/// STUN, a line for each pair of addresses.
pub(super) fn stun(pairs: &[StunFindings], width: usize) -> Vec<String> {
    if pairs.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), "STUN".to_owned()];
    for pair in pairs {
        let first = format!("  {} asks {}: ", address(pair.client), address(pair.server));
        let dialect = if pair.cookie { "RFC 8489" } else { "RFC 3489" };
        let mut parts = vec![some(pair.requests, "request"), format!("{} answered", pair.successes)];
        if pair.errors > 0 {
            parts.push(format!("{} refused", pair.errors));
        }
        parts.extend(pair.mapped.map(|mapped| format!("seen as {mapped}")));
        parts.extend(pair.round_trip_ms.map(|ms| format!("round trip {}", millis(Some(ms)))));
        parts.push(dialect.to_owned());
        lines.extend(wrap(&first, 6, width, &parts));
    }
    lines
}

/// The streams, a paragraph each.
pub(super) fn streams(findings: &Findings, width: usize) -> Vec<String> {
    if findings.streams.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), "streams".to_owned()];
    for (index, stream) in findings.streams.iter().enumerate() {
        lines.extend(one(index, stream, width));
    }
    lines
}

fn one(index: usize, stream: &StreamFindings, width: usize) -> Vec<String> {
    const INDENT: usize = 6;
    let first = " ".repeat(INDENT);
    let wrapped = |parts: &[String]| wrap(&first, INDENT, width, parts);
    let mut lines = vec![cut(&title(index, stream), width)];
    lines.extend(wrapped(&packets(stream)));
    lines.extend(wrapped(&frames(stream)));
    lines.extend(wrapped(&rtcp(stream)));
    lines.extend(wrapped(&protection(stream)));
    if !stream.files.is_empty() {
        lines.extend(wrap("    → ", INDENT, width, &stream.files));
    }
    if let Some(error) = &stream.extraction_error {
        lines.extend(wrap(&first, INDENT, width, &[format!("extraction: {}", clean(error))]));
    }
    lines
}

fn title(index: usize, stream: &StreamFindings) -> String {
    let codec = stream.codec.as_deref().map_or("unknown codec".into(), clean);
    let size = stream.picture_size.map_or_else(String::new, |(w, h)| format!(" {w}x{h}"));
    let call = stream.call.map_or_else(|| "no call".to_owned(), |call| format!("call {}", call + 1));
    format!(
        "  {:>2}  {:5} {codec}{size}  {} → {}  {call}",
        index + 1,
        stream.kind.unwrap_or("-"),
        address(stream.source),
        address(stream.destination)
    )
}

fn packets(stream: &StreamFindings) -> Vec<String> {
    let mut parts =
        vec![some(stream.packets, "packet"), format!("{} lost ({})", stream.lost, percent(stream.loss))];
    parts.push(format!("jitter {} (most {})", millis(stream.jitter_ms), millis(stream.jitter_max_ms)));
    for (count, what) in [(stream.reordered, "out of order"), (stream.duplicate, "twice")] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    parts.push(stream.bit_rate.map_or_else(|| "bit rate unknown".into(), bit_rate));
    parts
}

fn frames(stream: &StreamFindings) -> Vec<String> {
    let is_video = stream.kind == Some("video");
    let rate = stream.frame_rate.map(|rate| format!("{rate:.1} a second"));
    let mut parts = Vec::new();
    if stream.frames > 0 {
        parts.push(some(stream.frames, if is_video { "picture" } else { "frame" }));
        parts.extend(rate);
    }
    if stream.frames_incomplete > 0 {
        parts.push(format!("{} incomplete", stream.frames_incomplete));
    }
    if stream.keyframes > 0 {
        let interval =
            stream.keyframe_interval_s.map_or_else(String::new, |s| format!(", one every {s:.1} s"));
        parts.push(format!("{} IDR{interval}", stream.keyframes));
    }
    parts.push(format!("SSRC 0x{:08x}", stream.ssrc));
    let types: Vec<String> = stream.payload_types.iter().map(ToString::to_string).collect();
    parts.push(format!("type {}", types.join(" and ")));
    parts.extend(stream.clock_rate.map(|rate| format!("{rate} Hz")));
    parts.extend(stream.known_by.map(|how| match how {
        "static payload type" => "known by its static type".to_owned(),
        how => how.to_owned(),
    }));
    parts
}

fn rtcp(stream: &StreamFindings) -> Vec<String> {
    let rtcp = &stream.rtcp;
    let mut parts = vec![format!("RTCP: {} SR, {} on it", rtcp.sender_reports, some(rtcp.reports, "report"))];
    if let Some([_, _, least, greatest]) = rtcp.round_trip_ms {
        parts.push(format!("round trip {} to {}", millis(Some(least)), millis(Some(greatest))));
    }
    if rtcp.reported_loss.is_some() {
        parts.push(format!("last reported loss {}", percent(rtcp.reported_loss)));
    }
    for (count, what) in [(rtcp.pli, "PLI"), (rtcp.fir, "FIR"), (rtcp.nack, "NACK")] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    if rtcp.bye {
        parts.push("BYE".into());
    }
    parts
}

fn protection(stream: &StreamFindings) -> Vec<String> {
    let protection = &stream.protection;
    let verdict = match protection.verdict {
        ProtectionVerdict::CannotTell => "cannot tell whether it is encrypted".to_owned(),
        ProtectionVerdict::LooksClear => "looks clear".to_owned(),
        ProtectionVerdict::LooksEncrypted => "looks encrypted".to_owned(),
        ProtectionVerdict::Opened => {
            format!("SRTP, opened: {}", protection.suite.as_deref().unwrap_or("suite unknown"))
        }
    };
    let reasons: Vec<String> = protection.reasons.iter().map(|reason| clean(reason)).collect();
    if reasons.is_empty() { vec![verdict] } else { vec![format!("{verdict}: {}", reasons.join("; "))] }
}
