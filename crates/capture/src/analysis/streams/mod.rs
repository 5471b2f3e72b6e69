//! RTP streams, signalled or not, and what RTCP says of them.

mod announcements;
mod format;
mod guess;
mod opener;
mod reorder;
mod rtcp;
pub(super) mod static_types;
mod stream;
mod timeline;
mod unpack;

use self::announcements::{Announcements, Belongs};
use self::format::Meaning;
use self::guess::Held;
use self::opener::{Opened, Opener};
use self::rtcp::Saying;
use self::stream::{Captured, Shared, Stream};
use super::calls::News;
use super::options::AnalysisOptions;
use super::sink::{FrameSink, StreamId};
use crate::findings::StreamFindings;
use crate::input::Datagram;
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;
use visavis_proto::Time;
use visavis_proto::rtp::RtpPacket;

/// What RTCP says of streams that are not known yet, kept until they are.
const MAX_SAYINGS: usize = 256;
/// Pairs of addresses whose SRTCP is opened.
const MAX_OPENERS: usize = 4_096;
/// Flows that were looked at and are no RTP, remembered.
const MAX_REJECTED: usize = 16_384;
/// A stream that is still for so long is over.
const IDLE: Duration = Duration::from_secs(120);
/// How often idle streams are looked for, in packets.
const SWEEP: u64 = 65_536;

type Flow = (SocketAddr, SocketAddr, u32);

/// All streams of a capture.
pub(super) struct Streams {
    options: AnalysisOptions,
    streams: Vec<Stream>,
    index: HashMap<Flow, usize>,
    by_ssrc: HashMap<u32, Vec<usize>>,
    candidates: HashMap<Flow, Candidate>,
    /// Candidates in the order in which they came.
    queue: VecDeque<Flow>,
    rejected: HashSet<Flow>,
    announcements: Announcements,
    sayings: VecDeque<Saying>,
    openers: HashMap<(SocketAddr, SocketAddr), Opener>,
    sink: Option<Box<dyn FrameSink>>,
    seen: u64,
    pub(super) left_out: u64,
}

/// A flow that may be a stream.
#[derive(Debug)]
struct Candidate {
    held: Vec<Held>,
    /// What signalling says of its first packet's payload type.
    meaning: Option<Meaning>,
}

impl Streams {
    pub(super) fn new(options: AnalysisOptions, sink: Option<Box<dyn FrameSink>>) -> Self {
        Streams {
            options,
            streams: Vec::new(),
            index: HashMap::new(),
            by_ssrc: HashMap::new(),
            candidates: HashMap::new(),
            queue: VecDeque::new(),
            rejected: HashSet::new(),
            announcements: Announcements::default(),
            sayings: VecDeque::new(),
            openers: HashMap::new(),
            sink,
            seen: 0,
            left_out: 0,
        }
    }

    /// Takes what a SIP message means for the media.
    pub(super) fn signalled(&mut self, datagram: &Datagram<'_>, news: News) {
        self.announcements.signalled(news.call, datagram.source, datagram.destination);
        if news.over {
            self.announcements.over(news.call);
        }
        if news.announced.is_empty() {
            return;
        }
        self.announcements.add(news.call, news.announced);
        self.rejected.clear();
        for stream in &mut self.streams {
            if stream.belongs.as_ref().is_some_and(|belongs| belongs.call != news.call) {
                continue;
            }
            let StreamId { ssrc, source, destination, .. } = stream.id;
            let payload_type = stream.payload_type();
            let found = self.announcements.find(source, destination, ssrc, payload_type);
            if let Some(belongs) = found.filter(|found| found.call == news.call) {
                let shared =
                    Shared { options: &self.options, announcements: &self.announcements, sink: None };
                stream.belongs_to(belongs, &shared);
            }
        }
    }

    /// Takes a datagram that has the form of RTP.
    pub(super) fn rtp(&mut self, datagram: &Datagram<'_>) {
        self.seen += 1;
        if self.seen.is_multiple_of(SWEEP) {
            self.sweep(datagram.time);
        }
        let captured = Captured { time: datagram.time, data: datagram.data, length: datagram.length };
        let Some((flow, payload_type)) = self.pass(datagram.source, datagram.destination, &captured) else {
            return;
        };
        if self.rejected.contains(&flow) {
            return;
        }
        let held = Held {
            packet: datagram.packet,
            time: datagram.time,
            data: datagram.data.to_vec(),
            length: datagram.length,
        };
        let Some(candidate) = self.candidates.get_mut(&flow) else {
            return self.appear(flow, payload_type, held);
        };
        candidate.held.push(held);
        if candidate.held.len() >= guess::ENOUGH {
            self.decide(flow);
        }
    }

    /// Takes a datagram that has the form of RTCP.
    pub(super) fn rtcp(&mut self, datagram: &Datagram<'_>) {
        let (source, destination) = (datagram.source, datagram.destination);
        let said = rtcp::sayings(datagram.data, datagram.time, source, destination).or_else(|| {
            let clear = self.open_rtcp(datagram)?;
            rtcp::sayings(&clear, datagram.time, source, destination)
        });
        for saying in said.into_iter().flatten() {
            self.hear(saying);
        }
    }

    /// What was found, in the order of first packets.
    pub(super) fn finish(mut self) -> Vec<StreamFindings> {
        while let Some(flow) = self.queue.pop_front() {
            self.decide(flow);
        }
        let Streams { mut streams, options, announcements, mut sink, .. } = self;
        streams.sort_by_key(|stream| stream.first_packet);
        let finish = |stream: Stream| {
            let sections =
                stream.belongs.as_ref().map(|belongs| belongs.sections.clone()).unwrap_or_default();
            let sink = sink.as_deref_mut().map(|sink| sink as &mut dyn FrameSink);
            let mut shared = Shared { options: &options, announcements: &announcements, sink };
            let mut findings = stream.finish(&mut shared);
            if findings.protection.opened == 0 {
                let errors = announcements.key_errors(&sections);
                findings
                    .protection
                    .reasons
                    .extend(errors.into_iter().map(|error| format!("a key in the signalling: {error}")));
            }
            findings
        };
        streams.into_iter().map(finish).collect()
    }

    /// Hands a packet to its stream; gives the flow where there is none yet.
    fn pass(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        captured: &Captured<'_>,
    ) -> Option<(Flow, u8)> {
        let whole;
        let packet = match RtpPacket::parse(captured.data) {
            Ok(packet) => packet,
            // The octet that counts padding was cut off: without its flag, the rest can be read.
            Err(_) if captured.length > captured.data.len() => {
                let mut data = captured.data.to_vec();
                *data.first_mut()? &= !0x20;
                whole = data;
                RtpPacket::parse(&whole).ok()?
            }
            Err(_) => return None,
        };
        let flow = (source, destination, packet.ssrc);
        let Some(stream) = self.index.get(&flow).and_then(|&index| self.streams.get_mut(index)) else {
            return Some((flow, packet.payload_type));
        };
        let sink = self.sink.as_deref_mut().map(|sink| sink as &mut dyn FrameSink);
        let mut shared = Shared { options: &self.options, announcements: &self.announcements, sink };
        stream.push(captured, &packet, &mut shared);
        None
    }

    /// A flow that was not there before.
    fn appear(&mut self, flow: Flow, payload_type: u8, held: Held) {
        let belongs = self.announcements.find(flow.0, flow.1, flow.2, payload_type);
        let meaning = belongs.as_ref().and_then(|belongs| {
            let sections = belongs.sections.iter().filter_map(|&index| self.announcements.get(index));
            format::meaning(payload_type, sections, &self.options)
        });
        let sure = meaning.as_ref().is_some_and(|meaning| !meaning.is_framing_open(&self.options));
        let candidate = Candidate { held: vec![held], meaning };
        if sure {
            return self.accept(flow, belongs, candidate);
        }
        if self.candidates.len() >= self.options.limits.candidates
            && let Some(oldest) = self.queue.pop_front()
        {
            self.decide(oldest);
        }
        self.candidates.insert(flow, candidate);
        self.queue.push_back(flow);
    }

    /// Decides on a candidate by what has come of it.
    fn decide(&mut self, flow: Flow) {
        let Some(candidate) = self.candidates.remove(&flow) else { return };
        self.queue.retain(|queued| *queued != flow);
        if candidate.meaning.is_some() || guess::is_rtp(&candidate.held) {
            let payload_type = candidate.held.first().and_then(|held| RtpPacket::parse(&held.data).ok());
            let payload_type = payload_type.map_or(0, |packet| packet.payload_type);
            let belongs = self.announcements.find(flow.0, flow.1, flow.2, payload_type);
            self.accept(flow, belongs, candidate);
        } else {
            if self.rejected.len() >= MAX_REJECTED {
                self.rejected.clear();
            }
            self.rejected.insert(flow);
        }
    }

    fn accept(&mut self, flow: Flow, belongs: Option<Belongs>, candidate: Candidate) {
        let Some(first) = candidate.held.first() else { return };
        if self.streams.len() >= self.options.limits.streams {
            self.left_out += 1;
            self.rejected.insert(flow);
            return;
        }
        let (source, destination, ssrc) = flow;
        let id = StreamId { number: self.streams.len(), ssrc, source, destination };
        let mut stream = Stream::new(id, first.packet, first.time, belongs);
        let shared = Shared { options: &self.options, announcements: &self.announcements, sink: None };
        stream.learn(&shared);
        stream.settle(&candidate.held, candidate.meaning, &shared);
        self.index.insert(flow, id.number);
        self.by_ssrc.entry(ssrc).or_default().push(id.number);
        self.streams.push(stream);
        for held in &candidate.held {
            let captured = Captured { time: held.time, data: &held.data, length: held.length };
            self.pass(source, destination, &captured);
        }
        for saying in std::mem::take(&mut self.sayings) {
            self.hear(saying);
        }
    }

    /// Tells the stream that a saying of RTCP is about; without one, it waits.
    fn hear(&mut self, saying: Saying) {
        let by_sender = saying.what.is_by_sender();
        let from = |stream: &Stream| {
            let (source, destination) = stream.ends();
            let (near, far) = if by_sender { (source, destination) } else { (destination, source) };
            let score = |a: SocketAddr, b: SocketAddr| u8::from(a == b) + u8::from(a.ip() == b.ip());
            score(near, saying.source) * 3 + score(far, saying.destination)
        };
        let known = self.by_ssrc.get(&saying.ssrc).into_iter().flatten();
        let best = known.filter_map(|&index| Some((from(self.streams.get(index)?), index))).max();
        match best.and_then(|(_, index)| self.streams.get_mut(index)) {
            Some(stream) => stream.hear(&saying),
            None => {
                if self.sayings.len() >= MAX_SAYINGS {
                    self.sayings.pop_front();
                }
                self.sayings.push_back(saying);
            }
        }
    }

    fn open_rtcp(&mut self, datagram: &Datagram<'_>) -> Option<bytes::Bytes> {
        let pair = (datagram.source, datagram.destination);
        if self.openers.len() >= MAX_OPENERS && !self.openers.contains_key(&pair) {
            return None;
        }
        let opener = self.openers.entry(pair).or_default();
        if !opener.has_opened() {
            let given = self.options.keys.iter().map(|given| &given.key);
            given.chain(self.announcements.keys_at(pair.0, pair.1)).for_each(|key| opener.add(key));
        }
        match opener.rtcp(datagram.data) {
            Opened::Clear(clear) => Some(clear),
            Opened::NoKey | Opened::Repeated | Opened::Refused => None,
        }
    }

    /// Ends streams that have been still for long, so that their files need not stay open.
    fn sweep(&mut self, now: Time) {
        for stream in self.streams.iter_mut().filter(|stream| now - stream.last > IDLE) {
            let sink = self.sink.as_deref_mut().map(|sink| sink as &mut dyn FrameSink);
            stream.close(&mut Shared { options: &self.options, announcements: &self.announcements, sink });
        }
    }
}
