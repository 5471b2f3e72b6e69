//! Writing in the dialect of FaceTime 2010.

use super::{AAC_ELD_TYPE, AAC_LD_TYPE, Facetime2010, GENERIC_AAC_TYPE, H264_TYPE, X_H264, X_H264_TYPE};
use crate::frame::MediaKind;
use crate::io::Direction;
use crate::sdp::asc::{AacObject, AudioSpecificConfig};
use crate::sdp::capabilities::{AudioCodec, Capabilities};
use crate::sdp::dialect::softphone::{self, SectionText};
use crate::sdp::extmap::ExtMap;
use crate::sdp::format::{AacFormat, AacPacking, Encoding, Format, H264Format};
use crate::sdp::h264::PacketizationMode;
use crate::sdp::negotiate::VideoLimits;
use crate::sdp::session::{Line, MediaDescription};

/// The text up to its first line end or zero octet, which end a value by the grammar (RFC 8866 section 9): what stands
/// behind them would be read as lines of its own.
fn one_line(text: &str) -> &str {
    text.split(['\r', '\n', '\0']).next().unwrap_or_default()
}

impl Facetime2010 {
    /// The user name of `o=`.
    pub(in crate::sdp) fn origin_name(&self) -> &str {
        let usual = if self.emulate { "GKVoiceChatService" } else { "visavis" };
        let is_word = |name: &&str| !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic());
        self.origin_name.as_deref().filter(is_word).unwrap_or(usual)
    }

    /// The `b=` line of the session.
    pub(in crate::sdp) fn session_bandwidth_line(&self) -> Option<Line> {
        self.session_bandwidth.map(|kilobits| Line::new('b', format!("AS:{kilobits}")))
    }

    /// The value of `s=`.
    pub(in crate::sdp) fn session_name(&self) -> &str {
        self.session_name.as_deref().map(one_line).filter(|name| !name.is_empty()).unwrap_or("-")
    }

    /// The attributes of the session.
    pub(in crate::sdp) fn session_attributes(&self) -> Vec<Line> {
        let flag = |on| if on { "YES" } else { "NO" };
        let fls = self.fls.as_deref().map(|value| Line::new('a', format!("FLS;{}", one_line(value))));
        let hwi = self.hwi.as_deref().map(|value| Line::attribute("hwi", one_line(value)));
        let flags = [
            Line::attribute("iChatEncryption", flag(self.encryption)),
            Line::attribute("bandwidthDetection", flag(false)),
        ];
        fls.into_iter().chain(hwi).chain(flags).collect()
    }

    /// What to offer of a medium, under the numbers of the record: of the configured codecs one AAC-ELD, one AAC-LD and
    /// PCMU, and H.264 in packetization mode 1 under both of its names.
    pub(in crate::sdp) fn offered(&self, kind: MediaKind, capabilities: &Capabilities) -> Vec<Format> {
        match kind {
            MediaKind::Audio => self.offered_audio(capabilities),
            MediaKind::Video => {
                let Some(video) = &capabilities.video else { return Vec::new() };
                // One level for both directions: an INVITE over UDP has no room to say otherwise.
                let h264 = Encoding::H264(H264Format {
                    level_asymmetry_allowed: false,
                    ..video.format(PacketizationMode::NonInterleaved)
                });
                [H264_TYPE, X_H264_TYPE]
                    .map(|payload_type| Format { payload_type, encoding: h264.clone() })
                    .to_vec()
            }
        }
    }

    fn offered_audio(&self, capabilities: &Capabilities) -> Vec<Format> {
        let all: Vec<AudioSpecificConfig> =
            capabilities.audio.iter().filter_map(|codec| codec.aac_config()).collect();
        // One line says for the whole section how many samples a frame has.
        let length = all.first().map(|config| config.frame_length);
        let config_of = |object| {
            all.iter()
                .copied()
                .find(|c: &AudioSpecificConfig| c.object == object && Some(c.frame_length) == length)
        };
        let facetime = |config| Encoding::Aac(AacFormat::facetime(config, self.au_headers));
        let generic =
            all.first().filter(|_| !self.emulate).map(|config| Encoding::Aac(AacFormat::hbr(*config)));
        let pcmu = capabilities.audio.contains(&AudioCodec::Pcmu).then_some(Encoding::Pcmu);
        [
            (AAC_ELD_TYPE, config_of(AacObject::EnhancedLowDelay).map(facetime)),
            (AAC_LD_TYPE, config_of(AacObject::LowDelay).map(facetime)),
            (GENERIC_AAC_TYPE, generic),
            (0, pcmu),
        ]
        .into_iter()
        .filter_map(|(payload_type, encoding)| Some(Format { payload_type, encoding: encoding? }))
        .collect()
    }

    /// The lines of a section, in the order of the record. `known` is the section that named the payload types first:
    /// the one of the offer that is answered, or this side's own of before. `rtcp_ports` are those of sound and pictures.
    pub(in crate::sdp) fn write(
        &self,
        text: &SectionText<'_>,
        known: Option<&MediaDescription>,
        rtcp_ports: [u16; 2],
    ) -> MediaDescription {
        let is_video = text.media == MediaKind::Video.as_str();
        let name_of = |format: &Format| {
            let known = known.and_then(|known| softphone::keyed(known, "rtpmap", format.payload_type).next());
            match known {
                Some(name) => name.to_owned(),
                None if format.payload_type == X_H264_TYPE && is_video => format!("{X_H264}/90000"),
                None => format.rtpmap(),
            }
        };
        let mut lines = text.connection_lines();
        lines.push(text.rtcp_line());
        if text.rtcp_mux && !self.emulate {
            lines.push(Line::attribute("rtcp-mux", ""));
        }
        for format in text.formats {
            lines.push(Line::attribute("rtpmap", format!("{} {}", format.payload_type, name_of(format))));
        }
        let id = text.stream.ssrc.map(|ssrc| Line::attribute("rtpID", ssrc));
        if is_video {
            let [audio, video] = rtcp_ports;
            lines.push(Line::attribute("framerate", self.video.fps));
            lines.push(Line::attribute("RTCP", format!("AUDIO {audio} VIDEO {video}")));
            lines.extend(self.rules(text.formats));
            lines.extend(self.parameters(text.formats, name_of));
            lines.extend(text.feedback_lines().into_iter().filter(|_| !self.emulate));
            lines.extend(id);
        } else {
            lines.extend(id);
            let block = text.formats.iter().find_map(|format| match &format.encoding {
                Encoding::Aac(AacFormat { packing: AacPacking::Facetime { .. }, config, .. }) => {
                    Some(config.frame_length)
                }
                _ => None,
            });
            lines.extend(block.map(|n| Line::attribute("fmtp", format!("AAC SamplesPerBlock {n}"))));
            lines.extend(self.parameters(text.formats, name_of));
        }
        // Where a peer offered them; the record has none.
        lines.extend(text.extensions.iter().map(ExtMap::line));
        if text.direction != Direction::SendRecv {
            lines.push(Line::attribute(text.direction.as_str(), ""));
        }
        text.description(lines)
    }

    /// The pictures that this side takes, last payload type first. Beside the parameters of RFC 6184 one line does for
    /// all of them: an INVITE over UDP has no room for more.
    fn rules(&self, formats: &[Format]) -> Vec<Line> {
        let VideoLimits { width, height, fps } = self.video;
        let count = if self.emulate { formats.len() } else { 1 };
        let rule = |format: &Format| {
            let number = format.payload_type;
            let value = format!("{number} imagesize 0 rules {fps}:{width}:{height}:{width}:{height}:{fps}");
            Line::attribute("fmtp", value)
        };
        formats.iter().rev().take(count).map(rule).collect()
    }

    /// The parameters of the payload format RFCs, which the record does not have.
    fn parameters(&self, formats: &[Format], name_of: impl Fn(&Format) -> String) -> Vec<Line> {
        let line = |format: &Format| {
            let is_bare = self.emulate || name_of(format).starts_with(X_H264);
            let fmtp = format.fmtp().filter(|_| !is_bare)?;
            Some(Line::attribute("fmtp", format!("{} {fmtp}", format.payload_type)))
        };
        formats.iter().filter_map(line).collect()
    }
}
