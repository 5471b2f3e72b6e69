//! Reading what a FaceTime peer of 2010 says.

use super::{AAC_ELD, AAC_LD, Facetime2010, X_H264};
use crate::frame::MediaKind;
use crate::sdp::asc::{AacObject, AudioSpecificConfig};
use crate::sdp::dialect::softphone;
use crate::sdp::fmtp::Parameters;
use crate::sdp::format::{AacFormat, Encoding, Format, H264Format};
use crate::sdp::h264::{PacketizationMode, ProfileLevelId};
use crate::sdp::negotiate::{RemoteSource, SessionFacts, VideoLimits, kind_of};
use crate::sdp::session::{MediaDescription, SessionDescription};

/// The sides that a picture can have, pixels.
const SIDES: std::ops::RangeInclusive<u16> = 16..=8_192;
/// The picture rates that a rule can name.
const RATES: std::ops::RangeInclusive<u16> = 1..=120;

/// Whether a description is laid out in this dialect: it has a line that no softphone writes.
pub(in crate::sdp) fn is_spoken_in(description: &SessionDescription) -> bool {
    let facts = SessionFacts::read(description);
    let is_section = |section: &MediaDescription| {
        section.attributes("rtpID").next().is_some()
            || section
                .attributes("fmtp")
                .any(|value| value.contains("imagesize ") || value.starts_with("AAC "))
            || section.attributes("rtpmap").any(|value| {
                [AAC_ELD, AAC_LD, X_H264].iter().any(|name| {
                    value.split([' ', '/']).nth(1).is_some_and(|given| given.eq_ignore_ascii_case(name))
                })
            })
    };
    facts != SessionFacts::default() || description.media.iter().any(is_section)
}

impl SessionFacts {
    /// Reads the session level.
    pub(in crate::sdp) fn read(description: &SessionDescription) -> Self {
        let first = |name| description.attributes(name).map(str::trim).find(|value| !value.is_empty());
        let flag = |name| first(name).and_then(yes_or_no);
        let mut attributes = description.lines.iter().filter(|line| line.letter == 'a');
        SessionFacts {
            encryption_wanted: flag("iChatEncryption"),
            bandwidth_detection: flag("bandwidthDetection"),
            fls: attributes.find_map(|line| line.value.strip_prefix("FLS;")).map(|v| v.trim().to_owned()),
            hwi: first("hwi").map(str::to_owned),
        }
    }
}

fn yes_or_no(value: &str) -> Option<bool> {
    [("YES", true), ("NO", false)]
        .into_iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(value))
        .map(|(_, v)| v)
}

impl Facetime2010 {
    /// What a payload type of a section carries.
    pub(in crate::sdp) fn format(&self, section: &MediaDescription, payload_type: u8) -> Option<Format> {
        let encoding = softphone::keyed(section, "rtpmap", payload_type)
            .next()
            .and_then(|rtpmap| self.encoding(section, payload_type, rtpmap));
        match encoding {
            Some(encoding) => Some(Format { payload_type, encoding }),
            None => softphone::format(section, payload_type),
        }
    }

    /// An encoding that only this dialect names, or describes as no other does.
    fn encoding(&self, section: &MediaDescription, payload_type: u8, rtpmap: &str) -> Option<Encoding> {
        let mut parts = rtpmap.trim().split('/').map(str::trim);
        let (name, rate) = (parts.next()?, parts.next()?.parse::<u32>().ok()?);
        let channels = parts.next().map_or(Some(1), |channels| channels.parse().ok())?;
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is(AAC_ELD) || is(AAC_LD) {
            let object = if is(AAC_ELD) { AacObject::EnhancedLowDelay } else { AacObject::LowDelay };
            let is_possible = (8_000..=96_000).contains(&rate) && (1..=2).contains(&channels);
            let config = AudioSpecificConfig::new(object, rate, channels, samples_per_block(section)?);
            return is_possible.then(|| Encoding::Aac(AacFormat::facetime(config, self.au_headers)));
        }
        if !(is("H264") || is(X_H264)) || rate != 90_000 {
            return None;
        }
        let fmtp: Vec<&str> = softphone::keyed(section, "fmtp", payload_type).collect();
        let fmtp = fmtp.join(";");
        if Parameters::read(&fmtp).text("profile-level-id").is_some() {
            return Format::read(payload_type, Some("H264/90000"), &fmtp).map(|format| format.encoding);
        }
        // Whoever says nothing of profile and mode in this dialect does not mean level 1 in mode 0, as RFC 6184 section
        // 8.1 has it: the size of pictures stands in the rules.
        Some(Encoding::H264(H264Format {
            level_asymmetry_allowed: true,
            ..H264Format::new(ProfileLevelId::CONSTRAINED_BASELINE_3_1, PacketizationMode::NonInterleaved)
        }))
    }
}

/// The samples in a frame of AAC: `a=fmtp:AAC SamplesPerBlock 480`, which is what is meant without it too; `None` for
/// a length that the low-delay codecs do not have.
fn samples_per_block(section: &MediaDescription) -> Option<u16> {
    let named = section.attributes("fmtp").find_map(|value| {
        let mut words = value.split_ascii_whitespace().skip_while(|word| !word.eq_ignore_ascii_case("AAC"));
        words.find(|word| word.eq_ignore_ascii_case("SamplesPerBlock"))?;
        words.next()
    });
    named.map_or(Some(480), |text| text.parse().ok()).filter(|samples| matches!(samples, 480 | 512))
}

/// Whether `a=rtcp` names the port of the `m=` line.
pub(in crate::sdp) fn shares_port(section: &MediaDescription) -> bool {
    softphone::rtcp(section).is_some_and(|(port, _)| port == section.port)
}

/// The source of `a=rtpID` before those of `a=ssrc`.
pub(in crate::sdp) fn with_rtp_id(
    section: &MediaDescription,
    mut sources: Vec<RemoteSource>,
) -> Vec<RemoteSource> {
    let id = section.attributes("rtpID").find_map(|value| value.trim().parse().ok());
    if let Some(ssrc) = id.filter(|id| sources.iter().all(|source| source.ssrc != *id)) {
        sources.insert(0, RemoteSource { ssrc, cname: None });
    }
    sources
}

/// The largest pictures of a payload type: the first rule that stands beside it, else the first of the section, held to
/// `a=framerate`.
pub(in crate::sdp) fn video_limits(section: &MediaDescription, payload_type: u8) -> Option<VideoLimits> {
    if kind_of(section) != Some(MediaKind::Video) {
        return None;
    }
    let own = softphone::keyed(section, "fmtp", payload_type).find_map(rules);
    let mut limits = own.or_else(|| section.attributes("fmtp").find_map(rules))?;
    if let Some(fps) = softphone::number(section, "framerate").and_then(|fps| u16::try_from(fps).ok()) {
        limits.fps = limits.fps.min(fps);
    }
    Some(limits)
}

/// `... rules fps:w:h:w:h:fps`, perhaps with a colon behind it, or `rules fps:w:h`. The two sizes are taken to be those
/// of the two directions; which is which is not public, so the smaller one counts.
fn rules(fmtp: &str) -> Option<VideoLimits> {
    let mut words = fmtp.split([' ', '\t', ';']).skip_while(|word| !word.eq_ignore_ascii_case("rules"));
    let rule = words.nth(1)?.trim_end_matches(':');
    let numbers: Vec<u16> = rule.split(':').map(|n| n.parse().ok()).collect::<Option<_>>()?;
    let (fps, width, height) = match *numbers.as_slice() {
        [fps, width, height] => (fps, width, height),
        [fps, width, height, other_width, other_height, other_fps] => {
            (fps.min(other_fps), width.min(other_width), height.min(other_height))
        }
        _ => return None,
    };
    let is_possible = SIDES.contains(&width) && SIDES.contains(&height) && RATES.contains(&fps);
    is_possible.then_some(VideoLimits { width, height, fps })
}
