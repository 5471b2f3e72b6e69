//! Every command that is to be reported on has one outcome, whatever becomes of its call.

use super::*;
use crate::io::{Done, NotDone};
use std::sync::atomic::{AtomicU64, Ordering};

impl Wire {
    /// Gives a command, and the number under which its outcome is reported.
    fn ask(&mut self, side: usize, command: Command) -> RequestId {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let request = RequestId(NEXT.fetch_add(1, Ordering::Relaxed));
        self.command(side, Command::Report(request, Box::new(command)));
        request
    }

    /// The outcome of a request; `None` while it is open. There is never more than one.
    fn outcome(&self, side: usize, asked: RequestId) -> Option<&Result<Done, NotDone>> {
        let mut found = self.events[side].iter().filter_map(|e| match e {
            Event::Outcome { request, result } if *request == asked => Some(result),
            _ => None,
        });
        let first = found.next();
        assert!(found.next().is_none(), "two outcomes of one request");
        first
    }

    fn done(&self, side: usize, asked: RequestId) -> &Done {
        let outcome = self.outcome(side, asked).expect("an outcome");
        outcome.as_ref().unwrap_or_else(|error| panic!("{error}"))
    }

    fn not_done(&self, side: usize, asked: RequestId) -> &NotDone {
        self.outcome(side, asked).expect("an outcome").as_ref().expect_err("a refusal")
    }
}

fn ask_first() -> Config {
    Config { answer: AnswerPolicy::Ask, ..Config::default() }
}

#[test]
fn what_the_peer_answered_is_the_outcome_of_a_request() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    let call = wire.call();
    wire.run(Duration::from_millis(100));
    let ok = Some((200, "OK".to_owned()));
    let hold = wire.ask(0, Command::Hold { call });
    assert!(wire.outcome(0, hold).is_none(), "it is not answered yet");
    let resume = wire.ask(0, Command::Resume { call });
    wire.run(Duration::from_millis(200));
    assert_eq!((&wire.done(0, hold).response, &wire.done(0, resume).response), (&ok, &ok));
    let (content_type, body) = ("text/plain".to_owned(), Bytes::from_static(b"hello"));
    let message = wire.ask(0, Command::Message { call, content_type, body });
    let key = wire.ask(0, Command::Dtmf { call, digit: '5', duration: Duration::from_millis(100) });
    wire.run(Duration::from_millis(100));
    assert_eq!(wire.done(0, message).response, ok);
    assert_eq!(wire.done(0, key).response, None, "a key goes out as RTP, which nobody answers");
    let hangup = wire.ask(0, Command::Hangup { call });
    assert!(wire.outcome(0, hangup).is_none());
    wire.run(Duration::from_secs(70));
    wire.done(0, hangup);
    wire.assert_idle();
}

#[test]
fn a_command_in_the_wrong_state_changes_nothing_and_says_what_is_wrong() {
    let mut wire = Wire::new([Config::default(), ask_first()]);
    let call = wire.call();
    wire.run(Duration::from_millis(100));
    let theirs = wire.incoming();
    for (side, command, why) in [
        (0, Command::Accept { call }, "placed from here"),
        (0, Command::Hold { call }, "not up"),
        (1, Command::Resume { call: theirs }, "not up"),
        (1, Command::Hangup { call: CallHandle(99) }, "no call 99"),
        (1, Command::Dtmf { call: theirs, digit: '1', duration: Duration::from_millis(100) }, "no sound"),
        (0, Command::Shutdown, "no command to a call"),
    ] {
        let asked = wire.ask(side, command.clone());
        let error = wire.not_done(side, asked);
        assert!(error.why.contains(why) && error.status.is_none(), "{command:?}: {error}");
    }
    let ring = wire.ask(1, Command::Ring { call: theirs, status: 183 });
    let accept = wire.ask(1, Command::Accept { call: theirs });
    wire.run(Duration::from_millis(100));
    wire.done(1, ring);
    wire.done(1, accept);
    let again = wire.ask(1, Command::Accept { call: theirs });
    assert!(wire.not_done(1, again).why.contains("up already"));
    for (digit, content_type) in [('x', "text/plain\r\nEvil: 1"), ('e', "text")] {
        let key = wire.ask(0, Command::Dtmf { call, digit, duration: Duration::from_millis(100) });
        assert!(wire.not_done(0, key).why.contains("no key"));
        let content_type = content_type.to_owned();
        let message = wire.ask(0, Command::Message { call, content_type, body: Bytes::new() });
        assert!(wire.not_done(0, message).why.contains("content type"));
    }
    let keyframe = wire.ask(0, Command::RequestKeyframe { call, section: 0 });
    assert!(wire.not_done(0, keyframe).why.contains("section 0"));
    wire.command(0, Command::Hangup { call });
    wire.run(Duration::from_secs(70));
    wire.assert_idle();
}

#[test]
fn a_key_frame_is_asked_for_by_feedback_once_there_is_somebody_to_ask() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    let call = wire.call();
    wire.run(Duration::from_millis(100));
    let early = wire.ask(0, Command::RequestKeyframe { call, section: 1 });
    assert!(wire.not_done(0, early).why.contains("no picture"));
    let theirs = wire.incoming();
    wire.send(1, theirs, 1, idr(2000), 0);
    wire.run(Duration::from_millis(100));
    let asked = wire.ask(0, Command::RequestKeyframe { call, section: 1 });
    assert_eq!(wire.done(0, asked).how, Some("PLI"));
    wire.command(0, Command::Hangup { call });
    wire.run(Duration::from_secs(70));
    wire.assert_idle();
}

#[test]
fn what_is_still_open_when_a_call_ends_has_failed_and_the_end_is_what_hanging_up_was_for() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    let call = wire.call();
    wire.run(Duration::from_millis(100));
    let holds = [(); 3].map(|()| wire.ask(0, Command::Hold { call }));
    let hangup = wire.ask(0, Command::Hangup { call });
    wire.run(Duration::from_secs(70));
    for hold in holds {
        assert!(wire.not_done(0, hold).why.contains("left"));
    }
    wire.done(0, hangup);
    let end = wire.events[0].iter().position(|e| matches!(e, Event::Ended { .. }));
    let last = wire.events[0].iter().rposition(|e| matches!(e, Event::Outcome { .. }));
    assert!(last < end, "the outcomes come before the end");
    wire.assert_idle();
}

#[test]
fn a_declined_call_is_what_rejecting_was_for() {
    let mut wire = Wire::new([Config::default(), ask_first()]);
    wire.call();
    wire.run(Duration::from_millis(100));
    let theirs = wire.incoming();
    let reject = wire.ask(1, Command::Reject { call: theirs, status: 486 });
    wire.run(Duration::from_secs(70));
    wire.done(1, reject);
    assert!(matches!(wire.ended(0), Some(EndReason::Refused { status: 486, .. })));
    wire.assert_idle();
}
