//! How the lines of a media section are laid out, and how they are read back.
//!
//! [`softphone`] is what RFC 8866 and the payload format RFCs describe. A dialect reads and writes
//! [`Format`](super::Format)s and transport facts; what is agreed on is the same for all of them.

pub mod softphone;
