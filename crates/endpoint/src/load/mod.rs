//! Many calls at once, to find out what a user agent can take.
//!
//! [`Load::start`] places the calls of a [`Plan`]: so many, so many a second, each held for so long. Every worker is a
//! thread with a socket and an agent of its own, which drives the agent itself: without codecs, tasks for each call
//! or a queue between call and socket, so that the load is not slower than what it is to measure. All calls of a
//! worker share one 5-tuple; the peer tells their media apart by SSRC. Media come from reels, coded once
//! and played in every call; every n-th call is decoded and judged.
//!
//! ```no_run
//! use std::time::Duration;
//! use visavis_endpoint::load::{Load, Plan, Ramp};
//!
//! # async fn example() -> Result<(), visavis_endpoint::Error> {
//! let mut plan = Plan::to("sip:answer@127.0.0.1:5060").await?;
//! plan.ramp = Ramp { from: 10.0, to: 100.0, over: Duration::from_secs(10) };
//! plan.calls = 1_000;
//! let mut load = Load::start(plan)?;
//! while load.next().await.is_some() {}
//! let tally = load.tally();
//! println!("{} good, {} failed, p99 {:?}", tally.good, tally.failed, tally.answer.quantile(0.99));
//! # Ok(())
//! # }
//! ```
//!
//! [`Search`] finds the highest rate at which a peer is still at ease; [`Histogram`] and [`Ramp`] are of use alone.

mod agenda;
mod histogram;
mod live;
mod run;
mod schedule;
mod search;
mod shelf;
mod tally;
mod worker;

pub use histogram::Histogram;
pub use run::{Load, Plan, Progress};
pub use schedule::Ramp;
pub use search::{Clean, Search};
pub use tally::{CallRow, Outcome, RtpTally, Tally};
