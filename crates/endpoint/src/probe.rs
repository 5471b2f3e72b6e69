//! Probing a peer: what it says to OPTIONS and how fast, which address it sees, how much goes through to it.
//!
//! The socket is connected to the peer, so that what routers and the peer's system say by ICMP is heard.

use crate::endpoint::Error;
use crate::fragments;
use crate::target::Target;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use visavis_proto::agent::Config;
use visavis_proto::probe::{Answer, MtuSearch, PathMtu, Question, Questions, Tried};
use visavis_proto::sip::UriBuf;
use visavis_proto::stun::{Builder, Class, Dialect, Message, TransactionId};

/// The largest payload that UDP over IPv4 carries.
pub const LARGEST_REQUEST: usize = 65_507;
/// Requests after which a peer that has answered none is given up.
const PATIENCE: u32 = 3;
/// Questions of one size, before it counts as unanswered: one may be lost.
const TRIES: u32 = 2;
/// STUN requests before a server counts as silent, and the time for each.
const STUN_TRIES: u32 = 3;
const STUN_WAIT: Duration = Duration::from_millis(500);
/// The shortest time that an answer to a large question has.
const SHORTEST_WAIT: Duration = Duration::from_millis(500);
/// Between two requests: nobody is to be flooded.
const PAUSE: Duration = Duration::from_millis(20);

/// How a peer is probed.
#[derive(Clone, Debug)]
pub struct ProbeOptions {
    /// The address to ask from. Default: any, on a free port.
    pub listen: SocketAddr,
    /// Ports to try, in order, when that of `listen` is taken.
    pub fallback_ports: Vec<u16>,
    /// OPTIONS requests by which the round trip is measured. Default: 5.
    pub count: u32,
    /// How long an answer may take. Default: 2 s.
    pub timeout: Duration,
    /// STUN servers that are asked for our address too.
    pub stun: Vec<SocketAddr>,
    /// The largest request to try, octets; 0 leaves the path MTU unknown. Default: [`LARGEST_REQUEST`].
    pub largest: usize,
}

impl Default for ProbeOptions {
    fn default() -> Self {
        ProbeOptions {
            listen: SocketAddr::from(([0, 0, 0, 0], 0)),
            fallback_ports: Vec::new(),
            count: 5,
            timeout: Duration::from_secs(2),
            stun: Vec::new(),
            largest: LARGEST_REQUEST,
        }
    }
}

/// What was found out about a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeReport {
    /// Its URI.
    pub uri: String,
    /// Where it was asked.
    pub remote: SocketAddr,
    /// Where it was asked from.
    pub local: SocketAddr,
    /// OPTIONS requests sent, those for the path MTU left out.
    pub sent: u32,
    /// The round trips of those that were answered, in order.
    pub round_trips: Vec<Duration>,
    /// The first answer; `None` where there was none.
    pub answer: Option<Answer>,
    /// Whether the peer's system, or a router, says that nobody is there (ICMP).
    pub unreachable: bool,
    /// Our address as the peer's SIP port says it by STUN; `None` where it does not speak that.
    pub peer_stun: Option<SocketAddr>,
    /// Our address as each STUN server says it.
    pub stun: Vec<(SocketAddr, Option<SocketAddr>)>,
    /// The largest request that was answered.
    pub mtu: PathMtu,
}

impl ProbeReport {
    /// What IP and UDP headers add to a request, octets.
    pub fn overhead(&self) -> usize {
        if self.remote.is_ipv4() { 28 } else { 48 }
    }

    /// The shortest, the median and the longest round trip.
    pub fn round_trip(&self) -> Option<[Duration; 3]> {
        let mut sorted = self.round_trips.clone();
        sorted.sort_unstable();
        Some([*sorted.first()?, *sorted.get(sorted.len() / 2)?, *sorted.last()?])
    }
}

/// Probes `target` (`sip:user@host:port`, `host:port`): at most `count` OPTIONS requests, 64 more of growing and
/// shrinking sizes, and a few STUN requests, to the peer and the STUN servers and to nobody else.
///
/// # Errors
///
/// [`Error::Target`], [`Error::Bind`], [`Error::Unreachable`], [`Error::Random`]. That nobody answers is no error.
pub async fn probe(target: &str, options: &ProbeOptions) -> Result<ProbeReport, Error> {
    let Target { uri, destination: remote, .. } = Target::resolve(target, options.listen.ip()).await?;
    let bad = |why: String| Error::Target { text: target.to_owned(), why };
    let request_uri = UriBuf::new(&uri).map_err(|e| bad(e.to_string()))?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| Error::Random(e.to_string()))?;
    let mut rng = ChaCha20Rng::from_seed(seed);
    let socket = open(options, remote)?;

    let mut stun = Vec::new();
    for &server in &options.stun {
        stun.push((server, ask_stun(&socket, Some(server), &mut rng).await));
    }
    let unreachable = |source| Error::Unreachable { remote, source };
    socket.connect(remote).await.map_err(unreachable)?;
    let local = socket.local_addr().map_err(unreachable)?;
    let config = Config::default();
    let questions = Questions::new(request_uri, local, (&config.user, &config.user_agent));
    let mut prober = Prober { socket, questions, rng };

    let mut report = ProbeReport {
        uri,
        remote,
        local,
        sent: 0,
        round_trips: Vec::new(),
        answer: None,
        unreachable: false,
        peer_stun: None,
        stun,
        mtu: MtuSearch::new(0, 0).result(),
    };
    prober.measure(options, &mut report).await;
    if report.answer.is_some() {
        report.peer_stun = ask_stun(&prober.socket, None, &mut prober.rng).await;
        let slowest = report.round_trips.iter().max().copied().unwrap_or_default();
        let wait = (slowest * 4).clamp(SHORTEST_WAIT, options.timeout.max(SHORTEST_WAIT));
        report.mtu = prober.find_mtu(options.largest, wait, report.overhead()).await;
    }
    Ok(report)
}

/// A socket of the peer's family.
fn open(options: &ProbeOptions, remote: SocketAddr) -> Result<UdpSocket, Error> {
    let ip = match options.listen.ip() {
        ip if ip.is_unspecified() && remote.is_ipv6() => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        ip => ip,
    };
    let mut first = None;
    for port in std::iter::once(options.listen.port()).chain(options.fallback_ports.iter().copied()) {
        let bound = std::net::UdpSocket::bind((ip, port)).and_then(|socket| {
            socket.set_nonblocking(true)?;
            UdpSocket::from_std(socket)
        });
        match bound {
            Ok(socket) => return Ok(socket),
            Err(source) => drop(first.get_or_insert(source)),
        }
    }
    let source = first.unwrap_or_else(|| io::ErrorKind::AddrInUse.into());
    Err(Error::Bind { address: SocketAddr::new(ip, options.listen.port()), source })
}

/// What came of one question.
enum Heard {
    Answer(Box<Answer>, Duration),
    Nothing,
    Unreachable,
    TooLarge { here: bool },
}

struct Prober {
    socket: UdpSocket,
    questions: Questions,
    rng: ChaCha20Rng,
}

impl Prober {
    async fn measure(&mut self, options: &ProbeOptions, report: &mut ProbeReport) {
        while report.sent < options.count {
            let question = self.questions.next(0, &mut self.rng);
            report.sent += 1;
            match self.ask(&question, options.timeout).await {
                Heard::Answer(answer, round_trip) => {
                    report.round_trips.push(round_trip);
                    report.answer.get_or_insert(*answer);
                }
                Heard::Unreachable => report.unreachable = true,
                Heard::Nothing | Heard::TooLarge { .. } => {}
            }
            if report.answer.is_none() && (report.unreachable || report.sent >= PATIENCE) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn find_mtu(&mut self, largest: usize, wait: Duration, overhead: usize) -> PathMtu {
        let plain = self.questions.next(0, &mut self.rng).data.len();
        let mut search = MtuSearch::new(plain, largest.max(plain));
        if largest == 0 || fragments::forbid(&self.socket).is_err() {
            return search.result();
        }
        while let Some(size) = search.next() {
            let mut tried = Tried::Unanswered;
            for _ in 0..TRIES {
                let question = self.questions.next(size, &mut self.rng);
                let heard = self.ask(&question, wait).await;
                let known = fragments::path_mtu(&self.socket).and_then(|mtu| mtu.checked_sub(overhead));
                tried = match heard {
                    Heard::Answer(..) => Tried::Answered,
                    Heard::TooLarge { here: true } => Tried::TooLargeHere(known),
                    Heard::TooLarge { here: false } => Tried::TooLargeOnPath(known),
                    Heard::Nothing | Heard::Unreachable => Tried::Unanswered,
                };
                if tried != Tried::Unanswered {
                    break;
                }
            }
            search.tell(size, tried);
            tokio::time::sleep(PAUSE).await;
        }
        search.result()
    }

    /// Sends a question once, and waits for its answer.
    async fn ask(&self, question: &Question, wait: Duration) -> Heard {
        // What was said of an earlier one does not belong here.
        let _ = self.socket.take_error();
        let sent = Instant::now();
        match self.socket.send(&question.data).await {
            Ok(_) => {}
            Err(error) if fragments::is_too_large(&error) => return Heard::TooLarge { here: true },
            Err(error) => return heard_by_error(&error),
        }
        let deadline = tokio::time::Instant::from_std(sent + wait);
        let mut buffer = vec![0; 65_536];
        loop {
            match tokio::time::timeout_at(deadline, self.socket.recv(&mut buffer)).await {
                Err(_) => return Heard::Nothing,
                Ok(Ok(octets)) => {
                    let round_trip = sent.elapsed();
                    if let Some(answer) = question.answer(buffer.get(..octets).unwrap_or_default()) {
                        return Heard::Answer(Box::new(answer), round_trip);
                    }
                }
                Ok(Err(error)) => return heard_by_error(&error),
            }
        }
    }
}

/// What ICMP said, which a connected socket is told.
fn heard_by_error(error: &io::Error) -> Heard {
    if fragments::is_too_large(error) { Heard::TooLarge { here: false } } else { Heard::Unreachable }
}

/// Our address as a STUN server sees it (RFC 8489); the connected peer where none is named.
async fn ask_stun(
    socket: &UdpSocket,
    server: Option<SocketAddr>,
    rng: &mut ChaCha20Rng,
) -> Option<SocketAddr> {
    let transaction = TransactionId::random(Dialect::Rfc8489, rng);
    let request = Builder::binding(Class::Request, transaction).finish(None);
    let mut buffer = [0; 1_500];
    for _ in 0..STUN_TRIES {
        match server {
            Some(server) => socket.send_to(&request, server).await.ok()?,
            None => socket.send(&request).await.ok()?,
        };
        let deadline = tokio::time::Instant::now() + STUN_WAIT;
        // What is no answer to this is not waited for again; an error by ICMP ends this try.
        while let Ok(Ok((octets, from))) =
            tokio::time::timeout_at(deadline, socket.recv_from(&mut buffer)).await
        {
            let Ok(message) = Message::parse(buffer.get(..octets).unwrap_or_default()) else { continue };
            let ours = message.transaction == transaction && server.is_none_or(|server| server == from);
            if ours && message.class == Class::Success {
                return message.mapped_address();
            }
        }
    }
    None
}
