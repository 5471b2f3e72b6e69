//! What an impairer did, exactly.

use super::{Fate, Mark, Parcel, Traffic, Way};
use std::collections::BTreeMap;
use std::time::Duration;
use visavis_proto::Time;

/// Datagrams that are remembered one by one: three minutes of an ordinary call. Counts go on beyond.
const REMEMBERED: usize = 1 << 16;

/// One datagram and its fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When the line got it.
    pub sent: Time,
    /// Which way it went.
    pub way: Way,
    /// What it was.
    pub parcel: Parcel,
    /// What became of it.
    pub fate: Fate,
}

/// What became of the datagrams of one kind and way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Datagrams given to the line.
    pub sent: u64,
    /// Their octets of UDP payload.
    pub octets: u64,
    /// Those that arrived; copies are not counted.
    pub arrived: u64,
    /// Those that the line lost.
    pub lost: u64,
    /// Those sent while it carried nothing.
    pub outage: u64,
    /// Those that found its queue full.
    pub queue_full: u64,
    /// Those that arrived twice.
    pub duplicated: u64,
    /// Those that were held back for others to overtake them.
    pub held_back: u64,
    /// The shortest delay of those that arrived; `None` where none did.
    pub delay_min: Option<Duration>,
    /// The longest.
    pub delay_max: Option<Duration>,
    /// All of them added up.
    pub delay_sum: Duration,
}

impl Counts {
    /// The mean delay of those that arrived.
    pub fn delay_mean(&self) -> Option<Duration> {
        let nanos = self.delay_sum.as_nanos().checked_div(u128::from(self.arrived))?;
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    fn add(&mut self, other: &Counts) {
        let Counts { sent, octets, arrived, lost, outage, queue_full, duplicated, held_back, .. } = other;
        self.sent += sent;
        self.octets += octets;
        self.arrived += arrived;
        self.lost += lost;
        self.outage += outage;
        self.queue_full += queue_full;
        self.duplicated += duplicated;
        self.held_back += held_back;
        self.delay_min = [self.delay_min, other.delay_min].into_iter().flatten().min();
        self.delay_max = self.delay_max.max(other.delay_max);
        self.delay_sum += other.delay_sum;
    }

    /// Those that did not arrive, for whatever reason.
    pub fn missing(&self) -> u64 {
        self.lost + self.outage + self.queue_full
    }
}

/// What a receiver can know of one RTP stream: losses before the first packet that came and behind the last one
/// leave no trace in sequence numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Visible {
    /// Different packets that arrived.
    pub received: u64,
    /// Copies that arrived as well.
    pub copies: u64,
    /// Packets between the first and the last of them that did not arrive.
    pub lost: u64,
}

/// What was done so far.
#[derive(Clone, Debug, Default)]
pub struct Log {
    counts: BTreeMap<(Way, Traffic), Counts>,
    entries: Vec<Entry>,
    /// Datagrams that are in the counts alone, since too many came before them.
    pub left_out: u64,
    /// Datagrams that were to be delayed and could not be kept that long.
    pub overflow: u64,
}

impl Log {
    pub(super) fn note(&mut self, sent: Time, way: Way, parcel: Parcel, fate: Fate) {
        let counts = self.counts.entry((way, parcel.traffic)).or_default();
        counts.sent += 1;
        counts.octets += parcel.octets as u64;
        match fate {
            Fate::Arrives { at, copy, held_back } => {
                let delay = at - sent;
                counts.arrived += 1;
                counts.duplicated += u64::from(copy.is_some());
                counts.held_back += u64::from(held_back);
                counts.delay_sum += delay;
                counts.delay_min = Some(counts.delay_min.map_or(delay, |least| least.min(delay)));
                counts.delay_max = counts.delay_max.max(Some(delay));
            }
            Fate::Lost => counts.lost += 1,
            Fate::Outage => counts.outage += 1,
            Fate::QueueFull => counts.queue_full += 1,
        }
        if self.entries.len() < REMEMBERED {
            self.entries.push(Entry { sent, way, parcel, fate });
        } else {
            self.left_out += 1;
        }
    }

    /// Takes in what was done elsewhere.
    pub fn merge(&mut self, other: Log) {
        for (place, counts) in other.counts {
            self.counts.entry(place).or_default().add(&counts);
        }
        let room = REMEMBERED - self.entries.len();
        self.left_out += other.left_out + other.entries.len().saturating_sub(room) as u64;
        self.overflow += other.overflow;
        self.entries.extend(other.entries.into_iter().take(room));
    }

    /// What became of one kind of datagram.
    pub fn counts(&self, way: Way, traffic: Traffic) -> Counts {
        self.counts.get(&(way, traffic)).copied().unwrap_or_default()
    }

    /// The same for each kind that was seen.
    pub fn all(&self) -> impl Iterator<Item = (Way, Traffic, Counts)> {
        self.counts.iter().map(|((way, traffic), counts)| (*way, *traffic, *counts))
    }

    /// The datagrams one by one, in the order in which they were sent; the first 65,536 of them.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The RTP streams that went one way, with what they carry, in the order of their first packet.
    pub fn streams(&self, way: Way) -> Vec<(u32, Traffic)> {
        let mut streams = Vec::new();
        for entry in self.entries.iter().filter(|e| e.way == way) {
            if let Some(mark) = entry.parcel.mark {
                let stream = (mark.ssrc, entry.parcel.traffic);
                if !streams.contains(&stream) {
                    streams.push(stream);
                }
            }
        }
        streams
    }

    /// What a receiver that listened until `until` can know of one RTP stream, by the entries.
    pub fn visible(&self, way: Way, ssrc: u32, until: Time) -> Visible {
        let of_stream = |e: &&Entry| e.way == way && e.parcel.mark.is_some_and(|m: Mark| m.ssrc == ssrc);
        let fates: Vec<[Option<Time>; 2]> = self
            .entries
            .iter()
            .filter(of_stream)
            .map(|entry| {
                let mut arrivals = entry.fate.arrivals().filter(|at| *at <= until);
                [arrivals.next(), arrivals.next()]
            })
            .collect();
        let came = |fate: &[Option<Time>; 2]| fate[0].is_some();
        let first = fates.iter().position(came);
        let last = fates.iter().rposition(came);
        let (Some(first), Some(last)) = (first, last) else { return Visible::default() };
        let between = fates.get(first..=last).unwrap_or_default();
        Visible {
            received: between.iter().filter(|f| came(f)).count() as u64,
            copies: between.iter().filter(|f| f[1].is_some()).count() as u64,
            lost: between.iter().filter(|f| !came(f)).count() as u64,
        }
    }
}
