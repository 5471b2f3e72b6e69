//! Network address translators by their behaviour towards UDP (RFC 4787), and firewalls, as [`Middlebox`]es.
//!
//! A [`Nat`] is described in the terms of RFC 4787 by its [`NatProfile`]; the four kinds of RFC 3489 section 5
//! are profiles by name. A [`Firewall`] filters and does not translate.
//!
//! [`Middlebox`]: crate::Middlebox

mod filter;
mod firewall;
mod translate;

pub use filter::Behaviour;
pub use firewall::Firewall;
pub use translate::{Nat, NatProfile, NatStats, PortAssignment};
