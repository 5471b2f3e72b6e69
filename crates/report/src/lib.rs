//! What is left of a call, and what to say of it.
//!
//! A call's record is what its endpoint saw and measured ([`CallRecord`]) beside its capture, which
//! [`visavis_capture::findings`] reads. Everything here is a function of those two: nothing reads a clock, a
//! socket or a file, so that a report on an old capture is made by the same code as one on a call just over.

pub mod html;
pub mod junit;
mod log;
mod media;
pub mod record;
mod timeline;
mod unix;

pub use log::{CallLog, LogEntry};
pub use media::MediaReport;
pub use record::{CallRecord, Expectation, SectionRecord, Verdict};
pub use timeline::{Step, Thumbnail, Timeline, TimelineBuilder};
