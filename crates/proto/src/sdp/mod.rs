//! SDP (RFC 8866) and its offer/answer model (RFC 3264).
//!
//! [`SessionDescription`] is the text, line by line and without loss; [`format`](mod@format) gives the lines of one
//! payload type a meaning; [`OfferAnswer`] is what one side of a call keeps over all its offers and
//! answers, and each exchange ends in a [`Negotiated`]: everything that the media need to know.
//!
//! How a description is laid out is the business of a dialect ([`dialect`]): that of softphones, or that of FaceTime 2010.

mod answer;
pub mod asc;
mod bandwidth;
mod capabilities;
pub mod dialect;
mod error;
mod exchange;
pub mod extmap;
mod fmtp;
pub mod format;
pub mod h264;
mod matching;
mod media;
mod negotiate;
mod offer;
mod session;
mod view;

pub use bandwidth::{Bandwidth, BandwidthKind};
pub use capabilities::{
    AAC_FIRST_AUDIO, AacCapability, AacLimits, AnswerOrder, AudioCodec, Capabilities, FACETIME_2010_AUDIO,
    FeedbackOffer, SOFTPHONE_AUDIO, UnknownCodec, VideoCapability,
};
pub use dialect::{Dialect, Facetime2010};
pub use error::{NegotiationError, SdpError, SdpErrorKind};
pub use exchange::{LocalMedia, LocalStream, OfferAnswer};
pub use extmap::{ExtMap, HeaderExtension, NegotiatedExtension};
pub use format::{Encoding, Format};
pub use negotiate::{
    Feedback, Negotiated, NegotiatedSection, RemoteSource, SessionFacts, TelephoneEvents, VideoLimits,
};
pub use session::{Connection, Host, Line, MediaDescription, Origin, SessionDescription};
pub use view::{CryptoLine, SectionView, View};
