//! What a receiver keeps of one source: sequence numbers (RFC 3550 appendix A.1), loss (A.3) and interarrival
//! jitter (A.8). A call's sessions and the analysis of captures both use it.
//!
//! Two differences from the code in the RFC, both within what its text allows. The first packets of a source
//! are not thrown away until it has shown two in sequence: they count from the first one on, and
//! [`Source::is_valid`] tells whether the proof has come. And a packet that arrives twice is told apart from
//! one out of order; it counts as received in the loss figures, as A.3 wants it, and nowhere else.

use crate::rtp::RtpPacket;
use crate::rtp::rtcp::ReportBlock;
use crate::time::Time;
use std::time::Duration;

/// A gap of this many sequence numbers or more is a jump, A.1.
pub const MAX_DROPOUT: u16 = 3_000;
/// A packet this far or further behind the highest is a jump, A.1.
pub const MAX_MISORDER: u16 = 100;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It has a place in the stream.
    Accepted {
        /// The extended sequence number, see [`MediaPacket::seq`](crate::rtp::MediaPacket::seq).
        seq: u64,
        /// The extended timestamp.
        timestamp: u64,
        /// Whether the numbers begin anew: the packet before it in sequence had been [`Arrival::Jumped`], or
        /// the source had not been valid and jumped.
        restarted: bool,
    },
    /// It arrived before.
    Duplicate,
    /// Too far from the highest number. Where the next packet goes on from here, the stream restarts.
    Jumped,
}

/// The counters of a source over its whole life, restarts included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceCounters {
    /// Packets, duplicates among them.
    pub packets: u64,
    /// Payload octets of these.
    pub octets: u64,
    /// Packets that arrived twice.
    pub duplicate: u64,
    /// Packets that arrived after one with a higher number.
    pub reordered: u64,
    /// Packets that jumped and were not followed up.
    pub jumped: u64,
    /// Times that the sequence numbers began anew.
    pub restarts: u64,
}

/// One source, by what has arrived from it.
#[derive(Clone, Debug, Default)]
pub struct Source {
    numbering: Option<Numbering>,
    valid: bool,
    bad_seq: Option<u16>,
    counters: SourceCounters,
    lost_before: i64,
    clock_rate: u32,
    transit: Option<u32>,
    jitter: Option<f64>,
}

/// The sequence numbers since the last restart.
#[derive(Clone, Debug)]
struct Numbering {
    base: u64,
    max: u64,
    /// Bit i tells whether `max - i` has arrived.
    arrived: u128,
    received: u64,
    expected_prior: u64,
    received_prior: u64,
    timestamp: u64,
}

impl Numbering {
    fn new(seq: u16, timestamp: u32) -> Self {
        let base = 0x1_0000 + u64::from(seq);
        Numbering {
            base,
            max: base,
            arrived: 1,
            received: 1,
            expected_prior: 0,
            received_prior: 0,
            timestamp: 0x1_0000_0000 + u64::from(timestamp),
        }
    }

    fn expected(&self) -> u64 {
        self.max - self.base + 1
    }

    fn lost(&self) -> i64 {
        self.expected() as i64 - self.received as i64
    }
}

impl Source {
    /// A source of which nothing has arrived.
    pub fn new() -> Self {
        Source::default()
    }

    /// Takes a packet of this source; `clock_rate` (Hz) is that of its payload type.
    pub fn receive(&mut self, received: Time, packet: &RtpPacket<'_>, clock_rate: u32) -> Arrival {
        let arrival = self.place(packet.seq, packet.timestamp);
        match arrival {
            Arrival::Jumped => self.counters.jumped += 1,
            Arrival::Duplicate => self.count(packet),
            Arrival::Accepted { .. } => {
                self.count(packet);
                self.update_jitter(received, packet.timestamp, clock_rate);
            }
        }
        arrival
    }

    /// Counts a packet that [`Arrival::Jumped`] and was followed up by the one received last: it belongs
    /// to the stream after all.
    pub fn reclaim(&mut self, payload_octets: usize) {
        let Some(n) = &mut self.numbering else { return };
        n.base -= 1;
        n.arrived |= 2;
        n.received += 1;
        self.counters.jumped = self.counters.jumped.saturating_sub(1);
        self.counters.packets += 1;
        self.counters.octets += payload_octets as u64;
    }

    /// Whether two packets in sequence have arrived (A.1, MIN_SEQUENTIAL of 2).
    pub fn is_valid(&self) -> bool {
        self.valid
    }

    /// Takes the source for valid without that proof: it was announced, or RTCP told of it.
    pub fn set_valid(&mut self) {
        self.valid = true;
    }

    /// Asks for the proof anew: the source said goodbye.
    pub fn set_invalid(&mut self) {
        self.valid = false;
    }

    /// What has been counted.
    pub fn counters(&self) -> SourceCounters {
        self.counters
    }

    /// Packets lost (A.3), restarts included; duplicates can make it negative.
    pub fn lost(&self) -> i64 {
        self.lost_before + self.numbering.as_ref().map_or(0, Numbering::lost)
    }

    /// Interarrival jitter (A.8); `None` before the second packet.
    pub fn jitter(&self) -> Option<Duration> {
        let seconds = self.jitter? / f64::from(self.clock_rate.max(1));
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }

    /// The report block about this source (RFC 3550 section 6.4.1), without the fields of the last sender
    /// report; the next one's fraction counts from here. `None` before the first packet.
    pub fn report(&mut self, ssrc: u32) -> Option<ReportBlock> {
        let jitter = self.jitter.unwrap_or(0.0) as u32;
        let n = self.numbering.as_mut()?;
        let expected = n.expected().saturating_sub(n.expected_prior);
        let received = n.received.saturating_sub(n.received_prior);
        n.expected_prior = n.expected();
        n.received_prior = n.received;
        let lost = expected.saturating_sub(received);
        let fraction_lost = (lost << 8).checked_div(expected).unwrap_or(0).min(255) as u8;
        Some(ReportBlock {
            ssrc,
            fraction_lost,
            cumulative_lost: n.lost().clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_seq: (n.max - 0x1_0000) as u32,
            jitter,
            last_sr: 0,
            delay_since_last_sr: 0,
        })
    }

    /// A.1 with the differences named above.
    fn place(&mut self, seq: u16, timestamp: u32) -> Arrival {
        let Some(n) = &mut self.numbering else {
            return self.begin(seq, timestamp, false);
        };
        let ahead = seq.wrapping_sub(n.max as u16);
        let behind = ahead.wrapping_neg();
        if (1..MAX_DROPOUT).contains(&ahead) {
            n.max += u64::from(ahead);
            n.arrived = n.arrived.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            self.valid |= ahead == 1;
            n.received += 1;
            Arrival::Accepted { seq: n.max, timestamp: n.extend(timestamp), restarted: false }
        } else if behind < MAX_MISORDER {
            n.received += 1;
            let bit = 1u128 << behind;
            if n.arrived & bit != 0 {
                self.counters.duplicate += 1;
                return Arrival::Duplicate;
            }
            n.arrived |= bit;
            self.counters.reordered += 1;
            let seq = n.max - u64::from(behind);
            // What was sent before the first packet that arrived is expected too, now that it is known.
            n.base = n.base.min(seq);
            Arrival::Accepted { seq, timestamp: n.extend(timestamp), restarted: false }
        } else if self.bad_seq == Some(seq) || !self.valid {
            self.lost_before += n.lost();
            self.counters.restarts += 1;
            self.valid |= self.bad_seq == Some(seq);
            self.begin(seq, timestamp, true)
        } else {
            self.bad_seq = Some(seq.wrapping_add(1));
            Arrival::Jumped
        }
    }

    fn begin(&mut self, seq: u16, timestamp: u32, restarted: bool) -> Arrival {
        let n = Numbering::new(seq, timestamp);
        let arrival = Arrival::Accepted { seq: n.max, timestamp: n.timestamp, restarted };
        self.numbering = Some(n);
        self.bad_seq = None;
        self.transit = None;
        arrival
    }

    fn count(&mut self, packet: &RtpPacket<'_>) {
        self.counters.packets += 1;
        self.counters.octets += packet.payload().len() as u64;
    }

    fn update_jitter(&mut self, received: Time, timestamp: u32, clock_rate: u32) {
        if clock_rate != self.clock_rate {
            let scale = f64::from(clock_rate) / f64::from(self.clock_rate.max(1));
            self.jitter = self.jitter.map(|j| j * scale);
            self.clock_rate = clock_rate;
            self.transit = None;
        }
        let arrival = u128::from(received.nanos()) * u128::from(clock_rate) / 1_000_000_000;
        let transit = (arrival as u32).wrapping_sub(timestamp);
        if let Some(previous) = self.transit.replace(transit) {
            let d = f64::from((transit.wrapping_sub(previous) as i32).unsigned_abs());
            let jitter = self.jitter.get_or_insert(0.0);
            *jitter += (d - *jitter) / 16.0;
        }
    }
}

impl Numbering {
    /// The timestamp that agrees with `timestamp` in its lower 32 bits and lies nearest to the highest one.
    fn extend(&mut self, timestamp: u32) -> u64 {
        let difference = timestamp.wrapping_sub(self.timestamp as u32) as i32;
        let extended = self.timestamp.saturating_add_signed(i64::from(difference));
        self.timestamp = self.timestamp.max(extended);
        extended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::RtpHeader;
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng};

    fn receive_at(s: &mut Source, received: Time, seq: u16, timestamp: u32) -> Arrival {
        let header = RtpHeader { marker: false, payload_type: 0, seq, timestamp, ssrc: 1 };
        s.receive(received, &header.with_payload(&[0; 10]), 8_000)
    }

    fn receive(s: &mut Source, seq: u16) -> Arrival {
        receive_at(s, Time::ZERO, seq, u32::from(seq) * 160)
    }

    fn seq_of(arrival: Arrival) -> (u64, bool) {
        match arrival {
            Arrival::Accepted { seq, restarted, .. } => (seq, restarted),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_source_is_valid_after_two_packets_in_sequence() {
        let mut s = Source::new();
        receive(&mut s, 10);
        assert!(!s.is_valid());
        receive(&mut s, 12);
        assert!(!s.is_valid());
        receive(&mut s, 13);
        assert!(s.is_valid());
        assert_eq!((s.counters().packets, s.lost()), (3, 1));
    }

    #[test]
    fn sequence_numbers_and_timestamps_go_on_past_their_wraps() {
        let mut s = Source::new();
        let mut at = |seq, timestamp| receive_at(&mut s, Time::ZERO, seq, timestamp);
        assert_eq!(
            at(65_534, 0xffff_ff00),
            Arrival::Accepted { seq: 0x1_fffe, timestamp: 0x1_ffff_ff00, restarted: false }
        );
        assert_eq!(
            at(1, 0x20),
            Arrival::Accepted { seq: 0x2_0001, timestamp: 0x2_0000_0020, restarted: false }
        );
        assert_eq!(
            at(65_535, 0xffff_ffa0),
            Arrival::Accepted { seq: 0x1_ffff, timestamp: 0x1_ffff_ffa0, restarted: false }
        );
        assert_eq!(s.lost(), 1);
        assert_eq!(s.report(1).unwrap().highest_seq, 0x1_0001);
    }

    #[test]
    fn a_packet_from_before_the_first_one_has_a_number_too() {
        let mut s = Source::new();
        assert_eq!(seq_of(receive(&mut s, 0)), (0x1_0000, false));
        assert_eq!(seq_of(receive(&mut s, 65_535)), (0xffff, false));
        assert_eq!((s.lost(), s.counters().reordered), (0, 1));
    }

    #[test]
    fn a_lone_jump_is_dropped_and_two_in_sequence_restart_the_stream() {
        let mut s = Source::new();
        receive(&mut s, 100);
        receive(&mut s, 101);
        assert_eq!(receive(&mut s, 40_000), Arrival::Jumped);
        assert_eq!(seq_of(receive(&mut s, 103)), (0x1_0067, false));
        assert_eq!(s.counters().jumped, 1);
        assert_eq!(receive(&mut s, 40_100), Arrival::Jumped);
        assert_eq!(seq_of(receive(&mut s, 40_101)), (0x1_0000 + 40_101, true));
        s.reclaim(10);
        let c = s.counters();
        assert_eq!((c.packets, c.octets, c.jumped, c.restarts), (5, 50, 1, 1));
        assert_eq!(s.lost(), 1, "the loss from before the restart stays counted");
        assert_eq!(receive(&mut s, 40_100), Arrival::Duplicate, "the reclaimed packet is known");
        assert_eq!(s.report(1).unwrap().highest_seq, 40_101);
    }

    #[test]
    fn the_borders_of_dropout_and_misorder_are_those_of_the_rfc() {
        let valid = || {
            let mut s = Source::new();
            receive(&mut s, 999);
            receive(&mut s, 1_000);
            s
        };
        assert_eq!(seq_of(receive(&mut valid(), 3_999)), (0x1_0000 + 3_999, false));
        assert_eq!(receive(&mut valid(), 4_000), Arrival::Jumped);
        assert_eq!(seq_of(receive(&mut valid(), 901)), (0x1_0000 + 901, false));
        assert_eq!(receive(&mut valid(), 900), Arrival::Jumped);
    }

    #[test]
    fn a_source_that_is_not_valid_yet_begins_anew_with_a_jump() {
        let mut s = Source::new();
        receive(&mut s, 5);
        assert_eq!(seq_of(receive(&mut s, 30_000)), (0x1_0000 + 30_000, true));
        assert!(!s.is_valid());
        assert_eq!(s.lost(), 0);
    }

    #[test]
    fn the_fraction_lost_covers_one_interval() {
        let mut s = Source::new();
        for seq in [0, 1, 2, 4] {
            receive(&mut s, seq);
        }
        let first = s.report(7).unwrap();
        assert_eq!((first.ssrc, first.fraction_lost, first.cumulative_lost), (7, 51, 1));
        receive(&mut s, 5);
        let second = s.report(7).unwrap();
        assert_eq!((second.fraction_lost, second.cumulative_lost), (0, 1));
        for _ in 0..3 {
            receive(&mut s, 5);
        }
        let third = s.report(7).unwrap();
        assert_eq!((third.fraction_lost, third.cumulative_lost), (0, -2));
        let nothing_new = s.report(7).unwrap();
        assert_eq!(nothing_new.fraction_lost, 0);
    }

    #[test]
    fn jitter_is_that_of_the_rfc_in_plain_floating_point() {
        let mut rng = ChaCha20Rng::from_seed([3; 32]);
        let mut s = Source::new();
        let (mut jitter, mut previous) = (0.0f64, None::<f64>);
        for i in 0..2_000u32 {
            // Whole ticks of 8 kHz, so that the reference need not know how arrival times are rounded.
            let arrival_ticks = 1_000 + i * 160 + rng.next_u32() % 400;
            let timestamp = i * 160;
            receive_at(&mut s, Time::from_nanos(u64::from(arrival_ticks) * 125_000), i as u16, timestamp);
            let transit = f64::from(arrival_ticks) - f64::from(timestamp);
            if let Some(previous) = previous.replace(transit) {
                jitter += ((transit - previous).abs() - jitter) / 16.0;
            }
        }
        assert!(jitter > 50.0);
        assert_eq!(s.report(1).unwrap().jitter, jitter as u32);
        let measured = s.jitter().unwrap().as_secs_f64() * 8_000.0;
        assert!((measured - jitter).abs() < 1e-3, "{measured} {jitter}");
    }

    #[test]
    fn seeded_loss_reordering_and_duplication_are_counted_exactly() {
        let mut rng = ChaCha20Rng::from_seed([9; 32]);
        let (mut lost, mut duplicate, mut octets) = (0i64, 0u64, 0u64);
        // (arrival slot, sequence number): reordering puts a packet a few slots later.
        let mut arrivals: Vec<(u32, u16)> = Vec::new();
        let count = 200_000u32;
        for i in 0..count {
            let dice = rng.next_u32() % 100;
            // The first and the last packet arrive, or nobody could know that they were sent.
            if dice < 7 && i != 0 && i != count - 1 {
                lost += 1;
                continue;
            }
            let delay = if dice < 15 && i != 0 { rng.next_u32() % 50 } else { 0 };
            arrivals.push((i + delay, i as u16));
            if dice > 96 {
                duplicate += 1;
                arrivals.push((i + delay + rng.next_u32() % 20, i as u16));
            }
        }
        arrivals.sort_by_key(|(slot, _)| *slot);
        let mut s = Source::new();
        let (mut highest, mut reordered) = (None::<u16>, 0u64);
        let mut seen = std::collections::HashSet::new();
        let mut base = 0u64;
        for (slot, seq) in &arrivals {
            let before = highest.is_some_and(|h: u16| (seq.wrapping_sub(h) as i16) < 0);
            highest = if before { highest } else { Some(*seq) };
            // Numbers come round: forget what is half a round away.
            if u64::from(*slot) > base + 20_000 {
                base = u64::from(*slot);
                seen.retain(|s: &u16| seq.wrapping_sub(*s) < 10_000);
            }
            reordered += u64::from(seen.insert(*seq) && before);
            receive(&mut s, *seq);
            octets += 10;
        }
        let c = s.counters();
        assert!(lost > 10_000 && duplicate > 4_000 && reordered > 10_000);
        assert_eq!(c.duplicate, duplicate);
        assert_eq!(c.reordered, reordered);
        assert_eq!(c.packets, arrivals.len() as u64);
        assert_eq!(c.octets, octets);
        assert_eq!(c.jumped, 0);
        assert_eq!(s.lost(), lost - duplicate as i64);
    }
}
