//! visavis on tokio: sockets, clock, codec threads and the public API.
//!
//! [`Endpoint::start`] opens a socket and runs an agent on it; [`Endpoint::call`] places calls, and
//! [`Endpoint::accept`] takes those that come in. What calls send and what becomes of what they receive is said
//! in a [`MediaPlan`]: by default they send a test pattern and a tone.
//!
//! ```no_run
//! use std::time::Duration;
//! use visavis_endpoint::{CallOptions, Endpoint, Expectation, Options};
//!
//! # async fn example() -> Result<(), visavis_endpoint::Error> {
//! let endpoint = Endpoint::start(Options::default()).await?;
//! let call = endpoint.call("sip:alice@192.0.2.7", CallOptions::default()).await?;
//! let record = call.until_end(Some(Duration::from_secs(10))).await;
//! println!("{}", record.verdict(&Expectation::default()));
//! endpoint.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod call;
mod clock;
mod control;
mod driver;
mod endpoint;
mod files;
mod fragments;
pub mod impair;
mod interfaces;
mod keys;
pub mod load;
mod media;
mod probe;
mod socket;
mod state;
mod target;
mod train;

pub use call::{Call, Incoming};
pub use clock::Clock;
pub use control::{CallControl, Pending};
pub use endpoint::{Arrival, CallOptions, Endpoint, Error, Options, PeerTickets};
pub use impair::{Impair, Impairment, ImpairmentLog};
pub use interfaces::local_addresses;
pub use keys::{fresh_identity, sdp_with_keys};
#[cfg(feature = "devices")]
pub use media::{DeviceEvent, DeviceOptions, Devices};
pub use media::{MediaPlan, Receiving, Recording, Sending, Sinks, Sources, TestSources};
pub use probe::{LARGEST_REQUEST, ProbeOptions, ProbeReport, probe};
pub use state::{StateDir, StateError, ticket};
pub use target::Target;

pub use visavis_capture as capture;
pub use visavis_media as media_codecs;
pub use visavis_proto as proto;
pub use visavis_report as report;
pub use visavis_report::{
    CallRecord, Check, Expectation, Fault, MediaReport, Requirement, SectionRecord, Tones, Verdict,
};
