//! Where a response goes: RFC 3261 section 18.2.2 and RFC 3581 section 4.

use super::user::Endpoint;
use crate::sip::Via;
use std::net::SocketAddr;

/// The way back of a request that came from `from` with this topmost Via.
///
/// The address is always the packet's source, whether or not sent-by says the same: where they differ the
/// server notes the source in `received` and answers there. The port is the source's if the client asked for
/// that (`rport`), else that of sent-by. `maddr` overrides both, if it is an address: there is no resolver
/// here.
pub(super) fn reply_to(via: &Via<'_>, from: Endpoint) -> Endpoint {
    if from.is_reliable() {
        return from;
    }
    let sent_by_port = via.port.unwrap_or(5060);
    let remote = if let Some(ip) = via.maddr().and_then(|host| host.ip()) {
        SocketAddr::new(ip, sent_by_port)
    } else if via.rport().is_some() {
        from.remote
    } else {
        SocketAddr::new(from.remote.ip(), sent_by_port)
    };
    Endpoint { remote, ..from }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Protocol, SocketId};

    fn reply(via: &str) -> String {
        let addr = |s: &str| s.parse().unwrap();
        let from = Endpoint::udp(SocketId(1), addr("192.0.2.1:5060"), addr("198.51.100.7:31337"));
        let to = reply_to(&Via::parse(via.as_bytes()).unwrap(), from);
        assert_eq!((to.socket, to.local), (from.socket, from.local));
        to.remote.to_string()
    }

    #[test]
    fn responses_go_to_the_source_address_and_the_port_of_sent_by() {
        assert_eq!(reply("SIP/2.0/UDP 198.51.100.7:5070;branch=z9hG4bK1"), "198.51.100.7:5070");
        assert_eq!(reply("SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1"), "198.51.100.7:5060");
        assert_eq!(reply("SIP/2.0/UDP host.example:5070;branch=z9hG4bK1"), "198.51.100.7:5070");
        assert_eq!(reply("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1"), "198.51.100.7:5070");
    }

    #[test]
    fn with_rport_they_go_to_the_source_port_too() {
        assert_eq!(reply("SIP/2.0/UDP 10.0.0.1:5070;rport;branch=z9hG4bK1"), "198.51.100.7:31337");
        // A value that the client put there itself changes nothing.
        assert_eq!(reply("SIP/2.0/UDP 10.0.0.1;rport=9;branch=z9hG4bK1"), "198.51.100.7:31337");
    }

    #[test]
    fn maddr_overrides_both_if_it_is_an_address() {
        assert_eq!(reply("SIP/2.0/UDP 10.0.0.1;maddr=203.0.113.5;rport"), "203.0.113.5:5060");
        assert_eq!(reply("SIP/2.0/UDP 10.0.0.1;maddr=name.example;rport"), "198.51.100.7:31337");
    }

    #[test]
    fn on_a_stream_they_go_back_on_the_stream() {
        let addr = |s: &str| s.parse().unwrap();
        let from = Endpoint {
            protocol: Protocol::Tcp,
            socket: SocketId(1),
            local: addr("192.0.2.1:5060"),
            sent_by: addr("192.0.2.1:5060"),
            remote: addr("198.51.100.7:31337"),
        };
        let via = Via::parse(b"SIP/2.0/TCP 10.0.0.1;maddr=203.0.113.5").unwrap();
        assert_eq!(reply_to(&via, from), from);
    }
}
