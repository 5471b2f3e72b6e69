//! One call of a load, while it lasts.

use super::shelf::{Found, Shelf};
use super::tally::{CallRow, Outcome};
use crate::media::{Judging, Reel};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use visavis_proto::Time;
use visavis_proto::frame::{EncodedFrame, MediaKind, Rotation};
use visavis_proto::io::{EncoderTarget, Section, SectionStats};
use visavis_report::CallRecord;

/// How far frames may fall behind before what was missed is given up.
const MAX_BACKLOG: Duration = Duration::from_millis(200);

/// A call.
pub(super) struct Live {
    pub(super) number: u64,
    /// When its INVITE went out.
    pub(super) begun: Time,
    pub(super) answer: Option<Duration>,
    pub(super) setup: Option<Duration>,
    pub(super) established: Option<Time>,
    /// Whether it was told to end.
    pub(super) asked: bool,
    /// Grows whenever media begin anew: what was planned before then no longer counts.
    pub(super) turn: u32,
    sections: Vec<Section>,
    targets: BTreeMap<usize, EncoderTarget>,
    rolling: BTreeMap<usize, Rolling>,
    /// Who decodes and judges it, if anybody does.
    pub(super) sample: Option<Sample>,
}

/// A call that is decoded and judged.
pub(super) struct Sample {
    pub(super) record: CallRecord,
    pub(super) judging: Judging,
    /// Sections whose decoder missed frames and waits for a key frame.
    pub(super) behind: Vec<usize>,
}

/// A reel that is being played.
struct Rolling {
    reel: Arc<Reel>,
    /// The frame that comes next, counted over all rounds.
    place: u64,
    /// When it is due.
    due: Time,
    /// The peer needs a picture that a decoder can start from.
    keyframe: bool,
}

/// Whether media could begin.
pub(super) enum Roll {
    /// They did: the sections, and when their first frame is due.
    Begun(Vec<(usize, Time)>),
    /// Some reel is not ready yet.
    Later,
}

impl Live {
    pub(super) fn new(number: u64, begun: Time, sample: Option<Sample>) -> Self {
        Live {
            number,
            begun,
            answer: None,
            setup: None,
            established: None,
            asked: false,
            turn: 0,
            sections: Vec::new(),
            targets: BTreeMap::new(),
            rolling: BTreeMap::new(),
            sample,
        }
    }

    /// An offer/answer exchange ended.
    pub(super) fn agreed(&mut self, sections: &[Section]) {
        if let Some(sample) = &self.sample {
            sample.judging.sections(sections);
        }
        self.sections = sections.to_vec();
        self.rolling.clear();
        self.turn += 1;
    }

    /// What an encoder of this section should produce.
    pub(super) fn target(&mut self, section: usize, target: EncoderTarget) {
        self.targets.insert(section, target);
        if let Some(rolling) = self.rolling.get_mut(&section) {
            rolling.keyframe |= target.keyframe;
        }
    }

    /// Begins to play the reels of all sections, together, once all are there.
    pub(super) fn roll(&mut self, now: Time, shelf: &Arc<Shelf>) -> Roll {
        let mut found = Vec::new();
        for (index, section) in self.sections.iter().enumerate() {
            let sends = section.active && section.direction.sends();
            let Some(format) = section.send.as_ref().filter(|_| sends) else { continue };
            let fallback =
                EncoderTarget { bitrate: 1_000_000, size: None, fps: None, keyframe: false, lossy: false };
            match shelf.find(format, self.targets.get(&index).unwrap_or(&fallback)) {
                Found::Reel(reel) => found.push((index, reel)),
                Found::Coding => return Roll::Later,
                Found::Nothing => {}
            }
        }
        let begun = found.iter().map(|(index, _)| (*index, now)).collect();
        self.rolling = found
            .into_iter()
            .map(|(i, reel)| (i, Rolling { reel, place: 0, due: now, keyframe: false }))
            .collect();
        Roll::Begun(begun)
    }

    /// The frame of a section that is due, if one is; the time of the next one otherwise.
    pub(super) fn frame(&mut self, now: Time, section: usize) -> Option<Result<EncodedFrame, Time>> {
        let rolling = self.rolling.get_mut(&section)?;
        if now.since(rolling.due) > MAX_BACKLOG {
            rolling.due = now;
        }
        if rolling.due > now {
            return Some(Err(rolling.due));
        }
        if std::mem::take(&mut rolling.keyframe) {
            rolling.place = rolling.reel.keyframe(rolling.place).unwrap_or(rolling.place);
        }
        let (at, frame) = rolling.reel.frame(rolling.place)?;
        let (data, captured) = (frame.data.clone(), rolling.due);
        let frame = EncodedFrame {
            data,
            captured,
            duration: frame.duration,
            keyframe: frame.keyframe,
            rotation: Rotation::None,
        };
        rolling.place += 1;
        let (next, _) = rolling.reel.frame(rolling.place)?;
        rolling.due += next.saturating_sub(at);
        Some(Ok(frame))
    }

    /// The call for a table, now that it is over.
    pub(super) fn row(&self, start: Time, now: Time, outcome: Outcome, stats: &[SectionStats]) -> CallRow {
        let sum = |count: fn(&SectionStats) -> u64| stats.iter().map(count).sum::<u64>();
        CallRow {
            number: self.number,
            begun: self.begun.since(start),
            answer: self.answer,
            setup: self.setup,
            length: now.since(self.begun),
            outcome,
            rtp: (
                sum(|s| s.packets_sent),
                sum(|s| s.packets_received),
                stats.iter().map(|s| s.packets_lost).sum(),
            ),
        }
    }

    /// Whether a section carries pictures.
    pub(super) fn is_video(&self, section: usize) -> bool {
        self.sections.get(section).is_some_and(|s| s.kind == Some(MediaKind::Video))
    }
}
