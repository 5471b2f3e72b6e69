//! One media section's part in an RTP session: an own SSRC to send with, the remote sources that it hears,
//! and the RTCP about both. RFC 3550 sections 5 to 8; 4585 and 5104 for feedback; 5506 for reduced size.
//!
//! Several sessions share one transport (RFC 5761, RFC 8860): each is asked whether a packet
//! [is for it](Session::is_for).

mod config;
mod event;
mod interval;
mod receive;
mod remote;
mod rtcp_in;
mod rtcp_out;
mod sender;
#[cfg(test)]
mod tests;

pub use config::{PayloadType, RtcpConfig, SessionConfig};
pub use event::{ClockMapping, Delivery, Dropped, KeyframeMethod, MappingOrigin, RemoteReport, RtcpEvent};

use crate::io::SectionStats;
use crate::rtp::rtcp::Compound;
use crate::rtp::{Extension, ExtensionIds, RtpPacket};
use crate::time::Time;
use bytes::Bytes;
use interval::{Interval, Members};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use receive::Conflict;
use remote::Remotes;
use rtcp_out::{PendingRequest, Phase};
use sender::Sender;
use std::net::SocketAddr;
use std::time::Duration;

/// A report or a receiver report with one block, and a CNAME: the probable size of the first RTCP packet.
const FIRST_RTCP_SIZE: usize = 80;

/// What a session has counted besides [`SectionStats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionCounters {
    /// Datagrams that are no RTP packet.
    pub malformed: u64,
    /// RTP packets of a payload type that was not agreed.
    pub payload_type: u64,
    /// RTP packets of sources that had not proved themselves, held back for nothing.
    pub probation: u64,
    /// RTP packets of sources that others have followed.
    pub superseded: u64,
    /// Times that our SSRC collided.
    pub collisions: u64,
    /// Packets of our own that came back to us.
    pub looped: u64,
    /// RTCP packets received.
    pub rtcp_received: u64,
    /// RTCP packets sent.
    pub rtcp_sent: u64,
    /// RTCP packets dropped because they do not begin with a report.
    pub rtcp_refused: u64,
    /// Parts of RTCP packets with a broken body.
    pub rtcp_malformed: u64,
    /// Parts of RTCP packets of a kind that is not read, or about someone else.
    pub rtcp_ignored: u64,
    /// Packets that the peer asked for again.
    pub nacked: u64,
    /// Requests for a key frame from the peer, repetitions not counted.
    pub keyframe_requests: u64,
    /// FIRs that repeated an earlier one.
    pub fir_repeated: u64,
    /// Requests for a key frame sent to the peer.
    pub keyframes_asked: u64,
}

impl SessionCounters {
    fn count(&mut self, dropped: &Dropped) {
        match dropped {
            Dropped::Malformed(_) => self.malformed += 1,
            Dropped::PayloadType { .. } => self.payload_type += 1,
            Dropped::Probation { .. } => self.probation += 1,
            Dropped::Superseded { .. } => self.superseded += 1,
            Dropped::Collision { .. } => self.collisions += 1,
            Dropped::Loop { .. } => self.looped += 1,
            // The source counts these.
            Dropped::SequenceJump { .. } | Dropped::Duplicate { .. } => {}
        }
    }
}

/// One media section's sender, receivers and RTCP.
#[derive(Debug)]
pub struct Session {
    cname: String,
    payload_types: Vec<PayloadType>,
    extensions: ExtensionIds,
    rtcp: RtcpConfig,
    rng: ChaCha20Rng,
    sender: Sender,
    remotes: Remotes,
    /// Of the stream passed on last; `None` before the first.
    generation: Option<u32>,
    conflicts: Vec<Conflict>,
    interval: Interval,
    /// The times of the last two reports on the timer, the later one first.
    reports: [Option<Time>; 2],
    /// The time of the last report, on the timer or not.
    reported: Option<Time>,
    request: Option<PendingRequest>,
    last_request: Option<Time>,
    fir_seq: u8,
    /// SSRCs that we have given up and not said BYE for, and since when.
    byes: Vec<(u32, Time)>,
    phase: Phase,
    round_trip: Option<Duration>,
    remote_loss: Option<f64>,
    counters: SessionCounters,
}

impl Session {
    /// A session that begins at `now`; the random numbers that it needs on its way come from a generator
    /// seeded from `rng`.
    pub fn new(now: Time, config: SessionConfig, rng: &mut impl RngCore) -> Self {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let mut rng = ChaCha20Rng::from_seed(seed);
        let interval = Interval::new(now, &config.rtcp, FIRST_RTCP_SIZE, &mut rng);
        Session {
            sender: Sender::new(config.ssrc, config.first_seq, config.first_timestamp, config.clock_rate),
            cname: config.cname,
            payload_types: config.payload_types,
            extensions: ExtensionIds::default(),
            rtcp: config.rtcp,
            rng,
            remotes: Remotes::new(config.max_sources),
            generation: None,
            conflicts: Vec::new(),
            interval,
            reports: [None; 2],
            reported: None,
            request: None,
            last_request: None,
            fir_seq: 0,
            byes: Vec::new(),
            phase: Phase::Open,
            round_trip: None,
            remote_loss: None,
            counters: SessionCounters::default(),
        }
    }

    /// The SSRC that this side sends with now.
    pub fn ssrc(&self) -> u32 {
        self.sender.ssrc()
    }

    /// The SSRC of the source that plays.
    pub fn remote_ssrc(&self) -> Option<u32> {
        self.remotes.active
    }

    /// Replaces the payload types that may arrive, after a renegotiation.
    pub fn set_payload_types(&mut self, types: Vec<PayloadType>) {
        self.payload_types = types;
    }

    /// Changes the RTP clock of what is sent from the next frame on; timestamps go on from where they were.
    pub fn set_clock_rate(&mut self, clock_rate: u32) {
        self.sender.set_clock_rate(clock_rate);
    }

    /// Names an SSRC that the peer announced (`a=ssrc`): it needs no probation.
    pub fn expect_source(&mut self, ssrc: u32) {
        if ssrc != self.sender.ssrc() {
            // It counts as a member once it is heard.
            self.remotes.entry(ssrc, Time::ZERO).source.set_valid();
        }
    }

    /// The RTP timestamp of the next frame to send, from its capture time and, for sound, its duration in
    /// ticks (0 for pictures).
    ///
    /// Pictures get the capture time in ticks. Sound counts on by the duration of the frame before it, so
    /// that a capture clock that jitters does not show, until its capture time runs more than 60 ms ahead of
    /// its samples: then the sound has a gap, and the timestamp follows the capture time.
    pub fn timestamp(&mut self, captured: Time, duration: u32) -> u32 {
        self.sender.timestamp(captured, duration)
    }

    /// The RTP timestamp of this instant, for packets that are no frame: telephone events. Where no frame was
    /// sent yet, the frames to come count on from there.
    pub fn timestamp_at(&mut self, now: Time) -> u32 {
        self.sender.timestamp_at(now)
    }

    /// Builds an RTP packet with the next sequence number, and counts it as sent.
    pub fn send(
        &mut self,
        now: Time,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        payload: &[u8],
    ) -> Bytes {
        self.sender.send(now, payload_type, marker, timestamp, None, payload)
    }

    /// As [`Session::send`], with a header extension (RFC 8285).
    pub fn send_extended(
        &mut self,
        now: Time,
        (payload_type, marker, timestamp): (u8, bool, u32),
        extension: &Extension,
        payload: &[u8],
    ) -> Bytes {
        self.sender.send(now, payload_type, marker, timestamp, Some(extension), payload)
    }

    /// When the instant of an RTP timestamp of ours was, as sender reports say it (RFC 6051 section 3.3): 32.32
    /// fixed-point seconds since 1900. `None` before the first frame.
    pub fn ntp(&self, now: Time, timestamp: u32) -> Option<u64> {
        self.sender.ntp(now, timestamp)
    }

    /// Names the header extensions that may arrive; others are passed over.
    pub fn set_extensions(&mut self, ids: ExtensionIds) {
        self.extensions = ids;
    }

    /// Whether an RTP packet belongs to this section: its SSRC is known or expected here, or ours.
    /// Where no section says so, the payload type decides: [`Session::accepts`].
    pub fn is_for(&self, packet: &RtpPacket<'_>) -> bool {
        packet.ssrc == self.sender.ssrc() || self.remotes.find(packet.ssrc).is_some()
    }

    /// Whether a payload type may arrive in this section.
    pub fn accepts(&self, payload_type: u8) -> bool {
        self.payload_types.iter().any(|t| t.number == payload_type)
    }

    /// Takes an RTP packet that arrived `from` there.
    ///
    /// # Errors
    ///
    /// [`Dropped`] says why there is nothing to pass on; it is counted.
    pub fn receive(&mut self, received: Time, from: SocketAddr, data: &[u8]) -> Result<Delivery, Dropped> {
        self.accept(received, from, data).inspect_err(|dropped| self.counters.count(dropped))
    }

    /// Whether an RTCP packet concerns this section: something in it is about our SSRC, or comes from a
    /// source known here.
    pub fn is_for_rtcp(&self, compound: &Compound<'_>) -> bool {
        self.concerns(compound)
    }

    /// Takes an RTCP packet that arrived `from` there.
    pub fn receive_rtcp(
        &mut self,
        received: Time,
        from: SocketAddr,
        compound: &Compound<'_>,
    ) -> Vec<RtcpEvent> {
        self.take(received, from, compound)
    }

    /// Asks the source that plays for a key frame: a feedback packet goes out with the next
    /// [`Session::poll_rtcp`], at once unless the last one is less than
    /// [`RtcpConfig::keyframe_interval`] ago. `false`, and nothing happens, where no source plays.
    pub fn request_keyframe(&mut self, now: Time, method: KeyframeMethod) -> bool {
        let has_source = self.remotes.active.is_some();
        if has_source {
            self.queue_request(now, method);
        }
        has_source
    }

    /// Takes back a request that has not gone out: the key frame is here.
    pub fn cancel_keyframe_request(&mut self) {
        self.request = None;
    }

    /// Says BYE with the next [`Session::poll_rtcp`], and nothing after it. Where nothing was ever sent,
    /// there is nothing to say (RFC 3550 section 6.3.7).
    pub fn close(&mut self, now: Time) {
        if self.phase == Phase::Open {
            self.phase = Phase::Closing(now);
        }
    }

    /// The next RTCP packet to send, where its time has come. Call until it gives `None`.
    pub fn poll_rtcp(&mut self, now: Time) -> Option<Bytes> {
        self.next_rtcp(now)
    }

    /// When to call [`Session::poll_rtcp`] next; `None` after the BYE.
    pub fn next_deadline(&self) -> Option<Time> {
        let bye = self.byes.last().map(|(_, since)| *since);
        let timed = match self.phase {
            Phase::Open => self.request.map(|r| r.due).into_iter().chain([self.interval.next()]).min(),
            Phase::Closing(since) => Some(since),
            Phase::Closed => None,
        };
        bye.into_iter().chain(timed).min()
    }

    /// The round trip that the peer's last report gave.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// What was counted besides [`SectionStats`].
    pub fn counters(&self) -> SessionCounters {
        self.counters
    }

    /// Writes what was measured into the fields of `stats` that this session knows of. Packets of all
    /// sources count, whether they were passed on or not; jitter is that of the source that plays.
    pub fn fill_stats(&self, stats: &mut SectionStats) {
        (stats.packets_sent, stats.octets_sent) = self.sender.sent();
        let (received, lost) = self.remotes.totals();
        stats.packets_received = received.packets;
        stats.octets_received = received.octets;
        stats.packets_lost = lost;
        stats.packets_duplicate = received.duplicate;
        stats.packets_reordered = received.reordered;
        let last_heard = self.remotes.iter().filter(|r| r.played).max_by_key(|r| r.last_heard);
        stats.jitter = self.remotes.active().or(last_heard).and_then(|r| r.source.jitter());
        stats.round_trip = self.round_trip;
        stats.remote_loss = self.remote_loss;
        stats.rtcp_received = self.counters.rtcp_received;
        stats.rtcp_sent = self.counters.rtcp_sent;
        stats.keyframes_requested = self.counters.keyframe_requests;
    }

    /// Whether anything has gone out with our SSRC.
    fn has_spoken(&self) -> bool {
        self.sender.last_sent().is_some() || self.reported.is_some()
    }

    /// RFC 3550 section 6.3: whether RTP has been sent since the second report before this one.
    fn we_sent(&self) -> bool {
        self.sender.last_sent().is_some_and(|sent| self.recent(sent))
    }

    fn recent(&self, time: Time) -> bool {
        self.reports[1].is_none_or(|second_last| time >= second_last)
    }

    /// Who takes part, RFC 3550 section 6.3.5.
    fn members(&self, now: Time) -> Members {
        let we_sent = self.we_sent();
        let all = Members { members: 2, senders: 1, we_sent };
        let timeout = self.interval.member_timeout(all);
        let mut members = Members { members: 1, senders: u32::from(we_sent), we_sent };
        for remote in self.remotes.iter().filter(|r| r.is_member(now, timeout)) {
            members.members += 1;
            members.senders += u32::from(remote.last_rtp.is_some_and(|t| self.recent(t)));
        }
        members
    }

    /// An SSRC that nobody is known to use (RFC 3550 section 8.2).
    fn unused_ssrc(&mut self) -> u32 {
        loop {
            let ssrc = self.rng.next_u32();
            if ssrc != 0 && ssrc != self.sender.ssrc() && self.remotes.find(ssrc).is_none() {
                return ssrc;
            }
        }
    }
}
