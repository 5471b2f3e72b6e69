//! What a section sends: frames cut to payloads, key presses, key frames, RTCP; and what its encoder is told.

use super::MediaSection;
use crate::agent::core::Core;
use crate::call::convert;
use crate::call::crypto::Crypto;
use crate::frame::{EncodedFrame, MediaKind};
use crate::io::{EncoderTarget, MediaFormat, NotDone, Output, PacketKind, Transmit};
use crate::rtp::Extension;
use crate::rtp::payload::{PayloadPacket, telephone_event};
use crate::sdp::Encoding;
use crate::time::Time;
use bytes::Bytes;
use std::time::Duration;

/// Octets that IPv4, UDP and RTP headers add to a payload, for the pacer.
const OVERHEAD: usize = 40;
/// How long after the last report of loss a way is taken to lose packets: a few reports, which come every five seconds (RFC 3550
/// section 6.2).
const LOSSY_FOR: Duration = Duration::from_secs(30);

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

impl MediaSection {
    /// Tells the encoder what to aim at; a key frame too where the stream begins again.
    pub(super) fn retarget(&mut self, core: &mut Core, resumed: Option<Time>) {
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

    /// The peer misses this share of what we sent. Sound has redundancy against that; lost pictures are asked for again.
    pub(super) fn loss_reported(&mut self, now: Time, share: f64, core: &mut Core) {
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

    /// Sends what is due of key presses.
    pub(super) fn send_key_presses(&mut self, now: Time, core: &mut Core, crypto: &mut Crypto) {
        let timestamp = self.session.timestamp_at(now);
        while let Some(event) = self.events_out.as_mut().and_then(|(_, s)| s.poll(now, timestamp)) {
            let payload_type = self.events_out.as_ref().map_or(0, |(pt, _)| *pt);
            let (section, marker, payload) = (self.index, event.marker, event.payload);
            let (timestamp, extension) = (event.timestamp, None);
            let out = Outgoing { section, payload_type, marker, timestamp, extension, payload };
            self.transmit(now, core, crypto, &out);
        }
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

    pub(super) fn keyframe_due(&self) -> Option<Time> {
        self.keyframe_wanted.then(|| self.keyframe_sent.map_or(Time::ZERO, |t| t + self.keyframe_interval))
    }

    /// Has the encoder make a key frame, where one is due.
    pub(super) fn send_keyframe(&mut self, now: Time, core: &mut Core) {
        if self.keyframe_due().is_some_and(|at| at <= now) {
            self.keyframe_wanted = false;
            self.keyframe_sent = Some(now);
            if let Some(target) = self.target {
                let target = EncoderTarget { keyframe: true, ..target };
                core.output(Output::EncoderTarget { call: self.call, section: self.index, target });
            }
        }
    }

    pub(crate) fn send_rtcp(&self, core: &mut Core, crypto: &mut Crypto, data: Bytes) {
        let (Some(remote), Some(data)) = (self.remote_rtcp, crypto.seal_rtcp(data)) else { return };
        let (socket, local) = self.ports.rtcp;
        let kind = PacketKind::Rtcp;
        core.transmit(Transmit { socket, local: Some(local.ip()), remote, data, kind });
    }
}

/// Puts a header extension on a packet, and counts it to its size.
fn extend((octets, out): &mut (usize, Outgoing), extension: Option<Extension>) {
    if let Some(extension) = extension {
        *octets += extension.octets();
        out.extension = Some(extension);
    }
}
