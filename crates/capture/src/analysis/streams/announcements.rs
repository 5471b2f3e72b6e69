//! Everything that descriptions announce, and which of it a stream belongs to.

use crate::analysis::calls::Announced;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use visavis_proto::rtp::srtp::MasterKey;

/// The most sections that are kept.
const MOST: usize = 65_536;

/// The sections of all descriptions, by what streams are known by.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    entries: Vec<(usize, Announced)>,
    by_address: HashMap<SocketAddr, Vec<usize>>,
    by_ssrc: HashMap<u32, Vec<usize>>,
    by_call: HashMap<usize, Vec<usize>>,
    /// The two ends of each call's signalling: one-port calls send media between them too.
    by_pair: HashMap<(SocketAddr, SocketAddr), usize>,
    over: HashSet<usize>,
}

/// Where a stream belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Belongs {
    /// The call.
    pub(super) call: usize,
    /// The sections that say what its payload types mean, the receiver's first.
    pub(super) sections: Vec<usize>,
}

impl Announcements {
    /// Takes what a message announced.
    pub(super) fn add(&mut self, call: usize, announced: Vec<Announced>) {
        for section in announced {
            if self.entries.len() >= MOST {
                return;
            }
            let index = self.entries.len();
            if let Some(rtp) = section.rtp {
                self.by_address.entry(rtp).or_default().push(index);
            }
            for &ssrc in &section.sources {
                self.by_ssrc.entry(ssrc).or_default().push(index);
            }
            self.by_call.entry(call).or_default().push(index);
            self.entries.push((call, section));
        }
    }

    /// Takes notice that a call's signalling goes between these two.
    pub(super) fn signalled(&mut self, call: usize, a: SocketAddr, b: SocketAddr) {
        if self.by_pair.len() < MOST {
            self.by_pair.insert((a.min(b), a.max(b)), call);
        }
    }

    /// Takes notice that a call is over: what comes from its addresses now belongs to another, if there is one.
    pub(super) fn over(&mut self, call: usize) {
        self.over.insert(call);
    }

    pub(super) fn get(&self, index: usize) -> Option<&Announced> {
        self.entries.get(index).map(|(_, announced)| announced)
    }

    /// Where the stream of this SSRC belongs, as far as descriptions tell. `payload_type` tells sections on one port
    /// apart.
    pub(super) fn find(
        &self,
        source: SocketAddr,
        destination: SocketAddr,
        ssrc: u32,
        payload_type: u8,
    ) -> Option<Belongs> {
        let at = |address| self.by_address.get(&address).map(Vec::as_slice).unwrap_or_default();
        let (received, sent) = (at(destination), at(source));
        let named = self.by_ssrc.get(&ssrc).map(Vec::as_slice).unwrap_or_default();
        let pair = self.by_pair.get(&(source.min(destination), source.max(destination))).copied();
        // An SSRC alone is believed where an address agrees, since they are chosen without asking others.
        let named: Vec<usize> = named.iter().copied().filter(|&index| self.agrees(index, source)).collect();
        let call = [received, &named, sent].into_iter().find_map(|found| self.latest(found)).or(pair)?;
        let of_call = |index: &&usize| self.entries.get(**index).is_some_and(|(of, _)| *of == call);
        let received: Vec<usize> = received.iter().filter(of_call).copied().collect();
        let sent: Vec<usize> = sent.iter().filter(of_call).copied().collect();
        let named: Vec<usize> = named.iter().filter(of_call).copied().collect();
        let all = self.by_call.get(&call).cloned().unwrap_or_default();
        let section = self.section(&named, &received, &sent, &all, payload_type);
        let mut sections: Vec<usize> = Vec::new();
        // Later descriptions first; of each, the receiver's before the sender's.
        for group in [&received, &sent, &named, &all] {
            for &index in group.iter().rev() {
                let fits =
                    self.get(index).is_some_and(|announced| section.is_none_or(|s| announced.section.1 == s));
                if fits && !sections.contains(&index) {
                    sections.push(index);
                }
            }
        }
        sections.truncate(16);
        Some(Belongs { call, sections })
    }

    /// The keys of a call, those that the sender at this address announced first.
    pub(super) fn keys(&self, call: usize, source: SocketAddr) -> Vec<&MasterKey> {
        let of_call = self.by_call.get(&call).map(Vec::as_slice).unwrap_or_default();
        let mut sections: Vec<&Announced> = of_call.iter().filter_map(|&index| self.get(index)).collect();
        sections.sort_by_key(|section| {
            u8::from(
                section.owner.ip() != source.ip() && section.rtp.map(|rtp| rtp.ip()) != Some(source.ip()),
            )
        });
        sections.into_iter().flat_map(|section| &section.keys).filter_map(|key| key.as_ref().ok()).collect()
    }

    /// All keys of calls that have anything to do with an address.
    pub(super) fn keys_at(&self, source: SocketAddr, destination: SocketAddr) -> Vec<&MasterKey> {
        let near = |entry: &&(usize, Announced)| {
            let ends = [Some(entry.1.owner.ip()), entry.1.rtp.map(|rtp| rtp.ip())];
            ends.contains(&Some(source.ip())) || ends.contains(&Some(destination.ip()))
        };
        let recent = self.entries.iter().rev().filter(near).take(64);
        recent.flat_map(|(_, section)| &section.keys).filter_map(|key| key.as_ref().ok()).collect()
    }

    /// Why keys of these sections are of no use.
    pub(super) fn key_errors(&self, sections: &[usize]) -> Vec<String> {
        let sections = sections.iter().filter_map(|&index| self.get(index));
        let mut errors: Vec<String> = sections
            .flat_map(|section| &section.keys)
            .filter_map(|key| key.as_ref().err().cloned())
            .collect();
        errors.dedup();
        errors
    }

    fn agrees(&self, index: usize, source: SocketAddr) -> bool {
        self.get(index).is_some_and(|announced| {
            announced.owner.ip() == source.ip() || announced.rtp.is_some_and(|rtp| rtp.ip() == source.ip())
        })
    }

    /// The latest call among these sections, one that is not over before one that is.
    fn latest(&self, found: &[usize]) -> Option<usize> {
        let call = |index: &usize| self.entries.get(*index).map(|(call, _)| *call);
        let mut recent = found.iter().rev().filter_map(call);
        recent.clone().find(|call| !self.over.contains(call)).or_else(|| recent.next())
    }

    /// The number of the media section among those that share a port: by the SSRC, else by the payload type. Where the
    /// receiver has one number for two media, the sender's port tells them apart.
    fn section(
        &self,
        named: &[usize],
        received: &[usize],
        sent: &[usize],
        all: &[usize],
        payload_type: u8,
    ) -> Option<usize> {
        if let Some(announced) = named.last().and_then(|&index| self.get(index)) {
            return Some(announced.section.1);
        }
        let with_type = |group: &[usize]| -> Vec<usize> {
            let sections = group.iter().rev().filter_map(|&index| self.get(index));
            sections
                .filter(|section| section.payload_types.contains(&payload_type))
                .map(|s| s.section.1)
                .collect()
        };
        let (received, theirs) = (with_type(received), sent.iter().filter_map(|&index| self.get(index)));
        let theirs: Vec<usize> = theirs.map(|section| section.section.1).collect();
        let both = received.iter().find(|section| theirs.contains(section));
        both.or(received.first())
            .copied()
            .or_else(|| [sent, all].into_iter().find_map(|g| with_type(g).first().copied()))
    }
}
