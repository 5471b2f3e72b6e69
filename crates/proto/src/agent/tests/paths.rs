//! Calls whose peer is named by ticket: a way is found first, and nothing but the peer on that way is believed.

use super::by_hand::plain_invite;
use super::*;
use crate::io::{PacketKind, Path, PathRequest};
use crate::nat::{Candidate, CandidateKind, NatKind, Ticket};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const EXPIRES: u64 = 3_600;

fn armed(emulate: bool) -> Config {
    let admission = Admission::Expected { window: ARMED };
    Config { admission, ..Config::facetime2010(emulate) }
}

fn ticket(address: SocketAddr, seed: u8, expires: u64) -> Ticket {
    let candidate = Candidate::new(CandidateKind::Host, address);
    let mut rng = ChaCha20Rng::from_seed([seed; 32]);
    Ticket::new(&[candidate], NatKind::Unknown, None, expires, &mut rng).unwrap()
}

impl Wire {
    fn path(&self, side: usize, keyed: bool, expires: u64) -> PathRequest {
        let tickets = [0, 1].map(|n| ticket(self.agents[n].1, 40 + n as u8, expires));
        let [own, peer] = [side, 1 - side].map(|n| tickets[n].clone());
        PathRequest { own, peer, locals: vec![self.agents[side].1], keyed }
    }

    /// Side 0 calls side 1, which expects it.
    fn meet(&mut self, keyed: bool) -> [CallHandle; 2] {
        let handles = [0, 1].map(|n: usize| self.agents[n].0.new_call());
        let (caller, callee) = (self.path(0, keyed, EXPIRES), self.path(1, keyed, EXPIRES));
        let request = CallRequest {
            target: String::new(),
            destination: self.agents[1].1,
            local: self.agents[0].1.ip(),
            media: MediaChoice::BOTH,
            late_offer: false,
            ring_timeout: Duration::from_secs(30),
            path: Some(Box::new(caller)),
        };
        self.command(1, Command::Expect(handles[1], Box::new(callee)));
        self.command(0, Command::Call(handles[0], Box::new(request)));
        handles
    }

    fn found(&self, side: usize) -> Option<Path> {
        self.events[side].iter().find_map(|e| match e {
            Event::PathFound { path, .. } => Some(*path),
            _ => None,
        })
    }

    /// What `side` answers to a datagram from somewhere else.
    fn answers(&mut self, side: usize, remote: SocketAddr, data: &[u8]) -> Vec<Transmit> {
        let (now, local) = (self.now, self.agents[side].1);
        let agent = &mut self.agents[side].0;
        let datagram = Datagram { socket: SocketId(0), local, remote, data, received: now };
        agent.handle(now, Input::Datagram(datagram));
        let mut sent = Vec::new();
        loop {
            match agent.poll(now) {
                Output::Transmit(transmit) => sent.push(transmit),
                Output::Event(event) => self.events[side].push(event),
                Output::Timeout(at) => {
                    self.deadlines[side] = at;
                    return sent;
                }
                _ => {}
            }
        }
    }

    fn statuses(&mut self, side: usize, remote: SocketAddr, branch: &str) -> Vec<u16> {
        let invite = String::from_utf8(plain_invite()).unwrap();
        let at = invite.find("branch=").unwrap() + 7;
        let end = at + invite[at..].find(['\r', ';']).unwrap();
        let invite = format!("{}z9hG4bK{branch}{}", &invite[..at], &invite[end..]);
        let invite = invite.replace("Call-ID: ", &format!("Call-ID: {branch}"));
        let sent = self.answers(side, remote, invite.as_bytes());
        let status = |t: &Transmit| String::from_utf8_lossy(&t.data)[8..11].parse().unwrap();
        sent.iter().inspect(|t| assert_eq!(t.remote, remote)).map(status).collect()
    }
}

const STRANGER: &str = "203.0.113.66:16402";

#[test]
fn a_way_is_found_before_anything_else_is_sent_and_the_call_keeps_to_it() {
    for keyed in [true, false] {
        let mut wire = Wire::new([armed(!keyed), armed(!keyed)]);
        let [caller, callee] = wire.meet(keyed);
        wire.run(Duration::from_secs(1));
        assert!(wire.established(0) && wire.established(1), "{:?}", wire.events);
        let way = wire.found(0).unwrap();
        assert_eq!(
            (way.local, way.mapped, way.remote),
            (wire.agents[0].1, wire.agents[0].1, wire.agents[1].1)
        );
        wire.send(0, caller, 0, vec![1; 50], 480);
        wire.send(1, callee, 1, idr(900), 0);
        wire.run(Duration::from_millis(100));
        let order = |side| {
            let first = |kind| wire.kinds.iter().position(|k| *k == (side, kind)).unwrap();
            let media = if side == 0 { PacketKind::Audio } else { PacketKind::Video };
            [PacketKind::Stun, PacketKind::Sip, media].map(first)
        };
        for side in [0, 1] {
            assert!(order(side).is_sorted(), "keyed {keyed}, side {side}: {:?}", order(side));
        }
        assert_eq!(wire.frames(1, Codec::AacEld).len(), 1);
        assert_eq!(wire.frames(0, Codec::H264).len(), 1);
        wire.command(0, Command::Hangup { call: caller });
        wire.run(Duration::from_secs(40));
        assert_eq!(wire.ended(1), Some(&EndReason::RemoteHangup));
        wire.assert_idle();
    }
}

#[test]
fn an_invite_that_nobody_expects_is_declined_and_one_during_the_call_finds_it_busy() {
    let mut wire = Wire::new([armed(false), armed(false)]);
    let stranger = STRANGER.parse().unwrap();
    assert_eq!(wire.statuses(1, stranger, "a"), [100, 603]);
    let [_, callee] = wire.meet(true);
    wire.run(Duration::from_secs(1));
    assert!(wire.established(1));
    assert_eq!(wire.statuses(1, stranger, "b"), [100, 486]);
    let peer = wire.agents[0].1;
    assert_eq!(wire.statuses(1, peer, "c"), [100, 486]);
    assert_eq!(wire.agents[1].0.counters().dropped.invite_unexpected, 3);
    wire.command(1, Command::Hangup { call: callee });
    wire.run(Duration::from_secs(40));
    assert_eq!(wire.statuses(1, peer, "d"), [100, 603]);
}

#[test]
fn an_expired_ticket_finds_no_way_and_its_holder_is_declined() {
    let mut wire = Wire::new([armed(false), armed(false)]);
    wire.run(Duration::from_millis(1));
    wire.now = Time::from_millis(60_000);
    let call = wire.agents[1].0.new_call();
    let expired = wire.path(1, true, 59);
    wire.command(1, Command::Expect(call, Box::new(expired)));
    let Some(EndReason::NoPath { what }) = wire.ended(1) else { panic!("{:?}", wire.events[1]) };
    assert!(what.contains("expired 1 s ago"), "{what}");
    let peer = wire.agents[0].1;
    assert_eq!(wire.statuses(1, peer, "e"), [100, 603]);
}

#[test]
fn an_expected_call_that_does_not_come_is_given_up_and_the_next_invite_declined() {
    let mut wire = Wire::new([armed(false), armed(false)]);
    let handles = [0, 1].map(|n: usize| wire.agents[n].0.new_call());
    for side in [0, 1] {
        let path = wire.path(side, true, EXPIRES);
        wire.command(side, Command::Expect(handles[side], Box::new(path)));
    }
    // Two that wait for each other find no pair to use: nobody nominates one.
    wire.run(Duration::from_secs(80));
    for side in [0, 1] {
        assert!(wire.ended(side).is_some(), "{:?}", wire.events[side]);
    }
    let peer = wire.agents[0].1;
    assert_eq!(wire.statuses(1, peer, "f"), [100, 603]);
}

#[test]
fn what_a_stranger_sends_during_a_call_changes_nothing_and_is_counted() {
    let mut wire = Wire::new([armed(false), armed(false)]);
    let [caller, callee] = wire.meet(true);
    wire.run(Duration::from_secs(1));
    let stranger: SocketAddr = STRANGER.parse().unwrap();
    let before = wire.events[1].len();
    // RTP of a stranger, though it has a payload type of the call.
    let rtp = [&[0x80, 105, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9][..], &[1; 40]].concat();
    assert!(wire.answers(1, stranger, &rtp).is_empty());
    let rtcp = [0x80, 201, 0, 1, 0, 0, 0, 9];
    assert!(wire.answers(1, stranger, &rtcp).is_empty());
    // A STUN request gets what any server answers; one that claims to be the peer gets no more.
    let id = stun::TransactionId([7; 16]);
    let plain = stun::Builder::binding(stun::Class::Request, id).finish(None);
    assert_eq!(wire.answers(1, stranger, &plain).len(), 1);
    let names = [1, 0].map(|side| wire.path(side, true, EXPIRES).own.name()).join(":");
    let forged = stun::Builder::binding(stun::Class::Request, id).username(names.as_bytes());
    for message in [forged.clone().finish(None), forged.finish(Some(b"guess"))] {
        assert!(wire.answers(1, stranger, &message).len() <= 1);
    }
    // BYE without the tags of the dialog.
    let bye = "BYE sip:user@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.66;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n\
               To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 2 BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
    let refused = wire.answers(1, stranger, bye.as_bytes());
    assert!(refused.len() == 1 && refused[0].data.starts_with(b"SIP/2.0 481"));
    let told: Vec<_> =
        wire.events[1][before..].iter().filter(|e| !matches!(e, Event::MoveRefused { .. })).collect();
    assert!(told.is_empty(), "{told:?}");
    let dropped = &wire.agents[1].0.counters().dropped;
    assert_eq!(dropped.rtp_stray + dropped.rtcp_stray + dropped.rtp_off_path, 2);
    // Both still hear each other.
    wire.send(0, caller, 0, vec![1; 50], 480);
    wire.send(1, callee, 0, vec![1; 50], 480);
    wire.run(Duration::from_millis(100));
    assert_eq!((wire.frames(0, Codec::AacEld).len(), wire.frames(1, Codec::AacEld).len()), (1, 1));
}

#[test]
fn a_peer_that_is_not_there_is_given_up_after_35_s_with_what_was_tried() {
    let mut wire = Wire::new([armed(false), armed(false)]);
    let call = wire.agents[0].0.new_call();
    let path = wire.path(0, true, EXPIRES);
    wire.command(0, Command::Expect(call, Box::new(path)));
    wire.run(Duration::from_secs(34));
    assert_eq!(wire.ended(0), None);
    wire.run(Duration::from_secs(2));
    let Some(EndReason::NoPath { what }) = wire.ended(0) else { panic!("{:?}", wire.events[0]) };
    assert!(what.contains("192.0.2.2:16402"), "{what}");
}

fn secured(seed: u8, pin: Option<crate::ske::Fingerprint>) -> Config {
    let identity = crate::ske::Identity::generate(&mut ChaCha20Rng::from_seed([seed; 32]));
    Config { key_exchange: Some(std::sync::Arc::new(crate::ske::Lab::new(identity, pin))), ..armed(false) }
}

fn protection(wire: &Wire, side: usize) -> Option<&crate::io::Protection> {
    wire.events[side].iter().find_map(|e| match e {
        Event::Protected { protection, .. } => Some(protection),
        _ => None,
    })
}

#[test]
fn keys_are_agreed_on_in_four_messages_and_only_then_media_flow_encrypted() {
    let mut wire = Wire::new([secured(1, None), secured(2, None)]);
    let [caller, callee] = wire.meet(true);
    wire.run(Duration::from_secs(2));
    let [one, other] =
        [0, 1].map(|side| protection(&wire, side).unwrap_or_else(|| panic!("{:?}", wire.events)));
    assert_eq!(one.suite.as_deref(), Some("AES_CM_128_HMAC_SHA1_80"));
    assert_eq!(one.short_authentication_string, other.short_authentication_string);
    let messages = |side: usize| {
        let sent = |e: &&Event| matches!(e, Event::KeyMessage { sent: true, .. });
        wire.events[side].iter().filter(sent).count()
    };
    assert_eq!([messages(0), messages(1)], [2, 2]);
    for side in [0, 1] {
        let at = |wanted: fn(&Event) -> bool| wire.events[side].iter().position(wanted).unwrap();
        let keys = at(|e| matches!(e, Event::Protected { .. }));
        assert!(keys < at(|e| matches!(e, Event::Media { .. })), "{:?}", wire.events[side]);
    }
    for (side, call) in [(0, caller), (1, callee)] {
        for n in 1..20 {
            wire.send(side, call, 0, vec![n; 50], 480);
            wire.run(Duration::from_millis(20));
        }
        assert_eq!(wire.frames(1 - side, Codec::AacEld).len(), 19);
    }
    wire.run(Duration::from_secs(10));
    let stats = wire.agents[0].0.stats(caller).unwrap();
    assert!(stats[0].rtcp_received > 0, "reports get through encrypted");
    wire.command(0, Command::Hangup { call: caller });
    wire.run(Duration::from_secs(40));
    wire.assert_idle();
}

#[test]
fn a_peer_with_another_key_than_expected_ends_the_call_and_is_named() {
    let other = crate::ske::Identity::generate(&mut ChaCha20Rng::from_seed([9; 32])).fingerprint();
    let mut wire = Wire::new([secured(1, Some(other.clone())), secured(2, None)]);
    wire.meet(true);
    wire.run(Duration::from_secs(40));
    let Some(EndReason::KeyExchange { what }) = wire.ended(0) else { panic!("{:?}", wire.events[0]) };
    assert!(what.contains("somebody may stand in the middle") && what.contains(&other.to_string()), "{what}");
    assert_eq!(wire.ended(1), Some(&EndReason::RemoteHangup));
    let media = |side: usize| wire.events[side].iter().any(|e| matches!(e, Event::Media { .. }));
    assert!(!media(0) && !media(1));
    wire.assert_idle();
}

#[test]
fn a_peer_that_exchanges_no_keys_says_so_and_the_call_ends_at_once() {
    let mut wire = Wire::new([secured(1, None), armed(false)]);
    wire.meet(true);
    wire.run(Duration::from_secs(2));
    let Some(EndReason::KeyExchange { what }) = wire.ended(0) else { panic!("{:?}", wire.events[0]) };
    assert!(what.contains("the peer answered message 1;0 with 488"), "{what}");
    assert!(
        !wire.events[1].iter().any(|e| matches!(e, Event::Message { .. })),
        "it is no message to a person"
    );
    wire.run(Duration::from_secs(40));
    wire.assert_idle();
}
