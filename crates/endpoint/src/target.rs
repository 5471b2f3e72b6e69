//! From what a person types to a SIP URI and the addresses it stands for.

use crate::endpoint::Error;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use visavis_proto::sip::Uri;

/// SIP's own port, RFC 3261 table 1.
const SIP_PORT: u16 = 5060;

/// A resolved target of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The URI, `sip:` put in front where it was left out.
    pub uri: String,
    /// Where to send requests.
    pub destination: SocketAddr,
    /// The local address that reaches it.
    pub local: IpAddr,
}

impl Target {
    /// Reads `text` (`sip:user@host:port`, `host:port`, `host`) and resolves its host; an address of the
    /// family of `prefer` comes first.
    pub async fn resolve(text: &str, prefer: IpAddr) -> Result<Target, Error> {
        let bad = |why: String| Error::Target { text: text.to_owned(), why };
        let lower = text.to_ascii_lowercase();
        let uri = if lower.starts_with("sip:") || lower.starts_with("sips:") {
            text.to_owned()
        } else {
            format!("sip:{text}")
        };
        let parsed = Uri::parse(uri.as_bytes()).map_err(|e| bad(e.to_string()))?;
        if lower.starts_with("sips:") {
            return Err(bad("sips: needs TLS, which this endpoint does not speak; use sip:".into()));
        }
        let host = parsed.host().ok_or_else(|| bad("it has no host".into()))?.to_string();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = parsed.port().unwrap_or(SIP_PORT);
        let found = tokio::net::lookup_host((host.as_str(), port)).await;
        let mut addresses: Vec<SocketAddr> = found.map_err(|e| bad(format!("{host}: {e}")))?.collect();
        addresses.sort_by_key(|a| a.is_ipv4() != prefer.is_ipv4());
        let destination = *addresses.first().ok_or_else(|| bad(format!("{host} has no address")))?;
        let local = if prefer.is_unspecified() { route(destination)? } else { prefer };
        Ok(Target { uri, destination, local })
    }
}

/// The local address that packets to `remote` leave from. Nothing is sent.
fn route(remote: SocketAddr) -> Result<IpAddr, Error> {
    let any: SocketAddr = if remote.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let probe = UdpSocket::bind(any).and_then(|s| s.connect(remote).and_then(|()| s.local_addr()));
    probe.map(|a| a.ip()).map_err(|source| Error::Unreachable { remote, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bare_address_becomes_a_sip_uri_and_loopback_is_reached_from_loopback() {
        let any = "0.0.0.0".parse().unwrap();
        let target = Target::resolve("127.0.0.1:16402", any).await.unwrap();
        assert_eq!(target.uri, "sip:127.0.0.1:16402");
        assert_eq!(target.destination, "127.0.0.1:16402".parse().unwrap());
        assert_eq!(target.local, "127.0.0.1".parse::<IpAddr>().unwrap());
        let six = Target::resolve("sip:a@[::1]", "::".parse().unwrap()).await.unwrap();
        assert_eq!(six.destination, "[::1]:5060".parse().unwrap());
    }

    #[tokio::test]
    async fn a_target_that_cannot_be_used_is_named_with_the_reason() {
        let any = "0.0.0.0".parse().unwrap();
        for bad in ["sip:", "sips:a@127.0.0.1", "sip:a@127.0.0.1:99999"] {
            let error = Target::resolve(bad, any).await.unwrap_err().to_string();
            assert!(error.contains(bad), "{error}");
        }
    }
}
