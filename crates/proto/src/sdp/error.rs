use crate::frame::MediaKind;
use thiserror::Error;

/// A session description that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("SDP line {line}: {kind}")]
pub struct SdpError {
    /// The line, counted from 1; 0 where the whole body is meant.
    pub line: usize,
    /// What is wrong with it.
    pub kind: SdpErrorKind,
}

/// What is wrong with a session description.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SdpErrorKind {
    /// The body is larger than [`Limits::sdp_body`](crate::limits::Limits::sdp_body).
    #[error("the body has {0} octets, more than the limit of {1}")]
    BodyTooLarge(usize, usize),
    /// It has more media sections than [`Limits::sdp_media`](crate::limits::Limits::sdp_media).
    #[error("more than {0} media sections")]
    TooManySections(usize),
    /// It has more lines than its attribute limit allows
    /// ([`Limits::sdp_attributes`](crate::limits::Limits::sdp_attributes)).
    #[error("more than {0} lines")]
    TooManyLines(usize),
    /// There is nothing in it.
    #[error("the body is empty")]
    Empty,
    /// The first line is not `v=0`.
    #[error("a session description begins with v=0, this one with {0:?}")]
    NoVersion(String),
    /// A second `v=` line: an offer or answer is one description (RFC 3264 section 5).
    #[error("a second v= line: more than one session description")]
    SecondDescription,
    /// A line that is not a letter, an equals sign and a value.
    #[error("not of the form x=value: {0:?}")]
    NotALine(String),
    /// A value that cannot be read.
    #[error("{0}= cannot be read: {1:?}")]
    BadValue(char, String),
}

/// Why an offer or an answer led to no session.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NegotiationError {
    /// No media section of the offer (or of the answer to ours) can be used; each with its reason. A UAS
    /// answers 488 with this text.
    #[error("no media section can be used: {}", reasons.join("; "))]
    NothingInCommon {
        /// One reason for each section that was not port 0 from the start.
        reasons: Vec<String>,
    },
    /// The answer has more media sections than the offer (RFC 3264 section 6).
    #[error("the answer has {answered} media sections, the offer had {offered}")]
    TooManySections {
        /// Sections in the answer.
        answered: usize,
        /// Sections in the offer.
        offered: usize,
    },
    /// An answer came while no offer was pending.
    #[error("an answer to no offer")]
    NoPendingOffer,
    /// An offer came while our own is pending (491, RFC 3261 section 14.2).
    #[error("an offer while our own is pending")]
    OfferPending,
    /// There is nothing to offer: no codec is configured for any of the chosen media.
    #[error("nothing to offer: no codec is configured for {}", kinds.iter().map(|k| k.as_str()).collect::<Vec<_>>().join(" or "))]
    NothingToOffer {
        /// The media that were chosen.
        kinds: Vec<MediaKind>,
    },
}
