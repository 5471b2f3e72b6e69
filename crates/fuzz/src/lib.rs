//! What several fuzz targets share: octets taken apart into choices, and streams of packets made of them.

pub mod stun;

use bytes::Bytes;
use visavis_proto::Time;
use visavis_proto::limits::Limits;
use visavis_proto::rtp::payload::{Depacketizer, Packet, PayloadFormat};

/// Octets that are taken from the front, as choices and as data. At the end there are only zeros.
pub struct Octets<'a>(pub &'a [u8]);

impl<'a> Octets<'a> {
    /// One octet.
    pub fn octet(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// At most `count` octets.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Octets behind a length of one octet, or of two where the first is above 0xf0.
    pub fn data(&mut self) -> &'a [u8] {
        let length = match self.octet() {
            high @ 0xf1.. => usize::from(high - 0xf0) << 8 | usize::from(self.octet()),
            short => usize::from(short),
        };
        self.take(length)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Feeds a depacketizer with packets, losses and jumps of the timestamp, and checks what comes out: access
/// units within the limits, in the order of their timestamps as they went in.
pub fn depacketize(format: &PayloadFormat, data: &[u8]) {
    let limits = Limits { access_unit: 20_000, ..Limits::default() };
    let mut depacketizer = Depacketizer::new(format, 48_000, &limits);
    let mut octets = Octets(data);
    let (mut sequence, mut timestamp, mut pushed, mut lost) = (0u64, 1u64 << 32, 0u64, 0u64);
    while !octets.is_empty() {
        let control = octets.octet();
        match control & 0x07 {
            0 => {
                let count = u32::from(control >> 3) + 1;
                lost += u64::from(count);
                sequence += u64::from(count);
                depacketizer.loss(count);
            }
            1 => timestamp += u64::from(octets.octet()) << (control >> 3 & 0x0f),
            2 => timestamp -= u64::from(octets.octet()).min(timestamp),
            _ => {
                sequence += 1;
                pushed += 1;
                depacketizer.push(Packet {
                    payload: Bytes::copy_from_slice(octets.data()),
                    timestamp,
                    sequence,
                    marker: control & 0x80 != 0,
                    received: Time::from_millis(pushed),
                    play_at: Time::from_millis(pushed + 50),
                });
            }
        }
        drain(&mut depacketizer, &limits, &mut lost);
    }
    depacketizer.finish();
    drain(&mut depacketizer, &limits, &mut lost);
    let _ = depacketizer.counters();
}

/// Takes out what is ready. A loss is reported at most once.
fn drain(depacketizer: &mut Depacketizer, limits: &Limits, lost: &mut u64) {
    let mut units = 0;
    while let Some(unit) = depacketizer.poll() {
        units += 1;
        assert!(units <= 100_000, "units for ever");
        assert!(unit.data.len() <= limits.access_unit, "a unit of {} octets", unit.data.len());
        assert!(!unit.data.is_empty(), "an empty unit");
        let reported = u64::from(unit.lost_packets);
        assert!(reported <= *lost, "{reported} lost packets reported, {lost} were lost");
        *lost -= reported;
    }
}
