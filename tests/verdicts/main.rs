//! Verdicts held against experiments: a call is impaired on purpose, and what its verdict says is compared with the
//! impairment engine's own log of what it did, never with the probability that was asked for.
//!
//! Agents, codecs, judge and lines are those of the program; the clock is the simulator's, so that every experiment
//! is the same in every run and takes no longer than its codecs. tests/interop/impair.rs has the same in real time.

mod call;
mod faults;
mod freeze;
mod jitter;
mod latency;
mod loss;
mod phone;
mod quality;
mod sound;
mod sources;
mod sync;
mod truth;
