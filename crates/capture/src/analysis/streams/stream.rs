//! One RTP stream: an SSRC from one address to another.

use super::announcements::{Announcements, Belongs};
use super::format::{Meaning, meaning};
use super::guess::{self, Held};
use super::opener::{Opened, Opener};
use super::reorder::Placed;
use super::rtcp::{Said, Saying};
use super::timeline::Timeline;
use super::unpack::{Content, Frames, Unpacker};
use crate::analysis::options::{AnalysisOptions, Framing};
use crate::analysis::sink::{FrameSink, StreamId};
use crate::analysis::structure::{Assessor, has_au_headers, is_latm};
use crate::findings::StreamFindings;
use bytes::Bytes;
use std::net::SocketAddr;
use visavis_proto::Time;
use visavis_proto::rtp::RtpPacket;
use visavis_proto::rtp::source::{Arrival, Source};

/// Payload types of one stream that are told apart.
const MAX_TYPES: usize = 32;

/// What a stream uses that belongs to all of them.
pub(super) struct Shared<'a> {
    pub(super) options: &'a AnalysisOptions,
    pub(super) announcements: &'a Announcements,
    pub(super) sink: Option<&'a mut dyn FrameSink>,
}

/// An RTP datagram as it was captured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Captured<'a> {
    pub(super) time: Time,
    pub(super) data: &'a [u8],
    /// Its length on the wire, octets.
    pub(super) length: usize,
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: StreamId,
    /// The number of its first packet in the capture.
    pub(super) first_packet: u64,
    pub(super) belongs: Option<Belongs>,
    first: Time,
    pub(super) last: Time,
    source: Source,
    lost_before: i64,
    octets: u64,
    jitter_max_ms: Option<f64>,
    timeline: Timeline,
    types: Vec<Type>,
    opener: Opener,
    /// Whether it was signalled as SRTP.
    secure: bool,
    assessor: Box<Assessor>,
    unpacker: Option<Unpacker>,
    frames: Frames,
    pub(super) said: Said,
    stamps: Stamps,
    /// A packet that jumped: the next one tells whether it belongs here.
    jumped: Option<(u16, Jumped)>,
    cut: u64,
    unreadable: u64,
    closed: bool,
    files: Vec<String>,
    extraction_error: Option<String>,
}

/// A payload type, how often it came, and what it means.
#[derive(Debug)]
struct Type {
    number: u8,
    packets: u64,
    meaning: Option<Meaning>,
}

/// A packet that is kept until the next one.
#[derive(Debug)]
struct Jumped {
    time: Time,
    timestamp: u32,
    marker: bool,
    payload_type: u8,
    octets: usize,
    content: Content,
}

/// Timestamps of pictures: how many, over what time.
#[derive(Debug, Default)]
struct Stamps {
    count: u64,
    greatest: Option<u64>,
    ticks: u64,
}

impl Stamps {
    fn add(&mut self, timestamp: u64) {
        match self.greatest {
            Some(greatest) if timestamp <= greatest => return,
            Some(greatest) => {
                self.ticks += timestamp - greatest;
                self.count += 1;
            }
            None => {}
        }
        self.greatest = Some(timestamp);
    }

    fn rate(&self, clock_rate: Option<u32>) -> Option<f64> {
        (self.ticks > 0).then_some(self.count as f64 * f64::from(clock_rate?) / self.ticks as f64)
    }
}

impl Stream {
    pub(super) fn new(id: StreamId, first_packet: u64, first: Time, belongs: Option<Belongs>) -> Self {
        Stream {
            id,
            first_packet,
            belongs,
            first,
            last: first,
            source: Source::new(),
            lost_before: 0,
            octets: 0,
            jitter_max_ms: None,
            timeline: Timeline::new(first),
            types: Vec::new(),
            opener: Opener::default(),
            secure: false,
            assessor: Box::new(Assessor::new()),
            unpacker: None,
            frames: Frames::default(),
            said: Said::default(),
            stamps: Stamps::default(),
            jumped: None,
            cut: 0,
            unreadable: 0,
            closed: false,
            files: Vec::new(),
            extraction_error: None,
        }
    }

    /// Takes what descriptions say of the stream by now: keys, and whether it is to be SRTP.
    pub(super) fn learn(&mut self, shared: &Shared<'_>) {
        if let Some(belongs) = &self.belongs {
            let sections = belongs.sections.iter().filter_map(|&index| shared.announcements.get(index));
            self.secure |= sections.into_iter().any(|section| section.secure);
            for key in shared.announcements.keys(belongs.call, self.id.source) {
                self.opener.add(key);
            }
        }
        for given in &shared.options.keys {
            if given.ssrc.is_none_or(|ssrc| ssrc == self.id.ssrc) {
                self.opener.add(&given.key);
            }
        }
    }

    /// Says what a payload type means that was not signalled.
    pub(super) fn assume(&mut self, payload_type: u8, meaning: Meaning) {
        match self.types.iter_mut().find(|known| known.number == payload_type) {
            Some(known) => known.meaning = Some(meaning),
            None => self.types.push(Type { number: payload_type, packets: 0, meaning: Some(meaning) }),
        }
    }

    /// Finds out anew what payload types mean: a description has come that names the stream.
    pub(super) fn belongs_to(&mut self, belongs: Belongs, shared: &Shared<'_>) {
        self.belongs = Some(belongs);
        for index in 0..self.types.len() {
            let Some(number) = self.types.get(index).map(|known| known.number) else { continue };
            if let Some(meaning) = self.signalled(number, shared)
                && let Some(known) = self.types.get_mut(index)
            {
                known.meaning = Some(meaning);
            }
        }
        self.learn(shared);
    }

    /// The RTP clock, Hz, by the payload type that came most.
    pub(super) fn clock_rate(&self) -> Option<u32> {
        self.main_type()?.meaning.as_ref()?.clock_rate
    }

    /// Takes a packet.
    pub(super) fn push(&mut self, captured: &Captured<'_>, packet: &RtpPacket<'_>, shared: &mut Shared<'_>) {
        self.last = captured.time;
        let cut = captured.length.saturating_sub(captured.data.len());
        let (content, octets) = self.open(captured, packet, cut);
        let clock_rate = self.count_type(packet.payload_type, shared);
        let arrival = self.source.receive(captured.time, packet, clock_rate.unwrap_or(0));
        self.octets += octets as u64;
        self.count(captured.time, octets, clock_rate);
        let jumped = self.jumped.take();
        match arrival {
            Arrival::Duplicate => {}
            Arrival::Jumped => {
                let kept = Jumped {
                    time: captured.time,
                    timestamp: packet.timestamp,
                    marker: packet.marker,
                    payload_type: packet.payload_type,
                    octets,
                    content,
                };
                self.jumped = Some((packet.seq, kept));
            }
            Arrival::Accepted { seq, timestamp, restarted } => {
                if restarted {
                    self.restart(shared);
                    if let Some((before, kept)) = jumped
                        && before.wrapping_add(1) == packet.seq
                    {
                        self.reclaim(seq, timestamp, packet, kept, shared);
                    }
                }
                self.stamps.add(timestamp);
                if let Content::Payload(payload) = &content
                    && !self.opener.has_opened()
                {
                    self.assessor.feed(payload, packet.seq, timestamp);
                }
                let placed = Placed {
                    sequence: seq,
                    timestamp,
                    marker: packet.marker,
                    received: captured.time,
                    content,
                };
                self.unpack(packet.payload_type, placed, shared);
            }
        }
    }

    /// Takes what RTCP says of it.
    pub(super) fn hear(&mut self, saying: &Saying) {
        let clock_rate = self.clock_rate();
        if let Some(round_trip) = self.said.take(saying, clock_rate) {
            self.timeline.at(saying.time).round_trip_ms = Some(round_trip as f32);
        }
    }

    /// Ends the extraction: the stream is over, or has been still for long.
    pub(super) fn close(&mut self, shared: &mut Shared<'_>) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        self.flush(shared);
        self.unpacker = None;
        if let Some(sink) = &mut shared.sink {
            let extracted = sink.finish(&self.id);
            self.files = extracted.files;
            self.extraction_error = extracted.error;
        }
    }

    pub(super) fn finish(mut self, shared: &mut Shared<'_>) -> StreamFindings {
        self.close(shared);
        self.types.sort_by_key(|known| std::cmp::Reverse(known.packets));
        let main = self.main_type().and_then(|known| known.meaning.clone());
        let (counters, lost) = (self.source.counters(), self.source.lost());
        let clock_rate = main.as_ref().and_then(|meaning| meaning.clock_rate);
        let expected = lost + i64::try_from(counters.packets).unwrap_or(i64::MAX);
        let elapsed = (self.last - self.first).as_secs_f64();
        let format = main.as_ref().and_then(|meaning| meaning.format.as_ref());
        let protection = self.opener.conclude(self.assessor.verdict(format, self.secure));
        let extraction_error = self.extraction_error.or_else(|| {
            let reason = match &main {
                _ if self.cut > 0 => format!("{} of its packets were cut off by the capture", self.cut),
                _ if self.unreadable > 0 => {
                    format!("{} of its packets could not be decrypted", self.unreadable)
                }
                Some(meaning) if meaning.format.is_none() && meaning.name == "AAC" => {
                    "AAC of a kind that the payload does not tell: give --payload-type".to_owned()
                }
                Some(meaning) if meaning.format.is_none() && !meaning.name.is_empty() => {
                    format!("{} is not read here", meaning.name)
                }
                Some(meaning) if meaning.format.is_some() => return None,
                _ => "its codec is not known: give --payload-type".to_owned(),
            };
            Some(reason)
        });
        let (seconds, step_s) = self.timeline.finish();
        StreamFindings {
            ssrc: self.id.ssrc,
            source: Some(self.id.source),
            destination: Some(self.id.destination),
            call: self.belongs.map(|belongs| belongs.call),
            kind: main.as_ref().and_then(|meaning| meaning.kind).map(visavis_proto::frame::MediaKind::as_str),
            codec: main.as_ref().map(|meaning| meaning.name.clone()).filter(|name| !name.is_empty()),
            known_by: main.as_ref().map(|meaning| meaning.known_by).filter(|how| !how.is_empty()),
            payload_types: self
                .types
                .iter()
                .filter(|known| known.packets > 0)
                .map(|known| known.number)
                .collect(),
            clock_rate,
            packets: counters.packets + counters.jumped,
            octets: self.octets,
            lost,
            // What came twice makes up for nothing here, though the count lets it.
            loss: (expected > 0).then(|| (lost + counters.duplicate as i64).max(0) as f64 / expected as f64),
            duplicate: counters.duplicate,
            reordered: counters.reordered,
            jitter_ms: clock_rate.and(self.source.jitter()).map(|jitter| jitter.as_secs_f64() * 1_000.0),
            jitter_max_ms: clock_rate.and(self.jitter_max_ms),
            first: Some(self.first),
            last: Some(self.last),
            bit_rate: (elapsed > 0.0).then(|| self.octets as f64 * 8.0 / elapsed),
            frames: self.frames.frames,
            frames_incomplete: self.frames.incomplete,
            frame_rate: self.stamps.rate(clock_rate),
            keyframes: self.frames.keyframes,
            keyframe_interval_s: crate::analysis::median(&mut self.frames.intervals),
            picture_size: self.frames.picture_size,
            rtcp: self.said.findings,
            protection,
            seconds,
            step_s,
            files: self.files,
            extraction_error,
        }
    }

    /// What the packet carries, decrypted where there are keys, and its length on the wire without headers.
    fn open(&mut self, captured: &Captured<'_>, packet: &RtpPacket<'_>, cut: usize) -> (Content, usize) {
        let octets = packet.payload().len() + cut;
        if cut > 0 {
            self.cut += 1;
            return (Content::Unreadable, octets);
        }
        match self.opener.rtp(captured.data) {
            Opened::Clear(clear) => match RtpPacket::parse(&clear) {
                Ok(opened) => {
                    let payload = clear.slice(opened.payload_range());
                    let octets = payload.len();
                    (Content::Payload(payload), octets)
                }
                Err(_) => (Content::Unreadable, octets),
            },
            Opened::Repeated => (Content::Other, octets),
            // Keys that open nothing may belong to others.
            Opened::Refused if self.opener.has_opened() || self.secure => {
                self.unreadable += 1;
                if !self.opener.has_opened() {
                    self.assessor.feed(packet.payload(), packet.seq, u64::from(packet.timestamp));
                }
                (Content::Unreadable, octets)
            }
            Opened::NoKey | Opened::Refused => {
                (Content::Payload(Bytes::copy_from_slice(packet.payload())), octets)
            }
        }
    }

    fn count(&mut self, time: Time, octets: usize, clock_rate: Option<u32>) {
        let jitter_ms = clock_rate.and(self.source.jitter()).map(|jitter| jitter.as_secs_f64() * 1_000.0);
        self.jitter_max_ms = match (self.jitter_max_ms, jitter_ms) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        let lost = self.source.lost();
        let newly = lost - std::mem::replace(&mut self.lost_before, lost);
        let step = self.timeline.at(time);
        step.packets = step.packets.saturating_add(1);
        step.octets += octets as u64;
        step.lost = step.lost.saturating_add(i32::try_from(newly).unwrap_or(0));
        step.jitter_ms = jitter_ms.map(|ms| ms as f32);
    }

    /// Counts a payload type; gives its clock.
    fn count_type(&mut self, payload_type: u8, shared: &Shared<'_>) -> Option<u32> {
        if let Some(known) = self.types.iter_mut().find(|known| known.number == payload_type) {
            known.packets += 1;
            return known.meaning.as_ref().and_then(|meaning| meaning.clock_rate);
        }
        if self.types.len() >= MAX_TYPES {
            return None;
        }
        let meaning = self.signalled(payload_type, shared);
        let clock_rate = meaning.as_ref().and_then(|meaning| meaning.clock_rate);
        self.types.push(Type { number: payload_type, packets: 1, meaning });
        clock_rate.or_else(|| self.clock_rate())
    }

    fn signalled(&self, payload_type: u8, shared: &Shared<'_>) -> Option<Meaning> {
        // A later description may have come since.
        let belongs = shared
            .announcements
            .find(self.id.source, self.id.destination, self.id.ssrc, payload_type)
            .or_else(|| self.belongs.clone());
        let sections = belongs.iter().flat_map(|belongs| &belongs.sections);
        meaning(payload_type, sections.filter_map(|&index| shared.announcements.get(index)), shared.options)
    }

    fn main_type(&self) -> Option<&Type> {
        let media = |known: &&Type| known.meaning.as_ref().is_some_and(Meaning::is_media);
        let most = |types: &mut dyn Iterator<Item = &'_ Type>| -> Option<usize> {
            types
                .max_by_key(|known| known.packets)
                .and_then(|found| self.types.iter().position(|t| t.number == found.number))
        };
        let index = most(&mut self.types.iter().filter(media)).or_else(|| most(&mut self.types.iter()))?;
        self.types.get(index)
    }

    /// Puts a packet that had jumped before the one that goes on from it.
    fn reclaim(
        &mut self,
        seq: u64,
        timestamp: u64,
        packet: &RtpPacket<'_>,
        kept: Jumped,
        shared: &mut Shared<'_>,
    ) {
        self.source.reclaim(kept.octets);
        let back = packet.timestamp.wrapping_sub(kept.timestamp) as i32;
        let placed = Placed {
            sequence: seq.saturating_sub(1),
            timestamp: timestamp.saturating_add_signed(-i64::from(back)),
            marker: kept.marker,
            received: kept.time,
            content: kept.content,
        };
        self.unpack(kept.payload_type, placed, shared);
    }

    fn unpack(&mut self, payload_type: u8, mut placed: Placed, shared: &mut Shared<'_>) {
        if self.closed {
            return;
        }
        let meaning =
            self.types.iter().find(|known| known.number == payload_type).and_then(|t| t.meaning.as_ref());
        let format = meaning.filter(|meaning| meaning.is_media()).and_then(|meaning| meaning.format.clone());
        match (&self.unpacker, format) {
            (Some(unpacker), Some(format)) if unpacker.payload_type == payload_type => drop(format),
            (_, Some(format)) => {
                self.flush(shared);
                self.unpacker = Unpacker::new(&format, &shared.options.limits.parsing);
            }
            (_, None) => placed.content = Content::Other,
        }
        let Stream { unpacker, frames, timeline, id, .. } = self;
        if let Some(unpacker) = unpacker {
            unpacker.push(placed, &mut |media, frame| {
                take_frame(frames, timeline, id, media, frame, &mut shared.sink);
            });
        }
    }

    /// Ends what is open, and begins anew.
    fn restart(&mut self, shared: &mut Shared<'_>) {
        self.flush(shared);
        self.unpacker = None;
        self.frames.restart();
        self.stamps.greatest = None;
    }

    fn flush(&mut self, shared: &mut Shared<'_>) {
        let Stream { unpacker, frames, timeline, id, .. } = self;
        if let Some(unpacker) = unpacker {
            unpacker
                .finish(&mut |media, frame| take_frame(frames, timeline, id, media, frame, &mut shared.sink));
        }
    }

    /// The payload type that came most.
    pub(super) fn payload_type(&self) -> u8 {
        self.main_type().map_or(0, |known| known.number)
    }

    /// Settles what its first packets leave open: the codec where nothing names it, and the framing of AAC.
    pub(super) fn settle(&mut self, held: &[Held], meaning: Option<Meaning>, shared: &Shared<'_>) {
        let clear: Vec<Held> = held.iter().map(|held| self.try_open(held)).collect();
        let Some(first) = clear.first().and_then(|held| RtpPacket::parse(&held.data).ok()) else { return };
        let payload_type = first.payload_type;
        match meaning.or_else(|| self.signalled(payload_type, shared)) {
            Some(mut known) if known.is_framing_open(shared.options) => {
                let payloads = clear.iter().filter_map(|held| RtpPacket::parse(&held.data).ok());
                let fits = |test: fn(&[u8]) -> bool| payloads.clone().all(|packet| test(packet.payload()));
                let framing = if fits(has_au_headers) {
                    Some(Framing::Rfc3640)
                } else if fits(is_latm) {
                    Some(Framing::Latm)
                } else {
                    None
                };
                if let (Some(framing), Some(format)) = (framing, &mut known.format) {
                    framing.apply(format);
                }
                self.assume(payload_type, known);
            }
            Some(_) => {}
            None => self.assume(payload_type, guess::meaning(&clear, payload_type, shared.options)),
        }
    }

    /// A packet in the clear, where a key that is there opens it. The keys are tried on copies, so that the packet is
    /// not taken for a repeated one later.
    fn try_open(&self, held: &Held) -> Held {
        let data = self.opener.peek(&held.data).map_or_else(|| held.data.clone(), |clear| clear.to_vec());
        Held { data, ..held.clone() }
    }

    /// Where RTCP about this stream comes from, by its sender and by its receiver.
    pub(super) fn ends(&self) -> (SocketAddr, SocketAddr) {
        (self.id.source, self.id.destination)
    }
}

fn take_frame(
    frames: &mut Frames,
    timeline: &mut Timeline,
    id: &StreamId,
    media: &visavis_proto::io::MediaFormat,
    frame: visavis_proto::frame::ReceivedFrame,
    sink: &mut Option<&mut dyn FrameSink>,
) {
    let gap = frames.last.map(|last| ((frame.received - last).as_secs_f64() * 1_000.0) as f32);
    frames.count(media, &frame);
    let step = timeline.at(frame.received);
    step.frames = step.frames.saturating_add(1);
    step.longest_gap_ms = match (step.longest_gap_ms, gap) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    };
    if let Some(sink) = sink {
        sink.frame(id, media, &frame);
    }
}
