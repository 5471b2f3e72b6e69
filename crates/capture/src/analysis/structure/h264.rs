//! Whether payloads are built as RFC 6184 has it.

use super::sps::{is_pps, is_slice, picture_size};

/// What was seen of a stream of payloads.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    /// Payloads that are built like H.264.
    pub(super) fits: u32,
    /// Payloads that are not.
    pub(super) misfits: u32,
    /// Fragments that go on where the one before ended.
    pub(super) continued: u32,
    /// Fragments that do not.
    pub(super) broken: u32,
    /// Sequence and picture parameter sets that make sense.
    pub(super) sets: u32,
    /// The NAL unit that is in fragments, and its next sequence number.
    open: Option<(u8, u16)>,
}

impl Evidence {
    /// Looks at the payload of the packet with this sequence number.
    pub(super) fn feed(&mut self, payload: &[u8], sequence: u16) {
        let fits = match payload {
            [indicator, rest @ ..] if indicator & 0x80 == 0 => match indicator & 0x1f {
                24 => self.aggregate(rest),
                28 => return self.fragment(*indicator, rest, sequence),
                _ => self.nal(payload),
            },
            _ => false,
        };
        self.open = None;
        self.count(fits);
    }

    fn count(&mut self, fits: bool) {
        *(if fits { &mut self.fits } else { &mut self.misfits }) += 1;
    }

    /// Whether a NAL unit is of a kind that calls send, and begins as one of that kind can.
    fn nal(&mut self, nal: &[u8]) -> bool {
        let Some((&header, rest)) = nal.split_first() else { return false };
        let (reference, kind) = (header >> 5 & 3, header & 0x1f);
        let fits = header & 0x80 == 0
            && match kind {
                1 => is_slice(rest),
                5 => reference != 0 && is_slice(rest),
                // Supplemental information, and the delimiter, have nal_ref_idc 0 (clause 7.4.1).
                6 => reference == 0 && rest.len() >= 2,
                9 => reference == 0 && rest.len() == 1,
                7 => reference != 0 && picture_size(nal).is_some(),
                8 => reference != 0 && rest.len() < 256 && is_pps(rest),
                _ => false,
            };
        self.sets += u32::from(fits && matches!(kind, 7 | 8));
        fits
    }

    fn aggregate(&mut self, mut rest: &[u8]) -> bool {
        let mut units = 0;
        while let Some(([high, low], after)) =
            rest.split_first_chunk::<2>().map(|(size, after)| (*size, after))
        {
            let Some((nal, next)) = after.split_at_checked(usize::from(u16::from_be_bytes([high, low])))
            else {
                return false;
            };
            if !self.nal(nal) {
                return false;
            }
            units += 1;
            rest = next;
        }
        units > 0 && rest.is_empty()
    }

    fn fragment(&mut self, indicator: u8, rest: &[u8], sequence: u16) {
        let open = self.open.take();
        let Some((&header, part)) = rest.split_first() else { return self.count(false) };
        let (start, end, reserved) = (header & 0x80 != 0, header & 0x40 != 0, header & 0x20 != 0);
        let kind = header & 0x1f;
        // RFC 6184 section 5.8: never start and end at once, the reserved bit 0, no fragments of fragments.
        let is_wrong = reserved || start && end || part.is_empty();
        let mut fits = !is_wrong && matches!(kind, 1 | 5..=8);
        if start {
            fits &= !matches!(kind, 1 | 5) || is_slice(part);
        } else if let Some((nal, _)) = open.filter(|&(_, next)| next == sequence) {
            let goes_on = nal == (indicator & 0x60 | kind);
            *(if goes_on { &mut self.continued } else { &mut self.broken }) += 1;
            fits &= goes_on;
        }
        if fits && !end {
            self.open = Some((indicator & 0x60 | kind, sequence.wrapping_add(1)));
        }
        self.count(fits);
    }
}
