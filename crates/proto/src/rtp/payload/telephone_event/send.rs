//! Sending telephone events (RFC 4733 section 2.5.1).

use super::MAX_DURATION;
use crate::time::Time;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// How often the last report of an event, or of a segment, is sent (RFC 4733 section 2.5.1.4).
const FINAL_REPORTS: u8 = 3;
/// The silence between two events that were queued together.
const PAUSE: Duration = Duration::from_millis(50);
/// The most events that wait for their turn.
const MAX_QUEUED: usize = 64;
/// The power of the tone, -10 dBm0 (section 2.3.4).
const VOLUME: u8 = 10;
/// The end bit (section 2.3).
const END: u8 = 0x80;

/// A telephone-event packet to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPacket {
    /// The RTP payload.
    pub payload: Bytes,
    /// The RTP marker bit: the first packet of an event.
    pub marker: bool,
    /// The RTP timestamp: when the event, or this segment of it, began.
    pub timestamp: u32,
}

/// Too many events wait to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many telephone events wait to be sent")]
pub struct QueueFull;

/// Sends telephone events one after another, each as reports at a constant interval.
///
/// After each call of [`start`](Self::start), and when [`deadline`](Self::deadline) comes, call
/// [`poll`](Self::poll) until it returns `None`.
#[derive(Debug)]
pub struct EventSender {
    clock_rate: u32,
    interval: Duration,
    queue: VecDeque<(u8, Duration)>,
    current: Option<Current>,
    /// When the event after the last one may begin.
    not_before: Time,
}

/// The event that is being sent.
#[derive(Debug)]
struct Current {
    code: u8,
    /// When it began: by the clock, and in RTP time.
    began: Time,
    timestamp: u32,
    /// How long it lasts, in ticks; at least 1.
    total: u64,
    /// How many ticks of it lie in segments before the present one.
    past: u64,
    /// When the next report is due.
    due: Time,
    /// Whether nothing of it was sent yet.
    first: bool,
    /// How often the last report of the segment before the present one is still to be sent.
    segment_repeats: u8,
    /// How often the last report of all is still to be sent.
    final_repeats: u8,
    /// Reports that are due now.
    reports: VecDeque<EventPacket>,
}

impl EventSender {
    /// A sender for a payload type whose clock runs at `clock_rate` Hz, with a report every `interval`: the
    /// packet time of the sound beside it, or 50 ms (RFC 4733 section 2.5.1.2).
    pub fn new(clock_rate: u32, interval: Duration) -> Self {
        EventSender {
            clock_rate,
            interval: interval.max(Duration::from_millis(1)),
            queue: VecDeque::new(),
            current: None,
            not_before: Time::ZERO,
        }
    }

    /// Lets an event follow those that were started before.
    ///
    /// # Errors
    ///
    /// [`QueueFull`].
    pub fn start(&mut self, code: u8, duration: Duration) -> Result<(), QueueFull> {
        if self.queue.len() >= MAX_QUEUED {
            return Err(QueueFull);
        }
        self.queue.push_back((code, duration));
        Ok(())
    }

    /// Whether an event is being sent; sound is then better left out (RFC 4733 section 2.5.2.2).
    pub fn is_active(&self) -> bool {
        self.current.is_some()
    }

    /// When to poll next.
    pub fn deadline(&self) -> Option<Time> {
        match &self.current {
            Some(current) => Some(current.due),
            None if self.queue.is_empty() => None,
            None => Some(self.not_before),
        }
    }

    /// The next packet to send, if one is due. `rtp_now` is the RTP timestamp that sound captured now has.
    pub fn poll(&mut self, now: Time, rtp_now: u32) -> Option<EventPacket> {
        if self.current.is_none() && now >= self.not_before {
            self.current = self.queue.pop_front().map(|(code, duration)| Current {
                code,
                began: now,
                timestamp: rtp_now,
                total: count_ticks(duration, self.clock_rate).max(1),
                past: 0,
                due: now + self.interval,
                first: true,
                segment_repeats: 0,
                final_repeats: FINAL_REPORTS,
                reports: VecDeque::new(),
            });
        }
        let current = self.current.as_mut()?;
        if current.reports.is_empty() && now >= current.due {
            current.report(count_ticks(now.since(current.began), self.clock_rate));
            current.due += self.interval;
            if current.due <= now {
                // Polled late: go on from here, with no burst to catch up.
                current.due = now + self.interval;
            }
        }
        let packet = current.reports.pop_front();
        if current.reports.is_empty() && current.final_repeats == 0 {
            self.current = None;
            self.not_before = now + PAUSE;
        }
        packet
    }
}

impl Current {
    /// Queues what is to be reported `elapsed` ticks after the beginning.
    fn report(&mut self, elapsed: u64) {
        let elapsed = elapsed.min(self.total);
        while self.total - self.past > u64::from(MAX_DURATION)
            && elapsed - self.past >= u64::from(MAX_DURATION)
        {
            self.push(self.past, MAX_DURATION, false);
            self.past += u64::from(MAX_DURATION);
            self.segment_repeats = FINAL_REPORTS;
        }
        if self.segment_repeats > 0 {
            self.segment_repeats -= 1;
            if self.segment_repeats < FINAL_REPORTS - 1 {
                self.push(self.past - u64::from(MAX_DURATION), MAX_DURATION, false);
            }
        }
        let ended = elapsed == self.total;
        if let Ok(duration @ 1..) = u16::try_from(elapsed - self.past) {
            self.push(self.past, duration, ended);
        }
        if ended {
            self.final_repeats -= 1;
        }
    }

    fn push(&mut self, segment: u64, duration: u16, end: bool) {
        let [high, low] = duration.to_be_bytes();
        let flags = if end { END | VOLUME } else { VOLUME };
        self.reports.push_back(EventPacket {
            payload: Bytes::copy_from_slice(&[self.code, flags, high, low]),
            marker: std::mem::take(&mut self.first),
            timestamp: self.timestamp.wrapping_add(segment as u32),
        });
    }
}

/// The whole ticks of a clock of `rate` Hz in `duration`.
fn count_ticks(duration: Duration, rate: u32) -> u64 {
    let count = duration.as_nanos() * u128::from(rate) / 1_000_000_000;
    u64::try_from(count).unwrap_or(u64::MAX)
}
