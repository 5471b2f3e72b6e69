//! G.722 at 64 kbit/s (ITU-T G.722; RFC 3551 section 4.5.2): sub-band ADPCM in integers.
//!
//! The block names in the comments are those of the recommendation's section 6; so are the numbers.

use super::conceal::Repeater;
use super::{AudioDecoder, AudioEncoder, CodecError, audio_frame, check_format, check_frame};
use crate::sound::Pcm;
use visavis_proto::frame::{AudioFormat, Codec, EncodedFrame};

/// Samples that decoded sound lies behind: the two quadrature mirror filters of 24 taps.
const LAG: u32 = 22;

/// Sound at 16 kHz to octets, one for two samples.
pub struct G722Encoder {
    format: AudioFormat,
    history: [i32; 24],
    low: Band,
    high: Band,
}

impl G722Encoder {
    /// An encoder; G.722 is mono at 16 kHz, its RTP clock 8 kHz.
    ///
    /// # Errors
    /// [`CodecError::Format`] for another shape.
    pub fn new(format: &AudioFormat) -> Result<Self, CodecError> {
        check(format)?;
        Ok(G722Encoder { format: format.clone(), history: [0; 24], low: Band::low(), high: Band::high() })
    }

    /// One octet for two samples.
    fn octet(&mut self, first: i16, second: i16) -> u8 {
        let (low, high) = analyse(&mut self.history, first, second);

        // SUBTRA, QUANTL
        let error = saturate(low - self.low.signal);
        let magnitude = if error < 0 { !error } else { error };
        let level = DECISIONS_LOW[1..30].partition_point(|&d| (d * self.low.scale) >> 12 <= magnitude);
        let low_code = if error < 0 { CODES_LOW_NEGATIVE[level] } else { 61 - level as u8 };
        self.low.adapt_low(low_code);

        // SUBTRA, QUANTH
        let error = saturate(high - self.high.signal);
        let magnitude = if error < 0 { !error } else { error };
        let outer = magnitude >= (564 * self.high.scale) >> 12;
        let high_code = match (error < 0, outer) {
            (true, false) => 1,
            (true, true) => 0,
            (false, false) => 3,
            (false, true) => 2,
        };
        self.high.adapt_high(high_code);
        (high_code << 6) | low_code
    }
}

impl AudioEncoder for G722Encoder {
    fn format(&self) -> &AudioFormat {
        &self.format
    }

    fn encode(&mut self, sound: &Pcm) -> Result<Option<EncodedFrame>, CodecError> {
        check_frame(&self.format, sound)?;
        let data = sound.samples().chunks_exact(2).map(|pair| self.octet(pair[0], pair[1])).collect();
        Ok(Some(audio_frame(&self.format, sound, data)))
    }

    fn set_bitrate(&mut self, _bits_per_second: u32) -> Result<u32, CodecError> {
        Ok(64_000)
    }

    fn lag(&self) -> u32 {
        LAG
    }
}

/// Octets to sound at 16 kHz.
pub struct G722Decoder {
    format: AudioFormat,
    history: [i32; 24],
    low: Band,
    high: Band,
    concealer: Repeater,
}

impl G722Decoder {
    /// A decoder; G.722 is mono at 16 kHz, its RTP clock 8 kHz.
    ///
    /// # Errors
    /// [`CodecError::Format`] for another shape.
    pub fn new(format: &AudioFormat) -> Result<Self, CodecError> {
        check(format)?;
        Ok(G722Decoder {
            format: format.clone(),
            history: [0; 24],
            low: Band::low(),
            high: Band::high(),
            concealer: Repeater::new(16_000, 1),
        })
    }

    /// Two samples of one octet.
    fn pair(&mut self, octet: u8) -> [i16; 2] {
        let (low_code, high_code) = (octet & 0x3f, octet >> 6);
        // INVQBL, RECONS, LIMIT
        let difference = (self.low.scale * VALUES_64[usize::from(low_code)]) >> 15;
        let low = limit(self.low.signal + difference);
        self.low.adapt_low(low_code);
        // INVQAH, RECONS, LIMIT
        let difference = (self.high.scale * VALUES_HIGH[usize::from(high_code)]) >> 15;
        let high = limit(self.high.signal + difference);
        self.high.adapt_high(high_code);
        synthesise(&mut self.history, low, high)
    }
}

impl AudioDecoder for G722Decoder {
    fn format(&self) -> &AudioFormat {
        &self.format
    }

    fn decode(&mut self, data: &[u8]) -> Result<Pcm, CodecError> {
        let malformed = |what| CodecError::Data { codec: Codec::G722, octets: data.len(), what };
        if data.is_empty() {
            return Err(malformed("it is empty".to_owned()));
        }
        let mut samples: Vec<i16> = data.iter().flat_map(|&octet| self.pair(octet)).collect();
        self.concealer.received(&mut samples);
        Pcm::new(samples, 16_000, 1).map_err(|e| malformed(e.to_string()))
    }

    fn conceal(&mut self) -> Pcm {
        self.concealer.conceal(self.format.samples_per_frame as usize)
    }
}

fn check(format: &AudioFormat) -> Result<(), CodecError> {
    check_format(format, &[16_000], &[1])?;
    let fail = |what| Err(CodecError::Format { codec: format.codec, what });
    if format.codec != Codec::G722 {
        return fail("it is not G.722".to_owned());
    }
    if format.clock_rate != 8_000 {
        return fail(format!("RTP clock {} Hz, it is 8000 (RFC 3551 section 4.5.2)", format.clock_rate));
    }
    if !format.samples_per_frame.is_multiple_of(2) {
        return fail(format!("{} samples a frame, an octet holds two", format.samples_per_frame));
    }
    Ok(())
}

/// Taps of the quadrature mirror filters, every other one; the rest are the same backwards.
const TAPS: [i32; 12] = [3, -11, 12, 32, -210, 951, 3_876, -805, 362, -156, 53, -11];

/// Decision levels of the lower band's quantiser (QUANTL).
const DECISIONS_LOW: [i32; 30] = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1_023, 1_121,
    1_219, 1_339, 1_458, 1_612, 1_765, 1_980, 2_195, 2_557, 2_919,
];
/// Codes of the lower band's negative levels; those of the positive ones count down from 61.
const CODES_LOW_NEGATIVE: [u8; 30] = [
    63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7,
    6, 5, 4,
];
/// Values of the lower band's upper four bits, which alone drive the adaptation (INVQAL).
const VALUES_16: [i32; 16] = [
    0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288, 4_240, 2_584,
    1_200, 0,
];
/// Values of the lower band's six bits (INVQBL).
const VALUES_64: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192, -10_232,
    -9_360, -8_576, -7_856, -7_192, -6_576, -6_000, -5_456, -4_944, -4_464, -4_008, -3_576, -3_168, -2_776,
    -2_400, -2_032, -1_688, -1_360, -1_040, -728, 24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280,
    11_192, 10_232, 9_360, 8_576, 7_856, 7_192, 6_576, 6_000, 5_456, 4_944, 4_464, 4_008, 3_576, 3_168,
    2_776, 2_400, 2_032, 1_688, 1_360, 1_040, 728, 432, 136, -432, -136,
];
/// Values of the upper band's two bits (INVQAH).
const VALUES_HIGH: [i32; 4] = [-7_408, -1_616, 7_408, 1_616];
/// Steps of the lower band's logarithmic scale factor by the upper four bits (LOGSCL).
const STEPS_LOW: [i32; 16] =
    [-60, 3_042, 1_198, 538, 334, 172, 58, -30, 3_042, 1_198, 538, 334, 172, 58, -30, -60];
/// Steps of the upper band's logarithmic scale factor (LOGSCH).
const STEPS_HIGH: [i32; 4] = [798, -214, 798, -214];
/// 2048 * 2^(i/32): the fraction of a logarithmic scale factor (SCALEL, SCALEH).
const FRACTIONS: [i32; 32] = [
    2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656, 2_714, 2_774,
    2_834, 2_896, 2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520, 3_597, 3_676, 3_756, 3_838,
    3_922, 4_008,
];

/// Predictor and scale factor of one band, the same in encoder and decoder.
struct Band {
    /// Scale factor of the quantiser (DETL, DETH).
    scale: i32,
    /// Its logarithm (NBL, NBH).
    log_scale: i32,
    /// The predicted signal (SL, SH) and its part from the zeros (SZL, SZH).
    signal: i32,
    zeros: i32,
    /// Reconstructed signals, newest first (RLT, RH).
    reconstructed: [i32; 2],
    /// Partially reconstructed signals, newest first (PLT, PH).
    partial: [i32; 2],
    /// Quantised differences, newest first (DLT, DH).
    differences: [i32; 6],
    /// Coefficients of the poles (AL, AH) and zeros (BL, BH).
    poles: [i32; 2],
    zero_taps: [i32; 6],
}

impl Band {
    fn new(scale: i32) -> Self {
        Band {
            scale,
            log_scale: 0,
            signal: 0,
            zeros: 0,
            reconstructed: [0; 2],
            partial: [0; 2],
            differences: [0; 6],
            poles: [0; 2],
            zero_taps: [0; 6],
        }
    }

    fn low() -> Self {
        Band::new(32)
    }

    fn high() -> Self {
        Band::new(8)
    }

    /// Moves scale factor and predictor on by one code of the lower band.
    fn adapt_low(&mut self, code: u8) {
        let upper = usize::from(code >> 2);
        let difference = (self.scale * VALUES_16[upper]) >> 15;
        self.rescale(STEPS_LOW[upper], 18_432, 8);
        self.predict(difference);
    }

    /// Moves scale factor and predictor on by one code of the upper band.
    fn adapt_high(&mut self, code: u8) {
        let difference = (self.scale * VALUES_HIGH[usize::from(code)]) >> 15;
        self.rescale(STEPS_HIGH[usize::from(code)], 22_528, 10);
        self.predict(difference);
    }

    /// LOGSCL and SCALEL, LOGSCH and SCALEH.
    fn rescale(&mut self, step: i32, most: i32, base: i32) {
        self.log_scale = (((self.log_scale * 127) >> 7) + step).clamp(0, most);
        let fraction = FRACTIONS[((self.log_scale >> 6) & 31) as usize];
        let shift = base - (self.log_scale >> 11);
        self.scale = if shift < 0 { fraction << -shift } else { fraction >> shift } << 2;
    }

    /// Adapts the predictor to a quantised difference and predicts the next signal.
    fn predict(&mut self, difference: i32) {
        // RECONS, PARREC
        let reconstructed = saturate(self.signal + difference);
        let partial = saturate(self.zeros + difference);

        // UPPOL2
        let same = |other: i32| (other < 0) == (partial < 0);
        let lean = saturate(self.poles[0] << 2);
        let lean = if same(self.partial[0]) { (-lean).min(32_767) } else { lean };
        let push = if same(self.partial[1]) { 128 } else { -128 };
        let second = (push + (lean >> 7) + ((self.poles[1] * 32_512) >> 15)).clamp(-12_288, 12_288);
        // UPPOL1
        let push = if same(self.partial[0]) { 192 } else { -192 };
        let bound = saturate(15_360 - second);
        let first = saturate(push + ((self.poles[0] * 32_640) >> 15)).clamp(-bound, bound);
        // UPZERO
        for (tap, before) in self.zero_taps.iter_mut().zip(self.differences) {
            let push = match difference {
                0 => 0,
                _ if (before < 0) == (difference < 0) => 128,
                _ => -128,
            };
            *tap = saturate(push + ((*tap * 32_640) >> 15));
        }

        // DELAYA
        self.poles = [first, second];
        self.reconstructed = [reconstructed, self.reconstructed[0]];
        self.partial = [partial, self.partial[0]];
        self.differences.rotate_right(1);
        self.differences[0] = difference;

        // FILTEP, FILTEZ, PREDIC
        let product = |tap: i32, signal: i32| (tap * saturate(2 * signal)) >> 15;
        let from_poles = saturate(product(first, reconstructed) + product(second, self.reconstructed[1]));
        let taps = self.zero_taps.iter().zip(self.differences);
        self.zeros = saturate(taps.map(|(&tap, signal)| product(tap, signal)).sum());
        self.signal = saturate(from_poles + self.zeros);
    }
}

/// The transmit quadrature mirror filter: two samples to one of each band.
fn analyse(history: &mut [i32; 24], first: i16, second: i16) -> (i32, i32) {
    shift_in(history, first.into(), second.into());
    let odd: i32 = history.iter().step_by(2).zip(TAPS).map(|(x, tap)| x * tap).sum();
    let even: i32 = history.iter().skip(1).step_by(2).zip(TAPS.iter().rev()).map(|(x, tap)| x * tap).sum();
    ((even + odd) >> 14, (even - odd) >> 14)
}

/// The receive quadrature mirror filter: one sample of each band to two.
fn synthesise(history: &mut [i32; 24], low: i32, high: i32) -> [i16; 2] {
    shift_in(history, low + high, low - high);
    let first: i32 = history.iter().skip(1).step_by(2).zip(TAPS.iter().rev()).map(|(x, tap)| x * tap).sum();
    let second: i32 = history.iter().step_by(2).zip(TAPS).map(|(x, tap)| x * tap).sum();
    [saturate(first >> 11) as i16, saturate(second >> 11) as i16]
}

fn shift_in(history: &mut [i32; 24], first: i32, second: i32) {
    history.copy_within(2.., 0);
    [history[22], history[23]] = [first, second];
}

fn saturate(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}

/// LIMIT: the reconstructed signal of a band has 15 bits.
fn limit(value: i32) -> i32 {
    value.clamp(-16_384, 16_383)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tests::{audio_format, rms, snr_db, tone};
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::{RngCore, SeedableRng};

    fn format() -> AudioFormat {
        audio_format(Codec::G722, 16_000, 1, 320)
    }

    /// Encodes in frames of 320 samples.
    fn encode(samples: &[i16]) -> Vec<u8> {
        let mut encoder = G722Encoder::new(&format()).unwrap();
        let frames = samples.chunks_exact(320).map(|block| Pcm::new(block.to_vec(), 16_000, 1).unwrap());
        frames.flat_map(|sound| encoder.encode(&sound).unwrap().unwrap().data.to_vec()).collect()
    }

    fn decode(octets: &[u8]) -> Vec<i16> {
        let mut decoder = G722Decoder::new(&format()).unwrap();
        octets.chunks(160).flat_map(|frame| decoder.decode(frame).unwrap().samples().to_vec()).collect()
    }

    #[test]
    fn tones_of_both_bands_come_through_behind_by_the_lag() {
        for (hz, floor) in [(300.0, 30.0), (1_000.0, 30.0), (3_000.0, 25.0), (6_000.0, 15.0)] {
            let sent = tone(hz, 16_000, 16_000, 8_000.0);
            let got = decode(&encode(&sent));
            let lag = LAG as usize;
            let snr = snr_db(&sent[1_600..14_400], &got[1_600 + lag..14_400 + lag]);
            assert!(snr > floor, "{hz} Hz: {snr:.1} dB");
        }
    }

    #[test]
    fn a_lost_frame_is_filled_and_a_frame_of_another_length_is_taken() {
        let octets = encode(&tone(400.0, 16_000, 3_200, 8_000.0));
        let mut decoder = G722Decoder::new(&format()).unwrap();
        for frame in octets[..800].chunks(160) {
            decoder.decode(frame).unwrap();
        }
        assert!(rms(decoder.conceal().samples()) > 4_000.0);
        assert_eq!(decoder.decode(&octets[960..1_200]).unwrap().frames(), 480);
        assert!(decoder.decode(&[]).is_err());
    }

    /// The sums are those of FFmpeg 5.1's encoder and decoder for the same input, octet for octet.
    #[test]
    fn noise_is_coded_and_decoded_as_an_independent_codec_does_it() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let octets: Vec<u8> = (0..100_000).map(|_| rng.next_u32() as u8).collect();
        let decoded: Vec<u8> = decode(&octets).iter().flat_map(|s| s.to_le_bytes()).collect();
        let mut samples: Vec<i16> = (0..64_000).map(|_| rng.next_u32() as i16).collect();
        samples.extend((0..64_000).map(|_| if rng.next_u32() & 1 == 0 { i16::MIN } else { i16::MAX }));
        let coded = encode(&samples);
        assert_eq!((crc32fast::hash(&decoded), crc32fast::hash(&coded)), (0x2b33_f3e1, 0x7298_50dc));
    }

    #[test]
    fn other_shapes_are_refused() {
        for bad in [
            audio_format(Codec::G722, 8_000, 1, 160),
            audio_format(Codec::G722, 16_000, 2, 320),
            audio_format(Codec::G722, 16_000, 1, 321),
            AudioFormat { clock_rate: 16_000, ..format() },
        ] {
            assert!(G722Decoder::new(&bad).is_err() && G722Encoder::new(&bad).is_err(), "{bad:?}");
        }
    }
}
