//! The pacer: sound goes at once, pictures are spread out so that a large one does not fill the queues of the
//! network on its way.
//!
//! Pictures go out at a multiple of the encoder's target rate, in bursts of at most 10 ms at
//! that rate, so that a timer need not fire for each packet. Pictures that no encoder here made, because they
//! are passed on as they came, go out as spread out as they came ([`Pacer::pass_on`]). Sound is never held
//! back; what it takes is taken from the pictures. A queue that grows too long loses whole pictures: part of
//! one is of no use, and by the time that a queue is full a newer picture is worth more.

use crate::time::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// The least rate, bits a second: however low a target is set, nothing waits for ever.
const MIN_RATE: f64 = 50_000.0;
/// What of a picture that is passed on came within this time leaves in one go.
const LUMP: Duration = Duration::from_millis(10);
/// However long it took to come, as where the network stalled, it is spread over no more than this.
const WIDEST: Duration = Duration::from_millis(200);
/// It leaves faster than it came by this factor, so that nothing gathers.
const CATCH_UP: f64 = 1.05;

/// How pictures are spread out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PacerConfig {
    /// The encoder's target, bits a second; see [`Pacer::set_target`].
    pub target: u32,
    /// Pictures go out at this many times the target rate.
    pub factor: f64,
    /// What may go out in one go, as time at the paced rate; one packet always may.
    pub burst: Duration,
    /// The most packets queued; at least one picture is always taken.
    pub max_packets: usize,
    /// The longest that a picture waits for its first packet to go out.
    pub max_wait: Duration,
}

impl Default for PacerConfig {
    fn default() -> Self {
        PacerConfig {
            target: 1_000_000,
            factor: 2.5,
            burst: Duration::from_millis(10),
            max_packets: 1_024,
            max_wait: Duration::from_secs(1),
        }
    }
}

/// A queue in front of a transport. `T` is what the caller makes a packet from when its turn has come.
#[derive(Debug)]
pub struct Pacer<T> {
    config: PacerConfig,
    audio: VecDeque<(Time, usize, T)>,
    pictures: VecDeque<Picture<T>>,
    /// Packets in `pictures`.
    queued: usize,
    /// When everything that has gone out would be through at the paced rate.
    busy_until: Time,
    dropped: u64,
}

#[derive(Debug)]
struct Picture<T> {
    packets: VecDeque<(usize, T)>,
    queued_at: Time,
    begun: bool,
    /// Bits a second that it goes out at; `None`: by the encoder's target.
    rate: Option<f64>,
}

impl<T> Pacer<T> {
    /// An empty pacer.
    pub fn new(config: PacerConfig) -> Self {
        Pacer {
            config,
            audio: VecDeque::new(),
            pictures: VecDeque::new(),
            queued: 0,
            busy_until: Time::ZERO,
            dropped: 0,
        }
    }

    /// Follows a new encoder target, bits a second.
    pub fn set_target(&mut self, target: u32) {
        self.config.target = target;
    }

    /// Queues a packet of sound, of this many octets on the wire. Where as many wait as may, the oldest is
    /// dropped: the caller does not poll.
    pub fn push_audio(&mut self, now: Time, octets: usize, packet: T) {
        if self.audio.len() >= self.config.max_packets.max(1) {
            self.audio.pop_front();
            self.dropped += 1;
        }
        self.audio.push_back((now, octets, packet));
    }

    /// Queues the packets of one picture with their sizes in octets on the wire. Where the queue is full, or
    /// pictures have waited too long, whole pictures that have not begun to go out are dropped, oldest first,
    /// this one last; gives the number dropped. A key frame is due whenever it is not 0.
    pub fn push_video(&mut self, now: Time, packets: impl IntoIterator<Item = (usize, T)>) -> usize {
        self.push(now, packets.into_iter().collect(), None)
    }

    /// As [`Pacer::push_video`], for a picture that came from elsewhere and took `spread` from its first packet
    /// to its last. It takes no longer to leave: whoever made it knew what a path can carry, and no target of
    /// ours says more.
    pub fn pass_on(
        &mut self,
        now: Time,
        spread: Duration,
        packets: impl IntoIterator<Item = (usize, T)>,
    ) -> usize {
        let packets: VecDeque<_> = packets.into_iter().collect();
        let octets: usize = packets.iter().map(|(octets, _)| octets).sum();
        let rate = CATCH_UP * octets as f64 * 8.0 / spread.clamp(LUMP, WIDEST).as_secs_f64();
        self.push(now, packets, Some(rate))
    }

    fn push(&mut self, now: Time, packets: VecDeque<(usize, T)>, rate: Option<f64>) -> usize {
        if packets.is_empty() {
            return 0;
        }
        let waiting = usize::from(self.pictures.front().is_some_and(|p| p.begun));
        let mut dropped = 0;
        while let Some(oldest) = self.pictures.get(waiting) {
            let full = self.queued + packets.len() > self.config.max_packets;
            if !full && now - oldest.queued_at <= self.config.max_wait {
                break;
            }
            self.queued -= oldest.packets.len();
            self.pictures.remove(waiting);
            dropped += 1;
        }
        if self.queued == 0 || self.queued + packets.len() <= self.config.max_packets {
            self.queued += packets.len();
            self.pictures.push_back(Picture { packets, queued_at: now, begun: false, rate });
        } else {
            dropped += 1;
        }
        self.dropped += dropped as u64;
        dropped
    }

    /// The next packet to send now; call until it gives `None`.
    pub fn poll(&mut self, now: Time) -> Option<T> {
        if let Some((_, octets, packet)) = self.audio.pop_front() {
            self.occupy(now, self.time(octets, None));
            return Some(packet);
        }
        if self.video_due()? > now {
            return None;
        }
        let picture = self.pictures.front_mut()?;
        let (octets, packet) = picture.packets.pop_front()?;
        let rate = picture.rate;
        picture.begun = true;
        self.queued -= 1;
        if picture.packets.is_empty() {
            self.pictures.pop_front();
        }
        self.occupy(now, self.time(octets, rate));
        Some(packet)
    }

    /// When to call [`Pacer::poll`] next; `None` where nothing is queued.
    pub fn next_deadline(&self) -> Option<Time> {
        if let Some((queued_at, ..)) = self.audio.front() {
            return Some(*queued_at);
        }
        let picture = self.pictures.front()?;
        // With a target, not before all is through, so that the next burst is a full one.
        if picture.rate.is_some() { self.video_due() } else { Some(self.busy_until) }
    }

    /// When the next packet of a picture may go out: when it would be through within a burst.
    fn video_due(&self) -> Option<Time> {
        let picture = self.pictures.front()?;
        let (octets, _) = picture.packets.front()?;
        let burst = picture.rate.map_or(self.config.burst, |_| LUMP);
        let due = (self.busy_until + self.time(*octets, picture.rate)).saturating_sub(burst);
        Some(due.min(self.busy_until))
    }

    /// Pictures and packets of sound dropped because they were too many or waited too long.
    pub fn dropped_frames(&self) -> u64 {
        self.dropped
    }

    fn occupy(&mut self, now: Time, time: Duration) {
        self.busy_until = self.busy_until.max(now) + time;
    }

    /// How long so many octets take at this rate, or else at the paced one.
    fn time(&self, octets: usize, rate: Option<f64>) -> Duration {
        let paced = f64::from(self.config.target) * self.config.factor;
        let rate = rate.unwrap_or(paced).max(MIN_RATE);
        Duration::try_from_secs_f64(octets as f64 * 8.0 / rate).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    /// 2 Mbit/s paced at 5 Mbit/s: 1250 octets take 2 ms.
    fn pacer(max_packets: usize) -> Pacer<(char, u32)> {
        let burst = Duration::from_millis(5);
        Pacer::new(PacerConfig { target: 2_000_000, burst, max_packets, ..PacerConfig::default() })
    }

    fn picture(name: char, packets: u32) -> impl Iterator<Item = (usize, (char, u32))> {
        (0..packets).map(move |i| (1_250, (name, i)))
    }

    /// All that goes out, with the millisecond at which it does.
    fn drain(p: &mut Pacer<(char, u32)>, mut now: Time) -> Vec<(u64, char, u32)> {
        let mut out = Vec::new();
        loop {
            while let Some((name, i)) = p.poll(now) {
                out.push((now.nanos() / 1_000_000, name, i));
            }
            let Some(deadline) = p.next_deadline() else { return out };
            assert!(deadline > now);
            now = deadline;
        }
    }

    #[test]
    fn a_picture_goes_out_in_bursts_at_the_paced_rate() {
        let mut p = pacer(100);
        assert_eq!(p.push_video(ms(0), picture('a', 7)), 0);
        let out = drain(&mut p, ms(0));
        let times: Vec<_> = out.iter().map(|(at, ..)| *at).collect();
        assert_eq!(times, [0, 0, 4, 4, 8, 8, 12]);
        assert!(out.iter().map(|(_, name, i)| (*name, *i)).eq((0..7).map(|i| ('a', i))));
    }

    #[test]
    fn a_packet_longer_than_a_burst_goes_out_when_all_before_it_is_through() {
        let mut p: Pacer<u8> = Pacer::new(PacerConfig { target: 100_000, ..PacerConfig::default() });
        p.push_video(ms(0), [(1_250, 1), (1_250, 2)]);
        assert_eq!(p.poll(ms(0)), Some(1));
        assert_eq!((p.poll(ms(39)), p.next_deadline()), (None, Some(ms(40))));
        assert_eq!((p.poll(ms(40)), p.next_deadline()), (Some(2), None));
    }

    #[test]
    fn sound_overtakes_pictures_and_takes_its_share_of_the_rate() {
        let mut p = pacer(100);
        p.push_video(ms(0), picture('v', 4));
        assert_eq!(p.poll(ms(0)), Some(('v', 0)));
        assert_eq!(p.poll(ms(0)), Some(('v', 1)));
        p.push_audio(ms(1), 1_250, ('a', 0));
        assert_eq!(p.next_deadline(), Some(ms(1)));
        assert_eq!(p.poll(ms(1)), Some(('a', 0)));
        assert_eq!((p.poll(ms(1)), p.next_deadline()), (None, Some(ms(6))));
        assert_eq!(p.poll(ms(6)), Some(('v', 2)));
    }

    #[test]
    fn a_picture_that_is_passed_on_goes_at_once_where_it_came_at_once_whatever_the_target() {
        let mut p = pacer(1_000);
        p.set_target(32_000);
        assert_eq!(p.pass_on(ms(0), Duration::ZERO, picture('a', 40)), 0);
        assert_eq!(drain(&mut p, ms(0)).iter().map(|(at, ..)| *at).max(), Some(0));
        p.pass_on(ms(33), Duration::from_millis(9), picture('b', 4));
        assert_eq!(drain(&mut p, ms(33)).iter().map(|(at, ..)| *at).max(), Some(33));
    }

    #[test]
    fn a_picture_that_took_its_time_to_come_takes_as_long_to_leave_but_for_a_lump_and_never_gathers() {
        let mut p = pacer(1_000);
        p.pass_on(ms(0), Duration::from_millis(105), picture('k', 100));
        let out = drain(&mut p, ms(0));
        let times: Vec<_> = out.iter().map(|(at, ..)| *at).collect();
        assert_eq!(times.iter().filter(|at| **at == 0).count(), 10);
        assert_eq!(times.last(), Some(&90), "{times:?}");
        assert!(times.windows(2).all(|w| w[1] - w[0] <= 1), "{times:?}");
        // Thirty pictures a second that take the whole of their time to come.
        let mut latest = 0;
        for n in 0..300 {
            p.pass_on(ms(1_000 + 33 * n), Duration::from_millis(33), picture('p', 30));
            let until = ms(1_000 + 33 * (n + 1));
            while let Some(at) = p.next_deadline().filter(|at| *at < until) {
                while p.poll(at.max(ms(1_000 + 33 * n))).is_some() {}
            }
            latest = latest.max(p.queued);
        }
        assert_eq!(latest, 0, "each is through before the next one comes");
        p.pass_on(ms(20_000), Duration::from_secs(5), picture('s', 10));
        assert!(drain(&mut p, ms(20_000)).iter().all(|(at, ..)| *at <= 20_200));
    }

    #[test]
    fn a_full_queue_drops_whole_pictures_and_never_one_that_has_begun() {
        let mut p = pacer(10);
        assert_eq!(p.push_video(ms(0), picture('a', 4)), 0);
        assert_eq!(p.poll(ms(0)), Some(('a', 0)));
        assert_eq!(p.push_video(ms(0), picture('b', 4)), 0);
        assert_eq!(p.push_video(ms(0), picture('c', 5)), 1, "b makes room");
        assert_eq!(p.push_video(ms(0), picture('d', 9)), 2, "c leaves, and d still does not fit");
        assert_eq!(p.dropped_frames(), 3);
        let out: Vec<_> = drain(&mut p, ms(0)).iter().map(|(_, name, i)| (*name, *i)).collect();
        assert_eq!(out, [('a', 1), ('a', 2), ('a', 3)]);
        assert_eq!(p.push_video(ms(50), picture('e', 50)), 0, "one picture is always taken");
        assert_eq!(drain(&mut p, ms(50)).len(), 50);
    }

    #[test]
    fn a_picture_that_has_waited_too_long_makes_room_for_a_newer_one() {
        let mut p = pacer(1_000);
        p.push_video(ms(0), picture('a', 900));
        assert_eq!(p.poll(ms(0)), Some(('a', 0)));
        p.push_video(ms(1), picture('b', 3));
        assert_eq!(p.push_video(ms(1_002), picture('c', 3)), 1);
        assert!(drain(&mut p, ms(1_002)).iter().all(|(_, name, _)| *name != 'b'));
    }

    #[test]
    fn a_lower_target_slows_down_what_follows() {
        let mut p = pacer(100);
        p.push_video(ms(0), picture('a', 4));
        p.poll(ms(0));
        p.poll(ms(0));
        p.set_target(200_000);
        let times: Vec<_> = drain(&mut p, ms(0)).iter().map(|(at, ..)| *at).collect();
        assert_eq!(times, [4, 24]);
        p.set_target(0);
        p.push_video(ms(1_000), picture('b', 2));
        assert_eq!(drain(&mut p, ms(1_000))[1].0, 1_200);
    }

    proptest! {
        #[test]
        fn no_more_goes_out_than_the_rate_allows_and_nothing_that_was_taken_stays(
            pushes in proptest::collection::vec((0u64..50, 1u32..20, any::<bool>()), 1..60),
        ) {
            let mut p = pacer(64);
            let (mut now, mut pushed, mut taken_audio, mut dropped_packets) = (ms(0), 0usize, 0usize, 0usize);
            let mut out: Vec<(u64, bool)> = Vec::new();
            let poll = |p: &mut Pacer<(char, u32)>, now: Time, out: &mut Vec<(u64, bool)>| {
                while let Some((name, _)) = p.poll(now) {
                    out.push((now.nanos(), name == 'v'));
                }
            };
            for (pause, packets, sound) in pushes {
                let until = now + Duration::from_millis(pause);
                while let Some(deadline) = p.next_deadline().filter(|d| *d <= until) {
                    poll(&mut p, deadline.max(now), &mut out);
                }
                now = until;
                let before = p.queued;
                if sound {
                    p.push_audio(now, 1_250, ('a', 0));
                    taken_audio += 1;
                } else {
                    p.push_video(now, picture('v', packets));
                    pushed += packets as usize;
                    dropped_packets += before + packets as usize - p.queued;
                }
                prop_assert!(p.queued <= 64);
                poll(&mut p, now, &mut out);
            }
            while let Some(deadline) = p.next_deadline() {
                poll(&mut p, deadline, &mut out);
            }
            prop_assert_eq!(out.iter().filter(|(_, video)| *video).count(), pushed - dropped_packets);
            prop_assert_eq!(out.iter().filter(|(_, video)| !*video).count(), taken_audio);
            // In any span, pictures take no more than its length and one burst, 2 ms a packet.
            let video: Vec<u64> = out.iter().filter(|(_, video)| *video).map(|(at, _)| *at).collect();
            for (i, from) in video.iter().enumerate() {
                for (j, to) in video.iter().enumerate().skip(i) {
                    prop_assert!((j - i + 1) as u64 * 2_000_000 <= to - from + 5_000_000 + 1);
                }
            }
        }
    }
}
