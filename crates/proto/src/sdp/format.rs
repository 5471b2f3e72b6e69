//! What one payload type carries: `rtpmap` and `fmtp` of every known codec, typed.

use super::asc::{AacObject, AudioSpecificConfig, StreamMuxConfig};
use super::dialect::facetime2010;
use super::fmtp::{Parameters, base64, base64_octets, hex_digits, hex_octets, push};
use super::h264::{self, Level, PacketizationMode, ProfileLevelId};
use crate::frame::{Codec, MediaKind};
use bytes::Bytes;

/// The largest number of parameter sets read from one `sprop-parameter-sets`.
const MAX_PARAMETER_SETS: usize = 16;

/// A payload type and what it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// The payload type number, 0 to 127.
    pub payload_type: u8,
    /// What packets of that type carry.
    pub encoding: Encoding,
}

/// An encoding that this side knows, with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `H264/90000`, RFC 6184.
    H264(H264Format),
    /// `mpeg4-generic` (RFC 3640) or `MP4A-LATM` (RFC 6416) with AAC-LD or AAC-ELD.
    Aac(AacFormat),
    /// `opus/48000/2`, RFC 7587.
    Opus(OpusFormat),
    /// `PCMU/8000`, static payload type 0.
    Pcmu,
    /// `PCMA/8000`, static payload type 8.
    Pcma,
    /// `G722/8000`, static payload type 9.
    G722,
    /// `telephone-event`, RFC 4733.
    TelephoneEvent(TelephoneEvent),
}

/// The parameters of RFC 6184 section 8.1 that a session depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct H264Format {
    /// Sub-profile and default level.
    pub profile_level_id: ProfileLevelId,
    /// How packets are built.
    pub packetization_mode: PacketizationMode,
    /// Whether the two directions may have different levels.
    pub level_asymmetry_allowed: bool,
    /// The highest level that the receiver takes, where higher than the default level.
    pub max_recv_level: Option<Level>,
    /// Macroblocks a second, where the receiver takes more than its level demands.
    pub max_mbps: Option<u32>,
    /// Macroblocks in a picture, where the receiver takes more than its level demands.
    pub max_fs: Option<u32>,
    /// Bit rate in units of 1000 bit/s, where the receiver takes more than its level demands.
    pub max_br: Option<u32>,
    /// Parameter sets of the sender's stream, without start codes.
    pub sprop_parameter_sets: Vec<Bytes>,
}

/// AAC-LD or AAC-ELD and its way into packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AacFormat {
    /// The configuration. For LATM with the configuration in the stream it is the customary one: 48 kHz mono in
    /// frames of 480 samples.
    pub config: AudioSpecificConfig,
    /// The AudioSpecificConfig's octets, in RFC 3640 as the peer wrote them.
    pub config_octets: Bytes,
    /// The payload format.
    pub packing: AacPacking,
    /// The `bitrate` parameter of RFC 6416, bit/s.
    pub bitrate: Option<u32>,
}

/// The payload format of AAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AacPacking {
    /// RFC 3640 mode AAC-hbr with AU headers of these field lengths, bits.
    Hbr {
        /// `sizeLength`.
        size_length: u8,
        /// `indexLength`.
        index_length: u8,
        /// `indexDeltaLength`.
        index_delta_length: u8,
    },
    /// RFC 6416 LATM.
    Latm {
        /// The RTP clock, Hz.
        clock_rate: u32,
        /// Whether the configuration is in the stream (`cpresent`, default 1) and not in the description.
        in_band_config: bool,
        /// The frames in an AudioMuxElement; 1 where the configuration is in the stream.
        frames_per_element: u8,
    },
    /// `X-AAC_LD` or `X-AAC_ELD`: one access unit in each packet.
    Facetime {
        /// Whether it stands behind an AU header of mode AAC-hbr; no line of a description says so.
        au_headers: bool,
    },
}

impl AacPacking {
    /// The field lengths of mode AAC-hbr (RFC 3640 section 3.3.6).
    pub const HBR: AacPacking = AacPacking::Hbr { size_length: 13, index_length: 3, index_delta_length: 3 };
}

/// The parameters of RFC 7587 section 6.1, all of them wishes of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct OpusFormat {
    /// `maxplaybackrate`, Hz.
    pub max_playback_rate: Option<u32>,
    /// `maxaveragebitrate`, bit/s.
    pub max_average_bitrate: Option<u32>,
    /// `stereo`: two channels are welcome.
    pub stereo: bool,
    /// `sprop-stereo`: two channels will be sent.
    pub sprop_stereo: bool,
    /// `useinbandfec`: forward error correction is of use.
    pub use_inband_fec: bool,
    /// `usedtx`: discontinuous transmission is welcome.
    pub use_dtx: bool,
    /// `cbr`: a constant bit rate is wanted.
    pub cbr: bool,
}

/// DTMF and other named events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// The RTP clock, Hz.
    pub clock_rate: u32,
    /// The events that the receiver takes, as a list of numbers and ranges; empty means 0-15 (RFC 4733
    /// section 7.1.1).
    pub events: String,
}

impl Format {
    /// The value of an `a=rtpmap` line behind the number: `opus/48000/2`.
    pub fn rtpmap(&self) -> String {
        match &self.encoding {
            Encoding::H264(_) => "H264/90000".to_owned(),
            Encoding::Aac(aac) => match aac.packing {
                AacPacking::Hbr { .. } => {
                    format!("mpeg4-generic/{}/{}", aac.config.sample_rate, aac.config.channels)
                }
                AacPacking::Latm { clock_rate, .. } => format!("MP4A-LATM/{clock_rate}"),
                AacPacking::Facetime { .. } => facetime2010::rtpmap(&aac.config),
            },
            Encoding::Opus(_) => "opus/48000/2".to_owned(),
            Encoding::Pcmu => "PCMU/8000".to_owned(),
            Encoding::Pcma => "PCMA/8000".to_owned(),
            Encoding::G722 => "G722/8000".to_owned(),
            Encoding::TelephoneEvent(event) => format!("telephone-event/{}", event.clock_rate),
        }
    }

    /// The value of an `a=fmtp` line behind the number; `None` where there is nothing to say.
    pub fn fmtp(&self) -> Option<String> {
        let text = match &self.encoding {
            Encoding::H264(h264) => h264.fmtp(),
            Encoding::Aac(aac) => aac.fmtp(),
            Encoding::Opus(opus) => opus.fmtp(),
            Encoding::TelephoneEvent(event) => event.events.clone(),
            Encoding::Pcmu | Encoding::Pcma | Encoding::G722 => String::new(),
        };
        (!text.is_empty()).then_some(text)
    }

    /// Reads a payload type from its `rtpmap` and `fmtp` values; without an `rtpmap` it can be one of the static
    /// types of RFC 3551 section 6. `None` for what this side does not know.
    pub fn read(payload_type: u8, rtpmap: Option<&str>, fmtp: &str) -> Option<Self> {
        let encoding = match rtpmap {
            Some(map) => Encoding::read(map, fmtp)?,
            None => match payload_type {
                0 => Encoding::Pcmu,
                8 => Encoding::Pcma,
                9 => Encoding::G722,
                _ => return None,
            },
        };
        Some(Format { payload_type, encoding })
    }
}

impl Encoding {
    fn read(rtpmap: &str, fmtp: &str) -> Option<Self> {
        let mut parts = rtpmap.trim().split('/').map(str::trim);
        let name = parts.next()?.to_ascii_lowercase();
        let clock_rate: u32 = parts.next()?.parse().ok()?;
        let channels: u8 = parts.next().map_or(Some(1), |c| c.parse().ok())?;
        let parameters = Parameters::read(fmtp);
        match (name.as_str(), clock_rate, channels) {
            ("h264", 90_000, _) => H264Format::read(&parameters).map(Encoding::H264),
            ("mpeg4-generic", rate, channels) => {
                AacFormat::read_generic(rate, channels, &parameters).map(Encoding::Aac)
            }
            ("mp4a-latm", rate, _) => AacFormat::read_latm(rate, &parameters).map(Encoding::Aac),
            ("opus", 48_000, 2) => Some(Encoding::Opus(OpusFormat::read(&parameters))),
            ("pcmu", 8_000, 1) => Some(Encoding::Pcmu),
            ("pcma", 8_000, 1) => Some(Encoding::Pcma),
            ("g722", 8_000, 1) => Some(Encoding::G722),
            ("telephone-event", clock_rate @ 1.., 1) => Some(Encoding::TelephoneEvent(TelephoneEvent {
                clock_rate,
                events: fmtp.trim().trim_end_matches(';').to_owned(),
            })),
            _ => None,
        }
    }

    /// The codec; `None` for telephone events.
    pub fn codec(&self) -> Option<Codec> {
        match self {
            Encoding::H264(_) => Some(Codec::H264),
            Encoding::Aac(aac) => Some(aac.config.object.codec()),
            Encoding::Opus(_) => Some(Codec::Opus),
            Encoding::Pcmu => Some(Codec::Pcmu),
            Encoding::Pcma => Some(Codec::Pcma),
            Encoding::G722 => Some(Codec::G722),
            Encoding::TelephoneEvent(_) => None,
        }
    }

    /// Sound or pictures.
    pub fn kind(&self) -> MediaKind {
        self.codec().map_or(MediaKind::Audio, Codec::kind)
    }

    /// The RTP clock, Hz.
    pub fn clock_rate(&self) -> u32 {
        match self {
            Encoding::H264(_) => 90_000,
            Encoding::Aac(aac) => match aac.packing {
                AacPacking::Hbr { .. } | AacPacking::Facetime { .. } => aac.config.sample_rate,
                AacPacking::Latm { clock_rate, .. } => clock_rate,
            },
            Encoding::Opus(_) => 48_000,
            Encoding::Pcmu | Encoding::Pcma | Encoding::G722 => 8_000,
            Encoding::TelephoneEvent(event) => event.clock_rate,
        }
    }

    /// The payload type that RFC 3551 section 6 gives this encoding, if any.
    pub fn static_payload_type(&self) -> Option<u8> {
        match self {
            Encoding::Pcmu => Some(0),
            Encoding::Pcma => Some(8),
            Encoding::G722 => Some(9),
            Encoding::H264(_) | Encoding::Aac(_) | Encoding::Opus(_) | Encoding::TelephoneEvent(_) => None,
        }
    }

    /// Whether both are one media format configuration: whether the one payload type can stand for the other.
    /// Parameters that only say what a receiver can take play no part.
    pub fn is_same_configuration(&self, other: &Encoding) -> bool {
        match (self, other) {
            (Encoding::H264(a), Encoding::H264(b)) => {
                a.packetization_mode == b.packetization_mode && a.is_compatible_profile(b)
            }
            (Encoding::Aac(a), Encoding::Aac(b)) => a.config == b.config && a.packing == b.packing,
            (Encoding::TelephoneEvent(a), Encoding::TelephoneEvent(b)) => a.clock_rate == b.clock_rate,
            (Encoding::Opus(_), Encoding::Opus(_))
            | (Encoding::Pcmu, Encoding::Pcmu)
            | (Encoding::Pcma, Encoding::Pcma)
            | (Encoding::G722, Encoding::G722) => true,
            _ => false,
        }
    }

    /// Drops what only says how much more than its level a receiver takes: it has no place in a section that
    /// receives nothing (RFC 6184 section 8.2.2).
    pub(super) fn drop_receiver_capabilities(&mut self) {
        if let Encoding::H264(h264) = self {
            (h264.max_mbps, h264.max_fs, h264.max_br, h264.max_recv_level) = (None, None, None, None);
        }
    }

    /// Takes over what identifies a configuration from one that counts as the same: the sub-profile of H.264, which
    /// can be written in several ways. The level stays.
    pub(super) fn adopt_identity(&mut self, other: &Encoding) {
        if let (Encoding::H264(mine), Encoding::H264(theirs)) = (self, other) {
            let level = mine.profile_level_id.level();
            mine.profile_level_id = theirs.profile_level_id.with_level(level);
        }
    }

    /// The name that error texts and configurations use: `opus`, `aac-eld/48000/480`.
    pub fn describe(&self) -> String {
        match self {
            Encoding::H264(h264) => {
                format!("H264 {} mode {}", h264.profile_level_id, h264.packetization_mode.number())
            }
            Encoding::Aac(aac) => format!(
                "{}/{}/{}",
                aac.config.object.codec().name(),
                aac.config.sample_rate,
                aac.config.frame_length
            ),
            Encoding::TelephoneEvent(event) => format!("telephone-event/{}", event.clock_rate),
            Encoding::Opus(_) | Encoding::Pcmu | Encoding::Pcma | Encoding::G722 => {
                self.codec().map_or("", Codec::name).to_owned()
            }
        }
    }
}

impl H264Format {
    /// A format without any extension of its level.
    pub fn new(profile_level_id: ProfileLevelId, packetization_mode: PacketizationMode) -> Self {
        H264Format {
            profile_level_id,
            packetization_mode,
            level_asymmetry_allowed: false,
            max_recv_level: None,
            max_mbps: None,
            max_fs: None,
            max_br: None,
            sprop_parameter_sets: Vec::new(),
        }
    }

    /// Whether the sub-profiles fit, see [`h264::Profile::is_compatible`].
    pub fn is_compatible_profile(&self, other: &H264Format) -> bool {
        self.profile_level_id.profile().is_compatible(other.profile_level_id.profile())
    }

    /// The highest level that the side which declared this format takes.
    pub fn receive_level(&self) -> Level {
        let default = self.profile_level_id.level();
        self.max_recv_level.map_or(default, |level| level.max(default))
    }

    fn read(parameters: &Parameters<'_>) -> Option<Self> {
        let profile_level_id = match parameters.text("profile-level-id") {
            Some(text) => text.parse().ok()?,
            None => ProfileLevelId::DEFAULT,
        };
        let packetization_mode = match parameters.text("packetization-mode") {
            None | Some("0") => PacketizationMode::SingleNal,
            Some("1") => PacketizationMode::NonInterleaved,
            Some("2") => PacketizationMode::Interleaved,
            Some(_) => return None,
        };
        Some(H264Format {
            profile_level_id,
            packetization_mode,
            level_asymmetry_allowed: parameters.flag("level-asymmetry-allowed"),
            max_recv_level: parameters.text("max-recv-level").and_then(h264::max_recv_level),
            max_mbps: parameters.number("max-mbps"),
            max_fs: parameters.number("max-fs"),
            max_br: parameters.number("max-br"),
            sprop_parameter_sets: parameters
                .text("sprop-parameter-sets")
                .map(parameter_sets)
                .unwrap_or_default(),
        })
    }

    fn fmtp(&self) -> String {
        let mut text = format!("profile-level-id={}", self.profile_level_id);
        // 0 is what is meant without it (RFC 6184 section 8.1), and every octet of an INVITE counts.
        let mode = Some(u32::from(self.packetization_mode.number())).filter(|mode| *mode != 0);
        push(&mut text, "packetization-mode", mode);
        if self.level_asymmetry_allowed {
            text.push_str(";level-asymmetry-allowed=1");
        }
        if let Some(level) = self.max_recv_level {
            // The two octets behind profile_idc, with the level put in.
            let [_, iop, idc] = self.profile_level_id.with_level(level).0;
            push(&mut text, "max-recv-level", Some(format!("{iop:02X}{idc:02X}")));
        }
        push(&mut text, "max-mbps", self.max_mbps);
        push(&mut text, "max-fs", self.max_fs);
        push(&mut text, "max-br", self.max_br);
        if !self.sprop_parameter_sets.is_empty() {
            let sets: Vec<_> = self.sprop_parameter_sets.iter().map(|set| base64(set)).collect();
            push(&mut text, "sprop-parameter-sets", Some(sets.join(",")));
        }
        text
    }
}

impl AacFormat {
    /// RFC 3640 mode AAC-hbr with this configuration.
    pub fn hbr(config: AudioSpecificConfig) -> Self {
        AacFormat { config, config_octets: config.to_bytes(), packing: AacPacking::HBR, bitrate: None }
    }

    /// AAC-LD in LATM as video conferencing systems offer it, 48 kHz mono in frames of 480 samples on a clock of
    /// 90 kHz, but with the configuration in the description.
    pub fn latm_low_delay(bitrate: u32) -> Self {
        let config = AudioSpecificConfig::new(AacObject::LowDelay, 48_000, 1, 480);
        let packing = AacPacking::Latm { clock_rate: 90_000, in_band_config: false, frames_per_element: 1 };
        AacFormat { config, config_octets: config.to_bytes(), packing, bitrate: Some(bitrate) }
    }

    /// This configuration as FaceTime 2010 carries it.
    pub fn facetime(config: AudioSpecificConfig, au_headers: bool) -> Self {
        let packing = AacPacking::Facetime { au_headers };
        AacFormat { config, config_octets: config.to_bytes(), packing, bitrate: None }
    }

    /// RFC 3640: only mode AAC-hbr, only with a configuration of AAC-LD or ELD, and only with AU headers of size
    /// and index.
    fn read_generic(clock_rate: u32, channels: u8, parameters: &Parameters<'_>) -> Option<Self> {
        if !parameters.text("mode")?.eq_ignore_ascii_case("AAC-hbr") {
            return None;
        }
        let extra = ["CTSDeltaLength", "DTSDeltaLength", "streamStateIndication", "auxiliaryDataSizeLength"];
        if extra.iter().any(|name| parameters.number(name).is_some_and(|n| n != 0))
            || parameters.flag("randomAccessIndication")
        {
            return None;
        }
        let length = |name, usual| parameters.number(name).map_or(Some(usual), |n| u8::try_from(n).ok());
        let packing = AacPacking::Hbr {
            size_length: length("sizeLength", 13)?,
            index_length: length("indexLength", 3)?,
            index_delta_length: length("indexDeltaLength", 3)?,
        };
        let config_octets = Bytes::from(hex_octets(parameters.text("config")?.trim_matches('"'))?);
        let config = AudioSpecificConfig::parse(&config_octets).ok()?;
        if config.sample_rate != clock_rate || config.channels != channels {
            return None;
        }
        Some(AacFormat { config, config_octets, packing, bitrate: None })
    }

    /// RFC 6416 section 7.3: with a configuration of AAC-LD or ELD, or with `object=23` and the configuration in
    /// the stream.
    fn read_latm(clock_rate: u32, parameters: &Parameters<'_>) -> Option<Self> {
        let in_band_config = parameters.number("cpresent") != Some(0);
        let mux = match parameters.text("config") {
            Some(config) => StreamMuxConfig::parse(&hex_octets(config)?).ok()?,
            None if in_band_config && parameters.number("object") == Some(23) => StreamMuxConfig {
                audio: AudioSpecificConfig::new(AacObject::LowDelay, 48_000, 1, 480),
                frames_per_element: 1,
            },
            None => return None,
        };
        let StreamMuxConfig { audio: config, frames_per_element } = mux;
        let packing = AacPacking::Latm { clock_rate, in_band_config, frames_per_element };
        let bitrate = parameters.number("bitrate");
        (clock_rate > 0).then(|| AacFormat { config, config_octets: config.to_bytes(), packing, bitrate })
    }

    fn fmtp(&self) -> String {
        match self.packing {
            AacPacking::Hbr { size_length, index_length, index_delta_length } => {
                let config = hex_digits(&self.config_octets);
                // 254 (0xFE) is "no audio profile specified" in ISO/IEC 14496-3; receivers go by config.
                format!(
                    "streamtype=5;profile-level-id=254;mode=AAC-hbr;config={config};sizeLength={size_length};\
                     indexLength={index_length};indexDeltaLength={index_delta_length};constantDuration={}",
                    self.config.frame_length
                )
            }
            AacPacking::Latm { in_band_config, frames_per_element, .. } => {
                let mut text = String::new();
                push(&mut text, "bitrate", self.bitrate);
                if self.config.object == AacObject::LowDelay {
                    // Low Delay Audio Profile, level 3.
                    push(&mut text, "profile-level-id", Some(24));
                }
                push(&mut text, "object", Some(self.config.object.object_type()));
                if !in_band_config {
                    let mux = StreamMuxConfig { audio: self.config, frames_per_element };
                    push(&mut text, "cpresent", Some(0));
                    push(&mut text, "config", Some(hex_digits(&mux.to_bytes())));
                }
                text
            }
            // One line of the section says for all what there is to say.
            AacPacking::Facetime { .. } => String::new(),
        }
    }
}

impl OpusFormat {
    fn read(parameters: &Parameters<'_>) -> Self {
        let within = |name, range: std::ops::RangeInclusive<u32>| {
            parameters.number(name).filter(|n| range.contains(n))
        };
        OpusFormat {
            max_playback_rate: within("maxplaybackrate", 8_000..=48_000),
            max_average_bitrate: within("maxaveragebitrate", 6_000..=510_000),
            stereo: parameters.flag("stereo"),
            sprop_stereo: parameters.flag("sprop-stereo"),
            use_inband_fec: parameters.flag("useinbandfec"),
            use_dtx: parameters.flag("usedtx"),
            cbr: parameters.flag("cbr"),
        }
    }

    fn fmtp(&self) -> String {
        let mut text = String::new();
        push(&mut text, "maxplaybackrate", self.max_playback_rate);
        push(&mut text, "maxaveragebitrate", self.max_average_bitrate);
        for (name, set) in [
            ("stereo", self.stereo),
            ("sprop-stereo", self.sprop_stereo),
            ("useinbandfec", self.use_inband_fec),
            ("usedtx", self.use_dtx),
            ("cbr", self.cbr),
        ] {
            push(&mut text, name, set.then_some(1));
        }
        text
    }
}

/// The NAL units of a `sprop-parameter-sets` value; what is no base64 is left out.
fn parameter_sets(text: &str) -> Vec<Bytes> {
    let sets = text.split(',').filter_map(|set| base64_octets(set.trim())).filter(|set| !set.is_empty());
    sets.take(MAX_PARAMETER_SETS).map(Bytes::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rtpmap: &str, fmtp: &str) -> Option<Encoding> {
        Format::read(96, Some(rtpmap), fmtp).map(|format| format.encoding)
    }

    #[test]
    fn h264_without_parameters_is_baseline_at_level_1_in_mode_0() {
        let Some(Encoding::H264(h264)) = read("H264/90000", "") else { panic!() };
        assert_eq!(h264.profile_level_id, ProfileLevelId::DEFAULT);
        assert_eq!(h264.packetization_mode, PacketizationMode::SingleNal);
        assert_eq!((h264.receive_level(), h264.receive_level().max_fs()), (Level::L1, 99));
    }

    #[test]
    fn all_parameters_of_h264_are_read_and_written() {
        let fmtp = "profile-level-id=42E00C;packetization-mode=1;level-asymmetry-allowed=1;max-recv-level=E01F;\
                    max-mbps=216000;max-fs=5120;max-br=20000;sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==";
        let Some(Encoding::H264(h264)) = read("h264/90000", fmtp) else { panic!() };
        assert_eq!(h264.receive_level(), Level::L3_1);
        assert_eq!((h264.max_mbps, h264.max_fs, h264.max_br), (Some(216_000), Some(5_120), Some(20_000)));
        let first: Vec<u8> = h264.sprop_parameter_sets.iter().map(|set| set[0]).collect();
        assert_eq!(first, [0x67, 0x68]);
        let format = Format { payload_type: 96, encoding: Encoding::H264(h264) };
        assert_eq!(format.fmtp().as_deref(), Some(fmtp));
    }

    #[test]
    fn aac_is_known_by_its_configuration() {
        let hbr = "streamtype=5;mode=aac-HBR;config=F8EC3000;SizeLength=13;IndexLength=3;IndexDeltaLength=3";
        let Some(Encoding::Aac(aac)) = read("MPEG4-GENERIC/24000/1", hbr) else { panic!() };
        assert_eq!(
            aac,
            AacFormat::hbr(AudioSpecificConfig::new(AacObject::EnhancedLowDelay, 24_000, 1, 480))
        );
        for (rtpmap, fmtp) in [
            ("mpeg4-generic/48000/1", hbr),          // a clock that is not the sample rate
            ("mpeg4-generic/24000/2", hbr),          // channels that are not there
            ("mpeg4-generic/24000", "mode=AAC-hbr"), // no configuration
            ("mpeg4-generic/24000", "mode=AAC-lbr;config=F8EC3000"), // another mode
            ("mpeg4-generic/44100/2", "mode=AAC-hbr;config=0A10"), // AAC Main
            ("mpeg4-generic/24000", &format!("{hbr};CTSDeltaLength=16")), // AU headers with time stamps
        ] {
            assert_eq!(read(rtpmap, fmtp), None, "{rtpmap} {fmtp}");
        }
    }

    #[test]
    fn latm_carries_its_configuration_in_the_stream_unless_it_says_otherwise() {
        let Some(Encoding::Aac(aac)) = read("mp4a-latm/90000", "bitrate=64000;profile-level-id=24;object=23")
        else {
            panic!()
        };
        assert!(matches!(aac.packing, AacPacking::Latm { clock_rate: 90_000, in_band_config: true, .. }));
        let out_of_band =
            Format { payload_type: 96, encoding: Encoding::Aac(AacFormat::latm_low_delay(64_000)) };
        assert_eq!(read(&out_of_band.rtpmap(), &out_of_band.fmtp().unwrap()), Some(out_of_band.encoding));
        assert_eq!(read("MP4A-LATM/90000", "object=2"), None);
        assert_eq!(read("MP4A-LATM/90000", "object=23;cpresent=0"), None);
        assert_eq!(read("MP4A-LATM/0", "object=23"), None);
    }

    #[test]
    fn values_of_opus_out_of_range_are_ignored() {
        let Some(Encoding::Opus(opus)) =
            read("OPUS/48000/2", "maxplaybackrate=7000;maxaveragebitrate=600000;stereo=1")
        else {
            panic!()
        };
        assert_eq!(opus, OpusFormat { stereo: true, ..OpusFormat::default() });
        assert_eq!(read("opus/48000", ""), None, "two channels in the rtpmap, always");
    }

    #[test]
    fn names_of_other_dialects_and_broken_maps_are_not_known() {
        for rtpmap in
            ["X-H264/90000", "X-AAC_ELD/22050", "VP8/90000", "H264", "H264/x", "telephone-event/0", ""]
        {
            assert_eq!(read(rtpmap, ""), None, "{rtpmap}");
        }
    }
}
