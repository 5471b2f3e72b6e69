//! What this side can do: the codecs that it offers and agrees to.

use super::asc::{AacObject, AudioSpecificConfig};
use super::dialect::{Dialect, Facetime2010};
use super::extmap::HeaderExtension;
use super::format::{AacFormat, Encoding, H264Format, OpusFormat};
use super::h264::{PacketizationMode, ProfileLevelId};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// The audio codecs of a softphone, in order of preference: what every peer has comes first, AAC after it.
pub const SOFTPHONE_AUDIO: &[AudioCodec] = &[
    AudioCodec::Opus,
    AudioCodec::G722,
    AudioCodec::Pcmu,
    AudioCodec::Pcma,
    AudioCodec::Aac(AacCapability::new(AacObject::EnhancedLowDelay, 48_000, 480)),
    AudioCodec::Aac(AacCapability::new(AacObject::LowDelay, 48_000, 480)),
];

/// The same codecs with AAC-ELD first, for calls between two endpoints that have it.
pub const AAC_FIRST_AUDIO: &[AudioCodec] = &[
    AudioCodec::Aac(AacCapability::new(AacObject::EnhancedLowDelay, 48_000, 480)),
    AudioCodec::Aac(AacCapability::new(AacObject::LowDelay, 48_000, 480)),
    AudioCodec::Opus,
    AudioCodec::G722,
    AudioCodec::Pcmu,
    AudioCodec::Pcma,
];

/// The audio codecs of a FaceTime call of 2010, and behind them what softphones have.
pub const FACETIME_2010_AUDIO: &[AudioCodec] = &[
    AudioCodec::Aac(AacCapability::new(AacObject::EnhancedLowDelay, 22_050, 480)),
    AudioCodec::Aac(AacCapability::new(AacObject::LowDelay, 22_050, 480)),
    AudioCodec::Pcmu,
    AudioCodec::Opus,
    AudioCodec::G722,
    AudioCodec::Pcma,
];

/// What this side can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Audio codecs in order of preference. Empty: no sound.
    pub audio: Vec<AudioCodec>,
    /// Offer every codec of `audio`. Otherwise AAC that stands behind other codecs is kept for answers: it takes
    /// many lines, and an INVITE over UDP should stay below 1,300 octets (RFC 3261 section 18.1.1).
    pub offer_all: bool,
    /// H.264; `None`: no pictures.
    pub video: Option<VideoCapability>,
    /// What AAC a peer's offer may ask for, beyond the exact entries of `audio`.
    pub aac: AacLimits,
    /// How descriptions are laid out. In an answer, the offer decides.
    pub dialect: Dialect,
    /// What this side says of its Opus decoder.
    pub opus: OpusFormat,
    /// Whether telephone events (RFC 4733) are offered and agreed to.
    pub telephone_event: bool,
    /// Whose order of audio codecs decides in an answer.
    pub answer_order: AnswerOrder,
    /// The RTCP feedback that this side understands and offers.
    pub feedback: FeedbackOffer,
    /// The most RTP payload that this side wants to receive in an audio section, bit/s.
    pub max_audio_bitrate: Option<u32>,
    /// The most RTP payload that this side wants to receive in a video section, bit/s.
    pub max_video_bitrate: Option<u32>,
    /// The packet time that this side wants to receive, milliseconds (`a=ptime`).
    pub ptime: u32,
    /// The largest RTP payload that this side sends, octets. Where packets can carry a header extension, it takes what
    /// that needs out of it, so that no packet becomes larger.
    pub max_payload: u32,
    /// The RTP header extensions that this side agrees to, and, as a softphone, offers.
    pub header_extensions: Vec<HeaderExtension>,
}

impl Default for Capabilities {
    /// [`SOFTPHONE_AUDIO`] (AAC in answers only), H.264 Constrained Baseline up to level 3.1, telephone events, PLI and FIR, no bit
    /// rate bounds, packets of 20 ms and 1,200 octets, all known header extensions.
    fn default() -> Self {
        Capabilities {
            audio: SOFTPHONE_AUDIO.to_vec(),
            offer_all: false,
            video: Some(VideoCapability::default()),
            aac: AacLimits::default(),
            dialect: Dialect::Softphone,
            opus: OpusFormat { use_inband_fec: true, ..OpusFormat::default() },
            telephone_event: true,
            answer_order: AnswerOrder::Offerer,
            feedback: FeedbackOffer::default(),
            max_audio_bitrate: None,
            max_video_bitrate: None,
            ptime: 20,
            max_payload: 1_200,
            header_extensions: HeaderExtension::ALL.to_vec(),
        }
    }
}

/// An audio codec, as a configuration names it.
///
/// Its text form is `opus`, `g722`, `pcmu`, `pcma`, `aac-eld/48000/480` or `aac-ld/24000/512` (sample rate in Hz
/// and samples in a frame), or `aac-ld/latm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AudioCodec {
    /// Opus.
    Opus,
    /// G.722.
    G722,
    /// G.711 mu-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// AAC-LD or AAC-ELD in RFC 3640, mono.
    Aac(AacCapability),
    /// AAC-LD in RFC 6416 LATM, 48 kHz on a clock of 90 kHz.
    AacLdLatm,
}

/// A configuration of AAC to offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AacCapability {
    /// The object type.
    pub object: AacObject,
    /// Samples a second, Hz.
    pub sample_rate: u32,
    /// Samples in a frame: 480 or 512.
    pub frame_length: u16,
}

impl AacCapability {
    /// A configuration to offer.
    pub const fn new(object: AacObject, sample_rate: u32, frame_length: u16) -> Self {
        AacCapability { object, sample_rate, frame_length }
    }
}

/// What AAC this side agrees to when a peer offers it. The object type must be in [`Capabilities::audio`] too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AacLimits {
    /// Sample rates, Hz.
    pub sample_rates: Vec<u32>,
    /// The most channels.
    pub max_channels: u8,
    /// Whether LATM with its configuration in the stream (`cpresent=1`, the default of RFC 6416 and the form of
    /// video conferencing systems) is agreed to. It takes a depacketizer that reads it there.
    pub latm_in_band_config: bool,
}

impl Default for AacLimits {
    /// Every rate from 16 to 48 kHz that the low-delay codecs are used at, mono, configured by the description.
    fn default() -> Self {
        AacLimits {
            sample_rates: vec![16_000, 22_050, 24_000, 32_000, 44_100, 48_000],
            max_channels: 1,
            latm_in_band_config: false,
        }
    }
}

/// What H.264 this side can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoCapability {
    /// Sub-profile and highest level.
    pub profile_level_id: ProfileLevelId,
    /// Packetization modes in order of preference, each offered as a payload type of its own.
    pub modes: Vec<PacketizationMode>,
    /// Whether the two directions may have different levels.
    pub level_asymmetry_allowed: bool,
    /// Macroblocks a second that this side can receive beyond its level.
    pub max_mbps: Option<u32>,
    /// Macroblocks in a picture that this side can receive beyond its level.
    pub max_fs: Option<u32>,
    /// Pictures a second that this side wants to receive (`a=framerate`).
    pub max_fps: Option<u16>,
}

impl Default for VideoCapability {
    fn default() -> Self {
        VideoCapability {
            profile_level_id: ProfileLevelId::CONSTRAINED_BASELINE_3_1,
            modes: vec![PacketizationMode::NonInterleaved, PacketizationMode::SingleNal],
            level_asymmetry_allowed: true,
            max_mbps: None,
            max_fs: None,
            max_fps: None,
        }
    }
}

/// Whose preference orders the audio codecs of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerOrder {
    /// The offerer's, as RFC 3264 section 6.1 recommends.
    Offerer,
    /// The order of [`Capabilities::audio`].
    Own,
}

/// The RTCP feedback of video sections (RFC 4585, RFC 5104).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedbackOffer {
    /// Offer `RTP/AVPF` instead of `RTP/AVP`. Softphones that do not know it then refuse the section; with
    /// `RTP/AVP` the `a=rtcp-fb` lines are still there for those that read them.
    pub avpf: bool,
    /// Generic NACK.
    pub nack: bool,
    /// Picture loss indication.
    pub pli: bool,
    /// Full intra request.
    pub fir: bool,
}

impl Default for FeedbackOffer {
    fn default() -> Self {
        FeedbackOffer { avpf: false, nack: false, pli: true, fir: true }
    }
}

/// A codec name that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "unknown codec {0:?}: one of opus, g722, pcmu, pcma, aac-eld/RATE/480, aac-eld/RATE/512, aac-ld/RATE/480, \
     aac-ld/RATE/512, aac-ld/latm"
)]
pub struct UnknownCodec(pub String);

impl AudioCodec {
    /// The configuration of AAC in RFC 3640.
    pub(super) fn aac_config(self) -> Option<AudioSpecificConfig> {
        match self {
            AudioCodec::Aac(aac) => {
                Some(AudioSpecificConfig::new(aac.object, aac.sample_rate, 1, aac.frame_length))
            }
            _ => None,
        }
    }

    /// What an offer says of this codec.
    pub(super) fn encoding(self, capabilities: &Capabilities) -> Encoding {
        match self {
            AudioCodec::Opus => Encoding::Opus(capabilities.opus),
            AudioCodec::G722 => Encoding::G722,
            AudioCodec::Pcmu => Encoding::Pcmu,
            AudioCodec::Pcma => Encoding::Pcma,
            AudioCodec::Aac(aac) => Encoding::Aac(AacFormat::hbr(AudioSpecificConfig::new(
                aac.object,
                aac.sample_rate,
                1,
                aac.frame_length,
            ))),
            AudioCodec::AacLdLatm => Encoding::Aac(AacFormat::latm_low_delay(64_000)),
        }
    }
}

impl Capabilities {
    /// The default, with the codecs and the dialect of FaceTime 2010. Of feedback it has PLI alone, so that an INVITE
    /// keeps below 1,300 octets.
    pub fn facetime2010(settings: Facetime2010) -> Self {
        Capabilities {
            audio: FACETIME_2010_AUDIO.to_vec(),
            dialect: Dialect::Facetime2010(settings),
            feedback: FeedbackOffer { fir: false, ..FeedbackOffer::default() },
            ..Capabilities::default()
        }
    }

    /// Reads a list of audio codec names in order of preference.
    ///
    /// # Errors
    /// [`UnknownCodec`] with the first name that is none.
    pub fn audio_from_names<'a>(
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<AudioCodec>, UnknownCodec> {
        names.into_iter().map(|name| name.trim().parse()).collect()
    }

    /// How many of the audio codecs, from the first, are offered in a new section.
    pub(super) fn offered_audio(&self) -> usize {
        let is_long = |codec: &AudioCodec| matches!(codec, AudioCodec::Aac(_) | AudioCodec::AacLdLatm);
        let last_short = self.audio.iter().rposition(|codec| !is_long(codec)).filter(|_| !self.offer_all);
        last_short.map_or(self.audio.len(), |last| last + 1)
    }

    /// The video formats to offer.
    pub(super) fn video_encodings(&self) -> Vec<Encoding> {
        let Some(video) = &self.video else { return Vec::new() };
        video.modes.iter().map(|mode| Encoding::H264(video.format(*mode))).collect()
    }
}

impl VideoCapability {
    /// This side's format in one packetization mode.
    pub(super) fn format(&self, mode: PacketizationMode) -> H264Format {
        H264Format {
            level_asymmetry_allowed: self.level_asymmetry_allowed,
            max_mbps: self.max_mbps,
            max_fs: self.max_fs,
            ..H264Format::new(self.profile_level_id, mode)
        }
    }
}

impl FromStr for AudioCodec {
    type Err = UnknownCodec;

    fn from_str(text: &str) -> Result<Self, UnknownCodec> {
        let unknown = || UnknownCodec(text.to_owned());
        let lower = text.to_ascii_lowercase();
        match lower.as_str() {
            "opus" => return Ok(AudioCodec::Opus),
            "g722" => return Ok(AudioCodec::G722),
            "pcmu" => return Ok(AudioCodec::Pcmu),
            "pcma" => return Ok(AudioCodec::Pcma),
            "aac-ld/latm" => return Ok(AudioCodec::AacLdLatm),
            _ => {}
        }
        let mut parts = lower.split('/');
        let object = match parts.next() {
            Some("aac-ld") => AacObject::LowDelay,
            Some("aac-eld") => AacObject::EnhancedLowDelay,
            _ => return Err(unknown()),
        };
        let sample_rate = parts.next().and_then(|p| p.parse().ok()).filter(|r| (8_000..=96_000).contains(r));
        let frame_length = parts.next().and_then(|p| p.parse().ok()).filter(|l| matches!(l, 480 | 512));
        match (sample_rate, frame_length, parts.next()) {
            (Some(rate), Some(length), None) => Ok(AudioCodec::Aac(AacCapability::new(object, rate, length))),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for AudioCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AudioCodec::Opus => f.write_str("opus"),
            AudioCodec::G722 => f.write_str("g722"),
            AudioCodec::Pcmu => f.write_str("pcmu"),
            AudioCodec::Pcma => f.write_str("pcma"),
            AudioCodec::AacLdLatm => f.write_str("aac-ld/latm"),
            AudioCodec::Aac(aac) => {
                let name = match aac.object {
                    AacObject::LowComplexity => "aac-lc",
                    AacObject::LowDelay => "aac-ld",
                    AacObject::EnhancedLowDelay => "aac-eld",
                };
                write!(f, "{name}/{}/{}", aac.sample_rate, aac.frame_length)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codec_names_read_as_they_are_written() {
        for codec in SOFTPHONE_AUDIO.iter().chain(&[AudioCodec::AacLdLatm]) {
            assert_eq!(codec.to_string().parse(), Ok(*codec));
        }
        for bad in [
            "",
            "speex",
            "aac-eld",
            "aac-eld/48000",
            "aac-eld/48000/1024",
            "aac-ld/1/480",
            "aac-ld/48000/480/1",
        ] {
            assert_eq!(bad.parse::<AudioCodec>(), Err(UnknownCodec(bad.to_owned())));
        }
    }

    #[test]
    fn a_list_of_names_keeps_its_order() {
        let list = Capabilities::audio_from_names(["PCMA", " opus "]).unwrap();
        assert_eq!(list, [AudioCodec::Pcma, AudioCodec::Opus]);
    }
}
