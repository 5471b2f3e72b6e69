//! One call, as a program holds it.

use crate::clock::Clock;
use crate::driver::{ToDriver, sleep_until};
use crate::endpoint::Error;
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use visavis_proto::io::{CallHandle, Command, EndReason, Event, MediaChoice, Party, SectionStats};
use visavis_report::CallRecord;

/// Where the driver puts the events of one call.
pub(crate) struct CallFeed(pub(crate) mpsc::UnboundedSender<Event>);

/// A call, placed or incoming. Dropping it does not end it: [`Call::hangup`] does.
#[derive(Debug)]
pub struct Call {
    handle: CallHandle,
    peer: String,
    incoming: Option<Incoming>,
    events: mpsc::UnboundedReceiver<Event>,
    requests: mpsc::Sender<ToDriver>,
}

/// What an INVITE said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Who calls.
    pub from: Party,
    /// Who is called.
    pub to: Party,
    /// Where the INVITE came from.
    pub remote: SocketAddr,
    /// Its Call-ID.
    pub call_id: String,
    /// What it offers; `None` where it brought no offer.
    pub offered: Option<MediaChoice>,
}

impl Incoming {
    /// The record of this call, which has only begun.
    pub fn record(&self) -> CallRecord {
        CallRecord::incoming(&self.from, &self.call_id)
    }
}

impl Call {
    pub(crate) fn placed(
        handle: CallHandle,
        target: &str,
        events: mpsc::UnboundedReceiver<Event>,
        requests: mpsc::Sender<ToDriver>,
    ) -> Self {
        Call { handle, peer: target.to_owned(), incoming: None, events, requests }
    }

    pub(crate) fn arrived(
        handle: CallHandle,
        incoming: Incoming,
        events: mpsc::UnboundedReceiver<Event>,
        requests: mpsc::Sender<ToDriver>,
    ) -> Self {
        Call { handle, peer: incoming.from.to_string(), incoming: Some(incoming), events, requests }
    }

    /// The call's number, unique within its endpoint.
    pub fn handle(&self) -> CallHandle {
        self.handle
    }

    /// What the INVITE said; `None` for a call that was placed from here.
    pub fn incoming(&self) -> Option<&Incoming> {
        self.incoming.as_ref()
    }

    /// The next event of this call; `None` after [`Event::Ended`], or when the endpoint is gone.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Waits until the call is up; the reason where it ends instead.
    pub async fn established(&mut self) -> Result<Duration, EndReason> {
        while let Some(event) = self.next().await {
            match event {
                Event::Established { setup, .. } => return Ok(setup),
                Event::Ended { reason, .. } => return Err(reason),
                _ => {}
            }
        }
        Err(EndReason::Failed { what: "the endpoint was shut down".into() })
    }

    /// Waits until the call is over, and says why and what was measured.
    pub async fn ended(&mut self) -> (EndReason, Vec<SectionStats>) {
        while let Some(event) = self.next().await {
            if let Event::Ended { reason, stats, .. } = event {
                return (reason, stats);
            }
        }
        (EndReason::Failed { what: "the endpoint was shut down".into() }, Vec::new())
    }

    /// Stays until the call is over, and gives its record. With `limit` it hangs up once the call has been up
    /// for that long.
    ///
    /// What was seen and heard ([`CallRecord::media`]) is not in it yet: see
    /// [`Endpoint::media_report`](crate::Endpoint::media_report).
    pub async fn until_end(mut self, limit: Option<Duration>) -> CallRecord {
        let mut record = match &self.incoming {
            Some(incoming) => incoming.record(),
            None => CallRecord::outgoing(&self.peer),
        };
        let mut up: Option<Clock> = None;
        let mut asked = false;
        loop {
            let end = up.zip(limit).filter(|_| !asked).map(|(clock, limit)| clock.after(limit));
            tokio::select! {
                event = self.next() => {
                    let Some(event) = event else { return record };
                    if let Event::Established { .. } = event {
                        up = Some(Clock::start());
                    }
                    record.observe(&event, up.map(|clock| clock.elapsed()));
                }
                () = sleep_until(end) => {
                    asked = true;
                    if self.hangup().await.is_err() {
                        return record;
                    }
                }
            }
        }
    }

    /// Answers an incoming call with a provisional status, 180 for ringing.
    pub async fn ring(&self, status: u16) -> Result<(), Error> {
        self.command(Command::Ring { call: self.handle, status }).await
    }

    /// Accepts an incoming call.
    pub async fn accept(&self) -> Result<(), Error> {
        self.command(Command::Accept { call: self.handle }).await
    }

    /// Declines an incoming call: 486 for busy, 603 for decline.
    pub async fn reject(&self, status: u16) -> Result<(), Error> {
        self.command(Command::Reject { call: self.handle, status }).await
    }

    /// Ends the call in whatever state it is.
    pub async fn hangup(&self) -> Result<(), Error> {
        self.command(Command::Hangup { call: self.handle }).await
    }

    /// Puts the peer on hold.
    pub async fn hold(&self) -> Result<(), Error> {
        self.command(Command::Hold { call: self.handle }).await
    }

    /// Takes the peer off hold.
    pub async fn resume(&self) -> Result<(), Error> {
        self.command(Command::Resume { call: self.handle }).await
    }

    /// Changes which media the call has.
    pub async fn reinvite(&self, media: MediaChoice) -> Result<(), Error> {
        self.command(Command::Reinvite { call: self.handle, media }).await
    }

    /// Sends a MESSAGE inside the call; [`Event::Answered`] tells its fate.
    pub async fn message(&self, content_type: &str, body: impl Into<Bytes>) -> Result<(), Error> {
        let (content_type, body) = (content_type.to_owned(), body.into());
        self.command(Command::Message { call: self.handle, content_type, body }).await
    }

    /// Presses a key: `0`-`9`, `*`, `#`, `A`-`D` (RFC 4733).
    pub async fn dtmf(&self, digit: char, duration: Duration) -> Result<(), Error> {
        self.command(Command::Dtmf { call: self.handle, digit, duration }).await
    }

    /// Asks the peer for a picture that a decoder can start from.
    pub async fn request_keyframe(&self, section: usize) -> Result<(), Error> {
        self.command(Command::RequestKeyframe { call: self.handle, section }).await
    }

    /// What was measured so far, one entry for each media section; `None` when the call is over.
    pub async fn stats(&self) -> Option<Vec<SectionStats>> {
        let (answer, stats) = oneshot::channel();
        self.requests.send(ToDriver::Stats(self.handle, answer)).await.ok()?;
        stats.await.ok().flatten()
    }

    /// A handle that commands the same call from elsewhere.
    pub fn remote_control(&self) -> RemoteControl {
        RemoteControl { handle: self.handle, requests: self.requests.clone() }
    }

    async fn command(&self, command: Command) -> Result<(), Error> {
        self.requests.send(ToDriver::Command(command)).await.map_err(|_| Error::Closed)
    }
}

/// Commands a call whose events somebody else follows.
#[derive(Clone, Debug)]
pub struct RemoteControl {
    handle: CallHandle,
    requests: mpsc::Sender<ToDriver>,
}

impl RemoteControl {
    /// Ends the call in whatever state it is.
    pub async fn hangup(&self) -> Result<(), Error> {
        let command = Command::Hangup { call: self.handle };
        self.requests.send(ToDriver::Command(command)).await.map_err(|_| Error::Closed)
    }

    /// What was measured so far; `None` when the call is over.
    pub async fn stats(&self) -> Option<Vec<SectionStats>> {
        let (answer, stats) = oneshot::channel();
        self.requests.send(ToDriver::Stats(self.handle, answer)).await.ok()?;
        stats.await.ok().flatten()
    }
}
