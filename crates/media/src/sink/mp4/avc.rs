//! H.264 access units from the network as MP4 holds them: NAL units behind their lengths, parameter sets in the
//! sample description (ISO/IEC 14496-15).

use crate::codec::h264::{NAL_PPS, NAL_SPS, SpsInfo, is_random_access, nal_type, nal_units};
use shiguredo_mp4::Uint;
use shiguredo_mp4::boxes::{Avc1Box, AvccBox, SampleEntry, VisualSampleEntryFields};

/// Parameter sets that are remembered of each kind. Their numbers allow for 32 and 256; calls use one or two,
/// and `avcC` cannot hold more than 31 sequence parameter sets.
const MOST_SETS: usize = 31;

/// The longest parameter set that is remembered, octets: real ones are below 100.
const LONGEST_SET: usize = 4_096;
/// Descriptions of one recording. A stream that changes more often keeps the last, its sets in the samples.
const MOST_DESCRIPTIONS: u32 = 256;

/// What one access unit is in the file.
pub(super) struct AvcSample {
    /// NAL units, each behind its length in four octets.
    pub(super) data: Vec<u8>,
    /// Whether a player can start here.
    pub(super) keyframe: bool,
}

/// The parameter sets of a stream, and the sample description made of them.
#[derive(Debug, Default)]
pub(super) struct ParameterSets {
    sps: Vec<Vec<u8>>,
    pps: Vec<Vec<u8>>,
    /// Whether a set came that the description last given does not hold.
    changed: bool,
    /// Descriptions given. Behind the first one, the sets stay in the samples, too.
    descriptions: u32,
}

impl ParameterSets {
    /// Takes the access unit apart: learns its parameter sets and packs the rest.
    pub(super) fn sample(&mut self, access_unit: &[u8]) -> AvcSample {
        let mut sets = Vec::new();
        let mut rest = Vec::with_capacity(access_unit.len() + 16);
        let mut keyframe = false;
        for nal in nal_units(access_unit) {
            if self.learn(nal) {
                append(&mut sets, nal);
            } else {
                keyframe |= is_random_access(nal);
                append(&mut rest, nal);
            }
        }
        // Players differ in whether they follow a second sample description; the sets in front of its key
        // frames serve those that do not. The same holds for sets that change between key frames.
        let keep = self.descriptions > 1 || self.changed && self.descriptions > 0;
        let data = if keep && !sets.is_empty() { [sets, rest].concat() } else { rest };
        AvcSample { data, keyframe }
    }

    /// Learns a parameter set, from the stream or from SDP; whether it is one.
    pub(super) fn learn(&mut self, nal: &[u8]) -> bool {
        let (sets, header) = match nal_type(nal) {
            NAL_SPS => (&mut self.sps, 4),
            NAL_PPS => (&mut self.pps, 1),
            _ => return false,
        };
        let number = |set: &[u8]| set.get(header..).and_then(exp_golomb);
        let Some(id) = number(nal).filter(|_| nal.len() <= LONGEST_SET) else { return true };
        match sets.iter().position(|set| number(set) == Some(id)) {
            Some(index) if sets[index] == nal => return true,
            Some(index) => drop(sets.remove(index)),
            None if sets.len() == MOST_SETS => drop(sets.remove(0)),
            None => {}
        }
        sets.push(nal.to_vec());
        self.changed = true;
        true
    }

    /// A new sample description where the sets changed since the last one and make a whole; to be asked for at
    /// key frames.
    pub(super) fn description(&mut self) -> Option<SampleEntry> {
        if !self.changed || self.pps.is_empty() || self.descriptions == MOST_DESCRIPTIONS {
            return None;
        }
        // Of several, the newest says how large the pictures are.
        let info = self.sps.iter().rev().find_map(|sps| SpsInfo::parse(sps))?;
        let [profile, compatibility, level] = info.profile_level_id;
        let high = !matches!(profile, 66 | 77 | 88);
        let avcc_box = AvccBox {
            avc_profile_indication: profile,
            profile_compatibility: compatibility,
            avc_level_indication: level,
            length_size_minus_one: Uint::new(3),
            sps_list: self.sps.clone(),
            pps_list: self.pps.clone(),
            chroma_format: high.then_some(Uint::new(1)),
            bit_depth_luma_minus8: high.then_some(Uint::new(0)),
            bit_depth_chroma_minus8: high.then_some(Uint::new(0)),
            sps_ext_list: Vec::new(),
        };
        let visual = VisualSampleEntryFields {
            data_reference_index: VisualSampleEntryFields::DEFAULT_DATA_REFERENCE_INDEX,
            width: u16::try_from(info.width).ok()?,
            height: u16::try_from(info.height).ok()?,
            horizresolution: VisualSampleEntryFields::DEFAULT_HORIZRESOLUTION,
            vertresolution: VisualSampleEntryFields::DEFAULT_VERTRESOLUTION,
            frame_count: VisualSampleEntryFields::DEFAULT_FRAME_COUNT,
            compressorname: VisualSampleEntryFields::NULL_COMPRESSORNAME,
            depth: VisualSampleEntryFields::DEFAULT_DEPTH,
        };
        self.changed = false;
        self.descriptions += 1;
        Some(SampleEntry::Avc1(Avc1Box { visual, avcc_box, unknown_boxes: Vec::new() }))
    }
}

fn append(out: &mut Vec<u8>, nal: &[u8]) {
    // An access unit is far below 4 GiB: it came out of packets within one jitter buffer.
    out.extend_from_slice(&(nal.len() as u32).to_be_bytes());
    out.extend_from_slice(nal);
}

/// The unsigned Exp-Golomb number (ITU-T H.264, 9.1) that octets begin with: the number of a parameter set.
fn exp_golomb(octets: &[u8]) -> Option<u32> {
    let mut word = [0; 8];
    let length = octets.len().min(8);
    word[..length].copy_from_slice(&octets[..length]);
    let word = u64::from_be_bytes(word);
    let zeros = word.leading_zeros();
    (zeros <= 16 && (2 * zeros + 1) as usize <= 8 * length)
        .then(|| (word << zeros >> (63 - zeros)) as u32 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xf6, 0x84, 0x00];
    const PPS: &[u8] = &[0x68, 0xce, 0x38, 0x80];
    const OTHER_PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];
    const IDR: &[u8] = &[0x65, 0x88, 0x84];
    const SLICE: &[u8] = &[0x41, 0x9a, 0x02];

    fn annex_b(nals: &[&[u8]]) -> Vec<u8> {
        nals.iter().flat_map(|nal| [&[0, 0, 0, 1], *nal].concat()).collect()
    }

    #[test]
    fn exp_golomb_numbers_of_table_9_2() {
        let numbers = [0x80, 0x40, 0x60, 0x20, 0x28, 0x30, 0x38, 0x10, 0x00];
        let read: Vec<_> = numbers.iter().map(|&octet| exp_golomb(&[octet])).collect();
        assert_eq!(read, [Some(0), Some(1), Some(2), Some(3), Some(4), Some(5), Some(6), Some(7), None]);
        assert_eq!(exp_golomb(&[]), None);
    }

    #[test]
    fn parameter_sets_move_to_the_description_and_lengths_replace_start_codes() {
        let mut sets = ParameterSets::default();
        let first = sets.sample(&annex_b(&[SPS, PPS, IDR]));
        assert!(first.keyframe);
        assert_eq!(first.data, [&[0, 0, 0, 3], IDR].concat());
        assert!(matches!(sets.description(), Some(SampleEntry::Avc1(_))));
        assert!(!sets.sample(&annex_b(&[SLICE])).keyframe);
        let again = sets.sample(&annex_b(&[SPS, PPS, IDR]));
        assert_eq!(again.data, first.data);
        assert!(sets.description().is_none(), "the sets are the same");
    }

    #[test]
    fn a_changed_set_makes_a_new_description_and_stays_in_the_samples() {
        let mut sets = ParameterSets::default();
        sets.sample(&annex_b(&[SPS, PPS, IDR]));
        sets.description();
        let changed = sets.sample(&annex_b(&[SPS, OTHER_PPS, IDR]));
        assert_eq!(nal_type(&changed.data[4..]), NAL_SPS);
        let Some(SampleEntry::Avc1(entry)) = sets.description() else { panic!("no description") };
        assert_eq!(entry.avcc_box.pps_list, [OTHER_PPS]);
        let next = sets.sample(&annex_b(&[SPS, OTHER_PPS, IDR]));
        assert_eq!(nal_type(&next.data[4..]), NAL_SPS, "for players that stay with the first description");
    }

    #[test]
    fn nothing_starts_without_both_kinds_of_sets() {
        let mut sets = ParameterSets::default();
        sets.sample(&annex_b(&[PPS, IDR]));
        assert!(sets.description().is_none());
        assert!(sets.learn(SPS), "from SDP");
        assert!(sets.description().is_some());
    }
}
