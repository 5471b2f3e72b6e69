//! Via (RFC 3261 section 20.42, RFC 3581).

use super::value::{HeaderValue, ValueError};
use crate::sip::host::Host;
use crate::sip::lex;
use crate::sip::params::Params;
use std::net::{IpAddr, SocketAddr};

/// The prefix of branches that identify a transaction on their own (RFC 3261 section 8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// One Via value, borrowed from the message that holds it.
#[derive(Clone, Copy, Debug)]
pub struct Via<'a> {
    /// The transport: `UDP`, `TCP`, `TLS` or another token, as on the wire.
    pub transport: &'a str,
    /// The host of sent-by.
    pub host: Host<'a>,
    /// The port of sent-by, where one is given.
    pub port: Option<u16>,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// Anything but `SIP / version / transport host [: port]` and parameters. Versions other than 2.0 are
    /// taken: a response to a request of another version goes back by its Via.
    pub fn parse(value: &'a [u8]) -> Result<Via<'a>, ValueError> {
        let at = |rest: &[u8]| value.len() - rest.len();
        let err = |what, rest: &[u8]| ValueError::new(what, at(rest));
        let (protocol, rest) = lex::split_once(value, b'/').ok_or(err("no protocol", value))?;
        if !lex::trim(protocol).eq_ignore_ascii_case(b"SIP") {
            return Err(err("protocol is not SIP", value));
        }
        let (version, tail) = lex::split_once(rest, b'/').ok_or(err("no version", rest))?;
        lex::token(lex::trim(version)).ok_or(err("bad version", rest))?;
        let tail = lex::trim_start(tail);
        let transport_end = tail.iter().position(|&b| lex::is_space(b)).unwrap_or(tail.len());
        let (transport, sent_by) = tail.split_at_checked(transport_end).unwrap_or_default();
        let transport = lex::token(transport).ok_or(err("bad transport", tail))?;
        let sent_by_end = memchr::memchr(b';', sent_by).unwrap_or(sent_by.len());
        let (host, params) = sent_by.split_at_checked(sent_by_end).unwrap_or_default();
        let (host, port) = Host::parse_with_port(lex::trim(host)).map_err(|what| err(what, sent_by))?;
        Ok(Via { transport, host, port, params: Params(params) })
    }

    /// The `branch` parameter.
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.params.value("branch")
    }

    /// Whether the branch starts with [`MAGIC_COOKIE`] (compared without regard to case, as all tokens are)
    /// and so names its transaction by itself (RFC 3261 section 17.2.3).
    pub fn has_magic_cookie(&self) -> bool {
        let cookie = MAGIC_COOKIE.as_bytes();
        self.branch().and_then(|b| b.get(..cookie.len())).is_some_and(|b| b.eq_ignore_ascii_case(cookie))
    }

    /// The address in `received`, with or without brackets.
    pub fn received(&self) -> Option<IpAddr> {
        Host::parse_bare(self.params.value("received")?)?.ip()
    }

    /// What `rport` says (RFC 3581): `None` where there is none, `Some(None)` for the empty one of a
    /// request.
    pub fn rport(&self) -> Option<Option<u16>> {
        let param = self.params.get("rport")?;
        Some(param.value.and_then(lex::decimal).and_then(|p| u16::try_from(p).ok()))
    }

    /// The host in `maddr`.
    pub fn maddr(&self) -> Option<Host<'a>> {
        Host::parse_bare(self.params.value("maddr")?)
    }
}

/// A Via of one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViaBuf {
    /// The transport: `UDP`, `TCP`, ...
    pub transport: &'static str,
    /// Where responses are to be sent.
    pub sent_by: SocketAddr,
    /// The branch, starting with [`MAGIC_COOKIE`].
    pub branch: String,
    /// Whether to ask for responses to the port that the request came from (RFC 3581).
    pub rport: bool,
}

impl HeaderValue for ViaBuf {
    fn write_value(&self, out: &mut Vec<u8>) {
        let ViaBuf { transport, sent_by, branch, rport } = self;
        let rport = if *rport { ";rport" } else { "" };
        // `SocketAddr` writes IPv6 addresses in brackets, as sent-by wants them.
        out.extend_from_slice(format!("SIP/2.0/{transport} {sent_by}{rport};branch={branch}").as_bytes());
    }
}

/// The value of a topmost Via as a server must note where its request came from: `received` where sent-by
/// names another address (RFC 3261 section 18.2.1), `received` and `rport` where the client asked for the
/// latter (RFC 3581 section 4). `None` where nothing is to be added.
pub(in crate::sip) fn stamp(value: &[u8], source: SocketAddr) -> Option<Vec<u8>> {
    let via = Via::parse(value).ok()?;
    let wants_rport = via.rport().is_some();
    if !wants_rport && via.host.ip() == Some(source.ip()) && via.received().is_none() {
        return None;
    }
    let head_len = value.len() - via.params.as_bytes().len();
    let mut out = lex::trim_end(value.get(..head_len)?).to_vec();
    for param in via.params.iter() {
        // What the client wrote there itself is not to be trusted.
        if param.name.eq_ignore_ascii_case(b"received") || param.name.eq_ignore_ascii_case(b"rport") {
            continue;
        }
        out.push(b';');
        out.extend_from_slice(param.name);
        if let Some(value) = param.value {
            out.push(b'=');
            out.extend_from_slice(value);
        }
    }
    out.extend_from_slice(format!(";received={}", source.ip()).as_bytes());
    if wants_rport {
        out.extend_from_slice(format!(";rport={}", source.port()).as_bytes());
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamped(value: &str, source: &str) -> Option<String> {
        stamp(value.as_bytes(), source.parse().unwrap()).map(|v| String::from_utf8(v).unwrap())
    }

    #[test]
    fn a_via_that_names_its_source_is_left_alone() {
        assert_eq!(stamped("SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa", "192.0.2.1:9"), None);
        assert_eq!(stamped("SIP/2.0/UDP [2001:db8:0::1];branch=z9hG4bKa", "[2001:db8::1]:9"), None);
    }

    #[test]
    fn a_name_or_another_address_gets_received() {
        assert_eq!(
            stamped("SIP/2.0/UDP pc.example.com;branch=z9hG4bKa", "192.0.2.1:9").as_deref(),
            Some("SIP/2.0/UDP pc.example.com;branch=z9hG4bKa;received=192.0.2.1")
        );
        assert_eq!(
            stamped("SIP/2.0/UDP 10.0.0.1", "[2001:db8::1]:9").as_deref(),
            Some("SIP/2.0/UDP 10.0.0.1;received=2001:db8::1")
        );
    }

    #[test]
    fn who_asks_for_rport_gets_received_and_rport() {
        assert_eq!(
            stamped("SIP/2.0/UDP 192.0.2.1:5070 ; rport ;branch=z9hG4bKa", "192.0.2.1:9").as_deref(),
            Some("SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa;received=192.0.2.1;rport=9")
        );
    }

    #[test]
    fn what_a_client_claims_of_its_source_is_replaced() {
        assert_eq!(
            stamped("SIP/2.0/UDP 192.0.2.1;received=203.0.113.5;rport=1;x=\"a;b\"", "192.0.2.1:9").as_deref(),
            Some("SIP/2.0/UDP 192.0.2.1;x=\"a;b\";received=192.0.2.1;rport=9")
        );
    }

    #[test]
    fn white_space_may_stand_around_slashes_and_colon() {
        let via = Via::parse(b"sip / 2.0 / TLS\t[::1] : 5061 ;branch=Z9HG4BKx;ttl=16").unwrap();
        assert_eq!((via.transport, via.host.to_string().as_str(), via.port), ("TLS", "[::1]", Some(5061)));
        assert!(via.has_magic_cookie());
        assert_eq!(via.rport(), None);
    }

    #[test]
    fn errors_say_where() {
        for (value, what, at) in [
            (&b"SIP"[..], "no protocol", 0),
            (b"SIP/2.0", "no version", 4),
            (b"SIP/2.0/U?P h", "bad transport", 8),
            (b"SIP/2.0/UDP h^", "bad host", 11),
            (b"SIP/2.0/UDP h:p", "bad port", 11),
        ] {
            assert_eq!(Via::parse(value).unwrap_err(), ValueError { what, at });
        }
    }
}
