//! Cutting access units to packets (RFC 6184 section 6).

use super::nal::nal_type;
use super::parameter_sets::ParameterSets;
use super::{NalUnits, PacketizationMode};
use crate::rtp::payload::{PayloadError, PayloadPacket};
use bytes::{BufMut, Bytes, BytesMut};

/// Cuts H.264 access units to packets.
///
/// A NAL unit goes into a packet of its own, uncopied. In mode 1, neighbouring NAL units that are no slices
/// (parameter sets, SEI) share a packet, and one that is larger than a packet is fragmented. An IDR picture
/// that comes without parameter sets gets the latest ones.
#[derive(Debug)]
pub struct H264Packetizer {
    mode: PacketizationMode,
    parameter_sets: ParameterSets,
    /// The NAL units at hand, kept for its allocation.
    nals: Vec<Bytes>,
}

impl H264Packetizer {
    /// A packetizer that keeps to `mode`.
    pub fn new(mode: PacketizationMode) -> Self {
        H264Packetizer { mode, parameter_sets: ParameterSets::default(), nals: Vec::new() }
    }

    /// Cuts an Annex B access unit to payloads of at most `max_payload` octets. NAL units of types that H.264
    /// leaves unspecified (0, 24 to 31) are left out: in RTP those types mean something else.
    ///
    /// # Errors
    ///
    /// [`PayloadError::Empty`] where there is no NAL unit, [`PayloadError::NotAnnexB`], in mode 0
    /// [`PayloadError::NalTooLarge`], and [`PayloadError::PacketTooSmall`] where not even a fragment fits.
    pub fn packetize(
        &mut self,
        frame: &Bytes,
        max_payload: usize,
        out: &mut Vec<PayloadPacket>,
    ) -> Result<(), PayloadError> {
        if frame.is_empty() {
            return Err(PayloadError::Empty);
        }
        let units = NalUnits::new(frame).ok_or(PayloadError::NotAnnexB)?;
        self.nals.clear();
        self.nals.extend(units.filter(|nal| matches!(type_of(nal), 1..=23)));
        self.parameter_sets.complete(&mut self.nals);
        let before = out.len();
        let result = cut(&self.nals, self.mode, max_payload, out);
        self.nals.clear();
        match result {
            Ok(()) if out.len() == before => Err(PayloadError::Empty),
            Ok(()) => {
                if let Some(last) = out.last_mut() {
                    last.marker = true;
                }
                Ok(())
            }
            Err(error) => {
                out.truncate(before);
                Err(error)
            }
        }
    }
}

/// Appends the packets of an access unit, all without marker.
fn cut(
    mut nals: &[Bytes],
    mode: PacketizationMode,
    max: usize,
    out: &mut Vec<PayloadPacket>,
) -> Result<(), PayloadError> {
    while let Some((nal, rest)) = nals.split_first() {
        let mode_1 = mode == PacketizationMode::NonInterleaved;
        if mode_1 && let Some((together, rest)) = aggregatable(nals, max) {
            out.push(packet(stap_a(together)));
            nals = rest;
            continue;
        }
        if nal.len() <= max {
            out.push(packet(nal.clone()));
        } else if mode_1 {
            fragment(nal, max, out)?;
        } else {
            return Err(PayloadError::NalTooLarge { nal_type: type_of(nal), size: nal.len(), max });
        }
        nals = rest;
    }
    Ok(())
}

/// The NAL units at the front that can share a packet, where there are at least two, and those after them.
///
/// Slices stay alone: a lost packet then costs one slice.
fn aggregatable(nals: &[Bytes], max: usize) -> Option<(&[Bytes], &[Bytes])> {
    let mut size = 1;
    let mut count = 0;
    for nal in nals {
        size += 2 + nal.len();
        if size > max || nal.len() > usize::from(u16::MAX) || nal_type::is_slice(type_of(nal)) {
            break;
        }
        count += 1;
    }
    if count < 2 { None } else { nals.split_at_checked(count) }
}

/// A single-time aggregation packet (RFC 6184 section 5.7.1).
fn stap_a(nals: &[Bytes]) -> Bytes {
    let size = nals.iter().map(|nal| 2 + nal.len()).sum::<usize>();
    let mut payload = BytesMut::with_capacity(1 + size);
    // The F bit of any, the highest NRI of all (section 5.7).
    let headers = || nals.iter().filter_map(|nal| nal.first());
    let forbidden = headers().fold(0, |bits, header| bits | header & 0x80);
    let nri = headers().map(|header| header & 0x60).max().unwrap_or(0);
    payload.put_u8(forbidden | nri | nal_type::STAP_A);
    for nal in nals {
        payload.put_u16(nal.len() as u16);
        payload.put_slice(nal);
    }
    payload.freeze()
}

/// Appends the fragments of a NAL unit (RFC 6184 section 5.8), as equal in size as can be, all in one
/// allocation.
fn fragment(nal: &Bytes, max: usize, out: &mut Vec<PayloadPacket>) -> Result<(), PayloadError> {
    let too_small = PayloadError::PacketTooSmall { max };
    let room = max.checked_sub(2).filter(|&room| room > 0).ok_or(too_small)?;
    let (header, body) = nal.split_first().ok_or(PayloadError::Empty)?;
    // At least 2: the NAL unit is larger than a packet, so start and end are never in the same one.
    let count = body.len().div_ceil(room);
    let size = body.len().div_ceil(count);
    let mut packets = BytesMut::with_capacity(body.len() + 2 * count);
    let mut parts = body.chunks(size).peekable();
    let mut start = 0x80;
    while let Some(part) = parts.next() {
        let end = if parts.peek().is_none() { 0x40 } else { 0 };
        packets.put_u8(header & 0xe0 | nal_type::FU_A);
        packets.put_u8(start | end | nal_type::of(*header));
        packets.put_slice(part);
        start = 0;
    }
    let mut packets = packets.freeze();
    while !packets.is_empty() {
        let next = packets.split_to(packets.len().min(2 + size));
        out.push(packet(next));
    }
    Ok(())
}

fn packet(payload: Bytes) -> PayloadPacket {
    PayloadPacket { payload, marker: false, timestamp_offset: 0 }
}

fn type_of(nal: &Bytes) -> u8 {
    nal.first().map_or(0, |&header| nal_type::of(header))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1f, 0x8c];
    const PPS: &[u8] = &[0x68, 0xce, 0x3c];
    const SEI: &[u8] = &[0x06, 0x05, 0x80];

    fn annex_b(nals: &[&[u8]]) -> Bytes {
        nals.iter().flat_map(|nal| [&[0, 0, 0, 1], *nal].concat()).collect()
    }

    fn packetize(
        mode: PacketizationMode,
        frame: &Bytes,
        max: usize,
    ) -> Result<Vec<(Vec<u8>, bool)>, PayloadError> {
        let mut out = Vec::new();
        H264Packetizer::new(mode).packetize(frame, max, &mut out)?;
        Ok(out.into_iter().map(|packet| (packet.payload.to_vec(), packet.marker)).collect())
    }

    #[test]
    fn mode_0_sends_each_nal_unit_alone_and_marks_the_last() {
        let slice = [0x65; 100];
        let packets = packetize(PacketizationMode::SingleNal, &annex_b(&[SPS, PPS, &slice]), 100).unwrap();
        let expected = [(SPS.to_vec(), false), (PPS.to_vec(), false), (slice.to_vec(), true)];
        assert_eq!(packets, expected);
    }

    #[test]
    fn mode_0_refuses_a_nal_unit_that_does_not_fit_and_sends_nothing_of_its_picture() {
        let mut out = Vec::new();
        let mut packetizer = H264Packetizer::new(PacketizationMode::SingleNal);
        let frame = annex_b(&[SPS, PPS, &[0x65; 101]]);
        let error = packetizer.packetize(&frame, 100, &mut out).unwrap_err();
        assert_eq!(error, PayloadError::NalTooLarge { nal_type: 5, size: 101, max: 100 });
        assert_eq!(out, []);
    }

    #[test]
    fn mode_1_sends_small_nal_units_together_but_slices_alone() {
        let (first, second): (&[u8], &[u8]) = (&[0x65, 0x88], &[0x65, 0x48]);
        let frame = annex_b(&[SPS, PPS, SEI, first, second]);
        let packets = packetize(PacketizationMode::NonInterleaved, &frame, 100).unwrap();
        let stap = [&[0x78, 0, 5], SPS, &[0, 3], PPS, &[0, 3], SEI].concat();
        assert_eq!(packets, [(stap, false), (first.to_vec(), false), (second.to_vec(), true)]);
        // The third does not fit with the two before it, and has nobody else to go with.
        let packets = packetize(PacketizationMode::NonInterleaved, &frame, 14).unwrap();
        assert_eq!(packets[0].0, [&[0x78, 0, 5], SPS, &[0, 3], PPS].concat());
        assert_eq!(packets[1].0, SEI);
    }

    #[test]
    fn mode_1_fragments_a_large_nal_unit_evenly() {
        let nal: Vec<u8> = [0x41].into_iter().chain(1..=20).collect();
        let packets = packetize(PacketizationMode::NonInterleaved, &annex_b(&[&nal]), 10).unwrap();
        let part =
            |header: u8, from: u8, to: u8| [0x5c, header].into_iter().chain(from..=to).collect::<Vec<_>>();
        let expected = [(part(0x81, 1, 7), false), (part(0x01, 8, 14), false), (part(0x41, 15, 20), true)];
        assert_eq!(packets, expected);
    }

    #[test]
    fn a_fragmented_nal_unit_never_has_start_and_end_in_one_packet() {
        for size in 4..200 {
            let nal = vec![0x65; size];
            let packets = packetize(PacketizationMode::NonInterleaved, &annex_b(&[&nal]), 3).unwrap();
            assert!(
                packets.iter().all(|(payload, _)| payload.len() <= 3 && payload[1] & 0xc0 != 0xc0),
                "{size}"
            );
        }
    }

    #[test]
    fn an_aggregation_packet_has_the_highest_importance_of_its_nal_units() {
        let packets =
            packetize(PacketizationMode::NonInterleaved, &annex_b(&[SEI, &[0x28, 1], &[0x86, 1]]), 100)
                .unwrap();
        assert_eq!(packets[0].0[0], 0x80 | 0x20 | 24);
    }

    #[test]
    fn an_idr_picture_is_preceded_by_the_parameter_sets_of_an_earlier_one() {
        let mut packetizer = H264Packetizer::new(PacketizationMode::NonInterleaved);
        let mut out = Vec::new();
        packetizer.packetize(&annex_b(&[SPS, PPS, &[0x65, 0x88]]), 100, &mut out).unwrap();
        packetizer.packetize(&annex_b(&[&[0x65, 0x89]]), 100, &mut out).unwrap();
        assert_eq!(out.len(), 4);
        assert_eq!(out[0].payload, out[2].payload);
        assert_eq!(out[3].payload, [0x65, 0x89][..]);
        assert_eq!(out.iter().map(|packet| packet.marker).collect::<Vec<_>>(), [false, true, false, true]);
    }

    #[test]
    fn input_that_is_no_access_unit_is_refused() {
        let mode = PacketizationMode::NonInterleaved;
        assert_eq!(packetize(mode, &Bytes::new(), 100), Err(PayloadError::Empty));
        assert_eq!(packetize(mode, &annex_b(&[&[]]), 100), Err(PayloadError::Empty));
        // Only types that mean something else in RTP.
        assert_eq!(packetize(mode, &annex_b(&[&[0x78, 1], &[0x1f, 2]]), 100), Err(PayloadError::Empty));
        assert_eq!(packetize(mode, &Bytes::from_static(&[0x65, 0x88]), 100), Err(PayloadError::NotAnnexB));
        assert_eq!(packetize(mode, &annex_b(&[&[0x65; 9]]), 2), Err(PayloadError::PacketTooSmall { max: 2 }));
    }
}
