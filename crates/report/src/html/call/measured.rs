//! What each of our ends measured of what arrived there.

use super::words::{count, figure, percent};
use crate::evidence::{End, Evidence};
use crate::html::{Html, note, or_unknown, table};
use crate::record::SectionRecord;
use visavis_media::judge::{Distribution, Judgement};

pub(super) fn part(evidence: &Evidence<'_>) -> Html {
    if evidence.ends.is_empty() {
        return Html::new();
    }
    let mut columns = vec![""];
    columns.extend(evidence.ends.iter().map(|end| match end.role {
        crate::evidence::Role::Caller => "received by the caller",
        crate::evidence::Role::Callee => "received by the callee",
    }));
    let mut rows = Vec::new();
    for kind in ["video", "audio"] {
        if evidence.ends.iter().any(|end| section(end, kind).is_some()) {
            rows.extend(section_rows(evidence, kind));
        }
    }
    if evidence.ends.iter().any(|end| end.record.media.judgement.is_some()) {
        rows.extend(judged_rows(evidence));
    }
    if rows.is_empty() {
        return note("The call had no media.");
    }
    table(&columns, rows)
}

fn section<'a>(end: &End<'a>, kind: &str) -> Option<&'a SectionRecord> {
    end.record.sections.iter().find(|section| section.kind == Some(kind))
}

fn section_rows(evidence: &Evidence<'_>, kind: &str) -> Vec<Vec<Html>> {
    let row = |name: &str, value: &dyn Fn(&SectionRecord) -> Html| -> Vec<Html> {
        let of = |end: &End<'_>| section(end, kind).map_or_else(|| or_unknown(None::<&str>), value);
        let name = Html::from(format!("{kind}: {name}"));
        std::iter::once(name).chain(evidence.ends.iter().map(of)).collect()
    };
    let frames = if kind == "video" { "pictures" } else { "frames of sound" };
    vec![
        row("codec", &|s| or_unknown(s.received_as.as_ref())),
        row("direction agreed, seen from there", &|s| or_unknown(s.direction)),
        row("packets received", &|s| Html::from(count(s.packets_received))),
        row("packets lost", &|s| {
            percent(s.loss) + Html::from(format!(" ({} packets)", s.packets_lost.max(0)))
        }),
        row("packets too late", &|s| Html::from(count(s.packets_late))),
        row("jitter", &|s| figure(s.jitter_ms, 1, "ms")),
        row("round trip", &|s| figure(s.round_trip_ms, 1, "ms")),
        row("in step by", &|s| or_unknown(s.synchronised_by)),
        row(frames, &|s| {
            Html::from(format!("{}, {} of them incomplete", count(s.frames_received), s.frames_incomplete))
        }),
    ]
}

fn judged_rows(evidence: &Evidence<'_>) -> Vec<Vec<Html>> {
    let row = |name: &str, value: &dyn Fn(&Judgement) -> Html| -> Vec<Html> {
        let judged = |end: &End<'_>| end.record.media.judgement.as_ref().map(value);
        let cells = evidence.ends.iter().map(|end| judged(end).unwrap_or_else(|| or_unknown(None::<&str>)));
        std::iter::once(Html::from(name)).chain(cells).collect()
    };
    vec![
        row("test pattern: pictures read", &|j| Html::from(count(j.video.read))),
        row("repeated / missing / unreadable", &|j| {
            Html::from(format!("{} / {} / {}", j.video.repeated, j.video.missing, j.video.unreadable))
        }),
        row("pictures a second", &|j| figure(j.video.frame_rate, 1, "")),
        row("picture quality, PSNR: median (worst 5 %)", &|j| {
            spread(j.video.psnr_db.as_ref(), |d| d.p5, 1, "dB")
        }),
        row("capture to decoded: median (worst 5 %)", &|j| {
            spread(j.video.latency_ms.as_ref(), |d| d.p95, 1, "ms")
        }),
        row("longest freeze", &|j| figure(j.video.longest_freeze_ms, 0, "ms")),
        row("tone", &|j| figure(j.audio.tone_hz, 1, "Hz")),
        row("tone level", &|j| figure(j.audio.level_dbfs, 1, "dBFS")),
        row("sound dropouts", &|j| {
            let heard = j.audio.duration_s > 0.0;
            or_unknown(heard.then(|| format!("{}, {:.0} ms in all", j.audio.dropouts, j.audio.dropouts_ms)))
        }),
        row("sound behind picture", &|j| figure(j.sync.map(|s| s.offset_ms.median), 0, "ms")),
    ]
}

fn spread(
    distribution: Option<&Distribution>,
    worst: fn(&Distribution) -> f64,
    digits: usize,
    unit: &str,
) -> Html {
    let text = |d: &Distribution| format!("{:.digits$} {unit} ({:.digits$})", d.median, worst(d));
    or_unknown(distribution.map(text))
}
