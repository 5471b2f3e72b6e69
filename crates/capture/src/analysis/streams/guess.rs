//! RTP that nothing announces: whether a flow is RTP at all, and what it may carry.

use super::format::Meaning;
use crate::analysis::options::AnalysisOptions;
use crate::analysis::structure::Assessor;
use visavis_proto::Time;
use visavis_proto::frame::MediaKind;
use visavis_proto::rtp::RtpPacket;
use visavis_proto::sdp::Format;

/// Packets that show enough of a flow.
pub(super) const ENOUGH: usize = 24;
/// Packets that a flow must have at the least, where no more come.
const LEAST: usize = 6;
/// Steps of sequence numbers that a stream with losses makes.
const STEP: std::ops::RangeInclusive<u16> = 1..=32;
/// Clocks that payload formats have, Hz.
const CLOCKS: [u32; 9] = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 90_000];

/// A packet of a flow that is not yet known for RTP.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) packet: u64,
    pub(super) time: Time,
    pub(super) data: Vec<u8>,
    pub(super) length: usize,
}

/// Whether packets of one SSRC between two addresses are RTP: sequence numbers go on, timestamps go on or stand
/// still, at a rate that a clock could have, and one payload type is in the lead.
pub(super) fn is_rtp(held: &[Held]) -> bool {
    if held.len() < LEAST {
        return false;
    }
    let mut parsed = held.iter().filter_map(|held| Some((held.time, RtpPacket::parse(&held.data).ok()?)));
    let Some((start, first)) = parsed.next() else { return false };
    let (mut previous, mut steps, mut good, mut ticks, mut same_type) = (first, 0u32, 0u32, 0u64, 1u32);
    let mut end = start;
    for (time, packet) in parsed {
        steps += 1;
        let step = packet.seq.wrapping_sub(previous.seq);
        let advance = packet.timestamp.wrapping_sub(previous.timestamp);
        // Ten seconds of the fastest clock.
        if STEP.contains(&step) && advance < 900_000 {
            good += 1;
            ticks += u64::from(advance);
        }
        same_type += u32::from(packet.payload_type == first.payload_type);
        (previous, end) = (packet, time);
    }
    let seconds = (end - start).as_secs_f64();
    // Where all were captured in a moment there is no rate to tell.
    let rate_fits = seconds < 0.05 || (1_000.0..=200_000.0).contains(&(ticks as f64 / seconds));
    good * 10 >= steps * 8 && ticks > 0 && rate_fits && same_type * 10 >= (steps + 1) * 6
}

/// What packets of one payload type carry, as far as they show it.
pub(super) fn meaning(held: &[Held], payload_type: u8, options: &AnalysisOptions) -> Meaning {
    let mut assessor = Assessor::new();
    let (mut first, mut last, mut wrapped) = (None, None, 0u64);
    for held in held {
        let Ok(packet) = RtpPacket::parse(&held.data) else { continue };
        if packet.payload_type != payload_type {
            continue;
        }
        let previous = last.map_or(packet.timestamp, |(_, timestamp): (Time, u32)| timestamp);
        wrapped += u64::from(packet.timestamp.wrapping_sub(previous));
        assessor.feed(packet.payload(), packet.seq, wrapped);
        first.get_or_insert(held.time);
        last = Some((held.time, packet.timestamp));
    }
    let read = |rtpmap: &str| {
        Format::read(payload_type, Some(rtpmap), "packetization-mode=1")
            .map(|format| Meaning::of(format, "guessed from the payload", options))
    };
    let known = if assessor.is_h264() {
        read("H264/90000")
    } else if assessor.is_opus() {
        read("opus/48000/2")
    } else {
        None
    };
    let elapsed = first.zip(last).map(|(first, (last, _))| (last - first).as_secs_f64());
    known.unwrap_or_else(|| {
        let clock_rate = elapsed.and_then(|seconds| clock(wrapped, seconds));
        let framed = assessor.has_au_headers();
        Meaning {
            name: if framed { "AAC".to_owned() } else { String::new() },
            kind: framed.then_some(MediaKind::Audio),
            clock_rate,
            known_by: if framed { "guessed from the payload" } else { "" },
            format: None,
        }
    })
}

/// The clock that made so many ticks in so many seconds, where it is near one that is in use.
fn clock(ticks: u64, seconds: f64) -> Option<u32> {
    if seconds < 0.2 {
        return None;
    }
    let rate = ticks as f64 / seconds;
    CLOCKS.into_iter().find(|&clock| (rate / f64::from(clock) - 1.0).abs() < 0.08)
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis_proto::rtp::RtpHeader;

    fn held(seq: u16, timestamp: u32, ssrc: u32, payload: &[u8]) -> Held {
        let header = RtpHeader { marker: false, payload_type: 97, seq, timestamp, ssrc };
        let mut data = Vec::new();
        header.with_payload(payload).write(&mut data);
        let length = data.len();
        Held { packet: 1, time: Time::from_millis(u64::from(seq) * 20), data, length }
    }

    #[test]
    fn a_steady_flow_is_rtp_and_its_clock_is_found() {
        let flow: Vec<Held> = (0..20).map(|i| held(i, u32::from(i) * 441, 7, &[i as u8; 40])).collect();
        assert!(is_rtp(&flow));
        assert_eq!(meaning(&flow, 97, &AnalysisOptions::default()).clock_rate, Some(22_050));
        assert!(!is_rtp(&flow[..5]));
    }

    #[test]
    fn counters_that_stand_still_or_jump_are_no_rtp() {
        let still: Vec<Held> = (0..20u16).map(|i| held(5, u32::from(i) * 160, 7, &[1])).collect();
        assert!(!is_rtp(&still));
        let jumping: Vec<Held> =
            (0..20u16).map(|i| held(i.wrapping_mul(7919), u32::from(i) * 160, 7, &[1])).collect();
        assert!(!is_rtp(&jumping));
        let frozen: Vec<Held> = (0..20).map(|i| held(i, 99, 7, &[1])).collect();
        assert!(!is_rtp(&frozen));
        let wild: Vec<Held> =
            (0..20).map(|i| held(i, u32::from(i).wrapping_mul(0x9e37_79b9), 7, &[1])).collect();
        assert!(!is_rtp(&wild));
    }
}
