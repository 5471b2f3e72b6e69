//! The remote sources of a session: a small table that strangers cannot make grow.

use crate::rtp::source::{Source, SourceCounters};
use crate::rtp::{Extensions, MediaPacket, RtpPacket};
use crate::time::Time;
use bytes::Bytes;
use std::time::Duration;

/// One remote source.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) ssrc: u32,
    pub(super) source: Source,
    /// When anything came from it last.
    pub(super) last_heard: Time,
    /// When RTP came from it last.
    pub(super) last_rtp: Option<Time>,
    /// Whether its packets have ever been passed on.
    pub(super) played: bool,
    /// Whether it said BYE and has not proved itself again since.
    pub(super) said_bye: bool,
    /// The middle of the NTP timestamp of its last sender report, and when that arrived.
    pub(super) last_sr: Option<(u32, Time)>,
    /// The sequence number of its last FIR to us.
    pub(super) last_fir: Option<u8>,
    pub(super) held: Option<Held>,
}

/// A packet that waits for the next one in sequence.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) seq: u16,
    timestamp: u32,
    marker: bool,
    payload_type: u8,
    clock_rate: u32,
    received: Time,
    pub(super) payload: Bytes,
    extensions: Extensions,
    /// Whether the source did not count it, because it jumped.
    pub(super) jumped: bool,
}

impl Held {
    pub(super) fn new(
        packet: &RtpPacket<'_>,
        extensions: Extensions,
        received: Time,
        clock_rate: u32,
        jumped: bool,
    ) -> Self {
        Held {
            seq: packet.seq,
            timestamp: packet.timestamp,
            marker: packet.marker,
            payload_type: packet.payload_type,
            clock_rate,
            received,
            payload: Bytes::copy_from_slice(packet.payload()),
            extensions,
            jumped,
        }
    }

    /// The packet, numbered as the one before `next`.
    pub(super) fn before(self, next: &MediaPacket) -> MediaPacket {
        let behind = (next.timestamp as u32).wrapping_sub(self.timestamp) as i32;
        MediaPacket {
            generation: next.generation,
            ssrc: next.ssrc,
            seq: next.seq - 1,
            timestamp: next.timestamp.saturating_add_signed(-i64::from(behind)),
            payload_type: self.payload_type,
            clock_rate: self.clock_rate,
            marker: self.marker,
            received: self.received,
            payload: self.payload,
            extensions: self.extensions,
        }
    }
}

impl Remote {
    fn new(ssrc: u32, now: Time) -> Self {
        Remote {
            ssrc,
            source: Source::new(),
            last_heard: now,
            last_rtp: None,
            played: false,
            said_bye: false,
            last_sr: None,
            last_fir: None,
            held: None,
        }
    }

    /// Whether it counts as a member: it has proved itself, it has been heard within `timeout`, and it has
    /// not left.
    pub(super) fn is_member(&self, now: Time, timeout: Duration) -> bool {
        let known = self.source.is_valid() || self.last_rtp.is_none();
        known && !self.said_bye && now - self.last_heard <= timeout
    }

    /// How little would be lost with it, least first.
    fn worth(&self) -> (bool, bool, Time) {
        (self.played, self.source.is_valid(), self.last_heard)
    }
}

/// The table. What is pushed out of it stays in the totals.
#[derive(Debug)]
pub(super) struct Remotes {
    list: Vec<Remote>,
    max: usize,
    /// The SSRC that plays.
    pub(super) active: Option<u32>,
    evicted: SourceCounters,
    evicted_lost: i64,
}

impl Remotes {
    pub(super) fn new(max: usize) -> Self {
        // With fewer than two no source could ever follow another.
        Remotes {
            list: Vec::new(),
            max: max.max(2),
            active: None,
            evicted: SourceCounters::default(),
            evicted_lost: 0,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Remote> {
        self.list.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Remote> {
        self.list.iter_mut()
    }

    pub(super) fn find(&self, ssrc: u32) -> Option<&Remote> {
        self.list.iter().find(|r| r.ssrc == ssrc)
    }

    pub(super) fn find_mut(&mut self, ssrc: u32) -> Option<&mut Remote> {
        self.list.iter_mut().find(|r| r.ssrc == ssrc)
    }

    pub(super) fn active(&self) -> Option<&Remote> {
        self.find(self.active?)
    }

    /// The entry of `ssrc`, made where there is none; where the table is full, the source that matters least
    /// leaves it, never the one that plays.
    pub(super) fn entry(&mut self, ssrc: u32, now: Time) -> &mut Remote {
        let index = match self.list.iter().position(|r| r.ssrc == ssrc) {
            Some(index) => index,
            None => {
                if self.list.len() >= self.max {
                    self.evict();
                }
                self.list.push(Remote::new(ssrc, now));
                self.list.len() - 1
            }
        };
        // The index is in range: it was found or pushed just now.
        #[allow(clippy::indexing_slicing)]
        let remote = &mut self.list[index];
        remote.last_heard = remote.last_heard.max(now);
        remote
    }

    fn evict(&mut self) {
        let active = self.active;
        let candidates = self.list.iter().enumerate().filter(|(_, r)| Some(r.ssrc) != active);
        let Some((index, _)) = candidates.min_by_key(|(_, r)| r.worth()) else { return };
        let gone = self.list.swap_remove(index);
        self.evicted = sum(self.evicted, gone.source.counters());
        self.evicted_lost += gone.source.lost();
    }

    /// The counters of all sources that ever were, and the packets that they lost.
    pub(super) fn totals(&self) -> (SourceCounters, i64) {
        let counters = self.list.iter().map(|r| r.source.counters()).fold(self.evicted, sum);
        (counters, self.list.iter().map(|r| r.source.lost()).sum::<i64>() + self.evicted_lost)
    }
}

fn sum(a: SourceCounters, b: SourceCounters) -> SourceCounters {
    SourceCounters {
        packets: a.packets + b.packets,
        octets: a.octets + b.octets,
        duplicate: a.duplicate + b.duplicate,
        reordered: a.reordered + b.reordered,
        jumped: a.jumped + b.jumped,
        restarts: a.restarts + b.restarts,
    }
}
