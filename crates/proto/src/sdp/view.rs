//! A description seen from outside, by somebody who is neither side of the call: what each media section says of
//! itself, whichever dialect it is written in.

use super::dialect::{Dialect, Facetime2010, Spoken, facetime2010, softphone};
use super::format::Format;
use super::negotiate::RemoteSource;
use super::session::{Host, MediaDescription, SessionDescription};
use crate::io::Direction;
use std::net::{IpAddr, SocketAddr};

/// The most `a=crypto` lines read from one section.
const MAX_CRYPTO: usize = 16;

/// A description, and the dialect that it is written in.
#[derive(Clone, Debug)]
pub struct View<'a> {
    description: &'a SessionDescription,
    dialect: Dialect,
}

/// One media section of a [`View`].
#[derive(Clone, Copy, Debug)]
pub struct SectionView<'a> {
    description: &'a SessionDescription,
    spoken: Spoken<'a>,
}

/// An `a=crypto` attribute (RFC 4568 section 9.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CryptoLine<'a> {
    /// Its tag: an answer repeats that of the line that it takes.
    pub tag: &'a str,
    /// The crypto suite by its name.
    pub suite: &'a str,
    /// The first key: `inline:` and base64.
    pub key: &'a str,
    /// Whether a master key identifier stands in each packet (RFC 4568 section 6.1).
    pub has_mki: bool,
}

impl<'a> View<'a> {
    /// Looks at a description. `au_headers` says of `X-AAC` in FaceTime 2010, where no line does, that each access
    /// unit stands behind an AU header.
    pub fn new(description: &'a SessionDescription, au_headers: bool) -> Self {
        let dialect = if facetime2010::is_spoken_in(description) {
            Dialect::Facetime2010(Facetime2010 { au_headers, ..Facetime2010::default() })
        } else {
            Dialect::Softphone
        };
        View { description, dialect }
    }

    /// The media sections in order.
    pub fn sections(&self) -> impl Iterator<Item = SectionView<'_>> {
        let spoken = |section| Spoken { section, dialect: &self.dialect };
        self.description
            .media
            .iter()
            .map(move |section| SectionView { description: self.description, spoken: spoken(section) })
    }
}

impl<'a> SectionView<'a> {
    /// Its lines.
    pub fn description(&self) -> &'a MediaDescription {
        self.spoken.section
    }

    /// Whether it is one of RTP, in the clear or not.
    pub fn is_rtp(&self) -> bool {
        self.spoken.section.transport.to_ascii_uppercase().contains("RTP/")
    }

    /// Whether its transport is one of SRTP (RFC 3711, RFC 5764).
    pub fn is_secure(&self) -> bool {
        self.spoken.section.transport.to_ascii_uppercase().contains("RTP/SAVP")
    }

    /// The known formats in order of preference, each payload type once.
    pub fn formats(&self) -> Vec<Format> {
        self.spoken.formats()
    }

    /// A payload type as its lines describe it, `H264/90000`; `None` where none does.
    pub fn rtpmap(&self, payload_type: u8) -> Option<&'a str> {
        softphone::keyed(self.spoken.section, "rtpmap", payload_type).next()
    }

    /// Where its side receives RTP; `None` without a numeric address or a port, and for 0.0.0.0 (RFC 3264 section
    /// 8.4).
    pub fn rtp(&self) -> Option<SocketAddr> {
        let ip = self.address()?;
        let port = self.spoken.section.port;
        (port != 0).then(|| SocketAddr::new(ip, port))
    }

    /// Where its side receives RTCP: the port of RTP with `a=rtcp-mux` (RFC 5761), that of `a=rtcp` (RFC 3605), else
    /// the one above.
    pub fn rtcp(&self) -> Option<SocketAddr> {
        let rtp = self.rtp()?;
        if self.spoken.rtcp_mux() {
            return Some(rtp);
        }
        match softphone::rtcp(self.spoken.section) {
            Some((port, address)) => Some(SocketAddr::new(address.unwrap_or(rtp.ip()), port)),
            None => Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?)),
        }
    }

    /// The sources that it announces.
    pub fn sources(&self) -> Vec<RemoteSource> {
        self.spoken.sources()
    }

    /// Which way its side wants media to flow.
    pub fn direction(&self) -> Direction {
        self.description.section_direction(self.spoken.section)
    }

    /// Its `a=crypto` lines that can be read.
    pub fn crypto(&self) -> impl Iterator<Item = CryptoLine<'a>> {
        self.spoken.section.attributes("crypto").filter_map(CryptoLine::read).take(MAX_CRYPTO)
    }

    /// Whether it has a connection address, numeric or not (RFC 8866 section 5.7).
    pub fn has_connection(&self) -> bool {
        !self.description.section_connections(self.spoken.section).is_empty()
    }

    fn address(&self) -> Option<IpAddr> {
        let connections = self.description.section_connections(self.spoken.section);
        connections.into_iter().find_map(|connection| match connection.host {
            Host::Ip(ip) if !ip.is_unspecified() => Some(ip),
            Host::Ip(_) | Host::Name(_) => None,
        })
    }
}

impl<'a> CryptoLine<'a> {
    /// Reads the value of an attribute: `1 AES_CM_128_HMAC_SHA1_80 inline:...|2^20|1:4 KDR=1`.
    pub fn read(value: &'a str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let (tag, suite, keys) = (words.next()?, words.next()?, words.next()?);
        let first = keys.split(';').next()?;
        let mut parts = first.split('|');
        let key = parts.next().filter(|key| key.starts_with("inline:"))?;
        let has_mki = parts.any(|part| part.contains(':'));
        Some(CryptoLine { tag, suite, key, has_mki })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Codec;
    use crate::limits::Limits;

    fn parse(text: &str) -> SessionDescription {
        SessionDescription::parse(text.as_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn both_dialects_are_told_by_what_stands_in_the_description() {
        let softphone = parse(
            "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/SAVP 0 96\na=rtpmap:96 speex/8000\n\
             a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA|2^20|1:4 KDR=1\na=ssrc:7 cname:x\n",
        );
        let view = View::new(&softphone, false);
        let section = view.sections().next().unwrap();
        assert!(section.is_rtp() && section.is_secure() && section.has_connection());
        assert_eq!(section.formats().len(), 1);
        assert_eq!(section.rtpmap(96), Some("speex/8000"));
        assert_eq!(section.rtp(), Some("192.0.2.1:4000".parse().unwrap()));
        assert_eq!(section.rtcp(), Some("192.0.2.1:4001".parse().unwrap()));
        assert_eq!(section.sources()[0].ssrc, 7);
        let crypto: Vec<_> = section.crypto().collect();
        assert_eq!((crypto[0].tag, crypto[0].key, crypto[0].has_mki), ("1", "inline:AAAA", true));

        let phone = parse(
            "v=0\nc=IN IP4 192.0.2.1\nm=audio 16402 RTP/AVP 105\na=rtcp:16402\na=rtpmap:105 X-AAC_ELD/22050\n\
             a=rtpID:99\na=fmtp:AAC SamplesPerBlock 480\n",
        );
        let view = View::new(&phone, false);
        let section = view.sections().next().unwrap();
        assert_eq!(section.formats()[0].encoding.codec(), Some(Codec::AacEld));
        assert_eq!(section.rtcp(), section.rtp());
        assert_eq!(section.sources()[0].ssrc, 99);
    }

    #[test]
    fn an_address_of_nowhere_is_none() {
        let held = parse("v=0\nc=IN IP4 0.0.0.0\nm=audio 4000 RTP/AVP 0\nm=video 0 RTP/AVP 96\n");
        let view = View::new(&held, false);
        assert!(view.sections().all(|section| section.rtp().is_none() && section.rtcp().is_none()));
        assert_eq!(CryptoLine::read("1 AES_CM_128_HMAC_SHA1_80 clear:x"), None);
    }
}
