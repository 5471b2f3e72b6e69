//! What is laid over every call. These thresholds tell a working call from a broken one, not a fine picture from a
//! coarse one; what finer is wanted is asked for.
//!
//! Missing numbers of the pattern are not held against a call: an encoder that keeps to a low bit rate leaves
//! pictures out, and what the viewer notices of it is the frame rate.

use super::{Check, Expectation, Fault, Operator, Requirement, TONE_TOLERANCE_HZ, fault, whose};
use crate::record::{CallRecord, SectionRecord};
use Operator::{AtLeast, AtMost, Equal};

/// The greatest share of packets that may be lost.
const LOSS: f64 = 0.05;
/// The longest freeze, milliseconds.
const FREEZE_MS: f64 = 1_000.0;
/// The fewest different pictures a second.
const FRAME_RATE: f64 = 5.0;
/// The greatest share of the pattern's pictures that may be too damaged to be read.
const UNREADABLE: f64 = 0.1;
/// The least median PSNR, dB.
const PSNR_DB: f64 = 26.0;
/// The greatest share of the time that may be silent.
const SILENCE: f64 = 0.2;
/// The greatest share of the time that may be dropouts.
const DROPOUT: f64 = 0.05;
/// The least share of the windows that must hold a tone.
const TONAL: f64 = 0.5;
/// The greatest share of clipped samples.
const CLIPPED: f64 = 0.01;
/// How far sound and picture may be apart either way, milliseconds.
const APART_MS: f64 = 150.0;

/// The checks of a call that nobody asked for.
pub(super) fn checks(record: &CallRecord, expected: &Expectation) -> Vec<Check> {
    let mut list = List { record, expected, checks: Vec::new() };
    let ended = || record.end_text.clone().unwrap_or_else(|| "it has not ended".into());
    list.hold("established", Equal, 1.0, |_| format!("the call did not come about: {}", ended()));
    if record.setup_ms.is_none() {
        return list.checks;
    }
    list.hold("regular_end", Equal, 1.0, |_| ended());
    if expected.media {
        list.ways();
        list.sections();
        if record.media.judgement.is_some() {
            list.pictures();
            list.sound();
        }
    }
    list.checks
}

struct List<'a> {
    record: &'a CallRecord,
    expected: &'a Expectation,
    checks: Vec<Check>,
}

impl List<'_> {
    /// Lays a threshold over what was measured, unless another one is asked for in its place.
    fn hold(&mut self, metric: &str, operator: Operator, limit: f64, words: impl FnOnce(f64) -> String) {
        self.hold_within(metric, operator, limit, None, words);
    }

    fn hold_within(
        &mut self,
        metric: &str,
        operator: Operator,
        limit: f64,
        tolerance: Option<f64>,
        words: impl FnOnce(f64) -> String,
    ) {
        let Some(requirement) = Requirement::new(metric, operator, limit) else {
            debug_assert!(false, "{metric} is no metric");
            return;
        };
        let requirement = Requirement { tolerance, ..requirement };
        if self.expected.require.iter().any(|r| r.replaces(&requirement)) {
            return;
        }
        let measured = requirement.metric.of_call(self.record).map(|v| v.statistic(requirement.statistic));
        let Some(value) = measured else { return };
        let mut check = Check::new(&requirement, measured);
        if !check.pass {
            check.fault = fault(&requirement, value, &self.expected.tones);
            check.reason = Some(words(value));
        }
        self.checks.push(check);
    }

    /// Media go the ways that were agreed on.
    fn ways(&mut self) {
        let used: Vec<&SectionRecord> = self.record.sections.iter().filter(|s| s.kind.is_some()).collect();
        let agreed = |ways: [&str; 2]| used.iter().any(|s| s.direction.is_some_and(|d| ways.contains(&d)));
        let sent = used.iter().any(|s| s.packets_sent > 0);
        let received = used.iter().any(|s| s.packets_received > 0);
        let (sends, receives) = (agreed(["sendrecv", "sendonly"]), agreed(["sendrecv", "recvonly"]));
        let nothing = sends && receives && !sent && !received;
        if receives {
            self.hold("packets_received", AtLeast, 1.0, |_| match nothing {
                true => "no media in either direction".into(),
                false => "one-way: nothing arrived".into(),
            });
        }
        if sends && !nothing {
            self.hold("packets_sent", AtLeast, 1.0, |_| "one-way: nothing was sent".into());
        }
        if nothing && let Some(check) = self.checks.last_mut().filter(|c| !c.pass) {
            check.fault = Some(Fault::NoMedia);
        }
    }

    /// Each section got what was agreed on, and most of it.
    fn sections(&mut self) {
        let received = self.record.sections.iter().any(|s| s.packets_received > 0);
        for kind in ["audio", "video"] {
            let of_kind = self.record.sections.iter().find(|s| s.kind == Some(kind));
            let Some(section) = of_kind else { continue };
            let expects = matches!(section.direction, Some("sendrecv" | "recvonly"));
            if expects && received {
                let metric = format!("{kind}.packets_received");
                self.hold(&metric, AtLeast, 1.0, |_| format!("no {kind} arrived"));
            }
            self.hold(&format!("{kind}.loss"), AtMost, LOSS, |loss| {
                format!("{kind}: {:.1} % of the packets were lost", loss * 100.0)
            });
        }
    }

    fn arrives(&self, kind: &str) -> bool {
        self.record.sections.iter().any(|s| s.kind == Some(kind) && s.packets_received > 0)
    }

    /// What was seen, where pictures came: of a peer that may show anything, only what the test pattern tells.
    fn pictures(&mut self) {
        if !self.arrives("video") {
            return;
        }
        self.hold("video.pictures", AtLeast, 1.0, |_| "no picture came".into());
        let Some(video) = self.record.media.judgement.as_ref().map(|j| &j.video) else { return };
        let (pictures, of_pattern) = (video.received, video.read + video.repeated + video.unreadable);
        if self.expected.pattern && pictures > 0 {
            // Pictures of the pattern that are past reading are a fault of their own.
            let damaged = of_pattern > 0 && video.read == 0;
            if !damaged {
                self.hold("video.read", AtLeast, 1.0, |_| {
                    "pictures came, but the test pattern was in none of them".into()
                });
            }
        }
        if of_pattern == 0 || (video.read == 0 && !self.expected.pattern) {
            return;
        }
        self.hold("video.longest_freeze_ms", AtMost, FREEZE_MS, |ms| {
            format!("the picture froze for {ms:.0} ms")
        });
        self.hold("video.frame_rate", AtLeast, FRAME_RATE, |rate| {
            format!("{rate:.1} pictures a second are too few")
        });
        self.hold("video.unreadable", AtMost, UNREADABLE, |share| {
            format!("{:.0} % of the pictures were too damaged to be read", share * 100.0)
        });
        self.hold("video.psnr_db", AtLeast, PSNR_DB, |db| format!("the pictures are poor: PSNR {db:.1} dB"));
    }

    /// What was heard, where sound came: of a peer that may play anything, only that there was any.
    fn sound(&mut self) {
        if !self.arrives("audio") {
            return;
        }
        self.hold("audio.duration_s", Operator::Above, 0.0, |_| "no sound came".into());
        if self.expected.pattern {
            let percent = |share: f64| format!("{:.0} %", share * 100.0);
            self.hold("audio.silence", AtMost, SILENCE, |share| {
                format!("{} of the sound was silence", percent(share))
            });
            self.hold("audio.dropout", AtMost, DROPOUT, |share| {
                format!("{} of the sound dropped out", percent(share))
            });
            self.hold("audio.tonal", AtLeast, TONAL, |share| {
                format!("the sound was noise: a tone in {} of it", percent(share))
            });
            self.hold("audio.clipped", AtMost, CLIPPED, |share| {
                format!("{:.1} % of the sound was clipped", share * 100.0)
            });
        }
        let tones = &self.expected.tones;
        if let Some(expected) = tones.expected {
            let tones = tones.clone();
            self.hold_within("audio.tone_hz", Equal, expected, Some(TONE_TOLERANCE_HZ), |hz| {
                match whose(hz, &tones) {
                    Some(whose) => format!("swapped sound: {whose} tone of {hz:.1} Hz, not {expected:.1} Hz"),
                    None => format!("the tone was {hz:.1} Hz, not {expected:.1} Hz"),
                }
            });
        }
        let pattern = self.record.media.judgement.as_ref().is_some_and(|j| j.video.read > 0);
        if pattern {
            let median =
                self.record.media.judgement.as_ref().and_then(|j| j.sync).map(|s| s.offset_ms.median);
            self.hold("sync.apart_ms", AtMost, APART_MS, |apart| {
                format!("the sound was {:+.0} ms behind the picture", median.unwrap_or(apart))
            });
        }
    }
}
