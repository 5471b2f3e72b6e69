//! How things end, in a form for programs and in words for people.

use std::fmt;

/// A command was carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The peer's final response with its reason phrase, where the command was a request to it.
    pub response: Option<(u16, String)>,
    /// How it was done, in a word, where there is more than one way: `PLI`, `FIR` or `INFO` for a key frame.
    pub how: Option<&'static str>,
}

/// A command was not carried out; the call goes on as if there had been none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NotDone {
    /// The peer's final response, where it refused.
    pub status: Option<u16>,
    /// What was wrong, in words.
    pub why: String,
}

impl NotDone {
    /// One that no response of the peer stands behind.
    pub fn because(why: impl Into<String>) -> Self {
        NotDone { status: None, why: why.into() }
    }
}

/// Why a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// This side hung up.
    LocalHangup,
    /// The peer sent BYE.
    RemoteHangup,
    /// The caller gave up before the call was answered (CANCEL).
    Cancelled,
    /// This side declined, with this status.
    Rejected(u16),
    /// The peer declined.
    Refused {
        /// The final status.
        status: u16,
        /// Its reason phrase, with the text of a Warning header where there was one.
        reason: String,
    },
    /// Nothing came back in time.
    NoResponse {
        /// What was waited for, in words: `no response to INVITE from 192.0.2.7:5060 in 32 s`.
        what: String,
    },
    /// The two sides share no format, or an offer or answer could not be used.
    Media {
        /// What was wrong, in words.
        what: String,
    },
    /// No way to the peer was found, or it was lost for good.
    NoPath {
        /// What was tried and what came back, in words.
        what: String,
    },
    /// The key exchange ended without the keys that were to come out of it.
    KeyExchange {
        /// What was missing or wrong, in words.
        what: String,
    },
    /// Something on this side failed.
    Failed {
        /// What, in words.
        what: String,
    },
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EndReason::LocalHangup => f.write_str("hung up here"),
            EndReason::RemoteHangup => f.write_str("hung up by the peer"),
            EndReason::Cancelled => f.write_str("the caller gave up"),
            EndReason::Rejected(status) => write!(f, "declined here with {status}"),
            EndReason::Refused { status, reason } => write!(f, "the peer answered {status} {reason}"),
            EndReason::NoResponse { what }
            | EndReason::Media { what }
            | EndReason::NoPath { what }
            | EndReason::KeyExchange { what }
            | EndReason::Failed { what } => f.write_str(what),
        }
    }
}
