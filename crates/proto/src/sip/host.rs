//! Hosts and ports, as URIs and Via header fields carry them.

use super::lex::{self, Class};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

/// Which octets may stand in a domain name; `_` is against the grammar, common and harmless.
static NAME: Class = Class::alphanumeric_and(b"-._");

impl<'a> Host<'a> {
    /// Reads a host; an IPv6 address stands in brackets. `None` where it is neither an address nor made of
    /// the octets of a domain name: letters, digits, `-`, `.` and `_`.
    pub fn parse(s: &'a [u8]) -> Option<Host<'a>> {
        if let [b'[', inner @ .., b']'] = s {
            return ipv6(inner).map(|ip| Host::Ip(ip.into()));
        }
        if let Some(ip) = ipv4(s) {
            return Some(Host::Ip(ip.into()));
        }
        let is_name = !s.is_empty() && NAME.has_all(s);
        if is_name { std::str::from_utf8(s).ok().map(Host::Name) } else { None }
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

/// Four numbers up to 255 with dots between them and no needless zeros. Every message names half a dozen
/// addresses, hence in one pass over the octets.
fn ipv4(s: &[u8]) -> Option<Ipv4Addr> {
    let (mut address, mut number, mut digits, mut dots) = (0u32, 0u32, 0, 0);
    for &b in s {
        if b == b'.' {
            if digits == 0 || dots == 3 {
                return None;
            }
            address = (address << 8) | number;
            (number, digits, dots) = (0, 0, dots + 1);
            continue;
        }
        if !b.is_ascii_digit() || (digits > 0 && number == 0) {
            return None;
        }
        number = number * 10 + u32::from(b - b'0');
        digits += 1;
        if number > 255 {
            return None;
        }
    }
    (digits > 0 && dots == 3).then(|| Ipv4Addr::from_bits((address << 8) | number))
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
        for name in ["192.0.2", "192.0.2.1.5", "192.0.2.256", "192.0.02.1", "192..2.1", "1920.0.2.1"] {
            assert_eq!(Host::parse(name.as_bytes()), Some(Host::Name(name)));
            assert!(name.parse::<Ipv4Addr>().is_err());
        }
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
