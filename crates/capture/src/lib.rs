//! From datagrams to capture files, and from captures to calls and streams.
//!
//! A live call is recorded by a [`Tap`] in the media path, which never waits, and a [`Recorder`] on a thread
//! of its own, which writes pcapng: every datagram, as this end saw it, with nanosecond timestamps.

mod datagram;
pub mod findings;
mod input;
mod pcapng;
mod tap;

pub use datagram::{Direction, FrameError, Record};
pub use input::Datagram;
pub use pcapng::{Description, PcapngWriter};
pub use tap::{Recorder, Summary, Tap, TapMode, TapStats, tap};
