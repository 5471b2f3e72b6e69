//! AAC-LD and AAC-ELD for calls, and AAC-LC for recordings, from the Fraunhofer FDK AAC library.

use super::aac_config::{AacConfig, AacObject};
use super::fdk::{Decoded, Failed, RawDecoder, RawEncoder};
use super::{AudioDecoder, AudioEncoder, CodecError, audio_frame, check_frame};
use crate::sound::Pcm;
use bytes::Bytes;
use fdk_aac_sys as sys;
use visavis_proto::frame::{AudioFormat, Codec, EncodedFrame};

/// The largest access unit that a decoder looks at, octets: 6144 bits per channel is the most that a frame
/// may take (ISO/IEC 14496-3, 4.5.3), and there are two.
pub const MAX_ACCESS_UNIT: usize = 2 * 6_144 / 8;

/// Sample rates that encoders take, Hz.
const RATES: [u32; 8] = [8_000, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];

/// Why AAC could not be set up or encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AacError {
    /// The configuration is outside what the encoder can do.
    #[error("AAC cannot be encoded as {0:?}: possible are {RATES:?} Hz, mono or stereo, without SBR")]
    Config(AacConfig),
    /// The library failed.
    #[error("{call} failed with {code:#x}")]
    Library {
        /// The library call.
        call: &'static str,
        /// The library's own code.
        code: u32,
    },
}

impl From<Failed> for AacError {
    fn from(Failed { call, code }: Failed) -> Self {
        AacError::Library { call, code }
    }
}

/// Encodes AAC of one kind to raw access units.
pub struct AacEncoder {
    raw: RawEncoder,
    config: AacConfig,
    config_bytes: Bytes,
    lag: u32,
}

impl AacEncoder {
    /// An encoder of `config` at `bits_per_second`, which the library moves to what the frame can carry.
    ///
    /// # Errors
    /// [`AacError`], where the library cannot do that configuration.
    pub fn new(config: AacConfig, bits_per_second: u32) -> Result<Self, AacError> {
        if !RATES.contains(&config.sample_rate) || !(1..=2).contains(&config.channels) || config.sbr {
            return Err(AacError::Config(config));
        }
        let object = match config.object {
            AacObject::Lc => sys::AUDIO_OBJECT_TYPE_AOT_AAC_LC,
            AacObject::Ld => sys::AUDIO_OBJECT_TYPE_AOT_ER_AAC_LD,
            AacObject::Eld => sys::AUDIO_OBJECT_TYPE_AOT_ER_AAC_ELD,
        };
        let raw = RawEncoder::new(
            config.channels,
            &[
                (sys::AACENC_PARAM_AACENC_AOT, object as u32),
                (sys::AACENC_PARAM_AACENC_SAMPLERATE, config.sample_rate),
                (sys::AACENC_PARAM_AACENC_CHANNELMODE, config.channels.into()),
                (sys::AACENC_PARAM_AACENC_GRANULE_LENGTH, config.granule),
                (sys::AACENC_PARAM_AACENC_SBR_MODE, 0),
                (sys::AACENC_PARAM_AACENC_BITRATEMODE, 0),
                (sys::AACENC_PARAM_AACENC_BITRATE, bits_per_second),
                (sys::AACENC_PARAM_AACENC_TRANSMUX, sys::TRANSPORT_TYPE_TT_MP4_RAW as u32),
                (sys::AACENC_PARAM_AACENC_AFTERBURNER, 1),
            ],
        )?;
        let info = raw.info()?;
        if info.frame_length != config.granule {
            return Err(AacError::Config(config));
        }
        Ok(AacEncoder { raw, config, config_bytes: info.config.into(), lag: info.delay })
    }

    /// What it encodes.
    pub fn config(&self) -> AacConfig {
        self.config
    }

    /// The AudioSpecificConfig, for SDP (`config`, RFC 3640 section 4.1) or a file.
    pub fn config_bytes(&self) -> Bytes {
        self.config_bytes.clone()
    }

    /// Encodes one granule of interleaved samples to one access unit.
    ///
    /// # Errors
    /// [`AacError::Library`], also where `samples` is not one granule.
    pub fn encode(&mut self, samples: &[i16]) -> Result<Vec<u8>, AacError> {
        Ok(self.raw.encode(samples)?)
    }

    /// The bit rate that holds, bits a second.
    pub fn bitrate(&self) -> u32 {
        self.raw.value(sys::AACENC_PARAM_AACENC_BITRATE)
    }

    /// Sets the bit rate from the next access unit on, without a break in the sound; gives the rate that the
    /// library makes of it, bits a second.
    ///
    /// # Errors
    /// [`AacError::Library`]; the rate before then still holds.
    pub fn set_bitrate(&mut self, bits_per_second: u32) -> Result<u32, AacError> {
        let before = self.bitrate();
        self.raw.set(sys::AACENC_PARAM_AACENC_BITRATE, bits_per_second)?;
        if let Err(error) = self.raw.apply() {
            self.raw.set(sys::AACENC_PARAM_AACENC_BITRATE, before)?;
            self.raw.apply()?;
            return Err(error.into());
        }
        Ok(self.bitrate())
    }

    /// Samples per channel that decoded sound lies behind the sound encoded: one granule for Low Delay, half
    /// of one for Enhanced Low Delay, 2048 for Low Complexity.
    pub fn lag(&self) -> u32 {
        self.lag
    }
}

/// Encodes AAC-LD or AAC-ELD for a call.
pub struct LowDelayEncoder {
    format: AudioFormat,
    aac: AacEncoder,
}

impl LowDelayEncoder {
    /// An encoder for `format` at `bitrate` bits a second (`None`: two bits a sample), within the format's
    /// `max_bitrate`.
    ///
    /// # Errors
    /// [`CodecError::Format`] where the format's config asks for something else than its other values, or
    /// for what the library cannot encode.
    pub fn new(format: &AudioFormat, bitrate: Option<u32>) -> Result<Self, CodecError> {
        let config = config_of(format)?;
        let values = (config.sample_rate, config.channels, config.granule);
        if values != (format.sample_rate, format.channels, format.samples_per_frame) {
            let what = format!("its config has {values:?} Hz, channels, samples, the format something else");
            return Err(CodecError::Format { codec: format.codec, what });
        }
        let bits = within(format, bitrate.unwrap_or(2 * config.sample_rate * u32::from(config.channels)));
        let aac = AacEncoder::new(config, bits)
            .map_err(|e| CodecError::Format { codec: format.codec, what: e.to_string() })?;
        Ok(LowDelayEncoder { format: format.clone(), aac })
    }

    /// The AudioSpecificConfig of what it makes.
    pub fn config_bytes(&self) -> Bytes {
        self.aac.config_bytes()
    }

    fn failed(&self, error: AacError) -> CodecError {
        let codec = self.format.codec;
        match error {
            AacError::Library { call, code } => CodecError::Library { codec, call, code: code.into() },
            AacError::Config(_) => CodecError::Format { codec, what: error.to_string() },
        }
    }
}

impl AudioEncoder for LowDelayEncoder {
    fn format(&self) -> &AudioFormat {
        &self.format
    }

    fn encode(&mut self, sound: &Pcm) -> Result<Option<EncodedFrame>, CodecError> {
        check_frame(&self.format, sound)?;
        let data = self.aac.encode(sound.samples()).map_err(|e| self.failed(e))?;
        Ok((!data.is_empty()).then(|| audio_frame(&self.format, sound, data)))
    }

    fn set_bitrate(&mut self, bits_per_second: u32) -> Result<u32, CodecError> {
        self.aac.set_bitrate(within(&self.format, bits_per_second)).map_err(|e| self.failed(e))
    }

    fn lag(&self) -> u32 {
        self.aac.lag()
    }
}

/// Decodes AAC-LD or AAC-ELD.
pub struct LowDelayDecoder {
    format: AudioFormat,
    raw: RawDecoder,
    /// Rate, channels and samples per channel of the sound that comes out.
    shape: (u32, u8, usize),
}

impl LowDelayDecoder {
    /// A decoder under the format's config, or where that is empty under the one that its other values
    /// make. Sound comes out at the rate that the config says, mixed to the format's channels.
    ///
    /// # Errors
    /// [`CodecError::Format`] for a config that is of another codec or that the library cannot decode.
    pub fn new(format: &AudioFormat) -> Result<Self, CodecError> {
        let config = config_of(format)?;
        let fail = |what| CodecError::Format { codec: format.codec, what };
        if !(1..=2).contains(&format.channels) {
            return Err(fail(format!("{} channels, possible are 1 and 2", format.channels)));
        }
        let octets = if format.config.is_empty() { config.to_bytes().into() } else { format.config.clone() };
        let raw =
            RawDecoder::new(&octets, format.channels).map_err(|e| fail(AacError::from(e).to_string()))?;
        let shape = (config.sample_rate, format.channels, config.granule as usize);
        Ok(LowDelayDecoder { format: format.clone(), raw, shape })
    }

    fn sound(&mut self, decoded: Decoded) -> Result<Pcm, String> {
        let frames = decoded.samples.len() / usize::from(decoded.channels);
        self.shape = (decoded.sample_rate, decoded.channels, frames);
        Pcm::new(decoded.samples, decoded.sample_rate, decoded.channels).map_err(|e| e.to_string())
    }
}

impl AudioDecoder for LowDelayDecoder {
    fn format(&self) -> &AudioFormat {
        &self.format
    }

    fn decode(&mut self, data: &[u8]) -> Result<Pcm, CodecError> {
        let malformed = |what| CodecError::Data { codec: self.format.codec, octets: data.len(), what };
        if data.is_empty() || data.len() > MAX_ACCESS_UNIT {
            return Err(malformed(format!("an access unit has 1 to {MAX_ACCESS_UNIT} octets")));
        }
        let decoded = self.raw.decode(data).map_err(|e| malformed(AacError::from(e).to_string()))?;
        let codec = self.format.codec;
        self.sound(decoded).map_err(|what| CodecError::Data { codec, octets: data.len(), what })
    }

    fn conceal(&mut self) -> Pcm {
        let made_up = self.raw.conceal().ok().and_then(|decoded| self.sound(decoded).ok());
        let (sample_rate, channels, frames) = self.shape;
        // Before the first access unit there is nothing to make sound of.
        made_up.or_else(|| Pcm::silence(frames, sample_rate, channels).ok()).unwrap_or_else(|| {
            Pcm::silence(frames, *crate::sound::SAMPLE_RATES.start(), 1).expect("a rate within bounds")
        })
    }
}

/// The configuration that a format asks for: its config read, or where that is empty made of its values.
fn config_of(format: &AudioFormat) -> Result<AacConfig, CodecError> {
    let fail = |what| CodecError::Format { codec: format.codec, what };
    let object = match format.codec {
        Codec::AacLc => AacObject::Lc,
        Codec::AacLd => AacObject::Ld,
        Codec::AacEld => AacObject::Eld,
        _ => return Err(fail("it is no AAC".into())),
    };
    if format.config.is_empty() {
        let (sample_rate, channels, granule) =
            (format.sample_rate, format.channels, format.samples_per_frame);
        let possible: [u32; 2] = if object == AacObject::Lc { [960, 1_024] } else { [480, 512] };
        if !possible.contains(&granule) {
            return Err(fail(format!(
                "{granule} samples a frame, possible are {} and {}",
                possible[0], possible[1]
            )));
        }
        return Ok(AacConfig { object, sample_rate, channels, granule, sbr: false });
    }
    let config =
        AacConfig::parse(&format.config).map_err(|e| fail(format!("config {:x}: {e}", format.config)))?;
    if config.object != object {
        return Err(fail(format!("config {:x} is of {:?}", format.config, config.object)));
    }
    Ok(config)
}

fn within(format: &AudioFormat, bits_per_second: u32) -> u32 {
    bits_per_second.min(format.max_bitrate.unwrap_or(u32::MAX))
}
