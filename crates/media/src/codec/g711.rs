//! G.711 mu-law and A-law (ITU-T G.711; RFC 3551 section 4.5.14), own tables, with concealment by repetition.

use super::conceal::Repeater;
use super::{AudioDecoder, AudioEncoder, CodecError, audio_frame, check_format, check_frame};
use crate::sound::Pcm;
use visavis_proto::frame::{AudioFormat, Codec, EncodedFrame};

/// Which of the two companding laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// North America and Japan; RTP payload type 0.
    Mu,
    /// The rest of the world; RTP payload type 8.
    A,
}

impl Law {
    /// The sample that an octet stands for, scaled to 16 bits.
    pub fn expand(self, octet: u8) -> i16 {
        self.table()[usize::from(octet)]
    }

    /// The octet for a 16-bit sample.
    pub fn compress(self, sample: i16) -> u8 {
        match self {
            Law::Mu => compress_mu(sample),
            Law::A => compress_a(sample),
        }
    }

    fn table(self) -> &'static [i16; 256] {
        static MU: [i16; 256] = expansion(Law::Mu);
        static A: [i16; 256] = expansion(Law::A);
        match self {
            Law::Mu => &MU,
            Law::A => &A,
        }
    }

    fn of(codec: Codec) -> Option<Law> {
        match codec {
            Codec::Pcmu => Some(Law::Mu),
            Codec::Pcma => Some(Law::A),
            _ => None,
        }
    }
}

/// Samples to octets.
pub struct G711Encoder {
    format: AudioFormat,
    law: Law,
}

impl G711Encoder {
    /// An encoder of the law that the format's codec names, 8 to 48 kHz, mono or stereo.
    ///
    /// # Errors
    /// [`CodecError::Format`] for another codec, rate or channel count.
    pub fn new(format: &AudioFormat) -> Result<Self, CodecError> {
        Ok(G711Encoder { format: format.clone(), law: open(format)? })
    }
}

impl AudioEncoder for G711Encoder {
    fn format(&self) -> &AudioFormat {
        &self.format
    }

    fn encode(&mut self, sound: &Pcm) -> Result<Option<EncodedFrame>, CodecError> {
        check_frame(&self.format, sound)?;
        let data = sound.samples().iter().map(|&s| self.law.compress(s)).collect();
        Ok(Some(audio_frame(&self.format, sound, data)))
    }

    fn set_bitrate(&mut self, _bits_per_second: u32) -> Result<u32, CodecError> {
        Ok(8 * self.format.sample_rate * u32::from(self.format.channels))
    }

    fn lag(&self) -> u32 {
        0
    }
}

/// Octets to samples.
pub struct G711Decoder {
    format: AudioFormat,
    law: Law,
    concealer: Repeater,
}

impl G711Decoder {
    /// A decoder of the law that the format's codec names, 8 to 48 kHz, mono or stereo.
    ///
    /// # Errors
    /// As [`G711Encoder::new`].
    pub fn new(format: &AudioFormat) -> Result<Self, CodecError> {
        Ok(G711Decoder {
            format: format.clone(),
            law: open(format)?,
            concealer: Repeater::new(format.sample_rate, format.channels),
        })
    }
}

impl AudioDecoder for G711Decoder {
    fn format(&self) -> &AudioFormat {
        &self.format
    }

    fn decode(&mut self, data: &[u8]) -> Result<Pcm, CodecError> {
        let mut samples: Vec<i16> = data.iter().map(|&octet| self.law.expand(octet)).collect();
        let malformed = |what| CodecError::Data { codec: self.format.codec, octets: data.len(), what };
        if samples.is_empty() {
            return Err(malformed("it is empty".into()));
        }
        if samples.len().is_multiple_of(self.format.channels.into()) {
            self.concealer.received(&mut samples);
        }
        Pcm::new(samples, self.format.sample_rate, self.format.channels).map_err(|e| malformed(e.to_string()))
    }

    fn conceal(&mut self) -> Pcm {
        self.concealer.conceal(self.format.samples_per_frame as usize)
    }
}

fn open(format: &AudioFormat) -> Result<Law, CodecError> {
    check_format(format, &[8_000, 16_000, 32_000, 48_000], &[1, 2])?;
    Law::of(format.codec).ok_or_else(|| CodecError::Format {
        codec: format.codec,
        what: "it is neither mu-law nor A-law".into(),
    })
}

/// Added to a magnitude so that the segments of mu-law start at powers of two (33 in the 14 bits of G.711).
const MU_BIAS: u16 = 33 << 2;
/// The largest magnitude that mu-law tells apart.
const MU_CLIP: u16 = 0x7fff - MU_BIAS;

fn compress_mu(sample: i16) -> u8 {
    let biased = sample.unsigned_abs().min(MU_CLIP) + MU_BIAS;
    // The bias makes bit 7 the lowest that can lead.
    let segment = 8 - biased.leading_zeros() as u16;
    let step = (biased >> (segment + 3)) & 0x0f;
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(sign | (segment << 4) as u8 | step as u8)
}

fn compress_a(sample: i16) -> u8 {
    let magnitude = sample.unsigned_abs().min(0x7fff);
    // The two lowest segments share one step size.
    let segment = 8u16.saturating_sub(magnitude.leading_zeros() as u16);
    let step = (magnitude >> (segment.max(1) + 3)) & 0x0f;
    let sign = if sample < 0 { 0 } else { 0x80 };
    (sign | (segment << 4) as u8 | step as u8) ^ 0x55
}

const fn expansion(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        let bits = match law {
            Law::Mu => !(octet as u8),
            Law::A => octet as u8 ^ 0x55,
        };
        let (segment, step) = ((bits >> 4) & 7, (bits & 0x0f) as i16);
        let magnitude = match law {
            Law::Mu => (((step << 3) + MU_BIAS as i16) << segment) - MU_BIAS as i16,
            Law::A if segment == 0 => (step << 4) + 8,
            Law::A => ((step << 4) + 0x108) << (segment - 1),
        };
        // The sign bit says negative in mu-law, positive in A-law.
        let negative = (bits & 0x80 != 0) == matches!(law, Law::Mu);
        table[octet] = if negative { -magnitude } else { magnitude };
        octet += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tests::{audio_format, snr_db, tone};

    #[test]
    fn the_ends_and_the_middle_of_both_laws_are_those_of_the_recommendation() {
        let mu = [(0x00, -32_124), (0x80, 32_124), (0xff, 0), (0x7f, 0), (0xfe, 8), (0x8f, 16_764)];
        for (octet, sample) in mu {
            assert_eq!(Law::Mu.expand(octet), sample, "mu-law {octet:#04x}");
        }
        let a = [(0xd5, 8), (0x55, -8), (0xaa, 32_256), (0x2a, -32_256), (0x80, 5_504), (0xd4, 24)];
        for (octet, sample) in a {
            assert_eq!(Law::A.expand(octet), sample, "A-law {octet:#04x}");
        }
    }

    /// The quantising intervals of positive sound as (end, value) on a 16-bit scale, counted up from the
    /// numbers and sizes of intervals that tables 1a and 2a of the recommendation give.
    fn intervals(law: Law) -> Vec<(i32, i32)> {
        let (scale, runs) = match law {
            Law::Mu => (
                4,
                vec![(1, 1), (15, 2), (16, 4), (16, 8), (16, 16), (16, 32), (16, 64), (16, 128), (16, 256)],
            ),
            Law::A => (8, vec![(32, 2), (16, 4), (16, 8), (16, 16), (16, 32), (16, 64), (16, 128)]),
        };
        let mut start = 0;
        let mut all = Vec::new();
        for (count, size) in runs {
            for _ in 0..count {
                // The first interval of mu-law is half of one around zero.
                let value = if size == 1 { 0 } else { 2 * start + size };
                all.push(((start + size) * scale, value * scale / 2));
                start += size;
            }
        }
        assert_eq!((all.len(), start), (128, if law == Law::Mu { 8_159 } else { 4_096 }));
        all
    }

    #[test]
    fn every_sample_takes_the_interval_that_the_recommendation_gives_it() {
        for law in [Law::Mu, Law::A] {
            let intervals = intervals(law);
            for sample in i16::MIN..=i16::MAX {
                let magnitude = i32::from(sample).abs();
                let at = intervals.partition_point(|&(end, _)| end <= magnitude).min(127);
                let value = intervals[at].1 * if sample < 0 { -1 } else { 1 };
                assert_eq!(i32::from(law.expand(law.compress(sample))), value, "{law:?} of {sample}");
            }
        }
    }

    #[test]
    fn every_octet_survives_a_round_trip_but_for_the_negative_zero_of_mu_law() {
        for octet in 0..=255u8 {
            assert_eq!(Law::A.compress(Law::A.expand(octet)), octet);
            let expected = if octet == 0x7f { 0xff } else { octet };
            assert_eq!(Law::Mu.compress(Law::Mu.expand(octet)), expected);
        }
    }

    #[test]
    fn a_tone_keeps_its_level_through_encoder_and_decoder() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            let format = audio_format(codec, 8_000, 1, 160);
            let mut encoder = G711Encoder::new(&format).unwrap();
            let mut decoder = G711Decoder::new(&format).unwrap();
            let sound = Pcm::new(tone(1_000.0, 8_000, 160, 8_000.0), 8_000, 1).unwrap();
            let coded = encoder.encode(&sound).unwrap().unwrap();
            assert_eq!((coded.data.len(), coded.duration), (160, 160));
            let snr = snr_db(sound.samples(), decoder.decode(&coded.data).unwrap().samples());
            assert!(snr > 36.0, "{codec}: {snr} dB");
        }
    }

    #[test]
    fn wrong_formats_and_frames_are_errors() {
        assert!(G711Encoder::new(&audio_format(Codec::Pcmu, 11_025, 1, 160)).is_err());
        assert!(G711Decoder::new(&audio_format(Codec::G722, 16_000, 1, 160)).is_err());
        let mut encoder = G711Encoder::new(&audio_format(Codec::Pcma, 8_000, 1, 160)).unwrap();
        let short = Pcm::silence(159, 8_000, 1).unwrap();
        assert!(matches!(encoder.encode(&short), Err(CodecError::Input { .. })));
        let mut decoder = G711Decoder::new(&audio_format(Codec::Pcma, 8_000, 1, 160)).unwrap();
        assert!(matches!(decoder.decode(&[]), Err(CodecError::Data { octets: 0, .. })));
        assert_eq!(decoder.conceal().frames(), 160);
    }
}
