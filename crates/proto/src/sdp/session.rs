//! The text of a session description (RFC 8866 section 5), line by line and without loss.
//!
//! What peers send is read liberally: LF line ends, missing `s=`, `t=` or `c=`, numbers of any size in
//! `o=`, lines in any order, `b=` and `o=` lines that make no sense (nothing hangs on them). Nothing is dropped
//! but blank lines, so that unknown attributes survive.

use super::bandwidth::Bandwidth;
use super::error::{SdpError, SdpErrorKind};
use crate::io::Direction;
use crate::limits::Limits;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Lines that are no attributes, for each section and for the session, in the budget of lines.
const PLAIN_LINES_PER_SECTION: usize = 16;

/// A session description: an offer, an answer or a declaration.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SessionDescription {
    /// The session-level lines behind `v=0`, in order.
    pub lines: Vec<Line>,
    /// The media sections, in order.
    pub media: Vec<MediaDescription>,
}

/// One line `x=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The letter before the equals sign.
    pub letter: char,
    /// What follows the equals sign, without the line end.
    pub value: String,
}

/// A media section: an `m=` line and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaDescription {
    /// The media type: `audio`, `video`, ...
    pub media: String,
    /// The port; 0 for a section that is not in use.
    pub port: u16,
    /// The number of port pairs, where one was given (`m=video 49170/2 ...`).
    pub port_count: Option<u32>,
    /// The transport: `RTP/AVP`, ...
    pub transport: String,
    /// The formats: for RTP, payload type numbers in order of preference.
    pub formats: Vec<String>,
    /// The lines behind `m=`, in order.
    pub lines: Vec<Line>,
}

/// An `o=` line (RFC 8866 section 5.2). Its numbers are text: peers send some above 64 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The user name; `-` where the host has none.
    pub username: String,
    /// The session's number.
    pub session_id: String,
    /// The description's version.
    pub session_version: String,
    /// Network type, address type and address, as they stand.
    pub address: String,
}

/// A `c=` line (RFC 8866 section 5.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The address, without a multicast TTL or count.
    pub host: Host,
}

/// The address in a `c=` or `a=rtcp` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A numeric address.
    Ip(IpAddr),
    /// A domain name.
    Name(String),
}

impl SessionDescription {
    /// Reads a description.
    ///
    /// # Errors
    /// An [`SdpError`] with the number of the line that cannot be read, or the limit that it breaks. Attributes
    /// are not looked into here: one that makes no sense is kept as text.
    pub fn parse(body: &[u8], limits: &Limits) -> Result<Self, SdpError> {
        if body.len() > limits.sdp_body {
            return Err(SdpError { line: 0, kind: SdpErrorKind::BodyTooLarge(body.len(), limits.sdp_body) });
        }
        let text = String::from_utf8_lossy(body);
        let mut description = SessionDescription::default();
        let mut version_seen = false;
        let mut count = 0_usize;
        let most = limits
            .sdp_attributes
            .saturating_add(limits.sdp_media.saturating_add(1).saturating_mul(PLAIN_LINES_PER_SECTION));
        // A lone CR ends a line too: it may stand in no value (RFC 8866 section 9), and none of ours may repeat it.
        let lines =
            text.split('\n').enumerate().flat_map(|(i, raw)| raw.split('\r').map(move |raw| (i + 1, raw)));
        for (number, raw) in lines {
            let fail = |kind| SdpError { line: number, kind };
            if raw.trim_matches([' ', '\t', '\0']).is_empty() {
                continue;
            }
            count += 1;
            if count > most {
                return Err(fail(SdpErrorKind::TooManyLines(most)));
            }
            let line = Line::parse(raw).ok_or_else(|| fail(SdpErrorKind::NotALine(excerpt(raw))))?;
            if !version_seen {
                if line.letter != 'v' || line.value.trim() != "0" {
                    return Err(fail(SdpErrorKind::NoVersion(excerpt(raw))));
                }
                version_seen = true;
                continue;
            }
            let bad = |line: &Line| fail(SdpErrorKind::BadValue(line.letter, excerpt(&line.value)));
            match line.letter {
                'v' => return Err(fail(SdpErrorKind::SecondDescription)),
                'm' => {
                    if description.media.len() >= limits.sdp_media {
                        return Err(fail(SdpErrorKind::TooManySections(limits.sdp_media)));
                    }
                    let section = MediaDescription::parse(&line.value).ok_or_else(|| bad(&line))?;
                    description.media.push(section);
                    continue;
                }
                'c' if Connection::parse(&line.value).is_none() => return Err(bad(&line)),
                _ => {}
            }
            match description.media.last_mut() {
                Some(section) => section.lines.push(line),
                None => description.lines.push(line),
            }
        }
        if !version_seen {
            return Err(SdpError { line: 0, kind: SdpErrorKind::Empty });
        }
        Ok(description)
    }

    /// The description as a message body: CRLF after every line.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }

    /// The `o=` line.
    pub fn origin(&self) -> Option<Origin> {
        value_of(&self.lines, 'o').and_then(Origin::parse)
    }

    /// The value of the first `t=` line.
    pub fn time(&self) -> Option<&str> {
        value_of(&self.lines, 't')
    }

    /// The session-level `c=` line.
    pub fn connection(&self) -> Option<Connection> {
        value_of(&self.lines, 'c').and_then(Connection::parse)
    }

    /// The session-level `b=` lines.
    pub fn bandwidths(&self) -> impl Iterator<Item = Bandwidth> + '_ {
        bandwidths(&self.lines)
    }

    /// The values of a session-level attribute, in order; empty strings for `a=name` without a value.
    pub fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        attributes(&self.lines, name)
    }

    /// The session-level direction attribute.
    pub fn direction(&self) -> Option<Direction> {
        direction(&self.lines)
    }

    /// The direction of a section: its own, else the session's, else `sendrecv` (RFC 8866 section 6.7).
    pub fn section_direction(&self, section: &MediaDescription) -> Direction {
        section.direction().or_else(|| self.direction()).unwrap_or(Direction::SendRecv)
    }

    /// The connection addresses of a section: its own `c=` lines, else the session's.
    pub fn section_connections(&self, section: &MediaDescription) -> Vec<Connection> {
        let own: Vec<_> = values_of(&section.lines, 'c').filter_map(Connection::parse).collect();
        if own.is_empty() { self.connection().into_iter().collect() } else { own }
    }
}

impl MediaDescription {
    fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let media = words.next()?.to_owned();
        let port = words.next()?;
        let (port, port_count) = match port.split_once('/') {
            Some((port, count)) => (port.parse().ok()?, Some(count.parse().ok()?)),
            None => (port.parse().ok()?, None),
        };
        let transport = words.next()?.to_owned();
        let formats = words.map(str::to_owned).collect();
        Some(MediaDescription { media, port, port_count, transport, formats, lines: Vec::new() })
    }

    /// The payload types of an RTP section, in order; words that are not a number of 7 bits are left out.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> + '_ {
        self.formats.iter().filter_map(|f| f.parse::<u8>().ok()).filter(|pt| *pt < 128)
    }

    /// The section's `b=` lines.
    pub fn bandwidths(&self) -> impl Iterator<Item = Bandwidth> + '_ {
        bandwidths(&self.lines)
    }

    /// The values of an attribute of this section, in order; empty strings for `a=name` without a value.
    pub fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        attributes(&self.lines, name)
    }

    /// The section's own direction attribute.
    pub fn direction(&self) -> Option<Direction> {
        direction(&self.lines)
    }
}

impl Line {
    /// A line `letter=value`.
    pub fn new(letter: char, value: impl Into<String>) -> Self {
        Line { letter, value: value.into() }
    }

    /// A line `a=name:value`, or `a=name` where the value is empty.
    pub fn attribute(name: &str, value: impl fmt::Display) -> Self {
        let value = value.to_string();
        Line {
            letter: 'a',
            value: if value.is_empty() { name.to_owned() } else { format!("{name}:{value}") },
        }
    }

    /// An attribute's name and value; `None` for a line that is no attribute. `a=FLS;VRA:0` has no value: its
    /// name is `FLS;VRA` by the letter of the grammar, and nothing here looks for it.
    pub fn as_attribute(&self) -> Option<(&str, &str)> {
        (self.letter == 'a').then(|| self.value.split_once(':').unwrap_or((self.value.trim_end(), "")))
    }

    fn parse(raw: &str) -> Option<Self> {
        let (letter, value) = raw.split_once('=')?;
        let mut letters = letter.chars();
        let letter = letters.next().filter(char::is_ascii_alphabetic)?;
        if letters.next().is_some() {
            return None;
        }
        Some(Line { letter, value: value.to_owned() })
    }
}

impl Origin {
    fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let username = words.next()?.to_owned();
        let session_id = words.next()?.to_owned();
        let session_version = words.next()?.to_owned();
        let address = words.collect::<Vec<_>>().join(" ");
        (!address.is_empty()).then_some(Origin { username, session_id, session_version, address })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.username, self.session_id, self.session_version, self.address)
    }
}

impl Connection {
    fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let (_network, _family) = (words.next()?, words.next()?);
        let host = words.next()?;
        let host = host.split_once('/').map_or(host, |(host, _ttl)| host);
        Some(Connection { host: Host::parse(host) })
    }
}

impl Host {
    /// Reads a numeric address, or takes the text for a name. An IPv6 address may stand in brackets and carry
    /// a zone, which means nothing to anybody but its sender.
    pub(super) fn parse(text: &str) -> Self {
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        let bare = bare.split_once('%').map_or(bare, |(address, _zone)| address);
        IpAddr::from_str(bare).map_or_else(|_| Host::Name(text.to_owned()), Host::Ip)
    }
}

/// An address as `o=`, `c=` and `a=rtcp` write it: `IN IP4 192.0.2.1`.
pub(super) fn address_text(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(a) => format!("IN IP4 {a}"),
        IpAddr::V6(a) => format!("IN IP6 {a}"),
    }
}

impl fmt::Display for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("v=0\r\n")?;
        self.lines.iter().try_for_each(|line| write!(f, "{line}\r\n"))?;
        self.media.iter().try_for_each(|section| write!(f, "{section}"))
    }
}

impl fmt::Display for MediaDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={} {}", self.media, self.port)?;
        if let Some(count) = self.port_count {
            write!(f, "/{count}")?;
        }
        write!(f, " {}", self.transport)?;
        self.formats.iter().try_for_each(|format| write!(f, " {format}"))?;
        f.write_str("\r\n")?;
        self.lines.iter().try_for_each(|line| write!(f, "{line}\r\n"))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.letter, self.value)
    }
}

fn values_of(lines: &[Line], letter: char) -> impl Iterator<Item = &str> {
    lines.iter().filter(move |line| line.letter == letter).map(|line| line.value.as_str())
}

fn value_of(lines: &[Line], letter: char) -> Option<&str> {
    values_of(lines, letter).next()
}

fn bandwidths(lines: &[Line]) -> impl Iterator<Item = Bandwidth> + '_ {
    values_of(lines, 'b').filter_map(|value| value.parse().ok())
}

fn attributes<'a>(lines: &'a [Line], name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
    lines.iter().filter_map(Line::as_attribute).filter(move |(n, _)| *n == name).map(|(_, value)| value)
}

fn direction(lines: &[Line]) -> Option<Direction> {
    lines.iter().filter_map(Line::as_attribute).find_map(|(name, _)| match name {
        "sendrecv" => Some(Direction::SendRecv),
        "sendonly" => Some(Direction::SendOnly),
        "recvonly" => Some(Direction::RecvOnly),
        "inactive" => Some(Direction::Inactive),
        _ => None,
    })
}

/// Enough of a text for an error message.
fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
