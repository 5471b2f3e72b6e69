//! The catalogue itself.

use super::capture::{self, of_exchange, of_stream};
use super::{Metric, Unit, Value};
use crate::record::{CallRecord, SectionRecord};
use std::sync::LazyLock;
use visavis_media::judge::Judgement;
use visavis_proto::frame::MediaKind;

/// How a metric is taken from a live call.
#[derive(Debug)]
pub(super) enum Source {
    /// From the record as a whole.
    Call(fn(&CallRecord) -> Option<Value>),
    /// From the first section of a kind.
    Section(MediaKind, fn(&SectionRecord) -> Option<f64>),
    /// From what the judge saw and heard.
    Judged(fn(&Judgement) -> Option<Value>),
}

/// Every metric, in the order of `docs/metrics.md`.
pub fn all() -> &'static [Metric] {
    &CATALOGUE
}

/// The metric of this name.
pub fn find(name: &str) -> Option<&'static Metric> {
    CATALOGUE.iter().find(|metric| metric.name == name)
}

static CATALOGUE: LazyLock<Vec<Metric>> = LazyLock::new(|| {
    let mut metrics = calls();
    for kind in [MediaKind::Video, MediaKind::Audio] {
        metrics.extend(sections(kind));
    }
    metrics.extend(pictures());
    metrics.extend(sound());
    metrics
});

fn number(value: impl Into<f64>) -> Option<Value> {
    Some(Value::Number(value.into()))
}

fn count(value: u64) -> Option<Value> {
    Some(Value::Number(value as f64))
}

fn call(
    name: &str,
    unit: Unit,
    how: &'static str,
    measure: fn(&CallRecord) -> Option<Value>,
    capture: Option<capture::Source>,
) -> Metric {
    Metric { name: name.into(), unit, how, spread: false, call: Some(Source::Call(measure)), capture }
}

fn calls() -> Vec<Metric> {
    use Unit::{Count, Milliseconds, Seconds, Share};
    let over = |seconds: fn(&visavis_capture::findings::CallFindings) -> Option<f64>| of_exchange(seconds);
    vec![
        call(
            "established",
            Count,
            "1 where the call was set up, 0 where not",
            |r| number(f64::from(u8::from(r.setup_ms.is_some()))),
            over(|c| Some(f64::from(u8::from(c.answered.is_some())))),
        ),
        call(
            "regular_end",
            Count,
            "1 where the call ended by BYE of either side, 0 where otherwise",
            |r| number(f64::from(u8::from(matches!(r.end?, "local-hangup" | "remote-hangup")))),
            None,
        ),
        call(
            "setup_ms",
            Milliseconds,
            "From INVITE to ACK; at the callee from the INVITE's arrival to the ACK's",
            |r| r.setup_ms.map(Value::Number),
            over(|c| Some((c.acknowledged? - c.invited?).as_secs_f64() * 1e3)),
        ),
        call(
            "duration_s",
            Seconds,
            "From ACK to the end of the call",
            |r| r.duration_s.map(Value::Number),
            over(|c| Some((c.ended? - c.acknowledged?).as_secs_f64())),
        ),
        call(
            "rtt_ms",
            Milliseconds,
            "The longest of the sections' last round trips by RTCP (RFC 3550 section 6.4.1)",
            |r| worst(r, |s| s.round_trip_ms).map(Value::Number),
            None,
        ),
        call(
            "loss",
            Share,
            "The greatest of the sections' shares of RTP packets that never came",
            |r| worst(r, |s| s.loss).map(Value::Number),
            None,
        ),
        call(
            "packets_sent",
            Count,
            "RTP packets sent in all sections",
            |r| total(r, |s| s.packets_sent),
            None,
        ),
        call(
            "packets_received",
            Count,
            "RTP packets received in all sections",
            |r| total(r, |s| s.packets_received),
            None,
        ),
        call(
            "decode_errors",
            Count,
            "Frames that could not be decoded, pictures and sound",
            |r| r.media.judgement.as_ref().and_then(|_| count(r.media.decode_errors)),
            None,
        ),
    ]
}

/// The greatest value of all sections.
fn worst(record: &CallRecord, value: fn(&SectionRecord) -> Option<f64>) -> Option<f64> {
    record.sections.iter().filter_map(value).max_by(f64::total_cmp)
}

/// A sum over all sections in use; `None` where there is none.
fn total(record: &CallRecord, value: fn(&SectionRecord) -> u64) -> Option<Value> {
    let mut used = record.sections.iter().filter(|s| s.kind.is_some()).peekable();
    used.peek()?;
    count(used.map(value).sum())
}

/// What is measured of sound and of pictures alike.
fn sections(kind: MediaKind) -> Vec<Metric> {
    use Unit::{BitRate, Count, Milliseconds, PerSecond, Seconds, Share};
    let of = |suffix: &str, unit, how, call: Option<fn(&SectionRecord) -> Option<f64>>, capture| Metric {
        name: format!("{}.{suffix}", kind.as_str()),
        unit,
        how,
        spread: false,
        call: call.map(|measure| Source::Section(kind, measure)),
        capture,
    };
    let stream = |measure| Some(of_stream(kind, measure));
    let mut metrics = vec![
        of("packets_sent", Count, "RTP packets sent", Some(|s| Some(s.packets_sent as f64)), None),
        of(
            "packets_received",
            Count,
            "RTP packets received, duplicates among them",
            Some(|s| Some(s.packets_received as f64)),
            stream(|s| Some(s.packets as f64)),
        ),
        of(
            "packets_lost",
            Count,
            "RTP packets expected less those received (RFC 3550 appendix A.3); duplicates can make it negative",
            Some(|s| s.loss.map(|_| s.packets_lost as f64)),
            stream(|s| s.loss.map(|_| s.lost as f64)),
        ),
        of(
            "loss",
            Share,
            "RTP packets that never came as a share of those between the first and the last that did, whatever came twice",
            Some(|s| s.loss),
            stream(|s| s.loss),
        ),
        of(
            "packets_late",
            Count,
            "RTP packets that came after the jitter buffer had given them up",
            Some(|s| Some(s.packets_late as f64)),
            None,
        ),
        of(
            "packets_duplicate",
            Count,
            "RTP packets that came twice",
            Some(|s| Some(s.packets_duplicate as f64)),
            stream(|s| Some(s.duplicate as f64)),
        ),
        of(
            "packets_reordered",
            Count,
            "RTP packets that came behind one with a higher number",
            Some(|s| Some(s.packets_reordered as f64)),
            stream(|s| Some(s.reordered as f64)),
        ),
        of(
            "jitter_ms",
            Milliseconds,
            "Interarrival jitter at the end of the call (RFC 3550 section 6.4.1), by the kernel's receive times",
            Some(|s| s.jitter_ms),
            stream(|s| s.jitter_ms),
        ),
        of(
            "rtt_ms",
            Milliseconds,
            "The last round trip by RTCP (RFC 3550 section 6.4.1)",
            Some(|s| s.round_trip_ms),
            stream(|s| s.rtcp.round_trip_ms.map(|[_, last, ..]| last)),
        ),
        of(
            "remote_loss",
            Share,
            "The share of our packets that the peer's last RTCP report called lost",
            Some(|s| s.remote_loss),
            stream(|s| s.rtcp.reported_loss),
        ),
        of("frames_sent", Count, "Coded frames sent", Some(|s| Some(s.frames_sent as f64)), None),
        of(
            "frames_received",
            Count,
            "Coded frames put together from packets",
            Some(|s| Some(s.frames_received as f64)),
            stream(|s| Some(s.frames as f64)),
        ),
        of(
            "frames_incomplete",
            Count,
            "Coded frames that came with a part missing",
            Some(|s| Some(s.frames_incomplete as f64)),
            stream(|s| Some(s.frames_incomplete as f64)),
        ),
        of("rtcp_received", Count, "RTCP packets received", Some(|s| Some(s.rtcp_received as f64)), None),
        of(
            "jitter_max_ms",
            Milliseconds,
            "The greatest interarrival jitter on the way (RFC 3550 section 6.4.1)",
            None,
            stream(|s| s.jitter_max_ms),
        ),
        of(
            "bit_rate",
            BitRate,
            "Bits of RTP payload a second, first to last packet",
            None,
            stream(|s| s.bit_rate),
        ),
    ];
    if kind == MediaKind::Video {
        metrics.extend([
            of(
                "keyframes_requested",
                Count,
                "Key frames that the peer asked for by RTCP",
                Some(|s| Some(s.keyframes_requested as f64)),
                stream(|s| Some((s.rtcp.pli + s.rtcp.fir) as f64)),
            ),
            of(
                "keyframe_interval_s",
                Seconds,
                "The median time between two pictures that a decoder can start from",
                None,
                stream(|s| s.keyframe_interval_s),
            ),
            of(
                "rtp_frame_rate",
                PerSecond,
                "Coded pictures a second by their RTP timestamps",
                None,
                stream(|s| s.frame_rate),
            ),
        ]);
    }
    metrics
}

fn judged(name: &str, unit: Unit, how: &'static str, measure: fn(&Judgement) -> Option<Value>) -> Metric {
    let call = Some(Source::Judged(measure));
    Metric { name: name.into(), unit, how, spread: false, call, capture: None }
}

fn spread(name: &str, unit: Unit, how: &'static str, measure: fn(&Judgement) -> Option<Value>) -> Metric {
    Metric { spread: true, ..judged(name, unit, how, measure) }
}

/// A value that means something only where the pattern was read.
fn seen(judgement: &Judgement, value: f64) -> Option<Value> {
    (judgement.video.read > 0).then_some(Value::Number(value))
}

/// A value that means something only where there was sound.
fn heard(judgement: &Judgement, value: f64) -> Option<Value> {
    (judgement.audio.duration_s > 0.0).then_some(Value::Number(value))
}

fn pictures() -> Vec<Metric> {
    use Unit::{Count, Decibels, Milliseconds, PerSecond, Share};
    vec![
        judged("video.pictures", Count, "Pictures that the decoder gave", |j| count(j.video.received)),
        judged("video.read", Count, "Different pictures of the test pattern among them", |j| {
            count(j.video.read)
        }),
        judged("video.repeated", Count, "Pictures of the test pattern that had been there before", |j| {
            seen(j, j.video.repeated as f64)
        }),
        judged(
            "video.missing",
            Count,
            "Numbers of the test pattern that never came, between those that did",
            |j| seen(j, j.video.missing as f64),
        ),
        judged("video.out_of_order", Count, "Pictures behind a picture of a higher number", |j| {
            seen(j, j.video.out_of_order as f64)
        }),
        judged(
            "video.unreadable",
            Share,
            "The share of the test pattern's pictures whose stamp could not be read",
            |j| {
                let all = j.video.read + j.video.repeated + j.video.unreadable;
                (all > 0).then(|| Value::Number(j.video.unreadable as f64 / all as f64))
            },
        ),
        judged(
            "video.frame_rate",
            PerSecond,
            "Different pictures of the test pattern a second, first to last",
            |j| j.video.frame_rate.map(Value::Number),
        ),
        judged(
            "video.longest_freeze_ms",
            Milliseconds,
            "The longest time without a new picture of the test pattern, from the first one to the end of the call",
            |j| j.video.longest_freeze_ms.map(Value::Number),
        ),
        spread(
            "video.psnr_db",
            Decibels,
            "Luma PSNR of each picture against the one drawn anew from its stamp; 100 dB: identical",
            |j| j.video.psnr_db.map(Value::Spread),
        ),
        spread(
            "video.latency_ms",
            Milliseconds,
            "From capture, by the stamp, to the decoded picture; where both clocks are known to agree (demo)",
            |j| j.video.latency_ms.map(Value::Spread),
        ),
    ]
}

fn sound() -> Vec<Metric> {
    use Unit::{Count, Decibels, FullScale, Hertz, Milliseconds, Seconds, Share};
    vec![
        judged("audio.duration_s", Seconds, "Decoded sound, holes in its time line included", |j| {
            number(j.audio.duration_s)
        }),
        judged(
            "audio.tone_hz",
            Hertz,
            "The strongest tone between the markers, median of half-second windows",
            |j| j.audio.tone_hz.map(Value::Number),
        ),
        judged("audio.tonal", Share, "The share of those windows in which a tone stands out by 6 dB", |j| {
            j.audio.tonal_share.map(Value::Number)
        }),
        judged("audio.level_dbfs", FullScale, "The tone's level, median", |j| {
            j.audio.level_dbfs.map(Value::Number)
        }),
        spread("audio.over_noise_db", Decibels, "The tone's power against everything else", |j| {
            j.audio.over_noise_db.map(Value::Spread)
        }),
        judged("audio.silence", Share, "The share of the time below -60 dBFS", |j| {
            j.audio.silence_share.map(Value::Number)
        }),
        judged(
            "audio.dropouts",
            Count,
            "Times that the sound fell by 20 dB, or was missing, for 10 ms or longer after it had begun",
            |j| heard(j, j.audio.dropouts as f64),
        ),
        judged("audio.dropouts_ms", Milliseconds, "How long these lasted in all", |j| {
            heard(j, j.audio.dropouts_ms)
        }),
        judged("audio.dropout", Share, "How long these lasted in all, as a share of the sound", |j| {
            (j.audio.duration_s > 0.0).then(|| Value::Number(j.audio.dropouts_ms / 1e3 / j.audio.duration_s))
        }),
        judged("audio.longest_dropout_ms", Milliseconds, "The longest of them", |j| {
            heard(j, j.audio.longest_dropout_ms)
        }),
        judged("audio.clipped", Share, "The share of samples at full scale, three or more in a row", |j| {
            j.audio.clipped_share.map(Value::Number)
        }),
        judged("audio.markers", Count, "Beeps at the start of a second that were heard", |j| {
            heard(j, j.audio.markers as f64)
        }),
        spread(
            "sync.offset_ms",
            Milliseconds,
            "By how much the sound is played behind its picture (negative: before), one measurement for each beep",
            |j| j.sync.map(|sync| Value::Spread(sync.offset_ms)),
        ),
        judged("sync.apart_ms", Milliseconds, "The median of sync.offset_ms without its sign", |j| {
            j.sync.map(|sync| Value::Number(sync.offset_ms.median.abs()))
        }),
    ]
}
