//! Reads the test pattern back from decoded pictures: which ones came, when, and how well they look.

use super::statistics::{Distribution, Series};
use crate::picture::{Component, Picture};
use crate::source::pattern::{Pattern, Reading, Stamp};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;
use visavis_proto::time::Time;

/// The PSNR that stands for "identical", dB.
pub const PSNR_IDENTICAL: f64 = 100.0;

/// Missing numbers remembered, so that a picture that comes late can be told from one that comes again.
const REMEMBERED: usize = 1_024;

/// What was seen of the test pattern. Counts are exact; what was not measured is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VideoReport {
    /// Decoded pictures of any kind.
    pub received: u64,
    /// Different pictures of the pattern among them: [`VideoReport::received`] without those repeated,
    /// unreadable and without a pattern.
    pub read: u64,
    /// Pictures of the pattern that had been there before.
    pub repeated: u64,
    /// Numbers skipped that never came, less the pictures in their place that could not be read: left
    /// out by the sender's rate control, or lost.
    pub missing: u64,
    /// Pictures that came behind a picture of a higher number.
    pub out_of_order: u64,
    /// Pictures of the pattern whose stamp could not be read.
    pub unreadable: u64,
    /// Pictures that are none of the pattern's, or past recognition.
    pub no_pattern: u64,
    /// Times that the numbers started anew: the source was restarted.
    pub restarts: u64,
    /// Size of the last picture, pixels.
    pub size: Option<(u32, u32)>,
    /// Different pictures a second, from the first to the last.
    pub frame_rate: Option<f64>,
    /// The longest time without a new picture since the first one, milliseconds.
    pub longest_freeze_ms: Option<f64>,
    /// Luma PSNR against the picture that was sent, dB ([`PSNR_IDENTICAL`] where nothing differs). Pictures
    /// between black bars have none.
    pub psnr_db: Option<Distribution>,
    /// From capture to decoded picture, milliseconds; measured where the clocks are known to agree.
    pub latency_ms: Option<Distribution>,
}

/// A picture of the pattern that was seen for the first time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// When it was captured, nanoseconds since the Unix epoch by the sender's clock.
    pub(super) captured_nanos: i128,
    /// When it is shown, nanoseconds since the Unix epoch by this side's clock.
    pub(super) shown_nanos: i128,
    /// What was measured of it.
    pub(super) measured: PictureMeasured,
}

/// What was measured of one picture of the pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PictureMeasured {
    /// Luma PSNR against the picture that was sent, dB.
    pub psnr_db: Option<f64>,
    /// From capture to decoded picture, milliseconds.
    pub latency_ms: Option<f64>,
}

#[derive(Debug)]
pub(super) struct VideoJudge {
    clocks_agree: bool,
    sent_size: Option<(u32, u32)>,
    counts: VideoReport,
    /// The picture with the highest number since the last restart.
    newest: Option<Stamp>,
    missing: BTreeSet<u32>,
    /// Pictures that could not be read since the last one that could.
    unread_since: u64,
    first: Option<Time>,
    last: Option<Time>,
    longest_freeze: Duration,
    /// The pattern at the size of the last picture, and a picture to draw its luma into.
    pattern: Option<(Pattern, Picture)>,
    psnr: Series,
    latency: Series,
}

impl VideoJudge {
    pub(super) fn new(clocks_agree: bool, sent_size: Option<(u32, u32)>) -> Self {
        VideoJudge {
            clocks_agree,
            sent_size,
            counts: VideoReport::default(),
            newest: None,
            missing: BTreeSet::new(),
            unread_since: 0,
            first: None,
            last: None,
            longest_freeze: Duration::ZERO,
            pattern: None,
            psnr: Series::new(),
            latency: Series::new(),
        }
    }

    /// Takes one decoded picture; gives its times where it is a new one of the pattern.
    pub(super) fn picture(&mut self, picture: &Picture, decoded: Time) -> Option<Seen> {
        self.counts.received += 1;
        self.counts.size = Some(picture.size());
        let (stamp, whole) = match Stamp::read(picture) {
            Reading::Stamp(stamp) => (stamp, true),
            Reading::Boxed(stamp) => (stamp, false),
            Reading::Unreadable => {
                self.counts.unreadable += 1;
                self.unread_since += 1;
                return None;
            }
            Reading::NoPattern => {
                self.counts.no_pattern += 1;
                self.unread_since += 1;
                return None;
            }
        };
        if !self.is_new(stamp) {
            self.counts.repeated += 1;
            return None;
        }
        self.counts.read += 1;
        if let Some(last) = self.last {
            self.longest_freeze = self.longest_freeze.max(decoded - last);
        }
        self.first.get_or_insert(decoded);
        self.last = Some(decoded);
        let psnr_db = if whole { self.measure_psnr(picture, stamp) } else { None };
        let captured_nanos = i128::from(stamp.captured_us) * 1_000;
        let latency_ms =
            self.clocks_agree.then(|| (i128::from(decoded.unix_nanos()) - captured_nanos) as f64 / 1e6);
        if let Some(ms) = latency_ms {
            self.latency.push(ms);
        }
        let measured = PictureMeasured { psnr_db, latency_ms };
        Some(Seen { captured_nanos, shown_nanos: picture.captured.unix_nanos().into(), measured })
    }

    pub(super) fn report(&self, now: Time) -> VideoReport {
        let running = self.last.map(|last| self.longest_freeze.max(now - last));
        let span = self.first.zip(self.last).map(|(first, last)| (last - first).as_secs_f64());
        VideoReport {
            frame_rate: span.filter(|&s| s > 0.0).map(|s| (self.counts.read - 1) as f64 / s),
            longest_freeze_ms: running.map(|freeze| freeze.as_secs_f64() * 1e3),
            psnr_db: self.psnr.distribution(),
            latency_ms: self.latency.distribution(),
            ..self.counts.clone()
        }
    }

    /// Counts a stamp in among the others; whether it had not been seen before.
    ///
    /// Within one run of a source, numbers and capture times grow together. Where one goes forward and the
    /// other back, the source was restarted.
    fn is_new(&mut self, stamp: Stamp) -> bool {
        let unread = std::mem::take(&mut self.unread_since);
        let Some(newest) = self.newest else {
            self.newest = Some(stamp);
            return true;
        };
        let ahead = stamp.number.wrapping_sub(newest.number) as i32;
        match (ahead.cmp(&0), stamp.captured_us.cmp(&newest.captured_us)) {
            (std::cmp::Ordering::Equal, std::cmp::Ordering::Equal) => false,
            (std::cmp::Ordering::Greater, std::cmp::Ordering::Greater) => {
                let skipped = ahead.unsigned_abs() - 1;
                self.counts.missing += u64::from(skipped).saturating_sub(unread);
                let remembered = skipped.min(REMEMBERED as u32);
                self.missing.extend((1..=remembered).map(|back| stamp.number.wrapping_sub(back)));
                while self.missing.len() > REMEMBERED {
                    self.missing.pop_first();
                }
                self.newest = Some(stamp);
                true
            }
            (std::cmp::Ordering::Less, std::cmp::Ordering::Less) => {
                let late = self.missing.remove(&stamp.number);
                if late {
                    self.counts.out_of_order += 1;
                    self.counts.missing = self.counts.missing.saturating_sub(1);
                }
                late
            }
            _ => {
                self.counts.restarts += 1;
                self.missing.clear();
                self.newest = Some(stamp);
                true
            }
        }
    }

    fn measure_psnr(&mut self, picture: &Picture, stamp: Stamp) -> Option<f64> {
        if self.sent_size.is_some_and(|sent| sent != picture.size()) {
            return None;
        }
        if self.pattern.as_ref().is_none_or(|(pattern, _)| pattern.size() != picture.size()) {
            let (width, height) = picture.size();
            self.pattern = Pattern::new(width, height).ok().zip(Picture::new(width, height).ok());
        }
        let (pattern, sent) = self.pattern.as_mut()?;
        pattern.draw_luma(stamp, sent);
        let psnr = luma_psnr(sent, picture);
        self.psnr.push(psnr);
        Some(psnr)
    }
}

/// Luma PSNR of two pictures of one size, dB: 10 log10(255^2 / mean squared error), [`PSNR_IDENTICAL`] at the
/// most.
fn luma_psnr(sent: &Picture, seen: &Picture) -> f64 {
    let (sent, seen) = (sent.plane(Component::Y), seen.plane(Component::Y));
    // A row's sum fits 31 bits: 255^2 times the largest width is below 2^30.
    let squared: u64 =
        sent.rows().zip(seen.rows()).map(|(a, b)| u64::from(squared_error(a, b).unsigned_abs())).sum();
    if squared == 0 {
        return PSNR_IDENTICAL;
    }
    let mean = squared as f64 / (sent.width * sent.height) as f64;
    (10.0 * (255.0 * 255.0 / mean).log10()).min(PSNR_IDENTICAL)
}

fn squared_error(a: &[u8], b: &[u8]) -> i32 {
    // In 16 bits with a sign, since processors multiply and add these at once.
    let square = |(&a, &b): (&u8, &u8)| {
        let difference = i16::from(a) - i16::from(b);
        i32::from(difference) * i32::from(difference)
    };
    a.iter().zip(b).map(square).sum()
}
