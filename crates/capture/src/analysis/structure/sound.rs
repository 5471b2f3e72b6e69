//! Whether payloads are built as the payload formats of sound have it.

use visavis_proto::rtp::payload::opus;

/// What was seen of a stream of payloads.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    /// Payloads.
    pub(super) payloads: u32,
    /// Payloads whose AU headers (RFC 3640 section 3.2.1, mode AAC-hbr) give exactly their length.
    pub(super) au_headers: u32,
    /// Payloads that are one whole LATM element (RFC 6416 section 6) by the length in it.
    pub(super) latm: u32,
    /// Payloads whose first octet reads as one of Opus (RFC 6716 section 3.1).
    pub(super) opus: u32,
    /// Of those, how many last as long as the RTP timestamps say; and how many could be compared.
    pub(super) opus_lasts: (u32, u32),
    last: Option<(u16, u64, Option<u32>)>,
    mu_law: Correlation,
    a_law: Correlation,
}

impl Evidence {
    /// Looks at the payload of the packet with this sequence number and timestamp.
    pub(super) fn feed(&mut self, payload: &[u8], sequence: u16, timestamp: u64) {
        self.payloads += 1;
        self.au_headers += u32::from(has_au_headers(payload));
        self.latm += u32::from(is_latm(payload));
        let duration = opus::duration(payload);
        self.opus += u32::from(duration.is_some());
        if let Some((before, then, Some(lasted))) = self.last
            && before.wrapping_add(1) == sequence
        {
            self.opus_lasts.1 += 1;
            self.opus_lasts.0 += u32::from(timestamp.wrapping_sub(then) == u64::from(lasted));
        }
        self.last = Some((sequence, timestamp, duration));
        for &octet in payload {
            self.mu_law.add(mu_law(octet));
            self.a_law.add(a_law(octet));
        }
    }

    /// How much each sample of G.711 tells of the next, 0 to 1 (or below 0): about 0 for noise.
    pub(super) fn correlation(&self) -> f64 {
        self.mu_law.value().max(self.a_law.value())
    }
}

/// AU headers of 13 bits of size and 3 of index.
pub(crate) fn has_au_headers(payload: &[u8]) -> bool {
    let Some(([high, low], rest)) = payload.split_first_chunk::<2>() else { return false };
    let bits = usize::from(u16::from_be_bytes([*high, *low]));
    let Some((headers, data)) =
        rest.split_at_checked(bits / 8).filter(|_| bits > 0 && bits.is_multiple_of(16))
    else {
        return false;
    };
    let sizes = headers.as_chunks::<2>().0.iter().map(|header| usize::from(u16::from_be_bytes(*header) >> 3));
    // A fragment stands alone behind the size of the whole.
    let sum: usize = sizes.sum();
    sum == data.len()
        || (bits == 16 && sum > data.len() && !data.is_empty() && sum < 8_192 && data.len() > 1_000)
}

/// One frame behind its length, in octets of 255 and one below.
pub(crate) fn is_latm(payload: &[u8]) -> bool {
    let full = payload.iter().take_while(|&&octet| octet == 255).count();
    let Some(&last) = payload.get(full) else { return false };
    let length = full * 255 + usize::from(last);
    length > 0 && length + full + 1 == payload.len()
}

/// The correlation of each sample with the next.
#[derive(Clone, Debug, Default)]
struct Correlation {
    previous: f64,
    products: f64,
    squares: f64,
}

impl Correlation {
    fn add(&mut self, sample: f64) {
        self.products += sample * self.previous;
        self.squares += sample * sample;
        self.previous = sample;
    }

    fn value(&self) -> f64 {
        if self.squares == 0.0 { 0.0 } else { self.products / self.squares }
    }
}

/// A sample of G.711 mu-law, roughly in units of its smallest step.
fn mu_law(octet: u8) -> f64 {
    let octet = !octet;
    let magnitude = ((i32::from(octet & 0x0f) * 2 + 33) << (octet >> 4 & 7)) - 33;
    f64::from(if octet & 0x80 != 0 { -magnitude } else { magnitude })
}

/// A sample of G.711 A-law.
fn a_law(octet: u8) -> f64 {
    let octet = octet ^ 0x55;
    let (mantissa, exponent) = (i32::from(octet & 0x0f) * 2 + 1, octet >> 4 & 7);
    let magnitude = if exponent == 0 { mantissa } else { (mantissa + 32) << (exponent - 1) };
    f64::from(if octet & 0x80 != 0 { magnitude } else { -magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_framings_of_aac_are_told_from_their_lengths() {
        let au = [&[0, 16, 0, 5 << 3][..], &[7; 5]].concat();
        assert!(has_au_headers(&au) && !is_latm(&au));
        let latm = [&[5][..], &[7; 5]].concat();
        assert!(is_latm(&latm) && !has_au_headers(&latm));
        let long = [&[255, 1][..], &[7; 256]].concat();
        assert!(is_latm(&long));
        assert!(!has_au_headers(&[]) && !is_latm(&[]) && !is_latm(&[255]));
    }
}
