//! A user agent to be tested: our own agent on a socket of its own, with somebody between the two who can spoil
//! whatever comes in and goes out.

pub(crate) mod mischief;
pub(crate) mod misdeeds;

use bytes::Bytes;
use mischief::{Inbound, Mischief};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use visavis_proto::Time;
use visavis_proto::agent::{Agent, AnswerPolicy, Config};
use visavis_proto::io::{
    CallHandle, Command, Datagram, Event, Input, MediaFormat, Output, PacketKind, Section, SocketId,
};
use visavis_sim::media;

/// What a case needs of the peer beyond answering at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manners {
    /// How long it rings.
    pub(crate) ring: Option<Duration>,
    /// Whether it sends a re-INVITE of its own once a call is up.
    pub(crate) reinvites: bool,
}

/// A user agent that ends with this handle.
pub(crate) struct Uas {
    pub(crate) address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Uas {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Uas {
    /// Starts one on a free port of loopback.
    pub(crate) async fn start(manners: Manners, mischief: Mischief) -> Uas {
        let ip = IpAddr::from([127, 0, 0, 1]);
        let socket = Arc::new(UdpSocket::bind((ip, 0)).await.expect("a loopback socket"));
        let other = UdpSocket::bind((ip, 0)).await.expect("a loopback socket");
        let address = socket.local_addr().expect("an address");
        let mut config = Config::default();
        if manners.ring.is_some() {
            config.answer = AnswerPolicy::Ask;
        }
        let mut agent = Agent::new(config, [7; 32]);
        agent.handle(Time::ZERO, Input::SocketOpened { request: None, result: Ok((SocketId(0), address)) });
        let running = Running {
            agent,
            socket,
            other,
            address,
            manners,
            mischief,
            origin: Instant::now(),
            streams: BTreeMap::new(),
            accept: Vec::new(),
        };
        Uas { address, task: tokio::spawn(running.run()) }
    }
}

struct Stream {
    format: MediaFormat,
    next: Time,
    number: u64,
    keyframe: bool,
}

struct Running {
    agent: Agent,
    socket: Arc<UdpSocket>,
    /// For what is sent from where it should not be.
    other: UdpSocket,
    address: SocketAddr,
    manners: Manners,
    mischief: Mischief,
    origin: Instant,
    streams: BTreeMap<(CallHandle, usize), Stream>,
    /// Calls that ring, and until when.
    accept: Vec<(Time, CallHandle)>,
}

const TICK: Duration = Duration::from_millis(5);
/// Far apart, so that a key frame that comes was asked for.
const KEYFRAME_EVERY: u64 = 900;

impl Running {
    fn now(&self) -> Time {
        Time::from_nanos(self.origin.elapsed().as_nanos() as u64 + 1_000_000_000)
            .with_unix_offset(1_700_000_000_000_000_000)
    }

    async fn run(mut self) {
        let mut buffer = vec![0; 65_536];
        let mut deadline = self.drain().await;
        loop {
            let wait = deadline.map_or(TICK, |d| d.since(self.now()).min(TICK));
            match tokio::time::timeout(wait, self.socket.recv_from(&mut buffer)).await {
                Ok(Ok((length, from))) => {
                    let data = buffer[..length].to_vec();
                    match (self.mischief.inbound)(&data) {
                        Inbound::Pass => self.take(&data, from),
                        Inbound::Drop => {}
                        Inbound::Instead(data) => self.take(&data, from),
                        Inbound::Answer(answers) => {
                            for answer in answers {
                                let _ = self.socket.send_to(&answer, from).await;
                            }
                        }
                        Inbound::Die => return,
                    }
                }
                Ok(Err(_)) | Err(_) => {
                    let now = self.now();
                    self.agent.handle(now, Input::Timeout);
                }
            }
            self.accept_due();
            self.send_frames();
            deadline = self.drain().await;
        }
    }

    fn take(&mut self, data: &[u8], remote: SocketAddr) {
        let now = self.now();
        let datagram = Datagram { socket: SocketId(0), local: self.address, remote, data, received: now };
        self.agent.handle(now, Input::Datagram(datagram));
    }

    fn accept_due(&mut self) {
        let now = self.now();
        let due: Vec<CallHandle> = self.accept.iter().filter(|(at, _)| *at <= now).map(|(_, c)| *c).collect();
        self.accept.retain(|(at, _)| *at > now);
        for call in due {
            self.agent.handle(now, Input::Command(Command::Accept { call }));
        }
    }

    async fn drain(&mut self) -> Option<Time> {
        loop {
            let now = self.now();
            match self.agent.poll(now) {
                Output::Transmit(transmit) => {
                    let sent = (self.mischief.outbound)(&transmit.data, transmit.kind);
                    for data in sent {
                        self.send(&data, transmit.kind, transmit.remote).await;
                    }
                }
                Output::Event(event) => self.event(event),
                Output::EncoderTarget { call, section, target } => {
                    if let Some(stream) = self.streams.get_mut(&(call, section)) {
                        stream.keyframe |= target.keyframe;
                    }
                }
                Output::Timeout(deadline) => return deadline,
                _ => {}
            }
        }
    }

    async fn send(&mut self, data: &[u8], kind: PacketKind, mut remote: SocketAddr) {
        let media = matches!(kind, PacketKind::Audio | PacketKind::Video);
        if let Some(up) = self.mischief.port_shift.filter(|_| kind == PacketKind::Rtcp) {
            remote.set_port(remote.port().wrapping_add_signed(up));
        }
        if media && self.mischief.elsewhere {
            let _ = self.other.send_to(data, remote).await;
        } else {
            let _ = self.socket.send_to(data, remote).await;
        }
    }

    fn event(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Incoming { call, .. } => {
                if let Some(ring) = self.manners.ring {
                    self.agent.handle(now, Input::Command(Command::Ring { call, status: 180 }));
                    self.accept.push((now + ring, call));
                }
            }
            Event::Established { call, .. } if self.manners.reinvites => {
                self.agent.handle(now, Input::Command(Command::Hold { call }));
            }
            Event::Media { call, sections } => self.learn(call, &sections),
            Event::Ended { call, .. } if !self.mischief.talks_on => {
                self.streams.retain(|(c, _), _| *c != call)
            }
            _ => {}
        }
    }

    fn learn(&mut self, call: CallHandle, sections: &[Section]) {
        let now = self.now();
        for (index, section) in sections.iter().enumerate() {
            let sends = section.active && section.direction.sends();
            match section.send.clone().filter(|_| sends) {
                Some(format) => {
                    let fresh = || Stream { format: format.clone(), next: now, number: 0, keyframe: true };
                    let stream = self.streams.entry((call, index)).or_insert_with(fresh);
                    (stream.format, stream.next) = (format, stream.next.max(now));
                }
                None => {
                    self.streams.remove(&(call, index));
                }
            }
        }
    }

    fn send_frames(&mut self) {
        let now = self.now();
        for ((call, section), stream) in &mut self.streams {
            while stream.next <= now {
                let (octets, interval) = match &stream.format {
                    MediaFormat::Audio(audio) => {
                        let second = Duration::from_secs(1);
                        (80, second * audio.samples_per_frame.max(1) / audio.sample_rate.max(1))
                    }
                    MediaFormat::Video(_) => (2800, Duration::from_secs(1) / 30),
                };
                let keyframe = stream.keyframe || stream.number % KEYFRAME_EVERY == 0;
                let frame = media::frame(&stream.format, stream.number, octets, keyframe, stream.next);
                stream.keyframe = false;
                stream.number += 1;
                stream.next += interval;
                let input = Input::Frame { call: *call, section: *section, frame };
                self.agent.handle(now, input);
            }
        }
    }
}

/// A datagram as it is.
pub(crate) fn unchanged(data: &Bytes) -> Vec<Vec<u8>> {
    vec![data.to_vec()]
}
