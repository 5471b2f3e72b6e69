//! visavis: a video-call endpoint for people who test and study video calls.
//!
//! SIP, RTP and RTCP share one UDP port; pictures are H.264, sound is AAC-LD, AAC-ELD, Opus, G.722 or G.711.
//! Everything here comes from [`visavis_endpoint`]; the examples in `examples/` show it at work.

pub use visavis_check as check;
pub use visavis_endpoint::*;
