//! Sound and pictures over one seeded link, from pacer to jitter buffer, with RTCP both ways: what the
//! statistics say is what the link did.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;
use visavis_proto::Time;
use visavis_proto::io::SectionStats;
use visavis_proto::rtp::jitter::Item;
use visavis_proto::rtp::rtcp::Compound;
use visavis_proto::rtp::session::{PayloadType, RtcpEvent};
use visavis_proto::rtp::{
    JitterBuffer, JitterConfig, Pacer, PacerConfig, RtpPacket, Session, SessionConfig, packet::FIXED_HEADER,
};

const MS: u64 = 1_000_000;
const SOUND: usize = 0;
const PICTURES: usize = 1;

/// What the link does to packets of RTP; RTCP only takes its time.
struct Link {
    rng: ChaCha20Rng,
    loss_percent: u32,
    duplicate_percent: u32,
    jitter_ms: u32,
}

/// One section as the link saw it, by the sequence numbers that passed it.
#[derive(Default)]
struct Passed {
    sent: u64,
    lost: BTreeSet<u64>,
    duplicates: u64,
}

/// Both ends of one section.
struct Ends {
    near: Session,
    far: Session,
    buffer: JitterBuffer,
    passed: Passed,
    /// Extended sequence numbers in the order in which the buffer let them go.
    played: Vec<u64>,
    /// Of these, those that arrived after they should have been played.
    too_late: u64,
    declared_lost: u64,
    /// Highest number that arrived so far and numbers that arrived after a higher one.
    highest: u64,
    reordered: u64,
    arrived: BTreeSet<u64>,
    reported_lost: Option<i32>,
    round_trip: Option<Duration>,
}

enum Event {
    Frame(usize),
    Arrive(usize, Vec<u8>),
    RtcpToNear(usize, Vec<u8>),
    RtcpToFar(usize, Vec<u8>),
}

struct World {
    now: u64,
    order: u64,
    events: BTreeMap<(u64, u64), Event>,
    link: Link,
    pacer: Pacer<(usize, u32, bool, Vec<u8>)>,
    ends: [Ends; 2],
    frames: [u64; 2],
}

fn address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 9], 16_402))
}

fn at(nanos: u64) -> Time {
    Time::from_nanos(nanos).with_unix_offset(1_700_000_000_000_000_000)
}

fn ends(ssrc: u32, clock_rate: u32, config: JitterConfig, rng: &mut ChaCha20Rng) -> Ends {
    let mut session = |ssrc| {
        let mut config = SessionConfig::new(ssrc, "a@b".into(), clock_rate, rng);
        config.first_seq = 65_000;
        config.first_timestamp = u32::MAX - 50_000;
        config.payload_types = vec![PayloadType { number: 96, clock_rate }];
        Session::new(at(0), config, rng)
    };
    Ends {
        near: session(ssrc),
        far: session(ssrc + 1),
        buffer: JitterBuffer::new(config),
        passed: Passed::default(),
        played: Vec::new(),
        too_late: 0,
        declared_lost: 0,
        highest: 0,
        reordered: 0,
        arrived: BTreeSet::new(),
        reported_lost: None,
        round_trip: None,
    }
}

impl World {
    fn new(seed: u8, link: impl FnOnce(ChaCha20Rng) -> Link) -> Self {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let ends = [
            ends(0x5000, 48_000, JitterConfig::AUDIO, &mut rng),
            ends(0x7000, 90_000, JitterConfig::VIDEO, &mut rng),
        ];
        let mut world = World {
            now: 0,
            order: 0,
            events: BTreeMap::new(),
            link: link(rng),
            pacer: Pacer::new(PacerConfig { target: 1_500_000, ..PacerConfig::default() }),
            ends,
            frames: [3_000, 1_800],
        };
        world.schedule(0, Event::Frame(SOUND));
        world.schedule(0, Event::Frame(PICTURES));
        world
    }

    fn schedule(&mut self, at: u64, event: Event) {
        self.order += 1;
        self.events.insert((at, self.order), event);
    }

    fn run(&mut self) {
        loop {
            let deadlines = self.ends.iter().flat_map(|e| {
                let rtcp = (self.frames != [0, 0]).then(|| [e.near.next_deadline(), e.far.next_deadline()]);
                rtcp.into_iter().flatten().flatten().chain(e.buffer.next_deadline())
            });
            let deadline = deadlines.chain(self.pacer.next_deadline()).map(Time::nanos).min();
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let Some(next) = deadline.into_iter().chain(event).min() else { return };
            self.now = self.now.max(next);
            if event.is_some_and(|at| at <= self.now) {
                let (_, event) = self.events.pop_first().unwrap();
                self.handle(event);
            }
            self.drain();
        }
    }

    fn handle(&mut self, event: Event) {
        let now = at(self.now);
        match event {
            Event::Frame(SOUND) => {
                let ts = self.ends[SOUND].near.timestamp(now, 960);
                self.pacer.push_audio(now, 120, (SOUND, ts, false, vec![1; 80]));
                self.next_frame(SOUND, 20 * MS);
            }
            Event::Frame(section) => {
                let ts = self.ends[section].near.timestamp(now, 0);
                let packets = 1 + self.link.rng.next_u32() % 9;
                let packet = |i| (1_100, (section, ts, i + 1 == packets, vec![2; 1_060]));
                assert_eq!(self.pacer.push_video(now, (0..packets).map(packet)), 0);
                self.next_frame(section, 33_333_333);
            }
            Event::Arrive(section, data) => {
                let ends = &mut self.ends[section];
                let Ok(delivery) = ends.far.receive(now, address(), &data) else { return };
                for packet in delivery {
                    let seq = packet.seq;
                    ends.reordered += u64::from(seq < ends.highest);
                    ends.highest = ends.highest.max(seq);
                    assert!(ends.arrived.insert(seq), "a duplicate was passed on");
                    ends.buffer.push(now, packet);
                }
            }
            Event::RtcpToNear(section, data) => {
                let ends = &mut self.ends[section];
                for event in ends.near.receive_rtcp(now, address(), &Compound::parse(&data).unwrap()) {
                    if let RtcpEvent::Report(report) = event {
                        ends.reported_lost = Some(report.cumulative_lost);
                        ends.round_trip = report.round_trip.or(ends.round_trip);
                    }
                }
            }
            Event::RtcpToFar(section, data) => {
                self.ends[section].far.receive_rtcp(now, address(), &Compound::parse(&data).unwrap());
            }
        }
    }

    fn next_frame(&mut self, section: usize, interval: u64) {
        self.frames[section] -= 1;
        if self.frames[section] != 0 {
            self.schedule(self.now + interval, Event::Frame(section));
        }
    }

    fn drain(&mut self) {
        let now = at(self.now);
        while let Some((section, ts, marker, payload)) = self.pacer.poll(now) {
            let data = self.ends[section].near.send(now, 96, marker, ts, &payload);
            self.transmit(section, data.to_vec());
        }
        for section in [SOUND, PICTURES] {
            let ends = &mut self.ends[section];
            while let Some(item) = ends.buffer.poll(now) {
                match item {
                    Item::Packet { packet, play_at } => {
                        ends.too_late += u64::from(play_at < packet.received);
                        ends.played.push(packet.seq);
                    }
                    Item::Lost { count } => ends.declared_lost += u64::from(count),
                    Item::Restart => panic!("nothing restarted"),
                }
            }
            let to_far = ends.near.poll_rtcp(now);
            let to_near = ends.far.poll_rtcp(now);
            to_far
                .into_iter()
                .for_each(|d| self.schedule(self.now + 40 * MS, Event::RtcpToFar(section, d.to_vec())));
            to_near
                .into_iter()
                .for_each(|d| self.schedule(self.now + 25 * MS, Event::RtcpToNear(section, d.to_vec())));
        }
    }

    fn transmit(&mut self, section: usize, data: Vec<u8>) {
        let seq = self.ends[section].passed.sent;
        self.ends[section].passed.sent += 1;
        let dice = self.link.rng.next_u32() % 100;
        // The first and the last packet arrive: nobody could know that they were sent.
        let certain = seq == 0 || self.frames[section] == 0;
        if dice < self.link.loss_percent && !certain {
            self.ends[section].passed.lost.insert(seq);
            return;
        }
        let delay =
            |link: &mut Link| 40 * MS + u64::from(link.rng.next_u32() % (link.jitter_ms * 1_000 + 1)) * 1_000;
        let arrival = self.now + delay(&mut self.link);
        if 100 - dice <= self.link.duplicate_percent {
            self.ends[section].passed.duplicates += 1;
            let again = self.now + delay(&mut self.link);
            self.schedule(again, Event::Arrive(section, data.clone()));
        }
        self.schedule(arrival, Event::Arrive(section, data));
    }
}

#[test]
fn the_statistics_of_a_call_are_what_the_link_did_to_it() {
    for seed in 0..4 {
        let mut world =
            World::new(seed, |rng| Link { rng, loss_percent: 6, duplicate_percent: 3, jitter_ms: 45 });
        world.run();
        for ends in &world.ends {
            let Ends {
                near, far, buffer, passed, played, too_late, declared_lost, reordered, arrived, ..
            } = ends;
            let (mut sent, mut received) = (SectionStats::default(), SectionStats::default());
            near.fill_stats(&mut sent);
            far.fill_stats(&mut received);
            let lost = passed.lost.len() as i64;
            assert!(lost > 100 && passed.duplicates > 50 && *reordered > 100);
            assert_eq!(sent.packets_sent, passed.sent);
            assert_eq!(received.packets_received, passed.sent - lost as u64 + passed.duplicates);
            assert_eq!(received.packets_duplicate, passed.duplicates);
            assert_eq!(received.packets_reordered, *reordered);
            assert_eq!(received.packets_lost, lost - passed.duplicates as i64);

            let stats = buffer.stats();
            assert!(played.is_sorted_by(|a, b| a < b), "out of order, or twice");
            assert_eq!(played.len() as u64 + stats.late, arrived.len() as u64);
            // Whatever was before the first packet that came out was late, but never declared lost.
            let before_first = arrived.iter().take_while(|seq| **seq < played[0]).count() as u64;
            assert_eq!(*declared_lost + before_first, lost as u64 + stats.late);
            assert!((stats.late + too_late) * 50 <= arrived.len() as u64, "{too_late} {stats:?}");
            assert!(stats.target_delay < Duration::from_millis(130), "{stats:?}");
        }
    }
}

#[test]
fn the_sender_learns_of_loss_and_round_trip() {
    let mut world = World::new(9, |rng| Link { rng, loss_percent: 10, duplicate_percent: 0, jitter_ms: 0 });
    world.run();
    for ends in &world.ends {
        let (lost, reported) = (ends.passed.lost.len() as f64, f64::from(ends.reported_lost.unwrap()));
        assert!((reported - lost).abs() < 0.05 * lost, "{reported} of {lost}");
        // 40 ms there, 25 ms back.
        let off = ends.round_trip.unwrap().abs_diff(Duration::from_millis(65));
        assert!(off < Duration::from_micros(100), "{off:?}");
        let mut stats = SectionStats::default();
        ends.near.fill_stats(&mut stats);
        assert!((stats.remote_loss.unwrap() - 0.1).abs() < 0.1);
    }
}

#[test]
fn a_clean_link_loses_nothing_and_holds_up_nothing() {
    let mut world = World::new(3, |rng| Link { rng, loss_percent: 0, duplicate_percent: 0, jitter_ms: 0 });
    world.run();
    for ends in &world.ends {
        assert_eq!(ends.played.len() as u64, ends.passed.sent);
        assert_eq!((ends.declared_lost, ends.buffer.stats().late), (0, 0));
    }
    let target = world.ends[SOUND].buffer.stats().target_delay;
    assert!(target < Duration::from_millis(26), "{target:?}");
}

#[test]
fn the_same_seed_gives_the_same_call() {
    let run = || {
        let mut world =
            World::new(1, |rng| Link { rng, loss_percent: 5, duplicate_percent: 2, jitter_ms: 30 });
        world.run();
        world.ends.map(|e| (e.played, e.declared_lost, e.reordered, format!("{:?}", e.far.counters())))
    };
    assert_eq!(run(), run());
}

#[test]
fn what_the_near_end_sends_is_rtp() {
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let mut ends = ends(1, 90_000, JitterConfig::VIDEO, &mut rng);
    let ts = ends.near.timestamp(at(0), 0);
    let data = ends.near.send(at(0), 96, true, ts, &[7; 10]);
    let packet = RtpPacket::parse(&data).unwrap();
    assert_eq!(
        (packet.seq, packet.timestamp, packet.payload_range()),
        (65_000, ts, FIXED_HEADER..data.len())
    );
}
