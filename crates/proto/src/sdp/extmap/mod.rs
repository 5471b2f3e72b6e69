//! `a=extmap`: which RTP header extension stands behind which local identifier (RFC 8285 sections 5 and 7).
//!
//! The mappings of a description stand at session level or in its media sections, not in both. An offer of ours has
//! them at session level where one identifier means the same in all of its sections, since every octet of an INVITE
//! counts; an answer has them in its sections.

mod numbers;

pub(super) use numbers::{ExtensionNumbers, accepted};

use super::session::{Line, MediaDescription, SessionDescription};
use crate::frame::MediaKind;
use crate::io::Direction;
use std::fmt;
use std::str::FromStr;

/// The most mappings read from one section.
const MAX_MAPPINGS: usize = 64;
/// The identifiers that only say that there are more extensions than identifiers, or alternatives (RFC 8285 section 7).
const EXTENDED: std::ops::RangeInclusive<u16> = 4096..=4351;
/// Octets in front of the elements of a header extension (RFC 3550 section 5.3.1).
const PREAMBLE: usize = 4;

/// A header extension that this side knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeaderExtension {
    /// The wall-clock time of a packet, RFC 6051 section 3.3.
    Ntp64,
    /// The same without the upper 8 bits of its seconds. It is agreed to, not offered.
    Ntp56,
    /// How a picture is turned, 3GPP TS 26.114 section 7.4.5.
    VideoOrientation,
}

impl HeaderExtension {
    /// All that are known.
    pub const ALL: [HeaderExtension; 3] =
        [HeaderExtension::Ntp64, HeaderExtension::Ntp56, HeaderExtension::VideoOrientation];

    /// The URI that names it.
    pub fn uri(self) -> &'static str {
        match self {
            HeaderExtension::Ntp64 => "urn:ietf:params:rtp-hdrext:ntp-64",
            HeaderExtension::Ntp56 => "urn:ietf:params:rtp-hdrext:ntp-56",
            HeaderExtension::VideoOrientation => "urn:3gpp:video-orientation",
        }
    }

    /// The extension of a URI; letters of either case mean the same.
    pub fn from_uri(uri: &str) -> Option<HeaderExtension> {
        HeaderExtension::ALL.into_iter().find(|extension| extension.uri().eq_ignore_ascii_case(uri))
    }

    /// Whether it has a meaning in a section of this medium.
    pub fn suits(self, kind: MediaKind) -> bool {
        kind == MediaKind::Video || self != HeaderExtension::VideoOrientation
    }

    pub(super) fn is_offered(self) -> bool {
        self != HeaderExtension::Ntp56
    }

    /// Octets of its data.
    fn octets(self) -> usize {
        match self {
            HeaderExtension::Ntp64 => 8,
            HeaderExtension::Ntp56 => 7,
            HeaderExtension::VideoOrientation => 1,
        }
    }
}

/// The value of an `a=extmap` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtMap {
    /// The local identifier.
    pub id: u16,
    /// Which way the extension goes, seen from the side that writes the line; `None`: as the section's media.
    pub direction: Option<Direction>,
    /// What names the extension.
    pub uri: String,
    /// What the extension itself defines, where there is anything.
    pub attributes: Option<String>,
}

impl ExtMap {
    pub(super) fn new(id: u16, direction: Option<Direction>, extension: HeaderExtension) -> Self {
        ExtMap { id, direction, uri: extension.uri().to_owned(), attributes: None }
    }

    /// The line.
    pub(super) fn line(&self) -> Line {
        Line::attribute("extmap", self)
    }

    /// The mappings that hold for a section: its own, else those of the session. Of two for one identifier or one
    /// extension the first counts; identifiers of the extended range may repeat. Lines that cannot be read are left out.
    pub fn of_section(description: &SessionDescription, section: &MediaDescription) -> Vec<ExtMap> {
        let read = |value: &str| value.parse::<ExtMap>().ok();
        let mut own = section.attributes("extmap").peekable();
        let values: Vec<&str> = match own.peek() {
            Some(_) => own.take(MAX_MAPPINGS).collect(),
            None => description.attributes("extmap").take(MAX_MAPPINGS).collect(),
        };
        let mut mappings: Vec<ExtMap> = Vec::new();
        for map in values.into_iter().filter_map(read) {
            let is_known = |m: &ExtMap| (m.id == map.id && !map.is_extended()) || m.uri == map.uri;
            if !mappings.iter().any(is_known) {
                mappings.push(map);
            }
        }
        mappings
    }

    /// The extension, where this side knows it.
    pub(super) fn extension(&self) -> Option<HeaderExtension> {
        HeaderExtension::from_uri(&self.uri)
    }

    /// The identifier, where elements can have it: 15 ends a header of the one-byte form, 256 is no element's.
    pub(super) fn valid_id(&self) -> Option<u8> {
        u8::try_from(self.id).ok().filter(|id| !matches!(id, 0 | 15))
    }

    pub(super) fn is_extended(&self) -> bool {
        EXTENDED.contains(&self.id)
    }
}

impl FromStr for ExtMap {
    type Err = ();

    fn from_str(value: &str) -> Result<Self, ()> {
        let (entry, rest) = value.trim().split_once([' ', '\t']).ok_or(())?;
        let (id, direction) = match entry.split_once('/') {
            Some((id, direction)) => (id, Some(direction_of(direction).ok_or(())?)),
            None => (entry, None),
        };
        let id = id.parse().map_err(|_| ())?;
        let rest = rest.trim_start();
        let (uri, attributes) = match rest.split_once([' ', '\t']) {
            Some((uri, attributes)) => (uri, Some(attributes.trim().to_owned()).filter(|a| !a.is_empty())),
            None => (rest, None),
        };
        if uri.is_empty() { Err(()) } else { Ok(ExtMap { id, direction, uri: uri.to_owned(), attributes }) }
    }
}

impl fmt::Display for ExtMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        if let Some(direction) = self.direction {
            write!(f, "/{}", direction.as_str())?;
        }
        write!(f, " {}", self.uri)?;
        self.attributes.iter().try_for_each(|attributes| write!(f, " {attributes}"))
    }
}

fn direction_of(name: &str) -> Option<Direction> {
    [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive]
        .into_iter()
        .find(|direction| direction.as_str().eq_ignore_ascii_case(name))
}

/// A header extension that both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiatedExtension {
    /// Its local identifier in both directions.
    pub id: u8,
    /// What it is.
    pub extension: HeaderExtension,
    /// Which way it goes, seen from this side and within the section's direction.
    pub direction: Direction,
}

/// What a packet that carries all of these can grow by, octets.
pub(super) fn room(extensions: &[NegotiatedExtension]) -> u32 {
    let sent = || extensions.iter().filter(|e| e.direction.sends());
    let header = if sent().any(|e| e.id > 14) { 2 } else { 1 };
    let octets: usize = sent().map(|e| header + e.extension.octets()).sum();
    if octets == 0 { 0 } else { (PREAMBLE + octets.next_multiple_of(4)) as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn lines_are_read_as_they_are_written() {
        for value in [
            "1 urn:ietf:params:rtp-hdrext:ntp-64",
            "2/sendrecv http://example.com/082005/ext.htm#xmeta short",
            "4096/recvonly URI-gps-string",
            "14/inactive urn:x a=b c",
        ] {
            assert_eq!(value.parse::<ExtMap>().unwrap().to_string(), value);
        }
        for bad in
            ["", "1", "x urn:x", "1/sideways urn:x", "70000 urn:x", "-1 urn:x", "1 ", "/sendonly urn:x"]
        {
            assert_eq!(bad.parse::<ExtMap>(), Err(()), "{bad:?}");
        }
        let spaced: ExtMap = " 3 \t urn:3GPP:Video-Orientation  ".parse().unwrap();
        assert_eq!((spaced.id, spaced.extension()), (3, Some(HeaderExtension::VideoOrientation)));
    }

    #[test]
    fn a_sections_own_mappings_take_the_place_of_the_sessions() {
        let text = "v=0\na=extmap:1 urn:a\na=extmap:1 urn:b\na=extmap:2 urn:a\na=extmap:4096 urn:c\n\
                    a=extmap:4096 urn:d\na=extmap:nonsense\nm=audio 2 RTP/AVP 0\nm=video 4 RTP/AVP 96\na=extmap:9 urn:v\n";
        let sdp = SessionDescription::parse(text.as_bytes(), &Limits::default()).unwrap();
        let of = |section: usize| -> Vec<(u16, String)> {
            ExtMap::of_section(&sdp, &sdp.media[section]).into_iter().map(|m| (m.id, m.uri)).collect()
        };
        assert_eq!(of(0), [(1, "urn:a".into()), (4096, "urn:c".into()), (4096, "urn:d".into())]);
        assert_eq!(of(1), [(9, "urn:v".into())]);
    }

    #[test]
    fn identifiers_that_no_element_can_have_are_not_valid() {
        let id = |n: u16| ExtMap::new(n, None, HeaderExtension::Ntp64).valid_id();
        assert_eq!((id(1), id(14), id(16), id(255)), (Some(1), Some(14), Some(16), Some(255)));
        assert_eq!((id(0), id(15), id(256), id(4096)), (None, None, None, None));
    }

    #[test]
    fn the_room_is_that_of_the_largest_header_extension_in_whole_words() {
        let sent = |id, extension| NegotiatedExtension { id, extension, direction: Direction::SendRecv };
        let ntp = sent(1, HeaderExtension::Ntp64);
        assert_eq!(room(&[]), 0);
        assert_eq!(room(&[ntp]), 16);
        assert_eq!(room(&[ntp, sent(2, HeaderExtension::VideoOrientation)]), 16);
        assert_eq!(room(&[ntp, sent(20, HeaderExtension::VideoOrientation)]), 20);
        assert_eq!(room(&[NegotiatedExtension { direction: Direction::RecvOnly, ..ntp }]), 0);
    }
}
