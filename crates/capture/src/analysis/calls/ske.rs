//! Bodies of the key exchange, put together from their fragments.

use crate::findings::SkeFindings;
use crate::input::Datagram;
use std::collections::HashMap;
use std::net::SocketAddr;
use visavis_proto::limits::Limits;
use visavis_proto::sip::Message;
use visavis_proto::ske::{MAX_FRAGMENT, SkeSeq};

/// The most bodies of one call.
const MAX_BODIES: usize = 64;
/// The most bodies of one call whose last fragment has not come.
const MAX_OPEN: usize = 16;

/// Joins fragments: a body goes in pieces of [`MAX_FRAGMENT`] octets, of which the last is shorter.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    whole: Vec<SkeFindings>,
    open: HashMap<(SocketAddr, u64), Vec<Option<Vec<u8>>>>,
}

impl Joiner {
    /// Takes a fragment, in any order.
    pub(super) fn push(&mut self, datagram: &Datagram<'_>, message: &Message, body: &[u8], limits: &Limits) {
        let Some(seq) = message.headers().text("SKESeq").and_then(|text| text.parse::<SkeSeq>().ok()) else {
            return;
        };
        let fragment = seq.fragment as usize;
        let key = (datagram.source, seq.sequence);
        let is_known = self.open.contains_key(&key);
        if fragment >= limits.ske_fragments || (!is_known && self.open.len() >= MAX_OPEN) {
            return;
        }
        let open = self.open.entry(key).or_default();
        if open.len() <= fragment {
            open.resize(fragment + 1, None);
        }
        if let Some(place) = open.get_mut(fragment) {
            *place = Some(body.to_vec());
        }
        let is_whole = open.iter().all(Option::is_some)
            && open.last().is_some_and(|last| last.as_ref().is_some_and(|last| last.len() < MAX_FRAGMENT));
        if !is_whole {
            return;
        }
        let Some(parts) = self.open.remove(&key) else { return };
        let fragments = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        let mut whole: Vec<u8> = parts.into_iter().flatten().flatten().collect();
        whole.truncate(limits.ske_body);
        if self.whole.len() < MAX_BODIES {
            self.whole.push(SkeFindings {
                packet: datagram.packet,
                time: datagram.time,
                source: Some(datagram.source),
                sequence: seq.sequence,
                fragments,
                octets: whole.len(),
                body: whole,
            });
        }
    }

    pub(super) fn finish(self) -> Vec<SkeFindings> {
        self.whole
    }
}
