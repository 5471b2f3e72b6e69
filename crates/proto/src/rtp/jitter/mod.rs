//! The jitter buffer: puts the packets of one stream in order, decides which are lost, and says when each is to
//! be played.

use crate::rtp::MediaPacket;
use crate::time::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// The bounds of a jitter buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JitterConfig {
    /// The least delay between the fastest packet's arrival and its playout.
    pub min_delay: Duration,
    /// The most delay that the buffer adapts to.
    pub max_delay: Duration,
    /// The most packets held, [`Limits::jitter_packets`](crate::limits::Limits::jitter_packets).
    pub max_packets: usize,
}

impl JitterConfig {
    /// For sound: a late packet is an audible gap.
    pub const AUDIO: JitterConfig = JitterConfig {
        min_delay: Duration::from_millis(20),
        max_delay: Duration::from_millis(500),
        max_packets: 1_024,
    };
    /// For pictures: a late picture can still be shown, so little is held back.
    pub const VIDEO: JitterConfig = JitterConfig {
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
        /// When a sink should play it; packets of one timestamp have the same.
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
    /// Packets declared lost.
    pub lost: u64,
    /// Packets given up because the buffer was full.
    pub overflow: u64,
    /// The delay from the fastest packet's arrival to playout that it aims at.
    pub target_delay: Duration,
    /// How much faster the sender's clock runs than ours, as a fraction (1e-4 is 100 ppm); `None` until the
    /// stream is long enough to tell.
    pub clock_skew: Option<f64>,
}

/// The jitter buffer of one media section.
#[derive(Debug)]
pub struct JitterBuffer {
    config: JitterConfig,
    packets: VecDeque<MediaPacket>,
}

impl JitterBuffer {
    /// An empty buffer.
    pub fn new(config: JitterConfig) -> Self {
        JitterBuffer { config, packets: VecDeque::new() }
    }

    /// Takes a packet.
    pub fn push(&mut self, now: Time, packet: MediaPacket) -> Pushed {
        let _ = now;
        self.packets.push_back(packet);
        Pushed::Queued
    }

    /// What is ready at `now`; call until it gives `None`.
    pub fn poll(&mut self, now: Time) -> Option<Item> {
        let packet = self.packets.pop_front()?;
        Some(Item::Packet { packet, play_at: now + self.config.min_delay })
    }

    /// When to call [`JitterBuffer::poll`] next; `None` where the buffer is empty.
    pub fn next_deadline(&self) -> Option<Time> {
        None
    }

    /// What was counted.
    pub fn stats(&self) -> JitterStats {
        JitterStats::default()
    }
}
