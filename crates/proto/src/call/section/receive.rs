//! What a section receives: RTP through the jitter buffer to frames, and RTCP.

use super::MediaSection;
use crate::agent::core::Core;
use crate::call::convert;
use crate::io::{Datagram, Event, NotDone};
use crate::limits::Limits;
use crate::rtp::MediaPacket;
use crate::rtp::jitter::Item;
use crate::rtp::payload::{Depacketizer, Packet, PayloadFormat, telephone_event};
use crate::rtp::rtcp::Compound;
use crate::rtp::session::{ClockMapping, KeyframeMethod, MappingOrigin, RtcpEvent};
use crate::time::Time;
use std::time::Duration;

/// The most orientations that wait for their pictures to be whole.
const MAX_TURNS: usize = 32;

impl MediaSection {
    /// Takes an RTP packet; whether it was one of this section's.
    pub(crate) fn rtp(&mut self, now: Time, core: &mut Core, datagram: &Datagram<'_>) -> bool {
        let delivery = match self.session.receive(datagram.received, datagram.remote, datagram.data) {
            Ok(delivery) => delivery,
            Err(error) => {
                tracing::trace!(%error, call = self.call.0, section = self.index, "RTP dropped");
                core.counters.dropped.rtp_refused += 1;
                return false;
            }
        };
        if !self.confirmed {
            // RFC 4961: media go to where media come from.
            if self.remote_rtp != Some(datagram.remote) {
                tracing::debug!(from = ?self.remote_rtp, to = %datagram.remote, "media go to where they come from");
                if self.remote_rtcp == self.remote_rtp || self.remote_rtcp.is_none() {
                    self.remote_rtcp = Some(datagram.remote);
                }
                self.remote_rtp = Some(datagram.remote);
            }
            self.confirmed = true;
        }
        for packet in delivery {
            if let Some(ntp) = packet.extensions.ntp {
                self.clock.map(ClockMapping {
                    ssrc: packet.ssrc,
                    ntp: ntp.bits(),
                    rtp_timestamp: packet.timestamp as u32,
                    received: packet.received,
                    origin: MappingOrigin::HeaderExtension,
                });
            }
            if self.arriving.is_none_or(|(timestamp, _)| timestamp != packet.timestamp) {
                self.arriving = Some((packet.timestamp, packet.received));
            }
            self.jitter.push(now, packet);
        }
        self.release(now, core);
        true
    }

    /// For how long the frame that arrived last has been arriving.
    pub(crate) fn spread(&self, now: Time) -> Duration {
        self.arriving.map_or(Duration::ZERO, |(_, first)| now - first)
    }

    /// Passes on what the jitter buffer lets go.
    pub(crate) fn release(&mut self, now: Time, core: &mut Core) {
        while let Some(item) = self.jitter.poll(now) {
            match item {
                Item::Packet { packet, play_at } => self.packet(core, packet, play_at),
                Item::Lost { count } => {
                    if let Some((_, _, depacketizer)) = &mut self.depacketizer {
                        depacketizer.loss(count);
                    }
                }
                Item::Restart => {
                    if let Some((_, _, depacketizer)) = &mut self.depacketizer {
                        depacketizer.finish();
                    }
                    self.deliver(core);
                    self.depacketizer = None;
                    self.turns.clear();
                    self.rotation = None;
                }
            }
            self.deliver(core);
        }
        while let Some(event) = self.events_in.as_mut().and_then(|e| e.poll(now)) {
            if let Some(digit) = telephone_event::digit(event.code) {
                core.event(Event::Dtmf { call: self.call, digit, duration: event.duration });
            }
        }
    }

    fn packet(&mut self, core: &Core, packet: MediaPacket, play_at: Time) {
        let is_event = self.agreed.telephone_events.receive.iter().any(|(pt, _)| *pt == packet.payload_type);
        let payload_type = packet.payload_type;
        let clock_rate = packet.clock_rate;
        let play_at = self.clock.play_at(packet.ssrc, packet.timestamp, clock_rate, play_at);
        if let Some(orientation) = packet.extensions.orientation {
            if self.turns.len() >= MAX_TURNS {
                self.turns.pop_front();
            }
            self.turns.push_back((packet.timestamp, orientation.rotation));
        }
        let packet = Packet {
            payload: packet.payload,
            timestamp: packet.timestamp,
            sequence: packet.seq,
            marker: packet.marker,
            received: packet.received,
            play_at,
        };
        if is_event {
            if let Some(events) = &mut self.events_in {
                events.push(&packet);
            }
            return;
        }
        if let Some(depacketizer) = self.depacketizer_for(payload_type, clock_rate, &core.config.limits) {
            depacketizer.push(packet);
        }
    }

    fn depacketizer_for(&mut self, pt: u8, clock_rate: u32, limits: &Limits) -> Option<&mut Depacketizer> {
        if self.depacketizer.as_ref().is_none_or(|(format, ..)| format.payload_type != pt) {
            let format = self.agreed.received(pt)?.clone();
            let payload = convert::payload_format(&format);
            // A receiver of H.264 takes both packetization modes: a change between them loses nothing.
            let keep = matches!(
                (&self.depacketizer, &payload),
                (Some((_, PayloadFormat::H264(_), _)), PayloadFormat::H264(_))
            );
            match &mut self.depacketizer {
                Some((known, ..)) if keep => *known = format,
                slot => {
                    let depacketizer = Depacketizer::new(&payload, clock_rate, limits);
                    *slot = Some((format, payload, depacketizer));
                }
            }
        }
        self.depacketizer.as_mut().map(|(_, _, d)| d)
    }

    fn deliver(&mut self, core: &mut Core) {
        let Some((format, _, depacketizer)) = &mut self.depacketizer else { return };
        let Some(codec) = format.encoding.codec() else { return };
        while let Some(unit) = depacketizer.poll() {
            self.frames_received += 1;
            if !unit.complete {
                self.frames_dropped += 1;
            }
            while let Some((_, rotation)) = self.turns.front().filter(|(from, _)| *from <= unit.timestamp) {
                self.rotation = Some(*rotation);
                self.turns.pop_front();
            }
            let mut frame = unit.into_frame(codec, format.payload_type);
            frame.rotation = self.rotation.unwrap_or_default();
            core.event(Event::Frame { call: self.call, section: self.index, frame });
        }
    }

    /// Takes an RTCP packet.
    pub(crate) fn rtcp(&mut self, core: &mut Core, datagram: &Datagram<'_>, compound: &Compound<'_>) {
        for event in self.session.receive_rtcp(datagram.received, datagram.remote, compound) {
            match event {
                RtcpEvent::KeyframeRequest { .. } => self.keyframe_requested(),
                RtcpEvent::Collision { old, new } => {
                    core.release_ssrc(old);
                    tracing::debug!(old, new, "our SSRC collided with the peer's");
                }
                RtcpEvent::ClockMapping(mapping) => self.clock.map(mapping),
                RtcpEvent::Report(report) => {
                    self.loss_reported(datagram.received, report.fraction_lost, core)
                }
                RtcpEvent::Nack { .. } | RtcpEvent::Bye { .. } => {}
            }
        }
        if self.remote_rtcp.is_none() {
            self.remote_rtcp = Some(datagram.remote);
        }
    }

    /// Asks the peer for a key frame by RTCP, and says how; `None` where it understands neither PLI nor FIR.
    pub(crate) fn request_keyframe(&mut self, now: Time) -> Result<Option<&'static str>, NotDone> {
        let feedback = self.agreed.feedback;
        let (method, name) = match (feedback.pli, feedback.fir) {
            (true, _) => (KeyframeMethod::Pli, "PLI"),
            (false, true) => (KeyframeMethod::Fir, "FIR"),
            (false, false) => return Ok(None),
        };
        if self.session.request_keyframe(now, method) {
            Ok(Some(name))
        } else {
            Err(NotDone::because("no picture has come yet: nobody is there to be asked"))
        }
    }
}
