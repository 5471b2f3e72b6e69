//! Which call and which media section a packet of RTP or RTCP belongs to.
//!
//! All calls share a port, and two one-port endpoints share a whole 5-tuple, so addresses alone do not
//! tell calls apart: SSRCs that the peer announced or that were heard before come first, then the
//! addresses that its description names, then the address that it signals from. A peer with several
//! addresses may send from one that it never named; then the SSRC that it announced is enough.

use crate::call::Call;
use crate::call::section::MediaSection;
use crate::io::{CallHandle, Datagram};
use crate::rtp::RtpPacket;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};

type Place = (CallHandle, usize);

#[derive(Default)]
pub(super) struct Routes {
    /// Streams heard before.
    heard: HashMap<(SocketAddr, u32), Place>,
    /// Sections by the SSRCs that were announced by `a=ssrc`.
    announced: HashMap<u32, Vec<Place>>,
    /// Sections by the address that their media should come from.
    by_address: HashMap<SocketAddr, BTreeSet<Place>>,
    /// Calls by the IP address of the peer's signalling and media.
    by_host: HashMap<IpAddr, BTreeSet<CallHandle>>,
    /// Calls by the SSRCs that they send with.
    own: HashMap<u32, CallHandle>,
    /// What to remove when a call changes or ends.
    entries: HashMap<CallHandle, Entries>,
}

#[derive(Default)]
struct Entries {
    heard: Vec<(SocketAddr, u32)>,
    announced: Vec<u32>,
    addresses: Vec<(SocketAddr, usize)>,
    hosts: Vec<IpAddr>,
    own: Vec<u32>,
}

impl Routes {
    /// Notes what a call's description says of its streams.
    pub(super) fn learn(&mut self, call: &Call) {
        let handle = call.handle();
        let entries = self.entries.entry(handle).or_default();
        let mut hosts = vec![call.peer().ip()];
        for (index, section) in call.media().sections.iter().enumerate() {
            let Some(section) = section else { continue };
            for address in
                [section.agreed.remote, section.agreed.remote_rtcp, section.remote()].into_iter().flatten()
            {
                hosts.push(address.ip());
                if self.by_address.entry(address).or_default().insert((handle, index)) {
                    entries.addresses.push((address, index));
                }
            }
        }
        hosts.sort_unstable();
        hosts.dedup();
        for (index, section) in call.media().sections.iter().enumerate() {
            let sources = section.iter().flat_map(|s| &s.agreed.remote_sources);
            for source in sources {
                let places = self.announced.entry(source.ssrc).or_default();
                if !places.contains(&(handle, index)) {
                    places.push((handle, index));
                    entries.announced.push(source.ssrc);
                }
            }
        }
        for section in call.media().iter() {
            self.own.insert(section.session.ssrc(), handle);
            entries.own.push(section.session.ssrc());
        }
        for host in hosts {
            self.by_host.entry(host).or_default().insert(handle);
            entries.hosts.push(host);
        }
    }

    /// Forgets everything about a call.
    pub(super) fn forget(&mut self, handle: CallHandle) {
        let Some(entries) = self.entries.remove(&handle) else { return };
        for key in entries.heard {
            self.heard.remove(&key);
        }
        for key in entries.announced {
            remove_places(&mut self.announced, &key, handle);
        }
        for ssrc in entries.own {
            self.own.remove(&ssrc);
        }
        for (key, index) in entries.addresses {
            remove(&mut self.by_address, &key, &(handle, index));
        }
        for key in entries.hosts {
            remove(&mut self.by_host, &key, &handle);
        }
    }

    /// The section that an RTP packet belongs to.
    pub(super) fn rtp(
        &mut self,
        datagram: &Datagram<'_>,
        calls: &BTreeMap<CallHandle, Box<Call>>,
    ) -> Option<Place> {
        let packet = RtpPacket::parse(datagram.data).ok()?;
        let remote = datagram.remote;
        if let Some(place) = self.heard.get(&(remote, packet.ssrc)) {
            return Some(*place);
        }
        let announced = self.announced(datagram, &packet, calls);
        let place = announced.or_else(|| self.guess(datagram, &packet, calls))?;
        self.heard.insert((remote, packet.ssrc), place);
        let heard = &mut self.entries.entry(place.0).or_default().heard;
        heard.push((remote, packet.ssrc));
        if heard.len() > MAX_HEARD {
            let oldest = heard.remove(0);
            self.heard.remove(&oldest);
        }
        Some(place)
    }

    /// The section whose peer announced the SSRC of a packet. Where it comes from a host that the peer never
    /// named, the SSRC must be no other peer's, and the packet be one that the section takes.
    fn announced(
        &self,
        datagram: &Datagram<'_>,
        packet: &RtpPacket<'_>,
        calls: &BTreeMap<CallHandle, Box<Call>>,
    ) -> Option<Place> {
        let places = self.announced.get(&packet.ssrc)?;
        let from_there = |place: &&Place| self.is_host_of(place.0, datagram.remote.ip());
        if let Some(place) = places.iter().rev().find(from_there) {
            return Some(*place);
        }
        let [(handle, index)] = places.as_slice() else { return None };
        let section = calls.get(handle)?.media().sections.get(*index)?.as_ref()?;
        let takes = is_local(section, datagram) && section.session.accepts(packet.payload_type);
        takes.then_some((*handle, *index))
    }

    /// Whether a call's peer named this host for signalling or media.
    fn is_host_of(&self, handle: CallHandle, host: IpAddr) -> bool {
        self.entries.get(&handle).is_some_and(|entries| entries.hosts.contains(&host))
    }

    /// By address and payload type: a section that takes the type and has no other stream yet is the likeliest.
    fn guess(
        &self,
        datagram: &Datagram<'_>,
        packet: &RtpPacket<'_>,
        calls: &BTreeMap<CallHandle, Box<Call>>,
    ) -> Option<Place> {
        // Whether a section may take the packet, and if so, whether it has no stream yet.
        let fits = |&(handle, index): &Place| -> Option<(bool, Place)> {
            let section = calls.get(&handle)?.media().sections.get(index)?.as_ref()?;
            // Where the peer announced its SSRCs, another one belongs to another section, or to one that is gone.
            let stranger = !section.agreed.remote_sources.is_empty();
            if !is_local(section, datagram) || stranger || !section.session.accepts(packet.payload_type) {
                return None;
            }
            let silent = !self
                .entries
                .get(&handle)
                .is_some_and(|e| e.heard.iter().any(|key| self.heard.get(key) == Some(&(handle, index))));
            Some((silent, (handle, index)))
        };
        let best = |places: &mut dyn Iterator<Item = Place>| {
            places.filter_map(|p| fits(&p)).max_by_key(|(silent, _)| *silent)
        };
        let by_address = self.by_address.get(&datagram.remote);
        if let Some((_, place)) = by_address.and_then(|p| best(&mut p.iter().copied())) {
            return Some(place);
        }
        let hosts = self.by_host.get(&datagram.remote.ip())?;
        let mut places = hosts.iter().flat_map(|handle| {
            let sections = calls.get(handle).map_or(0, |c| c.media().sections.len());
            (0..sections).map(move |index| (*handle, index))
        });
        best(&mut places).map(|(_, place)| place)
    }

    /// The calls that an RTCP packet may concern, likeliest first.
    pub(super) fn rtcp(&self, datagram: &Datagram<'_>) -> Vec<CallHandle> {
        if let Some(handle) = self.reported_on(datagram) {
            return vec![handle];
        }
        let by_address = self.by_address.get(&datagram.remote).into_iter().flatten().map(|(h, _)| *h);
        let by_host = self.by_host.get(&datagram.remote.ip()).into_iter().flatten().copied();
        let mut calls: Vec<CallHandle> = Vec::new();
        let sender = ssrc_at(datagram.data, 4).and_then(|ssrc| self.announced.get(&ssrc));
        let announced = sender.into_iter().flatten().map(|(h, _)| *h);
        for handle in by_address.chain(by_host).chain(announced).take(MAX_RTCP_CANDIDATES) {
            if !calls.contains(&handle) {
                calls.push(handle);
            }
        }
        calls
    }

    /// The call whose own SSRC the first packet reports on or gives feedback to, if its peer is at that address
    /// or sends with an SSRC that it announced.
    fn reported_on(&self, datagram: &Datagram<'_>) -> Option<CallHandle> {
        // The first report block stands behind 28 octets in SR, behind 8 in RR; feedback names its media
        // source behind 8 (RFC 3550 sections 6.4.1 and 6.4.2, RFC 4585 section 6.1).
        let at = if datagram.data.get(1) == Some(&200) { 28 } else { 8 };
        let handle = *self.own.get(&ssrc_at(datagram.data, at)?)?;
        let known = self.is_host_of(handle, datagram.remote.ip()) || {
            let sender = ssrc_at(datagram.data, 4).and_then(|ssrc| self.announced.get(&ssrc));
            sender.is_some_and(|places| places.iter().any(|(h, _)| *h == handle))
        };
        known.then_some(handle)
    }
}

/// Whether a datagram came in on a socket of this section.
fn is_local(section: &MediaSection, datagram: &Datagram<'_>) -> bool {
    section.ports.rtp.0 == datagram.socket || section.ports.rtcp.0 == datagram.socket
}

/// The SSRC that stands `at` octets into a packet.
fn ssrc_at(data: &[u8], at: usize) -> Option<u32> {
    let octets = data.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(octets.try_into().ok()?))
}

/// Takes an entry from those under `key`: many calls may share an address, so that it must be found without a search.
fn remove<K: std::hash::Hash + Eq, V: Ord>(map: &mut HashMap<K, BTreeSet<V>>, key: &K, entry: &V) {
    if let Some(entries) = map.get_mut(key) {
        entries.remove(entry);
        if entries.is_empty() {
            map.remove(key);
        }
    }
}

/// Takes a call's sections from those under `key`.
fn remove_places<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Vec<Place>>, key: &K, handle: CallHandle) {
    if let Some(places) = map.get_mut(key) {
        places.retain(|(h, _)| *h != handle);
        if places.is_empty() {
            map.remove(key);
        }
    }
}

/// The most streams remembered for one call: more than a peer has, so only a flood gets there.
const MAX_HEARD: usize = 32;
/// The most calls that one RTCP packet is shown to.
const MAX_RTCP_CANDIDATES: usize = 64;
