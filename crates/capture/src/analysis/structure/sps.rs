//! Sequence and picture parameter sets and slice headers of H.264, as far as they tell whether they are such.

use super::bits::Bits;

/// The largest side of a picture that is believed, pixels: level 6.2 allows no more.
const MAX_SIDE: u32 = 16_888;
/// The most macroblocks of a picture (ITU-T H.264 table A-1, level 6.2).
const MAX_MACROBLOCKS: u32 = 139_264;

/// Width and height of the pictures that a sequence parameter set describes (ITU-T H.264 clause 7.3.2.1.1), cropping
/// applied; `None` where it is none. `nal` begins with its header.
pub(crate) fn picture_size(nal: &[u8]) -> Option<(u32, u32)> {
    let (&header, rest) = nal.split_first()?;
    if header & 0x9f != 7 {
        return None;
    }
    let mut bits = Bits::new(rest);
    let profile = bits.bits(8)?;
    let _constraints_and_level = bits.bits(16)?;
    at_most(bits.ue()?, 31)?; // seq_parameter_set_id
    let mut chroma_format = 1;
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        chroma_format = at_most(bits.ue()?, 3)?;
        if chroma_format == 3 {
            bits.bit()?;
        }
        at_most(bits.ue()?, 6)?;
        at_most(bits.ue()?, 6)?;
        bits.bit()?;
        if bits.bit()? == 1 {
            skip_scaling_lists(&mut bits, if chroma_format == 3 { 12 } else { 8 })?;
        }
    } else if !matches!(profile, 66 | 77 | 88) {
        return None;
    }
    at_most(bits.ue()?, 12)?; // log2_max_frame_num_minus4
    match bits.ue()? {
        0 => {
            at_most(bits.ue()?, 12)?;
        }
        1 => {
            bits.bit()?;
            bits.se()?;
            bits.se()?;
            for _ in 0..at_most(bits.ue()?, 255)? {
                bits.se()?;
            }
        }
        2 => {}
        _ => return None,
    }
    at_most(bits.ue()?, 16)?; // max_num_ref_frames
    bits.bit()?;
    let across = at_most(bits.ue()?, MAX_SIDE / 16)? + 1;
    let down = at_most(bits.ue()?, MAX_SIDE / 16)? + 1;
    let frames_only = bits.bit()?;
    if frames_only == 0 {
        bits.bit()?;
    }
    bits.bit()?;
    let (mut width, mut height) = (across * 16, down * 16 * (2 - frames_only));
    if bits.bit()? == 1 {
        let [left, right, top, bottom] = [bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?];
        let (x, y) = match chroma_format {
            1 => (2, 2 * (2 - frames_only)),
            2 => (2, 2 - frames_only),
            _ => (1, 2 - frames_only),
        };
        width = width.checked_sub(left.checked_add(right)?.checked_mul(x)?)?;
        height = height.checked_sub(top.checked_add(bottom)?.checked_mul(y)?)?;
    }
    (width > 0 && height > 0).then_some((width, height))
}

fn skip_scaling_lists(bits: &mut Bits<'_>, count: u32) -> Option<()> {
    for list in 0..count {
        if bits.bit()? == 0 {
            continue;
        }
        let (mut last, mut next) = (8i64, 8i64);
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if next != 0 {
                next = (last + bits.se()? + 256).rem_euclid(256);
            }
            if next != 0 {
                last = next;
            }
        }
    }
    Some(())
}

/// Whether a picture parameter set begins as one can (clause 7.3.2.2). `rest` is what follows its header.
pub(super) fn is_pps(rest: &[u8]) -> bool {
    let mut bits = Bits::new(rest);
    let mut read = || {
        at_most(bits.ue()?, 255)?;
        at_most(bits.ue()?, 31)?;
        bits.bits(2)?;
        at_most(bits.ue()?, 7)
    };
    read().is_some()
}

/// Whether a slice header begins as one can (clause 7.3.3). `rest` is what follows the header of the NAL unit.
pub(super) fn is_slice(rest: &[u8]) -> bool {
    let mut bits = Bits::new(rest);
    let mut read = || {
        at_most(bits.ue()?, MAX_MACROBLOCKS)?;
        at_most(bits.ue()?, 9)?;
        at_most(bits.ue()?, 255)
    };
    read().is_some()
}

fn at_most(value: u32, most: u32) -> Option<u32> {
    (value <= most).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_pictures_stands_in_their_parameter_set() {
        // By x264: 640x480 High, by openh264: 320x240 constrained baseline.
        let high = [
            0x67, 0x64, 0, 0x1e, 0xac, 0xd9, 0x40, 0xa0, 0x3d, 0xa1, 0, 0, 3, 0, 1, 0, 0, 3, 0, 0x3c, 0x0f,
            0x16, 0x2d, 0x96,
        ];
        assert_eq!(picture_size(&high), Some((640, 480)));
        let baseline = [0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xf6, 0x84, 0x00];
        assert!(picture_size(&baseline).is_some());
        assert_eq!(picture_size(&[0x68, 0xce]), None);
        assert_eq!(picture_size(&[0x67, 0x13, 0x37, 0xff]), None);
    }
}
