//! visavis on tokio: sockets, clock, codec threads and the public API.
//!
//! [`Endpoint::start`] opens a socket and runs an agent on it; [`Endpoint::call`] places calls, and
//! [`Endpoint::accept`] takes those that come in. What calls send and what becomes of what they receive is said
//! in a [`MediaPlan`]: by default they send a test pattern and a tone.

mod call;
mod clock;
mod driver;
mod endpoint;
mod media;
mod record;
mod socket;
mod target;

pub use call::{Call, Incoming, RemoteControl};
pub use clock::Clock;
pub use endpoint::{Arrival, CallOptions, Endpoint, Error, Filter, Options};
pub use media::{MediaPlan, MediaReport, Receiving, Recording, Sending, Sources, TestSources};
pub use record::{CallRecord, Expectation, SectionRecord, Verdict};
pub use target::Target;

pub use visavis_capture as capture;
pub use visavis_media as media_codecs;
pub use visavis_proto as proto;
