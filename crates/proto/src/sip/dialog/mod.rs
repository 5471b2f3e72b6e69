//! Dialogs: RFC 3261 sections 12, 13.3.1.4 and 14.1.

mod accepted;
mod glare;

pub use accepted::{Accepted, Due};
pub use glare::retry_after_glare;
