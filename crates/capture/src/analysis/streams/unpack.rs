//! Packets of one payload type, put together to frames.

use super::reorder::{Item, Placed, Reorder};
use crate::analysis::structure::picture_size;
use bytes::Bytes;
use std::time::Duration;
use visavis_proto::Time;
use visavis_proto::frame::ReceivedFrame;
use visavis_proto::io::MediaFormat;
use visavis_proto::limits::Limits;
use visavis_proto::payload_format;
use visavis_proto::rtp::payload::h264::{NalUnits, nal_type};
use visavis_proto::rtp::payload::{Depacketizer, Packet};
use visavis_proto::sdp::Format;

/// The most times between key frames that are kept for their median.
const MAX_INTERVALS: usize = 1_024;

/// Puts together what one payload type carries.
#[derive(Debug)]
pub(super) struct Unpacker {
    pub(super) payload_type: u8,
    pub(super) media: MediaFormat,
    clock_rate: u32,
    reorder: Reorder,
    depacketizer: Depacketizer,
    /// A timestamp and the time that stands for it.
    anchor: Option<(u64, Time)>,
}

/// What a packet carries, as far as an unpacker is concerned.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Payload(Bytes),
    /// Events, comfort noise, another codec: it takes a number and nothing else.
    Other,
    /// It was cut off by the capture, or could not be opened.
    Unreadable,
}

/// What has become of the frames of a stream.
#[derive(Debug, Default)]
pub(super) struct Frames {
    pub(super) frames: u64,
    pub(super) incomplete: u64,
    pub(super) keyframes: u64,
    pub(super) intervals: Vec<f64>,
    last_keyframe: Option<u64>,
    pub(super) last: Option<Time>,
    pub(super) picture_size: Option<(u32, u32)>,
}

impl Unpacker {
    /// One for a format; `None` where it has no frames.
    pub(super) fn new(format: &Format, limits: &Limits) -> Option<Self> {
        let media = format.encoding.media_format(20, 1_400)?;
        let clock_rate = format.encoding.clock_rate();
        Some(Unpacker {
            payload_type: format.payload_type,
            media,
            clock_rate,
            reorder: Reorder::default(),
            depacketizer: Depacketizer::new(&payload_format(format), clock_rate, limits),
            anchor: None,
        })
    }

    /// Takes a packet; frames that are ready go to `out`.
    pub(super) fn push(&mut self, packet: Placed, out: &mut dyn FnMut(&MediaFormat, ReceivedFrame)) {
        self.reorder.push(packet);
        self.drain(false, out);
    }

    /// Gives out what is left.
    pub(super) fn finish(&mut self, out: &mut dyn FnMut(&MediaFormat, ReceivedFrame)) {
        self.drain(true, out);
        self.depacketizer.finish();
        self.poll(out);
    }

    fn drain(&mut self, all: bool, out: &mut dyn FnMut(&MediaFormat, ReceivedFrame)) {
        while let Some(item) = self.reorder.pop(all) {
            match item {
                Item::Lost(count) => self.depacketizer.loss(count),
                Item::Packet(Placed { content: Content::Unreadable, .. }) => self.depacketizer.loss(1),
                Item::Packet(Placed { content: Content::Other, .. }) => {}
                Item::Packet(Placed {
                    content: Content::Payload(payload),
                    sequence,
                    timestamp,
                    marker,
                    received,
                }) => {
                    let play_at = self.play_at(timestamp, received);
                    self.depacketizer.push(Packet {
                        payload,
                        timestamp,
                        sequence,
                        marker,
                        received,
                        play_at,
                    });
                }
            }
            self.poll(out);
        }
    }

    fn poll(&mut self, out: &mut dyn FnMut(&MediaFormat, ReceivedFrame)) {
        while let Some(unit) = self.depacketizer.poll() {
            out(&self.media, unit.into_frame(self.media.codec(), self.payload_type));
        }
    }

    /// Frames play where their timestamps put them, without any jitter.
    fn play_at(&mut self, timestamp: u64, received: Time) -> Time {
        let (origin, at) = *self.anchor.get_or_insert((timestamp, received));
        let ticks = |count: u64| {
            let nanos = u128::from(count) * 1_000_000_000 / u128::from(self.clock_rate.max(1));
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        };
        match timestamp.checked_sub(origin) {
            Some(ahead) => at + ticks(ahead),
            None => at.saturating_sub(ticks(origin - timestamp)),
        }
    }
}

impl Frames {
    /// Counts a frame.
    pub(super) fn count(&mut self, media: &MediaFormat, frame: &ReceivedFrame) {
        self.frames += 1;
        self.incomplete += u64::from(!frame.complete);
        self.last = Some(frame.received);
        let MediaFormat::Video(_) = media else { return };
        if !frame.keyframe {
            return;
        }
        self.keyframes += 1;
        if let Some(before) = self.last_keyframe.replace(frame.timestamp)
            && self.intervals.len() < MAX_INTERVALS
            && let Some(ticks) = frame.timestamp.checked_sub(before)
        {
            self.intervals.push(ticks as f64 / 90_000.0);
        }
        let sets = NalUnits::new(&frame.data).into_iter().flatten();
        let mut sets =
            sets.filter(|nal| nal.first().is_some_and(|&header| nal_type::of(header) == nal_type::SPS));
        self.picture_size = sets.find_map(|nal| picture_size(&nal)).or(self.picture_size);
    }

    /// The numbers begin anew: no time lies between the frame before and the next one.
    pub(super) fn restart(&mut self) {
        self.last_keyframe = None;
    }
}
