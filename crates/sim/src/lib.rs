//! A seeded network on a virtual clock, for visavis agents and for whoever wants to impair a real link.
//!
//! [`Link`] is the engine: one direction of a line that loses, delays, reorders, duplicates and queues. It
//! says of each datagram when it arrives, and carries none itself, so that the same code serves a test on a
//! virtual clock and an impairment in front of a real socket ([`impair`]). [`Network`] joins hosts by links (and
//! [`Middlebox`]es: a [`Nat`] or a [`Firewall`] of any behaviour), and [`World`] runs [`Node`]s on the network. [`Pair`]
//! is a world of two agents that call each other.
//!
//! Everything here is a function of its inputs and a seed: two runs with equal seeds are equal to the last
//! octet. Nothing reads a clock, sleeps or starts a thread.

pub mod impair;
mod link;
pub mod media;
mod nat;
mod network;
mod pair;
mod world;

pub use link::{DropReason, Jitter, Link, LinkProfile, LinkStats, Loss, Outcome, Rate, Reorder};
pub use nat::{Behaviour, Firewall, Nat, NatProfile, NatStats, PortAssignment};
pub use network::{
    Access, Arrival, HostId, Middlebox, MiddleboxId, Network, NetworkError, NetworkStats, Packet,
};
pub use pair::{FrameCounts, Front, Pair, Side};
pub use world::{Node, NodeId, World};
