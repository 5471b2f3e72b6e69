//! Impairment of an endpoint's datagrams: what it sends ("up") and what it receives ("down") go over lines that
//! lose, delay, reorder, double and queue.
//!
//! An [`Impairment`] is what people write: `up:loss=2%,delay=40ms±10ms;down.audio:delay=100ms`. An [`Impairer`] is
//! what carries it out, with a [`Link`](crate::Link) for each line. It is a function of what it is given and of its
//! seed, and keeps an exact [`Log`] of what it did: whoever wants to know what befell a call asks the log, not the
//! probabilities.

mod engine;
mod log;
mod parse;
mod print;
#[cfg(test)]
mod tests;

pub use engine::{Fate, Impairer, Mark, Parcel};
pub use log::{Counts, Entry, Log, Visible};
pub use parse::ImpairmentError;

use crate::link::LinkProfile;
use std::time::Duration;

/// Which way a datagram goes, seen from the endpoint that is impaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// From it.
    Up,
    /// To it.
    Down,
}

impl Way {
    /// Both.
    pub const BOTH: [Way; 2] = [Way::Up, Way::Down];

    /// Its name: `up` or `down`.
    pub fn as_str(self) -> &'static str {
        match self {
            Way::Up => "up",
            Way::Down => "down",
        }
    }
}

/// What a datagram carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Traffic {
    /// RTP with sound.
    Audio,
    /// RTP with pictures.
    Video,
    /// RTP of which it is not known.
    Rtp,
    /// RTCP.
    Rtcp,
    /// SIP.
    Sip,
    /// STUN.
    Stun,
    /// Anything else.
    Other,
}

impl Traffic {
    /// All of them.
    pub const ALL: [Traffic; 7] = [
        Traffic::Audio,
        Traffic::Video,
        Traffic::Rtp,
        Traffic::Rtcp,
        Traffic::Sip,
        Traffic::Stun,
        Traffic::Other,
    ];

    /// Its name: `audio`, `video`, `rtp`, `rtcp`, `sip`, `stun` or `other`.
    pub fn as_str(self) -> &'static str {
        match self {
            Traffic::Audio => "audio",
            Traffic::Video => "video",
            Traffic::Rtp => "rtp",
            Traffic::Rtcp => "rtcp",
            Traffic::Sip => "sip",
            Traffic::Stun => "stun",
            Traffic::Other => "other",
        }
    }
}

/// Lines for an endpoint's datagrams, each for one way and for all of them or one kind.
///
/// A kind that has a line of its own goes over that line alone; `audio` and `video` are nearer than `rtp`, which is
/// nearer than the line for everything. What no line is for goes as it would have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Impairment {
    lines: Vec<Line>,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    way: Way,
    /// `None`: whatever has no line of its own.
    traffic: Option<Traffic>,
    profile: Profile,
}

/// What a line does.
#[derive(Clone, Debug, Default, PartialEq)]
struct Profile {
    link: LinkProfile,
    outages: Vec<Outage>,
}

/// A time in which a line carries nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outage {
    /// When it begins, after the line's first datagram.
    after: Duration,
    /// How long it lasts.
    length: Duration,
}

impl Impairment {
    /// A line that loses everything of one kind.
    pub fn blackout(way: Way, traffic: Traffic) -> Self {
        let link = LinkProfile { loss: crate::Loss::Independent(1.0), ..LinkProfile::default() };
        let profile = Profile { link, outages: Vec::new() };
        Impairment { lines: vec![Line { way, traffic: Some(traffic), profile }] }
    }

    /// Both together; where both have a line for the same, this one's stays.
    pub fn and(mut self, other: Impairment) -> Self {
        let same = |a: &Line, b: &Line| (a.way, a.traffic) == (b.way, b.traffic);
        for line in other.lines {
            if !self.lines.iter().any(|known| same(known, &line)) {
                self.lines.push(line);
            }
        }
        self
    }
}
