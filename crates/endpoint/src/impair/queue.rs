//! Datagrams on a line, until their time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use visavis_proto::Time;

/// What one line may hold: a second and more of the fastest calls.
const MOST_OCTETS: usize = 32 * 1024 * 1024;
const MOST: usize = 64 * 1024;

/// Sorted by time; what is due at one time comes out as it went in.
pub(super) struct Queue<T> {
    waiting: BinaryHeap<Reverse<Waiting<T>>>,
    octets: usize,
    order: u64,
}

struct Waiting<T> {
    at: Time,
    order: u64,
    octets: usize,
    item: T,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Queue { waiting: BinaryHeap::new(), octets: 0, order: 0 }
    }

    /// Keeps an item until `at`; false where there is no more room.
    pub(super) fn push(&mut self, at: Time, octets: usize, item: T) -> bool {
        if self.waiting.len() >= MOST || self.octets + octets > MOST_OCTETS {
            return false;
        }
        self.octets += octets;
        self.order += 1;
        self.waiting.push(Reverse(Waiting { at, order: self.order, octets, item }));
        true
    }

    /// The next item whose time has come.
    pub(super) fn pop(&mut self, now: Time) -> Option<T> {
        self.due().filter(|at| *at <= now)?;
        let Reverse(waiting) = self.waiting.pop()?;
        self.octets -= waiting.octets;
        Some(waiting.item)
    }

    /// When the next item's time comes.
    pub(super) fn due(&self) -> Option<Time> {
        self.waiting.peek().map(|Reverse(waiting)| waiting.at)
    }
}

impl<T> Waiting<T> {
    fn key(&self) -> (Time, u64) {
        (self.at, self.order)
    }
}

impl<T> PartialEq for Waiting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Waiting<T> {}

impl<T> PartialOrd for Waiting<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Waiting<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_out_by_their_time_and_at_one_time_as_they_went_in() {
        let mut queue = Queue::new();
        for (at, item) in [(30, 'd'), (10, 'a'), (20, 'b'), (20, 'c')] {
            assert!(queue.push(Time::from_millis(at), 1, item));
        }
        assert_eq!(queue.pop(Time::from_millis(9)), None);
        assert_eq!(queue.due(), Some(Time::from_millis(10)));
        let out: String = std::iter::from_fn(|| queue.pop(Time::from_millis(25))).collect();
        assert_eq!(out, "abc");
        assert_eq!(queue.pop(Time::from_millis(30)), Some('d'));
        assert_eq!((queue.due(), queue.octets), (None, 0));
    }

    #[test]
    fn there_is_an_end_to_what_it_holds_and_room_again_when_something_left() {
        let mut queue = Queue::new();
        let huge = MOST_OCTETS / 2;
        assert!(queue.push(Time::ZERO, huge, 1) && queue.push(Time::ZERO, huge, 2));
        assert!(!queue.push(Time::ZERO, 1, 3));
        assert_eq!(queue.pop(Time::ZERO), Some(1));
        assert!(queue.push(Time::ZERO, 1, 3));
        let mut queue = Queue::new();
        assert!((0..MOST).all(|_| queue.push(Time::ZERO, 0, ())));
        assert!(!queue.push(Time::ZERO, 0, ()));
    }
}
