use super::*;
use crate::time::Time;

const HBR: AacFormat = AacFormat { framing: AudioFraming::AuHeaders(AuHeaderLayout::HBR), frame_ticks: 480 };
const LBR: AacFormat = AacFormat { framing: AudioFraming::AuHeaders(AuHeaderLayout::LBR), frame_ticks: 480 };

fn depacketizer(format: AacFormat) -> AacDepacketizer {
    AacDepacketizer::new(format, 48_000, &Limits::default())
}

fn packet(sequence: u64, timestamp: u64, marker: bool, payload: &[u8]) -> Packet {
    let payload = Bytes::copy_from_slice(payload);
    Packet { payload, timestamp, sequence, marker, received: Time::ZERO, play_at: Time::from_millis(100) }
}

fn polled(depacketizer: &mut AacDepacketizer) -> Vec<(u64, Vec<u8>)> {
    std::iter::from_fn(|| depacketizer.poll()).map(|unit| (unit.timestamp, unit.data.to_vec())).collect()
}

/// An AAC-hbr packet of access units of one octet each, which is their index, at these indices.
fn interleaved(sequence: u64, indices: &[u8]) -> Packet {
    let mut payload = (indices.len() as u16 * 16).to_be_bytes().to_vec();
    let mut next = indices[0];
    for index in indices {
        payload.extend((1u16 << 3 | u16::from(index - next)).to_be_bytes());
        next = index + 1;
    }
    payload.extend(indices);
    packet(sequence, u64::from(indices[0]) * 480, true, &payload)
}

#[test]
fn an_access_unit_travels_behind_a_header_of_its_size() {
    let frame = Bytes::from(vec![0x21; 300]);
    let mut out = Vec::new();
    AacPacketizer::new(HBR.framing).packetize(&frame, 1_200, &mut out).unwrap();
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].payload, [&[0x00, 0x10, 0x09, 0x60], &frame[..]].concat());
    assert!(out[0].marker);
    let mut aac = depacketizer(HBR);
    aac.push(packet(1, 960, true, &out[0].payload));
    assert_eq!(polled(&mut aac), [(960, frame.to_vec())]);
}

#[test]
fn raw_framing_adds_nothing() {
    let frame = Bytes::from_static(&[1, 2, 3]);
    let mut out = Vec::new();
    let mut packetizer = AacPacketizer::new(AudioFraming::Raw);
    packetizer.packetize(&frame, 3, &mut out).unwrap();
    assert_eq!(out, [PayloadPacket { payload: frame.clone(), marker: true, timestamp_offset: 0 }]);
    let error = PayloadError::FrameTooLarge { size: 3, max: 2 };
    assert_eq!(packetizer.packetize(&frame, 2, &mut out), Err(error));
    let mut aac = depacketizer(AacFormat { framing: AudioFraming::Raw, frame_ticks: 480 });
    aac.push(packet(1, 480, false, &frame));
    aac.push(packet(2, 960, false, &[]));
    assert_eq!(polled(&mut aac), [(480, vec![1, 2, 3])]);
}

#[test]
fn several_access_units_in_a_packet_follow_each_other_in_time() {
    let mut aac = depacketizer(HBR);
    aac.push(packet(1, 4_800, true, &[0x00, 0x20, 0x00, 0x08, 0x00, 0x10, 0xaa, 0xbb, 0xcc]));
    let units: Vec<Unit> = std::iter::from_fn(|| aac.poll()).collect();
    assert_eq!(
        units.iter().map(|u| (u.timestamp, &u.data[..])).collect::<Vec<_>>(),
        [(4_800, &[0xaa][..]), (5_280, &[0xbb, 0xcc])]
    );
    assert_eq!(units[1].play_at, Time::from_millis(110));
}

#[test]
fn the_header_fields_have_the_widths_that_were_negotiated() {
    let mut aac = depacketizer(LBR);
    aac.push(packet(1, 0, true, &[0x00, 0x10, 0x04, 0x08, 0xaa, 0xbb, 0xcc]));
    assert_eq!(polled(&mut aac), [(0, vec![0xaa]), (480, vec![0xbb, 0xcc])]);
    let layout = AuHeaderLayout { size_length: 11, index_length: 0, index_delta_length: 2 };
    let format = AacFormat { framing: AudioFraming::AuHeaders(layout), frame_ticks: 480 };
    let mut out = Vec::new();
    AacPacketizer::new(format.framing).packetize(&Bytes::from(vec![7; 3]), 100, &mut out).unwrap();
    assert_eq!(out[0].payload, [0x00, 0x0b, 0x00, 0x60, 7, 7, 7][..]);
    let mut aac = depacketizer(format);
    aac.push(packet(1, 0, true, &[0x00, 0x18, 0x00, 0x20, 0x04, 0xaa, 0xbb]));
    assert_eq!(polled(&mut aac), [(0, vec![0xaa]), (480, vec![0xbb])]);
}

#[test]
fn interleaved_access_units_come_out_in_order() {
    // The pattern of RFC 3640 figure 6.
    let mut aac = depacketizer(HBR);
    let mut order = Vec::new();
    for (i, indices) in
        [&[0, 3, 6][..], &[1, 4, 7], &[2, 5, 8], &[9, 12], &[10, 13], &[11, 14]].iter().enumerate()
    {
        aac.push(interleaved(i as u64, indices));
        order.push(polled(&mut aac).iter().map(|(_, data)| data[0]).collect::<Vec<_>>());
    }
    assert_eq!(order, [&[0][..], &[1], &[2, 3, 4, 5, 6, 7, 8], &[9], &[10], &[11, 12, 13, 14]]);
}

#[test]
fn interleaving_does_not_wait_for_what_was_lost() {
    let mut aac = depacketizer(HBR);
    let mut units = Vec::new();
    aac.push(interleaved(1, &[0, 3, 6]));
    aac.loss(1);
    aac.push(interleaved(3, &[2, 5, 8]));
    aac.push(interleaved(4, &[9, 12]));
    aac.finish();
    units.extend(std::iter::from_fn(|| aac.poll()).map(|unit| (unit.data[0], unit.lost_packets)));
    assert_eq!(units, [(0, 0), (2, 1), (3, 0), (5, 0), (6, 0), (8, 0), (9, 0), (12, 0)]);
}

#[test]
fn an_interleaved_access_unit_that_comes_too_late_is_dropped() {
    let mut aac = depacketizer(HBR);
    aac.push(interleaved(1, &[10, 13]));
    aac.push(interleaved(2, &[9, 14]));
    assert_eq!(polled(&mut aac).len(), 1);
    assert_eq!(aac.counters().late, 1);
}

#[test]
fn a_sender_whose_clock_begins_anew_is_not_late_for_ever() {
    let mut aac = depacketizer(HBR);
    aac.push(interleaved(1, &[200, 203]));
    aac.push(interleaved(2, &[0, 3]));
    aac.push(interleaved(3, &[1, 4]));
    let order: Vec<u8> = polled(&mut aac).iter().map(|(_, data)| data[0]).collect();
    assert_eq!(order, [200, 203, 0, 1]);
}

#[test]
fn a_large_access_unit_travels_in_fragments_that_say_its_whole_size() {
    let frame: Bytes = (0..=255).cycle().take(1_000).collect();
    let mut out = Vec::new();
    AacPacketizer::new(HBR.framing).packetize(&frame, 404, &mut out).unwrap();
    let sizes: Vec<usize> = out.iter().map(|packet| packet.payload.len()).collect();
    assert_eq!(sizes, [404, 404, 204]);
    assert_eq!(out.iter().map(|packet| packet.marker).collect::<Vec<_>>(), [false, false, true]);
    let mut aac = depacketizer(HBR);
    for (i, part) in out.iter().enumerate() {
        aac.push(packet(i as u64, 480, part.marker, &part.payload));
    }
    assert_eq!(polled(&mut aac), [(480, frame.to_vec())]);
}

#[test]
fn a_lost_fragment_takes_its_whole_access_unit_along() {
    let frame = Bytes::from(vec![0x5a; 1_000]);
    let mut parts = Vec::new();
    AacPacketizer::new(HBR.framing).packetize(&frame, 404, &mut parts).unwrap();
    for lost in 0..3 {
        let mut aac = depacketizer(HBR);
        for round in 0..2u64 {
            for (i, part) in parts.iter().enumerate() {
                if round == 0 && i == lost {
                    aac.loss(1);
                } else {
                    aac.push(packet(round * 3 + i as u64, round * 480, part.marker, &part.payload));
                }
            }
        }
        assert_eq!(polled(&mut aac), [(480, frame.to_vec())], "without fragment {lost}");
    }
}

#[test]
fn fragments_of_two_access_units_are_not_joined() {
    let fragment = |sequence, timestamp, marker, octet| {
        packet(sequence, timestamp, marker, &[&[0x00, 0x10, 0x00, 0x30], &[octet; 3][..]].concat())
    };
    // Another timestamp, a sequence number missing, a loss that the sequence numbers do not show.
    let mut aac = depacketizer(HBR);
    aac.push(fragment(1, 0, false, 1));
    aac.push(fragment(2, 480, true, 2));
    aac.push(fragment(3, 960, false, 3));
    aac.push(fragment(5, 960, true, 4));
    aac.push(fragment(6, 1_440, false, 5));
    aac.loss(1);
    aac.push(fragment(7, 1_440, true, 6));
    assert_eq!(polled(&mut aac), []);
    assert!(aac.fragments.is_none(), "a last fragment is no beginning");
    assert_eq!(aac.counters().incomplete, 6);
}

#[test]
fn headers_that_do_not_fit_the_packet_are_refused() {
    let mut aac = depacketizer(HBR);
    let wrong: [&[u8]; 6] = [
        &[],
        &[0x00],
        &[0x00, 0x00, 0xaa],
        // The section is longer than the packet; half a header; more headers than octets.
        &[0x00, 0x20, 0x00, 0x08],
        &[0x00, 0x08, 0x08, 0xaa],
        &[0xff, 0xff, 0x00, 0x08],
    ];
    for (i, payload) in wrong.iter().enumerate() {
        aac.push(packet(i as u64, 480 * i as u64, true, payload));
    }
    assert_eq!(aac.counters().malformed, 6);
    // Octets beyond the sizes: what the sizes cover is good.
    aac.push(packet(10, 9_600, true, &[0x00, 0x10, 0x00, 0x08, 0xaa, 0xbb]));
    assert_eq!(polled(&mut aac), [(9_600, vec![0xaa])]);
    assert_eq!(aac.counters().malformed, 7);
}

#[test]
fn an_access_unit_larger_than_its_size_field_is_refused() {
    let error = |format: AacFormat, size| {
        AacPacketizer::new(format.framing).packetize(&Bytes::from(vec![1; size]), 1_200, &mut Vec::new())
    };
    assert_eq!(error(HBR, 8_192), Err(PayloadError::FrameTooLarge { size: 8_192, max: 8_191 }));
    assert_eq!(error(LBR, 64), Err(PayloadError::FrameTooLarge { size: 64, max: 63 }));
    assert_eq!(error(HBR, 0), Err(PayloadError::Empty));
    let too_small = AacPacketizer::new(HBR.framing).packetize(&Bytes::from_static(&[1]), 4, &mut Vec::new());
    assert_eq!(too_small, Err(PayloadError::PacketTooSmall { max: 4 }));
}
