//! RTCP out: reports on the timer (RFC 3550 section 6.3.6), requests for key frames as soon as they may go,
//! BYE.
//!
//! Early feedback follows RFC 4585 section 3.5.2 for two parties, where it need not be dithered, with one
//! simplification: instead of one early packet per report interval, requests keep
//! `RtcpConfig::keyframe_interval` between each other.

use super::{KeyframeMethod, Session};
use crate::rtp::rtcp::report::{MAX_BLOCKS, write_receiver_report, write_sender_report};
use crate::rtp::rtcp::{
    ReportBlock, bye::write_bye, feedback::write_fir, feedback::write_pli, sdes::write_cname,
};
use crate::time::Time;
use bytes::Bytes;
use std::time::Duration;

/// Where a session stands on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// A BYE is to be sent, since then.
    Closing(Time),
    Closed,
}

/// A request for a key frame that has not gone out.
#[derive(Clone, Copy, Debug)]
pub(super) struct PendingRequest {
    pub(super) method: KeyframeMethod,
    pub(super) due: Time,
}

impl Session {
    pub(super) fn next_rtcp(&mut self, now: Time) -> Option<Bytes> {
        let mut out = Vec::new();
        if let Some((old, _)) = self.byes.pop() {
            write_receiver_report(&mut out, old, &[]);
            write_cname(&mut out, old, &self.cname);
            write_bye(&mut out, old);
            self.interval.heard(out.len());
            return Some(self.sent_rtcp(out));
        }
        match self.phase {
            Phase::Closed => return None,
            Phase::Closing(_) => {
                self.phase = Phase::Closed;
                if !self.has_spoken() {
                    return None;
                }
                self.write_report(now, &mut out);
                write_bye(&mut out, self.sender.ssrc());
                return Some(self.sent_rtcp(out));
            }
            Phase::Open => {}
        }
        let members = self.members(now);
        let regular = self.interval.expired(now, members, &mut self.rng);
        let request = self.request.take_if(|r| r.due <= now);
        if !regular && request.is_none() {
            return None;
        }
        if regular || !self.rtcp.send_reduced_size {
            self.write_report(now, &mut out);
        }
        if let Some(request) = request {
            self.write_request(now, request.method, &mut out);
        }
        if out.is_empty() {
            return None;
        }
        if regular {
            self.reports = [Some(now), self.reports[0]];
            self.interval.sent(now, out.len(), members, &mut self.rng);
        } else {
            self.interval.heard(out.len());
        }
        Some(self.sent_rtcp(out))
    }

    /// Puts a request in line; one that waits already stays, and becomes the stronger of the two.
    pub(super) fn queue_request(&mut self, now: Time, method: KeyframeMethod) {
        let due = match self.last_request {
            Some(last) => now.max(last + self.rtcp.keyframe_interval),
            None => now,
        };
        let method = match self.request {
            Some(PendingRequest { method: KeyframeMethod::Fir, .. }) => KeyframeMethod::Fir,
            _ => method,
        };
        self.request = Some(PendingRequest { method, due });
    }

    /// A report with blocks about the sources that sent since the last one, and the CNAME.
    fn write_report(&mut self, now: Time, out: &mut Vec<u8>) {
        let since = self.reported.replace(now);
        let fresh = |r: &&mut super::remote::Remote| {
            r.source.is_valid() && r.last_rtp.is_some_and(|t| since.is_none_or(|since| t > since))
        };
        let mut blocks = Vec::new();
        for remote in self.remotes.iter_mut().filter(fresh).take(MAX_BLOCKS) {
            let (last_sr, delay) = remote.last_sr.map_or((0, 0), |(sr, at)| (sr, units(now - at)));
            let block = remote.source.report(remote.ssrc);
            blocks.extend(block.map(|b| ReportBlock { last_sr, delay_since_last_sr: delay, ..b }));
        }
        let ssrc = self.sender.ssrc();
        let info = self.sender.info(now).filter(|_| self.we_sent());
        match info {
            Some(info) => write_sender_report(out, ssrc, &info, &blocks),
            None => write_receiver_report(out, ssrc, &blocks),
        }
        write_cname(out, ssrc, &self.cname);
    }

    fn write_request(&mut self, now: Time, method: KeyframeMethod, out: &mut Vec<u8>) {
        let Some(media) = self.remotes.active else { return };
        let ssrc = self.sender.ssrc();
        match method {
            KeyframeMethod::Pli => write_pli(out, ssrc, media),
            KeyframeMethod::Fir => {
                self.fir_seq = self.fir_seq.wrapping_add(1);
                write_fir(out, ssrc, media, self.fir_seq);
            }
        }
        self.last_request = Some(now);
        self.counters.keyframes_asked += 1;
    }

    fn sent_rtcp(&mut self, out: Vec<u8>) -> Bytes {
        self.counters.rtcp_sent += 1;
        out.into()
    }
}

/// In 1/65536 s.
fn units(duration: Duration) -> u32 {
    (duration.as_nanos().saturating_mul(65_536) / 1_000_000_000).min(u128::from(u32::MAX)) as u32
}
