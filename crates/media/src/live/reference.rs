//! What the speaker plays, for an echo canceller on the microphone's side.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The speaker's end, for [`Feed::set_reference`](super::playout::Feed::set_reference).
pub struct Reference {
    producer: rtrb::Producer<i16>,
    channels: usize,
    lost: Arc<AtomicBool>,
}

/// The canceller's end.
pub struct Heard {
    consumer: rtrb::Consumer<i16>,
    /// Samples of all channels in a second.
    pace: u32,
    lost: Arc<AtomicBool>,
}

/// Both ends, for a speaker of (rate in Hz, channels). What is not taken within `capacity` is lost.
pub fn reference((sample_rate, channels): (u32, u8), capacity: Duration) -> (Reference, Heard) {
    let frames = (capacity.as_secs_f64() * f64::from(sample_rate)) as usize;
    let (producer, consumer) = rtrb::RingBuffer::new(frames.max(1) * usize::from(channels));
    let pace = sample_rate * u32::from(channels);
    let lost = Arc::new(AtomicBool::new(false));
    let reference = Reference { producer, channels: usize::from(channels), lost: Arc::clone(&lost) };
    (reference, Heard { consumer, pace, lost })
}

impl Reference {
    /// Takes note of what is played, interleaved and of whole frames. Neither locks nor allocates.
    pub(super) fn heard(&mut self, samples: &[i16]) {
        let room = self.producer.slots() / self.channels * self.channels;
        let _ = self.producer.push_partial_slice(&samples[..samples.len().min(room)]);
        if room < samples.len() {
            self.lost.store(true, Ordering::Release);
        }
    }
}

impl Heard {
    /// Fills `block` with what was played next; nothing is taken where there is less than that.
    pub fn take(&mut self, block: &mut [i16]) -> bool {
        self.consumer.pop_entire_slice(block).is_ok()
    }

    /// Whether anything was lost since this was asked last.
    pub fn lost(&self) -> bool {
        self.lost.swap(false, Ordering::AcqRel)
    }

    /// How much of what was played waits.
    pub fn waiting(&self) -> Duration {
        Duration::from_nanos(super::clock::span(self.consumer.slots() as u64, self.pace).unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_played_is_taken_in_blocks_and_the_newest_is_lost_where_nobody_takes_it() {
        let (mut reference, mut heard) = reference((8_000, 2), Duration::from_millis(1));
        reference.heard(&[1, 2, 3, 4, 5, 6]);
        let mut block = [0; 4];
        assert!(heard.take(&mut block) && block == [1, 2, 3, 4]);
        assert!(!heard.take(&mut block));
        assert_eq!(heard.waiting(), Duration::from_micros(125));
        assert!(!heard.lost());
        reference.heard(&(7..30).collect::<Vec<i16>>());
        assert_eq!(heard.waiting(), Duration::from_millis(1));
        assert!(heard.lost() && !heard.lost());
    }
}
