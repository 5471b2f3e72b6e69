//! The little of the H.264 bitstream (ITU-T H.264, 08/2021) that stands above slices: NAL units in an Annex B
//! byte stream, and what a sequence parameter set says of profile, level and size.

/// `nal_unit_type` of a coded slice of an IDR picture (table 7-1).
pub const NAL_IDR: u8 = 5;
/// `nal_unit_type` of supplemental enhancement information.
pub const NAL_SEI: u8 = 6;
/// `nal_unit_type` of a sequence parameter set.
pub const NAL_SPS: u8 = 7;
/// `nal_unit_type` of a picture parameter set.
pub const NAL_PPS: u8 = 8;

/// The NAL units of an Annex B byte stream, without start codes and trailing zeros, in order.
pub fn nal_units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    nal_ranges(data).map(|range| &data[range])
}

/// `nal_unit_type` of a NAL unit; 0 (unspecified) for an empty one.
pub fn nal_type(nal: &[u8]) -> u8 {
    nal.first().map_or(0, |header| header & 0x1f)
}

/// Where the NAL units of an Annex B byte stream lie.
pub(super) fn nal_ranges(data: &[u8]) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut next = start_code(data, 0);
    std::iter::from_fn(move || {
        let start = next? + 3;
        next = start_code(data, start);
        let mut end = next.unwrap_or(data.len());
        // Zeros before a start code, or at the end, belong to no NAL unit (B.1.1).
        while end > start && data[end - 1] == 0 {
            end -= 1;
        }
        Some(start..end)
    })
    .filter(|range| !range.is_empty())
}

/// Where the next `00 00 01` begins.
fn start_code(data: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(window) = data.get(at..at + 3) {
        match window {
            [0, 0, 1] => return Some(at),
            // No start code can begin at an octet above 1, nor at either of the two before it.
            [_, _, last] if *last > 1 => at += 3,
            _ => at += 1,
        }
    }
    None
}

/// Facts of a sequence parameter set (7.3.2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpsInfo {
    /// `profile_idc`, the constraint flags, `level_idc`: RFC 6184's `profile-level-id`.
    pub profile_level_id: [u8; 3],
    /// Macroblocks across.
    pub width_mbs: u32,
    /// Macroblocks down.
    pub height_mbs: u32,
    /// `max_num_ref_frames`.
    pub ref_frames: u32,
    /// Pixels across, cropping applied.
    pub width: u32,
    /// Pixels down, cropping applied.
    pub height: u32,
}

impl SpsInfo {
    /// Macroblocks in a picture.
    pub fn macroblocks(&self) -> u32 {
        self.width_mbs.saturating_mul(self.height_mbs)
    }

    /// Reads an SPS NAL unit (header octet included); `None` where it is no SPS or breaks off.
    pub fn parse(nal: &[u8]) -> Option<SpsInfo> {
        if nal_type(nal) != NAL_SPS {
            return None;
        }
        let mut bits = Bits::new(nal.get(1..)?);
        let profile_level_id = [bits.take(8)? as u8, bits.take(8)? as u8, bits.take(8)? as u8];
        bits.ue()?; // seq_parameter_set_id
        let mut chroma_format = 1;
        if matches!(
            profile_level_id[0],
            100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
        ) {
            chroma_format = bits.ue()?;
            if chroma_format == 3 {
                bits.take(1)?; // separate_colour_plane_flag
            }
            bits.ue()?; // bit_depth_luma_minus8
            bits.ue()?; // bit_depth_chroma_minus8
            bits.take(1)?; // qpprime_y_zero_transform_bypass_flag
            if bits.take(1)? == 1 {
                for list in 0..if chroma_format == 3 { 12 } else { 8 } {
                    bits.skip_scaling_list(if list < 6 { 16 } else { 64 })?;
                }
            }
        }
        bits.ue()?; // log2_max_frame_num_minus4
        match bits.ue()? {
            0 => drop(bits.ue()?), // log2_max_pic_order_cnt_lsb_minus4
            1 => {
                bits.take(1)?; // delta_pic_order_always_zero_flag
                bits.ue()?; // offset_for_non_ref_pic
                bits.ue()?; // offset_for_top_to_bottom_field
                let cycle = bits.ue()?;
                for _ in 0..cycle.min(255) {
                    bits.ue()?; // offset_for_ref_frame
                }
            }
            _ => {}
        }
        let ref_frames = bits.ue()?;
        bits.take(1)?; // gaps_in_frame_num_value_allowed_flag
        let width_mbs = bits.ue()?.checked_add(1)?;
        let map_units = bits.ue()?.checked_add(1)?;
        let frame_mbs_only = bits.take(1)?;
        let height_mbs = map_units.checked_mul(2 - frame_mbs_only)?;
        if frame_mbs_only == 0 {
            bits.take(1)?; // mb_adaptive_frame_field_flag
        }
        bits.take(1)?; // direct_8x8_inference_flag
        let mut crop = [0; 4];
        if bits.take(1)? == 1 {
            for side in &mut crop {
                *side = bits.ue()?;
            }
        }
        let [left, right, top, bottom] = crop;
        let unit_x = if matches!(chroma_format, 1 | 2) { 2 } else { 1 };
        let unit_y = if chroma_format == 1 { 2 } else { 1 } * (2 - frame_mbs_only);
        let width = width_mbs.checked_mul(16)?.checked_sub(left.checked_add(right)?.checked_mul(unit_x)?)?;
        let height =
            height_mbs.checked_mul(16)?.checked_sub(top.checked_add(bottom)?.checked_mul(unit_y)?)?;
        Some(SpsInfo { profile_level_id, width_mbs, height_mbs, ref_frames, width, height })
    }
}

/// Whether decoding can start at this NAL unit: an IDR slice, or the SEI of a recovery point that is exact
/// with the picture it stands before (D.1.8: payload type 6, `recovery_frame_cnt` 0).
pub fn is_random_access(nal: &[u8]) -> bool {
    match nal_type(nal) {
        NAL_IDR => true,
        NAL_SEI => matches!(nal, [_, 6, _, first, ..] if first & 0x80 != 0),
        _ => false,
    }
}

/// Reads the bits of an RBSP, emulation prevention octets (7.4.1) left out.
struct Bits<'a> {
    data: &'a [u8],
    zeros: u8,
    /// Bits read from the octet at the head and bits left in it.
    current: u8,
    left: u8,
}

impl<'a> Bits<'a> {
    fn new(data: &'a [u8]) -> Self {
        Bits { data, zeros: 0, current: 0, left: 0 }
    }

    fn octet(&mut self) -> Option<u8> {
        let (&head, rest) = self.data.split_first()?;
        self.data = rest;
        if head == 3 && self.zeros >= 2 {
            self.zeros = 0;
            return self.octet();
        }
        self.zeros = if head == 0 { self.zeros.saturating_add(1) } else { 0 };
        Some(head)
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            if self.left == 0 {
                self.current = self.octet()?;
                self.left = 8;
            }
            self.left -= 1;
            value = (value << 1) | u32::from((self.current >> self.left) & 1);
        }
        Some(value)
    }

    /// An unsigned Exp-Golomb code (9.1).
    fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.take(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.take(zeros)?)
    }

    fn skip_scaling_list(&mut self, size: u32) -> Option<()> {
        if self.take(1)? == 0 {
            return Some(());
        }
        let (mut last, mut next) = (8i64, 8i64);
        for _ in 0..size {
            if next != 0 {
                let code = i64::from(self.ue()?);
                // The signed mapping of 9.1.1.
                let delta = if code % 2 == 0 { -(code / 2) } else { code / 2 + 1 };
                next = (last + delta + 256).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nal_units_are_found_behind_start_codes_of_both_lengths() {
        let data = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 4, 0, 0];
        let units: Vec<&[u8]> = nal_units(&data).collect();
        assert_eq!(units, [&[0x67, 1, 2][..], &[0x68, 3], &[0x65, 4]]);
        assert_eq!(nal_units(&[0, 0, 1]).count(), 0);
        assert_eq!(nal_units(&[9, 9, 9]).count(), 0);
    }

    #[test]
    fn an_sps_of_x264_with_cropping_is_read() {
        // High profile level 4.0, 1920x1080 out of 1920x1088, four reference frames.
        let nal = [
            0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x02, 0x27, 0xe5, 0x84, 0x00, 0x00, 0x03, 0x00,
            0x04, 0x00, 0x00, 0x03, 0x00, 0xf0, 0x3c, 0x60, 0xc6, 0x58,
        ];
        let sps = SpsInfo::parse(&nal).unwrap();
        assert_eq!((sps.width, sps.height, sps.macroblocks()), (1_920, 1_080, 8_160));
        assert_eq!((sps.profile_level_id, sps.ref_frames), ([0x64, 0, 0x28], 4));
    }

    #[test]
    fn a_recovery_point_counts_as_a_start_only_where_it_is_exact() {
        assert!(is_random_access(&[0x65, 0x88]));
        assert!(is_random_access(&[0x06, 0x06, 0x01, 0xc4, 0x80]));
        assert!(!is_random_access(&[0x06, 0x06, 0x01, 0x34, 0x80]));
        assert!(!is_random_access(&[0x06, 0x05, 0x01, 0xc4]));
        assert!(!is_random_access(&[0x41, 0x9a]));
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_harm(mut nal in prop::collection::vec(any::<u8>(), 0..64)) {
            nal.insert(0, 0x67);
            if let Some(sps) = SpsInfo::parse(&nal) {
                prop_assert!(u64::from(sps.width) <= u64::from(sps.width_mbs) * 16);
            }
        }

        #[test]
        fn splitting_gives_back_what_was_joined(units in prop::collection::vec(prop::collection::vec(2u8..=255, 1..20), 1..8)) {
            let data: Vec<u8> = units.iter().flat_map(|unit| [&[0, 0, 0, 1][..], unit].concat()).collect();
            prop_assert_eq!(nal_units(&data).collect::<Vec<_>>(), units);
        }
    }
}
