//! Two agents on a wire with a delay and nothing else: what a whole call looks like from outside.

mod by_hand;
mod ends;
mod extensions;
mod outcomes;
mod paths;
mod reinvite;
mod shape;

use super::*;
use crate::frame::{Codec, EncodedFrame, Rotation};
use crate::io::{CallRequest, Direction, MediaChoice, MediaFormat, Section, SocketId, Transmit};
use bytes::Bytes;
use std::collections::BTreeMap as Map;
use std::net::SocketAddr;
use std::time::Duration;

const DELAY: Duration = Duration::from_millis(10);

struct Wire {
    agents: [(Agent, SocketAddr); 2],
    now: Time,
    flight: Map<(Time, u64), (usize, SocketAddr, Vec<u8>)>,
    sent: u64,
    events: [Vec<Event>; 2],
    deadlines: [Option<Time>; 2],
    kinds: Vec<(usize, crate::io::PacketKind)>,
    /// The SIP messages of either side.
    sip: [Vec<Bytes>; 2],
    /// Where the RTP and RTCP of either side come from, if not from its address.
    media_from: [Option<SocketAddr>; 2],
    /// The RTP packets of either side.
    media: Vec<(usize, crate::io::PacketKind, Bytes)>,
    /// How much longer sound and pictures take.
    late: [Duration; 2],
    loses_rtcp: bool,
    /// What somebody on the way does to RTP packets.
    tampers: Option<fn(&mut [u8])>,
}

impl Wire {
    fn new(configs: [Config; 2]) -> Self {
        let mut seed = 0;
        let addresses: [SocketAddr; 2] =
            ["192.0.2.1:16402".parse().unwrap(), "192.0.2.2:16402".parse().unwrap()];
        let mut address = addresses.into_iter();
        let agents = configs.map(|config| {
            seed += 1;
            let mut agent = Agent::new(config, [seed; 32]);
            let at = address.next().unwrap();
            agent.handle(Time::ZERO, Input::SocketOpened { request: None, result: Ok((SocketId(0), at)) });
            (agent, at)
        });
        let mut wire = Wire {
            agents,
            now: Time::from_millis(1),
            flight: Map::new(),
            sent: 0,
            events: [Vec::new(), Vec::new()],
            deadlines: [None; 2],
            kinds: Vec::new(),
            sip: [Vec::new(), Vec::new()],
            media_from: [None; 2],
            media: Vec::new(),
            late: [Duration::ZERO; 2],
            loses_rtcp: false,
            tampers: None,
        };
        wire.drain();
        wire
    }

    fn drain(&mut self) {
        for from in 0..2 {
            loop {
                match self.agents[from].0.poll(self.now) {
                    Output::Transmit(Transmit { remote, data, kind, .. }) => {
                        self.kinds.push((from, kind));
                        self.sent += 1;
                        let to = self.agents.iter().position(|(_, a)| *a == remote);
                        let late = match kind {
                            crate::io::PacketKind::Audio => self.late[0],
                            crate::io::PacketKind::Video => self.late[1],
                            crate::io::PacketKind::Rtcp if self.loses_rtcp => continue,
                            _ => Duration::ZERO,
                        };
                        let is_rtp =
                            matches!(kind, crate::io::PacketKind::Audio | crate::io::PacketKind::Video);
                        if is_rtp {
                            self.media.push((from, kind, data.clone()));
                        }
                        if let Some(to) = to {
                            let sip = kind == crate::io::PacketKind::Sip;
                            if sip {
                                self.sip[from].push(data.clone());
                            }
                            let source = self.media_from[from].filter(|_| !sip);
                            let mut octets = data.to_vec();
                            if let Some(tamper) = self.tampers.filter(|_| is_rtp) {
                                tamper(&mut octets);
                            }
                            let packet = (to, source.unwrap_or(self.agents[from].1), octets);
                            self.flight.insert((self.now + DELAY + late, self.sent), packet);
                        }
                    }
                    Output::Event(event) => self.events[from].push(event),
                    Output::Timeout(at) => {
                        self.deadlines[from] = at;
                        break;
                    }
                    _ => {}
                }
            }
        }
    }

    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let next = self.flight.keys().next().map(|k| k.0);
            let next = next.into_iter().chain(self.deadlines.into_iter().flatten()).min();
            let Some(at) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            while let Some(entry) = self.flight.first_entry() {
                if entry.key().0 > self.now {
                    break;
                }
                let (to, remote, data) = entry.remove();
                let (now, local) = (self.now, self.agents[to].1);
                let socket = SocketId(0);
                let datagram = Datagram { socket, local, remote, data: &data, received: now };
                self.agents[to].0.handle(now, Input::Datagram(datagram));
                self.drain();
            }
            for (agent, _) in &mut self.agents {
                agent.handle(self.now, Input::Timeout);
            }
            self.drain();
        }
        self.now = end;
    }

    fn command(&mut self, side: usize, command: Command) {
        self.agents[side].0.handle(self.now, Input::Command(command));
        self.drain();
    }

    fn call(&mut self) -> CallHandle {
        self.call_with(false, MediaChoice::BOTH)
    }

    fn call_with(&mut self, late_offer: bool, media: MediaChoice) -> CallHandle {
        let handle = self.agents[0].0.new_call();
        let request = CallRequest {
            target: "sip:bob@192.0.2.2:16402".into(),
            destination: self.agents[1].1,
            local: self.agents[0].1.ip(),
            media,
            late_offer,
            ring_timeout: Duration::from_secs(30),
            path: None,
        };
        self.command(0, Command::Call(handle, Box::new(request)));
        handle
    }

    fn sections(&self, side: usize) -> &[Section] {
        let media = self.events[side].iter().rev().find_map(|e| match e {
            Event::Media { sections, .. } => Some(sections.as_slice()),
            _ => None,
        });
        media.expect("media were agreed")
    }

    fn ended(&self, side: usize) -> Option<&EndReason> {
        self.events[side].iter().find_map(|e| match e {
            Event::Ended { reason, .. } => Some(reason),
            _ => None,
        })
    }

    fn established(&self, side: usize) -> bool {
        self.events[side].iter().any(|e| matches!(e, Event::Established { .. }))
    }

    fn incoming(&self) -> CallHandle {
        let call = self.events[1].iter().find_map(|e| match e {
            Event::Incoming { call, .. } => Some(*call),
            _ => None,
        });
        call.expect("a call came in")
    }

    fn frames(&self, side: usize, codec: Codec) -> Vec<&[u8]> {
        self.events[side]
            .iter()
            .filter_map(|e| match e {
                Event::Frame { frame, .. } if frame.codec == codec => Some(&frame.data[..]),
                _ => None,
            })
            .collect()
    }

    fn send(&mut self, side: usize, call: CallHandle, section: usize, data: Vec<u8>, duration: u32) {
        let rotation = Rotation::None;
        let frame =
            EncodedFrame { data: data.into(), captured: self.now, duration, keyframe: true, rotation };
        self.agents[side].0.handle(self.now, Input::Frame { call, section, frame });
        self.drain();
    }

    fn assert_idle(&self) {
        for (agent, _) in &self.agents {
            assert!(agent.is_idle(), "a call or a transaction is left");
            assert!(agent.deadlines.is_empty() && agent.dialogs.is_empty() && agent.servers.is_empty());
        }
        assert_eq!(self.deadlines, [None, None]);
    }
}

fn idr(size: usize) -> Vec<u8> {
    let mut data =
        vec![0, 0, 0, 1, 0x67, 0x42, 0xe0, 0x1f, 0xab, 0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80, 0, 0, 0, 1, 0x65];
    data.extend((0..size).map(|i| (i % 251) as u8 | 1));
    data
}

#[test]
fn a_call_is_set_up_carries_both_media_both_ways_and_ends() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    let call = wire.call();
    wire.run(Duration::from_millis(100));
    assert!(wire.established(0) && wire.established(1));
    let sections = wire.sections(0).to_vec();
    assert_eq!(sections.len(), 2);
    for (a, b) in sections.iter().zip(wire.sections(1)) {
        assert_eq!((a.direction, b.direction), (Direction::SendRecv, Direction::SendRecv));
        assert_eq!(a.send.as_ref().map(MediaFormat::codec), b.receive.first().map(|(_, f)| f.codec()));
        assert_eq!((a.local, a.remote), (b.remote, b.local));
    }
    let theirs = wire.incoming();
    let audio = sections[0].send.as_ref().unwrap().codec();
    for n in 0..50u8 {
        for (side, handle) in [(0, call), (1, theirs)] {
            wire.send(side, handle, 0, [vec![0x78], vec![n; 60]].concat(), 960);
            wire.send(side, handle, 1, idr(3000 + usize::from(n)), 0);
        }
        wire.run(Duration::from_millis(20));
    }
    wire.run(Duration::from_secs(6));
    for side in 0..2 {
        assert_eq!(wire.frames(side, audio).len(), 50);
        let video = wire.frames(side, Codec::H264);
        assert_eq!(video.len(), 50);
        assert_eq!(video[7], idr(3007));
        let rtcp = wire.kinds.iter().filter(|k| **k == (side, crate::io::PacketKind::Rtcp)).count();
        assert!(rtcp >= 2, "{rtcp} RTCP packets");
    }
    let stats = wire.agents[0].0.stats(call).unwrap();
    assert_eq!((stats[0].packets_lost, stats[1].packets_lost), (0, 0));
    assert_eq!(stats[1].frames_received, 50);
    assert!(
        stats[1].round_trip.is_some_and(|r| r >= 2 * DELAY && r < 3 * DELAY),
        "{:?}",
        stats[1].round_trip
    );
    wire.command(0, Command::Hangup { call });
    wire.run(Duration::from_secs(70));
    assert_eq!(wire.ended(0), Some(&EndReason::LocalHangup));
    assert_eq!(wire.ended(1), Some(&EndReason::RemoteHangup));
    wire.assert_idle();
}

#[test]
fn an_invite_with_sound_and_pictures_stays_below_the_size_that_udp_carries_whole() {
    let mut agent = Agent::new(Config::default(), [1; 32]);
    let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 16_402);
    let here = at("198.51.100.123");
    agent.handle(Time::ZERO, Input::SocketOpened { request: None, result: Ok((SocketId(0), here)) });
    let request = CallRequest {
        target: "sip:somebody.with.a.name@198.51.100.124:16402".into(),
        destination: at("198.51.100.124"),
        local: here.ip(),
        media: MediaChoice::BOTH,
        late_offer: false,
        ring_timeout: Duration::from_secs(30),
        path: None,
    };
    let handle = agent.new_call();
    agent.handle(Time::ZERO, Input::Command(Command::Call(handle, Box::new(request))));
    let mut outputs = std::iter::from_fn(|| Some(agent.poll(Time::ZERO))).take(9);
    let invite = outputs.find_map(|output| match output {
        Output::Transmit(invite) => Some(invite),
        _ => None,
    });
    let invite = invite.expect("the INVITE goes out");
    // RFC 3261 section 18.1.1.
    assert!(invite.data.len() <= 1_300, "{} octets", invite.data.len());
    // What makes it so large is worth it; names of header fields are not, where there is no room for both.
    let text = String::from_utf8_lossy(&invite.data).into_owned();
    for line in ["a=extmap:1 urn:ietf:params:rtp-hdrext:ntp-64", "a=extmap:2 urn:3gpp:video-orientation"] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.contains("\r\ni: ") && !text.contains("Call-ID"), "{text}");
}

#[test]
fn a_late_offer_is_made_by_the_callee_and_answered_in_the_ack() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    let call = wire.call_with(true, MediaChoice::BOTH);
    wire.run(Duration::from_millis(100));
    assert!(wire.established(0) && wire.established(1));
    assert_eq!(wire.sections(0).len(), 2);
    assert_eq!(wire.sections(1).len(), 2);
    wire.command(0, Command::Hangup { call });
    wire.run(Duration::from_secs(70));
    wire.assert_idle();
}

#[test]
fn messages_dtmf_and_key_frame_requests_cross_a_call() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    let call = wire.call();
    wire.run(Duration::from_millis(100));
    let theirs = wire.incoming();
    let body = Bytes::from_static(&[0x61, 0xf4, 0x27, 0x9f]);
    wire.command(0, Command::Message { call, content_type: "application/ske".into(), body: body.clone() });
    wire.send(0, call, 0, vec![0x78; 60], 960);
    wire.command(0, Command::Dtmf { call, digit: '5', duration: Duration::from_millis(100) });
    wire.command(0, Command::RequestKeyframe { call, section: 1 });
    wire.send(1, theirs, 1, idr(900), 0);
    wire.run(Duration::from_secs(2));
    wire.command(0, Command::RequestKeyframe { call, section: 1 });
    wire.run(Duration::from_secs(3));
    let got = &wire.events[1];
    assert!(got.iter().any(|e| matches!(e, Event::Message { body: b, .. } if *b == body)));
    assert!(got.iter().any(|e| matches!(e, Event::Dtmf { digit: '5', .. })));
    assert!(
        wire.events[0]
            .iter()
            .any(|e| matches!(e, Event::Answered { status: 200, method, .. } if method == "MESSAGE"))
    );
    let stats = wire.agents[1].0.stats(theirs).unwrap();
    assert!(stats[1].keyframes_requested >= 1, "{stats:?}");
    wire.command(0, Command::Hangup { call });
    wire.run(Duration::from_secs(70));
    wire.assert_idle();
}

#[test]
fn keys_pressed_before_the_first_sound_all_arrive_in_order() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    // Each call begins with timestamps of its own, which lie anywhere.
    for calls in 1..=8 {
        let call = wire.call();
        wire.run(Duration::from_millis(100));
        for digit in "12#".chars() {
            wire.command(0, Command::Dtmf { call, digit, duration: Duration::from_millis(160) });
        }
        for _ in 0..100 {
            wire.run(Duration::from_millis(20));
            wire.send(0, call, 0, vec![0x78; 60], 960);
        }
        let keys = wire.events[1].iter().filter_map(|e| match e {
            Event::Dtmf { digit, .. } => Some(*digit),
            _ => None,
        });
        assert_eq!(keys.collect::<String>(), "12#".repeat(calls));
        wire.command(0, Command::Hangup { call });
        wire.run(Duration::from_secs(70));
    }
}

#[test]
fn a_message_without_response_is_told_by_its_method() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    let call = wire.call();
    wire.run(Duration::from_millis(100));
    // From here on, nothing arrives at the callee.
    wire.agents[1].1 = "192.0.2.3:16402".parse().unwrap();
    wire.command(
        0,
        Command::Message { call, content_type: "text/plain".into(), body: Bytes::from_static(b"?") },
    );
    wire.run(Duration::from_secs(40));
    let told = wire.events[0]
        .iter()
        .any(|e| matches!(e, Event::Answered { method, status: 408, .. } if method == "MESSAGE"));
    assert!(told, "{:?}", wire.events[0]);
}

#[test]
fn media_from_an_address_that_the_peer_never_named_are_taken_by_their_announced_ssrc() {
    let mut wire = Wire::new([Config::default(), Config::default()]);
    wire.media_from[0] = Some("198.51.100.7:5004".parse().unwrap());
    let call = wire.call();
    wire.run(Duration::from_millis(100));
    for n in 0..5 {
        wire.send(0, call, 1, idr(3000 + n), 0);
        wire.run(Duration::from_millis(40));
    }
    wire.run(Duration::from_secs(6));
    assert_eq!(wire.frames(1, Codec::H264).len(), 5);
    let dropped = &wire.agents[1].0.counters().dropped;
    assert_eq!((dropped.rtp_stray, dropped.rtcp_stray), (0, 0));

    let mut stranger = vec![0x80, 96, 0, 1, 0, 0, 0, 0, 0x12, 0x34, 0x56, 0x78];
    stranger.extend([0; 20]);
    let (remote, local) = ("198.51.100.8:5004".parse().unwrap(), wire.agents[1].1);
    let datagram = Datagram { socket: SocketId(0), local, remote, data: &stranger, received: wire.now };
    wire.agents[1].0.handle(wire.now, Input::Datagram(datagram));
    assert_eq!(wire.agents[1].0.counters().dropped.rtp_stray, 1);
}
