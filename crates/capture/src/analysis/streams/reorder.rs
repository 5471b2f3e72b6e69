//! Puts the packets of a stream in order before they are put together.
//!
//! A capture has no playout to be in time for, so nothing is ever too late: a gap is waited for until as many packets
//! have come behind it as [`Source`](visavis_proto::rtp::source::Source) would still take from before them. That is
//! where this differs from the jitter buffer of a call.

use super::unpack::Content;
use std::collections::BTreeMap;
use visavis_proto::Time;
use visavis_proto::rtp::source::MAX_MISORDER;

/// What a packet behind a gap waits with, at most.
const MAX_HELD: usize = MAX_MISORDER as usize;

/// A packet with its place in the stream.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) sequence: u64,
    pub(super) timestamp: u64,
    pub(super) marker: bool,
    pub(super) received: Time,
    pub(super) content: Content,
}

/// What comes out.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Packet(Placed),
    /// As many packets are missing.
    Lost(u32),
}

/// Packets that wait for those before them.
#[derive(Debug, Default)]
pub(super) struct Reorder {
    next: Option<u64>,
    held: BTreeMap<u64, Placed>,
}

impl Reorder {
    /// Takes a packet; one that was given up already, or is there, is dropped.
    pub(super) fn push(&mut self, packet: Placed) {
        if self.next.is_none_or(|next| packet.sequence >= next) {
            self.held.entry(packet.sequence).or_insert(packet);
        }
    }

    /// The next item; with `all`, nothing is waited for any more.
    pub(super) fn pop(&mut self, all: bool) -> Option<Item> {
        let (&first, _) = self.held.first_key_value()?;
        // The very first packet waits too: one from before it may follow.
        let waits = self.next != Some(first) && !all && self.held.len() <= MAX_HELD;
        let starts = self.next.is_none() && (all || self.held.len() > 3);
        if waits && !starts {
            return None;
        }
        if let Some(missing) =
            self.next.and_then(|next| first.checked_sub(next)).filter(|&missing| missing > 0)
        {
            self.next = Some(first);
            return Some(Item::Lost(u32::try_from(missing).unwrap_or(u32::MAX)));
        }
        let (_, packet) = self.held.pop_first()?;
        self.next = Some(first + 1);
        Some(Item::Packet(packet))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u64) -> Placed {
        Placed { sequence, timestamp: 0, marker: false, received: Time::ZERO, content: Content::Other }
    }

    fn drain(reorder: &mut Reorder, all: bool) -> Vec<i64> {
        std::iter::from_fn(|| reorder.pop(all))
            .map(|item| match item {
                Item::Packet(packet) => packet.sequence as i64,
                Item::Lost(count) => -i64::from(count),
            })
            .collect()
    }

    #[test]
    fn packets_come_out_in_order_and_a_gap_is_named_once_it_is_sure() {
        let mut reorder = Reorder::default();
        for sequence in [11, 10, 13, 12] {
            reorder.push(packet(sequence));
        }
        assert_eq!(drain(&mut reorder, false), [10, 11, 12, 13]);
        reorder.push(packet(16));
        assert_eq!(drain(&mut reorder, false), Vec::<i64>::new());
        for sequence in 17..17 + MAX_HELD as u64 {
            reorder.push(packet(sequence));
        }
        let out = drain(&mut reorder, false);
        assert_eq!(out[..3], [-2, 16, 17]);
        reorder.push(packet(15));
        assert_eq!(drain(&mut reorder, true), Vec::<i64>::new());
    }
}
