//! One media section of a call: its RTP session, its jitter buffer and its payload formats.

use super::announce::Announcer;
use super::convert;
use super::crypto::Crypto;
use crate::agent::core::Core;
use crate::frame::{EncodedFrame, MediaKind, Rotation};
use crate::io::{
    CallHandle, Datagram, EncoderTarget, Event, MediaFormat, NotDone, Output, PacketKind, SectionStats,
    SocketId, Transmit,
};
use crate::limits::Limits;
use crate::rtp::jitter::Item;
use crate::rtp::payload::telephone_event::{self, EventReceiver, EventSender};
use crate::rtp::payload::{Depacketizer, Packet, Packetizer, PayloadFormat, PayloadPacket};
use crate::rtp::playout::SectionClock;
use crate::rtp::rtcp::Compound;
use crate::rtp::session::{ClockMapping, KeyframeMethod, MappingOrigin, PayloadType, RtcpEvent};
use crate::rtp::{Extension, JitterBuffer, JitterConfig, MediaPacket, Session, SessionConfig};
use crate::sdp::{Encoding, Format, NegotiatedSection};
use crate::time::Time;
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// The interval of telephone-event updates, RFC 4733 section 2.5.1.2.
const EVENT_INTERVAL: Duration = Duration::from_millis(50);
/// Octets that IPv4, UDP and RTP headers add to a payload, for the pacer.
const OVERHEAD: usize = 40;
/// How long after the last report of loss a way is taken to lose packets: a few reports, which come every five seconds (RFC 3550
/// section 6.2).
const LOSSY_FOR: Duration = Duration::from_secs(30);
/// The most orientations that wait for their pictures to be whole.
const MAX_TURNS: usize = 32;

/// Where this side receives a section's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LocalPorts {
    pub(crate) rtp: (SocketId, SocketAddr),
    pub(crate) rtcp: (SocketId, SocketAddr),
}

/// A payload on its way to the pacer, which decides when it becomes an RTP packet.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) section: usize,
    payload_type: u8,
    marker: bool,
    timestamp: u32,
    extension: Option<Extension>,
    payload: Bytes,
}

pub(crate) struct MediaSection {
    call: CallHandle,
    index: usize,
    pub(crate) kind: MediaKind,
    pub(crate) session: Session,
    pub(crate) agreed: NegotiatedSection,
    pub(crate) ports: LocalPorts,
    remote_rtp: Option<SocketAddr>,
    remote_rtcp: Option<SocketAddr>,
    /// Whether RTP has come from where we send it: then nothing else moves it.
    confirmed: bool,
    jitter: JitterBuffer,
    /// The timestamp that arrived last, and when its first packet did.
    arriving: Option<(u64, Time)>,
    /// Holds the section's playout to that of the other one.
    pub(crate) clock: SectionClock,
    depacketizer: Option<(Format, PayloadFormat, Depacketizer)>,
    packetizer: Option<(Format, Packetizer)>,
    events_in: Option<EventReceiver>,
    events_out: Option<(u8, EventSender)>,
    /// What goes out in header extensions.
    announcer: Announcer,
    /// How pictures that arrive are to be turned: from which timestamp on, and what holds now.
    turns: VecDeque<(u64, Rotation)>,
    rotation: Option<Rotation>,
    target: Option<EncoderTarget>,
    /// When the peer last told of sound of ours that it missed.
    loss_told: Option<Time>,
    keyframe_sent: Option<Time>,
    keyframe_wanted: bool,
    talkspurt: bool,
    keyframe_interval: Duration,
    keyframes_requested: u64,
    frames_sent: u64,
    frames_received: u64,
    frames_dropped: u64,
}

impl MediaSection {
    pub(crate) fn new(
        now: Time,
        core: &mut Core,
        call: CallHandle,
        index: usize,
        ssrc: u32,
        cname: &str,
        (kind, agreed, ports): (MediaKind, NegotiatedSection, LocalPorts),
    ) -> Self {
        let clock_rate =
            agreed.send.first().or(agreed.receive.first()).map_or(8_000, |f| f.encoding.clock_rate());
        let mut config = SessionConfig::new(ssrc, cname.to_owned(), clock_rate, &mut core.rng);
        config.max_sources = core.config.limits.ssrcs;
        config.rtcp.session_bandwidth = bandwidth(kind, &agreed, core.config.video_bitrate);
        let session = Session::new(now, config, &mut core.rng);
        let jitter = match kind {
            MediaKind::Audio => JitterConfig::AUDIO,
            MediaKind::Video => JitterConfig::VIDEO,
        };
        let max_packets = core.config.limits.jitter_packets;
        let mut section = MediaSection {
            call,
            index,
            kind,
            session,
            ports,
            remote_rtp: None,
            remote_rtcp: None,
            confirmed: false,
            jitter: JitterBuffer::new(JitterConfig { max_packets, ..jitter }),
            arriving: None,
            clock: SectionClock::new(),
            depacketizer: None,
            packetizer: None,
            events_in: None,
            events_out: None,
            announcer: Announcer::default(),
            turns: VecDeque::new(),
            rotation: None,
            target: None,
            loss_told: None,
            keyframe_sent: None,
            keyframe_wanted: false,
            talkspurt: true,
            keyframe_interval: core.config.keyframe_interval,
            keyframes_requested: 0,
            frames_sent: 0,
            frames_received: 0,
            frames_dropped: 0,
            agreed: agreed.clone(),
        };
        section.agree(now, core, agreed);
        section
    }

    /// Takes over what a negotiation ended with.
    pub(crate) fn agree(&mut self, now: Time, core: &mut Core, agreed: NegotiatedSection) {
        let receive = agreed.receive.iter().map(|f| (f.payload_type, f.encoding.clock_rate()));
        let events = agreed.telephone_events.receive.iter().map(|(pt, e)| (*pt, e.clock_rate));
        let types = receive.chain(events);
        self.session.set_payload_types(
            types.map(|(number, clock_rate)| PayloadType { number, clock_rate }).collect(),
        );
        self.session.set_extensions(convert::extension_ids(&agreed.extensions, |e| e.direction.receives()));
        self.announcer.agree(convert::extension_ids(&agreed.extensions, |e| e.direction.sends()));
        for source in &agreed.remote_sources {
            self.session.expect_source(source.ssrc);
        }
        let reachable = |a: SocketAddr| a.is_ipv4() == self.ports.rtp.1.is_ipv4();
        if self.agreed.remote != agreed.remote || self.remote_rtp.is_none() {
            self.remote_rtp = agreed.remote.filter(|a| reachable(*a));
            self.remote_rtcp = agreed.remote_rtcp.filter(|a| reachable(*a));
            self.confirmed = false;
        }
        let resumed = agreed.direction.sends() && !self.agreed.direction.sends();
        let send = agreed.send.first();
        if self.packetizer.as_ref().map(|(f, _)| f) != send {
            self.packetizer = send.map(|f| (f.clone(), Packetizer::new(&convert::payload_format(f))));
            if let Some(format) = send {
                self.session.set_clock_rate(format.encoding.clock_rate());
            }
            self.talkspurt = true;
        }
        self.events_in =
            agreed.telephone_events.receive.first().map(|(_, e)| EventReceiver::new(e.clock_rate));
        self.events_out = agreed
            .telephone_events
            .send
            .as_ref()
            .map(|(pt, e)| (*pt, EventSender::new(e.clock_rate, EVENT_INTERVAL)));
        self.agreed = agreed;
        self.retarget(core, resumed.then_some(now));
    }

    /// Sends to `address` though the description named none that can be reached.
    pub(crate) fn fall_back_to(&mut self, address: SocketAddr) {
        let port = |a: Option<SocketAddr>| a.map(|a| a.port()).filter(|p| *p != 0);
        if self.remote_rtp.is_none()
            && let Some(rtp) = port(self.agreed.remote)
        {
            self.remote_rtp = Some(SocketAddr::new(address.ip(), rtp));
            self.remote_rtcp = port(self.agreed.remote_rtcp).map(|p| SocketAddr::new(address.ip(), p));
        }
    }

    /// Sends from and to these addresses, and nowhere else.
    pub(crate) fn pin(&mut self, local: SocketAddr, remote: SocketAddr) {
        (self.ports.rtp.1, self.ports.rtcp.1) = (local, local);
        let active = self.agreed.remote.is_some();
        self.remote_rtp = active.then_some(remote);
        self.remote_rtcp = self.remote_rtp;
        self.confirmed = true;
    }

    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        self.remote_rtp
    }

    /// Tells the encoder what to aim at; a key frame too where the stream begins again.
    fn retarget(&mut self, core: &mut Core, resumed: Option<Time>) {
        if !self.agreed.direction.sends() {
            return;
        }
        let bitrate = match (self.kind, self.agreed.send_format()) {
            (MediaKind::Video, _) => {
                core.config.video_bitrate.min(self.agreed.max_bitrate.unwrap_or(u32::MAX))
            }
            (MediaKind::Audio, Some(MediaFormat::Audio(format))) => {
                convert::audio_bitrate(&format).min(self.agreed.max_bitrate.unwrap_or(u32::MAX))
            }
            _ => return,
        };
        let limits = self.agreed.video_limits;
        let target = EncoderTarget {
            bitrate,
            size: limits.map(|limits| (limits.width, limits.height)),
            fps: limits.map(|limits| limits.fps),
            keyframe: false,
            lossy: self.loss_told.is_some() && self.redundancy_is_of_use(),
        };
        if self.target != Some(target) || resumed.is_some() {
            self.target = Some(target);
            let keyframe = resumed.is_some() && self.kind == MediaKind::Video;
            if let Some(now) = resumed.filter(|_| keyframe) {
                self.keyframe_sent = Some(now);
            }
            let target = EncoderTarget { keyframe, ..target };
            core.output(Output::EncoderTarget { call: self.call, section: self.index, target });
        }
    }

    /// Whether the peer makes use of redundancy in what is sent: without that there SHOULD be none (RFC 7587 section 3.3).
    fn redundancy_is_of_use(&self) -> bool {
        let sent = self.agreed.send.first().map(|format| &format.encoding);
        matches!(sent, Some(Encoding::Opus(opus)) if opus.use_inband_fec)
    }

    /// The encoder's bit rate, for the pacer.
    pub(crate) fn bitrate(&self) -> Option<u32> {
        self.target.map(|t| t.bitrate)
    }

    /// Cuts a frame to payloads; `None` where it cannot be sent, which is counted.
    pub(crate) fn packetize(
        &mut self,
        now: Time,
        core: &mut Core,
        frame: &EncodedFrame,
    ) -> Option<Vec<(usize, Outgoing)>> {
        if !self.agreed.direction.sends() || self.remote_rtp.is_none() {
            return None;
        }
        let (format, packetizer) = self.packetizer.as_mut()?;
        let mut packets: Vec<PayloadPacket> = Vec::new();
        let max = self.agreed.max_payload.max(64) as usize;
        if let Err(error) = packetizer.packetize(&frame.data, self.talkspurt, max, &mut packets) {
            tracing::debug!(%error, call = self.call.0, section = self.index, "a frame cannot be sent");
            core.counters.dropped.frames += 1;
            return None;
        }
        self.talkspurt = false;
        self.frames_sent += 1;
        let payload_type = format.payload_type;
        let timestamp = self.session.timestamp(frame.captured, frame.duration);
        if frame.keyframe && self.kind == MediaKind::Video {
            self.keyframe_sent = Some(now);
            self.keyframe_wanted = false;
        }
        let section = self.index;
        let ntp = self.session.ntp(now, timestamp);
        let keyframe = frame.keyframe && self.kind == MediaKind::Video;
        let announced = self.announcer.frame(now, ntp, (keyframe, frame.rotation), packets.len());
        let mut outgoing: Vec<_> = packets
            .into_iter()
            .map(|p| {
                let timestamp = timestamp.wrapping_add(p.timestamp_offset);
                let (marker, payload, extension) = (p.marker, p.payload, None);
                let octets = payload.len() + OVERHEAD;
                (octets, Outgoing { section, payload_type, marker, timestamp, extension, payload })
            })
            .collect();
        if let Some(last) = outgoing.last_mut() {
            extend(last, announced.last);
        }
        if let Some(first) = outgoing.first_mut() {
            extend(first, announced.first);
        }
        Some(outgoing)
    }

    /// The next frame says when it was captured, where the peer reads that.
    pub(crate) fn tell_time(&mut self) {
        self.announcer.tell_time();
    }

    /// For how long the frame that arrived last has been arriving.
    pub(crate) fn spread(&self, now: Time) -> Duration {
        self.arriving.map_or(Duration::ZERO, |(_, first)| now - first)
    }

    /// Makes an RTP packet of a payload whose turn has come.
    pub(crate) fn transmit(&mut self, now: Time, core: &mut Core, crypto: &mut Crypto, out: &Outgoing) {
        let Some(remote) = self.remote_rtp.filter(|_| self.agreed.direction.sends()) else { return };
        let Outgoing { payload_type, marker, timestamp, .. } = *out;
        let data = match &out.extension {
            Some(extension) => {
                self.session.send_extended(now, (payload_type, marker, timestamp), extension, &out.payload)
            }
            None => self.session.send(now, payload_type, marker, timestamp, &out.payload),
        };
        let Some(data) = crypto.seal_rtp(data) else { return };
        let (socket, local) = self.ports.rtp;
        let kind = match self.kind {
            MediaKind::Audio => PacketKind::Audio,
            MediaKind::Video => PacketKind::Video,
        };
        core.transmit(Transmit { socket, local: Some(local.ip()), remote, data, kind });
    }

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

    /// The peer misses this share of what we sent. Sound has redundancy against that; lost pictures are asked for again.
    fn loss_reported(&mut self, now: Time, share: f64, core: &mut Core) {
        if self.kind != MediaKind::Audio {
            return;
        }
        if share > 0.0 {
            self.loss_told = Some(now);
        } else {
            self.loss_told = self.loss_told.filter(|told| now.since(*told) < LOSSY_FOR);
        }
        self.retarget(core, None);
    }

    /// The peer wants a key frame; it gets one as soon as the last one is long enough ago.
    pub(crate) fn keyframe_requested(&mut self) {
        if self.kind == MediaKind::Video {
            self.keyframes_requested += 1;
            self.keyframe_wanted = true;
        }
    }

    /// A picture of ours was dropped on the way out: the peer cannot decode what follows it.
    pub(crate) fn keyframe_due_to_drop(&mut self) {
        self.keyframe_wanted = true;
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

    /// Begins to send a key press.
    pub(crate) fn dtmf(&mut self, digit: char, duration: Duration) -> Result<(), NotDone> {
        let Some(code) = telephone_event::code(digit) else {
            return Err(NotDone::because(format!("{digit} is no key; keys are 0-9 * # A-D")));
        };
        let Some((_, sender)) = &mut self.events_out else {
            return Err(NotDone::because("the peer takes no telephone events"));
        };
        sender.start(code, duration).map_err(|error| NotDone::because(error.to_string()))
    }

    /// Does what is due: jitter buffer, telephone events, key frames, RTCP.
    pub(crate) fn timeout(&mut self, now: Time, core: &mut Core, crypto: &mut Crypto) {
        self.release(now, core);
        let timestamp = self.session.timestamp_at(now);
        while let Some(event) = self.events_out.as_mut().and_then(|(_, s)| s.poll(now, timestamp)) {
            let payload_type = self.events_out.as_ref().map_or(0, |(pt, _)| *pt);
            let (section, marker, payload) = (self.index, event.marker, event.payload);
            let (timestamp, extension) = (event.timestamp, None);
            let out = Outgoing { section, payload_type, marker, timestamp, extension, payload };
            self.transmit(now, core, crypto, &out);
        }
        if self.keyframe_due().is_some_and(|at| at <= now) {
            self.keyframe_wanted = false;
            self.keyframe_sent = Some(now);
            if let Some(target) = self.target {
                let target = EncoderTarget { keyframe: true, ..target };
                core.output(Output::EncoderTarget { call: self.call, section: self.index, target });
            }
        }
        while let Some(data) = self.session.poll_rtcp(now) {
            self.send_rtcp(core, crypto, data);
        }
    }

    pub(crate) fn send_rtcp(&self, core: &mut Core, crypto: &mut Crypto, data: Bytes) {
        let (Some(remote), Some(data)) = (self.remote_rtcp, crypto.seal_rtcp(data)) else { return };
        let (socket, local) = self.ports.rtcp;
        let kind = PacketKind::Rtcp;
        core.transmit(Transmit { socket, local: Some(local.ip()), remote, data, kind });
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let keyframe = self.keyframe_due();
        let events_out = self.events_out.as_ref().and_then(|(_, s)| s.deadline());
        let events_in = self.events_in.as_ref().and_then(EventReceiver::deadline);
        let all =
            [self.jitter.next_deadline(), self.session.next_deadline(), keyframe, events_out, events_in];
        all.into_iter().flatten().min()
    }

    /// What was measured.
    pub(crate) fn stats(&self) -> SectionStats {
        let mut stats = SectionStats {
            kind: Some(self.kind),
            codec: self.agreed.send_format().or(self.agreed.receive_format()).map(|f| f.codec()),
            packets_late: self.jitter.stats().late,
            keyframes_requested: self.keyframes_requested,
            frames_sent: self.frames_sent,
            frames_received: self.frames_received,
            frames_dropped: self.frames_dropped,
            synchronised_by: self.clock.mapped_by(),
            rotation_sent: self.announcer.rotation(),
            rotation_received: self.rotation,
            ..SectionStats::default()
        };
        self.session.fill_stats(&mut stats);
        stats
    }

    fn keyframe_due(&self) -> Option<Time> {
        self.keyframe_wanted.then(|| self.keyframe_sent.map_or(Time::ZERO, |t| t + self.keyframe_interval))
    }
}

/// Puts a header extension on a packet, and counts it to its size.
fn extend((octets, out): &mut (usize, Outgoing), extension: Option<Extension>) {
    if let Some(extension) = extension {
        *octets += extension.octets();
        out.extension = Some(extension);
    }
}

fn bandwidth(kind: MediaKind, agreed: &NegotiatedSection, video: u32) -> u32 {
    let media = match kind {
        MediaKind::Audio => 64_000,
        MediaKind::Video => video,
    };
    media.min(agreed.max_bitrate.unwrap_or(u32::MAX)).saturating_mul(2).max(64_000)
}
