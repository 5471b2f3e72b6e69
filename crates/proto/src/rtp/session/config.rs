//! What a session is made from.

use rand_core::RngCore;
use std::time::Duration;

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
    /// Take packets that do not begin with a report (RFC 5506 section 3.4.2).
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
