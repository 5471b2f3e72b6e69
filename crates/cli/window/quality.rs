//! Codec and quality of each medium, over the last seconds, in a line.

use crate::output::{millis, percent};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use visavis::CallRecord;
use visavis::proto::frame::MediaKind;
use visavis::proto::io::SectionStats;

/// What the figures are a mean over.
const SPAN: Duration = Duration::from_secs(2);

/// What was counted in the last seconds.
#[derive(Debug, Default)]
pub(super) struct Meter(VecDeque<(Instant, Vec<SectionStats>)>);

impl Meter {
    /// Takes in what was counted by now, and gives a line for each medium, pictures first. `size` is that of the
    /// pictures that arrive.
    pub(super) fn lines(
        &mut self,
        now: Instant,
        record: &CallRecord,
        stats: &[SectionStats],
        size: Option<(u32, u32)>,
    ) -> Vec<String> {
        while self.0.len() > 1 && self.0.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= SPAN) {
            self.0.pop_front();
        }
        self.0.push_back((now, stats.to_vec()));
        let Some((at, before)) = self.0.front() else { return Vec::new() };
        let seconds = now.duration_since(*at).as_secs_f64();
        let mut lines = Vec::new();
        for kind in [MediaKind::Video, MediaKind::Audio] {
            let found = stats.iter().enumerate().find(|(_, s)| s.kind == Some(kind));
            let Some((index, new)) = found else { continue };
            let old = before.get(index).filter(|_| seconds > 0.0);
            let section = record.sections.get(index);
            let codec =
                section.and_then(|s| s.received_as.as_deref().or(s.sent_as.as_deref())).unwrap_or("-");
            let size = size.filter(|_| kind == MediaKind::Video);
            let mut words = vec![size.map_or_else(|| codec.to_owned(), |(w, h)| format!("{codec} {w}x{h}"))];
            if kind == MediaKind::Video {
                words.push(format!("{} pictures/s", rate(old, new, seconds, |s| s.frames_received, 1.0)));
            }
            let kbits = 8.0 / 1e3;
            words.push(format!(
                "{} kbit/s in, {} out",
                rate(old, new, seconds, |s| s.octets_received, kbits),
                rate(old, new, seconds, |s| s.octets_sent, kbits)
            ));
            words.push(format!("loss {}", percent(old.and_then(|old| loss(old, new)))));
            words.push(format!("round trip {}", millis(new.round_trip.map(|d| d.as_secs_f64() * 1e3))));
            lines.push(words.join("  "));
        }
        lines
    }
}

/// How many a second of what `count` counts, times `unit`; unknown at first.
fn rate(
    old: Option<&SectionStats>,
    new: &SectionStats,
    seconds: f64,
    count: fn(&SectionStats) -> u64,
    unit: f64,
) -> String {
    let counted = old.map(|old| count(new).saturating_sub(count(old)) as f64 * unit / seconds);
    counted.map_or_else(|| "-".into(), |rate| format!("{rate:.0}"))
}

/// What never came of the packets that should have come in between.
fn loss(old: &SectionStats, new: &SectionStats) -> Option<f64> {
    let between = SectionStats {
        packets_received: new.packets_received.saturating_sub(old.packets_received),
        packets_lost: new.packets_lost - old.packets_lost,
        packets_duplicate: new.packets_duplicate.saturating_sub(old.packets_duplicate),
        ..SectionStats::default()
    };
    between.loss()
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis::SectionRecord;

    #[test]
    fn figures_are_those_of_the_last_seconds() {
        let start = Instant::now();
        let (mut meter, mut record) = (Meter::default(), CallRecord::outgoing("Ann"));
        let section = |kind, codec: &str| SectionRecord {
            kind: Some(kind),
            received_as: Some(codec.into()),
            ..SectionRecord::default()
        };
        record.sections = vec![section("audio", "Opus 48000 Hz"), section("video", "H.264")];
        // Ten packets of 1250 octets a second, a tenth of them lost in the first four seconds and none later.
        let mut at = |half_seconds: u64| {
            let lost = half_seconds.min(8) / 2;
            let video = SectionStats {
                kind: Some(MediaKind::Video),
                packets_received: 5 * half_seconds - lost,
                packets_lost: lost as i64,
                octets_received: 1_250 * 5 * half_seconds,
                frames_received: 15 * half_seconds,
                round_trip: Some(Duration::from_millis(40)),
                ..SectionStats::default()
            };
            let audio = SectionStats { kind: Some(MediaKind::Audio), ..SectionStats::default() };
            let now = start + Duration::from_millis(500) * half_seconds as u32;
            meter.lines(now, &record, &[audio, video], Some((640, 480)))
        };
        assert_eq!(
            at(0),
            [
                "H.264 640x480  - pictures/s  - kbit/s in, - out  loss unknown  round trip 40 ms",
                "Opus 48000 Hz  - kbit/s in, - out  loss unknown  round trip unknown"
            ]
        );
        let lossy: Vec<String> = (1..=8).flat_map(&mut at).collect();
        assert!(
            lossy[14].starts_with("H.264 640x480  30 pictures/s  100 kbit/s in, 0 out  loss 10.0 %"),
            "{lossy:?}"
        );
        let clean: Vec<String> = (9..=16).flat_map(&mut at).collect();
        assert!(clean[14].contains("loss 0.0 %  round trip 40 ms"), "{clean:?}");
        assert!(meter.0.len() <= 6, "{}", meter.0.len());
    }
}
