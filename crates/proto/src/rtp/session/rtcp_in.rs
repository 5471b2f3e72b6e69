//! RTCP in: RFC 3550 sections 6.3.3, 6.3.4 and 6.4; feedback of RFC 4585 and RFC 5104.

use super::receive::Channel;
use super::{ClockMapping, Dropped, KeyframeMethod, MappingOrigin, RemoteReport, RtcpEvent, Session};
use crate::rtp::rtcp::{
    Bye, Compound, FeedbackControl, KeyframeRequest, Packet, PayloadFeedback, ReportBlock, SenderReport,
    TransportFeedback,
};
use crate::time::Time;
use std::net::SocketAddr;
use std::time::Duration;

impl Session {
    /// Whether something in `compound` is about our SSRC or comes from a source known here.
    pub(super) fn concerns(&self, compound: &Compound<'_>) -> bool {
        let ours = self.sender.ssrc();
        let known = |ssrc| ssrc == ours || self.remotes.find(ssrc).is_some();
        compound.packets().flatten().any(|packet| match packet {
            Packet::SenderReport(r) => known(r.ssrc) || r.blocks().any(|b| b.ssrc == ours),
            Packet::ReceiverReport(r) => known(r.ssrc) || r.blocks().any(|b| b.ssrc == ours),
            Packet::Sdes(s) => s.cnames().any(|(ssrc, _)| known(ssrc)),
            Packet::Bye(b) => b.sources().any(known),
            Packet::TransportFeedback(f) => f.media == ours || known(f.sender),
            Packet::PayloadFeedback(f) => f.media == ours || known(f.sender) || asks(&f, ours).is_some(),
            Packet::Other { .. } => false,
        })
    }

    pub(super) fn take(
        &mut self,
        received: Time,
        from: SocketAddr,
        compound: &Compound<'_>,
    ) -> Vec<RtcpEvent> {
        if compound.is_reduced_size() && !self.rtcp.accept_reduced_size {
            self.counters.rtcp_refused += 1;
            return Vec::new();
        }
        self.counters.rtcp_received += 1;
        self.interval.heard(compound.data().len());
        let mut events = Vec::new();
        for packet in compound.packets() {
            match packet {
                Ok(packet) => self.take_packet(received, from, packet, &mut events),
                Err(_) => self.counters.rtcp_malformed += 1,
            }
        }
        events
    }

    fn take_packet(
        &mut self,
        received: Time,
        from: SocketAddr,
        packet: Packet<'_>,
        events: &mut Vec<RtcpEvent>,
    ) {
        match packet {
            Packet::SenderReport(report) => {
                if self.heard(report.ssrc, received, from, events) {
                    self.take_sender_report(received, &report, events);
                    self.take_blocks(received, report.ssrc, report.blocks(), events);
                }
            }
            Packet::ReceiverReport(report) => {
                if self.heard(report.ssrc, received, from, events) {
                    self.take_blocks(received, report.ssrc, report.blocks(), events);
                }
            }
            Packet::Bye(bye) => self.take_bye(received, &bye, events),
            Packet::TransportFeedback(feedback) => self.take_transport_feedback(&feedback, events),
            Packet::PayloadFeedback(feedback) => self.take_payload_feedback(received, &feedback, events),
            // The CNAME of a peer is of no use here: its sections are known by the call.
            Packet::Sdes(_) => {}
            Packet::Other { .. } => self.counters.rtcp_ignored += 1,
        }
    }

    /// Notes a sign of life; false where it carries our own SSRC.
    fn heard(&mut self, ssrc: u32, now: Time, from: SocketAddr, events: &mut Vec<RtcpEvent>) -> bool {
        if ssrc == self.sender.ssrc() {
            let dropped = self.collide(now, from, Channel::Rtcp);
            self.counters.count(&dropped);
            if let Dropped::Collision { old, new } = dropped {
                events.push(RtcpEvent::Collision { old, new });
            }
            return false;
        }
        self.remotes.entry(ssrc, now);
        true
    }

    fn take_sender_report(&mut self, received: Time, report: &SenderReport<'_>, events: &mut Vec<RtcpEvent>) {
        let ntp = report.info.ntp;
        let Some(remote) = self.remotes.find_mut(report.ssrc) else { return };
        remote.last_sr = Some(((ntp >> 16) as u32, received));
        events.push(RtcpEvent::ClockMapping(ClockMapping {
            ssrc: report.ssrc,
            ntp,
            rtp_timestamp: report.info.rtp_timestamp,
            received,
            origin: MappingOrigin::SenderReport,
        }));
    }

    fn take_blocks(
        &mut self,
        received: Time,
        from: u32,
        mut blocks: impl Iterator<Item = ReportBlock>,
        events: &mut Vec<RtcpEvent>,
    ) {
        let ours = self.sender.ssrc();
        let Some(block) = blocks.find(|b| b.ssrc == ours) else { return };
        let jitter = f64::from(block.jitter) / f64::from(self.sender.clock_rate());
        let report = RemoteReport {
            from,
            fraction_lost: f64::from(block.fraction_lost) / 256.0,
            cumulative_lost: block.cumulative_lost,
            highest_seq: block.highest_seq,
            jitter: Duration::from_secs_f64(jitter),
            round_trip: round_trip(received, &block),
        };
        self.round_trip = report.round_trip.or(self.round_trip);
        self.remote_loss = Some(report.fraction_lost);
        events.push(RtcpEvent::Report(report));
    }

    fn take_bye(&mut self, now: Time, bye: &Bye<'_>, events: &mut Vec<RtcpEvent>) {
        for ssrc in bye.sources() {
            let Some(remote) = self.remotes.find_mut(ssrc) else { continue };
            remote.said_bye = true;
            remote.source.set_invalid();
            if self.remotes.active == Some(ssrc) {
                self.remotes.active = None;
            }
            events.push(RtcpEvent::Bye { ssrc, reason: bye.reason() });
        }
        let members = self.members(now).members;
        self.interval.left(now, members);
    }

    fn take_transport_feedback(&mut self, feedback: &TransportFeedback<'_>, events: &mut Vec<RtcpEvent>) {
        match feedback.control() {
            FeedbackControl::Known(nack) if feedback.media == self.sender.ssrc() => {
                let lost: Vec<u16> = nack.lost().collect();
                self.counters.nacked += lost.len() as u64;
                events.push(RtcpEvent::Nack { from: feedback.sender, lost });
            }
            _ => self.counters.rtcp_ignored += 1,
        }
    }

    fn take_payload_feedback(
        &mut self,
        now: Time,
        feedback: &PayloadFeedback<'_>,
        events: &mut Vec<RtcpEvent>,
    ) {
        let ours = self.sender.ssrc();
        let from = feedback.sender;
        let method = match asks(feedback, ours) {
            Some(Asks::Pli) => KeyframeMethod::Pli,
            Some(Asks::Fir(seq)) => {
                if from == ours || self.remotes.entry(from, now).last_fir.replace(seq) == Some(seq) {
                    self.counters.fir_repeated += 1;
                    return;
                }
                KeyframeMethod::Fir
            }
            None => {
                self.counters.rtcp_ignored += 1;
                return;
            }
        };
        self.counters.keyframe_requests += 1;
        events.push(RtcpEvent::KeyframeRequest { from, method });
    }
}

enum Asks {
    Pli,
    Fir(u8),
}

/// Whether feedback asks `ours` for a key frame.
fn asks(feedback: &PayloadFeedback<'_>, ours: u32) -> Option<Asks> {
    match feedback.control() {
        FeedbackControl::Known(KeyframeRequest::Pli) => (feedback.media == ours).then_some(Asks::Pli),
        FeedbackControl::Known(KeyframeRequest::Fir(fir)) => {
            fir.entries().find(|(ssrc, _)| *ssrc == ours).map(|(_, seq)| Asks::Fir(seq))
        }
        FeedbackControl::Other(_) => None,
    }
}

/// RFC 3550 section 6.4.1, figure 2. `None` without a report to answer, or where the figures make no sense.
fn round_trip(received: Time, block: &ReportBlock) -> Option<Duration> {
    if block.last_sr == 0 {
        return None;
    }
    let since_sr = received.ntp_middle().wrapping_sub(block.last_sr);
    let trip = since_sr.wrapping_sub(block.delay_since_last_sr) as i32;
    // Rounding can make a short one negative by a few units of 15 us.
    let trip = if (-64..0).contains(&trip) { 0 } else { trip };
    let units = u64::try_from(trip).ok()?;
    Some(Duration::from_nanos(units * 1_000_000_000 / 65_536))
}
