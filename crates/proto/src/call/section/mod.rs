//! One media section of a call: its RTP session, its jitter buffer and its payload formats.

mod receive;
mod send;

pub(crate) use send::Outgoing;

use super::announce::Announcer;
use super::convert;
use super::crypto::Crypto;
use crate::agent::core::Core;
use crate::frame::{MediaKind, Rotation};
use crate::io::{CallHandle, EncoderTarget, SectionStats, SocketId};
use crate::rtp::payload::telephone_event::{EventReceiver, EventSender};
use crate::rtp::payload::{Depacketizer, Packetizer, PayloadFormat};
use crate::rtp::playout::SectionClock;
use crate::rtp::session::PayloadType;
use crate::rtp::{JitterBuffer, JitterConfig, Session, SessionConfig};
use crate::sdp::{Format, NegotiatedSection};
use crate::time::Time;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// The interval of telephone-event updates, RFC 4733 section 2.5.1.2.
const EVENT_INTERVAL: Duration = Duration::from_millis(50);

/// Where this side receives a section's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LocalPorts {
    pub(crate) rtp: (SocketId, SocketAddr),
    pub(crate) rtcp: (SocketId, SocketAddr),
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

    /// Does what is due: jitter buffer, telephone events, key frames, RTCP.
    pub(crate) fn timeout(&mut self, now: Time, core: &mut Core, crypto: &mut Crypto) {
        self.release(now, core);
        self.send_key_presses(now, core, crypto);
        self.send_keyframe(now, core);
        while let Some(data) = self.session.poll_rtcp(now) {
            self.send_rtcp(core, crypto, data);
        }
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
}

fn bandwidth(kind: MediaKind, agreed: &NegotiatedSection, video: u32) -> u32 {
    let media = match kind {
        MediaKind::Audio => 64_000,
        MediaKind::Video => video,
    };
    media.min(agreed.max_bitrate.unwrap_or(u32::MAX)).saturating_mul(2).max(64_000)
}
