//! What is left of a call, and what to say of it.
//!
//! A call's record is what its endpoint saw and measured ([`CallRecord`]) beside its capture, which
//! [`visavis_capture::findings`] reads. Everything here is a function of those two: nothing reads a clock, a
//! socket or a file, so that a report on an old capture is made by the same code as one on a call just over.

pub mod devices;
pub mod evidence;
pub mod html;
pub mod junit;
mod log;
mod media;
pub mod metrics;
pub mod record;
pub mod run;
mod timeline;
mod unix;
pub mod verdict;

pub use devices::DeviceReport;
pub use evidence::{End, Evidence, Role, Shown};
pub use log::{CallLog, LogEntry};
pub use media::{MediaReport, SoundDelay};
pub use record::{CallRecord, SectionRecord};
pub use timeline::{Step, Thumbnail, Timeline, TimelineBuilder};
pub use verdict::{Check, Expectation, Fault, Requirement, Tones, Verdict};
