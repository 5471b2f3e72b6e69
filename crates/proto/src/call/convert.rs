//! From what SDP agreed on to what RTP payload formats and encoders are set to.

use crate::frame::{AudioFormat, Codec};
use crate::rtp::ExtensionIds;
use crate::rtp::payload::PayloadFormat;
use crate::rtp::payload::aac::{AacFormat, AuHeaderLayout, AudioFraming};
use crate::rtp::payload::h264::{H264Format, PacketizationMode};
use crate::rtp::payload::latm::LatmFormat;
use crate::rtp::payload::sampled::SampledFormat;
use crate::sdp::format::AacPacking;
use crate::sdp::{Encoding, Format, HeaderExtension, NegotiatedExtension, h264};

/// How a negotiated format travels in RTP.
pub fn payload_format(format: &Format) -> PayloadFormat {
    match &format.encoding {
        Encoding::H264(f) => PayloadFormat::H264(H264Format {
            mode: match f.packetization_mode {
                h264::PacketizationMode::SingleNal => PacketizationMode::SingleNal,
                // Mode 2 is never agreed to; what comes in it all the same is read as mode 1.
                h264::PacketizationMode::NonInterleaved | h264::PacketizationMode::Interleaved => {
                    PacketizationMode::NonInterleaved
                }
            },
            parameter_sets: f.sprop_parameter_sets.clone(),
        }),
        Encoding::Aac(f) => {
            let rate = u64::from(f.config.sample_rate.max(1));
            let ticks = u64::from(f.config.frame_length) * u64::from(format.encoding.clock_rate()) / rate;
            let frame_ticks = u32::try_from(ticks).unwrap_or(u32::MAX);
            match f.packing {
                AacPacking::Hbr { size_length, index_length, index_delta_length } => {
                    let layout = AuHeaderLayout { size_length, index_length, index_delta_length };
                    PayloadFormat::Aac(AacFormat { framing: AudioFraming::AuHeaders(layout), frame_ticks })
                }
                AacPacking::Facetime { au_headers } => {
                    let framing = if au_headers {
                        AudioFraming::AuHeaders(AuHeaderLayout::HBR)
                    } else {
                        AudioFraming::Raw
                    };
                    PayloadFormat::Aac(AacFormat { framing, frame_ticks })
                }
                AacPacking::Latm { frames_per_element, .. } => {
                    PayloadFormat::Latm(LatmFormat { frame_ticks, frames_per_element })
                }
            }
        }
        Encoding::Opus(_) => PayloadFormat::Opus,
        Encoding::Pcmu | Encoding::Pcma | Encoding::G722 | Encoding::TelephoneEvent(_) => {
            PayloadFormat::Sampled(SampledFormat::MONO)
        }
    }
}

/// The identifiers of those header extensions that go this way.
pub(super) fn extension_ids(
    agreed: &[NegotiatedExtension],
    goes: impl Fn(&NegotiatedExtension) -> bool,
) -> ExtensionIds {
    let mut ids = ExtensionIds::default();
    for extension in agreed.iter().filter(|e| goes(e)) {
        let slot = match extension.extension {
            HeaderExtension::Ntp64 => &mut ids.ntp_64,
            HeaderExtension::Ntp56 => &mut ids.ntp_56,
            HeaderExtension::VideoOrientation => &mut ids.orientation,
        };
        *slot = Some(extension.id);
    }
    ids
}

/// Bits a second that sound is coded with where the peer sets no lower limit: transparent for speech.
pub(super) fn audio_bitrate(format: &AudioFormat) -> u32 {
    match format.codec {
        Codec::AacLc
        | Codec::AacLd
        | Codec::AacEld
        | Codec::Pcmu
        | Codec::Pcma
        | Codec::G722
        | Codec::H264 => 64_000,
        Codec::Opus => 40_000,
    }
}
