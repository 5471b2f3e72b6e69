//! SIP (RFC 3261): messages, transactions and dialogs.

pub mod dialog;
pub mod transaction;
