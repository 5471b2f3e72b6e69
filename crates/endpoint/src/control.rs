//! Telling a call what to do, and hearing what became of it.

use crate::driver::ToDriver;
use crate::endpoint::Error;
use bytes::Bytes;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use visavis_proto::io::{CallHandle, Command, Done, Event, MediaChoice, NotDone, SectionStats};

/// Commands a call; whoever has a clone may, also while somebody else follows the events.
///
/// Each command returns once it is on its way, and gives a [`Pending`]: wait for its [`Pending::outcome`] to learn
/// what became of it, or drop it. Commands of one task are carried out in the order given.
///
/// ```no_run
/// # async fn example(call: visavis_endpoint::Call) -> Result<(), Box<dyn std::error::Error>> {
/// call.hold().await?.outcome().await?; // the peer has agreed to it
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Error::Closed`] where the endpoint has shut down. That a command cannot be carried out, or the peer refuses it,
/// is its outcome.
#[derive(Clone, Debug)]
pub struct CallControl {
    handle: CallHandle,
    requests: mpsc::Sender<ToDriver>,
}

/// A command that is on its way. It is carried out whether or not somebody waits for its outcome.
#[derive(Debug)]
pub struct Pending(oneshot::Receiver<Event>);

impl Pending {
    /// What became of it. A request to the peer (hold, resume, re-INVITE, MESSAGE) is done when the peer's final
    /// response is there, hanging up and declining when the call is over, accepting when the 200 has gone out;
    /// everything else at once.
    ///
    /// # Errors
    ///
    /// [`NotDone`]: the call is not in a state for it, the peer refused, or the call ended first.
    pub async fn outcome(self) -> Result<Done, NotDone> {
        match self.0.await {
            Ok(Event::Outcome { result, .. }) => result,
            _ => Err(NotDone::because("the endpoint was shut down")),
        }
    }
}

impl CallControl {
    pub(crate) fn new(handle: CallHandle, requests: mpsc::Sender<ToDriver>) -> Self {
        CallControl { handle, requests }
    }

    /// The call's number, unique within its endpoint.
    pub fn handle(&self) -> CallHandle {
        self.handle
    }

    /// Answers an incoming call with a provisional status (101 to 199), 180 for ringing.
    pub async fn ring(&self, status: u16) -> Result<Pending, Error> {
        self.command(Command::Ring { call: self.handle, status }).await
    }

    /// Accepts an incoming call.
    pub async fn accept(&self) -> Result<Pending, Error> {
        self.command(Command::Accept { call: self.handle }).await
    }

    /// Declines an incoming call (300 to 699): 486 for busy, 603 for decline.
    pub async fn reject(&self, status: u16) -> Result<Pending, Error> {
        self.command(Command::Reject { call: self.handle, status }).await
    }

    /// Ends the call in whatever state it is.
    pub async fn hangup(&self) -> Result<Pending, Error> {
        self.command(Command::Hangup { call: self.handle }).await
    }

    /// Puts the peer on hold.
    pub async fn hold(&self) -> Result<Pending, Error> {
        self.command(Command::Hold { call: self.handle }).await
    }

    /// Takes the peer off hold.
    pub async fn resume(&self) -> Result<Pending, Error> {
        self.command(Command::Resume { call: self.handle }).await
    }

    /// Changes which media the call has.
    pub async fn reinvite(&self, media: MediaChoice) -> Result<Pending, Error> {
        self.command(Command::Reinvite { call: self.handle, media }).await
    }

    /// Sends a MESSAGE inside the call. Its fate is also an [`Event::Answered`] of the call.
    pub async fn message(&self, content_type: &str, body: impl Into<Bytes>) -> Result<Pending, Error> {
        let (content_type, body) = (content_type.to_owned(), body.into());
        self.command(Command::Message { call: self.handle, content_type, body }).await
    }

    /// Presses a key: `0`-`9`, `*`, `#`, `A`-`D` (RFC 4733). Keys are sent one after the other.
    pub async fn dtmf(&self, digit: char, duration: Duration) -> Result<Pending, Error> {
        self.command(Command::Dtmf { call: self.handle, digit, duration }).await
    }

    /// Asks the peer for a picture that a decoder can start from, in this media section.
    pub async fn request_keyframe(&self, section: usize) -> Result<Pending, Error> {
        self.command(Command::RequestKeyframe { call: self.handle, section }).await
    }

    /// What was measured so far, one entry for each media section; `None` when the call is over.
    pub async fn stats(&self) -> Option<Vec<SectionStats>> {
        let (answer, stats) = oneshot::channel();
        self.requests.send(ToDriver::Stats(self.handle, answer)).await.ok()?;
        stats.await.ok().flatten()
    }

    async fn command(&self, command: Command) -> Result<Pending, Error> {
        let (answer, outcome) = oneshot::channel();
        self.requests.send(ToDriver::Report(command, answer)).await.map_err(|_| Error::Closed)?;
        Ok(Pending(outcome))
    }
}
