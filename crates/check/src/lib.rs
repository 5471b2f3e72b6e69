//! A conformance pack, run as a caller against any SIP user agent.
//!
//! Each [`Case`] names a section of an RFC and, in short, what it asks for; its script sends whatever is needed to
//! find out, deliberately wrong messages included, over UDP sockets of its own. What comes of it is a [`Verdict`]
//! with the whole exchange attached. [`run()`] goes through the cases one after the other, since many a peer takes
//! but one call at a time, and asks after each whether the peer is still there.
//!
//! Nothing here decides whom it is right to test: that is the caller's part.

mod case;
mod cases;
mod facts;
mod lab;
mod page;
mod results;
mod run;

pub use case::{Case, Verdict, all};
pub use facts::Facts;
pub use lab::{Entry, Exchange, Peer, Way};
pub use results::{CaseResult, Counts, Run};
pub use run::{NoAnswer, Options, Progress, run};
