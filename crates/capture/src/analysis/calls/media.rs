//! What the media sections of a description announce: addresses, sources, formats, keys.

use crate::analysis::options::master_key;
use std::net::SocketAddr;
use visavis_proto::frame::MediaKind;
use visavis_proto::rtp::srtp::MasterKey;
use visavis_proto::sdp::{Format, SectionView, SessionDescription, View};

/// One media section of a description, as far as it tells streams apart.
#[derive(Clone, Debug)]
pub(in crate::analysis) struct Announced {
    /// Which exchange and section of its call it belongs to: both sides of one have the same.
    pub(in crate::analysis) section: (usize, usize),
    /// Where the message with the description came from.
    pub(in crate::analysis) owner: SocketAddr,
    /// Where its owner receives RTP.
    pub(in crate::analysis) rtp: Option<SocketAddr>,
    /// Sound or pictures.
    pub(in crate::analysis) kind: Option<MediaKind>,
    /// The formats that are known here, by the payload types that its owner wants to receive them with.
    pub(in crate::analysis) formats: Vec<Format>,
    /// `a=rtpmap` of every payload type.
    pub(in crate::analysis) names: Vec<(u8, String)>,
    /// All payload types.
    pub(in crate::analysis) payload_types: Vec<u8>,
    /// The sources that its owner sends from.
    pub(in crate::analysis) sources: Vec<u32>,
    /// The keys that its owner sends with (RFC 4568 section 6.1), or why one is of no use.
    pub(in crate::analysis) keys: Vec<Result<MasterKey, String>>,
    /// Whether its transport is one of SRTP.
    pub(in crate::analysis) secure: bool,
}

/// Everything that a description announces.
pub(super) fn announced(
    description: &SessionDescription,
    owner: SocketAddr,
    exchange: usize,
    au_headers: bool,
) -> Vec<Announced> {
    let view = View::new(description, au_headers);
    let sections = view.sections().enumerate();
    let in_use = sections.filter(|(_, section)| section.is_rtp() && section.description().port != 0);
    in_use.map(|(index, section)| one(&section, owner, (exchange, index))).collect()
}

fn one(section: &SectionView<'_>, owner: SocketAddr, place: (usize, usize)) -> Announced {
    let description = section.description();
    let payload_types: Vec<u8> = description.payload_types().collect();
    let names =
        payload_types.iter().filter_map(|&pt| Some((pt, section.rtpmap(pt)?.chars().take(60).collect())));
    let keys = section.crypto().map(|line| match line.has_mki {
        true => Err("its packets carry a master key identifier, which is not read".to_owned()),
        false => master_key(line.suite, line.key).map_err(|error| error.to_string()),
    });
    Announced {
        section: place,
        owner,
        rtp: section.rtp(),
        kind: [MediaKind::Audio, MediaKind::Video]
            .into_iter()
            .find(|kind| description.media.eq_ignore_ascii_case(kind.as_str())),
        formats: section.formats(),
        names: names.collect(),
        sources: section.sources().iter().map(|source| source.ssrc).collect(),
        keys: keys.collect(),
        secure: section.is_secure(),
        payload_types,
    }
}
