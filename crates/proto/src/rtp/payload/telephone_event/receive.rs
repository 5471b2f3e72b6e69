//! Receiving telephone events (RFC 4733 section 2.5.2).

use super::MAX_DURATION;
use crate::rtp::payload::{Packet, ticks};
use crate::time::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// How long after its last report an event whose end was not reported is taken to be over: three packet
/// times of at most 50 ms (RFC 4733 section 2.5.2.2), and a packet time for jitter.
const LAPSE: Duration = Duration::from_millis(200);
/// The most events read from one packet.
const MAX_EVENTS_PER_PACKET: usize = 16;
/// The most events that wait to be polled.
const MAX_READY: usize = 64;

/// An event that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedEvent {
    /// The event code; [`digit`](super::digit) tells the key.
    pub code: u8,
    /// How long it lasted, as far as it was reported.
    pub duration: Duration,
    /// The RTP timestamp of its beginning, extended past its 32-bit wraps.
    pub timestamp: u64,
    /// The power of the tone in dBm0 with the sign dropped; 0 where the sender did not say.
    pub volume: u8,
    /// Whether its end was reported; else the reports ceased, or another event began.
    pub ended: bool,
}

/// Makes events of the reports that arrive.
///
/// Reports may come as they arrive, in any order and more than once: each event is told once. After each call
/// of [`push`](Self::push), and when [`deadline`](Self::deadline) comes, call [`poll`](Self::poll) until it
/// returns `None`.
#[derive(Debug)]
pub struct EventReceiver {
    clock_rate: u32,
    current: Option<Current>,
    /// The timestamp of the last segment of the last event that is over: what is not later is old.
    finished: Option<u64>,
    ready: VecDeque<ReceivedEvent>,
    ignored: u64,
}

/// The event that is going on.
#[derive(Debug)]
struct Current {
    code: u8,
    volume: u8,
    timestamp: u64,
    /// The timestamp of the present segment.
    segment: u64,
    /// How long the present segment has lasted.
    duration: u16,
    /// When it was last reported.
    updated: Time,
}

/// One report.
#[derive(Clone, Copy, Debug)]
struct Report {
    code: u8,
    end: bool,
    volume: u8,
    duration: u16,
    timestamp: u64,
    marker: bool,
}

impl EventReceiver {
    /// A receiver for a payload type whose clock runs at `clock_rate` Hz.
    pub fn new(clock_rate: u32) -> Self {
        EventReceiver { clock_rate, current: None, finished: None, ready: VecDeque::new(), ignored: 0 }
    }

    /// Takes a telephone-event packet.
    pub fn push(&mut self, packet: &Packet) {
        let (reports, rest) = packet.payload.as_chunks::<4>();
        if reports.is_empty() || !rest.is_empty() || reports.len() > MAX_EVENTS_PER_PACKET {
            self.ignored += 1;
        }
        let mut timestamp = packet.timestamp;
        for &[code, flags, high, low] in reports.iter().take(MAX_EVENTS_PER_PACKET) {
            let duration = u16::from_be_bytes([high, low]);
            let (end, volume) = (flags & 0x80 != 0, flags & 0x3f);
            let marker = packet.marker;
            self.report(Report { code, end, volume, duration, timestamp, marker }, packet.received);
            // Events in one packet follow each other without a pause (section 2.5.2.4).
            timestamp = timestamp.saturating_add(u64::from(duration));
        }
    }

    /// When to poll next.
    pub fn deadline(&self) -> Option<Time> {
        self.current.as_ref().map(|current| current.updated + LAPSE)
    }

    /// The next event that is over.
    pub fn poll(&mut self, now: Time) -> Option<ReceivedEvent> {
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            self.finish(false);
        }
        self.ready.pop_front()
    }

    /// How many reports, or packets, could not be used: empty, cut short, without a duration.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    fn report(&mut self, report: Report, received: Time) {
        if report.duration == 0 {
            // For states only (section 2.3.5), and no DTMF key is one.
            self.ignored += 1;
            return;
        }
        if self.finished.is_some_and(|finished| report.timestamp <= finished) {
            return;
        }
        match &mut self.current {
            Some(current) if report.timestamp < current.segment => return,
            Some(current) if report.timestamp == current.segment && report.code == current.code => {
                current.duration = current.duration.max(report.duration);
                current.updated = received;
            }
            // The next segment of a long event begins where the last one had to end (section 2.5.2.3).
            Some(current)
                if report.code == current.code
                    && !report.marker
                    && report.timestamp == current.segment.saturating_add(u64::from(MAX_DURATION)) =>
            {
                current.segment = report.timestamp;
                current.duration = report.duration;
                current.updated = received;
            }
            _ => {
                self.finish(false);
                self.current = Some(Current {
                    code: report.code,
                    volume: report.volume,
                    timestamp: report.timestamp,
                    segment: report.timestamp,
                    duration: report.duration,
                    updated: received,
                });
            }
        }
        if report.end {
            self.finish(true);
        }
    }

    fn finish(&mut self, ended: bool) {
        let Some(current) = self.current.take() else { return };
        self.finished = Some(current.segment);
        if self.ready.len() >= MAX_READY {
            self.ready.pop_front();
        }
        let count = (current.segment - current.timestamp).saturating_add(u64::from(current.duration));
        self.ready.push_back(ReceivedEvent {
            code: current.code,
            duration: ticks(count, self.clock_rate),
            timestamp: current.timestamp,
            volume: current.volume,
            ended,
        });
    }
}
