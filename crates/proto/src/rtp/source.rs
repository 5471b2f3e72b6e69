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
#[path = "source_tests.rs"]
mod tests;
