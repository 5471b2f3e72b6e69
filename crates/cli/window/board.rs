//! What is known of each call, and which of them is on the stage.

use super::quality::Meter;
use super::show::Shared;
use crate::session::Watch;
use std::collections::BTreeMap;
use std::time::Instant;
use visavis::proto::io::{Event, SectionStats};
use visavis::{CallRecord, Verdict};
use visavis_window::{Facts, Phase};

/// The calls that are not forgotten yet: the latest is on the stage, but for one that a person is asked about.
#[derive(Debug, Default)]
pub(super) struct Board {
    calls: BTreeMap<u64, Card>,
    /// What is waited for without any.
    idle: String,
    /// Whether y and n answer and decline.
    asks: bool,
}

#[derive(Debug, Default)]
struct Card {
    facts: Facts,
    meter: Meter,
}

impl Board {
    pub(super) fn idle(&mut self, what: String) {
        self.idle = what;
    }

    pub(super) fn asks(&mut self, asks: bool) {
        self.asks = asks;
    }

    /// The verdict on a call that is over.
    pub(super) fn judged(&mut self, call: u64, record: &CallRecord, verdict: &Verdict) {
        let facts = &mut self.calls.entry(call).or_default().facts;
        let lasted = record.duration_s.and_then(|s| std::time::Duration::try_from_secs_f64(s).ok());
        facts.phase = Phase::Over { lasted, good: Some(verdict.good) };
        facts.words = ended(record);
        facts.words.push(if verdict.good { "verdict: good".into() } else { "verdict: bad".into() });
        facts.words.extend(verdict.reasons.iter().cloned());
    }

    pub(super) fn forget(&mut self, call: u64) {
        self.calls.remove(&call);
    }

    /// What is on the stage: the first call that rings where somebody is asked about it, since calls are asked about one after the
    /// other, else the latest call, else that there is none.
    pub(super) fn current(&self) -> (Option<u64>, Facts) {
        let mut rings = self.calls.iter().filter(|(_, card)| self.asks && card.facts.phase == Phase::Ringing);
        match rings.next().or(self.calls.last_key_value()) {
            Some((call, card)) => (Some(*call), card.facts.clone()),
            None => {
                let words = if self.idle.is_empty() { Vec::new() } else { vec!["waiting for calls".into()] };
                (None, Facts { peer: self.idle.clone(), words, ..Facts::default() })
            }
        }
    }

    fn begin(&mut self, call: u64, record: &CallRecord) {
        let facts = &mut self.calls.entry(call).or_default().facts;
        facts.peer = record.peer.clone();
        (facts.phase, facts.words) = match record.incoming {
            true if self.asks => {
                (Phase::Ringing, vec![format!("{} calls", record.peer), "y answers, n declines".into()])
            }
            true => (Phase::Ringing, vec![format!("{} calls", record.peer)]),
            false => (Phase::Calling, vec![format!("calling {}", record.peer)]),
        };
    }

    fn observe(&mut self, call: u64, record: &CallRecord, event: &Event) {
        let Some(Card { facts, .. }) = self.calls.get_mut(&call) else { return };
        match event {
            Event::Progress { status, reason, .. } if *status > 100 => {
                facts.words = vec![format!("calling {}", record.peer), format!("{status} {reason}")];
            }
            Event::Established { .. } => facts.phase = Phase::Up(Instant::now()),
            Event::Media { .. } => {
                let receives = |s: &visavis::SectionRecord| {
                    s.kind == Some("video")
                        && s.direction.is_some_and(|d| ["sendrecv", "recvonly"].contains(&d))
                };
                let pictures = record.sections.iter().any(receives);
                facts.words =
                    vec![if pictures { "no picture yet" } else { "no pictures in this call" }.into()];
            }
            Event::Ended { .. } => {
                let lasted = match facts.phase {
                    Phase::Up(since) => Some(since.elapsed()),
                    _ => None,
                };
                facts.phase = Phase::Over { lasted, good: None };
                facts.words = ended(record);
            }
            _ => {}
        }
    }

    fn figures(&mut self, call: u64, record: &CallRecord, stats: &[SectionStats], size: Option<(u32, u32)>) {
        let Some(Card { facts, meter }) = self.calls.get_mut(&call) else { return };
        if matches!(facts.phase, Phase::Up(_)) {
            facts.quality = meter.lines(Instant::now(), record, stats, size);
        }
    }
}

fn ended(record: &CallRecord) -> Vec<String> {
    vec![format!("the call is over: {}", record.end_text.as_deref().unwrap_or("unknown"))]
}

impl Watch for Shared {
    fn begin(&self, call: u64, record: &CallRecord) {
        self.board(|board| board.begin(call, record));
    }

    fn observe(&self, call: u64, record: &CallRecord, event: &Event) {
        self.board(|board| board.observe(call, record, event));
    }

    fn figures(&self, call: u64, record: &CallRecord, stats: &[SectionStats]) {
        let size = self.stage.remote_size();
        self.board(|board| board.figures(call, record, stats, size));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use visavis::proto::io::{CallHandle, EndReason};

    fn incoming(peer: &str) -> CallRecord {
        CallRecord { incoming: true, ..CallRecord::outgoing(peer) }
    }

    fn established(call: u64) -> Event {
        Event::Established { call: CallHandle(call), setup: Duration::from_millis(3) }
    }

    #[test]
    fn the_latest_call_is_on_the_stage_and_after_it_the_one_before() {
        let mut board = Board::default();
        board.idle("answering calls on UDP 127.0.0.1:16402".into());
        assert_eq!((board.current().0, board.current().1.phase), (None, Phase::Waiting));
        board.begin(1, &incoming("Ann"));
        board.observe(1, &incoming("Ann"), &established(1));
        board.begin(2, &CallRecord::outgoing("sip:ben@192.0.2.7"));
        let (call, facts) = board.current();
        assert_eq!((call, facts.phase), (Some(2), Phase::Calling));
        let mut over = CallRecord::outgoing("sip:ben@192.0.2.7");
        over.end_text = Some("192.0.2.7 refused".into());
        let ended = Event::Ended { call: CallHandle(2), reason: EndReason::LocalHangup, stats: Vec::new() };
        board.observe(2, &over, &ended);
        assert_eq!(board.current().1.phase, Phase::Over { lasted: None, good: None });
        let verdict = Verdict { good: false, reasons: vec!["nothing arrived".into()], ..Verdict::default() };
        board.judged(2, &over, &verdict);
        let (_, facts) = board.current();
        assert_eq!(facts.phase, Phase::Over { lasted: None, good: Some(false) });
        assert_eq!(facts.words, ["the call is over: 192.0.2.7 refused", "verdict: bad", "nothing arrived"]);
        board.forget(2);
        assert!(matches!(board.current(), (Some(1), Facts { phase: Phase::Up(_), .. })));
        board.forget(1);
        assert_eq!(board.current().0, None);
    }

    #[test]
    fn a_call_that_rings_says_which_keys_answer_it_where_they_do() {
        let mut board = Board::default();
        board.begin(1, &incoming("Ann"));
        assert_eq!(board.current().1.words, ["Ann calls"]);
        board.forget(1);
        board.asks(true);
        board.begin(2, &incoming("Ben"));
        assert_eq!(board.current().1.words, ["Ben calls", "y answers, n declines"]);
    }

    #[test]
    fn of_two_that_ring_the_one_that_is_asked_about_is_on_the_stage() {
        let mut board = Board::default();
        board.asks(true);
        for (call, peer) in [(1, "Ann"), (2, "Ben"), (3, "Cid")] {
            board.begin(call, &incoming(peer));
        }
        board.observe(1, &incoming("Ann"), &established(1));
        assert_eq!(board.current().1.words[0], "Ben calls");
        let ended = Event::Ended { call: CallHandle(2), reason: EndReason::LocalHangup, stats: Vec::new() };
        board.observe(2, &incoming("Ben"), &ended);
        assert_eq!(board.current().0, Some(3));
    }
}
