//! The key exchange of a call: bodies of type `application/ske` that both ends carry in MESSAGE requests.
//!
//! A [`Scheme`] says what is exchanged; its [`Handler`] sees whole bodies of one call and says what to send.
//! An [`Exchange`] stands between a handler and SIP: fragments, order, repeats and the time limit are its own.
//! No document describes the bodies of the calls of 2010, so there is a choice of schemes: [`None`](NoExchange),
//! [`Tap`], [`Replay`] of recorded bodies, and [`Lab`], an exchange of our own.
//!
//! # A scheme of one's own
//!
//! ```
//! use bytes::Bytes;
//! use rand_core::RngCore;
//! use visavis_proto::ske::{Body, Context, Handler, Outcome, Outgoing, Role, Scheme, State, Step};
//!
//! /// The caller says hello, the callee hears it; the media stay clear.
//! #[derive(Debug)]
//! struct Hello;
//!
//! #[derive(Debug)]
//! struct Greeter(Role);
//!
//! impl Scheme for Hello {
//!     fn name(&self) -> &'static str {
//!         "hello"
//!     }
//!     fn encrypts(&self) -> bool {
//!         false
//!     }
//!     fn start(&self, context: &Context, _: &mut dyn RngCore) -> Box<dyn Handler> {
//!         Box::new(Greeter(context.role))
//!     }
//! }
//!
//! impl Handler for Greeter {
//!     fn begin(&mut self) -> Step {
//!         match self.0 {
//!             Role::Caller => Step {
//!                 send: vec![Outgoing { sequence: 1, body: Bytes::from_static(b"hello") }],
//!                 state: State::Done(Outcome::Clear),
//!             },
//!             Role::Callee => Step::pending(),
//!         }
//!     }
//!     fn message(&mut self, input: &Body<'_>) -> Step {
//!         match input.data {
//!             b"hello" => Step::done(Outcome::Clear),
//!             _ => Step::failed("the caller did not say hello"),
//!         }
//!     }
//! }
//!
//! let context = Context {
//!     role: Role::Callee,
//!     call_id: "1@example".into(),
//!     local_tag: "a".into(),
//!     remote_tag: "b".into(),
//! };
//! let mut handler = Greeter(context.role);
//! assert!(matches!(handler.begin().state, State::Pending));
//! ```

mod exchange;
mod fingerprint;
mod identity;
mod lab;
mod none;
mod replay;
mod sequence;
mod tap;

pub use exchange::{Counters, Exchange, Failure, Out, Reply};
pub use fingerprint::{Fingerprint, FingerprintError};
pub use identity::{Identity, IdentityError};
pub use lab::{Lab, Suite};
pub use none::NoExchange;
pub use replay::{Entry, Replay};
pub use sequence::{SkeSeq, SkeSeqError};
pub use tap::Tap;

use bytes::Bytes;
/// Where schemes take their random numbers from.
pub use rand_core::RngCore;

use std::fmt;
use zeroize::Zeroizing;

/// The largest body of one MESSAGE, octets. A longer one goes in fragments of this size.
pub const MAX_FRAGMENT: usize = 900;

/// The media type of the bodies.
pub const CONTENT_TYPE: &str = "application/ske";

/// A way to exchange keys, of which each call starts a handler.
pub trait Scheme: Send + Sync + fmt::Debug {
    /// The name that people choose it by.
    fn name(&self) -> &'static str;
    /// Whether it ends in keys: media then wait for it.
    fn encrypts(&self) -> bool;
    /// The handler of one call.
    fn start(&self, context: &Context, rng: &mut dyn RngCore) -> Box<dyn Handler>;
}

/// One end of the exchange of one call. It needs to know nothing of fragments, repeats or time.
pub trait Handler: Send + fmt::Debug {
    /// The dialog stands: what to send before anything came.
    fn begin(&mut self) -> Step;
    /// A whole body came.
    fn message(&mut self, input: &Body<'_>) -> Step;
    /// What is missing while more is to come, for the text of a call that ends without it.
    fn waits_for(&self) -> &'static str {
        "the peer's next message"
    }
}

/// Which end of the call this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It sent the INVITE.
    Caller,
    /// It answered it.
    Callee,
}

/// The call that keys are exchanged for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Our end.
    pub role: Role,
    /// The Call-ID of the dialog.
    pub call_id: String,
    /// Our tag in it.
    pub local_tag: String,
    /// The peer's tag.
    pub remote_tag: String,
}

/// Which way a body went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From us.
    Sent,
    /// From the peer.
    Received,
}

/// What carried a body of the peer. We send bodies in requests alone (RFC 3428 section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A MESSAGE request.
    Request,
    /// A response to one of ours.
    Response,
}

/// A whole body of the peer.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    /// Its sequence number.
    pub sequence: u64,
    /// What its last fragment came in.
    pub carrier: Carrier,
    /// Its octets.
    pub data: &'a [u8],
}

/// A body to send, of any length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its sequence number.
    pub sequence: u64,
    /// Its octets.
    pub body: Bytes,
}

/// What a handler wants after an input.
#[derive(Debug)]
pub struct Step {
    /// Bodies to send, in order.
    pub send: Vec<Outgoing>,
    /// How the exchange stands.
    pub state: State,
}

impl Step {
    /// Nothing to send, and not finished.
    pub fn pending() -> Self {
        Step { send: Vec::new(), state: State::Pending }
    }

    /// Nothing to send, and finished.
    pub fn done(outcome: Outcome) -> Self {
        Step { send: Vec::new(), state: State::Done(outcome) }
    }

    /// Nothing to send, and failed for this reason.
    pub fn failed(why: impl Into<String>) -> Self {
        Step { send: Vec::new(), state: State::Failed(why.into()) }
    }
}

/// How an exchange stands.
#[derive(Debug)]
pub enum State {
    /// More is to come.
    Pending,
    /// It is finished.
    Done(Outcome),
    /// One of the two ends does not want it, for this reason.
    Declined(String),
    /// It went wrong, for this reason.
    Failed(String),
}

/// What an exchange ended in.
#[derive(Debug)]
pub enum Outcome {
    /// Media in the clear.
    Clear,
    /// Keys for both directions.
    Keys(Box<Secrets>),
}

/// A master key and its salt.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyMaterial {
    /// The SRTP master key.
    pub key: Zeroizing<Vec<u8>>,
    /// The SRTP master salt.
    pub salt: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyMaterial(..)")
    }
}

/// What an exchange agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets {
    /// The SRTP profile by its name in SDES (RFC 4568 section 6.2, RFC 6188, RFC 7714).
    pub profile: &'static str,
    /// For what we send.
    pub send: KeyMaterial,
    /// For what we receive.
    pub receive: KeyMaterial,
    /// The fingerprint of our identity key.
    pub local_fingerprint: String,
    /// The fingerprint of the peer's identity key.
    pub remote_fingerprint: String,
    /// A short string that is equal on both ends: two people who read it to each other know that nobody sits
    /// between them.
    pub short_authentication_string: String,
}
