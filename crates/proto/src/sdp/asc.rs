//! AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1) of the two low-delay AAC object types and of AAC-LC, read and
//! built.
//!
//! It travels as hexadecimal digits in the `config` parameter of RFC 3640 section 4.1, and inside a
//! [`StreamMuxConfig`] in that of RFC 6416 section 7.3.

use crate::frame::Codec;
use bytes::Bytes;
use thiserror::Error;

/// The sampling frequencies that have an index (ISO/IEC 14496-3 table 1.18), Hz.
const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
/// The index that says that 24 bits of frequency follow.
const EXPLICIT_RATE: u32 = 15;
/// The 5-bit object type that says that 6 more bits follow.
const OBJECT_ESCAPE: u32 = 31;

/// The AAC object types that a call can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AacObject {
    /// AAC LC, audio object type 2: read in captures; calls do not agree on it.
    LowComplexity,
    /// ER AAC LD, audio object type 23.
    LowDelay,
    /// ER AAC ELD, audio object type 39.
    EnhancedLowDelay,
}

impl AacObject {
    /// The audio object type (ISO/IEC 14496-3 table 1.17).
    pub fn object_type(self) -> u8 {
        match self {
            AacObject::LowComplexity => 2,
            AacObject::LowDelay => 23,
            AacObject::EnhancedLowDelay => 39,
        }
    }

    /// The codec.
    pub fn codec(self) -> Codec {
        match self {
            AacObject::LowComplexity => Codec::AacLc,
            AacObject::LowDelay => Codec::AacLd,
            AacObject::EnhancedLowDelay => Codec::AacEld,
        }
    }
}

/// An AudioSpecificConfig of AAC-LD, AAC-ELD or AAC-LC, without error protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AudioSpecificConfig {
    /// The object type.
    pub object: AacObject,
    /// Samples a second, Hz.
    pub sample_rate: u32,
    /// Channels: the channel configuration, 1 for mono and 2 for stereo.
    pub channels: u8,
    /// Samples per channel in one frame: 480 or 512, for AAC-LC 960 or 1024.
    pub frame_length: u16,
    /// Whether the error resilience tools are in use (section data, scale factors, spectral data).
    pub resilience: [bool; 3],
    /// Whether low-delay spectral band replication is in use (ELD). Its header is not looked into, and such a
    /// configuration cannot be built.
    pub sbr: bool,
}

/// An AudioSpecificConfig that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AscError {
    /// It ends before it should.
    #[error("AudioSpecificConfig of {0} octets is too short")]
    TooShort(usize),
    /// It is of an object type other than 2, 23 and 39.
    #[error("audio object type {0} is neither AAC-LC (2) nor AAC-LD (23) nor AAC-ELD (39)")]
    Object(u32),
    /// A reserved sampling frequency index.
    #[error("sampling frequency index {0} is reserved")]
    SampleRate(u32),
    /// A channel configuration without a number of channels (0, or above 7).
    #[error("channel configuration {0} is not supported")]
    Channels(u32),
    /// A core coder or an error protection scheme is in use.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
}

impl AudioSpecificConfig {
    /// A configuration without resilience tools or band replication.
    pub fn new(object: AacObject, sample_rate: u32, channels: u8, frame_length: u16) -> Self {
        AudioSpecificConfig {
            object,
            sample_rate,
            channels,
            frame_length,
            resilience: [false; 3],
            sbr: false,
        }
    }

    /// Reads a configuration; what stands behind it is ignored.
    ///
    /// # Errors
    /// An [`AscError`] that says which field cannot be used.
    pub fn parse(octets: &[u8]) -> Result<Self, AscError> {
        Self::read(&mut BitReader { octets, position: 0 })
    }

    fn read(bits: &mut BitReader<'_>) -> Result<Self, AscError> {
        let object = match bits.take(5)? {
            OBJECT_ESCAPE => 32 + bits.take(6)?,
            short => short,
        };
        let object = match object {
            2 => AacObject::LowComplexity,
            23 => AacObject::LowDelay,
            39 => AacObject::EnhancedLowDelay,
            other => return Err(AscError::Object(other)),
        };
        let sample_rate = match bits.take(4)? {
            EXPLICIT_RATE => bits.take(24)?,
            index => SAMPLE_RATES.get(index as usize).copied().ok_or(AscError::SampleRate(index))?,
        };
        if sample_rate == 0 {
            return Err(AscError::SampleRate(EXPLICIT_RATE));
        }
        let channels = match bits.take(4)? {
            c @ 1..=6 => c as u8,
            7 => 8,
            other => return Err(AscError::Channels(other)),
        };
        let frame_length = match (object, bits.flag()?) {
            (AacObject::LowComplexity, true) => 960,
            (AacObject::LowComplexity, false) => 1_024,
            (_, true) => 480,
            (_, false) => 512,
        };
        let mut config = AudioSpecificConfig::new(object, sample_rate, channels, frame_length);
        match object {
            // GASpecificConfig, ISO/IEC 14496-3 section 4.4.1. No epConfig follows it.
            AacObject::LowComplexity => {
                if bits.flag()? {
                    return Err(AscError::Unsupported("a core coder"));
                }
                let _extension = bits.flag()?;
                return Ok(config);
            }
            AacObject::LowDelay => {
                if bits.flag()? {
                    return Err(AscError::Unsupported("a core coder"));
                }
                if bits.flag()? {
                    config.resilience = [bits.flag()?, bits.flag()?, bits.flag()?];
                    let _extension3 = bits.flag()?;
                }
            }
            // ELDSpecificConfig, ISO/IEC 14496-3 section 4.6.20.
            AacObject::EnhancedLowDelay => {
                config.resilience = [bits.flag()?, bits.flag()?, bits.flag()?];
                config.sbr = bits.flag()?;
                if config.sbr {
                    return Ok(config);
                }
                bits.skip_eld_extensions()?;
            }
        }
        match bits.take(2)? {
            0 | 1 => Ok(config),
            _ => Err(AscError::Unsupported("error protection")),
        }
    }

    /// The configuration's octets, padded with zero bits. `sbr` is not written.
    pub fn to_bytes(&self) -> Bytes {
        let mut bits = BitWriter::default();
        self.write(&mut bits);
        Bytes::from(bits.octets)
    }

    fn write(&self, bits: &mut BitWriter) {
        match self.object {
            AacObject::LowComplexity => bits.put(2, 5),
            AacObject::LowDelay => bits.put(23, 5),
            AacObject::EnhancedLowDelay => {
                bits.put(OBJECT_ESCAPE, 5);
                bits.put(39 - 32, 6);
            }
        }
        match SAMPLE_RATES.iter().position(|r| *r == self.sample_rate) {
            Some(index) => bits.put(index as u32, 4),
            None => {
                bits.put(EXPLICIT_RATE, 4);
                bits.put(self.sample_rate, 24);
            }
        }
        bits.put(if self.channels == 8 { 7 } else { u32::from(self.channels) }, 4);
        bits.put(u32::from(matches!(self.frame_length, 480 | 960)), 1);
        let [section, scale, spectral] = self.resilience.map(u32::from);
        match self.object {
            AacObject::LowComplexity => {
                bits.put(0, 1 + 1); // dependsOnCoreCoder, extensionFlag
                return;
            }
            AacObject::LowDelay => {
                bits.put(0, 1); // dependsOnCoreCoder
                bits.put(1, 1); // extensionFlag: the resilience flags follow
                bits.put(section << 2 | scale << 1 | spectral, 3);
                bits.put(0, 1); // extensionFlag3
            }
            AacObject::EnhancedLowDelay => {
                bits.put(section << 2 | scale << 1 | spectral, 3);
                bits.put(0, 1); // ldSbrPresentFlag
                bits.put(0, 4); // ELDEXT_TERM
            }
        }
        bits.put(0, 2); // epConfig
    }
}

/// A StreamMuxConfig (ISO/IEC 14496-3 section 1.7.3) of one program with one layer: the `config` of MP4A-LATM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamMuxConfig {
    /// The configuration of the layer.
    pub audio: AudioSpecificConfig,
    /// The frames in an AudioMuxElement: `numSubFrames` plus 1.
    pub frames_per_element: u8,
}

impl StreamMuxConfig {
    /// Reads a configuration of version 0; what stands behind the layer's configuration is ignored.
    ///
    /// # Errors
    /// An [`AscError`] that says which field cannot be used.
    pub fn parse(octets: &[u8]) -> Result<Self, AscError> {
        let mut bits = BitReader { octets, position: 0 };
        if bits.flag()? {
            return Err(AscError::Unsupported("LATM version 1"));
        }
        if !bits.flag()? {
            return Err(AscError::Unsupported("a LATM stream with its own time framing"));
        }
        let frames_per_element = bits.take(6)? as u8 + 1;
        if bits.take(4)? != 0 || bits.take(3)? != 0 {
            return Err(AscError::Unsupported("a LATM stream of several programs or layers"));
        }
        let audio = AudioSpecificConfig::read(&mut bits)?;
        Ok(StreamMuxConfig { audio, frames_per_element })
    }

    /// The configuration's octets, padded with zero bits.
    pub fn to_bytes(&self) -> Bytes {
        let mut bits = BitWriter::default();
        bits.put(0, 1); // audioMuxVersion
        bits.put(1, 1); // allStreamsSameTimeFraming
        bits.put(u32::from(self.frames_per_element.saturating_sub(1)), 6);
        bits.put(0, 4 + 3); // numProgram, numLayer
        self.audio.write(&mut bits);
        bits.put(0, 3); // frameLengthType: the length stands before each frame
        bits.put(0xff, 8); // latmBufferFullness: variable rate
        bits.put(0, 1 + 1); // otherDataPresent, crcCheckPresent
        Bytes::from(bits.octets)
    }
}

struct BitReader<'a> {
    octets: &'a [u8],
    position: usize,
}

impl BitReader<'_> {
    fn take(&mut self, count: usize) -> Result<u32, AscError> {
        let mut value = 0;
        for _ in 0..count {
            let octet = self.octets.get(self.position / 8).ok_or(AscError::TooShort(self.octets.len()))?;
            value = value << 1 | u32::from(octet >> (7 - self.position % 8) & 1);
            self.position += 1;
        }
        Ok(value)
    }

    fn flag(&mut self) -> Result<bool, AscError> {
        Ok(self.take(1)? == 1)
    }

    /// Skips `eldExtType` elements up to the terminator; each carries its length in octets, in steps of 4, 8 and
    /// 16 bits.
    fn skip_eld_extensions(&mut self) -> Result<(), AscError> {
        while self.take(4)? != 0 {
            let mut length = self.take(4)?;
            if length == 15 {
                let more = self.take(8)?;
                length += more;
                if more == 255 {
                    length += self.take(16)?;
                }
            }
            self.position = self.position.saturating_add(length as usize * 8);
        }
        Ok(())
    }
}

#[derive(Default)]
struct BitWriter {
    octets: Vec<u8>,
    used: u32,
}

impl BitWriter {
    fn put(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            if self.used.is_multiple_of(8) {
                self.octets.push(0);
            }
            if let Some(last) = self.octets.last_mut() {
                *last |= ((value >> bit & 1) as u8) << (7 - self.used % 8);
            }
            self.used += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AacObject::{EnhancedLowDelay as Eld, LowDelay as Ld};

    #[test]
    fn configurations_read_and_write_as_a_known_encoder_writes_them() {
        for (object, rate, channels, length, octets) in [
            (Ld, 16_000, 1, 480, [0xbc, 0x0d, 0x00].as_slice()),
            (Ld, 24_000, 1, 480, &[0xbb, 0x0d, 0x00]),
            (Ld, 44_100, 1, 480, &[0xba, 0x0d, 0x00]),
            (Ld, 48_000, 1, 480, &[0xb9, 0x8d, 0x00]),
            (Ld, 24_000, 1, 512, &[0xbb, 0x09, 0x00]),
            (Ld, 22_050, 1, 512, &[0xbb, 0x89, 0x00]),
            (Eld, 22_050, 1, 480, &[0xf8, 0xee, 0x30, 0x00]),
            (Eld, 24_000, 1, 480, &[0xf8, 0xec, 0x30, 0x00]),
            (Eld, 48_000, 1, 480, &[0xf8, 0xe6, 0x30, 0x00]),
            (Eld, 44_100, 2, 480, &[0xf8, 0xe8, 0x50, 0x00]),
            (Eld, 48_000, 1, 512, &[0xf8, 0xe6, 0x20, 0x00]),
            (AacObject::LowComplexity, 44_100, 2, 1_024, &[0x12, 0x10]),
        ] {
            let config = AudioSpecificConfig::new(object, rate, channels, length);
            assert_eq!(AudioSpecificConfig::parse(octets), Ok(config));
            assert_eq!(config.to_bytes(), octets);
        }
    }

    #[test]
    fn a_rate_without_an_index_is_written_out() {
        let config = AudioSpecificConfig::new(Eld, 23_456, 1, 512);
        assert_eq!(AudioSpecificConfig::parse(&config.to_bytes()), Ok(config));
    }

    #[test]
    fn a_stream_mux_config_holds_an_audio_specific_config() {
        let config = AudioSpecificConfig::new(Ld, 48_000, 1, 480);
        let mux = StreamMuxConfig { audio: config, frames_per_element: 3 };
        assert_eq!(StreamMuxConfig::parse(&mux.to_bytes()), Ok(mux));
        // The configuration of RFC 6416 section 7.4.1.3 is one of AAC-LC in the same frame.
        let other = [0x40, 0x00, 0x26, 0x20, 0x3f, 0xc0];
        let audio = StreamMuxConfig::parse(&other).unwrap().audio;
        assert_eq!(
            (audio.object, audio.sample_rate, audio.frame_length),
            (AacObject::LowComplexity, 24_000, 1_024)
        );
        assert!(StreamMuxConfig::parse(&[0xc0, 0x00, 0x26]).is_err());
    }

    #[test]
    fn other_object_types_and_short_configurations_are_named() {
        assert_eq!(AudioSpecificConfig::parse(&[0x0a, 0x10]), Err(AscError::Object(1)));
        assert_eq!(AudioSpecificConfig::parse(&[0xbb]), Err(AscError::TooShort(1)));
        assert_eq!(AudioSpecificConfig::parse(&[]), Err(AscError::TooShort(0)));
    }

    #[test]
    fn an_eld_extension_is_skipped_and_band_replication_is_seen() {
        // ELD 24000 mono 480, one extension of type 1 and length 1, terminator, epConfig 0.
        let mut bits = BitWriter::default();
        for (value, count) in [
            (31, 5),
            (7, 6),
            (6, 4),
            (1, 4),
            (1, 1),
            (0, 3),
            (0, 1),
            (1, 4),
            (1, 4),
            (0xff, 8),
            (0, 4),
            (0, 2),
        ] {
            bits.put(value, count);
        }
        assert_eq!(
            AudioSpecificConfig::parse(&bits.octets),
            Ok(AudioSpecificConfig::new(Eld, 24_000, 1, 480))
        );
        let mut sbr = BitWriter::default();
        for (value, count) in [(31, 5), (7, 6), (6, 4), (1, 4), (1, 1), (0, 3), (1, 1), (3, 2)] {
            sbr.put(value, count);
        }
        assert!(AudioSpecificConfig::parse(&sbr.octets).unwrap().sbr);
    }
}
