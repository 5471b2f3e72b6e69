//! A firewall in front of hosts that have addresses of their own.

use super::filter::{Behaviour, Contacts};
use crate::network::{Middlebox, Packet};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use visavis_proto::Time;

/// Lets in what answers something that went out, or no UDP at all. The hosts behind it keep their addresses,
/// which must be the ones that it was made for.
#[derive(Clone, Debug)]
pub struct Firewall {
    hosts: Vec<IpAddr>,
    /// `None` where no UDP passes, in either direction.
    filtering: Option<Behaviour>,
    timeout: Duration,
    contacts: BTreeMap<SocketAddr, Contacts>,
}

impl Firewall {
    /// A firewall that lets in what these hosts may be sent by this filtering (RFC 4787 section 5).
    pub fn stateful(hosts: &[IpAddr], filtering: Behaviour) -> Self {
        let timeout = Duration::from_secs(120);
        Firewall { hosts: hosts.to_vec(), filtering: Some(filtering), timeout, contacts: BTreeMap::new() }
    }

    /// A firewall that no UDP passes, neither in nor out.
    pub fn blocking_udp(hosts: &[IpAddr]) -> Self {
        Firewall { filtering: None, ..Firewall::stateful(hosts, Behaviour::AddressAndPortDependent) }
    }
}

impl Middlebox for Firewall {
    fn addresses(&self) -> Vec<IpAddr> {
        self.hosts.clone()
    }

    fn outbound(&mut self, now: Time, packet: Packet) -> Option<Packet> {
        self.filtering?;
        self.contacts.retain(|_, contacts| contacts.alive(now));
        self.contacts.entry(packet.src).or_default().sent(now, packet.dst, self.timeout);
        Some(packet)
    }

    fn inbound(&mut self, now: Time, packet: Packet) -> Option<Packet> {
        let contacts = self.contacts.get(&packet.dst)?;
        contacts.admits(now, self.filtering?, packet.src).then_some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const HOST: &str = "192.0.2.1:5000";
    const PEER: &str = "198.51.100.1:6000";

    fn packet(src: &str, dst: &str) -> Packet {
        Packet { src: src.parse().unwrap(), dst: dst.parse().unwrap(), data: Bytes::from_static(b"x") }
    }

    fn hosts() -> [IpAddr; 1] {
        ["192.0.2.1".parse().unwrap()]
    }

    #[test]
    fn a_stateful_firewall_lets_in_answers_alone_and_rewrites_nothing() {
        let mut firewall = Firewall::stateful(&hosts(), Behaviour::AddressAndPortDependent);
        let now = Time::ZERO;
        assert_eq!(firewall.inbound(now, packet(PEER, HOST)), None);
        assert_eq!(firewall.outbound(now, packet(HOST, PEER)), Some(packet(HOST, PEER)));
        assert_eq!(firewall.inbound(now, packet(PEER, HOST)), Some(packet(PEER, HOST)));
        assert_eq!(firewall.inbound(now, packet("198.51.100.1:6001", HOST)), None);
        assert_eq!(firewall.inbound(now, packet(PEER, "192.0.2.1:5001")), None);
        assert_eq!(firewall.inbound(Time::from_millis(120_000), packet(PEER, HOST)), None);
    }

    #[test]
    fn nothing_passes_a_firewall_that_blocks_udp() {
        let mut firewall = Firewall::blocking_udp(&hosts());
        assert_eq!(firewall.outbound(Time::ZERO, packet(HOST, PEER)), None);
        assert_eq!(firewall.inbound(Time::ZERO, packet(PEER, HOST)), None);
    }
}
