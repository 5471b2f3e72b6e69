//! Where a script works: sockets, what was sent on them and what came in, and clearing up afterwards.

mod call;
mod clear;
mod draft;
mod exchange;
mod media;
mod offer;
mod talker;
mod wire;

pub(crate) use call::{Call, description, target_of, to_tag};
pub(crate) use draft::Draft;
pub use exchange::{Entry, Exchange, Way};
pub(crate) use media::{Line, Rtcp, Rtp, Which};
pub(crate) use offer::{Offer, SectionOffer, usable};
pub(crate) use wire::Wire;

use crate::case::Finding;
use crate::facts::Facts;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use visavis_capture::Direction;
use visavis_proto::limits::Limits;
use visavis_proto::sip::{HeaderName, Message, Method, Request, Response};

/// The first interval between retransmissions, and the longest one (RFC 3261 section 17.1.1.1).
pub(crate) const T1: Duration = Duration::from_millis(500);
pub(crate) const T2: Duration = Duration::from_secs(4);

/// Who is tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its URI, `sip:` in front.
    pub uri: String,
    /// Where requests go.
    pub address: SocketAddr,
    /// The address on this side that reaches it.
    pub local: IpAddr,
}

/// A message of the peer.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// When it came, since the run began.
    pub(crate) at: Duration,
    /// The local address that it came to.
    pub(crate) local: SocketAddr,
    pub(crate) message: Message,
}

impl Seen {
    /// The response, where it is one to this request: same Call-ID and CSeq.
    pub(crate) fn response_to(&self, draft: &Draft) -> Option<&Response> {
        let Message::Response(response) = &self.message else { return None };
        let cseq = response.headers.cseq().ok()?;
        let call_id = response.headers.call_id().ok()?;
        let same = cseq.seq == draft.seq()
            && cseq.method.as_str() == draft.method()
            && call_id == draft.text("Call-ID").as_bytes();
        same.then_some(response)
    }

    /// The response, where it also has the branch of the request.
    pub(crate) fn response_on(&self, draft: &Draft) -> Option<&Response> {
        let branch = draft.branch();
        self.response_to(draft).filter(|response| {
            response.headers.via().is_ok_and(|via| via.branch().unwrap_or_default() == branch.as_bytes())
        })
    }
}

/// A datagram as a socket gave it.
struct Arrival {
    on: On,
    local: SocketAddr,
    from: SocketAddr,
    data: Vec<u8>,
}

#[derive(Clone, Copy)]
enum On {
    Signalling,
    Media { which: Which, rtcp: bool },
}

/// The sockets and the memory of one script.
pub(crate) struct Lab {
    pub(crate) peer: Peer,
    pub(crate) facts: Facts,
    /// How long a final response may take.
    pub(crate) patience: Duration,
    /// Every SIP message that came, in order.
    pub(crate) seen: Vec<Seen>,
    /// Sound and pictures.
    pub(crate) lines: [Line; 2],
    /// Whether requests to change the session are left to the script.
    pub(crate) leave_invites: bool,
    /// The SSRC of our sound.
    pub(crate) ssrc: u32,
    pub(crate) exchange: Exchange,
    wire: Arc<Wire>,
    socket: Arc<UdpSocket>,
    local: SocketAddr,
    arrivals: mpsc::Receiver<Arrival>,
    readers: Vec<JoinHandle<()>>,
    talkers: Vec<JoinHandle<()>>,
    invites: Vec<Draft>,
    /// Call-ID and To tag of every dialog that has ended.
    ended: BTreeSet<(String, String)>,
    /// What the peer did that no user agent may, whatever the case is about.
    offences: Vec<String>,
    sender: mpsc::Sender<Arrival>,
}

impl Lab {
    /// Opens the sockets.
    pub(crate) async fn open(
        peer: Peer,
        facts: Facts,
        patience: Duration,
        wire: Arc<Wire>,
    ) -> io::Result<Lab> {
        let (sender, arrivals) = mpsc::channel(4096);
        let socket = Arc::new(UdpSocket::bind((peer.local, 0)).await?);
        let local = socket.local_addr()?;
        let mut readers = vec![read(&socket, On::Signalling, &sender)?];
        let lines = [Line::open(peer.local, 8).await?, Line::open(peer.local, 8).await?];
        for (which, line) in [Which::Audio, Which::Video].into_iter().zip(&lines) {
            readers.push(read(&line.rtp_socket, On::Media { which, rtcp: false }, &sender)?);
            readers.push(read(&line.rtcp_socket, On::Media { which, rtcp: true }, &sender)?);
        }
        Ok(Lab {
            peer,
            facts,
            patience,
            seen: Vec::new(),
            lines,
            leave_invites: false,
            ssrc: RandomState::new().build_hasher().finish() as u32,
            exchange: Exchange::default(),
            wire,
            socket,
            local,
            arrivals,
            readers,
            talkers: Vec::new(),
            invites: Vec::new(),
            ended: BTreeSet::new(),
            offences: Vec::new(),
            sender,
        })
    }

    /// Sixteen hexadecimal digits that no other message has.
    pub(crate) fn token(&self) -> String {
        format!("{:016x}", RandomState::new().build_hasher().finish())
    }

    /// The address that signalling comes from.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// The time since the run began.
    pub(crate) fn now(&self) -> Duration {
        self.wire.elapsed()
    }

    /// Writes a remark into the exchange.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        let now = self.now();
        self.exchange.note(now, text.into());
    }

    /// A request outside of any dialog, as every user agent may send it.
    pub(crate) fn request(&self, method: &str) -> Draft {
        let (local, uri) = (self.local, &self.peer.uri);
        let mut draft = Draft::new(format!("{method} {uri} SIP/2.0"));
        draft.push("Via", format!("SIP/2.0/UDP {local};branch=z9hG4bK{};rport", self.token()));
        draft.push("Max-Forwards", "70");
        draft.push("From", format!("\"visavis check\" <sip:check@{local}>;tag={}", self.token()));
        draft.push("To", format!("<{uri}>"));
        draft.push("Call-ID", format!("{}@{}", self.token(), local.ip()));
        draft.push("CSeq", format!("1 {method}"));
        if matches!(method, "INVITE" | "OPTIONS" | "UPDATE") {
            draft.push("Contact", format!("<sip:check@{local}>"));
            draft.push("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, MESSAGE, UPDATE");
        }
        draft.push("User-Agent", "visavis-check");
        draft
    }

    /// An INVITE with this offer.
    pub(crate) fn invite(&self, offer: &Offer) -> Draft {
        let mut draft = self.request("INVITE");
        draft.body("application/sdp", offer.text());
        draft
    }

    /// Sends a message. An INVITE is remembered and cleared up after.
    pub(crate) async fn send(&mut self, draft: &Draft) -> Result<(), Finding> {
        self.send_as(draft, &draft.bytes()).await
    }

    /// Sends a message in the form of these octets.
    pub(crate) async fn send_as(&mut self, draft: &Draft, octets: &[u8]) -> Result<(), Finding> {
        if draft.method() == "INVITE" && !self.invites.iter().any(|i| i.branch() == draft.branch()) {
            self.invites.push(draft.clone());
        }
        self.send_octets(octets).await
    }

    /// Sends octets that are no request to be cleared up after.
    pub(crate) async fn send_octets(&mut self, octets: &[u8]) -> Result<(), Finding> {
        if !self.wire.pace().await {
            return Err(Finding::Error("the run has sent as many messages as it may".into()));
        }
        let remote = self.peer.address;
        let frame = self.wire.record(Direction::Outbound, self.local, remote, octets);
        let now = self.now();
        self.exchange.datagram(now, Way::Sent, frame, (self.local, remote), octets);
        let sent = self.socket.send_to(octets, remote).await;
        // A peer whose port is closed makes the socket report that at the next occasion, which says no more than
        // the missing response.
        if let Err(error) = sent
            && error.kind() != io::ErrorKind::ConnectionRefused
        {
            return Err(Finding::Error(format!("cannot send to {remote}: {error}")));
        }
        Ok(())
    }

    /// Opens another socket for signalling and gives its address: what comes to it is seen as well.
    pub(crate) async fn another_socket(&mut self) -> Result<SocketAddr, Finding> {
        let failed = |e: io::Error| Finding::Error(format!("no other socket: {e}"));
        let socket = Arc::new(UdpSocket::bind((self.peer.local, 0)).await.map_err(failed)?);
        let local = socket.local_addr().map_err(failed)?;
        let reader = read(&socket, On::Signalling, &self.sender).map_err(failed)?;
        self.readers.push(reader);
        Ok(local)
    }

    /// Takes in whatever comes until the deadline; gives false once it has passed.
    pub(crate) async fn pump(&mut self, deadline: Instant) -> bool {
        match tokio::time::timeout_at(deadline, self.arrivals.recv()).await {
            Ok(Some(arrival)) => {
                self.arrived(arrival).await;
                true
            }
            Ok(None) | Err(_) => false,
        }
    }

    /// Takes in whatever comes for so long.
    pub(crate) async fn listen(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while self.pump(deadline).await {}
    }

    /// Waits until a message, from number `from` on, is found.
    pub(crate) async fn find<T>(
        &mut self,
        from: usize,
        within: Duration,
        found: impl Fn(&Seen) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + within;
        let mut next = from;
        loop {
            while let Some(seen) = self.seen.get(next) {
                if let Some(value) = found(seen) {
                    return Some(value);
                }
                next += 1;
            }
            if !self.pump(deadline).await {
                return None;
            }
        }
    }

    /// Waits until `done` holds of everything that came so far.
    pub(crate) async fn until(&mut self, within: Duration, done: impl Fn(&Lab) -> bool) -> bool {
        let deadline = Instant::now() + within;
        loop {
            if done(self) {
                return true;
            }
            if !self.pump(deadline).await {
                return done(self);
            }
        }
    }

    /// The final responses to a request that came so far, on whatever branch.
    pub(crate) fn finals(&self, draft: &Draft) -> Vec<(Duration, Response)> {
        let to = |seen: &Seen| {
            let response = seen.response_to(draft).filter(|r| !r.is_provisional())?;
            Some((seen.at, response.clone()))
        };
        self.seen.iter().filter_map(to).collect()
    }

    /// Sends a request, again and again as the RFC says where nothing comes, and waits for its final response.
    /// One to an INVITE that is no success is acknowledged.
    pub(crate) async fn transact(&mut self, draft: &Draft) -> Result<Response, Finding> {
        self.transact_as(draft, &draft.bytes()).await
    }

    /// The same with these octets in place of the draft's.
    pub(crate) async fn transact_as(&mut self, draft: &Draft, octets: &[u8]) -> Result<Response, Finding> {
        match self.outcome_as(draft, octets).await? {
            Some(response) => Ok(response),
            None => Err(Finding::Fail(format!(
                "no final response to {} within {} s",
                draft.method(),
                self.patience.as_secs()
            ))),
        }
    }

    /// The same for a request that the peer may leave without an answer.
    pub(crate) async fn outcome_as(
        &mut self,
        draft: &Draft,
        octets: &[u8],
    ) -> Result<Option<Response>, Finding> {
        let invite = draft.method() == "INVITE";
        let begun = Instant::now();
        let from = self.seen.len();
        let mut interval = T1;
        loop {
            self.send_as(draft, octets).await?;
            let rest = self.patience.saturating_sub(begun.elapsed());
            let any = |seen: &Seen| seen.response_to(draft).map(Response::is_provisional);
            let mut first = self.find(from, rest.min(interval), any).await;
            if first == Some(true) {
                // It rings: only the person at the other end sets the time now.
                let last =
                    |seen: &Seen| seen.response_to(draft).filter(|r| !r.is_provisional()).map(|_| false);
                first = self.find(from, self.patience + RINGING, last).await.or(Some(true));
            }
            match first {
                Some(false) => break,
                Some(true) => return Ok(None),
                None if begun.elapsed() >= self.patience => return Ok(None),
                None => interval = if invite { interval * 2 } else { (interval * 2).min(T2) },
            }
        }
        let last = |s: &Seen| s.response_to(draft).filter(|r| !r.is_provisional()).cloned();
        let response = self.seen.iter().skip(from).find_map(last);
        if let Some(response) = &response
            && invite
            && !response.is_success()
        {
            let to = response.headers.get(HeaderName::To).unwrap_or_default().to_vec();
            self.send(&draft.companion("ACK", &to)).await?;
        }
        Ok(response)
    }

    async fn arrived(&mut self, arrival: Arrival) {
        let Arrival { on, local, from, data } = arrival;
        let frame = self.wire.record(Direction::Inbound, local, from, &data);
        let now = self.now();
        if let On::Media { which, rtcp } = on {
            let line = &mut self.lines[which as usize];
            line.take(now, from, rtcp, frame, data);
            return;
        }
        self.exchange.datagram(now, Way::Received, frame, (local, from), &data);
        if data.iter().all(|octet| matches!(octet, b'\r' | b'\n' | 0)) {
            return;
        }
        match Message::parse(&data, &Limits::default()) {
            Ok(message) => {
                if let Message::Request(request) = &message {
                    self.requested(request, from).await;
                }
                self.seen.push(Seen { at: now, local, message });
            }
            // Whoever answers broken requests may have to answer in kind: what they hold is copied.
            Err(error) => {
                if let Some(Message::Response(response)) = error.partial.as_deref() {
                    let message = Message::Response(response.clone());
                    self.seen.push(Seen { at: now, local, message });
                }
                self.note(format!("that is not well-formed SIP: {} at octet {}", error.problem, error.at));
                self.offences.push(format!("the peer sent what is no SIP: {}", error.problem));
            }
        }
    }

    /// Answers a request of the peer in the way that disturbs least.
    async fn requested(&mut self, request: &Request, from: SocketAddr) {
        let status = match request.method {
            Method::Ack => return,
            Method::Invite if self.leave_invites => return,
            Method::Invite => 488,
            Method::Bye => {
                self.over(request);
                200
            }
            _ if request.method.as_str() == "UPDATE" && !request.body.is_empty() => 488,
            _ => 200,
        };
        self.answer(request, from, status, None).await;
    }

    /// Sends a response to a request of the peer.
    pub(crate) async fn answer(
        &mut self,
        request: &Request,
        to: SocketAddr,
        status: u16,
        body: Option<&str>,
    ) {
        let mut response = Response::to_request(request, status);
        if request.method == Method::Invite && status < 300 {
            response.headers.push(HeaderName::Contact, format!("<sip:check@{}>", self.local).as_str());
        }
        if let Some(body) = body {
            response.set_body("application/sdp", body.to_owned());
        }
        let octets = Message::Response(response).to_bytes();
        let frame = self.wire.record(Direction::Outbound, self.local, to, &octets);
        let now = self.now();
        self.exchange.datagram(now, Way::Sent, frame, (self.local, to), &octets);
        // Should it get lost, the peer asks again.
        let _ = self.socket.send_to(&octets, to).await;
    }

    /// The peer ended a dialog.
    fn over(&mut self, bye: &Request) {
        let tag = bye.headers.from().ok().and_then(|from| from.tag().map(<[u8]>::to_vec));
        if let (Ok(call_id), Some(tag)) = (bye.headers.call_id(), tag) {
            let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
            self.ended.insert((text(call_id), text(&tag)));
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for task in self.readers.iter().chain(&self.talkers) {
            task.abort();
        }
    }
}

/// How long a peer may ring beyond the time that it has for everything else.
const RINGING: Duration = Duration::from_secs(10);

fn read(socket: &Arc<UdpSocket>, on: On, sender: &mpsc::Sender<Arrival>) -> io::Result<JoinHandle<()>> {
    let (socket, sender, local) = (Arc::clone(socket), sender.clone(), socket.local_addr()?);
    Ok(tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        loop {
            match socket.recv_from(&mut buffer).await {
                Ok((length, from)) => {
                    let data = buffer.get(..length).unwrap_or_default().to_vec();
                    if sender.send(Arrival { on, local, from, data }).await.is_err() {
                        return;
                    }
                }
                // An unreachable port, said of what was sent before.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }))
}
