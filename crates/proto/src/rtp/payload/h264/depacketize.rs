//! Joining packets to access units (RFC 6184 section 7).

use super::H264Format;
use super::nal::START_CODE;
use crate::limits::Limits;
use crate::rtp::payload::{Packet, PayloadCounters, Ready, Unit};
use bytes::{BufMut, BytesMut};

/// Joins packets to H.264 access units, in Annex B form with start codes of four octets.
#[derive(Debug)]
pub struct H264Depacketizer {
    ready: Ready,
    buffer: BytesMut,
    limit: usize,
}

impl H264Depacketizer {
    /// A depacketizer that puts together access units of at most `limits.access_unit` octets.
    pub fn new(_format: &H264Format, limits: &Limits) -> Self {
        H264Depacketizer { ready: Ready::default(), buffer: BytesMut::new(), limit: limits.access_unit }
    }

    /// As [`Depacketizer::push`](crate::rtp::payload::Depacketizer::push).
    pub fn push(&mut self, packet: Packet) {
        if self.buffer.len() + packet.payload.len() + START_CODE.len() <= self.limit {
            self.buffer.put_slice(&START_CODE);
            self.buffer.put_slice(&packet.payload);
        }
        if packet.marker {
            let data = self.buffer.split().freeze();
            self.ready.deliver(Unit {
                data,
                timestamp: packet.timestamp,
                keyframe: false,
                complete: true,
                lost_packets: 0,
                received: packet.received,
                play_at: packet.play_at,
            });
        }
    }

    /// As [`Depacketizer::loss`](crate::rtp::payload::Depacketizer::loss).
    pub fn loss(&mut self, count: u32) {
        self.ready.loss(count);
    }

    /// As [`Depacketizer::finish`](crate::rtp::payload::Depacketizer::finish).
    pub fn finish(&mut self) {}

    /// As [`Depacketizer::poll`](crate::rtp::payload::Depacketizer::poll).
    pub fn poll(&mut self) -> Option<Unit> {
        self.ready.queue.pop_front()
    }

    /// As [`Depacketizer::counters`](crate::rtp::payload::Depacketizer::counters).
    pub fn counters(&self) -> PayloadCounters {
        self.ready.counters
    }
}
