//! The media of a call: its sections, the pacer in front of them, and what protects them on the wire.

use super::crypto::Crypto;
use super::section::{LocalPorts, MediaSection, Outgoing};
use crate::agent::Pacing;
use crate::agent::core::Core;
use crate::frame::{EncodedFrame, MediaKind};
use crate::io::{CallHandle, Datagram, SectionStats};
use crate::rtp::pacer::{Pacer, PacerConfig};
use crate::rtp::playout;
use crate::rtp::rtcp::Compound;
use crate::sdp::Negotiated;
use crate::time::Time;
use std::net::SocketAddr;

pub(crate) struct Media {
    call: CallHandle,
    /// The canonical name of all sources of this call, RFC 7022.
    pub(crate) cname: String,
    /// The SSRCs of our audio and video.
    pub(crate) ssrcs: (u32, u32),
    pub(crate) sections: Vec<Option<MediaSection>>,
    pacer: Pacer<Outgoing>,
    pub(super) crypto: Crypto,
    /// What was measured in sections that are no more.
    finished: Vec<(usize, SectionStats)>,
    /// When RTP last arrived, or began to be expected.
    heard: Option<Time>,
}

impl Media {
    pub(crate) fn new(core: &mut Core, call: CallHandle) -> Self {
        Media {
            call,
            cname: core.token(),
            ssrcs: (core.ssrc(), core.ssrc()),
            sections: Vec::new(),
            pacer: Pacer::new(PacerConfig::default()),
            crypto: Crypto::default(),
            finished: Vec::new(),
            heard: None,
        }
    }

    /// Takes over what a negotiation ended with; `peer` is where signalling comes from.
    pub(crate) fn agree(
        &mut self,
        now: Time,
        core: &mut Core,
        negotiated: &Negotiated,
        ports: impl Fn(MediaKind) -> LocalPorts,
        peer: SocketAddr,
    ) {
        for index in 0..self.sections.len().max(negotiated.sections.len()) {
            let agreed = negotiated.sections.get(index).filter(|s| s.is_active());
            if self.sections.len() <= index {
                self.sections.push(None);
            }
            let Some(slot) = self.sections.get_mut(index) else { continue };
            let kind = agreed.and_then(|s| s.kind);
            if let Some(section) = slot.as_mut()
                && (kind != Some(section.kind) || kind.is_none())
            {
                section.session.close(now);
                section.timeout(now, core, &mut self.crypto);
                self.finished.push((index, section.stats()));
                *slot = None;
            }
            let (Some(agreed), Some(kind)) = (agreed, kind) else { continue };
            match slot {
                Some(section) => section.agree(now, core, agreed.clone()),
                None => {
                    let ssrc = match kind {
                        MediaKind::Audio => self.ssrcs.0,
                        MediaKind::Video => self.ssrcs.1,
                    };
                    let parts = (kind, agreed.clone(), ports(kind));
                    *slot = Some(MediaSection::new(now, core, self.call, index, ssrc, &self.cname, parts));
                }
            }
            if let Some(section) = slot {
                section.fall_back_to(peer);
                if let (MediaKind::Video, Some(bitrate)) = (kind, section.bitrate()) {
                    self.pacer.set_target(bitrate);
                }
            }
        }
        self.expect_again(now);
    }

    /// The peer has until then as long as ever to be heard.
    pub(crate) fn expect_again(&mut self, now: Time) {
        self.heard = self.expects().then_some(now);
    }

    /// Whether the peer is to send anything.
    fn expects(&self) -> bool {
        self.iter().any(|s| s.agreed.direction.receives())
    }

    /// Since when nothing has arrived though it should; `None` where nothing is expected.
    pub(crate) fn heard(&self) -> Option<Time> {
        self.heard
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &MediaSection> {
        self.sections.iter().flatten()
    }

    pub(crate) fn section(&mut self, index: usize) -> Option<&mut MediaSection> {
        self.sections.get_mut(index)?.as_mut()
    }

    /// Takes a coded frame and sends what of it may go out now.
    pub(crate) fn frame(&mut self, now: Time, core: &mut Core, index: usize, frame: &EncodedFrame) {
        let Some(section) = self.section(index) else {
            core.counters.dropped.frames += 1;
            return;
        };
        let (kind, spread) = (section.kind, section.spread(now));
        let Some(packets) = section.packetize(now, core, frame) else { return };
        if kind == MediaKind::Video && frame.keyframe {
            // RFC 6051 section 3.3: whoever begins with this picture finds the sound in step.
            let sound = self.sections.iter_mut().flatten().filter(|s| s.kind == MediaKind::Audio);
            sound.for_each(MediaSection::tell_time);
        }
        match kind {
            MediaKind::Audio => {
                for (octets, packet) in packets {
                    self.pacer.push_audio(now, octets, packet);
                }
            }
            MediaKind::Video => {
                let dropped = match core.config.pacing {
                    Pacing::ByTarget => self.pacer.push_video(now, packets),
                    Pacing::AsReceived => self.pacer.pass_on(now, spread, packets),
                };
                core.counters.dropped.frames += dropped as u64;
                if dropped > 0
                    && let Some(section) = self.section(index)
                {
                    // What was dropped broke the chain of references.
                    section.keyframe_due_to_drop();
                }
            }
        }
        self.pace(now, core);
    }

    fn pace(&mut self, now: Time, core: &mut Core) {
        while let Some(out) = self.pacer.poll(now) {
            if let Some(section) = self.sections.get_mut(out.section).and_then(Option::as_mut) {
                section.transmit(now, core, &mut self.crypto, &out);
            }
        }
    }

    pub(crate) fn rtp(&mut self, now: Time, core: &mut Core, index: usize, datagram: &Datagram<'_>) {
        let opened = if self.crypto.is_clear() {
            None
        } else if let Some(clear) = self.crypto.open_rtp(datagram.data) {
            Some(clear)
        } else {
            core.counters.dropped.srtp_refused += 1;
            return;
        };
        let datagram = &Datagram { data: opened.as_deref().unwrap_or(datagram.data), ..*datagram };
        if let Some(section) = self.section(index)
            && section.rtp(now, core, datagram)
        {
            self.heard = self.heard.map(|_| now);
            self.synchronise();
        }
    }

    /// Makes sound and pictures of one instant play at one time.
    fn synchronise(&mut self) {
        let (mut sound, mut pictures) = (None, None);
        for section in self.sections.iter_mut().flatten() {
            match section.kind {
                MediaKind::Audio => sound = sound.or(Some(&mut section.clock)),
                MediaKind::Video => pictures = pictures.or(Some(&mut section.clock)),
            }
        }
        if let (Some(sound), Some(pictures)) = (sound, pictures) {
            playout::align(sound, pictures);
        }
    }

    /// Takes an RTCP packet; whether it concerns any section.
    pub(crate) fn rtcp(&mut self, core: &mut Core, datagram: &Datagram<'_>, compound: &Compound<'_>) -> bool {
        let mut taken = false;
        for section in self.sections.iter_mut().flatten() {
            if section.session.is_for_rtcp(compound) {
                section.rtcp(core, datagram, compound);
                taken = true;
            }
        }
        taken
    }

    /// Takes an SRTCP packet; whether it concerns any section.
    pub(crate) fn srtcp(&mut self, core: &mut Core, datagram: &Datagram<'_>) -> bool {
        let Some(clear) = self.crypto.open_rtcp(datagram.data) else { return false };
        let datagram = &Datagram { data: &clear, ..*datagram };
        Compound::parse(&clear).is_ok_and(|compound| self.rtcp(core, datagram, &compound))
    }

    pub(crate) fn timeout(&mut self, now: Time, core: &mut Core) {
        for section in self.sections.iter_mut().flatten() {
            section.timeout(now, core, &mut self.crypto);
        }
        self.pace(now, core);
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let sections = self.iter().filter_map(MediaSection::next_deadline);
        sections.chain(self.pacer.next_deadline()).min()
    }

    /// Says RTCP BYE in every section, and gives the SSRCs back.
    pub(crate) fn close(&mut self, now: Time, core: &mut Core) {
        for section in self.sections.iter_mut().flatten() {
            section.session.close(now);
            while let Some(data) = section.session.poll_rtcp(now) {
                section.send_rtcp(core, &mut self.crypto, data);
            }
            core.release_ssrc(section.session.ssrc());
        }
        core.release_ssrc(self.ssrcs.0);
        core.release_ssrc(self.ssrcs.1);
    }

    pub(crate) fn stats(&self) -> Vec<SectionStats> {
        let mut all: Vec<SectionStats> =
            self.sections.iter().map(|s| s.as_ref().map(MediaSection::stats).unwrap_or_default()).collect();
        for (index, stats) in &self.finished {
            match all.get_mut(*index) {
                // The slot serves another medium now: what came before it gets a place at the end.
                Some(slot) if slot.kind.is_some() => all.push(stats.clone()),
                Some(slot) => *slot = stats.clone(),
                None => all.push(stats.clone()),
            }
        }
        all
    }
}
