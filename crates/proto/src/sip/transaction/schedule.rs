//! The deadlines of all transactions in one heap, cancelled lazily.

use super::store::Key;
use super::timer::Timer;
use crate::time::Time;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A timer that was started. Whether it still runs, its transaction knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alarm {
    pub(super) at: Time,
    /// Alarms for the same time go off in the order in which they were set.
    serial: u64,
    pub(super) key: Key,
    pub(super) timer: Timer,
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.serial).cmp(&(other.at, other.serial))
    }
}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The heap. Stopping a timer costs nothing: its alarm is dropped when it comes to the top.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    heap: BinaryHeap<Reverse<Alarm>>,
    serial: u64,
}

impl Schedule {
    pub(super) fn set(&mut self, at: Time, key: Key, timer: Timer) {
        self.serial = self.serial.wrapping_add(1);
        self.heap.push(Reverse(Alarm { at, serial: self.serial, key, timer }));
    }

    /// The next alarm that `runs` confirms; the others above it are thrown away.
    pub(super) fn peek(&mut self, mut runs: impl FnMut(&Alarm) -> bool) -> Option<Alarm> {
        while let Some(Reverse(alarm)) = self.heap.peek() {
            if runs(alarm) {
                return Some(*alarm);
            }
            self.heap.pop();
        }
        None
    }

    /// Takes off the alarm that [`Schedule::peek`] returned.
    pub(super) fn pop(&mut self) {
        self.heap.pop();
    }

    /// Throws away what no longer runs once that must be more than half of the heap: `live` is the most
    /// timers that can be running. Stopped timers thus never hold more memory than running ones might.
    pub(super) fn compact(&mut self, live: usize, mut runs: impl FnMut(&Alarm) -> bool) {
        if self.heap.len() > 2 * live + 64 {
            self.heap.retain(|Reverse(alarm)| runs(alarm));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::Store;
    use super::*;

    #[test]
    fn alarms_go_off_by_time_and_then_in_the_order_in_which_they_were_set() {
        let mut store = Store::new();
        let keys: Vec<Key> = (0..4).map(|_| store.insert(())).collect();
        let mut schedule = Schedule::default();
        for (key, ms) in keys.iter().zip([20, 10, 20, 10]) {
            schedule.set(Time::from_millis(ms), *key, Timer::A);
        }
        let mut order = Vec::new();
        while let Some(alarm) = schedule.peek(|a| a.key != keys[3]) {
            schedule.pop();
            order.push(alarm.key);
        }
        assert_eq!(order, [keys[1], keys[0], keys[2]]);
    }

    #[test]
    fn stopped_timers_do_not_pile_up() {
        let mut store = Store::new();
        let key = store.insert(());
        let mut schedule = Schedule::default();
        for ms in 0..10_000 {
            schedule.set(Time::from_millis(ms), key, Timer::A);
            schedule.compact(2, |alarm| alarm.at == Time::from_millis(ms));
            assert!(schedule.heap.len() <= 2 * 2 + 64 + 1);
        }
    }
}
