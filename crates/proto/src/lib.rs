//! The protocol logic of visavis: bytes and a clock reading go in, bytes, events and deadlines come out.
//!
//! Nothing here opens a socket, reads a clock, starts a thread or touches a file; the
//! `visavis-endpoint` crate does that around it, and the simulator runs the same
//! code on a virtual clock.
//!
//! # The drain rule
//!
//! After every [`Agent::handle`](agent::Agent::handle) call [`Agent::poll`](agent::Agent::poll) until it
//! returns [`Output::Timeout`](io::Output::Timeout): only then is everything that the input caused on its way.
//!
//! # Where things are
//!
//! A datagram enters at [`agent`], is sorted by [`demux`], and goes to [`sip`] (then `call`) or to the
//! [`rtp`] sessions of a call. [`sdp`] turns offers and answers into the formats that a call's media use.

pub mod agent;
mod call;
pub mod demux;
pub mod frame;
pub mod io;
pub mod limits;
pub mod nat;
pub mod probe;
pub mod rendezvous;
pub mod rtp;
pub mod sdp;
pub mod sip;
pub mod ske;
pub mod stun;
pub mod time;

pub use call::convert::payload_format;
pub use time::Time;
