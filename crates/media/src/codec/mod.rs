//! Coded frames to pictures and sound and back.
//!
//! Each codec has a file; each implements one of four traits, so that a program can bring encoders and
//! decoders of its own. The `open_*` functions build the codec that a negotiated format asks for. Everything
//! here is `Send` and meant for a thread of its own; nothing blocks but for the work itself.

#[cfg(feature = "aac")]
pub mod aac;
pub mod aac_config;
mod conceal;
#[cfg(feature = "aac")]
mod fdk;
pub mod g711;
pub mod g722;
pub mod h264;
pub mod h264_decoder;
pub mod h264_encoder;
mod openh264;
#[cfg(feature = "opus")]
pub mod opus;

use self::h264_decoder::{DEFAULT_MAX_MACROBLOCKS, H264Decoder};
use self::h264_encoder::{H264Encoder, H264Settings};
use crate::picture::Picture;
use crate::sound::Pcm;
use visavis_proto::frame::{
    AudioFormat, Codec, EncodedFrame, MediaKind, ReceivedFrame, Rotation, VideoFormat,
};

/// The longest run of lost sound frames that a decoder fills in before the next one; silence after that
/// many is shorter for the listener than a longer invention.
pub const MAX_CONCEALED_FRAMES: u32 = 10;

/// Turns sound into coded frames.
pub trait AudioEncoder: Send {
    /// The format that the encoder was opened with.
    fn format(&self) -> &AudioFormat;

    /// Encodes one frame: `samples_per_frame` samples per channel at the format's rate and channels (cut
    /// sound to that length with [`crate::sound::Reblock`]).
    ///
    /// The frame's `captured` is that of the sound given; the sound that a decoder makes of it lies
    /// [`AudioEncoder::lag`] samples behind. `None` where there is nothing to send for this frame.
    ///
    /// # Errors
    /// [`CodecError::Input`] for sound of another shape, [`CodecError::Library`] where the codec fails.
    fn encode(&mut self, sound: &Pcm) -> Result<Option<EncodedFrame>, CodecError>;

    /// Changes the bit rate from the next frame on; gives the rate that holds, bits a second. A codec with
    /// one rate only gives that rate.
    ///
    /// # Errors
    /// [`CodecError::Library`] where the codec refuses; the rate before then still holds.
    fn set_bitrate(&mut self, bits_per_second: u32) -> Result<u32, CodecError>;

    /// Says whether packets are lost on their way. From the next frame on each then carries what helps to restore the one
    /// before it, where the codec has such redundancy.
    ///
    /// # Errors
    /// [`CodecError::Library`] where the codec refuses; all stays as it was.
    fn set_lossy(&mut self, lossy: bool) -> Result<(), CodecError> {
        let _ = lossy;
        Ok(())
    }

    /// Samples (at the format's rate) by which decoded sound lies behind the sound encoded, counted from
    /// the start of the frame: 0 for a codec without memory. To be subtracted in lip sync.
    fn lag(&self) -> u32;
}

/// Turns coded frames into sound.
pub trait AudioDecoder: Send {
    /// The format that the decoder was opened with.
    fn format(&self) -> &AudioFormat;

    /// Decodes one coded frame.
    ///
    /// # Errors
    /// [`CodecError::Data`] where the octets are no frame of this codec. The decoder stays usable.
    fn decode(&mut self, data: &[u8]) -> Result<Pcm, CodecError>;

    /// Makes up one frame of sound in place of a lost one.
    fn conceal(&mut self) -> Pcm;

    /// Makes the frame that was lost just before `next`, with what help `next` carries for it; by default
    /// none, and this is [`AudioDecoder::conceal`]. `next` is decoded after this.
    fn recover(&mut self, next: &[u8]) -> Pcm {
        let _ = next;
        self.conceal()
    }

    /// Decodes a frame as the jitter buffer hands it over: fills in what was lost before it (at most
    /// [`MAX_CONCEALED_FRAMES`]), then decodes it, and conceals it where it does not decode. Sound is
    /// stamped with the time to play it.
    fn receive(&mut self, frame: &ReceivedFrame) -> Received {
        let lost = frame.lost_packets.min(MAX_CONCEALED_FRAMES);
        let mut sound: Vec<Pcm> = (1..lost).map(|_| self.conceal()).collect();
        if lost > 0 {
            sound.push(self.recover(&frame.data));
        }
        let (last, error) = match self.decode(&frame.data) {
            Ok(pcm) => (pcm, None),
            Err(error) => (self.conceal(), Some(error)),
        };
        let mut at = frame.play_at;
        for pcm in sound.iter_mut().rev() {
            at = at.saturating_sub(pcm.duration());
            pcm.captured = at;
        }
        sound.push(last.at(frame.play_at));
        Received { sound, concealed: lost + u32::from(error.is_some()), error }
    }
}

/// What became of one received frame of sound.
#[derive(Debug)]
pub struct Received {
    /// The sound in order of play, concealed frames first.
    pub sound: Vec<Pcm>,
    /// How many of them were made up.
    pub concealed: u32,
    /// Why the frame itself did not decode, where it did not; to be counted.
    pub error: Option<CodecError>,
}

/// Turns pictures into coded frames.
pub trait VideoEncoder: Send {
    /// Encodes one picture. `None` where rate control left this picture out.
    ///
    /// A picture of another size than the one before starts over with a keyframe.
    ///
    /// # Errors
    /// [`CodecError::Input`] for a picture that the peer cannot take (scale it with [`crate::scale`]),
    /// [`CodecError::Library`] where the codec fails.
    fn encode(&mut self, picture: &Picture) -> Result<Option<EncodedFrame>, CodecError>;

    /// Makes the next coded picture a keyframe (IDR), parameter sets in front.
    fn request_keyframe(&mut self);

    /// Sets bit rate (bits a second) and frame rate (pictures a second) from the next picture on. Values
    /// are held to what the peer takes.
    ///
    /// # Errors
    /// [`CodecError::Library`] where the codec refuses; the rates before then still hold.
    fn set_rates(&mut self, bits_per_second: u32, frames_per_second: f32) -> Result<(), CodecError>;
}

/// Turns coded frames into pictures.
pub trait VideoDecoder: Send {
    /// Decodes one access unit. `None` where it held no picture (parameter sets alone) or nothing that can
    /// be shown yet. The picture carries the frame's `play_at` and a sequence number of the decoder's own.
    ///
    /// # Errors
    /// [`CodecError::Data`] where nothing in the frame could be decoded. The decoder stays usable.
    fn decode(&mut self, frame: &ReceivedFrame) -> Result<Option<DecodedPicture>, CodecError>;

    /// Whether pictures are broken until the next keyframe, so that one should be asked for (PLI, RFC 4585
    /// section 6.3.1). True until the first keyframe was decoded.
    fn needs_keyframe(&self) -> bool;
}

/// A picture from a decoder.
#[derive(Clone, Debug)]
pub struct DecodedPicture {
    /// The picture.
    pub picture: Picture,
    /// Whether parts of it, or of a picture that it builds on, were lost and made up.
    pub concealed: bool,
}

/// Why a codec could not be opened, or could not do a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The codec was left out of this build.
    #[error("{codec} is not in this build (cargo feature `{feature}` of visavis-media)")]
    NotBuilt {
        /// The codec asked for.
        codec: Codec,
        /// The cargo feature that brings it.
        feature: &'static str,
    },
    /// The negotiated format asks for what the codec cannot do.
    #[error("{codec} cannot be opened: {what}")]
    Format {
        /// The codec asked for.
        codec: Codec,
        /// Which value, and what could be had.
        what: String,
    },
    /// What the caller gave to an encoder does not match its format.
    #[error("{codec} was given {what}")]
    Input {
        /// The codec.
        codec: Codec,
        /// What was given and what was wanted.
        what: String,
    },
    /// What the peer sent is no frame of this codec.
    #[error("a frame of {octets} octets is no {codec}: {what}")]
    Data {
        /// The codec.
        codec: Codec,
        /// Length of the frame.
        octets: usize,
        /// What the decoder found.
        what: String,
    },
    /// The codec library failed.
    #[error("{codec}: {call} failed with {code:#x}")]
    Library {
        /// The codec.
        codec: Codec,
        /// The library call.
        call: &'static str,
        /// The library's own code.
        code: i64,
    },
}

/// Opens an encoder for `format` at `bitrate` bits a second (`None`: the codec's usual rate for speech),
/// never above the format's `max_bitrate`.
///
/// # Errors
/// [`CodecError::NotBuilt`], [`CodecError::Format`] or [`CodecError::Library`].
#[cfg_attr(not(any(feature = "aac", feature = "opus")), allow(unused_variables))]
pub fn open_audio_encoder(
    format: &AudioFormat,
    bitrate: Option<u32>,
) -> Result<Box<dyn AudioEncoder>, CodecError> {
    match format.codec {
        Codec::Pcmu | Codec::Pcma => Ok(Box::new(g711::G711Encoder::new(format)?)),
        #[cfg(feature = "aac")]
        Codec::AacLc | Codec::AacLd | Codec::AacEld => {
            Ok(Box::new(aac::LowDelayEncoder::new(format, bitrate)?))
        }
        #[cfg(not(feature = "aac"))]
        codec @ (Codec::AacLc | Codec::AacLd | Codec::AacEld) => {
            Err(CodecError::NotBuilt { codec, feature: "aac" })
        }
        Codec::H264 => Err(wrong_kind(format.codec, MediaKind::Audio)),
        Codec::G722 => Ok(Box::new(g722::G722Encoder::new(format)?)),
        #[cfg(feature = "opus")]
        Codec::Opus => Ok(Box::new(opus::OpusEncoder::new(format, bitrate)?)),
        #[cfg(not(feature = "opus"))]
        codec @ Codec::Opus => Err(CodecError::NotBuilt { codec, feature: "opus" }),
    }
}

/// Opens a decoder for `format`.
///
/// # Errors
/// As [`open_audio_encoder`].
pub fn open_audio_decoder(format: &AudioFormat) -> Result<Box<dyn AudioDecoder>, CodecError> {
    match format.codec {
        Codec::Pcmu | Codec::Pcma => Ok(Box::new(g711::G711Decoder::new(format)?)),
        #[cfg(feature = "aac")]
        Codec::AacLc | Codec::AacLd | Codec::AacEld => Ok(Box::new(aac::LowDelayDecoder::new(format)?)),
        #[cfg(not(feature = "aac"))]
        codec @ (Codec::AacLc | Codec::AacLd | Codec::AacEld) => {
            Err(CodecError::NotBuilt { codec, feature: "aac" })
        }
        Codec::H264 => Err(wrong_kind(format.codec, MediaKind::Audio)),
        Codec::G722 => Ok(Box::new(g722::G722Decoder::new(format)?)),
        #[cfg(feature = "opus")]
        Codec::Opus => Ok(Box::new(opus::OpusDecoder::new(format)?)),
        #[cfg(not(feature = "opus"))]
        codec @ Codec::Opus => Err(CodecError::NotBuilt { codec, feature: "opus" }),
    }
}

/// Opens an encoder of pictures for `format` at `bits_per_second` and `frames_per_second`, both held to what
/// the format allows.
///
/// # Errors
/// [`CodecError::Format`] or [`CodecError::Library`].
pub fn open_video_encoder(
    format: &VideoFormat,
    bits_per_second: u32,
    frames_per_second: f32,
) -> Result<Box<dyn VideoEncoder>, CodecError> {
    match format.codec {
        Codec::H264 => {
            let settings = H264Settings::new(format, bits_per_second, frames_per_second);
            Ok(Box::new(H264Encoder::new(format, settings)?))
        }
        codec => Err(wrong_kind(codec, MediaKind::Video)),
    }
}

/// Opens a decoder of pictures.
///
/// # Errors
/// [`CodecError::Format`] or [`CodecError::Library`].
pub fn open_video_decoder(codec: Codec) -> Result<Box<dyn VideoDecoder>, CodecError> {
    match codec {
        Codec::H264 => Ok(Box::new(H264Decoder::new(DEFAULT_MAX_MACROBLOCKS)?)),
        codec => Err(wrong_kind(codec, MediaKind::Video)),
    }
}

fn wrong_kind(codec: Codec, wanted: MediaKind) -> CodecError {
    let what = format!("it carries {}, not {}", codec.kind().as_str(), wanted.as_str());
    CodecError::Format { codec, what }
}

/// An error unless `format` has one of these sample rates, one of these channel counts, and a frame of
/// 1 to 120 ms.
fn check_format(format: &AudioFormat, rates: &[u32], channels: &[u8]) -> Result<(), CodecError> {
    let fail = |what| Err(CodecError::Format { codec: format.codec, what });
    if !rates.contains(&format.sample_rate) {
        return fail(format!("sample rate {} Hz, possible are {rates:?}", format.sample_rate));
    }
    if !channels.contains(&format.channels) {
        return fail(format!("{} channels, possible are {channels:?}", format.channels));
    }
    let rate = u64::from(format.sample_rate);
    let frame_us = u64::from(format.samples_per_frame) * 1_000_000 / rate;
    if !(1_000..=120_000).contains(&frame_us) {
        return fail(format!("{} samples a frame are not 1 to 120 ms", format.samples_per_frame));
    }
    Ok(())
}

/// An error unless `sound` is exactly one frame of `format`.
fn check_frame(format: &AudioFormat, sound: &Pcm) -> Result<(), CodecError> {
    let given = (sound.frames(), sound.sample_rate(), sound.channels());
    let wanted = (format.samples_per_frame as usize, format.sample_rate, format.channels);
    if given == wanted {
        return Ok(());
    }
    let what = format!("{given:?} samples, Hz, channels where a frame has {wanted:?}");
    Err(CodecError::Input { codec: format.codec, what })
}

/// The coded form of `sound` as a frame to be sent.
fn audio_frame(format: &AudioFormat, sound: &Pcm, data: Vec<u8>) -> EncodedFrame {
    let ticks = u64::from(format.samples_per_frame) * u64::from(format.clock_rate);
    EncodedFrame {
        data: data.into(),
        captured: sound.captured,
        duration: (ticks / u64::from(format.sample_rate)) as u32,
        keyframe: true,
        rotation: Rotation::None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use visavis_proto::time::Time;

    /// A format without an AudioSpecificConfig; G.722's clock is seen to.
    pub(crate) fn audio_format(codec: Codec, sample_rate: u32, channels: u8, samples: u32) -> AudioFormat {
        AudioFormat {
            codec,
            sample_rate,
            clock_rate: if codec == Codec::G722 { 8_000 } else { sample_rate },
            channels,
            samples_per_frame: samples,
            config: Default::default(),
            max_bitrate: None,
        }
    }

    /// `count` samples of a sine.
    pub(crate) fn tone(hz: f64, rate: u32, count: usize, amplitude: f64) -> Vec<i16> {
        let step = std::f64::consts::TAU * hz / f64::from(rate);
        (0..count).map(|i| (amplitude * (step * i as f64).sin()).round() as i16).collect()
    }

    pub(crate) fn rms(samples: &[i16]) -> f64 {
        let energy: f64 = samples.iter().map(|&s| f64::from(s).powi(2)).sum();
        (energy / samples.len().max(1) as f64).sqrt()
    }

    /// How far the difference of two signals lies below the first, dB.
    pub(crate) fn snr_db(wanted: &[i16], got: &[i16]) -> f64 {
        assert_eq!(wanted.len(), got.len());
        let noise: f64 = wanted.iter().zip(got).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
        20.0 * (rms(wanted) / (noise / wanted.len() as f64).sqrt().max(1e-9)).log10()
    }

    fn received(data: &[u8], lost_packets: u32) -> ReceivedFrame {
        ReceivedFrame {
            codec: Codec::Pcmu,
            payload_type: 0,
            data: data.to_vec().into(),
            timestamp: 0,
            received: Time::ZERO,
            play_at: Time::from_millis(100),
            keyframe: true,
            lost_packets,
            complete: true,
            rotation: Rotation::None,
        }
    }

    #[test]
    fn lost_frames_are_filled_in_before_the_one_that_arrived() {
        let mut decoder = open_audio_decoder(&audio_format(Codec::Pcmu, 8_000, 1, 160)).unwrap();
        let got = decoder.receive(&received(&[0x80; 160], 2));
        assert_eq!((got.sound.len(), got.concealed), (3, 2));
        let times: Vec<u64> = got.sound.iter().map(|pcm| pcm.captured.nanos() / 1_000_000).collect();
        assert_eq!(times, [60, 80, 100]);
        let far = decoder.receive(&received(&[0x80; 160], 5_000));
        assert_eq!(far.concealed, MAX_CONCEALED_FRAMES);
    }

    #[test]
    fn a_frame_that_does_not_decode_is_concealed_and_reported() {
        let mut decoder = open_audio_decoder(&audio_format(Codec::Pcmu, 8_000, 1, 160)).unwrap();
        let got = decoder.receive(&received(&[], 0));
        assert_eq!((got.sound.len(), got.concealed), (1, 1));
        assert!(matches!(got.error, Some(CodecError::Data { .. })));
    }

    #[test]
    fn a_codec_of_the_other_kind_is_refused_in_words() {
        let error = open_audio_encoder(&audio_format(Codec::H264, 8_000, 1, 160), None).err().unwrap();
        assert_eq!(error.to_string(), "H.264 cannot be opened: it carries video, not audio");
        assert!(open_video_decoder(Codec::Opus).is_err());
    }
}
