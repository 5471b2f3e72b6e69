//! The RTP streams of a call.

use super::left_out;
use super::words::{count, figure, number, percent};
use crate::evidence::{Evidence, Role};
use crate::html::{Html, el, note, or_unknown, table};
use visavis_capture::findings::{CallFindings, StreamFindings};

/// Streams shown.
const MOST: usize = 16;

pub(super) fn part(evidence: &Evidence<'_>) -> Html {
    let Some(shown) = evidence.capture else { return Html::new() };
    let all: Vec<&StreamFindings> = shown.streams().collect();
    if all.is_empty() {
        return note("No RTP stream is in the capture.");
    }
    let streams = &all[..all.len().min(MOST)];
    let names: Vec<String> = streams.iter().map(|s| name(s, shown.call())).collect();
    let columns: Vec<&str> = std::iter::once("").chain(names.iter().map(String::as_str)).collect();
    let row = |name: &str, value: &dyn Fn(&StreamFindings) -> Html| -> Vec<Html> {
        std::iter::once(Html::from(name)).chain(streams.iter().map(|s| value(s))).collect()
    };
    let rows = [
        row("SSRC", &|s| el("span", &[("class", "mono")], format!("0x{:08x}", s.ssrc))),
        row("from", &|s| super::words::address(s.source)),
        row("to", &|s| super::words::address(s.destination)),
        row("codec", &|s| {
            let how = s.known_by.map(|how| el("div", &[("class", "muted")], how)).unwrap_or_default();
            or_unknown(s.codec.as_ref()) + how
        }),
        row("payload type", &|s| {
            Html::from(s.payload_types.iter().map(u8::to_string).collect::<Vec<_>>().join(", "))
        }),
        row("packets", &|s| Html::from(count(s.packets))),
        row("lost", &|s| percent(s.loss) + Html::from(format!(" ({})", s.lost))),
        row("duplicate / reordered", &|s| {
            Html::from(format!("{} / {}", count(s.duplicate), count(s.reordered)))
        }),
        row("jitter, last / greatest", &|s| {
            figure(s.jitter_ms, 1, "") + Html::from(" / ") + figure(s.jitter_max_ms, 1, "ms")
        }),
        row("bit rate", &|s| figure(s.bit_rate.map(|b| b / 1e3), 0, "kbit/s")),
        row("frames", &|s| {
            Html::from(format!("{}, {} incomplete", count(s.frames), count(s.frames_incomplete)))
        }),
        row("frames a second", &|s| figure(s.frame_rate, 1, "")),
        row("picture size", &|s| match s.kind {
            Some("audio") => Html::from("–"),
            _ => or_unknown(s.picture_size.map(|(w, h)| format!("{w} × {h}"))),
        }),
        row("key frames", &|s| match s.kind {
            Some("audio") => Html::from("–"),
            _ => {
                let every = s.keyframe_interval_s.map(|i| format!(", one in {} s", number(i, 1)));
                Html::from(format!("{}{}", count(s.keyframes), every.unwrap_or_default()))
            }
        }),
        row("RTCP: sender reports / reports on it", &|s| {
            Html::from(format!("{} / {}", s.rtcp.sender_reports, s.rtcp.reports))
        }),
        row("loss that its receiver reported", &|s| percent(s.rtcp.reported_loss)),
        row("round trip by RTCP, least – greatest", &|s| {
            or_unknown(s.rtcp.round_trip_ms.map(|[_, _, least, most]| format!("{least:.1} – {most:.1} ms")))
        }),
        row("PLI / FIR / NACK", &|s| {
            Html::from(format!("{} / {} / {}", s.rtcp.pli, s.rtcp.fir, s.rtcp.nack))
        }),
        row("extracted to", &|s| match (&s.files[..], &s.extraction_error) {
            ([], None) => Html::from("–"),
            ([], Some(why)) => el("span", &[("class", "bad")], why),
            (files, None) => Html::from(files.join(", ")),
            (files, Some(why)) => Html::from(format!("{}; {why}", files.join(", "))),
        }),
    ];
    table(&columns, rows) + left_out(all.len().saturating_sub(MOST) as u64, "streams")
}

/// A stream in a few words: `video, caller → callee`.
pub(super) fn name(stream: &StreamFindings, call: Option<&CallFindings>) -> String {
    let kind = stream.kind.unwrap_or("unknown media");
    match call.and_then(|call| towards(stream, call)) {
        Some(to) => format!("{kind}, {} → {}", to.other().as_str(), to.as_str()),
        None => format!("{kind}, 0x{:08x}", stream.ssrc),
    }
}

/// Which end a stream goes to: by the addresses that the ends named, or by those that they signal from.
pub(super) fn towards(stream: &StreamFindings, call: &CallFindings) -> Option<Role> {
    let (source, destination) = (stream.source?, stream.destination?);
    for exchange in call.exchanges.iter().rev() {
        let offers = if exchange.offerer == call.callee { Role::Callee } else { Role::Caller };
        for section in &exchange.sections {
            if section.offerer == Some(destination) || section.answerer == Some(source) {
                return Some(offers);
            }
            if section.answerer == Some(destination) || section.offerer == Some(source) {
                return Some(offers.other());
            }
        }
    }
    let (caller, callee) = (call.caller?, call.callee?);
    if destination == caller || source == callee {
        return Some(Role::Caller);
    }
    if destination == callee || source == caller {
        return Some(Role::Callee);
    }
    if caller.ip() == callee.ip() {
        return None;
    }
    match () {
        () if source.ip() == callee.ip() || destination.ip() == caller.ip() => Some(Role::Caller),
        () if source.ip() == caller.ip() || destination.ip() == callee.ip() => Some(Role::Callee),
        () => None,
    }
}
