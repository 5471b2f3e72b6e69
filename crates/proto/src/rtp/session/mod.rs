//! One media section's part in an RTP session: an own SSRC to send with, the remote sources that it hears,
//! and the RTCP about both. RFC 3550 sections 5 to 8; 4585 and 5104 for feedback; 5506 for reduced size.
//!
//! Several sessions share one transport (RFC 5761, RFC 8860): each is asked whether a packet
//! [is for it](Session::is_for).

use crate::io::SectionStats;
use crate::rtp::rtcp::Compound;
use crate::rtp::{MediaPacket, RtpPacket};
use crate::time::Time;
use bytes::Bytes;
use rand_core::RngCore;
use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;

/// A payload type that the peer may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadType {
    /// Its number, 0 to 127.
    pub number: u8,
    /// Its RTP clock, Hz; 0 is taken as 8000.
    pub clock_rate: u32,
}

/// How often RTCP is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RtcpConfig {
    /// The bandwidth of the session's media, bits a second both ways, of which RTCP takes 5 %
    /// (RFC 3550 section 6.2).
    pub session_bandwidth: u32,
    /// Lower the minimum interval of 5 s to 360 s divided by the session bandwidth in kbit/s, where that is
    /// less (RFC 3550 section 6.2).
    pub reduced_minimum: bool,
    /// Take packets that do not begin with a report (RFC 5506 section 3.4.1).
    pub accept_reduced_size: bool,
    /// Send feedback without a report before it, where the peer agreed (`a=rtcp-rsize`).
    pub send_reduced_size: bool,
    /// The shortest time between two requests for a key frame that this side sends.
    pub keyframe_interval: Duration,
}

impl Default for RtcpConfig {
    fn default() -> Self {
        RtcpConfig {
            session_bandwidth: 1_000_000,
            reduced_minimum: true,
            accept_reduced_size: true,
            send_reduced_size: false,
            keyframe_interval: Duration::from_millis(250),
        }
    }
}

/// What a session is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionConfig {
    /// The SSRC to send with.
    pub ssrc: u32,
    /// The canonical name (RFC 3550 section 6.5.1; RFC 7022 on how to make one), at most 255 octets: the same
    /// for all sections of a call.
    pub cname: String,
    /// The RTP clock of what is sent, Hz; 0 is taken as 8000.
    pub clock_rate: u32,
    /// The first sequence number.
    pub first_seq: u16,
    /// The RTP timestamp of the first frame sent.
    pub first_timestamp: u32,
    /// The payload types that may arrive; others are dropped (RFC 3550 appendix A.1).
    pub payload_types: Vec<PayloadType>,
    /// How often RTCP is sent.
    pub rtcp: RtcpConfig,
    /// The most remote sources tracked, [`Limits::ssrcs`](crate::limits::Limits::ssrcs); at least 1.
    pub max_sources: usize,
}

impl SessionConfig {
    /// A configuration with random sequence number and timestamp (RFC 3550 section 5.1). The sequence
    /// number is below 2^15, so that it cannot wrap while the first packets may be lost
    /// (RFC 3711 section 3.3.1).
    pub fn new(ssrc: u32, cname: String, clock_rate: u32, rng: &mut impl RngCore) -> Self {
        SessionConfig {
            ssrc,
            cname,
            clock_rate,
            first_seq: (rng.next_u32() & 0x7fff) as u16,
            first_timestamp: rng.next_u32(),
            payload_types: Vec::new(),
            rtcp: RtcpConfig::default(),
            max_sources: 16,
        }
    }
}

/// Why a received RTP packet was not passed on. Each is counted in [`SessionStats`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Dropped {
    /// The octets are no RTP packet.
    #[error(transparent)]
    Malformed(#[from] crate::rtp::packet::RtpError),
    /// The payload type is not one that was agreed.
    #[error("payload type {payload_type} from SSRC {ssrc:#010x} was not agreed")]
    PayloadType {
        /// The SSRC.
        ssrc: u32,
        /// The payload type.
        payload_type: u8,
    },
    /// The source has yet to show two packets in sequence, and another one is playing. The packet is kept
    /// and comes with the one that validates the source (RFC 3550 appendix A.1).
    #[error("SSRC {ssrc:#010x} is on probation at seq {seq}")]
    Probation {
        /// The SSRC.
        ssrc: u32,
        /// The sequence number.
        seq: u16,
    },
    /// The sequence number is too far from the last one; the next in sequence restarts the stream and
    /// brings this one with it.
    #[error("SSRC {ssrc:#010x} jumped to seq {seq}")]
    SequenceJump {
        /// The SSRC.
        ssrc: u32,
        /// The sequence number.
        seq: u16,
    },
    /// The packet arrived before.
    #[error("seq {seq} of SSRC {ssrc:#010x} arrived twice")]
    Duplicate {
        /// The SSRC.
        ssrc: u32,
        /// The sequence number.
        seq: u16,
    },
    /// Another source of this section has taken over.
    #[error("SSRC {ssrc:#010x} is no longer the one that plays")]
    Superseded {
        /// The SSRC.
        ssrc: u32,
    },
    /// The packet carries our own SSRC: a collision. We have a new one now, and say BYE with the old one
    /// (RFC 3550 section 8.2). The caller signals the new one where it signals any.
    #[error("SSRC {old:#010x} collided; it is {new:#010x} from now on")]
    Collision {
        /// The SSRC that collided.
        old: u32,
        /// The SSRC from now on.
        new: u32,
    },
    /// The packet carries our own SSRC again, from where a collision came before: our packets come back to
    /// us (RFC 3550 section 8.2).
    #[error("our own packets with SSRC {ssrc:#010x} come back to us")]
    Loop {
        /// The SSRC.
        ssrc: u32,
    },
}

/// The packets that one datagram brought: one, after those that had been held back until it validated their
/// source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Held back before, in the order of arrival.
    pub held: Option<MediaPacket>,
    /// The packet that the datagram carried.
    pub packet: MediaPacket,
}

impl IntoIterator for Delivery {
    type Item = MediaPacket;
    type IntoIter = std::iter::Chain<std::option::IntoIter<MediaPacket>, std::iter::Once<MediaPacket>>;

    fn into_iter(self) -> Self::IntoIter {
        self.held.into_iter().chain(std::iter::once(self.packet))
    }
}

/// How a key frame is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyframeMethod {
    /// Picture Loss Indication, RFC 4585 section 6.3.1.
    Pli,
    /// Full Intra Request, RFC 5104 section 4.3.1.
    Fir,
}

/// What RTCP told.
#[derive(Clone, Debug, PartialEq)]
pub enum RtcpEvent {
    /// The peer wants a picture that a decoder can start from. A FIR that repeats an earlier one's sequence
    /// number gives no second event (RFC 5104 section 4.3.1.1).
    KeyframeRequest {
        /// Who asks.
        from: u32,
        /// How it asked.
        method: KeyframeMethod,
    },
    /// The peer misses packets of ours (RFC 4585 section 6.2.1).
    Nack {
        /// Who misses them.
        from: u32,
        /// Their sequence numbers, at most 17 for each of the packet's entries.
        lost: Vec<u16>,
    },
    /// What the peer hears of us.
    Report(RemoteReport),
    /// Which RTP timestamp belongs to which wall-clock time of the sender (RFC 3550 section 6.4.1).
    ClockMapping(ClockMapping),
    /// A source is gone (RFC 3550 section 6.6).
    Bye {
        /// The source.
        ssrc: u32,
        /// The reason that it gave.
        reason: Option<String>,
    },
    /// Our SSRC collided, as [`Dropped::Collision`].
    Collision {
        /// The SSRC that collided.
        old: u32,
        /// The SSRC from now on.
        new: u32,
    },
}

/// A report block about us, RFC 3550 section 6.4.1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RemoteReport {
    /// Who reports.
    pub from: u32,
    /// The fraction of our packets lost since its last report, 0 to 1.
    pub fraction_lost: f64,
    /// Our packets lost since it began to listen; duplicates can make it negative.
    pub cumulative_lost: i32,
    /// The extended highest sequence number that it received.
    pub highest_seq: u32,
    /// Interarrival jitter, in our RTP clock.
    pub jitter: Duration,
    /// Round trip by its LSR and DLSR; `None` before it has a sender report of ours.
    pub round_trip: Option<Duration>,
}

/// A pair of equal instants from a sender report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockMapping {
    /// The source.
    pub ssrc: u32,
    /// Wall-clock time of the sender, 32.32 fixed-point seconds since 1900.
    pub ntp: u64,
    /// The RTP timestamp of the same instant.
    pub rtp_timestamp: u32,
    /// When the report arrived.
    pub received: Time,
}

/// One media section's sender, receivers and RTCP.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    seq: u16,
}

impl Session {
    /// A session that begins at `now`; the random numbers that it needs on its way come from a generator
    /// seeded from `rng`.
    pub fn new(now: Time, config: SessionConfig, rng: &mut impl RngCore) -> Self {
        let _ = (now, rng.next_u32());
        Session { seq: config.first_seq, config }
    }

    /// The SSRC that this side sends with now.
    pub fn ssrc(&self) -> u32 {
        self.config.ssrc
    }

    /// Replaces the payload types that may arrive, after a renegotiation.
    pub fn set_payload_types(&mut self, types: Vec<PayloadType>) {
        self.config.payload_types = types;
    }

    /// Changes the RTP clock of what is sent from the next frame on; timestamps go on from where they were.
    pub fn set_clock_rate(&mut self, clock_rate: u32) {
        self.config.clock_rate = clock_rate;
    }

    /// Names an SSRC that the peer announced (`a=ssrc`): it needs no probation.
    pub fn expect_source(&mut self, ssrc: u32) {
        let _ = ssrc;
    }

    /// The RTP timestamp of the next frame to send, from its capture time and, for sound, its duration in
    /// ticks (0 for pictures).
    ///
    /// Pictures get the capture time in ticks. Sound counts on by the duration of the frame before it, so
    /// that a capture clock that jitters does not show, until the two differ by more than 60 ms: then
    /// the sound has a gap, and the timestamp follows the capture time.
    pub fn timestamp(&mut self, captured: Time, duration: u32) -> u32 {
        let _ = (captured, duration);
        self.config.first_timestamp
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
        let _ = now;
        let header =
            crate::rtp::RtpHeader { marker, payload_type, seq: self.seq, timestamp, ssrc: self.config.ssrc };
        self.seq = self.seq.wrapping_add(1);
        let mut out = Vec::new();
        header.with_payload(payload).write(&mut out);
        out.into()
    }

    /// Whether an RTP packet belongs to this section: its SSRC is known or expected here, or ours.
    /// Where no section says so, the payload type decides: [`Session::accepts`].
    pub fn is_for(&self, packet: &RtpPacket<'_>) -> bool {
        packet.ssrc == self.config.ssrc
    }

    /// Whether a payload type may arrive in this section.
    pub fn accepts(&self, payload_type: u8) -> bool {
        self.config.payload_types.iter().any(|t| t.number == payload_type)
    }

    /// Takes an RTP packet that arrived `from` there.
    ///
    /// # Errors
    ///
    /// [`Dropped`] says why there is nothing to pass on; it is counted.
    pub fn receive(&mut self, received: Time, from: SocketAddr, data: &[u8]) -> Result<Delivery, Dropped> {
        let _ = (received, from);
        Err(Dropped::Superseded { ssrc: RtpPacket::parse(data)?.ssrc })
    }

    /// Whether an RTCP packet concerns this section: something in it is about our SSRC, or comes from a
    /// source known here.
    pub fn is_for_rtcp(&self, compound: &Compound<'_>) -> bool {
        let _ = compound;
        true
    }

    /// Takes an RTCP packet that arrived `from` there.
    pub fn receive_rtcp(
        &mut self,
        received: Time,
        from: SocketAddr,
        compound: &Compound<'_>,
    ) -> Vec<RtcpEvent> {
        let _ = (received, from, compound);
        Vec::new()
    }

    /// Asks the source that plays for a key frame: a feedback packet goes out with the next
    /// [`Session::poll_rtcp`], at once unless the last one is less than
    /// [`RtcpConfig::keyframe_interval`] ago.
    pub fn request_keyframe(&mut self, now: Time, method: KeyframeMethod) {
        let _ = (now, method);
    }

    /// Says BYE with the next [`Session::poll_rtcp`], and nothing after it.
    pub fn close(&mut self, now: Time) {
        let _ = now;
    }

    /// The next RTCP packet to send, where its time has come. Call until it gives `None`.
    pub fn poll_rtcp(&mut self, now: Time) -> Option<Bytes> {
        let _ = now;
        None
    }

    /// When to call [`Session::poll_rtcp`] next.
    pub fn next_deadline(&self) -> Option<Time> {
        None
    }

    /// The round trip that the peer's last report gave.
    pub fn round_trip(&self) -> Option<Duration> {
        None
    }

    /// Writes what was measured into the fields of `stats` that this session knows of.
    pub fn fill_stats(&self, stats: &mut SectionStats) {
        let _ = stats;
    }
}
