//! What a worker has to do when.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use visavis_proto::Time;
use visavis_proto::io::CallHandle;

/// Something that is due for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// It has been held for long enough.
    Hangup,
    /// Its media may begin, if their reels are ready.
    Roll,
    /// The next frame of a section.
    Frame(usize),
}

/// An entry of the agenda. `turn` tells whether it still counts: see [`super::live::Live::turn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    at: Time,
    serial: u64,
    pub(super) call: CallHandle,
    pub(super) turn: u32,
    pub(super) item: Item,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.serial).cmp(&(other.at, other.serial))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Entries by time; those of one time in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    heap: BinaryHeap<Reverse<Entry>>,
    serial: u64,
}

impl Agenda {
    pub(super) fn add(&mut self, at: Time, call: CallHandle, turn: u32, item: Item) {
        self.serial += 1;
        self.heap.push(Reverse(Entry { at, serial: self.serial, call, turn, item }));
    }

    /// When the next entry is due.
    pub(super) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// Takes the next entry that is due.
    pub(super) fn due(&mut self, now: Time) -> Option<Entry> {
        self.next().filter(|at| *at <= now)?;
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_by_time_and_then_in_the_order_in_which_it_was_put_down() {
        let mut agenda = Agenda::default();
        for (ms, call) in [(20, 1), (10, 2), (10, 3), (30, 4)] {
            agenda.add(Time::from_millis(ms), CallHandle(call), 0, Item::Hangup);
        }
        assert_eq!(agenda.due(Time::from_millis(9)), None);
        let mut order = Vec::new();
        while let Some(entry) = agenda.due(Time::from_millis(20)) {
            order.push(entry.call.0);
        }
        assert_eq!(order, [2, 3, 1]);
        assert_eq!(agenda.next(), Some(Time::from_millis(30)));
    }
}
