//! Opus (RFC 6716, RFC 7587) by the pure Rust crate `ropus`; `docs/decisions/0005-opus.md` says why that one.

use super::{AudioDecoder, AudioEncoder, CodecError, audio_frame, check_format, check_frame};
use crate::sound::Pcm;
use ropus::{Application, Bitrate, Channels, DecodeMode, Decoder, Encoder, InbandFec};
use visavis_proto::frame::{AudioFormat, Codec, EncodedFrame};

/// The largest packet, octets: six frames of 1275 (RFC 6716 section 3.2), to which headers add a few.
pub const MAX_PACKET: usize = 1_500;

/// Bounds of the bit rate, bits a second (RFC 6716 section 2.1.1).
const BITRATES: std::ops::RangeInclusive<u32> = 6_000..=510_000;
/// Sample rates that encoder and decoder take, Hz (RFC 7587 section 4.1).
const RATES: [u32; 5] = [8_000, 12_000, 16_000, 24_000, 48_000];
/// Loss that the encoder is told of where there is any, percent: enough that it guards against it with in-band redundancy (RFC 6716
/// section 2.1.7), which only its linear prediction mode has.
const LOSS: u8 = 10;
/// How hard the encoder tries, 0 to 10: above this, speech takes two and a half times as long and comes out no better.
const COMPLEXITY: u8 = 5;

/// Sound to Opus packets; with redundancy for the packet before where packets are lost.
///
/// At the bit rates of a call it works by transform (CELT), which takes a quarter to a half of the hybrid mode's time. Below, and where
/// packets are lost, linear prediction (SILK) has its part.
pub struct OpusEncoder {
    format: AudioFormat,
    inner: Encoder,
}

impl OpusEncoder {
    /// An encoder at `bitrate` bits a second (`None`: 32,000 a channel), within the format's `max_bitrate`.
    ///
    /// # Errors
    /// [`CodecError::Format`] for another codec, rate, channel count or frame length than Opus has.
    pub fn new(format: &AudioFormat, bitrate: Option<u32>) -> Result<Self, CodecError> {
        let channels = check(format)?;
        let bits = within(format, bitrate.unwrap_or(32_000 * u32::from(format.channels)));
        let inner = Encoder::builder(format.sample_rate, channels, Application::Audio)
            .bitrate(Bitrate::Bits(bits))
            .inband_fec(InbandFec::Enabled)
            .complexity(COMPLEXITY)
            .build()
            .map_err(|e| fail(e.to_string()))?;
        if !inner.valid_frame_sizes()[..6].contains(&(format.samples_per_frame as usize)) {
            return Err(fail(format!("{} samples a frame are not 2.5 to 60 ms", format.samples_per_frame)));
        }
        Ok(OpusEncoder { format: format.clone(), inner })
    }
}

impl AudioEncoder for OpusEncoder {
    fn format(&self) -> &AudioFormat {
        &self.format
    }

    fn encode(&mut self, sound: &Pcm) -> Result<Option<EncodedFrame>, CodecError> {
        check_frame(&self.format, sound)?;
        let mut data = vec![0; MAX_PACKET];
        let length = self.inner.encode(sound.samples(), &mut data).map_err(|_| failed("encode"))?;
        data.truncate(length);
        Ok(Some(audio_frame(&self.format, sound, data)))
    }

    fn set_bitrate(&mut self, bits_per_second: u32) -> Result<u32, CodecError> {
        let bits = within(&self.format, bits_per_second);
        self.inner.set_bitrate(Bitrate::Bits(bits)).map_err(|_| failed("set_bitrate"))?;
        Ok(bits)
    }

    fn set_lossy(&mut self, lossy: bool) -> Result<(), CodecError> {
        self.inner
            .set_packet_loss_perc(if lossy { LOSS } else { 0 })
            .map_err(|_| failed("set_packet_loss_perc"))
    }

    fn lag(&self) -> u32 {
        self.inner.lookahead()
    }
}

/// Opus packets to sound.
pub struct OpusDecoder {
    format: AudioFormat,
    inner: Decoder,
    /// Samples per channel of the packet before, which a lost one is taken to have had too.
    frame: usize,
}

impl OpusDecoder {
    /// A decoder to the format's rate and channels, whatever the sender chose (RFC 7587 section 4.1).
    ///
    /// # Errors
    /// [`CodecError::Format`] for another codec, rate or channel count than Opus has.
    pub fn new(format: &AudioFormat) -> Result<Self, CodecError> {
        let channels = check(format)?;
        let inner = Decoder::new(format.sample_rate, channels).map_err(|e| fail(e.to_string()))?;
        Ok(OpusDecoder { format: format.clone(), inner, frame: format.samples_per_frame as usize })
    }

    /// Runs the decoder with room for `frames` samples per channel.
    fn run(&mut self, data: &[u8], frames: usize, mode: DecodeMode) -> Result<Pcm, String> {
        let channels = usize::from(self.format.channels);
        let mut samples = vec![0; frames * channels];
        let made = self.inner.decode(data, &mut samples, mode).map_err(|e| e.to_string())?;
        samples.truncate(made * channels);
        Pcm::new(samples, self.format.sample_rate, self.format.channels).map_err(|e| e.to_string())
    }
}

impl AudioDecoder for OpusDecoder {
    fn format(&self) -> &AudioFormat {
        &self.format
    }

    fn decode(&mut self, data: &[u8]) -> Result<Pcm, CodecError> {
        let malformed = |what| CodecError::Data { codec: Codec::Opus, octets: data.len(), what };
        if data.is_empty() || data.len() > 6 * MAX_PACKET {
            return Err(malformed(format!("a packet has 1 to {} octets", 6 * MAX_PACKET)));
        }
        let room = self.inner.max_frame_samples_per_channel();
        let sound = self.run(data, room, DecodeMode::Normal).map_err(malformed)?;
        self.frame = sound.frames();
        Ok(sound)
    }

    fn conceal(&mut self) -> Pcm {
        let silence = || Pcm::silence(self.frame, self.format.sample_rate, self.format.channels);
        let silence = silence().expect("rate and channels were checked on opening");
        self.run(&[], self.frame, DecodeMode::Normal).unwrap_or(silence)
    }

    fn recover(&mut self, next: &[u8]) -> Pcm {
        match self.run(next, self.frame, DecodeMode::Fec) {
            Ok(sound) if !next.is_empty() => sound,
            _ => self.conceal(),
        }
    }
}

fn check(format: &AudioFormat) -> Result<Channels, CodecError> {
    check_format(format, &RATES, &[1, 2])?;
    if format.codec != Codec::Opus {
        return Err(fail(format!("{} is not Opus", format.codec)));
    }
    Ok(if format.channels == 1 { Channels::Mono } else { Channels::Stereo })
}

fn within(format: &AudioFormat, bits_per_second: u32) -> u32 {
    bits_per_second.min(format.max_bitrate.unwrap_or(u32::MAX)).clamp(*BITRATES.start(), *BITRATES.end())
}

fn fail(what: String) -> CodecError {
    CodecError::Format { codec: Codec::Opus, what }
}

fn failed(call: &'static str) -> CodecError {
    CodecError::Library { codec: Codec::Opus, call, code: -1 }
}
