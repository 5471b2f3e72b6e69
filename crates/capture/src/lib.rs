//! From datagrams to capture files, and from captures to calls and streams.
//!
//! A live call is recorded by a [`Tap`] in the media path, which never waits, and a [`Recorder`] on a thread
//! of its own, which writes pcapng: every datagram, as this end saw it, with nanosecond timestamps.
//!
//! A capture that anybody wrote is read by a [`read::Reader`], and an [`Analysis`](analysis::Analysis) tells what it
//! holds.

pub mod analysis;
mod datagram;
pub mod findings;
mod input;
mod pcapng;
pub mod read;
mod tap;

pub use datagram::{Direction, FrameError, Record};
pub use input::Datagram;
pub use pcapng::{Description, PcapngWriter};
pub use tap::{Recorder, Summary, Tap, TapMode, TapStats, tap};
