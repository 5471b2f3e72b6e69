//! How an agent is set up.

use super::{HolePunching, StrategyFactory};
use crate::io::MediaChoice;
use crate::limits::Limits;
use crate::sdp::Capabilities;
use crate::sip::Shape;
use crate::sip::transaction::Timers;
use crate::ske::Scheme;
use std::sync::Arc;
use std::time::Duration;

/// The settings of an agent.
#[derive(Clone, Debug)]
pub struct Config {
    /// The value of the User-Agent and Server headers.
    pub user_agent: String,
    /// The display name in From, where there is one.
    pub display_name: Option<String>,
    /// The user part of our own URIs.
    pub user: String,
    /// The form of SIP messages that go out.
    pub shape: Shape,
    /// Who may call.
    pub admission: Admission,
    /// What to do with an INVITE.
    pub answer: AnswerPolicy,
    /// Answer every INVITE with 100 at once, and not only when nothing else is sent within 200 ms (RFC 3261
    /// section 17.2.1).
    pub trying_at_once: bool,
    /// The media that this side takes part in.
    pub media: MediaChoice,
    /// The codecs that it has, in order of preference, and their parameters.
    pub capabilities: Capabilities,
    /// The UDP ports that media use.
    pub ports: PortPlan,
    /// Take part in signalling alone: answer offers as ever, but send no RTP and no RTCP.
    pub signalling_only: bool,
    /// What peers may cost.
    pub limits: Limits,
    /// The timers of SIP transactions.
    pub timers: Timers,
    /// How keys are agreed on once a call is up; `None`: not at all, and media are clear.
    pub key_exchange: Option<Arc<dyn Scheme>>,
    /// End a call whose key exchange takes longer.
    pub key_exchange_timeout: Duration,
    /// How ways to peers are found.
    pub punch: Arc<dyn StrategyFactory>,
    /// End a call with BYE when nothing has arrived on it for this long, though media should; `None`: never.
    pub media_silence: Option<Duration>,
    /// Send a key frame at most this often, however often the peer asks.
    pub keyframe_interval: Duration,
    /// The bit rate that pictures begin with where the peer sets no lower limit, bits a second.
    pub video_bitrate: u32,
    /// How pictures are spread out on their way out.
    pub pacing: Pacing,
}

/// How pictures are spread out on their way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pacing {
    /// By the encoder's target.
    ByTarget,
    /// As they came in on the same section: for whoever sends back what arrives, as soon as it is whole.
    AsReceived,
}

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Anybody, any number of times.
    Anyone,
    /// Only a peer that [`Command::Expect`](crate::io::Command::Expect) named, from the address that was found for
    /// it, once, and within `window` after that. Others are declined with 603, and with 486 while the expected
    /// call lasts.
    Expected {
        /// How long the INVITE may take after a way to the peer was found.
        window: Duration,
    },
}

/// What to do with an INVITE that could be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerPolicy {
    /// Accept it at once: 180, then 200.
    Accept,
    /// Report it, and wait for a command.
    Ask,
    /// Decline it with this status.
    Decline(u16),
}

/// The UDP ports that media use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortPlan {
    /// The one that signalling uses, for sound, pictures and RTCP.
    One,
    /// A pair of ports of its own for each media section (RTP even, RTCP the next), out of this pool.
    Separate {
        /// Even ports to try, in order.
        pool: Vec<u16>,
    },
}

impl Default for Config {
    fn default() -> Self {
        Config {
            user_agent: concat!("visavis/", env!("CARGO_PKG_VERSION")).into(),
            display_name: None,
            user: "visavis".into(),
            shape: Shape::Softphone,
            admission: Admission::Anyone,
            answer: AnswerPolicy::Accept,
            trying_at_once: false,
            media: MediaChoice::BOTH,
            capabilities: Capabilities::default(),
            ports: PortPlan::One,
            signalling_only: false,
            limits: Limits::default(),
            timers: Timers::default(),
            key_exchange: None,
            key_exchange_timeout: Duration::from_secs(5),
            punch: Arc::new(HolePunching),
            media_silence: None,
            keyframe_interval: Duration::from_secs(1),
            video_bitrate: 1_000_000,
            pacing: Pacing::ByTarget,
        }
    }
}
