//! What calls came to, added up.

use super::histogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;
use visavis_proto::io::{EndReason, SectionStats};

/// What many calls came to. Tallies of parts add up to that of the whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Calls begun: their INVITE was sent.
    pub placed: u64,
    /// Calls that were set up: 200 received, ACK sent.
    pub established: u64,
    /// Calls that were set up, held for as long as they should, and ended from here.
    pub good: u64,
    /// Calls that failed.
    pub failed: u64,
    /// The same by reason: a status with its reason phrase, or words.
    pub failures: BTreeMap<String, u64>,
    /// Calls given up because the load was stopped before they were answered: neither good nor failed.
    pub abandoned: u64,
    /// From the INVITE to the arrival of its 200, as the kernel saw it.
    pub answer: Histogram,
    /// From the INVITE until its ACK had been sent.
    pub setup: Histogram,
    /// How much later than planned calls began: the time that this side was too busy.
    pub late: Histogram,
    /// When the first and the last call began, after the start.
    pub span: Option<(Duration, Duration)>,
    /// SIP messages sent again.
    pub retransmissions: u64,
    /// SIP transactions that were never answered.
    pub timeouts: u64,
    /// RTP of all calls.
    pub rtp: RtpTally,
    /// Calls that were decoded and judged.
    pub judged: u64,
    /// How many of them were bad.
    pub bad: u64,
    /// What was wrong with them.
    pub complaints: BTreeMap<String, u64>,
}

/// RTP of many calls, added up from each media section at the end of its call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RtpTally {
    /// Packets sent.
    pub sent: u64,
    /// Packets received.
    pub received: u64,
    /// Packets that should have come and did not (RFC 3550 appendix A.3); duplicates can make it negative.
    pub lost: i64,
    /// Packets that came too late to be played.
    pub late: u64,
    /// Packets that belonged to no call, or were refused by theirs.
    pub stray: u64,
    /// The interarrival jitter of each media section at its end (RFC 3550 section 6.4.1).
    pub jitter: Histogram,
    /// Media sections whose peer has reported what it lost of ours.
    pub reported: u64,
    /// How many of them reported a loss in its last report.
    pub reported_loss: u64,
    /// Frames of sound and pictures sent.
    pub frames_sent: u64,
    /// Frames of sound and pictures that arrived whole.
    pub frames_received: u64,
}

impl RtpTally {
    /// The share of the packets that should have come and did not, 0 to 1; `None` where none should have.
    pub fn loss(&self) -> Option<f64> {
        let lost = self.lost.max(0) as f64;
        let should = self.received as f64 + lost;
        (should > 0.0).then(|| lost / should)
    }

    /// Adds what was measured in a call.
    pub(super) fn add(&mut self, sections: &[SectionStats]) {
        for section in sections.iter().filter(|s| s.kind.is_some()) {
            self.sent += section.packets_sent;
            self.received += section.packets_received;
            self.lost += section.packets_lost;
            self.late += section.packets_late;
            self.frames_sent += section.frames_sent;
            self.frames_received += section.frames_received;
            if let Some(jitter) = section.jitter {
                self.jitter.record(jitter);
            }
            if let Some(loss) = section.remote_loss {
                self.reported += 1;
                self.reported_loss += u64::from(loss > 0.0);
            }
        }
    }

    fn merge(&mut self, other: &RtpTally) {
        self.sent += other.sent;
        self.received += other.received;
        self.lost += other.lost;
        self.late += other.late;
        self.stray += other.stray;
        self.jitter.merge(&other.jitter);
        self.reported += other.reported;
        self.reported_loss += other.reported_loss;
        self.frames_sent += other.frames_sent;
        self.frames_received += other.frames_received;
    }
}

impl Tally {
    /// Adds another tally to this one.
    pub fn merge(&mut self, other: &Tally) {
        self.placed += other.placed;
        self.established += other.established;
        self.good += other.good;
        self.failed += other.failed;
        self.abandoned += other.abandoned;
        merge_counts(&mut self.failures, &other.failures);
        self.answer.merge(&other.answer);
        self.setup.merge(&other.setup);
        self.late.merge(&other.late);
        self.span = match (self.span, other.span) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        self.retransmissions += other.retransmissions;
        self.timeouts += other.timeouts;
        self.rtp.merge(&other.rtp);
        self.judged += other.judged;
        self.bad += other.bad;
        merge_counts(&mut self.complaints, &other.complaints);
    }

    /// Calls a second that were begun, from the first to the last; `None` for fewer than two calls.
    pub fn rate(&self) -> Option<f64> {
        let (first, last) = self.span?;
        let seconds = last.saturating_sub(first).as_secs_f64();
        (self.placed > 1 && seconds > 0.0).then(|| (self.placed - 1) as f64 / seconds)
    }

    /// Calls that failed, and those whose media were bad.
    pub fn wrong(&self) -> u64 {
        self.failed + self.bad
    }

    /// Counts a call that began this long after the start.
    pub(super) fn begin(&mut self, since: Duration, late: Duration) {
        self.placed += 1;
        self.late.record(late);
        let first = self.span.map_or(since, |(first, _)| first);
        self.span = Some((first, since));
    }

    /// Counts the end of a call.
    pub(super) fn end(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Good => self.good += 1,
            Outcome::Abandoned => self.abandoned += 1,
            Outcome::Failed(reason) => {
                self.failed += 1;
                *self.failures.entry(reason.clone()).or_default() += 1;
            }
        }
    }
}

fn merge_counts(into: &mut BTreeMap<String, u64>, from: &BTreeMap<String, u64>) {
    for (reason, count) in from {
        *into.entry(reason.clone()).or_default() += count;
    }
}

/// How a call of a load ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As planned.
    Good,
    /// Given up because the load was stopped.
    Abandoned,
    /// Otherwise, with the reason: a status with its reason phrase, or words.
    Failed(String),
}

impl Outcome {
    /// What the end of a call means to a load: whether the call was `established`, whether this side had asked for its
    /// end (`asked`), and whether the load is being stopped.
    pub(super) fn of(reason: &EndReason, established: bool, asked: bool, stopping: bool) -> Self {
        let failed = |words: &str| Outcome::Failed(words.to_owned());
        match reason {
            EndReason::LocalHangup | EndReason::RemoteHangup if established && asked => Outcome::Good,
            EndReason::LocalHangup | EndReason::Cancelled if stopping => Outcome::Abandoned,
            EndReason::RemoteHangup => failed("hung up early by the peer"),
            EndReason::NoResponse { .. } => failed("no answer in time"),
            EndReason::Refused { status, reason } => {
                Outcome::Failed(format!("{status} {reason}").trim().to_owned())
            }
            EndReason::Media { .. } => failed("no media agreed"),
            EndReason::LocalHangup | EndReason::Cancelled | EndReason::Rejected(_) => failed("given up here"),
            EndReason::NoPath { .. } => failed("no way to the peer"),
            EndReason::KeyExchange { .. } => failed("no keys agreed"),
            EndReason::Failed { what } => Outcome::Failed(what.clone()),
        }
    }

    /// In a word, for a table: `good`, `abandoned`, or the reason.
    pub fn text(&self) -> &str {
        match self {
            Outcome::Good => "good",
            Outcome::Abandoned => "abandoned",
            Outcome::Failed(reason) => reason,
        }
    }
}

/// One call of a load, for a table.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRow {
    /// Its number, from 0.
    pub number: u64,
    /// When it began, after the start.
    pub begun: Duration,
    /// From its INVITE to the arrival of the 200.
    pub answer: Option<Duration>,
    /// From its INVITE until the ACK had been sent.
    pub setup: Option<Duration>,
    /// From its INVITE to its end.
    pub length: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// RTP packets sent, received and lost.
    pub rtp: (u64, u64, i64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_good_when_it_was_asked_for_after_the_set_up() {
        let end = |reason: EndReason, established, asked| Outcome::of(&reason, established, asked, false);
        assert_eq!(end(EndReason::LocalHangup, true, true), Outcome::Good);
        assert_eq!(end(EndReason::RemoteHangup, true, true), Outcome::Good, "both at once");
        assert_eq!(end(EndReason::RemoteHangup, true, false).text(), "hung up early by the peer");
        let refused = EndReason::Refused { status: 486, reason: "Busy Here".into() };
        assert_eq!(end(refused, false, false), Outcome::Failed("486 Busy Here".into()));
        let silent = EndReason::NoResponse { what: "whatever".into() };
        assert_eq!(end(silent, false, true).text(), "no answer in time");
    }

    #[test]
    fn what_is_given_up_when_the_load_is_stopped_did_not_fail() {
        let end = |reason, established| Outcome::of(&reason, established, true, true);
        assert_eq!(end(EndReason::Cancelled, false), Outcome::Abandoned);
        assert_eq!(end(EndReason::LocalHangup, true), Outcome::Good);
    }

    #[test]
    fn tallies_of_parts_are_that_of_the_whole() {
        let part = |first: u64, reason: &str| {
            let mut tally = Tally::default();
            for n in 0..10 {
                tally.begin(Duration::from_millis(first + 100 * n), Duration::ZERO);
            }
            tally.end(&Outcome::Good);
            tally.end(&Outcome::Failed(reason.to_owned()));
            tally.rtp.received = 99;
            tally.rtp.lost = 1;
            tally
        };
        let mut whole = part(0, "486 Busy Here");
        whole.merge(&part(50, "486 Busy Here"));
        assert_eq!((whole.placed, whole.good, whole.failed), (20, 2, 2));
        assert_eq!(whole.failures["486 Busy Here"], 2);
        assert_eq!(whole.rate(), Some(20.0));
        assert_eq!(whole.rtp.loss(), Some(0.01));
        assert_eq!(Tally::default().rtp.loss(), None);
    }
}
