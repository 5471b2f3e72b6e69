//! The media of an endpoint's calls: sources and encoders, decoders, judge and recorder, on codec threads.

#[cfg(feature = "devices")]
mod devices;
mod judges;
mod mirror;
mod plan;
mod pool;
mod receive;
mod reel;
mod send;
mod show;

pub(crate) use judges::{Judges, Judging};
pub(crate) use reel::Reel;

#[cfg(feature = "devices")]
pub use devices::{DeviceEvent, DeviceOptions, Devices};
pub use plan::{MediaPlan, Receiving, Recording, Sending, Sinks, Sources, TestSources};

use self::mirror::{Back, MirrorSound, MirrorSource, Slot};
use self::pool::{Actor, Address, Pool};
use self::receive::Receiver;
use self::send::{AudioSender, Outlet, VideoSender};
use crate::clock::Clock;
use crate::driver::ToDriver;
use std::collections::HashMap;
use std::io;
use std::thread;
use std::time::Duration;
use tokio::sync::mpsc;
use visavis_media::codec::CodecError;
use visavis_media::sound::Pcm;
use visavis_media::source::VideoSource;
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
    /// What is decoded of a section goes there too; `None`: no longer.
    Back(usize, Option<Back>),
    /// Decoded sound that is to be encoded.
    Sound(Pcm),
    /// The source has something to give.
    Wake,
    /// The call is over: report. With it comes how long a frame of sound that is sent lasts, and its codec's lag.
    Finish(Option<(Duration, Duration)>),
}

/// One piece of work on a codec thread.
pub(crate) enum MediaActor {
    Video(Box<VideoSender>),
    Audio(AudioSender),
    MirrorSound(MirrorSound),
    Receiver(Box<Receiver>),
}

impl Actor for MediaActor {
    type Message = Work;

    fn handle(&mut self, now: Time, message: Work) {
        match self {
            MediaActor::Video(sender) => sender.handle(message),
            MediaActor::Audio(sender) => sender.handle(message),
            MediaActor::MirrorSound(sender) => sender.handle(message),
            MediaActor::Receiver(receiver) => receiver.handle(now, message),
        }
    }

    fn tick(&mut self, now: Time) -> Option<Time> {
        match self {
            MediaActor::Video(sender) => sender.tick(now),
            MediaActor::Audio(sender) => sender.tick(now),
            MediaActor::MirrorSound(_) | MediaActor::Receiver(_) => None,
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
    /// How long a frame of sound lasts, and the codec's lag.
    sound: Option<(Duration, Duration)>,
    sections: Vec<Section>,
}

struct Sender {
    format: MediaFormat,
    takes_rotation: bool,
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
        if media.receiver.is_none() && self.plan.wants_frames() {
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
        if matches!(self.plan.send, Sending::Nothing | Sending::Echo) {
            return;
        }
        let to_receiver = |work| media.receiver.as_ref().map(|receiver| receiver.send(work));
        for (index, section) in sections.iter().enumerate() {
            let format = section.send.clone().filter(|_| section.active && section.direction.sends());
            let takes_rotation = section.takes_rotation;
            let known = media.senders.get(&index).filter(|s| s.takes_rotation == takes_rotation);
            if known.map(|s| &s.format) == format.as_ref() {
                continue;
            }
            if media.senders.remove(&index).is_some() {
                to_receiver(Work::Back(index, None));
            }
            let Some(format) = format else { continue };
            let outlet = Outlet { call, section: index, requests: self.requests.clone() };
            let slot = Slot::default();
            let target = media.targets.get(&index);
            match open(&self.plan.send, &slot, (&format, takes_rotation), target, outlet) {
                Ok(Some(actor)) => {
                    if let MediaActor::Audio(sender) = &actor {
                        media.sound = Some(sender.delay());
                    }
                    let Some(address) = self.pool.add(actor) else { continue };
                    if let Sending::Mirror = self.plan.send {
                        to_receiver(Work::Back(index, Some(Back::new(&format, slot, address.clone()))));
                    }
                    media.senders.insert(index, Sender { format, takes_rotation, address });
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
            reaction =
                Reaction::Echo(EncodedFrame { data, captured, duration, keyframe, rotation: frame.rotation });
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
        let media = self.calls.remove(&call).unwrap_or_default();
        match media.receiver {
            Some(receiver) => drop(receiver.send(Work::Finish(media.sound))),
            // Nobody follows reports where the endpoint is going away.
            None => drop(self.reports.send((call, MediaReport::default()))),
        }
    }
}

/// What sends in this format to a peer that turns pictures or does not; a mirror takes its pictures out of `slot`.
fn open(
    send: &Sending,
    slot: &Slot,
    (format, takes_rotation): (&MediaFormat, bool),
    target: Option<&EncoderTarget>,
    outlet: Outlet,
) -> Result<Option<MediaActor>, CodecError> {
    match format {
        MediaFormat::Audio(format) => {
            let format = format.clone();
            if let Sending::Mirror = send {
                return MirrorSound::new(format, target, outlet).map(|s| Some(MediaActor::MirrorSound(s)));
            }
            let Some(source) = send.sources().and_then(|sources| sources.audio(outlet.call)) else {
                return Ok(None);
            };
            AudioSender::new(source, format, target, outlet).map(|s| Some(MediaActor::Audio(s)))
        }
        MediaFormat::Video(format) => {
            let source = match send {
                Sending::Mirror => Some(Box::new(MirrorSource::new(slot.clone())) as Box<dyn VideoSource>),
                _ => send.sources().and_then(|sources| sources.video(outlet.call)),
            };
            let Some(source) = source else { return Ok(None) };
            let fallback =
                EncoderTarget { bitrate: 1_000_000, size: None, fps: None, keyframe: false, lossy: false };
            let target = *target.unwrap_or(&fallback);
            VideoSender::new(source, format.clone(), target, takes_rotation, outlet)
                .map(|s| Some(MediaActor::Video(Box::new(s))))
        }
    }
}
