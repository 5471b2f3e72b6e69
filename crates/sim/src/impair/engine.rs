//! Carries an impairment out.

use super::{Impairment, Log, Outage, Traffic, Way};
use crate::link::{DropReason, Link, Outcome};
use visavis_proto::Time;

/// A datagram as an [`Impairer`] sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// What it carries.
    pub traffic: Traffic,
    /// Its length, octets of UDP payload.
    pub octets: usize,
    /// Which RTP packet it is, where it is one.
    pub mark: Option<Mark>,
}

impl Parcel {
    /// A datagram of these octets.
    pub fn new(traffic: Traffic, data: &[u8]) -> Self {
        let rtp = matches!(traffic, Traffic::Audio | Traffic::Video | Traffic::Rtp);
        Parcel { traffic, octets: data.len(), mark: if rtp { Mark::read(data) } else { None } }
    }
}

/// What tells an RTP packet from all others of its call (RFC 3550 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The source.
    pub ssrc: u32,
    /// The sequence number.
    pub seq: u16,
    /// The timestamp.
    pub timestamp: u32,
}

impl Mark {
    fn read(data: &[u8]) -> Option<Self> {
        let header = data.first_chunk::<12>()?;
        let [_, _, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3] = *header;
        Some(Mark {
            ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
            seq: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        })
    }
}

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Arrives {
        /// When.
        at: Time,
        /// When a second time, where the line doubled it.
        copy: Option<Time>,
        /// Whether the line held it back for others to overtake it.
        held_back: bool,
    },
    /// The line lost it.
    Lost,
    /// It was sent while the line carried nothing.
    Outage,
    /// It found the queue before the bottleneck full.
    QueueFull,
}

impl Fate {
    /// When it arrives: never, once or twice.
    pub fn arrivals(self) -> impl Iterator<Item = Time> {
        let (first, second) = match self {
            Fate::Arrives { at, copy, .. } => (Some(at), copy),
            Fate::Lost | Fate::Outage | Fate::QueueFull => (None, None),
        };
        first.into_iter().chain(second)
    }
}

/// The lines of an endpoint at work.
#[derive(Debug)]
pub struct Impairer {
    tracks: Vec<Track>,
    log: Log,
}

#[derive(Debug)]
struct Track {
    way: Way,
    traffic: Option<Traffic>,
    link: Link,
    outages: Vec<Outage>,
    first: Option<Time>,
    last: Time,
}

impl Impairer {
    /// Lines as they were wanted. Everything that is left to chance comes from the seed: the n-th datagram of a
    /// line has the same fate in every run, whatever happens on the others.
    pub fn new(wanted: &Impairment, seed: u64) -> Self {
        let mut wide = [0x1e; 32];
        wide[..8].copy_from_slice(&seed.to_le_bytes());
        let tracks = wanted.lines.iter().map(|line| Track {
            way: line.way,
            traffic: line.traffic,
            link: Link::new(line.profile.link.clone(), wide, stream(line.way, line.traffic)),
            outages: line.profile.outages.clone(),
            first: None,
            last: Time::ZERO,
        });
        Impairer { tracks: tracks.collect(), log: Log::default() }
    }

    /// Takes a datagram at `now` and says what becomes of it.
    pub fn send(&mut self, now: Time, way: Way, parcel: Parcel) -> Fate {
        let fate = match self.track(way, parcel.traffic) {
            Some(track) => track.send(now, parcel.octets),
            None => Fate::Arrives { at: now, copy: None, held_back: false },
        };
        self.log.note(now, way, parcel, fate);
        fate
    }

    /// What was done so far.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Counts a datagram that could not be kept until its time.
    pub fn overflow(&mut self) {
        self.log.overflow += 1;
    }

    /// The nearest line for a kind.
    fn track(&mut self, way: Way, traffic: Traffic) -> Option<&mut Track> {
        let rtp = matches!(traffic, Traffic::Audio | Traffic::Video).then_some(Traffic::Rtp);
        let wanted = [Some(Some(traffic)), rtp.map(Some), Some(None)];
        let found = wanted.into_iter().flatten().find_map(|wanted| {
            self.tracks.iter().position(|track| track.way == way && track.traffic == wanted)
        });
        self.tracks.get_mut(found?)
    }
}

/// The stream of random numbers of a line: its own, whichever other lines there are.
fn stream(way: Way, traffic: Option<Traffic>) -> u64 {
    let kind = traffic.and_then(|t| Traffic::ALL.iter().position(|k| *k == t));
    2 * kind.map_or(0, |place| place as u64 + 1) + u64::from(way == Way::Down)
}

impl Track {
    fn send(&mut self, now: Time, octets: usize) -> Fate {
        // Sockets may hand over what they received a little out of order; a line has one time.
        let now = now.max(self.last);
        self.last = now;
        let first = *self.first.get_or_insert(now);
        let before = self.link.stats().held_back;
        let outcome = self.link.send(now, octets);
        let held_back = self.link.stats().held_back > before;
        let running = now - first;
        if self.outages.iter().any(|o| running >= o.after && running < o.after + o.length) {
            return Fate::Outage;
        }
        match outcome {
            Outcome::Arrives { at, copy } => Fate::Arrives { at, copy, held_back },
            Outcome::Dropped(DropReason::Lost) => Fate::Lost,
            Outcome::Dropped(DropReason::QueueFull) => Fate::QueueFull,
        }
    }
}
