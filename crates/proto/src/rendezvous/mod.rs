//! How two ends get each other's [`Ticket`]s and agree that there is to be a call: the step before any check and any
//! INVITE.
//!
//! A [`Directory`] says where a name can be reached; a [`Rendezvous`] carries an invitation with the caller's ticket
//! there, and the answer with the callee's back; [`Credentials`] prove who somebody is. A server, a folder or a message
//! bus can stand behind them. [`Exchange`] is all of it within one process. Handing tickets over by hand needs none of it.

mod credentials;
mod local;

pub use local::{Exchange, Local};

use crate::nat::Ticket;
use crate::ske::Fingerprint;
use crate::time::Time;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How long an invitation waits for its answer.
pub const INVITATION: Duration = Duration::from_secs(30);
/// The longest name, octets.
pub const NAME_OCTETS: usize = 64;
/// The length of a challenge to [`Credentials`], octets.
pub const CHALLENGE_OCTETS: usize = 32;

/// What an end goes by: a telephone number, an address, any printable text without blanks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = RendezvousError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let printable = text.chars().all(|c| !c.is_control() && !c.is_whitespace());
        let good = !text.is_empty() && text.len() <= NAME_OCTETS && printable;
        if good { Ok(Name(text.to_owned())) } else { Err(RendezvousError::Name) }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names one invitation, from its start to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InvitationId(pub [u8; 16]);

/// Why an end does not take a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It does not want it.
    Declined,
    /// It has a call already, or too many invitations.
    Busy,
}

/// What becomes of invitations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody calls: answer with [`Rendezvous::accept`] or [`Rendezvous::reject`].
    Incoming {
        /// The invitation.
        invitation: InvitationId,
        /// Who calls.
        from: Name,
        /// Where the caller can be reached.
        ticket: Ticket,
    },
    /// Our invitation was accepted: both sides may begin to punch.
    Accepted {
        /// The invitation.
        invitation: InvitationId,
        /// Where the callee can be reached.
        ticket: Ticket,
    },
    /// Our invitation was turned down.
    Refused {
        /// The invitation.
        invitation: InvitationId,
        /// Why.
        why: Refusal,
    },
    /// Nobody answered ours within [`INVITATION`].
    TimedOut {
        /// The invitation.
        invitation: InvitationId,
    },
    /// One that came in is over before it was answered: the caller took it back, or it grew too old.
    Cancelled {
        /// The invitation.
        invitation: InvitationId,
    },
}

/// Why a directory or a rendezvous did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RendezvousError {
    /// The text is no name.
    #[error("not a name: 1 to {NAME_OCTETS} octets without blanks and control characters")]
    Name,
    /// No such invitation waits for this answer from this end.
    #[error("the invitation is over, or not for this end to answer")]
    Over,
    /// Too many at once.
    #[error("too many {0} at once")]
    Full(&'static str),
    /// The ticket's time is over.
    #[error("the ticket has expired: make a new one")]
    Expired,
    /// What stands behind it failed.
    #[error("{0}")]
    Failed(String),
}

/// Where names can be reached.
pub trait Directory: Send + fmt::Debug {
    /// Says where `name` can be reached, for so long or until the ticket expires, in place of what was said before.
    ///
    /// # Errors
    ///
    /// [`RendezvousError::Expired`], [`RendezvousError::Full`], [`RendezvousError::Failed`].
    fn publish(
        &mut self,
        now: Time,
        name: &Name,
        ticket: &Ticket,
        lifetime: Duration,
    ) -> Result<(), RendezvousError>;

    /// Where `name` can be reached now: the tickets of each of its devices; none where it is not known.
    ///
    /// # Errors
    ///
    /// [`RendezvousError::Failed`].
    fn resolve(&mut self, now: Time, name: &Name) -> Result<Vec<Ticket>, RendezvousError>;
}

/// Carries invitations and their answers for one end.
///
/// Poll it until it gives `None`: at [`Rendezvous::next_timeout`], and when what stands behind it has something new.
pub trait Rendezvous: Send + fmt::Debug {
    /// Calls `to`. What becomes of it is told by [`Rendezvous::poll`].
    ///
    /// # Errors
    ///
    /// [`RendezvousError::Expired`], [`RendezvousError::Full`], [`RendezvousError::Failed`].
    fn initiate(&mut self, now: Time, to: &Name, ticket: &Ticket) -> Result<InvitationId, RendezvousError>;

    /// Takes a call that came in.
    ///
    /// # Errors
    ///
    /// [`RendezvousError::Over`] where the caller no longer waits, [`RendezvousError::Expired`],
    /// [`RendezvousError::Failed`].
    fn accept(&mut self, now: Time, invitation: InvitationId, ticket: &Ticket)
    -> Result<(), RendezvousError>;

    /// Turns a call down that came in.
    ///
    /// # Errors
    ///
    /// As [`Rendezvous::accept`].
    fn reject(&mut self, now: Time, invitation: InvitationId, why: Refusal) -> Result<(), RendezvousError>;

    /// Takes back an invitation of ours that nobody has answered.
    ///
    /// # Errors
    ///
    /// [`RendezvousError::Over`] where it has been answered, [`RendezvousError::Failed`].
    fn cancel(&mut self, now: Time, invitation: InvitationId) -> Result<(), RendezvousError>;

    /// What happened since.
    ///
    /// # Errors
    ///
    /// [`RendezvousError::Failed`].
    fn poll(&mut self, now: Time) -> Result<Option<Event>, RendezvousError>;

    /// When to poll at the latest.
    fn next_timeout(&self) -> Option<Time>;
}

/// Proves to somebody, such as a directory or the other end, who one is.
///
/// The verifier makes a new challenge from random octets for each proof, and takes it as answered once. A proof is for
/// one verifier by name, so that a verifier can not pass it on as its own.
pub trait Credentials: Send + Sync + fmt::Debug {
    /// Answers a challenge of `verifier`.
    fn present(&self, verifier: &Name, challenge: &[u8; CHALLENGE_OCTETS]) -> Vec<u8>;

    /// Who answered our challenge, we being `verifier`; `None` where the proof does not hold.
    fn verify(
        &self,
        verifier: &Name,
        challenge: &[u8; CHALLENGE_OCTETS],
        presented: &[u8],
    ) -> Option<Fingerprint>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_printable_and_short() {
        assert_eq!("x".repeat(NAME_OCTETS).parse::<Name>().unwrap().as_str().len(), NAME_OCTETS);
        for wrong in ["", "a b", "a\n", "\u{7f}", &"x".repeat(NAME_OCTETS + 1)] {
            assert_eq!(wrong.parse::<Name>(), Err(RendezvousError::Name), "{wrong:?}");
        }
    }
}
