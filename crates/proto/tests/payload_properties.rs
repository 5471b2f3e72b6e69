//! What holds of the payload formats for any input: what was sent is what is delivered, a loss never makes
//! anything up, and no packet does harm.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of a test fail like the test"
)]

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use visavis_proto::Time;
use visavis_proto::limits::Limits;
use visavis_proto::rtp::payload::aac::{AacFormat, AuHeaderLayout, AudioFraming};
use visavis_proto::rtp::payload::h264::{H264Format, NalUnits, PacketizationMode};
use visavis_proto::rtp::payload::latm::LatmFormat;
use visavis_proto::rtp::payload::sampled::SampledFormat;
use visavis_proto::rtp::payload::telephone_event::EventReceiver;
use visavis_proto::rtp::payload::{Depacketizer, Packet, Packetizer, PayloadFormat, PayloadPacket, Unit};

const CLOCK_RATE: u32 = 48_000;
const TICKS: u32 = 480;

const MODE_0: PacketizationMode = PacketizationMode::SingleNal;
const MODE_1: PacketizationMode = PacketizationMode::NonInterleaved;

fn h264(mode: PacketizationMode) -> PayloadFormat {
    PayloadFormat::H264(H264Format { mode, parameter_sets: Vec::new() })
}

fn aac(layout: AuHeaderLayout) -> PayloadFormat {
    PayloadFormat::Aac(AacFormat { framing: AudioFraming::AuHeaders(layout), frame_ticks: TICKS })
}

fn latm() -> PayloadFormat {
    PayloadFormat::Latm(LatmFormat { frame_ticks: TICKS, frames_per_element: 1 })
}

/// Any NAL unit of a type that a byte stream can carry: no start code in it, no zero octet at its end.
fn nal(types: &'static [u8], max: usize) -> impl Strategy<Value = Vec<u8>> {
    (0..4u8, prop::sample::select(types), vec(any::<u8>(), 0..max)).prop_map(|(nri, nal_type, body)| {
        let mut nal = vec![nri << 5 | nal_type];
        for octet in body {
            // Half of them small: zeros and start codes in the making.
            let octet = if octet < 0x80 { octet & 0x03 } else { octet };
            let zeros = nal.iter().rev().take_while(|&&octet| octet == 0).count();
            nal.push(if zeros >= 2 { octet.max(3) } else { octet });
        }
        // The first slice of a stream begins a picture.
        if let Some(octet) = nal.get_mut(1) {
            *octet |= 0x80;
        }
        if let [_, .., last] = &mut nal[..] {
            *last |= 1;
        }
        nal
    })
}

/// An access unit: mostly a picture, at times only parameter sets and the like. IDR pictures come with
/// parameter sets, so that the sender adds none.
fn access_unit() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let picture = (vec(nal(&[6, 9], 40), 0..2), vec(nal(&[1, 2, 19], 600), 1..5));
    let key_picture = (vec(nal(&[7], 60), 1..3), vec(nal(&[8], 20), 1..4), vec(nal(&[5], 600), 1..5));
    prop_oneof![
        6 => picture.prop_map(|(sei, slices)| [sei, slices].concat()),
        2 => key_picture.prop_map(|(sps, pps, slices)| [sps, pps, slices].concat()),
        1 => vec(nal(&[6, 7, 8, 9, 12, 23], 60), 1..4),
    ]
}

fn annex_b(nals: &[Vec<u8>]) -> Bytes {
    nals.iter().flat_map(|nal| [&[0, 0, 0, 1], &nal[..]].concat()).collect()
}

/// A packetized stream: the packets of each frame, with its timestamp.
fn packetize(format: &PayloadFormat, frames: &[Bytes], max: usize) -> Vec<(u64, Vec<PayloadPacket>)> {
    let mut packetizer = Packetizer::new(format);
    let mut stream = Vec::new();
    for (i, frame) in frames.iter().enumerate() {
        let mut packets = Vec::new();
        packetizer.packetize(frame, false, max, &mut packets).expect("the frame fits the format");
        assert!(packets.iter().all(|packet| packet.payload.len() <= max));
        stream.push((1_000_000 + i as u64 * u64::from(TICKS), packets));
    }
    stream
}

/// Receives a stream; packets whose entry in `arrives` is false are lost, with a notice in their place.
fn receive(
    format: &PayloadFormat,
    stream: &[(u64, Vec<PayloadPacket>)],
    arrives: &mut impl Iterator<Item = bool>,
) -> Vec<Unit> {
    let mut depacketizer = Depacketizer::new(format, CLOCK_RATE, &Limits::default());
    let mut units = Vec::new();
    let mut lost = 0;
    let packets = stream.iter().flat_map(|(timestamp, packets)| packets.iter().map(|p| (*timestamp, p)));
    for (sequence, (timestamp, packet)) in packets.enumerate() {
        if !arrives.next().unwrap_or(true) {
            lost += 1;
            continue;
        }
        if lost > 0 {
            depacketizer.loss(std::mem::take(&mut lost));
        }
        depacketizer.push(Packet {
            payload: packet.payload.clone(),
            timestamp: timestamp + u64::from(packet.timestamp_offset),
            sequence: sequence as u64,
            marker: packet.marker,
            received: Time::from_millis(sequence as u64),
            play_at: Time::from_millis(sequence as u64 + 50),
        });
        units.extend(std::iter::from_fn(|| depacketizer.poll()));
    }
    units
}

/// Access units as they are to be delivered, by timestamp: those without slices go before the next one.
fn expected(access_units: &[Vec<Vec<u8>>]) -> BTreeMap<u64, Bytes> {
    let mut expected = BTreeMap::new();
    let mut ahead: Vec<Vec<u8>> = Vec::new();
    for (i, nals) in access_units.iter().enumerate() {
        ahead.extend_from_slice(nals);
        if nals.iter().any(|nal| matches!(nal[0] & 0x1f, 1..=5 | 19..=21)) {
            expected.insert(1_000_000 + i as u64 * u64::from(TICKS), annex_b(&std::mem::take(&mut ahead)));
        }
    }
    expected
}

fn sent_and_received(units: &[Unit]) -> BTreeMap<u64, Bytes> {
    units.iter().map(|unit| (unit.timestamp, unit.data.clone())).collect()
}

proptest! {
    #[test]
    fn h264_without_loss_is_delivered_as_it_was_sent(
        access_units in vec(access_unit(), 1..8),
        max in 3..300usize,
        fits in any::<bool>(),
    ) {
        let largest = access_units.iter().flatten().map(Vec::len).max().unwrap_or(0);
        let (mode, max) = if fits { (MODE_0, max.max(largest)) } else { (MODE_1, max) };
        let frames: Vec<Bytes> = access_units.iter().map(|nals| annex_b(nals)).collect();
        let stream = packetize(&h264(mode), &frames, max);
        let units = receive(&h264(mode), &stream, &mut std::iter::repeat(true));
        prop_assert!(units.iter().all(|unit| unit.complete && unit.lost_packets == 0));
        prop_assert!(sent_and_received(&units) == expected(&access_units));
        for unit in &units {
            let idr = NalUnits::new(&unit.data).unwrap().any(|nal| nal[0] & 0x1f == 5);
            prop_assert_eq!(unit.keyframe, idr);
        }
    }

    #[test]
    fn h264_with_loss_is_complete_only_where_nothing_is_missing(
        access_units in vec(access_unit(), 1..9),
        max in 3..300usize,
        arrives in vec(prop::bool::weighted(0.9), 0..400),
        markers in any::<bool>(),
    ) {
        let frames: Vec<Bytes> = access_units.iter().map(|nals| annex_b(nals)).collect();
        let mut stream = packetize(&h264(MODE_1), &frames, max);
        if !markers {
            stream.iter_mut().flat_map(|(_, packets)| packets).for_each(|packet| packet.marker = false);
        }
        let units = receive(&h264(MODE_1), &stream, &mut arrives.iter().copied());
        let expected = expected(&access_units);
        for unit in &units {
            if unit.complete {
                prop_assert!(expected.get(&unit.timestamp) == Some(&unit.data), "{:?} is not complete", unit.timestamp);
            }
            for nal in NalUnits::new(&unit.data).expect("delivered access units are Annex B") {
                prop_assert!(access_units.iter().flatten().any(|sent| *sent == nal), "a NAL unit was made up");
            }
        }
        let lost = arrives.iter().take(stream.iter().map(|(_, packets)| packets.len()).sum()).filter(|a| !**a).count();
        let told: u64 = units.iter().map(|unit| u64::from(unit.lost_packets)).sum();
        prop_assert!(told <= lost as u64);
    }

    #[test]
    fn h264_packets_survive_in_access_units_that_lost_others(
        slices in vec(nal(&[1], 300), 2..8),
        lost in any::<prop::sample::Index>(),
    ) {
        let stream = packetize(&h264(MODE_0), &[annex_b(&slices), annex_b(&slices)], 1_200);
        let lost = lost.index(slices.len());
        let units = receive(&h264(MODE_0), &stream, &mut (0..).map(|i| i != lost));
        let mut rest = slices.clone();
        rest.remove(lost);
        prop_assert_eq!(&units[0].data, &annex_b(&rest));
        prop_assert!(!units[0].complete);
        prop_assert_eq!(&units[1].data, &annex_b(&slices));
    }

    #[test]
    fn aac_is_delivered_where_all_of_its_fragments_arrive(
        frames in vec(vec(any::<u8>(), 1..600), 1..15),
        max in 5..300usize,
        arrives in vec(prop::bool::weighted(0.9), 0..400),
    ) {
        let frames: Vec<Bytes> = frames.into_iter().map(Bytes::from).collect();
        let stream = packetize(&aac(AuHeaderLayout::HBR), &frames, max);
        let units = receive(&aac(AuHeaderLayout::HBR), &stream, &mut arrives.iter().copied());
        let mut arrives = arrives.into_iter();
        let mut whole = BTreeMap::new();
        for ((timestamp, packets), frame) in stream.iter().zip(&frames) {
            let arrived = packets.iter().filter(|_| arrives.next().unwrap_or(true)).count();
            if arrived == packets.len() {
                whole.insert(*timestamp, frame.clone());
            }
        }
        prop_assert_eq!(sent_and_received(&units), whole);
    }

    #[test]
    fn latm_delivers_only_what_was_sent_and_all_of_it_without_loss(
        frames in vec(vec(any::<u8>(), 1..600), 1..15),
        max in 1..300usize,
        arrives in vec(prop::bool::weighted(0.9), 0..400),
    ) {
        let frames: Vec<Bytes> = frames.into_iter().map(Bytes::from).collect();
        let stream = packetize(&latm(), &frames, max);
        let sent: BTreeMap<u64, Bytes> = stream.iter().map(|(t, _)| *t).zip(frames).collect();
        let all = receive(&latm(), &stream, &mut std::iter::repeat(true));
        prop_assert_eq!(sent_and_received(&all), sent.clone());
        for unit in receive(&latm(), &stream, &mut arrives.into_iter()) {
            prop_assert_eq!(Some(&unit.data), sent.get(&unit.timestamp));
        }
    }

    #[test]
    fn latm_that_is_not_fragmented_loses_only_what_is_lost(
        frames in vec(vec(any::<u8>(), 1..300), 1..30),
        arrives in vec(prop::bool::weighted(0.8), 40),
    ) {
        let frames: Vec<Bytes> = frames.into_iter().map(Bytes::from).collect();
        let stream = packetize(&latm(), &frames, 1_200);
        // Where the stream began cannot be known if its first packet was lost.
        let arrives: Vec<bool> = std::iter::once(true).chain(arrives).collect();
        let units = receive(&latm(), &stream, &mut arrives.iter().copied());
        let kept: Vec<&Bytes> = frames.iter().zip(&arrives).filter(|(_, a)| **a).map(|(frame, _)| frame).collect();
        prop_assert_eq!(units.iter().map(|unit| &unit.data).collect::<Vec<_>>(), kept);
    }

    #[test]
    fn sampled_sound_of_any_packet_time_is_delivered_in_place(
        frame in vec(any::<u8>(), 1..2_000),
        max in 1..1_500usize,
    ) {
        let format = PayloadFormat::Sampled(SampledFormat::MONO);
        let frame = Bytes::from(frame);
        let stream = packetize(&format, std::slice::from_ref(&frame), max);
        let units = receive(&format, &stream, &mut std::iter::repeat(true));
        let mut at = 1_000_000;
        for unit in &units {
            prop_assert_eq!(unit.timestamp, at);
            at += unit.data.len() as u64;
        }
        let joined: Vec<u8> = units.iter().flat_map(|unit| unit.data.to_vec()).collect();
        prop_assert_eq!(&joined[..], &frame[..]);
    }
}

/// What may happen to a depacketizer.
#[derive(Clone, Debug)]
enum Happening {
    Packet { payload: Vec<u8>, ticks: i64, skipped: u64, marker: bool },
    Loss(u32),
}

fn happening() -> impl Strategy<Value = Happening> {
    // Payloads that look like something: a first octet of each structure, and small numbers after it.
    let header = prop_oneof![any::<u8>(), Just(0x78), Just(0x7c), Just(0x65), Just(0x00), Just(0xff)];
    let octet =
        prop::sample::select(&[0x00, 0x01, 0x02, 0x03, 0x05, 0x45, 0x7c, 0x80, 0x85, 0x88, 0xc5, 0xff][..]);
    let payload = (header, vec(octet, 0..60), 1..40usize)
        .prop_map(|(first, rest, times)| [vec![first], rest.repeat(times)].concat());
    let packet = (prop_oneof![9 => payload, 1 => Just(Vec::new())], -2..3i64, 0..3u64, any::<bool>());
    prop_oneof![
        9 => packet.prop_map(|(payload, ticks, skipped, marker)| {
            Happening::Packet { payload, ticks: ticks * i64::from(TICKS), skipped, marker }
        }),
        1 => any::<u32>().prop_map(Happening::Loss),
    ]
}

fn formats() -> Vec<PayloadFormat> {
    vec![
        h264(MODE_0),
        aac(AuHeaderLayout::HBR),
        aac(AuHeaderLayout::LBR),
        aac(AuHeaderLayout { size_length: 0, index_length: 0, index_delta_length: 0 }),
        aac(AuHeaderLayout { size_length: 255, index_length: 32, index_delta_length: 31 }),
        PayloadFormat::Aac(AacFormat { framing: AudioFraming::Raw, frame_ticks: TICKS }),
        latm(),
        PayloadFormat::Latm(LatmFormat { frame_ticks: 0, frames_per_element: 0 }),
        PayloadFormat::Latm(LatmFormat { frame_ticks: u32::MAX, frames_per_element: 255 }),
        PayloadFormat::Sampled(SampledFormat { octets_per_tick: 0 }),
        PayloadFormat::Opus,
    ]
}

proptest! {
    #[test]
    fn no_packet_harms_a_depacketizer(happenings in vec(happening(), 0..60), start in any::<u64>()) {
        const LIMIT: usize = 3_000;
        let limits = Limits { access_unit: LIMIT, ..Limits::default() };
        for format in formats() {
            let mut depacketizer = Depacketizer::new(&format, CLOCK_RATE, &limits);
            let mut events = EventReceiver::new(CLOCK_RATE);
            let (mut timestamp, mut sequence) = (start, start);
            for happening in &happenings {
                match happening {
                    Happening::Packet { payload, ticks, skipped, marker } => {
                        timestamp = timestamp.saturating_add_signed(*ticks);
                        sequence = sequence.saturating_add(*skipped);
                        let packet = Packet {
                            payload: Bytes::copy_from_slice(payload),
                            timestamp,
                            sequence,
                            marker: *marker,
                            received: Time::from_millis(5),
                            play_at: Time::from_millis(10),
                        };
                        events.push(&packet);
                        depacketizer.push(packet);
                    }
                    Happening::Loss(count) => depacketizer.loss(*count),
                }
                while let Some(unit) = depacketizer.poll() {
                    let largest = if matches!(format, PayloadFormat::H264(_)) { LIMIT } else { LIMIT.max(2_500) };
                    prop_assert!(!unit.data.is_empty() && unit.data.len() <= largest);
                }
                while events.poll(Time::from_millis(5)).is_some() {}
            }
            depacketizer.finish();
            while depacketizer.poll().is_some() {}
        }
    }

    #[test]
    fn no_frame_harms_a_packetizer(frame in vec(any::<u8>(), 0..600), max in 0..300usize) {
        let frame = Bytes::from(frame);
        let prefixed: Bytes = [&[0, 0, 1], &frame[..]].concat().into();
        for format in formats().into_iter().chain([h264(MODE_1)]) {
            for frame in [&frame, &prefixed] {
                let mut out = Vec::new();
                let result = Packetizer::new(&format).packetize(frame, true, max, &mut out);
                prop_assert_eq!(result.is_ok(), !out.is_empty());
                prop_assert!(out.iter().all(|packet| packet.payload.len() <= max && !packet.payload.is_empty()));
            }
        }
    }
}
