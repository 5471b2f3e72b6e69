//! One call, as a program holds it.

use crate::clock::Clock;
use crate::control::CallControl;
use crate::driver::{ToDriver, sleep_until};
use std::net::SocketAddr;
use std::ops::Deref;
use std::time::Duration;
use tokio::sync::mpsc;
use visavis_proto::io::{CallHandle, EndReason, Event, MediaChoice, Party, SectionStats};
use visavis_report::CallRecord;

/// Where the driver puts the events of one call.
pub(crate) struct CallFeed(pub(crate) mpsc::UnboundedSender<Event>);

/// A call, placed or incoming: its events, and by [`Deref`] its [`CallControl`]. Dropping it does not end it:
/// [`CallControl::hangup`] does.
#[derive(Debug)]
pub struct Call {
    control: CallControl,
    peer: String,
    incoming: Option<Incoming>,
    events: mpsc::UnboundedReceiver<Event>,
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
        Call { control: CallControl::new(handle, requests), peer: target.to_owned(), incoming: None, events }
    }

    pub(crate) fn arrived(
        handle: CallHandle,
        incoming: Incoming,
        events: mpsc::UnboundedReceiver<Event>,
        requests: mpsc::Sender<ToDriver>,
    ) -> Self {
        let (control, peer) = (CallControl::new(handle, requests), incoming.from.to_string());
        Call { control, peer, incoming: Some(incoming), events }
    }

    /// What the INVITE said; `None` for a call that was placed from here.
    pub fn incoming(&self) -> Option<&Incoming> {
        self.incoming.as_ref()
    }

    /// A handle that commands the same call from elsewhere.
    pub fn remote_control(&self) -> CallControl {
        self.control.clone()
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
        let wall = Clock::start();
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
                    record.log.observe(wall.now(), &event);
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
}

/// Everything that a call can be told: see [`CallControl`].
impl Deref for Call {
    type Target = CallControl;

    fn deref(&self) -> &CallControl {
        &self.control
    }
}
