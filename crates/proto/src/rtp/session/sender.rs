//! The sending half: sequence numbers, timestamps and what sender reports say.

use crate::rtp::rtcp::SenderInfo;
use crate::rtp::{Extension, RtpHeader};
use crate::time::Time;
use bytes::Bytes;
use std::time::Duration;

/// Sound whose capture time runs ahead of its samples by more than this has a gap.
const GAP: Duration = Duration::from_millis(60);

#[derive(Debug)]
pub(super) struct Sender {
    ssrc: u32,
    seq: u16,
    clock_rate: u32,
    first_timestamp: u32,
    /// A capture time and its timestamp, from which pictures count.
    epoch: Option<(Time, u32)>,
    last: Option<LastFrame>,
    last_sent: Option<Time>,
    packets: u64,
    octets: u64,
    /// What of these was sent with SSRCs from before a collision: reports count from there (RFC 3550
    /// section 6.4.1).
    earlier: (u64, u64),
}

#[derive(Clone, Copy, Debug)]
struct LastFrame {
    captured: Time,
    timestamp: u32,
    duration: u32,
}

impl Sender {
    pub(super) fn new(ssrc: u32, seq: u16, first_timestamp: u32, clock_rate: u32) -> Self {
        Sender {
            ssrc,
            seq,
            clock_rate: nonzero(clock_rate),
            first_timestamp,
            epoch: None,
            last: None,
            last_sent: None,
            packets: 0,
            octets: 0,
            earlier: (0, 0),
        }
    }

    pub(super) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Goes on with another SSRC.
    pub(super) fn change_ssrc(&mut self, ssrc: u32) {
        self.ssrc = ssrc;
        self.earlier = (self.packets, self.octets);
    }

    pub(super) fn clock_rate(&self) -> u32 {
        self.clock_rate
    }

    pub(super) fn set_clock_rate(&mut self, clock_rate: u32) {
        self.clock_rate = nonzero(clock_rate);
        self.epoch = self.last.map(|l| (l.captured, l.timestamp));
    }

    /// See [`Session::timestamp`](super::Session::timestamp).
    pub(super) fn timestamp(&mut self, captured: Time, duration: u32) -> u32 {
        let (epoch, first) = *self.epoch.get_or_insert((captured, self.first_timestamp));
        let timestamp = match self.last {
            Some(last) if duration != 0 => {
                let counted = last.timestamp.wrapping_add(last.duration);
                let by_capture = self.at(last.captured, last.timestamp, captured);
                let ahead = by_capture.wrapping_sub(counted) as i32;
                let gap = (GAP.as_millis() as u64 * u64::from(self.clock_rate) / 1_000) as i32;
                if ahead > gap { by_capture } else { counted }
            }
            _ => self.at(epoch, first, captured),
        };
        self.last = Some(LastFrame { captured, timestamp, duration });
        timestamp
    }

    /// See [`Session::timestamp_at`](super::Session::timestamp_at).
    pub(super) fn timestamp_at(&mut self, now: Time) -> u32 {
        let (time, timestamp) = match self.last {
            Some(last) => (last.captured, last.timestamp),
            None => *self.epoch.get_or_insert((now, self.first_timestamp)),
        };
        self.at(time, timestamp, now)
    }

    /// Builds a packet; `now` is when it goes out.
    pub(super) fn send(
        &mut self,
        now: Time,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        extension: Option<&Extension>,
        payload: &[u8],
    ) -> Bytes {
        let header = RtpHeader { marker, payload_type, seq: self.seq, timestamp, ssrc: self.ssrc };
        let mut packet = header.with_payload(payload);
        if let Some(extension) = extension {
            packet = packet.extended(extension);
        }
        let mut out = Vec::new();
        packet.write(&mut out);
        self.seq = self.seq.wrapping_add(1);
        self.packets += 1;
        self.octets += payload.len() as u64;
        self.last_sent = Some(now);
        out.into()
    }

    /// See [`Session::ntp`](super::Session::ntp).
    pub(super) fn ntp(&self, now: Time, timestamp: u32) -> Option<u64> {
        let last = self.last?;
        let behind = self.at(last.captured, last.timestamp, now).wrapping_sub(timestamp) as i32;
        let units = (i128::from(behind) << 32) / i128::from(self.clock_rate);
        // The sum wraps as NTP timestamps do.
        Some(now.ntp().wrapping_sub(units as u64))
    }

    /// When the last packet went out.
    pub(super) fn last_sent(&self) -> Option<Time> {
        self.last_sent
    }

    /// Packets and payload octets sent, with all SSRCs.
    pub(super) fn sent(&self) -> (u64, u64) {
        (self.packets, self.octets)
    }

    /// What a sender report at `now` says; `None` before the first frame.
    pub(super) fn info(&self, now: Time) -> Option<SenderInfo> {
        let last = self.last?;
        Some(SenderInfo {
            ntp: now.ntp(),
            rtp_timestamp: self.at(last.captured, last.timestamp, now),
            // The fields have 32 bits and wrap.
            packets: (self.packets - self.earlier.0) as u32,
            octets: (self.octets - self.earlier.1) as u32,
        })
    }

    /// The timestamp of `time`, where `timestamp` is that of `epoch`.
    fn at(&self, epoch: Time, timestamp: u32, time: Time) -> u32 {
        let nanos = i128::from(time.nanos()) - i128::from(epoch.nanos());
        // To the nearest tick, so that 33.33 ms at 90 kHz are 3000 ticks.
        let ticks = (nanos * i128::from(self.clock_rate) + 500_000_000).div_euclid(1_000_000_000);
        timestamp.wrapping_add(ticks as u32)
    }
}

fn nonzero(clock_rate: u32) -> u32 {
    if clock_rate == 0 { 8_000 } else { clock_rate }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::RtpPacket;

    fn ms(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn pictures_get_their_capture_time() {
        let mut s = Sender::new(1, 0, 0xffff_fff0, 90_000);
        assert_eq!(s.timestamp(ms(500), 0), 0xffff_fff0);
        assert_eq!(s.timestamp(ms(540), 0), 0xffff_fff0u32.wrapping_add(3_600));
        assert_eq!(s.timestamp(Time::from_nanos(533_333_333), 0), 0xffff_fff0u32.wrapping_add(3_000));
        assert_eq!(s.timestamp(ms(499), 0), 0xffff_fff0 - 90);
    }

    #[test]
    fn sound_counts_its_samples_and_jumps_over_gaps_alone() {
        let mut s = Sender::new(1, 0, 1_000, 8_000);
        assert_eq!(s.timestamp(ms(100), 160), 1_000);
        assert_eq!(s.timestamp(ms(150), 160), 1_160, "30 ms late");
        assert_eq!(s.timestamp(ms(140), 240), 1_320, "back in time");
        assert_eq!(s.timestamp(ms(170), 160), 1_560, "30 ms of sound before it");
        assert_eq!(s.timestamp(ms(1_170), 160), 9_560, "a second of silence");
    }

    #[test]
    fn a_report_extrapolates_the_last_frame() {
        let mut s = Sender::new(1, 0, 1_000, 8_000);
        assert_eq!(s.info(ms(0)), None);
        let ts = s.timestamp(ms(100), 160);
        s.send(ms(120), 0, false, ts, None, &[0; 160]);
        s.send(ms(121), 0, false, ts, None, &[0; 40]);
        let info = s.info(ms(130)).unwrap();
        assert_eq!((info.rtp_timestamp, info.packets, info.octets), (1_240, 2, 200));
        assert_eq!(info.ntp, ms(130).ntp());
        s.change_ssrc(2);
        s.send(ms(140), 0, false, ts, None, &[0; 7]);
        let info = s.info(ms(150)).unwrap();
        assert_eq!((info.packets, info.octets, s.sent()), (1, 7, (3, 207)));
    }

    #[test]
    fn the_wall_clock_time_of_a_timestamp_is_that_of_the_report_that_is_sent_meanwhile() {
        let offset = 1_700_000_000_000_000_000;
        let at = |millis| ms(millis).with_unix_offset(offset);
        let mut s = Sender::new(1, 0, u32::MAX - 100, 90_000);
        assert_eq!(s.ntp(at(0), 0), None);
        let first = s.timestamp(at(100), 0);
        let second = s.timestamp(at(140), 0);
        // A quarter of a tick is lost where both are rounded to ticks.
        let close = |a: u64, b: u64| a.abs_diff(b) <= (1 << 32) / 90_000;
        assert!(close(s.ntp(at(160), second).unwrap(), at(140).ntp()));
        assert!(close(s.ntp(at(160), first).unwrap(), at(100).ntp()));
        let report = s.info(at(160)).unwrap();
        assert!(close(s.ntp(at(160), report.rtp_timestamp).unwrap(), report.ntp));
        // A picture whose time of capture lies ahead of the clock that is read.
        let third = s.timestamp(at(200), 0);
        assert!(close(s.ntp(at(180), third).unwrap(), at(200).ntp()));
    }

    #[test]
    fn timestamps_go_on_when_the_clock_rate_changes() {
        let mut s = Sender::new(1, 0, 0, 8_000);
        assert_eq!(s.timestamp(ms(0), 0), 0);
        assert_eq!(s.timestamp(ms(1_000), 0), 8_000);
        s.set_clock_rate(48_000);
        assert_eq!(s.timestamp(ms(1_010), 0), 8_480);
    }

    #[test]
    fn packets_carry_consecutive_numbers_past_the_wrap() {
        let mut s = Sender::new(0x0102_0304, 65_535, 0, 8_000);
        let a = s.send(ms(0), 96, true, 7, None, &[1, 2]);
        let b = s.send(ms(0), 96, false, 8, None, &[3]);
        let (a, b) = (RtpPacket::parse(&a).unwrap(), RtpPacket::parse(&b).unwrap());
        assert_eq!((a.seq, a.marker, a.timestamp, a.payload()), (65_535, true, 7, &[1u8, 2][..]));
        assert_eq!((b.seq, b.marker, b.ssrc, b.payload_type), (0, false, 0x0102_0304, 96));
    }
}
