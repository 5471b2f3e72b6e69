//! How long packets take, and from it when they are to be played: see the [module above](super).
//!
//! All figures are nanoseconds. A relative delay is an arrival time minus a media time; since the two count
//! from different origins, it means nothing by itself, but differences between two of them do.

use crate::frame::MediaKind;
use crate::rtp::MediaPacket;
use crate::time::Time;
use std::collections::VecDeque;
use std::time::Duration;

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;

/// The samples that the percentile is taken of.
const MAX_SAMPLES: usize = 512;
const SAMPLE_AGE: Duration = Duration::from_secs(10);
/// Samples are kept beyond their age while there are no more than this.
const MIN_SAMPLES: usize = 50;
const PERCENTILE: usize = 98;
/// Looking for it is the dearest part of a packet's way, so it is done for each eighth frame, and for each
/// that is late.
const SORT_EVERY: u32 = 8;
/// The floor is the least delay of this time.
const FLOOR_AGE: Duration = Duration::from_secs(2);
/// A delay this far beyond the range that the buffer adapts to is a jump of the timestamps.
const JUMP: i64 = 500 * MS;
/// Delays above the playout offset for this long are a jump too.
const LATE_RUN: Duration = Duration::from_millis(300);
const LATE_RUN_FRAMES: u32 = 5;

/// A media time in nanoseconds from an origin of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MediaTime(i64);

#[derive(Debug)]
pub(super) struct Delay {
    kind: MediaKind,
    min_delay: i64,
    max_delay: i64,
    origin: Option<Origin>,
    /// Arrival and relative delay of frames, oldest first.
    samples: VecDeque<(Time, i64)>,
    floor: i64,
    /// The percentile of the samples.
    high: i64,
    /// Frames until the two are looked for anew.
    until_sort: u32,
    /// What is added to a media time to make a playout time.
    offset: i64,
    updated: Time,
    late_run: Option<LateRun>,
    skew: Skew,
    scratch: Vec<i64>,
}

/// Joins timestamps to media times.
#[derive(Clone, Copy, Debug)]
struct Origin {
    generation: u32,
    clock_rate: u32,
    timestamp: u64,
    media: i64,
    /// The highest sequence number of the generation.
    highest_seq: u64,
    /// Timestamp and payload type of the last packet in order that was sampled.
    sampled: u64,
    payload_type: u8,
}

#[derive(Clone, Copy, Debug)]
struct LateRun {
    since: Time,
    frames: u32,
    /// The playout offset before it.
    offset: i64,
}

impl Delay {
    pub(super) fn new(kind: MediaKind, min_delay: Duration, max_delay: Duration) -> Self {
        Delay {
            kind,
            min_delay: nanos(min_delay),
            max_delay: nanos(max_delay),
            origin: None,
            samples: VecDeque::new(),
            floor: 0,
            high: 0,
            until_sort: 0,
            // Nothing is known of the network, so it is given twice the least delay.
            offset: nanos((2 * min_delay).min(max_delay)),
            updated: Time::ZERO,
            late_run: None,
            skew: Skew::default(),
            scratch: Vec::new(),
        }
    }

    /// Learns from a packet that arrived at `received`, and gives its media time.
    pub(super) fn observe(&mut self, received: Time, packet: &MediaPacket) -> MediaTime {
        let arrival = i64::try_from(received.nanos()).unwrap_or(i64::MAX);
        let Some(mut origin) = self.origin else { return self.begin(arrival, received, packet) };
        let new_stream = origin.generation != packet.generation;
        if new_stream || origin.clock_rate != packet.clock_rate {
            return self.jump(arrival, received, packet, new_stream);
        }
        let media = origin.media_time(packet.timestamp);
        let in_order = packet.seq > origin.highest_seq;
        origin.highest_seq = origin.highest_seq.max(packet.seq);
        let same_frame = packet.timestamp == origin.sampled;
        // Sound that repeats its timestamp, and telephone events beside it, whose timestamp says when the
        // key went down, tell nothing of the network.
        let stale = packet.timestamp <= origin.sampled && packet.payload_type != origin.payload_type;
        if self.kind == MediaKind::Audio && in_order && (same_frame || stale) {
            self.origin = Some(origin);
            return MediaTime(media);
        }
        if in_order {
            (origin.sampled, origin.payload_type) = (packet.timestamp, packet.payload_type);
        }
        self.origin = Some(origin);

        let relative = arrival.saturating_sub(media);
        let beyond = relative.saturating_sub(self.floor).unsigned_abs();
        if beyond > (self.max_delay + JUMP).unsigned_abs() {
            if in_order {
                return self.jump(arrival, received, packet, false);
            }
            return MediaTime(media);
        }
        let before = self.offset;
        match self.samples.back_mut() {
            Some((at, last)) if same_frame => (*at, *last) = (received, relative.max(*last)),
            _ => self.samples.push_back((received, relative)),
        }
        self.update(received, relative);
        if let Some(run) = self.late_run(received, relative, before).filter(|_| in_order) {
            // What came late says how far the delay jumped, not how much it varies.
            self.samples.retain(|(at, _)| *at < run.since);
            self.offset = run.offset;
            return self.jump(arrival, received, packet, false);
        }
        self.skew.observe(received, relative);
        MediaTime(media)
    }

    /// When something of this media time is to be played.
    pub(super) fn play_at(&self, media: MediaTime) -> Time {
        // Counted from a known reading, so that the wall-clock time comes along.
        let known = i64::try_from(self.updated.nanos()).unwrap_or(i64::MAX);
        let ahead = media.0.saturating_add(self.offset).saturating_sub(known);
        let distance = Duration::from_nanos(ahead.unsigned_abs());
        if ahead < 0 { self.updated.saturating_sub(distance) } else { self.updated + distance }
    }

    /// The delay from the floor to playout.
    pub(super) fn target(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.offset - self.floor).unwrap_or(0))
    }

    /// How much faster the sender's clock runs than ours, as a fraction.
    pub(super) fn skew(&self) -> Option<f64> {
        self.skew.estimate()
    }

    /// The first packet of all: media time begins as its arrival.
    fn begin(&mut self, arrival: i64, received: Time, packet: &MediaPacket) -> MediaTime {
        self.updated = received;
        self.start_at(arrival, packet);
        self.samples.push_back((received, 0));
        MediaTime(arrival)
    }

    /// A new origin, in which this packet lies on the floor. What has been learned of the spread of delays
    /// stays.
    fn jump(&mut self, arrival: i64, received: Time, packet: &MediaPacket, new_stream: bool) -> MediaTime {
        let media = arrival.saturating_sub(self.floor);
        self.start_at(media, packet);
        if new_stream {
            self.samples.clear();
        }
        self.samples.push_back((received, self.floor));
        self.until_sort = 0;
        self.late_run = None;
        self.skew = Skew::default();
        MediaTime(media)
    }

    fn start_at(&mut self, media: i64, packet: &MediaPacket) {
        self.origin = Some(Origin {
            generation: packet.generation,
            clock_rate: packet.clock_rate.max(1),
            timestamp: packet.timestamp,
            media,
            highest_seq: packet.seq,
            sampled: packet.timestamp,
            payload_type: packet.payload_type,
        });
    }

    /// Forgets old samples, and follows what is left.
    fn update(&mut self, now: Time, latest: i64) {
        while self.samples.len() > MAX_SAMPLES
            || self.samples.len() > MIN_SAMPLES
                && self.samples.front().is_some_and(|(t, _)| now - *t > SAMPLE_AGE)
        {
            self.samples.pop_front();
        }
        self.until_sort = self.until_sort.saturating_sub(1);
        if self.until_sort == 0 || latest > self.offset || self.samples.len() <= MIN_SAMPLES {
            self.sort(now);
        }
        self.floor = self.floor.min(latest);
        let (lowest, highest) = (self.floor + self.min_delay, self.floor + self.max_delay);
        let aim = (self.high + nanos(super::DECODE_MARGIN)).clamp(lowest, highest);

        let passed = nanos(now - self.updated);
        self.updated = self.updated.max(now);
        let excess = self.offset - aim;
        if excess > 0 {
            let fall = (excess as f64 * passed as f64 / (4 * SECOND) as f64) as i64;
            self.offset -= fall.min(passed / 10).min(excess);
        } else {
            self.offset = aim;
        }
        self.offset = self.offset.clamp(lowest, highest);
    }

    /// Finds the floor and the percentile among the samples.
    fn sort(&mut self, now: Time) {
        self.until_sort = SORT_EVERY;
        let young = self.samples.iter().rev().take_while(|(t, _)| now - *t <= FLOOR_AGE);
        self.floor = young.map(|(_, r)| *r).min().unwrap_or(self.floor);
        self.scratch.clear();
        self.scratch.extend(self.samples.iter().map(|(_, r)| *r));
        let index = (self.scratch.len() * PERCENTILE).div_ceil(100).saturating_sub(1);
        if index < self.scratch.len() {
            self.high = *self.scratch.select_nth_unstable(index).1;
        }
    }

    /// The run of packets that were too late, where it has lasted so long that the delay must have changed
    /// for good.
    fn late_run(&mut self, now: Time, relative: i64, offset: i64) -> Option<LateRun> {
        if relative <= self.offset {
            self.late_run = None;
            return None;
        }
        let run = self.late_run.get_or_insert(LateRun { since: now, frames: 0, offset });
        run.frames += 1;
        Some(*run).filter(|run| run.frames >= LATE_RUN_FRAMES && now - run.since >= LATE_RUN)
    }
}

impl Origin {
    fn media_time(&self, timestamp: u64) -> i64 {
        let ticks = i128::from(timestamp) - i128::from(self.timestamp);
        let nanos = ticks * i128::from(SECOND) / i128::from(self.clock_rate);
        self.media.saturating_add(nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }
}

/// The drift between two clocks: a line through the least delays of windows of one second.
#[derive(Debug, Default)]
struct Skew {
    /// The window that is being filled: its beginning, and the least delay in it with its arrival.
    window: Option<(Time, Time, i64)>,
    minima: VecDeque<(Time, i64)>,
}

impl Skew {
    const WINDOW: Duration = Duration::from_secs(1);
    const MIN_WINDOWS: usize = 10;
    const MAX_WINDOWS: usize = 120;
    /// A step this large from window to window is another path, not another clock.
    const STEP: i64 = 10 * MS;

    fn observe(&mut self, now: Time, relative: i64) {
        match &mut self.window {
            Some((begin, at, least)) if now - *begin < Self::WINDOW => {
                if relative < *least {
                    (*at, *least) = (now, relative);
                }
            }
            window => {
                let full = window.replace((now, now, relative));
                if let Some((_, at, least)) = full {
                    self.close(at, least);
                }
            }
        }
    }

    fn close(&mut self, at: Time, least: i64) {
        if self.minima.back().is_some_and(|(_, last)| last.abs_diff(least) > Self::STEP as u64) {
            self.minima.clear();
        }
        self.minima.push_back((at, least));
        if self.minima.len() > Self::MAX_WINDOWS {
            self.minima.pop_front();
        }
    }

    /// The slope of the line with the least squared error. A sender whose clock is fast sends its packets
    /// early by its own timestamps, so that their delay shrinks.
    fn estimate(&self) -> Option<f64> {
        let (&(first, base), count) = (self.minima.front()?, self.minima.len());
        if count < Self::MIN_WINDOWS {
            return None;
        }
        let points = || {
            self.minima.iter().map(|(t, r)| ((*t - first).as_secs_f64(), (r - base) as f64 / SECOND as f64))
        };
        let n = count as f64;
        let (sum_x, sum_y) = points().fold((0.0, 0.0), |(x, y), p| (x + p.0, y + p.1));
        let (mean_x, mean_y) = (sum_x / n, sum_y / n);
        let (xy, xx) = points().fold((0.0, 0.0), |(xy, xx), (x, y)| {
            (xy + (x - mean_x) * (y - mean_y), xx + (x - mean_x).powi(2))
        });
        (xx > 0.0).then(|| -xy / xx)
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
