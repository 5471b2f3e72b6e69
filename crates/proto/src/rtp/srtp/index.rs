//! Packet indices and the replay window: RFC 3711 sections 3.3.1 and 3.3.2.

use super::SrtpError;

/// The indices that one SSRC has used.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Indices {
    /// The highest index so far; `None` before the first packet.
    highest: Option<u64>,
    /// Bit n: the index `highest - n` was used.
    window: u128,
}

/// Indices below the highest one that may still come.
const WINDOW: u64 = 128;
/// An RTP index has 48 bits (RFC 3711 section 3.2.1).
const RTP_INDICES: u64 = 1 << 48;

impl Indices {
    /// Those of an SSRC that was never heard.
    pub(super) const NEW: Indices = Indices { highest: None, window: 0 };

    /// Whether no packet of the SSRC has come yet.
    pub(super) fn is_fresh(&self) -> bool {
        self.highest.is_none()
    }

    /// The likeliest index of a packet with this sequence number: the one nearest to the highest.
    ///
    /// # Errors
    /// [`SrtpError::Replayed`] for one from before the first packet, [`SrtpError::Exhausted`] past the last.
    pub(super) fn guess(&self, seq: u16) -> Result<u64, SrtpError> {
        let Some(highest) = self.highest else { return Ok(seq.into()) };
        let (counter, last) = (highest >> 16, highest as u16);
        let counter = match i32::from(seq) - i32::from(last) {
            ..-0x8000 => counter + 1,
            0x8001.. => counter.checked_sub(1).ok_or(SrtpError::Replayed)?,
            _ => counter,
        };
        let index = counter << 16 | u64::from(seq);
        if index < RTP_INDICES { Ok(index) } else { Err(SrtpError::Exhausted) }
    }

    /// Whether a packet with this index may be new.
    pub(super) fn is_new(&self, index: u64) -> bool {
        match self.highest {
            Some(highest) if index <= highest => {
                let back = highest - index;
                back < WINDOW && self.window >> back & 1 == 0
            }
            _ => true,
        }
    }

    /// Notes an index, once its packet has been authenticated.
    pub(super) fn note(&mut self, index: u64) {
        match self.highest {
            Some(highest) if index <= highest => {
                let back = highest - index;
                if back < WINDOW {
                    self.window |= 1 << back;
                }
            }
            highest => {
                let ahead = index - highest.unwrap_or(index);
                self.window =
                    u32::try_from(ahead).ok().and_then(|n| self.window.checked_shl(n)).unwrap_or(0) | 1;
                self.highest = Some(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(highest: u64) -> Indices {
        let mut indices = Indices::NEW;
        indices.note(highest);
        indices
    }

    #[test]
    fn the_index_is_the_nearest_one_with_the_sequence_number() {
        // RFC 3711 appendix A, each of its branches at its edge.
        assert_eq!(Indices::NEW.guess(0xffff), Ok(0xffff));
        assert_eq!(at(0x5_1000).guess(0x9000), Ok(0x5_9000));
        assert_eq!(at(0x5_1000).guess(0x9001), Ok(0x4_9001));
        assert_eq!(at(0x5_9000).guess(0x1000), Ok(0x5_1000));
        assert_eq!(at(0x5_9000).guess(0x0fff), Ok(0x6_0fff));
        assert_eq!(at(0x0_1000).guess(0x9001), Err(SrtpError::Replayed));
        assert_eq!(at(RTP_INDICES - 1).guess(0xfffe), Ok(RTP_INDICES - 2));
        assert_eq!(at(RTP_INDICES - 1).guess(0), Err(SrtpError::Exhausted));
    }

    #[test]
    fn the_window_reaches_back_128_indices_and_moves_with_the_highest() {
        let mut indices = at(1_000);
        assert!(!indices.is_new(1_000) && indices.is_new(873) && !indices.is_new(872));
        indices.note(873);
        assert!(!indices.is_new(873));
        indices.note(1_001);
        assert!(!indices.is_new(1_000) && indices.is_new(999) && !indices.is_new(873));
        // A jump further than the window leaves nothing of it.
        indices.note(1_129);
        assert!(indices.is_new(1_128) && indices.is_new(1_002) && !indices.is_new(1_001));
        indices.note(u64::from(u32::MAX) * 5);
        assert!(indices.is_new(u64::from(u32::MAX) * 5 - 1));
    }
}
