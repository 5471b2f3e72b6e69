//! SIP out of TCP: segments in order, each direction of a connection by itself, cut into messages.
//!
//! A capture is no receiver: it may begin in the middle of a connection, lack segments that did arrive, and hold others
//! twice. So a connection is taken up at a segment that begins with a SIP start line, and after a gap at the next start
//! line. Connections of anything else cost nothing but the look at their segments.

use super::ip::Tcp;
use super::sip_line::{self, Line};
use crate::datagram::Direction;
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;
use visavis_proto::Time;
use visavis_proto::limits::Limits;
use visavis_proto::sip::StreamFramer;

/// Directions of connections that are followed, at most.
const MAX_FLOWS: usize = 4096;
/// Octets that wait in all of them, at most.
const MAX_WAITING: usize = 16 << 20;
/// Octets that wait behind a gap in one, at most; segments, at most.
const MAX_HELD: usize = 256 << 10;
const MAX_HELD_SEGMENTS: usize = 256;
/// How long what fills a gap is waited for, in the time of the capture.
const PATIENCE: Duration = Duration::from_secs(3);
/// What lies further ahead or behind than any window is of another connection between the same ports.
const FAR: u32 = 1 << 26;

/// Whence and whither.
type Key = (SocketAddr, SocketAddr);

/// The packet that a segment or a message came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) packet: u64,
    pub(super) time: Time,
    pub(super) direction: Option<Direction>,
}

/// A SIP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) origin: Origin,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) data: Vec<u8>,
}

/// All connections that may carry SIP.
#[derive(Debug, Default)]
pub(super) struct Streams {
    flows: HashMap<Key, Flow>,
    ready: VecDeque<Message>,
    limits: Limits,
    /// Octets that wait, and directions in which there is a gap.
    waiting: usize,
    gaps: usize,
    clock: u64,
    broken: u64,
}

impl Streams {
    /// Takes a segment with its payload, as far as it was captured. [`Streams::next_message`] has what it completed.
    pub(super) fn segment(&mut self, key: Key, tcp: &Tcp, data: &[u8], origin: Origin) {
        if self.gaps > 0
            && let Some(acknowledged) = tcp.acknowledged
        {
            self.acknowledge((key.1, key.0), acknowledged);
        }
        if tcp.syn {
            self.begin(key, tcp.sequence.wrapping_add(1));
        }
        let length = tcp.transport.length;
        if length == 0 {
            return;
        }
        // The payload comes behind the SYN.
        let sequence = tcp.sequence.wrapping_add(u32::from(tcp.syn));
        let starts = sip_line::begins(data);
        if !self.flows.contains_key(&key) {
            if !starts {
                return;
            }
            self.insert(key, Flow::new(sequence, State::Lost));
        }
        let segment = Segment { sequence, length: length as u32, data: Cow::Borrowed(data), origin };
        self.with(&key, |flow, output| flow.segment(segment, starts, output));
    }

    /// The next message that is complete.
    pub(super) fn next_message(&mut self) -> Option<Message> {
        self.ready.pop_front()
    }

    /// Messages that could not be cut out of their stream.
    pub(super) fn broken(&self) -> u64 {
        self.broken
    }

    /// Nothing more comes: what waits behind gaps is read as it is.
    pub(super) fn finish(&mut self) {
        let gaps = self.flows.iter().filter(|(_, flow)| flow.has_gap());
        let mut keys: Vec<Key> = gaps.map(|(key, _)| *key).collect();
        // The same file always gives the same.
        keys.sort_unstable();
        for key in keys {
            self.with(&key, |flow, output| while flow.pass_gap(output) {});
        }
        self.ready.make_contiguous().sort_by_key(|message| message.origin.packet);
    }

    /// A connection is opened, unless that is said again.
    fn begin(&mut self, key: Key, sequence: u32) {
        if self.flows.get(&key).is_none_or(|flow| flow.first != sequence) {
            self.remove(&key);
            self.insert(key, Flow::new(sequence, State::Beginning(Vec::new())));
        }
    }

    /// The other side has what is missing here, so that nobody will send it again.
    fn acknowledge(&mut self, key: Key, acknowledged: u32) {
        self.with(&key, |flow, output| {
            while flow.held.first().is_some_and(|held| ahead(held.sequence, acknowledged) >= 0) {
                flow.pass_gap(output);
            }
        });
    }

    /// Lets a direction work, then takes what it put out and counts what it keeps.
    fn with(&mut self, key: &Key, work: impl FnOnce(&mut Flow, &mut Output<'_>)) {
        let Some(flow) = self.flows.get_mut(key) else { return };
        let (waiting, gap) = (flow.waiting(), flow.has_gap());
        let (ready, limits) = (&mut self.ready, &self.limits);
        let mut output = Output { key: *key, ready, limits, broken: 0 };
        work(flow, &mut output);
        self.broken += output.broken;
        self.clock += 1;
        flow.used = self.clock;
        self.waiting = self.waiting - waiting + flow.waiting();
        self.gaps = self.gaps - usize::from(gap) + usize::from(flow.has_gap());
        if flow.is_other() {
            self.remove(key);
        }
        if self.waiting > MAX_WAITING {
            self.remove_older_half();
        }
    }

    fn insert(&mut self, key: Key, mut flow: Flow) {
        if self.flows.len() >= MAX_FLOWS {
            self.remove_older_half();
        }
        self.clock += 1;
        flow.used = self.clock;
        self.flows.insert(key, flow);
    }

    fn remove(&mut self, key: &Key) {
        if let Some(flow) = self.flows.remove(key) {
            self.waiting -= flow.waiting();
            self.gaps -= usize::from(flow.has_gap());
        }
    }

    fn remove_older_half(&mut self) {
        let mut ages: Vec<(u64, Key)> = self.flows.iter().map(|(key, flow)| (flow.used, *key)).collect();
        ages.sort_unstable_by_key(|(used, _)| *used);
        for (_, key) in ages.iter().take(ages.len().div_ceil(2)) {
            self.remove(key);
        }
    }
}

/// Where a direction puts its messages.
struct Output<'a> {
    key: Key,
    ready: &'a mut VecDeque<Message>,
    limits: &'a Limits,
    broken: u64,
}

/// A segment that carries data.
#[derive(Debug)]
struct Segment<'a> {
    sequence: u32,
    /// On the wire; captured may be less.
    length: u32,
    data: Cow<'a, [u8]>,
    origin: Origin,
}

/// One direction of a connection.
#[derive(Debug)]
struct Flow {
    /// The number of the first octet, and of the next one.
    first: u32,
    next: u32,
    state: State,
    /// What came before its time, in the order of its numbers.
    held: Vec<Segment<'static>>,
    used: u64,
}

#[derive(Debug)]
enum State {
    /// Nothing but these octets of the first line have come.
    Beginning(Vec<u8>),
    /// SIP, in step.
    Sip(StreamFramer),
    /// Looking for a start line.
    Lost,
    /// Something else.
    Other,
}

impl Flow {
    fn new(first: u32, state: State) -> Self {
        Flow { first, next: first, state, held: Vec::new(), used: 0 }
    }

    fn has_gap(&self) -> bool {
        !self.held.is_empty()
    }

    fn is_other(&self) -> bool {
        matches!(self.state, State::Other)
    }

    fn waiting(&self) -> usize {
        let state = match &self.state {
            State::Beginning(octets) => octets.len(),
            State::Sip(framer) => framer.waiting(),
            State::Lost | State::Other => 0,
        };
        state + self.held.iter().map(|segment| segment.data.len()).sum::<usize>()
    }

    /// Takes a segment; `starts` says that a SIP message begins with it.
    fn segment(&mut self, segment: Segment<'_>, starts: bool, output: &mut Output<'_>) {
        if ahead(self.next, segment.sequence).unsigned_abs() > FAR {
            if !starts {
                self.state = State::Other;
                return;
            }
            *self = Flow::new(segment.sequence, State::Lost);
        }
        let origin = segment.origin;
        if ahead(self.next, segment.sequence) > 0 {
            self.hold(segment);
            let oldest = self.held.iter().map(|held| held.origin.time).min().unwrap_or_default();
            let octets: usize = self.held.iter().map(|held| held.data.len()).sum();
            let enough = octets > MAX_HELD || self.held.len() > MAX_HELD_SEGMENTS;
            if enough || origin.time - oldest > PATIENCE {
                self.pass_gap(output);
            }
            return;
        }
        self.feed(&segment, origin, output);
        self.feed_held(Some(origin), output);
    }

    /// Keeps what came before its time. Of two segments that begin alike, the longer one.
    fn hold(&mut self, segment: Segment<'_>) {
        let next = self.next;
        let segment = Segment { data: Cow::Owned(segment.data.into_owned()), ..segment };
        let at = self.held.partition_point(|held| ahead(next, held.sequence) < ahead(next, segment.sequence));
        match self.held.get_mut(at) {
            Some(held) if held.sequence == segment.sequence => {
                if held.length < segment.length {
                    *held = segment;
                }
            }
            _ => self.held.insert(at, segment),
        }
    }

    /// Takes what is missing before the first held segment for lost. `false` where nothing is held.
    fn pass_gap(&mut self, output: &mut Output<'_>) -> bool {
        let Some(first) = self.held.first() else { return false };
        self.next = first.sequence;
        let unknown = matches!(self.state, State::Beginning(_));
        self.state = State::Lost;
        self.feed_held(None, output);
        if unknown && matches!(self.state, State::Lost) && !self.has_gap() {
            self.state = State::Other;
        }
        true
    }

    /// Feeds held segments whose time has come: with `origin`, or else their own.
    fn feed_held(&mut self, origin: Option<Origin>, output: &mut Output<'_>) {
        let ready = self.held.iter().take_while(|held| ahead(self.next, held.sequence) <= 0).count();
        if ready == 0 {
            return;
        }
        let rest = self.held.split_off(ready);
        for segment in std::mem::replace(&mut self.held, rest) {
            self.feed(&segment, origin.unwrap_or(segment.origin), output);
        }
        // These may have reached further ones.
        self.feed_held(origin, output);
    }

    /// Reads what is new in a segment that does not lie ahead.
    fn feed(&mut self, segment: &Segment<'_>, origin: Origin, output: &mut Output<'_>) {
        let old = ahead(segment.sequence, self.next).unsigned_abs();
        if old >= segment.length {
            return;
        }
        self.next = segment.sequence.wrapping_add(segment.length);
        let data = segment.data.get(old as usize..).unwrap_or_default();
        let cut = segment.data.len() < segment.length as usize;
        match &mut self.state {
            State::Beginning(octets) => {
                octets.extend_from_slice(data);
                match sip_line::look(octets) {
                    Line::Sip => {
                        let octets = std::mem::take(octets);
                        self.sip(&octets, origin, output);
                    }
                    // Keep-alives are nothing to keep.
                    Line::More if octets.iter().all(u8::is_ascii_whitespace) => octets.clear(),
                    Line::More => {}
                    Line::Other => self.state = State::Other,
                }
            }
            State::Sip(framer) => {
                framer.push(data);
                self.messages(origin, output);
            }
            State::Lost => {
                if let Some(start) = sip_line::find(data) {
                    self.sip(data.get(start..).unwrap_or_default(), origin, output);
                }
            }
            State::Other => {}
        }
        if cut && !self.is_other() {
            self.state = State::Lost;
        }
    }

    /// Is in step from here on.
    fn sip(&mut self, octets: &[u8], origin: Origin, output: &mut Output<'_>) {
        let mut framer = StreamFramer::new();
        framer.push(octets);
        self.state = State::Sip(framer);
        self.messages(origin, output);
    }

    fn messages(&mut self, origin: Origin, output: &mut Output<'_>) {
        let State::Sip(framer) = &mut self.state else { return };
        while let Some(message) = framer.next_octets(output.limits) {
            match message {
                Ok(data) => {
                    let (source, destination) = output.key;
                    output.ready.push_back(Message { origin, source, destination, data });
                }
                // The end of a message could not be told: its framer gives no more.
                Err(_) => output.broken += 1,
            }
        }
        if framer.is_broken() {
            self.state = State::Lost;
        }
    }
}

/// How far ahead of `from` the number `to` is (RFC 9293 section 3.4).
fn ahead(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::super::ip::Transport;
    use super::*;

    fn key(port: u32) -> Key {
        let address = |ip: u32, port| (std::net::Ipv4Addr::from(ip), port).into();
        (address(port / 60_000 + 1, (port % 60_000) as u16), address(9, 5060))
    }

    fn feed(streams: &mut Streams, key: Key, sequence: u32, syn: bool, data: &[u8]) {
        let transport = Transport { source: 0, destination: 0, data: 0..data.len(), length: data.len() };
        let tcp = Tcp { transport, sequence, acknowledged: None, syn };
        streams.segment(key, &tcp, data, Origin { packet: 1, time: Time::ZERO, direction: None });
        assert!(streams.flows.len() <= MAX_FLOWS);
        assert!(streams.waiting <= MAX_WAITING);
        let waiting: usize = streams.flows.values().map(Flow::waiting).sum();
        let gaps = streams.flows.values().filter(|flow| flow.has_gap()).count();
        assert_eq!((streams.waiting, streams.gaps), (waiting, gaps));
    }

    #[test]
    fn a_flood_of_connections_stays_bounded() {
        let mut streams = Streams::default();
        for port in 0..2 * MAX_FLOWS as u32 {
            feed(&mut streams, key(port), 7, true, b"");
        }
        assert!(streams.flows.contains_key(&key(2 * MAX_FLOWS as u32 - 1)));
        assert!(!streams.flows.contains_key(&key(0)));
    }

    #[test]
    fn messages_without_end_and_gaps_stay_bounded() {
        let mut streams = Streams::default();
        let start = b"INVITE sip:a SIP/2.0\r\nX: ";
        for port in 0..600 {
            feed(&mut streams, key(port), 7, false, start);
            // The rest of a header that does not end, and a segment behind a gap.
            feed(&mut streams, key(port), 7 + start.len() as u32, false, &[b'x'; 40_000]);
            feed(&mut streams, key(port), 200_000, false, &[b'x'; 40_000]);
        }
        assert!(streams.waiting > MAX_WAITING / 4);
        let first = key(599);
        for count in 0..20 {
            feed(&mut streams, first, 300_000 + 100_000 * count, false, &[b'x'; 60_000]);
            assert!(streams.flows[&first].waiting() <= MAX_HELD + 2 * 65_536);
        }
    }

    #[test]
    fn what_turns_out_to_be_something_else_is_forgotten() {
        let mut streams = Streams::default();
        for (text, kept) in [("INVI", 1), ("\r\n\r\n", 1), ("GET / HTTP/1.1\r\n", 0), ("\u{16}\u{3}", 0)] {
            feed(&mut streams, key(1), 7, true, b"");
            feed(&mut streams, key(1), 8, false, text.as_bytes());
            assert_eq!(streams.flows.len(), kept, "{text:?}");
            // Something else behind a gap is forgotten with the gap.
            feed(&mut streams, key(2), 7, true, b"");
            feed(&mut streams, key(2), 1000, false, b"\x16\x03");
            streams.finish();
            assert!(!streams.flows.contains_key(&key(2)));
        }
        assert!(streams.next_message().is_none());
    }
}
