//! What a re-INVITE changes in a call.

use super::*;

#[test]
fn hold_and_resume_turn_the_directions_on_both_sides() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    let call = wire.call();
    wire.run(Duration::from_millis(100));
    wire.command(0, Command::Hold { call });
    wire.run(Duration::from_millis(100));
    assert_eq!(wire.sections(0)[0].direction, Direction::SendOnly);
    assert_eq!(wire.sections(1)[0].direction, Direction::RecvOnly);
    wire.command(0, Command::Resume { call });
    wire.run(Duration::from_millis(100));
    assert_eq!(wire.sections(1)[1].direction, Direction::SendRecv);
    wire.command(0, Command::Hangup { call });
    wire.run(Duration::from_secs(70));
    wire.assert_idle();
}

#[test]
fn pictures_are_added_to_a_call_and_taken_away_again() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    let call = wire.call_with(false, MediaChoice { audio: true, video: false });
    wire.run(Duration::from_millis(100));
    assert_eq!(wire.sections(1).len(), 1);
    wire.command(0, Command::Reinvite { call, media: MediaChoice::BOTH });
    wire.run(Duration::from_millis(100));
    assert!(wire.sections(1)[1].active && wire.sections(0)[1].active);
    let theirs = wire.incoming();
    wire.send(1, theirs, 1, idr(2000), 0);
    wire.run(Duration::from_millis(100));
    assert_eq!(wire.frames(0, Codec::H264).len(), 1);
    wire.command(0, Command::Reinvite { call, media: MediaChoice { audio: true, video: false } });
    wire.run(Duration::from_millis(100));
    assert!(!wire.sections(1)[1].active && wire.sections(0)[0].active);
    wire.command(0, Command::Hangup { call });
    wire.run(Duration::from_secs(70));
    wire.assert_idle();
}

#[test]
fn re_invites_that_cross_both_get_through_in_the_end() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    let call = wire.call();
    wire.run(Duration::from_millis(100));
    let theirs = wire.incoming();
    wire.command(0, Command::Hold { call });
    wire.command(1, Command::Hold { call: theirs });
    wire.run(Duration::from_secs(10));
    assert_eq!(wire.sections(0)[0].direction, Direction::Inactive);
    assert_eq!(wire.sections(1)[0].direction, Direction::Inactive);
    let glare =
        wire.events.iter().flatten().filter(|e| matches!(e, Event::Answered { status: 491, .. })).count();
    assert_eq!(glare, 2);
    wire.command(0, Command::Hangup { call });
    wire.run(Duration::from_secs(70));
    wire.assert_idle();
}

#[test]
fn packets_of_a_section_that_is_gone_are_not_taken_for_those_of_another() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    let call = wire.call_with(false, MediaChoice { audio: false, video: true });
    wire.run(Duration::from_millis(100));
    let theirs = wire.incoming();
    wire.command(0, Command::Reinvite { call, media: MediaChoice { audio: true, video: false } });
    for n in 0..5 {
        wire.send(1, theirs, 0, idr(3000 + n), 0);
        wire.run(Duration::from_millis(7));
    }
    wire.run(Duration::from_secs(1));
    let others = wire.events[0]
        .iter()
        .filter(|e| matches!(e, Event::Frame { frame, .. } if frame.codec != Codec::H264));
    assert_eq!(others.count(), 0);
    wire.command(0, Command::Hangup { call });
    wire.run(Duration::from_secs(70));
    wire.assert_idle();
}
