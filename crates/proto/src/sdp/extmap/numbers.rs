//! Offering and answering header extensions: which local identifier stands for what in a call (RFC 8285 section 7).

use super::{ExtMap, HeaderExtension, NegotiatedExtension};
use crate::frame::MediaKind;
use crate::io::Direction;
use crate::sdp::capabilities::Capabilities;
use crate::sdp::dialect::Dialect;
use crate::sdp::exchange::intersect;
use crate::sdp::negotiate::kind_of;
use crate::sdp::session::SessionDescription;
use std::collections::{BTreeMap, BTreeSet};

/// What the identifiers of a call have meant so far: none of them ever gets another meaning.
#[derive(Clone, Debug, Default)]
pub(in crate::sdp) struct ExtensionNumbers {
    assigned: Vec<(MediaKind, u8, HeaderExtension)>,
    /// Identifiers that the peer has used for anything.
    taken: BTreeSet<(MediaKind, u8)>,
}

impl ExtensionNumbers {
    /// Keeps the identifiers of a description that the peer sent out of the way of our own.
    pub(in crate::sdp) fn reserve(&mut self, description: &SessionDescription) {
        for section in &description.media {
            let Some(kind) = kind_of(section) else { continue };
            let maps = ExtMap::of_section(description, section);
            self.taken.extend(maps.iter().filter_map(|map| Some((kind, u8::try_from(map.id).ok()?))));
        }
    }

    /// What to offer in sections of these media: the mappings of the session, or those of each medium, where one
    /// identifier does not mean the same in all of them. In the form of FaceTime 2010 nothing is offered that the peer
    /// did not offer first.
    pub(in crate::sdp) fn offered(
        &mut self,
        capabilities: &Capabilities,
        dialect: &Dialect,
        kinds: &[MediaKind],
    ) -> (Vec<ExtMap>, BTreeMap<MediaKind, Vec<ExtMap>>) {
        let is_new = matches!(dialect, Dialect::Softphone);
        let mut of_kinds: BTreeMap<MediaKind, Vec<(u8, HeaderExtension)>> = BTreeMap::new();
        for (kind, extension) in
            kinds.iter().flat_map(|kind| capabilities.header_extensions.iter().map(move |e| (*kind, *e)))
        {
            let known = self.known(kind, extension);
            let id = match known {
                Some(id) => Some(id),
                None if is_new && extension.is_offered() && extension.suits(kind) => {
                    self.number(kind, extension)
                }
                None => None,
            };
            of_kinds.entry(kind).or_default().extend(id.map(|id| (id, extension)));
        }
        let mut all: Vec<(u8, HeaderExtension)> = of_kinds.values().flatten().copied().collect();
        all.sort_by_key(|(id, _)| *id);
        all.dedup();
        let is_one_numbering = all
            .iter()
            .all(|(id, extension)| all.iter().filter(|(i, e)| i == id || e == extension).count() == 1);
        let maps = |list: Vec<(u8, HeaderExtension)>| {
            list.into_iter().map(|(id, extension)| ExtMap::new(id.into(), None, extension)).collect()
        };
        if is_new && is_one_numbering {
            (maps(all), BTreeMap::new())
        } else {
            (Vec::new(), of_kinds.into_iter().map(|(kind, list)| (kind, maps(list))).collect())
        }
    }

    /// What to answer in a section of this direction, seen from here, to these mappings: the lines, and what is agreed
    /// on. Each keeps its identifier and its direction; one of the extended range gets an identifier that is free.
    pub(in crate::sdp) fn answered(
        &mut self,
        offered: &[ExtMap],
        kind: MediaKind,
        capabilities: &Capabilities,
        direction: Direction,
    ) -> (Vec<ExtMap>, Vec<NegotiatedExtension>) {
        let mut used: BTreeSet<u8> = offered.iter().filter_map(|map| u8::try_from(map.id).ok()).collect();
        let mut chosen: Vec<u16> = Vec::new();
        let (mut written, mut agreed) = (Vec::new(), Vec::new());
        for map in offered {
            let known =
                map.extension().filter(|e| e.suits(kind) && capabilities.header_extensions.contains(e));
            let Some(extension) = known else { continue };
            let id = match map.valid_id() {
                Some(id) => id,
                // Of alternatives under one identifier one may be chosen.
                None if map.is_extended() && !chosen.contains(&map.id) => {
                    let before = self.known(kind, extension);
                    let free = before.or_else(|| (1..=14).find(|id| !used.contains(id) && self.is_free(*id)));
                    let Some(id) = free else { continue };
                    chosen.push(map.id);
                    id
                }
                None => continue,
            };
            let ours = map.direction.map_or(Direction::SendRecv, Direction::reversed);
            // A direction that its section does not have is an error; in one that rests, any may stand.
            let stands = if direction == Direction::Inactive { ours } else { intersect(ours, direction) };
            if map.direction.is_some() && ours != Direction::Inactive && stands == Direction::Inactive {
                continue;
            }
            used.insert(id);
            self.assign(kind, id, extension);
            written.push(ExtMap {
                id: id.into(),
                direction: map.direction.map(|_| stands),
                uri: map.uri.clone(),
                attributes: map.attributes.clone(),
            });
            agreed.push(NegotiatedExtension { id, extension, direction: ours });
        }
        (written, agreed)
    }

    fn known(&self, kind: MediaKind, extension: HeaderExtension) -> Option<u8> {
        let is_it = |(k, _, e): &&(MediaKind, u8, HeaderExtension)| *k == kind && *e == extension;
        self.assigned.iter().find(is_it).map(|(_, id, _)| *id)
    }

    fn is_free(&self, id: u8) -> bool {
        self.taken.iter().all(|(_, taken)| *taken != id)
            && self.assigned.iter().all(|(_, known, _)| *known != id)
    }

    /// An identifier for what had none in sections of this medium: that of other sections, else a free one.
    fn number(&mut self, kind: MediaKind, extension: HeaderExtension) -> Option<u8> {
        let elsewhere = self.assigned.iter().find(|(_, _, e)| *e == extension).map(|(_, id, _)| *id);
        let is_taken_here = |id: u8| {
            self.taken.contains(&(kind, id))
                || self.assigned.iter().any(|(k, known, _)| *k == kind && *known == id)
        };
        let id =
            elsewhere.filter(|id| !is_taken_here(*id)).or_else(|| (1..=14).find(|id| self.is_free(*id)))?;
        self.assign(kind, id, extension);
        Some(id)
    }

    fn assign(&mut self, kind: MediaKind, id: u8, extension: HeaderExtension) {
        if self.known(kind, extension).is_none() {
            self.assigned.push((kind, id, extension));
        }
    }
}

/// What comes of the answer to mappings that this side offered, within the direction of each: those that came back under
/// the identifier that they were offered with.
pub(in crate::sdp) fn accepted(
    offered: &[ExtMap],
    answered: &[ExtMap],
    kind: MediaKind,
) -> Vec<NegotiatedExtension> {
    let agreed = answered.iter().filter_map(|theirs| {
        let extension = theirs.extension().filter(|extension| extension.suits(kind))?;
        let id = theirs.valid_id()?;
        let is_offered =
            offered.iter().any(|ours| ours.id == theirs.id && ours.extension() == Some(extension));
        let direction = theirs.direction.map_or(Direction::SendRecv, Direction::reversed);
        is_offered.then_some(NegotiatedExtension { id, extension, direction })
    });
    agreed.collect()
}
