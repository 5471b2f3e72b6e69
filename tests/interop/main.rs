//! Calls with real peers, each judged from both sides: by what the peer shows, says and records, by our own
//! JSON record, and by tshark on what went over the wire. Everything stays on loopback, or in network
//! namespaces of the test's own.
//!
//! Each module is one peer. A program that is missing fails the test and says how to install it.

mod baresip;
mod captures;
mod check;
mod demo;
mod extensions;
mod ffmpeg;
#[path = "../../crates/capture/tests/frames/mod.rs"]
mod frames;
mod gstreamer;
mod harness;
mod impair;
mod inspect;
mod linphone;
mod load;
mod media;
mod namespaces;
mod nat_calls;
mod nats;
mod probe;
mod report;
mod sip;
mod sipp;
mod srtp;
mod wire;
