//! The parameter sets that a sender repeats before each IDR picture (RFC 6184 section 8.4): a receiver that
//! lost them, or joined late, can start from any of those pictures.

use super::nal::nal_type;
use bytes::Bytes;
use std::collections::BTreeMap;

/// The latest parameter sets of a stream, by their identifiers.
#[derive(Debug, Default)]
pub(super) struct ParameterSets {
    sequence: BTreeMap<u32, Bytes>,
    picture: BTreeMap<u32, Bytes>,
}

impl ParameterSets {
    /// Remembers the parameter sets of an access unit, and adds the remembered ones where it has an IDR
    /// picture without any of a kind.
    pub(super) fn complete(&mut self, nals: &mut Vec<Bytes>) {
        let (mut idr, mut last_sps, mut has_pps) = (false, None, false);
        for (i, nal) in nals.iter().enumerate() {
            match header(nal) {
                nal_type::SPS => {
                    // seq_parameter_set_id comes after three octets of profile and level.
                    remember(&mut self.sequence, nal, 4, 31);
                    last_sps = Some(i);
                }
                nal_type::PPS => {
                    remember(&mut self.picture, nal, 1, 255);
                    has_pps = true;
                }
                nal_type::IDR => idr = true,
                _ => {}
            }
        }
        if !idr {
            return;
        }
        // An access unit delimiter stays in front (ITU-T H.264 clause 7.4.1.2.3).
        let front = usize::from(nals.first().is_some_and(|nal| header(nal) == nal_type::AUD));
        if !has_pps {
            let at = last_sps.map_or(front, |i| i + 1);
            nals.splice(at..at, self.picture.values().cloned());
        }
        if last_sps.is_none() {
            nals.splice(front..front, self.sequence.values().cloned());
        }
    }
}

fn header(nal: &Bytes) -> u8 {
    nal.first().map_or(0, |&header| nal_type::of(header))
}

/// Keeps a copy of a parameter set (a slice would keep the whole picture alive) whose identifier stands at
/// octet `at`.
fn remember(sets: &mut BTreeMap<u32, Bytes>, nal: &Bytes, at: usize, max_id: u32) {
    let Some(id) = nal.get(at..).and_then(exp_golomb).filter(|&id| id <= max_id) else { return };
    if sets.get(&id) != Some(nal) {
        sets.insert(id, Bytes::copy_from_slice(nal));
    }
}

/// The value of the unsigned Exp-Golomb code at the beginning of `data` (ITU-T H.264 clause 9.1), where it
/// takes no more than 32 bits. In both kinds of parameter set this lies ahead of any emulation prevention
/// octet.
fn exp_golomb(data: &[u8]) -> Option<u32> {
    let mut octets = [0; 4];
    for (to, from) in octets.iter_mut().zip(data) {
        *to = *from;
    }
    let bits = u32::from_be_bytes(octets);
    let zeros = bits.leading_zeros();
    let value = bits.checked_shr(31u32.checked_sub(2 * zeros)?)?;
    value.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1f, 0x8c];
    const SPS1: &[u8] = &[0x67, 0x42, 0xc0, 0x1f, 0x4c];
    const PPS: &[u8] = &[0x68, 0xce, 0x3c];
    const IDR: &[u8] = &[0x65, 0x88];
    const AUD: &[u8] = &[0x09, 0xf0];

    fn complete(sets: &mut ParameterSets, nals: &[&'static [u8]]) -> Vec<Bytes> {
        let mut nals = nals.iter().map(|nal| Bytes::from_static(nal)).collect();
        sets.complete(&mut nals);
        nals
    }

    #[test]
    fn an_idr_picture_without_parameter_sets_gets_the_latest_ones() {
        let mut sets = ParameterSets::default();
        assert_eq!(complete(&mut sets, &[SPS, PPS, IDR]), [SPS, PPS, IDR]);
        assert_eq!(complete(&mut sets, &[&[0x41, 0x9a]]), [&[0x41, 0x9a][..]]);
        assert_eq!(complete(&mut sets, &[IDR]), [SPS, PPS, IDR]);
        assert_eq!(complete(&mut sets, &[AUD, IDR]), [AUD, SPS, PPS, IDR]);
        let changed: &[u8] = &[0x67, 0x64, 0, 0x20, 0x8c];
        assert_eq!(complete(&mut sets, &[AUD, changed, IDR]), [AUD, changed, PPS, IDR]);
        assert_eq!(complete(&mut sets, &[PPS, IDR]), [changed, PPS, IDR]);
    }

    #[test]
    fn parameter_sets_of_different_identifiers_are_kept_side_by_side() {
        let mut sets = ParameterSets::default();
        complete(&mut sets, &[SPS, SPS1, PPS]);
        assert_eq!(complete(&mut sets, &[IDR]), [SPS, SPS1, PPS, IDR]);
    }

    #[test]
    fn exp_golomb_codes_are_read_as_in_table_9_2() {
        for (data, value) in [(0x80, 0), (0x40, 1), (0x60, 2), (0x20, 3), (0x28, 4), (0x38, 6), (0x10, 7)] {
            assert_eq!(exp_golomb(&[data]), Some(value), "{data:#x}");
        }
        assert_eq!(exp_golomb(&[0x00, 0x80, 0x00]), Some(255));
        assert_eq!(exp_golomb(&[]), None);
        assert_eq!(exp_golomb(&[0, 0, 0, 1]), None);
    }
}
