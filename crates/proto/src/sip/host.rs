//! Hosts and ports, as URIs and Via header fields carry them.

use super::lex;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr};

/// A host (RFC 3261 section 25.1): a name, an IPv4 address or an IPv6 address.
///
/// Names compare without regard to case, addresses by value: `[2001:db8::1]` equals `[2001:DB8:0::1]`.
#[derive(Clone, Copy, Debug)]
pub enum Host<'a> {
    /// A domain name.
    Name(&'a str),
    /// An address.
    Ip(IpAddr),
}

impl<'a> Host<'a> {
    /// Reads a host; an IPv6 address stands in brackets. `None` where it is neither an address nor made of
    /// the octets of a domain name (letters, digits, `-`, `.`, and `_`, which is common and harmless).
    pub fn parse(s: &'a [u8]) -> Option<Host<'a>> {
        if let [b'[', inner @ .., b']'] = s {
            return ipv6(inner).map(|ip| Host::Ip(ip.into()));
        }
        if s.is_empty() || !s.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')) {
            return None;
        }
        let s = std::str::from_utf8(s).ok()?;
        // Only what starts with a digit can be an address: names skip the attempt.
        if s.starts_with(|c: char| c.is_ascii_digit())
            && let Ok(ip) = s.parse()
        {
            return Some(Host::Ip(IpAddr::V4(ip)));
        }
        Some(Host::Name(s))
    }

    /// As [`Host::parse`], but takes an IPv6 address without brackets too, as RFC 3261 section 25.1 writes
    /// `received`.
    pub fn parse_bare(s: &'a [u8]) -> Option<Host<'a>> {
        Host::parse(s).or_else(|| ipv6(s).map(|ip| Host::Ip(ip.into())))
    }

    /// The address, if it is one.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Host::Ip(ip) => Some(ip),
            Host::Name(_) => None,
        }
    }

    /// Reads `host`, `host:port` or `[address]:port`, with white space around the colon as Via allows it.
    pub(crate) fn parse_with_port(s: &'a [u8]) -> Result<(Host<'a>, Option<u16>), &'static str> {
        let host_end = match s.first() {
            Some(b'[') => s.iter().position(|&b| b == b']').map(|i| i + 1),
            _ => s.iter().position(|&b| b == b':'),
        };
        let (host, rest) = s.split_at_checked(host_end.unwrap_or(s.len())).unwrap_or((s, b""));
        let host = Host::parse(lex::trim(host)).ok_or("bad host")?;
        let port = match lex::trim_start(rest) {
            [] => None,
            [b':', port @ ..] => match lex::trim(port) {
                // `host:` with nothing behind it says no port.
                [] => None,
                port => Some(lex::decimal(port).and_then(|p| u16::try_from(p).ok()).ok_or("bad port")?),
            },
            _ => return Err("unexpected text behind the host"),
        };
        Ok((host, port))
    }
}

fn ipv6(s: &[u8]) -> Option<Ipv6Addr> {
    std::str::from_utf8(s).ok()?.parse().ok()
}

impl PartialEq for Host<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Host::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            (Host::Ip(a), Host::Ip(b)) => a == b,
            _ => false,
        }
    }
}
impl Eq for Host<'_> {}

impl Hash for Host<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Host::Name(name) => name.bytes().for_each(|b| state.write_u8(b.to_ascii_lowercase())),
            Host::Ip(ip) => ip.hash(state),
        }
    }
}

impl fmt::Display for Host<'_> {
    /// As on the wire: an IPv6 address in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

impl From<IpAddr> for Host<'_> {
    fn from(ip: IpAddr) -> Self {
        Host::Ip(ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_told_apart() {
        assert_eq!(Host::parse(b"192.0.2.1"), Some(Host::Ip([192, 0, 2, 1].into())));
        assert_eq!(Host::parse(b"[2001:db8::1]").unwrap().to_string(), "[2001:db8::1]");
        assert_eq!(Host::parse(b"1and1.example"), Some(Host::Name("1AND1.example")));
        assert_eq!(Host::parse(b"2001:db8::1"), None);
        assert_eq!(Host::parse_bare(b"2001:db8::1"), Host::parse(b"[2001:DB8:0::1]"));
        assert_eq!(Host::parse(b""), None);
        assert_eq!(Host::parse(b"a b"), None);
    }

    #[test]
    fn ports_may_stand_behind_white_space() {
        assert_eq!(Host::parse_with_port(b"h : 5061"), Ok((Host::Name("h"), Some(5061))));
        assert_eq!(Host::parse_with_port(b"[::1]:9").unwrap().1, Some(9));
        assert_eq!(Host::parse_with_port(b"h:").unwrap().1, None);
        assert!(Host::parse_with_port(b"h:65536").is_err());
        assert!(Host::parse_with_port(b"h:-1").is_err());
        assert!(Host::parse_with_port(b"[::1]x").is_err());
        assert!(Host::parse_with_port(b"[::1").is_err());
    }
}
