//! The media of an endpoint's calls: sources and encoders, decoders, judge and recorder, on codec threads.

mod judges;
mod plan;
mod pool;
mod receive;
mod reel;
mod send;
mod show;

pub(crate) use judges::{Judges, Judging};
pub(crate) use reel::Reel;

pub use plan::{MediaPlan, Receiving, Recording, Sending, Sinks, Sources, TestSources};

use self::pool::{Actor, Address, Pool};
use self::receive::Receiver;
use self::send::{AudioSender, Outlet, VideoSender};
use crate::clock::Clock;
use crate::driver::ToDriver;
use std::collections::HashMap;
use std::io;
use std::thread;
use tokio::sync::mpsc;
use visavis_media::codec::CodecError;
use visavis_proto::Time;
use visavis_proto::frame::{EncodedFrame, ReceivedFrame};
use visavis_proto::io::{CallHandle, EncoderTarget, MediaFormat, Section};
use visavis_report::MediaReport;

/// What media actors are told.
pub(crate) enum Work {
    /// What an encoder should produce.
    Target(EncoderTarget),
    /// What the sections of the call are now.
    Sections(Vec<Section>),
    /// A frame arrived on a section.
    Frame(usize, ReceivedFrame),
    /// The call is over: report.
    Finish,
}

/// One piece of work on a codec thread.
pub(crate) enum MediaActor {
    Video(Box<VideoSender>),
    Audio(AudioSender),
    Receiver(Box<Receiver>),
}

impl Actor for MediaActor {
    type Message = Work;

    fn handle(&mut self, now: Time, message: Work) {
        match self {
            MediaActor::Video(sender) => sender.handle(message),
            MediaActor::Audio(sender) => sender.handle(message),
            MediaActor::Receiver(receiver) => receiver.handle(now, message),
        }
    }

    fn tick(&mut self, now: Time) -> Option<Time> {
        match self {
            MediaActor::Video(sender) => sender.tick(now),
            MediaActor::Audio(sender) => sender.tick(now),
            MediaActor::Receiver(_) => None,
        }
    }
}

/// What the driver does about a received frame.
pub(crate) enum Reaction {
    Nothing,
    /// Send this frame back on the same section.
    Echo(EncodedFrame),
    /// The decoder fell behind: ask the peer for a key frame.
    RequestKeyframe,
}

/// The driver's side: which actors serve which call.
pub(crate) struct MediaSink {
    plan: MediaPlan,
    clock: Clock,
    pool: Pool<MediaActor>,
    requests: mpsc::WeakSender<ToDriver>,
    reports: mpsc::UnboundedSender<(CallHandle, MediaReport)>,
    calls: HashMap<CallHandle, CallMedia>,
}

#[derive(Default)]
struct CallMedia {
    receiver: Option<Address<MediaActor>>,
    senders: HashMap<usize, Sender>,
    targets: HashMap<usize, EncoderTarget>,
    /// Sections whose decoder missed frames and waits for a key frame.
    behind: Vec<usize>,
    sections: Vec<Section>,
}

struct Sender {
    format: MediaFormat,
    address: Address<MediaActor>,
}

impl MediaSink {
    pub(crate) fn start(
        plan: MediaPlan,
        clock: Clock,
        requests: mpsc::WeakSender<ToDriver>,
        reports: mpsc::UnboundedSender<(CallHandle, MediaReport)>,
    ) -> io::Result<Self> {
        let threads = thread::available_parallelism().map_or(2, |n| n.get()).max(2);
        let pool = Pool::start("visavis-codec", threads, clock)?;
        Ok(MediaSink { plan, clock, pool, requests, reports, calls: HashMap::new() })
    }

    /// An offer/answer exchange ended.
    pub(crate) fn sections(&mut self, call: CallHandle, sections: &[Section]) {
        let media = self.calls.entry(call).or_default();
        media.sections = sections.to_vec();
        if media.receiver.is_none() && self.plan.receive.wants_frames() {
            let receiver = Receiver::new(
                call,
                &self.plan.receive,
                self.clock.now(),
                self.requests.clone(),
                self.reports.clone(),
            );
            media.receiver = self.pool.add(MediaActor::Receiver(Box::new(receiver)));
        }
        if let Some(receiver) = &media.receiver {
            receiver.send(Work::Sections(sections.to_vec()));
        }
        let Sending::Sources(sources) = &self.plan.send else { return };
        for (index, section) in sections.iter().enumerate() {
            let format = section.send.clone().filter(|_| section.active && section.direction.sends());
            if media.senders.get(&index).map(|s| &s.format) == format.as_ref() {
                continue;
            }
            media.senders.remove(&index);
            let Some(format) = format else { continue };
            let outlet = Outlet { call, section: index, requests: self.requests.clone() };
            match open(sources.as_ref(), &format, media.targets.get(&index), outlet) {
                Ok(Some(actor)) => {
                    if let Some(address) = self.pool.add(actor) {
                        media.senders.insert(index, Sender { format, address });
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::error!(%error, call = call.0, section = index, "nothing is sent"),
            }
        }
    }

    /// What an encoder should produce from now on.
    pub(crate) fn target(&mut self, call: CallHandle, section: usize, target: EncoderTarget) {
        let media = self.calls.entry(call).or_default();
        media.targets.insert(section, EncoderTarget { keyframe: false, ..target });
        if let Some(sender) = media.senders.get(&section) {
            sender.address.send(Work::Target(target));
        }
    }

    /// Whether key frames that a peer asks for are to be asked of the peer: its own pictures come back to it.
    pub(crate) fn echoes(&self) -> bool {
        matches!(self.plan.send, Sending::Echo)
    }

    /// A frame arrived.
    pub(crate) fn frame(&mut self, call: CallHandle, section: usize, frame: ReceivedFrame) -> Reaction {
        let Some(media) = self.calls.get_mut(&call) else { return Reaction::Nothing };
        let mut reaction = Reaction::Nothing;
        if let Sending::Echo = self.plan.send
            && let Some(format) = media.sections.get(section).and_then(|s| s.send.as_ref())
            && format.codec() == frame.codec
            && frame.complete
        {
            let duration = match format {
                MediaFormat::Audio(f) => {
                    f.samples_per_frame * (f.clock_rate / 100) / (f.sample_rate / 100).max(1)
                }
                MediaFormat::Video(_) => 0,
            };
            let data = frame.data.clone();
            let (captured, keyframe) = (frame.received, frame.keyframe);
            reaction = Reaction::Echo(EncodedFrame { data, captured, duration, keyframe });
        }
        let Some(receiver) = &media.receiver else { return reaction };
        if media.behind.contains(&section) && !frame.keyframe {
            return reaction;
        }
        media.behind.retain(|s| *s != section);
        if !receiver.offer(Work::Frame(section, frame)) {
            media.behind.push(section);
            return Reaction::RequestKeyframe;
        }
        reaction
    }

    /// A call is over: its sources stop, its receiver reports.
    pub(crate) fn ended(&mut self, call: CallHandle) {
        match self.calls.remove(&call).and_then(|m| m.receiver) {
            Some(receiver) => drop(receiver.send(Work::Finish)),
            // Nobody follows reports where the endpoint is going away.
            None => drop(self.reports.send((call, MediaReport::default()))),
        }
    }
}

fn open(
    sources: &dyn Sources,
    format: &MediaFormat,
    target: Option<&EncoderTarget>,
    outlet: Outlet,
) -> Result<Option<MediaActor>, CodecError> {
    match format {
        MediaFormat::Audio(format) => {
            let Some(source) = sources.audio(outlet.call) else { return Ok(None) };
            let bitrate = target.map(|t| t.bitrate);
            AudioSender::new(source, format.clone(), bitrate, outlet).map(|s| Some(MediaActor::Audio(s)))
        }
        MediaFormat::Video(format) => {
            let Some(source) = sources.video(outlet.call) else { return Ok(None) };
            let fallback = EncoderTarget { bitrate: 1_000_000, size: None, fps: None, keyframe: false };
            let target = *target.unwrap_or(&fallback);
            VideoSender::new(source, format.clone(), target, outlet)
                .map(|s| Some(MediaActor::Video(Box::new(s))))
        }
    }
}
