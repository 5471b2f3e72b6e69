//! From a script's command to what a call is told, and from its outcome to JSON.

use super::request::{Verb, body};
use crate::live::Live;
use serde_json::{Value, json};
use std::time::Duration;
use visavis::proto::frame::{MediaKind, Rotation};
use visavis::proto::io::{Done, NotDone, SectionStats};
use visavis::proto::rtp::session::MappingOrigin;
use visavis::{CallControl, Error, Pending};

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The peer's final response, where it refused.
    pub(super) status: Option<u16>,
    pub(super) why: String,
}

impl Refusal {
    pub(super) fn because(why: impl Into<String>) -> Self {
        Refusal { status: None, why: why.into() }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::because(error.to_string())
    }
}

impl From<NotDone> for Refusal {
    fn from(NotDone { status, why }: NotDone) -> Self {
        Refusal { status, why }
    }
}

/// A command that the call was told.
pub(super) enum Begun {
    /// Done when all of these are.
    Pending(Vec<Pending>),
    /// Done, with this to tell.
    Done(Value),
}

/// Tells a call what a script wants of it.
pub(super) async fn begin(call: &CallControl, live: &Live, verb: Verb) -> Result<Begun, Refusal> {
    let pending = match verb {
        Verb::Ring { status } => call.ring(status).await?,
        Verb::Answer {} => call.accept().await?,
        Verb::Reject { status } => call.reject(status).await?,
        Verb::Hangup {} => call.hangup().await?,
        Verb::Hold {} => call.hold().await?,
        Verb::Resume {} => call.resume().await?,
        Verb::Reinvite { media } => call.reinvite(media.into()).await?,
        Verb::Message { content_type, text, base64 } => {
            let body = body(text.as_ref(), base64.as_ref()).map_err(Refusal::because)?;
            call.message(&content_type, body).await?
        }
        Verb::Dtmf { keys, ms } => return press(call, &keys, Duration::from_millis(ms)).await,
        Verb::Keyframe { section } => return keyframe(call, section).await,
        Verb::Stats {} => {
            let (sections, devices) = (sections(&stats(call).await?), live.report(call.handle()));
            return Ok(Begun::Done(json!({ "sections": sections, "devices": devices })));
        }
        Verb::Mute {} => return mute(call, live, true),
        Verb::Unmute {} => return mute(call, live, false),
        Verb::Wait { .. } | Verb::Quit {} => return Err(Refusal::because("this is no command to a call")),
    };
    Ok(Begun::Pending(vec![pending]))
}

impl Begun {
    /// Waits until it is done; the fields that the event has beside the usual ones.
    pub(super) async fn outcome(self) -> Result<Value, Refusal> {
        let pending = match self {
            Begun::Done(fields) => return Ok(fields),
            Begun::Pending(pending) => pending,
        };
        let mut last = Done::default();
        for pending in pending {
            last = pending.outcome().await?;
        }
        let mut fields = json!({});
        if let Some((status, reason)) = last.response {
            fields["status"] = json!(status);
            fields["reason"] = json!(reason);
        }
        if let Some(how) = last.how {
            fields["how"] = json!(how);
        }
        Ok(fields)
    }
}

fn mute(call: &CallControl, live: &Live, muted: bool) -> Result<Begun, Refusal> {
    if live.set_muted(call.handle(), muted) {
        return Ok(Begun::Done(json!({})));
    }
    Err(Refusal::because("the call has no microphone (--mic gives it one)"))
}

async fn press(call: &CallControl, keys: &str, duration: Duration) -> Result<Begun, Refusal> {
    let mut pending = Vec::new();
    for key in keys.chars() {
        pending.push(call.dtmf(key, duration).await?);
    }
    Ok(Begun::Pending(pending))
}

/// In the section that was named, else in every one with pictures.
pub(super) async fn keyframe(call: &CallControl, section: Option<usize>) -> Result<Begun, Refusal> {
    let sections = match section {
        Some(section) => vec![section],
        None => {
            let stats = stats(call).await?;
            let video = stats.iter().enumerate().filter(|(_, s)| s.kind == Some(MediaKind::Video));
            video.map(|(index, _)| index).collect()
        }
    };
    if sections.is_empty() {
        return Err(Refusal::because("the call has no pictures"));
    }
    let mut pending = Vec::new();
    for section in sections {
        pending.push(call.request_keyframe(section).await?);
    }
    Ok(Begun::Pending(pending))
}

async fn stats(call: &CallControl) -> Result<Vec<SectionStats>, Refusal> {
    call.stats()
        .await
        .ok_or_else(|| Refusal::because("the call has nothing to measure: it is over, or not begun"))
}

fn sections(stats: &[SectionStats]) -> Vec<Value> {
    stats.iter().map(section).collect()
}

// It takes the numbers apart in full, so that a new one is not forgotten here.
fn section(stats: &SectionStats) -> Value {
    let SectionStats {
        kind,
        codec,
        packets_sent,
        octets_sent,
        packets_received,
        octets_received,
        packets_lost,
        packets_late,
        packets_duplicate,
        packets_reordered,
        jitter,
        round_trip,
        remote_loss,
        rtcp_received,
        rtcp_sent,
        keyframes_requested,
        frames_sent,
        frames_received,
        frames_dropped,
        synchronised_by,
        rotation_sent,
        rotation_received,
    } = stats;
    let ms = |time: &Option<Duration>| time.map(|time| time.as_secs_f64() * 1e3);
    json!({
        "kind": kind.map(MediaKind::as_str), "codec": codec.map(|codec| codec.to_string()),
        "packets_sent": packets_sent, "octets_sent": octets_sent, "packets_received": packets_received,
        "octets_received": octets_received, "packets_lost": packets_lost, "packets_late": packets_late,
        "packets_duplicate": packets_duplicate, "packets_reordered": packets_reordered, "jitter_ms": ms(jitter),
        "round_trip_ms": ms(round_trip), "remote_loss": remote_loss, "rtcp_received": rtcp_received,
        "rtcp_sent": rtcp_sent, "keyframes_requested": keyframes_requested, "frames_sent": frames_sent,
        "frames_received": frames_received, "frames_dropped": frames_dropped,
        "synchronised_by": synchronised_by.map(MappingOrigin::as_str),
        "rotation_sent": rotation_sent.map(Rotation::degrees),
        "rotation_received": rotation_received.map(Rotation::degrees),
    })
}
