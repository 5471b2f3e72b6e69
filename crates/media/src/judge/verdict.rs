//! Good or bad, and why: thresholds laid over a [`Judgement`].

use super::Judgement;
use serde::Serialize;

/// What counts as good. The defaults are for a short call over a good network: they tell a working call from a
/// broken one, not a fine picture from a coarse one.
///
/// Missing numbers are not held against a call: an encoder that keeps to a low bit rate leaves pictures out, and
/// what the viewer notices of it is the frame rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Whether pictures are expected at all. Default: yes.
    pub picture: bool,
    /// Whether sound is expected at all. Default: yes.
    pub sound: bool,
    /// The longest freeze, milliseconds. Default: 1000.
    pub longest_freeze_ms: f64,
    /// The fewest different pictures a second. Default: 5.
    pub frame_rate: f64,
    /// The greatest part of the pictures that may be too damaged to be read. Default: 0.1.
    pub unreadable_share: f64,
    /// The least median PSNR, dB. Default: 26.
    pub psnr_db: f64,
    /// The tone that is expected, Hz; `None` takes any. Default: any.
    pub tone_hz: Option<f64>,
    /// How far the tone may be off, Hz. Default: 2.
    pub tone_error_hz: f64,
    /// The greatest part of the time that may be silent. Default: 0.2.
    pub silence_share: f64,
    /// The greatest part of the time that may be dropouts. Default: 0.05.
    pub dropout_share: f64,
    /// The least part of the windows that must hold a tone. Default: 0.5.
    pub tonal_share: f64,
    /// The greatest part of clipped samples. Default: 0.01.
    pub clipped_share: f64,
    /// How far sound and picture may be apart either way, milliseconds. Default: 150.
    pub sync_ms: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds {
            picture: true,
            sound: true,
            longest_freeze_ms: 1_000.0,
            frame_rate: 5.0,
            unreadable_share: 0.1,
            psnr_db: 26.0,
            tone_hz: None,
            tone_error_hz: 2.0,
            silence_share: 0.2,
            dropout_share: 0.05,
            tonal_share: 0.5,
            clipped_share: 0.01,
            sync_ms: 150.0,
        }
    }
}

/// Why a judgement is bad, with what was measured. Times in milliseconds, shares from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, thiserror::Error)]
pub enum Reason {
    /// No decoded picture came.
    #[error("no picture came")]
    NoPicture,
    /// Pictures came, none of them the test pattern's.
    #[error("pictures came, but the test pattern was in none of them")]
    NoPattern,
    /// No new picture for too long.
    #[error("the picture froze for {0:.0} ms")]
    Frozen(f64),
    /// Too few pictures a second.
    #[error("{0:.1} pictures a second are too few")]
    LowFrameRate(f64),
    /// Too many pictures of the pattern could not be read.
    #[error("{:.0} % of the pictures were too damaged to be read", .0 * 100.0)]
    Unreadable(f64),
    /// The pictures differ too much from those sent.
    #[error("the pictures are poor: PSNR {0:.1} dB")]
    LowPsnr(f64),
    /// No sound came.
    #[error("no sound came")]
    NoSound,
    /// Too much of the sound was silence.
    #[error("{:.0} % of the sound was silence", .0 * 100.0)]
    Silence(f64),
    /// Too much of the sound was missing.
    #[error("{:.0} % of the sound dropped out", .0 * 100.0)]
    Dropouts(f64),
    /// There was sound, but too seldom a tone.
    #[error("the sound was noise: a tone in {:.0} % of it", .0 * 100.0)]
    Noise(f64),
    /// The tone has the wrong pitch.
    #[error("the tone was {0:.1} Hz")]
    WrongTone(f64),
    /// Too many samples at full scale.
    #[error("{:.1} % of the sound was clipped", .0 * 100.0)]
    Clipped(f64),
    /// Sound and picture are apart.
    #[error("the sound was {0:+.0} ms behind the picture")]
    OutOfSync(f64),
    /// Media came through in one direction alone.
    #[error("media came through in one direction only")]
    OneWay,
}

/// Good, or the reasons why not.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Verdict {
    /// Everything that is wrong; nothing where the judgement is good.
    pub reasons: Vec<Reason>,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.reasons.is_empty()
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_good() {
            return f.write_str("good");
        }
        let reasons: Vec<String> = self.reasons.iter().map(Reason::to_string).collect();
        write!(f, "bad: {}", reasons.join("; "))
    }
}

/// Judges one direction of a call. What was not measured (PSNR, sync) is not held against it; picture and
/// sound that were expected and did not come are.
pub fn verdict(judgement: &Judgement, thresholds: &Thresholds) -> Verdict {
    let mut reasons = Vec::new();
    if thresholds.picture {
        picture(judgement, thresholds, &mut reasons);
    }
    if thresholds.sound {
        sound(judgement, thresholds, &mut reasons);
    }
    let offset = judgement.sync.map(|sync| sync.offset_ms.median);
    reasons.extend(offset.filter(|ms| ms.abs() > thresholds.sync_ms).map(Reason::OutOfSync));
    Verdict { reasons }
}

/// Judges both directions of a call together: the verdict on each, and [`Reason::OneWay`] in front of the one
/// where nothing came while something came in the other.
pub fn verdicts(directions: [&Judgement; 2], thresholds: &Thresholds) -> [Verdict; 2] {
    let mut verdicts = directions.map(|judgement| verdict(judgement, thresholds));
    let [there, back] = directions.map(anything);
    for (verdict, one_way) in verdicts.iter_mut().zip([!there && back, there && !back]) {
        if one_way {
            verdict.reasons.insert(0, Reason::OneWay);
        }
    }
    verdicts
}

fn anything(judgement: &Judgement) -> bool {
    judgement.video.received > 0 || judgement.audio.duration_s > 0.0
}

fn picture(judgement: &Judgement, limits: &Thresholds, reasons: &mut Vec<Reason>) {
    let video = &judgement.video;
    if video.received == 0 {
        reasons.push(Reason::NoPicture);
        return;
    }
    let of_the_pattern = video.read + video.repeated + video.unreadable;
    if of_the_pattern == 0 {
        reasons.push(Reason::NoPattern);
        return;
    }
    let unreadable = video.unreadable as f64 / of_the_pattern as f64;
    let freeze = video.longest_freeze_ms.filter(|&ms| ms > limits.longest_freeze_ms);
    reasons.extend(freeze.map(Reason::Frozen));
    reasons.extend(video.frame_rate.filter(|&rate| rate < limits.frame_rate).map(Reason::LowFrameRate));
    reasons.extend((unreadable > limits.unreadable_share).then_some(Reason::Unreadable(unreadable)));
    let psnr = video.psnr_db.map(|psnr| psnr.median);
    reasons.extend(psnr.filter(|&db| db < limits.psnr_db).map(Reason::LowPsnr));
}

fn sound(judgement: &Judgement, limits: &Thresholds, reasons: &mut Vec<Reason>) {
    let audio = &judgement.audio;
    if audio.duration_s <= 0.0 {
        reasons.push(Reason::NoSound);
        return;
    }
    let dropouts = audio.dropouts_ms / 1e3 / audio.duration_s;
    reasons.extend(audio.silence_share.filter(|&s| s > limits.silence_share).map(Reason::Silence));
    reasons.extend((dropouts > limits.dropout_share).then_some(Reason::Dropouts(dropouts)));
    reasons.extend(audio.tonal_share.filter(|&s| s < limits.tonal_share).map(Reason::Noise));
    if let Some((expected, heard)) = limits.tone_hz.zip(audio.tone_hz)
        && (heard - expected).abs() > limits.tone_error_hz
    {
        reasons.push(Reason::WrongTone(heard));
    }
    reasons.extend(audio.clipped_share.filter(|&s| s > limits.clipped_share).map(Reason::Clipped));
}
