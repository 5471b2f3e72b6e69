//! The window of `--window`: what is shown of calls, and what its keys do to them.
//!
//! Some systems have windows on the main thread alone: it is left to the window, and the command runs on another.

#[cfg(feature = "window")]
mod board;
#[cfg(feature = "window")]
mod keys;
#[cfg(feature = "window")]
mod media;
#[cfg(feature = "window")]
mod quality;
#[cfg(not(feature = "window"))]
#[path = "none.rs"]
mod show;
#[cfg(feature = "window")]
mod show;

pub(crate) use show::{Show, beside};
