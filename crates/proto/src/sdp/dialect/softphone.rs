//! The dialect of SIP softphones: `a=rtpmap` and `a=fmtp` keyed by payload type (RFC 8866 sections 6.6 and 6.15),
//! `a=rtcp` (RFC 3605), `a=rtcp-mux` (RFC 5761), `a=ssrc` (RFC 5576) and `a=rtcp-fb` (RFC 4585 section 4.2).

use crate::io::Direction;
use crate::sdp::bandwidth::{Bandwidth, BandwidthKind};
use crate::sdp::exchange::LocalStream;
use crate::sdp::extmap::ExtMap;
use crate::sdp::format::{Encoding, Format};
use crate::sdp::negotiate::{Feedback, RemoteSource};
use crate::sdp::session::{Host, Line, MediaDescription, address_text};
use std::net::IpAddr;

/// The most remote sources read from one section.
const MAX_SOURCES: usize = 16;

/// The transports that a section may have.
pub(in crate::sdp) const TRANSPORTS: [&str; 2] = ["RTP/AVP", "RTP/AVPF"];

/// What a section of ours says.
pub(in crate::sdp) struct SectionText<'a> {
    pub(in crate::sdp) media: &'a str,
    pub(in crate::sdp) transport: &'a str,
    pub(in crate::sdp) stream: LocalStream,
    /// The address in the session-level `c=` line.
    pub(in crate::sdp) session_address: IpAddr,
    pub(in crate::sdp) formats: &'a [Format],
    pub(in crate::sdp) direction: Direction,
    pub(in crate::sdp) rtcp_mux: bool,
    pub(in crate::sdp) feedback: Feedback,
    pub(in crate::sdp) extensions: &'a [ExtMap],
    pub(in crate::sdp) cname: &'a str,
    /// The most RTP payload to receive, bit/s.
    pub(in crate::sdp) max_bitrate: Option<u32>,
    /// The same with headers, bit/s.
    pub(in crate::sdp) max_bitrate_with_headers: Option<u64>,
    pub(in crate::sdp) ptime: Option<u32>,
    pub(in crate::sdp) framerate: Option<u16>,
}

impl SectionText<'_> {
    /// The section's lines.
    pub(in crate::sdp) fn write(&self) -> MediaDescription {
        let mut lines = self.connection_lines();
        let with_headers = self.max_bitrate_with_headers.map(|rate| (BandwidthKind::As, rate / 1_000));
        let payload = self.max_bitrate.map(|rate| (BandwidthKind::Tias, u64::from(rate)));
        for (kind, value) in with_headers.into_iter().chain(payload) {
            lines.push(Line::new('b', Bandwidth { kind, value }.to_string()));
        }
        for format in self.formats {
            let number = format.payload_type;
            lines.push(Line::attribute("rtpmap", format!("{number} {}", format.rtpmap())));
            if let Some(fmtp) = format.fmtp() {
                lines.push(Line::attribute("fmtp", format!("{number} {fmtp}")));
            }
        }
        if let Some(ptime) = self.ptime {
            lines.push(Line::attribute("ptime", ptime));
        }
        if let Some(framerate) = self.framerate {
            lines.push(Line::attribute("framerate", framerate));
        }
        lines.push(self.rtcp_line());
        if self.rtcp_mux {
            lines.push(Line::attribute("rtcp-mux", ""));
        }
        lines.extend(self.feedback_lines());
        lines.extend(self.extensions.iter().map(ExtMap::line));
        if let Some(ssrc) = self.stream.ssrc {
            lines.push(Line::attribute("ssrc", format!("{ssrc} cname:{}", self.cname)));
        }
        // Without a direction it is both ways (RFC 8866 section 6.7), and every octet of an INVITE counts.
        if self.direction != Direction::SendRecv {
            lines.push(Line::attribute(self.direction.as_str(), ""));
        }
        self.description(lines)
    }

    /// The section with these lines behind its `m=`.
    pub(in crate::sdp) fn description(&self, lines: Vec<Line>) -> MediaDescription {
        MediaDescription {
            media: self.media.to_owned(),
            port: self.stream.rtp.port(),
            port_count: None,
            transport: self.transport.to_owned(),
            formats: self.formats.iter().map(|f| f.payload_type.to_string()).collect(),
            lines,
        }
    }

    /// A `c=` line, where the section's address is not the session's.
    pub(in crate::sdp) fn connection_lines(&self) -> Vec<Line> {
        let own = Some(self.stream.rtp.ip()).filter(|ip| *ip != self.session_address);
        own.map(|ip| Line::new('c', address_text(ip))).into_iter().collect()
    }

    /// The port of RTCP, and its address where it is not that of RTP (RFC 3605 section 2.1).
    pub(in crate::sdp) fn rtcp_line(&self) -> Line {
        let rtcp = self.stream.rtcp;
        if rtcp.ip() == self.stream.rtp.ip() {
            Line::attribute("rtcp", rtcp.port())
        } else {
            Line::attribute("rtcp", format!("{} {}", rtcp.port(), address_text(rtcp.ip())))
        }
    }

    /// The `a=rtcp-fb` lines.
    pub(in crate::sdp) fn feedback_lines(&self) -> Vec<Line> {
        let all = [
            (self.feedback.nack, "* nack"),
            (self.feedback.pli, "* nack pli"),
            (self.feedback.fir, "* ccm fir"),
        ];
        let wanted = all.into_iter().filter(|(wanted, _)| *wanted);
        wanted.map(|(_, value)| Line::attribute("rtcp-fb", value)).collect()
    }
}

/// A section that is not in use: port 0 and, since the grammar wants one, a format.
pub(in crate::sdp) fn refused(section: &MediaDescription) -> MediaDescription {
    let formats = if section.formats.is_empty() { vec!["0".to_owned()] } else { section.formats.clone() };
    MediaDescription {
        media: section.media.clone(),
        port: 0,
        port_count: None,
        transport: section.transport.clone(),
        formats,
        lines: Vec::new(),
    }
}

/// The known formats of a section, in its order of preference, each payload type once; `read` knows what a payload
/// type carries.
pub(in crate::sdp) fn formats(
    section: &MediaDescription,
    read: impl Fn(u8) -> Option<Format>,
) -> Vec<Format> {
    let mut known: Vec<Format> = Vec::new();
    for payload_type in section.payload_types() {
        if known.iter().any(|format| format.payload_type == payload_type) {
            continue;
        }
        if let Some(format) = read(payload_type) {
            let is_section_kind = section.media.eq_ignore_ascii_case(format.encoding.kind().as_str());
            if is_section_kind {
                known.push(format);
            }
        }
    }
    known
}

/// What a payload type of a section carries.
pub(in crate::sdp) fn format(section: &MediaDescription, payload_type: u8) -> Option<Format> {
    let rtpmap = keyed(section, "rtpmap", payload_type).next();
    let fmtp: Vec<&str> = keyed(section, "fmtp", payload_type).collect();
    Format::read(payload_type, rtpmap, &fmtp.join(";"))
}

/// A payload type that is not known, in words: its encoding name, else its number.
pub(in crate::sdp) fn name(section: &MediaDescription, payload_type: u8) -> String {
    let name = keyed(section, "rtpmap", payload_type).next().map(|map| map.chars().take(40).collect());
    name.unwrap_or_else(|| format!("payload type {payload_type}"))
}

/// Whether a section says anything of what a payload type carries.
pub(in crate::sdp) fn is_described(section: &MediaDescription, payload_type: u8) -> bool {
    keyed(section, "rtpmap", payload_type).next().is_some()
}

/// The values of an attribute that begin with a payload type, without it.
pub(in crate::sdp) fn keyed<'a>(
    section: &'a MediaDescription,
    name: &'a str,
    payload_type: u8,
) -> impl Iterator<Item = &'a str> + 'a {
    section.attributes(name).filter_map(move |value| {
        let (number, rest) = value.trim_start().split_once([' ', '\t'])?;
        (number.parse() == Ok(payload_type)).then(|| rest.trim())
    })
}

/// The port and address of `a=rtcp` (RFC 3605 section 2.1).
pub(in crate::sdp) fn rtcp(section: &MediaDescription) -> Option<(u16, Option<IpAddr>)> {
    section.attributes("rtcp").find_map(|value| {
        let mut words = value.split_ascii_whitespace();
        let port = words.next()?.parse().ok().filter(|port| *port != 0)?;
        let address = words.nth(2).and_then(|text| match Host::parse(text) {
            Host::Ip(ip) => Some(ip),
            Host::Name(_) => None,
        });
        Some((port, address))
    })
}

/// The sources of `a=ssrc` lines, each once, with their canonical names.
pub(in crate::sdp) fn sources(section: &MediaDescription) -> Vec<RemoteSource> {
    let mut sources: Vec<RemoteSource> = Vec::new();
    for value in section.attributes("ssrc") {
        let (number, attribute) = value.split_once(' ').unwrap_or((value, ""));
        let Ok(ssrc) = number.trim().parse::<u32>() else { continue };
        let cname = attribute.trim().strip_prefix("cname:").map(str::to_owned);
        if let Some(source) = sources.iter_mut().find(|source| source.ssrc == ssrc) {
            source.cname = source.cname.take().or(cname);
        } else if sources.len() < MAX_SOURCES {
            sources.push(RemoteSource { ssrc, cname });
        }
    }
    sources
}

/// The feedback that `a=rtcp-fb` lines allow for one of these formats. They count in `RTP/AVP` sections too, where
/// RFC 4585 does not foresee them but softphones write them.
pub(in crate::sdp) fn feedback(section: &MediaDescription, formats: &[Format]) -> Feedback {
    let mut feedback = Feedback::default();
    for value in section.attributes("rtcp-fb") {
        let mut words = value.split_ascii_whitespace();
        let Some(key) = words.next() else { continue };
        let concerns_us = key == "*"
            || key.parse().is_ok_and(|number: u8| formats.iter().any(|f| f.payload_type == number));
        if !concerns_us {
            continue;
        }
        match (words.next(), words.next()) {
            (Some("nack"), None) => feedback.nack = true,
            (Some("nack"), Some("pli")) => feedback.pli = true,
            (Some("ccm"), Some("fir")) => feedback.fir = true,
            _ => {}
        }
    }
    feedback
}

/// A number of an attribute that stands once, such as `a=ptime:20`; fractions are cut off.
pub(in crate::sdp) fn number(section: &MediaDescription, name: &str) -> Option<u32> {
    let value = section.attributes(name).next()?.trim();
    let whole = value.split_once('.').map_or(value, |(whole, _)| whole);
    whole.parse().ok().filter(|n| *n > 0)
}

/// Whether a format is a telephone event.
pub(in crate::sdp) fn is_event(format: &Format) -> bool {
    matches!(format.encoding, Encoding::TelephoneEvent(_))
}
