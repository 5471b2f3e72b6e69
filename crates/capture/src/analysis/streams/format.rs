//! What a payload type of a stream carries, and how that is known.

use super::static_types;
use crate::analysis::calls::Announced;
use crate::analysis::options::AnalysisOptions;
use visavis_proto::frame::MediaKind;
use visavis_proto::sdp::{Encoding, Format};

/// What a payload type carries.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Meaning {
    /// The codec by its name, or by what `a=rtpmap` calls it.
    pub(super) name: String,
    /// Sound or pictures.
    pub(super) kind: Option<MediaKind>,
    /// The RTP clock, Hz.
    pub(super) clock_rate: Option<u32>,
    /// In the words of [`StreamFindings::known_by`](crate::findings::StreamFindings::known_by).
    pub(super) known_by: &'static str,
    /// The format, where it is one that is known here.
    pub(super) format: Option<Format>,
}

impl Meaning {
    pub(super) fn of(mut format: Format, known_by: &'static str, options: &AnalysisOptions) -> Self {
        if let Some(framing) = options.audio_framing {
            framing.apply(&mut format);
        }
        Meaning {
            name: format.encoding.codec().map_or("telephone-event", |codec| codec.name()).to_owned(),
            kind: Some(format.encoding.kind()),
            clock_rate: Some(format.encoding.clock_rate()),
            known_by,
            format: Some(format),
        }
    }

    /// Whether its packets carry frames, and not events or comfort noise.
    pub(super) fn is_media(&self) -> bool {
        let event =
            matches!(&self.format, Some(format) if matches!(format.encoding, Encoding::TelephoneEvent(_)));
        !event && !self.name.eq_ignore_ascii_case("CN") && !self.name.eq_ignore_ascii_case("telephone-event")
    }

    /// Whether the lines that describe it leave open whether AU headers stand before its access units.
    pub(super) fn is_framing_open(&self, options: &AnalysisOptions) -> bool {
        use visavis_proto::sdp::format::AacPacking;
        options.audio_framing.is_none()
            && matches!(&self.format, Some(Format { encoding: Encoding::Aac(aac), .. })
                if matches!(aac.packing, AacPacking::Facetime { .. }))
    }
}

/// What a payload type carries by what was said of it: given, signalled by the one side or the other, or fixed by RFC
/// 3551. `announced` has the receiver's side first.
pub(super) fn meaning<'a>(
    payload_type: u8,
    announced: impl Iterator<Item = &'a Announced> + Clone,
    options: &AnalysisOptions,
) -> Option<Meaning> {
    if let Some(given) = options.payload_types.iter().find(|given| given.0.payload_type == payload_type) {
        return Some(Meaning::of(given.0.clone(), "given", options));
    }
    for side in announced {
        if let Some(format) = side.formats.iter().find(|format| format.payload_type == payload_type) {
            return Some(Meaning::of(format.clone(), "signalled", options));
        }
        if let Some((_, rtpmap)) = side.names.iter().find(|(number, _)| *number == payload_type) {
            return Some(unknown(rtpmap, side.kind));
        }
    }
    let known = static_types::of(payload_type)?;
    if let Some(format) = Format::read(payload_type, None, "") {
        return Some(Meaning::of(format, "static payload type", options));
    }
    let name = known.rtpmap.split('/').next().unwrap_or_default().to_owned();
    Some(Meaning {
        name,
        kind: known.kind,
        clock_rate: Some(known.clock_rate),
        known_by: "static payload type",
        format: None,
    })
}

/// A codec that is signalled and not known here.
fn unknown(rtpmap: &str, kind: Option<MediaKind>) -> Meaning {
    let mut parts = rtpmap.split('/');
    let name = parts.next().unwrap_or_default().trim().to_owned();
    let clock_rate = parts.next().and_then(|rate| rate.trim().parse().ok()).filter(|&rate| rate > 0);
    Meaning { name, kind, clock_rate, known_by: "signalled", format: None }
}
