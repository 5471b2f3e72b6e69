//! Everything that was measured over time, on one scale of time.

use super::chart::{Chart, Joined, Line, Point, Span};
use super::streams::{name, towards};
use super::words::seconds;
use crate::evidence::{End, Evidence, Role};
use crate::html::{Html, el, note};
use crate::timeline::{Step, Timeline};
use visavis_capture::findings::{CallFindings, StreamFindings, StreamSecond};
use visavis_proto::Time;

/// Streams drawn.
const MOST: usize = 8;
/// A last step shorter than this says nothing about a rate, seconds.
const SHORTEST: f64 = 0.25;

pub(super) fn part(evidence: &Evidence<'_>) -> Html {
    let Some(start) = evidence.start() else { return Html::new() };
    let streams = streams(evidence);
    if streams.is_empty() && evidence.ends.iter().all(|end| end.record.media.timeline.is_none()) {
        return Html::new();
    }
    let span = Span::new(length(evidence, &streams, start));
    let wire =
        |title, unit, digits, joined, unmeasured, value: &dyn Fn(&Moment<'_>) -> Option<(f64, f64)>| {
            let line = |(stream, style, label): &(&StreamFindings, usize, String)| Line {
                label: label.clone(),
                style: *style,
                points: moments(stream, start).filter_map(|m| m.point(value(&m))).collect(),
            };
            let lines = streams.iter().map(line).collect();
            Chart { title, unit, digits, joined, from_zero: true, lines, unmeasured }.draw(span)
        };
    let not_told = match evidence.ends.is_empty() {
        true => "a bare capture cannot tell",
        false => "not measured in this call",
    };
    let seen = |title, unit, joined, from_zero, kind, value: &dyn Fn(&Step) -> Option<f32>| {
        let line = |end: &End<'_>| {
            let timeline = end.record.media.timeline.as_ref()?;
            let label = format!("{kind}, {} → {}", end.role.other().as_str(), end.role.as_str());
            Some(Line {
                label,
                style: style(Some(kind), Some(end.role)),
                points: steps(timeline, start, value),
            })
        };
        let lines = evidence.ends.iter().filter_map(line).collect();
        Chart { title, unit, digits: 1, joined, from_zero, lines, unmeasured: not_told }.draw(span)
    };
    use Joined::{Greatest, Least, Mean, Sum};
    let charts: Html = [
        wire("Bit rate", "kbit/s", 0, Mean, "no stream in the capture", &|m| {
            (m.length >= SHORTEST).then(|| (m.step.octets as f64 * 8.0 / 1e3 / m.length, m.length))
        }),
        wire("Packets lost", "%", 1, Mean, "no stream in the capture", &|m| {
            let lost = f64::from(m.step.lost.max(0));
            let expected = f64::from(m.step.packets) + lost;
            (expected > 0.0).then(|| (lost / expected * 100.0, expected))
        }),
        wire("Jitter", "ms", 1, Greatest, "no clock rate is known", &|m| {
            Some((m.step.jitter_ms?.into(), 1.0))
        }),
        wire("Round trip by RTCP", "ms", 1, Greatest, "no report in the capture allows it", &|m| {
            Some((m.step.round_trip_ms?.into(), 1.0))
        }),
        wire("Longest time between frames, on the wire", "ms", 0, Greatest, "no frames were found", &|m| {
            Some((m.step.longest_gap_ms?.into(), 1.0))
        }),
        seen("Longest time between decoded pictures", "ms", Greatest, true, "video", &|s| s.interval_max_ms),
        seen("Capture to decoded, longest", "ms", Greatest, true, "video", &|s| s.latency_max_ms),
        seen("Picture quality, poorest PSNR", "dB", Least, false, "video", &|s| s.psnr_min_db),
        seen("Held by the jitter buffer: pictures", "ms", Greatest, true, "video", &|s| s.video_buffer_ms),
        seen("Held by the jitter buffer: sound", "ms", Greatest, true, "audio", &|s| s.audio_buffer_ms),
        seen("Level of the sound", "dBFS", Mean, false, "audio", &|s| s.sound_dbfs),
        seen("Sound dropouts", "", Sum, true, "audio", &|s| s.sound_dbfs.map(|_| s.dropouts as f32)),
    ]
    .into_iter()
    .collect();
    let about = format!(
        "Time runs from the first INVITE, or from the first packet where there was none; each point stands for {} s.",
        span.bucket()
    );
    legend(evidence, &streams) + el("div", &[("class", "charts")], charts) + note(about)
}

/// The streams that are drawn, with their style and name.
fn streams<'a>(evidence: &Evidence<'a>) -> Vec<(&'a StreamFindings, usize, String)> {
    let Some(shown) = evidence.capture else { return Vec::new() };
    let mut taken = [false; MOST + 1];
    let mut drawn = Vec::new();
    for stream in shown.streams().take(MOST) {
        let to = shown.call().and_then(|call: &CallFindings| towards(stream, call));
        let mut style = style(stream.kind, to);
        if taken[style] {
            style = (5..=MOST).find(|s| !taken[*s]).or_else(|| (1..=MOST).find(|s| !taken[*s])).unwrap_or(1);
        }
        taken[style] = true;
        drawn.push((stream, style, name(stream, shown.call())));
    }
    drawn.sort_by_key(|(_, style, _)| *style);
    drawn
}

/// One colour for each kind and direction, on every drawing.
fn style(kind: Option<&str>, to: Option<Role>) -> usize {
    match (kind, to) {
        (Some("video"), Some(Role::Callee)) => 1,
        (Some("video"), Some(Role::Caller)) => 2,
        (Some("audio"), Some(Role::Callee)) => 3,
        (Some("audio"), Some(Role::Caller)) => 4,
        _ => 5,
    }
}

fn legend(evidence: &Evidence<'_>, streams: &[(&StreamFindings, usize, String)]) -> Html {
    let mut entries: Vec<(usize, String)> =
        streams.iter().map(|(_, style, label)| (*style, label.clone())).collect();
    for end in evidence.ends.iter().filter(|end| end.record.media.timeline.is_some()) {
        for kind in ["video", "audio"] {
            let style = style(Some(kind), Some(end.role));
            let there = end.record.sections.iter().any(|s| s.kind == Some(kind));
            if there && entries.iter().all(|(taken, _)| *taken != style) {
                let label = format!("{kind}, {} → {}", end.role.other().as_str(), end.role.as_str());
                entries.push((style, label));
            }
        }
    }
    entries.sort_by_key(|(style, _)| *style);
    let entry = |(style, label): (usize, String)| {
        let ends = [("x1", "1"), ("x2", "31"), ("y1", "5"), ("y2", "5"), ("stroke-width", "3")];
        let class = format!("s{style}");
        let line = el("line", &[&ends[..], &[("class", class.as_str())]].concat(), Html::new());
        el(
            "li",
            &[],
            el("svg", &[("viewBox", "0 0 32 10"), ("aria-hidden", "true")], line) + Html::from(label),
        )
    };
    el("ul", &[("class", "legend")], entries.into_iter().map(entry).collect::<Html>())
}

/// How long everything that is drawn lasts, seconds from the start.
fn length(evidence: &Evidence<'_>, streams: &[(&StreamFindings, usize, String)], start: Time) -> f64 {
    let wire = streams.iter().filter_map(|(s, ..)| s.last).map(|last| seconds(start, last));
    let seen = evidence.ends.iter().filter_map(|end| {
        let timeline = end.record.media.timeline.as_ref()?;
        let steps = timeline.steps.len().saturating_sub(1) as f64 * f64::from(timeline.step_s);
        Some(seconds(start, timeline.start?) + steps + 0.5)
    });
    wire.chain(seen).fold(0.0, f64::max)
}

/// One step of a stream.
struct Moment<'a> {
    step: &'a StreamSecond,
    /// Its middle, seconds from the start of the page's time.
    at: f64,
    /// How much of it there was before the stream ended, seconds.
    length: f64,
}

impl Moment<'_> {
    fn point(&self, measured: Option<(f64, f64)>) -> Option<Point> {
        measured.map(|(value, weight)| Point { at: self.at, value, weight })
    }
}

fn moments(stream: &StreamFindings, start: Time) -> impl Iterator<Item = Moment<'_>> {
    let step = f64::from(stream.step_s.max(1));
    let first = stream.first.unwrap_or(start);
    let lasts = stream.last.map_or(f64::INFINITY, |last| seconds(first, last));
    let offset = seconds(start, first);
    stream.seconds.iter().enumerate().map(move |(index, second)| {
        let from = index as f64 * step;
        let length = (lasts - from).clamp(0.0, step);
        Moment { step: second, at: offset + from + length / 2.0, length }
    })
}

fn steps(timeline: &Timeline, start: Time, value: &dyn Fn(&Step) -> Option<f32>) -> Vec<Point> {
    let offset = timeline.start.map_or(0.0, |first| seconds(start, first));
    let length = f64::from(timeline.step_s.max(1));
    let point = |(index, step): (usize, &Step)| {
        let at = offset + (index as f64 + 0.5) * length;
        Some(Point { at, value: value(step)?.into(), weight: 1.0 })
    };
    timeline.steps.iter().enumerate().filter_map(point).collect()
}
