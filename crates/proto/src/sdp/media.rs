//! From a negotiated encoding to what its encoder and decoder must be set to.

use super::format::Encoding;
use super::h264::PacketizationMode;
use crate::frame::{AudioFormat, Codec, VideoFormat};
use crate::io::MediaFormat;
use bytes::Bytes;

/// The packet times that one Opus frame can fill (RFC 6716 section 2.1.4) and that a call would use, milliseconds.
const OPUS_PACKET_TIMES: [u32; 4] = [60, 40, 20, 10];

impl Encoding {
    /// The frame format without any bound on its bit rate; `None` for telephone events.
    ///
    /// `ptime` is the packet time in milliseconds: sound is cut to the next lower one that its codec can fill, 10
    /// at least and 60 at most; AAC has frames of its own length whatever it says. `max_payload` is the largest
    /// RTP payload in octets, which bounds a NAL unit in packetization mode 0.
    pub fn media_format(&self, ptime: u32, max_payload: u32) -> Option<MediaFormat> {
        let audio = |codec, sample_rate: u32, channels| {
            MediaFormat::Audio(AudioFormat {
                codec,
                sample_rate,
                clock_rate: self.clock_rate(),
                channels,
                samples_per_frame: sample_rate / 1_000 * (ptime.clamp(10, 60) / 10 * 10),
                config: Bytes::new(),
                max_bitrate: None,
            })
        };
        Some(match self {
            Encoding::H264(h264) => {
                let level = h264.receive_level();
                MediaFormat::Video(VideoFormat {
                    codec: Codec::H264,
                    profile_level_id: h264.profile_level_id.0,
                    max_fs: h264.max_fs.unwrap_or(0).max(level.max_fs()),
                    max_mbps: h264.max_mbps.unwrap_or(0).max(level.max_mbps()),
                    max_size: None,
                    max_fps: None,
                    max_bitrate: None,
                    max_nal: (h264.packetization_mode == PacketizationMode::SingleNal).then_some(max_payload),
                })
            }
            Encoding::Aac(aac) => MediaFormat::Audio(AudioFormat {
                codec: aac.config.object.codec(),
                sample_rate: aac.config.sample_rate,
                clock_rate: self.clock_rate(),
                channels: aac.config.channels,
                samples_per_frame: u32::from(aac.config.frame_length),
                config: aac.config_octets.clone(),
                max_bitrate: None,
            }),
            Encoding::Opus(opus) => {
                let ptime = OPUS_PACKET_TIMES.into_iter().find(|time| *time <= ptime).unwrap_or(10);
                MediaFormat::Audio(AudioFormat {
                    codec: Codec::Opus,
                    sample_rate: 48_000,
                    clock_rate: 48_000,
                    channels: if opus.stereo { 2 } else { 1 },
                    samples_per_frame: 48 * ptime,
                    config: Bytes::new(),
                    max_bitrate: None,
                })
            }
            Encoding::Pcmu => audio(Codec::Pcmu, 8_000, 1),
            Encoding::Pcma => audio(Codec::Pcma, 8_000, 1),
            Encoding::G722 => audio(Codec::G722, 16_000, 1),
            Encoding::TelephoneEvent(_) => return None,
        })
    }

    /// The bit rate of an encoding that knows only one, bit/s.
    pub(super) fn fixed_bitrate(&self) -> Option<u64> {
        match self {
            Encoding::Pcmu | Encoding::Pcma | Encoding::G722 => Some(64_000),
            Encoding::H264(_) | Encoding::Aac(_) | Encoding::Opus(_) | Encoding::TelephoneEvent(_) => None,
        }
    }

    /// The most that the receiver which declared these parameters takes, bit/s.
    pub(super) fn receiver_bound(&self) -> Option<u64> {
        match self {
            Encoding::H264(h264) => {
                let level = u64::from(h264.receive_level().max_bitrate());
                Some(level.max(u64::from(h264.max_br.unwrap_or(0)) * 1_000))
            }
            Encoding::Opus(opus) => opus.max_average_bitrate.map(u64::from),
            Encoding::Aac(aac) => aac.bitrate.filter(|rate| *rate > 0).map(u64::from),
            Encoding::Pcmu | Encoding::Pcma | Encoding::G722 | Encoding::TelephoneEvent(_) => None,
        }
    }
}
