//! What an endpoint has counted: datagrams by kind, and by the reason why they were dropped.

use crate::output::Output;
use serde_json::{Map, Value, json};
use visavis::Endpoint;
use visavis::proto::agent::{Counters, Dropped, Received};

/// Prints the counts of an endpoint: all of them for programs, for people what is not zero. Gives those, too.
pub(crate) async fn report(endpoint: &Endpoint, output: &Output) -> Vec<(String, u64)> {
    let Some(counters) = endpoint.counters().await else { return Vec::new() };
    let (received, dropped) = (received(&counters), dropped(&counters));
    output.event("counters", || {
        let object = |counts: &[(&str, u64)]| -> Map<String, Value> {
            counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect()
        };
        json!({
            "received": object(&received), "dropped": object(&dropped), "sent": counters.sent,
            "stun_answered": counters.stun_answered,
        })
    });
    let named = |kind: &str, counts: &[(&str, u64)]| -> Vec<(String, u64)> {
        let some = counts.iter().filter(|(_, count)| *count > 0);
        some.map(|(name, count)| (format!("{kind}: {}", name.replace('_', " ")), *count)).collect()
    };
    let mut all = named("received", &received);
    all.extend(named("dropped", &dropped));
    let said = |counts: &[(&str, u64)]| {
        let some = counts.iter().filter(|(_, count)| *count > 0);
        some.map(|(name, count)| format!("{} {count}", name.replace('_', " "))).collect::<Vec<_>>().join(", ")
    };
    let (received, dropped) = (said(&received), said(&dropped));
    if !received.is_empty() {
        output.say(format!("  datagrams in: {received}"));
    }
    if !dropped.is_empty() {
        output.say(format!("  dropped: {dropped}"));
    }
    all
}

// Both take the counts apart in full, so that a new one is not forgotten here.
fn received(counters: &Counters) -> Vec<(&'static str, u64)> {
    let Received { sip, stun, rtp, rtcp, keep_alive, dtls, zrtp, turn_channel, unknown } =
        counters.received.clone();
    vec![
        ("sip", sip),
        ("stun", stun),
        ("rtp", rtp),
        ("rtcp", rtcp),
        ("keep_alive", keep_alive),
        ("dtls", dtls),
        ("zrtp", zrtp),
        ("turn_channel", turn_channel),
        ("unknown", unknown),
    ]
}

fn dropped(counters: &Counters) -> Vec<(&'static str, u64)> {
    let Dropped {
        sip_malformed,
        sip_stray,
        sip_limit,
        sip_coded,
        rtp_stray,
        rtp_refused,
        rtcp_stray,
        srtp_refused,
        rtp_off_path,
        stun_malformed,
        stun_stray,
        stun_limited,
        stun_off_path,
        invite_unexpected,
        unwanted,
        frames,
        outputs,
    } = counters.dropped.clone();
    vec![
        ("sip_malformed", sip_malformed),
        ("sip_stray", sip_stray),
        ("sip_limit", sip_limit),
        ("sip_coded", sip_coded),
        ("rtp_stray", rtp_stray),
        ("rtp_refused", rtp_refused),
        ("rtcp_stray", rtcp_stray),
        ("srtp_refused", srtp_refused),
        ("rtp_off_path", rtp_off_path),
        ("stun_malformed", stun_malformed),
        ("stun_stray", stun_stray),
        ("stun_limited", stun_limited),
        ("stun_off_path", stun_off_path),
        ("invite_unexpected", invite_unexpected),
        ("unwanted", unwanted),
        ("frames", frames),
        ("outputs", outputs),
    ]
}
