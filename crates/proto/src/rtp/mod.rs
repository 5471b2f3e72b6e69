//! RTP and RTCP (RFC 3550): sessions, statistics, reordering and playout, payload formats, header extensions (RFC
//! 8285); SRTP (RFC 3711).
//!
//! # The way of a packet
//!
//! In: a datagram goes to the [`Session`] of its media section ([`Session::is_for`] tells whose it is), which
//! checks it, counts it and makes [`MediaPacket`]s of it; these go into the section's [`JitterBuffer`], which
//! puts them in order, decides what is lost and when each is to be played; [`playout`] holds sound and
//! pictures together; what comes out is put together by the payload format.
//!
//! Out: a frame is cut up by the payload format; its packets wait in the [`Pacer`], and each gets its
//! header from [`Session::send`] when the pacer lets it go, so that what the pacer drops leaves no gap in
//! the sequence numbers.
//!
//! RTCP in: [`rtcp::Compound::parse`] once, then [`Session::receive_rtcp`] of every section that
//! [`Session::is_for_rtcp`]. RTCP out: [`Session::poll_rtcp`] when its deadline has come.

pub mod extension;
pub mod jitter;
pub mod pacer;
pub mod packet;
pub mod payload;
pub mod playout;
pub mod rtcp;
pub mod session;
pub mod source;
pub mod srtp;

pub use extension::{Extension, ExtensionIds, Extensions};
pub use jitter::{JitterBuffer, JitterConfig};
pub use pacer::{Pacer, PacerConfig};
pub use packet::{RtpHeader, RtpPacket};
pub use session::{Session, SessionConfig};

use crate::time::Time;
use bytes::Bytes;

/// An RTP packet that a session has accepted, on its way through the jitter buffer to its payload format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaPacket {
    /// Counts the streams that this session has passed on: another SSRC took over, or the sequence numbers
    /// jumped (RFC 3550 appendix A.1). `seq` and `timestamp` compare only between equal generations.
    pub generation: u32,
    /// The synchronisation source.
    pub ssrc: u32,
    /// The sequence number, extended past its 16-bit wraps. The first one of a generation lies between
    /// 65,536 and 131,071, so that packets from before it have a number too.
    pub seq: u64,
    /// The RTP timestamp, extended past its 32-bit wraps, above 2^32 in the same way.
    pub timestamp: u64,
    /// The payload type.
    pub payload_type: u8,
    /// The RTP clock of that payload type, Hz; never 0.
    pub clock_rate: u32,
    /// The M bit.
    pub marker: bool,
    /// When the kernel received it.
    pub received: Time,
    /// The payload, without padding.
    pub payload: Bytes,
    /// What its header extension says, of what was agreed on.
    pub extensions: Extensions,
}
