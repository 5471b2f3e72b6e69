//! A plain window that shows the pictures of a call, who is at the other end, and how good the line is.
//!
//! A [`Stage`] is what is to be seen, and is told so by whoever runs the call; [`paint`] makes pixels of it, and needs
//! no display; `Window` (feature `native`) puts them on the screen and turns keys into [`Action`]s.

mod action;
mod canvas;
pub mod paint;
mod reel;
mod source;
mod stage;
#[cfg(feature = "native")]
mod window;

pub use action::Action;
pub use source::{Mutable, SelfView};
pub use stage::{Facts, Phase, Screen, Stage};
#[cfg(feature = "native")]
pub use window::{Window, WindowError};
