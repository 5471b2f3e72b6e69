//! The endpoint: a socket, the agent that answers on it, and the threads that code its media.

use crate::call::{Call, CallFeed, Incoming};
use crate::clock::Clock;
use crate::driver::{CallFeedSeed, Driver, Parts, ToDriver};
use crate::impair::{Gate, Impair, ImpairmentLog};
use crate::interfaces::local_addresses;
use crate::media::{MediaPlan, MediaSink};
use crate::socket::Socket;
use crate::target::Target;
use bytes::Bytes;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{Mutex, mpsc, oneshot};
use visavis_capture::Tap;
use visavis_proto::agent::{Agent, Config, Counters, Pacing};
use visavis_proto::io::{CallHandle, CallRequest, Command, Event, MediaChoice, Party, PathRequest};
use visavis_proto::nat::{Classification, Ticket};
use visavis_report::MediaReport;

/// Requests that may wait for the driver: about two seconds of frames of a busy endpoint.
const QUEUE: usize = 4096;

/// Why an endpoint could not do what was asked.
#[derive(Debug, Error)]
pub enum Error {
    /// The address to listen on is taken or not ours.
    #[error(
        "cannot listen on UDP {address}: {source}; another call program may hold the port (ss -ulpn 'sport = :{}' \
         shows which): stop it, or listen elsewhere", address.port()
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The target of a call cannot be used.
    #[error("cannot call {text}: {why}")]
    Target {
        /// What was typed.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// No route leads to the target.
    #[error("{remote} cannot be reached from this machine: {source}")]
    Unreachable {
        /// The target.
        remote: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The codec threads could not be started.
    #[error("cannot start a codec thread: {0}")]
    Threads(#[source] io::Error),
    /// The system gave no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// The endpoint was shut down.
    #[error("the endpoint was shut down")]
    Closed,
}

/// How an endpoint is set up.
pub struct Options {
    /// The address to listen on; port 0 takes a free one. Default: `0.0.0.0:16402`.
    pub listen: SocketAddr,
    /// Ports to try, in order, when the one of `listen` is taken. Default: none.
    pub fallback_ports: Vec<u16>,
    /// What the agent says and accepts.
    pub agent: Config,
    /// What calls send, and what becomes of what they receive.
    pub media: MediaPlan,
    /// Where every datagram is copied to, for a capture file.
    pub tap: Option<Tap>,
    /// What the line before this endpoint does to its datagrams.
    pub impair: Option<Impair>,
    /// The clock of every time that sources and sinks see. Default: one that starts now.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            listen: SocketAddr::from(([0, 0, 0, 0], 16402)),
            fallback_ports: Vec::new(),
            agent: Config::default(),
            media: MediaPlan::default(),
            tap: None,
            impair: None,
            clock: Clock::start(),
        }
    }
}

/// An endpoint that places and answers calls. When the last handle to it and to its calls is dropped, calls
/// that are still up end with BYE.
#[derive(Debug)]
pub struct Endpoint {
    local: SocketAddr,
    requests: mpsc::Sender<ToDriver>,
    new_calls: Mutex<mpsc::UnboundedReceiver<(Event, CallFeedSeed)>>,
    reports: Mutex<mpsc::UnboundedReceiver<(CallHandle, MediaReport)>>,
    driver: tokio::task::JoinHandle<()>,
    media: MediaChoice,
}

/// Something that arrived outside of the calls held so far.
#[derive(Debug)]
pub enum Arrival {
    /// A call.
    Call(Call),
    /// A MESSAGE outside of any call.
    Message {
        /// Who sent it.
        from: Party,
        /// The media type of the body.
        content_type: String,
        /// The body.
        body: Bytes,
    },
}

/// How a call is to be placed.
#[derive(Clone, Debug)]
pub struct CallOptions {
    /// The media to offer.
    pub media: MediaChoice,
    /// Send the INVITE without an offer.
    pub late_offer: bool,
    /// Give up when the peer has rung for this long. Default: 60 s.
    pub ring_timeout: Duration,
}

impl Default for CallOptions {
    fn default() -> Self {
        CallOptions { media: MediaChoice::BOTH, late_offer: false, ring_timeout: Duration::from_secs(60) }
    }
}

/// The tickets of both ends of a call (see [`visavis_proto::nat`]).
#[derive(Clone, Debug)]
pub struct PeerTickets {
    /// The one that was given to the peer.
    pub own: Ticket,
    /// The one that came from the peer.
    pub peer: Ticket,
    /// Sign the checks with the key that both make: the peer must do so too. Without, the call never moves to
    /// another address.
    pub keyed: bool,
}

impl PeerTickets {
    /// The peer in a word, for people: its first address.
    pub fn name(&self) -> String {
        let first = self.peer.candidates.first();
        first.map_or_else(|| "a peer without address".into(), |c| c.address.to_string())
    }
}

impl Endpoint {
    /// Opens the socket and starts the agent. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Error::Bind`] where no port could be had, [`Error::Threads`], [`Error::Random`].
    pub async fn start(options: Options) -> Result<Endpoint, Error> {
        let socket = bind(options.listen, &options.fallback_ports)?;
        let clock = options.clock;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|e| Error::Random(e.to_string()))?;
        let (requests, inbox) = mpsc::channel(QUEUE);
        let (new_calls, arrivals) = mpsc::unbounded_channel();
        let (report, reports) = mpsc::unbounded_channel();
        let media = options.agent.media;
        let sink =
            MediaSink::start(options.media, clock, requests.downgrade(), report).map_err(Error::Threads)?;
        let local = socket.local();
        let mut config = options.agent;
        if sink.echoes() {
            config.pacing = Pacing::AsReceived;
        }
        let agent = Agent::new(config, seed);
        let (tap, gate) = (options.tap, options.impair.as_ref().map(Gate::new));
        let driver =
            Driver::new(Parts { agent, clock, socket, requests: inbox, new_calls, media: sink, tap, gate });
        let driver = tokio::spawn(driver.run());
        let (new_calls, reports) = (Mutex::new(arrivals), Mutex::new(reports));
        Ok(Endpoint { local, requests, new_calls, reports, driver, media })
    }

    /// The address that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Places a call to `target`: `sip:user@host:port`, or just `host:port`.
    ///
    /// # Errors
    ///
    /// [`Error::Target`] where the target cannot be read or resolved, [`Error::Unreachable`],
    /// [`Error::Closed`].
    pub async fn call(&self, target: &str, options: CallOptions) -> Result<Call, Error> {
        let Target { uri, destination, local } = Target::resolve(target, self.local.ip()).await?;
        let peer = uri.clone();
        let media = self.choice(options.media);
        let CallOptions { late_offer, ring_timeout, .. } = options;
        let request =
            CallRequest { target: uri, destination, local, media, late_offer, ring_timeout, path: None };
        self.place(request, &peer).await
    }

    /// Calls a peer by ticket: finds a way to it first (RFC 5128 section 3.3), which the peer must do at the same
    /// time ([`Endpoint::expect`]).
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]. That no way was found is an [`Event::Ended`] of the call.
    pub async fn call_peer(&self, tickets: PeerTickets, options: CallOptions) -> Result<Call, Error> {
        let peer = tickets.name();
        let media = self.choice(options.media);
        let CallOptions { late_offer, ring_timeout, .. } = options;
        let request = CallRequest {
            target: String::new(),
            destination: SocketAddr::new(self.local.ip(), 0),
            local: self.local.ip(),
            media,
            late_offer,
            ring_timeout,
            path: Some(Box::new(self.path_request(tickets))),
        };
        self.place(request, &peer).await
    }

    /// Finds a way to a peer by ticket, and waits for its call over it.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]. That no way was found, or no call came, is an [`Event::Ended`] of the call.
    pub async fn expect(&self, tickets: PeerTickets) -> Result<Call, Error> {
        let peer = tickets.name();
        let (feed, events) = mpsc::unbounded_channel();
        let (answer, handle) = oneshot::channel();
        let request = Box::new(self.path_request(tickets));
        let message = ToDriver::Expect(request, CallFeed(feed), answer);
        self.requests.send(message).await.map_err(|_| Error::Closed)?;
        let handle = handle.await.map_err(|_| Error::Closed)?;
        Ok(Call::placed(handle, &peer, events, self.requests.clone()))
    }

    fn path_request(&self, tickets: PeerTickets) -> PathRequest {
        let PeerTickets { own, peer, keyed } = tickets;
        PathRequest { own, peer, locals: self.locals(), keyed }
    }

    /// The addresses of this machine, with the port.
    fn locals(&self) -> Vec<SocketAddr> {
        let addresses = local_addresses(self.local).into_iter();
        addresses.map(|ip| SocketAddr::new(ip, self.local.port())).collect()
    }

    fn choice(&self, wanted: MediaChoice) -> MediaChoice {
        MediaChoice { audio: wanted.audio && self.media.audio, video: wanted.video && self.media.video }
    }

    async fn place(&self, request: CallRequest, peer: &str) -> Result<Call, Error> {
        let (feed, events) = mpsc::unbounded_channel();
        let (answer, handle) = oneshot::channel();
        let message = ToDriver::Call(Box::new(request), CallFeed(feed), answer);
        self.requests.send(message).await.map_err(|_| Error::Closed)?;
        let handle = handle.await.map_err(|_| Error::Closed)?;
        Ok(Call::placed(handle, peer, events, self.requests.clone()))
    }

    /// Waits for the next call, or for a MESSAGE outside of calls; `None` after the endpoint has ended.
    pub async fn accept(&self) -> Option<Arrival> {
        loop {
            let (event, events) = self.new_calls.lock().await.recv().await?;
            match event {
                Event::Incoming { call, from, to, remote, call_id, offered } => {
                    let incoming = Incoming { from, to, remote, call_id, offered };
                    let requests = self.requests.clone();
                    return Some(Arrival::Call(Call::arrived(call, incoming, events, requests)));
                }
                Event::Message { from, content_type, body, .. } => {
                    return Some(Arrival::Message { from, content_type, body });
                }
                _ => {}
            }
        }
    }

    /// Asks a peer what it can do (OPTIONS); gives [`Event::OptionsAnswered`].
    ///
    /// # Errors
    ///
    /// As [`Endpoint::call`].
    pub async fn options(&self, target: &str) -> Result<Event, Error> {
        let Target { uri, destination, .. } = Target::resolve(target, self.local.ip()).await?;
        let (answer, event) = oneshot::channel();
        let message = ToDriver::Options { target: uri, destination, answer };
        self.requests.send(message).await.map_err(|_| Error::Closed)?;
        event.await.map_err(|_| Error::Closed)
    }

    /// Asks STUN servers what kind of NAT is in front of this machine. The first server with two addresses (RFC 5780)
    /// tells most; without one, two servers tell how mappings are chosen. Takes some seconds where something is
    /// filtered, or nobody answers. What has gone to the servers before, from this endpoint, may hide a filter.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] where the endpoint has shut down.
    pub async fn classify(&self, servers: Vec<SocketAddr>) -> Result<Classification, Error> {
        let (answer, event) = oneshot::channel();
        let message = ToDriver::Classify { servers, locals: self.locals(), answer };
        self.requests.send(message).await.map_err(|_| Error::Closed)?;
        match event.await {
            Ok(Event::Classified { result, .. }) => Ok(result),
            _ => Err(Error::Closed),
        }
    }

    /// The next report on the media of a call that has ended.
    pub async fn media_report(&self) -> Option<(CallHandle, MediaReport)> {
        self.reports.lock().await.recv().await
    }

    /// What was counted since the start: datagrams by kind, drops by reason.
    pub async fn counters(&self) -> Option<Counters> {
        let (answer, counters) = oneshot::channel();
        self.requests.send(ToDriver::Counters(answer)).await.ok()?;
        counters.await.ok()
    }

    /// What the line before this endpoint did to its datagrams so far; `None` where there is none
    /// ([`Options::impair`]).
    pub async fn impairment(&self) -> Option<ImpairmentLog> {
        let (answer, log) = oneshot::channel();
        self.requests.send(ToDriver::Impairment(answer)).await.ok()?;
        log.await.ok().flatten()
    }

    /// Ends all calls with BYE and takes no new ones.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] where that has happened already.
    pub async fn hangup_all(&self) -> Result<(), Error> {
        self.requests.send(ToDriver::Command(Command::Shutdown)).await.map_err(|_| Error::Closed)
    }

    /// Ends all calls and waits until the peers have confirmed, or the transactions have timed out.
    pub async fn shutdown(self) {
        let Endpoint { requests, new_calls, driver, .. } = self;
        drop((requests, new_calls));
        // The driver panics or ends; either way there is nothing left to shut down.
        let _ = driver.await;
    }
}

fn bind(listen: SocketAddr, fallback: &[u16]) -> Result<Socket, Error> {
    let mut first = None;
    for port in std::iter::once(listen.port()).chain(fallback.iter().copied()) {
        match Socket::bind(SocketAddr::new(listen.ip(), port)) {
            Ok(socket) => return Ok(socket),
            Err(source) => drop(first.get_or_insert(source)),
        }
    }
    let source = first.unwrap_or_else(|| io::ErrorKind::AddrInUse.into());
    Err(Error::Bind { address: listen, source })
}
