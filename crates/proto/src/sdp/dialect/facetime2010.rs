//! The dialect of the FaceTime calls of 2010, as far as the public record of that engine shows it: `fmtp` keyed by the
//! name of a codec family, `imagesize` and `rules` for pictures, `a=rtpID` for the SSRC, and `a=rtcp` (RFC 3605) with
//! the port of the `m=` line as the only word of RTP and RTCP on one port.
//!
//! [`Facetime2010::emulate`] offers what the record shows and no more. Otherwise the same lines stand there with what
//! their readers skip and others need: `a=rtcp-mux` (RFC 5761), the parameters of RFC 6184 and AAC in RFC 3640.

mod read;
mod write;

pub(in crate::sdp) use read::{is_spoken_in, shares_port, video_limits, with_rtp_id};

use crate::sdp::asc::{AacObject, AudioSpecificConfig};
use crate::sdp::negotiate::VideoLimits;

/// AAC-ELD without any parameters but a clock.
const AAC_ELD: &str = "X-AAC_ELD";
/// AAC-LD in the same way.
const AAC_LD: &str = "X-AAC_LD";
/// AAC-LC, which no record shows in this dialect.
const AAC: &str = "X-AAC";
/// The second name of H.264.
const X_H264: &str = "X-H264";
/// The payload types of the record, and one for AAC in RFC 3640 beside them.
const AAC_ELD_TYPE: u8 = 105;
const AAC_LD_TYPE: u8 = 110;
const H264_TYPE: u8 = 123;
const X_H264_TYPE: u8 = 126;
const GENERIC_AAC_TYPE: u8 = 96;

/// The `a=rtpmap` value of a configuration of AAC.
pub(in crate::sdp) fn rtpmap(config: &AudioSpecificConfig) -> String {
    let name = match config.object {
        AacObject::EnhancedLowDelay => AAC_ELD,
        AacObject::LowDelay => AAC_LD,
        AacObject::LowComplexity => AAC,
    };
    match config.channels {
        1 => format!("{name}/{}", config.sample_rate),
        channels => format!("{name}/{}/{channels}", config.sample_rate),
    }
}

/// The settings of the dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facetime2010 {
    /// Offer line for line what the record shows, under its names, with nothing added.
    pub emulate: bool,
    /// `a=iChatEncryption`: whether media are to be encrypted.
    pub encryption: bool,
    /// `b=AS` of the session: what this side takes of sound and pictures together with their headers, kbit/s.
    pub session_bandwidth: Option<u32>,
    /// What stands behind `a=FLS;`, such as `VRA:0;RVRA:1;AS:2`. Its meaning is not public. It ends at a CR or LF.
    pub fls: Option<String>,
    /// `a=hwi`: model, processors and clock, such as `17412:2:2800`. It ends at a CR or LF.
    pub hwi: Option<String>,
    /// `s=`: a name for the call; `None`: `-`. It ends at a CR or LF.
    pub session_name: Option<String>,
    /// The user name of `o=`, without spaces; `None`: `GKVoiceChatService` in emulation, else `visavis`.
    pub origin_name: Option<String>,
    /// The pictures that this side takes: `a=framerate` and `rules`.
    pub video: VideoLimits,
    /// Whether an access unit of X-AAC stands behind an AU header (RFC 3640 section 3.2.1, mode AAC-hbr). The record
    /// does not tell; both sides must have the same.
    pub au_headers: bool,
}

impl Default for Facetime2010 {
    /// The lab's form: clear media, 320x240 at 15 pictures a second and 250 kbit/s, as in the record, bare access units.
    fn default() -> Self {
        Facetime2010 {
            emulate: false,
            encryption: false,
            session_bandwidth: Some(250),
            fls: None,
            hwi: None,
            session_name: None,
            origin_name: None,
            video: VideoLimits { width: 320, height: 240, fps: 15 },
            au_headers: false,
        }
    }
}
