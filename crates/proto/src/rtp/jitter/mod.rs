//! The jitter buffer: puts the packets of one media section in order, decides which are lost, and says when
//! each is to be played. Sound and pictures use the same code with different bounds.
//!
//! # Order and loss
//!
//! A packet that is next in sequence comes out at once, however early it is: its playout time says how long
//! the sink has, and a decoder can work ahead. Behind a gap packets wait for the missing ones until the first
//! of them must be decoded; then the gap is declared lost, and what comes of it later is late. The first
//! packet of a stream waits in the same way, since one from before it may be on its way. No packet waits
//! longer than [`JitterConfig::max_delay`] from its arrival.
//!
//! # Playout time
//!
//! The relative delay of a packet is its arrival minus its media time (its timestamp in seconds); its
//! smallest value over two seconds is the floor, where the network added nothing. The playout offset is aimed
//! at the 98th percentile of the relative delays of the last ten seconds, plus a margin to decode in, and
//! kept between `min_delay` and `max_delay` above the floor. It rises at once, because what arrives too late
//! is lost, and falls slowly, by a quarter of the excess a second and never by more than a tenth of real
//! time, so that a sink can follow by playing faster. A picture counts with its last packet, sound with its
//! first (telephone events repeat a timestamp for as long as a key is held down).
//!
//! The floor follows the drift between the two clocks by itself. For a sink that resamples, the drift is also
//! estimated: a line is fitted through the minima of one-second windows.
//!
//! # Jumps
//!
//! A timestamp that leaves the range of delays by more than half a second, a change of the RTP clock, and a
//! new generation (another source or a restart) begin a new media time: the first packet after it is taken to
//! lie on the floor. So does a delay that stays above the playout offset for 300 ms: the peer has paused
//! without advancing its timestamps, or the path has become longer. A pause in which timestamps advance needs
//! nothing. After a stall of the network the burst that follows lowers the floor again, and the offset with
//! it.

mod delay;
#[cfg(test)]
mod tests;

use crate::frame::MediaKind;
use crate::rtp::MediaPacket;
use crate::time::Time;
use delay::{Delay, MediaTime};
use std::collections::BTreeMap;
use std::time::Duration;

/// Time to decode in: packets behind a gap come out this long before they are to be played.
const DECODE_MARGIN: Duration = Duration::from_millis(5);

/// No call can be held with more.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// The bounds of a jitter buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JitterConfig {
    /// Sound or pictures.
    pub kind: MediaKind,
    /// The least delay between the fastest packet's arrival and its playout; at least the 5 ms that are kept
    /// for decoding.
    pub min_delay: Duration,
    /// The most delay that the buffer adapts to.
    pub max_delay: Duration,
    /// The most packets held, [`Limits::jitter_packets`](crate::limits::Limits::jitter_packets).
    pub max_packets: usize,
}

impl JitterConfig {
    /// For sound: a late packet is an audible gap, and 10 ms are the shortest frames.
    pub const AUDIO: JitterConfig = JitterConfig {
        kind: MediaKind::Audio,
        min_delay: Duration::from_millis(10),
        max_delay: Duration::from_millis(500),
        max_packets: 1_024,
    };
    /// For pictures: a late picture can still be shown, so little is held back.
    pub const VIDEO: JitterConfig = JitterConfig {
        kind: MediaKind::Video,
        min_delay: Duration::from_millis(10),
        max_delay: Duration::from_millis(500),
        max_packets: 1_024,
    };
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It comes out in its turn.
    Queued,
    /// It had been given up; counted and dropped.
    Late,
    /// It is there already; counted and dropped.
    Duplicate,
}

/// What comes out, in the order of sequence numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// The next packet.
    Packet {
        /// The packet.
        packet: MediaPacket,
        /// When a sink should play it; packets of one timestamp have the same. It lies in the past where the
        /// packet came too late.
        play_at: Time,
    },
    /// The next packets did not arrive in time.
    Lost {
        /// How many.
        count: u32,
    },
    /// Another stream begins ([`MediaPacket::generation`] changed): what is put together from packets so far
    /// is over.
    Restart,
}

/// What a jitter buffer has counted and what it aims at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JitterStats {
    /// Packets that came after they had been given up.
    pub late: u64,
    /// Packets that were there already.
    pub duplicate: u64,
    /// Packets declared lost; those that came late or were pushed out are among them.
    pub lost: u64,
    /// Packets pushed out because the buffer was full.
    pub overflow: u64,
    /// The delay from the floor to playout.
    pub target_delay: Duration,
    /// How much faster the sender's clock runs than ours, as a fraction (1e-4 is 100 ppm); `None` until the
    /// stream is long enough to tell.
    pub clock_skew: Option<f64>,
}

/// The jitter buffer of one media section.
#[derive(Debug)]
pub struct JitterBuffer {
    config: JitterConfig,
    /// By generation and sequence number.
    packets: BTreeMap<(u32, u64), Entry>,
    /// The generation that comes out, and the sequence number that is next, once one has come out.
    current: Option<(u32, Option<u64>)>,
    /// The timestamp that came out last and its playout time.
    last: Option<(u64, Time)>,
    delay: Delay,
    counted: JitterStats,
}

#[derive(Debug)]
struct Entry {
    packet: MediaPacket,
    media: MediaTime,
    /// It waits no longer than this.
    latest: Time,
}

impl JitterBuffer {
    /// An empty buffer.
    pub fn new(config: JitterConfig) -> Self {
        let min_delay = config.min_delay.clamp(DECODE_MARGIN, LONGEST_DELAY);
        let max_delay = config.max_delay.min(LONGEST_DELAY).max(min_delay);
        JitterBuffer {
            config: JitterConfig { min_delay, max_delay, max_packets: config.max_packets.max(1), ..config },
            packets: BTreeMap::new(),
            current: None,
            last: None,
            delay: Delay::new(config.kind, min_delay, max_delay),
            counted: JitterStats::default(),
        }
    }

    /// Takes a packet.
    pub fn push(&mut self, now: Time, packet: MediaPacket) -> Pushed {
        let key @ (generation, seq) = (packet.generation, packet.seq);
        if self.current.is_some_and(|(current, _)| generation < current) {
            self.counted.late += 1;
            return Pushed::Late;
        }
        if self.packets.contains_key(&key) {
            self.counted.duplicate += 1;
            return Pushed::Duplicate;
        }
        // The kernel may have read a clock of its own a moment ahead of ours.
        let received = packet.received.min(now);
        let media = self.delay.observe(received, &packet);
        if self.current.is_some_and(|(current, next)| generation == current && next > Some(seq)) {
            self.counted.late += 1;
            return Pushed::Late;
        }
        // Those behind it that are here already wait no longer for its sake.
        let behind = self.packets.range(key..).next().map(|(_, entry)| entry.latest);
        let latest = behind.into_iter().fold(received + self.config.max_delay, Time::min);
        self.packets.insert(key, Entry { packet, media, latest });
        if self.packets.len() > self.config.max_packets {
            self.packets.pop_first();
            self.counted.overflow += 1;
        }
        Pushed::Queued
    }

    /// What is ready at `now`; call until it gives `None`.
    pub fn poll(&mut self, now: Time) -> Option<Item> {
        let (&(generation, seq), entry) = self.packets.first_key_value()?;
        let next = match self.current {
            Some((current, next)) if current == generation => next,
            before => {
                self.last = None;
                self.current = Some((generation, None));
                if before.is_some() {
                    return Some(Item::Restart);
                }
                None
            }
        };
        if next != Some(seq) {
            if now < self.deadline(entry) && !self.is_pressed(generation) {
                return None;
            }
            if let Some(missing) = next.map(|next| seq - next) {
                self.current = Some((generation, Some(seq)));
                self.counted.lost += missing;
                return Some(Item::Lost { count: u32::try_from(missing).unwrap_or(u32::MAX) });
            }
        }
        let (_, Entry { packet, media, .. }) = self.packets.pop_first()?;
        self.current = Some((generation, Some(seq + 1)));
        let play_at = match self.last {
            Some((timestamp, play_at)) if timestamp == packet.timestamp => play_at,
            _ => self.delay.play_at(media),
        };
        self.last = Some((packet.timestamp, play_at));
        Some(Item::Packet { packet, play_at })
    }

    /// When to call [`JitterBuffer::poll`] next; `None` where the buffer is empty.
    pub fn next_deadline(&self) -> Option<Time> {
        let (&(generation, seq), entry) = self.packets.first_key_value()?;
        let waits = match self.current {
            Some((current, next)) => current == generation && next != Some(seq),
            None => true,
        };
        Some(if waits && !self.is_pressed(generation) { self.deadline(entry) } else { entry.packet.received })
    }

    /// What was counted.
    pub fn stats(&self) -> JitterStats {
        JitterStats { target_delay: self.delay.target(), clock_skew: self.delay.skew(), ..self.counted }
    }

    /// Until when a packet waits for those that are missing before it.
    fn deadline(&self, entry: &Entry) -> Time {
        let play_at = self.delay.play_at(entry.media);
        play_at.saturating_sub(DECODE_MARGIN).min(entry.latest)
    }

    /// Whether nothing of this generation can wait any longer: the buffer is full, or the next generation is
    /// here.
    fn is_pressed(&self, generation: u32) -> bool {
        let newer = self.packets.last_key_value().is_some_and(|(&(last, _), _)| last != generation);
        newer || self.packets.len() >= self.config.max_packets
    }
}
